/* test_prompt_pace.c - how much of a long prompt a step takes beside answers, by a machine whose
 * times are made up. */
#include "unit/text_data.h"

#include "engine/prompt_pace.h"

enum { CHUNK = 2048, STEPS = 2000 };

/* What a step takes: `alone` without prompts, and so much for each token. */
typedef struct machine {
    double alone, token;
} machine;

/* Runs a prompt of many chunks; returns the longest step, as a multiple of one without prompts, of
 * those after the first hundred, and in *mean how many tokens a step took. */
static double run(ith_prompt_pace *pace, machine m, double *mean)
{
    double longest = 0, sum = 0;

    for (int i = 0; i < STEPS; i++) {
        const ith_prompt_pace_step step = {.answers = true,
                                           .long_tokens = ith_prompt_pace_next(pace, CHUNK)};
        double seconds = m.alone + (double)step.long_tokens * m.token;
        assert_in_range(step.long_tokens, 1, CHUNK);
        if (i >= 100 && seconds / m.alone > longest)
            longest = seconds / m.alone;
        sum += (double)step.long_tokens;
        ith_prompt_pace_note(pace, &step, seconds, CHUNK);
    }
    *mean = sum / STEPS;
    return longest;
}

static void test_machines(void **state)
{
    static const machine machines[] = {
        {0.02, 0.0005}, {0.2, 0.001}, {0.001, 0.0004}, {0.05, 0.00001}};
    ith_prompt_pace pace = {0};
    double mean;

    (void)state;
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) { /* one becomes the other */
        machine m = machines[i];
        double most = 0.8 * m.alone / m.token;
        assert_true(run(&pace, m, &mean) < 2);
        assert_true(mean > 0.7 * (most < CHUNK ? most : CHUNK));
    }
}

static void test_steps(void **state)
{
    ith_prompt_pace pace = {0};
    const ith_prompt_pace_step answers = {.answers = true},
                               prompts = {.answers = true, .prompts = true},
                               alone = {.long_tokens = CHUNK};

    (void)state;
    assert_int_equal(ith_prompt_pace_next(&pace, CHUNK),
                     1); /* to see how long a step without prompts takes */
    ith_prompt_pace_note(&pace, &prompts, 9, CHUNK);
    ith_prompt_pace_note(&pace, &alone, 9, CHUNK);
    assert_int_equal(ith_prompt_pace_next(&pace, CHUNK), 1); /* these say nothing of it */
    ith_prompt_pace_note(&pace, &answers, 0.1, CHUNK);
    assert_true(ith_prompt_pace_next(&pace, CHUNK) > 1);
    assert_int_equal(ith_prompt_pace_next(&pace, 4), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_machines),
                                       cmocka_unit_test(test_steps)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
