/* state.c - opens the state of a timeline: layers that are alike share a pool. */
#include "state/state.h"

#include "base/mem.h"

#include <stdlib.h>

/* Do two layers with ITH_STATE_KV share a pool? */
static bool alike(const ith_layer_state *a, const ith_layer_state *b)
{
    return a->heads == b->heads && a->head_dim == b->head_dim && a->window == b->window &&
           a->latent == b->latent;
}

/* The first layer that shares a pool with layer i: itself, if none before it does. */
static int first_alike(const ith_layer_state *layers, int i)
{
    int first = 0;
    while (layers[first].form != ITH_STATE_KV || !alike(&layers[first], &layers[i]))
        first++;
    return first;
}

/* Gives each layer its pool; n[pool] counts the pool's layers. */
static void place_layers(const ith_state_params *p, ith_state *state, int *n)
{
    for (int i = 0; i < p->n_layers; i++) {
        ith_layer_pool *at = &state->layer_pools[i];
        int first;
        *at = (ith_layer_pool){.pool = -1};
        if (p->layers[i].form != ITH_STATE_KV)
            continue;
        first = first_alike(p->layers, i);
        at->pool = first == i ? state->n_pools++ : state->layer_pools[first].pool;
        at->layer = n[at->pool]++;
    }
}

/* The number of segments after which the ranks that hold a group's heads, and the memory nodes that
 * pages lie on, repeat. */
static int64_t turn_of(const ith_state_params *p, int64_t heads)
{
    int64_t ranks = p->group_size / ith_gcd(p->group_size, heads),
            nodes = p->topology == NULL ? 1 : ith_topology_nodes(p->topology);
    return ranks / ith_gcd(ranks, nodes) * nodes;
}

/* Segments that a layer keeps of the longest timeline. */
static int64_t kept_of(const ith_state_params *p, const ith_layer_state *layer)
{
    return layer->window == 0 ? ith_kv_segments(p->ctx)
                              : ith_kv_kept(p->ctx, layer->window, p->reach,
                                            turn_of(p, layer->heads / p->ulysses));
}

/* Opens the pool of layer i, of n layers. */
static ith_status open_pool(const ith_state_params *p, int i, int n, ith_kv **kv, ith_error *err)
{
    const ith_layer_state *layer = &p->layers[i];

    if (layer->heads % p->ulysses != 0)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "the %lld KV heads of layer %d cannot be cut among %d groups of ranks: "
                        "give another mesh (--mesh)",
                        (long long)layer->heads, i, p->ulysses);
    ITH_TRY(ith_kv_open(p->kv, n, (int)(layer->heads / p->ulysses), (int)layer->head_dim, p->ctx,
                        p->group_rank, p->group_size, kv, err));
    if (layer->latent)
        ith_kv_hold_latents(*kv);
    ith_kv_place(*kv, p->topology);
    if (layer->window > 0)
        ith_kv_keep(*kv, layer->window, kept_of(p, layer));
    return ITH_OK;
}

static ith_status open_pools(const ith_state_params *p, ith_state *state, const int *n,
                             ith_error *err)
{
    int opened = 0;

    for (int i = 0; i < p->n_layers; i++)
        if (state->layer_pools[i].pool == opened) {
            ITH_TRY(open_pool(p, i, n[opened], &state->pools[opened], err));
            opened++;
        }
    return ITH_OK;
}

static ith_status open_recurrent(const ith_state_params *p, ith_state *state, ith_error *err)
{
    ith_recurrent_shape *shapes = calloc((size_t)p->n_layers + 1, sizeof *shapes);
    ith_status status = ITH_OK;
    bool any = false;

    if (shapes == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the tables of a timeline's state");
    for (int i = 0; i < p->n_layers; i++) {
        shapes[i] = p->layers[i].recurrent;
        any |= shapes[i].heads > 0;
    }
    if (any)
        status = ith_recurrent_open(shapes, p->n_layers, p->ranks, p->rank, &state->recurrent, err);
    free(shapes);
    return status;
}

ith_status ith_state_open(const ith_state_params *params, ith_state **out, ith_error *err)
{
    size_t n = (size_t)params->n_layers + 1;
    ith_state *state = calloc(1, sizeof *state);
    int *counts = calloc(n, sizeof *counts);
    ith_status status;

    *out = NULL;
    if (state != NULL) {
        state->layer_pools = calloc(n, sizeof *state->layer_pools);
        state->pools = calloc(n, sizeof *state->pools);
    }
    if (state == NULL || counts == NULL || state->layer_pools == NULL || state->pools == NULL) {
        status = ith_fail(err, ITH_E_MEMORY, "no memory for the tables of a timeline's state");
    } else {
        place_layers(params, state, counts);
        status = open_pools(params, state, counts, err);
        if (status == ITH_OK)
            status = open_recurrent(params, state, err);
    }
    free(counts);
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
    for (int i = 0; i < state->n_pools; i++)
        ith_kv_close(state->pools[i]);
    ith_recurrent_close(state->recurrent);
    free(state->pools);
    free(state->layer_pools);
    free(state);
}

ith_status ith_state_add_lacking(const ith_state *state, int64_t n_tokens, size_t *bytes,
                                 ith_error *err)
{
    for (int i = 0; i < state->n_pools; i++)
        ITH_TRY(ith_kv_add_lacking(state->pools[i], n_tokens, bytes, err));
    return ITH_OK;
}

/* What all pools lack is checked first, so that what cannot be is refused with its size. */
ith_status ith_state_reserve(ith_state *state, int64_t n_tokens, ith_error *err)
{
    size_t bytes = 0;

    ITH_TRY(ith_state_add_lacking(state, n_tokens, &bytes, err));
    if (bytes > 0)
        ITH_TRY(ith_mem_check(bytes, "KV cache", err));
    for (int i = 0; i < state->n_pools; i++)
        ITH_TRY(ith_kv_reserve(state->pools[i], n_tokens, err));
    return state->recurrent == NULL ? ITH_OK : ith_recurrent_reserve(state->recurrent, err);
}

ith_status ith_state_populate(ith_state *state, ith_team *team, ith_error *err)
{
    for (int i = 0; i < state->n_pools; i++)
        ITH_TRY(ith_kv_populate(state->pools[i], team, err));
    return state->recurrent == NULL ? ITH_OK : ith_recurrent_populate(state->recurrent, err);
}

bool ith_state_has_room(const ith_state *state, int64_t n_tokens)
{
    for (int i = 0; i < state->n_pools; i++)
        if (!ith_kv_has_room(state->pools[i], n_tokens))
            return false;
    return state->recurrent == NULL || state->recurrent->populated;
}

bool ith_state_resumes(const ith_state *state, int64_t n_tokens)
{
    return state->recurrent == NULL || ith_recurrent_resumes(state->recurrent, n_tokens);
}

int64_t ith_state_fixed_bytes(const ith_layer_state *layers, int n_layers, int ranks, int rank)
{
    int64_t bytes = 0;
    for (int i = 0; i < n_layers; i++)
        if (layers[i].recurrent.heads > 0)
            bytes += ith_recurrent_bytes(&layers[i].recurrent, ranks, rank);
    return bytes;
}

void ith_state_trim(ith_state *state, int64_t n_tokens)
{
    for (int i = 0; i < state->n_pools; i++)
        ith_kv_trim(state->pools[i], n_tokens);
}

bool ith_state_shareable(const ith_state *state, int64_t n_tokens)
{
    return ith_state_reaches(state, n_tokens) && ith_state_resumes(state, n_tokens);
}

ith_status ith_state_share(ith_state *state, ith_state *from, int64_t n_tokens, ith_error *err)
{
    for (int i = 0; i < state->n_pools; i++) {
        ith_status status = ith_kv_share(state->pools[i], from->pools[i], n_tokens, err);
        if (status != ITH_OK) {
            ith_state_trim(state, 0);
            return status;
        }
    }
    return ITH_OK;
}

void ith_state_copy(ith_state *state, const ith_state *from, int64_t n_tokens)
{
    for (int i = 0; i < state->n_pools; i++)
        ith_kv_copy(state->pools[i], from->pools[i], n_tokens);
    if (state->recurrent != NULL)
        ith_recurrent_copy(state->recurrent, from->recurrent);
}

void ith_state_enter(ith_state *state, int64_t pos, int64_t n)
{
    for (int i = 0; i < state->n_pools; i++)
        ith_kv_enter(state->pools[i], pos, n);
}

bool ith_state_reaches(const ith_state *state, int64_t length)
{
    for (int i = 0; i < state->n_pools; i++)
        if (!ith_kv_reaches(state->pools[i], length))
            return false;
    return true;
}

int64_t ith_state_first_after(const ith_state *state, int64_t n_tokens)
{
    int64_t first = 0;
    for (int i = 0; i < state->n_pools; i++)
        first = ith_max(first, ith_kv_first_after(state->pools[i], n_tokens));
    return first;
}

int64_t ith_state_token_bytes(const ith_layer_state *layers, int n_layers, ith_kv_layout kv)
{
    int64_t bytes = 0;
    for (int i = 0; i < n_layers; i++)
        if (layers[i].form == ITH_STATE_KV)
            bytes += (int64_t)ith_cache_block_bytes(layers[i].latent, kv, (int)layers[i].head_dim) /
                     ITH_KV_BLOCK * layers[i].heads;
    return bytes;
}

int64_t ith_state_bytes(const ith_state_params *p)
{
    int64_t bytes = 0;
    for (int i = 0; i < p->n_layers; i++)
        if (p->layers[i].form == ITH_STATE_KV)
            bytes += ith_state_token_bytes(&p->layers[i], 1, p->kv) * kept_of(p, &p->layers[i]) *
                     ITH_KV_SEGMENT;
    return bytes;
}
