/* text_calls.h - requests about many texts that nothing is written to: each gets an embedding, or a
 * score. The texts are prompts of calls (call.h), some at a time, so that a long list leaves others
 * room in the queue.
 */
#ifndef ITH_SERVE_TEXT_CALLS_H
#define ITH_SERVE_TEXT_CALLS_H

#include "serve/visit.h"

enum { ITH_TEXTS_MOST = 2048 /* of a request */ };

/* A text, and what becomes of it. */
typedef struct ith_text {
    int32_t *ids; /* [n_ids], malloc'd; NULL: they are in a call */
    size_t n_ids;
    float *embedding; /* [hidden], malloc'd; NULL: none yet */
    double score;
} ith_text;

typedef struct ith_texts {
    ith_text *items; /* [n], calloc'd; each item belongs to the list */
    size_t n;
    bool embeds;      /* each gets an embedding; else a score: */
    int32_t yes, no;  /* how likely `yes` is beside `no` as the next token */
    int64_t tokens;   /* of all texts */
    const char *code; /* of an error; NULL: that of its status */
} ith_texts;

/* n texts without tokens. False: no memory. */
bool ith_texts_open(ith_texts *texts, size_t n);
void ith_texts_close(ith_texts *texts);

/* Item i has its tokens: do they fit the model? */
ith_status ith_texts_check(ith_texts *texts, size_t i, const ith_engine_info *info, ith_error *err);

/* What such a request is: how its body becomes texts, and they an answer. */
typedef struct ith_texts_kind {
    /* Reads the body into *request, of the kind's own type, and opens and fills `texts`. *param:
     * the field that an error is about, NULL: none. */
    ith_status (*read)(ith_visit *visit, json_t *body, void *request, ith_texts *texts,
                       const char **param, ith_error *err);
    /* The response; all texts have what they were to get. NULL: no memory. */
    json_t *(*reply)(const ith_visit *visit, const void *request, ith_texts *texts);
} ith_texts_kind;

/* HTTP thread. Answers the visit: waits until all texts have what they are to get. */
enum MHD_Result ith_texts_answer(ith_visit *visit, const ith_texts_kind *kind, void *request);

#endif
