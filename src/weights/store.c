#include "weights/store_impl.h"

#include "base/mem.h"
#include "base/range.h"

#include <stdlib.h>

/* So many readers keep a disk busy, each of which decompresses what it has read before it reads on; where there are many cores, a quarter of
 * their number. */
enum { FETCHERS_LEAST = 4, CORES_A_FETCHER = 4 };

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

const uint8_t *ith_store_in_place(const ith_store *store, const ith_entry *e)
{
    return e->as_stored && ith_store_by_domains(store) && one_memory_node(store) ? ith_pack_in_place(e->tensor->packed)
                                                                                 : NULL;
}

/* Is it in the store's own memory? */
static bool is_in_memory(const ith_store *store, const ith_entry *e)
{
    return !e->streamed && ith_store_in_place(store, e) == NULL;
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

/* Of an entry that stays, what each rank holds, run by run; `at`: where it lies. */
static void each_home(const ith_store *store, const ith_entry *e, const uint8_t *at, ith_home_fn see, void *user)
{
    ith_shard_piece part = {0};

    while (ith_shard_next(&store->shards, e, store->shards.node, (ith_range){0, e->n_units}, SIZE_MAX, &part)) {
        ith_homes_each(&store->homes, e, part.first, part.n, at, see, user);
        at += (size_t)part.n * e->unit_bytes;
    }
}

/* Before the first touch. */
static void place_pages(void *user, void *memory, size_t bytes)
{
    const ith_store *store = user;
    (void)bytes;
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        const ith_entry *e = &store->plan.entries[i];
        if (is_in_memory(store, e))
            each_home(store, e, (const uint8_t *)memory + e->offset, ith_homes_place, (void *)&store->homes);
    }
}

/* The rank because of which this one sees what it does of an entry. */
static int held_by(const ith_store *store, const ith_entry *e)
{
    return ith_shards_cut(&store->shards) && !e->whole ? store->comm->rank : 0;
}

void ith_store_show_held(const ith_store *store, const ith_entry *e)
{
    const uint8_t *at = ith_store_in_place(store, e);
    ith_range held = ith_shard_held(&store->shards, e, store->shards.node, held_by(store, e));

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
            ith_store_show_held(store, e);
        else
            *e->vector = ith_store_in_place(store, e) != NULL
                             ? (const float *)(const void *)ith_store_in_place(store, e)
                             : (const float *)(const void *)((const uint8_t *)store->memory + e->offset);
    }
}

/* ---- What comes and goes ---- */

/* Room for frames on each rank: what the node's other weights leave. */
static size_t keep_room(const ith_store *store, const ith_store_params *params)
{
    const ith_residence *r = &store->residence;
    size_t taken = r->resident + r->transit;
    return params->budget == 0 ? SIZE_MAX : (params->budget - taken) / (size_t)store->comm->node_size;
}

static int fetchers(int n_threads)
{
    int n = n_threads / CORES_A_FETCHER;
    return n > FETCHERS_LEAST ? n : FETCHERS_LEAST;
}

static ith_status open_feed(ith_store *store, const ith_store_params *params, ith_team *team, ith_error *err)
{
    ith_residence *r = &store->residence;
    ith_step *steps = r->steps;
    ith_feed_params feed = {.comm = store->comm,
                            .plan = &store->plan,
                            .shards = store->shards,
                            .memory = store->memory,
                            .homes = one_memory_node(store) ? NULL : &store->homes,
                            .room = r->transit + r->shelves,
                            .n_threads = fetchers(ith_team_size(team)),
                            .caching = params->caching,
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
                                  .rest_stays = params->keep < 0,
                                  .embed = params->embed,
                                  .output = params->output};
}

size_t ith_store_needs(const ith_store *store, const ith_store_params *params)
{
    ith_residence_params p = residence_params(store, params);
    return ith_residence_whole(&store->plan, &p);
}

size_t ith_store_least(const ith_store *store, const ith_store_params *params)
{
    ith_residence_params p = residence_params(store, params);
    return ith_residence_least(&store->plan, &p);
}

ith_status ith_store_foresee(ith_store *store, const ith_store_params *params, double share, ith_store_forecast *out,
                             ith_error *err)
{
    ith_residence_params p = residence_params(store, params);
    ith_residence r;
    ith_status status = ith_residence_choose(&store->plan, &p, &r, err);

    *out = (ith_store_forecast){.memory = r.resident + r.transit + r.shelves};
    if (status == ITH_OK && params->keep < 0) {
        out->read = ith_residence_reads(&store->plan, &p, &r, 1);
        out->read_chosen = ith_residence_reads(&store->plan, &p, &r, share);
    }
    ith_residence_free(&r);
    for (size_t i = 0; i < store->plan.n_entries; i++)
        store->plan.entries[i].streamed = false;
    return status;
}

static ith_status choose(ith_store *store, const ith_store_params *params, ith_error *err)
{
    ith_residence_params p = residence_params(store, params);

    store->homes = params->homes;
    store->embed = params->embed;
    store->output = params->output;
    store->shards = p.shards;
    ITH_TRY(ith_residence_choose(&store->plan, &p, &store->residence, err));
    store->homes.n_seats = ith_store_by_domains(store) ? store->comm->domain_size : store->comm->node_size;
    return place(store, err);
}

static ith_status allocate(ith_store *store, ith_error *err)
{
    const ith_comm_ops *ops = store->comm->ops;

    return (ith_store_by_domains(store) ? ops->domain_alloc : ops->shared_alloc)(
        store->comm, store->own_bytes, "weights", one_memory_node(store) ? NULL : place_pages, store, &store->memory,
        err);
}

static ith_status open_lookup(ith_store *store, ith_team *team, ith_error *err)
{
    bool whole = store->residence.embed_stays && !ith_shards_cut(&store->shards);
    return whole ? ITH_OK : ith_lookup_open(&store->plan, store->embed, ith_team_size(team), &store->lookup, err);
}

ith_status ith_store_load(ith_store *store, const ith_store_params *params, ith_team *team, ith_error *err)
{
    ith_comm *comm = store->comm;

    ITH_TRY(ith_comm_agree(comm, choose(store, params, err), err));
    ITH_TRY(allocate(store, err));
    ITH_TRY(ith_comm_agree(comm, ith_store_load_share(store, params, team, err), err));
    ith_store_by_domains(store) ? comm->ops->domain_barrier(comm) : comm->ops->node_barrier(comm);
    publish(store);
    ITH_TRY(ith_comm_agree(comm, open_lookup(store, team, err), err));
    return open_feed(store, params, team, err);
}

bool ith_store_is_streamed(const ith_store *store)
{
    return store->residence.transit > 0;
}

const uint8_t *ith_store_unit(const ith_store *store, const ith_entry *e, int64_t unit)
{
    ith_range held;

    if (e->streamed)
        return NULL;
    if (e->matrix == NULL)
        return (const uint8_t *)*e->vector;
    held = ith_shard_held(&store->shards, e, store->shards.node, held_by(store, e));
    return unit >= held.begin && unit < held.end ? ith_matrix_tiles(e->matrix, unit) : NULL;
}

ith_status ith_store_status(ith_store *store, ith_error *err)
{
    ITH_TRY(store->feed == NULL ? ITH_OK : ith_feed_status(store->feed, err));
    return store->lookup == NULL ? ITH_OK : ith_lookup_status(store->lookup, err);
}

/* ---- Looking ---- */

void ith_store_regions(const ith_store *store, ith_home_fn see, void *user)
{
    const ith_comm *comm = store->comm;

    if ((ith_store_by_domains(store) ? comm->domain_rank : comm->node_rank) != 0)
        return;
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        const ith_entry *e = &store->plan.entries[i];
        const uint8_t *at = ith_store_in_place(store, e);
        if (!e->streamed)
            each_home(store, e, at != NULL ? at : (const uint8_t *)store->memory + e->offset, see, user);
    }
    if (store->feed != NULL)
        ith_feed_regions(store->feed, &store->homes, see, user);
}
