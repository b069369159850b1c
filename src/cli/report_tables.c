/* report_tables.c - the tables of the report. */
#include "cli/report_tables.h"
#include "cli/report_text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define GIB                (double)(1 << 30)
#define TABLE(id, columns) ith_table_open(id, columns, sizeof columns / sizeof *(columns))

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static double value_at(const ith_report_series *s, ith_figure figure, int64_t context)
{
    const ith_report_point *point = ith_series_point(s, figure, context);
    return point != NULL ? point->value : 0;
}

/* ---- Break-even ---- */

static const ith_table_column even_columns[] = {
    {"model", false},
    {"context, tokens", true},
    {"nodes with its time to first token", true},
    {"one must cost less than, per hour", true},
    {"nodes with its decode rate", true},
    {"one must cost less than, per hour", true},
    {"GPU", false},
    {"node", false},
};

static const ith_table_column rate_columns[] = {
    {"model", false},
    {"context, tokens", true},
    {"GPU", false},
    {"node", false},
    {"prefill of the GPU, tokens/s", true},
    {"of one node", true},
    {"measured over estimated", true},
    {"decode of the GPU, tokens/s", true},
    {"of one node", true},
    {"measured over estimated", true},
};

static void add_model(ith_table *t, const ith_even *even)
{
    ith_table_text(t, "%s", even->group->name);
    ith_table_count(t, even->context);
}

static void add_machines(ith_table *t, const ith_even *even)
{
    char text[140];

    ith_table_text(t, "%s%s", ith_series_machine(even->gpu, 1, text, sizeof text),
                   ith_series_published(even->gpu) != NULL ? " (published)" : "");
    ith_table_text(t, "%s", ith_series_machine(even->node, 1, text, sizeof text));
}

/* 40; "none: 1,024 reach 86.0%"; a dash without a figure of the GPU or an estimate. No number of
 * nodes is more than any. */
static void add_nodes(ith_table *t, const ith_even_phase *f)
{
    char text[64];

    if (f->equals)
        ith_table_count(t, f->nodes);
    else if (f->gpu_rate > 0 && f->reached > 0)
        ith_table_sorted(t, DBL_MAX, "none: %s reach%s %.1f%%", ith_figure_text(f->nodes, text),
                         f->nodes > 1 ? "" : "es", 100 * f->reached / f->gpu_rate);
    else if (f->gpu_rate > 0)
        ith_table_sorted(t, DBL_MAX, "none holds it");
    else
        ith_table_number(t, 0);
}

static void add_limit(ith_table *t, const ith_even_phase *f, bool priced, ith_price gpu)
{
    if (f->equals && priced)
        ith_table_price(t, gpu.low / f->nodes, gpu.high / f->nodes);
    else
        ith_table_number(t, 0);
}

/* 0.93 (at 7,680); a dash where the model was not measured on the node. */
static void add_factor(ith_table *t, const ith_even_phase *f)
{
    char text[64], context[64];

    if (f->factor > 0)
        ith_table_sorted(t, f->factor, "%s (at %s tokens)", ith_figure_text(f->factor, text),
                         ith_figure_text((double)f->factor_context, context));
    else
        ith_table_number(t, 0);
}

ith_table ith_tables_even(const ith_report_all *all)
{
    ith_table t = TABLE("break-even", even_columns);

    snprintf(t.title, sizeof t.title, "How many nodes equal a GPU");
    for (size_t i = 0; i < all->evens.n; i++) {
        const ith_even *even = &all->evens.rows[i];
        ith_price price;
        bool priced = ith_prices_find(&all->prices, even->gpu, &price);
        if (even->refusal[0] != '\0')
            continue;
        add_model(&t, even);
        for (int phase = 0; phase < ITH_EVEN_PHASES; phase++) {
            add_nodes(&t, &even->phase[phase]);
            add_limit(&t, &even->phase[phase], priced, price);
        }
        add_machines(&t, even);
    }
    return t;
}

ith_table ith_tables_rates(const ith_report_all *all)
{
    ith_table t = TABLE("rates", rate_columns);

    snprintf(t.title, sizeof t.title, "One GPU and one node");
    for (size_t i = 0; i < all->evens.n; i++) {
        const ith_even *even = &all->evens.rows[i];
        add_model(&t, even);
        add_machines(&t, even);
        for (int phase = 0; phase < ITH_EVEN_PHASES; phase++) {
            ith_table_number(&t, even->phase[phase].gpu_rate);
            ith_table_number(&t, even->fewest == 1 ? even->phase[phase].few : 0);
            add_factor(&t, &even->phase[phase]);
        }
    }
    return t;
}

/* ---- Figures over context ---- */

static const ith_table_column prefill_columns[] = {
    {"engine and machine", false},
    {"context, tokens", true},
    {"first token, s", true},
    {"prefill, tokens/s", true},
    {"of the ceilings", true},
    {"memory, GiB", true},
    {"energy, kWh per million tokens", true},
    {"cost per million tokens", true},
};

static const ith_table_column decode_columns[] = {
    {"engine and machine", false},
    {"context, tokens", true},
    {"decode, tokens/s", true},
    {"of the ceilings", true},
    {"memory, GiB", true},
    {"energy, kWh per million tokens", true},
    {"cost per million tokens", true},
};

static double joules_to_kwh(double joules_per_token)
{
    return joules_per_token * 1e6 / 3.6e6;
}

static void add_cost(ith_table *t, const ith_report_all *all, const ith_report_series *s,
                     double rate)
{
    ith_price price;

    if (ith_prices_find(&all->prices, s, &price))
        ith_table_price(t, ith_price_of_tokens(price.low, rate),
                        ith_price_of_tokens(price.high, rate));
    else
        ith_table_number(t, 0);
}

static void add_prefill(ith_table *t, const ith_report_all *all, const ith_report_series *s,
                        const ith_report_point *rate)
{
    int64_t context = rate->context;

    ith_table_series(t, s);
    ith_table_count(t, context);
    ith_table_number(t, value_at(s, ITH_FIGURE_TTFT, context));
    ith_table_number(t, rate->value);
    ith_table_percent(t, value_at(s, ITH_FIGURE_PREFILL_CEILING, context));
    ith_table_number(t, value_at(s, ITH_FIGURE_MEMORY, context) / GIB);
    ith_table_number(t, joules_to_kwh(value_at(s, ITH_FIGURE_PREFILL_JOULES, context)));
    add_cost(t, all, s, rate->value);
}

static void add_decode(ith_table *t, const ith_report_all *all, const ith_report_series *s,
                       const ith_report_point *rate)
{
    int64_t context = rate->context;

    ith_table_series(t, s);
    ith_table_count(t, context);
    ith_table_number(t, rate->value);
    ith_table_percent(t, value_at(s, ITH_FIGURE_DECODE_CEILING, context));
    ith_table_number(t, value_at(s, ITH_FIGURE_MEMORY, context) / GIB);
    ith_table_number(t, joules_to_kwh(value_at(s, ITH_FIGURE_DECODE_JOULES, context)));
    add_cost(t, all, s, rate->value);
}

ith_table ith_tables_prefill(const ith_report_all *all, const ith_report_group *group)
{
    ith_table t = TABLE("prefill", prefill_columns);

    snprintf(t.title, sizeof t.title, "%s: first token and prefill", group->name);
    for (size_t i = 0; i < group->n; i++) {
        const ith_report_points *p = &group->series[i].of[ITH_FIGURE_PREFILL];
        for (size_t k = 0; k < p->n; k++)
            add_prefill(&t, all, &group->series[i], &p->points[k]);
    }
    return t;
}

ith_table ith_tables_decode(const ith_report_all *all, const ith_report_group *group)
{
    ith_table t = TABLE("decode", decode_columns);

    snprintf(t.title, sizeof t.title, "%s: decoding", group->name);
    for (size_t i = 0; i < group->n; i++) {
        const ith_report_points *p = &group->series[i].of[ITH_FIGURE_DECODE];
        for (size_t k = 0; k < p->n; k++)
            add_decode(&t, all, &group->series[i], &p->points[k]);
    }
    return t;
}

/* ---- Scaling ---- */

static const ith_table_column scaling_columns[] = {
    {"engine and machine", false}, {"beside", false},       {"phase", false},
    {"context, tokens", true},     {"cores or GPUs", true}, {"speed, times", true},
    {"efficiency", true},
};

/* GPUs, or cores; ranks, if nothing is known of threads. */
static int units(const ith_report_series *s)
{
    int devices = ith_series_devices(s);
    return devices > 0 ? devices : ith_series_cores(s);
}

static bool is_same_kind(const ith_report_series *a, const ith_report_series *b)
{
    static const char *const keys[] = {"cpu", "cores"};
    const json_t *gpu_a = json_array_get(json_object_get(a->machine, "gpus"), 0),
                 *gpu_b = json_array_get(json_object_get(b->machine, "gpus"), 0);
    bool same = a->batch == b->batch && ith_series_has_threads(a) == ith_series_has_threads(b) &&
                json_equal(a->engine, b->engine) && json_equal(a->model, b->model) &&
                strcmp(ith_report_member(gpu_a, "name"), ith_report_member(gpu_b, "name")) == 0 &&
                (ith_series_published(a) == NULL) == (ith_series_published(b) == NULL);

    for (size_t i = 0; i < 2; i++) {
        const json_t *x = json_object_get(json_object_get(a->machine, "host"), keys[i]),
                     *y = json_object_get(json_object_get(b->machine, "host"), keys[i]);
        same = same && (x == y || json_equal(x, y) != 0);
    }
    return same;
}

/* The one with the fewest units beside which `s` has more, and that has the figure there; of those
 * alike in that the fastest: what more machines win is not won over a slow way. It may run in
 * another mode: then the speed is no efficiency of that mode. NULL: none. */
static const ith_report_series *base_of(const ith_report_group *group, const ith_report_series *s,
                                        ith_figure figure, int64_t context)
{
    const ith_report_series *base = NULL;

    for (size_t i = 0; i < group->n; i++) {
        const ith_report_series *other = &group->series[i];
        double rate = value_at(other, figure, context);
        if (units(other) >= units(s) || rate <= 0 || !is_same_kind(s, other))
            continue;
        if (base == NULL || units(other) < units(base) ||
            (units(other) == units(base) && rate > value_at(base, figure, context)))
            base = other;
    }
    return base;
}

static void add_scaling(ith_table *t, const ith_report_group *group, const ith_report_series *s,
                        ith_figure figure, const char *phase)
{
    for (size_t k = 0; k < s->of[figure].n; k++) {
        const ith_report_point *point = &s->of[figure].points[k];
        const ith_report_series *base = base_of(group, s, figure, point->context);
        double speed;
        if (base == NULL)
            continue;
        speed = point->value / value_at(base, figure, point->context);
        ith_table_series(t, s);
        ith_table_series(t, base);
        ith_table_text(t, "%s", phase);
        ith_table_count(t, point->context);
        ith_table_sorted(t, units(s), "%d to %d", units(base), units(s));
        ith_table_number(t, speed);
        ith_table_percent(t, strcmp(s->mode, base->mode) == 0 ? speed * units(base) / units(s) : 0);
    }
}

ith_table ith_tables_scaling(const ith_report_group *group)
{
    ith_table t = TABLE("scaling", scaling_columns);

    snprintf(t.title, sizeof t.title, "%s: scaling", group->name);
    for (size_t i = 0; i < group->n; i++) {
        add_scaling(&t, group, &group->series[i], ITH_FIGURE_PREFILL, "prefill");
        add_scaling(&t, group, &group->series[i], ITH_FIGURE_DECODE, "decode");
    }
    return t;
}

/* ---- Sources ---- */

static const ith_table_column price_columns[] = {
    {"offer", false}, {"of", false},   {"per hour", true},
    {"kind", false},  {"date", false}, {"source", false},
};

static bool has_gpu(const ith_report *report, const char *name)
{
    for (size_t g = 0; g < report->n_groups; g++)
        for (size_t i = 0; i < report->groups[g].n; i++) {
            const json_t *gpus = json_object_get(report->groups[g].series[i].machine, "gpus");
            if (strcmp(ith_report_member(json_array_get(gpus, 0), "name"), name) == 0)
                return true;
        }
    return false;
}

static bool counts(const ith_report_all *all, const json_t *offer)
{
    const char *gpu = ith_report_member(offer, "gpu"), *node = all->prices.node_offer;

    return (*gpu != '\0' && has_gpu(&all->report, gpu)) ||
           (node != NULL && strcmp(node, ith_report_member(offer, "name")) == 0);
}

/* "one NVIDIA H200, sold 8 at a time" */
static void add_what(ith_table *t, const json_t *offer)
{
    const char *gpu = ith_report_member(offer, "gpu");
    json_int_t lot = json_integer_value(json_object_get(offer, "gpus"));

    if (lot > 1)
        ith_table_text(t, "one %s, sold %lld at a time", gpu, (long long)lot);
    else
        ith_table_text(t, "one %s", *gpu != '\0' ? gpu : ith_report_member(offer, "node"));
}

ith_table ith_tables_prices(const ith_report_all *all)
{
    ith_table t = TABLE("prices", price_columns);
    const json_t *offer, *price;
    size_t i;

    snprintf(t.title, sizeof t.title, "Prices");
    json_array_foreach (json_object_get(all->prices.root, "offers"), i, offer) {
        if (!counts(all, offer))
            continue;
        price = json_object_get(offer, "per_hour");
        ith_table_text(&t, "%s", ith_report_member(offer, "name"));
        add_what(&t, offer);
        ith_table_price(&t, json_number_value(json_object_get(price, "low")),
                        json_number_value(json_object_get(price, "high")));
        ith_table_text(&t, "%s", ith_report_member(offer, "kind"));
        ith_table_text(&t, "%s", ith_report_member(offer, "date"));
        ith_table_text(&t, "%s", ith_report_member(offer, "source"));
    }
    return t;
}

static const ith_table_column document_columns[] = {
    {"file", false}, {"made", false}, {"runs", true}, {"results", true}, {"measured", true},
};

/* The file's name; its path where two have the same. */
static const char *name_of(const ith_report_all *all, size_t file)
{
    for (size_t i = 0; i < all->report.n_documents; i++)
        if (i != file && strcmp(base_name(all->paths[i]), base_name(all->paths[file])) == 0)
            return all->paths[file];
    return base_name(all->paths[file]);
}

ith_table ith_tables_documents(const ith_report_all *all)
{
    ith_table t = TABLE("documents", document_columns);

    snprintf(t.title, sizeof t.title, "Documents");
    for (size_t i = 0; i < all->report.n_documents; i++) {
        const json_t *document = all->report.documents[i], *result;
        const json_t *results = json_object_get(document, "results");
        int measured = 0;
        size_t k;
        json_array_foreach (results, k, result)
            measured += strcmp(ith_report_member(result, "status"), "measured") == 0;
        ith_table_text(&t, "%s", name_of(all, i));
        ith_table_text(&t, "%s", ith_report_member(document, "created"));
        ith_table_count(&t, (int64_t)json_object_size(json_object_get(document, "runs")));
        ith_table_count(&t, (int64_t)json_array_size(results));
        ith_table_count(&t, measured);
    }
    return t;
}

static const ith_table_column published_columns[] = {
    {"engine and machine", false},
    {"model", false},
    {"source", false},
    {"read on", false},
};

ith_table ith_tables_published(const ith_report_all *all)
{
    ith_table t = TABLE("published", published_columns);

    snprintf(t.title, sizeof t.title, "Published figures");
    for (size_t g = 0; g < all->report.n_groups; g++)
        for (size_t i = 0; i < all->report.groups[g].n; i++) {
            const ith_report_series *s = &all->report.groups[g].series[i];
            const json_t *published = ith_series_published(s);
            if (published == NULL)
                continue;
            ith_table_series(&t, s);
            ith_table_text(&t, "%s", all->report.groups[g].name);
            ith_table_text(&t, "%s", ith_report_member(published, "source"));
            ith_table_text(&t, "%s", ith_report_member(published, "date"));
        }
    return t;
}
