/* spread.c - cuts entries into strips, and lays these out region by region. */
#include "weights/spread.h"

#include "base/grow.h"
#include "base/range.h"

#include <stdlib.h>

enum { ALIGN = 64, HUGE_PAGE = 2 << 20 };

void ith_spread_free(ith_spread *s)
{
    free(s->strips);
    *s = (ith_spread){0};
}

/* The region of a home. (There cannot be more homes; if there were, they would share the first.) */
static int region_of(ith_spread *s, int home)
{
    for (int r = 0; r < s->n_regions; r++)
        if (s->regions[r].home == home)
            return r;
    if (s->n_regions == ITH_REGIONS)
        return 0;
    s->regions[s->n_regions].home = home;
    return s->n_regions++;
}

static size_t bytes_of(const ith_strip *p, const ith_entry *e)
{
    return ((size_t)p->n * e->unit_bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- Strips ---- */

static ith_status add_strip(ith_spread *s, ith_strip strip, ith_error *err)
{
    if (!ith_grow((void **)&s->strips, &s->room, s->n + 1, sizeof *s->strips))
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %zu strips of weights",
                        s->n + 1);
    s->strips[s->n++] = strip;
    return ITH_OK;
}

static ith_status cut(ith_spread *s, const ith_shards *shards, const ith_homes *homes, ith_entry *e,
                      ith_error *err)
{
    ith_shard_extent x = {0};

    e->strip = s->n;
    while (ith_shard_next(shards, e, shards->node, (ith_range){0, e->n_units}, SIZE_MAX, &x))
        for (int64_t at = x.first, run, left = x.n; left > 0; at += run, left -= run) {
            ith_strip strip = {.first = at, .rank = x.rank};
            run = homes == NULL ? left : ith_home_run(homes, e, at, left);
            strip.n = run;
            strip.region = region_of(s, homes == NULL ? 0 : ith_home_of(homes, e, at));
            ITH_TRY(add_strip(s, strip, err));
        }
    e->n_strips = (int)(s->n - e->strip);
    return ITH_OK;
}

static ith_status too_large(const ith_entry *e, ith_error *err)
{
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: tensor %s: the model's weights exceed the address space", e->tensor->file,
                    e->tensor->name);
}

ith_status ith_spread_add(ith_spread *s, const ith_shards *shards, const ith_homes *homes,
                          ith_entry *e, ith_error *err)
{
    ITH_TRY(cut(s, shards, homes, e, err));
    for (ith_strip *p = s->strips + e->strip; p < s->strips + s->n; p++) {
        size_t *end = &s->regions[p->region].bytes;
        p->offset = *end;
        if (!ith_add_size(*end, bytes_of(p, e), end))
            return too_large(e, err);
    }
    return ITH_OK;
}

/* ---- Cells ---- */

/* Lays the strips of an entry behind those that its cell has already: `used` of each region. */
static void add_to_cell(ith_spread *s, const ith_entry *e, size_t used[ITH_REGIONS],
                        size_t cell[ITH_REGIONS])
{
    for (ith_strip *p = s->strips + e->strip; p < s->strips + s->n; p++) {
        int r = p->region;
        p->offset = used[r];
        used[r] += bytes_of(p, e);
        cell[r] = used[r] > cell[r] ? used[r] : cell[r];
    }
}

ith_status ith_spread_add_cells(ith_spread *s, const ith_shards *shards, const ith_homes *homes,
                                ith_entry *const *entries, int n, int n_cells, ith_error *err)
{
    size_t used[ITH_REGIONS] = {0}, cell[ITH_REGIONS] = {0}, first = s->n;

    for (int i = 0; i < n; i++) {
        for (int r = 0; r < ITH_REGIONS && i > 0; r++)
            used[r] = entries[i]->expert == entries[i - 1]->expert ? used[r] : 0;
        ITH_TRY(cut(s, shards, homes, entries[i], err));
        add_to_cell(s, entries[i], used, cell);
    }
    for (ith_strip *p = s->strips + first; p < s->strips + s->n; p++) {
        p->offset += s->regions[p->region].bytes;
        p->cell_bytes = cell[p->region];
    }
    for (int r = 0; r < s->n_regions; r++) {
        size_t bytes, *end = &s->regions[r].bytes;
        if (!ith_mul_size((size_t)n_cells, cell[r], &bytes) || !ith_add_size(*end, bytes, end))
            return too_large(entries[0], err);
    }
    return ITH_OK;
}

/* ---- Regions ---- */

/* A region that is alone begins anywhere. */
ith_status ith_spread_settle(ith_spread *s, size_t begin, size_t *end, ith_error *err)
{
    const size_t unit = s->n_regions > 1 ? HUGE_PAGE : ALIGN;

    *end = begin;
    for (ith_region *r = s->regions; r < s->regions + s->n_regions; r++) {
        if (!ith_add_size(*end, unit - 1, &r->begin))
            r->begin = SIZE_MAX;
        r->begin = r->begin / unit * unit;
        if (!ith_add_size(r->begin, r->bytes, end))
            return ith_fail(err, ITH_E_MEMORY, "the model's weights exceed the address space");
    }
    for (size_t i = 0; i < s->n; i++)
        s->strips[i].offset += s->regions[s->strips[i].region].begin;
    return ITH_OK;
}

/* Up to the next region, so that no huge page has two placements. */
void ith_spread_place(const ith_spread *s, const ith_homes *homes, void *memory)
{
    for (int r = 0; r < s->n_regions; r++) {
        const ith_region *region = &s->regions[r];
        size_t bytes =
            r + 1 < s->n_regions ? s->regions[r + 1].begin - region->begin : region->bytes;
        ith_homes_place(homes, (uint8_t *)memory + region->begin, bytes, region->home);
    }
}

void ith_spread_each(const ith_spread *s, const ith_homes *homes, const void *memory,
                     ith_home_fn see, void *user)
{
    for (const ith_region *r = s->regions; r < s->regions + s->n_regions; r++)
        see(user, (const uint8_t *)memory + r->begin, r->bytes, ith_homes_node(homes, r->home));
}

const ith_strip *ith_spread_find(const ith_spread *s, const ith_entry *e, int64_t unit)
{
    for (const ith_strip *p = s->strips + e->strip, *end = p + e->n_strips; p < end; p++)
        if (unit >= p->first && unit < p->first + p->n)
            return p;
    return NULL;
}
