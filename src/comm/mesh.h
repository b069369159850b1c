/* mesh.h - who owns what: pure functions of the rank count and the model's shape.
 *
 * P = U x R ranks. Rank r has Ulysses index u = r % U and context index c = r / U. Ranks of equal c
 * exchange by all-to-all and split the KV heads (DeepSpeed-Ulysses, arXiv 2309.14509; with
 * grouped-query attention U must divide the KV heads). Ranks of equal u, a group, hold the same
 * heads and different segments of the context (ring attention, arXiv 2310.01889; USP, arXiv
 * 2405.07719).
 *
 * Nothing here is collective: every rank computes any rank's shares.
 */
#ifndef ITH_COMM_MESH_H
#define ITH_COMM_MESH_H

#include "base/error.h"
#include "base/range.h"

typedef struct ith_mesh {
    int ranks, rank;
    int ulysses, context; /* U, R */
    int u, c;             /* this rank's indices */
    int heads;            /* KV heads of a group */
    const int64_t *sums;  /* [ranks + 1] see ith_mesh_weigh; NULL: equal weights */
    int turn; /* a rank holds at most every turn-th segment of a head: R / gcd(R, heads) */
} ith_mesh;

/* `spec` is "UxR". NULL: U is the largest divisor of n_kv_heads that divides `ranks`, so any number
 * of ranks has a mesh. ITH_E_ARGUMENT, naming a mesh that would work: spec does not multiply to
 * `ranks`, or U does not divide n_kv_heads. */
ith_status ith_mesh_make(const char *spec, int ranks, int rank, int n_kv_heads, ith_mesh *mesh,
                         ith_error *err);

/* The mesh for layers with n_kv_heads KV heads, which U divides. */
ith_mesh ith_mesh_for_heads(const ith_mesh *mesh, int64_t n_kv_heads);

/* From now on ranks get tokens and rows in proportion to weights [ranks], each in [0,
 * ITH_WEIGHT_MOST], not all 0. Heads and cache segments are shared as before. Fills sums [ranks +
 * 1], which must outlive the mesh and its copies. */
enum { ITH_WEIGHT_MOST = 100000 };
void ith_mesh_weigh(ith_mesh *mesh, const int64_t *weights, int64_t *sums);

/* The Ulysses and context index of rank r, and back. */
static inline int ith_mesh_u(const ith_mesh *mesh, int r)
{
    return r % mesh->ulysses;
}
static inline int ith_mesh_c(const ith_mesh *mesh, int r)
{
    return r / mesh->ulysses;
}
static inline int ith_mesh_rank(const ith_mesh *mesh, int u, int c)
{
    return c * mesh->ulysses + u;
}

/* ---- Heads ---- */

/* The KV heads of Ulysses index u. Its query heads are the same range times n_heads /
 * n_kv_heads. */
ith_range ith_mesh_kv_heads(const ith_mesh *mesh, int n_kv_heads, int u);

/* Of n_heads heads of a kind (query or KV), those that rank r computes in passes by rows: its
 * group's, shared among the R ranks of the group. The ranges of all ranks cover [0, n_heads). */
ith_range ith_mesh_own_heads(const ith_mesh *mesh, int64_t n_heads, int r);

/* The heads of a recurrent block are shared evenly by all ranks, whatever the KV heads are
 * (state/recurrent.h). Of n_groups groups of n_heads such heads, those with a head of rank r: two
 * ranks may have the same group. */
ith_range ith_mesh_serving(const ith_mesh *mesh, int64_t n_groups, int64_t n_heads, int r);

/* ---- The KV cache: (segment, head) pairs ---- */

/* The context index that holds segment s of the group's head h, counted from 0. Pairs go round the
 * R ranks of a group, so that their numbers differ by at most one, whatever the context's
 * length. */
static inline int ith_mesh_holder(const ith_mesh *mesh, int64_t h, int64_t s)
{
    return (int)((s * mesh->heads + h) % mesh->context);
}

/* Of the group's heads `heads`, those that context index c holds in segment s: every R-th from
 * heads.begin + *first on. Returns how many. */
static inline int64_t ith_mesh_held_heads(const ith_mesh *mesh, int64_t s, ith_range heads, int c,
                                          int64_t *first)
{
    return ith_dealt(s * mesh->heads + heads.begin, ith_range_size(heads), mesh->context, c, first);
}

/* ---- Tokens ----
 *
 * In prefill the n tokens of a chunk are dealt to the context indices, which attend to them, and by
 * those to their ranks. A token sees all keys before it, so later tokens cost more. Each context
 * index therefore gets an early and a late run of tokens, the first as far from the chunk's
 * beginning as the second from its end (like the 2 R chunks of context parallelism in Llama 3,
 * arXiv 2407.21783, section 3.3.2): equal numbers of tokens then see equal numbers of keys, but for
 * the keys of one token.
 *
 * Slots number the tokens in the order in which they are dealt: first the tokens of context index
 * 0, ascending, then those of 1, and so on. With R = 1 slots are tokens. Each rank holds a
 * contiguous range of slots, ascending with the rank; with equal weights their sizes differ by at
 * most one. */

/* The slots of rank r. */
ith_range ith_mesh_slots(const ith_mesh *mesh, int64_t n, int r);

/* The most slots that any rank holds of n tokens or fewer. */
int64_t ith_mesh_most_slots(const ith_mesh *mesh, int64_t n);

/* The slots of all ranks with context index c: contiguous too. */
ith_range ith_mesh_attended(const ith_mesh *mesh, int64_t n, int c);

/* The tokens of the first of these slots, as many as are consecutive tokens. `slots` is not
 * empty. */
ith_range ith_mesh_tokens(const ith_mesh *mesh, int64_t n, ith_range slots);

/* The slot of a token, 0 <= token < n. */
int64_t ith_mesh_slot(const ith_mesh *mesh, int64_t n, int64_t token);

/* ---- Rows ---- */

/* The rows of a matrix that rank r computes in passes by rows: whole pairs of 16-row tiles, which
 * are whole groups of 32 columns of the next matrix. */
ith_range ith_mesh_rows(const ith_mesh *mesh, int64_t n_rows, int r);

#endif
