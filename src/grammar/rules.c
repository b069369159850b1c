/* rules.c - building a grammar, and what must be known of it before it runs. */
#include "grammar/rules.h"

#include "base/grow.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Failure ---- */

void ith_rules_fail(ith_rules *g, ith_status status, const char *format, ...)
{
    va_list args;

    if (ith_rules_failed(g))
        return;
    g->failure.status = status;
    va_start(args, format);
    vsnprintf(g->failure.text, sizeof g->failure.text, format, args);
    va_end(args);
}

bool ith_rules_failed(const ith_rules *g)
{
    return g->failure.status != ITH_OK;
}

bool ith_rules_spend(ith_rules *g, int64_t steps)
{
    if (ith_rules_failed(g))
        return false;
    g->work -= steps;
    if (g->work < 0)
        ith_rules_fail(g, ITH_E_UNSUPPORTED, "the grammar is too large: it takes too much work");
    return g->work >= 0;
}

void ith_rules_nothing(ith_rules *g, const char *format, ...)
{
    va_list args;

    if (g->nothing_fits.status != ITH_OK)
        return;
    g->nothing_fits.status = ITH_E_ARGUMENT;
    va_start(args, format);
    vsnprintf(g->nothing_fits.text, sizeof g->nothing_fits.text, format, args);
    va_end(args);
}

/* Room for one more element; false: the grammar has failed. */
static bool grow(ith_rules *g, void **list, size_t *cap, int32_t n, size_t size, int32_t most,
                 const char *what)
{
    if (ith_rules_failed(g))
        return false;
    if (n >= most) {
        ith_rules_fail(g, ITH_E_UNSUPPORTED, "the grammar is too large: more than %d %s", most,
                       what);
        return false;
    }
    if (!ith_grow(list, cap, (size_t)n + 1, size)) {
        ith_rules_fail(g, ITH_E_MEMORY, "no memory for a grammar of %d %s", n + 1, what);
        return false;
    }
    return true;
}

/* ---- Building ---- */

/* Rule 0 and state 0 stand for what could not be added, and have no edges. */
void ith_rules_init(ith_rules *g)
{
    *g = (ith_rules){.root = -1, .work = ITH_RULES_WORK};
    ith_rules_add(g, "nothing");
}

void ith_rules_free(ith_rules *g)
{
    free(g->rules);
    free(g->states);
    free(g->edges);
    *g = (ith_rules){.root = -1};
}

size_t ith_rules_size(const ith_rules *g)
{
    return g->cap_rules * sizeof *g->rules + g->cap_states * sizeof *g->states +
           g->cap_edges * sizeof *g->edges;
}

int32_t ith_rules_state(ith_rules *g, int32_t rule)
{
    if (!grow(g, (void **)&g->states, &g->cap_states, g->n_states, sizeof *g->states,
              ITH_STATES_MOST, "states"))
        return 0;
    g->states[g->n_states] = (ith_rule_state){.rule = rule, .edges = -1};
    return g->n_states++;
}

int32_t ith_rules_add(ith_rules *g, const char *name)
{
    size_t len = strlen(name), cut = len < ITH_RULE_NAME ? 0 : len - (ITH_RULE_NAME - 1);
    int32_t start;

    while (cut > 0 && ((unsigned char)name[cut] & 0xc0) == 0x80)
        cut++;
    start = ith_rules_state(g, g->n_rules);
    if (!grow(g, (void **)&g->rules, &g->cap_rules, g->n_rules, sizeof *g->rules, ITH_RULES_MOST,
              "rules"))
        return 0;
    g->rules[g->n_rules] = (ith_rule){.start = start, .max = ITH_COUNT_ANY};
    memcpy(g->rules[g->n_rules].name, name + cut, len - cut);
    return g->n_rules++;
}

int32_t ith_rules_start(const ith_rules *g, int32_t rule)
{
    return rule < g->n_rules ? g->rules[rule].start : 0;
}

void ith_rules_count(ith_rules *g, int32_t rule, int64_t min, int64_t max)
{
    if (min > ITH_COUNT_MOST)
        ith_rules_fail(g, ITH_E_UNSUPPORTED, "%lld or more of one thing are out of reach",
                       (long long)min);
    if (ith_rules_failed(g))
        return;
    if (min > max) {
        ith_rules_nothing(g, "at least %lld but at most %lld", (long long)min, (long long)max);
        min = 1; /* and no room for one */
        max = 0;
    }
    g->rules[rule].min = (int32_t)min;
    g->rules[rule].max = max > ITH_COUNT_MOST ? ITH_COUNT_ANY : (int32_t)max;
}

void ith_rules_end(ith_rules *g, int32_t state, bool needs_enough)
{
    if (ith_rules_failed(g))
        return;
    g->states[state].final = 1;
    g->states[state].enough = needs_enough;
}

static void add_edge(ith_rules *g, int32_t from, ith_edge edge)
{
    if (!grow(g, (void **)&g->edges, &g->cap_edges, g->n_edges, sizeof *g->edges, ITH_EDGES_MOST,
              "edges"))
        return;
    edge.next = g->states[from].edges;
    g->states[from].edges = g->n_edges;
    g->edges[g->n_edges++] = edge;
}

void ith_rules_bytes(ith_rules *g, int32_t from, int32_t to, uint8_t low, uint8_t high,
                     unsigned flags)
{
    add_edge(
        g, from,
        (ith_edge){
            .to = to, .kind = ITH_EDGE_BYTES, .flags = (uint8_t)flags, .low = low, .high = high});
}

void ith_rules_empty(ith_rules *g, int32_t from, int32_t to)
{
    add_edge(g, from, (ith_edge){.to = to, .kind = ITH_EDGE_EMPTY});
}

void ith_rules_call(ith_rules *g, int32_t from, int32_t to, int32_t callee, unsigned flags)
{
    add_edge(
        g, from,
        (ith_edge){.to = to, .kind = ITH_EDGE_CALL, .callee = callee, .flags = (uint8_t)flags});
}

int32_t ith_rules_text(ith_rules *g, int32_t from, const char *text, size_t len, unsigned flags)
{
    for (size_t i = 0; i < len && !ith_rules_failed(g); i++, flags = 0) {
        uint8_t byte = (uint8_t)text[i];
        int32_t to = ith_rules_state(g, g->states[from].rule);
        ith_rules_bytes(g, from, to, byte, byte, flags);
        from = to;
    }
    return from;
}

/* The state behind a byte from a state; -1: none. */
static int32_t behind(ith_rules *g, int32_t from, uint8_t byte)
{
    for (int32_t e = g->states[from].edges; e >= 0 && ith_rules_spend(g, 1); e = g->edges[e].next)
        if (g->edges[e].low == byte)
            return g->edges[e].to;
    return -1;
}

int32_t ith_rules_branch(ith_rules *g, int32_t from, const char *text, size_t len)
{
    for (size_t i = 0; i < len && !ith_rules_failed(g); i++) {
        int32_t to = behind(g, from, (uint8_t)text[i]);
        from = to >= 0 ? to : ith_rules_text(g, from, text + i, 1, 0);
    }
    return from;
}

/* ---- Characters as bytes ---- */

/* States inside characters, that wait for 1, 2 or 3 bytes of any kind before `to`. */
typedef struct tails {
    ith_rules *g;
    int32_t to;
    int32_t any[4]; /* -1: not made yet */
} tails;

static int32_t tail(tails *t, int n)
{
    if (n == 0)
        return t->to;
    if (t->any[n] < 0) {
        t->any[n] = ith_rules_state(t->g, t->g->states[t->to].rule);
        ith_rules_bytes(t->g, t->any[n], tail(t, n - 1), 0x80, 0xbf, 0);
    }
    return t->any[n];
}

/* Characters that differ only where `a` and `b`, n bytes each, do: all between them. */
static void add_sequences(tails *t, int32_t from, const uint8_t *a, const uint8_t *b, int n,
                          unsigned flags)
{
    static const uint8_t lowest[] = {0x80, 0x80, 0x80}, highest[] = {0xbf, 0xbf, 0xbf};
    ith_rules *g = t->g;
    size_t rest = (size_t)n - 1;
    bool low_full = memcmp(a + 1, lowest, rest) == 0, high_full = memcmp(b + 1, highest, rest) == 0;
    int32_t inner;
    uint8_t first = a[0], last = b[0];

    if (low_full && high_full) {
        ith_rules_bytes(g, from, tail(t, n - 1), a[0], b[0], flags);
        return;
    }
    if (a[0] == b[0]) {
        inner = ith_rules_state(g, g->states[from].rule);
        ith_rules_bytes(g, from, inner, a[0], a[0], flags);
        add_sequences(t, inner, a + 1, b + 1, n - 1, 0);
        return;
    }
    if (!low_full) {
        inner = ith_rules_state(g, g->states[from].rule);
        ith_rules_bytes(g, from, inner, first, first, flags);
        add_sequences(t, inner, a + 1, highest, n - 1, 0);
        first++;
    }
    if (!high_full) {
        inner = ith_rules_state(g, g->states[from].rule);
        ith_rules_bytes(g, from, inner, last, last, flags);
        add_sequences(t, inner, lowest, b + 1, n - 1, 0);
        last--;
    }
    if (first <= last)
        ith_rules_bytes(g, from, tail(t, n - 1), first, last, flags);
}

static int encode(uint32_t c, uint8_t *out)
{
    int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (int i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(leads[n] | c);
    return n;
}

static void add_range(tails *t, int32_t from, uint32_t first, uint32_t last, unsigned flags)
{
    static const uint32_t ends[] = {0x7f, 0x7ff, 0xd7ff, 0xdfff, 0xffff, ITH_MAX_CODE};
    uint8_t a[4], b[4];

    for (size_t i = 0; i < sizeof ends / sizeof *ends && first <= last; i++) {
        uint32_t end = last < ends[i] ? last : ends[i];
        if (first > ends[i])
            continue;
        if (ends[i] != 0xdfff) {
            int n = encode(first, a);
            encode(end, b);
            add_sequences(t, from, a, b, n, flags);
        }
        first = end + 1;
    }
}

void ith_rules_chars(ith_rules *g, int32_t from, int32_t to, const ith_codeset *set, unsigned flags)
{
    tails t = {g, to, {-1, -1, -1, -1}};

    for (size_t i = 0; i < set->n && !ith_rules_failed(g); i++)
        add_range(&t, from, set->ranges[i].first, set->ranges[i].last, flags);
}
