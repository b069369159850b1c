/* arch_recurrent.h - what families with recurrent layers share: which layers are recurrent, and the
 * names of Mamba2's tensors. */
#ifndef ITH_FORMATS_ARCH_RECURRENT_H
#define ITH_FORMATS_ARCH_RECURRENT_H

#include "formats/arch.h"
#include "formats/gguf_meta.h"

/* Attention in the layers that the list `key` of config.json numbers from 0 on, recurrent blocks in
 * the others. If the file has no such list: attention in all of them. */
ith_status ith_recurrent_but_in(const json_t *config, const char *where, const char *key,
                                ith_hparams *hp, ith_error *err);

/* The KV heads of a GGUF file's layers, 0 of recurrent ones: a number, or one for each layer. */
ith_status ith_recurrent_by_kv_heads(const ith_gguf_meta *meta, ith_hparams *hp, ith_error *err);

/* Attention, or in its place a recurrent block of this kind, then experts or an MLP. */
ith_layer_form ith_layer_of_recurrent(const ith_hparams *hp, int64_t i, const char *block);

/* What Transformers' classes of most families have. */
void ith_mamba_set_defaults(ith_hparams *hp);

/* Refuses bounds on the steps of tokens: the pair `key` of config.json. */
ith_status ith_mamba_refuse_bounds(const json_t *config, const char *where, const char *key,
                                   ith_error *err);

/* The sizes of Mamba2 in config.json, as most families call them, and in GGUF files. */
ith_status ith_mamba_read_config(const json_t *config, const char *where, ith_hparams *hp,
                                 ith_error *err);
ith_status ith_mamba_read_gguf(const ith_gguf_meta *meta, ith_hparams *hp, ith_error *err);

/* What read_gguf of these families reads besides their gguf_keys. Ends with NULL. */
extern const char *const ith_recurrent_gguf_keys[];

/* Rows of a list of names: Mamba2's tensors in a folder's module `at`; slices of the input matrix
 * have names of their own in packs. */
#define ITH_MAMBA_NAMES(at)                                                                        \
    {ITH_ROLE_REC_QKV, at "in_proj.weight"}, {ITH_ROLE_REC_Z, at "in_proj_z.weight"},              \
        {ITH_ROLE_REC_V, at "in_proj_x.weight"}, {ITH_ROLE_REC_K, at "in_proj_b.weight"},          \
        {ITH_ROLE_REC_Q, at "in_proj_c.weight"}, {ITH_ROLE_REC_A, at "in_proj_dt.weight"},         \
        {ITH_ROLE_REC_CONV, at "conv1d.weight"}, {ITH_ROLE_REC_CONV_BIAS, at "conv1d.bias"},       \
        {ITH_ROLE_REC_DECAY, at "A_log"}, {ITH_ROLE_REC_DT_BIAS, at "dt_bias"},                    \
        {ITH_ROLE_REC_SKIP, at "D"}, {ITH_ROLE_REC_NORM, at "norm.weight"},                        \
    {                                                                                              \
        ITH_ROLE_REC_OUT, at "out_proj.weight"                                                     \
    }

/* The same in GGUF files. */
#define ITH_MAMBA_GGUF_NAMES                                                                       \
    {ITH_ROLE_REC_QKV, "blk.%d.ssm_in.weight"}, {ITH_ROLE_REC_Z, NULL},                            \
    {                                                                                              \
        ITH_ROLE_REC_A, NULL                                                                       \
    }

#endif
