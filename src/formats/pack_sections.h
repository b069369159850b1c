/* pack_sections.h - what the files of this room that read and write packs share. */
#ifndef ITH_FORMATS_PACK_SECTIONS_H
#define ITH_FORMATS_PACK_SECTIONS_H

#include "formats/packfile.h"

/* The first bytes of the file; everything little-endian, as in memory. */
typedef struct ith_pack_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t features; /* what a reader must understand; see ITH_PACK_FEATURES */
    uint64_t file_bytes;
    uint64_t index_offset, index_bytes, index_checksum; /* of the JSON text */
    uint64_t reserved;                                  /* 0 */
    uint64_t checksum;                                  /* of all before */
} ith_pack_header;

_Static_assert(sizeof(ith_pack_header) == ITH_PACK_HEADER, "no padding");

enum {
    ITH_PACK_FEATURE_ZSTD = 1,
    ITH_PACK_FEATURES = ITH_PACK_FEATURE_ZSTD /* all that this version understands */
};

extern const uint8_t ith_pack_magic[8];
extern const char *const ith_codec_names[2];

typedef struct ith_pack_extent { /* a part of the file */
    uint64_t offset, bytes;
    const char *what;
} ith_pack_extent;

typedef struct ith_pack_blob_entry {
    const char *name; /* the index's */
    ith_bytes bytes;
} ith_pack_blob_entry;

struct ith_packfile {
    const ith_mapfile *file;
    ith_pack_header header;
    json_t *index;
    ith_packed *tensors;
    size_t n_tensors;
    const ith_packed **by_name; /* sorted */
    ith_pack_blob_entry *blobs;
    size_t n_blobs;
    ith_pack_extent *extents; /* all parts, rising */
    size_t n_extents;
};

/* Reads what the index lists into an otherwise empty pack whose header is right. */
ith_status ith_pack_read_index(ith_packfile *pack, ith_error *err);

/* Shape and tile sizes from layout, rows and cols (vector: rows). ITH_E_FORMAT if they overflow; `where` is the file's name. */
ith_status ith_packed_size(ith_packed *t, const char *where, ith_error *err);

bool ith_layout_named(const char *name,
                      ith_layout *layout); /* false: there is none of this name in packs */

/* 16 hexadecimal digits, and back (false: not that). */
void ith_checksum_text(uint64_t checksum, char text[17]);
bool ith_checksum_read(const char *text, uint64_t *checksum);

#endif
