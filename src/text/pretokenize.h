/* pretokenize.h - cuts a text into words, which BPE then encodes one by one. Used inside src/text
 * only.
 *
 * A pre-tokenizer is a list of steps. The first step splits the text; each other step splits every
 * word that the step before it produced. Most steps split by a regular expression.
 */
#ifndef ITH_TEXT_PRETOKENIZE_H
#define ITH_TEXT_PRETOKENIZE_H

#include "text/matcher.h"

/* What happens to a match, as in Hugging Face's SplitDelimiterBehavior. */
typedef enum ith_split_kind {
    ITH_SPLIT_ISOLATED,
    ITH_SPLIT_REMOVED,
    ITH_SPLIT_MERGED_WITH_PREVIOUS,
    ITH_SPLIT_MERGED_WITH_NEXT,
    ITH_SPLIT_CONTIGUOUS,
    ITH_SPLIT_KINDS
} ith_split_kind;

enum { ITH_MAX_SPLIT_STEPS = 16 };

/* Whether a step puts a mark before words that do not begin with it: before all, before the one at
 * the beginning of the whole text, or before none. */
typedef enum ith_prepend { ITH_PREPEND_ALWAYS, ITH_PREPEND_FIRST, ITH_PREPEND_NEVER } ith_prepend;

/* A step splits by its pattern. Without one it splits nothing: it replaces spaces by the mark
 * ("\u2581", or " " itself), and may put one before the word. */
typedef struct ith_split_step {
    ith_pattern *pattern;
    ith_split_kind kind;
    bool invert; /* matches are treated as gaps, and gaps as matches */
    char mark[4];
    size_t mark_len;
    ith_prepend prepend;
} ith_split_step;

typedef struct ith_pretokenizer {
    ith_split_step steps[ITH_MAX_SPLIT_STEPS];
    int n_steps;
} ith_pretokenizer;

/* GPT-2's pattern (Radford et al. 2019, encoder.py, as written in `tokenizers`). ByteLevel splits
 * by it if use_regex is set. */
#define ITH_PATTERN_GPT2                                                                           \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/* Appends a step that splits by a pattern. `literal`: the pattern is a plain string. Errors name
 * the file, `where`; ITH_E_UNSUPPORTED and ITH_E_FORMAT are those of ith_pattern_compile. */
ith_status ith_pretokenizer_add_split(ith_pretokenizer *pre, const char *pattern, size_t len,
                                      bool literal, ith_split_kind kind, bool invert,
                                      const char *where, ith_error *err);

/* Appends a step that replaces spaces by a mark of one character. */
ith_status ith_pretokenizer_add_mark(ith_pretokenizer *pre, ith_bytes mark, ith_prepend prepend,
                                     const char *where, ith_error *err);

/* Frees the contents, not the struct. */
void ith_pretokenizer_free(ith_pretokenizer *pre);

/* Called with each word, buffer->data[begin .. end). It must not append to the buffer. */
typedef ith_status (*ith_word_fn)(void *user, size_t begin, size_t end, ith_error *err);

/* One use of a pre-tokenizer, which itself never changes. The caller sets the first four fields. */
typedef struct ith_splitter {
    const ith_pretokenizer *pre;
    ith_buffer *buffer; /* holds the text; words that get a mark are appended as copies */
    ith_word_fn on_word;
    void *user;
    ith_matcher matchers[ITH_MAX_SPLIT_STEPS];
    ith_match_budget budget;
    size_t
        first; /* where the word at the beginning of the whole text begins; SIZE_MAX: it is past */
} ith_splitter;

/* Allocates what matching needs. Call ith_splitter_end afterwards, also after a failure. */
ith_status ith_splitter_begin(ith_splitter *splitter, ith_error *err);
void ith_splitter_end(ith_splitter *splitter);

/* Cuts buffer->data[begin .. end), well-formed UTF-8, into words, none of them empty. at_start: the
 * whole text begins here. ITH_E_FORMAT: the text takes too many steps. */
ith_status ith_splitter_run(ith_splitter *splitter, size_t begin, size_t end, bool at_start,
                            ith_error *err);

#endif
