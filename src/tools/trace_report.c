/* trace_report.c - what a trace has kept, as events of Chrome's trace viewer. */
#include "base/fpenv.h"
#include "base/json.h"
#include "engine/session.h"
#include "ithaca_tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Events ---- */

static double us(int64_t ns)
{
    return (double)ns * 1e-3;
}

/* {"ph": "M"}: what a process or thread is called. */
static json_t *name_event(const char *what, int rank, int thread, json_t *name)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:{s:o}}", "name", what, "ph", "M", "pid", rank, "tid",
                     thread, "args", "name", name);
}

static json_t *lap_event(const ith_trace *t, const ith_trace_lap *lap, int rank)
{
    static const char *const names[ITH_LAPS] =
        {"wait for weights", "GEMM", "attention", "exchange", "gather", "wait for ranks", "other"},
                             *const phases[ITH_PHASES + 1] = {"prefill", "decode",
                                                              "between passes"};
    json_t *args =
        lap->layer < t->n_layers ? json_pack("{s:i}", "layer", (int)lap->layer) : json_object();

    return json_pack("{s:s, s:s, s:s, s:f, s:f, s:i, s:i, s:o}", "name",
                     lap->what == ITH_TRACE_PASS ? phases[lap->phase] : names[lap->what], "cat",
                     lap->what == ITH_TRACE_PASS ? "pass" : phases[lap->phase], "ph", "X", "ts",
                     us(lap->begin_ns - t->origin_ns), "dur", us(lap->end_ns - lap->begin_ns),
                     "pid", rank, "tid", 0, "args", args);
}

static json_t *fetch_event(const ith_trace *t, const ith_trace_fetch *f, int rank)
{
    json_t *args = json_pack("{s:I}", "bytes", (json_int_t)f->bytes);

    if (f->layer >= 0)
        json_object_set_new(args, "layer", json_integer(f->layer));
    return json_pack("{s:s, s:s, s:s, s:f, s:f, s:i, s:i, s:o}", "name",
                     f->unpacked ? "decompression" : "reading", "cat", "weights", "ph", "X", "ts",
                     us(f->begin_ns - t->origin_ns), "dur", us(f->end_ns - f->begin_ns), "pid",
                     rank, "tid", 1 + f->thread, "args", args);
}

static void add_fetches(ith_trace *t, int rank, json_t *events)
{
    int threads = 0;

    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->n_fetches; i++) {
        const ith_trace_fetch *f = &t->fetches[i];
        threads = f->thread + 1 > threads ? f->thread + 1 : threads;
        if (f->begin_ns >= t->origin_ns)
            json_array_append_new(events, fetch_event(t, f, rank));
    }
    pthread_mutex_unlock(&t->lock);
    for (int i = 0; i < threads; i++)
        json_array_append_new(
            events, name_event("thread_name", rank, 1 + i, json_sprintf("weights %d", i)));
}

static json_t *events_json(ith_trace *t, int rank)
{
    json_t *events = json_array();

    json_array_append_new(events,
                          name_event("process_name", rank, 0, json_sprintf("rank %d", rank)));
    json_array_append_new(events, name_event("thread_name", rank, 0, json_string("passes")));
    for (size_t i = 0; i < t->n; i++)
        json_array_append_new(events, lap_event(t, &t->laps[i], rank));
    add_fetches(t, rank, events);
    if (t->lost + t->lost_fetches > 0)
        json_array_append_new(events, json_pack("{s:s, s:s, s:f, s:i, s:i, s:s, s:{s:I}}", "name",
                                                "lost events", "ph", "i", "ts", 0.0, "pid", rank,
                                                "tid", 0, "s", "p", "args", "number",
                                                (json_int_t)(t->lost + t->lost_fetches)));
    return events;
}

/* ---- All ranks ---- */

/* The events of all ranks, one rank after another, as text without brackets. */
static ith_status gather_events(ith_comm *comm, const char *mine, char **all, ith_error *err)
{
    size_t n = (size_t)comm->size;
    int64_t *counts = calloc(3 * n, sizeof *counts), *displs, *ones, len = (int64_t)strlen(mine),
            total = 0;
    ith_status status =
        counts == NULL ? ith_fail(err, ITH_E_MEMORY, "no memory for a trace") : ITH_OK;

    *all = NULL;
    ITH_TRY(ith_comm_agree(comm, status, err));
    displs = counts + n;
    ones = displs + n;
    for (size_t i = 0; i < n; i++) {
        ones[i] = sizeof *counts;
        displs[i] = (int64_t)(i * sizeof *counts);
    }
    comm->ops->allgatherv(comm, &len, counts, ones, displs);
    for (size_t i = 0; i < n; i++) {
        displs[i] = total;
        total += counts[i];
    }
    *all = malloc((size_t)total + 1);
    status = ith_comm_agree(
        comm, *all == NULL ? ith_fail(err, ITH_E_MEMORY, "no memory for a trace") : ITH_OK, err);
    if (status == ITH_OK) {
        comm->ops->allgatherv(comm, mine, *all, counts, displs);
        (*all)[total] = '\0';
    }
    free(counts);
    return status;
}

/* Digits of a time in microseconds: thousandths of them for ten days. */
enum { DIGITS = 15 };

/* The rank's events as text, with a comma before the first but on rank 0. NULL: no memory. */
static char *my_events(const ith_session *s, int rank)
{
    json_t *events = events_json(s->profile->trace, rank);
    char *array = NULL, *text = NULL;

    if (events != NULL)
        array = json_dumps(events, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
    json_decref(events);
    if (array == NULL)
        return NULL;
    array[strlen(array) - 1] = '\0'; /* without its brackets */
    if (asprintf(&text, "%s%s", rank > 0 ? "," : "", array + 1) < 0)
        text = NULL;
    free(array);
    return text;
}

ith_status ith_session_trace(const ith_session *s, char **json, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_comm *comm = s->engine->world->comm;
    char *mine = NULL, *all = NULL;
    ith_status status = ITH_OK;

    *json = NULL;
    if (s->profile == NULL || s->profile->trace == NULL)
        status = ith_fail(err, ITH_E_ARGUMENT, "ith_session_trace_start was not called");
    else if ((mine = my_events(s, comm->rank)) == NULL)
        status = ith_fail(err, ITH_E_MEMORY, "no memory for a trace");
    status = ith_comm_agree(comm, status, err);
    if (status == ITH_OK)
        status = gather_events(comm, mine, &all, err);
    free(mine);
    if (status == ITH_OK && comm->rank == 0 &&
        asprintf(json, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[%s]}\n", all) < 0) {
        *json = NULL;
        status = ith_fail(err, ITH_E_MEMORY, "no memory for a trace");
    }
    free(all);
    return ith_comm_agree(comm, status, err);
}
