/* prompt_pace.h - how much of a long prompt a step takes beside answers, so that they are not held
 * up.
 *
 * A step takes as long as its pass. A whole chunk of a prompt takes many times as long as one token
 * of each answer: beside a long prompt every answer would come in jerks. So a step with answers
 * takes only so many tokens of long prompts as make it nearly twice as long as one without them.
 * How many that are is found from the steps' times, on rank 0, which tells the others. The bits of
 * answers do not depend on it: they depend on no division into passes.
 *
 * Prompts that fit in one chunk are taken whole: many short ones are done sooner so.
 */
#ifndef ITH_ENGINE_PROMPT_PACE_H
#define ITH_ENGINE_PROMPT_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed at the beginning. */
typedef struct ith_prompt_pace {
    double short_s;       /* of a step of answers with at most one token of a prompt; 0: unknown */
    int64_t short_tokens; /* 0 or 1 */
    int64_t tokens;       /* of long prompts, in the next step beside answers */
    int age;              /* such steps since short_s was measured */
} ith_prompt_pace;

/* What is in a step. */
typedef struct ith_prompt_pace_step {
    bool answers;        /* a token of one at least */
    bool prompts;        /* of one chunk at most */
    int64_t long_tokens; /* of the first of the longer prompts; of others it takes one at most */
} ith_prompt_pace_step;

/* How many tokens of long prompts the next step takes beside answers: 1 if it is to show how long
 * one without prompts takes. At most `chunk`. */
int64_t ith_prompt_pace_next(const ith_prompt_pace *pace, int64_t chunk);

/* The step took so long. */
void ith_prompt_pace_note(ith_prompt_pace *pace, const ith_prompt_pace_step *step, double seconds,
                          int64_t chunk);

#endif
