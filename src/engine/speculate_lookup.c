/* speculate_lookup.c - prompt lookup: guesses from what followed the same tokens before. */
#include "engine/speculate.h"
#include "engine/suffixes.h"

#include <stdlib.h>

typedef struct lookup {
    ith_drafter base;
    ith_suffixes *seen; /* NULL on ranks other than 0 */
} lookup;

/* Guesses no more tokens than matched: a quoted passage soon has a long match. A match of a single
 * token, which is right in one case of five, is worth one guess (bench/notes/speculation.md). */
static ith_status draft(ith_drafter *base, const int32_t *ids, int64_t n, int64_t max, int32_t *out,
                        int64_t *n_out, ith_error *err)
{
    lookup *l = (lookup *)base;
    int64_t match, from;

    (void)err;
    *n_out = 0;
    if (l->seen == NULL)
        return ITH_OK;
    for (int64_t i = ith_suffixes_length(l->seen); i < n; i++)
        ith_suffixes_push(l->seen, ids[i]);
    match = ith_suffixes_match(l->seen, &from);
    *n_out = max < match ? max : match;
    for (int64_t i = 0; i < *n_out; i++)
        /* Past the end of the timeline, a repetition is expected to go on. */
        out[i] = from + i < n ? ids[from + i] : out[from + i - n];
    return ITH_OK;
}

static void close_lookup(ith_drafter *base)
{
    lookup *l = (lookup *)base;
    ith_suffixes_close(l->seen);
    free(l);
}

static const ith_drafter_ops ops = {draft, close_lookup};

ith_status ith_drafter_lookup(bool root, int64_t max_tokens, ith_drafter **out, ith_error *err)
{
    lookup *l = calloc(1, sizeof *l);
    ith_status status;

    *out = NULL;
    if (l == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for prompt lookup");
    l->base.ops = &ops;
    status = root ? ith_suffixes_open(max_tokens, &l->seen, err) : ITH_OK;
    if (status != ITH_OK) {
        close_lookup(&l->base);
        return status;
    }
    *out = &l->base;
    return ITH_OK;
}
