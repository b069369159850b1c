/* arch_latent.h - what families with multi-head latent attention share: the sizes of its heads in
 * both formats. */
#ifndef ITH_FORMATS_ARCH_LATENT_H
#define ITH_FORMATS_ARCH_LATENT_H

#include "formats/arch.h"
#include "formats/gguf_meta.h"

/* What config.json says of them. q_rank: that of queries where it says nothing (null: none). */
ith_status ith_latent_read_config(const json_t *config, const char *where, int64_t q_rank,
                                  ith_latent_params *latent, ith_error *err);

/* The same of GGUF files, for `gguf_keys` and `read_gguf`. */
#define ITH_LATENT_GGUF_KEYS                                                                       \
    "attention.key_length", "attention.value_length", "attention.key_length_mla",                  \
        "attention.value_length_mla", "attention.kv_lora_rank", "attention.q_lora_rank",           \
        "rope.dimension_count"
ith_status ith_latent_read_gguf(const ith_gguf_meta *meta, ith_hparams *hp, ith_error *err);

/* The key that is cached stands in for all heads' keys. */
void ith_latent_settle(ith_hparams *hp);

#endif
