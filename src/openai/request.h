/* request.h - the body of a completion request in OpenAI's form, in a file of `ithaca batch` or
 * sent to `ithaca serve`.
 *
 * A request for something that this program cannot do is refused; the error names the field.
 */
#ifndef ITH_OPENAI_REQUEST_H
#define ITH_OPENAI_REQUEST_H

#include "openai/tools.h"

enum {
    ITH_REQUEST_STOPS = 16,
    ITH_REQUEST_PARAM = 64,
    ITH_REQUEST_TOP = 20,      /* most logprobs of a token */
    ITH_REQUEST_CHOICES = 128, /* most answers, of all prompts together */
    ITH_REQUEST_STOP = 4096,   /* bytes of a stop string */
    ITH_REQUEST_NESTING = 100, /* of lists and objects */
};

typedef struct ith_request {
    /* Set by the caller. */
    bool chat;          /* messages; else a prompt */
    bool served;        /* fields that only a server knows are read */
    const char *prefix; /* of a field's name in errors: "body." */

    ith_error
        inexact; /* why the JSON says something else than the body (json.h); status ITH_OK: not */
    char *messages, *arguments; /* JSON texts, malloc'd; or NULL */
    char *schema;               /* the same, of response_format */
    const char *format;         /* JSON schema of the answer; NULL: any text */
    ith_tools tools;
    ith_speech speech;    /* of a chat's model, found in the vocab */
    const json_t *prompt; /* in the body; NULL: messages */
    const char *stops[ITH_REQUEST_STOPS];
    json_t *held[ITH_REQUEST_STOPS]; /* what they stand in */
    bool has_seed;
    ith_generate_params how;
    char param[ITH_REQUEST_PARAM]; /* what is wrong, if a field is: "body.n"; else "" */

    /* Of served requests. */
    int64_t n; /* answers to each prompt; 0: one */
    int64_t best_of;
    bool stream, include_usage, echo;
    bool logprobs;
    int64_t top; /* so many of the best tokens beside each logprob */
} ith_request;

/* Are lists and objects of a JSON text nested at most ITH_REQUEST_NESTING levels deep? Check
 * untrusted texts before parsing them: what walks through a value recurses. */
bool ith_request_is_flat(const char *text, size_t len);

/* Parses the text in which a body stands, for ith_request_read. *root is the caller's. Python's
 * NaN and Infinity and duplicate names are accepted, but not beside a schema. ITH_E_FORMAT: it
 * is not JSON. */
ith_status ith_request_parse(ith_request *request, const char *text, size_t len, const char *where,
                             json_t **root, ith_error *err);

/* Reads a body into *request, which is zeroed but for what the caller sets, and `how`: what the
 * body does not say stays. The body may be changed. Free the request after a failure too.
 * ITH_E_ARGUMENT, ITH_E_UNSUPPORTED: it is no request that can be answered. */
ith_status ith_request_read(ith_request *request, json_t *body, ith_error *err);
void ith_request_free(ith_request *request);

/* Finds how the model speaks, if the request is a chat, and sets request->how.grammar, which the
 * request closes, if the answer must have a format or call a tool. To be called before
 * ith_request_ids. Errors as of ith_grammar_from_schema, ith_speech_find and ith_tools_open. */
ith_status ith_request_grammar(ith_request *request, const ith_vocab *vocab, ith_error *err);

/* The field is wrong, for what others find: param becomes its name, the error the text. */
ith_status ith_request_wrong(ith_request *request, const char *field, ith_error *err,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- Prompts: they need the body ---- */

/* How many prompts it has: 1, unless it is served and has a list of them. */
size_t ith_request_prompts(const ith_request *request);

/* Prompt i as it was sent, which is the body's. NULL, with *len 0: it is token ids or messages. */
const char *ith_request_text(const ith_request *request, size_t i, size_t *len);

/* The tokens of prompt i, malloc'd. ITH_E_ARGUMENT and others: they cannot be made. */
ith_status ith_request_ids(ith_request *request, size_t i, const ith_vocab *vocab, int32_t **ids,
                           size_t *n_ids, ith_error *err);

/* Frees what only prompts are made of. The body is no longer needed. */
void ith_request_forget(ith_request *request);

#endif
