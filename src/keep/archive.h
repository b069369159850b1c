/* archive.h - KV data in a folder, addressed by content, shared by any number of runs at once.
 *
 *   FOLDER/PARENT-KEY/manifest.json    a segment of up to 1,024 tokens: manifest.h
 *   FOLDER/PARENT-KEY/head-H.kv        keys and values of KV head H, all layers: kvfile.h
 *
 * The names are those of archive_key.h: what follows a prefix is found by the prefix's key. Who computes on several ranks writes and reads, on
 * each, the files of the heads that it holds; no file tells how many ranks there were, so any number can read what any number wrote. The folder must
 * be on a file system that all of them share.
 *
 * Every file appears complete, proves itself by a checksum, and is the same whoever writes it; so writers need no locks, a segment exists
 * when all its files do, and one that is deleted while it is read is only missing. The manifest's time is that of the last use.
 */
#ifndef ITH_KEEP_ARCHIVE_H
#define ITH_KEEP_ARCHIVE_H

#include "keep/kvfile.h"
#include "keep/manifest.h"

typedef struct ith_archive ith_archive;

/* Makes the folder if it is not there (the one above must be). durable: what is written is synchronized with the disk. */
ith_status ith_archive_open(const char *folder, bool durable, ith_archive **archive, ith_error *err);
void ith_archive_close(ith_archive *archive); /* accepts NULL */

const char *ith_archive_folder(const ith_archive *archive);

typedef struct ith_segment { /* one of a timeline */
    ith_key parent, key;
    int n;    /* tokens in the archive */
    int used; /* of them, those that the timeline begins with */
} ith_segment;

/* The longest prefix of ids[n] that the archive holds: segments one after another, all but the last with used = ITH_KV_SEGMENT. *segments is
 * malloc'd, of *n_segments, perhaps none. Manifests that cannot be read count as not there. ITH_E_MEMORY; ITH_E_IO if the folder
 * cannot be read. */
ith_status ith_archive_find(const ith_archive *archive, const ith_key *root, const ith_kv_shape *shape,
                            const int32_t *ids, int64_t n, ith_segment **segments, int64_t *n_segments, ith_error *err);

bool ith_archive_holds(const ith_archive *archive, const ith_segment *segment, int head);

/* Head `head` of all heads; layers as in kvfile.h. A full disk is ITH_E_IO. */
ith_status ith_archive_write(const ith_archive *archive, const ith_segment *segment, const ith_kv_shape *shape,
                             int head, const void *const *layers, ith_kvfile_buffer *buffer, ith_error *err);
ith_status ith_archive_read(const ith_archive *archive, const ith_segment *segment, const ith_kv_shape *shape, int head,
                            void *const *layers, ith_kvfile_buffer *buffer, bool *missing, ith_error *err);
ith_status ith_archive_describe(const ith_archive *archive, const ith_manifest *m, ith_error *err);

/* Marks segments as used now: later ones of a timeline a little earlier, so that they go first. */
void ith_archive_touch(const ith_archive *archive, const ith_segment *segments, int64_t n);

void ith_archive_remove(const ith_archive *archive, const ith_key *parent, const ith_key *key);

/* ---- The whole folder ---- */

typedef struct ith_archived { /* a segment as it lies there */
    ith_key parent, key;
    bool described; /* it has a manifest that can be read; else what follows but bytes and used_ns is 0 */
    bool complete;  /* and all its files */
    int64_t start;
    int n;
    ith_kv_shape shape;
    char model[128];
    int64_t bytes;
    int64_t used_ns; /* time of its last use, since 1970 */
} ith_archived;

/* All of it, malloc'd, the least recently used first. What has no name of a segment is passed over. */
ith_status ith_archive_list(const ith_archive *archive, ith_archived **list, int64_t *n, ith_error *err);

/* Removes the least recently used until at most `bytes` are left; 0: all, what a full disk left unfinished included. */
ith_status ith_archive_shrink(const ith_archive *archive, int64_t bytes, ith_error *err);

/* Reads everything of one segment and compares all checksums. */
ith_status ith_archive_verify(const ith_archive *archive, const ith_archived *segment, ith_kvfile_buffer *buffer,
                              ith_error *err);

#endif
