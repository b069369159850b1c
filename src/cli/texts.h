/* texts.h - files of the repository that are part of the program, as strings that the Makefile
 * makes of them. */
#ifndef ITH_CLI_TEXTS_H
#define ITH_CLI_TEXTS_H

extern const char ith_text_bench_schema[];  /* bench/schema/bench-1.json */
extern const char ith_text_prices_schema[]; /* bench/schema/prices-1.json */
extern const char ith_text_prices[];        /* bench/prices.json */
extern const char ith_text_report_style[];  /* src/cli/report.css */
extern const char ith_text_report_script[]; /* src/cli/report.js */
extern const char ith_text_sbatch[];        /* cluster/slurm/ithaca.sbatch */

#endif
