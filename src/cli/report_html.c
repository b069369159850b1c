/* report_html.c - the report as one page: style, script and pictures are in it, and it fetches
 * nothing. */
#include "cli/plot.h"
#include "cli/report_quality.h"
#include "cli/report_write.h"
#include "cli/texts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HTML_PLOTS = 4 };

static const struct {
    ith_figure figure;
    const char *title, *unit;
    double divisor;
} plots[HTML_PLOTS] = {
    {ITH_FIGURE_TTFT, "Time to first token", "seconds", 1},
    {ITH_FIGURE_PREFILL, "Prefill", "tokens per second", 1},
    {ITH_FIGURE_DECODE, "Decode", "tokens per second", 1},
    {ITH_FIGURE_MEMORY, "Memory", "GiB", (double)(1 << 30)},
};

/* ---- Sentences ---- */

/* The paragraphs of the verdict up to `stop`: a section each, with its items as a list. */
static void write_verdict(FILE *out, const char *verdict, const char *stop)
{
    bool open = false;

    for (const char *end; verdict < stop; verdict = end + 1) {
        bool lead = strncmp(verdict, "# ", 2) == 0;
        char *line;
        end = strchr(verdict, '\n');
        line = strndup(verdict + 2, (size_t)(end - verdict) - 2);
        if (line == NULL)
            return;
        if (lead && open)
            fputs("</ul></section>\n", out);
        fputs(lead ? "<section class=\"verdict\"><h2>" : "<li>", out);
        ith_plot_write_text(out, line);
        fputs(lead ? "</h2><ul>\n" : "</li>\n", out);
        open = open || lead;
        free(line);
    }
    if (open)
        fputs("</ul></section>\n", out);
}

/* ---- Tables ---- */

static void write_head(FILE *out, const ith_table *t)
{
    fputs("<thead><tr>", out);
    for (size_t c = 0; c < t->n_columns; c++) {
        fprintf(out, "<th scope=\"col\"%s>", t->columns[c].number ? " class=\"number\"" : "");
        ith_plot_write_text(out, t->columns[c].name);
        fputs("</th>", out);
    }
    fputs("</tr></thead>\n", out);
}

static void write_cell(FILE *out, const ith_table_column *column, const ith_table_cell *cell)
{
    fprintf(out, "<td%s", column->number ? " class=\"number\"" : "");
    if (!isnan(cell->sort))
        fprintf(out, " data-sort=\"%.9g\"", cell->sort);
    fputc('>', out);
    if (cell->style >= 0)
        ith_plot_write_marker(out, cell->style, cell->published);
    ith_plot_write_text(out, cell->text);
    fputs("</td>", out);
}

/* Closes the table. One without rows is left out. number: 0, or told apart by it from others of the
 * same id. Returns false if memory was lacking. */
static bool write_table(FILE *out, ith_table t, size_t number)
{
    bool good = !t.failed;

    if (good && t.n > 0) {
        fprintf(out, "<h3 id=\"%s", t.id);
        if (number > 0)
            fprintf(out, "-%zu", number);
        fputs("\">", out);
        ith_plot_write_text(out, t.title);
        fputs("</h3>\n<div class=\"wide\" tabindex=\"0\"><table>", out);
        write_head(out, &t);
        fputs("<tbody>\n", out);
        for (size_t i = 0; i < t.n; i++) {
            fputs(i % t.n_columns == 0 ? "<tr>" : "", out);
            write_cell(out, &t.columns[i % t.n_columns], &t.cells[i]);
            fputs((i + 1) % t.n_columns == 0 ? "</tr>\n" : "", out);
        }
        fputs("</tbody></table></div>\n", out);
    }
    ith_table_close(&t);
    return good;
}

/* ---- Plots ---- */

/* The points of a figure in the plot's unit; the caller frees points.points. */
static bool scale(const ith_report_points *from, double divisor, ith_report_points *to)
{
    to->n = from->n;
    to->points = malloc((from->n + 1) * sizeof *to->points);
    if (to->points == NULL)
        return false;
    for (size_t i = 0; i < from->n; i++)
        to->points[i] =
            (ith_report_point){from->points[i].context, from->points[i].value / divisor,
                               from->points[i].low / divisor, from->points[i].high / divisor};
    return true;
}

static bool has_points(const ith_report_group *group, ith_figure figure)
{
    for (size_t i = 0; i < group->n; i++)
        if (group->series[i].of[figure].n > 0)
            return true;
    return false;
}

static bool write_plot(FILE *out, const ith_report_group *group, int which)
{
    ith_figure figure = plots[which].figure;
    ith_plot_curve *curves = calloc(group->n, sizeof *curves);
    ith_report_points *points = calloc(group->n, sizeof *points);
    bool good = curves != NULL && points != NULL;
    char title[200];

    for (size_t i = 0; good && i < group->n; i++) {
        const ith_report_series *s = &group->series[i];
        good = scale(&s->of[figure], plots[which].divisor, &points[i]);
        curves[i] =
            (ith_plot_curve){s->label, s->style, ith_series_published(s) != NULL, &points[i]};
    }
    if (good && has_points(group, figure)) {
        snprintf(title, sizeof title, "%s against context, %s", plots[which].title, group->name);
        fprintf(out, "<figure><figcaption>%s</figcaption>\n", plots[which].title);
        ith_plot_write(out, &(ith_plot){title, plots[which].unit, curves, group->n});
        fputs("</figure>\n", out);
    }
    for (size_t i = 0; points != NULL && i < group->n; i++)
        free(points[i].points);
    free(points);
    free(curves);
    return good;
}

static void write_legend(FILE *out, const ith_report_group *group)
{
    fputs("<ul class=\"legend\">\n", out);
    for (size_t i = 0; i < group->n; i++) {
        const ith_report_series *s = &group->series[i];
        fputs("<li>", out);
        ith_plot_write_marker(out, s->style, ith_series_published(s) != NULL);
        ith_plot_write_text(out, s->label);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n", out);
}

static bool write_group(FILE *out, const ith_report_all *all, size_t number)
{
    const ith_report_group *group = &all->report.groups[number - 1];
    bool good = true;

    fprintf(out, "<h2 id=\"model-%zu\">", number);
    ith_plot_write_text(out, group->name);
    fputs("</h2>\n", out);
    write_legend(out, group);
    fputs("<div class=\"plots\">\n", out);
    for (int i = 0; i < HTML_PLOTS; i++)
        good &= write_plot(out, group, i);
    fputs("</div>\n", out);
    for (int i = 0; i < ITH_REPORT_GROUP_TABLES; i++)
        good &= write_table(out, ith_report_group_table(all, group, i), number);
    return good;
}

/* ---- Quality ---- */

static bool write_quality(FILE *out, const ith_report_all *all)
{
    bool good;

    fputs("<h2 id=\"quality\">Quality of answers</h2>\n<div class=\"plots\">\n", out);
    good = ith_quality_maps(out, &all->report);
    fputs("</div>\n", out);
    good &= write_table(out, ith_tables_perplexity(all), 0);
    return good & write_table(out, ith_tables_needle(all), 0);
}

/* ---- The page ---- */

/* Is there an estimate, and so a table of them? */
static bool has_break_even(const ith_report_all *all)
{
    for (size_t i = 0; i < all->evens.n; i++)
        if (all->evens.rows[i].refusal[0] == '\0')
            return true;
    return false;
}

static void write_links(FILE *out, const ith_report_all *all)
{
    fputs("<nav>", out);
    if (all->evens.n > 0)
        fprintf(out, "<a href=\"#%s\">Break-even</a>\n",
                has_break_even(all) ? "break-even" : "rates");
    for (size_t g = 0; g < all->report.n_groups; g++) {
        fprintf(out, "<a href=\"#model-%zu\">", g + 1);
        ith_plot_write_text(out, all->report.groups[g].name);
        fputs("</a>\n", out);
    }
    if (all->report.n_quality > 0)
        fputs("<a href=\"#quality\">Quality of answers</a>\n", out);
    fputs("<a href=\"#words\">What the words mean</a>\n<a href=\"#documents\">Sources</a></nav>\n",
          out);
}

static bool write_body(FILE *out, const ith_report_all *all, const char *verdict)
{
    const char *second = ith_report_second(verdict);
    bool good = true;

    write_verdict(out, verdict, second);
    good &= write_table(out, ith_tables_even(all), 0);
    write_links(out, all);
    fputs("<div class=\"verdicts\">\n", out);
    write_verdict(out, second, verdict + strlen(verdict));
    fputs("</div>\n", out);
    good &= write_table(out, ith_tables_rates(all), 0);
    for (size_t g = 0; g < all->report.n_groups; g++)
        good &= write_group(out, all, g + 1);
    if (all->report.n_quality > 0)
        good &= write_quality(out, all);
    fputs("<h2 id=\"words\">What the words mean</h2>\n<ul>\n", out);
    for (size_t i = 0; ith_report_words[i] != NULL; i++) {
        fputs("<li>", out);
        ith_plot_write_text(out, ith_report_words[i]);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n<h2>Sources</h2>\n", out);
    good &= write_table(out, ith_tables_prices(all), 0);
    good &= write_table(out, ith_tables_published(all), 0);
    return good & write_table(out, ith_tables_documents(all), 0);
}

char *ith_report_html(const ith_report_all *all, const char *verdict)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool good;

    if (out == NULL)
        return NULL;
    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<title>GPUs and nodes compared</title>\n<style>\n%s</style></head>\n<body><main>\n"
            "<h1>GPUs and nodes compared</h1>\n<p class=\"soft\">Prices are in %s. A dash: not "
            "measured, or no price.</p>\n",
            ith_text_report_style, all->prices.currency);
    good = write_body(out, all, verdict);
    fprintf(out, "</main>\n<script>\n%s</script>\n</body></html>\n", ith_text_report_script);
    good &= ferror(out) == 0;
    if (fclose(out) != 0 || !good) {
        free(text);
        return NULL;
    }
    return text;
}
