/* test_dtype.c - element types: sizes, names, and blocks whose values were worked out by hand from
 * the GGUF specification. */
#include "formats/widen.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void put16(uint8_t *at, uint16_t x)
{
    memcpy(at, &x, sizeof x);
}

static void sizes_are_those_of_ggml(void **state)
{
    static const struct {
        const char *name;
        int block, bytes;
        uint32_t ggml;
    } expected[ITH_DTYPES] = {
        {"F32", 1, 4, 0},       {"F16", 1, 2, 1},       {"BF16", 1, 2, 30},
        {"Q8_0", 32, 34, 8},    {"Q4_0", 32, 18, 2},    {"Q4_1", 32, 20, 3},
        {"Q5_0", 32, 22, 6},    {"Q5_1", 32, 24, 7},    {"Q2_K", 256, 84, 10},
        {"Q3_K", 256, 110, 11}, {"Q4_K", 256, 144, 12}, {"Q5_K", 256, 176, 13},
        {"Q6_K", 256, 210, 14}, {"IQ4_NL", 32, 18, 20}, {"IQ4_XS", 256, 136, 23},
        {"MXFP4", 32, 17, 39},  {"IQ3_S", 256, 110, 21}};
    (void)state;
    for (int i = 0; i < ITH_DTYPES; i++) {
        ith_dtype found = ITH_DTYPES;
        assert_string_equal(ith_dtype_get((ith_dtype)i)->name, expected[i].name);
        assert_int_equal(ith_dtype_get((ith_dtype)i)->block, expected[i].block);
        assert_int_equal(ith_dtype_get((ith_dtype)i)->block_bytes, expected[i].bytes);
        assert_true(ith_dtype_from_ggml(expected[i].ggml, &found));
        assert_int_equal(found, i);
        assert_string_equal(ith_ggml_type_name(expected[i].ggml), expected[i].name);
    }
}

static void types_not_read_have_a_name(void **state)
{
    ith_dtype dtype;
    (void)state;
    assert_false(ith_dtype_from_ggml(18, &dtype));
    assert_string_equal(ith_ggml_type_name(18), "IQ3_XXS");
    assert_string_equal(ith_ggml_type_name(40), "NVFP4");
    assert_null(ith_ggml_type_name(4)); /* Q4_2, withdrawn */
    assert_null(ith_ggml_type_name(4000000000u));
    assert_true(ith_dtype_from_safetensors("BF16", &dtype));
    assert_int_equal(dtype, ITH_DT_BF16);
    assert_false(ith_dtype_from_safetensors("F64", &dtype));
    assert_false(ith_dtype_from_safetensors("Q8_0", &dtype)); /* GGML's, not a safetensors type */
}

static void floats_widen_exactly(void **state)
{
    static const uint16_t f16[] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000},
                          bf16[] = {0x3f80, 0xc040, 0x0001, 0x7f7f, 0x8000};
    static const float f16_values[] = {1.0f, -2.0f, 0x1p-24f, 65504.0f, -0.0f};
    static const float bf16_values[] = {1.0f, -3.0f, 0x1p-133f, 0x1.fep127f, -0.0f};
    static const float f32[] = {1.5f, -0x1p-149f, 3.14159274f};
    uint8_t bytes[1 + 16]; /* one byte in: sources are unaligned */
    float out[5];
    (void)state;
    memcpy(bytes + 1, f16, sizeof f16);
    ith_dtype_to_f32(ITH_DT_F16, bytes + 1, 5, out);
    assert_memory_equal(out, f16_values, sizeof f16_values);
    memcpy(bytes + 1, bf16, sizeof bf16);
    ith_dtype_to_f32(ITH_DT_BF16, bytes + 1, 5, out);
    assert_memory_equal(out, bf16_values, sizeof bf16_values);
    memcpy(bytes + 1, f32, sizeof f32);
    ith_dtype_to_f32(ITH_DT_F32, bytes + 1, 3, out);
    assert_memory_equal(out, f32, sizeof f32);
}

static void q8_0_blocks(void **state)
{
    uint8_t bytes[2 * 34] = {0};
    float out[64];
    (void)state;
    put16(bytes, 0x3800); /* 0.5 */
    bytes[2] = 0x80;      /* -128 */
    bytes[3] = 0x7f;
    bytes[2 + 31] = 0xff;      /* -1 */
    put16(bytes + 34, 0xc000); /* -2 */
    bytes[34 + 2 + 5] = 3;
    ith_dtype_to_f32(ITH_DT_Q8_0, bytes, 64, out);
    assert_true(out[0] == -64.0f && out[1] == 63.5f && out[2] == 0.0f && out[31] == -0.5f);
    assert_true(out[32 + 5] == -6.0f);
}

static void q4_0_blocks(void **state)
{
    uint8_t bytes[18];
    float out[32];
    (void)state;
    put16(bytes, 0x4000); /* 2 */

    /* Element i is 2 (i - 8), element 16 + i is 2 (7 - i). */
    for (int i = 0; i < 16; i++)
        bytes[2 + i] = (uint8_t)(i | (15 - i) << 4);
    ith_dtype_to_f32(ITH_DT_Q4_0, bytes, 32, out);
    for (int i = 0; i < 16; i++) {
        assert_true(out[i] == 2.0f * (float)(i - 8));
        assert_true(out[16 + i] == 2.0f * (float)(7 - i));
    }
}

static void q4_1_blocks(void **state)
{
    uint8_t bytes[20];
    float out[32];
    (void)state;
    put16(bytes, 0x3400);     /* 0.25 */
    put16(bytes + 2, 0xc900); /* -10 */
    for (int i = 0; i < 16; i++)
        bytes[4 + i] = (uint8_t)(i | (15 - i) << 4);
    ith_dtype_to_f32(ITH_DT_Q4_1, bytes, 32, out);
    for (int i = 0; i < 16; i++) {
        assert_true(out[i] == 0.25f * (float)i - 10.0f);
        assert_true(out[16 + i] == 0.25f * (float)(15 - i) - 10.0f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_of_ggml),
        cmocka_unit_test(types_not_read_have_a_name),
        cmocka_unit_test(floats_widen_exactly),
        cmocka_unit_test(q8_0_blocks),
        cmocka_unit_test(q4_0_blocks),
        cmocka_unit_test(q4_1_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
