/* calls_impl.h - what the parser of answers and the forms of calls share.
 *
 * The parser is in a place of the answer: some are its own, the others the form's. A step consumes
 * what is certain there and may change the place. It returns false if nothing more can be said
 * without more text.
 */
#ifndef ITH_OPENAI_CALLS_IMPL_H
#define ITH_OPENAI_CALLS_IMPL_H

#include "openai/calls.h"
#include "openai/forms/form.h"

#include <string.h>

enum {
    ITH_SPACE_MOST = 64,    /* bytes of white space beside a call */
    ITH_HEAD_MOST = 512,    /* bytes before the arguments of a call that is told early */
    ITH_FUNCTION_NAME = 64, /* bytes */
    ITH_CALL_ID = 96        /* bytes of an id that a model writes */
};

/* Places; those of a form begin with ITH_IN_FORM. */
enum {
    ITH_IN_TEXT,
    ITH_IN_THOUGHT_BEGIN,
    ITH_IN_THOUGHT,
    ITH_IN_THOUGHT_END,
    ITH_IN_ARGUMENTS, /* a JSON object, passed through; then the form's place behind them */
    ITH_IN_FORM
};

/* Where the bytes of a JSON value are. */
typedef struct ith_scanner {
    int64_t depth;
    bool quoted, escaped;
} ith_scanner;

struct ith_calls {
    ith_calls_params p;
    int place;
    char *held; /* [len]; what is not consumed begins at `at` */
    size_t at, len, room;
    bool fresh;   /* nothing but white space since the beginning, or since thinking ended */
    bool thought; /* it has ended */
    bool last, failed;
    size_t n;     /* calls */
    bool in_call; /* the last lacks the end of its arguments */

    /* For forms. */
    size_t mark;    /* bytes that are text if no call follows */
    size_t head;    /* bytes before the call */
    size_t scanned; /* bytes behind them that the scanner has seen */
    ith_scanner scan;
    char name[ITH_FUNCTION_NAME + 1]; /* of the function */
    const json_t *value_schema;       /* of the argument in work; NULL: unknown */
    bool quotes;                      /* the argument in work is a text, told as it comes */
    size_t n_fields;                  /* arguments of the call */
};

/* ---- What is held ---- */

static inline const char *ith_calls_rest(const ith_calls *c)
{
    return c->held + c->at;
}

static inline size_t ith_calls_left(const ith_calls *c)
{
    return c->len - c->at;
}

static inline bool ith_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Is the word next? MORE: as far as there is text. */
typedef enum ith_verdict { ITH_NO, ITH_MORE, ITH_YES } ith_verdict;

static inline ith_verdict ith_begins_with(const char *text, size_t n, const char *word)
{
    size_t len = strlen(word);

    if (memcmp(text, word, n < len ? n : len) != 0)
        return ITH_NO;
    return n < len ? ITH_MORE : ITH_YES;
}

/* Says it; empty texts are not said. Of calls with only_one the first alone. */
void ith_calls_tell(ith_calls *calls, ith_said_kind kind, const char *text, size_t len);

/* Says the next n bytes, which are consumed. */
void ith_calls_pass(ith_calls *calls, ith_said_kind kind, size_t n);

/* Consumes white space. Is there something behind it? */
bool ith_calls_skip_space(ith_calls *calls);

/* Consumes the word if it is next. MORE: it may come. */
ith_verdict ith_calls_take(ith_calls *calls, const char *word);

/* The first place of one of the words, which end with NULL, or of what may become one: *which is
 * the word, or NULL. What is left: there is none. */
size_t ith_calls_find(const ith_calls *calls, const char *const *words, const char **which);

/* How much white space there is at the end of n bytes, up to ITH_SPACE_MOST. */
size_t ith_space_before(const char *text, size_t n);

/* ---- Looking ahead ---- */

typedef struct ith_ahead {
    const char *text;
    size_t n, at;
} ith_ahead;

/* The word behind white space; the cursor is behind it then. */
ith_verdict ith_ahead_take(ith_ahead *k, const char *word);

/* Words one after another, up to NULL. */
ith_verdict ith_ahead_take_all(ith_ahead *k, const char *const *words);

/* What a function's name may have, at the cursor, up to a byte that it cannot have. */
ith_verdict ith_ahead_name(ith_ahead *k, char name[ITH_FUNCTION_NAME + 1]);

/* Removes white space and then the word from the end of n bytes. */
bool ith_strip(const char *text, size_t *n, const char *word);
bool ith_strip_all(const char *text, size_t *n, const char *const *words); /* the last first */

/* Passes over bytes up to the end of a JSON value, or to n; returns how many. *ended: depth 0. */
size_t ith_scan(ith_scanner *s, const char *text, size_t n, bool *ended);

/* ---- Calls ---- */

bool ith_calls_knows(const ith_calls *calls, const char *name);

/* What was taken for the beginning of a call, `mark` bytes, is text. Returns true. */
bool ith_calls_no_call(ith_calls *calls);

/* A call is certain. id: NULL: the model writes none. */
void ith_calls_begin(ith_calls *calls, const char *name, const char *id);

/* The same; its arguments are next, a JSON object. */
void ith_calls_begin_object(ith_calls *calls, const char *name, const char *id);

/* Its arguments are complete. */
void ith_calls_end(ith_calls *calls);

/* Behind a call: text. */
bool ith_calls_go_on(ith_calls *calls);

#endif
