/* answer.h - what is known of a call, in OpenAI's JSON.
 *
 * A response tells each choice at once, a stream as its tokens come. ith_told is how far a client
 * has been told of a choice.
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

/* What the client has been told of a choice. Zeroed at first; to be closed. */
typedef struct ith_told {
    ith_message_text *message; /* of a chat; NULL: not begun */
    ith_known known;
    int64_t thought; /* tokens of thoughts */
    int64_t offset;  /* characters before known.token: text_offset */
    bool begun;
    bool ended; /* its finish_reason has been sent */
} ith_told;

void ith_answer_free(void *answer);

void ith_told_close(ith_told *told);

/* What is new of choice i, after `told`, as an entry of "choices", the caller's; *told moves on.
 * NULL: there is none. False: no memory. `streamed`: in the form of a stream. */
bool ith_answer_choice(const ith_answer *answer, size_t i, const ith_news *news, ith_told *told,
                       bool streamed, json_t **choice);

/* When all choices have ended. told: [n of the call]. */
json_t *ith_answer_usage(const ith_answer *answer, const ith_told *told);

/* A response, or a chunk of a stream, around `choices`; takes both. usage NULL: none. */
json_t *ith_answer_json(const ith_answer *answer, json_t *choices, json_t *usage, bool streamed);

#endif
