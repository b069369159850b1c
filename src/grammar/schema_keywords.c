/* schema_keywords.c - a table of the keywords. */
#include "grammar/schema_keywords.h"

#include "base/character.h"

#include <string.h>

/* What the value of a keyword must be. */
typedef enum value_kind {
    ANYTHING, /* an annotation */
    VALUE,
    VALUES,
    TYPES,
    TEXT,
    COUNT,
    NUMBER,
    NAMES,
    SCHEMA,
    SCHEMAS, /* in a list */
    NAMED    /* schemas by their names */
} value_kind;

typedef struct keyword {
    const char *name;
    value_kind kind;
    unsigned types;
} keyword;

static const keyword keywords[] = {
    {"type", TYPES, 0},
    {"enum", VALUES, 0},
    {"const", VALUE, 0},
    {"properties", NAMED, ITH_TYPE_OBJECT},
    {"required", NAMES, ITH_TYPE_OBJECT},
    {"additionalProperties", SCHEMA, ITH_TYPE_OBJECT},
    {"items", SCHEMA, ITH_TYPE_ARRAY},
    {"prefixItems", SCHEMAS, ITH_TYPE_ARRAY},
    {"minItems", COUNT, ITH_TYPE_ARRAY},
    {"maxItems", COUNT, ITH_TYPE_ARRAY},
    {"minLength", COUNT, ITH_TYPE_STRING},
    {"maxLength", COUNT, ITH_TYPE_STRING},
    {"pattern", TEXT, ITH_TYPE_STRING},
    {"format", TEXT, ITH_TYPE_STRING},
    {"minimum", NUMBER, ITH_TYPE_NUMBER},
    {"maximum", NUMBER, ITH_TYPE_NUMBER},
    {"exclusiveMinimum", NUMBER, ITH_TYPE_NUMBER},
    {"exclusiveMaximum", NUMBER, ITH_TYPE_NUMBER},
    {"anyOf", SCHEMAS, 0},
    {"oneOf", SCHEMAS, 0},
    {"allOf", SCHEMAS, 0},
    {"$ref", TEXT, 0},
    {"$defs", NAMED, 0},
    {"definitions", NAMED, 0},
    {"$id", TEXT, 0},
    {"title", ANYTHING, 0},
    {"description", ANYTHING, 0},
    {"default", ANYTHING, 0},
    {"examples", ANYTHING, 0},
    {"$schema", ANYTHING, 0},
    {"$comment", ANYTHING, 0},
    {"readOnly", ANYTHING, 0},
    {"writeOnly", ANYTHING, 0},
    {"deprecated", ANYTHING, 0},
};

static const keyword *find_keyword(const char *name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(keywords[i].name, name) == 0)
            return &keywords[i];
    return NULL;
}

unsigned ith_schema_keyword_types(const char *key)
{
    const keyword *k = find_keyword(key);

    return k != NULL ? k->types : 0;
}

bool ith_schema_is_annotation(const char *key)
{
    const keyword *k = find_keyword(key);

    return k != NULL && (k->kind == ANYTHING || strcmp(key, "$id") == 0 ||
                         strcmp(key, "$defs") == 0 || strcmp(key, "definitions") == 0);
}

bool ith_schema_says_something(const json_t *schema)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)schema, key, value)
        if (!ith_schema_is_annotation(key))
            return true;
    return false;
}

/* ---- Types ---- */

static const char *const type_names[] = {"object", "array",   "string", "integer",
                                         "number", "boolean", "null"};

/* The bit of a type's name; 0: there is none. */
static unsigned type_bit(const json_t *name)
{
    const char *text = json_string_value(name);

    for (size_t i = 0; text != NULL && i < sizeof type_names / sizeof *type_names; i++)
        if (strcmp(type_names[i], text) == 0)
            return 1u << i;
    return 0;
}

unsigned ith_schema_listed_types(const json_t *type)
{
    unsigned types = 0;

    if (!json_is_array(type))
        return type_bit(type);
    for (size_t i = 0; i < json_array_size(type); i++) {
        unsigned bit = type_bit(json_array_get(type, i));
        if (bit == 0)
            return 0;
        types |= bit;
    }
    return types;
}

json_t *ith_schema_type_list(unsigned types)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof type_names / sizeof *type_names && list != NULL; i++)
        if ((types >> i & 1) != 0 && json_array_append_new(list, json_string(type_names[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

unsigned ith_schema_types(const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type"), *value;
    const char *key;
    unsigned types = 0;

    if (type != NULL)
        return ith_schema_listed_types(type);
    json_object_foreach ((json_t *)schema, key, value)
        types |= ith_schema_keyword_types(key);
    return types != 0 ? types : ITH_TYPE_ANY;
}

unsigned ith_schema_type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return ITH_TYPE_OBJECT;
    case JSON_ARRAY:
        return ITH_TYPE_ARRAY;
    case JSON_STRING:
        return ITH_TYPE_STRING;
    case JSON_INTEGER:
        return ITH_TYPE_INTEGER;
    case JSON_REAL:
        return ITH_TYPE_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return ITH_TYPE_BOOLEAN;
    case JSON_NULL:
        return ITH_TYPE_NULL;
    }
    return 0;
}

/* ---- Values of keywords ---- */

static bool is_text(const json_t *value)
{
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
}

static bool is_count(const json_t *value)
{
    double x = json_number_value(value);

    return json_is_number(value) && x >= 0 &&
           (json_is_integer(value) || x >= 1e15 || !(x > (double)(int64_t)x));
}

static bool is_schema(const json_t *value)
{
    return json_is_object(value) || json_is_boolean(value);
}

/* NULL, or what is wrong with one of the elements. */
static const char *wrong_element(const json_t *list, bool (*is_right)(const json_t *value),
                                 const char *wrong)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!is_right(json_array_get(list, i)))
            return wrong;
    return NULL;
}

static const char *wrong_named(const json_t *object)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object))
        return "is not an object";
    json_object_foreach ((json_t *)object, key, value)
        if (!is_schema(value))
            return "has what is no schema: neither an object nor true or false";
    return NULL;
}

static const char *wrong_schemas(const char *name, const json_t *value)
{
    if (!json_is_array(value))
        return "is not a list of schemas";
    if (json_array_size(value) == 0 && strcmp(name, "prefixItems") != 0)
        return "is not a list of schemas: it is empty";
    return wrong_element(value, is_schema, "is not a list of schemas alone");
}

/* NULL: the value is right. */
static const char *wrong_value(const keyword *k, const json_t *value)
{
    switch (k->kind) {
    case ANYTHING:
    case VALUE:
        return NULL;
    case VALUES:
        return json_is_array(value) ? NULL : "is not a list";
    case TYPES:
        return ith_schema_listed_types(value) != 0 ? NULL : "is not a type, or a list of types";
    case TEXT:
        return is_text(value) ? NULL : "is not a text";
    case COUNT:
        return is_count(value) ? NULL : "is not a whole number from 0 on";
    case NUMBER:
        return json_is_number(value) ? NULL : "is not a number";
    case NAMES:
        return !json_is_array(value) ? "is not a list"
                                     : wrong_element(value, is_text, "lists what is no name");
    case SCHEMA:
        return is_schema(value) ? NULL : "is no schema: neither an object nor true or false";
    case SCHEMAS:
        return wrong_schemas(k->name, value);
    case NAMED:
        return wrong_named(value);
    }
    return NULL;
}

static ith_status refuse(const char *key, ith_status status, const char *why, ith_error *err)
{
    char clean[100];

    ith_clean_text(key, strlen(key), clean, sizeof clean);
    return ith_fail(err, status, "%s %s", clean, why);
}

ith_status ith_schema_check_keywords(const json_t *schema, ith_error *err)
{
    const char *key, *why;
    json_t *value;

    json_object_foreach ((json_t *)schema, key, value) {
        const keyword *k = find_keyword(key);
        if (k == NULL && !(strcmp(key, "uniqueItems") == 0 && json_is_false(value)))
            return refuse(key, ITH_E_UNSUPPORTED, "is not supported", err);
        if (k != NULL && strcmp(key, "items") == 0 && json_is_array(value))
            return refuse(key, ITH_E_UNSUPPORTED, "is a list: since 2020-12 that is prefixItems",
                          err);
        why = k != NULL ? wrong_value(k, value) : NULL;
        if (why != NULL)
            return refuse(key, ITH_E_FORMAT, why, err);
    }
    return ITH_OK;
}
