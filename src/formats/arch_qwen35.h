/* arch_qwen35.h - what the families with Gated DeltaNet and gated attention share: Qwen3.5 and
 * Qwen3-Next. */
#ifndef ITH_FORMATS_ARCH_QWEN35_H
#define ITH_FORMATS_ARCH_QWEN35_H

#include "formats/arch.h"
#include "formats/gguf_meta.h"
#include "formats/hparams_json.h"

/* The sizes of recurrent layers, which layers are recurrent if "layer_types" does not say it, and
 * the gate of attention. */
ith_status ith_qwen35_read_config(const json_t *config, const char *where, ith_hparams *hp,
                                  ith_error *err);

/* The same in GGUF files. tiled: see ith_delta_params. */
ith_status ith_qwen35_read_gguf(const ith_gguf_meta *meta, bool tiled, ith_hparams *hp,
                                ith_error *err);

/* Rows of a list of gguf_keys, and of a table of fields. */
#define ITH_QWEN35_GGUF_KEYS                                                                       \
    "ssm.conv_kernel", "ssm.state_size", "ssm.group_count", "ssm.time_step_rank",                  \
        "ssm.inner_size", "attention.recurrent_layers", "full_attention_interval",                 \
        "rope.dimension_sections"

#define ITH_QWEN35_FIELDS                                                                          \
    ITH_FIELD("attn_gate", BOOL, attn_gate), ITH_FIELD("delta.key_heads", INT64, delta.key_heads), \
        ITH_FIELD("delta.value_heads", INT64, delta.value_heads),                                  \
        ITH_FIELD("delta.key_dim", INT64, delta.key_dim),                                          \
        ITH_FIELD("delta.value_dim", INT64, delta.value_dim),                                      \
        ITH_FIELD("delta.taps", INT64, delta.taps), ITH_FIELD("delta.tiled", BOOL, delta.tiled)

#endif
