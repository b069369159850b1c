/* test_hparams_json.c - hyperparameters as JSON come back bit for bit, and none is optional. */
#include "formats/hparams_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static ith_hparams odd_hparams(void)
{
    ith_hparams hp = {.architecture = "qwen3",
                      .name = "a \"name\"",
                      .n_layers = 3,
                      .hidden = 64,
                      .ffn = 96,
                      .n_heads = 4,
                      .n_kv_heads = 2,
                      .head_dim = 16,
                      .n_vocab = 100,
                      .ctx_train = 131072,
                      .rms_eps = (double)1e-6f,
                      .tied_embeddings = true,
                      .eos = {7, 9},
                      .n_eos = 2,
                      .bos = 3,
                      .has_sampling = true,
                      .temperature = 0.1 + 0.2,
                      .top_p = (double)0.95f,
                      .min_p = 1.0 / 3,
                      .repetition_penalty = 1.1,
                      .top_k = 20,
                      .repetition_window = 300,
                      .qk_norm = ITH_QK_NORM_WHOLE,
                      .act = ITH_ACT_GELU_TANH,
                      .o_bias = true,
                      .embed_scale = 1.0 / 7,
                      .residual_scale = 0.3,
                      .logit_scale = 1.1,
                      .attn_gate = true,
                      .attn_out_scale = 0.7,
                      .ffn_gate_scale = 1.0 / 9,
                      .ffn_out_scale = 0.9,
                      .delta = {2, 6, 20, 24, 4, true},
                      .mamba = {8, 2, 16, 24, 3, true, true, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6},
                      .conv_taps = 5,
                      .full = {.kv_heads = 4, .head_dim = 48, .keys_are_values = true},
                      .value_norm = true,
                      .layer_scale = true,
                      .attn_softcap = 1.0 / 3,
                      .query_beta = 0.1,
                      .query_tokens = 11,
                      .window = 5,
                      .window_theta = 10000.1,
                      .n_traits = 3,
                      .traits = {1, 2, 5}};
    hp.rope = (ith_rope_params){ITH_ROPE_YARN, (double)1e6f, 4.1, 32768, 31.7, 1.3, 1.0 / 7, 0.707,
                                0.11,          true,         1.5, 4.5,   0,    16,  2,       3,
                                {1.1, 2.7},    {0.3, 1e3, 7}};
    return hp;
}

static void hyperparameters_keep_their_bits(void **state)
{
    ith_hparams hp = odd_hparams(), got;
    json_t *object = ith_hparams_to_json(&hp), *read;
    char *text = json_dumps(object, JSON_REAL_PRECISION(17));
    ith_error err = {0};
    (void)state;

    read = json_loads(text, 0, NULL);
    if (ith_hparams_from_json(read, "test", &got, &err) != ITH_OK)
        fail_msg("%s", err.text);
    json_t *again = ith_hparams_to_json(&got);
    assert_true(json_equal(object, again));
    assert_true(got.rope.factor == hp.rope.factor &&
                got.rope.original_context == hp.rope.original_context &&
                got.rope.beta_fast == hp.rope.beta_fast &&
                got.rope.beta_slow == hp.rope.beta_slow && got.rope.mscale == hp.rope.mscale &&
                got.rope.mscale_all_dim == hp.rope.mscale_all_dim &&
                got.rope.truncate == hp.rope.truncate &&
                got.rope.low_freq_factor == hp.rope.low_freq_factor &&
                got.rope.high_freq_factor == hp.rope.high_freq_factor);
    assert_true(got.n_layers == hp.n_layers && got.hidden == hp.hidden && got.ffn == hp.ffn &&
                got.n_heads == hp.n_heads && got.n_kv_heads == hp.n_kv_heads &&
                got.head_dim == hp.head_dim && got.n_vocab == hp.n_vocab &&
                got.ctx_train == hp.ctx_train && got.tied_embeddings &&
                got.repetition_window == hp.repetition_window && got.has_sampling &&
                got.top_k == hp.top_k && got.top_p == hp.top_p && got.min_p == hp.min_p &&
                got.repetition_penalty == hp.repetition_penalty);
    assert_true(got.rms_eps == hp.rms_eps && got.rope.theta == hp.rope.theta &&
                got.temperature == hp.temperature &&
                got.rope.attention_factor == hp.rope.attention_factor);
    assert_true(got.qk_norm == ITH_QK_NORM_WHOLE && got.act == ITH_ACT_GELU_TANH && got.o_bias &&
                !got.qkv_bias && got.embed_scale == 1.0 / 7 && got.residual_scale == 0.3 &&
                got.logit_scale == 1.1 && got.attn_softcap == 1.0 / 3 && got.logit_softcap == 0 &&
                got.query_beta == 0.1 && got.query_tokens == 11 && got.rope.rotated == 16 &&
                got.window == 5 && got.window_theta == 10000.1 && got.n_traits == 3 &&
                got.traits[2] == 5);
    assert_true(got.attn_gate && got.attn_out_scale == 0.7 && got.ffn_gate_scale == 1.0 / 9 &&
                got.ffn_out_scale == 0.9 && got.conv_taps == 5);
    assert_true(got.delta.key_heads == 2 && got.delta.value_heads == 6 && got.delta.key_dim == 20 &&
                got.delta.value_dim == 24 && got.delta.taps == 4 && got.delta.tiled);
    assert_true(got.mamba.heads == 8 && got.mamba.groups == 2 && got.mamba.head_dim == 16 &&
                got.mamba.state == 24 && got.mamba.taps == 3 && got.mamba.conv_bias &&
                got.mamba.norm && got.mamba.dt_least == 0.05);
    assert_true(got.mamba.scale_z == 0.1 && got.mamba.scale_x == 0.2 && got.mamba.scale_b == 0.3 &&
                got.mamba.scale_c == 0.4 && got.mamba.scale_dt == 0.5 &&
                got.mamba.scale_out == 0.6);
    assert_true(got.full.kv_heads == 4 && got.full.head_dim == 48 && got.full.keys_are_values &&
                got.value_norm && got.layer_scale);
    assert_true(got.n_eos == 2 && got.eos[1] == 9 && got.bos == 3 &&
                got.rope.kind == ITH_ROPE_YARN);
    json_decref(again);
    json_decref(read);
    json_decref(object);
    free(text);
}

/* Each field by itself is missing, or of another type. */
static void every_hyperparameter_is_needed(void **state)
{
    ith_hparams hp = odd_hparams(), got;
    json_t *object = ith_hparams_to_json(&hp), *sparse = json_object();
    const char *key;
    json_t *value;
    (void)state;

    assert_true(ith_hparams_add_sparse(&hp, sparse));
    assert_true(json_object_size(sparse) > 10);
    json_object_foreach (object, key, value) {
        json_t *other = json_deep_copy(object);
        ith_error err = {0};
        json_object_del(other, key);
        if (strcmp(key, "repetition_window") == 0) { /* older packs lack it */
            assert_int_equal(ith_hparams_from_json(other, "test", &got, &err), ITH_OK);
            assert_int_equal(got.repetition_window, ITH_REPEAT_ALL);
        } else if (json_object_get(sparse, key) == NULL) { /* the others say what is unusual */
            assert_int_equal(ith_hparams_from_json(other, "test", &got, &err), ITH_E_FORMAT);
            assert_non_null(strstr(err.text, key));
        }
        json_object_set_new(other, key, json_object());
        assert_int_equal(ith_hparams_from_json(other, "test", &got, &err), ITH_E_FORMAT);
        json_decref(other);
    }
    json_decref(object);
    json_decref(sparse);
    assert_int_equal(ith_hparams_from_json(NULL, "test", &got, NULL), ITH_E_FORMAT);
}

static void experts_come_back(void **state)
{
    ith_hparams hp = odd_hparams(), got;
    const char *key;
    json_t *object, *experts, *value;
    (void)state;

    strcpy(hp.architecture, "qwen3moe");
    hp.experts = (ith_experts_params){.n = 12,
                                      .used = 3,
                                      .ffn = 40,
                                      .router = {.normalized = true, .factor = 1},
                                      .step = 2,
                                      .n_dense = 2,
                                      .dense = {7, 1}};
    object = ith_hparams_to_json(&hp);
    assert_int_equal(ith_hparams_from_json(object, "test", &got, NULL), ITH_OK);
    assert_memory_equal(&got.experts, &hp.experts, sizeof hp.experts);
    experts = json_object_get(object, "experts");
    json_object_foreach (experts, key, value) {
        json_t *other = json_deep_copy(object);
        ith_error err = {0};
        json_object_del(json_object_get(other, "experts"), key);
        assert_int_equal(ith_hparams_from_json(other, "test", &got, &err), ITH_E_FORMAT);
        assert_non_null(strstr(err.text, key));
        json_decref(other);
    }
    json_object_set_new(experts, "used", json_integer(13));
    assert_int_equal(ith_hparams_from_json(object, "test", &got, NULL), ITH_E_FORMAT);
    json_object_set_new(object, "experts", json_integer(3));
    assert_int_equal(ith_hparams_from_json(object, "test", &got, NULL), ITH_E_FORMAT);
    json_decref(object);
}

/* PACK.md names all members. */
static void members_are_documented(void **state)
{
    ith_hparams hp = odd_hparams();
    json_t *object = ith_hparams_to_json(&hp), *value;
    char *text = calloc(1, 1 << 16), quoted[80];
    FILE *file = fopen("src/formats/PACK.md", "rb");
    const char *key;
    (void)state;

    hp.qkv_limit = hp.logit_softcap = hp.swiglu_limit = hp.swiglu_alpha = hp.swiglu_plus = 1;
    hp.qkv_bias = hp.output_bias = hp.mlp_bias = hp.parallel = hp.ungated = hp.sinks = true;
    hp.attn_scale = hp.rope.alpha = 1;
    hp.latent = (ith_latent_params){1, 1, 1, 1, 1, true};
    assert_true(ith_hparams_add_sparse(&hp, object));
    assert_true(json_object_size(object) > 90);
    assert_true(file != NULL && text != NULL && fread(text, 1, (1 << 16) - 1, file) > 0);
    json_object_foreach (object, key, value) {
        snprintf(quoted, sizeof quoted, "`%s`", key);
        if (strstr(text, quoted) == NULL)
            fail_msg("PACK.md does not name %s", quoted);
    }
    fclose(file);
    free(text);
    json_decref(object);
}

/* What only some families have is neither written nor asked for by the others. */
static void families_have_their_own_fields(void **state)
{
    ith_hparams hp = odd_hparams(), got;
    json_t *object;
    (void)state;

    hp.experts.n = 5;
    object = ith_hparams_to_json(&hp);
    assert_null(json_object_get(object, "experts"));
    json_object_set_new(object, "architecture", json_string("qwen3moe"));
    assert_int_equal(ith_hparams_from_json(object, "test", &got, NULL), ITH_E_FORMAT);
    json_object_set_new(object, "architecture", json_string("unknown"));
    assert_int_equal(ith_hparams_from_json(object, "test", &got, NULL), ITH_OK);
    json_decref(object);
}

/* What nobody reads could change the arithmetic, so it is refused by name. */
static void unknown_members_are_refused(void **state)
{
    static const struct {
        const char *key, *value;
    } cases[] = {{"attention_bias", "true"},    {"mlp_bias", "true"},
                 {"sliding_window", "3"},       {"attention_softcap", "30.0"},
                 {"experts", "{\"count\": 2}"}, {"rope_theta_local", "10000.0"}};
    ith_hparams hp = odd_hparams(), got;
    json_t *object = ith_hparams_to_json(&hp);
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *other = json_deep_copy(object);
        ith_error err = {0};
        json_object_set_new(other, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        assert_int_equal(ith_hparams_from_json(other, "test", &got, &err), ITH_E_UNSUPPORTED);
        assert_non_null(strstr(err.text, cases[i].key));
        json_decref(other);
    }
    json_decref(object);
}

/* The sizes are in range one by one; what is made of them is not. */
static void numbers_out_of_range_are_refused(void **state)
{
    static const struct {
        const char *key, *value, *text;
    } cases[] = {
        {"rms_eps", "0.0", "epsilon"},
        {"rms_eps", "1e300", "epsilon"},
        {"rope_theta", "1e-300", "RoPE base"},
        {"rope_theta", "1.0", "RoPE base"},
        {"rope_theta", "1e300", "RoPE base"},
        {"rope_factor", "1e300", "scaling factor"},
        {"rope_original_context", "1099511627776", "original context"},
        {"rope_beta_fast", "1e300", "beta_fast"},
        {"rope_attention_factor", "1e300", "attention factor"},
        {"rope_mscale", "-1.0", "mscale"},
        {"context", "1099511627776", "context length"},
        {"head_dim", "1000000", "head size"},
        {"repetition_penalty", "0.0", "repetition penalty"},
        {"repetition_window", "-2", "repetition window"},
        {"qkv_limit", "-1.0", "limit of queries"},
        {"mamba_dt_least", "-1.0", "least step"},
        {"layer_traits", "[0, 8, 0]",
         "of a kind that models of family qwen3"},              /* Qwen3 has no recurrent layers, */
        {"layer_traits", "[0, 0, 16]", "layer 2 is of a kind"}, /* nor layers without attention */
    };
    ith_hparams hp = odd_hparams(), got;
    json_t *object = ith_hparams_to_json(&hp);
    ith_error err = {0};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *other = json_deep_copy(object);
        json_object_set_new(other, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        assert_int_equal(ith_hparams_from_json(other, "test", &got, &err), ITH_E_FORMAT);
        if (strstr(err.text, cases[i].text) == NULL)
            fail_msg("%s: %s", cases[i].text, err.text);
        json_decref(other);
    }
    json_decref(object);
    hp.n_layers = 10000, hp.n_heads = hp.n_kv_heads = 1 << 14, hp.head_dim = 64;
    assert_int_equal(ith_hparams_check(&hp, "test", &err), ITH_E_FORMAT);
    assert_non_null(strstr(err.text, "keys in all layers"));
    hp = odd_hparams();
    hp.hidden = 1 << 20, hp.ffn = 1 << 22, hp.n_layers = 10000;
    assert_int_equal(ith_hparams_check(&hp, "test", &err), ITH_E_FORMAT);
    assert_non_null(strstr(err.text, "parameters"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hyperparameters_keep_their_bits),
        cmocka_unit_test(every_hyperparameter_is_needed),
        cmocka_unit_test(experts_come_back),
        cmocka_unit_test(members_are_documented),
        cmocka_unit_test(families_have_their_own_fields),
        cmocka_unit_test(unknown_members_are_refused),
        cmocka_unit_test(numbers_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
