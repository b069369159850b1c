/* store_memory.c - where each entry lies in the memory of its node, and on which memory nodes. */
#include "weights/store_memory.h"

#include "base/range.h"
#include "formats/packfile.h"

bool ith_store_one_memory_node(const ith_store *store)
{
    return store->homes.topology == NULL || ith_topology_machine_nodes(store->homes.topology) == 1;
}

const uint8_t *ith_store_in_place(const ith_store *store, const ith_entry *e)
{
    return e->as_stored && ith_store_by_domains(store) && ith_store_one_memory_node(store)
               ? ith_pack_in_place(e->tensor->packed)
               : NULL;
}

/* Is it in the store's own memory? */
static bool is_in_memory(const ith_store *store, const ith_entry *e)
{
    return !e->streamed && ith_store_in_place(store, e) == NULL;
}

ith_status ith_store_lay_out(ith_store *store, ith_error *err)
{
    size_t *end = &store->own_bytes;

    *end = 0;
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        ith_entry *e = &store->plan.entries[i];
        if (!is_in_memory(store, e))
            continue;
        e->offset = *end;
        if (!ith_add_size(*end, ith_shard_bytes(&store->shards, e, store->shards.node), end))
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: tensor %s: the model's weights exceed the address space",
                            e->tensor->file, e->tensor->name);
    }
    return ITH_OK;
}

/* Calls see() for each run of what the node holds of an entry; `at`: where that lies. */
static void each_home(const ith_store *store, const ith_entry *e, const uint8_t *at,
                      ith_home_fn see, void *user)
{
    ith_shard_extent x = {0};

    while (ith_shard_next(&store->shards, e, store->shards.node, (ith_range){0, e->n_units},
                          SIZE_MAX, &x)) {
        ith_homes_each(&store->homes, e, x.first, x.n, at, see, user);
        at += (size_t)x.n * e->unit_bytes;
    }
}

void ith_store_place_pages(void *user, void *memory, size_t bytes)
{
    const ith_store *store = user;
    (void)bytes;
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        const ith_entry *e = &store->plan.entries[i];
        if (is_in_memory(store, e))
            each_home(store, e, (const uint8_t *)memory + e->offset, ith_homes_place,
                      (void *)&store->homes);
    }
}

/* The rank whose rows of an entry this rank sees. */
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
             ith_shard_offset(&store->shards, e, held.begin, ith_range_size(held));
    e->matrix->tiles = at;
    e->matrix->first_tile = held.begin;
}

void ith_store_publish(ith_store *store)
{
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        ith_entry *e = &store->plan.entries[i];
        if (e->streamed)
            continue;
        if (e->matrix != NULL)
            ith_store_show_held(store, e);
        else
            *e->vector =
                ith_store_in_place(store, e) != NULL
                    ? (const float *)(const void *)ith_store_in_place(store, e)
                    : (const float *)(const void *)((const uint8_t *)store->memory + e->offset);
    }
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

void ith_store_regions(const ith_store *store, ith_home_fn see, void *user)
{
    const ith_comm *comm = store->comm;

    if ((ith_store_by_domains(store) ? comm->domain_rank : comm->node_rank) != 0)
        return;
    for (size_t i = 0; i < store->plan.n_entries; i++) {
        const ith_entry *e = &store->plan.entries[i];
        const uint8_t *at = ith_store_in_place(store, e);
        if (!e->streamed)
            each_home(store, e, at != NULL ? at : (const uint8_t *)store->memory + e->offset, see,
                      user);
    }
    if (store->feed != NULL)
        ith_feed_regions(store->feed, &store->homes, see, user);
}
