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

/* Lists what `node` holds of a step, each unit once, if out is not NULL; otherwise counts it, a
 * little high. */
static int64_t list_held(const ith_shards *shards, const ith_step *step, int node, ith_extent *out)
{
    int64_t n = 0;
    for (int i = 0; i < step->n_extents; i++) {
        const ith_extent *p = &step->extents[i];
        ith_shard_extent extent = {0};
        while (ith_shard_next(shards, p->entry, node, (ith_range){p->first, p->first + p->n},
                              EXTENT_BYTES, &extent)) {
            ith_extent item = {.entry = p->entry, .first = extent.first, .n = extent.n};
            if (out != NULL && is_listed(out, n, p->entry, item.first))
                item.first++, item.n--;
            size_t before = (size_t)(item.first - p->first) * p->entry->unit_bytes;
            item.at = p->at + before;
            item.in_cell = p->in_cell + before;
            if (out != NULL && item.n > 0)
                out[n] = item;
            n += item.n > 0;
        }
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
            int64_t n = list_held(shards, &f->steps[i], node, NULL);
            p->items = calloc((size_t)n + 1, sizeof *p->items);
            if (p->items == NULL)
                return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld extents",
                                (long long)n);
            p->n = list_held(shards, &f->steps[i], node, p->items);
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

ith_status ith_feed_fetch(ith_fetcher *t, const ith_extent *p, uint8_t *out,
                          ith_feed_counts *counts, ith_error *err)
{
    const ith_feed_params *params = &t->feed->params;
    const ith_entry *e = p->entry;

    if (e->streamed)
        return (t->feed->frames != NULL ? read_frames : read_files)(t, p, out, counts, err);
    memcpy(out, params->memory + e->offset + ith_shard_offset(&params->shards, e, p->first, p->n),
           (size_t)p->n * e->unit_bytes);
    return ITH_OK;
}
