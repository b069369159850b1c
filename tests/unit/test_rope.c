/* test_rope.c - rotary frequencies and angles against the same formulas in long double. */
#include "model/rope.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static ith_rope open_rope(ith_rope_params p, int64_t head_dim)
{
    ith_rope rope;
    ith_error err;
    if (ith_rope_open(&p, head_dim, 4096, NULL, &rope, &err) != ITH_OK)
        fail_msg("%s", err.text);
    return rope;
}

/* The float nearest to the true sine of the float angle, or its neighbour in a near tie. */
static void angles_are_right_to_the_last_bit(void **state)
{
    (void)state;
    ith_rope rope = open_rope((ith_rope_params){.kind = ITH_ROPE_PLAIN, .theta = 1e6}, 128);
    float cosine[64], sine[64];
    int64_t positions[] = {0, 1, 2, 63, 1000, 32767, 131071, 1000003};

    assert_true(rope.inv_freq[0] == 1.0f && rope.attention_factor == 1.0f);
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        ith_rope_angles(&rope, positions[i], cosine, sine);
        for (int64_t j = 0; j < rope.half; j++) {
            long double angle = (long double)((float)positions[i] * rope.inv_freq[j]);
            assert_true(fabsl((long double)sine[j] - sinl(angle)) <= 3.1e-8L);
            assert_true(fabsl((long double)cosine[j] - cosl(angle)) <= 3.1e-8L);
        }
    }
    ith_rope_close(&rope);
}

static void frequencies_follow_theta(void **state)
{
    (void)state;
    ith_rope rope = open_rope((ith_rope_params){.kind = ITH_ROPE_PLAIN, .theta = 1e4}, 64);
    for (int i = 0; i < 32; i++)
        assert_true(fabs((double)rope.inv_freq[i] / pow(1e4, -2.0 * i / 64) - 1) < 3e-7);
    ith_rope_close(&rope);
    rope = open_rope((ith_rope_params){.kind = ITH_ROPE_LINEAR, .theta = 1e4, .factor = 4}, 64);
    for (int i = 0; i < 32; i++)
        assert_true(fabs((double)rope.inv_freq[i] * 4 / pow(1e4, -2.0 * i / 64) - 1) < 3e-7);
    ith_rope_close(&rope);
}

/* YaRN with Qwen3's parameters for 131,072 tokens: the fastest dimensions keep their frequency, the
 * slowest are divided by the factor, and cos and sin are multiplied by 0.1 ln 4 + 1. */
static void yarn_keeps_fast_and_stretches_slow(void **state)
{
    (void)state;
    ith_rope_params p = {.kind = ITH_ROPE_YARN,
                         .theta = 1e6,
                         .factor = 4,
                         .original_context = 32768,
                         .beta_fast = 32,
                         .beta_slow = 1,
                         .truncate = true};
    ith_rope rope = open_rope(p, 128),
             plain = open_rope((ith_rope_params){.kind = ITH_ROPE_PLAIN, .theta = 1e6}, 128);
    float cosine[64], sine[64];

    assert_true(fabs((double)rope.attention_factor - (0.1 * log(4) + 1)) < 1e-6);
    for (int i = 0; i < 64; i++) {
        double ratio = (double)plain.inv_freq[i] / (double)rope.inv_freq[i];
        assert_true(ratio > 1 - 1e-6 && ratio < 4 + 1e-5);
        if (i < 23) /* 128 ln(32768 / 64 pi) / (2 ln 1e6) = 23.6 */
            assert_true(fabs(ratio - 1) < 1e-6);
        if (i > 40) /* 128 ln(32768 / 2 pi) / (2 ln 1e6) = 39.7 */
            assert_true(fabs(ratio - 4) < 1e-5);
    }
    ith_rope_angles(&rope, 0, cosine, sine);
    assert_true(cosine[5] == rope.attention_factor && sine[5] == 0);
    ith_rope_close(&rope);
    ith_rope_close(&plain);
}

/* Frequencies of the whole head, of which the first turn. */
static void proportional_turns_the_fastest(void **state)
{
    const ith_rope_params p = {
        .kind = ITH_ROPE_PROPORTIONAL, .theta = 1e6, .factor = 2, .rotated = 10};
    ith_rope rope = open_rope(p, 64),
             whole = open_rope((ith_rope_params){.kind = ITH_ROPE_PLAIN, .theta = 1e6}, 64);
    float cos[32], sin[32];
    (void)state;

    assert_int_equal(rope.half, 32);
    ith_rope_angles(&rope, 1000, cos, sin);
    for (int i = 0; i < 32; i++) {
        assert_true(rope.inv_freq[i] == (i < 5 ? whole.inv_freq[i] / 2 : 0));
        assert_true(i < 5 || (cos[i] == 1 && sin[i] == 0));
    }
    ith_rope_close(&rope);
    ith_rope_close(&whole);
}

static void a_proportional_model_is_not_scaled(void **state)
{
    static const char *const texts[] = {"none", "linear:2", "yarn:4"};
    (void)state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ith_rope_params p = {.kind = ITH_ROPE_PROPORTIONAL, .theta = 1e6, .factor = 1};
        int64_t ctx = 4096;
        ith_error err;
        assert_int_equal(ith_rope_scale(texts[i], &p, &ctx, &err), ITH_E_UNSUPPORTED);
        assert_non_null(strstr(err.text, "proportional"));
    }
}

static void bad_parameters_are_refused(void **state)
{
    (void)state;
    ith_rope rope;
    ith_error err;
    ith_rope_params p = {.kind = ITH_ROPE_PLAIN, .theta = 1e4};

    assert_int_equal(ith_rope_open(&p, 31, 4096, NULL, &rope, &err), ITH_E_UNSUPPORTED);
    p.theta = 0;
    assert_int_equal(ith_rope_open(&p, 32, 4096, NULL, &rope, &err), ITH_E_FORMAT);
    p = (ith_rope_params){.kind = ITH_ROPE_LLAMA3,
                          .theta = 1e4,
                          .factor = 8,
                          .original_context = 8192,
                          .low_freq_factor = 4,
                          .high_freq_factor = 1};
    assert_int_equal(ith_rope_open(&p, 32, 4096, NULL, &rope, &err), ITH_E_FORMAT);
    p = (ith_rope_params){.kind = ITH_ROPE_DYNAMIC, .theta = 1e4, .alpha = 1000, .rotated = 2};
    assert_int_equal(ith_rope_open(&p, 32, 4096, NULL, &rope, &err), ITH_E_FORMAT);
    assert_non_null(strstr(err.text, "more than 2 rotated channels"));
}

static void scaling_by_text(void **state)
{
    static const char *const bad[] = {"",        "yarn",     "yarn:",     "yarn:0.5",
                                      "yarn:4:", "yarn:4:0", "yarn:4:x",  "yarn:4:32768:1",
                                      "linear",  "linear:x", "linear:-2", "linear:2:512",
                                      "none:1",  "yarns:4",  "yarn:1e9",  "yarn:nan"};
    const ith_rope_params model = {
        .kind = ITH_ROPE_LLAMA3, .theta = 5e5, .factor = 8, .original_context = 8192};
    ith_rope_params p = model;
    int64_t ctx = 131072;
    ith_error err;
    (void)state;
    assert_int_equal(ith_rope_scale("yarn:4:32768", &p, &ctx, &err), ITH_OK);
    assert_true(p.kind == ITH_ROPE_YARN && p.theta == 5e5 && p.factor == 4 &&
                p.original_context == 32768);
    assert_true(p.beta_fast == 32 && p.beta_slow == 1 && p.truncate && p.attention_factor == 0);
    assert_int_equal(ctx, 131072);
    p = model;

    /* Relative to the context that the model was trained for. */
    assert_int_equal(ith_rope_scale("yarn:2.5", &p, &ctx, &err), ITH_OK);
    assert_true(p.original_context == 8192 && ctx == 20480);
    p = (ith_rope_params){.kind = ITH_ROPE_PLAIN, .theta = 1e6, .factor = 1};
    ctx = 40960;
    assert_int_equal(ith_rope_scale("linear:2", &p, &ctx, &err), ITH_OK);
    assert_true(p.kind == ITH_ROPE_LINEAR && p.factor == 2 && ctx == 81920);
    p = model;
    ctx = 131072;
    assert_int_equal(ith_rope_scale("none", &p, &ctx, &err), ITH_OK);
    assert_true(p.kind == ITH_ROPE_PLAIN && p.theta == 5e5 && ctx == 8192);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        p = model;
        ctx = 7;
        assert_int_equal(ith_rope_scale(bad[i], &p, &ctx, &err), ITH_E_ARGUMENT);
        assert_true(p.kind == ITH_ROPE_LLAMA3 && ctx == 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(angles_are_right_to_the_last_bit),
        cmocka_unit_test(frequencies_follow_theta),
        cmocka_unit_test(proportional_turns_the_fastest),
        cmocka_unit_test(a_proportional_model_is_not_scaled),
        cmocka_unit_test(yarn_keeps_fast_and_stretches_slow),
        cmocka_unit_test(bad_parameters_are_refused),
        cmocka_unit_test(scaling_by_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
