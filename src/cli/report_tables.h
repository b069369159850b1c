/* report_tables.h - the tables of the report. Each needs ith_table_close. */
#ifndef ITH_CLI_REPORT_TABLES_H
#define ITH_CLI_REPORT_TABLES_H

#include "cli/report_even.h"
#include "cli/report_prices.h"
#include "cli/report_table.h"

/* What the tables are made of. */
typedef struct ith_report_all {
    ith_report report;
    ith_prices prices;
    ith_evens evens;
    ith_even_network network;
    const char *const *paths; /* [report.n_documents] */
} ith_report_all;

/* For all models, GPUs, nodes and contexts: the break-even, and the rates that it comes from. */
ith_table ith_tables_even(const ith_report_all *all);
ith_table ith_tables_rates(const ith_report_all *all);

/* Of a group: time to first token and prefill, and decoding, over context, each with its share of
 * the ceilings, memory, energy and cost. */
ith_table ith_tables_prefill(const ith_report_all *all, const ith_report_group *group);
ith_table ith_tables_decode(const ith_report_all *all, const ith_report_group *group);

/* Of a group: more cores or GPUs beside the fewest of the same engine, model and machine. */
ith_table ith_tables_scaling(const ith_report_group *group);

/* The offers that count for a machine in the report. */
ith_table ith_tables_prices(const ith_report_all *all);

/* The documents, and the published runs in them with their sources. */
ith_table ith_tables_documents(const ith_report_all *all);
ith_table ith_tables_published(const ith_report_all *all);

#endif
