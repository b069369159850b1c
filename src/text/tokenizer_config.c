/* tokenizer_config.c - the files beside a tokenizer: tokenizer_config.json and
 * special_tokens_map.json. */
#include "text/tokenizer_config.h"

#include <stdlib.h>
#include <string.h>

/* An added token of added_tokens_decoder; its key is its id. */
static ith_status add_decoded(ith_json_reader *r, const char *key, const json_t *item,
                              ith_error *err)
{
    const json_t *content = json_object_get(item, "content");
    char *end;
    long long id = strtoll(key, &end, 10);
    int32_t known;
    json_t *token;
    ith_status status;

    if (!json_is_string(content) || *key == '\0' || *end != '\0' || id < 0 || id > ITH_MAX_TOKEN_ID)
        return ith_json_damaged(r, "added_tokens_decoder", "an object of ids and tokens", err);
    known = ith_token_table_find(&r->builder.tok->tokens, json_string_value(content),
                                 json_string_length(content));
    if (known >= 0 && r->builder.tok->tokens.tokens[known].flags & ITH_TOKEN_ADDED)
        return ITH_OK;
    token = json_copy((json_t *)item);
    if (token == NULL || json_object_set_new(token, "id", json_integer(id)) != 0) {
        json_decref(token);
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for an added token", r->builder.where);
    }
    status = ith_json_read_added(r, token, err);
    json_decref(token);
    return status;
}

static int by_id(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    long long i = strtoll(*x, NULL, 10), k = strtoll(*y, NULL, 10);
    return (i > k) - (i < k);
}

static ith_status read_added_decoder(ith_json_reader *r, const json_t *config, ith_error *err)
{
    json_t *decoder = json_object_get(config, "added_tokens_decoder"), *item;
    size_t n = json_object_size(decoder), i = 0;
    ith_status status = ITH_OK;
    const char **keys, *key;

    if (decoder == NULL || json_is_null(decoder))
        return ITH_OK;
    if (!json_is_object(decoder))
        return ith_json_damaged(r, "added_tokens_decoder", "an object of ids and tokens", err);
    keys = calloc(n + 1, sizeof *keys);
    if (keys == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for %zu added tokens", r->builder.where,
                        n);
    json_object_foreach (decoder, key, item)
        keys[i++] = key;
    qsort(keys, n, sizeof *keys, by_id);
    for (i = 0; i < n; i++)
        ITH_CHECK(add_decoded(r, keys[i], json_object_get(decoder, keys[i]), err));
done:
    free(keys);
    return status;
}

/* ---- added_tokens.json ---- */

typedef struct text_and_id {
    const char *text;
    size_t len;
    json_int_t id;
} text_and_id;

static int by_number(const void *a, const void *b)
{
    const text_and_id *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static ith_status list_added(const ith_json_reader *r, json_t *added, text_and_id *list,
                             ith_error *err)
{
    size_t i = 0;

    for (void *it = json_object_iter(added); it != NULL; it = json_object_iter_next(added, it)) {
        const json_t *id = json_object_iter_value(it);
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > ITH_MAX_TOKEN_ID)
            return ith_json_damaged(r, "every id", "a whole number", err);
        list[i++] = (text_and_id){json_object_iter_key(it), json_object_iter_key_len(it),
                                  json_integer_value(id)};
    }
    qsort(list, i, sizeof *list, by_number);
    return ITH_OK;
}

/* Is this text the value of a key, the content of one, or an item of additional_special_tokens? */
static bool names(const json_t *file, const text_and_id *token)
{
    const json_t *value;
    const char *key;

    json_object_foreach ((json_t *)file, key, value) {
        const json_t *content = json_object_get(value, "content"), *item;
        bool list = strcmp(key, "additional_special_tokens") == 0;
        for (size_t i = 0; i < (list ? json_array_size(value) : 1); i++) {
            item = list ? json_array_get(value, i) : content != NULL ? content : value;
            if (json_is_string(item) && json_string_length(item) == token->len &&
                memcmp(json_string_value(item), token->text, token->len) == 0)
                return true;
        }
    }
    return false;
}

ith_status ith_json_added_file(ith_json_reader *r, json_t *added, const json_t *config,
                               const json_t *special, ith_error *err)
{
    size_t n = json_object_size(added);
    text_and_id *list;
    ith_status status;

    if (!json_is_object(added))
        return ith_json_damaged(r, "the file", "an object of tokens and their ids", err);
    list = calloc(n + 1, sizeof *list);
    if (list == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for %zu added tokens", r->builder.where,
                        n);
    ITH_CHECK(list_added(r, added, list, err));
    for (size_t i = 0; i < n; i++) {
        int32_t known = ith_token_table_find(&r->builder.tok->tokens, list[i].text, list[i].len);
        ith_added item = {.text = (char *)list[i].text,
                          .len = list[i].len,
                          .id = (int32_t)list[i].id,
                          .special = names(config, &list[i]) || names(special, &list[i])};
        if (known < 0 || !(r->builder.tok->tokens.tokens[known].flags & ITH_TOKEN_ADDED))
            ITH_CHECK(ith_json_put_added(r, &item, err));
    }
    status = ith_token_table_index(&r->builder.tok->tokens, err);
done:
    free(list);
    return status;
}

/* ---- Tokens by name ---- */

/* A token named by its text, or by an object with "content". *id keeps its value if the file does
 * not name it. */
static ith_status named_token(ith_json_reader *r, const json_t *config, const char *key,
                              int32_t *id, ith_error *err)
{
    const json_t *value = json_object_get(config, key),
                 *text = json_is_object(value) ? json_object_get(value, "content") : value;
    ith_added added = {.special = true};

    if (value == NULL || json_is_null(value))
        return ITH_OK;
    if (!json_is_string(text))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be the text of a token",
                        r->builder.where, key);
    added.text = (char *)json_string_value(text);
    added.len = json_string_length(text);
    if (added.len == 0)
        return ITH_OK;
    *id = added.id = ith_token_table_find(&r->builder.tok->tokens, added.text, added.len);
    if (added.id >= 0)
        return ITH_OK;
    added.id = (int32_t)r->next_added;
    ITH_TRY(ith_json_put_added(r, &added, err));
    *id = added.id;
    return ith_token_table_index(&r->builder.tok->tokens, err);
}

ith_status ith_json_config(ith_json_reader *r, const json_t *config, const json_t *special,
                           ith_error *err)
{
    ith_tokenizer *tok = r->builder.tok;
    bool add_bos = false, add_eos = false;

    ITH_TRY(ith_token_table_index(&tok->tokens, err));
    ITH_TRY(read_added_decoder(r, config, err));
    ITH_TRY(ith_token_table_index(&tok->tokens, err));
    ITH_TRY(named_token(r, special, "bos_token", &tok->bos, err));
    ITH_TRY(named_token(r, special, "eos_token", &tok->eos, err));
    ITH_TRY(named_token(r, config, "bos_token", &tok->bos, err));
    ITH_TRY(named_token(r, config, "eos_token", &tok->eos, err));
    ITH_TRY(ith_json_bool(config, r->builder.where, "add_bos_token", &add_bos, err));
    ITH_TRY(ith_json_bool(config, r->builder.where, "add_eos_token", &add_eos, err));
    if (add_bos && tok->bos >= 0 && tok->n_before == 0)
        tok->before[tok->n_before++] = tok->bos;
    if (add_eos && tok->eos >= 0 && tok->n_after == 0)
        tok->after[tok->n_after++] = tok->eos;
    return ITH_OK;
}
