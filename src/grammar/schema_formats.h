/* schema_formats.h - the formats of strings in JSON Schema, as patterns (regex.h). */
#ifndef ITH_GRAMMAR_SCHEMA_FORMATS_H
#define ITH_GRAMMAR_SCHEMA_FORMATS_H

/* The pattern of a format, with anchors; NULL: it is not known. What a pattern allows is valid; it
 * may allow less. */
const char *ith_schema_format(const char *name);

#endif
