#include "weights/store.h"

#include "base/mem.h"
#include "base/range.h"
#include "base/workers.h"
#include "weights/layout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct ith_store {
    ith_comm *comm;
    ith_plan plan;
    size_t own_bytes; /* of `memory`: what is not used in a mapping */
    void *memory;
};

enum { ALIGN = 64, PIECE_BYTES = 2 << 20 /* a huge page: what one fault brings from disk */ };

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
    ith_plan_free(&store->plan);
    free(store);
}

ith_plan *ith_store_plan(ith_store *store)
{
    return &store->plan;
}

static size_t entry_bytes(const ith_entry *e)
{
    return (size_t)e->n_units * e->unit_bytes;
}

size_t ith_store_bytes(const ith_store *store)
{
    size_t bytes = 0;
    for (size_t i = 0; i < store->plan.n_entries; i++)
        bytes += (entry_bytes(&store->plan.entries[i]) + ALIGN - 1) / ALIGN * ALIGN;
    return bytes;
}

/* ---- Where things lie ---- */

/* The entry's first unit in a pack's mapping, if it is to be used there; else NULL. */
static const uint8_t *in_place(const ith_entry *e)
{
    return e->as_stored && ith_mem_nodes() == 1 ? ith_pack_in_place(e->tensor->packed) : NULL;
}

static ith_status place(ith_store *store, ith_error *err)
{
    size_t *end = &store->own_bytes;

    *end = 0;
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        ith_entry *e = &store->plan.entries[i];
        if (in_place(e) != NULL)
            continue;
        e->offset = *end;
        if (!ith_add_size(*end, entry_bytes(e), end) || !ith_add_size(*end, ALIGN - 1, end))
            return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s: the model's weights exceed the address space",
                            e->tensor->file, e->tensor->name);
        *end = *end / ALIGN * ALIGN;
    }
    return ITH_OK;
}

static void publish(ith_store *store)
{
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        ith_entry *e = &store->plan.entries[i];
        const uint8_t *at = in_place(e);
        if (at == NULL)
            at = (const uint8_t *)store->memory + e->offset;
        if (e->matrix != NULL)
            e->matrix->tiles = at;
        else
            *e->vector = (const float *)(const void *)at;
    }
}

/* ---- Loading ---- */

typedef struct load_job {
    ith_store *store;
    ith_producer *producers; /* [threads] */
    ith_units *pieces;       /* of all ranks */
    ith_range mine;
    ith_load_progress progress;
    void *user;
} load_job;

static ith_status load_piece(void *user, int64_t item, int tid, ith_error *err)
{
    load_job *job = user;
    const ith_units *piece = &job->pieces[job->mine.begin + item];
    const ith_entry *e = piece->entry;
    uint8_t *to = (uint8_t *)job->store->memory + e->offset;

    for (int64_t i = piece->first; i < piece->first + piece->n; i++)
        ITH_TRY(in_place(e) != NULL ? ith_pack_check(e->tensor->packed, i, err)
                                    : ith_produce(&job->producers[tid], e, i, to + (size_t)i * e->unit_bytes, err));
    return ITH_OK;
}

static bool show_progress(void *user, int64_t done, int64_t total)
{
    const load_job *job = user;
    double bytes = (double)ith_store_bytes(job->store);
    return job->progress(job->user, (int64_t)(bytes * (double)done / (double)total), (int64_t)bytes);
}

static ith_status open_producers(load_job *job, int threads, ith_error *err)
{
    job->producers = calloc((size_t)threads, sizeof *job->producers);
    if (job->producers == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to load with %d threads", threads);
    for (int i = 0; i < threads; i++)
        ITH_TRY(ith_producer_open(&job->store->plan, &job->producers[i], err));
    return ITH_OK;
}

static ith_status load_share(load_job *job, ith_team *team, ith_error *err)
{
    const ith_comm *comm = job->store->comm;
    ith_work work = {
        .grab = 1, .fn = load_piece, .progress = job->progress == NULL ? NULL : show_progress, .user = job};
    int64_t n;
    ith_status status;

    ITH_CHECK(ith_plan_cut(&job->store->plan, PIECE_BYTES, &job->pieces, &n, err));
    ITH_CHECK(open_producers(job, ith_team_size(team), err));
    job->mine = ith_split(n, 1, comm->node_size, comm->node_rank);
    work.n = ith_range_size(job->mine);
    ITH_CHECK(ith_work_run(team, &work, err));
done:
    for (int i = 0; job->producers != NULL && i < ith_team_size(team); i++)
        ith_producer_close(&job->producers[i]);
    free(job->producers);
    free(job->pieces);
    return status == ITH_E_CANCELLED ? ith_fail(err, status, "stopped while loading") : status;
}

ith_status ith_store_load(ith_store *store, ith_team *team, ith_load_progress progress, void *user, ith_error *err)
{
    ith_comm *comm = store->comm;
    load_job job = {.store = store, .progress = comm->rank == 0 ? progress : NULL, .user = user};

    ITH_TRY(ith_comm_agree(comm, place(store, err), err));
    ITH_TRY(comm->ops->shared_alloc(comm, store->own_bytes, "weights", &store->memory, err));
    ITH_TRY(ith_comm_agree(comm, load_share(&job, team, err), err));
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
