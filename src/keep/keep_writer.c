/* keep_writer.c - the thread that writes KV segments. */
#include "keep/keep_writer.h"

#include "base/fpenv.h"
#include "base/mem.h"
#include "base/testhook.h"

#include <pthread.h>
#include <stdlib.h>

struct ith_keep_writer {
    const ith_archive *archive;
    ith_kv_shape shape;
    ith_kvfile_buffer *buffer; /* the thread's */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool started, busy, closing; /* under the lock */
    ith_keep_batch batch;        /* the thread's while busy */
    int64_t n_files;             /* the thread's: in all batches */
    ith_error err;               /* how the last batch ended */
};

void ith_keep_batch_free(ith_keep_batch *batch)
{
    free(batch->items);
    free(batch->layers);
    free(batch->manifests);
    ith_mem_free(batch->copies);
    ith_mem_free(batch->states);
    *batch = (ith_keep_batch){0};
}

static ith_status write_batch(ith_keep_writer *w, ith_error *err)
{
    const ith_keep_batch *b = &w->batch;

    for (int64_t i = 0; i < b->n_items; i++) {
        const ith_keep_item *item = &b->items[i];
        if (!ith_archive_holds(w->archive, &item->segment, item->which))
            ITH_TRY(ith_archive_write(w->archive, &item->segment, &w->shape, item->which,
                                      item->layers, w->buffer, err));
        if (ith_test_hook_due("file", ++w->n_files))
            ith_test_hook_act();
    }
    for (int64_t i = 0; i < b->n_manifests; i++)
        ITH_TRY(ith_archive_describe(w->archive, &b->manifests[i], err));
    return ITH_OK;
}

static void *work(void *arg)
{
    ith_keep_writer *w = arg;

    ith_fpenv_default();
    pthread_mutex_lock(&w->lock);
    for (;;) {
        ith_error err = {0};
        while (!w->busy && !w->closing)
            pthread_cond_wait(&w->changed, &w->lock);
        if (!w->busy)
            break;
        pthread_mutex_unlock(&w->lock);
        err.status = write_batch(w, &err);
        ith_keep_batch_free(&w->batch);
        pthread_mutex_lock(&w->lock);
        w->err = err;
        w->busy = false;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

ith_status ith_keep_writer_open(const ith_archive *archive, const ith_kv_shape *shape,
                                ith_keep_writer **out, ith_error *err)
{
    ith_keep_writer *w = calloc(1, sizeof *w);
    ith_status status;

    *out = w;
    if (w == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the writer thread");
    w->archive = archive;
    w->shape = *shape;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    status = ith_kvfile_buffer_open(&w->buffer, err);
    if (status == ITH_OK) {
        w->started = pthread_create(&w->thread, NULL, work, w) == 0;
        if (!w->started)
            status = ith_fail(err, ITH_E_MEMORY, "the writer thread could not be started");
    }
    if (status != ITH_OK) {
        ith_keep_writer_close(w);
        *out = NULL;
    }
    return status;
}

void ith_keep_writer_close(ith_keep_writer *writer)
{
    if (writer == NULL)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->closing = true;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    if (writer->started)
        pthread_join(writer->thread, NULL);
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->lock);
    ith_kvfile_buffer_close(writer->buffer);
    free(writer);
}

void ith_keep_writer_put(ith_keep_writer *writer, ith_keep_batch *batch)
{
    pthread_mutex_lock(&writer->lock);
    writer->batch = *batch;
    *batch = (ith_keep_batch){0};
    writer->busy = true;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
}

ith_status ith_keep_writer_wait(ith_keep_writer *writer, ith_error *err)
{
    ith_status status;

    pthread_mutex_lock(&writer->lock);
    while (writer->busy)
        pthread_cond_wait(&writer->changed, &writer->lock);
    status = writer->err.status;
    if (status != ITH_OK && err != NULL)
        *err = writer->err;
    pthread_mutex_unlock(&writer->lock);
    return status;
}
