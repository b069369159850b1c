/* tokenizer_config.c - the files beside a tokenizer: tokenizer_config.json and
 * special_tokens_map.json. */
#include "text/tokenizer_config.h"

#include <stdlib.h>

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
    if (token == NULL ||
        json_object_set_new(token, "id", json_integer(known >= 0 ? known : id)) != 0) {
        json_decref(token);
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for an added token", r->path);
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
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for %zu added tokens", r->path, n);
    json_object_foreach (decoder, key, item)
        keys[i++] = key;
    qsort(keys, n, sizeof *keys, by_id);
    for (i = 0; i < n; i++)
        ITH_CHECK(add_decoded(r, keys[i], json_object_get(decoder, keys[i]), err));
done:
    free(keys);
    return status;
}

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
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be the text of a token", r->path,
                        key);
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
    ITH_TRY(ith_json_bool(config, r->path, "add_bos_token", &add_bos, err));
    ITH_TRY(ith_json_bool(config, r->path, "add_eos_token", &add_eos, err));
    if (add_bos && tok->bos >= 0 && tok->n_before == 0)
        tok->before[tok->n_before++] = tok->bos;
    if (add_eos && tok->eos >= 0 && tok->n_after == 0)
        tok->after[tok->n_after++] = tok->eos;
    return ITH_OK;
}
