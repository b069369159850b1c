/* bench_document.h - results of `ithaca bench model` as a benchmark document.
 *
 * A document is a JSON object as bench/schema/bench-1.json describes it: tables of engines,
 * machines, models and runs, and a list of results. It may hold results of other engines and
 * machines, which stay as they are.
 */
#ifndef ITH_CLI_BENCH_DOCUMENT_H
#define ITH_CLI_BENCH_DOCUMENT_H

#include "base/json.h"
#include "ithaca.h"

/* What is measured at each depth. */
typedef struct ith_bench_sizes {
    int64_t prompt, decode;
    int repetitions;
    bool fill;
} ith_bench_sizes;

/* Reads a document, or makes an empty one if path is NULL or there is no such file. *document is
 * the caller's, NULL after an error. ITH_E_FORMAT: not a document of this schema; ITH_E_IO,
 * ITH_E_ARGUMENT: not a file; ITH_E_MEMORY. */
ith_status ith_bench_document_open(const char *path, json_t **document, ith_error *err);

/* What is measured, and where: {engine, machine, model, placement, detail}, of the running machine.
 * source: of the weights; NULL: the model's name. sizes: NULL: nothing is timed. */
ith_status ith_bench_describe(const ith_engine_info *info, const char *source,
                              const ith_bench_sizes *sizes, json_t **described, ith_error *err);

/* Does it hold all that is measured at this depth, of a run that is described so? */
bool ith_bench_document_has(const json_t *document, const json_t *described, int64_t depth);

/* A name for a further run, which the caller frees. NULL: no memory. */
char *ith_bench_document_begin(const json_t *document, const json_t *described);

/* Puts run `run` and its results, those of ith_bench_model's text, in place of what the run had.
 * ITH_E_MEMORY. */
ith_status ith_bench_document_put(json_t *document, const json_t *described, const char *run,
                                  const char *text, ith_error *err);

/* Adds a result of something that is not timed, without its "run": that of a run that is described
 * so, or of a new one. It replaces one that the run has of the same question. Takes `result`, which
 * may be NULL. ITH_E_MEMORY. */
ith_status ith_bench_document_add(json_t *document, const json_t *described, json_t *result,
                                  ith_error *err);

/* In place of the file, by rename. ITH_E_IO, ITH_E_MEMORY. */
ith_status ith_bench_document_write(const char *path, const json_t *document, ith_error *err);

/* Prints all results as comma-separated values, with a line of names. Returns an exit code. */
int ith_bench_document_print(const json_t *document);

#endif
