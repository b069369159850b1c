/* charkinds.c - divides characters into kinds, by a sweep over the edges of all sets. */
#include "text/charkinds.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 256 };

bool ith_codesets_put(ith_codesets *sets, ith_codeset *set, size_t *index)
{
    bool room;

    for (*index = 0; *index < sets->n; ++*index)
        if (ith_codeset_equal(&sets->sets[*index], set)) {
            ith_codeset_free(set);
            return true;
        }
    room = sets->n < ITH_MAX_SETS;
    if (room)
        sets->sets[sets->n++] = *set;
    else
        ith_codeset_free(set);
    *set = (ith_codeset){0};
    return room;
}

void ith_codesets_free(ith_codesets *sets)
{
    for (size_t i = 0; i < sets->n; i++)
        ith_codeset_free(&sets->sets[i]);
    sets->n = 0;
}

/* ---- Edges: where a set begins or has ended ---- */

static int by_code(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static ith_status list_edges(const ith_codesets *sets, uint32_t **out, size_t *n, ith_error *err)
{
    size_t most = 4, at = 0;
    uint32_t *edges;

    for (size_t i = 0; i < sets->n; i++)
        most += 2 * sets->sets[i].n;
    *out = edges = malloc(most * sizeof *edges);
    if (edges == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a pattern of %zu sets", sets->n);
    edges[at++] = 0;
    edges[at++] = '\n';
    edges[at++] = '\n' + 1;
    edges[at++] = ITH_MAX_CODE + 1;
    for (size_t i = 0; i < sets->n; i++)
        for (size_t k = 0; k < sets->sets[i].n; k++) {
            edges[at++] = sets->sets[i].ranges[k].first;
            edges[at++] = sets->sets[i].ranges[k].last + 1;
        }
    qsort(edges, at, sizeof *edges, by_code);
    *n = 0;
    for (size_t i = 0; i < at; i++)
        if (i == 0 || edges[i] != edges[i - 1])
            edges[(*n)++] = edges[i];
    return ITH_OK;
}

/* ---- Kinds ---- */

/* The kind whose characters are in these sets; -1: there are too many. */
static int kind_of(ith_kinds *kinds, const uint64_t *members, bool newline)
{
    size_t bytes = sizeof kinds->members[0];

    for (int k = 0; k < ITH_MAX_KINDS; k++) {
        if ((k == '\n') != newline)
            continue;
        if (kinds->used[k] && memcmp(kinds->members[k], members, bytes) != 0)
            continue;
        kinds->used[k] = true;
        memcpy(kinds->members[k], members, bytes);
        return k;
    }
    return -1;
}

/* The kinds of all characters, one byte each. */
static bool sweep(const ith_codesets *sets, const uint32_t *edges, size_t n_edges, ith_kinds *kinds,
                  uint8_t *of_code)
{
    size_t at[ITH_MAX_SETS] = {0};

    for (size_t e = 0; e + 1 < n_edges; e++) {
        uint64_t members[ITH_MAX_SETS / 64] = {0};
        int kind;
        for (size_t s = 0; s < sets->n; s++) {
            const ith_codeset *set = &sets->sets[s];
            while (at[s] < set->n && set->ranges[at[s]].last < edges[e])
                at[s]++;
            if (at[s] < set->n && set->ranges[at[s]].first <= edges[e])
                members[s / 64] |= UINT64_C(1) << s % 64;
        }
        kind = kind_of(kinds, members, edges[e] == '\n');
        if (kind < 0)
            return false;
        memset(of_code + edges[e], kind, edges[e + 1] - edges[e]);
    }
    return true;
}

/* Equal pages are stored once. */
static void share_pages(const uint8_t *of_code, ith_kinds *kinds)
{
    for (size_t p = 0; p < ITH_CODE_PAGES; p++) {
        const uint8_t *page = of_code + p * PAGE;
        size_t k = 0;
        while (k < kinds->n_pages && memcmp(kinds->pages + k * PAGE, page, PAGE) != 0)
            k++;
        if (k == kinds->n_pages)
            memcpy(kinds->pages + kinds->n_pages++ * PAGE, page, PAGE);
        kinds->page_of[p] = (uint16_t)k;
    }
}

ith_status ith_kinds_make(const ith_codesets *sets, ith_kinds *kinds, bool *many, ith_error *err)
{
    uint8_t *of_code = malloc(ITH_MAX_CODE + 1), *pages;
    uint32_t *edges = NULL;
    size_t n_edges = 0;
    ith_status status = ITH_OK;

    *kinds = (ith_kinds){.pages = malloc(ITH_MAX_CODE + 1)};
    if (of_code == NULL || kinds->pages == NULL) {
        status = ith_fail(err, ITH_E_MEMORY, "no memory for the kinds of a pattern");
        goto done;
    }
    ITH_CHECK(list_edges(sets, &edges, &n_edges, err));
    *many = !sweep(sets, edges, n_edges, kinds, of_code);
    if (*many)
        goto done;
    share_pages(of_code, kinds);
    pages = realloc(kinds->pages, kinds->n_pages * PAGE);
    if (pages != NULL)
        kinds->pages = pages;
done:
    free(of_code);
    free(edges);
    return status;
}

void ith_kinds_free(ith_kinds *kinds)
{
    free(kinds->pages);
    kinds->pages = NULL;
}
