/* tiles_amx.h - the tile registers of AMX and their 8-bit products.
 *
 * A tile has up to 16 rows of 64 bytes. One instruction adds the products of two tiles to a third:
 *
 *   c[m][n] += sum over k, b of a[m][4k + b] * b[k][4n + b]     c: int32; a, b: bytes
 *
 * It takes as many cycles as a has rows, whatever the other two dimensions. The tiles are numbered
 * 0 to 7 by literals. They belong to the thread, as does their configuration.
 *
 * This is inline assembly because the intrinsics of gcc 12 do not tell the compiler that a load
 * reads memory. tests/kernels/amx has the same operations in plain C: kernels include this header
 * alone, and name what they define by ITH_TILES().
 */
#ifndef ITH_SIMD_AMX_TILES_H
#define ITH_SIMD_AMX_TILES_H

#include <stdint.h>

/* The function of this name at the level whose tiles these are. */
#define ITH_TILES(function) function##__amx

/* The configuration, as ldtilecfg reads it. */
typedef struct tile_shapes {
    uint8_t palette; /* 1 */
    uint8_t start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

/* Sets the shapes of the tiles and clears them. */
#define tile_configure(shapes) __asm__ volatile("ldtilecfg %0" : : "m"(*(shapes)))

/* Gives the tiles back: the thread then has none to save. */
#define tile_release() __asm__ volatile("tilerelease" : :)

#define tile_zero(tile) __asm__ volatile("tilezero %%tmm" #tile : :)

/* Rows of a tile from or to memory, `stride` bytes apart. */
#define tile_load(tile, from, stride)                                                              \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile                                            \
                     :                                                                             \
                     : "r"(from), "r"((int64_t)(stride))                                           \
                     : "memory")
#define tile_store(tile, to, stride)                                                               \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)"                                        \
                     :                                                                             \
                     : "r"(to), "r"((int64_t)(stride))                                             \
                     : "memory")

/* c += a * b for bytes that are signed (s) or unsigned (u) in a and b. */
#define tile_add_ss(c, a, b) __asm__ volatile("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #c : :)
#define tile_add_su(c, a, b) __asm__ volatile("tdpbsud %%tmm" #b ", %%tmm" #a ", %%tmm" #c : :)
#define tile_add_us(c, a, b) __asm__ volatile("tdpbusd %%tmm" #b ", %%tmm" #a ", %%tmm" #c : :)

#endif
