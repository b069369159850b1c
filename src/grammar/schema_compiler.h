/* schema_compiler.h - what the files that compile JSON Schema share: where the compiler is, how it
 * fails, and what each of them adds.
 *
 *   json_schema.c       a rule for each schema
 *   schema_combine.c    $ref, allOf, anyOf, oneOf, and rules of merged schemas
 *   schema_values.c     enum and const; values of any kind
 *   schema_scalars.c    strings and numbers
 *   schema_arrays.c, schema_objects.c
 *
 * All failures are kept in the rules (rules.h). States and rules are those of `g`.
 */
#ifndef ITH_GRAMMAR_SCHEMA_COMPILER_H
#define ITH_GRAMMAR_SCHEMA_COMPILER_H

#include "base/json.h"
#include "grammar/rules.h"

enum { ITH_SCHEMA_PATH = 200, ITH_SCHEMA_DEPTH = 150 };

/* A schema that has a rule. */
typedef struct ith_known_schema {
    const json_t *schema;
    int32_t rule;
} ith_known_schema;

typedef struct ith_schema_compiler {
    ith_rules *g;
    const json_t *root;
    ith_known_schema *known; /* hash table by address, [n_slots] */
    size_t n_known, n_slots;
    json_t *made;               /* a list of schemas that were merged, which stay while it runs */
    json_t *by_digest;          /* their rules, by the SHA-256 of their text */
    char path[ITH_SCHEMA_PATH]; /* where it is in the schema, for errors */
    int depth;
    int32_t any, string, number, integer; /* rules; -1: not made yet */
} ith_schema_compiler;

/* Is there no failure, and work left to spend? */
bool ith_schema_going(const ith_schema_compiler *c);

/* "the schema, PATH: WHAT WHY" */
void ith_schema_fail(ith_schema_compiler *c, ith_status status, const char *what, const char *why);
void ith_schema_no_memory(ith_schema_compiler *c);

/* The same as the reason why nothing fits here (ith_rules_nothing). */
void ith_schema_nothing(ith_schema_compiler *c, const char *what, const char *why);

/* Puts the path and a keyword before what was said, by functions that do not know them, of a
 * failure since it `went`, or of what nothing fits. */
void ith_schema_locate(ith_schema_compiler *c, const char *keyword, bool went);

/* One step deeper in the path; `name` may be empty. Longer paths are cut. Returns the length
 * before, for ith_schema_leave. */
size_t ith_schema_enter(ith_schema_compiler *c, const char *step, const char *name);
void ith_schema_leave(ith_schema_compiler *c, size_t len);

/* A new state of the rule that the state `like` is of. */
int32_t ith_schema_state(ith_schema_compiler *c, int32_t like);

/* The state behind a text; a text that leads to a state. */
int32_t ith_schema_text(ith_schema_compiler *c, int32_t from, const char *text);
void ith_schema_text_to(ith_schema_compiler *c, int32_t from, int32_t to, const char *text);

/* ---- Schemas ---- */

/* The rule of a schema that stands in the document, or was kept. With a step of the path: see
 * ith_schema_enter. */
int32_t ith_schema_rule(ith_schema_compiler *c, const json_t *schema);
int32_t ith_schema_rule_at(ith_schema_compiler *c, const json_t *schema, const char *step,
                           const char *name);

/* Are the keywords of a schema in the document understood? Otherwise the compiler has failed. */
bool ith_schema_is_understood(ith_schema_compiler *c, const json_t *schema);

/* Adds to a rule what a schema that is not only true or false allows. */
void ith_schema_define(ith_schema_compiler *c, int32_t rule, const json_t *schema);

/* From one state to another: a schema with this keyword. */
void ith_schema_add_ref(ith_schema_compiler *c, int32_t from, int32_t to, const json_t *schema);
void ith_schema_add_all(ith_schema_compiler *c, int32_t from, int32_t to, const json_t *schema);
void ith_schema_add_choice(ith_schema_compiler *c, int32_t from, int32_t to, const json_t *schema,
                           const char *key);
void ith_schema_add_values(ith_schema_compiler *c, int32_t from, int32_t to, const json_t *schema);

/* ---- Types: from one state to another ---- */

void ith_schema_add_object(ith_schema_compiler *c, int32_t from, int32_t to, const json_t *schema);
void ith_schema_add_array(ith_schema_compiler *c, int32_t from, int32_t to, const json_t *schema);
void ith_schema_add_string(ith_schema_compiler *c, int32_t from, int32_t to, const json_t *schema);
void ith_schema_add_number(ith_schema_compiler *c, int32_t from, int32_t to, const json_t *schema,
                           bool whole);

/* true, false and null, as far as they are among the types (schema_keywords.h). */
void ith_schema_add_words(ith_schema_compiler *c, int32_t from, int32_t to, unsigned types);

/* The state behind a value as it is written. */
int32_t ith_schema_literal(ith_schema_compiler *c, int32_t from, const json_t *value);

/* Rules of any value, any string, any number, any whole number. */
int32_t ith_schema_any(ith_schema_compiler *c);
int32_t ith_schema_any_string(ith_schema_compiler *c);
int32_t ith_schema_any_number(ith_schema_compiler *c);
int32_t ith_schema_any_integer(ith_schema_compiler *c);

/* A whole number from 0 on, at most 1e15; `otherwise` if the keyword is missing. */
int64_t ith_schema_count(const json_t *schema, const char *key, int64_t otherwise);

#endif
