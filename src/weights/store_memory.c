/* store_memory.c - where entries and tiles lie in the memory of each node, and on which nodes. */
#include "weights/store_memory.h"

#include "base/range.h"
#include "formats/packfile.h"

const ith_homes *ith_store_homes(const ith_store *store)
{
    bool several = store->homes.topology != NULL && ith_homes_machine_nodes(&store->homes) > 1;
    return several ? &store->homes : NULL;
}

const uint8_t *ith_store_in_place(const ith_store *store, const ith_entry *e)
{
    return e->as_stored && ith_store_by_domains(store) && ith_store_homes(store) == NULL
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
    const ith_homes *homes = ith_store_homes(store);

    for (size_t i = 0; i < store->plan.n_entries; i++)
        if (is_in_memory(store, &store->plan.entries[i]))
            ITH_TRY(ith_spread_add(&store->spread, &store->shards, homes, &store->plan.entries[i],
                                   err));
    return ith_spread_settle(&store->spread, 0, &store->own_bytes, err);
}

void ith_store_place_pages(void *user, void *memory, size_t bytes)
{
    const ith_store *store = user;
    (void)bytes;
    ith_spread_place(&store->spread, &store->homes, memory);
}

/* The rank whose rows of an entry this rank sees. */
static int held_by(const ith_store *store, const ith_entry *e)
{
    return ith_shards_cut(&store->shards) && !e->whole ? store->comm->rank : 0;
}

/* The strips that are held because of a rank follow each other. */
static void show_strips(const ith_store *store, const ith_entry *e, int rank)
{
    const ith_strip *p = store->spread.strips + e->strip, *end = p + e->n_strips;
    ith_matrix *m = e->matrix;

    while (p < end && p->rank != rank)
        p++;
    m->strips = p;
    m->n_strips = 0;
    while (p < end && p->rank == rank)
        m->n_strips++, p++;
    m->first_tile = m->n_strips > 0 ? m->strips->first : 0;
    m->tiles = (const uint8_t *)store->memory + (m->n_strips > 0 ? m->strips->offset : 0);
}

void ith_store_show_held(const ith_store *store, const ith_entry *e)
{
    const uint8_t *at = ith_store_in_place(store, e);

    if (at == NULL)
        show_strips(store, e, held_by(store, e));
    else
        e->matrix->tiles = at;
}

static const uint8_t *vector_at(const ith_store *store, const ith_entry *e)
{
    const uint8_t *at = ith_store_in_place(store, e);
    return at != NULL ? at : (const uint8_t *)store->memory + store->spread.strips[e->strip].offset;
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
            *e->vector = (const float *)(const void *)vector_at(store, e);
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
        const uint8_t *at = e->streamed ? NULL : ith_store_in_place(store, e);
        if (at != NULL)
            see(user, at, ith_entry_bytes(e), 0);
    }
    ith_spread_each(&store->spread, ith_store_homes(store), store->memory, see, user);
    if (store->feed != NULL)
        ith_feed_regions(store->feed, see, user);
}

/* ---- Where tiles lie ---- */

static const ith_strip *strip_with(const ith_matrix *m, int64_t tile)
{
    const ith_strip *p = m->strips;

    while (p + 1 < m->strips + m->n_strips && tile >= p->first + p->n)
        p++;
    return p;
}

static size_t begin_of(const ith_strip *p, int64_t cell)
{
    return p->offset + (size_t)cell * p->cell_bytes;
}

const uint8_t *ith_matrix_tiles(const ith_matrix *m, int64_t first)
{
    if (m->n_strips <= 1)
        return m->tiles + (size_t)(first - m->first_tile) * m->tile_bytes;
    const ith_strip *p = strip_with(m, first);
    return m->tiles + (ptrdiff_t)(begin_of(p, m->cell) - begin_of(m->strips, m->cell)) +
           (size_t)(first - p->first) * m->tile_bytes;
}

int64_t ith_matrix_run(const ith_matrix *m, ith_range tiles)
{
    if (m->n_strips <= 1)
        return ith_range_size(tiles);
    const ith_strip *p = strip_with(m, tiles.begin);
    return ith_min(tiles.end, p->first + p->n) - tiles.begin;
}
