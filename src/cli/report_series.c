/* report_series.c - what a series says of itself. */
#include "cli/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COUNT_MAX = 1 << 20 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* A count of the placement. */
static int placed(const ith_report_series *s, const char *key, int otherwise)
{
    const json_t *value = json_object_get(json_object_get(s->run, "placement"), key);
    json_int_t n = json_integer_value(value);

    return json_is_integer(value) && n >= 0 && n <= COUNT_MAX ? (int)n : otherwise;
}

int ith_series_devices(const ith_report_series *s)
{
    size_t gpus = json_array_size(json_object_get(s->machine, "gpus"));
    return placed(s, "devices", gpus < COUNT_MAX ? (int)gpus : COUNT_MAX);
}

int ith_series_ranks(const ith_report_series *s)
{
    int ranks = placed(s, "ranks", 1);
    return ranks > 0 ? ranks : 1;
}

int ith_series_nodes(const ith_report_series *s)
{
    json_int_t nodes = json_integer_value(json_object_get(s->machine, "nodes"));
    return nodes >= 1 && nodes <= COUNT_MAX ? (int)nodes : 1;
}

int ith_series_cores(const ith_report_series *s)
{
    int64_t cores = (int64_t)ith_series_ranks(s) * placed(s, "threads", 1);
    return cores < COUNT_MAX ? (int)cores : COUNT_MAX;
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
    char count[24] = "";

    if (devices > 0 && gpu != NULL) {
        if (devices > 1)
            snprintf(count, sizeof count, "%d x ", devices);
        snprintf(text, size, "%s%.80s", count, text_of(gpu, "name"));
        return text;
    }
    if (nodes > 1)
        snprintf(count, sizeof count, "%d x ", nodes);
    if (json_is_object(host))
        snprintf(text, size, "%s%.80s (%lld cores)", count, text_of(host, "cpu"),
                 (long long)json_integer_value(json_object_get(host, "cores")));
    else
        snprintf(text, size, "%sa machine that is not named", count);
    return text;
}

const char *ith_series_weights(const ith_report_series *s)
{
    return text_of(s->model, "weight_type");
}

const char *ith_series_cache(const ith_report_series *s)
{
    return text_of(s->model, "kv_type");
}

static void write_label(ith_report_series *s)
{
    char machine[140], mode[100] = "", placement[60] = "", batch[40] = "";
    int threads = placed(s, "threads", 0);

    if (strcmp(s->mode, "default") != 0)
        snprintf(mode, sizeof mode, ", %.60s", s->mode);
    if (ith_series_devices(s) == 0 && threads > 0)
        snprintf(placement, sizeof placement, ", %d rank%s of %d thread%s", ith_series_ranks(s),
                 ith_series_ranks(s) > 1 ? "s" : "", threads, threads > 1 ? "s" : "");
    if (s->batch > 1)
        snprintf(batch, sizeof batch, ", %d at a time", s->batch);
    snprintf(s->label, sizeof s->label - 12, "%.60s%s, %.30s weights%s%s, on %s%s",
             text_of(s->engine, "name"), mode, ith_series_weights(s), placement, batch,
             ith_series_machine(s, ith_series_nodes(s), machine, sizeof machine),
             ith_series_published(s) != NULL ? " (published)" : "");
}

/* Series may differ in what the label does not say, such as the commit of an engine: a number tells
 * them apart. */
void ith_series_label(ith_report_group *group)
{
    for (size_t i = 0; i < group->n; i++) {
        int before = 0;
        write_label(&group->series[i]);
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
