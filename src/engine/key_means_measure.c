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
    return (size_t)(hp->n_layers * ith_hparams_most_kv(hp));
}

/* Of a layer, the KV heads that rank r computes. */
static ith_range heads_of(const ith_engine *e, int64_t layer, int r)
{
    return ith_mesh_own_heads(&e->mesh, ith_hparams_kv_heads(&e->model->hp, layer), r);
}

/* The most channels that they have in any layer: the distance from one layer's to the next's. */
static int64_t made_floats(const ith_engine *e, int r)
{
    const ith_hparams *hp = &e->model->hp;
    int64_t most = 0;

    for (int64_t i = 0; i < hp->n_layers; i++)
        most = ith_max(most, ith_range_size(heads_of(e, i, r)) * ith_hparams_head_dim(hp, i));
    return most;
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

/* From [n_layers][made_floats] of every rank, of each layer [heads that the rank computes][d], to
 * all heads. */
static void spread(const ith_engine *e, const float *all, const int64_t *displs, float *bias)
{
    const ith_hparams *hp = &e->model->hp;
    int64_t ld = ith_hparams_most_kv(hp);

    for (int r = 0; r < e->mesh.ranks; r++) {
        const float *of_rank = all + displs[r] / (int64_t)sizeof *all;
        int64_t made = made_floats(e, r);
        for (int64_t layer = 0; layer < hp->n_layers; layer++) {
            ith_range heads = heads_of(e, layer, r);
            int64_t d = ith_hparams_head_dim(hp, layer);
            memcpy(bias + layer * ld + heads.begin * d, of_rank + layer * made,
                   (size_t)(ith_range_size(heads) * d) * sizeof *bias);
        }
    }
}

static ith_status share(ith_engine *e, const float *mine, ith_error *err)
{
    const ith_hparams *hp = &e->model->hp;
    ith_comm *comm = e->world->comm;
    size_t n = ith_key_means_count(e->model);
    int64_t *counts = calloc(2 * (size_t)comm->size, sizeof *counts), *displs = counts + comm->size,
            sent = 0;
    float *all = NULL, *bias = calloc(n, sizeof *bias);
    ith_status status = ITH_OK;

    for (int r = 0; counts != NULL && r < comm->size; r++) {
        counts[r] = hp->n_layers * made_floats(e, r) * (int64_t)sizeof *all;
        displs[r] = sent;
        sent += counts[r];
    }
    if (sent > 0)
        all = calloc((size_t)sent, 1);
    if (all == NULL || bias == NULL || counts == NULL)
        status = ith_fail(err, ITH_E_MEMORY, "no memory for the key means");
    status = ith_comm_agree(comm, status, err);
    if (status == ITH_OK) {
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

/* [n_layers][ld], of each layer [my KV heads][d]. */
typedef struct key_sums {
    float *sums;
    int64_t ld;
} key_sums;

/* Adds the pass's tokens in ascending order. user: key_sums. */
static void add_keys(void *user, int layer, const ith_seen *seen, const ith_member *me)
{
    ith_range mine = ith_my_share(me, seen->cols, 1);
    const key_sums *all = user;
    float *sums = all->sums + layer * all->ld;

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
    key_sums of_keys = {.ld = made_floats(e, e->mesh.rank)};
    size_t n = (size_t)(hp->n_layers * of_keys.ld);
    ith_status status = ITH_OK;
    ith_probe probe = {.keys = add_keys, .user = &of_keys};
    ith_pass pass;

    of_keys.sums = *means = calloc(n > 0 ? n : 1, sizeof **means);
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
