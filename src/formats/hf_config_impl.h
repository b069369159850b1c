/* hf_config_impl.h - the inside of reading config.json, for the files hf_config*.c. */
#ifndef ITH_FORMATS_HF_CONFIG_IMPL_H
#define ITH_FORMATS_HF_CONFIG_IMPL_H

#include "formats/hf_config.h"

/* What every step of reading needs. Steps fill *hp, in the order of ith_hf_config_read. */
typedef struct ith_hf_reader {
    const json_t *config;
    const char *where; /* its path, for messages */
    const ith_arch *arch;
    ith_hparams *hp;
} ith_hf_reader;

/* Does the family read the key itself? */
static inline bool ith_hf_is_taken(const ith_hf_reader *r, const char *key)
{
    return ith_arch_takes(r->arch->config_keys, key) || ith_arch_has_key(r->arch, false, key);
}

/* ---- hf_config_rope.c: after the sizes ---- */

/* "partial_rotary_factor" outside of RoPE's own object. */
ith_status ith_hf_check_rotary(const ith_hf_reader *reader, const char *key, ith_error *err);

/* Transformers 4 writes rope_theta and rope_scaling; 5 writes rope_parameters with everything. */
ith_status ith_hf_read_rope(const ith_hf_reader *reader, ith_error *err);

/* ---- hf_config_windows.c ---- */

/* "sliding_window"; before the other two. */
ith_status ith_hf_read_window(const ith_hf_reader *reader, ith_error *err);

/* "layer_types", and what stands for it in older files. */
ith_status ith_hf_check_layer_types(const ith_hf_reader *reader, const char *key, ith_error *err);
ith_status ith_hf_check_windows(const ith_hf_reader *reader, const char *key, ith_error *err);

/* hf_config_names.c: adds to the text of a check of hyperparameters which of the file's keys say
 * what it is about, if any do. */
void ith_hf_name_key(const json_t *config, ith_error *err);

#endif
