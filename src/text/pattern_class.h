/* pattern_class.h - reads the parts of a pattern that stand for sets of characters. Used inside
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

/* \w, as Oniguruma has it. */
ith_status ith_pattern_word(ith_codeset *set, ith_error *err);

#endif
