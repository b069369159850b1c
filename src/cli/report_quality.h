/* report_quality.h - how good answers are: perplexity, and needles that were found. */
#ifndef ITH_CLI_REPORT_QUALITY_H
#define ITH_CLI_REPORT_QUALITY_H

#include "cli/report_tables.h"

/* Perplexity by model, text and types, and how far each is above the least of the same model, text
 * and windows; needles by model, types, length and position. */
ith_table ith_tables_perplexity(const ith_report_all *all);
ith_table ith_tables_needle(const ith_report_all *all);

/* Writes a heat map of needles as a <figure> for each model, with its types. Returns false for lack
 * of memory. */
bool ith_quality_maps(FILE *out, const ith_report *report);

#endif
