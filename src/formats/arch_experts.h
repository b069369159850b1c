/* arch_experts.h - what families with mixtures of experts have in common: keys of GGUF files, lists
 * of layers, and fields of packs. What zero does not say of a family's experts and router
 * (hparams.h), it states in `traits`.
 */
#ifndef ITH_FORMATS_ARCH_EXPERTS_H
#define ITH_FORMATS_ARCH_EXPERTS_H

#include "formats/arch.h"
#include "formats/hparams_json.h"

/* Hugging Face's names of one expert for all tokens, behind a gate: Qwen's. */
extern const ith_own_name ith_names_hf_of_gated_shared_expert[];

/* For `gguf_keys` and `read_gguf`: sizes, router, shared experts, which layers have experts. What
 * only tensors say is taken from them: biases of the router, the width of shared experts, and their
 * gate. */
extern const char *const ith_experts_gguf_keys[];
ith_status ith_experts_read_gguf(const struct ith_gguf_meta *meta,
                                 const struct ith_tensor_table *tensors, ith_hparams *hp,
                                 ith_error *err);

/* Of these keys those that every such family has, for lists that have others beside them. */
#define ITH_EXPERTS_GGUF_KEYS                                                                      \
    "expert_count", "expert_used_count", "expert_feed_forward_length", "expert_gating_func",       \
        "expert_group_count", "expert_group_used_count", "expert_weights_norm",                    \
        "expert_weights_scale", "expert_shared_count", "leading_dense_block_count"

/* For `hf_own`: the names in Mixtral's folders, and a bias of the choice beside the router. */
extern const ith_own_name ith_experts_names_of_mixtral[];

/* For `keys`: what DeepSeek's configurations and those like them say of experts. */
extern const ith_arch_key ith_experts_keys[];

/* What Qwen's say of them, with a shared one: Qwen2's and Qwen3-Next's. */
extern const ith_arch_key ith_experts_keys_of_qwen[];

/* DeepSeek-V3's router (arXiv 2412.19437, section 2.1.2), for `traits`: sigmoids with a bias of the
 * choice, of the best `top_groups` of `groups`, normalized and times `factor`. */
ith_router_params ith_experts_router_of_deepseek(int64_t groups, int64_t top_groups, double factor);

/* The number of shared experts, `width` rows each, if the key is there. */
ith_status ith_experts_read_shared(const json_t *config, const char *where, const char *key,
                                   int64_t width, ith_hparams *hp, ith_error *err);

/* For `read_config` of families whose experts have "intermediate_size" rows. */
ith_status ith_experts_take_width(const json_t *config, const char *where, ith_hparams *hp,
                                  ith_error *err);

/* "mlp_only_layers" of a config.json. */
ith_status ith_experts_read_dense_layers(const json_t *config, const char *where,
                                         ith_experts_params *experts, ith_error *err);

/* "mlp_layer_types" of a config.json: "dense" or "sparse" for each layer. */
ith_status ith_experts_read_mlp_types(const json_t *config, const char *where, ith_hparams *hp,
                                      ith_error *err);

/* For `fields`; the second of families that have experts only in some models. */
extern const ith_hparams_field ith_experts_fields[], ith_experts_fields_if_any[];

#endif
