/* unicode.h - properties of characters. Used inside src/text only.
 *
 * The tables are our own (scripts/unicode.py), so that tokens depend on no installed library:
 * categories and scripts are Unicode 16.0's, as in Hugging Face's `tokenizers` 0.23. Its normal
 * forms are of Unicode 9: what later versions added stays as it is (ith_unicode_is_inert).
 */
#ifndef ITH_TEXT_UNICODE_H
#define ITH_TEXT_UNICODE_H

#include "text/codeset.h"

/* The versions, for people. */
#define ITH_UNICODE_VERSION "16.0 (normal forms 9.0)"

/* Unicode's White_Space. */
bool ith_is_white_space(uint32_t code);

/* \w of UTS 18: letters, marks, decimal digits, letter numbers, connectors, circled letters, and
 * the two joiners. */
bool ith_is_word_char(uint32_t code);

/* Does a normal form leave the character as it is, and order no mark across it? */
bool ith_unicode_is_inert(uint32_t code);

/* The lower case of a character. U+0130, which becomes two, is returned as it is. */
uint32_t ith_unicode_lower(uint32_t code);

/* A pattern: one character of punctuation, as the pre-tokenizers of Hugging Face's tokenizers
 * understand it (their table is older than Unicode 16). */
const char *ith_unicode_punctuation(void);

/* Adds to `set` the characters of a property, which is settled then: a general category (Lu,
 * Uppercase_Letter, L, ...), a script by its long or short name (Han, Hani), Any, Assigned,
 * White_Space. Case, spaces, hyphens and underscores do not count. *known false: there is no such
 * property. */
ith_status ith_unicode_property(const char *name, size_t len, ith_codeset *set, bool *known,
                                ith_error *err);

#endif
