/* key_means_measure.c - measures the constant that is subtracted from keys before they become int8.
 *
 * Softmax is invariant to a vector c that is subtracted from all keys: q.(k - c) = q.k - q.c. Keys
 * of real models have channels with large means, which would use up the range of int8
 * (SageAttention, arXiv:2410.02367, section 3.2). SageAttention subtracts the mean of the prompt's
 * keys. Here the mean is a constant of the model, taken over the rotated keys of a fixed text of 64
 * tokens, so that the same tokens have the same bits in every prompt.
 */
#include "engine/key_means_measure.h"
#include "engine/pass_check.h"
#include "engine/session.h"

#include <stdlib.h>
#include <string.h>

enum { TOKENS = 64 };

static const char text[] =
    "When you set out for Ithaca, ask that the way be long, full of adventures and full of "
    "things to learn. Of the harbours you have never seen there are many, and many the "
    "summer mornings on which you will enter them, glad at heart. In 1911 the price of 12 "
    "lemons was 30 drachmas; the ship left at 6:45 in the morning (the wind was fair) and "
    "nobody on the quay knew where she was bound.";

size_t ith_key_means_count(const ith_model *model)
{
    const ith_hparams *hp = &model->hp;
    return (size_t)(hp->n_layers * hp->n_kv_heads * hp->head_dim);
}

/* The first 64 ids of the fixed text; without a tokenizer, a fixed sequence of ids. */
static ith_status measuring_ids(const ith_engine *e, int32_t ids[TOKENS], ith_error *err)
{
    int32_t *all = NULL;
    size_t n = 0;

    if (e->vocab != NULL)
        ITH_TRY(ith_tokenizer_encode(e->vocab->tok, text, sizeof text - 1, 0, &all, &n, err));
    for (int i = 0; i < TOKENS; i++)
        ids[i] = n > 0 ? all[(size_t)i % n] : (int32_t)((i * 7919 + 1) % e->model->hp.n_vocab);
    free(all);
    for (int i = 0; i < TOKENS; i++)
        if (ids[i] >= e->model->hp.n_vocab)
            return ith_fail(
                err, ITH_E_FORMAT,
                "%s: the tokenizer produces id %d, but the model's vocabulary has %lld tokens",
                ith_source_path(e->source), ids[i], (long long)e->model->hp.n_vocab);
    return ITH_OK;
}

/* From [n_layers][heads that the rank computes][d] of every rank to [n_layers][all heads][d]. */
static void spread(const ith_engine *e, const float *all, const int64_t *displs, float *bias)
{
    const ith_hparams *hp = &e->model->hp;
    int64_t d = hp->head_dim;

    for (int r = 0; r < e->mesh.ranks; r++) {
        ith_range heads = ith_mesh_own_heads(&e->mesh, hp->n_kv_heads, r);
        int64_t n = ith_range_size(heads) * d;
        for (int64_t layer = 0; layer < hp->n_layers; layer++)
            memcpy(bias + (layer * hp->n_kv_heads + heads.begin) * d,
                   all + displs[r] / (int64_t)sizeof *all + layer * n, (size_t)n * sizeof *bias);
    }
}

static ith_status share(ith_engine *e, const float *mine, ith_error *err)
{
    const ith_hparams *hp = &e->model->hp;
    ith_comm *comm = e->world->comm;
    size_t n = ith_key_means_count(e->model);
    float *all = calloc(n, sizeof *all), *bias = calloc(n, sizeof *bias);
    int64_t *counts = calloc(2 * (size_t)comm->size, sizeof *counts), *displs = counts + comm->size;
    ith_status status = ITH_OK;

    if (all == NULL || bias == NULL || counts == NULL)
        status = ith_fail(err, ITH_E_MEMORY, "no memory for the key means");
    status = ith_comm_agree(comm, status, err);
    if (status == ITH_OK) {
        for (int r = 0; r < comm->size; r++) {
            ith_range heads = ith_mesh_own_heads(&e->mesh, hp->n_kv_heads, r);
            counts[r] = hp->n_layers * ith_range_size(heads) * hp->head_dim * (int64_t)sizeof *all;
            displs[r] = r == 0 ? 0 : displs[r - 1] + counts[r - 1];
        }
        comm->ops->allgatherv(comm, mine, all, counts, displs);
        spread(e, all, displs, bias);
        e->model->key_means = bias;
        bias = NULL;
    }
    free(all);
    free(bias);
    free(counts);
    return status;
}

/* Adds the pass's tokens in ascending order. user: sums [n_layers][my KV heads * d]. */
static void add_keys(void *user, int layer, const ith_seen *seen, const ith_member *me)
{
    ith_range mine = ith_my_share(me, seen->cols, 1);
    float *sums = user;

    sums += layer * seen->cols;
    for (int64_t t = 0; t < seen->tokens; t++)
        for (int64_t c = mine.begin; c < mine.end; c++)
            sums[c] += seen->x[t * seen->ld + c];
}

/* Progress in bytes, as if all layers had weights of equal size. */
static bool goes_on(void *user, int layers)
{
    ith_engine *e = user;
    int64_t bytes = (int64_t)ith_store_bytes(e->store);
    return ith_engine_goes_on(
        e, "measure", (int64_t)((double)bytes * layers / (double)e->model->hp.n_layers), bytes);
}

/* The mean keys of the fixed text, for the heads that this rank computes. In that pass, nothing is
 * subtracted. */
static ith_status measure(ith_engine *e, ith_session *session, float **means, ith_error *err)
{
    const ith_hparams *hp = &e->model->hp;
    ith_range made = ith_mesh_own_heads(&e->mesh, hp->n_kv_heads, e->mesh.rank);
    size_t n = (size_t)(hp->n_layers * ith_range_size(made) * hp->head_dim);
    ith_status status = ITH_OK;
    float *sums = calloc(n > 0 ? n : 1, sizeof *sums);
    ith_probe probe = {.keys = add_keys, .user = sums};
    ith_pass pass;

    *means = sums;
    if (e->world->comm->rank == 0)
        status = measuring_ids(e, session->ids, err);
    if (status == ITH_OK && *means == NULL)
        status = ith_fail(err, ITH_E_MEMORY, "no memory for the key means");
    if (status == ITH_OK)
        status = ith_state_reserve(session->state, TOKENS, err);
    ITH_TRY(ith_comm_agree(e->world->comm, status, err));
    ith_world_bcast(e->world, session->ids, TOKENS * sizeof *session->ids);
    pass = ith_session_pass(session, TOKENS);
    pass.probe = &probe;
    pass.goes_on = goes_on;
    pass.user = e;
    ith_team_run(e->team, ith_pass_run, &pass);
    if (pass.stopped)
        return ith_fail(err, ITH_E_CANCELLED, "stopped while measuring the key means");
    ITH_TRY(ith_engine_check_pass(e, &pass, false, err));
    e->model->kernels->scale((int64_t)n, *means, 1.0f / TOKENS);
    return ITH_OK;
}

ith_status ith_engine_measure_key_means(ith_engine *e, ith_error *err)
{
    const ith_session_sizes sizes = {.ctx = TOKENS, .chunk = TOKENS, .all_by_rows = true};
    ith_session *session = NULL;
    float *means = NULL;
    ith_status status;

    ITH_TRY(ith_session_open_sized(e, &sizes, &session, err));
    status = measure(e, session, &means, err);
    if (status == ITH_OK)
        status = share(e, means, err);
    free(means);
    ith_session_close(session);
    return status;
}
