/* key_means.c - the keys' mean (key_bias.c) as a pack holds it, so that loading one does not have to measure: a pass of 64 tokens reads all weights
 * and computes with them, for seconds.
 *
 * It is a constant of weights, rotary frequencies and arithmetic: the one stored is that of the pack's own, whose bits any number of ranks and
 * threads would measure again. Where one of them is another, it is measured.
 */
#include "engine/engine_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char ith_key_means_blob[] = "key_means.1";
_Static_assert(ITH_BITS == 1,
               "the name ends with the number of the arithmetic: what another one measured is not found");

static size_t count_of(const ith_engine *e)
{
    const ith_hparams *hp = &e->model->hp;
    return (size_t)(hp->n_layers * hp->n_kv_heads * hp->head_dim);
}

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

/* ---- Of a pack that is loaded ---- */

/* Are weights and rotary frequencies the pack's? */
static bool is_as_packed(const ith_engine *e, const ith_engine_params *p)
{
    const ith_plan *plan = ith_store_plan(e->store);

    for (size_t i = 0; i < plan->n_entries; i++)
        if (!plan->entries[i].as_stored)
            return false;
    return p->rope_scaling == NULL;
}

static ith_status read_means(const ith_engine *e, ith_bytes stored, float *means, ith_error *err)
{
    size_t n = count_of(e);

    if (stored.len != n * sizeof *means)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s has %zu bytes, expected %zu from the hyperparameters",
                        ith_source_path(e->source), ith_key_means_blob, stored.len, n * sizeof *means);
    memcpy(means, stored.data, stored.len);
    return all_finite(means, n) ? ITH_OK
                                : ith_fail(err, ITH_E_FORMAT, "%s: %s holds a number that is not finite",
                                           ith_source_path(e->source), ith_key_means_blob);
}

/* stored: rank 0's. */
static ith_status take(ith_engine *e, ith_bytes stored, ith_error *err)
{
    size_t n = count_of(e);
    float *means = calloc(n, sizeof *means);
    ith_status status = ITH_OK;

    if (means == NULL)
        status = ith_fail(err, ITH_E_MEMORY, "no memory for the keys' mean");
    else if (e->world->comm->rank == 0)
        status = read_means(e, stored, means, err);
    status = ith_comm_agree(e->world->comm, status, err);
    if (status != ITH_OK) {
        free(means);
        return status;
    }
    ith_world_bcast(e->world, means, n * sizeof *means);
    e->model->key_bias = means;
    return ITH_OK;
}

ith_status ith_engine_find_key_bias(ith_engine *e, const ith_engine_params *p, ith_error *err)
{
    ith_bytes stored = {NULL, 0};
    char found;

    if (e->world->comm->rank == 0 && is_as_packed(e, p))
        stored = ith_source_blob(e->source, ith_key_means_blob);
    found = stored.data != NULL;
    ith_world_bcast(e->world, &found, sizeof found);
    return found ? take(e, stored, err) : ith_engine_measure_key_bias(e, err);
}

/* ---- For a pack that is written ---- */

/* As opening an engine does, but with the least budget, whatever memory there is. */
static ith_status measure(ith_engine *e, ith_error *err)
{
    ith_store_params store = {.mesh = &e->mesh, .keep = -1, .embed = e->model->embed, .output = e->model->output};

    ITH_TRY(ith_team_open(e->info.threads, &e->team, err));
    store.budget = ith_store_least(e->store, &store);
    e->model->store = e->store;
    ITH_TRY(ith_store_load(e->store, &store, e->team, err));
    return ith_engine_measure_key_bias(e, err);
}

static void take_measured(ith_engine *e, ith_key_means *means)
{
    if (!all_finite(e->model->key_bias, count_of(e))) {
        ith_fail(&means->why, ITH_E_FORMAT, "the model's keys are no finite numbers");
        return;
    }
    means->bytes = count_of(e) * sizeof *means->values;
    means->values = e->model->key_bias;
    e->model->key_bias = NULL;
}

ith_status ith_key_means_of_pack(const ith_engine_params *params, ith_key_means *means, ith_error *err)
{
    ith_world world = {0};
    ith_engine *e = NULL;
    ith_status status;

    *means = (ith_key_means){0};
    ITH_CHECK(ith_comm_open_self(&world.comm, &means->why));
    ITH_CHECK(ith_engine_plan(&world, params, &e, &means->why));
    ITH_CHECK(measure(e, &means->why));
    take_measured(e, means);
done:
    ith_engine_close(e);
    ith_comm_close(world.comm);
    return status == ITH_OK || status == ITH_E_MEMORY ? ITH_OK : ith_fail(err, status, "%s", means->why.text);
}
