#include "weights/residence.h"

#include "base/range.h"

#include <assert.h>
#include <stdlib.h>

#define MIB 1048576.0

enum { ALIGN = 64, STAGES_MOST = 16 /* of a layer: more than any has */ };

static bool is_of_layer(const ith_entry *e, int layer)
{
    return e->matrix != NULL && e->layer == layer;
}

/* Of a layer's matrices, what the node that holds most of them does. */
static size_t held_of_layer(const ith_plan *plan, const ith_shards *shards, int layer)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        if (is_of_layer(&plan->entries[i], layer))
            bytes += ith_shard_most(shards, &plan->entries[i]);
    return bytes;
}

static int count_layers(const ith_plan *plan)
{
    int n = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        n = plan->entries[i].layer >= n ? plan->entries[i].layer + 1 : n;
    return n;
}

static int count_stages(const ith_plan *plan)
{
    int n = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        n = plan->entries[i].stage >= n ? plan->entries[i].stage + 1 : n;
    return n;
}

/* Vectors, and matrices that neither belong to a layer nor are the two. */
static bool must_stay(const ith_entry *e, const ith_residence_params *p)
{
    return e->matrix == NULL || (e->layer == ITH_NO_LAYER && e->matrix != p->embed && e->matrix != p->output);
}

static size_t bytes_that_must_stay(const ith_plan *plan, const ith_residence_params *p)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        if (must_stay(&plan->entries[i], p))
            bytes += ith_shard_most(&p->shards, &plan->entries[i]);
    return bytes;
}

/* Of a stage, in the layer where it is largest. An entry's layer is that of the one before, or a later one. */
static size_t bytes_of_stage(const ith_plan *plan, int stage)
{
    size_t most = 0, bytes = 0;
    int layer = ITH_NO_LAYER;

    for (size_t i = 0; i < plan->n_entries; i++) {
        const ith_entry *e = &plan->entries[i];
        if (e->layer == ITH_NO_LAYER || !is_of_layer(e, e->layer) || e->stage != stage)
            continue;
        bytes = e->layer == layer ? bytes + ith_entry_bytes(e) : ith_entry_bytes(e);
        layer = e->layer;
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* Each stage's place, one after another; at least two tiles of the output matrix. */
static size_t bytes_of_transit(const ith_plan *plan, const ith_residence_params *p, int n_stages)
{
    size_t bytes = 0, tiles = 2 * ((ith_plan_entry(plan, p->output)->unit_bytes + ALIGN - 1) / ALIGN * ALIGN);
    for (int stage = 0; stage < n_stages; stage++)
        bytes += bytes_of_stage(plan, stage);
    return bytes > tiles ? bytes : tiles;
}

/* Takes `bytes` from what is left, if there are as many. */
static bool stays(size_t bytes, size_t *left, size_t *resident)
{
    if (bytes > *left)
        return false;
    *left -= bytes;
    *resident += bytes;
    return true;
}

/* NULL: no memory. */
static ith_step *add_step(ith_residence *r, size_t place, int n_parts, ith_error *err)
{
    ith_step *grown = realloc(r->steps, (size_t)(r->n_steps + 1) * sizeof *grown);
    ith_step_part *parts = calloc((size_t)n_parts + 1, sizeof *parts);
    if (grown != NULL)
        r->steps = grown;
    if (grown == NULL || parts == NULL) {
        free(parts);
        ith_fail(err, ITH_E_MEMORY, "no memory for the steps of streamed weights");
        return NULL;
    }
    grown[r->n_steps] = (ith_step){.parts = parts, .place = place};
    return &grown[r->n_steps++];
}

static void add_part(ith_step *step, ith_entry *e, int64_t first, int64_t n)
{
    step->parts[step->n_parts++] = (ith_step_part){e, first, n, step->bytes};
    step->bytes += ((size_t)n * e->unit_bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static bool is_of_stage(const ith_entry *e, int layer, int stage)
{
    return is_of_layer(e, layer) && e->stage == stage;
}

static ith_status add_stage(ith_plan *plan, int layer, int stage, size_t place, ith_residence *r, ith_error *err)
{
    ith_step *step;
    int n = 0;

    for (size_t i = 0; i < plan->n_entries; i++)
        n += is_of_stage(&plan->entries[i], layer, stage);
    step = add_step(r, place, n, err);
    if (step == NULL)
        return ITH_E_MEMORY;
    for (size_t i = 0; i < plan->n_entries; i++)
        if (is_of_stage(&plan->entries[i], layer, stage))
            add_part(step, &plan->entries[i], 0, plan->entries[i].n_units);
    return ITH_OK;
}

/* A stage of all layers that come and go has one place. */
static ith_status add_layer(ith_plan *plan, int layer, const size_t *places, ith_residence *r, ith_error *err)
{
    for (int stage = 0; stage < r->n_stages; stage++)
        ITH_TRY(add_stage(plan, layer, stage, places[stage], r, err));
    return ITH_OK;
}

static ith_status add_output(ith_entry *e, ith_residence *r, ith_error *err)
{
    size_t half = r->transit / 2 / ALIGN * ALIGN;

    r->part_tiles = (int64_t)(half / e->unit_bytes);
    r->output_parts = 0;
    for (int64_t first = 0; first < e->n_units; first += r->part_tiles, r->output_parts++) {
        ith_step *step = add_step(r, (size_t)(r->output_parts % 2) * half, 1, err);
        if (step == NULL)
            return ITH_E_MEMORY;
        add_part(step, e, first, e->n_units - first < r->part_tiles ? e->n_units - first : r->part_tiles);
    }
    return ITH_OK;
}

static ith_status too_little(size_t budget, size_t must, size_t transit, ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY,
                    "%.0f MiB are left for weights; streamed from layer to layer they need %.0f MiB that stay and "
                    "%.0f MiB for a layer: give more memory (--mem), a smaller context (--ctx) or a smaller chunk "
                    "(--chunk)",
                    (double)budget / MIB, (double)must / MIB, (double)transit / MIB);
}

/* Is there room for everything, whole? */
static bool fits_whole(const ith_plan *plan, const ith_residence_params *p, size_t *all)
{
    *all = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        *all += ith_entry_bytes(&plan->entries[i]);
    return !ith_shards_cut(&p->shards) && (p->budget == 0 || *all <= p->budget);
}

static void choose_resident(ith_plan *plan, const ith_residence_params *p, size_t left, int n_layers, ith_residence *r)
{
    ith_entry *embed = ith_plan_entry(plan, p->embed), *output = ith_plan_entry(plan, p->output);
    bool cut = ith_shards_cut(&p->shards);

    r->output_stays = stays(ith_shard_most(&p->shards, output), &left, &r->resident);
    r->embed_stays = embed == output ? r->output_stays : !cut && stays(ith_entry_bytes(embed), &left, &r->resident);
    r->layers_resident = 0;
    while (r->layers_resident < n_layers &&
           stays(held_of_layer(plan, &p->shards, r->layers_resident), &left, &r->resident))
        r->layers_resident++;
    embed->streamed = !r->embed_stays;
    output->streamed = !r->output_stays;
    for (size_t i = 0; i < plan->n_entries; i++)
        if (plan->entries[i].matrix != NULL && plan->entries[i].layer >= r->layers_resident)
            plan->entries[i].streamed = true;
}

static ith_status add_steps(ith_plan *plan, const ith_residence_params *p, int n_layers, ith_residence *r,
                            ith_error *err)
{
    bool cut = ith_shards_cut(&p->shards);
    size_t places[STAGES_MOST] = {0};

    for (int stage = 1; stage < r->n_stages; stage++)
        places[stage] = places[stage - 1] + bytes_of_stage(plan, stage - 1);
    r->first_layer = cut ? 0 : r->layers_resident;
    for (int i = r->first_layer; i < n_layers; i++)
        ITH_TRY(add_layer(plan, i, places, r, err));
    r->first_output_step = r->n_steps;
    return r->output_stays && !cut ? ITH_OK : add_output(ith_plan_entry(plan, p->output), r, err);
}

ith_status ith_residence_choose(ith_plan *plan, const ith_residence_params *p, ith_residence *r, ith_error *err)
{
    int n_layers = count_layers(plan);
    size_t must = bytes_that_must_stay(plan, p), all, left;

    *r = (ith_residence){.output_stays = true,
                         .embed_stays = true,
                         .layers_resident = n_layers,
                         .first_layer = n_layers,
                         .output_parts = 1};
    if (fits_whole(plan, p, &all)) {
        r->resident = all;
        return ITH_OK;
    }
    r->n_stages = count_stages(plan);
    assert(r->n_stages <= STAGES_MOST);
    r->transit = bytes_of_transit(plan, p, r->n_stages);
    if (p->budget != 0 && must + r->transit > p->budget)
        return too_little(p->budget, must, r->transit, err);
    left = !p->rest_stays ? 0 : p->budget == 0 ? all : p->budget - must - r->transit;
    r->resident = must;
    choose_resident(plan, p, left, n_layers, r);
    return add_steps(plan, p, n_layers, r, err);
}

size_t ith_residence_least(const ith_plan *plan, const ith_residence_params *p)
{
    return bytes_that_must_stay(plan, p) + bytes_of_transit(plan, p, count_stages(plan));
}

size_t ith_residence_whole(const ith_plan *plan, const ith_residence_params *p)
{
    bool cut = ith_shards_cut(&p->shards);
    size_t bytes = cut ? bytes_of_transit(plan, p, count_stages(plan)) : 0;

    for (size_t i = 0; i < plan->n_entries; i++)
        if (!cut || plan->entries[i].matrix != p->embed || p->embed == p->output)
            bytes += ith_shard_most(&p->shards, &plan->entries[i]);
    return bytes;
}

void ith_residence_free(ith_residence *r)
{
    for (int64_t i = 0; r->steps != NULL && i < r->n_steps; i++)
        free(r->steps[i].parts);
    free(r->steps);
    r->steps = NULL;
}
