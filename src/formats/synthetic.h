/* synthetic.h - models without files, "synthetic:SHAPE:TYPE", to measure speed at any size.
 *
 * SHAPE is a shape of shapes.h: a name, or the path of any config.json. TYPE is the element type of
 * every matrix ("q4_0"; ith_dtype_get has the names, in upper case), except for the routers of
 * mixtures of experts, which are F32.
 *
 * Tensors have the names and shapes of the Hugging Face checkpoint. Their data are random blocks of
 * a sane scale (standard deviation about 1/sqrt(hidden)). All tensors share one mapping that
 * repeats a few megabytes, each starting at another block, so a model of any size costs no memory
 * but for its converted weights. The same name gives the same model. There is no tokenizer, and no
 * token begins or ends a text.
 */
#ifndef ITH_FORMATS_SYNTHETIC_H
#define ITH_FORMATS_SYNTHETIC_H

#include "formats/source_impl.h"

bool ith_synthetic_is_name(const char *path); /* does it begin with "synthetic:"? */

/* Fills a source whose path is such a name. ITH_E_ARGUMENT: there is no such shape or type; the
 * message lists those there are. */
ith_status ith_synthetic_open(ith_source *source, unsigned flags, ith_error *err);

#endif
