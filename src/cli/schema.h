/* schema.h - is a JSON value what a JSON Schema says?
 *
 * Of JSON Schema 2020-12 as much as the schemas in bench/schema use: type, const, enum, properties,
 * required, additionalProperties, items, minItems, minimum, exclusiveMinimum, minLength, pattern
 * (as POSIX extended), $ref to #/$defs/NAME, allOf, oneOf, not, if with then and else, and true and
 * false in place of a schema. The schema itself is looked at first, all of it: a keyword that is
 * not among these, or that has a value of the wrong kind, is an error of the schema wherever it
 * stands, so that nothing is passed over.
 *
 * An integer is a number that is written as one: 1.0 is none.
 */
#ifndef ITH_CLI_SCHEMA_H
#define ITH_CLI_SCHEMA_H

#include "base/json.h"

/* `where`: the file's name. ITH_E_FORMAT: the text names the file, the first member that is wrong
 * ("results/3/seconds/median"), and what is wrong with it; or where the schema is wrong
 * ("the schema/$defs/run: ..."). */
ith_status ith_schema_check(const json_t *schema, const json_t *value, const char *where,
                            ith_error *err);

#endif
