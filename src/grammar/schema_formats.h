/* schema_formats.h - the formats of JSON Schema: of strings as patterns (regex.h), of numbers as
 * ranges. */
#ifndef ITH_GRAMMAR_SCHEMA_FORMATS_H
#define ITH_GRAMMAR_SCHEMA_FORMATS_H

#include <stdbool.h>
#include <stdint.h>

/* The pattern of a format, with anchors; NULL: it is not known. What a pattern allows is valid; it
 * may allow less. */
const char *ith_schema_format(const char *name);

typedef struct ith_format_range {
    bool bounded;
    int64_t min, max; /* if it is */
} ith_format_range;

/* The numbers of a format, int32, float and so on; it may be fewer. False: it is not known. */
bool ith_schema_number_format(const char *name, ith_format_range *range);

#endif
