/* gguf.h - tensors and hyperparameters of a GGUF file, version 2 or 3, little-endian.
 *
 * Dimensions are reversed: GGUF lists the contiguous one first, tensor.h lists it last.
 *
 * Whoever binds the tensors must know two things about files of architecture "llama":
 *
 * - llama.cpp rotates neighbouring pairs of channels for this family, so its converter permutes the
 *   rows of attn_q.weight and attn_k.weight. In each head of size d, row 2i is row i of Hugging
 *   Face, and row 2i+1 its row i + d/2 (ith_arch's gguf_interleaved_qk).
 * - RoPE scaling of kind "llama3" is not in the metadata, which say plain RoPE. The converter
 *   stores its result, one divisor per frequency, as the tensor rope_freqs.weight (d/2 floats).
 */
#ifndef ITH_FORMATS_GGUF_H
#define ITH_FORMATS_GGUF_H

#include "formats/gguf_vocab.h"
#include "formats/tensor_table.h"

/* Adds the tensors, read from where ith_gguf_meta_read left the cursor. They point into the mapping
 * and are listed in the order of their data. Tensors of types that Ithaca does not read are listed
 * too. ITH_E_FORMAT: damaged. */
ith_status ith_gguf_tensors_read(const ith_mapfile *file, ith_cursor *c, const ith_gguf_meta *meta,
                                 ith_tensor_table *table, ith_error *err);

/* The hyperparameters, special tokens included. ITH_E_UNSUPPORTED: a family that Ithaca does not
 * know, or, by name, a setting that changes the arithmetic and that the family does not support. */
ith_status ith_gguf_hparams_read(const ith_gguf_meta *meta, const ith_tensor_table *table,
                                 const ith_gguf_vocab *vocab, ith_hparams *hp, ith_error *err);

#endif
