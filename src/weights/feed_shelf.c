/* feed_shelf.c - which experts a fill brings, and which of them stay.
 *
 * Ranks of a node share the memory of the shelves and decide alike without communicating: each
 * decides about the fills of a step one after another, from what was entered and left. Cells are as
 * safe as the step's range of the transit: no fill of a step begins before all ranks have left the
 * one before it.
 *
 * What was chosen last stays (LRU). A fill of all experts evicts nothing; otherwise it would leave
 * the experts with the highest numbers, whatever is in use.
 */
#include "weights/feed_shelf.h"

#include "weights/feed_homes.h"

#include <stdlib.h>

enum { NO_FILL = -1 };

/* ---- Opening ---- */

static ith_status open_shelf(const ith_step *step, ith_shelf *s, ith_error *err)
{
    size_t experts = (size_t)step->n_experts, cells = (size_t)step->n_cells;

    s->cell_of = calloc(experts + 1, sizeof *s->cell_of);
    s->holds = calloc(cells + 1, sizeof *s->holds);
    s->wanted = calloc(cells + 1, sizeof *s->wanted);
    if (s->cell_of == NULL || s->holds == NULL || s->wanted == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %d experts", step->n_experts);
    for (int e = 0; e < step->n_experts; e++)
        s->cell_of[e] = -1;
    for (int i = 0; i < step->n_cells; i++)
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
        free(f->shelves[i].cell_of);
        free(f->shelves[i].holds);
        free(f->shelves[i].wanted);
    }
    free(f->shelves);
    free(f->from);
}

/* ---- Listing ---- */

/* An empty cell; otherwise, with `evict`, the one whose expert was chosen longest ago, but not by
 * fill k. -1: none. */
static int find_cell(const ith_shelf *s, int n_cells, int64_t k, bool evict)
{
    int best = -1;

    for (int i = 0; i < n_cells; i++) {
        if (s->holds[i] < 0)
            return i;
        if (evict && s->wanted[i] != k && (best < 0 || s->wanted[i] < s->wanted[best]))
            best = i;
    }
    return best;
}

static ith_expert_source put_on_shelf(const ith_step *step, ith_shelf *s, int32_t expert, int64_t k,
                                      bool choice)
{
    int cell = find_cell(s, step->n_cells, k, choice);

    if (cell < 0)
        return ITH_TO_TRANSIT;
    if (s->holds[cell] >= 0)
        s->cell_of[s->holds[cell]] = -1;
    s->holds[cell] = expert;
    s->cell_of[expert] = cell;
    s->wanted[cell] = choice ? k : NO_FILL;
    return ITH_TO_SHELF;
}

/* Experts on the shelf come first, so that none of them is evicted for one that is not there. */
void ith_shelf_list(ith_feed *f, int64_t k, const bool *chosen)
{
    ith_fill *fill = ith_feed_fill(f, k);
    const ith_step *step = &f->steps[fill->step];
    ith_shelf *s = &f->shelves[fill->step];

    if (fill->dropped)
        return;
    for (int e = 0; e < step->n_experts; e++) {
        bool needed = chosen == NULL || chosen[e];
        fill->from[e] = !needed              ? ITH_NOT_NEEDED
                        : s->cell_of[e] >= 0 ? ITH_ON_SHELF
                                             : ITH_TO_TRANSIT;
        if (fill->from[e] == ITH_ON_SHELF && chosen != NULL)
            s->wanted[s->cell_of[e]] = k;
    }
    for (int e = 0; e < step->n_experts; e++)
        if (fill->from[e] == ITH_TO_TRANSIT)
            fill->from[e] = (uint8_t)put_on_shelf(step, s, e, k, chosen != NULL);
    fill->listed = true;
}

void ith_shelf_drop(ith_feed *f, int64_t k)
{
    const ith_fill *fill = ith_feed_fill(f, k);
    ith_shelf *s = &f->shelves[fill->step];

    for (int e = 0; fill->listed && e < f->steps[fill->step].n_experts; e++)
        if (fill->from[e] == ITH_TO_SHELF) {
            s->holds[s->cell_of[e]] = -1;
            s->cell_of[e] = -1;
        }
}

/* ---- Where ---- */

uint8_t *ith_shelf_where(const ith_feed *f, const ith_fill *fill, const ith_extent *p)
{
    const ith_step *step = &f->steps[fill->step];
    int e = p->entry->expert;

    if (step->n_experts == 0 || fill->from[e] == ITH_TO_TRANSIT)
        return f->transit + step->offset + p->at;
    if (fill->from[e] == ITH_NOT_NEEDED)
        return NULL;
    return ith_feed_cell(f, p->entry, p->first, f->shelves[fill->step].cell_of[e]);
}

void ith_shelf_show(const ith_feed *f, const ith_fill *fill, const ith_extent *p)
{
    const ith_entry *e = p->entry;
    bool on_shelf = f->steps[fill->step].n_experts > 0 && (fill->from[e->expert] == ITH_ON_SHELF ||
                                                           fill->from[e->expert] == ITH_TO_SHELF);
    ith_matrix *m = e->matrix;

    m->tiles = ith_shelf_where(f, fill, p);
    m->first_tile = p->first;
    m->n_strips = 0;
    if (!on_shelf)
        return;
    m->strips = f->spread.strips + e->strip;
    m->n_strips = e->n_strips;
    m->cell = f->shelves[fill->step].cell_of[e->expert];
}

bool ith_shelf_is_fetched(const ith_fill *fill, const ith_extent *p)
{
    int e = p->entry->expert;
    return e == ITH_NO_EXPERT || fill->from[e] == ITH_TO_SHELF || fill->from[e] == ITH_TO_TRANSIT;
}
