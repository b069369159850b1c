#include "weights/residence.h"

#include "base/range.h"

#include <stdlib.h>
#include <string.h>

#define MIB 1048576.0

enum { ALIGN = 64 };

static size_t layer_bytes(const ith_plan *plan, int layer)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        if (plan->entries[i].matrix != NULL && plan->entries[i].layer == layer)
            bytes += ith_entry_bytes(&plan->entries[i]);
    return bytes;
}

static int count_layers(const ith_plan *plan)
{
    int n = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        n = plan->entries[i].layer >= n ? plan->entries[i].layer + 1 : n;
    return n;
}

/* Vectors, and matrices that neither belong to a layer nor are the two. */
static size_t bytes_that_must_stay(const ith_plan *plan, const ith_matrix *embed, const ith_matrix *output)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->n_entries; i++) {
        const ith_entry *e = &plan->entries[i];
        if (e->matrix == NULL || (e->layer == ITH_NO_LAYER && e->matrix != embed && e->matrix != output))
            bytes += ith_entry_bytes(e);
    }
    return bytes;
}

static size_t largest_layer(const ith_plan *plan, int n_layers)
{
    size_t most = 0;
    for (int i = 0; i < n_layers; i++)
        most = layer_bytes(plan, i) > most ? layer_bytes(plan, i) : most;
    return most;
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
static ith_step *add_step(ith_residence *r, int n_parts, ith_error *err)
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
    grown[r->n_steps] = (ith_step){.parts = parts};
    return &grown[r->n_steps++];
}

static void add_part(ith_step *step, ith_entry *e, int64_t first, int64_t n)
{
    e->streamed = true;
    step->parts[step->n_parts++] = (ith_step_part){e, first, n, step->bytes};
    step->bytes += ((size_t)n * e->unit_bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static ith_status add_layer(ith_plan *plan, int layer, ith_residence *r, ith_error *err)
{
    ith_step *step = add_step(r, (int)plan->n_entries, err);

    if (step == NULL)
        return ITH_E_MEMORY;
    for (size_t i = 0; i < plan->n_entries; i++)
        if (plan->entries[i].matrix != NULL && plan->entries[i].layer == layer)
            add_part(step, &plan->entries[i], 0, plan->entries[i].n_units);
    return ITH_OK;
}

static ith_status add_output(ith_entry *e, ith_residence *r, ith_error *err)
{
    r->part_tiles = (int64_t)(r->slot_bytes / e->unit_bytes);
    r->output_parts = 0;
    r->first_output_step = r->n_steps;
    for (int64_t first = 0; first < e->n_units; first += r->part_tiles, r->output_parts++) {
        ith_step *step = add_step(r, 1, err);
        if (step == NULL)
            return ITH_E_MEMORY;
        add_part(step, e, first, e->n_units - first < r->part_tiles ? e->n_units - first : r->part_tiles);
    }
    return ITH_OK;
}

static ith_status too_little(size_t budget, size_t must, size_t slots, ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY,
                    "%.0f MiB are left for weights; streamed from layer to layer they need %.0f MiB and two slots of "
                    "%.0f MiB: give more memory (--mem), a smaller context (--ctx) or a smaller chunk (--chunk)",
                    (double)budget / MIB, (double)must / MIB, (double)slots / 2 / MIB);
}

ith_status ith_residence_choose(ith_plan *plan, size_t budget, int n_slots, bool rest_stays, const ith_matrix *embed,
                                const ith_matrix *output, ith_residence *r, ith_error *err)
{
    int n_layers = count_layers(plan);
    size_t must = bytes_that_must_stay(plan, embed, output), all = 0, slots, left;
    ith_entry *embed_entry = ith_plan_entry(plan, embed), *output_entry = ith_plan_entry(plan, output);

    for (size_t i = 0; i < plan->n_entries; i++)
        all += ith_entry_bytes(&plan->entries[i]);
    *r = (ith_residence){
        .resident = all, .output_stays = true, .embed_stays = true, .layers_resident = n_layers, .output_parts = 1};
    if (budget == 0 || all <= budget)
        return ITH_OK;

    r->slot_bytes = largest_layer(plan, n_layers);
    if (r->slot_bytes < output_entry->unit_bytes)
        r->slot_bytes = output_entry->unit_bytes;
    slots = (size_t)n_slots * r->slot_bytes;
    if (must + slots > budget)
        return too_little(budget, must, slots, err);
    left = rest_stays ? budget - must - slots : 0;
    r->resident = must;
    r->output_stays = stays(ith_entry_bytes(output_entry), &left, &r->resident);
    r->embed_stays = embed == output ? r->output_stays : stays(ith_entry_bytes(embed_entry), &left, &r->resident);
    embed_entry->streamed = !r->embed_stays;
    r->layers_resident = 0;
    while (r->layers_resident < n_layers && stays(layer_bytes(plan, r->layers_resident), &left, &r->resident))
        r->layers_resident++;
    for (int i = r->layers_resident; i < n_layers; i++)
        ITH_TRY(add_layer(plan, i, r, err));
    return r->output_stays ? ITH_OK : add_output(output_entry, r, err);
}

void ith_residence_free(ith_residence *r)
{
    for (int64_t i = 0; r->steps != NULL && i < r->n_steps; i++)
        free(r->steps[i].parts);
    free(r->steps);
    r->steps = NULL;
}
