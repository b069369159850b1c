/* test_fuzz_formats.c - some thousand damaged files for each parser, from fixed seeds: no crash,
 * and every failure has a text.
 *
 * `make asan` runs it under the sanitizers. tests/fuzz/ has the same targets for longer runs. */
#include "formats/hparams_json.h"
#include "formats/pack_write.h"
#include "tests/fuzz/format_targets.h"
#include "tests/fuzz/mutate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROUNDS = 4000 };

static const char config[] =
    "{\"model_type\":\"qwen3_moe\",\"architectures\":[\"Qwen3MoeForCausalLM\"],\"num_experts\":4,"
    "\"mlp_only_layers\":["
    "0],"
    "\"num_experts_per_tok\":2,\"hidden_size\":64,\"intermediate_size\":96,"
    "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":16,"
    "\"vocab_size\":100,"
    "\"eos_token_id\":[1,2],\"bos_token_id\":3,\"rms_norm_eps\":1e-6,\"layer_types\":[\"full_"
    "attention\"],\"top_p\":0."
    "5,"
    "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":"
    "512},\"do_sample\":"
    "true}";

static bool gguf_target(const uint8_t *data, size_t size)
{
    return fuzz_gguf(data, size, 0);
}
static bool gguf_tokenizer_target(const uint8_t *data, size_t size)
{
    return fuzz_gguf(data, size, ITH_SOURCE_TOKENIZER_ONLY);
}

/* Frees `file`. Both outcomes must occur; otherwise there is too much or too little damage to test
 * anything. */
static void run(bool (*target)(const uint8_t *data, size_t size), buffer file, uint64_t seed)
{
    prng random = {seed};
    int accepted = 0;

    assert_true(target(file.data, file.n));
    for (int i = 0; i < ROUNDS; i++) {
        buffer damaged = {0};
        put(&damaged, file.data, file.n);
        mutate(&random, &damaged);
        accepted += target(damaged.data, damaged.n);
        free(damaged.data);
    }
    free(file.data);
    assert_in_range(accepted, 1, ROUNDS - 1);
}

static void damaged_gguf(void **state)
{
    (void)state;
    run(gguf_target, gguf_small(), 1);
}

static void damaged_gguf_for_its_tokenizer(void **state)
{
    (void)state;
    run(gguf_tokenizer_target, gguf_small(), 2);
}

static void damaged_safetensors(void **state)
{
    (void)state;
    run(fuzz_safetensors, safetensors_file(SAFETENSORS_SMALL, SAFETENSORS_SMALL_DATA), 3);
}

/* A pack of two tensors and a GGUF file's metadata. */
static buffer pack_small(void)
{
    static const float norm[64];
    static const uint8_t tiles[2][1088];
    char folder[64], path[128];
    buffer gguf = gguf_small(), out = {0};
    ith_hparams hp = {
        .architecture = "qwen3moe",
        .n_layers = 1,
        .hidden = 64,
        .ffn = 96,
        .n_heads = 4,
        .n_kv_heads = 2,
        .head_dim = 16,
        .n_vocab = 5,
        .ctx_train = 2048,
        .rms_eps = 1e-6,
        .top_p = 1,
        .repetition_penalty = 1,
        .embed_scale = 1,
        .residual_scale = 1,
        .logit_scale = 1,
        .attn_out_scale = 1,
        .ffn_gate_scale = 1,
        .ffn_out_scale = 1,
        .mamba =
            {.scale_z = 1, .scale_x = 1, .scale_b = 1, .scale_c = 1, .scale_dt = 1, .scale_out = 1},
        .bos = 1,
        .eos = {2},
        .n_eos = 1,
        .experts = {.n = 4,
                    .used = 2,
                    .ffn = 32,
                    .step = 1,
                    .router = {.factor = 1},
                    .n_dense = 1,
                    .dense = {3}},
        .rope = {.theta = 10000}};
    json_t *index = json_pack("{s:o}", "hyperparameters", ith_hparams_to_json(&hp));
    ith_encoded norm_tile = ith_pack_encode_bytes(norm, sizeof norm),
                q_tiles[2] = {ith_pack_encode_bytes(tiles[0], 1088),
                              ith_pack_encode_bytes(tiles[1], 1088)};
    ith_pack_writer *w;
    const ith_packed *t;
    uint8_t bytes[65536];
    FILE *file;

    folder_make(folder);
    snprintf(path, sizeof path, "%s/small.ith", folder);
    assert_int_equal(ith_pack_writer_open(path, false, &w, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_begin(w, "q", ITH_W8, 20, 64, ITH_CODEC_RAW, &t, NULL),
                     ITH_OK);
    assert_int_equal(ith_pack_writer_tiles(w, q_tiles, 2, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_begin(w, "norm", ITH_F32T, 64, 0, ITH_CODEC_RAW, &t, NULL),
                     ITH_OK);
    assert_int_equal(ith_pack_writer_tiles(w, &norm_tile, 1, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_blob(w, "gguf", gguf.data, gguf.n, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_finish(w, index, NULL), ITH_OK);
    ith_pack_writer_close(w);
    json_decref(index);
    free(gguf.data);
    file = fopen(path, "rb");
    assert_non_null(file);
    put(&out, bytes, fread(bytes, 1, sizeof bytes, file));
    fclose(file);
    folder_remove(folder);
    return out;
}

static buffer whole; /* what pack_index_target damages the index of */

/* Most of the file is tiles and zeros: here only the index is damaged. */
static bool pack_index_target(const uint8_t *data, size_t size)
{
    ith_pack_header h;
    bool accepted;

    memcpy(&h, whole.data, sizeof h);
    buffer b = {0};
    put(&b, whole.data, h.index_offset);
    put(&b, data, size);
    h.index_bytes = size;
    memcpy(b.data, &h, sizeof h);
    accepted = fuzz_pack(b.data, b.n);
    free(b.data);
    return accepted;
}

static void damaged_pack(void **state)
{
    (void)state;
    run(fuzz_pack, pack_small(), 5);
}

static void damaged_index_of_a_pack(void **state)
{
    buffer index = {0};
    ith_pack_header h;
    (void)state;

    whole = pack_small();
    memcpy(&h, whole.data, sizeof h);
    put(&index, whole.data + h.index_offset, h.index_bytes);
    run(pack_index_target, index, 6);
    free(whole.data);
}

static void damaged_config(void **state)
{
    buffer b = {0};
    (void)state;
    put(&b, config, sizeof config - 1);
    run(fuzz_hf_config, b, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_gguf),
        cmocka_unit_test(damaged_gguf_for_its_tokenizer),
        cmocka_unit_test(damaged_safetensors),
        cmocka_unit_test(damaged_pack),
        cmocka_unit_test(damaged_index_of_a_pack),
        cmocka_unit_test(damaged_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
