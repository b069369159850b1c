/* residence_sizes.c - sizes of what stays and of what comes and goes. */
#include "weights/residence_sizes.h"

enum { ALIGN = 64 };

size_t ith_layer_bytes(const ith_load_plan *plan, const ith_shards *shards, int layer, bool experts)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        if (ith_is_of_layer(&plan->entries[i], layer) &&
            ith_is_expert(&plan->entries[i]) == experts)
            bytes += ith_shard_most(shards, &plan->entries[i]);
    return bytes;
}

int ith_count_layers(const ith_load_plan *plan)
{
    int n = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        n = plan->entries[i].layer >= n ? plan->entries[i].layer + 1 : n;
    return n;
}

int ith_count_stages(const ith_load_plan *plan)
{
    int n = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        n = plan->entries[i].stage >= n ? plan->entries[i].stage + 1 : n;
    return n;
}

static bool must_stay(const ith_entry *e, const ith_residence_params *p)
{
    return e->matrix == NULL ||
           (e->layer == ITH_NO_LAYER && e->matrix != p->embed && e->matrix != p->output);
}

size_t ith_bytes_that_must_stay(const ith_load_plan *plan, const ith_residence_params *p)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        if (must_stay(&plan->entries[i], p))
            bytes += ith_shard_most(&p->shards, &plan->entries[i]);
    return bytes;
}

/* Entries come in the order of layers: an entry's layer is that of the one before, or a later
 * one. */
size_t ith_stage_bytes(const ith_load_plan *plan, int stage)
{
    size_t most = 0, bytes = 0;
    int layer = ITH_NO_LAYER;

    for (size_t i = 0; i < plan->n_entries; i++) {
        const ith_entry *e = &plan->entries[i];
        if (e->layer == ITH_NO_LAYER || !ith_is_of_layer(e, e->layer) || e->stage != stage)
            continue;
        bytes = e->layer == layer ? bytes + ith_entry_bytes(e) : ith_entry_bytes(e);
        layer = e->layer;
        most = bytes > most ? bytes : most;
    }
    return most;
}

size_t ith_transit_bytes(const ith_load_plan *plan, const ith_residence_params *p, int n_stages)
{
    size_t bytes = 0, tiles = 2 * ((ith_load_plan_entry(plan, p->output)->unit_bytes + ALIGN - 1) /
                                   ALIGN * ALIGN);
    for (int stage = 0; stage < n_stages; stage++)
        bytes += ith_stage_bytes(plan, stage);
    return bytes > tiles ? bytes : tiles;
}

size_t ith_residence_least(const ith_load_plan *plan, const ith_residence_params *p)
{
    return ith_bytes_that_must_stay(plan, p) + ith_transit_bytes(plan, p, ith_count_stages(plan));
}

size_t ith_residence_whole(const ith_load_plan *plan, const ith_residence_params *p)
{
    bool cut = ith_shards_cut(&p->shards);
    size_t bytes = cut ? ith_transit_bytes(plan, p, ith_count_stages(plan)) : 0;

    for (size_t i = 0; i < plan->n_entries; i++)
        if (!cut || plan->entries[i].matrix != p->embed || p->embed == p->output)
            bytes += ith_shard_most(&p->shards, &plan->entries[i]);
    return bytes;
}
