/* fields.c - fields of parameters. A text is written as it is, so of a schema of texts only the
 * words of an enum or a const can be kept. */
#include "openai/fields.h"

#include <string.h>

static ith_status cannot(const char *name, const char *key, const char *what, ith_error *err)
{
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: %s of the parameter %s cannot be kept in the form in which this model "
                    "writes calls",
                    name, what, key);
}

/* ---- Texts ---- */

static bool is_type(const json_t *type, const char *word)
{
    return json_is_string(type) && strcmp(json_string_value(type), word) == 0;
}

static bool names_type(const json_t *types, const char *word)
{
    const json_t *type;
    size_t i;

    json_array_foreach (types, i, type)
        if (is_type(type, word))
            return true;
    return is_type(types, word);
}

/* The words of a schema that has nothing else, a new list; NULL: it has others. */
static json_t *words_of(const json_t *schema)
{
    json_t *only = json_object_get(schema, "const"), *words = json_object_get(schema, "enum");
    const json_t *word;
    size_t i;

    json_array_foreach (words, i, word)
        if (!json_is_string(word))
            return NULL;
    if (json_is_string(only))
        return json_pack("[O]", only);
    return json_array_size(words) > 0 ? json_incref(words) : NULL;
}

/* Is any text that is written as it is one that the schema allows? Beside texts only `true`,
 * `false` and `null` may be: what looks like them is taken for them. */
static bool is_free_text(const json_t *schema)
{
    static const char *const limits[] = {"minLength", "maxLength", "pattern", "format", "enum",
                                         "const",     "$ref",      "allOf",   "not"};
    const json_t *types = json_object_get(schema, "type"), *type;
    size_t i;

    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++)
        if (json_object_get(schema, limits[k]) != NULL)
            return false;
    json_array_foreach (types, i, type)
        if (!is_type(type, "string") && !is_type(type, "null") && !is_type(type, "boolean"))
            return false;
    return names_type(types, "string");
}

/* "anyOf": [{"type": "string"}, {"type": "null"}] */
static bool is_optional_text(const json_t *schema)
{
    const json_t *any = json_object_get(schema, "anyOf"), *one;
    bool text = false;
    size_t i;

    json_array_foreach (any, i, one) {
        const json_t *type = json_object_get(one, "type");
        text = text || is_free_text(one);
        if (!is_free_text(one) && !is_type(type, "null") && !is_type(type, "boolean"))
            return false;
    }
    return text && json_object_get(schema, "type") == NULL;
}

static bool may_be_text(const json_t *schema)
{
    const json_t *any = json_object_get(schema, "anyOf"), *one;
    size_t i;

    json_array_foreach (any, i, one)
        if (may_be_text(one))
            return true;
    return names_type(json_object_get(schema, "type"), "string");
}

/* ---- Fields ---- */

/* The schema of a value in JSON, with what its references are to. */
static json_t *whole_schema(const json_t *parameters, const json_t *schema)
{
    static const char *const places[] = {"$defs", "definitions"};
    json_t *whole = json_copy((json_t *)schema);

    for (int i = 0; i < 2; i++)
        if (json_object_get(parameters, places[i]) != NULL)
            json_object_set(whole, places[i], json_object_get(parameters, places[i]));
    return whole;
}

/* The text with the key in its place. */
static json_t *with_key(const char *text, const char *key)
{
    const char *at = strstr(text, "{key}");

    return json_sprintf("%.*s%s%s", (int)(at - text), text, key, at + strlen("{key}"));
}

static bool is_required(const json_t *parameters, const char *key)
{
    const json_t *one;
    size_t i;

    json_array_foreach (json_object_get(parameters, "required"), i, one)
        if (json_is_string(one) && strcmp(json_string_value(one), key) == 0)
            return true;
    return false;
}

/* What the value may be: any text, words, or JSON. */
static ith_status add_value(json_t *field, const json_t *parameters, const json_t *schema,
                            const char *name, const char *key, ith_error *err)
{
    const json_t *type = json_object_get(schema, "type");
    json_t *words = type == NULL || is_type(type, "string") ? words_of(schema) : NULL;

    if (words != NULL)
        json_object_set_new(field, "words", words);
    else if (is_free_text(schema) || is_optional_text(schema))
        json_object_set_new(field, "text", json_true());
    else if (may_be_text(schema))
        return cannot(name, key, "the schema", err);
    else
        json_object_set_new(field, "schema", whole_schema(parameters, schema));
    return ITH_OK;
}

static ith_status add_field(json_t *list, const json_t *parameters, const json_t *schema,
                            const char *name, const char *key, const ith_form *form, ith_error *err)
{
    json_t *field;

    if (strpbrk(key, "<>\"\n") != NULL)
        return cannot(name, key, "the name", err);
    field = json_pack("{s:o, s:o, s:s, s:b}", "name", json_sprintf("%s.%s", name, key), "before",
                      with_key(form->field_before, key), "after", form->field_after, "required",
                      is_required(parameters, key));
    json_array_append_new(list, field);
    return add_value(field, parameters, schema, name, key, err);
}

static ith_status check_keywords(const json_t *parameters, const char *name, ith_error *err)
{
    static const char *const known[] = {
        "type",    "properties",  "required",    "additionalProperties",
        "$defs",   "definitions", "description", "title",
        "$schema", "examples",    "default"};
    const char *keyword;
    json_t *value;

    json_object_foreach ((json_t *)parameters, keyword, value) {
        bool fine = false;
        for (size_t i = 0; i < sizeof known / sizeof *known && !fine; i++)
            fine = strcmp(keyword, known[i]) == 0;
        if (!fine)
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "%s: %.40s beside properties cannot be kept in the form in which this "
                            "model writes calls",
                            name, keyword);
    }
    return ITH_OK;
}

static ith_status check_required(const json_t *parameters, const char *name, ith_error *err)
{
    const json_t *one, *properties = json_object_get(parameters, "properties");
    size_t i;

    json_array_foreach (json_object_get(parameters, "required"), i, one)
        if (!json_is_string(one) || json_object_get(properties, json_string_value(one)) == NULL)
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "%s: a parameter is required that is not among its properties", name);
    return ITH_OK;
}

static ith_status add_fields(json_t *list, const json_t *parameters, const char *name,
                             const ith_form *form, ith_error *err)
{
    json_t *properties = json_object_get(parameters, "properties"), *schema;
    const char *key;

    if (properties != NULL && !json_is_object(properties))
        return ith_fail(err, ITH_E_FORMAT, "%s: expected properties to be an object", name);
    ITH_TRY(check_keywords(parameters, name, err));
    ITH_TRY(check_required(parameters, name, err));
    json_object_foreach (properties, key, schema) {
        if (!json_is_object(schema))
            return ith_fail(err, ITH_E_FORMAT, "%s: expected a schema of the parameter %.60s", name,
                            key);
        ITH_TRY(add_field(list, parameters, schema, name, key, form, err));
    }
    return ITH_OK;
}

ith_status ith_fields_of(const json_t *parameters, const char *name, const ith_form *form,
                         json_t **fields, ith_error *err)
{
    ith_status status;

    *fields = json_array();
    status = add_fields(*fields, parameters, name, form, err);
    if (status != ITH_OK) {
        json_decref(*fields);
        *fields = NULL;
    }
    return status;
}
