/* schema_keywords.h - the keywords of JSON Schema that are understood: the types that they speak of
 * and the values that they may have. */
#ifndef ITH_GRAMMAR_SCHEMA_KEYWORDS_H
#define ITH_GRAMMAR_SCHEMA_KEYWORDS_H

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

/* The types that a schema allows: by `type`, or by the types that its keywords are of, or all. */
unsigned ith_schema_types(const json_t *schema);

/* The types of `type`, a name or a list of names; 0: it is neither, or lists none. */
unsigned ith_schema_listed_types(const json_t *type);

/* A `type` of these types. NULL: no memory. */
json_t *ith_schema_type_list(unsigned types);

/* The type of a value. */
unsigned ith_schema_type_of(const json_t *value);

/* The types that a keyword speaks of; 0: of none in particular, or it is not understood. */
unsigned ith_schema_keyword_types(const char *key);

/* Has the keyword no influence on what is valid? */
bool ith_schema_is_annotation(const char *key);

/* Has the object a keyword that is none of these? */
bool ith_schema_says_something(const json_t *schema);

/* Are all keywords of an object understood, and of values that they may have? Otherwise err names
 * the first, and what is wrong with it.
 * ITH_E_UNSUPPORTED: it is not understood. ITH_E_FORMAT: it has another value. */
ith_status ith_schema_check_keywords(const json_t *schema, ith_error *err);

#endif
