/* texts_request.h - the bodies of requests about texts: for embeddings, and to rank documents. */
#ifndef ITH_OPENAI_TEXTS_REQUEST_H
#define ITH_OPENAI_TEXTS_REQUEST_H

#include "base/json.h"

/* Texts and fields are the body's. */
typedef struct ith_embeddings_request {
    const json_t *input; /* a text, token ids, or a list of these */
    size_t n;            /* texts */
    int64_t dimensions;  /* 0: all */
    bool base64;
} ith_embeddings_request;

typedef struct ith_rerank_request {
    const char *query, *instruction; /* NULL: the usual one */
    const json_t *documents;         /* texts, or objects with a text */
    int64_t top_n;                   /* results; 0: all */
    bool return_documents;
} ith_rerank_request;

/* Read a body. *param: the field that is wrong; NULL: none. most: texts.
 * ITH_E_ARGUMENT; ITH_E_UNSUPPORTED: a field that is not known. */
ith_status ith_embeddings_request_read(ith_embeddings_request *request, json_t *body, size_t most,
                                       const char **param, ith_error *err);
ith_status ith_rerank_request_read(ith_rerank_request *request, json_t *body, size_t most,
                                   const char **param, ith_error *err);

/* Text i of the input, or its token ids: one of the two is a text or a list. */
const json_t *ith_embeddings_request_text(const ith_embeddings_request *request, size_t i);

/* Document i, a text. */
json_t *ith_rerank_request_document(const ith_rerank_request *request, size_t i);

#endif
