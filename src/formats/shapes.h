/* shapes.h - the sizes of well-known models, to measure speed without their files.
 *
 * They are the files bench/shapes/NAME.json, spelled like Hugging Face's config.json and reduced to
 * what decides sizes and arithmetic. The Makefile puts their text into the library; to add a
 * shape, add a file.
 */
#ifndef ITH_FORMATS_SHAPES_H
#define ITH_FORMATS_SHAPES_H

#include "formats/hparams.h"

/* Fills *hp. name: a known shape in lower case ("qwen3-8b"), or the path of any config.json, which
 * must end in ".json". ITH_E_ARGUMENT: neither, and the message lists the names; otherwise what
 * reading and parsing the file returns. */
ith_status ith_shape_find(const char *name, ith_hparams *hp, ith_error *err);

#endif
