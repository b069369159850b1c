/* steps.c - makes the steps of what comes and goes, and shares out room for their shelves. */
#include "weights/steps.h"

#include "weights/residence_sizes.h"

#include <assert.h>
#include <stdlib.h>

/* No layer has more stages than STAGES_MOST. */
enum { ALIGN = 64, STAGES_MOST = 16 };

/* NULL if there is no memory. */
static ith_step *add_step(ith_steps *s, size_t offset, int n_extents, ith_error *err)
{
    ith_step *grown = realloc(s->items, (size_t)(s->n + 1) * sizeof *grown);
    ith_extent *extents = calloc((size_t)n_extents + 1, sizeof *extents);
    if (grown != NULL)
        s->items = grown;
    if (grown == NULL || extents == NULL) {
        free(extents);
        ith_fail(err, ITH_E_MEMORY, "no memory for the steps of streamed weights");
        return NULL;
    }
    grown[s->n] = (ith_step){.extents = extents, .offset = offset};
    return &grown[s->n++];
}

/* The extents of an expert follow each other. */
static size_t bytes_of_last_expert(const ith_step *step)
{
    const ith_extent *last = &step->extents[step->n_extents - 1];
    size_t bytes = 0;

    for (const ith_extent *x = last; x >= step->extents; x--)
        if (x->entry->expert == last->entry->expert)
            bytes += ith_entry_bytes(x->entry);
        else
            break;
    return bytes;
}

static void add_extent(ith_step *step, const ith_entry *e, int64_t first, int64_t n)
{
    ith_extent *x = &step->extents[step->n_extents];

    *x = (ith_extent){.entry = e, .first = first, .n = n, .at = step->bytes};
    step->bytes += ((size_t)n * e->unit_bytes + ALIGN - 1) / ALIGN * ALIGN;
    step->n_extents++;
    if (ith_is_expert(e)) {
        size_t cell = bytes_of_last_expert(step);
        step->cell_bytes = cell > step->cell_bytes ? cell : step->cell_bytes;
        step->n_experts = e->expert >= step->n_experts ? e->expert + 1 : step->n_experts;
    }
}

/* ---- Stages of layers ---- */

static bool is_of_stage(const ith_entry *e, int layer, int stage)
{
    return ith_is_of_layer(e, layer) && e->stage == stage;
}

static int count_entries(const ith_load_plan *plan, int layer, int stage)
{
    int n = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        n += is_of_stage(&plan->entries[i], layer, stage);
    return n;
}

static ith_status add_stage(const ith_load_plan *plan, int layer, int stage, size_t offset,
                            ith_steps *s, ith_error *err)
{
    ith_step *step = add_step(s, offset, count_entries(plan, layer, stage), err);

    if (step == NULL)
        return ITH_E_MEMORY;
    for (size_t i = 0; i < plan->n_entries; i++)
        if (is_of_stage(&plan->entries[i], layer, stage))
            add_extent(step, &plan->entries[i], 0, plan->entries[i].n_units);
    return ITH_OK;
}

static bool stage_stays(const ith_load_plan *plan, int layer, int stage)
{
    for (size_t i = 0; i < plan->n_entries; i++)
        if (is_of_stage(&plan->entries[i], layer, stage) && plan->entries[i].streamed)
            return false;
    return true;
}

/* A stage has the same offset in all layers. A layer may have fewer stages than others. */
static ith_status add_layer(const ith_load_plan *plan, int layer, const size_t *offsets, bool cut,
                            ith_steps *s, ith_error *err)
{
    for (int stage = 0; stage < s->n_stages; stage++) {
        if (cut ? count_entries(plan, layer, stage) == 0 : stage_stays(plan, layer, stage))
            continue;
        s->of_stage[layer * s->n_stages + stage] = s->n;
        ITH_TRY(add_stage(plan, layer, stage, offsets[stage], s, err));
    }
    return ITH_OK;
}

/* ---- The output matrix ---- */

static ith_status add_output(const ith_entry *e, ith_steps *s, ith_error *err)
{
    size_t half = s->transit / 2 / ALIGN * ALIGN;
    int64_t tiles = (int64_t)(half / e->unit_bytes);

    s->step_tiles = tiles;
    s->output_steps = 0;
    for (int64_t first = 0; first < e->n_units; first += tiles, s->output_steps++) {
        ith_step *step = add_step(s, (size_t)(s->output_steps % 2) * half, 1, err);
        if (step == NULL)
            return ITH_E_MEMORY;
        add_extent(step, e, first, e->n_units - first < tiles ? e->n_units - first : tiles);
    }
    return ITH_OK;
}

ith_status ith_steps_make(const ith_load_plan *plan, const ith_matrix *output, bool cut,
                          ith_steps *s, ith_error *err)
{
    const ith_entry *e = ith_load_plan_entry(plan, output);
    size_t offsets[STAGES_MOST] = {0};

    assert(s->n_stages <= STAGES_MOST);
    for (int stage = 1; stage < s->n_stages; stage++)
        offsets[stage] = offsets[stage - 1] + ith_stage_bytes(plan, stage - 1);
    s->of_stage = malloc(((size_t)s->n_layers * (size_t)s->n_stages + 1) * sizeof *s->of_stage);
    if (s->of_stage == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the steps of streamed weights");
    for (int i = 0; i < s->n_layers * s->n_stages; i++)
        s->of_stage[i] = -1;
    for (int i = 0; i < s->n_layers; i++)
        ITH_TRY(add_layer(plan, i, offsets, cut, s, err));
    s->first_output = s->n;
    return e->streamed || cut ? add_output(e, s, err) : ITH_OK;
}

/* ---- Shelves ---- */

/* An expert of a layer, over its stages; over all layers if `layer` is ITH_NO_LAYER. */
static size_t bytes_of_expert(const ith_steps *s, int layer)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < s->n; i++)
        if (layer == ITH_NO_LAYER || s->items[i].extents[0].entry->layer == layer)
            bytes += s->items[i].cell_bytes;
    return bytes;
}

static void give_cells(ith_steps *s, int layer, int64_t n)
{
    for (int64_t i = 0; i < s->n; i++) {
        ith_step *step = &s->items[i];
        if (step->extents[0].entry->layer != layer || step->n_experts == 0)
            continue;
        step->n_cells = (int)(n < step->n_experts ? n : step->n_experts);
        s->shelves += (size_t)step->n_cells * step->cell_bytes;
    }
}

void ith_steps_add_shelves(ith_steps *s, size_t left)
{
    size_t each = bytes_of_expert(s, ITH_NO_LAYER);
    int64_t n = each == 0 ? 0 : (int64_t)(left / each);

    left -= (size_t)n * each;
    for (int layer = 0; each > 0 && layer < s->n_layers; layer++) {
        size_t one = bytes_of_expert(s, layer);
        bool more = one > 0 && one <= left;
        left -= more ? one : 0;
        give_cells(s, layer, n + more);
    }
}

/* ---- Freeing ---- */

int ith_steps_layer(const ith_steps *s, int64_t step)
{
    for (int i = 0; i < s->n_layers * s->n_stages; i++)
        if (s->of_stage[i] == step)
            return i / s->n_stages;
    return -1;
}

void ith_step_free(ith_step *steps, int64_t n)
{
    for (int64_t i = 0; steps != NULL && i < n; i++)
        free(steps[i].extents);
    free(steps);
}

void ith_steps_free(ith_steps *s)
{
    ith_step_free(s->items, s->n);
    free(s->of_stage);
    s->items = NULL;
    s->of_stage = NULL;
}
