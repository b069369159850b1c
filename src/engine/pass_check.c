/* pass_check.c - checks after a pass: streamed weights, numbers, files. */
#include "engine/pass_check.h"

#include <limits.h>
#include <stdio.h>

/* What may be wrong with a pass, the best reason last. */
typedef enum trouble { NOTHING, BROKEN_NUMBERS, CHANGED_FILES, UNREAD_WEIGHTS } trouble;

/* Local. */
static trouble look(const ith_engine *e, const ith_pass *pass, bool kept)
{
    ith_error err;

    if (ith_store_status(e->store, &err) != ITH_OK)
        return UNREAD_WEIGHTS;
    if (kept && ith_engine_check_files(e, &err) != ITH_OK)
        return CHANGED_FILES;
    return pass->broken ? BROKEN_NUMBERS : NOTHING;
}

/* What computes the first numbers that are broken. */
static void describe_place(const ith_model *m, int place, char text[160])
{
    int layer = place / ITH_MAX_SUBLAYERS, sub = place % ITH_MAX_SUBLAYERS;

    if (place > ith_pass_place((int)m->hp.n_layers, 0)) {
        snprintf(text, 160, "in the product with %s", m->output->name);
        return;
    }
    if (place == 0) {
        snprintf(text, 160, "in %s", m->embed->name);
        return;
    }
    layer -= sub == 0;
    sub = sub == 0 ? m->layers[layer].n - 1 : sub - 1;
    snprintf(text, 160, "in layer %d, in its %s", layer,
             m->layers[layer].sub[sub].block.kind->name);
}

/* Collective. Runs the pass again to say where its numbers break. */
static ith_status find_broken(const ith_engine *e, const ith_pass *pass, ith_error *err)
{
    int place = INT_MAX;
    char text[160];
    ith_pass again = *pass;

    again.broken_at = &place;
    again.goes_on = NULL;
    again.probe = NULL;
    again.profile = NULL;
    ith_team_run(e->team, ith_pass_run, &again);
    place = (int)-e->world->comm->ops->max(e->world->comm, -(int64_t)place);
    describe_place(e->model, place, text);
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: NaN, infinity or a number too large to compute with, first %s: its "
                    "weights are damaged, or its numbers exceed a float",
                    ith_source_path(e->source), text);
}

ith_status ith_engine_check_files_on_all(const ith_engine *e, ith_error *err)
{
    return ith_comm_agree(e->world->comm, ith_engine_check_files(e, err), err);
}

ith_status ith_engine_check_pass(const ith_engine *e, const ith_pass *pass, bool kept,
                                 ith_error *err)
{
    ith_comm *comm = e->world->comm;
    trouble worst = (trouble)comm->ops->max(comm, look(e, pass, kept));

    if (worst == NOTHING)
        return ITH_OK;
    if (worst == UNREAD_WEIGHTS)
        return ith_comm_agree(comm, ith_store_status(e->store, err), err);
    ITH_TRY(ith_engine_check_files_on_all(e, err)); /* a better reason than what came of it */
    return find_broken(e, pass, err);
}
