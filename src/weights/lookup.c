/* lookup.c - reads rows of a matrix from the files. */
#include "weights/lookup.h"

#include "weights/layout.h"
#include "weights/produce.h"

#include <stdlib.h>
#include <string.h>

/* The buffers of one thread, and its first error. */
typedef struct reader {
    ith_producer producer;
    uint8_t *tile;
    ith_status status;
    ith_error error;
} reader;

struct ith_lookup {
    const ith_entry *entry;
    reader *readers;
    int n_threads;
};

static ith_status open_readers(ith_lookup *l, const ith_load_plan *plan, ith_error *err)
{
    for (int i = 0; i < l->n_threads; i++) {
        /* Tokens repeat, so the files are worth caching. */
        ITH_TRY(ith_producer_open(plan, ITH_CACHED, &l->readers[i].producer, err));
        l->readers[i].tile = aligned_alloc(64, l->entry->unit_bytes);
        if (l->readers[i].tile == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory for a tile of %zu bytes",
                            l->entry->unit_bytes);
    }
    return ITH_OK;
}

ith_status ith_lookup_open(const ith_load_plan *plan, const ith_matrix *matrix, int n_threads,
                           ith_lookup **out, ith_error *err)
{
    ith_lookup *l = calloc(1, sizeof *l);
    ith_status status;

    *out = NULL;
    if (l == NULL || (l->readers = calloc((size_t)n_threads, sizeof *l->readers)) == NULL) {
        free(l);
        return ith_fail(err, ITH_E_MEMORY, "no memory to look up rows with %d threads", n_threads);
    }
    l->n_threads = n_threads;
    l->entry = ith_load_plan_entry(plan, matrix);
    status = open_readers(l, plan, err);
    if (status != ITH_OK) {
        ith_lookup_close(l);
        return status;
    }
    *out = l;
    return ITH_OK;
}

void ith_lookup_close(ith_lookup *l)
{
    if (l == NULL)
        return;
    for (int i = 0; i < l->n_threads; i++) {
        ith_producer_close(&l->readers[i].producer);
        free(l->readers[i].tile);
    }
    free(l->readers);
    free(l);
}

void ith_lookup_row(ith_lookup *l, int64_t row, int tid, float *out)
{
    const ith_matrix *m = l->entry->matrix;
    reader *r = &l->readers[tid];
    ith_error err;
    ith_status status = ith_produce(&r->producer, l->entry, row / ITH_TILE_ROWS, 1, r->tile, &err);

    if (status == ITH_OK) {
        ith_layout_unpack_row(m->layout, m->groups, r->tile, (int)(row % ITH_TILE_ROWS), m->cols,
                              out);
        return;
    }
    memset(out, 0, (size_t)m->cols * sizeof *out);
    if (r->status == ITH_OK) {
        r->status = status;
        r->error = err;
    }
}

ith_status ith_lookup_status(const ith_lookup *l, ith_error *err)
{
    for (int i = 0; i < l->n_threads; i++)
        if (l->readers[i].status != ITH_OK) {
            *err = l->readers[i].error;
            return l->readers[i].status;
        }
    return ITH_OK;
}
