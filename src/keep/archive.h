/* archive.h - KV data in a folder, addressed by content, shared by any number of runs at once.
 *
 *   FOLDER/PARENT-KEY/manifest.json    a segment of up to 1,024 tokens: manifest.h
 *   FOLDER/PARENT-KEY/head-H.kv        keys and values of KV head H, all layers: kvfile.h
 *   FOLDER/PARENT-KEY/state-H.st       the state at its end of recurrent head H, all layers
 *
 * PARENT and KEY are the keys of archive_key.h, so the segments that follow a prefix are found by
 * the prefix's key. Of a run on several ranks, each reads and writes the files of the heads that
 * it holds. No file depends on the number of ranks, so any number can read what any number wrote.
 * The folder must be on a file system that all ranks share.
 *
 * Not every segment has states: they are large, and a model goes on from the last before a text
 * ends.
 *
 * A file appears under its name only when it is complete, it is protected by checksums, and its
 * contents do not depend on who writes it. Therefore writers need no locks, a segment exists when
 * its manifest and the files of all KV heads do, its states when those of all recurrent heads do,
 * and a segment that is deleted while it is read is just missing. The
 * modification time of a manifest is the time of the segment's last use.
 *
 * Prompts can be read in the files, so folders and files are for their owner alone. A folder that
 * others may write to is read with care: links in it are not followed, and what is no regular file
 * is not read (base/regular.h). That does not make its contents true: docs/trust.md.
 */
#ifndef ITH_KEEP_ARCHIVE_H
#define ITH_KEEP_ARCHIVE_H

#include "keep/kvfile.h"
#include "keep/manifest.h"

typedef struct ith_archive ith_archive;

/* Creates the folder if it does not exist; its parent must. follow: it may be a link. durable:
 * files are on disk before they get their names. */
ith_status ith_archive_open(const char *folder, bool follow, bool durable, ith_archive **archive,
                            ith_error *err);
void ith_archive_close(ith_archive *archive); /* accepts NULL */

const char *ith_archive_folder(const ith_archive *archive);

/* The open folder, which belongs to the archive. */
int ith_archive_descriptor(const ith_archive *archive);

/* ---- Segments ---- */

/* A segment of a timeline. */
typedef struct ith_segment {
    ith_key parent, key;
    int n;         /* tokens in the archive */
    int used;      /* how many of them the timeline begins with */
    int64_t start; /* tokens before it */
} ith_segment;

/* Finds the longest prefix of ids[n] in the archive. *segments (malloc'd): its *n_segments
 * segments in order, perhaps none; all but the last have used = ITH_KV_SEGMENT. If the model has
 * recurrent states: the longest prefix of fewer than n tokens that a timeline can go on from. The
 * last segment has states then, which may have seen a few tokens more (ith_recurrent_back).
 * Manifests that cannot be read are ignored. ITH_E_MEMORY; ITH_E_IO if the folder cannot be
 * read. */
ith_status ith_archive_find(const ith_archive *archive, const ith_key *root,
                            const ith_kv_shape *shape, const int32_t *ids, int64_t n,
                            ith_segment **segments, int64_t *n_segments, ith_error *err);

/* Is this file there? Are those of all KV heads, of all recurrent heads? */
bool ith_archive_holds(const ith_archive *archive, const ith_segment *segment, ith_head_file which);
bool ith_archive_holds_all(const ith_archive *archive, const ith_segment *segment,
                           const ith_kv_shape *shape);
bool ith_archive_holds_states(const ith_archive *archive, const ith_segment *segment,
                              const ith_kv_shape *shape);

/* One file; layers: see kvfile.h. ITH_E_IO: also if the disk is full. */
ith_status ith_archive_write(const ith_archive *archive, const ith_segment *segment,
                             const ith_kv_shape *shape, ith_head_file which,
                             const void *const *layers, ith_kvfile_buffer *buffer, ith_error *err);
ith_status ith_archive_read(const ith_archive *archive, const ith_segment *segment,
                            const ith_kv_shape *shape, ith_head_file which, void *const *layers,
                            ith_kvfile_buffer *buffer, bool *missing, ith_error *err);

/* Reads the manifest of the segment with these keys. As ith_manifest_read; also ITH_E_FORMAT: it is
 * of another segment. */
ith_status ith_archive_manifest(const ith_archive *archive, const ith_key *parent,
                                const ith_key *key, ith_manifest *m, ith_error *err);

/* Writes a segment's manifest. */
ith_status ith_archive_describe(const ith_archive *archive, const ith_manifest *m, ith_error *err);

/* Marks segments as used now. Later segments of the timeline get slightly earlier times, so that
 * ith_archive_shrink removes them first. */
void ith_archive_touch(const ith_archive *archive, const ith_segment *segments, int64_t n);

void ith_archive_remove(const ith_archive *archive, const ith_key *parent, const ith_key *key);

/* Removes a segment's states alone. */
void ith_archive_remove_states(const ith_archive *archive, const ith_key *parent,
                               const ith_key *key);

/* ---- The whole folder (archive_list.c) ---- */

/* A segment as it lies in the folder. */
typedef struct ith_archived {
    ith_key parent, key;
    int64_t bytes;
    int64_t used_ns; /* time of its last use, since 1970 */
    bool described;  /* its manifest can be read; if not, the fields below are 0 */
    bool complete;   /* the files of all its KV heads are there */
    bool states;     /* and of all recurrent heads */
    int64_t start;   /* tokens before it */
    int n;           /* its tokens */
    ith_kv_shape shape;
    char model[128];
} ith_archived;

/* *list (malloc'd): all *n segments, the least recently used first. Other files are ignored. */
ith_status ith_archive_list(const ith_archive *archive, ith_archived **list, int64_t *n,
                            ith_error *err);

/* Removes the least recently used segments until at most `bytes` are left. 0 removes all of them,
 * including incomplete ones. */
ith_status ith_archive_shrink(const ith_archive *archive, int64_t bytes, ith_error *err);

/* Reads all files of a segment and compares their checksums. */
ith_status ith_archive_verify(const ith_archive *archive, const ith_archived *segment,
                              ith_kvfile_buffer *buffer, ith_error *err);

#endif
