/* texts_request.c - reads requests about texts. */
#include "openai/texts_request.h"

#include <string.h>

static ith_status wrong(const char *key, const char *expected, const char **param, ith_error *err)
{
    *param = key;
    return ith_fail(err, ITH_E_ARGUMENT, "%s: expected %s", key, expected);
}

/* A field that the body may have; NULL: it has none. */
static const json_t *field(const json_t *body, const char *key)
{
    const json_t *value = json_object_get(body, key);
    return json_is_null(value) ? NULL : value;
}

/* Are all fields of the body among these, which end with NULL? */
static ith_status check_fields(json_t *body, const char *const *known, const char **param,
                               ith_error *err)
{
    const char *key;
    json_t *value;

    json_object_foreach (body, key, value) {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], key) != 0)
            i++;
        if (known[i] != NULL || json_is_null(value))
            continue;
        *param = key;
        return ith_fail(err, ITH_E_UNSUPPORTED, "%.60s: this field is not supported", key);
    }
    return ITH_OK;
}

static ith_status take_count(const json_t *body, const char *key, int64_t *count,
                             const char **param, ith_error *err)
{
    const json_t *value = field(body, key);

    if (value == NULL)
        return ITH_OK;
    if (!json_is_integer(value) || json_integer_value(value) < 1)
        return wrong(key, "a whole number from 1 on", param, err);
    *count = json_integer_value(value);
    return ITH_OK;
}

static ith_status take_text(const json_t *body, const char *key, const char **text,
                            const char **param, ith_error *err)
{
    const json_t *value = field(body, key);

    if (value == NULL)
        return ITH_OK;
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
        return wrong(key, "a text", param, err);
    *text = json_string_value(value);
    return ITH_OK;
}

/* ---- Embeddings ---- */

static bool is_ids(const json_t *value)
{
    const json_t *id;
    size_t i;

    json_array_foreach (value, i, id)
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            return false;
    return json_array_size(value) > 0;
}

static bool is_text(const json_t *value)
{
    return json_is_string(value) || is_ids(value);
}

/* How many texts an input has; 0: it is none. */
static size_t count_texts(const json_t *input)
{
    const json_t *text;
    size_t i;

    if (is_text(input))
        return 1;
    json_array_foreach (input, i, text)
        if (!is_text(text))
            return 0;
    return json_array_size(input);
}

ith_status ith_embeddings_request_read(ith_embeddings_request *r, json_t *body, size_t most,
                                       const char **param, ith_error *err)
{
    static const char *const known[] = {"input",           "model", "dimensions",
                                        "encoding_format", "user",  NULL};
    const char *format = "float";

    *r = (ith_embeddings_request){.input = field(body, "input")};
    *param = NULL;
    ITH_TRY(check_fields(body, known, param, err));
    r->n = count_texts(r->input);
    if (r->n == 0)
        return wrong("input", "a text, a list of token ids, or a list of these", param, err);
    if (r->n > most) {
        *param = "input";
        return ith_fail(err, ITH_E_ARGUMENT, "input: expected at most %zu texts", most);
    }
    ITH_TRY(take_count(body, "dimensions", &r->dimensions, param, err));
    ITH_TRY(take_text(body, "encoding_format", &format, param, err));
    r->base64 = strcmp(format, "base64") == 0;
    return r->base64 || strcmp(format, "float") == 0
               ? ITH_OK
               : wrong("encoding_format", "float or base64", param, err);
}

const json_t *ith_embeddings_request_text(const ith_embeddings_request *r, size_t i)
{
    return is_text(r->input) ? r->input : json_array_get(r->input, i);
}

/* ---- Rerank ---- */

json_t *ith_rerank_request_document(const ith_rerank_request *r, size_t i)
{
    json_t *document = json_array_get(r->documents, i);
    return json_is_object(document) ? json_object_get(document, "text") : document;
}

ith_status ith_rerank_request_read(ith_rerank_request *r, json_t *body, size_t most,
                                   const char **param, ith_error *err)
{
    static const char *const known[] = {"query",       "documents",        "model", "top_n",
                                        "instruction", "return_documents", "user",  NULL};
    const json_t *returns = field(body, "return_documents");

    *r = (ith_rerank_request){.documents = field(body, "documents")};
    *param = NULL;
    ITH_TRY(check_fields(body, known, param, err));
    ITH_TRY(take_text(body, "query", &r->query, param, err));
    if (r->query == NULL)
        return wrong("query", "a text", param, err);
    if (json_array_size(r->documents) == 0 || json_array_size(r->documents) > most) {
        *param = "documents";
        return ith_fail(err, ITH_E_ARGUMENT, "documents: expected a list of 1 to %zu texts", most);
    }
    for (size_t i = 0; i < json_array_size(r->documents); i++) {
        const json_t *text = ith_rerank_request_document(r, i);
        if (!json_is_string(text) || strlen(json_string_value(text)) != json_string_length(text))
            return wrong("documents", "texts, or objects with a text", param, err);
    }
    ITH_TRY(take_count(body, "top_n", &r->top_n, param, err));
    ITH_TRY(take_text(body, "instruction", &r->instruction, param, err));
    if (returns != NULL && !json_is_boolean(returns))
        return wrong("return_documents", "true or false", param, err);
    r->return_documents = json_is_true(returns);
    return ITH_OK;
}
