/* report_table.c - cells of tables. */
#include "cli/report_table.h"

#include "base/grow.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DASH "\xe2\x80\x93" /* an en dash */

ith_table ith_table_open(const char *id, const ith_table_column *columns, size_t n_columns)
{
    return (ith_table){.id = id, .columns = columns, .n_columns = n_columns};
}

void ith_table_close(ith_table *table)
{
    for (size_t i = 0; i < table->n; i++)
        free(table->cells[i].text);
    free(table->cells);
    *table = (ith_table){0};
}

static ith_table_cell *add(ith_table *t, char *text, double sort)
{
    if (text == NULL || !ith_grow((void **)&t->cells, &t->room, t->n + 1, sizeof *t->cells)) {
        free(text);
        t->failed = true;
        return NULL;
    }
    t->cells[t->n] = (ith_table_cell){.text = text, .sort = sort, .style = -1};
    return &t->cells[t->n++];
}

void ith_table_text(ith_table *table, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    add(table, text, NAN);
}

void ith_table_sorted(ith_table *table, double sort, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    add(table, text, sort);
}

void ith_table_series(ith_table *table, const ith_report_series *series)
{
    ith_table_cell *cell = add(table, strdup(series->label), NAN);

    if (cell == NULL)
        return;
    cell->style = series->style;
    cell->published = ith_series_published(series) != NULL;
}

/* Commas between the thousands of a whole number. */
static const char *with_commas(const char *digits, char text[64])
{
    size_t n = strlen(digits), k = 0;

    for (size_t i = 0; i < n && k < 62; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            text[k++] = ',';
        text[k++] = digits[i];
    }
    text[k] = '\0';
    return text;
}

const char *ith_figure_text(double value, char text[64])
{
    char digits[40];

    if (!(value > 0) || value > 1e18)
        return strcpy(text, DASH);
    if (value >= 999.95) {
        snprintf(digits, sizeof digits, "%.0f", value);
        return with_commas(digits, text);
    }
    snprintf(text, 64, value < 1e-4 ? "%.3e" : "%.4g", value);
    return text;
}

/* Two decimals, but three digits of what is below one. */
static const char *amount(double value, char text[64])
{
    if (!(value > 0) || value < 1e-4 || value >= 999.95)
        return ith_figure_text(value, text);
    snprintf(text, 64, value < 0.995 ? "%.3g" : "%.2f", value);
    return text;
}

const char *ith_price_text(double low, double high, char text[140])
{
    char a[64], b[64];

    amount(low, a);
    amount(high, b);
    if (strcmp(a, b) == 0)
        snprintf(text, 140, "%s", a);
    else
        snprintf(text, 140, "%s to %s", a, b);
    return text;
}

void ith_table_number(ith_table *table, double value)
{
    char text[64];
    add(table, strdup(ith_figure_text(value, text)), value > 0 ? value : 0);
}

void ith_table_price(ith_table *table, double low, double high)
{
    char text[140];
    add(table, strdup(ith_price_text(low, high, text)), high > 0 ? high : 0);
}

void ith_table_percent(ith_table *table, double value)
{
    char text[64];

    if (value > 0)
        snprintf(text, sizeof text, "%.1f%%", 100 * value);
    add(table, strdup(value > 0 ? text : DASH), value > 0 ? value : 0);
}

void ith_table_count(ith_table *table, int64_t value)
{
    char digits[40], text[64];

    snprintf(digits, sizeof digits, "%lld", (long long)value);
    add(table, strdup(with_commas(digits, text)), (double)value);
}
