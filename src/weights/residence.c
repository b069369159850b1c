/* residence.c - chooses what stays, and what reading the rest takes. */
#include "weights/residence.h"

#include "weights/produce.h"

#define MIB 1048576.0

/* Takes `bytes` from what is left, if that is enough. */
static bool stays(size_t bytes, size_t *left, size_t *resident)
{
    if (bytes > *left)
        return false;
    *left -= bytes;
    *resident += bytes;
    return true;
}

static ith_status too_little(size_t budget, size_t must, size_t transit, ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY,
                    "%.0f MiB are left for weights, but streaming them layer by layer takes %.0f "
                    "MiB that stay in memory and %.0f MiB for a layer: give more memory (--mem), "
                    "a smaller context (--ctx) or a smaller chunk (--chunk)",
                    (double)budget / MIB, (double)must / MIB, (double)transit / MIB);
}

/* Is there room for everything, whole? */
static bool fits_whole(const ith_load_plan *plan, const ith_residence_params *p, size_t *all)
{
    *all = ith_load_plan_bytes(plan);
    return !ith_shards_cut(&p->shards) && (p->budget == 0 || *all <= p->budget);
}

/* The number of layers from the first on whose experts, or all other matrices, stay. */
static int layers_that_stay(const ith_load_plan *plan, const ith_residence_params *p, int n_layers,
                            bool experts, size_t *left, size_t *resident)
{
    int n = 0;
    while (n < n_layers && stays(ith_layer_bytes(plan, &p->shards, n, experts), left, resident))
        n++;
    return n;
}

/* Returns what is left. Where nothing is cut, experts are left to the shelves. */
static size_t choose_resident(ith_load_plan *plan, const ith_residence_params *p, size_t left,
                              ith_residence *r)
{
    ith_entry *embed = ith_load_plan_entry(plan, p->embed),
              *output = ith_load_plan_entry(plan, p->output);
    bool cut = ith_shards_cut(&p->shards);

    r->output_stays = stays(ith_shard_most(&p->shards, output), &left, &r->resident);
    r->embed_stays = embed == output ? r->output_stays
                                     : !cut && stays(ith_entry_bytes(embed), &left, &r->resident);
    r->layers_resident = layers_that_stay(plan, p, r->steps.n_layers, false, &left, &r->resident);
    r->experts_resident =
        layers_that_stay(plan, p, cut ? r->layers_resident : 0, true, &left, &r->resident);
    embed->streamed = !r->embed_stays;
    output->streamed = !r->output_stays;
    for (size_t i = 0; i < plan->n_entries; i++) {
        ith_entry *e = &plan->entries[i];
        if (e->matrix != NULL &&
            e->layer >= (ith_is_expert(e) ? r->experts_resident : r->layers_resident))
            e->streamed = true;
    }
    return left;
}

ith_status ith_residence_choose(ith_load_plan *plan, const ith_residence_params *p,
                                ith_residence *r, ith_error *err)
{
    int n_layers = ith_count_layers(plan);
    size_t must = ith_bytes_that_must_stay(plan, p), all, left;
    bool cut = ith_shards_cut(&p->shards);
    ith_steps *steps = &r->steps;

    *r = (ith_residence){.output_stays = true,
                         .embed_stays = true,
                         .layers_resident = n_layers,
                         .experts_resident = n_layers,
                         .steps = {.n_layers = n_layers, .output_steps = 1}};
    if (fits_whole(plan, p, &all)) {
        r->resident = all;
        return ITH_OK;
    }
    steps->n_stages = ith_count_stages(plan);
    steps->transit = ith_transit_bytes(plan, p, steps->n_stages);
    if (p->budget != 0 && must + steps->transit > p->budget)
        return too_little(p->budget, must, steps->transit, err);
    left = !p->rest_stays ? 0 : p->budget == 0 ? all : p->budget - must - steps->transit;
    r->resident = must;
    left = choose_resident(plan, p, left, r);
    ITH_TRY(ith_steps_make(plan, p->output, cut, steps, err));
    if (!cut)
        ith_steps_add_shelves(steps, left);
    return ITH_OK;
}

/* ---- What reading takes ---- */

/* The share of an expert's layer that is not on the shelf. */
static double off_the_shelf(const ith_residence *r, const ith_entry *e)
{
    const ith_step *s = &r->steps.items[ith_step_of(&r->steps, e->layer, e->stage)];
    return 1 - (double)s->n_cells / s->n_experts;
}

double ith_residence_reads(const ith_load_plan *plan, const ith_residence_params *p,
                           const ith_residence *r, double share)
{
    double bytes = 0;
    bool packed;

    for (size_t i = 0; i < plan->n_entries; i++) {
        const ith_entry *e = &plan->entries[i];
        double held = (double)ith_shard_most(&p->shards, e) / (double)ith_entry_bytes(e);
        if (!e->streamed || (e->matrix == p->embed && p->embed != p->output))
            continue;
        bytes += (double)ith_stored_bytes(e, 0, e->n_units, &packed) * held *
                 (ith_is_expert(e) ? share * off_the_shelf(r, e) : 1);
    }
    return bytes;
}

void ith_residence_free(ith_residence *r)
{
    ith_steps_free(&r->steps);
}
