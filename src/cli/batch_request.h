/* batch_request.h - a line of `ithaca batch`'s input: a request in the form of OpenAI's batch file.
 *
 * What a request asks for and this program does not do is refused by name, never passed over.
 * Rank 0 only.
 */
#ifndef ITH_CLI_BATCH_REQUEST_H
#define ITH_CLI_BATCH_REQUEST_H

#include "base/json.h"
#include "cli/input.h"

enum { ITH_BATCH_STOPS = 16, ITH_BATCH_PARAM = 64 };

typedef struct ith_batch_request {
    int64_t line;               /* of the input, from 1 */
    json_t *root;               /* what the texts below point into; NULL: the line is not JSON */
    const char *custom_id;      /* NULL: it has none */
    bool chat;                  /* messages; else a prompt */
    char *messages, *arguments; /* JSON texts, malloc'd; or NULL */
    char *schema;               /* the same, of response_format */
    const char *format;         /* JSON schema of the answer; NULL: any text */
    const json_t *prompt;       /* NULL: messages */
    const char *stops[ITH_BATCH_STOPS];
    bool has_seed;
    ith_generate_params how;
    char param[ITH_BATCH_PARAM]; /* what is wrong, if something is: "body.n"; "": the whole line */
} ith_batch_request;

/* Reads a line into *request, which is zeroed but for `line` and `how`: what the line does not say
 * stays. Free it after a failure too.
 * ITH_E_FORMAT, ITH_E_ARGUMENT, ITH_E_UNSUPPORTED: it is no request that can be answered. */
ith_status ith_batch_request_read(ith_batch_request *request, const char *text, size_t len,
                                  ith_error *err);
void ith_batch_request_free(ith_batch_request *request);

/* Sets request->how.grammar if it asks for a format. Errors as of ith_grammar_from_schema. */
ith_status ith_batch_request_grammar(ith_batch_request *request, const ith_vocab *vocab,
                                     ith_error *err);

/* The tokens of its prompt, malloc'd. ITH_E_ARGUMENT and others: they cannot be made. */
ith_status ith_batch_request_ids(const ith_batch_request *request, const ith_vocab *vocab,
                                 ith_ids *ids, ith_error *err);

#endif
