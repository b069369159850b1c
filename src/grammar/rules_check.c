/* rules_check.c - what must be known of a grammar before it runs: which rules can end at all, which
 * may be empty, and in which order they begin. All is linear in the size of the grammar.
 *
 * Where a rule counts, each way round adds one, and the ways lead back to one place (GBNF's
 * repetitions, items of lists, characters of strings): its counter rises as far as it is wanted if
 * one of the edges that count can be passed at all. */
#include "grammar/rules.h"

#include <stdlib.h>
#include <string.h>

/* Edges by the state that they lead to, and calls by what they call. A rule that needs a least
 * number is open if its counter can rise: until then the states that need enough lead nowhere. */
typedef struct reversed {
    int32_t *by_state, *by_rule;     /* the first edge; -1: none */
    int32_t *next_state, *next_rule; /* [n_edges] */
    int32_t *from;                   /* [n_edges] */
    int32_t *needy, *next_needy;     /* [n_rules], [n_states] states that need enough; -1: none */
    int32_t *queue;                  /* [n_states] */
    uint8_t *reached;                /* [n_states] */
    uint8_t *open;                   /* [n_rules] */
    int32_t n_queue;
    bool empty_only; /* of edges, only those that take no byte */
} reversed;

static void free_reversed(reversed *r)
{
    free(r->by_state);
    free(r->by_rule);
    free(r->next_state);
    free(r->next_rule);
    free(r->from);
    free(r->needy);
    free(r->next_needy);
    free(r->queue);
    free(r->reached);
    free(r->open);
}

static bool needs_enough(const ith_rules *g, int32_t state)
{
    bool needs = g->states[state].final && g->states[state].enough;

    for (int32_t e = g->states[state].edges; e >= 0 && !needs; e = g->edges[e].next)
        needs = (g->edges[e].flags & ITH_EDGE_ENOUGH) != 0;
    return needs;
}

static void list_edges(const ith_rules *g, reversed *r)
{
    for (int32_t s = 0; s < g->n_states; s++) {
        if (needs_enough(g, s)) {
            r->next_needy[s] = r->needy[g->states[s].rule];
            r->needy[g->states[s].rule] = s;
        }
        for (int32_t e = g->states[s].edges; e >= 0; e = g->edges[e].next) {
            const ith_edge *edge = &g->edges[e];
            r->from[e] = s;
            r->next_state[e] = r->by_state[edge->to];
            r->by_state[edge->to] = e;
            r->next_rule[e] = -1;
            if (edge->kind == ITH_EDGE_CALL) {
                r->next_rule[e] = r->by_rule[edge->callee];
                r->by_rule[edge->callee] = e;
            }
        }
    }
}

static ith_status reverse(const ith_rules *g, reversed *r, ith_error *err)
{
    size_t n_states = (uint32_t)g->n_states, n_rules = (uint32_t)g->n_rules,
           n_edges = (uint32_t)g->n_edges + 1;

    *r = (reversed){.by_state = malloc(n_states * sizeof *r->by_state),
                    .by_rule = malloc(n_rules * sizeof *r->by_rule),
                    .next_state = malloc(n_edges * sizeof *r->next_state),
                    .next_rule = malloc(n_edges * sizeof *r->next_rule),
                    .from = malloc(n_edges * sizeof *r->from),
                    .needy = malloc(n_rules * sizeof *r->needy),
                    .next_needy = malloc(n_states * sizeof *r->next_needy),
                    .queue = malloc(n_states * sizeof *r->queue),
                    .reached = malloc(n_states),
                    .open = malloc(n_rules)};
    if (r->by_state == NULL || r->by_rule == NULL || r->next_state == NULL ||
        r->next_rule == NULL || r->from == NULL || r->needy == NULL || r->next_needy == NULL ||
        r->queue == NULL || r->reached == NULL || r->open == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a grammar of %zu states", n_states);
    memset(r->by_state, -1, n_states * sizeof *r->by_state);
    memset(r->by_rule, -1, n_rules * sizeof *r->by_rule);
    memset(r->needy, -1, n_rules * sizeof *r->needy);
    list_edges(g, r);
    return ITH_OK;
}

static void reach(reversed *r, int32_t state)
{
    if (r->reached[state])
        return;
    r->reached[state] = 1;
    r->queue[r->n_queue++] = state;
}

static bool passes(const ith_rules *g, const reversed *r, int32_t e)
{
    const ith_edge *edge = &g->edges[e];
    int32_t rule = g->states[edge->to].rule;

    if ((edge->flags & ITH_EDGE_COUNTS) != 0 && g->rules[rule].max == 0)
        return false;
    if ((edge->flags & ITH_EDGE_ENOUGH) != 0 && !r->open[rule])
        return false;
    if (edge->kind == ITH_EDGE_BYTES)
        return !r->empty_only;
    return edge->kind == ITH_EDGE_EMPTY || r->reached[g->rules[edge->callee].start];
}

/* Edge e counts, and what it takes can end. */
static void open_rule(const ith_rules *g, reversed *r, int32_t e)
{
    int32_t rule = g->states[r->from[e]].rule;

    if (r->open[rule] || (g->edges[e].flags & ITH_EDGE_COUNTS) == 0 || g->rules[rule].max == 0)
        return;
    r->open[rule] = 1;
    for (int32_t s = r->needy[rule]; s >= 0; s = r->next_needy[s]) {
        if (g->states[s].final)
            reach(r, s);
        for (int32_t k = g->states[s].edges; k >= 0; k = g->edges[k].next)
            if (r->reached[g->edges[k].to] && passes(g, r, k))
                reach(r, s);
    }
}

/* The rule of a reached start state can be called. An empty item may be repeated any number of
 * times, so a repetition of it may be empty, whatever its least number is. */
static void reach_callers(const ith_rules *g, reversed *r, int32_t rule)
{
    for (int32_t e = r->by_rule[rule]; e >= 0; e = r->next_rule[e]) {
        open_rule(g, r, e);
        if (r->reached[g->edges[e].to] && passes(g, r, e))
            reach(r, r->from[e]);
    }
}

/* Rules that need no least number are open, and those that count bytes. */
static void open_first(const ith_rules *g, reversed *r)
{
    for (int32_t i = 0; i < g->n_rules; i++)
        r->open[i] = g->rules[i].min == 0;
    for (int32_t s = 0; s < g->n_states && !r->empty_only; s++)
        for (int32_t e = g->states[s].edges; e >= 0; e = g->edges[e].next)
            if (g->edges[e].kind == ITH_EDGE_BYTES)
                open_rule(g, r, e);
}

/* Which states can reach the end of their rule, perhaps without a byte. */
static void spread(const ith_rules *g, reversed *r, bool empty_only)
{
    r->n_queue = 0;
    r->empty_only = empty_only;
    memset(r->reached, 0, (size_t)g->n_states);
    open_first(g, r);
    for (int32_t s = 0; s < g->n_states; s++)
        if (g->states[s].final && (!g->states[s].enough || r->open[g->states[s].rule]))
            reach(r, s);
    for (int32_t i = 0; i < r->n_queue; i++) {
        int32_t s = r->queue[i];
        for (int32_t e = r->by_state[s]; e >= 0; e = r->next_state[e])
            if (passes(g, r, e))
                reach(r, r->from[e]);
        if (g->rules[g->states[s].rule].start == s)
            reach_callers(g, r, g->states[s].rule);
    }
}

/* Removes edges to states, and calls of rules, that can never end. */
static void prune(ith_rules *g, const reversed *r)
{
    for (int32_t s = 0; s < g->n_states; s++)
        for (int32_t *at = &g->states[s].edges; *at >= 0;) {
            ith_edge *edge = &g->edges[*at];
            if (!r->reached[edge->to] ||
                (edge->kind == ITH_EDGE_CALL && !r->reached[g->rules[edge->callee].start]))
                *at = edge->next;
            else
                at = &edge->next;
        }
}

/* A repetition of what may be empty needs no least number. */
static void relax_counts(ith_rules *g, const reversed *r)
{
    for (int32_t s = 0; s < g->n_states; s++)
        for (int32_t e = g->states[s].edges; e >= 0; e = g->edges[e].next)
            if (g->edges[e].kind == ITH_EDGE_CALL && (g->edges[e].flags & ITH_EDGE_COUNTS) != 0 &&
                r->reached[g->rules[g->edges[e].callee].start])
                g->rules[g->states[s].rule].min = 0;
}

/* ---- The order in which rules begin ---- */

typedef struct beginning {
    const ith_rules *g;
    int32_t *stack;   /* [n_states] */
    uint8_t *seen;    /* [n_states] */
    int32_t *pending; /* [n_rules] by how many other rules it is begun */
    int32_t *ready;   /* [n_rules] */
    int32_t n_ready;
    int32_t rule; /* whose beginning is looked at */
} beginning;

/* Calls see() for each call that rule `r` can begin with. */
static void each_beginning(beginning *b, int32_t r, void (*see)(beginning *b, int32_t callee))
{
    const ith_rules *g = b->g;
    int32_t n = 0;

    b->rule = r;
    b->stack[n++] = g->rules[r].start;
    b->seen[g->rules[r].start] ^= 1;
    while (n > 0) {
        int32_t s = b->stack[--n];
        for (int32_t e = g->states[s].edges; e >= 0; e = g->edges[e].next) {
            const ith_edge *edge = &g->edges[e];
            bool on = edge->kind == ITH_EDGE_EMPTY;
            if (edge->kind == ITH_EDGE_CALL) {
                see(b, edge->callee);
                on = g->rules[edge->callee].is_nullable;
            }
            if (on && b->seen[edge->to] == (b->seen[g->rules[r].start] ^ 1)) {
                b->seen[edge->to] ^= 1;
                b->stack[n++] = edge->to;
            }
        }
    }
}

static void count_beginning(beginning *b, int32_t callee)
{
    b->pending[callee]++;
}

static void free_beginning(beginning *b, int32_t callee)
{
    if (--b->pending[callee] == 0)
        b->ready[b->n_ready++] = callee;
}

/* A rule that waits and begins another one is noted in `ready`, which has served. */
static void note_beginner(beginning *b, int32_t callee)
{
    b->ready[callee] = b->rule;
}

/* Of rules that wait for each other, one that is on a circle: each waits for one that waits. */
static int32_t circle(beginning *b)
{
    const ith_rules *g = b->g;
    int32_t at = 0;

    for (int32_t r = 0; r < g->n_rules; r++)
        if (b->pending[r] > 0) {
            each_beginning(b, r, note_beginner);
            at = r;
        }
    for (int32_t i = 0; i < g->n_rules; i++)
        at = b->ready[at];
    return at;
}

static ith_status order(ith_rules *g, beginning *b, ith_error *err)
{
    for (int32_t r = 0; r < g->n_rules; r++)
        each_beginning(b, r, count_beginning);
    for (int32_t r = 0; r < g->n_rules; r++)
        if (b->pending[r] == 0)
            b->ready[b->n_ready++] = r;
    for (int32_t i = 0; i < b->n_ready; i++) {
        g->rules[b->ready[i]].order = i;
        each_beginning(b, b->ready[i], free_beginning);
    }
    if (b->n_ready < g->n_rules)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s begins with itself, directly or through other rules (left recursion)",
                        g->rules[circle(b)].name);
    return ITH_OK;
}

static ith_status find_order(ith_rules *g, ith_error *err)
{
    size_t n_states = (uint32_t)g->n_states, n_rules = (uint32_t)g->n_rules;
    beginning b = {.g = g,
                   .stack = malloc(n_states * sizeof *b.stack),
                   .seen = calloc(n_states, 1),
                   .pending = calloc(n_rules, sizeof *b.pending),
                   .ready = malloc(n_rules * sizeof *b.ready)};
    ith_status status;

    if (b.stack == NULL || b.seen == NULL || b.pending == NULL || b.ready == NULL)
        status = ith_fail(err, ITH_E_MEMORY, "no memory for a grammar of %zu rules", n_rules);
    else
        status = order(g, &b, err);
    free(b.stack);
    free(b.seen);
    free(b.pending);
    free(b.ready);
    return status;
}

/* ---- */

static ith_status check(ith_rules *g, reversed *r, ith_error *err)
{
    ITH_TRY(reverse(g, r, err));
    spread(g, r, false);
    if (!r->reached[g->rules[g->root].start])
        return ith_fail(err, ITH_E_ARGUMENT, "no text fits: %s can never end%s%.600s%s",
                        g->rules[g->root].name, g->nothing_fits.status != ITH_OK ? " (" : "",
                        g->nothing_fits.text, g->nothing_fits.status != ITH_OK ? ")" : "");
    prune(g, r);
    spread(g, r, true);
    relax_counts(g, r);
    for (int32_t i = 0; i < g->n_rules; i++)
        g->rules[i].is_nullable = r->reached[g->rules[i].start];
    return find_order(g, err);
}

ith_status ith_rules_finish(ith_rules *g, int32_t root, ith_error *err)
{
    reversed r = {0};
    ith_status status;

    if (ith_rules_failed(g))
        return ith_fail(err, g->failure.status, "%s", g->failure.text);
    g->root = root;
    status = check(g, &r, err);
    free_reversed(&r);
    return status;
}
