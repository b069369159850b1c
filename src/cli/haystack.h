/* haystack.h - texts in which a passkey is hidden among others, and the question for it.
 *
 * "Read the notes and remember the passkeys. The rain did not stop until Monday night. ... The
 * passkey of Gerald is 390687. ... What is the passkey of Gerald?" Each text has 4 to 16 passkeys
 * of different persons; the one that is asked for stands where `position` says, the others
 * anywhere. Some sentences give other numbers of persons in the same form. The same seed, length
 * and tokenizer give the same text on every machine.
 *
 * With the tokenizer of the model in tests/models/needle-qwen3 the texts are those of its
 * make_haystack.py, to the byte.
 */
#ifndef ITH_CLI_HAYSTACK_H
#define ITH_CLI_HAYSTACK_H

#include "cli/input.h"

#include <stdint.h>

/* Tokens of a text; as a whole prompt with what the model's chat template puts around it, or not.
 * Below 0: it failed, and err says why. */
typedef int64_t (*ith_haystack_count)(void *user, const char *text, size_t len, bool prompt,
                                      ith_error *err);

typedef struct ith_haystack {
    int64_t tokens;  /* of prompt and answer: the text fills them but for part of a sentence */
    double position; /* 0: the passkey is at the beginning; 1: at the end */
    uint64_t seed;
    ith_haystack_count count;
    void *user;
} ith_haystack;

typedef struct ith_needle {
    ith_text text;    /* freed by ith_text_free */
    char answer[80];  /* "The passkey of Gerald is 390687." */
    char passkey[12]; /* "390687" */
} ith_needle;

/* ITH_E_ARGUMENT: so few tokens do not hold the question; ITH_E_MEMORY; errors of `count`. The
 * needle's text may be freed also after an error. */
ith_status ith_haystack_make(const ith_haystack *hay, ith_needle *needle, ith_error *err);

/* Does the answer give the passkey, and not as a part of a longer number? */
bool ith_needle_found(const ith_needle *needle, const char *answer);

#endif
