/* engine.c - the engine's handle: its properties, and closing it. */
#include "engine/engine.h"
#include "base/fpenv.h"
#include "base/mem.h"

#include <stdlib.h>

enum { OWN_WINDOW = 64 }; /* of a penalty that the caller sets and the model does not */

bool ith_engine_goes_on(ith_engine *e, const char *what, int64_t done, int64_t total)
{
    char on = 1;

    if (e->progress == NULL) /* on every rank or on none */
        return true;
    if (e->world->comm->rank == 0)
        on = e->progress(e->progress_user, what, done, total);
    ith_world_bcast(e->world, &on, sizeof on);
    return on;
}

ith_status ith_engine_check_files(const ith_engine *engine, ith_error *err)
{
    return ith_store_reads_files(engine->store) ? ith_source_check_unchanged(engine->source, err)
                                                : ITH_OK;
}

void ith_engine_close(ith_engine *engine)
{
    if (engine == NULL)
        return;
    ith_mem_free(engine->step_logits);
    ith_mem_free(engine->step_outputs);
    ith_model_close(engine->model);
    ith_store_close(engine->store);
    ith_team_close(engine->team);
    ith_topology_close(engine->topology);
    free(engine->seats);
    ith_vocab_close(engine->vocab);
    ith_stats_close(engine->stats);
    ith_source_close(engine->source);
    free(engine->sums);
    free(engine->shares);
    free(engine);
}

const ith_engine_info *ith_engine_get_info(const ith_engine *engine)
{
    return &engine->info;
}

const ith_vocab *ith_engine_vocab(const ith_engine *engine)
{
    return engine->vocab;
}

ith_sampling ith_sampling_default(const ith_engine *engine)
{
    ITH_DEFAULT_FPENV;
    const ith_hparams *hp = &engine->model->hp;
    ith_sampling s = {.temperature = 0,
                      .top_k = 0,
                      .top_p = 1,
                      .min_p = 0,
                      .repeat_penalty = (float)hp->repetition_penalty,
                      .repeat_window = OWN_WINDOW,
                      .seed = 0};

    if (hp->has_sampling) {
        s.temperature = (float)hp->temperature;
        s.top_k = hp->top_k;
        s.top_p = (float)hp->top_p;
        s.min_p = (float)hp->min_p;
    }
    if (hp->repetition_penalty != 1)
        s.repeat_window = hp->repetition_window;
    return s;
}

ith_generate_params ith_generate_params_default(const ith_engine *engine)
{
    ITH_DEFAULT_FPENV;
    return (ith_generate_params){.max_tokens = 512, .sampling = ith_sampling_default(engine)};
}
