/* eval_results.c - results of `ithaca eval` as a benchmark document. */
#include "cli/eval_results.h"

#include "base/newfile.h"

#include <string.h>

static const ith_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .help = "add the results to this benchmark document",
     .more = "It is made if it is not there, and may have other results, such as those of ithaca "
             "bench model. ithaca compare shows them."},
    {.name = NULL},
};

const ith_option_group ith_group_eval = {"Output", options};

static ith_status open_document(ith_eval *eval, ith_error *err)
{
    ITH_TRY(ith_bench_document_open(eval->output, &eval->document, err));
    return eval->output != NULL ? ith_newfile_try(eval->output, err) : ITH_OK;
}

ith_status ith_eval_open(ith_eval *eval, ith_error *err)
{
    return ith_cli_agree(eval->cli, eval->cli->rank == 0 ? open_document(eval, err) : ITH_OK);
}

static ith_status describe(ith_eval *eval, const ith_engine *engine, ith_error *err)
{
    json_decref(eval->described);
    eval->described = NULL;
    return ith_bench_describe(ith_engine_get_info(engine), NULL, NULL, &eval->described, err);
}

ith_status ith_eval_describe(ith_eval *eval, const ith_engine *engine, ith_error *err)
{
    return ith_cli_agree(eval->cli, eval->cli->rank == 0 ? describe(eval, engine, err) : ITH_OK);
}

ith_status ith_eval_add(ith_eval *eval, const char *phase, int64_t tokens, json_t *answer,
                        ith_error *err)
{
    json_t *result = answer == NULL
                         ? NULL
                         : json_pack("{s:s, s:s, s:i, s:I, s:i, s:s, s:o, s:{}}", "phase", phase,
                                     "mode", "default", "depth", 0, "tokens", (json_int_t)tokens,
                                     "batch", 1, "status", "measured", phase, answer, "detail");

    ITH_TRY(ith_bench_document_add(eval->document, eval->described, result, err));
    return eval->output != NULL ? ith_bench_document_write(eval->output, eval->document, err)
                                : ITH_OK;
}

int ith_eval_end(ith_eval *eval, ith_status status, ith_error *err, bool json)
{
    int code = ITH_EXIT_DONE;

    if (status != ITH_OK)
        code = ith_cli_failure(eval->cli, status, err);
    else if (eval->cli->rank == 0 && json)
        code = ith_cli_write_json(eval->cli, json_incref(eval->document));
    json_decref(eval->document);
    json_decref(eval->described);
    eval->document = eval->described = NULL;
    return code;
}
