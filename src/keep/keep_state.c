/* keep_state.c - what a keeper saves of the session's state, and its warnings. */
#include "keep/keep_state.h"

#include <stdio.h>

bool ith_keep_holds(const ith_keep *keep, int head, int64_t segment)
{
    return ith_kv_holds(keep->session->state->pools[0], head, segment);
}

void *ith_keep_segment(const ith_keep *keep, int layer, int head, int64_t segment)
{
    int number;
    const ith_kv *kv = ith_state_kv(keep->session->state, keep->kv_layers[layer], &number);
    return ith_kv_segment(kv, number, head, segment);
}

bool ith_keep_keeps(const ith_keep *keep, int layer, int64_t segment)
{
    int number;
    const ith_kv *kv = ith_state_kv(keep->session->state, keep->kv_layers[layer], &number);
    return segment >= ith_kv_first(kv);
}

ith_recurrent_layer *ith_keep_state(const ith_keep *keep, int layer)
{
    return &keep->session->state->recurrent->layers[keep->state_layers[layer]];
}

void ith_keep_activate(ith_keep *keep, bool active)
{
    ith_recurrent *recurrent = keep->session->state->recurrent;

    keep->active = active;
    if (recurrent != NULL)
        recurrent->to_save = active;
}

ith_key ith_keep_root(const ith_keep *keep)
{
    static const char name[] = "long_rope";
    const ith_digest_input spans[] = {{keep->model.bytes, sizeof keep->model.bytes},
                                      {name, sizeof name}};
    return keep->session->is_long ? ith_key_root(spans, 2) : keep->model;
}

void ith_keep_warn(const ith_keep *keep, const char *text, const char *consequence)
{
    char line[sizeof((ith_error *)NULL)->text + 100];

    if (keep->warn == NULL || keep->session->engine->world->comm->rank != 0)
        return;
    snprintf(line, sizeof line, "%s: %s: %s", keep->own_archive ? "checkpoint" : "prompt cache",
             text, consequence);
    keep->warn(keep->user, line);
}
