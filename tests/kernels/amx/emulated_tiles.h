/* emulated_tiles.h - the operations of simd/amx/tiles_amx.h in plain C, in place of that header: by
 * them the kernels of AMX are compared with the reference on any machine with AVX-512.
 *
 * What the CPU would refuse ends the program: shapes beyond the limits, operands that do not match,
 * tiles that are not configured. */
#ifndef ITH_SIMD_AMX_TILES_H
#define ITH_SIMD_AMX_TILES_H

#include "simd/kernels.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITH_TILES(function) function##__emulated

typedef struct tile_shapes {
    uint8_t palette;
    uint8_t start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

enum { EMULATED_TILES = 8, EMULATED_ROWS = 16, EMULATED_BYTES = 64 };

/* Of the only thread of a test. */
static struct {
    tile_shapes shapes;
    uint8_t bytes[EMULATED_TILES][EMULATED_ROWS][EMULATED_BYTES];
} emulated;

static inline void emulated_need(int condition, const char *what)
{
    if (!condition) {
        printf("not ok emulated tiles: %s\n", what);
        abort();
    }
}

static inline void tile_configure(const tile_shapes *shapes)
{
    static const uint8_t zeros[sizeof shapes->reserved];

    emulated_need(shapes->palette == 1 && shapes->start_row == 0 &&
                      memcmp(shapes->reserved, zeros, sizeof zeros) == 0,
                  "a palette other than 1");
    for (int i = 0; i < 16; i++)
        emulated_need(i < EMULATED_TILES ? shapes->rows[i] <= EMULATED_ROWS &&
                                               shapes->row_bytes[i] <= EMULATED_BYTES &&
                                               !shapes->rows[i] == !shapes->row_bytes[i]
                                         : shapes->rows[i] == 0 && shapes->row_bytes[i] == 0,
                      "a shape beyond the limits");
    memset(&emulated, 0, sizeof emulated);
    emulated.shapes = *shapes;
}

static inline void tile_release(void)
{
    memset(&emulated, 0, sizeof emulated);
}

static inline void tile_zero(int tile)
{
    emulated_need(emulated.shapes.rows[tile] > 0, "a tile that is not configured");
    memset(emulated.bytes[tile], 0, sizeof emulated.bytes[tile]);
}

static inline void tile_load(int tile, const void *from, int64_t stride)
{
    tile_zero(tile);
    for (int r = 0; r < emulated.shapes.rows[tile]; r++)
        memcpy(emulated.bytes[tile][r], (const uint8_t *)from + r * stride,
               emulated.shapes.row_bytes[tile]);
}

static inline void tile_store(int tile, void *to, int64_t stride)
{
    emulated_need(emulated.shapes.rows[tile] > 0, "a tile that is not configured");
    for (int r = 0; r < emulated.shapes.rows[tile]; r++)
        memcpy((uint8_t *)to + r * stride, emulated.bytes[tile][r],
               emulated.shapes.row_bytes[tile]);
}

/* Wide copies of the bytes of a tile: of the operand that is signed, or not. */
static inline void emulated_widen(int tile, bool is_signed,
                                  int16_t to[EMULATED_ROWS][EMULATED_BYTES])
{
    for (int r = 0; r < EMULATED_ROWS; r++)
        for (int i = 0; i < EMULATED_BYTES; i++)
            to[r][i] = is_signed ? (int8_t)emulated.bytes[tile][r][i] : emulated.bytes[tile][r][i];
}

static inline void emulated_add(int c, int a, int b, bool a_signed, bool b_signed)
{
    const tile_shapes *s = &emulated.shapes;
    int16_t wide_a[EMULATED_ROWS][EMULATED_BYTES], wide_b[EMULATED_ROWS][EMULATED_BYTES];

    emulated_need(s->rows[c] > 0 && s->rows[c] == s->rows[a] &&
                      s->row_bytes[c] == s->row_bytes[b] && s->row_bytes[a] == 4 * s->rows[b] &&
                      c != a && c != b && a != b,
                  "shapes that do not match");
    emulated_widen(a, a_signed, wide_a);
    emulated_widen(b, b_signed, wide_b);
    for (int m = 0; m < s->rows[c]; m++) {
        int32_t sums[EMULATED_BYTES / 4];
        memcpy(sums, emulated.bytes[c][m], sizeof sums);
        for (int k = 0; k < s->rows[b]; k++)
            for (int n = 0; n < s->row_bytes[c] / 4; n++)
                for (int i = 0; i < 4; i++)
                    sums[n] += wide_a[m][4 * k + i] * wide_b[k][4 * n + i];
        memcpy(emulated.bytes[c][m], sums, sizeof sums);
    }
}

static inline void tile_add_ss(int c, int a, int b)
{
    emulated_add(c, a, b, true, true);
}

static inline void tile_add_su(int c, int a, int b)
{
    emulated_add(c, a, b, true, false);
}

static inline void tile_add_us(int c, int a, int b)
{
    emulated_add(c, a, b, false, true);
}

/* Prototypes of what the kernels define with these tiles. */
#define ITH_QUANTS(constant, name, quants, small, numbers, block, runs)                            \
    ith_gemm_fn ith_gemm_##name##__emulated;
#include "simd/layouts.inc"
ith_attn_fn ith_attn_q8__emulated;

#endif
