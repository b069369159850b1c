/* schema_merge.c - types, merging, references, and which schemas exclude each other. */
#include "grammar/schema_merge.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_REFS = 50, MOST_LIST = 1000, MOST_LOOK = 8, MOST_VALUES = 256 };

/* ---- Types ---- */

static const char *const type_names[] = {"object", "array",   "string", "integer",
                                         "number", "boolean", "null"};

/* Which types a keyword is of. */
static unsigned types_of_keyword(const char *key)
{
    static const struct {
        const char *key;
        unsigned types;
    } keywords[] = {{"properties", ITH_TYPE_OBJECT},
                    {"required", ITH_TYPE_OBJECT},
                    {"additionalProperties", ITH_TYPE_OBJECT},
                    {"items", ITH_TYPE_ARRAY},
                    {"prefixItems", ITH_TYPE_ARRAY},
                    {"minItems", ITH_TYPE_ARRAY},
                    {"maxItems", ITH_TYPE_ARRAY},
                    {"minLength", ITH_TYPE_STRING},
                    {"maxLength", ITH_TYPE_STRING},
                    {"pattern", ITH_TYPE_STRING},
                    {"format", ITH_TYPE_STRING},
                    {"minimum", ITH_TYPE_NUMBER},
                    {"maximum", ITH_TYPE_NUMBER},
                    {"exclusiveMinimum", ITH_TYPE_NUMBER},
                    {"exclusiveMaximum", ITH_TYPE_NUMBER}};

    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(keywords[i].key, key) == 0)
            return keywords[i].types;
    return 0;
}

/* The bit of a type's name; 0: there is none. */
static unsigned type_bit(const json_t *name)
{
    const char *text = json_string_value(name);

    for (size_t i = 0; text != NULL && i < sizeof type_names / sizeof *type_names; i++)
        if (strcmp(type_names[i], text) == 0)
            return 1u << i;
    return 0;
}

static unsigned listed_types(const json_t *type, bool *known)
{
    unsigned types = 0;

    if (!json_is_array(type)) {
        *known = type_bit(type) != 0;
        return type_bit(type);
    }
    *known = json_array_size(type) > 0;
    for (size_t i = 0; i < json_array_size(type); i++) {
        unsigned bit = type_bit(json_array_get(type, i));
        *known = *known && bit != 0;
        types |= bit;
    }
    return types;
}

unsigned ith_schema_types(const json_t *schema, bool *known)
{
    const json_t *type = json_object_get(schema, "type"), *value;
    const char *key;
    unsigned types = 0;

    *known = true;
    if (type != NULL)
        return listed_types(type, known);
    json_object_foreach ((json_t *)schema, key, value)
        types |= types_of_keyword(key);
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

bool ith_schema_is_annotation(const char *key)
{
    static const char *const keys[] = {"title",    "description", "default",    "examples",
                                       "$schema",  "$id",         "$comment",   "$defs",
                                       "readOnly", "writeOnly",   "deprecated", "definitions"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

/* ---- Merging ---- */

/* Both lists of types; null if they have none in common. */
static json_t *merge_types(const json_t *a, const json_t *b)
{
    bool known_a, known_b;
    unsigned x = listed_types(a, &known_a), y = listed_types(b, &known_b), both;
    json_t *list = json_array();

    if (!known_a || !known_b) {
        json_decref(list);
        return NULL;
    }
    x |= (x & ITH_TYPE_NUMBER) != 0 ? ITH_TYPE_INTEGER : 0;
    y |= (y & ITH_TYPE_NUMBER) != 0 ? ITH_TYPE_INTEGER : 0;
    both = x & y;
    both &= (both & ITH_TYPE_NUMBER) != 0 ? ~(unsigned)ITH_TYPE_INTEGER : ~0u;
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if ((both >> i & 1) != 0)
            json_array_append_new(list, json_string(type_names[i]));
    return list;
}

/* {"allOf": [a, b]}, or one of them if the other says nothing. */
static json_t *both_of(const json_t *a, const json_t *b)
{
    if (json_is_true(b) || json_equal(a, b))
        return json_incref((json_t *)a);
    if (json_is_true(a))
        return json_incref((json_t *)b);
    if (json_is_false(a) || json_is_false(b))
        return json_false();
    return json_pack("{s:[O, O]}", "allOf", a, b);
}

static bool has_same_keys(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;

    if (json_object_size(a) != json_object_size(b))
        return false;
    json_object_foreach ((json_t *)a, key, value)
        if (json_object_get(b, key) == NULL)
            return false;
    return true;
}

static json_t *merge_properties(const json_t *a, const json_t *b)
{
    json_t *merged = json_copy((json_t *)a), *value;
    const char *key;

    json_object_foreach ((json_t *)b, key, value) {
        const json_t *mine = json_object_get(a, key);
        if (mine == NULL)
            json_object_set(merged, key, value);
        else
            json_object_set_new(merged, key, both_of(mine, value));
    }
    return merged;
}

/* All of both lists, each once. */
static json_t *unite(const json_t *a, const json_t *b)
{
    json_t *merged = json_copy((json_t *)a);

    for (size_t i = 0; i < json_array_size(b); i++) {
        bool there = false;
        for (size_t k = 0; k < json_array_size(merged) && !there; k++)
            there = json_equal(json_array_get(merged, k), json_array_get(b, i));
        if (!there)
            json_array_append(merged, json_array_get(b, i));
    }
    return merged;
}

static json_t *intersect(const json_t *a, const json_t *b)
{
    json_t *merged = json_array();

    for (size_t i = 0; i < json_array_size(a); i++)
        for (size_t k = 0; k < json_array_size(b); k++)
            if (json_equal(json_array_get(a, i), json_array_get(b, k))) {
                json_array_append(merged, json_array_get(a, i));
                break;
            }
    return merged;
}

/* Numbers: the larger or the smaller one. */
static json_t *stricter(const char *key, const json_t *a, const json_t *b)
{
    bool upper = strncmp(key, "max", 3) == 0 || strcmp(key, "exclusiveMaximum") == 0;
    double x = json_number_value(a), y = json_number_value(b);

    if (!json_is_number(a) || !json_is_number(b))
        return NULL;
    return json_incref((json_t *)((x < y) == upper ? a : b));
}

/* A keyword that both have, with different values. NULL: it cannot be merged. */
static json_t *merge_keyword(const char *key, const json_t *a, const json_t *b)
{
    static const char *const bounds[] = {"minimum",          "maximum",   "exclusiveMinimum",
                                         "exclusiveMaximum", "minLength", "maxLength",
                                         "minItems",         "maxItems"};

    if (ith_schema_is_annotation(key))
        return json_incref((json_t *)a);
    if (strcmp(key, "type") == 0)
        return merge_types(a, b);
    if (strcmp(key, "items") == 0 || strcmp(key, "additionalProperties") == 0)
        return both_of(a, b);
    if (strcmp(key, "properties") == 0 && json_is_object(a) && json_is_object(b))
        return merge_properties(a, b);
    if (json_is_array(a) && json_is_array(b) &&
        json_array_size(a) + json_array_size(b) <= MOST_LIST) {
        if (strcmp(key, "required") == 0 || strcmp(key, "allOf") == 0)
            return unite(a, b);
        if (strcmp(key, "enum") == 0)
            return intersect(a, b);
    }
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        if (strcmp(key, bounds[i]) == 0)
            return stricter(key, a, b);
    return NULL;
}

/* additionalProperties and items speak of what stands beside them, in their own schema. */
static bool speaks_alone(const json_t *a, const json_t *b, const char *key, const char *beside)
{
    const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);

    if ((x == NULL || json_is_true(x)) && (y == NULL || json_is_true(y)))
        return false;
    if (strcmp(beside, "prefixItems") == 0)
        return !json_equal(json_object_get(a, beside), json_object_get(b, beside)) &&
               (json_object_get(a, beside) != NULL || json_object_get(b, beside) != NULL);
    return !has_same_keys(json_object_get(a, beside), json_object_get(b, beside));
}

static json_t *merge_objects(const json_t *a, const json_t *b, const char **why)
{
    json_t *merged = json_copy((json_t *)a), *value;
    const char *key;

    json_object_foreach ((json_t *)b, key, value) {
        const json_t *mine = json_object_get(a, key);
        json_t *both = NULL;
        if (mine == NULL || json_equal(mine, value)) {
            json_object_set(merged, key, value);
            continue;
        }
        both = merge_keyword(key, mine, value);
        if (both == NULL) {
            *why = key;
            json_decref(merged);
            return NULL;
        }
        json_object_set_new(merged, key, both);
    }
    return merged;
}

json_t *ith_schema_merge(const json_t *a, const json_t *b, const char **why)
{
    *why = NULL;
    if (json_is_true(a) || json_is_false(b))
        return json_incref((json_t *)b);
    if (json_is_true(b) || json_is_false(a))
        return json_incref((json_t *)a);
    *why = "a schema that is neither an object nor true or false";
    if (!json_is_object(a) || !json_is_object(b))
        return NULL;
    *why = "additionalProperties";
    if (speaks_alone(a, b, "additionalProperties", "properties"))
        return NULL;
    *why = "items";
    if (speaks_alone(a, b, "items", "prefixItems"))
        return NULL;
    *why = NULL;
    return merge_objects(a, b, why);
}

/* ---- References ---- */

/* One step of a JSON pointer (RFC 6901), up to `end`. */
static const json_t *descend(const json_t *at, const char *step, const char *end)
{
    char *key = malloc((size_t)(end - step) + 1);
    size_t n = 0;
    const json_t *found = NULL;

    if (key == NULL)
        return NULL;
    for (const char *c = step; c < end; c++) {
        bool tilde = *c == '~' && c + 1 < end && (c[1] == '0' || c[1] == '1');
        key[n++] = tilde ? (c[1] == '0' ? '~' : '/') : *c;
        c += tilde;
    }
    key[n] = 0;
    if (json_is_object(at))
        found = json_object_get(at, key);
    else if (json_is_array(at) && n > 0 && n < 9 && strspn(key, "0123456789") == n)
        found = json_array_get(at, (size_t)strtoul(key, NULL, 10));
    free(key);
    return found;
}

const json_t *ith_schema_find(const json_t *root, const char *ref)
{
    const json_t *at = root;

    if (ref == NULL || ref[0] != '#' || strchr(ref, '%') != NULL)
        return NULL;
    ref++;
    while (at != NULL && *ref == '/') {
        const char *end = ref + 1 + strcspn(ref + 1, "/");
        at = descend(at, ref + 1, end);
        ref = end;
    }
    return *ref == 0 ? at : NULL;
}

static bool is_only_ref(const json_t *schema)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)schema, key, value)
        if (strcmp(key, "$ref") != 0 && !ith_schema_is_annotation(key))
            return false;
    return json_object_get(schema, "$ref") != NULL;
}

const json_t *ith_schema_resolve(const json_t *root, const json_t *schema)
{
    for (int i = 0; schema != NULL && is_only_ref(schema); i++) {
        if (i == MOST_REFS)
            return NULL;
        schema = ith_schema_find(root, json_string_value(json_object_get(schema, "$ref")));
    }
    return schema;
}

/* ---- Which exclude each other ---- */

static bool excludes(const json_t *root, const json_t *a, const json_t *b, int depth);

static unsigned types_with_integers(const json_t *schema)
{
    bool known;
    /* without a `type` nothing is excluded by the other's keywords */
    unsigned types = json_object_get(schema, "type") == NULL ? (unsigned)ITH_TYPE_ANY
                                                             : ith_schema_types(schema, &known);

    if (json_object_get(schema, "const") != NULL)
        types = ith_schema_type_of(json_object_get(schema, "const"));
    return types | ((types & ITH_TYPE_NUMBER) != 0 ? ITH_TYPE_INTEGER : 0);
}

/* Do other schemas have a say, too? */
static bool is_combined(const json_t *schema)
{
    return json_object_get(schema, "allOf") != NULL || json_object_get(schema, "anyOf") != NULL ||
           json_object_get(schema, "oneOf") != NULL || json_object_get(schema, "$ref") != NULL;
}

/* The types of what is written by a schema. */
static unsigned written_types(const json_t *schema)
{
    bool known;
    unsigned types =
        is_combined(schema) ? types_with_integers(schema) : ith_schema_types(schema, &known);

    return types | ((types & ITH_TYPE_NUMBER) != 0 ? ITH_TYPE_INTEGER : 0);
}

static const json_t *value_at(const json_t *schema, size_t i)
{
    const json_t *values = json_object_get(schema, "enum");

    if (json_object_get(schema, "const") != NULL)
        return i == 0 ? json_object_get(schema, "const") : NULL;
    return json_array_get(values, i);
}

static bool equal_values(const json_t *x, const json_t *y)
{
    if (json_is_number(x) && json_is_number(y))
        return !(json_number_value(x) < json_number_value(y)) &&
               !(json_number_value(x) > json_number_value(y));
    return json_equal(x, y);
}

/* Is the value certainly not valid? Of lists and objects nothing is certain. */
static bool refuses(const json_t *schema, const json_t *value)
{
    unsigned type = ith_schema_type_of(value);

    if (type == ITH_TYPE_NUMBER)
        type |= ITH_TYPE_INTEGER; /* 1.0 */
    if ((types_with_integers(schema) & type) == 0)
        return true;
    if (value_at(schema, 0) == NULL || type == ITH_TYPE_ARRAY || type == ITH_TYPE_OBJECT)
        return false;
    for (size_t i = 0; value_at(schema, i) != NULL; i++)
        if (equal_values(value_at(schema, i), value))
            return false;
    return true;
}

static bool refuses_all(const json_t *values, const json_t *schema)
{
    if (json_array_size(json_object_get(values, "enum")) > MOST_VALUES ||
        json_array_size(json_object_get(schema, "enum")) > MOST_VALUES)
        return false; /* that would take long */
    for (size_t i = 0; value_at(values, i) != NULL; i++)
        if (!refuses(schema, value_at(values, i)))
            return false;
    return value_at(values, 0) != NULL;
}

static bool lists(const json_t *required, const char *name)
{
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *text = json_string_value(json_array_get(required, i));
        if (text != NULL && strcmp(text, name) == 0)
            return true;
    }
    return false;
}

/* Objects written by `a`: one of its required properties is not valid in `b`, or it lacks one that
 * `b` requires. */
static bool excludes_object(const json_t *root, const json_t *a, const json_t *b, int depth)
{
    const json_t *mine = json_object_get(a, "properties"),
                 *others = json_object_get(b, "properties"),
                 *more = json_object_get(a, "additionalProperties"),
                 *others_more = json_object_get(b, "additionalProperties"),
                 *required = json_object_get(b, "required");
    bool closed = mine != NULL && (more == NULL || json_is_false(more));
    const char *key;
    json_t *value;

    for (size_t i = 0; closed && i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name != NULL && json_object_get(mine, name) == NULL)
            return true;
    }
    json_object_foreach ((json_t *)mine, key, value) {
        const json_t *other = json_object_get(others, key);
        if (!lists(json_object_get(a, "required"), key))
            continue;
        if (other == NULL && json_is_false(others_more))
            return true;
        if (other != NULL && excludes(root, value, other, depth - 1))
            return true;
    }
    return false;
}

static bool is_below(const json_t *a, const char *max, const json_t *b, const char *min)
{
    const json_t *x = json_object_get(a, max), *y = json_object_get(b, min);
    return json_is_number(x) && json_is_number(y) && json_number_value(x) < json_number_value(y);
}

static bool excludes(const json_t *root, const json_t *a, const json_t *b, int depth)
{
    unsigned types;

    a = ith_schema_resolve(root, a);
    b = ith_schema_resolve(root, b);
    if (depth == 0 || !json_is_object(a) || !json_is_object(b))
        return json_is_false(a) || json_is_false(b);
    if (value_at(a, 0) != NULL)
        return refuses_all(a, b);
    types = written_types(a) & types_with_integers(b);
    if (types == 0 || refuses_all(b, a))
        return true;
    if ((types & ~(unsigned)(ITH_TYPE_INTEGER | ITH_TYPE_NUMBER)) == 0)
        return is_below(a, "maximum", b, "minimum") || is_below(b, "maximum", a, "minimum");
    return types == ITH_TYPE_OBJECT && !is_combined(a) && excludes_object(root, a, b, depth);
}

bool ith_schema_excludes(const json_t *root, const json_t *a, const json_t *b)
{
    return excludes(root, a, b, MOST_LOOK);
}
