/* report_verdict.h - the sentences at the head of the report.
 *
 * For each model, GPU and kind of node, at 32,768 tokens or the context nearest to that: who is
 * faster and by which factor, how many nodes equal the GPU, what that costs, and what else changes.
 * Where a GPU is faster tenfold or more, that is the first thing said.
 */
#ifndef ITH_CLI_REPORT_VERDICT_H
#define ITH_CLI_REPORT_VERDICT_H

#include "cli/report_tables.h"

/* Lines: those that begin with "# " open a paragraph, those with "- " are items below it. The
 * caller frees them. NULL: no memory. */
char *ith_report_verdict(const ith_report_all *all);

#endif
