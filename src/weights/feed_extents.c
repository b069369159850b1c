/* feed_extents.c - cuts steps into extents, and fetches those of this rank. */
#include "weights/feed_extents.h"

#include "base/range.h"

#include <stdlib.h>
#include <string.h>

enum { EXTENT_BYTES = 1 << 20 };

/* ---- Cutting ---- */

/* Is unit `first` of e in one of these extents? Where rows of two ranks meet inside a tile, both
 * hold it. The extents of an entry follow each other. */
static bool is_listed(const ith_extent *extents, int64_t n, const ith_entry *e, int64_t first)
{
    for (int64_t i = n - 1; i >= 0 && extents[i].entry == e; i--)
        if (extents[i].first <= first && first < extents[i].first + extents[i].n)
            return true;
    return false;
}

/* The first units of a range that lie together in a cell of a shelf, if the entry has one; all of
 * them otherwise. */
static ith_range within_strip(const ith_feed *f, const ith_entry *e, ith_range units)
{
    const ith_strip *p = ith_spread_find(&f->spread, e, units.begin);
    return (ith_range){units.begin, p == NULL ? units.end : ith_min(units.end, p->first + p->n)};
}

/* Lists what `node` holds of an extent of a step, each unit once, at out + n if out is not NULL;
 * otherwise counts it, a little high. Returns the new n. */
static int64_t list_extent(const ith_feed *f, const ith_extent *wanted, ith_range units, int node,
                           ith_extent *out, int64_t n)
{
    const ith_entry *e = wanted->entry;
    ith_shard_extent extent = {0};

    while (ith_shard_next(&f->params.shards, e, node, units, EXTENT_BYTES, &extent)) {
        ith_extent item = {.entry = e, .first = extent.first, .n = extent.n};
        if (out != NULL && is_listed(out, n, e, item.first))
            item.first++, item.n--;
        item.at = wanted->at + (size_t)(item.first - wanted->first) * e->unit_bytes;
        if (out != NULL && item.n > 0)
            out[n] = item;
        n += item.n > 0;
    }
    return n;
}

static int64_t list_held(const ith_feed *f, const ith_step *step, int node, ith_extent *out)
{
    int64_t n = 0;

    for (const ith_extent *p = step->extents; p < step->extents + step->n_extents; p++)
        for (ith_range left = {p->first, p->first + p->n}, some; left.begin < left.end;
             left.begin = some.end) {
            some = step->n_cells > 0 ? within_strip(f, p->entry, left) : left;
            n = list_extent(f, p, some, node, out, n);
        }
    return n;
}

ith_status ith_feed_cut(ith_feed *f, ith_error *err)
{
    const ith_shards *shards = &f->params.shards;

    f->extents = calloc((size_t)(f->n_steps * shards->n_nodes), sizeof *f->extents);
    if (f->extents == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of %lld steps",
                        (long long)f->n_steps);
    for (int64_t i = 0; i < f->n_steps; i++)
        for (int node = 0; node < shards->n_nodes; node++) {
            ith_extents *p = ith_feed_extents(f, i, node);
            int64_t n = list_held(f, &f->steps[i], node, NULL);
            p->items = calloc((size_t)n + 1, sizeof *p->items);
            if (p->items == NULL)
                return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld extents",
                                (long long)n);
            p->n = list_held(f, &f->steps[i], node, p->items);
        }
    return ITH_OK;
}

int64_t ith_feed_n_mine(const ith_feed *f, int64_t step)
{
    int64_t first;
    return ith_dealt(0, ith_feed_extents(f, step, f->params.shards.node)->n,
                     f->params.comm->node_size, f->params.comm->node_rank, &first);
}

const ith_extent *ith_feed_mine(const ith_feed *f, int64_t step, int64_t i)
{
    const ith_comm *comm = f->params.comm;
    return &ith_feed_extents(f, step, f->params.shards.node)
                ->items[comm->node_rank + i * comm->node_size];
}

/* ---- Frames ---- */

ith_status ith_feed_make_frames(ith_feed *f, ith_error *err)
{
    ith_step mine = {0};
    ith_status status;
    int64_t n = 0;

    for (int64_t i = 0; i < f->n_steps; i++)
        n += ith_feed_n_mine(f, i);
    mine.extents = calloc((size_t)n + 1, sizeof *mine.extents);
    if (mine.extents == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld extents", (long long)n);
    for (int64_t i = 0; i < f->n_steps; i++)
        for (int64_t k = 0; k < ith_feed_n_mine(f, i); k++)
            if (ith_feed_mine(f, i, k)->entry->streamed)
                mine.extents[mine.n_extents++] = *ith_feed_mine(f, i, k);
    status = ith_frames_open(f->params.plan, &mine, 1, f->params.frame_level, f->params.frame_room,
                             f->params.team, &f->frames, err);
    free(mine.extents);
    return status;
}

/* ---- Fetching ---- */

static ith_status read_frames(ith_fetcher *t, const ith_extent *p, uint8_t *out,
                              ith_feed_counts *counts, ith_error *err)
{
    for (int64_t i = 0; i < p->n; i++)
        ITH_TRY(ith_frames_read(t->feed->frames, t->reader, p->entry, p->first + i,
                                out + (size_t)i * p->entry->unit_bytes, err));
    if (t->feed->params.frame_level > 0)
        counts->unpacked += p->n * (int64_t)p->entry->unit_bytes;
    return ITH_OK;
}

static ith_status read_files(ith_fetcher *t, const ith_extent *p, uint8_t *out,
                             ith_feed_counts *counts, ith_error *err)
{
    bool packed;

    ITH_TRY(ith_produce(&t->producer, p->entry, p->first, p->n, out, err));
    counts->read += (int64_t)ith_stored_bytes(p->entry, p->first, p->n, &packed);
    if (packed)
        counts->unpacked += p->n * (int64_t)p->entry->unit_bytes;
    return ITH_OK;
}

/* Units that stay on this node. */
static void copy_units(const ith_feed_params *params, const ith_extent *x, uint8_t *out)
{
    const ith_entry *e = x->entry;

    for (int64_t unit = x->first, end = x->first + x->n, n; unit < end; unit += n) {
        const ith_strip *p = ith_spread_find(params->spread, e, unit);
        n = ith_min(end, p->first + p->n) - unit;
        memcpy(out + (size_t)(unit - x->first) * e->unit_bytes,
               params->memory + ith_strip_offset(p, e, unit, 0), (size_t)n * e->unit_bytes);
    }
}

ith_status ith_feed_fetch(ith_fetcher *t, const ith_extent *p, uint8_t *out,
                          ith_feed_counts *counts, ith_error *err)
{
    if (p->entry->streamed)
        return (t->feed->frames != NULL ? read_frames : read_files)(t, p, out, counts, err);
    copy_units(&t->feed->params, p, out);
    return ITH_OK;
}
