/* json_value.h - when values are the same by JSON Schema, and the order of numbers. */
#ifndef ITH_GRAMMAR_JSON_VALUE_H
#define ITH_GRAMMAR_JSON_VALUE_H

#include "base/json.h"

/* The order of two numbers, exactly, whether they are whole or real: -1, 0 or 1. */
int ith_json_compare_numbers(const json_t *a, const json_t *b);

/* Is it the same value? 1 and 1.0 are; the order of properties is none. What it costs is taken from
 * *work; false once that is below 0. */
bool ith_json_same(const json_t *a, const json_t *b, int64_t *work);

#endif
