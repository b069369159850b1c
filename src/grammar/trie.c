/* trie.c - builds the tree: tokens sorted by their bytes, then one pass over them. */
#include "grammar/trie.h"

#include <stdlib.h>
#include <string.h>

/* Longer tokens are left out: no grammar needs them. */
enum { LONGEST = 1024 };

typedef struct entry {
    const char *text;
    uint32_t len;
    int32_t id;
} entry;

static int by_text(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

    if (order == 0)
        order = (x->len > y->len) - (x->len < y->len);
    return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

static size_t list_tokens(const ith_tokenizer *tok, entry *list)
{
    size_t n = 0;

    for (int32_t id = 0; id < ith_tokenizer_n_vocab(tok); id++) {
        size_t len;
        const char *text = ith_tokenizer_token(tok, id, &len);
        if (text != NULL && len > 0 && len <= LONGEST && !ith_tokenizer_is_special(tok, id))
            list[n++] = (entry){text, (uint32_t)len, id};
    }
    return n;
}

/* How many bytes two tokens begin with in common. */
static uint32_t common(const entry *a, const entry *b)
{
    uint32_t n = 0;

    while (n < a->len && n < b->len && a->text[n] == b->text[n])
        n++;
    return n;
}

static size_t count_nodes(const entry *list, size_t n)
{
    size_t nodes = 1;

    for (size_t i = 0; i < n; i++)
        nodes += list[i].len - (i > 0 ? common(&list[i - 1], &list[i]) : 0);
    return nodes;
}

static void fill(ith_trie *t, const entry *list, size_t n)
{
    uint32_t path[LONGEST + 1] = {0}, node = 0, depth = 0;

    t->first[0] = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t same = i > 0 ? common(&list[i - 1], &list[i]) : 0;
        for (; depth > same; depth--)
            t->skip[path[depth]] = node + 1;
        for (; depth < list[i].len; depth++) {
            path[depth + 1] = ++node;
            t->byte[node] = (uint8_t)list[i].text[depth];
            t->depth[node] = (uint16_t)(depth + 1);
            t->first[node] = (uint32_t)i;
        }
        t->ids[i] = list[i].id;
        t->longest = depth > t->longest ? depth : t->longest;
    }
    for (; depth > 0; depth--)
        t->skip[path[depth]] = node + 1;
    t->skip[0] = node + 1;
    t->first[node + 1] = (uint32_t)n;
}

/* Tokens of which a text that begins with them shows other bytes. */
static ith_status find_odd(ith_trie *t, const entry *list, size_t n, ith_error *err)
{
    char *out = malloc(ith_tokenizer_max_len(t->tok) + 1);

    t->odd = malloc((n + 1) * sizeof *t->odd);
    if (out == NULL || t->odd == NULL) {
        free(out);
        return ith_fail(err, ITH_E_MEMORY, "no memory for a vocabulary of %zu tokens", n);
    }
    for (size_t i = 0; i < n; i++) {
        ith_decoding decoding = ith_decoding_begin(t->tok);
        size_t len = ith_decoding_next(t->tok, &decoding, list[i].id, out);
        if (len != list[i].len || memcmp(out, list[i].text, len) != 0)
            t->odd[t->n_odd++] = list[i].id;
    }
    free(out);
    return ITH_OK;
}

static ith_status build(ith_trie *t, entry *list, ith_error *err)
{
    size_t n = list_tokens(t->tok, list);

    qsort(list, n, sizeof *list, by_text);
    t->n_nodes = count_nodes(list, n);
    if (t->n_nodes >= UINT32_MAX)
        return ith_fail(err, ITH_E_UNSUPPORTED, "the vocabulary is too large for grammars");
    t->byte = calloc(t->n_nodes, sizeof *t->byte);
    t->depth = calloc(t->n_nodes, sizeof *t->depth);
    t->skip = calloc(t->n_nodes, sizeof *t->skip);
    t->first = calloc(t->n_nodes + 1, sizeof *t->first);
    t->ids = malloc((n + 1) * sizeof *t->ids);
    if (t->byte == NULL || t->depth == NULL || t->skip == NULL || t->first == NULL ||
        t->ids == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a tree of %zu nodes", t->n_nodes);
    fill(t, list, n);
    return find_odd(t, list, n, err);
}

ith_status ith_trie_open(const ith_tokenizer *tok, ith_trie **out, ith_error *err)
{
    ith_trie *t = calloc(1, sizeof *t);
    int32_t n_ids = ith_tokenizer_n_vocab(tok);
    entry *list = malloc(((size_t)n_ids + 1) * sizeof *list);
    ith_status status;

    *out = NULL;
    if (t == NULL || list == NULL) {
        status = ith_fail(err, ITH_E_MEMORY, "no memory for a vocabulary of %d tokens", n_ids);
    } else {
        t->tok = tok;
        t->n_ids = n_ids;
        status = build(t, list, err);
    }
    free(list);
    if (status == ITH_OK)
        *out = t;
    else
        ith_trie_close(t);
    return status;
}

void ith_trie_close(ith_trie *t)
{
    if (t == NULL)
        return;
    free(t->byte);
    free(t->depth);
    free(t->skip);
    free(t->first);
    free(t->ids);
    free(t->odd);
    free(t);
}
