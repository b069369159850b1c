/* json_reader.c - components, added tokens and errors of tokenizer.json. */
#include "text/json_reader.h"

#include <stdio.h>
#include <string.h>

ith_status ith_json_unsupported(const ith_json_reader *r, const char *field, const char *value,
                                ith_error *err)
{
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: %s \"%.60s\" is not supported; Ithaca reads BPE as docs/formats.md "
                    "describes it",
                    r->builder.where, field, value);
}

ith_status ith_json_damaged(const ith_json_reader *r, const char *field, const char *expected,
                            ith_error *err)
{
    return ith_fail(err, ITH_E_FORMAT, "%s: %s should be %s", r->builder.where, field, expected);
}

ith_status ith_json_component(const ith_json_reader *r, const json_t *component, const char *field,
                              const char **type, ith_error *err)
{
    *type = NULL;
    if (component == NULL || json_is_null(component))
        return ITH_OK;
    if (!json_is_object(component) || !json_is_string(json_object_get(component, "type")))
        return ith_json_damaged(r, field, "null or an object with a \"type\"", err);
    *type = json_string_value(json_object_get(component, "type"));
    return ITH_OK;
}

ith_status ith_json_sequence(const ith_json_reader *r, const json_t *component, const char *key,
                             int depth, const json_t **list, ith_error *err)
{
    *list = json_object_get(component, key);
    if (!json_is_array(*list) || depth > 4)
        return ith_json_damaged(r, key, "an array, nested at most four times", err);
    return ITH_OK;
}

ith_bytes ith_json_text_of(const json_t *string)
{
    return (ith_bytes){json_string_value(string), json_string_length(string)};
}

ith_status ith_json_put_added(ith_json_reader *r, ith_added *added, ith_error *err)
{
    int32_t known;
    long long id;
    char note[256];

    ITH_TRY(ith_builder_find(&r->builder, added->text, added->len, &known, err));
    id = known >= 0 ? known : (long long)r->next_added;
    if (added->len > 0 && added->id != id) {
        if (r->builder.tok->notes == NULL) {
            snprintf(note, sizeof note,
                     "the added token \"%.*s\" has id %d in the file; it gets %lld, %s, as in "
                     "Hugging Face's tokenizers",
                     (int)(added->len < 40 ? added->len : 40), added->text, added->id, id,
                     known >= 0 ? "that of the vocabulary" : "the next free id");
            ITH_TRY(ith_builder_note(&r->builder, note, err));
        }
        added->id = (int32_t)id;
    }
    ITH_TRY(ith_builder_added(&r->builder, added, err));
    if (added->len > 0 && added->id >= r->next_added)
        r->next_added = (int64_t)added->id + 1;
    return ITH_OK;
}

ith_status ith_json_read_added(ith_json_reader *r, const json_t *item, ith_error *err)
{
    const json_t *content = json_object_get(item, "content");
    int64_t id = -1;
    ith_added added = {.text = NULL};

    if (!json_is_string(content) || !json_is_integer(json_object_get(item, "id")))
        return ith_json_damaged(r, "every added token", "an object with \"id\" and \"content\"",
                                err);
    ITH_TRY(ith_json_int(item, r->builder.where, "id", 0, ITH_MAX_TOKEN_ID, &id, err));
    ITH_TRY(ith_json_bool(item, r->builder.where, "special", &added.special, err));
    added.normalized = !added.special;
    ITH_TRY(ith_json_bool(item, r->builder.where, "normalized", &added.normalized, err));
    ITH_TRY(ith_json_bool(item, r->builder.where, "single_word", &added.single_word, err));
    ITH_TRY(ith_json_bool(item, r->builder.where, "lstrip", &added.lstrip, err));
    ITH_TRY(ith_json_bool(item, r->builder.where, "rstrip", &added.rstrip, err));
    added.id = (int32_t)id;
    added.text = (char *)json_string_value(content); /* the builder copies it */
    added.len = json_string_length(content);
    return ith_json_put_added(r, &added, err);
}
