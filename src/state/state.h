/* state.h - the state of a timeline: what each layer remembers of its tokens. One rank's share of
 * it.
 *
 * A layer's state: keys and values, in a KV cache (kv.h), or a recurrent state of fixed size
 * (recurrent.h), or both. Layers that are alike in KV heads, head size and window share a cache, a
 * *pool*; so a model whose layers are all alike has one. A new form gets a value of ith_state_form
 * and a member of ith_state.
 */
#ifndef ITH_STATE_STATE_H
#define ITH_STATE_STATE_H

#include "state/kv.h"
#include "state/recurrent.h"

typedef enum ith_state_form {
    ITH_STATE_NONE, /* the layer has no cache */
    ITH_STATE_KV    /* keys and values of tokens */
} ith_state_form;

/* The state of one layer, over all ranks. */
typedef struct ith_layer_state {
    ith_state_form form;
    /* ITH_STATE_KV: the number and size of KV heads, and the keys that a token sees, itself among
     * them; 0: all before it. */
    int64_t heads, head_dim, window;
    bool latent;                   /* ITH_STATE_KV: the cache holds latents (simd/kernels.h) */
    ith_recurrent_shape recurrent; /* beside that; heads 0: it has none */
} ith_layer_state;

/* Where a layer's keys and values are. */
typedef struct ith_layer_pool {
    int pool;  /* -1: it has none */
    int layer; /* its number in the pool */
} ith_layer_pool;

typedef struct ith_state {
    ith_kv **pools; /* [n_pools] in the order of their first layers */
    int n_pools;
    ith_layer_pool *layer_pools; /* [n_layers] */
    ith_recurrent *recurrent;    /* of the layers that have one; NULL: no layer has */
} ith_state;

typedef struct ith_state_params {
    const ith_layer_state *layers; /* [n_layers] */
    int n_layers;
    ith_kv_layout kv;
    int64_t ctx;                  /* the longest timeline, in tokens */
    int64_t reach;                /* passes have, and cuts take back, up to so many tokens */
    int ulysses;                  /* the groups of ranks that the heads of a layer are cut among */
    int group_rank, group_size;   /* see ith_kv_open */
    int ranks, rank;              /* see ith_recurrent_open */
    const ith_topology *topology; /* see ith_kv_place; NULL: no page placement */
} ith_state_params;

/* Local. Allocates tables only. ITH_E_UNSUPPORTED: the KV heads of a layer cannot be cut among so
 * many groups. ITH_E_MEMORY. */
ith_status ith_state_open(const ith_state_params *params, ith_state **state, ith_error *err);
void ith_state_close(ith_state *state); /* accepts NULL */

/* The cache of a layer with ITH_STATE_KV, and the layer's number there. */
static inline ith_kv *ith_state_kv(const ith_state *state, int layer, int *number)
{
    *number = state->layer_pools[layer].layer;
    return state->pools[state->layer_pools[layer].pool];
}

/* Local. Makes room for n_tokens in all. On ITH_E_MEMORY some pools may have grown: ith_state_trim
 * gives back what they got. */
ith_status ith_state_reserve(ith_state *state, int64_t n_tokens, ith_error *err);

/* Local; see ith_kv_populate, _has_room and _trim. */
ith_status ith_state_populate(ith_state *state, ith_team *team, ith_error *err);
bool ith_state_has_room(const ith_state *state, int64_t n_tokens);
void ith_state_trim(ith_state *state, int64_t n_tokens);

/* Local. Adds the bytes that n_tokens need and that are not reserved. ITH_E_MEMORY: more than the
 * address space. */
ith_status ith_state_add_lacking(const ith_state *state, int64_t n_tokens, size_t *bytes,
                                 ith_error *err);

/* Local. Can another timeline begin with the first n_tokens of this one, which has as many or more?
 * No, if a layer with a window has given up what it would see, or recurrent states have gone on. */
bool ith_state_shareable(const ith_state *state, int64_t n_tokens);

/* Local. An empty state begins with the first n_tokens of another that was opened alike, ctx apart,
 * and is shareable: keys and values of whole segments are shared (ith_kv_share). ITH_E_MEMORY
 * leaves it empty. Then, in memory that is there, the rest and recurrent states are copied. */
ith_status ith_state_share(ith_state *state, ith_state *from, int64_t n_tokens, ith_error *err);
void ith_state_copy(ith_state *state, const ith_state *from, int64_t n_tokens);

/* Local; see ith_kv_enter and _reaches: before tokens [pos, pos + n) are computed; would tokens
 * that follow the first `length` of the timeline find all that they need? */
void ith_state_enter(ith_state *state, int64_t pos, int64_t n);
bool ith_state_reaches(const ith_state *state, int64_t length);

/* Local. The first segment that no pool will have given up once n_tokens of the timeline have been
 * entered. */
int64_t ith_state_first_after(const ith_state *state, int64_t n_tokens);

/* Can a pass follow the first n_tokens tokens of a timeline that has seen as many or more? Caches
 * can be cut anywhere, recurrent states cannot. */
bool ith_state_resumes(const ith_state *state, int64_t n_tokens);

/* Bytes of the states of fixed size that rank `rank` of `ranks` holds of a timeline; of all
 * layers. */
int64_t ith_state_fixed_bytes(const ith_layer_state *layers, int n_layers, int ranks, int rank);

/* Bytes of one token in all heads of all layers. */
int64_t ith_state_token_bytes(const ith_layer_state *layers, int n_layers, ith_kv_layout kv);

/* Bytes that the longest timeline takes, over all ranks: whole segments. */
int64_t ith_state_bytes(const ith_state_params *params);

#endif
