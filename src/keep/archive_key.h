/* archive_key.h - the names of saved KV data: hashes of everything that its bits depend on.
 *
 * The keys and values of a token depend on the model and on the tokens up to it, and on nothing
 * else: not on ranks, threads, chunks or instruction sets. A chain of hashes names them. Its root
 * is a hash of the model. The key of each segment is a hash of its parent's key and its own
 * tokens. Timelines that begin alike have the same keys as far as they agree.
 */
#ifndef ITH_KEEP_ARCHIVE_KEY_H
#define ITH_KEEP_ARCHIVE_KEY_H

#include "base/digest.h"

#include <stdbool.h>

enum { ITH_KEY_BYTES = 16, ITH_KEY_HEX = 2 * ITH_KEY_BYTES + 1 };

/* The first half of a SHA-256. */
typedef struct ith_key {
    uint8_t bytes[ITH_KEY_BYTES];
} ith_key;

/* Of n inputs, one after another: all that the root stands for. */
ith_key ith_key_root(const ith_digest_input *spans, size_t n);

/* Of the n tokens that follow what `parent` names. */
ith_key ith_key_next(const ith_key *parent, const int32_t *ids, int64_t n);

bool ith_key_equal(const ith_key *a, const ith_key *b);
void ith_key_hex(const ith_key *key, char hex[ITH_KEY_HEX]);

/* Reads the 32 lower-case digits at the start of `text`; false if they are not there. */
bool ith_key_parse(const char *text, ith_key *key);

#endif
