/* added.h - finds added tokens ("<|im_end|>", "<think>") in a text. Inside src/text only. */
#ifndef ITH_TEXT_ADDED_H
#define ITH_TEXT_ADDED_H

#include "base/error.h"

typedef struct ith_added { /* flags as in tokenizer.json */
    char *text;            /* what is looked for: the content, normalized if `normalized` */
    size_t len;
    int32_t id;
    bool special;
    bool single_word; /* not inside a word */
    bool lstrip;      /* swallows white space before it */
    bool rstrip;      /* and after it */
    bool normalized;  /* looked for after normalization */
} ith_added;

typedef struct ith_added_set { /* sorted by text, so that a binary search narrows byte by byte */
    ith_added *items;
    size_t n, cap;
    uint32_t first[257]; /* items that begin with byte b: first[b] .. first[b + 1] */
} ith_added_set;

/* Copies the item, its text too. ITH_E_MEMORY is the only failure. */
ith_status ith_added_push(ith_added_set *set, const ith_added *item, ith_error *err);
void ith_added_sort(ith_added_set *set); /* after the last push, before any search */
void ith_added_free(ith_added_set *set); /* the contents */

typedef struct ith_cut { /* a part of a text: an added token, or what lies between two (item NULL) */
    const ith_added *item;
    size_t begin, end;
} ith_cut;

typedef struct ith_cutter { /* walks through one text: see ith_cutter_next */
    const ith_added_set *set;
    const char *text;
    size_t len, scanned, done; /* searched so far; given out so far */
    bool with_special;
    ith_cut held; /* a token found while the text before it was given out */
    bool has_held;
} ith_cutter;

/* Without `with_special`, special tokens are stepped over as plain text. Text is valid UTF-8. */
ith_cutter ith_cutter_begin(const ith_added_set *set, const char *text, size_t len, bool with_special);

/* The next part, in order, without gaps and never empty; false at the end. */
bool ith_cutter_next(ith_cutter *cutter, ith_cut *cut);

#endif
