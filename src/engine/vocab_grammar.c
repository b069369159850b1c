/* vocab_grammar.c - grammars for a vocabulary: each once, however many answers follow it. */
#include "base/digest.h"
#include "engine/vocab.h"
#include "grammar/gbnf.h"
#include "grammar/grammar.h"
#include "grammar/json_schema.h"
#include "grammar/schema_frames.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 16 }; /* grammars that nobody has open: requests often come with one that was there */

typedef enum grammar_kind { SCHEMA, GBNF, FRAMES } grammar_kind;

typedef struct entry {
    struct entry *next;
    ith_grammar *grammar;
    grammar_kind kind;
    int users;
    int64_t used; /* when it was closed */
} entry;

struct ith_vocab_grammars {
    pthread_mutex_t lock;
    ith_trie *trie; /* NULL: not made yet */
    entry *entries;
    int64_t clock;
};

ith_vocab_grammars *ith_vocab_grammars_new(void)
{
    ith_vocab_grammars *v = calloc(1, sizeof *v);

    if (v != NULL)
        pthread_mutex_init(&v->lock, NULL);
    return v;
}

/* Removes the entry that *at points to. */
static void remove_entry(entry **at)
{
    entry *e = *at;

    *at = e->next;
    ith_grammar_free(e->grammar);
    free(e);
}

void ith_vocab_grammars_free(ith_vocab_grammars *v)
{
    if (v == NULL)
        return;
    while (v->entries != NULL)
        remove_entry(&v->entries);
    ith_trie_close(v->trie);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

/* The grammar of a text, if it is there; NULL: it is not. */
static ith_grammar *find(ith_vocab_grammars *v, grammar_kind kind, const char key[65])
{
    ith_grammar *found = NULL;

    pthread_mutex_lock(&v->lock);
    for (entry *e = v->entries; e != NULL && found == NULL; e = e->next)
        if (e->kind == kind && strcmp(ith_grammar_key(e->grammar), key) == 0 &&
            !ith_grammar_has_failed(e->grammar)) {
            e->users++;
            found = e->grammar;
        }
    pthread_mutex_unlock(&v->lock);
    return found;
}

static ith_status add(ith_vocab_grammars *v, grammar_kind kind, ith_grammar *grammar,
                      ith_error *err)
{
    entry *e = calloc(1, sizeof *e);

    if (e == NULL) {
        ith_grammar_free(grammar);
        return ith_fail(err, ITH_E_MEMORY, "no memory for a grammar");
    }
    ith_grammar_set_home(grammar, v);
    pthread_mutex_lock(&v->lock);
    *e = (entry){.next = v->entries, .grammar = grammar, .kind = kind, .users = 1};
    v->entries = e;
    pthread_mutex_unlock(&v->lock);
    return ITH_OK;
}

static ith_status get_trie(ith_vocab_grammars *v, const ith_tokenizer *tok, const ith_trie **trie,
                           ith_error *err)
{
    ith_status status = ITH_OK;

    pthread_mutex_lock(&v->lock);
    if (v->trie == NULL)
        status = ith_trie_open(tok, &v->trie, err);
    *trie = v->trie;
    pthread_mutex_unlock(&v->lock);
    return status;
}

/* Of those that nobody has open, all but the KEPT that were closed last. The lock is held. */
static void forget_oldest(ith_vocab_grammars *v)
{
    entry **oldest = NULL;
    int idle = 0;

    for (entry **at = &v->entries; *at != NULL; at = &(*at)->next)
        if ((*at)->users == 0) {
            idle++;
            if (oldest == NULL || (*at)->used < (*oldest)->used)
                oldest = at;
        }
    if (idle > KEPT)
        remove_entry(oldest);
}

void ith_grammar_close(ith_grammar *grammar)
{
    ith_vocab_grammars *v = grammar != NULL ? ith_grammar_home(grammar) : NULL;

    if (v == NULL)
        return;
    pthread_mutex_lock(&v->lock);
    for (entry *e = v->entries; e != NULL; e = e->next)
        if (e->grammar == grammar) {
            e->users--;
            e->used = ++v->clock;
        }
    forget_oldest(v);
    pthread_mutex_unlock(&v->lock);
}

/* ---- Compiling ---- */

static ith_status compile_schema(const char *text, size_t len, ith_rules *rules, ith_error *err)
{
    json_t *schema;
    ith_status status;

    *rules = (ith_rules){0};
    ITH_TRY(ith_json_parse(text, len, "the schema", &schema, err));
    status = ith_schema_compile(schema, rules, err);
    json_decref(schema);
    return status;
}

static ith_status compile_frames(const char *text, size_t len, ith_rules *rules, ith_error *err)
{
    json_t *frames;
    ith_status status;

    *rules = (ith_rules){0};
    ITH_TRY(ith_json_parse(text, len, "the frames", &frames, err));
    status = ith_frames_compile(frames, rules, err);
    json_decref(frames);
    return status;
}

static ith_status compile(grammar_kind kind, ith_bytes source, ith_rules *rules, ith_error *err)
{
    if (kind == SCHEMA)
        return compile_schema(source.data, source.len, rules, err);
    return (kind == GBNF ? ith_gbnf_compile : compile_frames)(source.data, source.len, rules, err);
}

static ith_status make(const ith_vocab *vocab, grammar_kind kind, ith_bytes source,
                       ith_grammar **grammar, ith_error *err)
{
    const ith_trie *trie = NULL;
    ith_rules rules;
    ith_status status = compile(kind, source, &rules, err);

    if (status == ITH_OK)
        status = get_trie(vocab->grammars, vocab->tok, &trie, err);
    if (status == ITH_OK)
        return ith_grammar_make(&rules, trie, vocab->stops, vocab->n_stops, source, grammar, err);
    ith_rules_free(&rules);
    return status;
}

static ith_status get(const ith_vocab *vocab, grammar_kind kind, ith_bytes source,
                      ith_grammar **grammar, ith_error *err)
{
    char key[65];
    ith_grammar *made;

    *grammar = NULL;
    ITH_TRY(ith_vocab_need(vocab, err));
    ith_sha256_hex(source.data, source.len, key);
    *grammar = find(vocab->grammars, kind, key);
    if (*grammar != NULL)
        return ITH_OK;
    ITH_TRY(make(vocab, kind, source, &made, err));
    ITH_TRY(add(vocab->grammars, kind, made, err));
    *grammar = made;
    return ITH_OK;
}

ith_status ith_grammar_from_schema(const ith_vocab *vocab, const char *json, size_t len,
                                   ith_grammar **grammar, ith_error *err)
{
    ITH_NEED_ERROR(err);
    return get(vocab, SCHEMA, (ith_bytes){json, len}, grammar, err);
}

ith_status ith_grammar_json_object(const ith_vocab *vocab, ith_grammar **grammar, ith_error *err)
{
    ITH_NEED_ERROR(err);
    static const char schema[] = "{\"type\": \"object\"}";

    return get(vocab, SCHEMA, (ith_bytes){schema, sizeof schema - 1}, grammar, err);
}

ith_status ith_grammar_from_gbnf(const ith_vocab *vocab, const char *text, size_t len,
                                 ith_grammar **grammar, ith_error *err)
{
    ITH_NEED_ERROR(err);
    return get(vocab, GBNF, (ith_bytes){text, len}, grammar, err);
}

ith_status ith_grammar_from_frames(const ith_vocab *vocab, const char *json, size_t len,
                                   ith_grammar **grammar, ith_error *err)
{
    ITH_NEED_ERROR(err);
    return get(vocab, FRAMES, (ith_bytes){json, len}, grammar, err);
}
