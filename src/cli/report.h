/* report.h - a report that compares benchmark documents: what ithaca compare makes.
 *
 * Documents (bench/schema/bench-1.json) hold results of any engines on any machines. The report
 * answers one question: for this model at this context, what does a GPU do, what do my nodes do,
 * and how many of them equal it? Nothing is measured for it, and it reads no network.
 *
 * What it is made of:
 *
 *     schema.c           a document is what its JSON Schema says, or it is refused
 *     report_read.c      documents -> groups of series. Here are all definitions of figures
 *     report_model.c     which models are the same, and their names
 *     report_text.c      which texts of documents can be shown
 *     report_series.c    what a series says of itself
 *     report_prices.c    a price file -> what an hour of a machine costs
 *     report_even.c      the break-even, through ith_estimate
 *     report_table.c     a table, whoever writes it
 *     report_tables.c    the tables of the report
 *     report_quality.c   how good answers are: tables and heat maps
 *     report_verdict.c   the sentences at the head of the page, from the same figures
 *     plot.c, heat.c     one plot as SVG; one heat map
 *     report_html.c      index.html: the page, in one file
 *     report_markdown.c  report.md: the same sentences and tables
 *     cmd_compare.c      the command
 *
 * GROUPS. Results are comparable only for the same model. A group holds the models of one shape
 * (report_model.h), whatever they are called and whichever types they have: the labels say the
 * types, and the names where they differ. A model without a shape is a group of its own by its
 * name.
 *
 * SERIES. One engine, machine, model, placement, mode and batch. Repeated runs of that are joined:
 * a point's value is the median of their medians, its low and high are the extremes of all their
 * repetitions. Published figures are series that say so; they are never joined with measured ones.
 *
 * FIGURES of a series, each over the context in tokens:
 *
 *     ITH_FIGURE_TTFT     seconds from a prompt to its first token; context: the prompt's tokens.
 *                         From ttft_seconds, else from a prefill at depth 0
 *     ITH_FIGURE_PREFILL  tokens per second of the whole prompt: context over the above. A prefill
 *                         at a depth without ttft_seconds is the speed of the last chunk alone. It
 *                         is no figure here, because no other engine's can stand beside it
 *     ITH_FIGURE_DECODE   tokens per second behind that context
 *     ITH_FIGURE_MEMORY   most bytes of one rank or device, times their number
 *     ITH_FIGURE_PREFILL_CEILING, ITH_FIGURE_DECODE_CEILING
 *                         share of the ceilings of the same run
 *     ITH_FIGURE_PREFILL_JOULES, ITH_FIGURE_DECODE_JOULES
 *                         joules per token, of the devices or sockets that the document counts
 *
 * Strings in a report belong to its documents, which live as long.
 */
#ifndef ITH_CLI_REPORT_H
#define ITH_CLI_REPORT_H

#include "base/json.h"

typedef enum ith_figure {
    ITH_FIGURE_TTFT,
    ITH_FIGURE_PREFILL,
    ITH_FIGURE_DECODE,
    ITH_FIGURE_MEMORY,
    ITH_FIGURE_PREFILL_CEILING,
    ITH_FIGURE_DECODE_CEILING,
    ITH_FIGURE_PREFILL_JOULES,
    ITH_FIGURE_DECODE_JOULES,
    ITH_FIGURES
} ith_figure;

/* low <= value <= high; alike where the documents have one value. */
typedef struct ith_report_point {
    int64_t context;
    double value, low, high;
} ith_report_point;

typedef struct ith_report_points {
    ith_report_point *points; /* [n], context ascending, none twice */
    size_t n;
} ith_report_points;

typedef struct ith_report_series {
    const json_t *run;                      /* the first of the joined ones */
    const json_t *engine, *machine, *model; /* its entries */
    const char *run_name, *mode;
    char name[100]; /* of the model, without its types */
    int batch;
    int style;       /* of its marker and curve: its number in the group */
    char label[480]; /* no other series of the group has it */
    ith_report_points of[ITH_FIGURES];
} ith_report_series;

typedef struct ith_report_group {
    char name[112];            /* of its first model; no other group has it */
    ith_report_series *series; /* [n], in the order of the documents */
    size_t n;
} ith_report_group;

/* A result that is not timed, as the document has it: of perplexity, or of a needle. */
typedef struct ith_report_quality {
    const json_t *engine, *model, *result;
    char name[100]; /* of the model, without its types */
    bool needle;
} ith_report_quality;

typedef struct ith_report {
    json_t **documents; /* [n_documents] */
    size_t n_documents;
    ith_report_quality *quality; /* [n_quality], in the order of the documents */
    size_t n_quality;
    ith_report_group *groups; /* [n_groups], in the order of the documents */
    size_t n_groups;
} ith_report;

/* Reads the files and joins their results. Files may name runs and models alike: names are looked
 * up in their own document. Results that were not measured are left out, as are requests, in which
 * prefill and decoding cannot be told apart. *report needs ith_report_close, also after an error.
 * Errors: ITH_E_IO; ITH_E_FORMAT: not a document, or a result that contradicts the schema where the
 * report reads it: the file and the result's number are in the text; ITH_E_MEMORY. */
ith_status ith_report_open(const char *const *paths, size_t n_paths, ith_report *report,
                           ith_error *err);

void ith_report_close(ith_report *report);

/* GPUs at work; 0: none. Ranks. Nodes. Cores at work; ranks where their threads are not known. */
int ith_series_devices(const ith_report_series *series);
int ith_series_ranks(const ith_report_series *series);
int ith_series_nodes(const ith_report_series *series);
int ith_series_cores(const ith_report_series *series);
bool ith_series_has_threads(const ith_report_series *series);

/* Where the figures were published, {source, date}; NULL: they were measured. */
const json_t *ith_series_published(const ith_report_series *series);

/* Are both of the same machine, alike measured or published? */
bool ith_series_same_machine(const ith_report_series *a, const ith_report_series *b);

/* "2 x NVIDIA H200"; "AMD EPYC 9654 (192 cores)", of `nodes` such nodes. Returns text. */
const char *ith_series_machine(const ith_report_series *series, int nodes, char *text, size_t size);

/* "bf16", of its weights and of its cache. */
const char *ith_series_weights(const ith_report_series *series);
const char *ith_series_cache(const ith_report_series *series);

/* Writes series->label of each series of a group. */
void ith_series_label(ith_report_group *group);

/* The point of that context; NULL: there is none. */
const ith_report_point *ith_series_point(const ith_report_series *series, ith_figure figure,
                                         int64_t context);

/* The point whose context is nearest by ratio; NULL: there is none above 0. */
const ith_report_point *ith_series_nearest(const ith_report_series *series, ith_figure figure,
                                           int64_t context);

#endif
