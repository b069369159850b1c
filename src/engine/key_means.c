/* key_means.c - takes the key means from a pack, or else measures them. Measuring takes seconds: a
 * pass of 64 tokens reads all weights.
 *
 * The key means depend on weights, rotary frequencies and arithmetic only. A pack holds those of
 * its own weights and frequencies, with the bits that any number of ranks and threads would
 * measure. If any of the three differs, they are measured again.
 */
#include "engine/key_means.h"
#include "base/finite.h"
#include "engine/bits.h"
#include "engine/key_means_measure.h"

#include <stdlib.h>
#include <string.h>

const char ith_key_means_blob[] = "key_means.1";
_Static_assert(ITH_BITS == 1,
               "the name ends with the version of the arithmetic, so that others are not found");

bool ith_key_means_cancel(const ith_hparams *hp)
{
    return hp->attn_softcap == 0 && hp->latent.kv_rank == 0 && !hp->sinks;
}

/* Are the weights and rotary frequencies those of the pack? */
static bool is_as_packed(const ith_engine *e, const ith_engine_params *p)
{
    const ith_load_plan *plan = ith_store_load_plan(e->store);

    for (size_t i = 0; i < plan->n_entries; i++)
        if (!plan->entries[i].as_stored)
            return false;
    return p->rope_scaling == NULL;
}

static ith_status read_means(const ith_engine *e, ith_bytes stored, float *means, ith_error *err)
{
    size_t n = ith_key_means_count(e->model);

    if (stored.len != n * sizeof *means)
        return ith_fail(
            err, ITH_E_FORMAT, "%s: %s has %zu bytes, expected %zu from the hyperparameters",
            ith_source_path(e->source), ith_key_means_blob, stored.len, n * sizeof *means);
    memcpy(means, stored.data, stored.len);
    return ith_all_finite(means, (int64_t)n)
               ? ITH_OK
               : ith_fail(err, ITH_E_FORMAT, "%s: %s contains a number that is not finite",
                          ith_source_path(e->source), ith_key_means_blob);
}

/* Collective. `stored` is read on rank 0. */
static ith_status take(ith_engine *e, ith_bytes stored, ith_error *err)
{
    size_t n = ith_key_means_count(e->model);
    float *means = calloc(n, sizeof *means);
    ith_status status = ITH_OK;

    if (means == NULL)
        status = ith_fail(err, ITH_E_MEMORY, "no memory for the key means");
    else if (e->world->comm->rank == 0)
        status = read_means(e, stored, means, err);
    status = ith_comm_agree(e->world->comm, status, err);
    if (status != ITH_OK) {
        free(means);
        return status;
    }
    ith_world_bcast(e->world, means, n * sizeof *means);
    e->model->key_means = means;
    return ITH_OK;
}

ith_status ith_engine_find_key_means(ith_engine *e, const ith_engine_params *p, ith_error *err)
{
    ith_bytes stored = {NULL, 0};
    char found;

    if (e->world->comm->rank == 0 && is_as_packed(e, p))
        stored = ith_source_blob(e->source, ith_key_means_blob);
    found = stored.data != NULL;
    ith_world_bcast(e->world, &found, sizeof found);
    return found ? take(e, stored, err) : ith_engine_measure_key_means(e, err);
}
