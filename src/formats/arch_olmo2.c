/* arch_olmo2.c - OLMo 2 (arXiv 2501.00656): norms after each block, none before; RMSNorm over all
 * query heads together, and all key heads. GGUF files of OLMo 3 say that they are of this family,
 * and have windows. */
#include "formats/arch.h"

#include "formats/hf_config.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"olmo2", "Olmo2ForCausalLM"}, {NULL, NULL}};

static const ith_arch_key keys[] = {
    {NULL, "rope.freq_base_swa", ITH_KEY_REAL, offsetof(ith_hparams, window_theta)}, {0}};

/* The class has no windows, and does not read what would say them. */
static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    (void)hp;
    return json_is_number(json_object_get(config, "sliding_window"))
               ? ith_hf_refuse(where, "sliding_window", "a number", err)
               : ITH_OK;
}

const ith_arch ith_arch_olmo2 = {
    .name = "olmo2",
    .layer = ith_layer_of_post_norms,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_names_hf_of_post_norms,
    .qk_norm = ITH_QK_NORM_WHOLE,
    .keys = keys,
    .read_config = read_config,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_STEPS,
    .window_step = 4,
    .window_rope = true,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.ctx = 2048, .rms_eps = 1e-5, .rope_theta = 10000, .bos = -1, .eos = 50279},
};
