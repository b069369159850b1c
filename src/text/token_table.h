/* token_table.h - the tokens of a vocabulary: from id to bytes and from bytes to id. Used inside
 * src/text only.
 *
 * Files of byte-level vocabularies spell tokens in GPT-2's alphabet, in which every byte is a
 * printable character (Radford et al. 2019; a space is U+0120). ith_alphabet_decode converts them:
 * the table holds such tokens as the bytes that they stand for. For other vocabularies it holds the
 * spelling, and beside it the bytes (pieces.h).
 */
#ifndef ITH_TEXT_TOKEN_TABLE_H
#define ITH_TEXT_TOKEN_TABLE_H

#include "base/bytes.h"
#include "base/error.h"

enum {
    ITH_TOKEN_PRESENT = 1, /* the id has a token */
    ITH_TOKEN_MODEL = 2,   /* belongs to the vocabulary of the BPE model */
    ITH_TOKEN_ADDED = 4,   /* an added token: found in the text before BPE */
    ITH_TOKEN_SPECIAL = 8, /* an added token that is special */
    ITH_TOKEN_RAW = 16     /* of a byte-level model, but spelled outside its alphabet */
};

/* Larger ids are taken for damage: the largest vocabularies today have some 260,000 tokens. */
enum { ITH_MAX_TOKEN_ID = (1 << 22) - 1 };

/* Its spelling, by which it is found, and what it stands for, in `bytes` of the table. */
typedef struct ith_token {
    uint32_t at, len, piece_at, piece_len;
    uint32_t flags;
} ith_token;

typedef struct ith_token_table {
    ith_token *tokens; /* [cap] by id; zero for ids without a token */
    size_t n, cap;     /* n: largest id + 1 */
    char *bytes;
    size_t n_bytes, cap_bytes;
    int32_t *slots; /* [n_slots] hash table of ids, open addressing; -1: empty */
    size_t n_slots; /* a power of two */
    bool indexed;   /* `slots` knows all tokens */
    size_t max_len; /* bytes of the longest spelling or piece */
} ith_token_table;

/* Sets the bytes of `id`, replacing those it had. Errors name the file, `where`. ITH_E_FORMAT: the
 * id is out of range, or the table exceeds 4 GiB. */
ith_status ith_token_table_put(ith_token_table *table, int64_t id, const char *bytes, size_t len,
                               uint32_t flags, const char *where, ith_error *err);

/* Sets what a token stands for, which is its spelling otherwise. */
ith_status ith_token_table_set_piece(ith_token_table *table, int32_t id, ith_bytes piece,
                                     const char *where, ith_error *err);

/* Builds the index that the functions below use, of all tokens put so far, unless it is there. */
ith_status ith_token_table_index(ith_token_table *table, ith_error *err);

/* The id of the token with these bytes; -1: none. Of several an added token comes first, then the
 * lowest id. */
int32_t ith_token_table_find(const ith_token_table *table, const char *bytes, size_t len);

/* The same among the model's tokens. Of a byte-level model two may have the same bytes, one
 * spelled in the alphabet and one `raw`: that one no text is merged to. */
int32_t ith_token_table_find_model(const ith_token_table *table, const char *bytes, size_t len,
                                   bool raw);

/* NULL if the id has no token. */
const ith_token *ith_token_table_get(const ith_token_table *table, int64_t id);

/* Frees the contents, not the struct. */
void ith_token_table_free(ith_token_table *table);

/* Converts `len` bytes of text in the byte-level alphabet to the bytes that they stand for, out
 * [len]; the result is never longer than the text. False: a character is not in the alphabet. */
bool ith_alphabet_decode(const char *text, size_t len, char *out, size_t *out_len);

uint32_t ith_hash_bytes(const char *bytes, size_t len);

#endif
