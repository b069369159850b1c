/* feed_shelf.c - which experts a fill brings, and which of them stay.
 *
 * Ranks of a node share the shelves' memory and decide alike without a word: each decides about the fills of a step one after another, from what
 * was entered and left. The slots are safe as the step's place is: no fill of a step is begun before all ranks have left the one before it.
 *
 * What stays is what was chosen last. A fill of all experts turns nothing out, or it would leave those of high numbers, whatever is in use.
 */
#include "weights/feed_impl.h"

#include <stdlib.h>

enum { NO_FILL = -1 };

/* ---- Opening ---- */

static ith_status open_shelf(const ith_step *step, ith_shelf *s, ith_error *err)
{
    size_t experts = (size_t)step->n_experts, slots = (size_t)step->n_slots;

    s->slot_of = calloc(experts + 1, sizeof *s->slot_of);
    s->holds = calloc(slots + 1, sizeof *s->holds);
    s->wanted = calloc(slots + 1, sizeof *s->wanted);
    if (s->slot_of == NULL || s->holds == NULL || s->wanted == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %d experts", step->n_experts);
    for (int e = 0; e < step->n_experts; e++)
        s->slot_of[e] = -1;
    for (int i = 0; i < step->n_slots; i++)
        s->holds[i] = -1;
    return ITH_OK;
}

ith_status ith_shelves_open(ith_feed *f, ith_error *err)
{
    size_t most = 0;

    for (int64_t i = 0; i < f->n_steps; i++)
        most = (size_t)f->steps[i].n_experts > most ? (size_t)f->steps[i].n_experts : most;
    f->from = calloc(ITH_FEED_FILLS * most + 1, 1);
    f->shelves = calloc((size_t)f->n_steps + 1, sizeof *f->shelves);
    if (f->from == NULL || f->shelves == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %zu experts", most);
    for (int64_t k = 0; k < ITH_FEED_FILLS; k++)
        ith_feed_fill(f, k)->from = f->from + (size_t)k * most;
    for (int64_t i = 0; i < f->n_steps; i++)
        ITH_TRY(open_shelf(&f->steps[i], &f->shelves[i], err));
    return ITH_OK;
}

void ith_shelves_close(ith_feed *f)
{
    for (int64_t i = 0; f->shelves != NULL && i < f->n_steps; i++) {
        free(f->shelves[i].slot_of);
        free(f->shelves[i].holds);
        free(f->shelves[i].wanted);
    }
    free(f->shelves);
    free(f->from);
}

/* ---- Listing ---- */

/* An empty slot; else, if some may be turned out, the one whose expert was chosen longest ago, and not by fill k. -1: none. */
static int find_slot(const ith_shelf *s, int n_slots, int64_t k, bool turn_out)
{
    int best = -1;

    for (int i = 0; i < n_slots; i++) {
        if (s->holds[i] < 0)
            return i;
        if (turn_out && s->wanted[i] != k && (best < 0 || s->wanted[i] < s->wanted[best]))
            best = i;
    }
    return best;
}

static ith_source_of put_on_shelf(const ith_step *step, ith_shelf *s, int32_t expert, int64_t k, bool choice)
{
    int slot = find_slot(s, step->n_slots, k, choice);

    if (slot < 0)
        return ITH_TO_PLACE;
    if (s->holds[slot] >= 0)
        s->slot_of[s->holds[slot]] = -1;
    s->holds[slot] = expert;
    s->slot_of[expert] = slot;
    s->wanted[slot] = choice ? k : NO_FILL;
    return ITH_TO_SHELF;
}

/* First what is there, so that it is not turned out for what is not. */
void ith_shelf_list(ith_feed *f, int64_t k, const bool *chosen)
{
    ith_fill *fill = ith_feed_fill(f, k);
    const ith_step *step = &f->steps[fill->step];
    ith_shelf *s = &f->shelves[fill->step];

    for (int e = 0; e < step->n_experts; e++) {
        bool needed = chosen == NULL || chosen[e];
        fill->from[e] = !needed ? ITH_NOT_NEEDED : s->slot_of[e] >= 0 ? ITH_ON_SHELF : ITH_TO_PLACE;
        if (fill->from[e] == ITH_ON_SHELF && chosen != NULL)
            s->wanted[s->slot_of[e]] = k;
    }
    for (int e = 0; e < step->n_experts; e++)
        if (fill->from[e] == ITH_TO_PLACE)
            fill->from[e] = (uint8_t)put_on_shelf(step, s, e, k, chosen != NULL);
    fill->listed = true;
}

void ith_shelf_drop(ith_feed *f, int64_t k)
{
    const ith_fill *fill = ith_feed_fill(f, k);
    ith_shelf *s = &f->shelves[fill->step];

    for (int e = 0; fill->listed && e < f->steps[fill->step].n_experts; e++)
        if (fill->from[e] == ITH_TO_SHELF) {
            s->holds[s->slot_of[e]] = -1;
            s->slot_of[e] = -1;
        }
}

/* ---- Where ---- */

uint8_t *ith_shelf_where(const ith_feed *f, const ith_fill *fill, const ith_step_part *p)
{
    const ith_step *step = &f->steps[fill->step];
    int e = p->entry->expert;

    if (step->n_experts == 0 || fill->from[e] == ITH_TO_PLACE)
        return f->transit + step->place + p->at;
    if (fill->from[e] == ITH_NOT_NEEDED)
        return NULL;
    return f->transit + step->shelf + (size_t)f->shelves[fill->step].slot_of[e] * step->slot_bytes + p->in_slot;
}

bool ith_shelf_is_fetched(const ith_fill *fill, const ith_step_part *p)
{
    int e = p->entry->expert;
    return e == ITH_NO_EXPERT || fill->from[e] == ITH_TO_SHELF || fill->from[e] == ITH_TO_PLACE;
}
