/* peak_amx.c - peaks of AMX. */
#include "simd/amx/tiles_amx.h"
#include "simd/avx512bw/peak_avx512.h"

#include <string.h>

enum { SUMS = 4, ROWS = 16, ROW_BYTES = 64 };

static uint32_t integer(int64_t rounds)
{
    tile_shapes shapes = {.palette = 1};
    uint8_t ones[ROWS][ROW_BYTES];
    int32_t sums[SUMS][ROWS][ROW_BYTES / 4];
    uint32_t count = 0;

    for (int i = 0; i < 8; i++)
        shapes.rows[i] = ROWS, shapes.row_bytes[i] = ROW_BYTES;
    memset(ones, 1, sizeof ones);
    tile_configure(&shapes);
    tile_load(4, ones, ROW_BYTES);
    tile_load(5, ones, ROW_BYTES);
    for (int64_t r = 0; r < rounds; r++) {
        tile_add_us(0, 4, 5);
        tile_add_us(1, 4, 5);
        tile_add_us(2, 4, 5);
        tile_add_us(3, 4, 5);
    }
    tile_store(0, sums[0], ROW_BYTES);
    tile_store(1, sums[1], ROW_BYTES);
    tile_store(2, sums[2], ROW_BYTES);
    tile_store(3, sums[3], ROW_BYTES);
    tile_release();
    for (int i = 0; i < SUMS; i++)
        for (int row = 0; row < ROWS; row++)
            for (int n = 0; n < ROW_BYTES / 4; n++)
                count += (uint32_t)sums[i][row][n];
    return count;
}

const ith_peaks ith_peaks__amx = {
    .name = "amx",
    .integer = {"tdpbusd", SUMS *ROWS *ROW_BYTES *(ROW_BYTES / 4) * 2, integer},
    .f32 = {"vfmadd231ps zmm", ITH_PEAK_SUMS * 16 * 2, ith_peak_f32__avx512bw},
    .read = ith_peak_read__avx512bw,
};
