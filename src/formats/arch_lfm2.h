/* arch_lfm2.h - what LFM2's dense models and those with experts share. */
#ifndef ITH_FORMATS_ARCH_LFM2_H
#define ITH_FORMATS_ARCH_LFM2_H

#include "formats/arch_recurrent.h"

/* hf_own, with the names of experts, and gguf_own. */
extern const ith_own_name ith_lfm2_names_hf[], ith_lfm2_names_gguf[];

ith_layer_form ith_lfm2_layer(const ith_hparams *hp, int64_t i);

/* The convolutions, and which layers have them. */
ith_status ith_lfm2_read_config(const json_t *config, const char *where, ith_hparams *hp,
                                ith_error *err);
ith_status ith_lfm2_read_gguf(const ith_gguf_meta *meta, const struct ith_tensor_table *tensors,
                              ith_hparams *hp, ith_error *err);

#endif
