/* pretokenize.h - cuts a text into the words that are merged one by one. Inside src/text only.
 *
 * A pre-tokenizer is a list of steps; each splits every piece that the step before it left. Splitting is by a regular
 * expression (PCRE2 with JIT), whose dialect in tokenizer.json is Oniguruma's. The two agree on what is used in practice but for
 * \s, which here means Unicode's White_Space as it does there; constructs on which they differ (\w, \h, nested classes, ...)
 * are refused by name. \p{L} and \p{N} are Unicode 16's whatever PCRE2 is installed. Patterns come from files and are not
 * trusted: a match that takes too many steps fails.
 */
#ifndef ITH_TEXT_PRETOKENIZE_H
#define ITH_TEXT_PRETOKENIZE_H

#include "text/utf8.h"

/* What becomes of a match, as in Hugging Face's SplitDelimiterBehavior. */
typedef enum ith_split_kind {
    ITH_SPLIT_ISOLATED,
    ITH_SPLIT_REMOVED,
    ITH_SPLIT_MERGED_WITH_PREVIOUS,
    ITH_SPLIT_MERGED_WITH_NEXT,
    ITH_SPLIT_CONTIGUOUS,
    ITH_SPLIT_KINDS
} ith_split_kind;

enum { ITH_MAX_SPLIT_STEPS = 16 };

typedef struct ith_split_step {
    struct pcre2_real_code_8 *code; /* NULL: puts a space before a piece that does not begin with one */
    ith_split_kind kind;
    bool invert; /* matches and what lies between change their roles */
} ith_split_step;

typedef struct ith_pretokenizer {
    ith_split_step steps[ITH_MAX_SPLIT_STEPS];
    int n_steps;
} ith_pretokenizer;

/* GPT-2's pattern, that of ByteLevel with use_regex (Radford et al. 2019, encoder.py, as `tokenizers` has it). */
#define ITH_PATTERN_GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/* Appends a step. `where` is for messages. literal: the pattern is a plain string. */
ith_status ith_pretokenizer_add_split(ith_pretokenizer *pre, const char *pattern, size_t len, bool literal,
                                      ith_split_kind kind, bool invert, const char *where, ith_error *err);
ith_status ith_pretokenizer_add_space(ith_pretokenizer *pre, const char *where, ith_error *err);
void ith_pretokenizer_free(ith_pretokenizer *pre); /* the contents */

/* Receives the word buffer->data[begin .. end). It may not append to the buffer. */
typedef ith_status (*ith_word_fn)(void *user, size_t begin, size_t end, ith_error *err);

typedef struct ith_splitter { /* one walk; what it needs beside the immutable pre-tokenizer */
    const ith_pretokenizer *pre;
    ith_buffer *buffer; /* holds the text; pieces that get a space are appended */
    ith_word_fn on_word;
    void *user;
    struct pcre2_real_match_data_8 *match[ITH_MAX_SPLIT_STEPS];
    struct pcre2_real_match_context_8 *context;
    struct pcre2_real_jit_stack_8 *stack;
} ith_splitter;

/* Sets up `splitter`, whose first four fields the caller filled. ith_splitter_end also after a failure. */
ith_status ith_splitter_begin(ith_splitter *splitter, ith_error *err);
void ith_splitter_end(ith_splitter *splitter);

/* Cuts buffer->data[begin .. end), well-formed UTF-8; empty pieces are left out. */
ith_status ith_splitter_run(ith_splitter *splitter, size_t begin, size_t end, ith_error *err);

#endif
