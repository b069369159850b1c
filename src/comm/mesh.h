/* mesh.h - who owns what: pure functions of the rank count and the model's shape.
 *
 * P = U x R ranks. Rank r has Ulysses index u = r % U and context index c = r / U. Ranks of equal c exchange by all-to-all and split the
 * KV heads (DeepSpeed-Ulysses, arXiv 2309.14509; grouped-query bound: U divides the KV heads); ranks of equal u
 * hold the same heads and different parts of the context (ring attention, arXiv 2310.01889; USP, arXiv 2405.07719).
 */
#ifndef ITH_COMM_MESH_H
#define ITH_COMM_MESH_H

#include "base/error.h"
#include "base/range.h"

typedef struct ith_mesh {
    int ranks, rank;
    int ulysses, context; /* U, R */
    int u, c;             /* this rank's place */
    int heads;            /* KV heads of a group */
    const int64_t *sums;  /* [ranks + 1]: see ith_mesh_weigh; NULL: all ranks get the same */
    int turn; /* a rank holds at most every turn-th segment of a head: R, unless R and heads have a common divisor */
} ith_mesh;

/* `spec` is "UxR" or NULL: then U is the largest divisor of n_kv_heads that divides ranks. Any number of ranks has a mesh.
 * ITH_E_ARGUMENT, with a mesh that would work, if spec does not multiply to `ranks` or U does not divide n_kv_heads. */
ith_status ith_mesh_make(const char *spec, int ranks, int rank, int n_kv_heads, ith_mesh *mesh, ith_error *err);

/* From now on ranks get tokens and rows in proportion to weights [ranks], each of [0, ITH_WEIGHT_MOST], not all 0. Heads and segments of the cache
 * are shared out as before. Fills sums [ranks + 1], which must outlive the mesh and its copies. */
enum { ITH_WEIGHT_MOST = 100000 };
void ith_mesh_weigh(ith_mesh *mesh, const int64_t *weights, int64_t *sums);

/* Ulysses and context index of rank r, and back. */
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

/* KV heads of Ulysses index u; its query heads are the same range times n_heads / n_kv_heads. */
ith_range ith_mesh_kv_heads(const ith_mesh *mesh, int n_kv_heads, int u);

/* Those of n heads of a kind (query or KV heads) that rank r makes when it holds all tokens: its group's, shared among the R ranks of
 * the group. The ranges of all ranks cover [0, n). */
ith_range ith_mesh_own_heads(const ith_mesh *mesh, int64_t n_heads, int r);

/* The KV cache's (segment, head) pairs go round the R ranks of a group, so that their numbers differ by one at most in any context: the
 * context index that holds segment s of the group's head h (h from 0). */
static inline int ith_mesh_holder(const ith_mesh *mesh, int64_t h, int64_t s)
{
    return (int)((s * mesh->heads + h) % mesh->context);
}

/* Of a group's heads `heads`, those that context index c holds in segment s: every R-th from heads.begin + *first on. Returns how many. */
static inline int64_t ith_mesh_held_heads(const ith_mesh *mesh, int64_t s, ith_range heads, int c, int64_t *first)
{
    return ith_dealt(s * mesh->heads + heads.begin, ith_range_size(heads), mesh->context, c, first);
}

/* In prefill the n tokens of a chunk are dealt to the context indices, which attend to them, and by those to their ranks. Later tokens
 * see more keys. So each context index gets an early part and a late one, as far from the chunk's begin as the other from
 * its end (as the 2 R parts of Llama 3's context parallelism, arXiv 2407.21783, section 3.3.2): equally many tokens see equally many keys,
 * but for the keys of a token.
 *
 * Places number the tokens in the order in which they are dealt: those of context index 0, ascending, then those of 1, and so on.
 * With R = 1 places are tokens. Ranks hold contiguous places, ascending with the rank, their numbers differing by at most one
 * where nothing is weighed. */
ith_range ith_mesh_places(const ith_mesh *mesh, int64_t n, int r);

/* No rank holds more, of n tokens or fewer. */
int64_t ith_mesh_most_places(const ith_mesh *mesh, int64_t n);

/* Those of all ranks with context index c: contiguous too. */
ith_range ith_mesh_attended(const ith_mesh *mesh, int64_t n, int c);

/* The tokens of the first of `places`, not empty: as many as follow each other. */
ith_range ith_mesh_tokens(const ith_mesh *mesh, int64_t n, ith_range places);

/* The place of a token, 0 <= token < n. */
int64_t ith_mesh_place(const ith_mesh *mesh, int64_t n, int64_t token);

/* Rows of a matrix that rank r computes in decode: whole pairs of tiles of 16, which are whole groups of the next matrix's columns. */
ith_range ith_mesh_rows(const ith_mesh *mesh, int64_t n_rows, int r);

#endif
