/* json_schema.h - JSON Schema (2020-12) as a grammar: every text of the grammar is JSON that is
 * valid by the schema.
 *
 * Not every valid JSON is a text of the grammar. What is left out, so that models write what people
 * expect, and so that it can be checked byte by byte:
 *
 *   white space   none, but for one space or none behind each comma and colon
 *   properties    in the order of the schema. Where `properties` are given, others are written only
 *                 if `additionalProperties` says so, and behind them
 *   numbers       whole ones without point and exponent; up to 18 digits, others 15 before the
 *                 point, 15 behind it, and exponents of 2
 *   types         a schema without `type` whose keywords are of some types allows these types
 *
 * Keywords: type, enum, const; properties, required, additionalProperties; items, prefixItems,
 * minItems, maxItems; minLength, maxLength, pattern (regex.h), format (date, time, date-time, uuid,
 * ipv4, email, hostname); minimum, maximum, exclusiveMinimum, exclusiveMaximum; anyOf; oneOf, if
 * its alternatives exclude each other; allOf, if they can be merged; $ref to "#..." with $defs.
 * Annotations have no influence. All others, and combinations that cannot be kept, are refused by
 * name.
 */
#ifndef ITH_GRAMMAR_JSON_SCHEMA_H
#define ITH_GRAMMAR_JSON_SCHEMA_H

#include "base/json.h"
#include "grammar/rules.h"

/* *rules is the caller's, freed by ith_rules_free, also after a failure. Errors name the place in
 * the schema.
 * ITH_E_FORMAT: a keyword has a value of the wrong kind. ITH_E_UNSUPPORTED: see above; or the
 * schema is too large or too deeply nested. ITH_E_ARGUMENT: nothing is valid. ITH_E_MEMORY. */
ith_status ith_schema_compile(const json_t *schema, ith_rules *rules, ith_error *err);

/* The same inside of other rules, to which the rules of the schema are added: returns the rule of
 * its texts, valid unless ith_rules_failed. `name` stands before the place in errors. */
int32_t ith_schema_add(const json_t *schema, const char *name, ith_rules *rules);

#endif
