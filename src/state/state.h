/* state.h - the state of a timeline: what each layer remembers of its tokens. One rank's share of
 * it.
 *
 * A layer's state has a form. Today there is one form: a KV cache (kv.h). Forms may differ by
 * layer. A new one, such as a sliding-window cache or a recurrent state of fixed size, gets a
 * member of ith_state and a value of ith_state_form.
 */
#ifndef ITH_STATE_STATE_H
#define ITH_STATE_STATE_H

#include "state/kv.h"

typedef enum ith_state_form {
    ITH_STATE_NONE, /* the layer has no state */
    ITH_STATE_KV    /* keys and values of every token */
} ith_state_form;

/* The state of one layer, over all ranks. */
typedef struct ith_layer_state {
    ith_state_form form;
    int64_t heads, head_dim; /* ITH_STATE_KV: the number and size of KV heads */
} ith_layer_state;

typedef struct ith_state {
    ith_kv *kv;    /* of the layers with ITH_STATE_KV, numbered 0, 1, ...; NULL: no such layer */
    int *kv_layer; /* [n_layers] that number; -1 for other layers */
} ith_state;

typedef struct ith_state_params {
    const ith_layer_state *layers; /* [n_layers] */
    int n_layers;
    ith_kv_layout kv;
    int64_t ctx;                  /* the longest timeline, in tokens */
    int heads;                    /* KV heads of this rank's group, in each layer */
    int group_rank, group_size;   /* see ith_kv_open */
    const ith_topology *topology; /* see ith_kv_place; NULL: no page placement */
} ith_state_params;

/* Local. Allocates tables only. ITH_E_UNSUPPORTED: the KV heads of layers differ in number or size.
 * ITH_E_MEMORY. */
ith_status ith_state_open(const ith_state_params *params, ith_state **state, ith_error *err);
void ith_state_close(ith_state *state); /* accepts NULL */

/* Local. Makes room for n_tokens in all. On ITH_E_MEMORY the state stays as it was. */
ith_status ith_state_reserve(ith_state *state, int64_t n_tokens, ith_error *err);

/* Local; see ith_kv_populate, _has_room and _trim. */
ith_status ith_state_populate(ith_state *state, ith_team *team, ith_error *err);
bool ith_state_has_room(const ith_state *state, int64_t n_tokens);
void ith_state_trim(ith_state *state, int64_t n_tokens);

/* Bytes of one token in all heads of all layers. */
int64_t ith_state_token_bytes(const ith_layer_state *layers, int n_layers, ith_kv_layout kv);

#endif
