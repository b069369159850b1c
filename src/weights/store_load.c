/* store_load.c - making the weights that stay: every rank its share of the pieces, all threads of it together. */
#include "weights/store_impl.h"

#include "base/range.h"
#include "base/workers.h"

#include <stdlib.h>

enum { PIECE_BYTES = 2 << 20 /* a huge page: what one fault brings from disk */ };

typedef struct load_piece_of { /* some units that stay */
    const ith_entry *entry;
    int64_t first, n;
    size_t offset; /* in the store's memory */
} load_piece_of;

typedef struct load_job {
    ith_store *store;
    ith_producer *producers; /* [threads] */
    load_piece_of *pieces;   /* of all ranks of the node */
    int64_t n_pieces;
    ith_range mine;
    ith_load_progress progress;
    void *user;
} load_job;

/* What stays on this node, rank by rank: counted, and listed if out is not NULL. */
static int64_t list_pieces(const ith_store *store, load_piece_of *out)
{
    const ith_shards *shards = &store->shards;
    int64_t n = 0;

    for (size_t i = 0; i < store->plan.n_entries; i++) {
        const ith_entry *e = &store->plan.entries[i];
        ith_shard_piece piece = {0};
        int64_t before = 0;
        while (!e->streamed &&
               ith_shard_next(shards, e, shards->node, (ith_range){0, e->n_units}, PIECE_BYTES, &piece)) {
            if (out != NULL)
                out[n] = (load_piece_of){e, piece.first, piece.n, e->offset + (size_t)before * e->unit_bytes};
            before += piece.n;
            n++;
        }
    }
    return n;
}

static ith_status load_piece(void *user, int64_t item, int tid, ith_error *err)
{
    load_job *job = user;
    const load_piece_of *p = &job->pieces[job->mine.begin + item];

    if (ith_store_in_place(job->store, p->entry) == NULL)
        return ith_produce(&job->producers[tid], p->entry, p->first, p->n, (uint8_t *)job->store->memory + p->offset,
                           err);
    for (int64_t i = p->first; i < p->first + p->n; i++)
        ITH_TRY(ith_pack_check(p->entry->tensor->packed, i, err));
    return ITH_OK;
}

static bool show_progress(void *user, int64_t done, int64_t total)
{
    const load_job *job = user;
    double bytes = (double)ith_store_bytes(job->store);
    return job->progress(job->user, (int64_t)(bytes * (double)done / (double)total), (int64_t)bytes);
}

static ith_status open_producers(load_job *job, ith_caching caching, int threads, ith_error *err)
{
    job->producers = calloc((size_t)threads, sizeof *job->producers);
    if (job->producers == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to load with %d threads", threads);
    for (int i = 0; i < threads; i++)
        ITH_TRY(ith_producer_open(&job->store->plan, caching, &job->producers[i], err));
    return ITH_OK;
}

ith_status ith_store_load_share(ith_store *store, const ith_store_params *params, ith_team *team, ith_error *err)
{
    const ith_comm *comm = store->comm;
    load_job job = {.store = store, .progress = comm->rank == 0 ? params->progress : NULL, .user = params->user};
    ith_work work = {
        .grab = 1, .fn = load_piece, .progress = job.progress == NULL ? NULL : show_progress, .user = &job};
    ith_status status = ITH_OK;

    job.n_pieces = list_pieces(store, NULL);
    job.pieces = calloc((size_t)job.n_pieces + 1, sizeof *job.pieces);
    if (job.pieces == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld pieces", (long long)job.n_pieces);
    list_pieces(store, job.pieces);
    ITH_CHECK(open_producers(&job, params->caching, ith_team_size(team), err));
    job.mine = ith_store_by_domains(store) ? ith_split(job.n_pieces, 1, comm->domain_size, comm->domain_rank)
                                           : ith_split(job.n_pieces, 1, comm->node_size, comm->node_rank);
    work.n = ith_range_size(job.mine);
    ITH_CHECK(ith_work_run(team, &work, err));
done:
    for (int i = 0; job.producers != NULL && i < ith_team_size(team); i++)
        ith_producer_close(&job.producers[i]);
    free(job.producers);
    free(job.pieces);
    return status == ITH_E_CANCELLED ? ith_fail(err, status, "stopped while loading") : status;
}
