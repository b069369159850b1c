/* test_quantized.c - quantized matrices of Hugging Face folders, in every form: each weight is that
 * of Transformers, compressed-tensors or GPTQModel (tests/golden/quantized), also in tiles; parts
 * that are missing, or that do not fit, are refused by name. */
#include "base/digest.h"
#include "base/json.h"

#include "formats/quantized.h"
#include "formats/safetensors.h"
#include "formats/widen.h"
#include "weights/layout.h"
#include "weights/produce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN "tests/golden/quantized/"

enum { COLS_MOST = 128, ROWS_MOST = 24 };

/* A case, opened and joined. */
typedef struct fixture {
    json_t *root;
    const json_t *entry; /* of cases.json */
    const char *name;
    ith_mapfile file;
    ith_tensor_table table;
    ith_quantized_list list;
    ith_hf_quantization config;
} fixture;

static json_t *all_cases(void)
{
    ith_error err;
    json_t *root = NULL;

    assert_int_equal(ith_json_read(GOLDEN "cases.json", 1 << 20, &root, &err), ITH_OK);
    assert_true(json_array_size(root) > 20);
    return root;
}

static void must(ith_status status, const fixture *f, const ith_error *err)
{
    if (status != ITH_OK)
        fail_msg("%s: %s", f->name, err->text);
}

/* Opens the files of a case; its table is indexed and not joined. */
static void fixture_open(const json_t *entry, fixture *f)
{
    char path[200];
    ith_error err;

    *f = (fixture){.entry = entry, .name = json_string_value(json_object_get(entry, "name"))};
    snprintf(path, sizeof path, GOLDEN "%s.safetensors", f->name);
    must(ith_hf_quantization_parse(entry, "config.json", &f->config, &err), f, &err);
    must(ith_mapfile_open(path, &f->file, &err), f, &err);
    must(ith_safetensors_parse(&f->file, &f->table, &err), f, &err);
    must(ith_tensor_table_index(&f->table, &err), f, &err);
}

static void fixture_named(const char *name, fixture *f)
{
    json_t *root = all_cases(), *entry;
    size_t i;

    json_array_foreach (root, i, entry)
        if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0) {
            fixture_open(entry, f);
            f->root = root;
            return;
        }
    fail_msg("there is no case %s", name);
}

static void fixture_close(fixture *f)
{
    ith_tensor_table_free(&f->table);
    ith_quantized_list_free(&f->list);
    ith_mapfile_close(&f->file);
    json_decref(f->root);
}

static ith_status join(fixture *f, ith_error *err)
{
    ITH_TRY(ith_quantized_join(&f->table, &f->config, "config.json", &f->list, err));
    return ith_tensor_table_index(&f->table, err);
}

static const ith_tensor *joined(fixture *f)
{
    const json_t *shape = json_object_get(f->entry, "shape");
    const ith_tensor *t;
    ith_error err;

    must(join(f, &err), f, &err);
    assert_int_equal(f->table.n, 1); /* nothing is left over */
    t = ith_tensor_table_find(&f->table, "m.weight");
    assert_non_null(t);
    assert_non_null(t->quantized);
    assert_int_equal(t->n_dims, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(t->dims[i], json_integer_value(json_array_get(shape, i)));
    if (strcmp(ith_dtype_get(t->dtype)->name,
               json_string_value(json_object_get(f->entry, "read_as"))) != 0)
        fail_msg("%s: is read as %s", f->name, ith_dtype_get(t->dtype)->name);
    return t;
}

static void must_have_weights(const fixture *f, const float *x, size_t n, const char *what)
{
    const json_t *first = json_object_get(f->entry, "first");
    char hex[65];

    for (size_t i = 0; i < json_array_size(first); i++)
        if (x[i] != (float)json_number_value(json_array_get(first, i)))
            fail_msg("%s, %s: weight %d is %.9g", f->name, what, (int)i, (double)x[i]);
    ith_sha256_hex(x, n * sizeof *x, hex);
    if (strcmp(hex, json_string_value(json_object_get(f->entry, "sha256"))) != 0)
        fail_msg("%s, %s: other weights", f->name, what);
}

/* Sixteen rows at a time, in no order, the last ones absent. */
static void make_rows(const ith_tensor *t, float *out)
{
    const ith_quantized *q = t->quantized;
    uint8_t *scratch = malloc(16 * ((size_t)q->cols + ITH_QUANTIZED_PAD)),
            *blocks = malloc(16 * sizeof(float) * (size_t)q->cols);

    for (int64_t done = 0; done < q->rows; done += 16) {
        int64_t rows[16];
        const uint8_t *stored[16];
        uint8_t *made[16];
        for (int r = 0; r < 16; r++) {
            const int64_t at = done + (r * 5 + 3) % 16;
            rows[r] = at < q->rows ? at : -1;
            stored[r] =
                q->row_bytes == 0 || rows[r] < 0 ? NULL : t->data + (size_t)rows[r] * q->row_bytes;
            made[r] = blocks + sizeof(float) * (size_t)(r * q->cols);
        }
        ith_quantized_rows(t, rows, stored, scratch, made);
        for (int r = 0; r < 16; r++)
            if (rows[r] >= 0)
                ith_dtype_to_f32(t->dtype, made[r], q->cols, out + rows[r] * q->cols);
    }
    free(scratch);
    free(blocks);
}

static void weights_are_those_of_the_libraries(void **state)
{
    json_t *root = all_cases(), *entry;
    float x[ROWS_MOST * COLS_MOST];
    size_t i;

    (void)state;
    json_array_foreach (root, i, entry) {
        fixture f;
        const ith_tensor *t;
        fixture_open(entry, &f);
        t = joined(&f);
        make_rows(t, x);
        must_have_weights(&f, x, (size_t)ith_tensor_elements(t), "rows");
        fixture_close(&f);
    }
    json_decref(root);
}

/* Tiles as the store makes them, in the layout that keeps the bits, and exact. */
static void check_tiles(fixture *f, const ith_tensor *t, bool exact)
{
    const ith_layout layout = ith_layout_choose(t, ITH_QUANT_LOSSLESS, false, exact);
    ith_load_plan plan = {0};
    ith_producer p;
    const ith_matrix *m;
    ith_error err;
    float x[ROWS_MOST * COLS_MOST];
    void *tiles;

    must(ith_load_plan_matrix(&plan, "m", t, t->dims[0], t->dims[1], layout, &m, &err), f, &err);
    tiles = aligned_alloc(64, m->tile_bytes * (size_t)m->n_tiles);
    must(ith_producer_open(&plan, ITH_CACHED, &p, &err), f, &err);
    must(ith_produce(&p, &plan.entries[0], 0, m->n_tiles, tiles, &err), f, &err);
    for (int64_t row = 0; row < m->rows; row++)
        ith_layout_unpack_row(layout, m->groups,
                              (uint8_t *)tiles + (size_t)(row / 16) * m->tile_bytes,
                              (int)(row % 16), m->cols, x + row * m->cols);
    must_have_weights(f, x, (size_t)(m->rows * m->cols), ith_layout_name(layout));
    ith_producer_close(&p);
    ith_load_plan_free(&plan);
    free(tiles);
}

static void tiles_keep_the_weights(void **state)
{
    json_t *root = all_cases(), *entry;
    size_t i;

    (void)state;
    json_array_foreach (root, i, entry) {
        fixture f;
        const ith_tensor *t;
        fixture_open(entry, &f);
        t = joined(&f);
        check_tiles(&f, t, false);
        check_tiles(&f, t, true);
        fixture_close(&f);
    }
    json_decref(root);
}

/* All F8_E4M3: sign, four bits with bias 7, three bits; 448 is the largest. */
static void floats_of_8_bits(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++) {
        const int e = i >> 3 & 15, m = i & 7;
        const double size = e == 0 ? m * 0x1p-9 : (8 + m) * (double)(1 << e) * 0x1p-10;
        const float x = ith_f8_e4m3((uint8_t)i);
        if ((i & 0x7f) == 0x7f)
            assert_true(x != x);
        else
            assert_true((double)x == (i & 0x80 ? -size : size));
    }
    assert_true(ith_f8_e4m3(0x7e) == 448.0f);
}

/* ---- Refusals ---- */

typedef struct damage {
    const char *name, *part; /* the case, the tensor without "m." */
    int dim;                 /* gets `to`; -1: the tensor is renamed; -2: has type F64 */
    int64_t to;
    const char *error; /* part of it */
} damage;

static void damage_table(fixture *f, const damage *d)
{
    ith_tensor *t = f->table.items;
    ith_error err;

    while (strcmp(t->name + 2, d->part) != 0)
        assert_true(++t < f->table.items + f->table.n);
    if (d->dim >= 0) {
        t->dims[d->dim] = d->to;
    } else if (d->dim == -1) {
        ((char *)(uintptr_t)t->name)[0] = 'n';
        must(ith_tensor_table_index(&f->table, &err), f, &err);
    } else {
        t->dtype = ITH_DT_UNREAD;
        strcpy(t->unread, "F64");
    }
}

static void parts_that_do_not_fit_are_named(void **state)
{
    static const damage cases[] = {
        {"fp8-blocks", "weight_scale_inv", -1, 0, "has no m.weight_scale beside it"},
        {"fp8-blocks", "weight_scale_inv", 0, 4, "the shape of tensor m.weight_scale_inv"},
        {"fp8-blocks", "weight_scale_inv", 1, 9, "the shape of tensor m.weight_scale_inv"},
        {"fp8-blocks", "weight_scale_inv", -2, 0, "m.weight_scale_inv has type F64"},
        {"fp8-blocks", "weight", 0, 23, "tensor m.weight takes"},
        {"fp8-blocks", "weight", 0, 0, "the shape of tensor m.weight"},
        {"fp8-e8m0", "weight_scale_inv", 0, 2, "m.weight_scale_inv takes 9 bytes"},
        {"fbgemm", "weight_scale", 0, 23, "the shape of tensor m.weight_scale"},
        {"packed-32", "weight_shape", -1, 0, "has no m.weight_shape beside it"},
        {"packed-32", "weight_shape", -2, 0, "m.weight_shape has type F64"},
        {"packed-32", "weight_scale", -1, 0, "has no m.weight_scale beside it"},
        {"packed-32", "weight_scale", 1, 2, "the shape of tensor m.weight_scale"},
        {"packed-32", "weight_packed", 1, 13, "tensor m.weight_packed takes"},
        {"packed-32", "weight_packed", -2, 0, "m.weight_packed has type F64"},
        {"packed-zeros", "weight_zero_point", 0, 4, "tensor m.weight_zero_point takes"},
        {"packed-zeros", "weight_zero_point", -2, 0, "m.weight_zero_point has type F64"},
        {"packed-order", "weight_g_idx", 0, 95, "tensor m.weight_g_idx takes"},
        {"int8", "weight", 1, 95, "tensor m.weight takes"},
        {"int8-zeros", "weight_zero_point", 0, 23, "tensor m.weight_zero_point takes"},
        {"awq-64", "qzeros", -1, 0, "has no m.qzeros beside it"},
        {"awq-64", "qzeros", 0, 1, "tensor m.qzeros takes"},
        {"awq-64", "scales", 0, 3, "the shape of tensor m.scales"},
        {"awq-64", "qweight", 0, 95, "tensor m.qweight takes"},
        {"gptq", "scales", -1, 0, "has no m.scales beside it"},
        {"gptq", "qzeros", -2, 0, "m.qzeros has type F64"},
        {"gptq", "g_idx", 0, 97, "tensor m.g_idx takes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture f;
        ith_error err = {0};
        fixture_named(cases[i].name, &f);
        damage_table(&f, &cases[i]);
        if (join(&f, &err) == ITH_OK || strstr(err.text, cases[i].error) == NULL ||
            strstr(err.text, ".safetensors") == NULL)
            fail_msg("%s, %s: \"%s\"", cases[i].name, cases[i].part, err.text);
        fixture_close(&f);
    }
}

/* Numbers inside parts: sizes and groups that reach past the tensor. */
static void numbers_that_reach_too_far_are_named(void **state)
{
    static const int64_t sizes[][2] = {{24, -96}, {24, 97}, {25, 96}, {24, INT64_MAX}, {24, 0}};
    int32_t order[96];
    ith_error err;
    fixture f;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        fixture_named("packed-32", &f);
        ((ith_tensor *)(uintptr_t)ith_tensor_table_find(&f.table, "m.weight_shape"))->data =
            (const uint8_t *)sizes[i];
        assert_int_equal(join(&f, &err), ITH_E_FORMAT);
        assert_non_null(strstr(err.text, "the shape of tensor"));
        fixture_close(&f);
    }
    for (int bad = -2; bad <= 3; bad += bad == -2 ? 1 : 4) {
        fixture_named("gptq-order", &f);
        for (int c = 0; c < 96; c++)
            order[c] = c == 50 ? bad : 2;
        ((ith_tensor *)(uintptr_t)ith_tensor_table_find(&f.table, "m.g_idx"))->data =
            (const uint8_t *)order;
        assert_int_equal(join(&f, &err), ITH_E_FORMAT);
        assert_non_null(strstr(err.text, "tensor m.g_idx: "));
        fixture_close(&f);
    }
}

static void what_the_configuration_does_not_say_is_refused(void **state)
{
    static const ith_hf_method others[] = {ITH_HF_PLAIN, ITH_HF_FP8, ITH_HF_AWQ};
    ith_error err;
    fixture f;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        fixture_named("gptq", &f);
        f.config.method = others[i];
        assert_int_not_equal(join(&f, &err), ITH_OK);
        assert_non_null(strstr(err.text, "m.qweight"));
        fixture_close(&f);
    }
    fixture_named("int8", &f);
    f.config.method = ITH_HF_FP8;
    assert_int_equal(join(&f, &err), ITH_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "m.weight is quantized otherwise"));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_those_of_the_libraries),
        cmocka_unit_test(tiles_keep_the_weights),
        cmocka_unit_test(floats_of_8_bits),
        cmocka_unit_test(parts_that_do_not_fit_are_named),
        cmocka_unit_test(numbers_that_reach_too_far_are_named),
        cmocka_unit_test(what_the_configuration_does_not_say_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
