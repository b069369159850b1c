/* test_hf_config.c - config.json and generation_config.json, as Transformers 4 and 5 write them. */
#include "formats/arch.h"
#include "formats/hf_config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char qwen3_v4[] = /* Qwen3-8B's, Transformers 4.51 */
    "{'architectures': ['Qwen3ForCausalLM'], 'attention_bias': false, 'attention_dropout': 0.0, "
    "'bos_token_id': 151643,"
    " 'eos_token_id': 151645, 'head_dim': 128, 'hidden_act': 'silu', 'hidden_size': 4096, "
    "'initializer_range': 0.02,"
    " 'intermediate_size': 12288, 'max_position_embeddings': 40960, 'max_window_layers': 36, "
    "'model_type': 'qwen3',"
    " 'num_attention_heads': 32, 'num_hidden_layers': 36, 'num_key_value_heads': 8, "
    "'rms_norm_eps': 1e-06,"
    " 'rope_scaling': null, 'rope_theta': 1000000, 'sliding_window': null, 'tie_word_embeddings': "
    "false,"
    " 'torch_dtype': 'bfloat16', 'transformers_version': '4.51.0', 'use_cache': true, "
    "'use_sliding_window': false,"
    " 'vocab_size': 151936}";

static const char qwen3_v5[] = /* the same model, saved by Transformers 5 */
    "{'architectures': ['Qwen3ForCausalLM'], 'attention_bias': false, 'attention_dropout': 0.0, "
    "'bos_token_id': 151643,"
    " 'dtype': 'bfloat16', 'eos_token_id': 151645, 'head_dim': 128, 'hidden_act': 'silu', "
    "'hidden_size': 4096,"
    " 'initializer_range': 0.02, 'intermediate_size': 12288, 'layer_types': ['full_attention', "
    "'full_attention'],"
    " 'max_position_embeddings': 40960, 'max_window_layers': 36, 'model_type': 'qwen3', "
    "'num_attention_heads': 32,"
    " 'num_hidden_layers': 36, 'num_key_value_heads': 8, 'pad_token_id': null, 'rms_norm_eps': "
    "1e-06,"
    " 'rope_parameters': {'rope_theta': 1000000, 'rope_type': 'default'}, 'sliding_window': null,"
    " 'tie_word_embeddings': false, 'transformers_version': '5.0.0', 'use_cache': true, "
    "'use_sliding_window': false,"
    " 'vocab_size': 151936}";

#define LLAMA                                                                                      \
    "'model_type': 'llama', 'architectures': ['LlamaForCausalLM'], 'hidden_size': 576, "           \
    "'intermediate_size': 1536,"                                                                   \
    " 'num_hidden_layers': 30, 'num_attention_heads': 9, 'vocab_size': 49152"
#define QWEN                                                                                       \
    "'model_type': 'qwen3', 'hidden_size': 512, 'intermediate_size': 1536, 'num_hidden_layers': "  \
    "4,"                                                                                           \
    " 'num_attention_heads': 32, 'vocab_size': 1000"

#define STARCODER2                                                                                 \
    "'model_type': 'starcoder2', 'hidden_size': 64, 'intermediate_size': 128, "                    \
    "'num_hidden_layers': 2, 'num_attention_heads': 2, 'vocab_size': 100"

#define MAMBA(type)                                                                                \
    "'model_type': '" type "', 'hidden_size': 64, 'intermediate_size': 64, "                       \
    "'num_hidden_layers': 2, 'num_attention_heads': 2, 'num_key_value_heads': 1, 'head_dim': 32, " \
    "'vocab_size': 100, 'mamba_n_heads': 4, 'mamba_d_head': 16, 'mamba_d_ssm': 64, "               \
    "'mamba_d_state': 16"

#define NEMOTRON_H                                                                                 \
    MAMBA("nemotron_h")                                                                            \
    ", 'mamba_num_heads': 4, 'mamba_head_dim': 16, 'n_groups': 2, 'ssm_state_size': 16"

#define KIMI                                                                                       \
    "'model_type': 'kimi_linear', 'hidden_size': 64, 'intermediate_size': 96, "                    \
    "'num_hidden_layers': 3, 'num_attention_heads': 4, 'vocab_size': 100, 'kv_lora_rank': 32"
#define KIMI_LISTS(full, kda)                                                                      \
    "'linear_attn_config': {'head_dim': 32, 'num_heads': 3, 'short_conv_kernel_size': 3, "         \
    "'full_attn_layers': " full ", 'kda_layers': " kda "}"

#define MOE                                                                                        \
    "'model_type': 'qwen3_moe', 'architectures': ['Qwen3MoeForCausalLM'], 'hidden_size': 512,"     \
    " 'intermediate_size': 1536, 'num_hidden_layers': 6, 'num_attention_heads': 8, 'vocab_size': " \
    "1000"

/* JSON with ' for ". */
static json_t *json(const char *text)
{
    char *copy = strdup(text);
    json_t *root;
    assert_non_null(copy);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    root = json_loads(copy, 0, NULL);
    if (root == NULL)
        fail_msg("not JSON: %s", copy);
    free(copy);
    return root;
}

static ith_status parse(const char *text, ith_hparams *hp, ith_error *err)
{
    json_t *root = json(text);
    ith_status status = ith_hf_config_parse(root, "config.json", hp, err);
    json_decref(root);
    return status;
}

static ith_hparams good(const char *text)
{
    ith_hparams hp;
    ith_error err = {0};
    if (parse(text, &hp, &err) != ITH_OK)
        fail_msg("%s", err.text);
    return hp;
}

static void check_qwen3_8b(const ith_hparams *hp)
{
    assert_string_equal(hp->architecture, "qwen3");
    assert_int_equal(hp->n_layers, 36);
    assert_int_equal(hp->hidden, 4096);
    assert_int_equal(hp->ffn, 12288);
    assert_int_equal(hp->n_heads, 32);
    assert_int_equal(hp->n_kv_heads, 8);
    assert_int_equal(hp->head_dim, 128);
    assert_int_equal(hp->n_vocab, 151936);
    assert_int_equal(hp->ctx_train, 40960);
    assert_true(hp->rms_eps == 1e-6 && hp->rope.theta == 1e6);
    assert_int_equal(hp->rope.kind, ITH_ROPE_PLAIN);
    assert_false(hp->tied_embeddings);
    assert_int_equal(hp->bos, 151643);
    assert_int_equal(hp->n_eos, 1);
    assert_int_equal(hp->eos[0], 151645);
    assert_false(hp->has_sampling);
}

static void both_spellings_are_read(void **state)
{
    ith_hparams v4 = good(qwen3_v4), v5 = good(qwen3_v5);
    (void)state;
    check_qwen3_8b(&v4);
    check_qwen3_8b(&v5);
}

static void defaults_are_the_classes(void **state)
{
    ith_hparams hp = good("{" LLAMA "}");
    (void)state;
    assert_int_equal(hp.n_kv_heads, 9);
    assert_int_equal(hp.head_dim, 64);
    assert_int_equal(hp.ctx_train, 2048);
    assert_false(hp.tied_embeddings);
    assert_int_equal(hp.bos, 1);
    assert_int_equal(hp.eos[0], 2);
    assert_true(hp.rope.theta == 10000 && hp.rms_eps == 1e-6);
    hp = good("{" QWEN "}");
    assert_int_equal(hp.n_kv_heads, 32);
    assert_int_equal(hp.head_dim, 128); /* not 512 / 32 */
    assert_int_equal(hp.ctx_train, 32768);
    assert_false(hp.tied_embeddings);
    assert_int_equal(hp.bos, -1);
    assert_int_equal(hp.n_eos, 0);
    hp = good("{" LLAMA ", 'tie_word_embeddings': true, 'num_key_value_heads': 3, 'head_dim': "
              "null, 'pretraining_tp': 1}");
    assert_true(hp.tied_embeddings);
    assert_int_equal(hp.n_kv_heads, 3);
    assert_int_equal(hp.head_dim, 64);
}

static void qwen2_is_qwen2(void **state)
{
    ith_hparams hp = good("{'model_type': 'qwen2', 'architectures': ['Qwen2ForCausalLM'], "
                          "'hidden_size': 896, 'intermediate_size': 4864,"
                          " 'num_hidden_layers': 24, 'num_attention_heads': 14, "
                          "'num_key_value_heads': 2, 'vocab_size': 151936,"
                          " 'rope_theta': 1000000.0, 'tie_word_embeddings': true, "
                          "'use_sliding_window': false, 'sliding_window': 32768,"
                          " 'max_window_layers': 21}");
    const ith_arch *arch = ith_arch_find(hp.architecture);
    (void)state;
    assert_string_equal(hp.architecture, "qwen2");
    assert_true(arch->qkv_bias && !arch->qk_norm && !arch->gguf_interleaved_qk);
    assert_int_equal(hp.head_dim, 64);
    assert_int_equal(hp.n_kv_heads, 2);
    assert_int_equal(hp.ctx_train, 32768);
    assert_true(hp.rms_eps == 1e-6 && hp.rope.theta == 1e6 && hp.tied_embeddings);
    assert_true(hp.bos == -1 && hp.n_eos == 0);
}

/* A family's biases, and what says that there are none, or more. */
static void biases_are_those_of_the_family_or_the_file(void **state)
{
#define SIZES                                                                                      \
    "'hidden_size': 64, 'intermediate_size': 64, 'num_hidden_layers': 2, "                         \
    "'num_attention_heads': 2, 'num_key_value_heads': 1, 'head_dim': 32, 'vocab_size': 100"
#define OF(type) "{'model_type': '" type "', " SIZES
    static const struct {
        const char *text;
        bool qkv, o;
    } cases[] = {
        {OF("glm") "}", true, false},
        {OF("glm4") ", 'attention_bias': null}", true, false},
        {OF("glm4") ", 'attention_bias': true}", true, false},
        {OF("glm") ", 'attention_bias': false}", false, false},
        {OF("seed_oss") ", 'attention_bias': false, 'attention_out_bias': true}", false, true},
        {OF("seed_oss") "}", true, false},
        {OF("llama") ", 'attention_bias': true}", true, true},
        {OF("stablelm") ", 'use_qkv_bias': true, 'attention_bias': false}", true, false},
        {OF("qwen2") ", 'attention_bias': false}", true, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ith_hparams hp = good(cases[i].text);
        if (hp.qkv_bias != cases[i].qkv || hp.o_bias != cases[i].o || hp.mlp_bias)
            fail_msg("%s: %d %d %d", cases[i].text, hp.qkv_bias, hp.o_bias, hp.mlp_bias);
    }
}

static void check_yarn(const ith_hparams *hp)
{
    assert_int_equal(hp->rope.kind, ITH_ROPE_YARN);
    assert_true(hp->rope.theta == 1e6 && hp->rope.factor == 4.0 && hp->rope.beta_fast == 32 &&
                hp->rope.beta_slow == 1);
    assert_true(hp->rope.attention_factor == 0 && hp->rope.mscale == 0 && hp->rope.truncate);
    assert_int_equal(hp->rope.original_context, 32768);
    assert_int_equal(hp->ctx_train, 131072); /* though max_position_embeddings was left at 40960 */
}

static void yarn_in_both_spellings(void **state)
{
    ith_hparams hp;
    (void)state;
    hp = good("{" QWEN ", 'max_position_embeddings': 40960, 'rope_theta': 1e6,"
              " 'rope_scaling': {'rope_type': 'yarn', 'factor': 4.0, "
              "'original_max_position_embeddings': 32768}}");
    check_yarn(&hp);
    hp = good("{" QWEN ", 'max_position_embeddings': 40960, 'rope_theta': 1e6,"
              " 'rope_scaling': {'type': 'yarn', 'factor': 4.0, "
              "'original_max_position_embeddings': 32768}}");
    check_yarn(&hp);
    hp = good("{" QWEN ", 'max_position_embeddings': 40960, 'rope_parameters': {'rope_theta': 1e6, "
              "'rope_type': 'yarn',"
              " 'factor': 4.0, 'original_max_position_embeddings': 32768}}");
    check_yarn(&hp);
    hp = good("{" QWEN ", 'max_position_embeddings': 65536, 'rope_parameters': {'rope_type': "
              "'yarn', 'factor': null,"
              " 'original_max_position_embeddings': 16384, 'beta_fast': 16, 'beta_slow': 2, "
              "'attention_factor': 1.5,"
              " 'mscale': 0.7, 'mscale_all_dim': 0.5, 'truncate': false}}");
    assert_true(hp.rope.factor == 4.0 && hp.rope.beta_fast == 16 && hp.rope.beta_slow == 2 &&
                hp.rope.attention_factor == 1.5);
    assert_true(hp.rope.mscale == 0.7 && hp.rope.mscale_all_dim == 0.5 && !hp.rope.truncate);
    assert_int_equal(hp.ctx_train, 65536);
}

static void linear_and_llama3(void **state)
{
    ith_hparams hp = good("{" LLAMA ", 'rope_scaling': {'type': 'linear', 'factor': 2.0}}");
    (void)state;
    assert_int_equal(hp.rope.kind, ITH_ROPE_LINEAR);
    assert_true(hp.rope.factor == 2.0);
    hp = good("{" LLAMA ", 'max_position_embeddings': 131072, 'rope_scaling': {'factor': 8.0, "
              "'low_freq_factor': 1.0,"
              " 'high_freq_factor': 4.0, 'original_max_position_embeddings': 8192, 'rope_type': "
              "'llama3'}}");
    assert_int_equal(hp.rope.kind, ITH_ROPE_LLAMA3);
    assert_true(hp.rope.factor == 8 && hp.rope.low_freq_factor == 1 &&
                hp.rope.high_freq_factor == 4);
    assert_int_equal(hp.rope.original_context, 8192);
    assert_int_equal(hp.ctx_train, 131072);
}

/* The text of a model with images, by itself, with what the whole says of both. */
static void text_of_a_model_with_images(void **state)
{
    ith_hparams hp = good("{'model_type': 'gemma3', 'architectures': "
                          "['Gemma3ForConditionalGeneration'], 'eos_token_id': [1, 106], "
                          "'tie_word_embeddings': false, 'vision_config': {'hidden_size': 9},"
                          " 'text_config': {'model_type': 'gemma3_text', 'hidden_size': 2560, "
                          "'intermediate_size': 10240, 'num_hidden_layers': 34, 'rope_scaling': "
                          "{'factor': 8.0, 'rope_type': 'linear'}, 'sliding_window': 1024}}");
    ith_error err = {0};
    (void)state;

    assert_string_equal(hp.architecture, "gemma3");
    assert_true(hp.hidden == 2560 && hp.n_heads == 8 && hp.n_kv_heads == 4 && hp.head_dim == 256 &&
                hp.n_vocab == 262208 && !hp.tied_embeddings && hp.n_eos == 2 && hp.eos[1] == 106);
    assert_true(hp.rope.kind == ITH_ROPE_LINEAR && hp.rope.theta == 1e6 &&
                hp.window_theta == 10000 && hp.window == 1024 && hp.n_traits == 34);
    assert_int_equal(hp.traits[5], 0);
    assert_int_equal(hp.traits[6], ITH_LAYER_WINDOW | ITH_LAYER_WINDOW_ROPE);
    /* sections of rotary positions, in a file that says all at the top; a whole that ties */
    hp = good("{'model_type': 'qwen2_vl', 'hidden_size': 64, 'intermediate_size': 64, "
              "'num_hidden_layers': 2, 'num_attention_heads': 2, 'num_key_value_heads': 1, "
              "'vocab_size': 100, 'rope_theta': 1000.0, 'vision_config': {}, 'rope_scaling': "
              "{'type': 'mrope', 'mrope_section': [4, 6, 6]}}");
    assert_true(hp.rope.kind == ITH_ROPE_PLAIN && hp.rope.theta == 1000 && hp.qkv_bias);
    hp = good("{'model_type': 'internvl', 'tie_word_embeddings': true, 'text_config': "
              "{'model_type': 'qwen2', 'tie_word_embeddings': false, 'hidden_size': 64, "
              "'intermediate_size': 64, 'num_hidden_layers': 2, 'num_attention_heads': 2, "
              "'num_key_value_heads': 1, 'vocab_size': 100}}");
    assert_true(hp.tied_embeddings);
    /* a whole that is not known */
    assert_int_equal(
        parse("{'model_type': 'other', 'text_config': {'model_type': 'gemma3_text'}}", &hp, &err),
        ITH_E_UNSUPPORTED);
    assert_int_equal(parse("{'model_type': 'gemma3', 'text_config': {'model_type': 'gemma3_text', "
                           "'hidden_size': 64, 'intermediate_size': 64, 'num_hidden_layers': 2},"
                           " 'quantization_config': {'quant_method': 'hqq'}}",
                           &hp, &err),
                     ITH_E_UNSUPPORTED);
}

#define GEMMA4                                                                                     \
    "'model_type': 'gemma4_text', 'hidden_size': 64, 'intermediate_size': 64, "                    \
    "'num_hidden_layers': 6, 'num_key_value_heads': 4, 'head_dim': 16, 'sliding_window': 32, "     \
    "'num_global_key_value_heads': 2"

/* Layers without a window have heads of their own, said of all or of each. */
static void heads_of_two_sizes(void **state)
{
    ith_hparams hp = good("{" GEMMA4 ", 'global_head_dim': 24, 'attention_k_eq_v': true}");
    (void)state;

    assert_true(ith_hparams_head_dim(&hp, 4) == 16 && ith_hparams_kv_heads(&hp, 4) == 4);
    assert_true(ith_hparams_head_dim(&hp, 5) == 24 && ith_hparams_kv_heads(&hp, 5) == 2);
    assert_true(hp.full.keys_are_values && hp.value_norm && hp.layer_scale && hp.attn_scale == 1);
    assert_int_equal(ith_hparams_shared_heads(&hp), 2);
    /* as the class has it, where the file does not say */
    assert_true(hp.rope.kind == ITH_ROPE_PROPORTIONAL && hp.rope.rotated == 6 &&
                hp.rope.theta == 1e6 && hp.window_theta == 1e4);
    /* the number of KV heads counts with values that are keys */
    hp = good("{" GEMMA4 "}");
    assert_true(ith_hparams_head_dim(&hp, 5) == 512 && ith_hparams_kv_heads(&hp, 5) == 4);
    hp = good("{" GEMMA4 ", 'per_layer_config': {'5': {'head_dim': 8, 'num_key_value_heads': 1}}}");
    assert_true(ith_hparams_head_dim(&hp, 5) == 8 && ith_hparams_kv_heads(&hp, 5) == 1);
    assert_true(ith_hparams_head_dim(&hp, 0) == 16 && ith_hparams_kv_heads(&hp, 0) == 4);
    /* the last layer never has a window */
    hp = good("{" GEMMA4 ", 'layer_types': ['sliding_attention', 'full_attention', "
              "'sliding_attention', 'sliding_attention', 'full_attention', 'sliding_attention']}");
    assert_int_equal(hp.traits[5], 0);
    assert_int_equal(hp.traits[3], ITH_LAYER_WINDOW | ITH_LAYER_WINDOW_ROPE);
}

#define GEMMA3N                                                                                    \
    "'model_type': 'gemma3n_text', 'hidden_size': 64, 'num_hidden_layers': 4, "                    \
    "'num_attention_heads': 4, 'head_dim': 16, 'num_kv_shared_layers': 2, "                        \
    "'layer_types': ['sliding_attention', 'full_attention', 'sliding_attention', "                 \
    "'full_attention']"

/* Inputs of each layer, last layers that read keys and values of earlier ones, cuts of gates. */
static void layers_of_gemma3n(void **state)
{
    ith_hparams hp = good("{" GEMMA3N ", 'activation_sparsity_pattern': [0.95, 0.0, 0.5, 0.0]}");
    (void)state;

    assert_true(hp.ffn == 16384 && hp.altup.streams == 3 && hp.altup.scaled);
    assert_true(hp.laurel_rank == 64 && hp.layer_inputs.size == 256 && hp.logit_softcap == 30);
    assert_int_equal(ith_hparams_kv_from(&hp, 1), 1);
    assert_int_equal(ith_hparams_kv_from(&hp, 2), 0);
    assert_int_equal(ith_hparams_kv_from(&hp, 3), 1);
    assert_true(fabs(ith_hparams_cut(&hp, 0) - 1.6448536) < 1e-6);
    assert_true(ith_hparams_cut(&hp, 1) == ITH_NO_CUT && fabs(ith_hparams_cut(&hp, 2)) < 1e-6);
    hp = good("{" GEMMA3N "}"); /* few layers have no cuts by default */
    assert_int_equal(hp.n_cuts, 0);
    hp = good("{" GEMMA4 ", 'num_kv_shared_layers': 3, 'use_double_wide_mlp': true, 'layer_types': "
              "['full_attention', 'sliding_attention', 'sliding_attention', 'full_attention', "
              "'sliding_attention', 'full_attention']}");
    assert_true(hp.layer_inputs.size == 256 && hp.layer_inputs.n_vocab == 262144);
    assert_true(ith_hparams_kv_from(&hp, 4) == 2 && ith_hparams_kv_from(&hp, 5) == 0);
    assert_true(ith_hparams_ffn(&hp, 2) == 64 && ith_hparams_ffn(&hp, 3) == 128);
}

typedef struct bad_case {
    const char *text;
    ith_status status;
    const char *error; /* part of it */
} bad_case;

static void check_bad(const bad_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ith_hparams hp;
        ith_error err = {0};
        ith_status status = parse(cases[i].text, &hp, &err);
        if (status != cases[i].status || strstr(err.text, cases[i].error) == NULL ||
            strstr(err.text, "config.json") == NULL)
            fail_msg("%s: status %d, \"%s\"", cases[i].text, status, err.text);
    }
}

static void steps_without_a_bound_are_read(void **state)
{
    (void)state;
    good("{" MAMBA("falcon_h1") "}");
    good("{" MAMBA("falcon_h1") ", 'time_step_limit': [0.0, {'__float__': 'Infinity'}]}");
    good("{" MAMBA("bamba") ", 'time_step_limit': [0, 1e39]}");
    good("{" MAMBA("bamba") ", 'time_step_limit': [0.0, 'Infinity']}"); /* how Infinity is read */
    good("{" MAMBA("bamba") ", 'time_step_limit': null}");
    good("{" NEMOTRON_H ", 'hybrid_override_pattern': 'M*'}");
    good("{" NEMOTRON_H ", 'hybrid_override_pattern': 'M*', 'mamba_dt_limit': [0.0, 1e39]}");
}

static void layers_of_one_block_are_read(void **state)
{
    ith_hparams hp = good("{" NEMOTRON_H ", 'hybrid_override_pattern': 'M-*E'}");
    (void)state;

    assert_true(hp.n_layers == 4 && hp.traits[0] == ITH_LAYER_RECURRENT);
    assert_true(hp.traits[2] == ITH_LAYER_NO_ROPE && hp.traits[3] == ITH_LAYER_MLP);
    assert_true(ith_hparams_has_experts(&hp, 3) && !ith_hparams_has_experts(&hp, 1));
    assert_true(hp.mamba.dt_least == 0.001 && hp.act == ITH_ACT_RELU2 && hp.rms_eps == 1e-5);
    hp = good("{" NEMOTRON_H ", 'layer_types': ['mamba', 'mlp'], 'time_step_min': 0.5, "
              "'mlp_hidden_act': 'gelu', 'hidden_act': 'relu2', 'layer_norm_epsilon': 0.25, "
              "'rms_norm_eps': 0.5}");
    assert_true(hp.n_layers == 2 && hp.traits[1] == ITH_LAYER_MLP && hp.experts.n == 0);
    assert_true(hp.mamba.dt_least == 0.5 && hp.act == ITH_ACT_GELU && hp.rms_eps == 0.25);
    /* What all keys say is the same; older names count. */
    hp = good("{" NEMOTRON_H ", 'layer_types': ['full_attention', 'linear_attention'], "
              "'layers_block_type': ['attention', 'mamba'], 'hybrid_override_pattern': '*M', "
              "'mamba_n_groups': 4, 'mamba_d_conv': 3, 'mamba_conv_bias': false, "
              "'mamba_dt_min': 0.25}");
    assert_true(hp.traits[0] == ITH_LAYER_NO_ROPE && hp.traits[1] == ITH_LAYER_RECURRENT);
    assert_true(hp.mamba.groups == 4 && hp.mamba.taps == 3 && !hp.mamba.conv_bias);
    assert_true(hp.mamba.dt_least == 0.25);
}

#define SMALL(type)                                                                                \
    "{'model_type': '" type "', 'hidden_size': 64, 'intermediate_size': 128, 'vocab_size': 100, "  \
    "'num_hidden_layers': 2, 'num_attention_heads': 2, 'num_key_value_heads': 2"

/* Kimi Linear's lists number layers from 1 on; newer files have words. */
static void layers_of_two_kinds_of_attention_are_read(void **state)
{
    ith_hparams hp = good("{" KIMI ", " KIMI_LISTS(
        "[2]", "[1, 3]") ", 'model_max_length': 4096, "
                         "'num_experts': 6, 'num_experts_per_token': 2, 'head_dim': 99}");
    (void)state;

    assert_true(hp.traits[0] == ITH_LAYER_RECURRENT && hp.traits[1] == ITH_LAYER_NO_ROPE &&
                hp.traits[2] == ITH_LAYER_RECURRENT);
    assert_true(hp.delta.key_heads == 3 && hp.delta.value_heads == 3 && hp.delta.key_dim == 32 &&
                hp.delta.value_dim == 32 && hp.delta.taps == 3);
    assert_true(hp.latent.kv_rank == 32 && hp.latent.q_rank == 0 && hp.head_dim == 96);
    assert_true(hp.experts.n == 6 && hp.experts.used == 2 && hp.experts.first == 1);
    assert_true(hp.experts.shared_ffn == 1024 && hp.ctx_train == 4096);
    /* as the class has it */
    hp = good("{" KIMI ", 'num_hidden_layers': 9}");
    for (int i = 0; i < 9; i++)
        assert_int_equal(hp.traits[i], i == 4 || i == 8 ? ITH_LAYER_NO_ROPE : ITH_LAYER_RECURRENT);
    hp = good("{" KIMI ", 'layer_types': ['full_attention', 'linear_attention', "
              "'linear_attention'], 'mlp_layer_types': ['dense', 'sparse', 'dense'], "
              "'linear_num_heads': 2, 'linear_head_dim': 16, 'num_local_experts': 4, "
              "'num_experts_per_tok': 2, "
              "'num_shared_experts': 2, 'moe_intermediate_size': 40, 'q_lora_rank': 24}");
    assert_true(hp.traits[0] == ITH_LAYER_NO_ROPE && hp.traits[2] == ITH_LAYER_RECURRENT);
    assert_true(hp.delta.key_heads == 2 && hp.delta.key_dim == 16 && hp.delta.taps == 4);
    assert_true(!ith_hparams_has_experts(&hp, 0) && ith_hparams_has_experts(&hp, 1) &&
                !ith_hparams_has_experts(&hp, 2));
    assert_true(hp.experts.shared_ffn == 80 && hp.latent.q_rank == 24);
}

/* The text of LLaVA 1.5 and 1.6, which says little more than its class. */
static void texts_have_their_classes_sizes(void **state)
{
    ith_hparams hp = good("{'model_type': 'llava', 'text_config': {'model_type': 'llama', "
                          "'max_position_embeddings': 4096, 'vocab_size': 32064}}");
    (void)state;

    assert_true(hp.n_layers == 32 && hp.hidden == 4096 && hp.ffn == 11008 && hp.n_heads == 32 &&
                hp.n_kv_heads == 32 && hp.head_dim == 128 && hp.n_vocab == 32064);
    hp = good("{'model_type': 'llava_next', 'text_config': {'model_type': 'mistral', "
              "'intermediate_size': 14000, 'sliding_window': null}}");
    assert_true(hp.n_layers == 32 && hp.hidden == 4096 && hp.ffn == 14000 && hp.n_heads == 32 &&
                hp.n_kv_heads == 8 && hp.n_vocab == 32000);
    hp = good("{'model_type': 'qwen3_vl', 'text_config': {'model_type': 'qwen3_vl_text'}}");
    assert_true(hp.n_layers == 32 && hp.hidden == 4096 && hp.ffn == 22016);
}

/* Zero is not the same as nothing. */
static void shares_of_a_head_rotate(void **state)
{
    (void)state;
    assert_int_equal(good(SMALL("gpt_neox") "}").rope.rotated, 8);
    assert_int_equal(good(SMALL("gpt_neox") ", 'rotary_pct': 0.5}").rope.rotated, 16);
    assert_int_equal(good(SMALL("gpt_neox") ", 'rotary_pct': 1.0}").rope.rotated, 0);
    assert_int_equal(good(SMALL("gpt_neox") ", 'rotary_pct': 0.5, 'rope_parameters': "
                                            "{'partial_rotary_factor': 0.125}}")
                         .rope.rotated,
                     4);
    assert_true(good(SMALL("gpt_neox") ", 'rotary_emb_base': 5000}").rope.theta == 5000);
    assert_true(good(SMALL("gpt_neox") ", 'rotary_emb_base': 5000, 'rope_theta': 5000, "
                                       "'rotary_pct': 0.5, 'partial_rotary_factor': 0.5}")
                    .rope.theta == 5000);
    assert_int_equal(good(SMALL("phi") "}").rope.rotated, 16);
    assert_int_equal(good(SMALL("phi") ", 'partial_rotary_factor': 1}").rope.rotated, 0);
    assert_int_equal(good(SMALL("phi") ", 'partial_rotary_factor': null}").rope.rotated, 16);
}

/* Phi-3.5-MoE: its older files have another name of the class. */
static void sparse_mixers_are_read(void **state)
{
    ith_hparams hp = good(
        SMALL("phimoe") ", 'architectures': ['PhiMoEForCausalLM'], "
                        "'router_jitter_noise': 0.25, 'lm_head_bias': true, 'rms_norm_eps': 0.5, "
                        "'attention_bias': true}");
    (void)state;

    assert_true(hp.experts.router.score == ITH_ROUTER_MIXER && hp.experts.router.jitter == 0.25);
    assert_true(hp.experts.n == 16 && hp.experts.used == 2 && hp.experts.ffn == 128);
    assert_true(hp.output_bias && hp.qkv_bias && hp.o_bias && hp.rms_eps == 0.5);
    good(SMALL("phimoe") ", 'architectures': ['PhimoeForCausalLM']}");
}

/* What only these classes have. */
static void older_classes_are_read(void **state)
{
    ith_hparams hp = good(SMALL("gpt_neox") ", 'use_parallel_residual': false, "
                                            "'attention_bias': false}");
    (void)state;

    assert_true(!hp.parallel && !hp.qkv_bias && !hp.o_bias && hp.mlp_bias);
    hp = good(SMALL("olmo") ", 'clip_qkv': 8.0}");
    assert_true(hp.qkv_limit == 8 && hp.rms_eps == 1e-5);
    hp = good(SMALL("phi") ", 'qk_layernorm': false}");
    assert_true(hp.parallel && hp.output_bias);
    hp = good("{'model_type': 'aya_vision', 'architectures': "
              "['AyaVisionForConditionalGeneration'], 'text_config': " SMALL(
                  "cohere2") ", 'logit_scale': 0.25}}");
    assert_string_equal(hp.architecture, "cohere2");
    assert_true(hp.logit_scale == 0.25);
    /* dots.llm1 has windows whatever use_sliding_window says */
    hp = good(SMALL("dots1") ", 'n_routed_experts': 4, 'num_experts_per_tok': 2, "
                             "'sliding_window': 20, 'max_window_layers': 1, "
                             "'use_sliding_window': false}");
    assert_true(hp.window == 20 && hp.traits[0] == 0 && hp.traits[1] == ITH_LAYER_WINDOW);
}

/* The epsilon of a class that has another name for it, or a constant. */
static void foreign_epsilons_do_not_count(void **state)
{
    (void)state;
#define CLASS(type) SMALL(type) ", 'rms_norm_eps': 0.5"
    assert_true(good(CLASS("olmo") "}").rms_eps == 1e-5);
    assert_true(good(CLASS("phi") "}").rms_eps == 1e-5);
    assert_true(good(CLASS("gpt_neox") "}").rms_eps == 1e-5);
    assert_true(good(CLASS("cohere") "}").rms_eps == 1e-5);
    assert_true(good(CLASS("nemotron") "}").rms_eps == 1e-5);
    assert_true(good(CLASS("stablelm") "}").rms_eps == 1e-5);
    assert_true(good(CLASS("starcoder2") "}").rms_eps == 1e-5);
    assert_true(good(CLASS("lfm2") "}").rms_eps == 1e-5);
    assert_true(good(CLASS("lfm2") ", 'norm_eps': 0.25}").rms_eps == 0.25);
    assert_true(good(CLASS("starcoder2") ", 'norm_epsilon': 0.25}").rms_eps == 0.25);
    assert_true(good(CLASS("llama") "}").rms_eps == 0.5);
}

/* Without rotary positions in the file, those of the class. */
static void classes_have_rotary_positions_of_their_own(void **state)
{
    ith_hparams hp = good(SMALL("gpt_oss") ", 'num_local_experts': 4}");
    (void)state;

    assert_true(good(SMALL("cohere") "}").rope.theta == 500000);
    assert_true(good(SMALL("cohere2") "}").rope.theta == 10000);
    assert_true(good(SMALL("olmo3") "}").rope.theta == 500000);
    assert_true(hp.rope.kind == ITH_ROPE_YARN && hp.rope.factor == 32 && !hp.rope.truncate);
    assert_true(hp.rope.original_context == 4096 && hp.rope.theta == 150000);
    hp = good(SMALL("gpt_oss") ", 'num_experts': 4, 'rope_theta': 777, 'rope_parameters': null}");
    assert_true(hp.rope.kind == ITH_ROPE_YARN && hp.rope.theta == 777 && hp.experts.n == 4);
    hp = good(SMALL("gpt_oss") ", 'num_local_experts': 4, 'rope_parameters': "
                               "{'rope_type': 'default', 'rope_theta': 777}}");
    assert_true(hp.rope.kind == ITH_ROPE_PLAIN && hp.rope.theta == 777);
    hp = good(SMALL("ministral3") ", 'rope_theta': 777}");
    assert_true(hp.rope.kind == ITH_ROPE_YARN && hp.rope.factor == 16 && hp.rope.theta == 1e6);
    assert_true(hp.rope.original_context == 16384 && hp.query_tokens == 16384);
    assert_true(hp.query_beta == 0.1 && hp.rope.mscale == 1 && hp.rope.mscale_all_dim == 1);
}

/* The context before scaling: what stands beside the parameters counts before them. */
static void original_contexts_are_read(void **state)
{
#define YARN(more) ", 'rope_scaling': {'rope_type': 'yarn', 'factor': 4" more "}"
#define ORIGINAL   "'original_max_position_embeddings'"
    static const struct {
        const char *text;
        int64_t tokens;
    } cases[] = {
        {SMALL("llama") YARN("") "}", 2048},
        {SMALL("llama") YARN(", " ORIGINAL ": 64") "}", 64},
        {SMALL("llama") YARN("") ", " ORIGINAL ": 32}", 32},
        {SMALL("llama") YARN(", " ORIGINAL ": 64") ", " ORIGINAL ": 32}", 32},
        {SMALL("llama") YARN(", " ORIGINAL ": 64") ", " ORIGINAL ": null}", 64},
        {SMALL("llama") ", " ORIGINAL ": 32, 'rope_scaling': {'rope_type': 'llama3', 'factor': 4, "
                        "'low_freq_factor': 1, 'high_freq_factor': 4, " ORIGINAL ": 64}}",
         32},
        /* of a type of layers: only their own */
        {SMALL("olmo3") ", " ORIGINAL ": 32, 'layer_types': ['sliding_attention', "
                        "'full_attention'], 'rope_parameters': {'full_attention': {'rope_type': "
                        "'yarn', 'factor': 4, 'rope_theta': 1e4, " ORIGINAL ": 64}, "
                        "'sliding_attention': {'rope_type': 'default', 'rope_theta': 1e4}}}",
         64},
    };
    const char phi[] = SMALL("phi3") ", 'head_dim': 4, 'rope_scaling': {'type': 'yarn', "
                                     "'short_factor': [1, 2], 'long_factor': [3, 4]";
    char text[1000];
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(good(cases[i].text).rope.original_context, cases[i].tokens);
    snprintf(text, sizeof text, "%s, " ORIGINAL ": 64}}", phi); /* which the class does not read */
    assert_int_equal(good(text).rope.original_context, 4096);
    assert_int_equal(good(text).rope.kind, ITH_ROPE_LONG); /* its first name was "yarn" */
    snprintf(text, sizeof text, "%s}, " ORIGINAL ": 64}", phi);
    assert_int_equal(good(text).rope.original_context, 64);
    assert_true(good(SMALL("llama") ", 'rope_scaling': {}, 'rope_parameters': {'rope_type': "
                                    "'linear', 'factor': 2, 'rope_theta': 5}}")
                    .rope.kind == ITH_ROPE_LINEAR);
#undef YARN
#undef ORIGINAL
}

/* Where there is a window, layers without it do not rotate: also if all are without it. */
static void layers_without_the_window_do_not_rotate(void **state)
{
    static const char types[] = ", 'layer_types': ['full_attention', 'full_attention']";
    char text[500];
    ith_hparams hp;
    (void)state;

    snprintf(text, sizeof text, "%s%s}", SMALL("exaone4"), types);
    hp = good(text);
    assert_true(hp.traits[0] == ITH_LAYER_NO_ROPE && hp.traits[1] == ITH_LAYER_NO_ROPE);
    assert_int_equal(hp.window, 0);
    snprintf(text, sizeof text, "%s%s, 'sliding_window': null}", SMALL("exaone4"), types);
    assert_int_equal(good(text).n_traits, 0);
    snprintf(text, sizeof text, "%s%s}", SMALL("cohere2"), types);
    assert_true(good(text).traits[1] == ITH_LAYER_NO_ROPE);
}

/* What these classes fix, whatever the file says, and other names of keys. */
static void classes_do_not_read_all(void **state)
{
    ith_hparams hp = good("{" KIMI ", " KIMI_LISTS(
        "[2]", "[1, 3]") ", 'rope_scaling': {'rope_type': "
                         "'yarn', 'factor': 4, 'mscale_all_dim': 1, 'mscale': 0.5}, "
                         "'rope_theta': 5}");
    (void)state;

    assert_true(hp.rope.kind == ITH_ROPE_PLAIN && hp.attn_scale == 0);
    hp = good("{" NEMOTRON_H ", 'hybrid_override_pattern': 'M*E', 'n_shared_experts': 0, "
              "'num_local_experts': 3, 'moe_shared_expert_intermediate_size': 40}");
    assert_true(hp.experts.shared_ffn == 40 && hp.experts.n == 3);
    assert_int_equal(good("{" MAMBA("bamba") ", 'partial_rotary_factor': 0.25}").rope.rotated, 16);
    assert_int_equal(good("{" MAMBA("bamba") ", 'rope_parameters': {'partial_rotary_factor': 0.25, "
                                             "'rope_theta': 5}}")
                         .rope.rotated,
                     8);
    assert_int_equal(good(SMALL("mixtral") ", 'num_experts': 3}").experts.n, 3);
    assert_true(good(SMALL("gemma3_text") ", 'attn_logit_softcapping': 5.0}").attn_softcap == 0);
    assert_false(good("{" MOE ", 'norm_topk_prob': true}").experts.router.normalized ==
                 good("{" KIMI ", " KIMI_LISTS("[2]", "[1, 3]") ", 'moe_renormalize': null}")
                     .experts.router.normalized);
    assert_int_equal(good(SMALL("lfm2") ", 'hidden_act': 'gelu'}").act, ITH_ACT_SILU);
    hp = good(SMALL("gemma2") ", 'sliding_window_pattern': 1}");
    assert_true(hp.traits[0] == ITH_LAYER_WINDOW && hp.traits[1] == 0);
    hp = good(SMALL("cohere2") ", 'sliding_window_pattern': 1}");
    assert_true(hp.traits[0] == ITH_LAYER_NO_ROPE && hp.traits[1] == ITH_LAYER_NO_ROPE);
    assert_int_equal(good("{'model_type': 'ernie4_5', 'hidden_size': 64, 'intermediate_size': 64, "
                          "'num_hidden_layers': 2, 'num_attention_heads': 4, 'vocab_size': 100}")
                         .n_kv_heads,
                     2);
    hp = good(SMALL("ministral") ", 'sliding_window': 40, 'layer_types': ['sliding_attention', "
                                 "'full_attention']}");
    assert_true(hp.traits[0] == ITH_LAYER_WINDOW && hp.traits[1] == 0);
}

static void what_changes_the_arithmetic_is_refused(void **state)
{
    static const bad_case cases[] = {
        {"{'model_type': 'mamba'}", ITH_E_UNSUPPORTED,
         "\"mamba\" is not supported; Ithaca knows: arcee, bailingmoe2, bamba, "},
        {"{'model_type': 'llama', 'architectures': ['LlamaForSequenceClassification']}",
         ITH_E_UNSUPPORTED, "LlamaForSequenceClassification"},
        {"{" QWEN ", 'attention_bias': true}", ITH_E_UNSUPPORTED, "\"attention_bias\""},
        {"{" QWEN ", 'mlp_bias': true}", ITH_E_UNSUPPORTED, "\"mlp_bias\""},
        {"{" MAMBA("falcon_h1") ", 'attention_bias': true, 'attention_in_multiplier': 0.5}",
         ITH_E_UNSUPPORTED, "\"attention_bias\": true beside attention_in_multiplier"},
        {"{" MAMBA("falcon_h1") ", 'time_step_limit': [0.0, 0.1]}", ITH_E_UNSUPPORTED,
         "\"time_step_limit\": a bound"},
        {"{" MAMBA("bamba") ", 'hidden_act': 'gelu_pytorch_tanh'}", ITH_E_UNSUPPORTED,
         "recurrent layers with gelu_pytorch_tanh in place of silu"},
        {"{" NEMOTRON_H ", 'hybrid_override_pattern': 'M*', 'time_step_limit': [0.0, 0.1]}",
         ITH_E_UNSUPPORTED, "\"time_step_limit\": a bound"},
        {"{" NEMOTRON_H ", 'hybrid_override_pattern': 'M*', 'time_step_limit': [0.0, 'NaN']}",
         ITH_E_UNSUPPORTED, "\"time_step_limit\": a bound"},
        {"{" NEMOTRON_H ", 'hybrid_override_pattern': 'M*', 'mamba_dt_limit': [0.1, 1e39]}",
         ITH_E_UNSUPPORTED, "\"mamba_dt_limit\": a bound"},
        {"{" NEMOTRON_H ", 'hybrid_override_pattern': 'M*', 'time_step_min': -1}", ITH_E_FORMAT,
         "the least step of recurrent layers is -1"},
        {"{" NEMOTRON_H ", 'hybrid_override_pattern': 'M*', 'mamba_hidden_act': 'gelu'}",
         ITH_E_UNSUPPORTED, "\"mamba_hidden_act\": gelu"},
        {"{" NEMOTRON_H ", 'hybrid_override_pattern': 'M*?'}", ITH_E_UNSUPPORTED,
         "\"hybrid_override_pattern\": an unknown kind of layer"},
        {"{" NEMOTRON_H ", 'hybrid_override_pattern': 'M*', 'layer_types': ['mamba', 'moe']}",
         ITH_E_UNSUPPORTED, "\"layer_types\" and \"hybrid_override_pattern\" say different"},
        {"{" NEMOTRON_H ", 'hybrid_override_pattern': 'M', 'layers_block_type': ['mamba', 'moe']}",
         ITH_E_UNSUPPORTED, "say different things of layers"},
        {"{" NEMOTRON_H "}", ITH_E_FORMAT, "\"hybrid_override_pattern\" is missing"},
        {"{" MAMBA("bamba") ", 'time_step_limit': [0.001, {'__float__': 'Infinity'}]}",
         ITH_E_UNSUPPORTED, "\"time_step_limit\": a bound"},
        {"{" LLAMA ", 'sliding_window': 4096}", ITH_E_UNSUPPORTED, "\"sliding_window\""},
        {SMALL("olmo2") ", 'sliding_window': 16}", ITH_E_UNSUPPORTED,
         "\"sliding_window\": a number"},
        {"{" LLAMA ", 'rope_parameters': {'rope_type': 'proportional'}}", ITH_E_UNSUPPORTED,
         "\"rope_type\": proportional"},
        {"{" GEMMA4 ", 'enable_moe_block': true}", ITH_E_FORMAT, "\"num_experts\" is missing"},
        {"{" GEMMA4 ", 'num_kv_shared_layers': 2}", ITH_E_FORMAT, "layer 5 reads the keys"},
        {"{" GEMMA4 ", 'num_kv_shared_layers': 6}", ITH_E_FORMAT, "expected 0 to 5"},
        {"{" GEMMA4 ", 'hidden_size_per_layer_input': 70000}", ITH_E_FORMAT, "a layer's inputs"},
        {"{" GEMMA3N ", 'altup_active_idx': 1}", ITH_E_UNSUPPORTED, "\"altup_active_idx\""},
        {"{" GEMMA3N ", 'altup_num_inputs': 1}", ITH_E_UNSUPPORTED, "\"altup_num_inputs\""},
        {"{" GEMMA3N ", 'altup_num_inputs': 9}", ITH_E_UNSUPPORTED, "\"altup_num_inputs\""},
        {"{" GEMMA3N ", 'laurel_rank': 0}", ITH_E_UNSUPPORTED, "\"laurel_rank\""},
        {"{" GEMMA3N ", 'intermediate_size': [96, 96, 64, 96]}", ITH_E_UNSUPPORTED,
         "\"intermediate_size\": more than one width"},
        {"{" GEMMA3N ", 'intermediate_size': [96]}", ITH_E_FORMAT, "\"intermediate_size\" lists 1"},
        {"{" GEMMA3N ", 'activation_sparsity_pattern': [1.0, 0, 0, 0]}", ITH_E_UNSUPPORTED,
         "\"activation_sparsity_pattern\": a share"},
        {"{" GEMMA3N ", 'activation_sparsity_pattern': 0.9}", ITH_E_FORMAT,
         "\"activation_sparsity_pattern\" should list"},
        {"{" GEMMA3N
         ", 'hidden_activation': 'silu', 'activation_sparsity_pattern': [0.9, 0, 0, 0]}",
         ITH_E_UNSUPPORTED, "cuts of gates"},
        {"{" GEMMA4 ", 'use_bidirectional_attention': 'all'}", ITH_E_UNSUPPORTED,
         "\"use_bidirectional_attention\""},
        {"{" GEMMA4 ", 'per_layer_config': {'0': {'head_dim': 8}}}", ITH_E_UNSUPPORTED,
         "more than one shape of heads"},
        {"{" GEMMA4 ", 'per_layer_config': {'5': {'ffn': 8}}}", ITH_E_UNSUPPORTED, "ffn"},
        {"{" KIMI ", " KIMI_LISTS("1", "[1]") "}", ITH_E_FORMAT, "\"full_attn_layers\" should be"},
        {"{" KIMI ", 'num_key_value_heads': 2}", ITH_E_UNSUPPORTED, "\"num_key_value_heads\""},
        {"{" KIMI ", 'topk_group': 0}", ITH_E_UNSUPPORTED, "\"topk_group\": 0"},
        {"{" KIMI ", 'num_expert_group': 0}", ITH_E_UNSUPPORTED, "\"num_expert_group\": 0"},
        {SMALL("granite") ", 'attention_multiplier': 0}", ITH_E_UNSUPPORTED,
         "\"attention_multiplier\": 0"},
        {SMALL("granite") ", 'logits_scaling': 1e12}", ITH_E_FORMAT, "(\"logits_scaling\")"},
        {SMALL("gemma2") ", 'final_logit_softcapping': 0}", ITH_E_UNSUPPORTED,
         "\"final_logit_softcapping\": 0"},
        {SMALL("gemma2") ", 'sliding_window': 0}", ITH_E_UNSUPPORTED, "\"sliding_window\": 0"},
        {SMALL("gemma3_text") ", 'rope_local_base_freq': 0}", ITH_E_UNSUPPORTED,
         "\"rope_local_base_freq\": 0"},
        {"{" MAMBA("falcon_h1") ", 'mamba_d_head': 'x'}", ITH_E_UNSUPPORTED, "\"mamba_d_head\": x"},
        {"{" GEMMA4 ", 'global_head_dim': 0}", ITH_E_UNSUPPORTED, "\"global_head_dim\": 0"},
        {"{" LLAMA ", 'vocab_size': 1000000000}", ITH_E_FORMAT, "(\"vocab_size\")"},
        {"{" KIMI ", " KIMI_LISTS("[2]", "[1]") "}", ITH_E_FORMAT, "layer 3 is in neither list"},
        {"{" KIMI ", " KIMI_LISTS("[0]", "[1, 2, 3]") "}", ITH_E_FORMAT, "numbers from 1 to 3"},
        {"{" KIMI ", " KIMI_LISTS("[2]", "[1, 3]") ", 'mla_use_nope': false}", ITH_E_UNSUPPORTED,
         "\"mla_use_nope\": false"},
        {"{" KIMI ", " KIMI_LISTS("[2]", "[1, 3]") ", 'moe_router_activation_func': 'softmax'}",
         ITH_E_UNSUPPORTED, "\"moe_router_activation_func\": softmax"},
        {"{" KIMI ", " KIMI_LISTS("[2]", "[1, 3]") ", 'mlp_layer_types': ['dense', 'sparse']}",
         ITH_E_FORMAT, "\"mlp_layer_types\" should list 3 layers"},
        {"{" KIMI ", 'layer_types': ['full_attention', 'mamba', 'full_attention']}",
         ITH_E_UNSUPPORTED, "\"layer_types\": mamba"},
        {"{" GEMMA4 ", 'per_layer_config': {'6': {'head_dim': 8}}}", ITH_E_FORMAT,
         "\"6\" is not the number of a layer"},
        {"{" GEMMA4 ", 'per_layer_config': {'05': {'head_dim': 8}}}", ITH_E_FORMAT,
         "\"05\" is not the number of a layer"},
        {"{" GEMMA4 ", 'per_layer_config': {'5': 8}}", ITH_E_FORMAT,
         "is not the number of a layer"},
        {"{" GEMMA4 ", 'partial_rotary_factor': 0.5}", ITH_E_UNSUPPORTED,
         "\"partial_rotary_factor\": a value for all layers"},
        {"{" GEMMA4 ", 'rope_parameters': {'full_attention': {'rope_type': 'proportional'}}}",
         ITH_E_UNSUPPORTED, "\"full_attention\": a set without \"rope_theta\""},
        {"{" GEMMA4 ", 'rope_parameters': {'full_attention': {'rope_theta': 1e6}, "
         "'sliding_attention': {'rope_type': 'default'}}}",
         ITH_E_UNSUPPORTED, "\"sliding_attention\": a set without \"rope_theta\""},
        {"{" GEMMA4 ", 'rope_parameters': {'rope_type': 'ntk'}}", ITH_E_UNSUPPORTED,
         "longrope, and proportional"},
        {SMALL("phi") ", 'partial_rotary_factor': 0.0}", ITH_E_UNSUPPORTED,
         "\"partial_rotary_factor\": a value that is not above 0"},
        {SMALL("phi") ", 'partial_rotary_factor': 1.5}", ITH_E_UNSUPPORTED, "at most 1"},
        {SMALL("phi") ", 'partial_rotary_factor': 0.03}", ITH_E_UNSUPPORTED,
         "a head that does not rotate"},
        {SMALL("phi") ", 'qk_layernorm': true}", ITH_E_UNSUPPORTED, "\"qk_layernorm\""},
        {SMALL("olmo") ", 'clip_qkv': -1}", ITH_E_FORMAT,
         "limit of queries, keys and values is -1"},
        {SMALL("gpt_neox") ", 'rotary_pct': 0.0}", ITH_E_UNSUPPORTED, "not above 0"},
        {SMALL("gpt_neox") ", 'partial_rotary_factor': 0.5}", ITH_E_UNSUPPORTED,
         "another value than the class reads"},
        {SMALL("gpt_neox") ", 'rotary_emb_base': 5000, 'rope_theta': 10000}", ITH_E_UNSUPPORTED,
         "\"rope_theta\": another value than the class reads"},
        {SMALL("phimoe") ", 'num_experts_per_tok': 3}", ITH_E_UNSUPPORTED,
         "SparseMixer with 3 experts for a token"},
        {SMALL("phimoe") ", 'architectures': ['PhimoeForSequenceClassification']}",
         ITH_E_UNSUPPORTED, "of model_type phimoe Ithaca runs PhimoeForCausalLM"},
        {SMALL("phimoe") ", 'original_max_position_embeddings': 9, 'rope_scaling': {'type': "
                         "'longrope', 'short_factor': [1], 'long_factor': [1], "
                         "'short_mscale': 1.1, 'long_mscale': 1.2}}",
         ITH_E_UNSUPPORTED, "a number other than \"long_mscale\""},
        {SMALL("minimax_m2") ", 'rotary_dim': 0}", ITH_E_FORMAT, "\"rotary_dim\""},
        {"{" GEMMA4 ", 'global_head_dim': 9}", ITH_E_FORMAT, "need an even one"},
        {"{" GEMMA4 ", 'num_global_key_value_heads': 3, 'attention_k_eq_v': true}", ITH_E_FORMAT,
         "cannot share 3"},
        {"{" LLAMA ", 'qkv_bias': true}", ITH_E_UNSUPPORTED, "\"qkv_bias\""},
        {"{" LLAMA ", 'use_qk_norm': true}", ITH_E_UNSUPPORTED, "\"use_qk_norm\""},
        {"{" QWEN ", 'use_qk_norm': false}", ITH_E_UNSUPPORTED, "\"use_qk_norm\""},
        {"{" QWEN ", 'num_experts': 16}", ITH_E_UNSUPPORTED, "\"num_experts\""},
        {"{" QWEN ", 'attention_multiplier': 0.01}", ITH_E_UNSUPPORTED, "\"attention_multiplier\""},
        {"{" QWEN ", 'attn_logit_softcapping': 50.0}", ITH_E_UNSUPPORTED,
         "\"attn_logit_softcapping\""},
        {"{" QWEN ", 'rope_theta': 0.5}", ITH_E_FORMAT, "RoPE base"},
        {"{" QWEN ", 'rope_theta': 1e300}", ITH_E_FORMAT, "RoPE base"},
        {"{" QWEN ", 'rms_norm_eps': 0}", ITH_E_FORMAT, "epsilon"},
        {"{" QWEN ", 'max_position_embeddings': 134217729}", ITH_E_FORMAT, "context length"},
        {"{" LLAMA ", 'hidden_act': 'xielu'}", ITH_E_UNSUPPORTED, "\"hidden_act\": xielu"},
        {"{" STARCODER2 ", 'hidden_act': 'silu'}", ITH_E_UNSUPPORTED, "without a gate is silu"},
        {"{" LLAMA ", 'pretraining_tp': 2}", ITH_E_UNSUPPORTED, "\"pretraining_tp\""},
        {"{" LLAMA ", 'partial_rotary_factor': 0.5}", ITH_E_UNSUPPORTED,
         "\"partial_rotary_factor\""},
        {"{" LLAMA ", 'rope_parameters': {'partial_rotary_factor': 0.5}}", ITH_E_UNSUPPORTED,
         "\"partial_rotary_factor\""},
        {"{" LLAMA ", 'rope_scaling': {'rope_type': 'ntk'}}", ITH_E_UNSUPPORTED,
         "\"rope_type\": ntk"},
        {SMALL("mistral") ", 'sliding_window': 40, 'layer_types': ['sliding_attention', "
                          "'full_attention']}",
         ITH_E_UNSUPPORTED, "\"layer_types\": a layer without the window"},
        {"{" MAMBA("granitemoehybrid") ", 'partial_rotary_factor': 0.5}", ITH_E_UNSUPPORTED,
         "\"partial_rotary_factor\""},
        {"{" LLAMA ", 'rope_scaling': {'rope_type': 'dynamic', 'factor': 1, 'alpha': 50}}",
         ITH_E_UNSUPPORTED, "\"alpha\""},
        {"{" LLAMA ", 'rope_scaling': {'rope_type': 'longrope'}}", ITH_E_FORMAT,
         "LongRoPE without \"original_max_position_embeddings\""},
        {"{" LLAMA ", 'original_max_position_embeddings': 9, 'rope_scaling': {'type': 'su'}}",
         ITH_E_FORMAT, "\"short_factor\" should be a list"},
        {"{" LLAMA ", 'original_max_position_embeddings': 9, 'rope_scaling': {'type': 'su',"
         " 'short_factor': [1, 2], 'long_factor': [1, 2, 3]}}",
         ITH_E_FORMAT, "LongRoPE has 2 and 3 divisors"},
        {"{" LLAMA ", 'original_max_position_embeddings': 9, 'rope_scaling': {'type': 'su',"
         " 'short_factor': [1, 'x'], 'long_factor': [1, 2]}}",
         ITH_E_FORMAT, "entry 1 of \"short_factor\" is not a number"},
        {"{" LLAMA ", 'rope_parameters': {'full_attention': {'rope_type': 'default'}}}",
         ITH_E_UNSUPPORTED, "each layer type"},
        {"{" LLAMA ", 'rope_scaling': {'rope_type': 'yarn', 'factor': 2, 'ext_factor': 0.5}}",
         ITH_E_UNSUPPORTED, "\"ext_factor\""},
        {"{" LLAMA ", 'rope_parameters': {'rope_type': 'linear', 'factor': 2, 'short': [1, 2]}}",
         ITH_E_UNSUPPORTED, "\"short\""},
        {"{" LLAMA ", 'rope_scaling': {'type': 'default', 'mrope_section': [1]}}",
         ITH_E_UNSUPPORTED, "\"mrope_section\""},
        {"{" LLAMA ", 'layer_types': ['full_attention', 'sliding_attention']}", ITH_E_UNSUPPORTED,
         "sliding_attention"},
        {"{" QWEN ", 'layer_types': ['full_attention', 'sliding_attention']}", ITH_E_FORMAT,
         "lists 2 layers"},
    };
    (void)state;
    check_bad(cases, sizeof cases / sizeof *cases);

    /* A window in no layer, and none at all. */
    good("{" QWEN ", 'use_sliding_window': true, 'sliding_window': 4096, 'max_window_layers': 4}");
    good("{" QWEN ", 'use_sliding_window': false, 'sliding_window': 4096, 'max_window_layers': 2}");
    good("{" QWEN ", 'quantization_config': null, 'hidden_act': 'swish'}");
    good("{" QWEN ", 'use_qk_norm': true, 'is_causal': true, 'logit_scale': 1.0}");
    good("{" LLAMA ", 'sliding_window': null, 'use_sliding_window': false}");
    good("{" LLAMA ", 'rope_scaling': {'type': 'linear', 'factor': 2, 'finetuned': true,"
         " 'attn_factor': 1}}");
}

#define QUANT(of) "{" LLAMA ", 'quantization_config': {" of "}}"
#define GROUPS(of)                                                                                 \
    QUANT("'quant_method': 'compressed-tensors', 'format': 'pack-quantized', 'config_groups': "    \
          "{'group_0': {'weights': {" of "}}}")

static void quantizations_that_are_not_read_are_refused(void **state)
{
    static const bad_case cases[] = {
        {QUANT("'quant_method': 'bitsandbytes'"), ITH_E_UNSUPPORTED,
         "\"quantization_config\": bitsandbytes is not supported; Ithaca reads fp8, "},
        {QUANT("'quant_method': 'nvfp4'"), ITH_E_UNSUPPORTED, ": nvfp4 is not supported"},
        {QUANT("'bits': 4"), ITH_E_UNSUPPORTED, ": a quantized checkpoint is not supported"},
        {QUANT("'quant_method': 4"), ITH_E_FORMAT, "\"quant_method\""},
        {QUANT("'quant_method': 'fp8', 'fmt': 'e5m2'"), ITH_E_UNSUPPORTED, "\"fmt\": e5m2"},
        {QUANT("'quant_method': 'fp8', 'scale_fmt': 'e4'"), ITH_E_UNSUPPORTED, "\"scale_fmt\": e4"},
        {QUANT("'quant_method': 'fp8', 'expert_dtype': 'fp4'"), ITH_E_UNSUPPORTED,
         "\"expert_dtype\": fp4"},
        {QUANT("'quant_method': 'fp8', 'modules_to_convert': ['a']"), ITH_E_UNSUPPORTED,
         "\"modules_to_convert\""},
        {QUANT("'quant_method': 'fp8', 'weight_block_size': [128]"), ITH_E_FORMAT,
         "\"weight_block_size\""},
        {QUANT("'quant_method': 'fp8', 'weight_block_size': [128, 0]"), ITH_E_FORMAT,
         "\"weight_block_size\""},
        {QUANT("'quant_method': 'fp8', 'weight_block_size': 128"), ITH_E_FORMAT,
         "\"weight_block_size\""},
        {QUANT("'quant_method': 'fp8', 'modules_to_not_convert': 'lm_head'"), ITH_E_FORMAT,
         "\"modules_to_not_convert\""},
        {QUANT("'quant_method': 'fp8', 'ignored_layers': [1]"), ITH_E_FORMAT, "\"ignored_layers\""},
        {QUANT("'quant_method': 'awq', 'version': 'gemv'"), ITH_E_UNSUPPORTED, "\"version\": gemv"},
        {QUANT("'quant_method': 'awq', 'backend': 'llm-awq'"), ITH_E_UNSUPPORTED,
         "\"backend\": llm-awq"},
        {QUANT("'quant_method': 'awq', 'bits': 8"), ITH_E_UNSUPPORTED, "\"bits\": 8"},
        {QUANT("'quant_method': 'awq', 'group_size': 0"), ITH_E_UNSUPPORTED, "\"group_size\": 0"},
        {QUANT("'quant_method': 'gptq', 'bits': 3"), ITH_E_UNSUPPORTED, "\"bits\": 3"},
        {QUANT("'quant_method': 'gptq', 'bits': 4, 'checkpoint_format': 'marlin'"),
         ITH_E_UNSUPPORTED, "\"checkpoint_format\": marlin"},
        {QUANT("'quant_method': 'gptq', 'bits': 4, 'is_marlin_format': true"), ITH_E_UNSUPPORTED,
         "\"is_marlin_format\": true"},
        {QUANT("'quant_method': 'gptq', 'bits': 4, 'dynamic': {'+:.*down.*': {'bits': 8}}"),
         ITH_E_UNSUPPORTED, "\"dynamic\": +:.*down.*"},
        {QUANT("'quant_method': 'gptq', 'bits': 4, 'pack_dtype': 'int16'"), ITH_E_UNSUPPORTED,
         "\"pack_dtype\": int16"},
        {GROUPS("'num_bits': 4, 'type': 'float', 'group_size': 16"), ITH_E_UNSUPPORTED,
         "\"weights\": float of 4 bits"},
        {GROUPS("'num_bits': 3, 'type': 'int'"), ITH_E_UNSUPPORTED, "\"weights\": int of 3 bits"},
        {GROUPS("'num_bits': 4, 'strategy': 'tensor_group'"), ITH_E_UNSUPPORTED,
         "\"strategy\": tensor_group"},
        {GROUPS("'num_bits': 4, 'strategy': 'block', 'block_structure': '2x4'"), ITH_E_FORMAT,
         "\"block_structure\""},
        {QUANT("'quant_method': 'compressed-tensors', 'format': 'nvfp4-pack-quantized'"),
         ITH_E_UNSUPPORTED, "\"format\": nvfp4-pack-quantized"},
        {QUANT("'quant_method': 'compressed-tensors', 'sparsity_config': {'format': "
               "'sparse-24-bitmask'}"),
         ITH_E_UNSUPPORTED, "\"format\": sparse-24-bitmask"},
        {QUANT("'quant_method': 'compressed-tensors', 'transform_config': {'config_groups': {}}"),
         ITH_E_UNSUPPORTED, "\"transform_config\""},
        {QUANT("'quant_method': 'compressed-tensors', 'config_groups': {'g': 1}"),
         ITH_E_UNSUPPORTED, "\"config_groups\": g"},
        {QUANT("'quant_method': 'modelopt', 'quant_algo': 'NVFP4'"), ITH_E_UNSUPPORTED,
         "\"quant_algo\": NVFP4"},
        {QUANT("'quant_method': 'modelopt'"), ITH_E_UNSUPPORTED, "\"quant_algo\": none"},
        {"{" LLAMA ", 'quantization': {'group_size': 64, 'bits': 4}}", ITH_E_UNSUPPORTED, "MLX"},
        {"{" LLAMA ", 'compression_config': {'quant_method': 'x'}}", ITH_E_UNSUPPORTED,
         ": x is not supported"},
    };
    (void)state;
    check_bad(cases, sizeof cases / sizeof *cases);

    /* As Qwen, DeepSeek, Mistral, Meta, Red Hat, AutoAWQ and GPTQModel write them. */
    good(QUANT("'quant_method': 'fp8', 'activation_scheme': 'dynamic', 'fmt': 'e4m3', "
               "'modules_to_not_convert': ['lm_head'], 'weight_block_size': [128, 128]"));
    good(QUANT("'quant_method': 'fp8', 'activation_scheme': 'dynamic', 'fmt': 'e4m3', "
               "'scale_fmt': 'ue8m0', 'weight_block_size': [128, 128]"));
    good(QUANT("'quant_method': 'fp8', 'activation_scheme': 'static', 'dequantize': false, "
               "'weight_block_size': null, 'modules_to_not_convert': null"));
    good(QUANT("'quant_method': 'fbgemm_fp8', 'activation_scale_ub': 1200.0, "
               "'modules_to_not_convert': ['model.layers.0.mlp.down_proj']"));
    good(QUANT("'quant_method': 'modelopt', 'quant_algo': 'FP8', 'kv_cache_scheme': {'type': "
               "'float'}, 'ignore': ['lm_head']"));
    good(GROUPS("'num_bits': 4, 'type': 'int', 'strategy': 'group', 'group_size': 128, "
                "'symmetric': true, 'actorder': 'weight', 'dynamic': false, 'block_structure': "
                "null"));
    good(QUANT("'quant_method': 'awq', 'bits': 4, 'group_size': 128, 'zero_point': true, "
               "'version': 'GEMM', 'modules_to_not_convert': null"));
    good(QUANT("'quant_method': 'gptq', 'bits': 4, 'group_size': -1, 'desc_act': false, "
               "'sym': true, 'checkpoint_format': 'gptq', 'dynamic': {'-:.*gate.*': {}}, "
               "'dataset': null, 'damp_percent': 0.01, 'true_sequential': true"));
}

static void wrong_values_are_named(void **state)
{
    static const bad_case cases[] = {
        {"[]", ITH_E_FORMAT, "not a JSON object"},
        {"{}", ITH_E_FORMAT, "\"model_type\" is missing"},
        {"{'model_type': 'llama'}", ITH_E_FORMAT, "\"num_hidden_layers\" is missing"},
        {"{" LLAMA ", 'num_key_value_heads': 2}", ITH_E_FORMAT, "9 attention heads cannot share 2"},
        {"{" LLAMA ", 'num_key_value_heads': 0}", ITH_E_FORMAT, "\"num_key_value_heads\""},
        {"{" LLAMA ", 'head_dim': 63}", ITH_E_FORMAT, "the head size is 63"},
        {"{" LLAMA ", 'head_dim': 'x'}", ITH_E_FORMAT, "\"head_dim\""},
        {"{" LLAMA ", 'rms_norm_eps': -1}", ITH_E_FORMAT, "epsilon"},
        {"{" LLAMA ", 'rope_theta': 0}", ITH_E_FORMAT, "RoPE base"},
        {"{" LLAMA ", 'rope_scaling': 3}", ITH_E_FORMAT, "\"rope_scaling\""},
        {"{" LLAMA ", 'rope_scaling': {'type': 'linear'}}", ITH_E_FORMAT, "factor is 0"},
        {"{" LLAMA ", 'rope_scaling': {'type': 'llama3', 'factor': 8}}", ITH_E_FORMAT,
         "low_freq_factor"},
        {"{" LLAMA ", 'rope_scaling': {'type': 'yarn', 'factor': 0.5}}", ITH_E_FORMAT,
         "factor is 0.5"},
        {"{" LLAMA ", 'eos_token_id': 'x'}", ITH_E_FORMAT, "\"eos_token_id\""},
        {"{" LLAMA ", 'eos_token_id': [1, 'x']}", ITH_E_FORMAT, "\"eos_token_id\""},
        {"{'model_type': 'llama', 'hidden_size': 64, 'intermediate_size': 64, 'num_hidden_layers': "
         "1099511627776,"
         " 'num_attention_heads': 4, 'vocab_size': 10}",
         ITH_E_FORMAT, "number of layers"},
        {"{'model_type': 'llama', 'hidden_size': 64, 'intermediate_size': 64, 'num_hidden_layers': "
         "1,"
         " 'num_attention_heads': 0, 'vocab_size': 10}",
         ITH_E_FORMAT, "\"num_attention_heads\" is 0"},
    };
    (void)state;
    check_bad(cases, sizeof cases / sizeof *cases);
}

static void experts_are_read(void **state)
{
    ith_hparams hp = good("{" MOE "}"); /* Qwen3MoeConfig's defaults */
    (void)state;
    assert_string_equal(hp.architecture, "qwen3moe");
    assert_int_equal(hp.n_kv_heads, 4);
    assert_int_equal(hp.head_dim, 64);
    assert_int_equal(hp.experts.n, 128);
    assert_int_equal(hp.experts.used, 8);
    assert_int_equal(hp.experts.ffn, 768);
    assert_false(hp.experts.router.normalized);
    for (int64_t i = 0; i < 6; i++)
        assert_true(ith_hparams_has_experts(&hp, i));
    hp = good("{" MOE ", 'num_experts': 16, 'num_experts_per_tok': 16, 'moe_intermediate_size': 40,"
              " 'norm_topk_prob': true, 'decoder_sparse_step': 2, 'mlp_only_layers': [5, 0, 99]}");
    assert_int_equal(hp.experts.n, 16);
    assert_int_equal(hp.experts.used, 16);
    assert_int_equal(hp.experts.ffn, 40);
    assert_true(hp.experts.router.normalized);
    for (int64_t i = 0; i < 6; i++)
        assert_true(ith_hparams_has_experts(&hp, i) == (i == 1 || i == 3));
    hp = good("{" MOE ", 'num_local_experts': 32, 'mlp_only_layers': null}"); /* Transformers 5 */
    assert_int_equal(hp.experts.n, 32);
    hp = good("{" QWEN ", 'num_experts': 0}");
    assert_int_equal(hp.experts.n, 0);
    assert_false(ith_hparams_has_experts(&hp, 0));
}

static void impossible_experts_are_refused(void **state)
{
    static const bad_case cases[] = {
        {"{" MOE ", 'num_experts': 0}", ITH_E_FORMAT, "\"num_experts\""},
        {"{" MOE ", 'num_experts': -1}", ITH_E_FORMAT, "\"num_experts\""},
        {"{" MOE ", 'num_experts': 1099511627776}", ITH_E_FORMAT,
         "the number of experts is 1099511627776"},
        {"{" MOE ", 'num_experts': 4097}", ITH_E_FORMAT, "expected 1 to 4096"},
        {"{" MOE ", 'num_experts': 'x'}", ITH_E_FORMAT, "\"num_experts\""},
        {"{" MOE ", 'num_experts_per_tok': 0}", ITH_E_FORMAT, "\"num_experts_per_tok\""},
        {"{" MOE ", 'num_experts_per_tok': 65}", ITH_E_FORMAT,
         "experts for a token is 65, expected 1 to 64"},
        {"{" MOE ", 'num_experts': 4, 'num_experts_per_tok': 5}", ITH_E_FORMAT,
         "is 5, expected 1 to 4"},
        {"{" MOE ", 'moe_intermediate_size': 0}", ITH_E_FORMAT, "\"moe_intermediate_size\""},
        {"{" MOE ", 'moe_intermediate_size': 4611686018427387904}", ITH_E_FORMAT,
         "\"moe_intermediate_size\""},
        {"{" MOE ", 'moe_intermediate_size': 2097152}", ITH_E_FORMAT, "experts' feed-forward size"},
        {"{" MOE ", 'decoder_sparse_step': 0}", ITH_E_FORMAT, "\"decoder_sparse_step\""},
        {"{" MOE ", 'norm_topk_prob': 1}", ITH_E_FORMAT, "\"norm_topk_prob\""},
        {"{" MOE ", 'mlp_only_layers': 3}", ITH_E_FORMAT, "\"mlp_only_layers\""},
        {"{" MOE ", 'mlp_only_layers': [-1]}", ITH_E_FORMAT, "\"mlp_only_layers\""},
        {"{" MOE ", 'mlp_only_layers': ['x']}", ITH_E_FORMAT, "\"mlp_only_layers\""},
        {"{" MOE ", 'mlp_only_layers': "
         "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}",
         ITH_E_UNSUPPORTED, "\"mlp_only_layers\""},
    };
    (void)state;
    check_bad(cases, sizeof cases / sizeof *cases);
}

/* A family that has biases, and a list where others have a number. */
static ith_status read_own_keys(const json_t *config, const char *where, ith_hparams *hp,
                                ith_error *err)
{
    const json_t *widths = json_object_get(config, "intermediate_size");

    hp->ffn = json_integer_value(json_array_get(widths, (size_t)hp->n_layers - 1));
    return ith_json_bool(config, where, "attention_bias", &hp->experts.router.normalized, err);
}

static void a_family_takes_over_keys(void **state)
{
    static const char *const keys[] = {"attention_bias", "intermediate_size", NULL};
    static const char text[] =
        "{'hidden_size': 64, 'intermediate_size': [7, 96], 'num_hidden_layers': 2,"
        " 'num_attention_heads': 4, 'vocab_size': 10, 'attention_bias': true%s}";
    const ith_arch arch = {
        .name = "made up",
        .defaults = {.ctx = 100, .rms_eps = 1e-5, .rope_theta = 5000, .bos = 3, .eos = -1},
        .config_keys = keys,
        .read_config = read_own_keys};
    ith_hparams hp;
    ith_error err = {0};
    (void)state;

    for (int bad = 0; bad < 2; bad++) {
        char full[300];
        snprintf(full, sizeof full, text, bad ? ", 'mlp_bias': true" : "");
        json_t *config = json(full);
        ith_status status = ith_hf_config_read(&arch, config, "config.json", &hp, &err);
        json_decref(config);
        if (status != (bad ? ITH_E_UNSUPPORTED : ITH_OK))
            fail_msg("status %d, \"%s\"", status, err.text);
        if (bad)
            continue;
        assert_true(hp.experts.router.normalized && hp.ffn == 96 && hp.n_heads == 4);
        assert_true(hp.rms_eps == 1e-5 && hp.rope.theta == 5000 && hp.ctx_train == 100 &&
                    hp.bos == 3);
    }
    assert_non_null(strstr(err.text, "\"mlp_bias\""));
}

static ith_status generation(const char *text, ith_hparams *hp, ith_error *err)
{
    json_t *root = json(text);
    ith_status status = ith_hf_generation_parse(root, "generation_config.json", hp, err);
    json_decref(root);
    return status;
}

static void generation_config_counts(void **state)
{
    ith_hparams hp = good(qwen3_v4);
    ith_error err = {0};
    (void)state;
    assert_int_equal(
        generation("{'bos_token_id': 7, 'do_sample': true, 'eos_token_id': [5, 151643, 5],"
                   " 'temperature': 0.6, 'top_k': 20, 'top_p': 0.95}",
                   &hp, &err),
        ITH_OK);
    assert_int_equal(hp.bos, 7);
    assert_int_equal(hp.n_eos, 2); /* in place of config.json's */
    assert_int_equal(hp.eos[0], 5);
    assert_int_equal(hp.eos[1], 151643);
    assert_true(hp.has_sampling && hp.temperature == 0.6 && hp.top_k == 20 && hp.top_p == 0.95);
    assert_true(hp.min_p == 0 && hp.repetition_penalty == 1);

    hp = good(qwen3_v4);
    assert_int_equal(
        generation("{'do_sample': true, 'min_p': 0.1, 'repetition_penalty': 1.25}", &hp, &err),
        ITH_OK);
    assert_true(hp.temperature == 1 && hp.top_k == 50 && hp.top_p == 1 && hp.min_p == 0.1 &&
                hp.repetition_penalty == 1.25);
    assert_int_equal(hp.eos[0], 151645); /* config.json's stays */

    hp = good(qwen3_v4);
    assert_int_equal(generation("{'temperature': 0.6, 'top_k': 20}", &hp, &err), ITH_OK);
    assert_true(!hp.has_sampling && hp.temperature == 0 && hp.top_k == 0);
}

static void impossible_sampling_is_refused(void **state)
{
    static const char *const bad[] = {"{'do_sample': true, 'temperature': -1}",
                                      "{'top_p': 0}",
                                      "{'top_p': 1.5}",
                                      "{'min_p': 2}",
                                      "{'repetition_penalty': 0}",
                                      "{'top_k': -1}",
                                      "{'do_sample': 1}"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ith_hparams hp = good(qwen3_v4);
        ith_error err = {0};
        assert_int_equal(generation(bad[i], &hp, &err), ITH_E_FORMAT);
        assert_non_null(strstr(err.text, "generation_config.json"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_spellings_are_read),
        cmocka_unit_test(defaults_are_the_classes),
        cmocka_unit_test(qwen2_is_qwen2),
        cmocka_unit_test(yarn_in_both_spellings),
        cmocka_unit_test(biases_are_those_of_the_family_or_the_file),
        cmocka_unit_test(linear_and_llama3),
        cmocka_unit_test(text_of_a_model_with_images),
        cmocka_unit_test(steps_without_a_bound_are_read),
        cmocka_unit_test(layers_of_one_block_are_read),
        cmocka_unit_test(foreign_epsilons_do_not_count),
        cmocka_unit_test(layers_of_two_kinds_of_attention_are_read),
        cmocka_unit_test(texts_have_their_classes_sizes),
        cmocka_unit_test(shares_of_a_head_rotate),
        cmocka_unit_test(classes_have_rotary_positions_of_their_own),
        cmocka_unit_test(original_contexts_are_read),
        cmocka_unit_test(layers_without_the_window_do_not_rotate),
        cmocka_unit_test(classes_do_not_read_all),
        cmocka_unit_test(sparse_mixers_are_read),
        cmocka_unit_test(older_classes_are_read),
        cmocka_unit_test(heads_of_two_sizes),
        cmocka_unit_test(layers_of_gemma3n),
        cmocka_unit_test(what_changes_the_arithmetic_is_refused),
        cmocka_unit_test(quantizations_that_are_not_read_are_refused),
        cmocka_unit_test(wrong_values_are_named),
        cmocka_unit_test(experts_are_read),
        cmocka_unit_test(a_family_takes_over_keys),
        cmocka_unit_test(impossible_experts_are_refused),
        cmocka_unit_test(generation_config_counts),
        cmocka_unit_test(impossible_sampling_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
