/* batch_request.h - a line of `ithaca batch`'s input: a request in the form of OpenAI's batch file.
 *
 * Rank 0 only.
 */
#ifndef ITH_CLI_BATCH_REQUEST_H
#define ITH_CLI_BATCH_REQUEST_H

#include "openai/request.h"

typedef struct ith_batch_request {
    int64_t line;          /* of the input, from 1 */
    json_t *root;          /* what `body` points into; NULL: the line is not JSON */
    const char *custom_id; /* NULL: it has none */
    ith_request body;      /* its `param` may also name a field beside the body */
} ith_batch_request;

/* Reads a line into *request, which is zeroed but for `line` and `body.how`: what the line does not
 * say stays. Free it after a failure too.
 * ITH_E_FORMAT, ITH_E_ARGUMENT, ITH_E_UNSUPPORTED: it is no request that can be answered. */
ith_status ith_batch_request_read(ith_batch_request *request, const char *text, size_t len,
                                  ith_error *err);
void ith_batch_request_free(ith_batch_request *request);

#endif
