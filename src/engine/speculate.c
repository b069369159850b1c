#include "engine/speculate.h"

enum { START = 4 /* guesses */, GUESS = 4, EMITTED = 1 /* in quarters of a guess */ };

ith_draft_pace ith_draft_pace_start(int64_t max, int64_t earned)
{
    return (ith_draft_pace){.credit = GUESS * (max < START ? max : START), .max = max, .earned = earned};
}

int64_t ith_draft_pace_length(const ith_draft_pace *pace)
{
    return pace->credit / GUESS;
}

void ith_draft_pace_count(ith_draft_pace *pace, int64_t drafted, int64_t accepted)
{
    pace->credit += EMITTED * (accepted + 1) + GUESS * (pace->earned * accepted - (drafted - accepted));
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
