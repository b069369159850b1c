/* arch_gemma.h - what Gemma's generations share: scales that follow from the sizes. */
#ifndef ITH_FORMATS_ARCH_GEMMA_H
#define ITH_FORMATS_ARCH_GEMMA_H

#include "formats/arch.h"

/* Embeddings times sqrt(hidden), in float as Transformers has it. */
void ith_gemma_scale_embeddings(ith_hparams *hp);

/* That, and scores by 1 / sqrt(query_pre_attn_scalar), 256 if config.json does not say it. An
 * ith_arch.read_config. */
ith_status ith_gemma_read_config(const json_t *config, const char *where, ith_hparams *hp,
                                 ith_error *err);

/* The same for GGUF files, which have no query_pre_attn_scalar: it is the head size, but in the 27B
 * model, which has so many layers, hidden / heads. */
void ith_gemma_scale_gguf(ith_hparams *hp, int64_t layers_of_27b);

/* A soft cap; null: none. */
ith_status ith_gemma_read_cap(const json_t *config, const char *where, const char *key, double *cap,
                              ith_error *err);

/* Families with soft caps of scores and logits, as Gemma 2: their traits, config_keys and
 * read_config. */
extern const char *const ith_gemma_capped_keys[];
void ith_gemma_capped_traits(ith_hparams *hp);
ith_status ith_gemma_read_capped(const json_t *config, const char *where, ith_hparams *hp,
                                 ith_error *err);

/* "feed_forward_length" of a GGUF file, one number or one of each layer: the same in all, or twice
 * as many rows in those that read keys and values of others. Then the tokens with inputs of their
 * own for each layer. */
ith_status ith_gemma_read_widths(const struct ith_gguf_meta *meta, ith_hparams *hp, ith_error *err);
ith_status ith_gemma_read_inputs(const struct ith_gguf_meta *meta,
                                 const struct ith_tensor_table *tensors, ith_hparams *hp,
                                 ith_error *err);

#endif
