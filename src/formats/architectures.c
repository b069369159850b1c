#include "formats/architectures.h"

#include <stdio.h>
#include <string.h>

/* Defaults: LlamaConfig, Qwen3Config and Qwen3MoeConfig of Transformers 4.51 and 5. All have tie_word_embeddings false (the base class of
 * Transformers 4 has true), rms_norm_eps 1e-6 and rope_theta 10000. */
static const ith_architecture architectures[] = {
    {"llama", "llama", "LlamaForCausalLM", .n_kv_heads = 0, .head_dim = 0, .ctx = 2048, .bos = 1, .eos = 2},
    {"qwen3", "qwen3", "Qwen3ForCausalLM", .n_kv_heads = 32, .head_dim = 128, .ctx = 32768, .bos = -1, .eos = -1},
    {"qwen3moe", "qwen3_moe", "Qwen3MoeForCausalLM", .n_kv_heads = 4, .head_dim = 0, .ctx = 32768, .bos = -1, .eos = -1,
     .experts = true},
};

enum { N_ARCHITECTURES = sizeof architectures / sizeof *architectures };

const ith_architecture *ith_architecture_by_name(const char *name)
{
    for (int i = 0; i < N_ARCHITECTURES; i++)
        if (strcmp(architectures[i].name, name) == 0)
            return &architectures[i];
    return NULL;
}

const ith_architecture *ith_architecture_by_model_type(const char *model_type)
{
    for (int i = 0; i < N_ARCHITECTURES; i++)
        if (strcmp(architectures[i].model_type, model_type) == 0)
            return &architectures[i];
    return NULL;
}

ith_status ith_architecture_unknown(const char *where, const char *found, ith_error *err)
{
    char known[256] = "";
    size_t used = 0;

    for (int i = 0; i < N_ARCHITECTURES && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", architectures[i].name);
    return ith_fail(err, ITH_E_UNSUPPORTED, "%s: architecture \"%s\" is not supported; Ithaca knows: %s", where, found,
                    known);
}
