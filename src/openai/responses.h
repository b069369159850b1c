/* responses.h - the bodies of /v1/responses: a request as that of a chat, and the answer to it as a
 * response or as the events of a stream. Nothing is kept between requests.
 */
#ifndef ITH_OPENAI_RESPONSES_H
#define ITH_OPENAI_RESPONSES_H

#include "base/json.h"

/* A body as that of a chat (request.h). *chat is the caller's; *param, the field that is wrong,
 * lives as long as the body; NULL: none is.
 * ITH_E_ARGUMENT, ITH_E_UNSUPPORTED: it asks for what there is not; ITH_E_MEMORY. */
ith_status ith_responses_to_chat(const json_t *body, json_t **chat, const char **param,
                                 ith_error *err);

/* What a field of a chat is called in a response's request. */
const char *ith_responses_param(const char *chat);

/* ---- Responses ---- */

typedef struct ith_response ith_response;

/* Of a request's body, of which it takes what a response repeats. The ids of its items follow from
 * its own, "resp_...". NULL: no memory. */
ith_response *ith_response_open(const json_t *body, const char *id, const char *model,
                                int64_t created);
void ith_response_close(ith_response *response); /* accepts NULL */

/* What a response has to say is appended to a list of events, each an object with a `type`. A delta
 * is one of a chat's stream (message.h). False: no memory. */
bool ith_response_begin(ith_response *response, json_t *events);
bool ith_response_delta(ith_response *response, const json_t *delta, json_t *events);

/* finish: finish_reason of the chat; usage: of a chat. */
bool ith_response_end(ith_response *response, const char *finish, const json_t *usage,
                      json_t *events);

/* An error instead of the end: appended, too. */
bool ith_response_fail(ith_response *response, const char *code, const char *text, json_t *events);

/* The response as it is now, a new reference. NULL: no memory. */
json_t *ith_response_json(const ith_response *response);

#endif
