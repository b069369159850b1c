/* store_open.c - opens a store; decides what stays, allocates it and loads it; says before what
 * that will take. */
#include "weights/store_load.h"
#include "weights/store_memory.h"

#include <stdlib.h>

/* Fetching threads: enough to keep a disk busy while each decompresses what it has read; a quarter
 * of the cores where there are many. */
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
    ith_spread_free(&store->spread);
    ith_load_plan_free(&store->plan);
    free(store);
}

ith_load_plan *ith_store_load_plan(ith_store *store)
{
    return &store->plan;
}

size_t ith_store_bytes(const ith_store *store)
{
    return ith_load_plan_bytes(&store->plan);
}

ith_layout ith_store_layout(const ith_store *store)
{
    const ith_load_plan *plan = &store->plan;
    size_t bytes[ITH_LAYOUTS] = {0};
    int most = 0;

    for (size_t i = 0; i < plan->n_entries; i++)
        if (plan->entries[i].matrix != NULL)
            bytes[plan->entries[i].matrix->layout] += ith_entry_bytes(&plan->entries[i]);
    for (int i = 1; i < ITH_LAYOUTS; i++)
        most = bytes[i] > bytes[most] ? i : most;
    return (ith_layout)most;
}

/* ---- What loading will take ---- */

static ith_residence_params residence_params(const ith_store *store, const ith_store_params *params)
{
    return (ith_residence_params){.shards = ith_shards_of(store->comm, params->mesh, params->cut),
                                  .budget = params->budget,
                                  .rest_stays = params->ram_level < 0,
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

ith_status ith_store_foresee(ith_store *store, const ith_store_params *params, double share,
                             ith_store_forecast *out, ith_error *err)
{
    ith_residence_params p = residence_params(store, params);
    ith_residence r;
    ith_status status = ith_residence_choose(&store->plan, &p, &r, err);

    *out = (ith_store_forecast){.memory = r.resident + r.steps.transit + r.steps.shelves};
    if (status == ITH_OK && params->ram_level < 0) {
        out->read = ith_residence_reads(&store->plan, &p, &r, 1);
        out->read_chosen = ith_residence_reads(&store->plan, &p, &r, share);
    }
    ith_residence_free(&r);
    for (size_t i = 0; i < store->plan.n_entries; i++)
        store->plan.entries[i].streamed = false;
    return status;
}

/* ---- Loading ---- */

static ith_status choose(ith_store *store, const ith_store_params *params, ith_error *err)
{
    ith_residence_params p = residence_params(store, params);

    store->homes = params->homes;
    store->has_frames = params->ram_level >= 0;
    store->embed = params->embed;
    store->output = params->output;
    store->shards = p.shards;
    ITH_TRY(ith_residence_choose(&store->plan, &p, &store->residence, err));
    store->homes.n_seats =
        ith_store_by_domains(store) ? store->comm->domain_size : store->comm->node_size;
    return ith_store_lay_out(store, err);
}

static ith_status allocate(ith_store *store, ith_error *err)
{
    const ith_comm_ops *ops = store->comm->ops;

    return (ith_store_by_domains(store) ? ops->domain_alloc : ops->shared_alloc)(
        store->comm, store->own_bytes, "weights",
        ith_store_homes(store) == NULL ? NULL : ith_store_place_pages, store, &store->memory, err);
}

static ith_status open_lookup(ith_store *store, ith_team *team, ith_error *err)
{
    bool whole = store->residence.embed_stays && !ith_shards_cut(&store->shards);
    return whole ? ITH_OK
                 : ith_lookup_open(&store->plan, store->embed, ith_team_size(team), &store->lookup,
                                   err);
}

/* Bytes for frames on each rank: what the node's other weights leave. */
static size_t frame_room(const ith_store *store, const ith_store_params *params)
{
    const ith_residence *r = &store->residence;
    size_t taken = r->resident + r->steps.transit;
    return params->budget == 0 ? SIZE_MAX
                               : (params->budget - taken) / (size_t)store->comm->node_size;
}

static int fetchers(int n_threads)
{
    int n = n_threads / CORES_A_FETCHER;
    return n > FETCHERS_LEAST ? n : FETCHERS_LEAST;
}

static ith_status open_feed(ith_store *store, const ith_store_params *params, ith_team *team,
                            ith_error *err)
{
    ith_steps *s = &store->residence.steps;
    ith_step *items = s->items;
    ith_feed_params feed = {.comm = store->comm,
                            .plan = &store->plan,
                            .shards = store->shards,
                            .memory = store->memory,
                            .spread = &store->spread,
                            .homes = ith_store_homes(store),
                            .transit = s->transit,
                            .n_threads = fetchers(ith_team_size(team)),
                            .caching = params->caching,
                            .frame_level = params->ram_level,
                            .frame_room = frame_room(store, params),
                            .team = team};

    if (s->n == 0)
        return ITH_OK;
    s->items = NULL; /* the feed's now */
    return ith_feed_open(&feed, items, s->n, &store->feed, err);
}

ith_status ith_store_load(ith_store *store, const ith_store_params *params, ith_team *team,
                          ith_error *err)
{
    ith_comm *comm = store->comm;

    ITH_TRY(ith_comm_agree(comm, choose(store, params, err), err));
    ITH_TRY(allocate(store, err));
    ITH_TRY(ith_store_load_same(store, params, team, err));
    ith_store_by_domains(store) ? comm->ops->domain_barrier(comm) : comm->ops->node_barrier(comm);
    ith_store_publish(store);
    ITH_TRY(ith_comm_agree(comm, open_lookup(store, team, err), err));
    return open_feed(store, params, team, err);
}

bool ith_store_reads_files(const ith_store *store)
{
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        const ith_entry *e = &store->plan.entries[i];
        if (e->streamed ? !store->has_frames : ith_store_in_place(store, e) != NULL)
            return true;
    }
    return store->lookup != NULL;
}

ith_status ith_store_status(ith_store *store, ith_error *err)
{
    ITH_TRY(store->feed == NULL ? ITH_OK : ith_feed_status(store->feed, err));
    return store->lookup == NULL ? ITH_OK : ith_lookup_status(store->lookup, err);
}
