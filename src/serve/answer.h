/* answer.h - what is known of a call, in OpenAI's JSON.
 *
 * A part of a choice is what has come since the last one, behind what is `known`. A response has
 * the only part of each choice, a stream has many.
 */
#ifndef ITH_SERVE_ANSWER_H
#define ITH_SERVE_ANSWER_H

#include "openai/message.h"
#include "openai/responses.h"
#include "serve/server_impl.h"

/* A prompt, [ids, n] malloc'd, and what stands before the answer if it is echoed. */
typedef struct ith_asked {
    int32_t *ids;
    size_t n;
    char *text; /* [len], malloc'd; NULL: no echo, or no tokenizer */
    size_t len;
    size_t before; /* tokens that are not of the text: 1 if it begins with one that was added */
} ith_asked;

/* A request that is being answered; the call's `user`. */
typedef struct ith_answer {
    ith_server *server;
    ith_call *call;
    json_t *body;           /* NULL: read */
    bool responds;          /* /v1/responses */
    ith_response *response; /* NULL: a chat, or a completion */
    ith_request request;
    char id[40];
    int64_t created;
    int64_t prompt_tokens;
    ith_asked *prompts; /* [n_prompts] */
    size_t n_prompts;
} ith_answer;

/* Zeroed at first; to be closed. */
typedef struct ith_part {
    ith_message_text *message; /* of a chat; NULL: not begun */
    ith_known known;
    int64_t thought; /* tokens of thoughts */
    int64_t offset;  /* characters before known.token: text_offset */
    bool begun;
    bool ended; /* its finish_reason has been sent */
} ith_part;

void ith_answer_free(void *answer);

void ith_part_close(ith_part *part);

/* The news of choice i, after `part`, as an entry of "choices", the caller's; *part moves on. NULL:
 * there are none. False: no memory. `streamed`: in the form of a stream. */
bool ith_answer_choice(const ith_answer *answer, size_t i, const ith_news *news, ith_part *part,
                       bool streamed, json_t **choice);

/* When all choices have ended. parts: [n of the call]. */
json_t *ith_answer_usage(const ith_answer *answer, const ith_part *parts);

/* A response, or a chunk of a stream, around `choices`; takes both. usage NULL: none. */
json_t *ith_answer_json(const ith_answer *answer, json_t *choices, json_t *usage, bool streamed);

#endif
