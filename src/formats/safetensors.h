/* safetensors.h - one safetensors file: 8 bytes of header length, a JSON header, tensor data.
 *
 * The checks are those of the reference implementation (github.com/huggingface/safetensors, README
 * "Format"): a header of at most 100 MB, offsets in range, sizes that match the shapes, tensors
 * that fill the data without gap or overlap. A scalar becomes one element of one dimension.
 */
#ifndef ITH_FORMATS_SAFETENSORS_H
#define ITH_FORMATS_SAFETENSORS_H

#include "base/json.h"
#include "formats/mapfile.h"
#include "formats/tensor_table.h"

/* Appends the file's tensors in the order of their data. They point into file->data and file->path.
 * ITH_E_FORMAT: damaged; ITH_E_UNSUPPORTED: an element type that Ithaca does not read, or more than
 * four dimensions. */
ith_status ith_safetensors_parse(const ith_mapfile *file, ith_tensor_table *table, ith_error *err);

/* The header's "__metadata__" object, which is the caller's; NULL if there is none. */
ith_status ith_safetensors_metadata(const ith_mapfile *file, json_t **metadata, ith_error *err);

/* Does it look like one? For messages. */
bool ith_safetensors_probe(const ith_mapfile *file);

#endif
