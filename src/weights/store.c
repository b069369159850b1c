#include "weights/store.h"

#include "base/mem.h"
#include "base/range.h"
#include "base/workers.h"
#include "weights/layout.h"
#include "weights/lookup.h"
#include "weights/residence.h"
#include "weights/shards.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct ith_store {
    ith_comm *comm;
    ith_plan plan;
    ith_shards shards;
    size_t own_bytes; /* of `memory`: what is not used in a mapping */
    void *memory;     /* this node's; its memory domain's, if everything stays whole */
    ith_homes homes;
    ith_feed *feed; /* NULL: everything stays, whole */
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

/* Copies beside the threads that read them are of what stays whole; the rest is shared by all ranks of a node, who fetch for each other. */
static bool by_domains(const ith_store *store)
{
    return store->residence.slot_bytes == 0;
}

/* The entry's first unit in a pack's mapping, if it is to be used there; else NULL. Where only a part stays nothing is: pages of a mapping
 * come in larger pieces than are needed, and count. */
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
        if (!ith_add_size(*end, ith_shard_bytes(&store->shards, e, store->shards.node), end))
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

/* The rank because of which this one sees what it does. */
static int held_by(const ith_store *store)
{
    return ith_shards_cut(&store->shards) ? store->comm->rank : 0;
}

/* A matrix that stays shows the tiles of this rank's rows, which is all of them where nothing is cut. */
static void show_held(const ith_store *store, const ith_entry *e)
{
    const uint8_t *at = in_place(store, e);
    ith_range held = ith_shard_held(&store->shards, e, store->shards.node, held_by(store));

    if (at == NULL)
        at = (const uint8_t *)store->memory + e->offset +
             ith_shard_place(&store->shards, e, held.begin, ith_range_size(held));
    e->matrix->tiles = at;
    e->matrix->first_tile = held.begin;
}

static void publish(ith_store *store)
{
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        ith_entry *e = &store->plan.entries[i];
        if (e->streamed)
            continue;
        if (e->matrix != NULL)
            show_held(store, e);
        else
            *e->vector = in_place(store, e) != NULL
                             ? (const float *)(const void *)in_place(store, e)
                             : (const float *)(const void *)((const uint8_t *)store->memory + e->offset);
    }
}

/* ---- Loading ---- */

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

    if (in_place(job->store, p->entry) == NULL)
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

static ith_status open_producers(load_job *job, int threads, ith_error *err)
{
    job->producers = calloc((size_t)threads, sizeof *job->producers);
    if (job->producers == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to load with %d threads", threads);
    for (int i = 0; i < threads; i++) {
        ITH_TRY(ith_producer_open(&job->store->plan, &job->producers[i], err));
        job->producers[i].let_go = ith_store_is_streamed(job->store);
    }
    return ITH_OK;
}

static ith_status load_share(load_job *job, ith_team *team, ith_error *err)
{
    const ith_comm *comm = job->store->comm;
    ith_work work = {
        .grab = 1, .fn = load_piece, .progress = job->progress == NULL ? NULL : show_progress, .user = job};
    ith_status status = ITH_OK;

    job->n_pieces = list_pieces(job->store, NULL);
    job->pieces = calloc((size_t)job->n_pieces + 1, sizeof *job->pieces);
    if (job->pieces == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld pieces", (long long)job->n_pieces);
    list_pieces(job->store, job->pieces);
    ITH_CHECK(open_producers(job, ith_team_size(team), err));
    job->mine = by_domains(job->store) ? ith_split(job->n_pieces, 1, comm->domain_size, comm->domain_rank)
                                       : ith_split(job->n_pieces, 1, comm->node_size, comm->node_rank);
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

/* Room for frames on each rank: what the node's other weights leave. */
static size_t keep_room(const ith_store *store, const ith_store_params *params)
{
    const ith_residence *r = &store->residence;
    size_t taken = r->resident + FEED_SLOTS * r->slot_bytes;
    return params->budget == 0 ? SIZE_MAX : (params->budget - taken) / (size_t)store->comm->node_size;
}

static ith_status open_feed(ith_store *store, const ith_store_params *params, ith_team *team, ith_error *err)
{
    ith_residence *r = &store->residence;
    ith_step *steps = r->steps;
    ith_feed_params feed = {.comm = store->comm,
                            .plan = &store->plan,
                            .shards = store->shards,
                            .memory = store->memory,
                            .n_slots = FEED_SLOTS,
                            .n_threads = FEED_THREADS,
                            .keep_level = params->keep,
                            .keep_room = keep_room(store, params),
                            .team = team};

    if (r->n_steps == 0)
        return ITH_OK;
    r->steps = NULL; /* the feed's now */
    return ith_feed_open(&feed, steps, r->n_steps, &store->feed, err);
}

static ith_residence_params residence_params(const ith_store *store, const ith_store_params *params)
{
    return (ith_residence_params){.shards = ith_shards_of(store->comm, params->mesh, params->cut),
                                  .budget = params->budget,
                                  .n_slots = FEED_SLOTS,
                                  .rest_stays = params->keep < 0,
                                  .embed = params->embed,
                                  .output = params->output};
}

size_t ith_store_needs(const ith_store *store, const ith_store_params *params)
{
    ith_residence_params p = residence_params(store, params);
    return ith_residence_whole(&store->plan, &p);
}

static ith_status choose(ith_store *store, const ith_store_params *params, ith_error *err)
{
    ith_residence_params p = residence_params(store, params);

    store->homes = params->homes;
    store->embed = params->embed;
    store->output = params->output;
    store->shards = p.shards;
    ITH_TRY(ith_residence_choose(&store->plan, &p, &store->residence, err));
    return place(store, err);
}

static ith_status allocate(ith_store *store, ith_error *err)
{
    const ith_comm_ops *ops = store->comm->ops;

    if (!by_domains(store)) {
        ITH_TRY(ops->shared_alloc(store->comm, store->own_bytes, "weights", &store->memory, err));
        if (!one_memory_node(store) && store->comm->node_rank == 0)
            ith_topology_interleave(store->homes.topology, store->memory, store->own_bytes);
        return ITH_OK;
    }
    return ops->domain_alloc(store->comm, store->own_bytes, "weights", one_memory_node(store) ? NULL : place_pages,
                             store, &store->memory, err);
}

static ith_status open_lookup(ith_store *store, ith_team *team, ith_error *err)
{
    bool whole = store->residence.embed_stays && !ith_shards_cut(&store->shards);
    return whole ? ITH_OK : ith_lookup_open(&store->plan, store->embed, ith_team_size(team), &store->lookup, err);
}

ith_status ith_store_load(ith_store *store, const ith_store_params *params, ith_team *team, ith_error *err)
{
    ith_comm *comm = store->comm;
    load_job job = {.store = store, .progress = comm->rank == 0 ? params->progress : NULL, .user = params->user};

    ITH_TRY(ith_comm_agree(comm, choose(store, params, err), err));
    ITH_TRY(allocate(store, err));
    ITH_TRY(ith_comm_agree(comm, load_share(&job, team, err), err));
    by_domains(store) ? comm->ops->domain_barrier(comm) : comm->ops->node_barrier(comm);
    publish(store);
    ITH_TRY(ith_comm_agree(comm, open_lookup(store, team, err), err));
    return open_feed(store, params, team, err);
}

bool ith_store_is_streamed(const ith_store *store)
{
    return store->residence.slot_bytes > 0;
}

const uint8_t *ith_store_unit(const ith_store *store, const ith_entry *e, int64_t unit)
{
    ith_range held;

    if (e->streamed)
        return NULL;
    if (e->matrix == NULL)
        return (const uint8_t *)*e->vector;
    held = ith_shard_held(&store->shards, e, store->shards.node, held_by(store));
    return unit >= held.begin && unit < held.end ? ith_matrix_tiles(e->matrix, unit) : NULL;
}

ith_status ith_store_status(ith_store *store, ith_error *err)
{
    ITH_TRY(store->feed == NULL ? ITH_OK : ith_feed_status(store->feed, err));
    return store->lookup == NULL ? ITH_OK : ith_lookup_status(store->lookup, err);
}

/* ---- Looking ---- */

void ith_store_regions(const ith_store *store, void (*see)(void *user, const void *at, size_t bytes, int node),
                       void *user)
{
    const ith_comm *comm = store->comm;

    if ((by_domains(store) ? comm->domain_rank : comm->node_rank) != 0)
        return;
    if (!by_domains(store)) {
        see(user, store->memory, store->own_bytes, -1);
        return;
    }
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        const ith_entry *e = &store->plan.entries[i];
        const uint8_t *at = in_place(store, e);
        if (at == NULL)
            at = (const uint8_t *)store->memory + e->offset;
        for (int64_t first = 0, n; first < e->n_units; first += n) {
            n = ith_home_run(&store->homes, e, first);
            see(user, at + (size_t)first * e->unit_bytes, (size_t)n * e->unit_bytes,
                ith_home_of(&store->homes, e, first));
        }
    }
}

/* ---- Inside a pass ---- */

/* Is what stays all that is needed? */
static bool suffices(const ith_store *store, bool stays, ith_need need)
{
    return stays && (need == ITH_NEED_HELD || !ith_shards_cut(&store->shards));
}

static void enter(ith_store *store, int64_t step, ith_need need, ith_member *me)
{
    if (me->tid == 0)
        ith_feed_enter(store->feed, step, need);
    ith_barrier(me);
}

/* Matrices of the step that stay show what stays again. */
static void leave(ith_store *store, int64_t step, ith_member *me)
{
    if (me->tid != 0)
        return;
    for (size_t i = 0; ith_shards_cut(&store->shards) && i < store->plan.n_entries; i++) {
        const ith_entry *e = &store->plan.entries[i];
        bool of_step = step < store->residence.first_output_step ? e->layer == step + store->residence.first_layer
                                                                 : e->matrix == store->output;
        if (of_step && e->matrix != NULL && !e->streamed)
            show_held(store, e);
    }
    ith_feed_leave(store->feed);
}

static bool layer_is_there(const ith_store *store, int layer, ith_need need)
{
    return store->feed == NULL || suffices(store, layer < store->residence.layers_resident, need);
}

void ith_store_enter_layer(ith_store *store, int layer, ith_need need, ith_member *me)
{
    if (!layer_is_there(store, layer, need))
        enter(store, layer - store->residence.first_layer, need, me);
}

void ith_store_leave_layer(ith_store *store, int layer, ith_need need, ith_member *me)
{
    if (!layer_is_there(store, layer, need))
        leave(store, layer - store->residence.first_layer, me);
}

int ith_store_output_parts(const ith_store *store, ith_need need)
{
    return suffices(store, store->residence.output_stays, need) ? 1 : store->residence.output_parts;
}

ith_range ith_store_enter_output(ith_store *store, int part, ith_need need, ith_member *me)
{
    const ith_residence *r = &store->residence;
    ith_range rows = {0, store->output->rows};

    if (suffices(store, r->output_stays, need))
        return rows;
    enter(store, r->first_output_step + part, need, me);
    rows.begin = store->output->first_tile * ITH_TILE_ROWS;
    rows.end = rows.begin + r->part_tiles * ITH_TILE_ROWS;
    if (rows.end > store->output->rows)
        rows.end = store->output->rows;
    return rows;
}

void ith_store_leave_output(ith_store *store, int part, ith_need need, ith_member *me)
{
    if (!suffices(store, store->residence.output_stays, need))
        leave(store, store->residence.first_output_step + part, me);
}

/* A tile of the embedding in this node's memory; NULL: it is not there. */
static const uint8_t *embed_tile(const ith_store *store, int64_t tile)
{
    const ith_entry *e = ith_plan_entry(&store->plan, store->embed);
    ith_shard_piece piece = {0};

    if (store->lookup == NULL)
        return ith_matrix_tiles(store->embed, tile);
    if (e->streamed ||
        !ith_shard_next(&store->shards, e, store->shards.node, (ith_range){tile, tile + 1}, e->unit_bytes, &piece))
        return NULL;
    return (const uint8_t *)store->memory + e->offset + ith_shard_place(&store->shards, e, tile, 1);
}

void ith_store_embed(ith_store *store, int64_t row, ith_member *me, float *out)
{
    const ith_matrix *m = store->embed;
    const uint8_t *tile = embed_tile(store, row / ITH_TILE_ROWS);

    assert(row >= 0 && row < m->rows);
    if (tile != NULL)
        ith_layout_unpack_row(m->layout, m->groups, tile, (int)(row % ITH_TILE_ROWS), m->cols, out);
    else
        ith_lookup_row(store->lookup, row, me->tid, out);
}

ith_feed_counts ith_store_count(ith_store *store, int layer)
{
    const ith_residence *r = &store->residence;
    int64_t first = layer == ITH_NO_LAYER ? r->first_output_step : layer - r->first_layer,
            last = layer == ITH_NO_LAYER ? r->n_steps : first + 1;
    ith_feed_counts sum = {0};

    for (int64_t i = first < 0 ? last : first; store->feed != NULL && i < last; i++) {
        ith_feed_counts c = ith_feed_count(store->feed, i);
        sum.read += c.read;
        sum.unpacked += c.unpacked;
        sum.gathered += c.gathered;
        sum.stall_ns += c.stall_ns;
    }
    return sum;
}
