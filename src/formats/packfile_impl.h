/* packfile_impl.h - the sections of a pack and the struct behind it, for its reader and writer. */
#ifndef ITH_FORMATS_PACKFILE_IMPL_H
#define ITH_FORMATS_PACKFILE_IMPL_H

#include "base/bytes.h"
#include "formats/packfile.h"

/* The first bytes of the file; little-endian, as in memory. */
typedef struct ith_pack_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t features; /* what a reader must understand; see ITH_PACK_FEATURES */
    uint64_t file_bytes;
    uint64_t index_offset, index_bytes, index_checksum; /* of the JSON text */
    uint64_t reserved;                                  /* 0 */
    uint64_t checksum;                                  /* of the fields above */
} ith_pack_header;

_Static_assert(sizeof(ith_pack_header) == ITH_PACK_HEADER, "no padding");

enum {
    ITH_PACK_FEATURE_ZSTD = 1,
    ITH_PACK_FEATURE_BLOCKS = 2, /* a layout other than those of the first packs */
    ITH_PACK_FEATURES = ITH_PACK_FEATURE_ZSTD | ITH_PACK_FEATURE_BLOCKS /* all understood ones */
};

enum { ITH_PACK_BLOBS_MAX = 64 };

extern const uint8_t ith_pack_magic[8];
extern const char *const ith_codec_names[2];

/* Header, index, a blob, or the tiles or the table of a tensor. */
typedef struct ith_pack_section {
    uint64_t offset, bytes;
    const char *what; /* for messages */
} ith_pack_section;

typedef struct ith_pack_blob_entry {
    const char *name; /* belongs to the index */
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
    ith_pack_section *sections; /* by offset */
    size_t n_sections;
};

/* Fills a pack that has only its header with what the index lists. */
ith_status ith_pack_read_index(ith_packfile *pack, ith_error *err);

/* Sets tile counts and sizes from layout, rows and cols (of a vector: rows). ITH_E_FORMAT if they
 * overflow, or a row is no whole number of the layout's blocks; `where` is the file's name. */
ith_status ith_packed_size(ith_packed *t, const char *where, ith_error *err);

/* Did the first packs have this layout? Others need ITH_PACK_FEATURE_BLOCKS. */
bool ith_layout_is_old(ith_layout layout);

/* False: packs have no layout of this name. */
bool ith_layout_named(const char *name, ith_layout *layout);

/* As 16 hexadecimal digits. */
void ith_checksum_text(uint64_t checksum, char text[17]);

#endif
