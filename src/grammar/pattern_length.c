/* pattern_length.c - the product of a pattern's states and a count. */
#include "grammar/pattern_length.h"
#include "grammar/regex.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PAIRS = 1 << 21 };

typedef struct product {
    ith_rules *g;
    ith_rules pattern;
    int32_t *states; /* [counts][n] of `g`; -1: not reached */
    int32_t *queue;  /* pairs: count * n + state */
    int64_t counts, n, n_queue, min, max;
    int32_t from;
} product;

/* The state of `g` for a pair. */
static int32_t pair(product *p, int32_t state, int64_t count)
{
    int64_t at = count * p->n + state;

    if (p->states[at] < 0) {
        p->states[at] = ith_rules_state(p->g, p->g->states[p->from].rule);
        p->queue[p->n_queue++] = (int32_t)at;
    }
    return p->states[at];
}

static void add_edges(product *p, int32_t state, int64_t count)
{
    int32_t from = pair(p, state, count);

    for (int32_t e = p->pattern.states[state].edges; e >= 0; e = p->pattern.edges[e].next) {
        const ith_edge *edge = &p->pattern.edges[e];
        int64_t after = count + ((edge->flags & ITH_EDGE_COUNTS) != 0);
        if (after > p->max)
            continue;
        if (after >= p->counts) /* there is no bound above: enough is enough */
            after = p->counts - 1;
        if (edge->kind == ITH_EDGE_BYTES)
            ith_rules_bytes(p->g, from, pair(p, edge->to, after), edge->low, edge->high, 0);
        else
            ith_rules_empty(p->g, from, pair(p, edge->to, after));
    }
}

static void multiply(product *p, int32_t start, int32_t end, int32_t to)
{
    size_t n = (size_t)(p->counts * p->n);

    if (!ith_rules_spend(p->g, (int64_t)n))
        return;
    p->states = malloc(n * sizeof *p->states);
    p->queue = malloc(n * sizeof *p->queue);
    if (p->states == NULL || p->queue == NULL) {
        ith_rules_fail(p->g, ITH_E_MEMORY, "no memory for a pattern of %zu states", n);
        return;
    }
    memset(p->states, -1, n * sizeof *p->states);
    ith_rules_empty(p->g, p->from, pair(p, start, 0));
    for (int64_t i = 0; i < p->n_queue && !ith_rules_failed(p->g); i++)
        add_edges(p, (int32_t)(p->queue[i] % p->n), p->queue[i] / p->n);
    for (int64_t count = p->min; count < p->counts; count++)
        if (p->states[count * p->n + end] >= 0)
            ith_rules_empty(p->g, p->states[count * p->n + end], to);
}

void ith_pattern_length_add(ith_rules *g, int32_t from, int32_t to, const char *pattern,
                            int64_t min, int64_t max)
{
    product p = {.g = g, .min = min, .max = max, .from = from};
    int32_t rule, start, end;

    p.counts = (max < ITH_COUNT_ANY ? max : min) + 1;
    ith_rules_init(&p.pattern);
    p.pattern.work = g->work;
    rule = ith_rules_add(&p.pattern, "pattern");
    start = ith_rules_start(&p.pattern, rule);
    end = ith_rules_state(&p.pattern, rule);
    ith_regex_add(&p.pattern, start, end, pattern, strlen(pattern), ITH_EDGE_COUNTS);
    p.n = p.pattern.n_states;
    g->work = p.pattern.work;
    if (ith_rules_failed(&p.pattern))
        ith_rules_fail(g, p.pattern.failure.status, "%s", p.pattern.failure.text);
    else if (p.counts > MOST_PAIRS / (p.n + 1))
        ith_rules_fail(g, ITH_E_UNSUPPORTED, "beside pattern, the length is too large");
    else
        multiply(&p, start, end, to);
    free(p.states);
    free(p.queue);
    ith_rules_free(&p.pattern);
}
