/* test_tile_codec.c - compressed tiles: planes of any kind are restored, and damaged tiles touch
 * nothing outside. */
#include "formats/tile_codec.h"
#include "prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TILE_GROUPS = 3, TILE_MAX = 16 * 32 * 4 * TILE_GROUPS };

/* Each plane by itself can be noise (stored as it is) or repeat (a frame). */
static void fill_planes(ith_layout layout, unsigned noisy, uint8_t *tile)
{
    size_t sizes[ITH_PLANES_MAX];
    int n = ith_planes_sizes(layout, TILE_GROUPS, sizes);
    uint8_t bytes[TILE_MAX], *at = bytes;
    const uint8_t *planes[ITH_PLANES_MAX];
    prng rng = {noisy + 1};

    for (int i = 0; i < n; at += sizes[i++]) {
        planes[i] = at;
        for (size_t j = 0; j < sizes[i]; j++)
            at[j] = noisy >> i & 1 ? (uint8_t)prng_next(&rng) : (uint8_t)(j % 7 / 6 + i);
    }
    assert_int_equal(at - bytes, ith_tile_bytes(layout, TILE_GROUPS));
    ith_planes_join(layout, TILE_GROUPS, planes, tile);
    ith_planes_split(layout, TILE_GROUPS, tile, at = calloc(1, TILE_MAX));
    assert_memory_equal(at, bytes, ith_tile_bytes(layout, TILE_GROUPS));
    free(at);
}

static void tiles_come_back_from_any_planes(void **state)
{
    static const int levels[] = {1, 9, 10, 22};
    static uint8_t tile[TILE_MAX], packed[TILE_MAX], scratch[TILE_MAX], got[TILE_MAX];
    ith_zframe *z;
    (void)state;

    assert_int_equal(ith_zframe_open(&z, NULL), ITH_OK);
    for (ith_layout layout = ITH_W8; layout <= ITH_F32T; layout++)
        for (unsigned noisy = 0; noisy < 16; noisy++)
            for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
                size_t bytes = ith_tile_bytes(layout, TILE_GROUPS), n;
                fill_planes(layout, noisy, tile);
                n = ith_tile_pack(layout, TILE_GROUPS, z, levels[l], tile, scratch, packed);
                assert_in_range(n, 0, bytes - 1);
                assert_true(n > 0 || noisy != 0);
                assert_true(n == 0 || noisy != 15);
                memset(got, 1, sizeof got);
                if (n > 0)
                    assert_true(ith_tile_unpack(layout, TILE_GROUPS, z, packed, n, scratch, got));
                if (n > 0)
                    assert_memory_equal(got, tile, bytes);
            }
    ith_zframe_close(z);
}

/* Arbitrary lengths and frames: decoding stays within the buffers, which have exactly their size,
 * and gives no more than a tile. */
static void no_compressed_tile_leads_outside(void **state)
{
    enum { BYTES = 16 * 32 * 2, PLANE = BYTES / 2 };
    static const uint8_t zeros[2 * PLANE];
    uint8_t *scratch = malloc(BYTES), *tile = malloc(BYTES), frame[3][200];
    size_t n[3];
    ith_zframe *z;
    (void)state;

    assert_int_equal(ith_zframe_open(&z, NULL), ITH_OK);
    for (int i = 0; i < 3; i++) {
        n[i] = ith_zframe_pack(z, 1, zeros, (size_t)(PLANE + i - 1), frame[i], sizeof frame[i]);
        assert_in_range(n[i], 1, sizeof frame[i]);
    }
    const struct {
        uint32_t lengths[2];
        int frames[2];
        int extra; /* bytes more, or fewer, than the lengths say */
        bool good;
    } cases[] = {
        {{(uint32_t)n[1], (uint32_t)n[1]}, {1, 1}, 0, true},
        {{(uint32_t)n[1], (uint32_t)n[1]}, {1, 1}, 1, false},
        {{(uint32_t)n[1], (uint32_t)n[1]}, {1, 1}, -1, false},
        {{(uint32_t)n[0], (uint32_t)n[1]}, {0, 1}, 0, false},
        {{(uint32_t)n[1], (uint32_t)n[0]}, {1, 0}, 0, false},
        {{(uint32_t)n[2], (uint32_t)n[1]}, {2, 1}, 0, false},
        {{(uint32_t)n[1], (uint32_t)n[2]}, {1, 2}, 0, false},
        {{UINT32_MAX, (uint32_t)n[1]}, {1, 1}, 0, false},
        {{0, (uint32_t)n[1]}, {1, 1}, 0, false},
        {{(uint32_t)n[1], PLANE}, {1, 1}, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bytes = 8 + n[cases[i].frames[0]] + n[cases[i].frames[1]] + (size_t)cases[i].extra;
        uint8_t *in = calloc(1, bytes + 1), *whole = calloc(1, 1000);
        memcpy(whole, cases[i].lengths, 8);
        memcpy(whole + 8, frame[cases[i].frames[0]], n[cases[i].frames[0]]);
        memcpy(whole + 8 + n[cases[i].frames[0]], frame[cases[i].frames[1]], n[cases[i].frames[1]]);
        in = realloc(in, bytes);
        memcpy(in, whole, bytes);
        if (ith_tile_unpack(ITH_BF16, 1, z, in, bytes, scratch, tile) != cases[i].good)
            fail_msg("case %zu", i);
        for (size_t cut = 0; cut < bytes; cut++) {
            uint8_t *part = malloc(cut > 0 ? cut : 1);
            memcpy(part, in, cut);
            assert_false(ith_tile_unpack(ITH_BF16, 1, z, part, cut, scratch, tile) &&
                         cases[i].good);
            free(part);
        }
        free(in);
        free(whole);
    }
    ith_zframe_close(z);
    free(scratch);
    free(tile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_come_back_from_any_planes),
        cmocka_unit_test(no_compressed_tile_leads_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
