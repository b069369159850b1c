/* schema_merge.h - JSON Schemas beside each other: both hold, or at most one can. */
#ifndef ITH_GRAMMAR_SCHEMA_MERGE_H
#define ITH_GRAMMAR_SCHEMA_MERGE_H

#include "base/json.h"

/* Types as bits, in the order of the names: an integer is a number, too. */
enum {
    ITH_TYPE_OBJECT = 1,
    ITH_TYPE_ARRAY = 2,
    ITH_TYPE_STRING = 4,
    ITH_TYPE_INTEGER = 8,
    ITH_TYPE_NUMBER = 16,
    ITH_TYPE_BOOLEAN = 32,
    ITH_TYPE_NULL = 64,
    ITH_TYPE_ANY = 127
};

/* The types that a schema allows: by `type`, or by the types that its keywords are of, or all.
 * *known false: `type` is not one. */
unsigned ith_schema_types(const json_t *schema, bool *known);

/* The type of a value. */
unsigned ith_schema_type_of(const json_t *value);

/* Has the keyword no influence on what is valid? */
bool ith_schema_is_annotation(const char *key);

/* A schema by which valid is what is valid by both; the caller's. NULL: *why names the keyword that
 * cannot be merged, or is NULL if there is no memory. */
json_t *ith_schema_merge(const json_t *a, const json_t *b, const char **why);

/* What a reference names, "#" or "#/a/b"; NULL: nothing, or elsewhere. */
const json_t *ith_schema_find(const json_t *root, const char *ref);

/* Follows "$ref" where nothing stands beside it; NULL: it leads nowhere. */
const json_t *ith_schema_resolve(const json_t *root, const json_t *schema);

/* Is nothing that is written by `a` valid by `b`? */
bool ith_schema_excludes(const json_t *root, const json_t *a, const json_t *b);

#endif
