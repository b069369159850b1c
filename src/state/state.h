/* state.h - what a timeline holds, layer by layer: one rank's part of it.
 *
 * A layer's state has a form. Today there is one: a KV cache of the rank's heads (kv.h). Forms may
 * differ by layer; others, such as a cache of a window or a recurrent state of fixed size, get a
 * member of ith_state and a value of ith_state_form each.
 */
#ifndef ITH_STATE_STATE_H
#define ITH_STATE_STATE_H

#include "state/kv.h"

typedef enum ith_state_form {
    ITH_STATE_NONE, /* the layer holds nothing */
    ITH_STATE_KV    /* keys and values of every token */
} ith_state_form;

/* Of a layer, over all ranks. */
typedef struct ith_layer_state {
    ith_state_form form;
    int64_t heads, head_dim; /* ITH_STATE_KV: KV heads, and their size */
} ith_layer_state;

typedef struct ith_state {
    ith_kv
        *kv; /* of the layers with ITH_STATE_KV, numbered among themselves; NULL: there are none */
    int *kv_layer; /* [n_layers] that number, -1 for other layers */
} ith_state;

typedef struct ith_state_params {
    const ith_layer_state *layers; /* [n_layers] */
    int n_layers;
    ith_kv_layout kv;
    int64_t ctx;                  /* the longest timeline, in tokens */
    int heads;                    /* KV heads of this rank's group, of each layer */
    int part, parts;              /* see ith_kv_open */
    const ith_topology *topology; /* where the memory shall lie, see ith_kv_place; NULL: anywhere */
} ith_state_params;

/* Local; allocates tables only. ITH_E_UNSUPPORTED: layers whose KV heads differ in number or size;
 * ITH_E_MEMORY. */
ith_status ith_state_open(const ith_state_params *params, ith_state **state, ith_error *err);
void ith_state_close(ith_state *state); /* accepts NULL */

/* Makes room for n_tokens in all. ITH_E_MEMORY: what was there stays usable. */
ith_status ith_state_reserve(ith_state *state, int64_t n_tokens, ith_error *err);

/* Bytes of one token over all heads of all layers. */
int64_t ith_state_token_bytes(const ith_layer_state *layers, int n_layers, ith_kv_layout kv);

#endif
