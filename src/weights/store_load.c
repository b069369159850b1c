/* store_load.c - makes the weights that stay: every rank its share of the extents, on all its
 * threads. */
#include "weights/store_load.h"

#include "base/checksum.h"
#include "base/range.h"
#include "base/workers.h"
#include "weights/produce.h"
#include "weights/store_memory.h"

#include <stdlib.h>

/* A huge page, which is what one fault brings from disk. */
enum { EXTENT_BYTES = 2 << 20 };

/* Units that stay. */
typedef struct owned_extent {
    const ith_entry *entry;
    int64_t first, n;
    size_t offset; /* in the store's memory */
} owned_extent;

typedef struct load_job {
    ith_store *store;
    ith_producer *producers; /* [threads] */
    owned_extent *extents;   /* [n_extents] of all ranks of the node */
    int64_t n_extents;
    ith_range mine;
    uint64_t *sums; /* [entries] see ith_store_load_share; NULL: none are wanted */
    ith_load_progress progress;
    void *user;
} load_job;

/* Counts the extents of a strip, and lists them if out is not NULL. */
static int64_t list_strip(const ith_entry *e, const ith_strip *p, owned_extent *out)
{
    int64_t each = ith_count_within(e->unit_bytes, EXTENT_BYTES), n = 0;

    for (int64_t at = p->first, end = p->first + p->n; at < end; at += each, n++)
        if (out != NULL)
            out[n] = (owned_extent){e, at, ith_min(each, end - at), ith_strip_offset(p, e, at, 0)};
    return n;
}

/* The same for what stays on this node, rank by rank. What is used in a pack's mapping has no
 * strips: it is whole. */
static int64_t list_extents(const ith_store *store, owned_extent *out)
{
    int64_t n = 0;

    for (size_t i = 0; i < store->plan.n_entries; i++) {
        const ith_entry *e = &store->plan.entries[i];
        const ith_strip whole = {.n = e->n_units};
        if (e->streamed)
            continue;
        if (ith_store_in_place(store, e) != NULL)
            n += list_strip(e, &whole, out == NULL ? NULL : out + n);
        else
            for (int k = 0; k < e->n_strips; k++)
                n += list_strip(e, &store->spread.strips[e->strip + k],
                                out == NULL ? NULL : out + n);
    }
    return n;
}

/* Independent of the order and of who makes which unit. A pack has checksums of its own. */
static void add_sums(load_job *job, const owned_extent *p, const uint8_t *units)
{
    uint64_t sum = 0;

    if (job->sums == NULL || p->entry->tensor->packed != NULL)
        return;
    for (int64_t i = 0; i < p->n; i++)
        sum += ith_checksum_more((uint64_t)(p->first + i), units + (size_t)i * p->entry->unit_bytes,
                                 p->entry->unit_bytes);
    __atomic_fetch_add(&job->sums[p->entry - job->store->plan.entries], sum, __ATOMIC_RELAXED);
}

static ith_status load_extent(void *user, int64_t item, int tid, ith_error *err)
{
    load_job *job = user;
    const owned_extent *p = &job->extents[job->mine.begin + item];
    const void *in_place = ith_store_in_place(job->store, p->entry);

    if (in_place == NULL) {
        uint8_t *out = (uint8_t *)job->store->memory + p->offset;
        ITH_TRY(ith_produce(&job->producers[tid], p->entry, p->first, p->n, out, err));
        add_sums(job, p, out);
        return ITH_OK;
    }
    for (int64_t i = p->first; i < p->first + p->n; i++)
        ITH_TRY(ith_pack_check(p->entry->tensor->packed, i, err));
    return p->entry->matrix != NULL ? ITH_OK : ith_check_vector(p->entry, in_place, err);
}

static bool show_progress(void *user, int64_t done, int64_t total)
{
    const load_job *job = user;
    double bytes = (double)ith_load_plan_bytes(&job->store->plan);
    return job->progress(job->user, (int64_t)(bytes * (double)done / (double)total),
                         (int64_t)bytes);
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

ith_status ith_store_load_share(ith_store *store, const ith_store_params *params, ith_team *team,
                                uint64_t *sums, ith_error *err)
{
    const ith_comm *comm = store->comm;
    load_job job = {.store = store,
                    .sums = sums,
                    .progress = comm->rank == 0 ? params->progress : NULL,
                    .user = params->user};
    ith_work work = {.grab = 1,
                     .fn = load_extent,
                     .progress = job.progress == NULL ? NULL : show_progress,
                     .user = &job};
    ith_status status = ITH_OK;

    job.n_extents = list_extents(store, NULL);
    job.extents = calloc((size_t)job.n_extents + 1, sizeof *job.extents);
    if (job.extents == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld extents",
                        (long long)job.n_extents);
    list_extents(store, job.extents);
    ITH_CHECK(open_producers(&job, params->caching, ith_team_size(team), err));
    job.mine = ith_store_by_domains(store)
                   ? ith_split(job.n_extents, 1, comm->domain_size, comm->domain_rank)
                   : ith_split(job.n_extents, 1, comm->node_size, comm->node_rank);
    work.n = ith_range_size(job.mine);
    ITH_CHECK(ith_work_run(team, &work, err));
done:
    for (int i = 0; job.producers != NULL && i < ith_team_size(team); i++)
        ith_producer_close(&job.producers[i]);
    free(job.producers);
    free(job.extents);
    return status == ITH_E_CANCELLED ? ith_fail(err, status, "stopped while loading") : status;
}
