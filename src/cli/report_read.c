/* report_read.c - benchmark documents become groups of series. */
#include "cli/report.h"
#include "cli/report_model.h"
#include "cli/report_text.h"
#include "cli/schema.h"
#include "cli/texts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERIES_MAX = 1000, QUALITY_MAX = 10000, COUNT_MAX = 1 << 20, MAX_BYTES = 256 << 20 };

#define CONSISTENT 1e-5 /* how far a rate may be from what its seconds say, as a ratio */

static const double LEAST = 1e-12, MOST = 1e18;
static const int64_t TOKENS_MAX = INT64_C(1) << 36;

/* One result of a document. `where` is the file and the result's number. */
typedef struct record {
    const json_t *document, *result, *run;
    char where[400];
    const char *phase;
    int64_t depth, tokens, batch;
} record;

static ith_status no_memory(ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "no memory for the report");
}

/* ---- Groups and series ---- */

/* The entry of a table that a member of the run names; NULL: there is none. */
static const json_t *entry(const record *r, const char *table, const char *key)
{
    return json_object_get(json_object_get(r->document, table), ith_report_member(r->run, key));
}

static ith_report_group *find_group(ith_report *report, const ith_report_series *wanted)
{
    for (size_t i = 0; i < report->n_groups; i++) {
        ith_report_series *first = &report->groups[i].series[0];
        if (ith_model_same_shape(first->model, wanted->model) ||
            (strcmp(first->name, wanted->name) == 0 && ith_model_shape(wanted->model) == NULL &&
             ith_model_shape(first->model) == NULL))
            return &report->groups[i];
    }
    return NULL;
}

static bool equal_or_both_absent(const json_t *a, const json_t *b, const char *key)
{
    const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);
    return x == NULL || y == NULL ? x == y : json_equal(x, y) != 0;
}

static bool is_same_series(const ith_report_series *s, const ith_report_series *wanted)
{
    return s->batch == wanted->batch && strcmp(s->mode, wanted->mode) == 0 &&
           json_equal(s->engine, wanted->engine) && json_equal(s->machine, wanted->machine) &&
           json_equal(s->model, wanted->model) &&
           equal_or_both_absent(s->run, wanted->run, "placement") &&
           equal_or_both_absent(s->run, wanted->run, "published");
}

/* Groups of different shapes may have one name: a number tells them apart. */
static void name_group(const ith_report *report, const char *name, ith_report_group *group)
{
    int before = 0;
    size_t len;

    ith_report_cut(name, group->name, sizeof group->name - 12);
    len = strlen(group->name);
    for (size_t i = 0; i < report->n_groups; i++) {
        const char *other = report->groups[i].name;
        before += strncmp(other, group->name, len) == 0 &&
                  (other[len] == '\0' || strncmp(other + len, " #", 2) == 0);
    }
    if (before > 0)
        snprintf(group->name + len, sizeof group->name - len, " #%d", before + 1);
}

static ith_status add_group(ith_report *report, const char *name, ith_report_group **group,
                            ith_error *err)
{
    ith_report_group fresh = {0};
    ith_report_group *more =
        realloc(report->groups, (report->n_groups + 1) * sizeof *report->groups);

    if (more == NULL)
        return no_memory(err);
    report->groups = more;
    name_group(report, name, &fresh);
    *group = &more[report->n_groups++];
    **group = fresh;
    return ITH_OK;
}

static size_t count_series(const ith_report *report)
{
    size_t n = 0;

    for (size_t i = 0; i < report->n_groups; i++)
        n += report->groups[i].n;
    return n;
}

/* The series that the result belongs to; it is added where there is none yet. */
static ith_status find_series(ith_report *report, const record *r, ith_report_series **series,
                              ith_error *err)
{
    ith_report_series wanted = {.run = r->run,
                                .engine = entry(r, "engines", "engine"),
                                .machine = entry(r, "machines", "machine"),
                                .model = entry(r, "models", "model"),
                                .run_name = ith_report_member(r->result, "run"),
                                .mode = ith_report_member(r->result, "mode"),
                                .batch = (int)r->batch};
    ith_report_group *group;
    ith_report_series *more;

    ith_model_name(r->run, ith_report_member(r->run, "model"), wanted.model, wanted.name,
                   sizeof wanted.name);
    group = find_group(report, &wanted);
    for (size_t i = 0; group != NULL && i < group->n; i++)
        if (is_same_series(&group->series[i], &wanted)) {
            *series = &group->series[i];
            return ITH_OK;
        }
    if (count_series(report) == SERIES_MAX)
        return ith_fail(err, ITH_E_FORMAT, "%s: more than %d series are too many for a report",
                        r->where, SERIES_MAX);
    more = realloc(group != NULL ? group->series : NULL,
                   ((group != NULL ? group->n : 0) + 1) * sizeof *more);
    if (more == NULL)
        return no_memory(err);
    if (group == NULL) {
        ith_status status = add_group(report, wanted.name, &group, err);
        if (status != ITH_OK) {
            free(more);
            return status;
        }
    }
    group->series = more;
    *series = &more[group->n++];
    **series = wanted;
    return ITH_OK;
}

/* ---- Figures ---- */

static ith_status add_point(ith_report_series *s, ith_figure figure, ith_report_point point,
                            ith_error *err)
{
    ith_report_points *p = &s->of[figure];
    ith_report_point *more = p->points;

    if ((p->n & (p->n - 1)) == 0) /* full: room doubles at each power of two */
        more = realloc(p->points, (p->n == 0 ? 1 : 2 * p->n) * sizeof *more);
    if (more == NULL)
        return no_memory(err);
    p->points = more;
    more[p->n++] = point;
    return ITH_OK;
}

/* A positive number that must be there, within bounds that keep quotients finite. */
static ith_status positive(const json_t *object, const char *where, const char *key, double *out,
                           ith_error *err)
{
    *out = 0;
    ITH_TRY(ith_json_real(object, where, key, out, err));
    if (!(*out >= LEAST && *out <= MOST))
        return ith_fail(err, ITH_E_FORMAT, "%s: %s is not a number from %g to %g", where, key,
                        LEAST, MOST);
    return ITH_OK;
}

/* A spread as a point: median, least, greatest. */
static ith_status read_spread(const record *r, const char *key, int64_t context,
                              ith_report_point *point, ith_error *err)
{
    const json_t *spread = json_object_get(r->result, key);

    point->context = context;
    ITH_TRY(positive(spread, r->where, "median", &point->value, err));
    ITH_TRY(positive(spread, r->where, "min", &point->low, err));
    ITH_TRY(positive(spread, r->where, "max", &point->high, err));
    if (point->low > point->value || point->value > point->high)
        return ith_fail(err, ITH_E_FORMAT, "%s: the median of its %s is not between min and max",
                        r->where, key);
    return ITH_OK;
}

static ith_report_point rate_of(ith_report_point seconds, double tokens)
{
    return (ith_report_point){seconds.context, tokens / seconds.value, tokens / seconds.high,
                              tokens / seconds.low};
}

/* The rate that a document gives must be that of its seconds: the report uses the seconds alone. */
static ith_status check_rate(const record *r, double tokens, ith_error *err)
{
    ith_report_point seconds;
    double given, rate;

    ITH_TRY(read_spread(r, "seconds", 0, &seconds, err));
    ITH_TRY(positive(r->result, r->where, "tokens_per_second", &given, err));
    rate = tokens * (double)r->batch / seconds.value;
    if (fabs(given - rate) > CONSISTENT * rate)
        return ith_fail(err, ITH_E_FORMAT, "%s: tokens_per_second is %g, but its seconds say %g",
                        r->where, given, rate);
    return ITH_OK;
}

static ith_status add_prefill(ith_report_series *s, const record *r, ith_error *err)
{
    int64_t context = r->depth + r->tokens;
    const char *key =
        json_is_object(json_object_get(r->result, "ttft_seconds")) ? "ttft_seconds" : "seconds";
    ith_report_point seconds;

    if (context == 0 || (strcmp(key, "seconds") == 0 && r->depth > 0))
        return ITH_OK;
    ITH_TRY(read_spread(r, key, context, &seconds, err));
    ITH_TRY(add_point(s, ITH_FIGURE_TTFT, seconds, err));
    return add_point(s, ITH_FIGURE_PREFILL, rate_of(seconds, (double)context * (double)r->batch),
                     err);
}

static ith_status add_decode(ith_report_series *s, const record *r, ith_error *err)
{
    ith_report_point seconds;

    ITH_TRY(read_spread(r, "seconds", r->depth, &seconds, err));
    return add_point(s, ITH_FIGURE_DECODE, rate_of(seconds, (double)r->batch), err);
}

static ith_report_point single(int64_t context, double value)
{
    return (ith_report_point){context, value, value, value};
}

/* Memory, ceilings and energy: each where the result has it. */
static ith_status add_others(ith_report_series *s, const record *r, bool prefill, ith_error *err)
{
    const json_t *memory = json_object_get(r->result, "memory"),
                 *energy = json_object_get(r->result, "energy");
    int64_t context = prefill ? r->depth + r->tokens : r->depth;
    double value, tokens;

    if (json_is_object(memory)) {
        bool device = strcmp(ith_report_member(memory, "scope"), "device") == 0;
        ITH_TRY(positive(memory, r->where, "peak", &value, err));
        if (device && ith_series_devices(s) == 0)
            return ith_fail(err, ITH_E_FORMAT,
                            "%s/memory/scope is \"device\", but the run has no devices", r->where);
        value *= device ? ith_series_devices(s) : ith_series_ranks(s);
        ITH_TRY(add_point(s, ITH_FIGURE_MEMORY, single(context, value), err));
    }
    if (json_object_get(r->result, "of_ceiling") != NULL) {
        ITH_TRY(positive(r->result, r->where, "of_ceiling", &value, err));
        ITH_TRY(add_point(s, prefill ? ITH_FIGURE_PREFILL_CEILING : ITH_FIGURE_DECODE_CEILING,
                          single(context, value), err));
    }
    if (json_is_object(energy)) {
        ITH_TRY(positive(energy, r->where, "joules", &value, err));
        ITH_TRY(positive(energy, r->where, "tokens", &tokens, err));
        ITH_TRY(add_point(s, prefill ? ITH_FIGURE_PREFILL_JOULES : ITH_FIGURE_DECODE_JOULES,
                          single(context, value / tokens), err));
    }
    return ITH_OK;
}

/* ---- Documents ---- */

static ith_status read_record(record *r, ith_error *err)
{
    r->batch = 1;
    r->phase = ith_report_member(r->result, "phase");
    if (!ith_report_is_plain(json_object_get(r->result, "mode")))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s/mode: it has control characters or marks of direction", r->where);
    r->run =
        json_object_get(json_object_get(r->document, "runs"), ith_report_member(r->result, "run"));
    if (r->run == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s/run: \"%.80s\" is not in runs", r->where,
                        ith_report_member(r->result, "run"));
    ITH_TRY(ith_json_int(r->result, r->where, "depth", 0, TOKENS_MAX, &r->depth, err));
    ITH_TRY(ith_json_int(r->result, r->where, "tokens", 0, TOKENS_MAX, &r->tokens, err));
    return ith_json_int(r->result, r->where, "batch", 1, COUNT_MAX, &r->batch, err);
}

/* ---- What is not timed ---- */

/* The perplexity that a document gives must be that of its mean. */
static ith_status check_perplexity(const record *r, ith_error *err)
{
    const json_t *p = json_object_get(r->result, "perplexity");
    double value, mean = 0;

    ITH_TRY(positive(p, r->where, "value", &value, err));
    ITH_TRY(ith_json_real(p, r->where, "mean_nll", &mean, err));
    if (!(fabs(value - exp(mean)) <= CONSISTENT * value))
        return ith_fail(err, ITH_E_FORMAT, "%s: perplexity/value is %g, but its mean_nll says %g",
                        r->where, value, exp(mean));
    return ITH_OK;
}

static ith_status check_needle(const record *r, ith_error *err)
{
    const json_t *needle = json_object_get(r->result, "needle");
    int64_t asked = 0, right = 0;
    double position = 0;

    ITH_TRY(ith_json_int(needle, r->where, "asked", 1, COUNT_MAX, &asked, err));
    ITH_TRY(ith_json_int(needle, r->where, "right", 0, asked, &right, err));
    ITH_TRY(ith_json_real(needle, r->where, "position", &position, err));
    return position >= 0 && position <= 1
               ? ITH_OK
               : ith_fail(err, ITH_E_FORMAT, "%s: needle/position is not from 0 to 1", r->where);
}

static ith_status add_quality(ith_report *report, const record *r, bool needle, ith_error *err)
{
    ith_report_quality *more = report->quality, *q;

    ITH_TRY(needle ? check_needle(r, err) : check_perplexity(r, err));
    if (report->n_quality == QUALITY_MAX)
        return ith_fail(err, ITH_E_FORMAT, "%s: more than %d results of quality are too many",
                        r->where, QUALITY_MAX);
    if ((report->n_quality & (report->n_quality - 1)) == 0) /* full */
        more = realloc(more, (report->n_quality == 0 ? 1 : 2 * report->n_quality) * sizeof *more);
    if (more == NULL)
        return no_memory(err);
    report->quality = more;
    q = &more[report->n_quality++];
    *q = (ith_report_quality){.engine = entry(r, "engines", "engine"),
                              .model = entry(r, "models", "model"),
                              .result = r->result,
                              .needle = needle};
    ith_model_name(r->run, ith_report_member(r->run, "model"), q->model, q->name, sizeof q->name);
    return ITH_OK;
}

/* ---- Results ---- */

static ith_status add_result(ith_report *report, record *r, ith_error *err)
{
    ith_report_series *series = NULL;
    bool prefill, needle;

    if (strcmp(ith_report_member(r->result, "status"), "measured") != 0)
        return ITH_OK;
    ITH_TRY(read_record(r, err));
    needle = strcmp(r->phase, "needle") == 0;
    if (needle || strcmp(r->phase, "perplexity") == 0)
        return add_quality(report, r, needle, err);
    prefill = strcmp(r->phase, "prefill") == 0;
    if (!prefill && strcmp(r->phase, "decode") != 0)
        return ITH_OK;
    ITH_TRY(check_rate(r, prefill ? (double)r->tokens : 1, err));
    ITH_TRY(find_series(report, r, &series, err));
    ITH_TRY(prefill ? add_prefill(series, r, err) : add_decode(series, r, err));
    return add_others(series, r, prefill, err);
}

/* The report has them in its lines. */
static ith_status check_texts(const json_t *document, const char *path, ith_error *err)
{
    static const char *const tables[] = {"engines", "machines", "models", "runs"};

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (!ith_report_is_plain(json_object_get(document, tables[i])))
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: %s: a text has control characters or marks of direction", path,
                            tables[i]);
    return ITH_OK;
}

/* What a run names is in the document. */
static ith_status check_references(const json_t *document, const char *path, ith_error *err)
{
    static const char *const references[][2] = {
        {"engine", "engines"}, {"machine", "machines"}, {"model", "models"}};
    const char *name;
    json_t *run;

    json_object_foreach (json_object_get(document, "runs"), name, run)
        for (size_t i = 0; i < 3; i++) {
            const char *wanted = ith_report_member(run, references[i][0]);
            if (json_object_get(json_object_get(document, references[i][1]), wanted) == NULL)
                return ith_fail(err, ITH_E_FORMAT, "%s: runs/%.80s/%s: \"%.80s\" is not in %s",
                                path, name, references[i][0], wanted, references[i][1]);
        }
    return ITH_OK;
}

/* The first GPU of a machine speaks for all of them, and its price is theirs. */
static ith_status check_gpus(const json_t *document, const char *path, ith_error *err)
{
    const char *name;
    json_t *machine, *gpu;
    size_t i;

    json_object_foreach (json_object_get(document, "machines"), name, machine) {
        const json_t *gpus = json_object_get(machine, "gpus"),
                     *first = json_object_get(json_array_get(gpus, 0), "name");
        json_array_foreach (gpus, i, gpu)
            if (!json_equal(json_object_get(gpu, "name"), first))
                return ith_fail(err, ITH_E_FORMAT,
                                "%s: machines/%.80s/gpus/%zu/name: \"%.80s\" beside \"%.80s\": a "
                                "report cannot compare a machine of different GPUs",
                                path, name, i, ith_report_member(gpu, "name"),
                                json_string_value(first));
    }
    return ITH_OK;
}

static ith_status add_document(ith_report *report, const json_t *schema, const char *path,
                               ith_error *err)
{
    json_t **more =
        realloc(report->documents, (report->n_documents + 1) * sizeof *report->documents);
    record r = {0};
    size_t i;

    if (more == NULL)
        return no_memory(err);
    report->documents = more;
    ITH_TRY(ith_json_read(path, MAX_BYTES, &more[report->n_documents], err));
    r.document = more[report->n_documents++];
    ITH_TRY(ith_schema_check(schema, r.document, path, err));
    ITH_TRY(check_texts(r.document, path, err));
    ITH_TRY(check_references(r.document, path, err));
    ITH_TRY(check_gpus(r.document, path, err));
    json_array_foreach (json_object_get(r.document, "results"), i, r.result) {
        snprintf(r.where, sizeof r.where, "%.300s: results/%zu", path, i);
        ITH_TRY(add_result(report, &r, err));
    }
    return ITH_OK;
}

/* ---- Joining ---- */

static int by_context(const void *a, const void *b)
{
    const ith_report_point *x = a, *y = b;

    if (x->context != y->context)
        return x->context < y->context ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

/* n points of one context, by value. Of memory the most counts. */
static ith_report_point join(const ith_report_point *p, size_t n, bool most)
{
    ith_report_point all = p[0];

    all.value = most ? p[n - 1].value : (p[(n - 1) / 2].value + p[n / 2].value) / 2;
    for (size_t i = 1; i < n; i++) {
        all.low = p[i].low < all.low ? p[i].low : all.low;
        all.high = p[i].high > all.high ? p[i].high : all.high;
    }
    return all;
}

static void join_points(ith_report_points *p, bool most)
{
    size_t kept = 0;

    if (p->n > 0)
        qsort(p->points, p->n, sizeof *p->points, by_context);
    for (size_t i = 0, n; i < p->n; i += n) {
        for (n = 1; i + n < p->n && p->points[i + n].context == p->points[i].context;)
            n++;
        p->points[kept++] = join(p->points + i, n, most);
    }
    p->n = kept;
}

static void finish(ith_report_group *group)
{
    for (size_t i = 0; i < group->n; i++) {
        group->series[i].style = (int)i;
        for (int figure = 0; figure < ITH_FIGURES; figure++)
            join_points(&group->series[i].of[figure], figure == ITH_FIGURE_MEMORY);
    }
    ith_series_label(group);
}

ith_status ith_report_open(const char *const *paths, size_t n_paths, ith_report *report,
                           ith_error *err)
{
    ith_status status = ITH_OK;
    json_t *schema = json_loads(ith_text_bench_schema, 0, NULL);

    *report = (ith_report){0};
    if (schema == NULL)
        return no_memory(err);
    for (size_t i = 0; status == ITH_OK && i < n_paths; i++)
        status = add_document(report, schema, paths[i], err);
    json_decref(schema);
    for (size_t i = 0; status == ITH_OK && i < report->n_groups; i++)
        finish(&report->groups[i]);
    return status;
}

void ith_report_close(ith_report *report)
{
    for (size_t i = 0; i < report->n_groups; i++) {
        for (size_t k = 0; k < report->groups[i].n; k++)
            for (int figure = 0; figure < ITH_FIGURES; figure++)
                free(report->groups[i].series[k].of[figure].points);
        free(report->groups[i].series);
    }
    for (size_t i = 0; i < report->n_documents; i++)
        json_decref(report->documents[i]);
    free(report->groups);
    free(report->quality);
    free(report->documents);
    *report = (ith_report){0};
}
