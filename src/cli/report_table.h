/* report_table.h - a table of the report, whoever writes it.
 *
 * Cells are added row by row. Numbers have four significant digits, or all digits before the point,
 * with commas between thousands; a dash stands where there is none.
 */
#ifndef ITH_CLI_REPORT_TABLE_H
#define ITH_CLI_REPORT_TABLE_H

#include "cli/report.h"

typedef struct ith_table_column {
    const char *name; /* with its unit: "prefill, tokens/s" */
    bool number;      /* numbers stand right */
} ith_table_column;

typedef struct ith_table_cell {
    char *text;     /* the table's */
    double sort;    /* what a number is sorted by; NAN: the text */
    int style;      /* of the series whose marker stands before the text; -1: none */
    bool published; /* the series */
} ith_table_cell;

typedef struct ith_table {
    const char *id; /* for links: letters and dashes */
    char title[200];
    const ith_table_column *columns;
    size_t n_columns;
    ith_table_cell *cells; /* [n], whole rows */
    size_t n, room;
    bool failed; /* for lack of memory */
} ith_table;

/* An empty table. `id` and `columns` must outlive it; it needs ith_table_close. */
ith_table ith_table_open(const char *id, const ith_table_column *columns, size_t n_columns);

void ith_table_close(ith_table *table);

/* The next cell. A number that is not above 0 becomes a dash, as does an absent price. */
void ith_table_text(ith_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A text that is sorted by a number among those of its column. */
void ith_table_sorted(ith_table *table, double sort, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void ith_table_series(ith_table *table, const ith_report_series *series);
void ith_table_number(ith_table *table, double value);
void ith_table_price(ith_table *table, double low, double high);
void ith_table_percent(ith_table *table, double value);
void ith_table_count(ith_table *table, int64_t value);

/* What the cells of numbers and prices say: "1,234", "12.5"; "2.50 to 7.91", "0.0274". They return
 * text. */
const char *ith_figure_text(double value, char text[64]);
const char *ith_price_text(double low, double high, char text[140]);

#endif
