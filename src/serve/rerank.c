/* rerank.c - POST /rerank and /v1/rerank: how well documents fit a query, as Qwen3-Reranker judges
 * it: by how likely "yes" is beside "no" as the answer to a question in its chat template. */
#include "base/error.h"
#include "openai/texts_request.h"
#include "serve/text_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The texts that Qwen3-Reranker was trained with, from its model card. */
static const char system_text[] =
    "Judge whether the Document meets the requirements based on the Query and the Instruct "
    "provided. Note that the answer can only be \"yes\" or \"no\".",
                  usual_instruction[] = "Given a web search query, retrieve relevant passages that "
                                        "answer the query";

/* The only token of a word. */
static ith_status find_word(const ith_vocab *vocab, const char *word, int32_t *id, ith_error *err)
{
    int32_t *ids = NULL;
    size_t n = 0;

    ITH_TRY(ith_vocab_tokenize(vocab, word, strlen(word), 0, &ids, &n, err));
    if (n == 1)
        *id = ids[0];
    free(ids);
    return n == 1 ? ITH_OK
                  : ith_fail(err, ITH_E_UNSUPPORTED,
                             "\"%s\" is not one token of the model's vocabulary", word);
}

/* Where the template lets the user choose, the model does not think before it answers. */
static ith_status tokenize(const ith_vocab *vocab, const char *question, ith_text *item,
                           ith_error *err)
{
    const ith_message messages[] = {{"system", system_text}, {"user", question}};
    ith_chat_params chat = ith_chat_params_default();
    ith_error why = {0};
    ith_status status;

    chat.messages = messages;
    chat.n_messages = 2;
    chat.thinking = ITH_THINKING_OFF;
    status = ith_chat_tokenize(vocab, &chat, &item->ids, &item->n_ids, NULL, &why);
    if (status == ITH_OK)
        return ITH_OK;
    if (status == ITH_E_MEMORY)
        return ith_fail(err, status, "%s", why.text);
    chat.thinking = ITH_THINKING_DEFAULT;
    return ith_chat_tokenize(vocab, &chat, &item->ids, &item->n_ids, NULL, err);
}

static ith_status ask(const ith_visit *x, const ith_rerank_request *r, size_t i, ith_text *item,
                      ith_error *err)
{
    char *question;
    ith_status status;

    if (asprintf(&question, "<Instruct>: %s\n<Query>: %s\n<Document>: %s",
                 r->instruction != NULL ? r->instruction : usual_instruction, r->query,
                 json_string_value(ith_rerank_request_document(r, i))) < 0)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a document");
    status = tokenize(x->server->vocab, question, item, err);
    free(question);
    return status;
}

static ith_status prepare(const ith_visit *x, const ith_rerank_request *r, ith_texts *texts,
                          ith_error *err)
{
    if (x->server->vocab == NULL)
        return ith_fail(err, ITH_E_UNSUPPORTED, "the model has no tokenizer");
    ITH_TRY(find_word(x->server->vocab, "yes", &texts->yes, err));
    ITH_TRY(find_word(x->server->vocab, "no", &texts->no, err));
    if (!ith_texts_open(texts, json_array_size(r->documents)))
        return ith_fail(err, ITH_E_MEMORY, "no memory for a request");
    for (size_t i = 0; i < texts->n; i++) {
        ITH_TRY(ask(x, r, i, &texts->items[i], err));
        ITH_TRY(ith_texts_check(texts, i, x->server->info, err));
    }
    return ITH_OK;
}

/* ---- The response ---- */

typedef struct rank {
    size_t index;
    double score;
} rank;

/* The best first; of equals the first document. */
static int by_score(const void *a, const void *b)
{
    const rank *x = a, *y = b;

    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static json_t *results_of(const ith_rerank_request *r, const ith_texts *texts)
{
    size_t n = r->top_n > 0 && (uint64_t)r->top_n < texts->n ? (size_t)r->top_n : texts->n;
    rank *all = calloc(texts->n, sizeof *all);
    json_t *list = all != NULL ? json_array() : NULL;

    for (size_t i = 0; all != NULL && i < texts->n; i++)
        all[i] = (rank){i, texts->items[i].score};
    if (all != NULL)
        qsort(all, texts->n, sizeof *all, by_score);
    for (size_t i = 0; list != NULL && i < n; i++) {
        json_t *one = json_pack("{s:I, s:f}", "index", (json_int_t)all[i].index, "relevance_score",
                                all[i].score);
        if (r->return_documents)
            json_object_set_new(
                one, "document",
                json_pack("{s:O}", "text", ith_rerank_request_document(r, all[i].index)));
        json_array_append_new(list, one);
    }
    free(all);
    return list;
}

static json_t *reply(const ith_visit *x, const void *request, ith_texts *texts)
{
    const ith_rerank_request *r = request;

    return json_pack("{s:s, s:o, s:o, s:{s:I, s:I}}", "object", "list", "model",
                     ith_json_c_string(x->server->info->name), "results", results_of(r, texts),
                     "usage", "prompt_tokens", (json_int_t)texts->tokens, "total_tokens",
                     (json_int_t)texts->tokens);
}

static ith_status read_texts(ith_visit *x, json_t *body, void *request, ith_texts *texts,
                             const char **param, ith_error *err)
{
    ITH_TRY(ith_rerank_request_read(request, body, ITH_TEXTS_MOST, param, err));
    *param = "documents";
    return prepare(x, request, texts, err);
}

enum MHD_Result ith_visit_rerank(ith_visit *x)
{
    static const ith_texts_kind kind = {read_texts, reply};
    ith_rerank_request r;

    return ith_texts_answer(x, &kind, &r);
}
