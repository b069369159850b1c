/* texts.c - files of the repository as strings. */
#include "cli/texts.h"

const char ith_text_bench_schema[] =
#include "cli/bench-1.json.inc"
    ;

const char ith_text_prices_schema[] =
#include "cli/prices-1.json.inc"
    ;

const char ith_text_prices[] =
#include "cli/prices.json.inc"
    ;

const char ith_text_report_style[] =
#include "cli/report.css.inc"
    ;

const char ith_text_report_script[] =
#include "cli/report.js.inc"
    ;

const char ith_text_sbatch[] =
#include "cli/ithaca.sbatch.inc"
    ;
