#include "weights/store.h"

#include "base/mem.h"
#include "weights/layout.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry { /* one planned matrix or vector */
    const ith_tensor *tensor;
    ith_matrix *matrix;   /* NULL: a vector */
    const float **vector; /* where the vector's address goes */
    int64_t n;            /* vector: elements */
    ith_row_order order;
    int64_t head_dim;
    size_t offset;               /* in the store's memory */
    int64_t first_unit, n_units; /* units of work: a tile each; a vector is one */
} entry;

struct ith_store {
    ith_comm *comm;
    entry *entries;
    size_t n_entries, room;
    size_t bytes;
    int64_t n_units;
    void *memory;
};

enum { ALIGN = 64, UNITS_PER_GRAB = 8 };

ith_status ith_store_open(ith_comm *comm, ith_store **store, ith_error *err)
{
    *store = calloc(1, sizeof **store);
    if (*store == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the weight store");
    (*store)->comm = comm;
    return ITH_OK;
}

void ith_store_close(ith_store *store)
{
    if (store == NULL)
        return;
    if (store->memory != NULL)
        store->comm->ops->shared_free(store->comm, store->memory);
    for (size_t i = 0; i < store->n_entries; i++)
        free(store->entries[i].matrix);
    free(store->entries);
    free(store);
}

static ith_status shape_error(const ith_tensor *t, int64_t rows, int64_t cols, ith_error *err)
{
    char have[100] = "";
    for (int i = 0, used = 0; i < t->n_dims && used < 80; i++)
        used += snprintf(have + used, sizeof have - (size_t)used, "%s%lld", i ? ", " : "", (long long)t->dims[i]);
    if (cols == 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s has shape [%s], expected [%lld] from the configuration",
                        t->file, t->name, have, (long long)rows);
    return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s has shape [%s], expected [%lld, %lld] from the configuration",
                    t->file, t->name, have, (long long)rows, (long long)cols);
}

/* Appends an entry of `bytes` at the next aligned offset. */
static ith_status add_entry(ith_store *store, const ith_tensor *tensor, size_t bytes, int64_t n_units, entry **out,
                            ith_error *err)
{
    entry *e;
    if (store->n_entries == store->room) {
        size_t room = store->room ? 2 * store->room : 64;
        entry *grown = realloc(store->entries, room * sizeof *grown);
        if (grown == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory for the table of %zu tensors", room);
        store->entries = grown;
        store->room = room;
    }
    e = &store->entries[store->n_entries];
    *e = (entry){.tensor = tensor, .offset = store->bytes, .first_unit = store->n_units, .n_units = n_units};
    if (!ith_add_size(store->bytes, bytes, &store->bytes) || !ith_add_size(store->bytes, ALIGN - 1, &store->bytes))
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s: the model's weights exceed the address space", tensor->file,
                        tensor->name);
    store->bytes = store->bytes / ALIGN * ALIGN;
    store->n_units += n_units;
    store->n_entries++;
    *out = e;
    return ITH_OK;
}

ith_status ith_store_add_matrix(ith_store *store, const ith_tensor *tensor, int64_t rows, int64_t cols,
                                ith_layout layout, ith_row_order order, int64_t head_dim, const ith_matrix **out,
                                ith_error *err)
{
    entry *e;
    ith_matrix *m;
    size_t bytes;

    if (tensor->n_dims != 2 || tensor->dims[0] != rows || tensor->dims[1] != cols)
        return shape_error(tensor, rows, cols, err);
    m = calloc(1, sizeof *m);
    if (m == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of tensors");
    snprintf(m->name, sizeof m->name, "%s", tensor->name);
    m->layout = layout;
    m->rows = rows;
    m->cols = cols;
    m->groups = (cols + ITH_GROUP - 1) / ITH_GROUP;
    m->n_tiles = (rows + ITH_TILE_ROWS - 1) / ITH_TILE_ROWS;
    m->tile_bytes = ith_tile_bytes(layout, (size_t)m->groups);
    if (!ith_mul_size(m->tile_bytes, (size_t)m->n_tiles, &bytes)) {
        free(m);
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s is larger than the address space", tensor->file,
                        tensor->name);
    }
    ith_status status = add_entry(store, tensor, bytes, m->n_tiles, &e, err);
    if (status != ITH_OK) {
        free(m);
        return status;
    }
    e->matrix = m;
    e->order = order;
    e->head_dim = head_dim;
    *out = m;
    return ITH_OK;
}

ith_status ith_store_add_vector(ith_store *store, const ith_tensor *tensor, int64_t n, const float **out,
                                ith_error *err)
{
    entry *e;
    if (tensor->n_dims != 1 || tensor->dims[0] != n)
        return shape_error(tensor, n, 0, err);
    ITH_TRY(add_entry(store, tensor, (size_t)n * sizeof(float), 1, &e, err));
    e->vector = out;
    e->n = n;
    *out = NULL;
    return ITH_OK;
}

size_t ith_store_bytes(const ith_store *store)
{
    return store->bytes;
}

/* The file's row that holds our row. */
static int64_t file_row(const entry *e, int64_t row)
{
    int64_t d = e->head_dim, in_head;
    if (e->order == ITH_ROWS_PLAIN)
        return row;
    in_head = row % d;
    return row - in_head + (in_head < d / 2 ? 2 * in_head : 2 * (in_head - d / 2) + 1);
}

static bool convert_tile(const entry *e, int64_t tile, uint8_t *memory)
{
    const ith_matrix *m = e->matrix;
    size_t row_bytes = e->tensor->bytes / (size_t)m->rows;
    const uint8_t *rows[ITH_TILE_ROWS];

    for (int r = 0; r < ITH_TILE_ROWS; r++) {
        int64_t row = tile * ITH_TILE_ROWS + r;
        rows[r] = row < m->rows ? e->tensor->data + (size_t)file_row(e, row) * row_bytes : NULL;
    }
    return ith_layout_pack_tile(m->layout, m->groups, e->tensor->dtype, m->cols, NULL, rows,
                                memory + e->offset + (size_t)tile * m->tile_bytes);
}

typedef struct load_job {
    ith_store *store;
    ith_range units; /* this rank's share */
    ith_load_progress progress;
    void *user;
    atomic_bool cancelled;
    _Atomic(const entry *) not_finite; /* a matrix with a NaN or infinity that cannot be quantized; NULL: none */
} load_job;

/* The entry that holds a unit: entries lie in rising order of first_unit. */
static const entry *find_entry(const ith_store *store, int64_t unit)
{
    size_t low = 0, high = store->n_entries - 1;
    while (low < high) {
        size_t mid = (low + high + 1) / 2;
        if (store->entries[mid].first_unit <= unit)
            low = mid;
        else
            high = mid - 1;
    }
    return &store->entries[low];
}

static void convert_unit(load_job *job, int64_t unit)
{
    const ith_store *store = job->store;
    const entry *e = find_entry(store, unit);
    uint8_t *memory = store->memory;

    if (e->matrix != NULL) {
        if (!convert_tile(e, unit - e->first_unit, memory))
            atomic_store(&job->not_finite, e);
    } else {
        ith_dtype_to_f32(e->tensor->dtype, e->tensor->data, e->n, (float *)(void *)(memory + e->offset));
    }
}

static void convert_share(void *arg, ith_member *me)
{
    load_job *job = arg;
    int64_t n = ith_range_size(job->units);

    if (me->tid == 0)
        ith_counter_reset(me);
    ith_barrier(me);
    while (!atomic_load(&job->cancelled) && atomic_load(&job->not_finite) == NULL) {
        int64_t first = UNITS_PER_GRAB * ith_counter_next(me);
        if (first >= n)
            break;
        for (int64_t i = first; i < n && i < first + UNITS_PER_GRAB; i++)
            convert_unit(job, job->units.begin + i);
        if (me->tid == 0 && job->progress != NULL &&
            !job->progress(job->user, (int64_t)((double)job->store->bytes * (double)(first + 1) / (double)n),
                           (int64_t)job->store->bytes))
            atomic_store(&job->cancelled, true);
    }
}

static void publish(ith_store *store)
{
    for (size_t i = 0; i < store->n_entries; i++) {
        entry *e = &store->entries[i];
        const uint8_t *at = (const uint8_t *)store->memory + e->offset;
        if (e->matrix != NULL)
            e->matrix->tiles = at;
        else
            *e->vector = (const float *)(const void *)at;
    }
}

static ith_status not_finite_error(const entry *e, ith_error *err)
{
    return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s has a weight that is NaN or infinite, which %s cannot hold",
                    e->tensor->file, e->tensor->name, e->matrix->layout == ITH_W8 ? "w8" : "w4");
}

ith_status ith_store_load(ith_store *store, ith_team *team, ith_load_progress progress, void *user, ith_error *err)
{
    ith_comm *comm = store->comm;
    load_job job = {.store = store, .progress = comm->rank == 0 ? progress : NULL, .user = user};
    ith_status status = ITH_OK;

    ITH_TRY(comm->ops->shared_alloc(comm, store->bytes, "weights", &store->memory, err));
    job.units = ith_split(store->n_units, 1, comm->node_size, comm->node_rank);
    ith_team_run(team, convert_share, &job);
    if (atomic_load(&job.cancelled))
        status = ith_fail(err, ITH_E_CANCELLED, "stopped while loading");
    else if (atomic_load(&job.not_finite) != NULL)
        status = not_finite_error(atomic_load(&job.not_finite), err);
    ITH_TRY(ith_comm_agree(comm, status, err));
    comm->ops->node_barrier(comm);
    publish(store);
    return ITH_OK;
}

void ith_matrix_row(const ith_matrix *m, int64_t row, float *out)
{
    assert(row >= 0 && row < m->rows);
    ith_layout_unpack_row(m->layout, m->groups, ith_matrix_tiles(m, row / ITH_TILE_ROWS), (int)(row % ITH_TILE_ROWS),
                          m->cols, out);
}
