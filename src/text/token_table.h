/* token_table.h - the tokens of a vocabulary: id -> bytes, bytes -> id. Inside src/text only.
 *
 * Tokens are kept as the bytes that they stand for. Model tokens are spelled in files in GPT-2's byte-level alphabet, in
 * which every byte is a printable character (Radford et al. 2019; a space is U+0120); ith_alphabet_decode undoes it.
 */
#ifndef ITH_TEXT_TOKEN_TABLE_H
#define ITH_TEXT_TOKEN_TABLE_H

#include "base/error.h"

enum {
    ITH_TOKEN_PRESENT = 1, /* the id is taken */
    ITH_TOKEN_MODEL = 2,   /* in the vocabulary that merging works on */
    ITH_TOKEN_ADDED = 4,   /* cut out of the text before merging */
    ITH_TOKEN_SPECIAL = 8  /* a marker */
};

/* Ids past this are taken for damage: the largest vocabularies today have some 260,000. */
enum { ITH_MAX_TOKEN_ID = (1 << 22) - 1 };

typedef struct ith_token {
    uint32_t at, len; /* in `bytes` of the table */
    uint32_t flags;
} ith_token;

typedef struct ith_token_table {
    ith_token *tokens; /* [cap], zero where no token is */
    size_t n, cap;     /* n: largest id + 1 */
    char *bytes;
    size_t n_bytes, cap_bytes;
    int32_t *slots; /* [n_slots] open addressing, -1 empty; a power of two */
    size_t n_slots;
    size_t max_len;
} ith_token_table;

/* Gives `id` these bytes; an id given before gets the new ones. `where` names the file. ITH_E_FORMAT: id out of range. */
ith_status ith_token_table_put(ith_token_table *table, int64_t id, const char *bytes, size_t len, uint32_t flags,
                               const char *where, ith_error *err);

/* Makes ith_token_table_find work for all tokens put so far; among equal bytes added tokens come first, then low ids. */
ith_status ith_token_table_index(ith_token_table *table, ith_error *err);

int32_t ith_token_table_find(const ith_token_table *table, const char *bytes, size_t len); /* -1: none */

/* NULL if the id has no token. */
const ith_token *ith_token_table_get(const ith_token_table *table, int64_t id);

void ith_token_table_free(ith_token_table *table); /* the contents */

/* The bytes that `len` bytes of the byte-level alphabet stand for, into out[len]; false if a character is not of the
 * alphabet. The result is never longer than the text. */
bool ith_alphabet_decode(const char *text, size_t len, char *out, size_t *out_len);

uint32_t ith_hash_bytes(const char *bytes, size_t len);

#endif
