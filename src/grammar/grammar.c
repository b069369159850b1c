/* grammar.c - the grammar as a handle, and where an answer is in it. */
#include "grammar/grammar.h"
#include "base/digest.h"
#include "grammar/allowed.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ith_grammar {
    ith_rules rules;
    const ith_trie *trie;
    int32_t *stops; /* [n_stops] */
    int n_stops;
    int64_t work;
    char key[65];
    void *home;

    pthread_mutex_t lock; /* of all that follows */
    ith_automaton automaton;
    ith_allowed *allowed;
    int32_t start; /* configuration */
    ith_follower *followers;
};

struct ith_follower {
    ith_grammar *grammar;
    ith_follower *next, *before;
    int32_t config;    /* ITH_DEAD: a token did not fit, or it has failed */
    ith_error failure; /* status ITH_OK: none */
    ith_decoding decoding;
    bool first;  /* no token was accepted */
    char *bytes; /* of a token */
    uint64_t mask[];
};

/* ---- The grammar ---- */

static ith_status prepare(ith_grammar *g, ith_error *err)
{
    ITH_TRY(ith_automaton_open(&g->rules, &g->automaton, err));
    ITH_TRY(ith_allowed_open(&g->automaton, g->trie, &g->allowed, err));
    g->automaton.work = g->work;
    g->start = ith_automaton_begin(&g->automaton);
    if (g->automaton.failure.status != ITH_OK)
        return ith_fail(err, g->automaton.failure.status, "%s", g->automaton.failure.text);
    return ITH_OK;
}

ith_status ith_grammar_make(ith_rules *rules, const ith_grammar_how *how, ith_bytes source,
                            ith_grammar **out, ith_error *err)
{
    ith_grammar *g = calloc(1, sizeof *g);
    ith_status status;

    *out = NULL;
    if (g != NULL)
        g->stops = malloc(((size_t)how->n_stops + 1) * sizeof *g->stops);
    if (g == NULL || g->stops == NULL) {
        free(g);
        ith_rules_free(rules);
        return ith_fail(err, ITH_E_MEMORY, "no memory for a grammar");
    }
    pthread_mutex_init(&g->lock, NULL);
    g->rules = *rules;
    ith_rules_init(rules);
    ith_rules_free(rules);
    g->trie = how->trie;
    g->work = how->work;
    if (how->n_stops > 0)
        memcpy(g->stops, how->stops, (size_t)how->n_stops * sizeof *g->stops);
    g->n_stops = how->n_stops;
    ith_sha256_hex(source.data, source.len, g->key);
    status = prepare(g, err);
    if (status == ITH_OK)
        *out = g;
    else
        ith_grammar_free(g);
    return status;
}

void ith_grammar_free(ith_grammar *g)
{
    if (g == NULL)
        return;
    ith_allowed_close(g->allowed);
    ith_automaton_close(&g->automaton);
    ith_rules_free(&g->rules);
    pthread_mutex_destroy(&g->lock);
    free(g->stops);
    free(g);
}

const char *ith_grammar_key(const ith_grammar *g)
{
    return g->key;
}

void ith_grammar_set_home(ith_grammar *g, void *home)
{
    g->home = home;
}

void *ith_grammar_home(const ith_grammar *g)
{
    return g->home;
}

size_t ith_grammar_bytes(ith_grammar *g)
{
    size_t bytes;

    pthread_mutex_lock(&g->lock);
    bytes = ith_rules_size(&g->rules) + ith_automaton_bytes(&g->automaton) +
            ith_allowed_bytes(g->allowed);
    pthread_mutex_unlock(&g->lock);
    return bytes;
}

/* ---- Tasks. The lock is held ---- */

/* Forgets all but what followers need. Without memory for that everything stays. */
static void compact(ith_grammar *g)
{
    int32_t **live;
    size_t n = 1;

    for (ith_follower *m = g->followers; m != NULL; m = m->next)
        n++;
    live = malloc(n * sizeof *live);
    if (live == NULL)
        return;
    n = 0;
    live[n++] = &g->start;
    for (ith_follower *m = g->followers; m != NULL; m = m->next)
        live[n++] = &m->config;
    if (ith_automaton_compact(&g->automaton, live, n))
        ith_allowed_forget(g->allowed);
    free(live);
}

static void begin_task(ith_grammar *g)
{
    if (ith_automaton_is_large(&g->automaton))
        compact(g);
    g->automaton.failure = (ith_error){0};
    g->automaton.work = g->work;
    ith_automaton_begin_round(&g->automaton);
}

/* What followers do with a grammar: false if the automaton has failed. */
typedef bool (*task_fn)(ith_follower *m, void *arg);

/* A failure is this follower's alone. One that others may have caused, who have filled the memory,
 * is tried again without what they have left there. */
static ith_status run(ith_follower *m, task_fn task, void *arg, ith_error *err)
{
    ith_automaton *a = &m->grammar->automaton;

    if (m->failure.status != ITH_OK)
        return ith_fail(err, m->failure.status, "%s", m->failure.text);
    begin_task(m->grammar);
    if (task(m, arg))
        return ITH_OK;
    if (a->failure.status == ITH_E_MEMORY) {
        compact(m->grammar);
        begin_task(m->grammar);
        if (task(m, arg))
            return ITH_OK;
    }
    m->failure = a->failure;
    m->config = ITH_DEAD;
    compact(m->grammar);
    return ith_fail(err, m->failure.status, "%s", m->failure.text);
}

/* The configuration after some bytes. */
static int32_t follow(ith_automaton *a, int32_t config, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && config >= 0; i++)
        config = ith_automaton_step(a, config, (uint8_t)bytes[i]);
    return config;
}

/* Goes on by bytes; where they do not fit, to ITH_DEAD. */
static bool go_on(ith_follower *m, void *arg)
{
    const ith_bytes *bytes = arg;
    ith_automaton *a = &m->grammar->automaton;
    int32_t config = follow(a, m->config, bytes->data, bytes->len);

    if (a->failure.status != ITH_OK)
        return false;
    m->config = config;
    return true;
}

ith_status ith_grammar_matches(ith_grammar *g, const char *text, size_t len, bool *matches,
                               ith_error *err)
{
    ITH_NEED_ERROR(err);
    ith_follower *m;
    ith_status status;

    *matches = false;
    ITH_TRY(ith_follower_open(g, false, &m, err));
    status = ITH_OK;
    pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < len && status == ITH_OK && m->config >= 0; i++)
        status = run(m, go_on, &(ith_bytes){text + i, 1}, err);
    *matches = status == ITH_OK && m->config >= 0 && g->automaton.configs[m->config].may_end;
    pthread_mutex_unlock(&g->lock);
    ith_follower_close(m);
    return status;
}

/* ---- Followers ---- */

ith_status ith_follower_open(ith_grammar *g, bool continues, ith_follower **out, ith_error *err)
{
    size_t words = ith_allowed_words(g->allowed);
    ith_follower *m = calloc(1, sizeof *m + words * sizeof *m->mask);

    *out = NULL;
    if (m != NULL)
        m->bytes = malloc(ith_tokenizer_max_len(g->trie->tok) + 1);
    if (m == NULL || m->bytes == NULL) {
        free(m);
        return ith_fail(err, ITH_E_MEMORY, "no memory to follow the grammar");
    }
    m->grammar = g;
    if (!continues)
        m->decoding = ith_decoding_begin(g->trie->tok);
    m->first = !continues;
    pthread_mutex_lock(&g->lock);
    m->config = g->start;
    m->next = g->followers;
    if (m->next != NULL)
        m->next->before = m;
    g->followers = m;
    pthread_mutex_unlock(&g->lock);
    *out = m;
    return ITH_OK;
}

void ith_follower_close(ith_follower *m)
{
    if (m == NULL)
        return;
    pthread_mutex_lock(&m->grammar->lock);
    if (m->next != NULL)
        m->next->before = m->before;
    if (m->before != NULL)
        m->before->next = m->next;
    else
        m->grammar->followers = m->next;
    pthread_mutex_unlock(&m->grammar->lock);
    free(m->bytes);
    free(m);
}

static void set_bit(uint64_t *mask, int32_t id, bool on)
{
    uint64_t bit = UINT64_C(1) << id % 64;

    mask[id / 64] = on ? mask[id / 64] | bit : mask[id / 64] & ~bit;
}

/* Tokens that are other bytes at the beginning of a text, one by one. */
static void allow_odd(ith_follower *m)
{
    const ith_trie *t = m->grammar->trie;

    ith_automaton_begin_round(&m->grammar->automaton);
    for (size_t i = 0; i < t->n_odd; i++) {
        ith_decoding decoding = m->decoding;
        size_t len = ith_decoding_next(t->tok, &decoding, t->odd[i], m->bytes);
        set_bit(m->mask, t->odd[i],
                len > 0 && follow(&m->grammar->automaton, m->config, m->bytes, len) >= 0);
    }
}

static bool is_empty(const uint64_t *mask, size_t words)
{
    for (size_t i = 0; i < words; i++)
        if (mask[i] != 0)
            return false;
    return true;
}

static bool fill_mask(ith_follower *m, void *arg)
{
    ith_grammar *g = m->grammar;
    bool may_end;

    (void)arg;
    if (!ith_allowed_mask(g->allowed, m->config, m->mask))
        return false;
    if (m->first)
        allow_odd(m);
    may_end = g->automaton.configs[m->config].may_end;
    for (int i = 0; i < g->n_stops; i++)
        if (g->stops[i] >= 0 && g->stops[i] < g->trie->n_ids)
            set_bit(m->mask, g->stops[i], may_end);
    return g->automaton.failure.status == ITH_OK;
}

ith_status ith_follower_mask(ith_follower *m, const uint64_t **mask, int32_t *n_ids, ith_error *err)
{
    ith_status status;

    pthread_mutex_lock(&m->grammar->lock);
    if (m->config < 0 && m->failure.status == ITH_OK)
        status = ith_fail(err, ITH_E_ARGUMENT, "the answer does not follow its grammar");
    else
        status = run(m, fill_mask, NULL, err);
    pthread_mutex_unlock(&m->grammar->lock);
    *mask = m->mask;
    *n_ids = m->grammar->trie->n_ids;
    if (status == ITH_OK && is_empty(m->mask, ith_allowed_words(m->grammar->allowed)))
        status = ith_fail(err, ITH_E_UNSUPPORTED,
                          "no token of the vocabulary goes on as the grammar does here");
    return status;
}

static ith_status accept(ith_follower *m, int32_t id, bool *complete, ith_error *err)
{
    ith_grammar *g = m->grammar;
    size_t len = ith_decoding_next(g->trie->tok, &m->decoding, id, m->bytes);

    m->first = false;
    if (len == 0)
        m->config = ITH_DEAD;
    ITH_TRY(run(m, go_on, &(ith_bytes){m->bytes, len}, err));
    if (m->config < 0)
        return ith_fail(err, ITH_E_FORMAT, "token %d does not follow the grammar", id);
    *complete = g->automaton.configs[m->config].n == 0;
    return ITH_OK;
}

ith_status ith_follower_accept(ith_follower *m, int32_t id, bool *complete, ith_error *err)
{
    ith_status status;

    *complete = false;
    pthread_mutex_lock(&m->grammar->lock);
    status = accept(m, id, complete, err);
    pthread_mutex_unlock(&m->grammar->lock);
    return status;
}

bool ith_follower_may_end(ith_follower *m)
{
    bool may_end;

    pthread_mutex_lock(&m->grammar->lock);
    may_end = m->config >= 0 && m->grammar->automaton.configs[m->config].may_end;
    pthread_mutex_unlock(&m->grammar->lock);
    return may_end;
}
