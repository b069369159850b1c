#include "weights/store.h"

#include "base/mem.h"
#include "base/range.h"
#include "base/workers.h"
#include "weights/layout.h"
#include "weights/lookup.h"
#include "weights/residence.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct ith_store {
    ith_comm *comm;
    ith_plan plan;
    size_t own_bytes; /* of `memory`: what is not used in a mapping */
    void *memory;
    ith_homes homes;
    ith_feed *feed; /* NULL: everything stays */
    ith_residence residence;
    const ith_matrix *embed, *output;
    ith_lookup *lookup; /* rows of an embedding that does not stay, else NULL */
};

enum {
    PIECE_BYTES = 2 << 20, /* a huge page: what one fault brings from disk */
    FEED_SLOTS = 2,
    FEED_THREADS = 2
};

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
    ith_feed_close(store->feed);
    ith_lookup_close(store->lookup);
    ith_residence_free(&store->residence);
    if (store->memory != NULL)
        store->comm->ops->shared_free(store->comm, store->memory);
    ith_plan_free(&store->plan);
    free(store);
}

ith_plan *ith_store_plan(ith_store *store)
{
    return &store->plan;
}

size_t ith_store_bytes(const ith_store *store)
{
    size_t bytes = 0;
    for (size_t i = 0; i < store->plan.n_entries; i++)
        bytes += ith_entry_bytes(&store->plan.entries[i]);
    return bytes;
}

/* ---- Where things lie ---- */

static bool one_memory_node(const ith_store *store)
{
    return store->homes.topology == NULL || ith_topology_machine_nodes(store->homes.topology) == 1;
}

/* The entry's first unit in a pack's mapping, if it is to be used there; else NULL. Under a budget nothing is: pages of a mapping come in
 * larger pieces than are needed, and count. */
static const uint8_t *in_place(const ith_store *store, const ith_entry *e)
{
    return e->as_stored && !store->residence.slot_bytes && one_memory_node(store) ? ith_pack_in_place(e->tensor->packed)
                                                                                  : NULL;
}

/* Is it in the store's own memory? */
static bool is_in_memory(const ith_store *store, const ith_entry *e)
{
    return !e->streamed && in_place(store, e) == NULL;
}

static ith_status place(ith_store *store, ith_error *err)
{
    size_t *end = &store->own_bytes;

    *end = 0;
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        ith_entry *e = &store->plan.entries[i];
        if (!is_in_memory(store, e))
            continue;
        e->offset = *end;
        if (!ith_add_size(*end, ith_entry_bytes(e), end))
            return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s: the model's weights exceed the address space",
                            e->tensor->file, e->tensor->name);
    }
    return ITH_OK;
}

/* Before the first touch. */
static void place_pages(void *user, void *memory, size_t bytes)
{
    const ith_store *store = user;
    (void)bytes;
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        const ith_entry *e = &store->plan.entries[i];
        if (is_in_memory(store, e))
            ith_homes_apply(&store->homes, e, (uint8_t *)memory + e->offset);
    }
}

static void publish(ith_store *store)
{
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        ith_entry *e = &store->plan.entries[i];
        const uint8_t *at = in_place(store, e);
        if (e->streamed)
            continue;
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

    for (int64_t i = piece->first; !e->streamed && i < piece->first + piece->n; i++)
        ITH_TRY(in_place(job->store, e) != NULL
                    ? ith_pack_check(e->tensor->packed, i, err)
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
    job->mine = ith_split(n, 1, comm->domain_size, comm->domain_rank);
    work.n = ith_range_size(job->mine);
    ITH_CHECK(ith_work_run(team, &work, err));
done:
    for (int i = 0; job->producers != NULL && i < ith_team_size(team); i++)
        ith_producer_close(&job->producers[i]);
    free(job->producers);
    free(job->pieces);
    return status == ITH_E_CANCELLED ? ith_fail(err, status, "stopped while loading") : status;
}

/* ---- What comes and goes ---- */

static ith_status open_feed(ith_store *store, const ith_store_params *params, ith_team *team, ith_error *err)
{
    ith_residence *r = &store->residence;
    ith_step *steps = r->steps;

    if (!r->embed_stays)
        ITH_TRY(ith_lookup_open(&store->plan, store->embed, ith_team_size(team), &store->lookup, err));
    if (r->n_steps == 0)
        return ITH_OK;
    r->steps = NULL; /* the feed's now */
    return ith_feed_open(&store->plan, steps, r->n_steps, FEED_SLOTS, FEED_THREADS, params->keep,
                         params->budget - r->resident - FEED_SLOTS * r->slot_bytes, team, &store->feed, err);
}

ith_status ith_store_load(ith_store *store, const ith_store_params *params, ith_team *team, ith_error *err)
{
    ith_comm *comm = store->comm;
    load_job job = {.store = store, .progress = comm->rank == 0 ? params->progress : NULL, .user = params->user};
    ith_status status;

    store->homes = params->homes;
    store->embed = params->embed;
    store->output = params->output;
    status = ith_residence_choose(&store->plan, params->budget, FEED_SLOTS, params->keep < 0, params->embed,
                                  params->output, &store->residence, err);
    if (status == ITH_OK)
        status = place(store, err);
    ITH_TRY(ith_comm_agree(comm, status, err));
    ITH_TRY(comm->ops->domain_alloc(comm, store->own_bytes, "weights", one_memory_node(store) ? NULL : place_pages,
                                    store, &store->memory, err));
    ITH_TRY(ith_comm_agree(comm, load_share(&job, team, err), err));
    comm->ops->domain_barrier(comm);
    publish(store);
    return ith_comm_agree(comm, open_feed(store, params, team, err), err);
}

bool ith_store_is_streamed(const ith_store *store)
{
    return store->residence.slot_bytes > 0;
}

ith_status ith_store_status(ith_store *store, ith_error *err)
{
    ITH_TRY(store->feed == NULL ? ITH_OK : ith_feed_status(store->feed, err));
    return store->lookup == NULL ? ITH_OK : ith_lookup_status(store->lookup, err);
}

/* ---- Inside a pass ---- */

static void enter(ith_store *store, int64_t step, ith_member *me)
{
    if (me->tid == 0)
        ith_feed_enter(store->feed, step);
    ith_barrier(me);
}

void ith_store_enter_layer(ith_store *store, int layer, ith_member *me)
{
    if (store->feed != NULL && layer >= store->residence.layers_resident)
        enter(store, layer - store->residence.layers_resident, me);
}

void ith_store_leave_layer(ith_store *store, int layer, ith_member *me)
{
    if (store->feed != NULL && layer >= store->residence.layers_resident && me->tid == 0)
        ith_feed_leave(store->feed);
}

int ith_store_output_parts(const ith_store *store)
{
    return store->residence.output_parts;
}

ith_range ith_store_enter_output(ith_store *store, int part, ith_member *me)
{
    const ith_residence *r = &store->residence;
    ith_range rows = {0, store->output->rows};

    if (r->output_stays)
        return rows;
    enter(store, r->first_output_step + part, me);
    rows.begin = store->output->first_tile * ITH_TILE_ROWS;
    rows.end = rows.begin + r->part_tiles * ITH_TILE_ROWS;
    if (rows.end > store->output->rows)
        rows.end = store->output->rows;
    return rows;
}

void ith_store_leave_output(ith_store *store, int part, ith_member *me)
{
    (void)part;
    if (!store->residence.output_stays && me->tid == 0)
        ith_feed_leave(store->feed);
}

void ith_store_embed(ith_store *store, int64_t row, ith_member *me, float *out)
{
    const ith_matrix *m = store->embed;

    assert(row >= 0 && row < m->rows);
    if (store->lookup != NULL)
        ith_lookup_row(store->lookup, row, me->tid, out);
    else
        ith_layout_unpack_row(m->layout, m->groups, ith_matrix_tiles(m, row / ITH_TILE_ROWS),
                              (int)(row % ITH_TILE_ROWS), m->cols, out);
}
