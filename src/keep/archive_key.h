/* archive_key.h - what KV data is called: by everything that its bits depend on.
 *
 * The keys and values of a token are a function of the model and of the tokens up to it, and of nothing else (not of ranks, threads, chunks
 * or instruction sets). So a chain of hashes names them: the root is the hash of the model, and each segment's key that of its parent's key and
 * its own tokens. A timeline that begins like another has the same keys as long as it does.
 */
#ifndef ITH_KEEP_ARCHIVE_KEY_H
#define ITH_KEEP_ARCHIVE_KEY_H

#include "base/digest.h"

#include <stdbool.h>

enum { ITH_KEY_BYTES = 16, ITH_KEY_HEX = 2 * ITH_KEY_BYTES + 1 };

typedef struct ith_key { /* the first half of a SHA-256 */
    uint8_t bytes[ITH_KEY_BYTES];
} ith_key;

/* Of n spans one after another, which say what a root stands for. */
ith_key ith_key_root(const ith_span *spans, size_t n);

/* Of the n tokens that follow what `parent` names. */
ith_key ith_key_next(const ith_key *parent, const int32_t *ids, int64_t n);

bool ith_key_equal(const ith_key *a, const ith_key *b);
void ith_key_hex(const ith_key *key, char hex[ITH_KEY_HEX]);

/* Reads the 32 lower-case digits that `text` begins with; false if it does not. */
bool ith_key_parse(const char *text, ith_key *key);

#endif
