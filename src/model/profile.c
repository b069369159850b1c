/* profile.c - adds up the times of laps and the counts of the store. */
#include "model/profile.h"

#include "base/monotonic.h"

#include <stdlib.h>

static ith_feed_counts count(const ith_profile *p, ith_store *store, int entry)
{
    return ith_store_count(store, entry < p->n_layers ? entry : ITH_NO_LAYER);
}

ith_status ith_profile_open(int n_layers, ith_store *store, ith_comm *comm, ith_profile **out,
                            ith_error *err)
{
    ith_profile *p = calloc(1, sizeof *p);
    size_t n = (size_t)n_layers + 1;
    bool good = p != NULL && (p->fed = calloc(n, sizeof *p->fed)) != NULL;

    for (int i = 0; good && i < ITH_PHASES; i++)
        good = (p->phases[i].entries = calloc(n, sizeof *p->phases[i].entries)) != NULL;
    *out = NULL;
    if (!good) {
        ith_profile_close(p);
        return ith_fail(err, ITH_E_MEMORY, "no memory for a profile of %d layers", n_layers);
    }
    p->n_layers = n_layers;
    p->comm = comm;
    comm->timers++;
    for (int i = 0; i <= n_layers; i++)
        p->fed[i] = count(p, store, i);
    *out = p;
    return ITH_OK;
}

void ith_profile_close(ith_profile *p)
{
    if (p == NULL)
        return;
    for (int i = 0; i < ITH_PHASES; i++)
        free(p->phases[i].entries);
    if (p->comm != NULL)
        p->comm->timers--;
    ith_trace_close(p->trace);
    free(p->fed);
    free(p);
}

/* What this rank has waited for others since it was last asked. */
static int64_t take_waited(ith_profile *p)
{
    int64_t ns = p->comm->waited_ns - p->waited_ns;
    p->waited_ns = p->comm->waited_ns;
    return ns;
}

void ith_profile_begin(ith_profile *p, ith_phase phase, int64_t n)
{
    int64_t waited = take_waited(p);

    p->phase = phase;
    p->phases[phase].passes++;
    p->phases[phase].tokens += n;
    p->begin_ns = ith_clock_ns();
    if (p->trace != NULL)
        ith_trace_begin(p->trace, p->last_ns, waited, p->begin_ns);
    p->last_ns = p->begin_ns;
}

static void add(ith_profile *p, int layer, ith_lap lap, int64_t end_ns)
{
    p->phases[p->phase].entries[layer].ns[lap] += end_ns - p->last_ns;
    if (p->trace != NULL)
        ith_trace_lap_add(
            p->trace, (ith_trace_lap){p->last_ns, end_ns, layer, (uint8_t)lap, (uint8_t)p->phase});
    p->last_ns = end_ns;
}

void ith_profile_lap(ith_profile *p, int layer, ith_lap lap)
{
    int64_t now = ith_clock_ns(), waited = take_waited(p);

    if (waited > 0)
        add(p, layer, ITH_LAP_WAIT, p->last_ns + waited);
    add(p, layer, lap, now);
}

/* sum += now - before */
static void add_fed(ith_feed_counts *sum, const ith_feed_counts *now, const ith_feed_counts *before)
{
    sum->read += now->read - before->read;
    sum->unpacked += now->unpacked - before->unpacked;
    sum->gathered += now->gathered - before->gathered;
    sum->stall_ns += now->stall_ns - before->stall_ns;
}

void ith_profile_end(ith_profile *p, ith_store *store)
{
    ith_profile_lap(p, p->n_layers, ITH_LAP_REST);
    if (p->trace != NULL)
        ith_trace_end(p->trace, (int)p->phase, p->begin_ns, p->last_ns);
    for (int i = 0; i <= p->n_layers; i++) {
        ith_feed_counts now = count(p, store, i);
        add_fed(&p->phases[p->phase].entries[i].fed, &now, &p->fed[i]);
        p->fed[i] = now;
    }
}

ith_profile_entry ith_profile_sum(const ith_profile *p, ith_phase phase)
{
    static const ith_feed_counts none;
    ith_profile_entry sum = {0};

    for (int i = 0; i <= p->n_layers; i++) {
        const ith_profile_entry *entry = &p->phases[phase].entries[i];
        for (int lap = 0; lap < ITH_LAPS; lap++)
            sum.ns[lap] += entry->ns[lap];
        add_fed(&sum.fed, &entry->fed, &none);
    }
    return sum;
}
