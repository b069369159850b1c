/* rules.h - a grammar as a network of states: what GBNF and JSON Schema are compiled to.
 *
 * A grammar is a list of rules. A rule is a small automaton over bytes: it begins in its start
 * state, and an edge takes one byte of a range, takes nothing, or calls another rule and goes on
 * where that one has ended. Texts are UTF-8, and sets of characters become edges over bytes, so
 * that a token may end inside a character.
 *
 * A rule may count: it has one counter with bounds, edges that add to it and need room (count <
 * max), and edges and ends that need enough (count >= min). So {0,1000000000} takes one state.
 *
 * Building. Functions never fail one by one: the first failure is kept, everything after it does
 * nothing, and ith_rules_finish returns it. Numbers of states and rules are always in range.
 *
 * What is compiled is not trusted. All that it costs to build a grammar is taken from one budget of
 * work, counted in steps of some nanoseconds and never in time, so that the same text is always
 * refused or never.
 */
#ifndef ITH_GRAMMAR_RULES_H
#define ITH_GRAMMAR_RULES_H

#include "base/error.h"
#include "text/codeset.h"

#include <stdint.h>

/* Bounds of a grammar: more is refused. */
enum {
    ITH_RULES_MOST = 100000,
    ITH_STATES_MOST = 500000,
    ITH_EDGES_MOST = 1500000,
    ITH_RULE_NAME = 60,
    ITH_RULES_WORK = 1 << 27 /* half a second */
};

/* Counts. Larger bounds than ITH_COUNT_MOST are out of reach of any answer. */
enum { ITH_COUNT_MOST = 1000000000, ITH_COUNT_ANY = INT32_MAX };

typedef enum ith_edge_kind { ITH_EDGE_BYTES, ITH_EDGE_EMPTY, ITH_EDGE_CALL } ith_edge_kind;

/* Flags of edges. */
enum {
    ITH_EDGE_COUNTS = 1, /* needs room; adds one to the counter */
    ITH_EDGE_ENOUGH = 2  /* needs enough */
};

typedef struct ith_edge {
    int32_t to, next; /* next edge of the same state; -1: none */
    int32_t callee;   /* of a call */
    uint8_t kind, flags;
    uint8_t low, high; /* of bytes */
} ith_edge;

typedef struct ith_rule_state {
    int32_t rule, edges; /* the first edge; -1: none */
    uint8_t final;       /* the rule may end here; an ended rule goes on in its caller */
    uint8_t enough;      /* if there is enough */
} ith_rule_state;

typedef struct ith_rule {
    char name[ITH_RULE_NAME];
    int32_t start;
    int32_t min, max; /* 0 and ITH_COUNT_ANY: it does not count */

    /* The counter counts characters up to a closing quote: what a token adds to it does not depend
     * on where it stands. */
    bool counts_characters;

    /* Set by ith_rules_finish. */
    bool is_nullable;
    int32_t order; /* rules that this one can begin with have a higher number */
} ith_rule;

typedef struct ith_rules {
    ith_rule *rules;
    ith_rule_state *states;
    ith_edge *edges;
    int32_t n_rules, n_states, n_edges; /* never negative */
    size_t cap_rules, cap_states, cap_edges;
    int32_t root;
    int64_t work;      /* what may still be spent */
    ith_error failure; /* the first; status ITH_OK: none */
    ith_error
        nothing_fits; /* why something can never end, the first; status ITH_OK: nobody knows */
} ith_rules;

void ith_rules_init(ith_rules *g);
void ith_rules_free(ith_rules *g); /* frees the contents, not the struct */

/* Bytes that the contents take. */
size_t ith_rules_size(const ith_rules *g);

/* Keeps a failure, if it is the first. */
void ith_rules_fail(ith_rules *g, ith_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool ith_rules_failed(const ith_rules *g);

/* Takes steps from the budget. False: it is spent, or the grammar has failed before. */
bool ith_rules_spend(ith_rules *g, int64_t steps);

/* Keeps the reason why nothing fits here, if it is the first: ith_rules_finish tells it if nothing
 * fits anywhere. What cannot be is left out otherwise. */
void ith_rules_nothing(ith_rules *g, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A new rule with its start state. The name, cut to its last ITH_RULE_NAME - 1 bytes, is for
 * errors. */
int32_t ith_rules_add(ith_rules *g, const char *name);
int32_t ith_rules_start(const ith_rules *g, int32_t rule);

/* The bounds of a rule's counter. Nothing fits the rule if min > max. */
void ith_rules_count(ith_rules *g, int32_t rule, int64_t min, int64_t max);

int32_t ith_rules_state(ith_rules *g, int32_t rule);
void ith_rules_end(ith_rules *g, int32_t state, bool needs_enough);

/* Edges. */
void ith_rules_bytes(ith_rules *g, int32_t from, int32_t to, uint8_t low, uint8_t high,
                     unsigned flags);
void ith_rules_empty(ith_rules *g, int32_t from, int32_t to);
void ith_rules_call(ith_rules *g, int32_t from, int32_t to, int32_t callee, unsigned flags);

/* A text, byte by byte; flags for the first. Returns the state behind it: `from` if it is empty. */
int32_t ith_rules_text(ith_rules *g, int32_t from, const char *text, size_t len, unsigned flags);

/* The same, but what was added before is used again, so that many texts from one state make a tree.
 * Of a rule to which nothing else is added. */
int32_t ith_rules_branch(ith_rules *g, int32_t from, const char *text, size_t len);

/* One character of a settled set; flags for its first byte. Surrogates are left out. */
void ith_rules_chars(ith_rules *g, int32_t from, int32_t to, const ith_codeset *set,
                     unsigned flags);

/* Checks the grammar, which begins with the rule `root`: removes what can never end, and finds the
 * order of rules.
 * ITH_E_UNSUPPORTED: a rule begins with itself (left recursion), or the grammar is too large.
 * ITH_E_ARGUMENT: no text fits the grammar. ITH_E_MEMORY. Or the first failure. */
ith_status ith_rules_finish(ith_rules *g, int32_t root, ith_error *err);

#endif
