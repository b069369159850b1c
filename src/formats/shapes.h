/* shapes.h - the sizes of well-known models, from their public config.json: for measuring without their files. A new one is a row of
 * the table in shapes.c. */
#ifndef ITH_FORMATS_SHAPES_H
#define ITH_FORMATS_SHAPES_H

#include "formats/source.h"

/* Hyperparameters by name, in lower case ("qwen3-8b"). False: there is no such shape. */
bool ith_shape_find(const char *name, ith_hparams *hp);

/* All names, separated by ", ". */
void ith_shape_names(char *text, size_t size);

#endif
