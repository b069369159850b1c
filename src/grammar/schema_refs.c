/* schema_refs.c - what "$ref" leads to inside of one document. */
#include "grammar/schema_refs.h"

#include "grammar/schema_keywords.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_REFS = 50 };

static bool is_one_of(const char *key, const char *const keys[])
{
    for (; *keys != NULL; keys++)
        if (strcmp(*keys, key) == 0)
            return true;
    return false;
}

/* What a step leads to. From a schema to a keyword, and from there to a schema, perhaps with a step
 * between them: *is_schema says whether it is one. */
static const json_t *descend(const json_t *at, const char *key, bool *is_schema)
{
    static const char *const named[] = {"properties", "$defs", "definitions", NULL};
    static const char *const listed[] = {"prefixItems", "anyOf", "oneOf", "allOf", NULL};
    static const char *const single[] = {"items", "additionalProperties", NULL};
    bool from_schema = *is_schema;
    size_t n = strlen(key);

    *is_schema = !from_schema || is_one_of(key, single);
    if (from_schema && !is_one_of(key, named) && !is_one_of(key, listed) && !*is_schema)
        return NULL;
    if (json_is_object(at))
        return json_object_get(at, key);
    if (json_is_array(at) && n > 0 && n < 9 && strspn(key, "0123456789") == n)
        return json_array_get(at, (size_t)strtoul(key, NULL, 10));
    return NULL;
}

/* A step as it is meant (RFC 6901), of `n` bytes; the caller's. */
static char *unescape(const char *step, size_t n)
{
    char *key = malloc(n + 1);
    size_t len = 0;

    for (size_t i = 0; key != NULL && i < n; i++) {
        bool tilde = step[i] == '~' && i + 1 < n && (step[i + 1] == '0' || step[i + 1] == '1');
        key[len++] = (char)(!tilde ? step[i] : step[i + 1] == '0' ? '~' : '/');
        i += tilde;
    }
    if (key != NULL)
        key[len] = 0;
    return key;
}

const json_t *ith_schema_find(const json_t *root, const char *ref, int64_t *work)
{
    const json_t *at = root;
    bool is_schema = true;

    if (ref == NULL || ref[0] != '#' || strchr(ref, '%') != NULL)
        return NULL;
    *work -= 16 + 8 * (int64_t)strlen(ref);
    ref++;
    while (at != NULL && *ref == '/' && *work >= 0) {
        size_t n = strcspn(ref + 1, "/");
        char *key = unescape(ref + 1, n);
        at = key == NULL ? NULL : descend(at, key, &is_schema);
        free(key);
        ref += 1 + n;
        if (is_schema && json_object_get(at, "$id") != NULL)
            return NULL;
    }
    return *ref == 0 && is_schema && (json_is_object(at) || json_is_boolean(at)) ? at : NULL;
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

const json_t *ith_schema_resolve(const json_t *root, const json_t *schema, int64_t *work)
{
    for (int i = 0; schema != NULL && is_only_ref(schema); i++) {
        if (i == MOST_REFS)
            return NULL;
        schema = ith_schema_find(root, json_string_value(json_object_get(schema, "$ref")), work);
    }
    return schema;
}
