/* pack_key_means.c - measures the key means of a new pack by running the model in it. */
#include "tools/pack_key_means.h"

#include "base/finite.h"
#include "comm/comm_self.h"
#include "engine/engine_open.h"
#include "engine/key_means.h"
#include "engine/key_means_measure.h"

/* Loads the weights as opening an engine does, but always with the smallest possible budget. */
static ith_status measure(ith_engine *e, ith_error *err)
{
    ith_store_params store = {
        .mesh = &e->mesh, .ram_level = -1, .embed = e->model->embed, .output = e->model->output};

    ITH_TRY(ith_team_open(e->info.threads, &e->team, err));
    store.budget = ith_store_least(e->store, &store);
    e->model->store = e->store;
    ITH_TRY(ith_store_load(e->store, &store, e->team, err));
    return ith_engine_measure_key_means(e, err);
}

static void take_measured(ith_engine *e, ith_key_means *means)
{
    if (!ith_all_finite(e->model->key_means, (int64_t)ith_key_means_count(e->model))) {
        ith_fail(&means->why, ITH_E_FORMAT, "the model's keys are not finite numbers");
        return;
    }
    means->bytes = ith_key_means_count(e->model) * sizeof *means->values;
    means->values = e->model->key_means;
    e->model->key_means = NULL;
}

ith_status ith_key_means_of_pack(const ith_engine_params *params, ith_key_means *means,
                                 ith_error *err)
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
    return status == ITH_OK || status == ITH_E_MEMORY
               ? ITH_OK
               : ith_fail(err, status, "%s", means->why.text);
}
