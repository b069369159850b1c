/* pre_names.h - the pre-tokenizers that GGUF files name (tokenizer.ggml.pre). Used inside src/text
 * only. */
#ifndef ITH_TEXT_PRE_NAMES_H
#define ITH_TEXT_PRE_NAMES_H

#include "base/bytes.h"

#include <stdbool.h>

enum { ITH_MAX_PRE_PATTERNS = 6 };

typedef struct ith_known_pre {
    /* Applied one after the other; each isolates its matches. */
    const char *patterns[ITH_MAX_PRE_PATTERNS + 1];
    bool nfc;           /* texts are normalized to NFC */
    bool ignore_merges; /* a word that is a token is not merged */
    bool chars;         /* not byte-level: spaces become U+2581, other bytes <0x0A> */
} ith_known_pre;

/* NULL: the name is not known. Empty: "default". */
const ith_known_pre *ith_pre_named(ith_bytes name);

#endif
