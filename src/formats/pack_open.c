/* pack_open.c - opening a pack: its header, then everything that its index lists. */
#include "formats/packfile_impl.h"

#include "base/checksum.h"

#include <stdlib.h>
#include <string.h>

static ith_status check_header(const ith_mapfile *file, ith_pack_header *h, ith_error *err)
{
    if (file->size < sizeof *h)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: truncated: %zu bytes, a pack's header alone has %zu", file->path,
                        file->size, sizeof *h);
    memcpy(h, file->data, sizeof *h);
    if (ith_checksum_differs(h->checksum, ith_checksum(h, offsetof(ith_pack_header, checksum))))
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged: the header's checksum differs",
                        file->path);
    if (h->version != ITH_PACK_VERSION || (h->features & ~(uint32_t)ITH_PACK_FEATURES) != 0 ||
        h->reserved != 0)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: a pack of version %u with features %x; this program reads version %d "
                        "with features %x: it "
                        "needs a newer ithaca",
                        file->path, h->version, h->features, ITH_PACK_VERSION, ITH_PACK_FEATURES);
    if (h->file_bytes != file->size)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s: the file has %zu bytes, its header says %llu",
                        file->path, file->size < h->file_bytes ? "truncated" : "damaged",
                        file->size, (unsigned long long)h->file_bytes);
    return ITH_OK;
}

ith_status ith_pack_open(const ith_mapfile *file, ith_packfile **out, ith_error *err)
{
    ith_packfile *pack = calloc(1, sizeof *pack);
    ith_status status;

    *out = NULL;
    if (pack == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory to open it", file->path);
    pack->file = file;
    ITH_CHECK(check_header(file, &pack->header, err));
    ITH_CHECK(ith_pack_read_index(pack, err));
    *out = pack;
done:
    if (status != ITH_OK)
        ith_pack_close(pack);
    return status;
}
