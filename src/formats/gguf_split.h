/* gguf_split.h - GGUF models in several files, as llama-gguf-split writes them:
 * NAME-00001-of-0000N.gguf and so on. The first has the metadata; each has some of the tensors. */
#ifndef ITH_FORMATS_GGUF_SPLIT_H
#define ITH_FORMATS_GGUF_SPLIT_H

#include "formats/source_impl.h"

/* If `file` is the first file of several, maps the others and adds their tensors to the source,
 * which has those of the first. ITH_E_FORMAT: a file has another number, or is of another model.
 * ITH_E_IO: a file is not there. What ith_gguf_tensors_read says. */
ith_status ith_gguf_split_read(ith_source *source, const ith_mapfile *file, ith_error *err);

/* ITH_E_ARGUMENT: the file is not the first of its model. */
ith_status ith_gguf_split_check_first(const ith_gguf_meta *meta, ith_error *err);

#endif
