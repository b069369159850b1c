/* prompt_pace.c - tokens of long prompts beside answers. */
#include "engine/prompt_pace.h"

#include "base/range.h"

/* FIRST: where nothing is known of what a token takes. AGE: what a step takes without prompts
 * changes as answers come, go and grow. */
enum { FIRST = 16, AGE = 64 };

/* Of what a step takes without prompts, long prompts may add so much. */
static const double share = 0.8;

int64_t ith_prompt_pace_next(const ith_prompt_pace *pace, int64_t chunk)
{
    if (!(pace->short_s > 0) || pace->age >= AGE)
        return 1;
    return ith_min(pace->tokens > 0 ? pace->tokens : FIRST, chunk);
}

void ith_prompt_pace_note(ith_prompt_pace *pace, const ith_prompt_pace_step *step, double seconds,
                          int64_t chunk)
{
    int64_t n = step->long_tokens;
    double token_s, alone_s, want;

    if (!step->answers || step->prompts || !(seconds > 0))
        return;
    if (n <= 1) {
        pace->short_s = seconds;
        pace->short_tokens = n;
        pace->age = 0;
        return;
    }
    pace->age++;
    token_s = (seconds - pace->short_s) / (double)(n - pace->short_tokens);
    alone_s = pace->short_s - (double)pace->short_tokens * token_s;
    want = share * alone_s; /* seconds, then tokens */
    want = token_s * (double)(2 * n) > want ? want / token_s : (double)(2 * n);
    /* Never less than half at once: a time may be another program's. One would be a measurement. */
    n = ith_max(n / 2, (int64_t)want);
    pace->tokens = ith_min(ith_max(2, n), chunk);
}
