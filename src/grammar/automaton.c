/* automaton.c - sets of frames, configurations, and steps from one to the next. */
#include "grammar/automaton.h"

#include "base/grow.h"

#include <stdlib.h>
#include <string.h>

enum {
    UNKNOWN = -2,
    LARGE_CONFIGS = 12000, /* 15 MiB of steps */
    LARGE_ITEMS = 1 << 20,
    MOST_CONFIGS = 100000,
    MOST_ITEMS = 1 << 23,
    MOST_CLOSING = 1 << 17,
    FEW_SEEN = 1024
};

/* What a step costs: for the configuration that it leads to, or for leading nowhere; for an item or
 * caller that is added, and an edge. */
enum { CONFIG = 512, NOWHERE = 16, ITEM = 32, EDGE = 1 };

static void fail(ith_automaton *a, ith_status status, const char *text)
{
    if (a->failure.status == ITH_OK)
        ith_fail(&a->failure, status, "%s", text);
}

static void fail_memory(ith_automaton *a)
{
    fail(a, ITH_E_MEMORY, "no memory to follow the grammar");
}

static void fail_large(ith_automaton *a)
{
    fail(a, ITH_E_UNSUPPORTED,
         "the grammar is too ambiguous or has too many texts here: following it takes too much "
         "work");
}

static void fail_full(ith_automaton *a)
{
    fail(a, ITH_E_MEMORY, "the answers that follow the grammar take too much memory");
}

bool ith_automaton_spend(ith_automaton *a, int64_t steps)
{
    a->work -= steps;
    if (a->work < 0)
        fail_large(a);
    return a->work >= 0;
}

void ith_automaton_begin_round(ith_automaton *a)
{
    if (++a->round != 0)
        return;
    for (size_t i = 0; i < a->n_configs; i++) /* after 2^32 rounds */
        a->steps[i].round = 0;
    a->round = 1;
}

bool ith_automaton_grow(ith_automaton *a, void **list, size_t *cap, size_t n, size_t size)
{
    if (!ith_grow(list, cap, n, size)) {
        fail_memory(a);
        return false;
    }
    return true;
}

/* ---- Items, kept once ---- */

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint64_t hash_items(const ith_item *items, size_t n, uint64_t h)
{
    for (size_t i = 0; i < n; i++)
        h = mix(mix(h, (uint32_t)items[i].state),
                (uint64_t)(uint32_t)items[i].count << 32 | (uint32_t)items[i].set);
    return h;
}

static int by_item(const void *x, const void *y)
{
    const ith_item *a = x, *b = y;

    if (a->state != b->state)
        return a->state < b->state ? -1 : 1;
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    return (a->set > b->set) - (a->set < b->set);
}

/* Sorts a list and leaves each item once. */
static size_t settle(ith_item *items, size_t n)
{
    size_t kept = 0;

    if (n > 1)
        qsort(items, n, sizeof *items, by_item);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || by_item(&items[kept - 1], &items[i]) != 0)
            items[kept++] = items[i];
    return kept;
}

/* Writes numbers 0 to n - 1 into a hash table that has room for twice as many. */
static bool rehash(ith_automaton *a, int32_t **slots, size_t *n_slots, size_t n,
                   uint64_t (*hash_of)(const ith_automaton *a, size_t i))
{
    size_t more = 1024;

    if (*n_slots > 2 * n)
        return true;
    while (more <= 4 * n)
        more *= 2;
    free(*slots);
    *slots = malloc(more * sizeof **slots);
    *n_slots = *slots == NULL ? 0 : more;
    if (*slots == NULL) {
        fail_memory(a);
        return false;
    }
    memset(*slots, -1, more * sizeof **slots);
    for (size_t i = 0; i < n; i++) {
        size_t at = hash_of(a, i) & (more - 1);
        while ((*slots)[at] >= 0)
            at = (at + 1) & (more - 1);
        (*slots)[at] = (int32_t)i;
    }
    return true;
}

static uint64_t hash_set(const ith_automaton *a, size_t i)
{
    return hash_items(a->items + a->sets[i].at, a->sets[i].n, 1);
}

static uint64_t flags_of(const ith_config *c)
{
    return 2u + (c->may_end ? 1u : 0u) + (c->exits ? 4u : 0u);
}

static uint64_t hash_config(const ith_automaton *a, size_t i)
{
    const ith_config *c = &a->configs[i];
    return hash_items(a->items + c->at, c->n, flags_of(c));
}

static bool same_items(const ith_automaton *a, uint32_t at, uint32_t n, const ith_item *items,
                       size_t n_items)
{
    return n == n_items && memcmp(a->items + at, items, n * sizeof *items) == 0;
}

static bool append(ith_automaton *a, const ith_item *items, size_t n)
{
    if (a->n_items + n > MOST_ITEMS) {
        fail_full(a);
        return false;
    }
    if (!ith_automaton_grow(a, (void **)&a->items, &a->cap_items, a->n_items + n, sizeof *a->items))
        return false;
    if (n > 0)
        memcpy(a->items + a->n_items, items, n * sizeof *items);
    a->n_items += n;
    return true;
}

/* The number of a set of frames, sorted here. */
static int32_t intern_set(ith_automaton *a, ith_item *frames, size_t n)
{
    size_t at;

    n = settle(frames, n);
    if (!rehash(a, &a->set_slots, &a->n_set_slots, a->n_sets, hash_set))
        return ITH_SET_END;
    at = hash_items(frames, n, 1) & (a->n_set_slots - 1);
    for (; a->set_slots[at] >= 0; at = (at + 1) & (a->n_set_slots - 1)) {
        const ith_frames *s = &a->sets[a->set_slots[at]];
        if (same_items(a, s->at, s->n, frames, n))
            return a->set_slots[at];
    }
    if (!ith_automaton_grow(a, (void **)&a->sets, &a->cap_sets, a->n_sets + 1, sizeof *a->sets) ||
        !append(a, frames, n))
        return ITH_SET_END;
    a->sets[a->n_sets] = (ith_frames){(uint32_t)(a->n_items - n), (uint32_t)n, UNKNOWN, 0};
    a->set_slots[at] = (int32_t)a->n_sets;
    return (int32_t)a->n_sets++;
}

static int32_t new_config(ith_automaton *a, ith_config c, const ith_item *items)
{
    if (a->n_configs >= MOST_CONFIGS) {
        fail_full(a);
        return ITH_DEAD;
    }
    if (!ith_automaton_grow(a, (void **)&a->configs, &a->cap_configs, a->n_configs + 1,
                            sizeof *a->configs) ||
        !ith_automaton_grow(a, (void **)&a->steps, &a->cap_steps, a->n_configs + 1,
                            sizeof *a->steps) ||
        !append(a, items, c.n))
        return ITH_DEAD;
    c.at = (uint32_t)(a->n_items - c.n);
    a->configs[a->n_configs] = c;
    a->steps[a->n_configs].round = 0;
    for (int i = 0; i < 256; i++)
        a->steps[a->n_configs].next[i] = UNKNOWN;
    return (int32_t)a->n_configs++;
}

/* The number of a configuration; its items are sorted here. */
static int32_t intern_config(ith_automaton *a, ith_item *items, size_t n, bool may_end, bool exits)
{
    ith_config c = {.may_end = may_end, .exits = exits};
    int32_t made;
    size_t at;

    c.n = (uint32_t)settle(items, n);
    if (a->failure.status != ITH_OK || (c.n == 0 && !may_end && !exits) ||
        !rehash(a, &a->config_slots, &a->n_config_slots, a->n_configs, hash_config))
        return ITH_DEAD;
    at = hash_items(items, c.n, flags_of(&c)) & (a->n_config_slots - 1);
    for (; a->config_slots[at] >= 0; at = (at + 1) & (a->n_config_slots - 1)) {
        const ith_config *d = &a->configs[a->config_slots[at]];
        if (flags_of(d) == flags_of(&c) && same_items(a, d->at, d->n, items, c.n))
            return a->config_slots[at];
    }
    made = new_config(a, c, items);
    if (made >= 0)
        a->config_slots[at] = made;
    return made;
}

/* ---- Closing: all that can be reached without a byte ---- */

/* A caller of a rule, in a list. */
typedef struct caller {
    ith_item frame;
    int32_t next;
} caller;

typedef struct ith_closing {
    ith_item *list; /* items in the order in which they were reached; leaves are marked */
    ith_item *leaves, *frames;
    size_t n, n_leaves, cap, cap_leaves, cap_frames;
    uint32_t *seen; /* hash table of indices into the list + 1 */
    size_t n_seen;
    caller *callers;
    size_t n_callers, cap_callers;
    int32_t *first;   /* [n_rules] the first caller; -1: none */
    int32_t *pending; /* a heap of rules that were called, the first in order on top */
    size_t n_pending, cap_pending;
    int64_t spent; /* of the budget */
    bool may_end, exits;
    bool inside; /* the rules of the callers have begun here: they have not ended */
} closing;

static void begin_closing(closing *c)
{
    for (size_t i = 0; i < c->n_pending; i++) /* left by a failure */
        c->first[c->pending[i]] = -1;
    c->n = c->n_leaves = c->n_callers = c->n_pending = 0;
    c->spent = 0;
    c->may_end = c->exits = c->inside = false;
    if (c->n_seen > FEW_SEEN) {
        free(c->seen);
        c->seen = NULL;
        c->n_seen = 0;
    }
    if (c->n_seen > 0)
        memset(c->seen, 0, c->n_seen * sizeof *c->seen);
}

/* False: more than the budget has. It is charged when the closing is done. */
static bool count(ith_automaton *a, int64_t steps)
{
    a->closing->spent += steps;
    if (a->closing->spent > a->work)
        fail_large(a);
    return a->closing->spent <= a->work;
}

static bool resize_seen(ith_automaton *a, closing *c)
{
    size_t more = c->n_seen > 0 ? 4 * c->n_seen : 64;
    uint32_t *seen = calloc(more, sizeof *seen);

    if (seen == NULL) {
        fail_memory(a);
        return false;
    }
    for (size_t i = 0; i < c->n; i++) {
        size_t at = hash_items(&c->list[i], 1, 3) & (more - 1);
        while (seen[at] != 0)
            at = (at + 1) & (more - 1);
        seen[at] = (uint32_t)i + 1;
    }
    free(c->seen);
    c->seen = seen;
    c->n_seen = more;
    return true;
}

/* Adds an item, once. */
static void add(ith_automaton *a, ith_item item)
{
    closing *c = a->closing;
    size_t at;

    if (a->failure.status != ITH_OK || (c->n_seen <= 2 * c->n && !resize_seen(a, c)))
        return;
    at = hash_items(&item, 1, 3) & (c->n_seen - 1);
    for (; c->seen[at] != 0; at = (at + 1) & (c->n_seen - 1))
        if (by_item(&c->list[c->seen[at] - 1], &item) == 0)
            return;
    if (c->n >= MOST_CLOSING)
        fail_large(a);
    if (c->n >= MOST_CLOSING || !count(a, ITEM) ||
        !ith_automaton_grow(a, (void **)&c->list, &c->cap, c->n + 1, sizeof *c->list))
        return;
    c->list[c->n++] = item;
    c->seen[at] = (uint32_t)c->n;
}

/* Adds what goes on where a rule has ended. */
static void add_frames(ith_automaton *a, int32_t set)
{
    closing *c = a->closing;

    for (uint32_t i = 0; i < a->sets[set].n; i++) {
        ith_item f = a->items[a->sets[set].at + i];
        c->may_end |= f.state == ITH_STATE_END;
        c->exits |= f.state == ITH_STATE_EXIT;
        if (f.state >= 0)
            add(a, f);
    }
}

static int32_t order_of(const ith_automaton *a, int32_t rule)
{
    return a->rules->rules[rule].order;
}

static void push_pending(ith_automaton *a, int32_t rule)
{
    closing *c = a->closing;
    size_t at = c->n_pending;

    if (!ith_automaton_grow(a, (void **)&c->pending, &c->cap_pending, at + 1, sizeof *c->pending))
        return;
    c->n_pending++;
    for (; at > 0 && order_of(a, c->pending[(at - 1) / 2]) > order_of(a, rule); at = (at - 1) / 2)
        c->pending[at] = c->pending[(at - 1) / 2];
    c->pending[at] = rule;
}

static int32_t pop_pending(ith_automaton *a)
{
    closing *c = a->closing;
    int32_t top = c->pending[0], moving = c->pending[--c->n_pending];
    size_t at = 0, n = c->n_pending;

    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            break;
        if (child + 1 < n && order_of(a, c->pending[child + 1]) < order_of(a, c->pending[child]))
            child++;
        if (order_of(a, c->pending[child]) >= order_of(a, moving))
            break;
        c->pending[at] = c->pending[child];
        at = child;
    }
    c->pending[at] = moving;
    return top;
}

static void add_caller(ith_automaton *a, int32_t callee, ith_item frame)
{
    closing *c = a->closing;

    if (a->failure.status != ITH_OK || !count(a, ITEM) ||
        !ith_automaton_grow(a, (void **)&c->callers, &c->cap_callers, c->n_callers + 1,
                            sizeof *c->callers))
        return;
    if (c->first[callee] < 0)
        push_pending(a, callee);
    c->callers[c->n_callers] = (caller){frame, c->first[callee]};
    c->first[callee] = (int32_t)c->n_callers++;
}

static bool has_ended(const ith_automaton *a, const ith_item *item)
{
    const ith_rule_state *s = &a->rules->states[item->state];
    return s->final && (!s->enough || item->count >= a->rules->rules[s->rule].min);
}

/* A call from an item, which goes on at `after`. A rule that has then ended leaves its callers'
 * frames in place of its own. */
static void call(ith_automaton *a, const ith_edge *edge, ith_item after)
{
    const ith_rule_state *s = &a->rules->states[after.state];

    if (s->edges < 0 && has_ended(a, &after))
        for (uint32_t i = 0; i < a->sets[after.set].n; i++)
            add_caller(a, edge->callee, a->items[a->sets[after.set].at + i]);
    else
        add_caller(a, edge->callee, after);
    if (a->rules->rules[edge->callee].is_nullable && (edge->flags & ITH_EDGE_COUNTS) == 0)
        add(a, after);
}

/* The item behind an edge; false: the counter does not let it pass. */
static bool pass(const ith_automaton *a, const ith_edge *edge, const ith_item *item,
                 ith_item *after)
{
    const ith_rule *rule = &a->rules->rules[a->rules->states[item->state].rule];

    *after = (ith_item){edge->to, item->count, item->set};
    if ((edge->flags & ITH_EDGE_ENOUGH) != 0 && item->count < rule->min)
        return false;
    if ((edge->flags & ITH_EDGE_COUNTS) == 0)
        return true;
    if (item->count < ITH_COUNT_RELATIVE && item->count >= rule->max)
        return false;
    /* without a bound it is enough to know that there is enough */
    if (item->count >= ITH_COUNT_RELATIVE || rule->max != ITH_COUNT_ANY || item->count < rule->min)
        after->count++;
    return true;
}

static void add_leaf(ith_automaton *a, ith_item item)
{
    closing *c = a->closing;

    if (ith_automaton_grow(a, (void **)&c->leaves, &c->cap_leaves, c->n_leaves + 1,
                           sizeof *c->leaves))
        c->leaves[c->n_leaves++] = item;
}

static void expand(ith_automaton *a, ith_item item)
{
    const ith_rules *g = a->rules;
    ith_item after;
    bool leaf = false;

    if (!a->closing->inside && has_ended(a, &item))
        add_frames(a, item.set);
    for (int32_t e = g->states[item.state].edges; e >= 0 && a->failure.status == ITH_OK;
         e = g->edges[e].next) {
        const ith_edge *edge = &g->edges[e];
        if (!count(a, EDGE) || !pass(a, edge, &item, &after))
            continue;
        if (edge->kind == ITH_EDGE_BYTES)
            leaf = true;
        else if (edge->kind == ITH_EDGE_EMPTY)
            add(a, after);
        else
            call(a, edge, after);
    }
    if (leaf)
        add_leaf(a, item);
}

/* The callers of a rule, as a set. */
static int32_t take_callers(ith_automaton *a, int32_t rule)
{
    closing *c = a->closing;
    size_t n = 0;

    for (int32_t i = c->first[rule]; i >= 0; i = c->callers[i].next) {
        if (!ith_automaton_grow(a, (void **)&c->frames, &c->cap_frames, n + 1, sizeof *c->frames))
            break;
        c->frames[n++] = c->callers[i].frame;
    }
    c->first[rule] = -1;
    return intern_set(a, c->frames, n);
}

/* The configuration of all that was added. A rule that is called is begun when all its callers are
 * known: those come before it in the order of rules. What has only begun here has not ended here:
 * that a rule may be empty is seen at the call. */
static int32_t close(ith_automaton *a)
{
    closing *c = a->closing;
    size_t done = 0;

    for (;;) {
        for (; done < c->n && a->failure.status == ITH_OK; done++)
            expand(a, c->list[done]);
        if (c->n_pending == 0)
            break;
        c->inside = true;
        int32_t rule = pop_pending(a), set = take_callers(a, rule);
        add(a, (ith_item){a->rules->rules[rule].start, 0, set});
    }
    return intern_config(a, c->leaves, c->n_leaves, c->may_end, c->exits);
}

/* ---- Steps ---- */

/* What the closing to a configuration cost, as the next power of two. */
static uint8_t cost_of(const closing *c, int32_t to)
{
    uint8_t power = 0;

    while ((int64_t)1 << power < (to >= 0 ? CONFIG : NOWHERE) + c->spent)
        power++;
    return power;
}

/* Takes the cost from the budget. The configuration, or ITH_DEAD after a failure. */
static int32_t pay(ith_automaton *a, uint8_t cost, int32_t config)
{
    return ith_automaton_spend(a, (int64_t)1 << cost) ? config : ITH_DEAD;
}

int32_t ith_automaton_begin(ith_automaton *a)
{
    ith_item end = {ITH_STATE_END, 0, 0};
    const ith_rule *root = &a->rules->rules[a->rules->root];

    begin_closing(a->closing);
    add_caller(a, a->rules->root, end);
    a->closing->may_end = root->is_nullable;
    return close(a);
}

/* The step as it is taken first. */
static int32_t take_step(ith_automaton *a, int32_t config, uint8_t byte)
{
    const ith_rules *g = a->rules;
    uint32_t at = a->configs[config].at, n = a->configs[config].n;
    ith_item after;

    begin_closing(a->closing);
    for (uint32_t i = 0; i < n; i++) {
        ith_item item = a->items[at + i];
        for (int32_t e = g->states[item.state].edges; e >= 0; e = g->edges[e].next) {
            const ith_edge *edge = &g->edges[e];
            if (!count(a, EDGE))
                return ITH_DEAD;
            if (edge->kind == ITH_EDGE_BYTES && byte >= edge->low && byte <= edge->high &&
                pass(a, edge, &item, &after))
                add(a, after);
        }
    }
    return close(a);
}

int32_t ith_automaton_pay_step(ith_automaton *a, int32_t config, uint8_t byte)
{
    ith_steps *s = &a->steps[config];

    if (s->next[byte] == UNKNOWN) {
        int32_t to = take_step(a, config, byte);
        if (a->failure.status != ITH_OK)
            return ITH_DEAD;
        s = &a->steps[config];
        s->next[byte] = to;
        s->cost[byte] = cost_of(a->closing, to);
    }
    if (s->round != a->round)
        memset(s->paid, 0, sizeof s->paid);
    s->round = a->round;
    s->paid[byte / 64] |= UINT64_C(1) << byte % 64;
    return pay(a, s->cost[byte], s->next[byte]);
}

int32_t ith_automaton_alone(ith_automaton *a, int32_t state, int32_t count)
{
    ith_item item = {state, count, ITH_SET_EXIT};

    return ith_automaton_spend(a, CONFIG) ? intern_config(a, &item, 1, false, false) : ITH_DEAD;
}

int32_t ith_automaton_after(ith_automaton *a, int32_t set)
{
    int32_t after = a->sets[set].after;

    if (after != UNKNOWN)
        return pay(a, a->sets[set].cost, after);
    begin_closing(a->closing);
    add_frames(a, set);
    after = close(a);
    if (a->failure.status != ITH_OK)
        return ITH_DEAD;
    a->sets[set].after = after;
    a->sets[set].cost = cost_of(a->closing, after);
    return pay(a, a->sets[set].cost, after);
}

/* ---- Opening, and forgetting ---- */

/* Sets ITH_SET_END and ITH_SET_EXIT. */
static void add_first_sets(ith_automaton *a)
{
    ith_item end = {ITH_STATE_END, 0, 0}, out = {ITH_STATE_EXIT, 0, 0};

    intern_set(a, &end, 1);
    intern_set(a, &out, 1);
}

ith_status ith_automaton_open(const ith_rules *rules, ith_automaton *a, ith_error *err)
{
    size_t n_rules = (size_t)rules->n_rules;

    *a = (ith_automaton){.rules = rules, .closing = calloc(1, sizeof *a->closing), .round = 1};
    if (a->closing != NULL)
        a->closing->first = malloc(n_rules * sizeof *a->closing->first);
    if (a->closing == NULL || a->closing->first == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a grammar of %zu rules", n_rules);
    memset(a->closing->first, -1, n_rules * sizeof *a->closing->first);
    add_first_sets(a);
    return a->failure.status == ITH_OK ? ITH_OK
                                       : ith_fail(err, a->failure.status, "%s", a->failure.text);
}

static void free_tables(ith_automaton *a)
{
    free(a->items);
    free(a->sets);
    free(a->configs);
    free(a->steps);
    free(a->set_slots);
    free(a->config_slots);
}

void ith_automaton_close(ith_automaton *a)
{
    closing *c = a->closing;

    free_tables(a);
    if (c != NULL) {
        free(c->list);
        free(c->leaves);
        free(c->frames);
        free(c->seen);
        free(c->callers);
        free(c->first);
        free(c->pending);
        free(c);
    }
    *a = (ith_automaton){0};
}

bool ith_automaton_is_large(const ith_automaton *a)
{
    return a->n_configs > LARGE_CONFIGS + a->live_configs ||
           a->n_items > LARGE_ITEMS + 2 * a->live_items;
}

size_t ith_automaton_bytes(const ith_automaton *a)
{
    return a->cap_items * sizeof *a->items + a->cap_sets * sizeof *a->sets +
           a->cap_configs * sizeof *a->configs + a->cap_steps * sizeof *a->steps +
           (a->n_set_slots + a->n_config_slots) * sizeof *a->set_slots;
}

/* Marks the sets that items need; those of a set have lower numbers. */
static void mark_sets(const ith_automaton *a, uint32_t at, uint32_t n, int32_t *renamed)
{
    for (uint32_t i = 0; i < n; i++)
        if (a->items[at + i].state >= 0)
            renamed[a->items[at + i].set] = 0;
}

/* Copies items with the new numbers of their sets to the scratch list. False: no memory. */
static bool rename_items(const ith_automaton *from, uint32_t at, uint32_t n, const int32_t *renamed,
                         ith_automaton *to)
{
    closing *c = to->closing;

    if (!ith_automaton_grow(to, (void **)&c->frames, &c->cap_frames, (size_t)n + 1,
                            sizeof *c->frames))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        c->frames[i] = from->items[at + i];
        if (c->frames[i].state >= 0)
            c->frames[i].set = renamed[c->frames[i].set];
    }
    return true;
}

static void copy_sets(const ith_automaton *old, ith_automaton *a, int32_t *renamed)
{
    for (size_t s = old->n_sets; s-- > 0;)
        if (renamed[s] == 0)
            mark_sets(old, old->sets[s].at, old->sets[s].n, renamed);
    for (size_t s = 0; s < old->n_sets && a->failure.status == ITH_OK; s++)
        if (renamed[s] >= 0 && rename_items(old, old->sets[s].at, old->sets[s].n, renamed, a))
            renamed[s] = intern_set(a, a->closing->frames, old->sets[s].n);
}

/* Copies the live configurations to a fresh automaton; `numbers`: their new ones. */
static void copy_live(const ith_automaton *old, ith_automaton *a, int32_t *const *live, size_t n,
                      int32_t *renamed, int32_t *numbers)
{
    memset(renamed, -1, old->n_sets * sizeof *renamed);
    for (size_t i = 0; i < n; i++)
        if (*live[i] >= 0)
            mark_sets(old, old->configs[*live[i]].at, old->configs[*live[i]].n, renamed);
    add_first_sets(a);
    copy_sets(old, a, renamed);
    for (size_t i = 0; i < n && a->failure.status == ITH_OK; i++) {
        const ith_config *c = *live[i] >= 0 ? &old->configs[*live[i]] : NULL;
        numbers[i] = ITH_DEAD;
        if (c != NULL && rename_items(old, c->at, c->n, renamed, a))
            numbers[i] = intern_config(a, a->closing->frames, c->n, c->may_end, c->exits);
    }
    a->live_items = a->n_items;
    a->live_configs = a->n_configs;
}

bool ith_automaton_compact(ith_automaton *a, int32_t *const *live, size_t n)
{
    ith_automaton fresh = {
        .rules = a->rules, .closing = a->closing, .work = a->work, .round = a->round};
    int32_t *renamed = malloc(a->n_sets * sizeof *renamed),
            *numbers = malloc((n + 1) * sizeof *numbers);
    bool fine = renamed != NULL && numbers != NULL;

    if (fine)
        copy_live(a, &fresh, live, n, renamed, numbers);
    fine = fine && fresh.failure.status == ITH_OK;
    free_tables(fine ? a : &fresh);
    if (fine)
        *a = fresh;
    for (size_t i = 0; i < n && fine; i++)
        *live[i] = numbers[i];
    free(renamed);
    free(numbers);
    return fine;
}
