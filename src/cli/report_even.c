/* report_even.c - how many nodes equal a GPU. */
#include "cli/report_even.h"

#include "base/character.h"
#include "base/newfile.h"
#include "cli/report_text.h"
#include "ithaca_tools.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GIGA 1e9

/* 1, 2, 4, ... ITH_EVEN_NODES_MAX */
enum { LADDER = 11, HALVINGS = 5 };

static const int64_t contexts[] = {8192, 32768, 131072};
enum { CONTEXTS = sizeof contexts / sizeof *contexts };

static const ith_figure figures[ITH_EVEN_PHASES] = {ITH_FIGURE_PREFILL, ITH_FIGURE_DECODE};

/* What so many nodes do. */
typedef struct rates {
    double of[ITH_EVEN_PHASES];
    double node_bytes;
} rates;

/* One model on one kind of node. */
typedef struct pair {
    const ith_report_group *group;
    const ith_report_series *node;
    ith_even_network network;
    const char *file; /* the model's configuration; NULL: none */
    char spec[200];   /* the model, for ith_engine_params */
    ith_error refusal;
} pair;

/* Estimates for 1, 2, 4, ... nodes. */
typedef struct climb {
    rates ladder[LADDER];
    int n;
    int fewest;                     /* as in ith_even */
    rates few;                      /* of so many */
    double factor[ITH_EVEN_PHASES]; /* as in ith_even_phase */
    int64_t factor_context[ITH_EVEN_PHASES];
} climb;

static ith_status no_memory(ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "no memory for the report");
}

static double ceiling(const ith_report_series *s, const char *key)
{
    return json_number_value(json_object_get(json_object_get(s->run, "ceilings"), key));
}

/* Cores of a node; 0: the document does not say. */
static int cores_of(const ith_report_series *node)
{
    json_int_t cores =
        json_integer_value(json_object_get(json_object_get(node->machine, "host"), "cores"));
    return cores > 0 && cores < 1 << 16 ? (int)cores : 0;
}

static int64_t memory_of(const ith_report_series *node)
{
    return json_integer_value(
        json_object_get(json_object_get(node->machine, "host"), "memory_bytes"));
}

static int count_of_run(const ith_report_series *s, const char *key)
{
    const json_t *value = json_object_get(json_object_get(s->run, "placement"), key);
    json_int_t n = json_integer_value(value);

    return n > 0 && n < 1 << 16 ? (int)n : 0;
}

/* ---- Who is compared ---- */

static bool is_gpu(const ith_report_series *s)
{
    return ith_series_devices(s) > 0 && s->batch == 1 &&
           (s->of[ITH_FIGURE_PREFILL].n > 0 || s->of[ITH_FIGURE_DECODE].n > 0);
}

static bool is_node(const ith_report_series *s)
{
    const char *engine = json_string_value(json_object_get(s->engine, "name"));

    return ith_series_devices(s) == 0 && s->batch == 1 && engine != NULL &&
           strcmp(engine, "Ithaca") == 0 && ith_series_published(s) == NULL &&
           ceiling(s, "int8_ops") > 0 && ceiling(s, "memory_bytes_per_second") > 0;
}

/* The TYPE of random weights whose layout in memory is the run's, and what keeps them so. */
static const char *type_of(const ith_report_series *node, ith_quant *quant)
{
    static const struct {
        const char *weights, *type;
        ith_quant quant;
    } types[] = {
        {"w4", "q4_0", ITH_QUANT_AUTO}, {"w4m", "q4_1", ITH_QUANT_AUTO},
        {"w8", "q8_0", ITH_QUANT_AUTO}, {"bf16", "bf16", ITH_QUANT_BF16},
        {"f32", "f32", ITH_QUANT_F32},
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(ith_series_weights(node), types[i].weights) == 0) {
            *quant = types[i].quant;
            return types[i].type;
        }
    return NULL;
}

/* Is `s` the better run to speak for its machine? One whose types can be estimated is, then the one
 * with more cores, then the one that decodes faster. */
static bool speaks_better(const ith_report_series *s, const ith_report_series *other)
{
    const ith_report_points *a = &s->of[ITH_FIGURE_DECODE], *b = &other->of[ITH_FIGURE_DECODE];
    int cores = ith_series_cores(s), others = ith_series_cores(other);
    ith_quant quant;

    if ((type_of(s, &quant) == NULL) != (type_of(other, &quant) == NULL))
        return type_of(s, &quant) != NULL;
    if (cores != others)
        return cores > others;
    return a->n > 0 && b->n > 0 && a->points[0].value > b->points[0].value;
}

/* The run of the group that speaks for the machine of `node`; NULL: none. */
static const ith_report_series *speaker(const ith_report_group *group,
                                        const ith_report_series *node)
{
    const ith_report_series *best = NULL;

    for (size_t i = 0; i < group->n; i++) {
        const ith_report_series *s = &group->series[i];
        if (is_node(s) && ith_series_same_machine(s, node) &&
            (best == NULL || speaks_better(s, best)))
            best = s;
    }
    return best;
}

/* The run of any group that does. */
static const ith_report_series *speaker_of_all(const ith_report *report,
                                               const ith_report_series *node)
{
    const ith_report_series *best = NULL;

    for (size_t g = 0; g < report->n_groups; g++) {
        const ith_report_series *s = speaker(&report->groups[g], node);
        if (s != NULL && (best == NULL || speaks_better(s, best)))
            best = s;
    }
    return best;
}

/* Is it the first series of its machine that `is` accepts: in its group, or in all of them? */
static bool is_first_gpu(const ith_report_group *group, const ith_report_series *s)
{
    for (size_t i = 0; &group->series[i] != s; i++)
        if (is_gpu(&group->series[i]) && ith_series_same_machine(&group->series[i], s))
            return false;
    return is_gpu(s);
}

static bool is_first_node(const ith_report *report, const ith_report_series *s)
{
    for (size_t g = 0; g < report->n_groups; g++)
        for (size_t i = 0; i < report->groups[g].n; i++) {
            const ith_report_series *other = &report->groups[g].series[i];
            if (other == s)
                return is_node(s);
            if (is_node(other) && ith_series_same_machine(other, s))
                return false;
        }
    return false;
}

/* ---- Estimates ---- */

static ith_kv_type cache_of(const ith_report_series *node)
{
    const char *name = ith_series_cache(node);
    return strcmp(name, "bf16") == 0  ? ITH_KV_BF16
           : strcmp(name, "f32") == 0 ? ITH_KV_F32
                                      : ITH_KV_Q8;
}

static ith_estimate_params params_of(const pair *p, int64_t context, int nodes)
{
    const ith_report_series *node = p->node;
    double own = ith_series_nodes(node);
    int ranks = ith_series_ranks(node) / ith_series_nodes(node),
        threads = count_of_run(node, "threads");
    ith_estimate_params params = {.engine = ith_engine_params_default(),
                                  .nodes = nodes,
                                  .ranks_per_node = ranks > 0 ? ranks : 1,
                                  .read_gbps =
                                      ceiling(node, "memory_bytes_per_second") / GIGA / own,
                                  .integer_gops = ceiling(node, "int8_ops") / GIGA / own,
                                  .network_gbps = p->network.gbps,
                                  .latency_us = p->network.latency_us};

    params.engine.model = p->spec;
    params.engine.kv = cache_of(node);
    params.engine.threads = threads > 0 ? threads : cores_of(node) / params.ranks_per_node;
    if (params.engine.threads == 0)
        params.engine.threads = 1;
    params.engine.ctx = context;
    params.engine.memory = ith_estimate_memory(memory_of(node), params.ranks_per_node);
    type_of(node, &params.engine.quant);
    return params;
}

/* False: p->refusal says why there is no estimate. */
static bool estimate(pair *p, int64_t context, int nodes, rates *out)
{
    ith_estimate_params params = params_of(p, context, nodes);
    char *text;
    json_t *root;
    double prefill_s;

    if (ith_estimate(&params, &text, &p->refusal) != ITH_OK)
        return false;
    root = json_loads(text, 0, NULL);
    free(text);
    prefill_s = json_number_value(json_object_get(root, "prefill_s"));
    *out =
        (rates){{prefill_s > 0 ? (double)context / prefill_s : 0,
                 json_number_value(json_object_get(root, "decode_tps"))},
                json_number_value(json_object_get(json_object_get(root, "memory"), "node_bytes"))};
    json_decref(root);
    return true;
}

/* Measured over estimated, where the model was measured on the node; else 0. */
static double factor_of(pair *p, int phase, int64_t context, int64_t *at)
{
    const ith_report_point *point = ith_series_nearest(p->node, figures[phase], context);
    rates expected;

    if (point == NULL || !estimate(p, point->context, ith_series_nodes(p->node), &expected) ||
        expected.of[phase] <= 0)
        return 0;
    *at = point->context;
    return point->value / expected.of[phase];
}

/* ---- The number of nodes ---- */

static double scale_of(const climb *c, int phase)
{
    return c->factor[phase] > 0 ? c->factor[phase] : 1;
}

/* Between `few` nodes, which are too few, and `enough`. */
static int halve(pair *p, const ith_even *even, int phase, double scale, int few, int enough)
{
    const double wanted = even->phase[phase].gpu_rate;
    rates r;

    for (int i = 0; i < HALVINGS && enough - few > 1; i++) {
        int middle = few + (enough - few) / 2;
        if (!estimate(p, even->context, middle, &r))
            break;
        if (r.of[phase] * scale >= wanted)
            enough = middle;
        else
            few = middle;
    }
    return enough;
}

static void set_reached(ith_even_phase *f, int phase, int nodes, const rates *r, double scale)
{
    f->nodes = nodes;
    f->reached = r->of[phase] * scale;
    f->node_bytes = r->node_bytes;
}

/* The fastest of the GPU's ways at the context. */
static void find_gpu(ith_even *even, int phase)
{
    ith_even_phase *f = &even->phase[phase];

    for (size_t i = 0; i < even->group->n; i++) {
        const ith_report_series *s = &even->group->series[i];
        const ith_report_point *point = ith_series_point(s, figures[phase], even->context);
        if (!is_gpu(s) || !ith_series_same_machine(s, even->gpu) || point == NULL ||
            point->value <= f->gpu_rate)
            continue;
        f->gpu = s;
        f->gpu_rate = point->value;
    }
}

static ith_status add_row(ith_evens *evens, const ith_even *even, ith_error *err)
{
    ith_even *more = realloc(evens->rows, (evens->n + 1) * sizeof *more);

    if (more == NULL)
        return no_memory(err);
    evens->rows = more;
    more[evens->n++] = *even;
    return ITH_OK;
}

/* Why there is no estimate, without the name of the temporary file. */
static void set_refusal(ith_even *even, const pair *p)
{
    const char *text = p->refusal.text, *file = p->file != NULL ? strstr(text, p->file) : NULL;
    int before = file != NULL ? (int)(file - text) : 0;

    snprintf(even->refusal, sizeof even->refusal, "%.*s%s%.150s", before < 40 ? before : 40, text,
             file != NULL ? "its configuration" : "", file != NULL ? file + strlen(p->file) : text);
    ith_clean_line(even->refusal);
}

/* ladder: of 1, 2, 4, ... nodes. */
static void find_nodes(pair *p, ith_even *even, int phase, const climb *c)
{
    ith_even_phase *f = &even->phase[phase];
    double scale = scale_of(c, phase);
    rates r;

    f->factor = c->factor[phase];
    f->factor_context = c->factor_context[phase];
    f->few = c->few.of[phase] * scale;
    for (int i = 0; i < c->n && !f->equals; i++) {
        if (c->ladder[i].of[phase] * scale > f->reached)
            set_reached(f, phase, 1 << i, &c->ladder[i], scale);
        f->equals = f->gpu_rate > 0 && c->ladder[i].of[phase] * scale >= f->gpu_rate;
    }
    if (!f->equals || f->nodes == 1)
        return;
    f->nodes = halve(p, even, phase, scale, f->nodes / 2, f->nodes);
    if (estimate(p, even->context, f->nodes, &r))
        set_reached(f, phase, f->nodes, &r, scale);
}

/* Is there a rate, so that model and context fit? */
static bool fits(const rates *r)
{
    return r->of[ITH_EVEN_PREFILL] > 0 && r->of[ITH_EVEN_DECODE] > 0;
}

/* The least number of nodes that hold the model, to the node. */
static void find_fewest(pair *p, int64_t context, climb *c)
{
    int i = 0, few;
    rates r;

    while (i < c->n && !fits(&c->ladder[i]))
        i++;
    if (i == c->n)
        return;
    c->fewest = 1 << i;
    c->few = c->ladder[i];
    for (few = c->fewest / 2; c->fewest - few > 1;) {
        int middle = few + (c->fewest - few) / 2;
        if (!estimate(p, context, middle, &r))
            break;
        if (fits(&r)) {
            c->fewest = middle;
            c->few = r;
        } else {
            few = middle;
        }
    }
}

/* Estimates for 1, 2, 4, ... nodes, as far as there are any: a run has at most so many ranks.
 * False: there is none. */
static bool climb_up(pair *p, int64_t context, bool measured, climb *c)
{
    if (p->refusal.status != ITH_OK)
        return false;
    for (int phase = 0; measured && phase < ITH_EVEN_PHASES; phase++)
        c->factor[phase] = factor_of(p, phase, context, &c->factor_context[phase]);
    while (c->n < LADDER && estimate(p, context, 1 << c->n, &c->ladder[c->n]))
        c->n++;
    if (c->n == 0)
        return false;
    p->refusal = (ith_error){0}; /* of more nodes, or of the context of a measurement */
    find_fewest(p, context, c);
    p->refusal = (ith_error){0};
    return true;
}

/* The row of a GPU at a context, as far as the GPU's figures go. */
static ith_even begin_row(const pair *p, const ith_report_series *gpu, int64_t context)
{
    ith_even even = {.group = p->group,
                     .gpu = gpu,
                     .node = p->node,
                     .measured = speaker(p->group, p->node) != NULL,
                     .context = context};

    for (int phase = 0; phase < ITH_EVEN_PHASES; phase++)
        find_gpu(&even, phase);
    return even;
}

static bool has_gpu_rate(const ith_even *even)
{
    return even->phase[ITH_EVEN_PREFILL].gpu_rate > 0 || even->phase[ITH_EVEN_DECODE].gpu_rate > 0;
}

/* All GPUs of the group beside the node, at one context. */
static ith_status add_context(pair *p, int64_t context, ith_evens *evens, ith_error *err)
{
    climb c = {0};
    bool some = false, known;

    for (size_t i = 0; i < p->group->n; i++) {
        ith_even even = begin_row(p, &p->group->series[i], context);
        some = some || (is_first_gpu(p->group, even.gpu) && has_gpu_rate(&even));
    }
    if (!some)
        return ITH_OK;
    known = climb_up(p, context, speaker(p->group, p->node) != NULL, &c);
    for (size_t i = 0; i < p->group->n; i++) {
        ith_even even = begin_row(p, &p->group->series[i], context);
        if (!is_first_gpu(p->group, even.gpu) || !has_gpu_rate(&even))
            continue;
        even.fewest = c.fewest;
        even.most = c.n > 0 ? 1 << (c.n - 1) : 0;
        for (int phase = 0; known && phase < ITH_EVEN_PHASES; phase++)
            find_nodes(p, &even, phase, &c);
        if (!known)
            set_refusal(&even, p);
        ITH_TRY(add_row(evens, &even, err));
    }
    return ITH_OK;
}

/* ---- All of them ---- */

/* The configuration of the group's model: the first that says its type. */
static const json_t *shape_of(const ith_report_group *group)
{
    for (size_t i = 0; i < group->n; i++) {
        const json_t *shape = json_object_get(group->series[i].model, "shape");
        if (json_object_get(shape, "model_type") != NULL)
            return shape;
    }
    return NULL;
}

/* The model's name for estimates, or why there can be none. */
static void prepare(pair *p)
{
    ith_quant quant;
    char weights[41];

    if (p->file == NULL)
        ith_fail(&p->refusal, ITH_E_UNSUPPORTED, "no document has its configuration");
    else if (type_of(p->node, &quant) == NULL)
        ith_fail(&p->refusal, ITH_E_UNSUPPORTED, "no estimate of %s weights",
                 ith_report_cut(ith_series_weights(p->node), weights, sizeof weights));
    else if (memory_of(p->node) <= 0)
        ith_fail(&p->refusal, ITH_E_UNSUPPORTED,
                 "the document does not say how much memory the node has");
    else if (count_of_run(p->node, "threads") == 0 && cores_of(p->node) == 0)
        ith_fail(&p->refusal, ITH_E_UNSUPPORTED,
                 "the document does not say how many cores the node has");
    else
        snprintf(p->spec, sizeof p->spec, "synthetic:%s:%s", p->file, type_of(p->node, &quant));
}

static ith_status add_nodes(const ith_report *report, const ith_report_group *group,
                            ith_even_network network, const char *file, ith_evens *evens,
                            ith_error *err)
{
    for (size_t g = 0; g < report->n_groups; g++)
        for (size_t i = 0; i < report->groups[g].n; i++) {
            const ith_report_series *node = &report->groups[g].series[i], *own;
            pair p = {.group = group, .network = network, .file = file};
            if (!is_first_node(report, node))
                continue;
            own = speaker(group, node);
            p.node = own != NULL ? own : speaker_of_all(report, node);
            prepare(&p);
            for (int k = 0; k < CONTEXTS; k++)
                ITH_TRY(add_context(&p, contexts[k], evens, err));
        }
    return ITH_OK;
}

/* Random weights take their shape from a file. */
static ith_status add_group(const ith_report *report, const ith_report_group *group,
                            const char *folder, ith_even_network network, ith_evens *evens,
                            ith_error *err)
{
    const json_t *shape = shape_of(group);
    char file[120], *text;
    ith_status status;

    if (shape == NULL)
        return add_nodes(report, group, network, NULL, evens, err);
    text = ith_json_exact_text(shape, false);
    if (text == NULL)
        return no_memory(err);
    snprintf(file, sizeof file, "%s/config.json", folder);
    status = ith_newfile_text(AT_FDCWD, file, text, false, err);
    free(text);
    if (status == ITH_OK)
        status = add_nodes(report, group, network, file, evens, err);
    unlink(file);
    return status;
}

static bool has_gpu(const ith_report_group *group)
{
    for (size_t i = 0; i < group->n; i++)
        if (is_gpu(&group->series[i]))
            return true;
    return false;
}

ith_status ith_evens_find(const ith_report *report, ith_even_network network, ith_evens *evens,
                          ith_error *err)
{
    const char *temporary = getenv("TMPDIR");
    char folder[100];
    ith_status status = ITH_OK;

    *evens = (ith_evens){0};
    if (temporary == NULL || strlen(temporary) > 60)
        temporary = "/tmp";
    snprintf(folder, sizeof folder, "%s/ithaca-compare-XXXXXX", temporary);
    if (mkdtemp(folder) == NULL)
        return ith_fail(err, ITH_E_IO, "cannot make a folder in %s: %s", temporary,
                        strerror(errno));
    for (size_t g = 0; status == ITH_OK && g < report->n_groups; g++)
        if (has_gpu(&report->groups[g]))
            status = add_group(report, &report->groups[g], folder, network, evens, err);
    rmdir(folder);
    return status;
}

void ith_evens_close(ith_evens *evens)
{
    free(evens->rows);
    *evens = (ith_evens){0};
}
