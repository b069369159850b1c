/* state.c - opens the state of a timeline, form by form. */
#include "state/state.h"

#include <stdlib.h>

/* The first layer with this form; NULL: none. */
static const ith_layer_state *first_of(const ith_state_params *p, ith_state_form form)
{
    for (int i = 0; i < p->n_layers; i++)
        if (p->layers[i].form == form)
            return &p->layers[i];
    return NULL;
}

/* Numbers the layers that have a KV cache, *n of them. They must all be like `like`. */
static ith_status number_layers(const ith_state_params *p, const ith_layer_state *like,
                                int *numbers, int *n, ith_error *err)
{
    *n = 0;
    for (int i = 0; i < p->n_layers; i++) {
        const ith_layer_state *layer = &p->layers[i];
        numbers[i] = layer->form == ITH_STATE_KV ? (*n)++ : -1;
        if (numbers[i] >= 0 && (layer->heads != like->heads || layer->head_dim != like->head_dim))
            return ith_fail(
                err, ITH_E_UNSUPPORTED,
                "layer %d has %lld KV heads of size %lld, but an earlier one has %lld of size "
                "%lld, which is not supported",
                i, (long long)layer->heads, (long long)layer->head_dim, (long long)like->heads,
                (long long)like->head_dim);
    }
    return ITH_OK;
}

static ith_status open_forms(const ith_state_params *p, ith_state *state, ith_error *err)
{
    const ith_layer_state *like = first_of(p, ITH_STATE_KV);
    int n;

    if (like == NULL)
        return ITH_OK;
    ITH_TRY(number_layers(p, like, state->kv_layer, &n, err));
    ITH_TRY(ith_kv_open(p->kv, n, p->heads, (int)like->head_dim, p->ctx, p->group_rank,
                        p->group_size, &state->kv, err));
    ith_kv_place(state->kv, p->topology);
    return ITH_OK;
}

ith_status ith_state_open(const ith_state_params *params, ith_state **out, ith_error *err)
{
    ith_state *state = calloc(1, sizeof *state);
    ith_status status;

    *out = NULL;
    if (state != NULL)
        state->kv_layer = calloc((size_t)params->n_layers + 1, sizeof *state->kv_layer);
    if (state == NULL || state->kv_layer == NULL) {
        ith_state_close(state);
        return ith_fail(err, ITH_E_MEMORY, "no memory for the tables of a timeline's state");
    }
    status = open_forms(params, state, err);
    if (status != ITH_OK) {
        ith_state_close(state);
        return status;
    }
    *out = state;
    return ITH_OK;
}

void ith_state_close(ith_state *state)
{
    if (state == NULL)
        return;
    ith_kv_close(state->kv);
    free(state->kv_layer);
    free(state);
}

ith_status ith_state_reserve(ith_state *state, int64_t n_tokens, ith_error *err)
{
    return state->kv == NULL ? ITH_OK : ith_kv_reserve(state->kv, n_tokens, err);
}

ith_status ith_state_populate(ith_state *state, ith_team *team, ith_error *err)
{
    return state->kv == NULL ? ITH_OK : ith_kv_populate(state->kv, team, err);
}

bool ith_state_has_room(const ith_state *state, int64_t n_tokens)
{
    return state->kv == NULL || ith_kv_has_room(state->kv, n_tokens);
}

void ith_state_trim(ith_state *state, int64_t n_tokens)
{
    if (state->kv != NULL)
        ith_kv_trim(state->kv, n_tokens);
}

int64_t ith_state_token_bytes(const ith_layer_state *layers, int n_layers, ith_kv_layout kv)
{
    int64_t bytes = 0;
    for (int i = 0; i < n_layers; i++)
        if (layers[i].form == ITH_STATE_KV)
            bytes += ith_kv_token_bytes(kv, 1, (int)layers[i].heads, (int)layers[i].head_dim);
    return bytes;
}
