/* report_write.h - the report as files: the same sentences and tables twice. */
#ifndef ITH_CLI_REPORT_WRITE_H
#define ITH_CLI_REPORT_WRITE_H

#include "cli/report_tables.h"

/* The caller frees the text. `verdict` is that of ith_report_verdict. NULL: no memory. */
char *ith_report_html(const ith_report_all *all, const char *verdict);
char *ith_report_markdown(const ith_report_all *all, const char *verdict);

/* Where the second paragraph of a verdict begins, or its end. */
const char *ith_report_second(const char *verdict);

/* Paragraphs on how the figures are defined, a line each, up to NULL. */
extern const char *const ith_report_words[];

/* Tables of a group, in their order: prefill, decode, scaling. */
enum { ITH_REPORT_GROUP_TABLES = 3 };
ith_table ith_report_group_table(const ith_report_all *all, const ith_report_group *group, int i);

#endif
