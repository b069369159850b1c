/* gguf_parts.h - GGUF models in several files, as llama-gguf-split writes them:
 * NAME-00001-of-0000N.gguf and so on. The first has the metadata; each has some of the tensors. */
#ifndef ITH_FORMATS_GGUF_PARTS_H
#define ITH_FORMATS_GGUF_PARTS_H

#include "formats/source_impl.h"

/* If `file` is the first part of several, maps the others and adds their tensors to the source,
 * which has those of the first. ITH_E_FORMAT: a part is another part, or one of another model.
 * ITH_E_IO: a part is not there. What ith_gguf_tensors_read says. */
ith_status ith_gguf_parts_read(ith_source *source, const ith_mapfile *file, ith_error *err);

/* ITH_E_ARGUMENT: the file is another part than the first. */
ith_status ith_gguf_parts_check_first(const ith_gguf_meta *meta, ith_error *err);

#endif
