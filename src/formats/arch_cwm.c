/* arch_cwm.c - Code World Model (arXiv 2510.02387): Llama's blocks with windows in all but every
 * fourth layer, from the first on. */
#include "formats/arch.h"

static const ith_hf_class classes[] = {{"cwm", "CwmForCausalLM"}, {NULL, NULL}};

enum { STEP = 4 };

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    (void)where, (void)err;
    if (json_is_array(json_object_get(config, "layer_types")))
        return ITH_OK;
    for (int i = 0; i < hp->n_traits; i++) /* the first of each step, not the last */
        hp->traits[i] = i % STEP == 0 ? 0 : ITH_LAYER_WINDOW;
    return ITH_OK;
}

const ith_arch ith_arch_cwm = {
    .name = "cwm",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_STEPS,
    .window_step = STEP,
    .window_step_of_class = true,
    .may_bias_mlp = true,
    .defaults = {.n_vocab = 128256,
                 .n_heads = 48,
                 .n_kv_heads = 8,
                 .head_dim = 128,
                 .ctx = 131072,
                 .window = 8192,
                 .rms_eps = 1e-5,
                 .rope_theta = 1000000,
                 .rope = "{\"rope_type\": \"llama3\", \"rope_theta\": 1000000.0, \"factor\": 16.0, "
                         "\"high_freq_factor\": 4.0, \"low_freq_factor\": 1.0, "
                         "\"original_max_position_embeddings\": 8192}",
                 .bos = 128000,
                 .eos = 128001},
    .read_config = read_config,
};
