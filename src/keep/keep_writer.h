/* keep_writer.h - a thread that writes KV segments and states into an archive while the model
 * computes. */
#ifndef ITH_KEEP_KEEP_WRITER_H
#define ITH_KEEP_KEEP_WRITER_H

#include "keep/archive.h"

/* A file to write. */
typedef struct ith_keep_item {
    ith_segment segment;
    ith_head_file which;
    const void *const *layers; /* must not change until the file is written */
} ith_keep_item;

/* All malloc'd, `copies` and `states` by ith_mem_alloc. */
typedef struct ith_keep_batch {
    ith_keep_item *items;
    int64_t n_items;
    const void **layers; /* [n_layers] the items' layers point into this */
    int64_t n_layers;
    void *copies, *states;   /* of memory that would change; or NULL */
    ith_manifest *manifests; /* written after the items */
    int64_t n_manifests;
} ith_keep_batch;

void ith_keep_batch_free(ith_keep_batch *batch); /* zeroes it */

typedef struct ith_keep_writer ith_keep_writer;

/* The archive must outlive the writer. */
ith_status ith_keep_writer_open(const ith_archive *archive, const ith_kv_shape *shape,
                                ith_keep_writer **writer, ith_error *err);
void ith_keep_writer_close(ith_keep_writer *writer); /* waits; accepts NULL */

/* Takes the batch over and zeroes it. The previous batch must have been waited for. Files that
 * exist are not written again. */
void ith_keep_writer_put(ith_keep_writer *writer, ith_keep_batch *batch);

/* Returns when the batch is written or has failed: then with its first failure. */
ith_status ith_keep_writer_wait(ith_keep_writer *writer, ith_error *err);

#endif
