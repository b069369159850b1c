/* speculate.c - the credit that pays for guesses. */
#include "engine/speculate.h"

enum {
    START = 4,  /* guesses of the first draft */
    GUESS = 512 /* units of credit that a guess costs */
};

static const struct terms {
    int64_t right;   /* wrong guesses that a right one pays for */
    int64_t emitted; /* units that an emitted token earns at first */
    int64_t least;   /* units that it earns after many failed drafts */
} terms[] = {
    [ITH_GUESSES_CHEAP] = {4, GUESS / 4, GUESS / 4},
    [ITH_GUESSES_DEAR] = {2, GUESS / 8, GUESS / 8},
    [ITH_GUESSES_OF_MODEL] = {1, GUESS / 8, 1},
};

ith_draft_pace ith_draft_pace_start(int64_t max, ith_guess_kind kind)
{
    return (ith_draft_pace){.credit = GUESS * (max < START ? max : START),
                            .max = max,
                            .kind = kind,
                            .emitted = terms[kind].emitted};
}

int64_t ith_draft_pace_length(const ith_draft_pace *pace)
{
    return pace->credit / GUESS;
}

void ith_draft_pace_count(ith_draft_pace *pace, int64_t drafted, int64_t accepted)
{
    const struct terms *t = &terms[pace->kind];

    if (accepted > 0 || pace->emitted > t->emitted)
        pace->emitted = t->emitted;
    else if (drafted > 0 && pace->emitted > t->least)
        pace->emitted /= 2;
    pace->credit +=
        pace->emitted * (accepted + 1) + GUESS * (t->right * accepted - (drafted - accepted));
    if (pace->credit < 0)
        pace->credit = 0;
    if (pace->credit > GUESS * pace->max)
        pace->credit = GUESS * pace->max;
}

void ith_drafter_close(ith_drafter *drafter)
{
    if (drafter != NULL)
        drafter->ops->close(drafter);
}
