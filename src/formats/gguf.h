/* gguf.h - one GGUF file, version 2 or 3, little-endian: metadata, tensors, vocabulary, hyperparameters.
 *
 * Dimensions are turned round: GGUF names the contiguous one first, source.h last.
 *
 * Two things about GGUF files of architecture "llama" that whoever binds the tensors must know. llama.cpp rotates neighbouring pairs of
 * channels for this family, so its converter permutes the rows of attn_q.weight and attn_k.weight: within each head of size d, row
 * 2i is Hugging Face's row i, row 2i+1 its row i + d/2. And the RoPE scaling "llama3" is not in the metadata: the converter
 * stores its result, one divisor per frequency (d/2 floats), as the tensor rope_freqs.weight, while the hyperparameters say
 * plain RoPE.
 */
#ifndef ITH_FORMATS_GGUF_H
#define ITH_FORMATS_GGUF_H

#include "formats/gguf_meta.h"
#include "formats/tensor_table.h"

/* The tensors, from the cursor that ith_gguf_meta_read left. They point into the mapping and are listed in the order of their data.
 * ITH_E_FORMAT: damaged; ITH_E_UNSUPPORTED: an element type that Ithaca does not read, by name. */
ith_status ith_gguf_tensors_read(const ith_mapfile *file, ith_cursor *c, const ith_gguf_meta *meta,
                                 ith_tensor_table *table, ith_error *err);

/* tokenizer.ggml.* and the chat template; a file without a tokenizer gives model.data NULL and no tokens. On failure too, *vocab
 * is to be freed. */
ith_status ith_gguf_vocab_read(const ith_gguf_meta *meta, ith_gguf_vocab *vocab, ith_error *err);
void ith_gguf_vocab_free(ith_gguf_vocab *vocab); /* accepts NULL */

/* bos, and the tokens that end an answer: eos_token_id, eot_token_id, eom_token_id, and special tokens known by their text, since
 * many files name only one of them (llama.cpp does the same). */
ith_status ith_gguf_special_tokens(const ith_gguf_meta *meta, const ith_gguf_vocab *vocab,
                                   ith_hparams *hp, ith_error *err);

/* The hyperparameters of the table's architectures, special tokens included. Keys that change the arithmetic and that Ithaca does
 * not know how to follow (experts, windows, scales) are ITH_E_UNSUPPORTED, by name. */
ith_status ith_gguf_hparams_read(const ith_gguf_meta *meta, const ith_tensor_table *table,
                                 const ith_gguf_vocab *vocab, ith_hparams *hp, ith_error *err);

#endif
