/* report_quality.c - tables and heat maps of how good answers are. */
#include "cli/report_quality.h"

#include "cli/heat.h"
#include "cli/plot.h"
#include "cli/report_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static int64_t integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const json_t *perplexity_of(const ith_report_quality *q)
{
    return json_object_get(q->result, "perplexity");
}

static const json_t *needle_of(const ith_report_quality *q)
{
    return json_object_get(q->result, "needle");
}

/* Model, engine, weights and cache: the first four cells of a row. */
static void add_model(ith_table *t, const ith_report_quality *q)
{
    char text[61];

    ith_table_text(t, "%s", q->name);
    ith_table_text(t, "%s",
                   ith_report_cut(ith_report_member(q->engine, "name"), text, sizeof text));
    ith_table_text(t, "%s",
                   ith_report_cut(ith_report_member(q->model, "weight_type"), text, sizeof text));
    ith_table_text(t, "%s",
                   ith_report_cut(ith_report_member(q->model, "kv_type"), text, sizeof text));
}

/* ---- Perplexity ---- */

static const ith_table_column perplexity_columns[] = {
    {"model", false},         {"engine", false},    {"weights", false},
    {"cache", false},         {"text", false},      {"window, tokens", true},
    {"tokens counted", true}, {"perplexity", true}, {"above the least", true},
};

/* Of one model, one text and windows of one length: then perplexities can be compared. */
static bool is_comparable(const ith_report_quality *a, const ith_report_quality *b)
{
    return strcmp(a->name, b->name) == 0 && a->needle == b->needle &&
           integer(a->result, "tokens") == integer(b->result, "tokens") &&
           json_equal(json_object_get(perplexity_of(a), "sha256"),
                      json_object_get(perplexity_of(b), "sha256"));
}

static double least_of(const ith_report *report, const ith_report_quality *q)
{
    double least = INFINITY;

    for (size_t i = 0; i < report->n_quality; i++)
        if (is_comparable(&report->quality[i], q))
            least = fmin(least, number(perplexity_of(&report->quality[i]), "value"));
    return least;
}

ith_table ith_tables_perplexity(const ith_report_all *all)
{
    ith_table t = ith_table_open("perplexity", perplexity_columns,
                                 sizeof perplexity_columns / sizeof *perplexity_columns);

    snprintf(t.title, sizeof t.title, "Perplexity");
    for (size_t i = 0; i < all->report.n_quality; i++) {
        const ith_report_quality *q = &all->report.quality[i];
        const json_t *p = perplexity_of(q);
        double above;
        char text[81];
        if (q->needle)
            continue;
        above = 100 * (number(p, "value") / least_of(&all->report, q) - 1);
        add_model(&t, q);
        ith_table_text(&t, "%s", ith_report_cut(ith_report_member(p, "text"), text, sizeof text));
        ith_table_count(&t, integer(q->result, "tokens"));
        ith_table_count(&t, integer(p, "counted"));
        ith_table_sorted(&t, number(p, "value"), "%.4f", number(p, "value"));
        ith_table_sorted(&t, above, "%.2f%%", above);
    }
    return t;
}

/* ---- Needles ---- */

static const ith_table_column needle_columns[] = {
    {"model", false}, {"engine", false},    {"weights", false}, {"cache", false},
    {"tokens", true}, {"passkey at", true}, {"asked", true},    {"right", true},
};

ith_table ith_tables_needle(const ith_report_all *all)
{
    ith_table t =
        ith_table_open("needle", needle_columns, sizeof needle_columns / sizeof *needle_columns);

    snprintf(t.title, sizeof t.title, "A passkey in a text: how often it is found");
    for (size_t i = 0; i < all->report.n_quality; i++) {
        const ith_report_quality *q = &all->report.quality[i];
        const json_t *n = needle_of(q);
        if (!q->needle)
            continue;
        add_model(&t, q);
        ith_table_count(&t, integer(q->result, "tokens"));
        ith_table_sorted(&t, number(n, "position"), "%g", number(n, "position"));
        ith_table_count(&t, integer(n, "asked"));
        ith_table_count(&t, integer(n, "right"));
    }
    return t;
}

/* Of one engine with one model and its types? */
static bool is_same_map(const ith_report_quality *a, const ith_report_quality *b)
{
    return a->needle && b->needle && strcmp(a->name, b->name) == 0 &&
           json_equal(a->engine, b->engine) && json_equal(a->model, b->model);
}

static bool is_first(const ith_report *report, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (is_same_map(&report->quality[k], &report->quality[i]))
            return false;
    return report->quality[i].needle;
}

static void write_map(FILE *out, const ith_report *report, const ith_report_quality *first,
                      ith_heat_cell *cells)
{
    char title[300];
    size_t n = 0;

    for (size_t i = 0; i < report->n_quality; i++) {
        const ith_report_quality *q = &report->quality[i];
        if (is_same_map(q, first))
            cells[n++] =
                (ith_heat_cell){integer(q->result, "tokens"), number(needle_of(q), "position"),
                                integer(needle_of(q), "asked"), integer(needle_of(q), "right")};
    }
    snprintf(title, sizeof title, "Passkeys found: %s, %s weights, %s cache", first->name,
             ith_report_member(first->model, "weight_type"),
             ith_report_member(first->model, "kv_type"));
    fputs("<figure><figcaption>", out);
    ith_plot_write_text(out, title);
    fputs("</figcaption>\n", out);
    ith_heat_write(out, title, cells, n);
    fputs("</figure>\n", out);
}

bool ith_quality_maps(FILE *out, const ith_report *report)
{
    ith_heat_cell *cells = calloc(report->n_quality + 1, sizeof *cells);

    for (size_t i = 0; cells != NULL && i < report->n_quality; i++)
        if (is_first(report, i))
            write_map(out, report, &report->quality[i], cells);
    free(cells);
    return cells != NULL;
}
