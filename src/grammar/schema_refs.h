/* schema_refs.h - what "$ref" leads to inside of one document. */
#ifndef ITH_GRAMMAR_SCHEMA_REFS_H
#define ITH_GRAMMAR_SCHEMA_REFS_H

#include "base/json.h"

/* The schema that a reference names, "#" or "#/a/b" (a JSON pointer); NULL: there is none, it is
 * elsewhere, or what stands there is no schema. Below a schema with an "$id" of its own references
 * would mean something else, so they do not lead there. What it costs is taken from *work. */
const json_t *ith_schema_find(const json_t *root, const char *ref, int64_t *work);

/* Follows "$ref" where nothing stands beside it; NULL: it leads nowhere, or in a circle. */
const json_t *ith_schema_resolve(const json_t *root, const json_t *schema, int64_t *work);

#endif
