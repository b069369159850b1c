/* arch_smollm3.c - SmolLM3: Llama whose every fourth layer has no rotary positions (NoPE,
 * arXiv 2501.18795). */
#include "formats/arch.h"

#include "formats/hf_config.h"

static const ith_hf_class classes[] = {{"smollm3", "SmolLM3ForCausalLM"}, {NULL, NULL}};

static const char *const config_keys[] = {"no_rope_layers", "no_rope_layer_interval", NULL};

enum { INTERVAL = 4 };

/* In spite of its name, 1 in "no_rope_layers" stands for a layer with rotary positions. */
static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    static const char key[] = "no_rope_layers";
    const json_t *list = json_object_get(config, key), *item;
    int64_t interval = INTERVAL;
    size_t i;

    ITH_TRY(
        ith_json_int(config, where, "no_rope_layer_interval", 1, ITH_SIZE_LIMIT, &interval, err));
    ITH_TRY(ith_arch_set_pattern(hp, interval, ITH_LAYER_NO_ROPE, 0, where, err));
    if (list == NULL || json_is_null(list))
        return ITH_OK;
    if (!json_is_array(list) || json_array_size(list) != (size_t)hp->n_layers)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be a list of %lld numbers", where,
                        key, (long long)hp->n_layers);
    json_array_foreach (list, i, item) {
        if (!json_is_integer(item) || json_integer_value(item) < 0 || json_integer_value(item) > 1)
            return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should hold 0 and 1", where, key);
        hp->traits[i] = json_integer_value(item) == 0 ? ITH_LAYER_NO_ROPE : 0;
    }
    return ITH_OK;
}

/* GGUF files do not say which layers. */
static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    (void)meta, (void)tensors;
    return ith_arch_set_pattern(hp, INTERVAL, ITH_LAYER_NO_ROPE, 0, hp->name, err);
}

const ith_arch ith_arch_smollm3 = {
    .name = "smollm3",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .gguf_interleaved_qk = true,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .may_bias_mlp = true,
    .defaults = {.n_kv_heads = 4,
                 .ctx = 32768,
                 .rms_eps = 1e-6,
                 .rope_theta = 2000000,
                 .tied_embeddings = true,
                 .bos = 128000,
                 .eos = 128001},
    .config_keys = config_keys,
    .read_config = read_config,
    .read_gguf = read_gguf,
};
