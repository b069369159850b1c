/* added.h - finds added tokens ("<|im_end|>", "<think>") in a text. Used inside src/text only. */
#ifndef ITH_TEXT_ADDED_H
#define ITH_TEXT_ADDED_H

#include "base/error.h"
#include "text/authors.h"

/* An added token. The flags mean what they mean in tokenizer.json. */
typedef struct ith_added {
    char *text; /* the content; in normalized form if `normalized` */
    size_t len;
    int32_t id;
    bool special;
    bool single_word; /* does not match inside a word */
    bool lstrip;      /* the match includes white space before the token */
    bool rstrip;      /* the match includes white space after the token */
    bool normalized;  /* matched against the normalized text */
} ith_added;

/* A set of added tokens, sorted by text so that a search narrows byte by byte. */
typedef struct ith_added_set {
    ith_added *items;
    size_t n, cap;
    uint32_t first[257]; /* items [first[b], first[b + 1]) begin with byte b */
} ith_added_set;

/* Adds a copy of the item, including its text. ITH_E_MEMORY is the only error. */
ith_status ith_added_push(ith_added_set *set, const ith_added *item, ith_error *err);

/* Call after the last push and before the first search. */
void ith_added_sort(ith_added_set *set);

/* A text that two items have, in one set or one in each of two sorted sets; NULL: none. */
const ith_added *ith_added_twice(const ith_added_set *a, const ith_added_set *b);

/* Frees the contents, not the struct. */
void ith_added_free(ith_added_set *set);

/* A range of a text: an added token, or the plain text between two (item NULL). */
typedef struct ith_cut {
    const ith_added *item;
    size_t begin, end;
} ith_cut;

/* Which tokens a cutter finds, where a text has passages. */
typedef enum ith_finding { ITH_FIND_ALL, ITH_FIND_MARKERS, ITH_FIND_OTHERS } ith_finding;

/* The passages of a text whose markers count only where the template wrote them. */
typedef struct ith_authors {
    const ith_passage *passages; /* [n] of the whole text; NULL: all markers count */
    size_t n;
    size_t base;         /* where the cutter's text begins in the whole one */
    const bool *markers; /* [set->n] which items are markers */
    ith_finding finding;
    bool *held; /* becomes true if a marker was found that does not count */
} ith_authors;

/* Cuts one text into such ranges; see ith_cutter_next. */
typedef struct ith_cutter {
    const ith_added_set *set;
    const char *text;
    size_t len;
    size_t scanned; /* searched up to here */
    size_t done;    /* returned up to here */
    bool with_special;
    ith_authors authors;
    size_t passage; /* the one where the search is */
    ith_cut held;   /* a token that was found but follows the plain text returned first */
    bool has_held;
} ith_cutter;

/* The text must be valid UTF-8. flags are those of encoding: without ITH_TOKENIZE_SPECIAL special
 * tokens are plain text. To limit markers to their author, set `authors`. */
ith_cutter ith_cutter_begin(const ith_added_set *set, const char *text, size_t len, unsigned flags);

/* Returns the ranges in order, without gaps and never empty; false at the end of the text. */
bool ith_cutter_next(ith_cutter *cutter, ith_cut *cut);

#endif
