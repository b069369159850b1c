/* Some thousand damaged files for each parser, from fixed seeds: no fault, no failure without a text. Under `make asan` the
 * sanitizers watch. tests/fuzz/ has the same targets for longer runs. */
#include "tests/fuzz/format_targets.h"
#include "tests/fuzz/mutate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROUNDS = 4000 };

static const char config[] =
    "{\"model_type\":\"qwen3\",\"architectures\":[\"Qwen3ForCausalLM\"],\"hidden_size\":64,\"intermediate_size\":96,"
    "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":16,\"vocab_size\":100,"
    "\"eos_token_id\":[1,2],\"bos_token_id\":3,\"rms_norm_eps\":1e-6,\"layer_types\":[\"full_attention\"],\"top_p\":0."
    "5,"
    "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":512},\"do_sample\":"
    "true}";

static bool gguf_target(const uint8_t *data, size_t size)
{
    return fuzz_gguf(data, size, 0);
}
static bool gguf_tokenizer_target(const uint8_t *data, size_t size)
{
    return fuzz_gguf(data, size, ITH_SOURCE_TOKENIZER_ONLY);
}

/* Frees `file`. Both outcomes must be met, or the damage is too much or too little to test anything. */
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
        cmocka_unit_test(damaged_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
