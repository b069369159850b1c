/* schema_merge.h - JSON Schemas that hold together, as one. */
#ifndef ITH_GRAMMAR_SCHEMA_MERGE_H
#define ITH_GRAMMAR_SCHEMA_MERGE_H

#include "base/json.h"

/* A schema by which valid is what is valid by both, without annotations; false where they have
 * nothing in common. Their keywords must be right (schema_keywords.h). The caller's. What it costs
 * is taken from *work.
 * NULL: *why names the keyword that cannot be merged, or is NULL if there is no memory or *work is
 * below 0. */
json_t *ith_schema_merge(const json_t *a, const json_t *b, int64_t *work, const char **why);

/* A copy without a keyword, without annotations if there is none (NULL). NULL: as above. */
json_t *ith_schema_without(const json_t *schema, const char *key, int64_t *work);

#endif
