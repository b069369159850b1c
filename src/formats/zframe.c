/* zframe.c - compression and decompression by zstd. */
#include "formats/zframe.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <zstd.h>

/* Where bytes are nearly independent, chance repeats of a few bytes cost more than they save.
 * Exponents of bf16 weights: 2.7 bits by frequencies alone, 2 GB/s of tiles read back; with zstd's
 * own search at level 1 3.1 bits, 1.4 GB/s. */
enum { FREQUENCIES_ONLY = 9 };

struct ith_zframe {
    ZSTD_CCtx *pack; /* created on first use */
    ZSTD_DCtx *unpack;
};

ith_status ith_zframe_open(ith_zframe **z, ith_error *err)
{
    *z = calloc(1, sizeof **z);
    if (*z == NULL || ((*z)->unpack = ZSTD_createDCtx()) == NULL) {
        free(*z);
        *z = NULL;
        return ith_fail(err, ITH_E_MEMORY, "no memory for zstd's state");
    }
    return ITH_OK;
}

void ith_zframe_close(ith_zframe *z)
{
    if (z == NULL)
        return;
    ZSTD_freeCCtx(z->pack);
    ZSTD_freeDCtx(z->unpack);
    free(z);
}

/* Bytes that frequencies alone allow: n log2 n - sum c log2 c bits, where c counts each byte. */
static double least_bytes(const uint8_t *data, size_t bytes)
{
    uint32_t counts[4][256] = {{0}}; /* four, so that equal neighbours do not stall */
    double bits = (double)bytes * log2((double)bytes + 1);

    for (size_t i = 0; i < bytes; i++)
        counts[i % 4][data[i]]++;
    for (int i = 0; i < 256; i++) {
        double c = (double)counts[0][i] + counts[1][i] + counts[2][i] + counts[3][i];
        if (c > 0)
            bits -= c * log2(c);
    }
    return bits / 8;
}

size_t ith_zframe_pack(ith_zframe *z, int level, const void *data, size_t bytes, void *out,
                       size_t room)
{
    size_t n;

    if (z->pack == NULL && (z->pack = ZSTD_createCCtx()) == NULL)
        return 0;
    if (level <= FREQUENCIES_ONLY && least_bytes(data, bytes) > (double)room)
        return 0; /* noise: found at 2 GB/s here, by zstd at a tenth of that */
    ZSTD_CCtx_reset(z->pack, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(z->pack, ZSTD_c_compressionLevel, level);
    if (level <= FREQUENCIES_ONLY) {
        ZSTD_CCtx_setParameter(z->pack, ZSTD_c_strategy, ZSTD_fast);
        ZSTD_CCtx_setParameter(z->pack, ZSTD_c_minMatch, 7);
        ZSTD_CCtx_setParameter(z->pack, ZSTD_c_hashLog, 10);
    }
    n = ZSTD_compress2(z->pack, out, room, data, bytes);
    return ZSTD_isError(n) ? 0 : n;
}

bool ith_zframe_unpack(ith_zframe *z, const void *frame, size_t bytes, void *out, size_t size)
{
    return ZSTD_decompressDCtx(z->unpack, out, size, frame, bytes) == size;
}

int ith_zframe_max_level(void)
{
    return ZSTD_maxCLevel();
}
