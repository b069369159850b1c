/* pattern_class.h - reads character classes of a pattern. Used inside
 * src/text only. */
#ifndef ITH_TEXT_PATTERN_CLASS_H
#define ITH_TEXT_PATTERN_CLASS_H

#include "text/codeset.h"

typedef struct ith_pattern_reader {
    const char *pattern, *where; /* UTF-8; the file's name, for errors */
    size_t len, at;
} ith_pattern_reader;

/* ITH_E_UNSUPPORTED: the pattern uses `what` here. */
ith_status ith_pattern_refuse(const ith_pattern_reader *in, const char *what, ith_error *err);

/* Does the rest begin with `text`? The second moves past it, if so. */
bool ith_pattern_sees(const ith_pattern_reader *in, const char *text);
bool ith_pattern_take(ith_pattern_reader *in, const char *text);

/* Reads an escape and adds what it stands for; *single: one character. The results of these
 * functions are settled sets. */
ith_status ith_pattern_escape(ith_pattern_reader *in, ith_codeset *set, bool *single,
                              ith_error *err);

/* Reads a class in brackets. */
ith_status ith_pattern_class(ith_pattern_reader *in, bool caseless, ith_codeset *set,
                             ith_error *err);

/* Adds the other cases of the letters, of which only those of ASCII are supported. */
ith_status ith_pattern_fold(const ith_pattern_reader *in, ith_codeset *set, ith_error *err);

/* What belongs to words, inside a class: letters, marks, decimal digits, letter numbers, connectors
 * and circled letters. Unicode's \w has the two joiners besides (ith_is_word_char). */
#define ITH_PATTERN_WORD                                                                           \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}"                    \
    "\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
#define ITH_PATTERN_JOINERS "\\x{200c}\\x{200d}"

/* \w, as Oniguruma has it: superscript digits and fractions of Latin-1 instead of the joiners. */
ith_status ith_pattern_word(ith_codeset *set, ith_error *err);

#endif
