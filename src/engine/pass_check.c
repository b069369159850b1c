/* pass_check.c - checks after a pass: streamed weights, numbers, files. */
#include "engine/pass_check.h"

#include <limits.h>
#include <stdio.h>

/* What may be wrong with a pass, the best reason last. */
typedef enum trouble { NOTHING, BROKEN_NUMBERS, CHANGED_FILES, UNREAD_WEIGHTS } trouble;

/* Local. *status and err: the reason, unless it is in the numbers. A second look need not find it
 * again. */
static trouble look(const ith_engine *e, const ith_pass *pass, bool kept, ith_status *status,
                    ith_error *err)
{
    *status = ith_store_status(e->store, err);
    if (*status != ITH_OK)
        return UNREAD_WEIGHTS;
    if (kept)
        *status = ith_engine_check_files(e, err);
    if (*status != ITH_OK)
        return CHANGED_FILES;
    return pass->broken ? BROKEN_NUMBERS : NOTHING;
}

/* What computes the first numbers that are broken. */
static void describe_place(const ith_model *m, int place, char text[160])
{
    int layer = place / ITH_MAX_SUBLAYERS, sub = place % ITH_MAX_SUBLAYERS;

    if (place > ith_pass_place((int)m->hp.n_layers, 0)) {
        snprintf(text, 160, "first in the product with %s", m->output->name);
        return;
    }
    if (place == 0) {
        snprintf(text, 160, "first in %s", m->embed->name);
        return;
    }
    layer -= sub == 0;
    sub = sub == 0 ? m->layers[layer].n - 1 : sub - 1;
    snprintf(text, 160, "first in layer %d, in its %s", layer,
             m->layers[layer].sub[sub].block.kind->name);
}

/* Collective. Runs the pass again to say where its numbers break. */
static ith_status find_broken(const ith_engine *e, const ith_pass *pass, ith_error *err)
{
    ith_comm *comm = e->world->comm;
    int place = INT_MAX;
    char text[160] = "but not in a second run";
    ith_pass again = *pass;

    again.broken_at = &place;
    again.goes_on = NULL; /* a probe may see it twice: what it collects is not used */
    again.profile = NULL;
    ith_team_run(e->team, ith_pass_run, &again);
    ITH_TRY(ith_comm_agree(comm, ith_store_status(e->store, err), err));
    place = (int)-comm->ops->max(comm, -(int64_t)place);
    if (place != INT_MAX)
        describe_place(e->model, place, text);
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: NaN, infinity or a number too large to compute with, %s: its "
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
    ith_status status;
    trouble mine = look(e, pass, kept, &status, err), worst = (trouble)comm->ops->max(comm, mine);

    if (worst == NOTHING)
        return ITH_OK;
    if (worst > BROKEN_NUMBERS)
        return ith_comm_agree(comm, mine == worst ? status : ITH_OK, err);
    ITH_TRY(ith_engine_check_files_on_all(e, err)); /* a better reason than what came of it */
    return find_broken(e, pass, err);
}
