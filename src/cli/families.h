/* families.h - commands of two words: "bench model". */
#ifndef ITH_CLI_FAMILIES_H
#define ITH_CLI_FAMILIES_H

#include "cli/option.h"

typedef struct ith_command_family {
    const char *name; /* the first word */
    const char *summary;
} ith_command_family;

/* Up to one whose name is NULL. */
extern const ith_command_family ith_command_families[];

/* NULL if there is none. */
const ith_command_family *ith_family_find(const char *name);

/* Is it "bench model" of "bench"? Then the second word, else NULL. */
const char *ith_family_member(const ith_command_family *family, const ith_command *command);

#endif
