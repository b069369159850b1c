#include "formats/zframe.h"

#include <stdlib.h>
#include <zstd.h>

struct ith_zframe {
    ZSTD_CCtx *pack; /* made when first needed */
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

size_t ith_zframe_pack(ith_zframe *z, int level, const void *data, size_t bytes, void *out, size_t room)
{
    size_t n;

    if (z->pack == NULL && (z->pack = ZSTD_createCCtx()) == NULL)
        return 0;
    n = ZSTD_compressCCtx(z->pack, out, room, data, bytes, level);
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
