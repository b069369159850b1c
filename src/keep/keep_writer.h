/* keep_writer.h - a thread that writes KV segments into an archive while others compute. */
#ifndef ITH_KEEP_KEEP_WRITER_H
#define ITH_KEEP_KEEP_WRITER_H

#include "keep/archive.h"

typedef struct ith_keep_item {
    ith_segment segment;
    int head;                  /* of all heads */
    const void *const *layers; /* [n_layers] the segment's memory, which must not change until it is written */
} ith_keep_item;

typedef struct ith_keep_batch { /* all malloc'd */
    ith_keep_item *items;
    int64_t n_items;
    const void **layers; /* what the items' point into */
    void *copies;        /* ith_mem's: memory of those that would change, or NULL */
    ith_manifest *manifests;
    int64_t n_manifests;
} ith_keep_batch;

void ith_keep_batch_free(ith_keep_batch *batch); /* zeroes it */

typedef struct ith_keep_writer ith_keep_writer;

/* The archive must outlive the writer. */
ith_status ith_keep_writer_open(const ith_archive *archive, const ith_kv_shape *shape, ith_keep_writer **writer,
                                ith_error *err);
void ith_keep_writer_close(ith_keep_writer *writer); /* waits; accepts NULL */

/* Takes the batch, which is zeroed; the one before must have been waited for. Files that are there already are not written again. */
void ith_keep_writer_put(ith_keep_writer *writer, ith_keep_batch *batch);

/* Returns when the batch is written, or has failed: then with the first failure. */
ith_status ith_keep_writer_wait(ith_keep_writer *writer, ith_error *err);

#endif
