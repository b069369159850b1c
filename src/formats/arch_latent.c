/* arch_latent.c - the sizes of multi-head latent attention. */
#include "formats/arch_latent.h"

#include "formats/hf_config.h"

/* Each query head has a key and a value of its own, made of the latent. */
static ith_status check_heads(const json_t *config, const char *where, ith_error *err)
{
    static const char key[] = "num_key_value_heads";
    int64_t heads = 0, kv_heads;

    ITH_TRY(ith_json_int(config, where, "num_attention_heads", 0, ITH_SIZE_LIMIT, &heads, err));
    kv_heads = heads;
    ITH_TRY(ith_json_int(config, where, key, 0, ITH_SIZE_LIMIT, &kv_heads, err));
    return heads == 0 || kv_heads == heads
               ? ITH_OK
               : ith_hf_refuse(where, key, "another number than that of attention heads", err);
}

ith_status ith_latent_read_config(const json_t *config, const char *where, int64_t q_rank,
                                  ith_latent_params *l, ith_error *err)
{
    const int64_t most = ITH_SIZE_LIMIT;
    bool pairs = true;

    *l = (ith_latent_params){.kv_rank = 512, .nope = 128, .rope = 64, .value = 128};
    if (json_object_get(config, "q_lora_rank") == NULL)
        l->q_rank = q_rank;
    ITH_TRY(ith_json_int(config, where, "kv_lora_rank", 1, most, &l->kv_rank, err));
    ITH_TRY(ith_json_int(config, where, "q_lora_rank", 1, most, &l->q_rank, err));
    ITH_TRY(ith_json_int(config, where, "qk_nope_head_dim", 1, most, &l->nope, err));
    ITH_TRY(ith_json_int(config, where, "qk_rope_head_dim", 1, most, &l->rope, err));
    ITH_TRY(ith_json_int(config, where, "v_head_dim", 1, most, &l->value, err));
    ITH_TRY(ith_json_bool(config, where, "rope_interleave", &pairs, err));
    l->halves = !pairs;
    return check_heads(config, where, err);
}

/* Older files, which have the heads' keys and values in one tensor, say the sizes of heads as those
 * of any attention; newer ones say those of the cached key there. */
ith_status ith_latent_read_gguf(const ith_gguf_meta *meta, ith_hparams *hp, ith_error *err)
{
    ith_latent_params *l = &hp->latent;
    const char *arch = hp->architecture;
    const int64_t most = ITH_SIZE_LIMIT;
    int64_t key = 0;

    ITH_TRY(ith_gguf_need_int(meta, arch, "attention.kv_lora_rank", &l->kv_rank, err));
    ITH_TRY(ith_gguf_int(meta, arch, "attention.q_lora_rank", 0, most, &l->q_rank, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "rope.dimension_count", &l->rope, err));
    ITH_TRY(ith_gguf_int(meta, arch, "attention.key_length", 1, most, &key, err));
    ITH_TRY(ith_gguf_int(meta, arch, "attention.value_length", 1, most, &l->value, err));
    ITH_TRY(ith_gguf_int(meta, arch, "attention.key_length_mla", 1, most, &key, err));
    ITH_TRY(ith_gguf_int(meta, arch, "attention.value_length_mla", 1, most, &l->value, err));
    l->nope = key - l->rope;
    return ITH_OK;
}

void ith_latent_settle(ith_hparams *hp)
{
    hp->n_kv_heads = 1;
    hp->head_dim = hp->latent.kv_rank + hp->latent.rope;
    hp->rope.rotated = hp->latent.rope;
}
