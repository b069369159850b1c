/* test_blocks.c - quantized types of GGUF: every element equals gguf-py's, in blocks and in tiles
 * (tests/golden/blocks). */
#include "formats/widen.h"
#include "simd/tile.h"
#include "weights/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ELEMENTS = 1536 };

typedef struct fixture {
    char name[9];
    uint32_t blocks, elements, bytes; /* of a block, the latter two */
    uint8_t *data;
    float values[ELEMENTS];
    ith_dtype dtype;
} fixture;

static void *data_of(FILE *f, size_t bytes)
{
    void *data = malloc(bytes);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, bytes, f), bytes);
    return data;
}

/* False at the end of the file. */
static bool next(FILE *f, fixture *x)
{
    *x = (fixture){0};
    if (fread(x->name, 1, 8, f) != 8)
        return false;
    assert_int_equal(fread(&x->blocks, 4, 3, f), 3);
    assert_int_equal(x->blocks * x->elements, ELEMENTS);
    x->data = data_of(f, (size_t)x->blocks * x->bytes);
    assert_int_equal(fread(x->values, 4, ELEMENTS, f), ELEMENTS);
    for (x->dtype = 0; strcmp(ith_dtype_get(x->dtype)->name, x->name) != 0;)
        assert_true(++x->dtype < ITH_DTYPES);
    return true;
}

static FILE *open_fixtures(void)
{
    FILE *f = fopen("tests/golden/blocks/blocks.bin", "rb");
    assert_non_null(f);
    return f;
}

static void must_equal(const fixture *x, const float *got, int64_t n, const char *what)
{
    for (int64_t i = 0; i < n; i++)
        if (memcmp(got + i, x->values + i, 4) != 0 && !(got[i] == 0 && x->values[i] == 0))
            fail_msg("%s, %s, element %d: %.9g, gguf-py has %.9g", x->name, what, (int)i,
                     (double)got[i], (double)x->values[i]);
}

static void blocks_widen_as_gguf_py_does(void **state)
{
    FILE *f = open_fixtures();
    fixture x;
    int types = 0;

    (void)state;
    for (; next(f, &x); types++, free(x.data)) {
        float got[ELEMENTS];
        assert_int_equal(ith_dtype_get(x.dtype)->block, x.elements);
        assert_int_equal(ith_dtype_get(x.dtype)->block_bytes, x.bytes);
        ith_dtype_to_f32(x.dtype, x.data, ELEMENTS, got);
        must_equal(&x, got, ELEMENTS, "widened");
    }
    fclose(f);
    assert_int_equal(types, ITH_DTYPES - ITH_DT_Q8_0); /* all quantized types */
}

/* Row r of a tile starts at block r of the fixture, so that all blocks come to all rows. */
static void check_tile(const fixture *x, ith_layout layout, int n_rows)
{
    const int64_t cols = 256, groups = cols / 32, step = x->elements > cols ? x->elements : cols;
    const size_t row_bytes = (size_t)(step / x->elements) * x->bytes,
                 tile_bytes = ith_tile_bytes(layout, (size_t)groups);
    uint8_t *tile = aligned_alloc(64, tile_bytes);
    const uint8_t *rows[16] = {NULL};

    for (int r = 0; r < n_rows; r++)
        rows[r] = x->data + (size_t)(r % (ELEMENTS / step)) * row_bytes;
    memset(tile, 0xa5, tile_bytes);
    assert_true(ith_layout_pack_tile(layout, groups, x->dtype, cols, NULL, rows, tile));
    for (int r = 0; r < 16; r++) {
        float got[256];
        fixture row = *x;
        memcpy(row.values, x->values + r % (ELEMENTS / step) * step, sizeof got);
        ith_layout_unpack_row(layout, groups, tile, r, cols, got);
        if (r < n_rows)
            must_equal(&row, got, cols, ith_layout_name(layout));
        else
            for (int c = 0; c < cols; c++)
                assert_true(got[c] == 0.0f);
    }
    free(tile);
}

static void tiles_keep_the_elements(void **state)
{
    FILE *f = open_fixtures();
    fixture x;

    (void)state;
    for (; next(f, &x); free(x.data)) {
        const ith_tensor tensor = {.dtype = x.dtype};
        for (int n_rows = 1; n_rows <= 16; n_rows += 5) {
            for (ith_quant quant = ITH_QUANT_W8; quant <= ITH_QUANT_AUTO; quant++)
                check_tile(&x, ith_layout_choose(&tensor, quant, false, false), n_rows);
            check_tile(&x, ith_layout_choose(&tensor, ITH_QUANT_AUTO, false, true), n_rows);
        }
        assert_true(ith_layout_is_quantized(ith_layout_choose(&tensor, ITH_QUANT_W8, true, false)));
    }
    fclose(f);
}

/* Packs are made of these sizes. */
static void sizes_are_those_of_packs(void **state)
{
    static const size_t bytes[ITH_LAYOUTS] = {
        [ITH_W8] = 544,    [ITH_W4] = 288,    [ITH_W4M] = 320,    [ITH_Q5_0] = 352,
        [ITH_Q5_1] = 384,  [ITH_Q2_K] = 168,  [ITH_Q3_K] = 228,   [ITH_Q4_K] = 296,
        [ITH_Q5_K] = 360,  [ITH_Q6_K] = 420,  [ITH_IQ4_NL] = 288, [ITH_IQ4_XS] = 276,
        [ITH_MXFP4] = 272, [ITH_BF16] = 1024, [ITH_F32T] = 2048,  [ITH_F32] = 2048,
    };

    (void)state;
    for (ith_layout l = 0; l < ITH_LAYOUTS; l++) {
        const ith_tile_form *f = &ith_tile_forms[l];
        assert_int_equal(ith_tile_bytes(l, 64), 64 * bytes[l]);
        if (!ith_layout_is_quantized(l))
            continue;
        assert_int_equal(f->block * (f->quants + f->small) % 64, 0); /* blocks stay aligned */
    }
}

static void infinite_scales_are_told(void **state)
{
    FILE *f = open_fixtures();
    fixture x;

    (void)state;
    for (; next(f, &x); free(x.data)) {
        const ith_tensor tensor = {.dtype = x.dtype};
        const ith_layout layout = ith_layout_choose(&tensor, ITH_QUANT_AUTO, false, false);
        const uint8_t *rows[16] = {x.data};
        uint8_t *tile = aligned_alloc(64, ith_tile_bytes(layout, 8));
        const int numbers = ith_tile_has_minima(layout) && x.dtype != ITH_DT_IQ3_S ? 2 : 1;
        const int first = x.dtype == ITH_DT_Q2_K   ? 80
                          : x.dtype == ITH_DT_Q3_K ? 108
                          : x.dtype == ITH_DT_Q6_K ? 208
                                                   : 0;
        for (int i = 0; i < numbers; i++) {
            uint8_t kept[2], *at = x.data + first + 2 * i;
            memcpy(kept, at, 2);
            memcpy(at, &(uint16_t){x.dtype == ITH_DT_MXFP4 ? 254 : 0x7c00}, 2);
            assert_false(ith_layout_pack_tile(layout, 8, x.dtype, 256, NULL, rows, tile));
            memcpy(at, kept, 2);
        }
        assert_true(ith_layout_pack_tile(layout, 8, x.dtype, 256, NULL, rows, tile));
        free(tile);
    }
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_widen_as_gguf_py_does),
        cmocka_unit_test(tiles_keep_the_elements),
        cmocka_unit_test(sizes_are_those_of_packs),
        cmocka_unit_test(infinite_scales_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
