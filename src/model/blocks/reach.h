/* reach.h - which tokens' keys a rank holds and sees: pure functions of the mesh and the pass. */
#ifndef ITH_MODEL_BLOCKS_REACH_H
#define ITH_MODEL_BLOCKS_REACH_H

#include "comm/mesh.h"

/* KV records, of a pass of n tokens after `depth`, that context index c holds: of the tokens in
 * `slots` (comm/mesh.h), of a group's heads `heads`. */
int64_t ith_reach_held(const ith_mesh *mesh, int64_t depth, int64_t n, ith_range slots,
                       ith_range heads, int c);

/* The segments of the cache that a context index attends to: those of its early tokens and of its
 * late ones (comm/mesh.h). In each run of tokens, the first sees the earliest keys, the last sees
 * the latest. */
enum { ITH_REACH_RUNS = 2 };
typedef struct ith_reach {
    ith_range runs[ITH_REACH_RUNS]; /* may be empty, and may overlap */
} ith_reach;

/* Those of context index c in that pass. window: keys that a token sees, itself among them; 0: all
 * before it. */
ith_reach ith_reach_of(const ith_mesh *mesh, int64_t depth, int64_t n, int c, int64_t window);

static inline bool ith_reach_has(const ith_reach *reach, int64_t s)
{
    return (s >= reach->runs[0].begin && s < reach->runs[0].end) ||
           (s >= reach->runs[1].begin && s < reach->runs[1].end);
}

/* Is segment s one of them? */
bool ith_reach_sees(const ith_mesh *mesh, int64_t depth, int64_t n, int c, int64_t window,
                    int64_t s);

/* Items that no rank sends or receives more of in an exchange of a pass of n tokens: tokens, one
 * for each Ulysses index; KV records. */
int64_t ith_reach_most_tokens(const ith_mesh *mesh, int64_t n);
int64_t ith_reach_most_records(const ith_mesh *mesh, int64_t n);

#endif
