/* metrics.c - counters and histograms, and their text.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/ describes the format.
 */
#include "serve/metrics.h"

#include <stdio.h>
#include <stdlib.h>

/* The last stands for every other one. */
static const int statuses[ITH_METRICS_STATUSES] = {200, 304, 400, 401, 403, 404,
                                                   405, 413, 499, 500, 503, 0};

/* Upper bounds in milliseconds; the last bucket has none. Prompts take from moments to hours. */
static const int64_t bounds[ITH_METRICS_BUCKETS - 1] = {50,     100,    250,    500,     1000,
                                                        2500,   5000,   10000,  30000,   60000,
                                                        120000, 300000, 600000, 1800000, 3600000};

static long long get(atomic_llong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add(atomic_llong *counter, long long more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

/* ---- Counting ---- */

void ith_metrics_request(ith_metrics *m, size_t route, unsigned status)
{
    size_t i = 0;

    while (i < ITH_METRICS_STATUSES - 1 && statuses[i] != (int)status)
        i++;
    add(&m->requests[route][i], 1);
}

void ith_metrics_time(ith_histogram *h, int64_t ms)
{
    size_t i = 0;

    while (i < ITH_METRICS_BUCKETS - 1 && ms > bounds[i])
        i++;
    add(&h->counts[i], 1);
    add(&h->ms, ms);
}

/* ---- The text ---- */

static void put_head(FILE *f, const char *name, const char *type, const char *help)
{
    fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_value(FILE *f, const char *name, const char *type, const char *help,
                      long long value)
{
    put_head(f, name, type, help);
    fprintf(f, "%s %lld\n", name, value);
}

static void put_request(FILE *f, const char *route, int status, long long n)
{
    char text[16] = "other";

    if (status != 0)
        snprintf(text, sizeof text, "%d", status);
    fprintf(f, "ithaca_requests_total{route=\"%s\",status=\"%s\"} %lld\n",
            route != NULL ? route : "other", text, n);
}

static void put_requests(FILE *f, ith_metrics *m, const ith_metrics_view *view)
{
    put_head(f, "ithaca_requests_total", "counter",
             "Requests by address and HTTP status; 499: the response is not complete.");
    for (size_t r = 0; r < ITH_METRICS_ROUTES; r++)
        for (size_t i = 0; i < ITH_METRICS_STATUSES; i++) {
            long long n = get(&m->requests[r][i]);
            if (n > 0)
                put_request(f, view->route(r), statuses[i], n);
        }
}

static void put_histogram(FILE *f, const char *name, const char *help, ith_histogram *h)
{
    long long n = 0;

    put_head(f, name, "histogram", help);
    for (size_t i = 0; i < ITH_METRICS_BUCKETS - 1; i++) {
        n += get(&h->counts[i]);
        fprintf(f, "%s_bucket{le=\"%g\"} %lld\n", name, (double)bounds[i] / 1000, n);
    }
    n += get(&h->counts[ITH_METRICS_BUCKETS - 1]);
    fprintf(f, "%s_bucket{le=\"+Inf\"} %lld\n%s_sum %.3f\n%s_count %lld\n", name, n, name,
            (double)get(&h->ms) / 1000, name, n);
}

static void put_prompts(FILE *f, ith_metrics *m, const ith_metrics_view *view)
{
    long long in_flight = get(&m->in_flight), inside = get(&m->taken) - in_flight;

    put_value(f, "ithaca_prompts_in_flight", "gauge", "Prompts that are worked on.", in_flight);
    put_head(f, "ithaca_prompts_waiting", "gauge",
             "Prompts that wait: for another to end (sessions); for memory, or for another to "
             "compute what both begin with (memory).");
    fprintf(f, "ithaca_prompts_waiting{for=\"sessions\"} %d\n", view->queued);
    fprintf(f, "ithaca_prompts_waiting{for=\"memory\"} %lld\n", inside > 0 ? inside : 0);
}

static void put_all(FILE *f, ith_metrics *m, const ith_metrics_view *view)
{
    put_requests(f, m, view);
    put_value(f, "ithaca_requests_in_flight", "gauge",
              "Requests that are being read or answered, this one too.", view->requests);
    put_prompts(f, m, view);
    put_value(f, "ithaca_prompt_tokens_total", "counter",
              "Tokens of prompts: computed, or read from the prompt cache.",
              get(&m->prompt_tokens));
    put_value(f, "ithaca_completion_tokens_total", "counter", "Tokens of answers.",
              get(&m->completion_tokens));
    put_value(f, "ithaca_prompts_begun_again_total", "counter",
              "Times that a prompt gave up its memory to others and began again.",
              get(&m->begun_again));
    put_value(f, "ithaca_draft_tokens_total", "counter",
              "Tokens of finished answers that were guessed.", get(&m->drafted));
    put_value(f, "ithaca_accepted_tokens_total", "counter", "Of these, those that were right.",
              get(&m->accepted));
    put_histogram(f, "ithaca_request_waiting_seconds",
                  "From when a request has come until its first prompt is worked on.", &m->waiting);
    put_histogram(f, "ithaca_time_to_first_token_seconds",
                  "From when a request has come until the first token of its answer.",
                  &m->first_token);
    put_histogram(f, "ithaca_request_seconds",
                  "From when a request for an answer has come until it is over.", &m->seconds);
}

char *ith_metrics_text(ith_metrics *m, const ith_metrics_view *view, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);

    if (f == NULL)
        return NULL;
    put_all(f, m, view);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}
