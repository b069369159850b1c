/* eval_results.h - what the commands of `ithaca eval` have in common: a benchmark document of their
 * results, in a file or not. Rank 0 has it. */
#ifndef ITH_CLI_EVAL_RESULTS_H
#define ITH_CLI_EVAL_RESULTS_H

#include "cli/bench_document.h"
#include "cli/model_options.h"

typedef struct ith_eval {
    const ith_cli *cli;
    const char *output; /* the file; NULL: none */
    json_t *document;   /* NULL on other ranks */
    json_t *described;  /* the engine that answers now */
} ith_eval;

extern const ith_option_group ith_group_eval; /* const char *: ith_eval's output */

/* Collective. Reads the file, which may be absent, and finds out whether it can be written.
 * Needs ith_eval_end, also after an error. ITH_E_IO, ITH_E_FORMAT, ITH_E_ARGUMENT. */
ith_status ith_eval_open(ith_eval *eval, ith_error *err);

/* Collective. Results are of this engine from now on. ITH_E_MEMORY. */
ith_status ith_eval_describe(ith_eval *eval, const ith_engine *engine, ith_error *err);

/* Rank 0. Adds a measured result to the document (ith_bench_document_add) and writes the file.
 * Takes `answer`, the member `phase` of the result; NULL: no memory. ITH_E_IO, ITH_E_MEMORY. */
ith_status ith_eval_add(ith_eval *eval, const char *phase, int64_t tokens, json_t *answer,
                        ith_error *err);

/* What a command ends with: an error is said; of what went well, rank 0 prints the document if
 * `json`. Frees the document. Returns an exit code. */
int ith_eval_end(ith_eval *eval, ith_status status, ith_error *err, bool json);

#endif
