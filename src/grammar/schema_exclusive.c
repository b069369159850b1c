/* schema_exclusive.c - looks for a reason why what one schema writes cannot be valid by another. */
#include "grammar/schema_exclusive.h"

#include "grammar/json_value.h"
#include "grammar/schema_keywords.h"
#include "grammar/schema_refs.h"

#include <string.h>

/* How deep properties are looked at, in which alternatives may differ; and what a look costs. */
enum { MOST_LOOK = 8, LOOK = 64 };

static bool excludes(const json_t *root, const json_t *a, const json_t *b, int depth,
                     int64_t *work);

static unsigned with_integers(unsigned types)
{
    return types | ((types & ITH_TYPE_NUMBER) != 0 ? ITH_TYPE_INTEGER : 0);
}

/* The types of what may be valid by a schema. */
static unsigned valid_types(const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type"), *only = json_object_get(schema, "const");

    if (only != NULL)
        return with_integers(ith_schema_type_of(only));
    /* without a `type` nothing is excluded by the other's keywords */
    return type == NULL ? (unsigned)ITH_TYPE_ANY : with_integers(ith_schema_listed_types(type));
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
    return is_combined(schema) ? valid_types(schema) : with_integers(ith_schema_types(schema));
}

/* ---- Values ---- */

static const json_t *value_at(const json_t *schema, size_t i)
{
    const json_t *values = json_object_get(schema, "enum");

    if (json_object_get(schema, "const") != NULL)
        return i == 0 ? json_object_get(schema, "const") : NULL;
    return json_array_get(values, i);
}

/* Is the value certainly not valid? */
static bool refuses(const json_t *schema, const json_t *value, int64_t *work)
{
    unsigned type = with_integers(ith_schema_type_of(value)); /* 1.0 is an integer */

    if ((valid_types(schema) & type) == 0)
        return true;
    if (value_at(schema, 0) == NULL)
        return false;
    for (size_t i = 0; value_at(schema, i) != NULL; i++)
        if (ith_json_same(value_at(schema, i), value, work) || *work < 0)
            return false;
    return true;
}

static bool refuses_all(const json_t *values, const json_t *schema, int64_t *work)
{
    for (size_t i = 0; value_at(values, i) != NULL; i++)
        if (!refuses(schema, value_at(values, i), work))
            return false;
    return value_at(values, 0) != NULL;
}

/* ---- Objects ---- */

static bool lists(const json_t *required, const char *name, int64_t *work)
{
    for (size_t i = 0; i < json_array_size(required) && *work >= 0; i++) {
        const char *text = json_string_value(json_array_get(required, i));
        *work -= 4;
        if (text != NULL && strcmp(text, name) == 0)
            return true;
    }
    return false;
}

/* Does `a` write no object with this property? Without additionalProperties only those that are
 * declared or required are written, if some are declared. */
static bool never_writes(const json_t *a, const char *name, int64_t *work)
{
    const json_t *mine = json_object_get(a, "properties"),
                 *more = json_object_get(a, "additionalProperties");
    bool closed = more == NULL ? mine != NULL : json_is_false(more);

    return closed && json_object_get(mine, name) == NULL &&
           (more != NULL || !lists(json_object_get(a, "required"), name, work));
}

/* Objects written by `a`: they lack a property that `b` requires, or have one, always, that is not
 * valid in `b`. */
static bool excludes_object(const json_t *root, const json_t *a, const json_t *b, int depth,
                            int64_t *work)
{
    const json_t *mine = json_object_get(a, "properties"),
                 *others = json_object_get(b, "properties"),
                 *others_more = json_object_get(b, "additionalProperties"),
                 *required = json_object_get(b, "required");
    const char *key;
    json_t *value;

    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name != NULL && never_writes(a, name, work))
            return *work >= 0;
    }
    json_object_foreach ((json_t *)mine, key, value) {
        const json_t *other = json_object_get(others, key);
        if (*work < 0 || !lists(json_object_get(a, "required"), key, work))
            continue;
        if (other == NULL)
            other = others_more;
        if (other != NULL && excludes(root, value, other, depth - 1, work))
            return true;
    }
    return false;
}

/* ---- */

static bool is_below(const json_t *a, const char *max, const json_t *b, const char *min)
{
    const json_t *x = json_object_get(a, max), *y = json_object_get(b, min);
    return json_is_number(x) && json_is_number(y) && ith_json_compare_numbers(x, y) < 0;
}

static bool excludes(const json_t *root, const json_t *a, const json_t *b, int depth, int64_t *work)
{
    unsigned types;

    *work -= LOOK;
    a = ith_schema_resolve(root, a, work);
    b = ith_schema_resolve(root, b, work);
    if (*work < 0)
        return false;
    if (depth == 0 || !json_is_object(a) || !json_is_object(b))
        return json_is_false(a) || json_is_false(b);
    if (value_at(a, 0) != NULL)
        return refuses_all(a, b, work);
    types = written_types(a) & valid_types(b);
    if (types == 0 || refuses_all(b, a, work))
        return *work >= 0;
    if ((types & ~(unsigned)(ITH_TYPE_INTEGER | ITH_TYPE_NUMBER)) == 0)
        return is_below(a, "maximum", b, "minimum") || is_below(b, "maximum", a, "minimum");
    return types == ITH_TYPE_OBJECT && !is_combined(a) && excludes_object(root, a, b, depth, work);
}

bool ith_schema_excludes(const json_t *root, const json_t *a, const json_t *b, int64_t *work)
{
    return excludes(root, a, b, MOST_LOOK, work) && *work >= 0;
}
