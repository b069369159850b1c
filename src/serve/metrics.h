/* metrics.h - what a server counts, in Prometheus' text format 0.0.4.
 *
 * All of it is atomic and relaxed: any thread counts and reads, nobody waits. Numbers that belong
 * together may be read one event apart.
 */
#ifndef ITH_SERVE_METRICS_H
#define ITH_SERVE_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ITH_METRICS_ROUTES = 16, /* addresses; one at least stands for those that are unknown */
    ITH_METRICS_STATUSES = 12,
    ITH_METRICS_BUCKETS = 16
};

typedef struct ith_histogram {
    atomic_llong counts[ITH_METRICS_BUCKETS]; /* of each bucket alone */
    atomic_llong ms;                          /* sum */
} ith_histogram;

/* All zero at the beginning. */
typedef struct ith_metrics {
    atomic_llong requests[ITH_METRICS_ROUTES][ITH_METRICS_STATUSES];
    ith_histogram waiting, first_token, seconds; /* of requests with an answer */

    /* The engine's thread writes these. */
    atomic_llong prompt_tokens, completion_tokens;
    atomic_llong drafted, accepted; /* tokens that were guessed, and those that were right */
    atomic_llong taken;             /* prompts: from the queue, and not ended */
    atomic_llong in_flight;         /* of these */
    atomic_llong begun_again;
} ith_metrics;

/* What the server knows without counting, for the text. */
typedef struct ith_metrics_view {
    const char *(*route)(size_t i); /* the path of address i; NULL: there are not so many */
    int requests;                   /* whose responses are not complete */
    int queued;                     /* prompts */
} ith_metrics_view;

/* A request is over. route: the number of its address, or one more than the last has. */
void ith_metrics_request(ith_metrics *metrics, size_t route, unsigned status);

void ith_metrics_time(ith_histogram *histogram, int64_t ms);

/* malloc'd; NULL: no memory. */
char *ith_metrics_text(ith_metrics *metrics, const ith_metrics_view *view, size_t *len);

#endif
