/* schema_combine.c - schemas that refer to others, hold together, or are alternatives. */
#include "base/digest.h"
#include "grammar/schema_compiler.h"
#include "grammar/schema_exclusive.h"
#include "grammar/schema_keywords.h"
#include "grammar/schema_merge.h"
#include "grammar/schema_refs.h"

#include <stdio.h>
#include <string.h>

/* MOST_ALIKE: alternatives of which each is compared with each. WRITE: steps for a byte of the text
 * of a merged schema. */
enum { MOST_ALIKE = 64, WRITE = 4 };

typedef ith_schema_compiler compiler;

/* ---- Rules of merged schemas ---- */

typedef struct writing {
    compiler *c;
    ith_digester *digester;
} writing;

static int digest_bytes(const char *bytes, size_t len, void *user)
{
    writing *w = user;

    if (!ith_rules_spend(w->c->g, WRITE * (int64_t)len))
        return -1;
    ith_digester_add(w->digester, bytes, len);
    return 0;
}

/* The SHA-256 of the schema's text. False: a failure. */
static bool digest(compiler *c, const json_t *schema, char hex[65])
{
    writing w = {c, ith_digester_open(ITH_DIGEST_SHA256)};
    bool fine = w.digester != NULL &&
                json_dump_callback(schema, digest_bytes, &w,
                                   JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17)) == 0;

    if (fine)
        ith_digester_end(w.digester, hex);
    else if (ith_schema_going(c))
        ith_schema_no_memory(c);
    ith_digester_close(w.digester);
    return fine;
}

/* The rule of a schema that was made of others, which is taken over; NULL: a failure. Its text
 * finds it again, so that recursion ends. */
static int32_t rule_of_made(compiler *c, json_t *schema)
{
    const json_t *known;
    char hex[65];
    int32_t rule;

    if (schema == NULL || json_array_append_new(c->made, schema) != 0) {
        ith_schema_no_memory(c);
        return 0;
    }
    if (!json_is_object(schema) || !ith_schema_says_something(schema))
        return ith_schema_rule(c, schema);
    if (!ith_schema_going(c) || !digest(c, schema, hex))
        return 0;
    known = json_object_get(c->by_digest, hex);
    if (known != NULL)
        return (int32_t)json_integer_value(known);
    rule = ith_rules_add(c->g, c->path);
    if (json_object_set_new(c->by_digest, hex, json_integer(rule)) != 0)
        ith_schema_no_memory(c);
    if (ith_schema_going(c))
        ith_schema_define(c, rule, schema);
    return rule;
}

/* A copy without a keyword; NULL: a failure. */
static json_t *without(compiler *c, const json_t *schema, const char *key)
{
    json_t *copy = ith_schema_without(schema, key, &c->g->work);

    if (copy == NULL && ith_schema_going(c))
        ith_schema_no_memory(c);
    return copy;
}

/* Both schemas, which are released; either may be NULL after a failure. NULL: a failure. */
static json_t *merge(compiler *c, json_t *a, json_t *b)
{
    const char *why = NULL;
    json_t *merged = a == NULL || b == NULL ? NULL : ith_schema_merge(a, b, &c->g->work, &why);

    if (why != NULL)
        ith_schema_fail(c, ITH_E_UNSUPPORTED, why,
                        "differs in schemas that hold together, in a way that cannot be merged");
    else if (merged == NULL && ith_schema_going(c))
        ith_schema_no_memory(c);
    json_decref(a);
    json_decref(b);
    return merged;
}

/* ---- References ---- */

/* NULL: a failure. */
static const json_t *target_of(compiler *c, const json_t *schema)
{
    const char *ref = json_string_value(json_object_get(schema, "$ref"));
    const json_t *target = ith_schema_find(c->root, ref, &c->g->work);

    if (target != NULL)
        target = ith_schema_resolve(c->root, target, &c->g->work);
    if (target == NULL && ith_schema_going(c))
        ith_schema_fail(c, ITH_E_UNSUPPORTED, ref == NULL ? "$ref" : ref,
                        "leads nowhere in this schema, or in a circle");
    return target;
}

/* The schema with what its $ref leads to in place of it; the caller's. NULL: a failure. */
static json_t *expand(compiler *c, const json_t *schema)
{
    json_t *at = ith_schema_is_understood(c, schema) ? json_incref((json_t *)schema) : NULL;

    for (int i = 0; at != NULL && json_object_get(at, "$ref") != NULL; i++) {
        const json_t *target = target_of(c, at);
        json_t *rest = without(c, at, "$ref");
        json_decref(at);
        if (i > ITH_SCHEMA_DEPTH)
            ith_schema_fail(c, ITH_E_UNSUPPORTED, "$ref", "leads to too many others");
        if (target == NULL || !ith_schema_is_understood(c, target)) {
            json_decref(rest);
            return NULL;
        }
        at = merge(c, json_incref((json_t *)target), rest);
    }
    return at;
}

void ith_schema_add_ref(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    const json_t *target = target_of(c, schema);
    json_t *rest = without(c, schema, "$ref");

    if (ith_schema_going(c))
        ith_rules_call(c->g, from, to,
                       json_object_size(rest) > 0 ? rule_of_made(c, expand(c, schema))
                                                  : ith_schema_rule(c, target),
                       0);
    json_decref(rest);
}

void ith_schema_add_all(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    const json_t *list = json_object_get(schema, "allOf");
    json_t *all = without(c, schema, "allOf");

    for (size_t i = 0; i < json_array_size(list) && ith_schema_going(c); i++)
        all = merge(c, all, expand(c, json_array_get(list, i)));
    if (ith_schema_going(c))
        ith_rules_call(c->g, from, to, rule_of_made(c, all), 0);
    else
        json_decref(all);
}

/* ---- Alternatives ---- */

/* Alternatives of oneOf must exclude each other: what is written by one must not be valid by
 * another. */
static void check_exclusive(compiler *c, const json_t *list)
{
    char why[80];

    for (size_t i = 0; i < json_array_size(list) && ith_schema_going(c); i++)
        for (size_t k = 0; k < json_array_size(list) && ith_schema_going(c); k++) {
            const json_t *a = json_array_get(list, i), *b = json_array_get(list, k);
            if (i == k || ith_schema_excludes(c->root, a, b, &c->g->work) || !ith_schema_going(c))
                continue;
            snprintf(why, sizeof why, "%zu and %zu may hold both", (i < k ? i : k) + 1,
                     (i < k ? k : i) + 1);
            ith_schema_fail(c, ITH_E_UNSUPPORTED, "oneOf: alternatives", why);
        }
}

/* The alternatives, each together with what stands beside them; the caller's. */
static json_t *alternatives(compiler *c, const json_t *schema, const char *key, bool expanded)
{
    const json_t *list = json_object_get(schema, key);
    json_t *rest = without(c, schema, key), *result = json_array();
    bool alone = json_object_size(rest) == 0;

    for (size_t i = 0; i < json_array_size(list) && ith_schema_going(c); i++) {
        json_t *one = json_array_get(list, i);
        one = expanded                           ? expand(c, one)
              : ith_schema_is_understood(c, one) ? json_incref(one)
                                                 : NULL;
        if (one != NULL && !alone)
            one = merge(c, json_incref(rest), one);
        if (one != NULL && json_array_append_new(result, one) != 0)
            ith_schema_no_memory(c);
    }
    json_decref(rest);
    return result;
}

static void check_one_of(compiler *c, const json_t *schema)
{
    json_t *expanded;

    if (json_array_size(json_object_get(schema, "oneOf")) > MOST_ALIKE) {
        ith_schema_fail(c, ITH_E_UNSUPPORTED, "oneOf", "has too many alternatives");
        return;
    }
    expanded = alternatives(c, schema, "oneOf", true);
    check_exclusive(c, expanded);
    json_decref(expanded);
}

void ith_schema_add_choice(compiler *c, int32_t from, int32_t to, const json_t *schema,
                           const char *key)
{
    json_t *list = alternatives(c, schema, key, false);
    char index[24];

    if (strcmp(key, "oneOf") == 0 && ith_schema_going(c))
        check_one_of(c, schema);
    for (size_t i = 0; i < json_array_size(list) && ith_schema_going(c); i++) {
        json_t *one = json_array_get(list, i);
        bool given = one == json_array_get(json_object_get(schema, key), i);
        size_t len;
        snprintf(index, sizeof index, "%zu", i);
        len = ith_schema_enter(c, key, index);
        ith_rules_call(c->g, from, to,
                       given ? ith_schema_rule(c, one) : rule_of_made(c, json_incref(one)), 0);
        ith_schema_leave(c, len);
    }
    json_decref(list);
}
