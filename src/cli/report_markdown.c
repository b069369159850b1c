/* report_markdown.c - the report as Markdown. */
#include "cli/report_quality.h"
#include "cli/report_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text from documents must not become Markdown or HTML. */
static void write_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '\n' || *text == '\r')
            fputc(' ', out);
        else {
            if (strchr("\\`*_[]|#!>~", *text) != NULL)
                fputc('\\', out);
            fputc(*text, out);
        }
    }
}

/* The paragraphs of the verdict up to `stop`. */
static void write_verdict(FILE *out, const char *verdict, const char *stop)
{
    while (verdict < stop) {
        const char *end = strchr(verdict, '\n');
        bool lead = strncmp(verdict, "# ", 2) == 0;
        char *line = strndup(verdict + 2, (size_t)(end - verdict) - 2);

        if (line != NULL) {
            fputs(lead ? "\n**" : "- ", out);
            write_text(out, line);
            fputs(lead ? "**\n\n" : "\n", out);
        }
        free(line);
        verdict = end + 1;
    }
    fputc('\n', out);
}

static void write_row(FILE *out, const ith_table *t, size_t from)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        fputs("| ", out);
        write_text(out, t->cells[from + c].text);
        fputc(' ', out);
    }
    fputs("|\n", out);
}

/* Closes the table. One without rows is left out. Returns false if memory was lacking. */
static bool write_table(FILE *out, ith_table t, const char *heading)
{
    bool good = !t.failed;

    if (good && t.n > 0) {
        fprintf(out, "%s ", heading);
        write_text(out, t.title);
        fputs("\n\n", out);
        for (size_t c = 0; c < t.n_columns; c++)
            fprintf(out, "| %s ", t.columns[c].name);
        fputs("|\n", out);
        for (size_t c = 0; c < t.n_columns; c++)
            fputs(t.columns[c].number ? "|--:" : "|---", out);
        fputs("|\n", out);
        for (size_t i = 0; i < t.n; i += t.n_columns)
            write_row(out, &t, i);
        fputc('\n', out);
    }
    ith_table_close(&t);
    return good;
}

char *ith_report_markdown(const ith_report_all *all, const char *verdict)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    const char *second = ith_report_second(verdict);
    bool good = true;

    if (out == NULL)
        return NULL;
    fputs("# GPUs and nodes compared\n", out);
    write_verdict(out, verdict, second);
    fprintf(out, "Prices are in %s. A dash: not measured, or no price.\n\n", all->prices.currency);
    good &= write_table(out, ith_tables_even(all), "##");
    write_verdict(out, second, verdict + strlen(verdict));
    good &= write_table(out, ith_tables_rates(all), "##");
    for (size_t g = 0; g < all->report.n_groups; g++)
        for (int i = 0; i < ITH_REPORT_GROUP_TABLES; i++)
            good &= write_table(out, ith_report_group_table(all, &all->report.groups[g], i), "##");
    good &= write_table(out, ith_tables_perplexity(all), "##");
    good &= write_table(out, ith_tables_needle(all), "##");
    fputs("## What the words mean\n\n", out);
    for (size_t i = 0; ith_report_words[i] != NULL; i++)
        fprintf(out, "- %s\n", ith_report_words[i]);
    fputc('\n', out);
    good &= write_table(out, ith_tables_prices(all), "##");
    good &= write_table(out, ith_tables_published(all), "##");
    good &= write_table(out, ith_tables_documents(all), "##");
    good &= ferror(out) == 0;
    if (fclose(out) != 0 || !good) {
        free(text);
        return NULL;
    }
    return text;
}
