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
} ith_mesh;

/* `spec` is "UxR" or NULL: then U is the largest divisor of n_kv_heads that divides ranks. ITH_E_ARGUMENT with the meshes that
 * would work if spec does not multiply to `ranks` or U does not divide n_kv_heads; ITH_E_UNSUPPORTED with the rank counts that work if R > 1. */
ith_status ith_mesh_make(const char *spec, int ranks, int rank, int n_kv_heads, ith_mesh *mesh, ith_error *err);

/* KV heads of Ulysses index u; its query heads are the same range times n_heads / n_kv_heads. */
ith_range ith_mesh_kv_heads(const ith_mesh *mesh, int n_kv_heads, int u);

/* Tokens of a chunk of n that rank r holds in prefill: contiguous, ascending with r, sizes differing by at most one. */
ith_range ith_mesh_tokens(const ith_mesh *mesh, int64_t n, int r);

/* Rows of a matrix that rank r computes in decode: whole pairs of tiles of 16, which are whole groups of the next matrix's columns. */
ith_range ith_mesh_rows(const ith_mesh *mesh, int64_t n_rows, int r);

#endif
