/* traffic.h - what ranks send to each other, as pure functions of the model's shape, the mesh and the pass. */
#ifndef ITH_MODEL_TRAFFIC_H
#define ITH_MODEL_TRAFFIC_H

#include "model/pass.h"

typedef struct ith_traffic_shape { /* what decides how wide a token is on the wire */
    int64_t hidden, n_heads, n_kv_heads, head_dim;
    int64_t n_layers, n_sparse; /* of those, how many have experts */
    int64_t ffn;                /* columns of a dense layer's intermediate */
    int64_t expert_ffn, used;   /* of an expert's; how many of those a token has */
    ith_kv_layout kv;
    bool groups;     /* attention's result travels as int8 groups: see ith_heads_are_groups */
    bool mid_groups; /* the MLP's intermediate does: its matrix is quantized */
} ith_traffic_shape;

ith_traffic_shape ith_traffic_shape_of(const ith_hparams *hp, ith_kv_layout kv, bool quantized);

/* Bytes that rank mesh->rank sends in all layers for a pass of n tokens after `depth` others. Of each layer:
 *
 * By tokens (Ulysses), a rank with t = n / P tokens of a model with H heads of size d (R = 1, q8: about (d + 4) bytes per head of a
 * query, 2 d + 4 of a key and its value, d of the result):
 *
 *     t (1 - 1/U) (H q + KV kv) + (n / R) / U (1 - 1/U) H o            falls as 1 / P
 *
 * With R > 1, what it holds of the cache goes to the others of its group besides, which grows with the depth.
 *
 * By rows (tensor parallel) it sends its part of every gathered matrix to all others: n (P - 1) / P (H o + 2 * 4 hidden + ffn, or with
 * experts used * expert_ffn), which does not fall. With R > 1 the ranks of a group exchange queries, pieces and partial results besides, which ith_traffic_rows leaves out. */
int64_t ith_traffic_ulysses(const ith_traffic_shape *shape, const ith_mesh *mesh, int64_t depth, int64_t n);
int64_t ith_traffic_rows(const ith_traffic_shape *shape, const ith_mesh *mesh, int64_t n);

/* Pairs of a token and a KV head, of a pass of n tokens after `depth`, that context index c holds: of the tokens at `places`
 * (comm/mesh.h), of a group's heads `heads`. */
int64_t ith_pieces_held(const ith_mesh *mesh, int64_t depth, int64_t n, ith_range places, ith_range heads, int c);

/* Segments of the cache that context index c attends to in that pass: up to its last token's. */
int64_t ith_segments_needed(const ith_mesh *mesh, int64_t depth, int64_t n, int c);

/* Bytes that no rank sends or receives more of in an exchange of a pass of n tokens: of blocks of `width` bytes a token and Ulysses
 * index; of pieces; of any exchange of a session. */
int64_t ith_blocks_most(const ith_mesh *mesh, int64_t n, int64_t width);
int64_t ith_pieces_most(const ith_mesh *mesh, int64_t n, const ith_kv_piece *piece);
int64_t ith_exchange_most(const ith_model *model, const ith_mesh *mesh, ith_kv_layout kv, int64_t n);

#endif
