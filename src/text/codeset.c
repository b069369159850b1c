/* codeset.c - sets of characters as sorted ranges. */
#include "text/codeset.h"

#include "base/grow.h"

#include <stdlib.h>
#include <string.h>

void ith_codeset_free(ith_codeset *set)
{
    free(set->ranges);
    *set = (ith_codeset){0};
}

ith_status ith_codeset_add(ith_codeset *set, uint32_t first, uint32_t last, ith_error *err)
{
    if (!ith_grow((void **)&set->ranges, &set->cap, set->n + 1, sizeof *set->ranges))
        return ith_fail(err, ITH_E_MEMORY, "no memory for a set of characters");
    set->ranges[set->n++] = (ith_code_range){first, last};
    return ITH_OK;
}

static int by_first(const void *a, const void *b)
{
    const ith_code_range *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

void ith_codeset_settle(ith_codeset *set)
{
    size_t n = 0;

    if (set->n == 0)
        return;
    qsort(set->ranges, set->n, sizeof *set->ranges, by_first);
    for (size_t i = 1; i < set->n; i++) {
        ith_code_range *last = &set->ranges[n], next = set->ranges[i];
        if (next.first > last->last + 1)
            set->ranges[++n] = next;
        else if (next.last > last->last)
            last->last = next.last;
    }
    set->n = n + 1;
}

ith_status ith_codeset_unite(ith_codeset *set, const ith_codeset *other, ith_error *err)
{
    for (size_t i = 0; i < other->n; i++)
        ITH_TRY(ith_codeset_add(set, other->ranges[i].first, other->ranges[i].last, err));
    ith_codeset_settle(set);
    return ITH_OK;
}

ith_status ith_codeset_complement(ith_codeset *set, ith_error *err)
{
    ith_codeset rest = {0};
    uint32_t next = 0;
    ith_status status = ITH_OK;

    for (size_t i = 0; i < set->n; i++) {
        if (set->ranges[i].first > next)
            ITH_CHECK(ith_codeset_add(&rest, next, set->ranges[i].first - 1, err));
        next = set->ranges[i].last + 1;
    }
    if (next <= ITH_MAX_CODE)
        ITH_CHECK(ith_codeset_add(&rest, next, ITH_MAX_CODE, err));
    ith_codeset_free(set);
    *set = rest;
    return ITH_OK;
done:
    ith_codeset_free(&rest);
    return status;
}

ith_status ith_codeset_intersect(ith_codeset *set, const ith_codeset *other, ith_error *err)
{
    ith_codeset both = {0};
    ith_status status = ITH_OK;

    for (size_t i = 0, k = 0; i < set->n && k < other->n;) {
        ith_code_range a = set->ranges[i], b = other->ranges[k];
        uint32_t first = a.first > b.first ? a.first : b.first,
                 last = a.last < b.last ? a.last : b.last;
        if (first <= last)
            ITH_CHECK(ith_codeset_add(&both, first, last, err));
        i += a.last <= b.last;
        k += b.last <= a.last;
    }
    ith_codeset_free(set);
    *set = both;
    return ITH_OK;
done:
    ith_codeset_free(&both);
    return status;
}

bool ith_codeset_equal(const ith_codeset *a, const ith_codeset *b)
{
    return a->n == b->n &&
           (a->n == 0 || memcmp(a->ranges, b->ranges, a->n * sizeof *a->ranges) == 0);
}
