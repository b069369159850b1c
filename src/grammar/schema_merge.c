/* schema_merge.c - JSON Schemas that hold together, as one. */
#include "grammar/schema_merge.h"

#include "grammar/json_value.h"
#include "grammar/schema_keywords.h"

#include <string.h>

/* Steps for a keyword or an element that is copied. They bound the memory, too. */
enum { COPY = 256 };

typedef struct merger {
    int64_t *work;
    const char *why; /* a keyword that cannot be merged */
    bool nothing;    /* is valid by both */
    bool lacks;      /* memory, or work */
} merger;

static bool going(const merger *m)
{
    return m->why == NULL && !m->nothing && !m->lacks;
}

/* `value` is taken over; NULL: there is no memory. */
static void put(merger *m, json_t *object, const char *key, json_t *value)
{
    *m->work -= COPY;
    if (value == NULL || json_object_set_new(object, key, value) != 0 || *m->work < 0)
        m->lacks = true;
}

static void append(merger *m, json_t *list, json_t *value)
{
    *m->work -= COPY;
    if (value == NULL || json_array_append_new(list, value) != 0 || *m->work < 0)
        m->lacks = true;
}

static json_t *keep(const json_t *value)
{
    return json_incref((json_t *)value);
}

/* Two schemas, of which either may be missing: {"allOf": [a, b]}, or one of them if the other says
 * nothing. */
static json_t *both_of(merger *m, const json_t *a, const json_t *b)
{
    if (a == NULL && b == NULL)
        return json_true();
    if (b == NULL || json_is_true(b))
        return a != NULL ? keep(a) : json_true();
    if (a == NULL || json_is_true(a))
        return keep(b);
    if (json_is_false(a) || json_is_false(b))
        return json_false();
    if (ith_json_same(a, b, m->work))
        return keep(a);
    return json_pack("{s:[O, O]}", "allOf", a, b);
}

static bool says_nothing(const json_t *schema)
{
    return schema == NULL || json_is_true(schema);
}

/* ---- Keywords that speak of each other: each side speaks of what the other declares ---- */

static json_t *merge_named(merger *m, const json_t *a, const json_t *b, const json_t *a_others,
                           const json_t *b_others)
{
    json_t *merged, *value;
    const char *key;

    if (b == NULL && says_nothing(b_others))
        return keep(a);
    if (a == NULL && says_nothing(a_others))
        return keep(b);
    merged = json_object();
    json_object_foreach ((json_t *)a, key, value) {
        const json_t *other = json_object_get(b, key);
        if (going(m))
            put(m, merged, key, both_of(m, value, other != NULL ? other : b_others));
    }
    json_object_foreach ((json_t *)b, key, value)
        if (going(m) && json_object_get(a, key) == NULL)
            put(m, merged, key, both_of(m, a_others, value));
    return merged;
}

static json_t *merge_listed(merger *m, const json_t *a, const json_t *b, const json_t *a_others,
                            const json_t *b_others)
{
    size_t n_a = json_array_size(a), n_b = json_array_size(b), n = n_a > n_b ? n_a : n_b;
    json_t *merged = json_array();

    for (size_t i = 0; i < n && going(m); i++)
        append(m, merged,
               both_of(m, i < n_a ? json_array_get(a, i) : a_others,
                       i < n_b ? json_array_get(b, i) : b_others));
    return merged;
}

/* `declared` is properties or prefixItems, `others` what is said of all others. */
static void merge_declared(merger *m, json_t *merged, const json_t *a, const json_t *b,
                           const char *declared, const char *others)
{
    const json_t *mine = json_object_get(a, declared), *yours = json_object_get(b, declared),
                 *a_others = json_object_get(a, others), *b_others = json_object_get(b, others);

    if (mine != NULL || yours != NULL)
        put(m, merged, declared,
            (json_is_array(mine) || json_is_array(yours) ? merge_listed : merge_named)(
                m, mine, yours, a_others, b_others));
    if (a_others != NULL || b_others != NULL)
        put(m, merged, others, both_of(m, a_others, b_others));
}

static bool is_of_declared(const char *key)
{
    return strcmp(key, "properties") == 0 || strcmp(key, "additionalProperties") == 0 ||
           strcmp(key, "prefixItems") == 0 || strcmp(key, "items") == 0;
}

/* ---- Other keywords ---- */

/* Types that both lists allow. */
static json_t *merge_types(merger *m, const json_t *a, const json_t *b)
{
    unsigned x = ith_schema_listed_types(a), y = ith_schema_listed_types(b), both;

    x |= (x & ITH_TYPE_NUMBER) != 0 ? ITH_TYPE_INTEGER : 0;
    y |= (y & ITH_TYPE_NUMBER) != 0 ? ITH_TYPE_INTEGER : 0;
    both = x & y;
    both &= (both & ITH_TYPE_NUMBER) != 0 ? ~(unsigned)ITH_TYPE_INTEGER : ~0u;
    m->nothing = both == 0;
    return ith_schema_type_list(both);
}

static bool is_among(merger *m, const json_t *value, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list) && *m->work >= 0; i++)
        if (ith_json_same(json_array_get(list, i), value, m->work))
            return true;
    return false;
}

/* All of both lists, each once. */
static json_t *unite(merger *m, const json_t *a, const json_t *b)
{
    json_t *merged = json_array();

    for (size_t i = 0; i < json_array_size(a) && going(m); i++)
        append(m, merged, keep(json_array_get(a, i)));
    for (size_t i = 0; i < json_array_size(b) && going(m); i++)
        if (!is_among(m, json_array_get(b, i), a))
            append(m, merged, keep(json_array_get(b, i)));
    return merged;
}

static json_t *intersect(merger *m, const json_t *a, const json_t *b)
{
    json_t *merged = json_array();

    for (size_t i = 0; i < json_array_size(a) && going(m); i++)
        if (is_among(m, json_array_get(a, i), b))
            append(m, merged, keep(json_array_get(a, i)));
    return merged;
}

/* 1: the larger of two bounds holds, -1: the smaller, 0: it is none. */
static int sign_of_bound(const char *key)
{
    static const char *const lower[] = {"minimum", "exclusiveMinimum", "minLength", "minItems"};
    static const char *const upper[] = {"maximum", "exclusiveMaximum", "maxLength", "maxItems"};

    for (size_t i = 0; i < sizeof lower / sizeof *lower; i++)
        if (strcmp(key, lower[i]) == 0 || strcmp(key, upper[i]) == 0)
            return strcmp(key, lower[i]) == 0 ? 1 : -1;
    return 0;
}

/* A keyword that both have, with different values. */
static json_t *merge_keyword(merger *m, const char *key, const json_t *a, const json_t *b)
{
    int sign = sign_of_bound(key);

    if (sign != 0)
        return keep(sign * ith_json_compare_numbers(a, b) > 0 ? a : b);
    if (strcmp(key, "type") == 0)
        return merge_types(m, a, b);
    if (strcmp(key, "required") == 0 || strcmp(key, "allOf") == 0)
        return unite(m, a, b);
    if (strcmp(key, "enum") == 0)
        return intersect(m, a, b);
    if (strcmp(key, "const") == 0)
        m->nothing = true;
    else
        m->why = key;
    return json_null();
}

static void merge_others(merger *m, json_t *merged, const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)a, key, value) {
        const json_t *other = json_object_get(b, key);
        if (!going(m) || is_of_declared(key) || ith_schema_is_annotation(key))
            continue;
        put(m, merged, key,
            other == NULL || ith_json_same(value, other, m->work)
                ? keep(value)
                : merge_keyword(m, key, value, other));
    }
    json_object_foreach ((json_t *)b, key, value)
        if (going(m) && !is_of_declared(key) && !ith_schema_is_annotation(key) &&
            json_object_get(a, key) == NULL)
            put(m, merged, key, keep(value));
}

json_t *ith_schema_merge(const json_t *a, const json_t *b, int64_t *work, const char **why)
{
    merger m = {.work = work};
    json_t *merged;

    *why = NULL;
    if (json_is_true(a) || json_is_false(b))
        return keep(b);
    if (json_is_true(b) || json_is_false(a))
        return keep(a);
    merged = json_object();
    merge_others(&m, merged, a, b);
    if (going(&m))
        merge_declared(&m, merged, a, b, "properties", "additionalProperties");
    if (going(&m))
        merge_declared(&m, merged, a, b, "prefixItems", "items");
    *why = m.why;
    if (going(&m))
        return merged;
    json_decref(merged);
    return m.nothing && m.why == NULL && !m.lacks ? json_false() : NULL;
}

json_t *ith_schema_without(const json_t *schema, const char *without, int64_t *work)
{
    merger m = {.work = work};
    json_t *copy = json_object(), *value;
    const char *key;

    json_object_foreach ((json_t *)schema, key, value)
        if (going(&m) && !ith_schema_is_annotation(key) &&
            (without == NULL || strcmp(key, without) != 0))
            put(&m, copy, key, keep(value));
    if (going(&m) && copy != NULL)
        return copy;
    json_decref(copy);
    return NULL;
}
