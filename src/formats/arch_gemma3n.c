/* arch_gemma3n.c - Gemma 3n: Gemma 3's blocks with norms whose weights are as they are and a norm
 * of values, several streams of which one is computed with (AltUp), a product of low rank beside
 * attention (LAuReL), gates that are cut, inputs of each layer, and last layers that read keys and
 * values of earlier ones. */
#include "base/precise.h"
#include "formats/arch_gemma.h"
#include "formats/gguf_meta.h"
#include "formats/hf_config.h"
#include "formats/tensor_table.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const ith_hf_class classes[] = {{"gemma3n_text", "Gemma3nForCausalLM"}, {NULL, NULL}};

static const ith_hf_class wrappers[] = {{"gemma3n", "Gemma3nForConditionalGeneration"},
                                        {NULL, NULL}};

static ith_layer_form form_of(const ith_hparams *hp, int64_t i)
{
    bool cut = ith_hparams_cut(hp, i) != ITH_NO_CUT;

    return (ith_layer_form){
        6,
        {{.norm = ITH_ROLE_STREAM_NORM, .block = "predict"},
         {.norm = ITH_ROLE_ATTN_NORM, .block = "attention", .post = ITH_ROLE_ATTN_POST_NORM},
         {.block = "laurel", .beside = true, .scale = sqrtf(0.5f)},
         {.norm = ITH_ROLE_FFN_NORM,
          .block = cut ? "cut_mlp" : "mlp",
          .post = ITH_ROLE_FFN_POST_NORM},
         {.block = "correct"},
         {.block = "layer_inputs", .post = ITH_ROLE_INPUT_POST_NORM, .aside = true}}};
}

static const ith_arch_key keys[] = {
    {"rope_local_base_freq", "rope.freq_base_swa", ITH_KEY_REAL,
     offsetof(ith_hparams, window_theta)},
    {"hidden_size_per_layer_input", "embedding_length_per_layer_input", ITH_KEY_INT,
     offsetof(ith_hparams, layer_inputs.size)},
    {"vocab_size_per_layer_input", NULL, ITH_KEY_INT, offsetof(ith_hparams, layer_inputs.n_vocab)},
    {"num_kv_shared_layers", "attention.shared_kv_layers", ITH_KEY_INT,
     offsetof(ith_hparams, shared_kv)},
    {"laurel_rank", NULL, ITH_KEY_INT, offsetof(ith_hparams, laurel_rank)},
    {"altup_correct_scale", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, altup.scaled)},
    {NULL, "final_logit_softcapping", ITH_KEY_REAL, offsetof(ith_hparams, logit_softcap)},
    {"hidden_activation", NULL, ITH_KEY_ACTIVATION, offsetof(ith_hparams, act)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->act = ITH_ACT_GELU_TANH;
    hp->attn_scale = 1;
    hp->window_theta = 10000;
    hp->value_norm = true;
    hp->logit_softcap = 30;
    hp->layer_inputs = (ith_layer_inputs){.size = 256, .n_vocab = 262144};
    hp->shared_kv = 15;
    hp->altup = (ith_altup_params){.streams = 3, .scaled = true};
    hp->laurel_rank = 64;
}

/* ---- Cuts ---- */

/* The share of a standard normal distribution below z: 1/2 + density * (z + z^3/3 + z^5/15 + ...).
 */
static double share_below(double z)
{
    const double e = 2.718281828459045235, root = 2.506628274631000502; /* of 2 pi */
    double term = z, sum = z;

    for (int i = 3; i < 400; i += 2) {
        term *= z * z / i;
        sum += term;
    }
    return 0.5 + sum * ith_power(e, -z * z / 2) / root;
}

/* What share `p` of the gates lies below, in standard deviations from their mean; as the class, in
 * floats. */
static double cut_of(double p)
{
    double low = -6, high = 6;

    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        *(share_below(middle) < (double)(float)p ? &low : &high) = middle;
    }
    return (double)(float)high;
}

static void settle_cuts(ith_hparams *hp)
{
    bool any = false;

    for (int i = 0; i < hp->n_cuts; i++)
        any |= hp->cuts[i] != ITH_NO_CUT;
    if (!any)
        hp->n_cuts = 0;
}

/* ---- config.json ---- */

static const char *const config_keys[] = {
    "hidden_act",      "intermediate_size", "final_logit_softcapping",     "altup_active_idx",
    "altup_coef_clip", "altup_num_inputs",  "activation_sparsity_pattern", NULL};

/* One number, or one of each layer: the same in all. */
static ith_status read_width(const json_t *config, const char *where, ith_hparams *hp,
                             ith_error *err)
{
    static const char key[] = "intermediate_size";
    const json_t *list = json_object_get(config, key), *item;
    size_t i;

    hp->ffn = 16384;
    if (!json_is_array(list))
        return ith_json_int(config, where, key, 1, ITH_SIZE_LIMIT, &hp->ffn, err);
    if (!ith_hparams_lists_layers(hp, json_array_size(list)))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" lists %zu layers, expected %lld", where, key,
                        json_array_size(list), (long long)hp->n_layers);
    json_array_foreach (list, i, item) {
        if (!json_is_integer(item) || json_integer_value(item) < 1 ||
            json_integer_value(item) > ITH_SIZE_LIMIT)
            return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should hold whole numbers from 1 on",
                            where, key);
        if (i > 0 && json_integer_value(item) != hp->ffn)
            return ith_hf_refuse(where, key, "more than one width", err);
        hp->ffn = json_integer_value(item);
    }
    return ITH_OK;
}

/* By default most of the gates of the first ten layers. */
static ith_status read_cuts(const json_t *config, const char *where, ith_hparams *hp,
                            ith_error *err)
{
    static const char key[] = "activation_sparsity_pattern";
    enum { FIRST = 10 };
    const double least = 1e-6;
    const json_t *list = json_object_get(config, key);

    if (hp->n_layers > ITH_MAX_LISTED_LAYERS)
        return ith_hf_refuse(where, "num_hidden_layers", "more than 1024 layers with cuts", err);
    hp->n_cuts = (int)hp->n_layers;
    if (list != NULL && !json_is_null(list) &&
        (!json_is_array(list) || !ith_hparams_lists_layers(hp, json_array_size(list))))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should list a share of each layer", where,
                        key);
    for (int i = 0; i < hp->n_cuts; i++) {
        const json_t *item = json_array_get(list, (size_t)i);
        double share = hp->n_layers > FIRST && i < FIRST ? 0.95 : 0;
        if (item != NULL && !json_is_number(item))
            return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should hold numbers", where, key);
        if (item != NULL)
            share = json_number_value(item);
        if (share > 0 && !(share >= least && share <= 1 - least))
            return ith_hf_refuse(where, key, "a share outside of 0 to 1", err);
        hp->cuts[i] = share > 0 ? cut_of(share) : ITH_NO_CUT;
    }
    settle_cuts(hp);
    return ITH_OK;
}

/* What follows needs all of them. */
static ith_status check_there(const char *where, const ith_hparams *hp, ith_error *err)
{
    if (hp->layer_inputs.size == 0)
        return ith_hf_refuse(where, "hidden_size_per_layer_input", "0", err);
    if (hp->layer_inputs.n_vocab == 0)
        return ith_hf_refuse(where, "vocab_size_per_layer_input", "0", err);
    return hp->laurel_rank > 0 ? ITH_OK : ith_hf_refuse(where, "laurel_rank", "0", err);
}

static ith_status take_streams(const char *where, const char *const keys_of[2], int64_t inputs,
                               int64_t active, ith_hparams *hp, ith_error *err)
{
    if (inputs < 2)
        return ith_hf_refuse(where, keys_of[0], "a number of streams below 2", err);
    if (inputs > ITH_MAX_STREAMS + 1)
        return ith_hf_refuse(where, keys_of[0], "more than 8 streams", err);
    if (active != 0)
        return ith_hf_refuse(where, keys_of[1], "a stream other than the first", err);
    hp->altup.streams = inputs - 1;
    return ITH_OK;
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    static const char *const streams[] = {"altup_num_inputs", "altup_active_idx"};
    int64_t inputs = hp->altup.streams + 1, active = 0;

    ITH_TRY(read_width(config, where, hp, err));
    ITH_TRY(ith_gemma_read_cap(config, where, "final_logit_softcapping", &hp->logit_softcap, err));
    ITH_TRY(ith_json_int(config, where, streams[0], 0, ITH_SIZE_LIMIT, &inputs, err));
    ITH_TRY(ith_json_int(config, where, streams[1], 0, ITH_SIZE_LIMIT, &active, err));
    ITH_TRY(take_streams(where, streams, inputs, active, hp, err));
    ITH_TRY(check_there(where, hp, err));
    ith_gemma_scale_embeddings(hp);
    return read_cuts(config, where, hp, err);
}

/* ---- GGUF ---- */

static const char *const gguf_keys[] = {"altup.active_idx", "altup.num_inputs",
                                        "activation_sparsity_scale", "feed_forward_length", NULL};

/* Of each layer, in standard deviations; very low: none. */
static ith_status read_gguf_cuts(const struct ith_gguf_meta *meta, ith_hparams *hp, ith_error *err)
{
    static const char key[] = "activation_sparsity_scale";
    const ith_gguf_pair *pair = ith_gguf_find(meta, hp->architecture, key);

    if (pair == NULL)
        return ITH_OK;
    if (pair->type != ITH_GGUF_ARRAY || pair->item_type != ITH_GGUF_F32 ||
        !ith_hparams_lists_layers(hp, pair->count) || pair->count > ITH_MAX_LISTED_LAYERS)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s.%s should be a number of each layer", meta->path,
                        hp->architecture, key);
    hp->n_cuts = (int)hp->n_layers;
    for (int i = 0; i < hp->n_cuts; i++) {
        float cut;
        memcpy(&cut, pair->value + 4 * i, sizeof cut);
        hp->cuts[i] = cut < -100 ? ITH_NO_CUT : (double)cut;
    }
    settle_cuts(hp);
    return ITH_OK;
}

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    static const char *const streams[] = {"altup.num_inputs", "altup.active_idx"};
    int64_t inputs = hp->altup.streams + 1, active = 0;
    char name[ITH_TENSOR_NAME];
    const ith_tensor *left = NULL;

    ITH_TRY(ith_gemma_read_widths(meta, hp, err));
    ITH_TRY(ith_gguf_int(meta, hp->architecture, streams[0], 0, ITH_SIZE_LIMIT, &inputs, err));
    ITH_TRY(ith_gguf_int(meta, hp->architecture, streams[1], 0, ITH_SIZE_LIMIT, &active, err));
    ITH_TRY(take_streams(meta->path, streams, inputs, active, hp, err));
    ITH_TRY(ith_gemma_read_inputs(meta, tensors, hp, err));
    if (ith_arch_tensor_name(&ith_arch_gemma3n, true, ITH_ROLE_LAUREL_LEFT, 0, 0, name))
        left = ith_tensor_table_find(tensors, name);
    if (left == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s is missing", meta->path, name);
    hp->laurel_rank = left->dims[0];
    ITH_TRY(check_there(meta->path, hp, err));
    ith_gemma_scale_embeddings(hp);
    return read_gguf_cuts(meta, hp, err);
}

const ith_arch ith_arch_gemma3n = {
    .name = "gemma3n",
    .layer = form_of,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_names_hf_of_sandwich,
    .qk_norm = ITH_QK_NORM_HEAD,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {35, 2048, 16384, 8, 262400},
    .windows = ITH_WINDOWS_STEPS,
    .window_step = 5,
    .window_step_of_class = true,
    .window_rope = true,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.n_vocab = 262400,
                 .n_heads = 8,
                 .n_kv_heads = 2,
                 .head_dim = 256,
                 .ctx = 32768,
                 .window = 512,
                 .rms_eps = 1e-6,
                 .rope_theta = 1000000,
                 .tied_embeddings = true,
                 .bos = 2,
                 .eos = 1},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = gguf_keys,
    .read_gguf = read_gguf,
};
