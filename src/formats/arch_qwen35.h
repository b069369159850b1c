/* arch_qwen35.h - what the families with Gated DeltaNet and gated attention share: Qwen3.5 and
 * Qwen3-Next. */
#ifndef ITH_FORMATS_ARCH_QWEN35_H
#define ITH_FORMATS_ARCH_QWEN35_H

#include "formats/arch.h"
#include "formats/gguf_meta.h"

/* The sizes of recurrent layers, which layers are recurrent if "layer_types" does not say it, and
 * the gate of attention. */
ith_status ith_qwen35_read_config(const json_t *config, const char *where, ith_hparams *hp,
                                  ith_error *err);

/* The same in GGUF files. tiled: see ith_delta_params. */
ith_status ith_qwen35_read_gguf(const ith_gguf_meta *meta, bool tiled, ith_hparams *hp,
                                ith_error *err);

/* The layers of both: the names of a GGUF file, where they differ. */
ith_layer_form ith_qwen35_layer(const ith_hparams *hp, int64_t i);
extern const ith_own_name ith_qwen35_gguf_names[];

/* Text has the same position in all sections of multimodal RoPE. */
extern const char *const ith_qwen35_config_keys[];

#endif
