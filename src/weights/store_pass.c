/* store_pass.c - weights inside a pass: waits for those that do not stay. */
#include "weights/store_memory.h"

#include "base/range.h"
#include "weights/layout.h"

#include <assert.h>

/* ---- Entering and leaving ---- */

/* Is what stays all that the pass needs? */
static bool suffices(const ith_store *store, bool stays, ith_need need)
{
    return stays && (need != ITH_NEED_ALL || !ith_shards_cut(&store->shards));
}

static void enter(ith_store *store, int64_t step, ith_need need, const bool *chosen, ith_member *me)
{
    if (me->tid == 0)
        ith_feed_enter(store->feed, step, need, chosen);
    ith_barrier(me);
}

static int64_t step_of(const ith_store *store, int layer, int stage)
{
    return ith_step_of(&store->residence.steps, layer, stage);
}

/* Matrices of the step that stay show their own tiles again. */
static void leave(ith_store *store, int64_t step)
{
    const ith_step *s = ith_feed_step(store->feed, step);

    for (int i = 0; ith_shards_cut(&store->shards) && i < s->n_extents; i++)
        if (!s->extents[i].entry->streamed)
            ith_store_show_held(store, s->extents[i].entry);
    ith_feed_leave(store->feed);
}

/* All matrices of a stage stay, or none. */
static bool step_is_there(const ith_store *store, int64_t step, ith_need need)
{
    return suffices(store, !ith_feed_step(store->feed, step)->extents[0].entry->streamed, need);
}

static bool stage_is_there(const ith_store *store, int layer, int stage, ith_need need)
{
    return store->feed == NULL || step_of(store, layer, stage) < 0 ||
           step_is_there(store, step_of(store, layer, stage), need);
}

void ith_store_enter(ith_store *store, int layer, int stage, ith_need need, const bool *chosen,
                     ith_member *me)
{
    if (!stage_is_there(store, layer, stage, need))
        enter(store, step_of(store, layer, stage), need, chosen, me);
}

void ith_store_leave(ith_store *store, int layer, int stage, ith_need need, ith_member *me)
{
    if (me->tid == 0 && !stage_is_there(store, layer, stage, need))
        leave(store, step_of(store, layer, stage));
}

int ith_store_output_steps(const ith_store *store, ith_need need)
{
    return suffices(store, store->residence.output_stays, need)
               ? 1
               : store->residence.steps.output_steps;
}

ith_range ith_store_enter_output(ith_store *store, int step, ith_need need, ith_member *me)
{
    const ith_residence *r = &store->residence;
    ith_range rows = {0, store->output->rows};

    if (suffices(store, r->output_stays, need))
        return rows;
    enter(store, r->steps.first_output + step, need, NULL, me);
    rows.begin = store->output->first_tile * ITH_TILE_ROWS;
    rows.end = rows.begin + r->steps.step_tiles * ITH_TILE_ROWS;
    if (rows.end > store->output->rows)
        rows.end = store->output->rows;
    return rows;
}

void ith_store_leave_output(ith_store *store, int step, ith_need need, ith_member *me)
{
    if (me->tid == 0 && !suffices(store, store->residence.output_stays, need))
        leave(store, store->residence.steps.first_output + step);
}

static void pass_by(ith_store *store, int64_t step, ith_need need, const bool *chosen)
{
    ith_feed_enter(store->feed, step, need,
                   ith_feed_step(store->feed, step)->n_experts > 0 ? chosen : NULL);
    leave(store, step);
}

bool ith_store_pass_by(ith_store *store, ith_need need, const bool *chosen)
{
    bool any = false;

    for (int64_t step = 0; step < store->residence.steps.n; step++) {
        if (step_is_there(store, step, need))
            continue;
        pass_by(store, step, need, chosen);
        any = true;
    }
    return any;
}

/* A tile of the embedding in this node's memory, or NULL. */
static const uint8_t *embed_tile(const ith_store *store, int64_t tile)
{
    const ith_entry *e = ith_load_plan_entry(&store->plan, store->embed);
    const ith_strip *p;

    if (store->lookup == NULL)
        return ith_matrix_tiles(store->embed, tile);
    p = e->streamed ? NULL : ith_spread_find(&store->spread, e, tile);
    return p == NULL ? NULL : (const uint8_t *)store->memory + ith_strip_offset(p, e, tile, 0);
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

static void add_count(const ith_store *store, int64_t step, ith_feed_counts *sum)
{
    ith_feed_counts c = ith_feed_count(store->feed, step);
    sum->read += c.read;
    sum->unpacked += c.unpacked;
    sum->gathered += c.gathered;
    sum->stall_ns += c.stall_ns;
}

ith_feed_counts ith_store_count(ith_store *store, int layer)
{
    const ith_steps *s = &store->residence.steps;
    ith_feed_counts sum = {0};

    if (store->feed == NULL)
        return sum;
    for (int64_t i = s->first_output; layer == ITH_NO_LAYER && i < s->n; i++)
        add_count(store, i, &sum);
    for (int stage = 0; layer != ITH_NO_LAYER && stage < s->n_stages; stage++)
        if (step_of(store, layer, stage) >= 0)
            add_count(store, step_of(store, layer, stage), &sum);
    return sum;
}

bool ith_store_watch(ith_store *store, ith_fetched_fn fetched, void *user)
{
    return store->feed == NULL || ith_feed_watch(store->feed, fetched, user);
}

int ith_store_layer_of(const ith_store *store, int64_t step)
{
    return ith_steps_layer(&store->residence.steps, step);
}
