/* haystack_words.h - what the sentences of a haystack are made of: common English words, so that
 * they are few tokens in any vocabulary. */
#ifndef ITH_CLI_HAYSTACK_WORDS_H
#define ITH_CLI_HAYSTACK_WORDS_H

#include <stddef.h>

typedef struct ith_haystack_list {
    const char *name;  /* "weather" */
    const char *words; /* separated by blanks */
} ith_haystack_list;

extern const char ith_haystack_names[];              /* of persons, separated by blanks */
extern const ith_haystack_list ith_haystack_lists[]; /* up to one whose name is NULL */

/* {weather} is a word of that list, {Name} a name, # a number, ## one like a passkey. Up to
 * NULL. */
extern const char *const ith_haystack_sentences[];

#endif
