/* allowed.c - tables of states, and masks made of them. */
#include "grammar/allowed.h"

#include <stdlib.h>
#include <string.h>

enum { MASKS = 64, TABLE_SLOTS = 4096, TABLES_BYTES = 64 << 20 };

/* A place in the tree where the state's rule can end; `count`: added by then. */
typedef struct leaving {
    uint32_t node;
    int32_t count;
} leaving;

typedef struct table {
    struct table *next;
    int32_t state, count;
    uint64_t *bits; /* of a table with many tokens */

    /* Others list their tokens. Where the rule counts characters, those that add k are ids[begin[k]
     * ...], for k up to n_begin - 2; those that end it are with the places. */
    int32_t *ids;
    uint32_t *begin;
    leaving *leavings;
    size_t n_ids, n_begin, n_leavings;
    int64_t cost; /* of the automaton's budget */
    bool counts;
} table;

struct ith_allowed {
    ith_automaton *a;
    const ith_trie *trie;
    size_t words;
    table *slots[TABLE_SLOTS];
    size_t bytes;  /* of all tables; above TABLES_BYTES only by the last one */
    int32_t *path; /* [trie->longest + 1] */

    /* The last masks: [MASKS] configurations, -1: none; [MASKS][words]. */
    int32_t kept[MASKS];
    uint64_t *masks;

    /* Of the table in hand: tokens and what they add, [n_found]; places, [n_left]. */
    int32_t *found, *adds;
    leaving *left;
    size_t n_found, cap_found, cap_adds, n_left, cap_left;
};

/* ---- Walking the tree ---- */

typedef void (*see_fn)(ith_allowed *w, uint32_t node, int32_t before, int32_t after,
                       uint64_t *mask);

/* Calls see() for each node below `root` that the grammar reaches from a configuration. */
static void walk(ith_allowed *w, uint32_t root, int32_t config, see_fn see, uint64_t *mask)
{
    const ith_trie *t = w->trie;
    uint32_t end = t->skip[root];
    size_t base = t->depth[root];

    w->path[base] = config;
    for (uint32_t i = root + 1; i < end && ith_automaton_spend(w->a, 1);) {
        int32_t before = w->path[t->depth[i] - 1],
                after = ith_automaton_step(w->a, before, t->byte[i]);
        if (after < 0) {
            i = t->skip[i];
            continue;
        }
        w->path[t->depth[i]] = after;
        see(w, i, before, after, mask);
        i++;
    }
}

static void allow(uint64_t *mask, int32_t id)
{
    mask[id / 64] |= UINT64_C(1) << id % 64;
}

static void allow_node(const ith_trie *t, uint32_t node, uint64_t *mask)
{
    for (uint32_t i = t->first[node]; i < t->first[node + 1]; i++)
        allow(mask, t->ids[i]);
}

static void see_allowed(ith_allowed *w, uint32_t node, int32_t before, int32_t after,
                        uint64_t *mask)
{
    (void)before, (void)after;
    allow_node(w->trie, node, mask);
}

/* ---- Tables ---- */

/* How much was added to the counter; 0 where there is none. */
static int32_t added(const ith_automaton *a, int32_t config)
{
    const ith_config *c = &a->configs[config];
    int32_t most = 0;

    for (uint32_t i = 0; i < c->n; i++)
        if (a->items[c->at + i].count - ITH_COUNT_RELATIVE > most)
            most = a->items[c->at + i].count - ITH_COUNT_RELATIVE;
    return most;
}

static void see_of_state(ith_allowed *w, uint32_t node, int32_t before, int32_t after,
                         uint64_t *mask)
{
    const ith_trie *t = w->trie;
    const ith_config *c = &w->a->configs[after];

    (void)mask;
    if (c->exits &&
        ith_automaton_grow(w->a, (void **)&w->left, &w->cap_left, w->n_left + 1, sizeof *w->left))
        w->left[w->n_left++] = (leaving){node, added(w->a, before)};
    if (c->n == 0) /* its tokens are those of the place */
        return;
    for (uint32_t i = t->first[node]; i < t->first[node + 1]; i++) {
        if (!ith_automaton_grow(w->a, (void **)&w->found, &w->cap_found, w->n_found + 1,
                                sizeof *w->found) ||
            !ith_automaton_grow(w->a, (void **)&w->adds, &w->cap_adds, w->n_found + 1,
                                sizeof *w->adds))
            return;
        w->found[w->n_found] = t->ids[i];
        w->adds[w->n_found++] = added(w->a, after);
    }
}

static void free_table(table *t)
{
    free(t->bits);
    free(t->ids);
    free(t->begin);
    free(t->leavings);
    free(t);
}

/* Tokens by what they add. */
static bool sort_found(const ith_allowed *w, table *t)
{
    int32_t most = 0;

    for (size_t i = 0; i < w->n_found; i++)
        most = w->adds[i] > most ? w->adds[i] : most;
    t->n_begin = t->counts ? (size_t)most + 2 : 0;
    t->begin = calloc(t->n_begin + 1, sizeof *t->begin);
    if (t->begin == NULL)
        return false;
    if (!t->counts) {
        for (size_t i = 0; i < w->n_found; i++)
            t->ids[i] = w->found[i];
        return true;
    }
    for (size_t i = 0; i < w->n_found; i++)
        t->begin[w->adds[i] + 1]++;
    for (size_t k = 1; k < t->n_begin; k++)
        t->begin[k] += t->begin[k - 1];
    for (size_t i = 0; i < w->n_found; i++)
        t->ids[t->begin[w->adds[i]]++] = w->found[i];
    memmove(t->begin + 1, t->begin, (t->n_begin - 1) * sizeof *t->begin);
    t->begin[0] = 0;
    return true;
}

/* Makes a table of what the walk found. */
static table *store(ith_allowed *w, int32_t state, int32_t count, bool counts)
{
    table *t = calloc(1, sizeof *t);
    bool many = !counts && w->n_found > 2 * w->words;
    bool fine = t != NULL;

    if (fine) {
        t->state = state;
        t->count = count;
        t->counts = counts;
        t->n_ids = many ? 0 : w->n_found;
        t->n_leavings = w->n_left;
        t->ids = malloc((t->n_ids + 1) * sizeof *t->ids);
        t->leavings = malloc((w->n_left + 1) * sizeof *t->leavings);
        t->bits = many ? calloc(w->words, sizeof *t->bits) : NULL;
        fine = t->ids != NULL && t->leavings != NULL && (!many || t->bits != NULL) &&
               (many || sort_found(w, t));
    }
    if (!fine) {
        if (t != NULL)
            free_table(t);
        ith_fail(&w->a->failure, ITH_E_MEMORY, "no memory to follow the grammar");
        return NULL;
    }
    if (w->n_left > 0)
        memcpy(t->leavings, w->left, w->n_left * sizeof *t->leavings);
    for (size_t i = 0; many && i < w->n_found; i++)
        allow(t->bits, w->found[i]);
    w->bytes += sizeof *t + t->n_ids * sizeof *t->ids + t->n_begin * sizeof *t->begin +
                w->n_left * sizeof *t->leavings + (many ? w->words * sizeof *t->bits : 0);
    return t;
}

static bool counts_characters(const ith_automaton *a, int32_t state)
{
    const ith_rule *r = &a->rules->rules[a->rules->states[state].rule];
    return r->counts_characters && (r->min > 0 || r->max != ITH_COUNT_ANY);
}

static void forget_tables(ith_allowed *w)
{
    for (size_t i = 0; i < TABLE_SLOTS; i++)
        for (table *t = w->slots[i], *next; t != NULL; t = next) {
            next = t->next;
            free_table(t);
        }
    memset(w->slots, 0, sizeof w->slots);
    w->bytes = 0;
}

/* NULL: a failure. */
static table *make_table(ith_allowed *w, int32_t state, int32_t count, bool counts)
{
    int64_t before = w->a->work;
    int32_t config = ith_automaton_alone(w->a, state, count);
    table *t = NULL;

    w->n_found = w->n_left = 0;
    ith_automaton_begin_round(w->a);
    if (config >= 0)
        walk(w, 0, config, see_of_state, NULL);
    if (w->a->failure.status != ITH_OK)
        return NULL;
    if (w->bytes > TABLES_BYTES)
        forget_tables(w);
    t = store(w, state, count, counts);
    if (t != NULL)
        t->cost = before - w->a->work;
    return t;
}

/* NULL: a failure. */
static const table *table_of(ith_allowed *w, ith_item item)
{
    bool counts = counts_characters(w->a, item.state);
    int32_t count = counts ? ITH_COUNT_RELATIVE : item.count;
    table **slot = &w->slots[((uint32_t)item.state * 31u + (uint32_t)count) % TABLE_SLOTS], *t;

    for (t = *slot; t != NULL; t = t->next)
        if (t->state == item.state && t->count == count)
            return ith_automaton_spend(w->a, t->cost) ? t : NULL;
    t = make_table(w, item.state, count, counts);
    if (t != NULL) {
        t->next = *slot;
        *slot = t;
    }
    return t;
}

/* ---- Masks ---- */

/* What an item allows as long as its rule has not ended. */
static void allow_inside(const ith_allowed *w, const table *t, int32_t room, uint64_t *mask)
{
    size_t n = t->n_ids;

    if (t->bits != NULL)
        for (size_t i = 0; i < w->words; i++)
            mask[i] |= t->bits[i];
    if (t->counts && (size_t)room + 1 < t->n_begin)
        n = t->begin[room + 1];
    for (size_t i = 0; i < n; i++)
        allow(mask, t->ids[i]);
}

static void allow_item(ith_allowed *w, ith_item item, uint64_t *mask)
{
    const ith_rule *r = &w->a->rules->rules[w->a->rules->states[item.state].rule];
    const table *t = table_of(w, item);
    int32_t after = ITH_DEAD;

    if (t == NULL || !ith_automaton_spend(
                         w->a, (int64_t)((t->bits != NULL ? w->words : t->n_ids) + t->n_leavings)))
        return;
    if (t->n_leavings > 0)
        after = ith_automaton_after(w->a, item.set);
    allow_inside(w, t, r->max - item.count, mask);
    ith_automaton_begin_round(w->a);
    for (size_t i = 0; i < t->n_leavings; i++) {
        int64_t count = (int64_t)item.count + t->leavings[i].count;
        if (t->counts && (count < r->min || count > r->max))
            continue;
        allow_node(w->trie, t->leavings[i].node, mask);
        if (after >= 0)
            walk(w, t->leavings[i].node, after, see_allowed, mask);
    }
}

bool ith_allowed_mask(ith_allowed *w, int32_t config, uint64_t *mask)
{
    size_t slot = (size_t)config % MASKS;
    uint64_t *kept = w->masks + slot * w->words;

    if (w->kept[slot] != config) {
        w->kept[slot] = -1;
        memset(kept, 0, w->words * sizeof *kept);
        for (uint32_t i = 0; i < w->a->configs[config].n && w->a->failure.status == ITH_OK; i++)
            allow_item(w, w->a->items[w->a->configs[config].at + i], kept);
        if (w->a->failure.status != ITH_OK)
            return false;
        w->kept[slot] = config;
    }
    memcpy(mask, kept, w->words * sizeof *mask);
    return true;
}

/* ---- Opening ---- */

ith_status ith_allowed_open(ith_automaton *a, const ith_trie *trie, ith_allowed **out,
                            ith_error *err)
{
    ith_allowed *w = calloc(1, sizeof *w);

    *out = w;
    if (w != NULL) {
        w->a = a;
        w->trie = trie;
        w->words = (size_t)trie->n_ids / 64 + 1;
        w->path = malloc((trie->longest + 1) * sizeof *w->path);
        w->masks = malloc(MASKS * w->words * sizeof *w->masks);
        ith_allowed_forget(w);
    }
    if (w == NULL || w->path == NULL || w->masks == NULL) {
        ith_allowed_close(w);
        *out = NULL;
        return ith_fail(err, ITH_E_MEMORY, "no memory for the masks of %d tokens", trie->n_ids);
    }
    return ITH_OK;
}

void ith_allowed_close(ith_allowed *w)
{
    if (w == NULL)
        return;
    forget_tables(w);
    free(w->path);
    free(w->masks);
    free(w->found);
    free(w->adds);
    free(w->left);
    free(w);
}

size_t ith_allowed_words(const ith_allowed *w)
{
    return w->words;
}

void ith_allowed_forget(ith_allowed *w)
{
    for (size_t i = 0; i < MASKS; i++)
        w->kept[i] = -1;
}

size_t ith_allowed_bytes(const ith_allowed *w)
{
    return w->bytes + MASKS * w->words * sizeof *w->masks +
           (w->cap_found + w->cap_adds) * sizeof *w->found + w->cap_left * sizeof *w->left;
}
