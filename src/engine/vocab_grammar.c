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

/* KEPT, KEPT_BYTES: of grammars that nobody has open; requests often come with one that was there.
 * OPEN_BYTES: of the rules of those that are open. */
enum { KEPT = 16, KEPT_BYTES = 64 << 20, OPEN_BYTES = 512 << 20, MOST_TEXT = 4 << 20 };

typedef enum grammar_kind { SCHEMA, GBNF, FRAMES } grammar_kind;

typedef struct entry {
    struct entry *next;
    ith_grammar *grammar;
    grammar_kind kind;
    int users;
    int64_t used; /* when it was closed */
    size_t bytes; /* of its rules while it is open, then of all that it keeps */
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

static void free_entries(entry *list)
{
    while (list != NULL) {
        entry *next = list->next;
        ith_grammar_free(list->grammar);
        free(list);
        list = next;
    }
}

void ith_vocab_grammars_free(ith_vocab_grammars *v)
{
    if (v == NULL)
        return;
    free_entries(v->entries);
    ith_trie_close(v->trie);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

/* The sizes of those that are open, or not. The lock is held. */
static size_t sum_bytes(const ith_vocab_grammars *v, bool open, int *n)
{
    size_t bytes = 0;

    *n = 0;
    for (const entry *e = v->entries; e != NULL; e = e->next)
        if ((e->users > 0) == open) {
            bytes += e->bytes;
            ++*n;
        }
    return bytes;
}

/* The grammar of a text, if it is there; NULL: it is not. */
static ith_grammar *find(ith_vocab_grammars *v, grammar_kind kind, const char key[65])
{
    ith_grammar *found = NULL;

    pthread_mutex_lock(&v->lock);
    for (entry *e = v->entries; e != NULL && found == NULL; e = e->next)
        if (e->kind == kind && strcmp(ith_grammar_key(e->grammar), key) == 0) {
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
    ith_status status = ITH_OK;
    int n;

    if (e == NULL) {
        ith_grammar_free(grammar);
        return ith_fail(err, ITH_E_MEMORY, "no memory for a grammar");
    }
    ith_grammar_set_home(grammar, v);
    *e = (entry){.grammar = grammar, .kind = kind, .users = 1, .bytes = ith_grammar_bytes(grammar)};
    pthread_mutex_lock(&v->lock);
    if (sum_bytes(v, true, &n) + e->bytes > OPEN_BYTES) {
        status = ith_fail(err, ITH_E_MEMORY, "the grammars of %d answers take more than %d MiB", n,
                          OPEN_BYTES >> 20);
    } else {
        e->next = v->entries;
        v->entries = e;
        e = NULL;
    }
    pthread_mutex_unlock(&v->lock);
    free_entries(e);
    return status;
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

/* Moves the one that was closed first to a list. The lock is held. */
static void take_oldest(ith_vocab_grammars *v, entry **list)
{
    entry **oldest = NULL, *e;

    for (entry **at = &v->entries; *at != NULL; at = &(*at)->next)
        if ((*at)->users == 0 && (oldest == NULL || (*at)->used < (*oldest)->used))
            oldest = at;
    e = *oldest;
    *oldest = e->next;
    e->next = *list;
    *list = e;
}

void ith_grammar_close(ith_grammar *grammar)
{
    ith_vocab_grammars *v = grammar != NULL ? ith_grammar_home(grammar) : NULL;
    entry *forgotten = NULL;
    int n;

    if (v == NULL)
        return;
    pthread_mutex_lock(&v->lock);
    for (entry *e = v->entries; e != NULL; e = e->next)
        if (e->grammar == grammar && --e->users == 0) {
            e->used = ++v->clock;
            e->bytes = ith_grammar_bytes(grammar);
        }
    while (sum_bytes(v, false, &n) > KEPT_BYTES || n > KEPT)
        take_oldest(v, &forgotten);
    pthread_mutex_unlock(&v->lock);
    free_entries(forgotten);
}

/* ---- Compiling ---- */

static ith_status check_length(size_t len, const char *what, ith_error *err)
{
    return len <= MOST_TEXT
               ? ITH_OK
               : ith_fail(err, ITH_E_UNSUPPORTED, "%s has more than %d MiB", what, MOST_TEXT >> 20);
}

static ith_status compile_schema(const char *text, size_t len, ith_rules *rules, ith_error *err)
{
    json_t *schema;
    ith_status status;

    ITH_TRY(check_length(len, "the schema", err));
    ITH_TRY(ith_json_parse_strict(text, len, "the schema", &schema, err));
    status = ith_schema_compile(schema, rules, err);
    json_decref(schema);
    return status;
}

static ith_status compile_frames(const char *text, size_t len, ith_rules *rules, ith_error *err)
{
    json_t *frames;
    ith_status status;

    ITH_TRY(check_length(len, "the frames", err));
    ITH_TRY(ith_json_parse_strict(text, len, "the frames", &frames, err));
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
    ith_grammar_how how = {
        .stops = vocab->stops, .n_stops = vocab->n_stops, .work = ITH_GRAMMAR_WORK};
    ith_rules rules = {0};
    ith_status status = compile(kind, source, &rules, err);

    if (status == ITH_OK)
        status = get_trie(vocab->grammars, vocab->tok, &how.trie, err);
    if (status == ITH_OK)
        return ith_grammar_make(&rules, &how, source, grammar, err);
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
