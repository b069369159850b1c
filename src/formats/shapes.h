/* shapes.h - the sizes of well-known models, for measuring without their files.
 *
 * They are the files bench/shapes/NAME.json, in the spelling of a Hugging Face config.json and with what of it decides sizes and
 * arithmetic; the Makefile puts their text into the library. A new file there is a new shape.
 */
#ifndef ITH_FORMATS_SHAPES_H
#define ITH_FORMATS_SHAPES_H

#include "formats/source.h"

/* Fills *hp. name: of a known shape, in lower case ("qwen3-8b"), or the path of any config.json, which ends in ".json".
 * ITH_E_ARGUMENT: neither, and the text lists the names; else what reading and understanding the file can give. */
ith_status ith_shape_find(const char *name, ith_hparams *hp, ith_error *err);

#endif
