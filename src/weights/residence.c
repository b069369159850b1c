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

static bool is_expert(const ith_entry *e)
{
    return e->expert != ITH_NO_EXPERT;
}

/* Of a layer's matrices, the experts' or the others, what the node that holds most of them does. */
static size_t held_of_layer(const ith_plan *plan, const ith_shards *shards, int layer, bool experts)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        if (is_of_layer(&plan->entries[i], layer) && is_expert(&plan->entries[i]) == experts)
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

/* An expert's parts follow each other. */
static size_t place_in_slot(const ith_step *step, const ith_entry *e)
{
    const ith_step_part *last = step->n_parts > 0 ? &step->parts[step->n_parts - 1] : NULL;
    return last != NULL && last->entry->expert == e->expert ? last->in_slot + ith_entry_bytes(last->entry) : 0;
}

static void add_part(ith_step *step, ith_entry *e, int64_t first, int64_t n)
{
    ith_step_part *p = &step->parts[step->n_parts];

    *p = (ith_step_part){.entry = e, .first = first, .n = n, .at = step->bytes};
    step->bytes += ((size_t)n * e->unit_bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (is_expert(e)) {
        p->in_slot = place_in_slot(step, e);
        size_t end = p->in_slot + ith_entry_bytes(e);
        step->slot_bytes = end > step->slot_bytes ? end : step->slot_bytes;
        step->n_experts = e->expert >= step->n_experts ? e->expert + 1 : step->n_experts;
    }
    step->n_parts++;
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

static bool stage_stays(const ith_plan *plan, int layer, int stage)
{
    for (size_t i = 0; i < plan->n_entries; i++)
        if (is_of_stage(&plan->entries[i], layer, stage) && plan->entries[i].streamed)
            return false;
    return true;
}

/* A stage of all layers that come and go has one place. */
static ith_status add_layer(ith_plan *plan, int layer, const size_t *places, bool cut, ith_residence *r, ith_error *err)
{
    for (int stage = 0; stage < r->n_stages; stage++) {
        if (!cut && stage_stays(plan, layer, stage))
            continue;
        r->step_of[layer * r->n_stages + stage] = r->n_steps;
        ITH_TRY(add_stage(plan, layer, stage, places[stage], r, err));
    }
    return ITH_OK;
}

/* ---- Shelves ---- */

/* An expert of a layer, over its stages; of all layers if `layer` is ITH_NO_LAYER. */
static size_t bytes_of_expert(const ith_residence *r, int layer)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < r->n_steps; i++)
        if (layer == ITH_NO_LAYER || r->steps[i].parts[0].entry->layer == layer)
            bytes += r->steps[i].slot_bytes;
    return bytes;
}

static void give_slots(ith_residence *r, int layer, int64_t n)
{
    for (int64_t i = 0; i < r->n_steps; i++) {
        ith_step *s = &r->steps[i];
        if (s->parts[0].entry->layer != layer || s->n_experts == 0)
            continue;
        s->n_slots = (int)(n < s->n_experts ? n : s->n_experts);
        s->shelf = r->transit + r->shelves;
        r->shelves += (size_t)s->n_slots * s->slot_bytes;
    }
}

/* As many experts of each layer as there is room for, one more of the first ones. */
static void add_shelves(ith_residence *r, size_t left)
{
    size_t each = bytes_of_expert(r, ITH_NO_LAYER);
    int64_t n = each == 0 ? 0 : (int64_t)(left / each);

    left -= (size_t)n * each;
    for (int layer = 0; each > 0 && layer < r->n_layers; layer++) {
        size_t one = bytes_of_expert(r, layer);
        bool more = one > 0 && one <= left;
        left -= more ? one : 0;
        give_slots(r, layer, n + more);
    }
}

/* ---- Choosing ---- */

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

/* How many layers, from the first on, whose experts stay, or all else of them. */
static int layers_that_stay(const ith_plan *plan, const ith_residence_params *p, int n_layers, bool experts,
                            size_t *left, size_t *resident)
{
    int n = 0;
    while (n < n_layers && stays(held_of_layer(plan, &p->shards, n, experts), left, resident))
        n++;
    return n;
}

/* Where nothing is cut experts are left to the shelves. Returns what is left. */
static size_t choose_resident(ith_plan *plan, const ith_residence_params *p, size_t left, ith_residence *r)
{
    ith_entry *embed = ith_plan_entry(plan, p->embed), *output = ith_plan_entry(plan, p->output);
    bool cut = ith_shards_cut(&p->shards);

    r->output_stays = stays(ith_shard_most(&p->shards, output), &left, &r->resident);
    r->embed_stays = embed == output ? r->output_stays : !cut && stays(ith_entry_bytes(embed), &left, &r->resident);
    r->layers_resident = layers_that_stay(plan, p, r->n_layers, false, &left, &r->resident);
    r->experts_resident = layers_that_stay(plan, p, cut ? r->layers_resident : 0, true, &left, &r->resident);
    embed->streamed = !r->embed_stays;
    output->streamed = !r->output_stays;
    for (size_t i = 0; i < plan->n_entries; i++) {
        ith_entry *e = &plan->entries[i];
        if (e->matrix != NULL && e->layer >= (is_expert(e) ? r->experts_resident : r->layers_resident))
            e->streamed = true;
    }
    return left;
}

static ith_status add_steps(ith_plan *plan, const ith_residence_params *p, ith_residence *r, ith_error *err)
{
    bool cut = ith_shards_cut(&p->shards);
    size_t places[STAGES_MOST] = {0};

    for (int stage = 1; stage < r->n_stages; stage++)
        places[stage] = places[stage - 1] + bytes_of_stage(plan, stage - 1);
    r->step_of = malloc(((size_t)r->n_layers * (size_t)r->n_stages + 1) * sizeof *r->step_of);
    if (r->step_of == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the steps of streamed weights");
    for (int i = 0; i < r->n_layers * r->n_stages; i++)
        r->step_of[i] = -1;
    for (int i = 0; i < r->n_layers; i++)
        ITH_TRY(add_layer(plan, i, places, cut, r, err));
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
                         .experts_resident = n_layers,
                         .n_layers = n_layers,
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
    left = choose_resident(plan, p, left, r);
    ITH_TRY(add_steps(plan, p, r, err));
    if (!ith_shards_cut(&p->shards))
        add_shelves(r, left);
    return ITH_OK;
}

/* ---- What reading takes ---- */

/* Of a layer's experts, those that are not on the shelf. */
static double off_the_shelf(const ith_residence *r, const ith_entry *e)
{
    const ith_step *s = &r->steps[r->step_of[e->layer * r->n_stages + e->stage]];
    return 1 - (double)s->n_slots / s->n_experts;
}

double ith_residence_reads(const ith_plan *plan, const ith_residence_params *p, const ith_residence *r, double share)
{
    double bytes = 0;
    bool packed;

    for (size_t i = 0; i < plan->n_entries; i++) {
        const ith_entry *e = &plan->entries[i];
        double held = (double)ith_shard_most(&p->shards, e) / (double)ith_entry_bytes(e);
        if (!e->streamed || (e->matrix == p->embed && p->embed != p->output))
            continue;
        bytes += (double)ith_stored_bytes(e, 0, e->n_units, &packed) * held *
                 (is_expert(e) ? share * off_the_shelf(r, e) : 1);
    }
    return bytes;
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
    free(r->step_of);
    r->steps = NULL;
    r->step_of = NULL;
}
