/* report_series.c - what a series says of itself. */
#include "cli/report.h"
#include "cli/report_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COUNT_MAX = 1 << 20 };

/* A count of the placement. */
static int count_of_run(const ith_report_series *s, const char *key, int otherwise)
{
    const json_t *value = json_object_get(json_object_get(s->run, "placement"), key);
    json_int_t n = json_integer_value(value);

    return json_is_integer(value) && n >= 0 && n <= COUNT_MAX ? (int)n : otherwise;
}

int ith_series_devices(const ith_report_series *s)
{
    size_t gpus = json_array_size(json_object_get(s->machine, "gpus"));
    return count_of_run(s, "devices", gpus < COUNT_MAX ? (int)gpus : COUNT_MAX);
}

int ith_series_ranks(const ith_report_series *s)
{
    int ranks = count_of_run(s, "ranks", 1);
    return ranks > 0 ? ranks : 1;
}

int ith_series_nodes(const ith_report_series *s)
{
    json_int_t nodes = json_integer_value(json_object_get(s->machine, "nodes"));
    return nodes >= 1 && nodes <= COUNT_MAX ? (int)nodes : 1;
}

int ith_series_cores(const ith_report_series *s)
{
    int64_t cores = (int64_t)ith_series_ranks(s) * count_of_run(s, "threads", 1);
    return cores < COUNT_MAX ? (int)cores : COUNT_MAX;
}

bool ith_series_has_threads(const ith_report_series *s)
{
    return count_of_run(s, "threads", 0) > 0;
}

const json_t *ith_series_published(const ith_report_series *s)
{
    return json_object_get(s->run, "published");
}

bool ith_series_same_machine(const ith_report_series *a, const ith_report_series *b)
{
    return json_equal(a->machine, b->machine) != 0 &&
           ith_series_devices(a) == ith_series_devices(b) &&
           (ith_series_published(a) == NULL) == (ith_series_published(b) == NULL);
}

/* ---- Names ---- */

const char *ith_series_machine(const ith_report_series *s, int nodes, char *text, size_t size)
{
    const json_t *gpu = json_array_get(json_object_get(s->machine, "gpus"), 0),
                 *host = json_object_get(s->machine, "host");
    int devices = ith_series_devices(s);
    char count[24] = "", name[81];

    if (devices > 0 && gpu != NULL) {
        if (devices > 1)
            snprintf(count, sizeof count, "%d x ", devices);
        snprintf(text, size, "%s%s", count,
                 ith_report_cut(ith_report_member(gpu, "name"), name, sizeof name));
        return text;
    }
    if (nodes > 1)
        snprintf(count, sizeof count, "%d x ", nodes);
    if (json_is_object(host))
        snprintf(text, size, "%s%s (%lld cores)", count,
                 ith_report_cut(ith_report_member(host, "cpu"), name, sizeof name),
                 (long long)json_integer_value(json_object_get(host, "cores")));
    else
        snprintf(text, size, "%sa machine that is not named", count);
    return text;
}

const char *ith_series_weights(const ith_report_series *s)
{
    return ith_report_member(s->model, "weight_type");
}

const char *ith_series_cache(const ith_report_series *s)
{
    return ith_report_member(s->model, "kv_type");
}

/* named: with the model's name. */
static void write_label(ith_report_series *s, bool named)
{
    char engine[61], name[61], machine[140], weights[31], cut[61];
    char mode[70] = "", placement[60] = "", batch[40] = "";
    int threads = count_of_run(s, "threads", 0);

    if (strcmp(s->mode, "default") != 0)
        snprintf(mode, sizeof mode, ", %s", ith_report_cut(s->mode, cut, sizeof cut));
    if (ith_series_devices(s) == 0 && threads > 0)
        snprintf(placement, sizeof placement, ", %d rank%s of %d thread%s", ith_series_ranks(s),
                 ith_series_ranks(s) > 1 ? "s" : "", threads, threads > 1 ? "s" : "");
    if (s->batch > 1)
        snprintf(batch, sizeof batch, ", %d at a time", s->batch);
    snprintf(s->label, sizeof s->label - 12, "%s%s%s%s, %s weights%s%s, on %s%s",
             ith_report_cut(ith_report_member(s->engine, "name"), engine, sizeof engine),
             named ? ", " : "", named ? ith_report_cut(s->name, name, sizeof name) : "", mode,
             ith_report_cut(ith_series_weights(s), weights, sizeof weights), placement, batch,
             ith_series_machine(s, ith_series_nodes(s), machine, sizeof machine),
             ith_series_published(s) != NULL ? " (published)" : "");
}

/* Series may differ in what the label does not say, such as the commit of an engine: a number tells
 * them apart. */
void ith_series_label(ith_report_group *group)
{
    bool named = false;

    for (size_t i = 1; i < group->n; i++)
        named = named || strcmp(group->series[i].name, group->series[0].name) != 0;
    for (size_t i = 0; i < group->n; i++) {
        int before = 0;
        write_label(&group->series[i], named);
        for (size_t k = 0; k < i; k++) {
            size_t len = strlen(group->series[i].label);
            const char *other = group->series[k].label;
            before += strncmp(other, group->series[i].label, len) == 0 &&
                      (other[len] == '\0' || strncmp(other + len, " #", 2) == 0);
        }
        if (before > 0) {
            size_t len = strlen(group->series[i].label);
            snprintf(group->series[i].label + len, sizeof group->series[i].label - len, " #%d",
                     before + 1);
        }
    }
}

/* ---- Points ---- */

const ith_report_point *ith_series_point(const ith_report_series *s, ith_figure figure,
                                         int64_t context)
{
    for (size_t i = 0; i < s->of[figure].n; i++)
        if (s->of[figure].points[i].context == context)
            return &s->of[figure].points[i];
    return NULL;
}

const ith_report_point *ith_series_nearest(const ith_report_series *s, ith_figure figure,
                                           int64_t context)
{
    const ith_report_point *best = NULL;
    double distance = INFINITY;

    for (size_t i = 0; i < s->of[figure].n; i++) {
        const ith_report_point *p = &s->of[figure].points[i];
        double d = fabs(log((double)p->context) - log((double)context));
        if (p->context > 0 && d < distance) {
            distance = d;
            best = p;
        }
    }
    return best;
}
