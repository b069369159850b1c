/* feed_homes.c - page placement of the transit.
 *
 * Steps that share a range differ little: the largest of the layers' steps decides where its pages
 * go. A cell of a shelf is placed for the expert of its number: the experts of a layer are alike.
 */
#include "weights/feed_homes.h"

#include "weights/feed_impl.h"

static bool is_of_layer(const ith_step *step)
{
    return step->n_extents > 0 && step->extents[0].entry->layer != ITH_NO_LAYER;
}

/* Is it the largest of the layers' steps with its range, the first of equals? */
static bool is_mold(const ith_feed *f, int64_t i)
{
    const ith_step *step = &f->steps[i];

    if (!is_of_layer(step))
        return false;
    for (int64_t k = 0; k < f->n_steps; k++) {
        const ith_step *other = &f->steps[k];
        bool before = other->bytes > step->bytes || (other->bytes == step->bytes && k < i);
        if (before && other->offset == step->offset && is_of_layer(other))
            return false;
    }
    return true;
}

static void each_cell(const ith_step *step, const ith_homes *homes, const uint8_t *transit,
                      ith_home_fn see, void *user)
{
    for (const ith_extent *p = step->extents; p < step->extents + step->n_extents; p++) {
        int cell = p->entry->expert;
        if (cell != ITH_NO_EXPERT && cell < step->n_cells)
            ith_homes_each(homes, p->entry, p->first, p->n,
                           transit + step->shelf + (size_t)cell * step->cell_bytes + p->in_cell,
                           see, user);
    }
}

static void each_home(const ith_feed *f, const ith_homes *homes, const uint8_t *transit,
                      ith_home_fn see, void *user)
{
    for (int64_t i = 0; i < f->n_steps; i++) {
        const ith_step *step = &f->steps[i];
        each_cell(step, homes, transit, see, user);
        if (!is_mold(f, i))
            continue;
        for (const ith_extent *p = step->extents; p < step->extents + step->n_extents; p++)
            ith_homes_each(homes, p->entry, p->first, p->n, transit + step->offset + p->at, see,
                           user);
    }
}

void ith_feed_place_pages(void *user, void *memory, size_t bytes)
{
    const ith_feed *f = user;
    (void)bytes;
    each_home(f, f->params.homes, memory, ith_homes_place, (void *)f->params.homes);
}

void ith_feed_regions(const ith_feed *f, const ith_homes *homes, ith_home_fn see, void *user)
{
    each_home(f, homes, f->transit, see, user);
}
