/* feed_homes.c - where the shelves lie, and page placement of the transit and the shelves. */
#include "weights/feed_homes.h"

#include <stdlib.h>

/* Steps with a shelf list whole entries, expert by expert. */
static ith_status lay_out_shelf(ith_feed *f, const ith_step *step, ith_error *err)
{
    ith_entry **entries = calloc((size_t)step->n_extents + 1, sizeof *entries);
    ith_status status;

    if (entries == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %d experts", step->n_experts);
    for (int i = 0; i < step->n_extents; i++)
        entries[i] = ith_load_plan_entry(f->params.plan, step->extents[i].entry->matrix);
    status = ith_spread_add_cells(&f->spread, &f->params.shards, f->params.homes, entries,
                                  step->n_extents, step->n_cells, err);
    free(entries);
    return status;
}

ith_status ith_feed_lay_out(ith_feed *f, ith_error *err)
{
    for (int64_t i = 0; i < f->n_steps; i++)
        if (f->steps[i].n_cells > 0)
            ITH_TRY(lay_out_shelf(f, &f->steps[i], err));
    return ith_spread_settle(&f->spread, f->params.transit, &f->end, err);
}

uint8_t *ith_feed_cell(const ith_feed *f, const ith_entry *e, int64_t unit, int cell)
{
    return f->transit + ith_strip_offset(ith_spread_find(&f->spread, e, unit), e, unit, cell);
}

/* ---- Page placement ---- */

void ith_feed_place_pages(void *user, void *memory, size_t bytes)
{
    const ith_feed *f = user;
    const ith_homes *homes = f->params.homes;

    (void)bytes;
    ith_homes_place(homes, memory, f->params.transit, ith_homes_only(homes));
    ith_spread_place(&f->spread, homes, memory);
}

void ith_feed_regions(const ith_feed *f, ith_home_fn see, void *user)
{
    const ith_homes *homes = f->params.homes;

    see(user, f->transit, f->params.transit,
        ith_homes_node(homes, homes == NULL ? 0 : ith_homes_only(homes)));
    ith_spread_each(&f->spread, homes, f->transit, see, user);
}
