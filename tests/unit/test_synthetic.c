/* test_synthetic.c - models without files: their names, shapes and data. */
#include "formats/source.h"
#include "formats/tensor_table.h"
#include "formats/widen.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static ith_source *open_name(const char *name)
{
    ith_source *source = NULL;
    ith_error err = {0};

    if (ith_source_open(name, 0, &source, &err) != ITH_OK)
        fail_msg("%s: %s", name, err.text);
    return source;
}

static void expect_refused(const char *name, const char *text)
{
    ith_source *source = NULL;
    ith_error err = {0};

    assert_int_not_equal(ith_source_open(name, 0, &source, &err), ITH_OK);
    assert_null(source);
    if (strstr(err.text, text) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", name, err.text, text);
}

static int64_t parameters(const ith_source *source)
{
    int64_t n = 0;
    for (size_t i = 0; i < ith_source_n_tensors(source); i++)
        n += ith_tensor_elements(ith_source_tensor(source, i));
    return n;
}

/* The published numbers of parameters. */
static void shapes_have_their_models_size(void **state)
{
    static const struct {
        const char *name;
        int64_t parameters;
    } models[] = {
        {"synthetic:qwen3-0.6b:q4_0", 596049920},
        {"synthetic:qwen3-1.7b:bf16", 1720574976},
        {"synthetic:qwen3-4b:q8_0", 4022468096},
        {"synthetic:qwen3-8b:q4_0", 8190735360},
        {"synthetic:qwen3-14b:q4_0", 14768307200},
        {"synthetic:qwen3-32b:q4_0", 32762123264},
        {"synthetic:smollm2-135m:q4_1", 134515008},
        {"synthetic:llama-3.1-8b:q4_0", 8030261248},
        {"synthetic:qwen3-30b-a3b:q4_0", 30532122624},
        {"synthetic:llama-3.1-70b:q4_0", 70553706496},
        {"synthetic:gemma-3-12b:q4_0", 11766034176},
        {"synthetic:olmo-2-7b:q4_0", 7298617344},
        {"synthetic:gpt-oss-20b:mxfp4", 20914757184},
        {"synthetic:gpt-oss-120b:mxfp4", 116829156672},
        {"synthetic:glm-4.5-air:q4_0", 106852251264},
        {"synthetic:kimi-linear-48b-a3b:q4_0", 49122681728},
    };
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        ith_source *source = open_name(models[i].name);
        assert_int_equal(ith_source_get_kind(source), ITH_SOURCE_SYNTHETIC);
        assert_int_equal(parameters(source), models[i].parameters);
        ith_source_close(source);
    }
}

/* A config.json gives the tensors of the checkpoint beside it. */
static void compare_with_checkpoint(const char *folder)
{
    char name[200];
    ith_source *synthetic, *real = open_name(folder);

    snprintf(name, sizeof name, "synthetic:%s/config.json:f16", folder);
    synthetic = open_name(name);
    assert_int_equal(ith_source_n_tensors(synthetic), ith_source_n_tensors(real));
    for (size_t i = 0; i < ith_source_n_tensors(real); i++) {
        const ith_tensor *a = ith_source_tensor(real, i), *b = ith_source_find(synthetic, a->name);
        assert_non_null(b);
        assert_int_equal(a->n_dims, b->n_dims);
        for (int j = 0; j < a->n_dims; j++)
            assert_int_equal(a->dims[j], b->dims[j]);
    }
    ith_source_close(synthetic);
    ith_source_close(real);
}

static void a_config_is_a_shape(void **state)
{
    (void)state;
    compare_with_checkpoint("tests/models/needle-qwen3");
    compare_with_checkpoint("tests/golden/qwen3moe-dense");
    compare_with_checkpoint("tests/golden/qwen3moe-norm");
}

/* Sixteen rows from the first and the last byte of the largest tensor: all of it is readable. */
static void check_scale(const char *name, double tolerance)
{
    enum { ROWS = 9, COLS = 1024 };
    ith_source *source = open_name(name);
    const ith_tensor *t = ith_source_find(source, "model.embed_tokens.weight");
    float *x = malloc(2 * ROWS * COLS * sizeof *x);
    double sum = 0, squares = 0;
    size_t bytes = t->bytes / (size_t)t->dims[0] * ROWS;

    assert_non_null(x);
    ith_dtype_to_f32(t->dtype, t->data, ROWS * COLS, x);
    ith_dtype_to_f32(t->dtype, t->data + t->bytes - bytes, ROWS * COLS, x + ROWS * COLS);
    for (int i = 0; i < 2 * ROWS * COLS; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    /* The mean of 18,432 values is within 0.1 deviations. Q4_0's values are -8 to 7 steps: their
     * mean is off by half a step, and their deviation is 4.61 steps. */
    if (fabs(sum / (2 * ROWS * COLS)) * 32 > 0.13 ||
        fabs(sqrt(squares / (2 * ROWS * COLS)) * 32 - 1) > tolerance)
        fail_msg("%s: mean %g, deviation %g", name, sum / (2 * ROWS * COLS),
                 sqrt(squares / (2 * ROWS * COLS)));
    free(x);
    ith_source_close(source);
}

static void data_have_a_sane_scale(void **state)
{
    /* MXFP4's scales are powers of two. */
    static const struct {
        const char *name;
        double tolerance;
    } types[] = {{"f32", 0.05},  {"F16", 0.05},    {"bf16", 0.05},   {"q8_0", 0.05},
                 {"Q4_0", 0.05}, {"q4_1", 0.05},   {"q5_0", 0.05},   {"q5_1", 0.05},
                 {"q2_k", 0.05}, {"q3_k", 0.05},   {"q4_k", 0.05},   {"q5_k", 0.05},
                 {"q6_k", 0.05}, {"iq4_nl", 0.05}, {"iq4_xs", 0.05}, {"mxfp4", 0.42}};
    char name[100];

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(name, sizeof name, "synthetic:qwen3-0.6b:%s", types[i].name);
        check_scale(name, types[i].tolerance);
    }
}

static void norms_are_ones_and_layers_differ(void **state)
{
    ith_source *source = open_name("synthetic:smollm2-135m:bf16");
    const ith_tensor *norm = ith_source_find(source, "model.norm.weight");
    const ith_tensor *a = ith_source_find(source, "model.layers.0.mlp.up_proj.weight");
    const ith_tensor *b = ith_source_find(source, "model.layers.1.mlp.up_proj.weight");

    (void)state;
    for (int i = 0; i < 576; i++)
        assert_true(((const float *)(const void *)norm->data)[i] == 1.0f);
    assert_memory_not_equal(a->data, b->data, 1000);
    ith_source_close(source);
}

static void the_same_name_is_the_same_model(void **state)
{
    ith_source *a = open_name("synthetic:smollm2-135m:q4_0"),
               *b = open_name("synthetic:smollm2-135m:q4_0");

    (void)state;
    for (size_t i = 0; i < ith_source_n_tensors(a); i += 50)
        assert_memory_equal(ith_source_tensor(a, i)->data, ith_source_tensor(b, i)->data,
                            ith_source_tensor(a, i)->bytes);
    ith_source_close(a);
    ith_source_close(b);
}

static void other_names_are_refused(void **state)
{
    ith_source *source = NULL;
    ith_error err = {0};

    (void)state;
    expect_refused("synthetic:", "expected synthetic:SHAPE:TYPE");
    expect_refused("synthetic:qwen3-8b", "expected synthetic:SHAPE:TYPE");
    expect_refused("synthetic::q4_0", "expected synthetic:SHAPE:TYPE");
    expect_refused("synthetic:qwen3-9b:q4_0", "llama-3.1-8b, llama-3.1-70b, olmo-2-7b");
    expect_refused("synthetic:qwen3-8b:iq2_xs", "known: F32, F16, BF16");
    expect_refused("synthetic:smollm2-135m:q4_k", "576 elements is not a whole number of Q4_K");
    expect_refused("synthetic:no/such/config.json:q4_0", "no/such/config.json: No such file");
    expect_refused("synthetic:smollm2-135m/config.json:q4_0", "No such file");
    assert_int_equal(
        ith_source_open("synthetic:qwen3-8b:q4_0", ITH_SOURCE_TOKENIZER_ONLY, &source, &err),
        ITH_OK);
    assert_int_equal(ith_source_n_tensors(source), 0);
    ith_source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_have_their_models_size),
        cmocka_unit_test(a_config_is_a_shape),
        cmocka_unit_test(data_have_a_sane_scale),
        cmocka_unit_test(norms_are_ones_and_layers_differ),
        cmocka_unit_test(the_same_name_is_the_same_model),
        cmocka_unit_test(other_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
