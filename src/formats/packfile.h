/* packfile.h - Ithaca's own model file, the pack (.ith): weights in the layouts the kernels read,
 * cut into tiles, which are used where they are mapped or decompressed. PACK.md describes the
 * format.
 *
 *     ith_pack_open(mapfile, &pack)                 checks header, index, tables and blobs
 *     ith_pack_find(pack, name)                     a tensor: layout, shape, tiles
 *     ith_pack_in_place(t)                          its tiles in the mapping, if not compressed
 *     ith_pack_reader_open(pack, caching, &reader)  one per thread
 *     ith_pack_read(reader, t, first, n, out)       reads, verifies and decompresses tiles
 *
 * Any number of threads may use a pack; a reader belongs to one. Nothing in the file is trusted:
 * what these functions return lies inside the file and has the size that its layout says.
 */
#ifndef ITH_FORMATS_PACKFILE_H
#define ITH_FORMATS_PACKFILE_H

#include "base/bytes.h"
#include "base/json.h"
#include "formats/filereader.h"
#include "simd/kernels.h"

enum {
    ITH_PACK_VERSION = 1,
    ITH_PACK_HEADER = 64,  /* bytes */
    ITH_PACK_ALIGN = 4096, /* of each tensor and blob in the file */
    ITH_PACK_ENTRY = 24,   /* bytes of a tile's entry in its tensor's table */
    ITH_PACK_NAME = 96     /* a tensor's name and its NUL */
};

typedef enum ith_codec {
    /* Tiles as kernels read them. */
    ITH_CODEC_RAW,
    /* Each tile compressed by itself (tile_codec.h), except where that is no shorter. A tile of
     * tile_bytes bytes is as is. */
    ITH_CODEC_ZSTD
} ith_codec;

typedef struct ith_packfile ith_packfile;

/* A tensor of a pack. */
typedef struct ith_packed {
    const ith_packfile *pack;
    char name[ITH_PACK_NAME];
    bool vector;        /* `rows` floats in one tile, always raw */
    ith_layout layout;  /* matrices: w8, w4, w4m, bf16, f32t */
    int64_t rows, cols; /* a vector has 1 column */
    size_t groups;      /* of 32 columns */
    int64_t n_tiles;    /* of 16 rows */
    size_t tile_bytes;  /* ith_tile_bytes, or a vector's bytes */
    ith_codec codec;
    uint64_t offset, bytes; /* in the file */
    const uint8_t *table;   /* [n_tiles] entries */
} ith_packed;

/* An entry of the table. */
typedef struct ith_pack_tile {
    uint64_t offset;   /* in the file */
    uint32_t bytes;    /* as stored */
    uint64_t checksum; /* ith_checksum of those */
} ith_pack_tile;

bool ith_pack_probe(const ith_mapfile *file); /* does it begin like a pack? */

/* `file` must outlive the pack. ITH_E_FORMAT: damaged or truncated, and the message says where;
 * ITH_E_UNSUPPORTED: made by a newer version. */
ith_status ith_pack_open(const ith_mapfile *file, ith_packfile **pack, ith_error *err);
void ith_pack_close(ith_packfile *pack); /* accepts NULL */

size_t ith_pack_n_tensors(const ith_packfile *pack);
const ith_packed *ith_pack_tensor(const ith_packfile *pack, size_t i); /* in the file's order */
const ith_packed *ith_pack_find(const ith_packfile *pack, const char *name); /* NULL: none */
const ith_mapfile *ith_pack_file(const ith_packfile *pack);

/* The index, which holds hyperparameters and provenance too. */
const json_t *ith_pack_index(const ith_packfile *pack);

/* The blob of this name, in the mapping; data NULL: there is none. */
ith_bytes ith_pack_blob(const ith_packfile *pack, const char *name);

ith_pack_tile ith_pack_tile_get(const ith_packed *t, int64_t tile); /* 0 <= tile < n_tiles */

/* The first tile in the mapping, aligned to 64 bytes; the others follow. NULL if tiles are
 * compressed. Not verified, see ith_pack_check. */
const uint8_t *ith_pack_in_place(const ith_packed *t);

/* Verifies the checksum of a tile in the mapping. ITH_E_FORMAT names tensor and tile. */
ith_status ith_pack_check(const ith_packed *t, int64_t tile, ith_error *err);

/* ITH_E_FORMAT: a byte between two sections is not 0. Together with ith_pack_check of every tile
 * this checks each bit of the file. */
ith_status ith_pack_check_gaps(const ith_packfile *pack, ith_error *err);

const char *ith_packed_type(const ith_packed *t); /* "w4m", "f32" */

/* ---- Reading tiles ---- */

typedef struct ith_pack_reader ith_pack_reader; /* file reader and zstd state of one thread */

/* ITH_E_IO: it cannot be opened, or the pack's path now names another file. */
ith_status ith_pack_reader_open(const ith_packfile *pack, ith_caching caching,
                                ith_pack_reader **reader, ith_error *err);
void ith_pack_reader_close(ith_pack_reader *reader); /* accepts NULL */

/* Tiles [first, first + n) of a tensor of the reader's pack into out[n * tile_bytes]. Neighbours
 * are read together (filereader.h). ITH_E_IO: the system's message; ITH_E_FORMAT: truncated, a
 * wrong checksum, or a frame that does not decompress. Both name tensor and tile. */
ith_status ith_pack_read(ith_pack_reader *reader, const ith_packed *t, int64_t first, int64_t n,
                         void *out, ith_error *err);

#endif
