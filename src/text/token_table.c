/* token_table.c - stores and indexes the tokens of a vocabulary; the byte-level alphabet. */
#include "text/token_table.h"

#include "base/grow.h"

#include <stdlib.h>
#include <string.h>

uint32_t ith_hash_bytes(const char *bytes, size_t len)
{
    uint64_t h = len * 0x9e3779b97f4a7c15u, word;

    for (; len >= 8; bytes += 8, len -= 8) {
        memcpy(&word, bytes, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, bytes, len);
    h = (h ^ word) * 0xff51afd7ed558ccdu;
    h ^= h >> 29;
    h *= 0xc4ceb9fe1a85ec53u;
    return (uint32_t)(h >> 32);
}

/* GPT-2's alphabet: printable Latin-1 characters stand for themselves; the other bytes are U+0100,
 * U+0101, ... in ascending order. */
static bool is_printable(int c)
{
    return (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || c >= 174;
}

static int alphabet_byte(uint32_t code)
{
    int rest;

    if (code < 256)
        return is_printable((int)code) ? (int)code : -1;
    rest = (int)(code - 256);
    if (rest < 33)
        return rest;
    if (rest < 33 + 34)
        return rest - 33 + 127; /* 127 .. 160 */
    return rest == 67 ? 173 : -1;
}

bool ith_alphabet_decode(const char *text, size_t len, char *out, size_t *out_len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; n++) {
        unsigned char c = (unsigned char)text[i];
        uint32_t code = c;
        int byte;
        if (c >= 0xc2 && c <= 0xdf && i + 1 < len && ((unsigned char)text[i + 1] & 0xc0) == 0x80) {
            code = (c & 0x1fu) << 6 | ((unsigned char)text[i + 1] & 0x3fu);
            i += 2;
        } else if (c < 0x80) {
            i++;
        } else {
            return false;
        }
        byte = code <= 323 ? alphabet_byte(code) : -1;
        if (byte < 0)
            return false;
        out[n] = (char)byte;
    }
    *out_len = n;
    return true;
}

static ith_status grow_tokens(ith_token_table *table, size_t need, ith_error *err)
{
    size_t cap = table->cap ? table->cap : 1024;
    ith_token *tokens;

    if (need <= table->cap)
        return ITH_OK;
    while (cap < need)
        cap *= 2;
    tokens = realloc(table->tokens, cap * sizeof *tokens);
    if (tokens == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a vocabulary of %zu tokens", cap);
    memset(tokens + table->cap, 0, (cap - table->cap) * sizeof *tokens);
    table->tokens = tokens;
    table->cap = cap;
    return ITH_OK;
}

static ith_status grow_bytes(ith_token_table *table, size_t len, const char *where, ith_error *err)
{
    if (len > UINT32_MAX - table->n_bytes)
        return ith_fail(err, ITH_E_FORMAT, "%s: the vocabulary's tokens exceed 4 GiB", where);
    /* an empty token has an address too */
    return ith_grow((void **)&table->bytes, &table->cap_bytes, table->n_bytes + len + 1, 1)
               ? ITH_OK
               : ith_fail(err, ITH_E_MEMORY, "no memory for the %zu bytes of a vocabulary",
                          table->n_bytes + len);
}

ith_status ith_token_table_put(ith_token_table *table, int64_t id, const char *bytes, size_t len,
                               uint32_t flags, const char *where, ith_error *err)
{
    ith_token *token;

    if (id < 0 || id > ITH_MAX_TOKEN_ID)
        return ith_fail(err, ITH_E_FORMAT, "%s: token \"%.*s\" has id %lld; expected 0 to %d",
                        where, (int)(len < 40 ? len : 40), bytes, (long long)id, ITH_MAX_TOKEN_ID);
    ITH_TRY(grow_tokens(table, (size_t)id + 1, err));
    ITH_TRY(grow_bytes(table, len, where, err));
    token = &table->tokens[id];
    token->at = token->piece_at = (uint32_t)table->n_bytes;
    token->len = token->piece_len = (uint32_t)len;
    token->flags |= flags | ITH_TOKEN_PRESENT;
    memcpy(table->bytes + table->n_bytes, bytes, len);
    table->n_bytes += len;
    table->indexed = false;
    if ((size_t)id >= table->n)
        table->n = (size_t)id + 1;
    if (len > table->max_len)
        table->max_len = len;
    return ITH_OK;
}

ith_status ith_token_table_set_piece(ith_token_table *table, int32_t id, ith_bytes piece,
                                     const char *where, ith_error *err)
{
    ITH_TRY(grow_bytes(table, piece.len, where, err));
    table->tokens[id].piece_at = (uint32_t)table->n_bytes;
    table->tokens[id].piece_len = (uint32_t)piece.len;
    memcpy(table->bytes + table->n_bytes, piece.data, piece.len);
    table->n_bytes += piece.len;
    if (piece.len > table->max_len)
        table->max_len = piece.len;
    return ITH_OK;
}

const ith_token *ith_token_table_get(const ith_token_table *table, int64_t id)
{
    if (id < 0 || (size_t)id >= table->n || !(table->tokens[id].flags & ITH_TOKEN_PRESENT))
        return NULL;
    return &table->tokens[id];
}

/* The slot that holds these bytes, of a token whose flags under `which` are `flags`; or the empty
 * slot where they belong. */
static size_t find_slot(const ith_token_table *table, const char *bytes, size_t len, uint32_t which,
                        uint32_t flags)
{
    size_t mask = table->n_slots - 1, slot = ith_hash_bytes(bytes, len) & mask;

    for (; table->slots[slot] >= 0; slot = (slot + 1) & mask) {
        const ith_token *token = &table->tokens[table->slots[slot]];
        if (token->len == len && (token->flags & which) == flags &&
            memcmp(table->bytes + token->at, bytes, len) == 0)
            break;
    }
    return slot;
}

/* Equal tokens that no search tells apart are listed once. */
static void index_tokens(ith_token_table *table, bool added)
{
    const uint32_t which = ITH_TOKEN_ADDED | ITH_TOKEN_MODEL | ITH_TOKEN_RAW;

    for (size_t id = 0; id < table->n; id++) {
        const ith_token *token = ith_token_table_get(table, (int64_t)id);
        size_t slot;
        if (token == NULL || ((token->flags & ITH_TOKEN_ADDED) != 0) != added)
            continue;
        slot = find_slot(table, table->bytes + token->at, token->len, which, token->flags & which);
        if (table->slots[slot] < 0)
            table->slots[slot] = (int32_t)id;
    }
}

ith_status ith_token_table_index(ith_token_table *table, ith_error *err)
{
    size_t n_slots = 1024;

    if (table->indexed)
        return ITH_OK;
    while (n_slots < 2 * table->n)
        n_slots *= 2;
    free(table->slots);
    table->slots = malloc(n_slots * sizeof *table->slots);
    if (table->slots == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the index of %zu tokens", table->n);
    table->n_slots = n_slots;
    memset(table->slots, 0xff, n_slots * sizeof *table->slots);
    index_tokens(table, true);
    index_tokens(table, false);
    table->indexed = true;
    return ITH_OK;
}

int32_t ith_token_table_find(const ith_token_table *table, const char *bytes, size_t len)
{
    return table->n_slots == 0 ? -1 : table->slots[find_slot(table, bytes, len, 0, 0)];
}

int32_t ith_token_table_find_model(const ith_token_table *table, const char *bytes, size_t len,
                                   bool raw)
{
    const uint32_t which = ITH_TOKEN_MODEL | ITH_TOKEN_RAW,
                   flags = ITH_TOKEN_MODEL | (raw ? ITH_TOKEN_RAW : 0);

    return table->n_slots == 0 ? -1 : table->slots[find_slot(table, bytes, len, which, flags)];
}

void ith_token_table_free(ith_token_table *table)
{
    free(table->tokens);
    free(table->bytes);
    free(table->slots);
    memset(table, 0, sizeof *table);
}
