/* feed_homes.c - on which memory nodes (NUMA) the transit lies. Steps that share a place differ little: the largest of a layer's says where its pages
 * go. A slot of a shelf lies as the expert of its number would there: a layer's experts are alike.
 */
#include "weights/feed_impl.h"

static bool is_of_layer(const ith_step *step)
{
    return step->n_parts > 0 && step->parts[0].entry->layer != ITH_NO_LAYER;
}

/* The largest of the layers' steps that have its place, the first of equals? */
static bool is_mold(const ith_feed *f, int64_t i)
{
    const ith_step *step = &f->steps[i];

    if (!is_of_layer(step))
        return false;
    for (int64_t k = 0; k < f->n_steps; k++) {
        const ith_step *other = &f->steps[k];
        bool before = other->bytes > step->bytes || (other->bytes == step->bytes && k < i);
        if (before && other->place == step->place && is_of_layer(other))
            return false;
    }
    return true;
}

static void each_slot(const ith_step *step, const ith_homes *homes, const uint8_t *transit, ith_home_fn see, void *user)
{
    for (const ith_step_part *p = step->parts; p < step->parts + step->n_parts; p++) {
        int slot = p->entry->expert;
        if (slot != ITH_NO_EXPERT && slot < step->n_slots)
            ith_homes_each(homes, p->entry, p->first, p->n,
                           transit + step->shelf + (size_t)slot * step->slot_bytes + p->in_slot, see, user);
    }
}

static void each_home(const ith_feed *f, const ith_homes *homes, const uint8_t *transit, ith_home_fn see, void *user)
{
    for (int64_t i = 0; i < f->n_steps; i++) {
        const ith_step *step = &f->steps[i];
        each_slot(step, homes, transit, see, user);
        if (!is_mold(f, i))
            continue;
        for (const ith_step_part *p = step->parts; p < step->parts + step->n_parts; p++)
            ith_homes_each(homes, p->entry, p->first, p->n, transit + step->place + p->at, see, user);
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
