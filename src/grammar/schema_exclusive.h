/* schema_exclusive.h - which JSON Schemas exclude each other. */
#ifndef ITH_GRAMMAR_SCHEMA_EXCLUSIVE_H
#define ITH_GRAMMAR_SCHEMA_EXCLUSIVE_H

#include "base/json.h"

/* Is nothing that is written by `a` valid by `b`? False also if that is not seen, or if what it
 * costs, which is taken from *work, leaves that below 0. */
bool ith_schema_excludes(const json_t *root, const json_t *a, const json_t *b, int64_t *work);

#endif
