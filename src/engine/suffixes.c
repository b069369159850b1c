/* suffixes.c - a suffix automaton with a hash table of edges. */
#include "engine/suffixes.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { NONE = -1, ROOT = 0, MAX_TOKENS = 1 << 27 };

/* How many states along the suffix links get a new `follows` in a push. Updating all of them would
 * take n^2 steps for n equal tokens. */
enum { RENEWED = 16 };

/* A set of substrings that end at the same positions of the sequence. */
typedef struct state {
    int32_t length;  /* of the longest */
    int32_t link;    /* suffix link: the state of the longest suffix that also ends elsewhere */
    int32_t follows; /* the position after one of the latest occurrences */
    int32_t edges;   /* the first outgoing edge; NONE */
} state;

typedef struct edge {
    int32_t from, id, to;
    int32_t next; /* the next outgoing edge of `from`; NONE */
} edge;

struct ith_suffixes {
    state *states;  /* [2 max_tokens], the most that the automaton can have */
    edge *edges;    /* [3 max_tokens], likewise */
    int32_t *slots; /* [mask + 1] hash table by (from, id): index of the edge + 1; 0: empty */
    uint32_t mask;
    int32_t n_states, n_edges;
    int32_t whole; /* the state of the whole sequence */
    int32_t n, max_tokens;
    int32_t match, follows; /* of the last push */
};

ith_status ith_suffixes_open(int64_t max_tokens, ith_suffixes **out, ith_error *err)
{
    ith_suffixes *s = calloc(1, sizeof *s);
    size_t n = max_tokens < 2 ? 2 : (size_t)max_tokens, n_slots = 8;
    ith_status status;

    *out = NULL;
    if (s == NULL || max_tokens > MAX_TOKENS) {
        free(s);
        return ith_fail(err, ITH_E_MEMORY, "no memory for the suffixes of %lld tokens",
                        (long long)max_tokens);
    }
    while (n_slots < 4 * n)
        n_slots *= 2;
    status = ith_mem_alloc_array(ITH_MEM_OTHER, 2 * n, sizeof *s->states, "suffixes",
                                 (void **)&s->states, err);
    if (status == ITH_OK)
        status = ith_mem_alloc_array(ITH_MEM_OTHER, 3 * n, sizeof *s->edges, "suffixes",
                                     (void **)&s->edges, err);
    if (status == ITH_OK)
        status = ith_mem_alloc_array(ITH_MEM_OTHER, n_slots, sizeof *s->slots, "suffixes",
                                     (void **)&s->slots, err);
    if (status != ITH_OK) {
        ith_suffixes_close(s);
        return status;
    }
    s->mask = (uint32_t)(n_slots - 1);
    s->max_tokens = (int32_t)n;
    s->states[ROOT] = (state){.link = NONE, .edges = NONE};
    s->n_states = 1;
    *out = s;
    return ITH_OK;
}

void ith_suffixes_close(ith_suffixes *s)
{
    if (s == NULL)
        return;
    ith_mem_free(s->states);
    ith_mem_free(s->edges);
    ith_mem_free(s->slots);
    free(s);
}

/* The slot of the edge, or the empty slot where it belongs. */
static int32_t *slot_of(const ith_suffixes *s, int32_t from, int32_t id)
{
    uint64_t hash = ((uint64_t)(uint32_t)from << 32 | (uint32_t)id) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(hash >> 32) & s->mask;

    while (s->slots[at] != 0) {
        const edge *e = &s->edges[s->slots[at] - 1];
        if (e->from == from && e->id == id)
            break;
        at = (at + 1) & s->mask;
    }
    return &s->slots[at];
}

static void add_edge(ith_suffixes *s, int32_t from, int32_t id, int32_t to)
{
    int32_t at = s->n_edges++;

    s->edges[at] = (edge){from, id, to, s->states[from].edges};
    s->states[from].edges = at;
    *slot_of(s, from, id) = at + 1;
}

/* Splits off the substrings of `of` that are no longer than `length`: they are about to occur where
 * the others do not. Returns their new state. */
static int32_t split(ith_suffixes *s, int32_t of, int32_t length)
{
    int32_t clone = s->n_states++;

    s->states[clone] = s->states[of];
    s->states[clone].length = length;
    s->states[clone].edges = NONE;
    for (int32_t e = s->states[of].edges; e != NONE; e = s->edges[e].next)
        add_edge(s, clone, s->edges[e].id, s->edges[e].to);
    s->states[of].link = clone;
    return clone;
}

/* The state of the longest suffix that occurred before. `p` is the state of the longest suffix,
 * before `id` was pushed, that `id` has followed before; NONE: there is none. */
static int32_t link_of(ith_suffixes *s, int32_t p, int32_t id)
{
    int32_t to, clone;

    if (p == NONE)
        return ROOT;
    to = s->edges[*slot_of(s, p, id) - 1].to;
    if (s->states[to].length == s->states[p].length + 1)
        return to;
    clone = split(s, to, s->states[p].length + 1);
    for (; p != NONE; p = s->states[p].link) {
        int32_t slot = *slot_of(s, p, id);
        if (slot == 0 || s->edges[slot - 1].to != to)
            break;
        s->edges[slot - 1].to = clone;
    }
    return clone;
}

void ith_suffixes_push(ith_suffixes *s, int32_t id)
{
    int32_t now = s->n_states++, p = s->whole, link;

    assert(s->n < s->max_tokens);
    s->states[now] = (state){.length = ++s->n, .follows = s->n, .edges = NONE};
    for (; p != NONE && *slot_of(s, p, id) == 0; p = s->states[p].link)
        add_edge(s, p, id, now);
    link = link_of(s, p, id);
    s->states[now].link = link;
    s->whole = now;
    s->match = s->states[link].length;
    s->follows = s->states[link].follows;
    for (int i = 0; link != ROOT && i < RENEWED; link = s->states[link].link, i++)
        s->states[link].follows = s->n;
}

int64_t ith_suffixes_length(const ith_suffixes *s)
{
    return s->n;
}

int64_t ith_suffixes_match(const ith_suffixes *s, int64_t *follows)
{
    *follows = s->follows;
    return s->match;
}
