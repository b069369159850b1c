/* normalizer.h - what is done to a text before it is cut into words. Used inside src/text only.
 *
 * A normalizer is a list of steps, each over the whole text that the step before it made. An added
 * token that is found before normalization is not part of that text: what stands between two of
 * them is normalized by itself.
 */
#ifndef ITH_TEXT_NORMALIZER_H
#define ITH_TEXT_NORMALIZER_H

#include "text/matcher.h"

enum { ITH_MAX_NORMAL_STEPS = 16 };

typedef enum ith_normal_kind {
    ITH_NORMAL_FORM,    /* a normal form of Unicode */
    ITH_NORMAL_LOWER,   /* lower case, character by character */
    ITH_NORMAL_REPLACE, /* `to` instead of `from`, or of the matches of the pattern */
    ITH_NORMAL_PREPEND, /* `to` before a text that is not empty */
    ITH_NORMAL_STRIP    /* no white space on the left or right */
} ith_normal_kind;

typedef struct ith_normal_step {
    ith_normal_kind kind;
    ith_normal_form form;
    bool left, right;
    ith_pattern *pattern; /* NULL: `from` is looked for */
    ith_bytes from, to;   /* malloc'd */
} ith_normal_step;

typedef struct ith_normalizer {
    ith_normal_step steps[ITH_MAX_NORMAL_STEPS];
    int n_steps;
} ith_normalizer;

/* Append a step. Errors name the file, `where`; ITH_E_UNSUPPORTED: there are too many, or the
 * pattern is not supported. */
ith_status ith_normalizer_add_form(ith_normalizer *normalizer, ith_normal_form form,
                                   const char *where, ith_error *err);
ith_status ith_normalizer_add_lower(ith_normalizer *normalizer, const char *where, ith_error *err);
ith_status ith_normalizer_add_replace(ith_normalizer *normalizer, ith_bytes from, bool literal,
                                      ith_bytes to, const char *where, ith_error *err);
ith_status ith_normalizer_add_prepend(ith_normalizer *normalizer, ith_bytes text, const char *where,
                                      ith_error *err);
ith_status ith_normalizer_add_strip(ith_normalizer *normalizer, bool left, bool right,
                                    const char *where, ith_error *err);

void ith_normalizer_free(ith_normalizer *normalizer); /* frees the contents, not the struct */

/* One use of a normalizer, which itself never changes. The caller sets the first field. */
typedef struct ith_normalizing {
    const ith_normalizer *normalizer;
    ith_match_budget budget;
    ith_matcher matchers[ITH_MAX_NORMAL_STEPS];
    ith_buffer between[2]; /* what one step made for the next */
} ith_normalizing;

/* Bytes of what is normalized, since files can ask for any growth: of a text between two added
 * tokens at most so many times its own and so many more (one character becomes 11 times its bytes
 * in NFKC), and of the whole text. */
enum { ITH_NORMALIZED_GROWTH = 64, ITH_NORMALIZED_LEAST = 1024, ITH_MAX_NORMALIZED = 1 << 30 };

/* Appends the normalized text to out. ITH_E_FORMAT: a pattern takes too many steps, or the text
 * becomes too long. */
ith_status ith_normalizing_run(ith_normalizing *z, const char *text, size_t len, ith_buffer *out,
                               ith_error *err);
void ith_normalizing_end(ith_normalizing *z);

#endif
