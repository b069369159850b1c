/* dtype.h - how file formats name the element types of source.h.
 *
 * A new type is one value of ith_dtype and one row of the table in dtype.c.
 */
#ifndef ITH_FORMATS_DTYPE_H
#define ITH_FORMATS_DTYPE_H

#include "formats/source.h"

/* False: Ithaca does not read this type. */
bool ith_dtype_from_safetensors(const char *name, ith_dtype *out);
bool ith_dtype_from_ggml(uint32_t id, ith_dtype *out);

/* GGML's name of any of its types, whether Ithaca reads it or not: "Q4_K". NULL if the number is
 * unknown. */
const char *ith_ggml_type_name(uint32_t id);

#endif
