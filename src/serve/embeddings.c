/* embeddings.c - POST /v1/embeddings: vectors of texts, of length 1. */
#include "base/digest.h"
#include "base/error.h"
#include "openai/texts_request.h"
#include "serve/text_calls.h"

#include <stdlib.h>

/* Texts are tokenized as the model's own tokenizer does it, with what begins and ends them. */
static ith_status tokenize(const ith_visit *x, const json_t *text, ith_text *item, ith_error *err)
{
    const ith_vocab *vocab = x->server->vocab;

    if (json_is_string(text) && vocab == NULL)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the model has no tokenizer: give input as lists of token ids");
    if (json_is_string(text))
        return ith_vocab_tokenize(vocab, json_string_value(text), json_string_length(text),
                                  ITH_TOKENIZE_SPECIAL | ITH_TOKENIZE_BOS | ITH_TOKENIZE_EOS,
                                  &item->ids, &item->n_ids, err);
    item->n_ids = json_array_size(text);
    item->ids = malloc(item->n_ids * sizeof *item->ids);
    if (item->ids == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a text");
    for (size_t i = 0; i < item->n_ids; i++)
        item->ids[i] = (int32_t)json_integer_value(json_array_get(text, i));
    return ITH_OK;
}

static ith_status prepare(const ith_visit *x, const ith_embeddings_request *r, ith_texts *texts,
                          ith_error *err)
{
    if (!ith_texts_open(texts, r->n))
        return ith_fail(err, ITH_E_MEMORY, "no memory for a request");
    texts->embeds = true;
    for (size_t i = 0; i < texts->n; i++) {
        ITH_TRY(tokenize(x, ith_embeddings_request_text(r, i), &texts->items[i], err));
        ITH_TRY(ith_texts_check(texts, i, x->server->info, err));
    }
    return ITH_OK;
}

/* Floats as they lie in the memory of a machine whose bytes are in little-endian order. NULL: no
 * memory. */
static json_t *in_base64(const float *embedding, size_t n)
{
    char *text = ith_base64(embedding, n * sizeof *embedding);
    json_t *json = text != NULL ? json_string(text) : NULL;

    free(text);
    return json;
}

static json_t *in_numbers(const float *embedding, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, ith_json_number((double)embedding[i]));
    return list;
}

static json_t *reply(const ith_visit *x, const void *request, ith_texts *texts)
{
    const ith_embeddings_request *r = request;
    size_t n = r->dimensions > 0 ? (size_t)r->dimensions : (size_t)x->server->info->hidden;
    json_t *data = json_array();

    for (size_t i = 0; data != NULL && i < texts->n; i++) {
        float *embedding = texts->items[i].embedding;
        ith_embedding_normalize(embedding, n);
        if (json_array_append_new(
                data, json_pack("{s:s, s:I, s:o}", "object", "embedding", "index", (json_int_t)i,
                                "embedding", (r->base64 ? in_base64 : in_numbers)(embedding, n))) !=
            0) {
            json_decref(data);
            return NULL; /* never a shorter list */
        }
    }
    return json_pack("{s:s, s:o, s:o, s:{s:I, s:I}}", "object", "list", "data", data, "model",
                     ith_json_c_string(x->server->info->name), "usage", "prompt_tokens",
                     (json_int_t)texts->tokens, "total_tokens", (json_int_t)texts->tokens);
}

static ith_status read_texts(ith_visit *x, json_t *body, void *request, ith_texts *texts,
                             const char **param, ith_error *err)
{
    ith_embeddings_request *r = request;

    ITH_TRY(ith_embeddings_request_read(r, body, ITH_TEXTS_MOST, param, err));
    if (r->dimensions > x->server->info->hidden) {
        *param = "dimensions";
        return ith_fail(err, ITH_E_ARGUMENT, "dimensions: expected at most %d",
                        x->server->info->hidden);
    }
    *param = "input";
    return prepare(x, r, texts, err);
}

enum MHD_Result ith_visit_embeddings(ith_visit *x)
{
    static const ith_texts_kind kind = {read_texts, reply};
    ith_embeddings_request r;

    return ith_texts_answer(x, &kind, &r);
}
