/* automaton.h - a grammar as a pushdown automaton that reads bytes, made deterministic as it runs.
 *
 * A configuration is everything that the grammar may be in the middle of: a set of items, each
 * a state and the stack of rules that called its rule. Stacks are shared: the callers of a rule at
 * one place of the text are a set of frames, whatever their number, so that an ambiguous grammar
 * has no more stacks than places (the graph-structured stack of Tomita 1985). A call at the end of
 * a rule leaves no frame, so that lists that are written by recursion need no stack.
 *
 * Sets and configurations are kept once each (hash consing) and named by numbers, and so is the
 * configuration behind a byte: what has been seen costs one look into a table.
 *
 * What is followed is not trusted. A task, such as a mask or a token, has a budget of work, in
 * units of some nanoseconds. A step from a configuration costs what it cost when it was taken
 * first, once in each round of the task, so that it does not matter what other answers have seen:
 * with the same text, a task is always within its budget or never. The budget bounds the memory of
 * a task, too.
 */
#ifndef ITH_GRAMMAR_AUTOMATON_H
#define ITH_GRAMMAR_AUTOMATON_H

#include "grammar/rules.h"

/* States of frames that are not states of the grammar. */
enum {
    ITH_STATE_END = -1, /* the text may end here */
    ITH_STATE_EXIT = -2 /* what was asked for ends here: see ith_automaton_alone */
};

/* Sets of frames that are always there, of one frame each. */
enum { ITH_SET_END, ITH_SET_EXIT };

/* Not a configuration: nothing fits. */
enum { ITH_DEAD = -1 };

/* A count from here on is relative: it has no bounds, and tells how much was added. */
enum { ITH_COUNT_RELATIVE = 1 << 30 };

/* An item of a configuration; or a frame: the state to go on with, and its own stack. */
typedef struct ith_item {
    int32_t state, count, set;
} ith_item;

typedef struct ith_config {
    uint32_t at, n;      /* items, all with edges that take bytes: automaton->items[at ...] */
    bool may_end, exits; /* a frame of ITH_STATE_END, ITH_STATE_EXIT was reached */
} ith_config;

typedef struct ith_frames {
    uint32_t at, n;
    int32_t after; /* the configuration where the rule has ended; -2: not known yet */
    uint8_t cost;  /* of that, as a power of two */
} ith_frames;

/* The steps from a configuration. */
typedef struct ith_steps {
    int32_t next[256]; /* -2: not known yet */
    uint8_t cost[256]; /* as a power of two, if it is known */
    uint64_t paid[4];  /* in the round: a bit for each byte */
    uint32_t round;
} ith_steps;

typedef struct ith_automaton {
    const ith_rules *rules;

    ith_item *items; /* of sets and configurations */
    ith_frames *sets;
    ith_config *configs;
    ith_steps *steps; /* [n_configs] */
    size_t n_items, n_sets, n_configs, cap_items, cap_sets, cap_configs, cap_steps;
    size_t live_items, live_configs;   /* when it was compacted */
    int32_t *set_slots, *config_slots; /* hash tables; -1: empty */
    size_t n_set_slots, n_config_slots;

    struct ith_closing *closing; /* scratch */
    int64_t work;                /* what the task may still spend; the caller sets it */
    uint32_t round;
    ith_error failure; /* the first; status ITH_OK: none. The caller may clear it */
} ith_automaton;

/* Finished rules, which must outlive it. */
ith_status ith_automaton_open(const ith_rules *rules, ith_automaton *a, ith_error *err);
void ith_automaton_close(ith_automaton *a);

/* The configuration in which a text begins. As all below: ITH_DEAD if nothing fits, or after
 * a failure, which stays in `failure`: ITH_E_UNSUPPORTED if the budget is spent, or ITH_E_MEMORY,
 * also if there is no room before ith_automaton_compact. */
int32_t ith_automaton_begin(ith_automaton *a);

/* Begins a round: steps cost again what they cost. */
void ith_automaton_begin_round(ith_automaton *a);

/* Takes from the budget. False: it is spent, which is a failure. */
bool ith_automaton_spend(ith_automaton *a, int64_t steps);

/* The step from a configuration by a byte that has not been paid in this round. */
int32_t ith_automaton_pay_step(ith_automaton *a, int32_t config, uint8_t byte);

/* The configuration after one more byte. */
static inline int32_t ith_automaton_step(ith_automaton *a, int32_t config, uint8_t byte)
{
    const ith_steps *s = &a->steps[config];

    return s->round == a->round && (s->paid[byte / 64] >> byte % 64 & 1) != 0
               ? s->next[byte]
               : ith_automaton_pay_step(a, config, byte);
}

/* The configuration of an item alone, without its callers: where its rule ends, it exits. */
int32_t ith_automaton_alone(ith_automaton *a, int32_t state, int32_t count);

/* The configuration of the callers in a set, where the rule that they called has ended. */
int32_t ith_automaton_after(ith_automaton *a, int32_t set);

/* Room in a malloc'd *list of *cap elements for n, of `size` bytes each. False: no memory, which is
 * a failure of the automaton. */
bool ith_automaton_grow(ith_automaton *a, void **list, size_t *cap, size_t n, size_t size);

/* Is it time for ith_automaton_compact? */
bool ith_automaton_is_large(const ith_automaton *a);

/* Forgets all but some configurations, whose numbers change: live[n]. False: there is no memory for
 * that, and nothing has changed. */
bool ith_automaton_compact(ith_automaton *a, int32_t *const *live, size_t n);

/* Bytes that it takes. */
size_t ith_automaton_bytes(const ith_automaton *a);

#endif
