/* tokens.c - POST /tokenize and /detokenize and GET /tokenizer_info, in the form of vLLM's server:
 * lm-evaluation-harness asks them for the tokens of its texts. */
#include "base/error.h"
#include "openai/request.h"
#include "serve/visit.h"

#include <stdio.h>
#include <stdlib.h>

static ith_status read_body(ith_visit *x, json_t **body, ith_error *err)
{
    ITH_TRY(ith_visit_parse(x, NULL, body, err));
    if (x->server->vocab == NULL)
        return ith_fail(err, ITH_E_UNSUPPORTED, "the model has no tokenizer");
    return ITH_OK;
}

/* ---- POST /tokenize ---- */

/* Takes a field that only this request has: true, unless it says no. */
static ith_status take_special(ith_request *r, json_t *body, bool *special, ith_error *err)
{
    const json_t *value = json_object_get(body, "add_special_tokens");

    *special = !json_is_false(value);
    if (value != NULL && !json_is_boolean(value) && !json_is_null(value))
        return ith_request_wrong(r, "add_special_tokens", err,
                                 "add_special_tokens: expected true or false");
    json_object_del(body, "add_special_tokens");
    return ITH_OK;
}

/* The tokens of the request's only prompt: those that an answer would begin with. */
static ith_status tokenize(const ith_visit *x, json_t *body, ith_request *r, int32_t **ids,
                           size_t *n, ith_error *err)
{
    const ith_server *server = x->server;
    bool special;
    const char *text;
    size_t len;

    *r = (ith_request){.chat = json_object_get(body, "messages") != NULL, .served = true};
    r->prefix = "";
    r->how = server->preset;
    ITH_TRY(take_special(r, body, &special, err));
    ITH_TRY(ith_request_read(r, body, err));
    ITH_TRY(ith_request_grammar(r, server->vocab, err));
    if (ith_request_prompts(r) != 1)
        return ith_request_wrong(r, "prompt", err, "prompt: expected one");
    text = ith_request_text(r, 0, &len);
    if (special || text == NULL)
        return ith_request_ids(r, 0, server->vocab, ids, n, err);
    return ith_vocab_tokenize(server->vocab, text, len, ITH_TOKENIZE_SPECIAL, ids, n, err);
}

static json_t *tokens_json(const ith_server *server, const int32_t *ids, size_t n)
{
    json_t *tokens = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(tokens, json_integer(ids[i]));
    return json_pack("{s:I, s:I, s:o}", "count", (json_int_t)n, "max_model_len",
                     (json_int_t)server->info->ctx, "tokens", tokens);
}

enum MHD_Result ith_visit_tokenize(ith_visit *x)
{
    ith_request r = {0};
    ith_error err = {0};
    json_t *body = NULL;
    int32_t *ids = NULL;
    size_t n = 0;
    enum MHD_Result result;
    ith_status status = read_body(x, &body, &err);

    if (status == ITH_OK)
        status = tokenize(x, body, &r, &ids, &n, &err);
    if (ith_json_lost(x->mark))
        status = ith_fail(&err, ITH_E_MEMORY, "no memory to read the request");
    result = status == ITH_OK ? ith_visit_json(x, MHD_HTTP_OK, tokens_json(x->server, ids, n))
                              : ith_visit_refuse(x, &err, NULL, r.param);
    free(ids);
    ith_request_free(&r);
    json_decref(body);
    return result;
}

/* ---- POST /detokenize ---- */

static ith_status read_ids(const ith_visit *x, const json_t *list, int32_t **ids, ith_error *err)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list))
        return ith_fail(err, ITH_E_ARGUMENT, "tokens: expected a list of token ids");
    *ids = malloc((n > 0 ? n : 1) * sizeof **ids);
    if (*ids == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for tokens");
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_array_get(list, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) >= x->server->info->n_vocab)
            return ith_fail(err, ITH_E_ARGUMENT,
                            "tokens: what is at index %zu is no token of the model", i);
        (*ids)[i] = (int32_t)json_integer_value(id);
    }
    return ITH_OK;
}

static ith_status detokenize(const ith_visit *x, const json_t *body, char **text, size_t *len,
                             ith_error *err)
{
    const json_t *tokens = json_object_get(body, "tokens");
    int32_t *ids = NULL;
    ith_status status = read_ids(x, tokens, &ids, err);

    if (status == ITH_OK)
        status =
            ith_vocab_detokenize(x->server->vocab, ids, json_array_size(tokens), text, len, err);
    free(ids);
    return status;
}

enum MHD_Result ith_visit_detokenize(ith_visit *x)
{
    ith_error err = {0};
    json_t *body = NULL;
    char *text = NULL;
    size_t len = 0;
    enum MHD_Result result;
    ith_status status = read_body(x, &body, &err);

    if (status == ITH_OK)
        status = detokenize(x, body, &text, &len, &err);
    result = status == ITH_OK
                 ? ith_visit_json(x, MHD_HTTP_OK,
                                  json_pack("{s:o}", "prompt", ith_json_bytes(text, len)))
                 : ith_visit_refuse(x, &err, NULL, status == ITH_E_ARGUMENT ? "tokens" : NULL);
    free(text);
    json_decref(body);
    return result;
}

/* ---- GET /tokenizer_info ---- */

/* The text of a token that templates know by name; null: the model's files name none. */
static json_t *named_token(const ith_server *server, const char *name)
{
    static const ith_message nothing = {.role = "user", .content = ""};
    ith_chat_params chat = ith_chat_params_default();
    char source[80], *text = NULL;
    json_t *token = NULL;
    ith_status status;

    snprintf(source, sizeof source, "{%% if %s is defined %%}{{ %s }}{%% endif %%}", name, name);
    chat.messages = &nothing;
    chat.n_messages = 1;
    chat.template_source = source;
    status = ith_chat_render(server->vocab, &chat, &text, NULL);
    if (status != ITH_E_MEMORY && (status != ITH_OK || text[0] == 0))
        token = json_null();
    else if (status == ITH_OK)
        token = ith_json_c_string(text);
    free(text);
    return token;
}

enum MHD_Result ith_visit_tokenizer_info(ith_visit *x)
{
    const ith_server *server = x->server;
    ith_error err = {0};

    if (server->vocab == NULL) {
        ith_fail(&err, ITH_E_UNSUPPORTED, "the model has no tokenizer");
        return ith_visit_refuse(x, &err, NULL, NULL);
    }
    return ith_visit_json(
        x, MHD_HTTP_OK,
        json_pack("{s:I, s:o, s:o}", "vocab_size", (json_int_t)server->info->n_vocab, "bos_token",
                  named_token(server, "bos_token"), "eos_token", named_token(server, "eos_token")));
}
