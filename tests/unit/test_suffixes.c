/* test_suffixes.c - the longest suffix that occurred before, against a full search; and how many
 * guesses pay off. */
#include "engine/speculate.h"
#include "engine/suffixes.h"
#include "tests/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Length of the longest suffix of ids[0, n) that also ends earlier. *follows: the position after
 * the last such occurrence. */
static int64_t longest_ending(const int32_t *ids, int64_t n, int64_t *follows)
{
    int64_t best = 0;

    for (int64_t end = n - 1; end > 0; end--) {
        int64_t length = 0;
        while (length < end && ids[end - 1 - length] == ids[n - 1 - length])
            length++;
        if (length > best)
            *follows = end;
        best = length > best ? length : best;
    }
    return best;
}

static void compare(const int32_t *ids, int64_t n)
{
    ith_suffixes *s;

    assert_int_equal(ith_suffixes_open(n, &s, NULL), ITH_OK);
    for (int64_t i = 0; i < n; i++) {
        int64_t follows, match, last = 0;
        ith_suffixes_push(s, ids[i]);
        match = ith_suffixes_match(s, &follows);
        assert_int_equal(match, longest_ending(ids, i + 1, &last));
        if (match > 0)
            assert_int_equal(follows, last);
    }
    assert_int_equal(ith_suffixes_length(s), n);
    ith_suffixes_close(s);
}

static void random_sequences(void **state)
{
    enum { N = 400 };
    static int32_t ids[N];
    prng random = {11};
    (void)state;
    for (int kinds = 1; kinds <= 50; kinds = kinds < 5 ? kinds + 1 : kinds * 3) {
        for (int i = 0; i < N; i++)
            ids[i] = (int32_t)prng_int(&random, 0, kinds - 1);
        compare(ids, N);
    }
}

static void repeated_passages(void **state)
{
    enum { N = 600 };
    static int32_t ids[N];
    prng random = {3};
    (void)state;
    for (int i = 0; i < N; i++)
        ids[i] = i % 50 < 30 || i < 50 ? i % 47 * 3000 : (int32_t)prng_int(&random, 0, 100000);
    compare(ids, N);
    for (int i = 0; i < N; i++)
        ids[i] = i % 7;
    compare(ids, N);
}

/* {1, 2} last as the end of {7, 1, 2}, which also occurred before */
static void the_last_occurrence_is_named(void **state)
{
    static const int32_t ids[] = {1, 2, 8, 7, 1, 2, 9, 7, 1, 2, 6, 1, 2};
    ith_suffixes *s;
    int64_t follows;
    (void)state;
    assert_int_equal(ith_suffixes_open(13, &s, NULL), ITH_OK);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        ith_suffixes_push(s, ids[i]);
    assert_int_equal(ith_suffixes_match(s, &follows), 2);
    assert_int_equal(follows, 10);
    ith_suffixes_close(s);
    ith_suffixes_close(NULL);
}

/* Guesses of 1,000 tokens, all of them wrong. */
static int64_t wasted(ith_guess_kind kind)
{
    ith_draft_pace pace = ith_draft_pace_start(15, kind);
    int64_t sum = 0;

    for (int i = 0; i < 1000; i++) {
        int64_t n = ith_draft_pace_length(&pace);
        assert_in_range(n, 0, 15);
        sum += n;
        ith_draft_pace_count(&pace, n, 0);
    }
    return sum;
}

/* A quarter a token in the long run, or an eighth, and the start's four. */
static void wrong_guesses_are_few(void **state)
{
    (void)state;
    assert_in_range(wasted(ITH_GUESSES_CHEAP), 200, 254);
    assert_in_range(wasted(ITH_GUESSES_DEAR), 100, 129);
}

/* A draft model that is always wrong is asked for one guess in 16, 32, 64, ... tokens after its
 * first draft. When it is right again, it is soon asked often. */
static void a_useless_model_is_left_alone(void **state)
{
    ith_draft_pace pace = ith_draft_pace_start(5, ITH_GUESSES_OF_MODEL);
    int64_t wasted = 0, drafts = 0;
    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t n = ith_draft_pace_length(&pace);
        wasted += n;
        drafts += n > 0;
        ith_draft_pace_count(&pace, n, 0);
    }
    assert_in_range(wasted, 12, 32);
    assert_int_equal(drafts, wasted - 3);
    while (ith_draft_pace_length(&pace) == 0)
        ith_draft_pace_count(&pace, 0, 0);
    for (int i = 0; i < 4; i++)
        ith_draft_pace_count(&pace, ith_draft_pace_length(&pace), ith_draft_pace_length(&pace));
    assert_int_equal(ith_draft_pace_length(&pace), 5);
}

static void right_guesses_become_long(void **state)
{
    ith_draft_pace pace;
    (void)state;
    for (int kind = ITH_GUESSES_CHEAP; kind <= ITH_GUESSES_DEAR; kind++) {
        pace = ith_draft_pace_start(15, (ith_guess_kind)kind);
        assert_int_equal(ith_draft_pace_length(&pace), 4);
        for (int i = 0; i < 3; i++)
            ith_draft_pace_count(&pace, ith_draft_pace_length(&pace), ith_draft_pace_length(&pace));
        assert_int_equal(ith_draft_pace_length(&pace), 15);
    }
    pace = ith_draft_pace_start(2, ITH_GUESSES_OF_MODEL);
    assert_int_equal(ith_draft_pace_length(&pace), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sequences),
        cmocka_unit_test(repeated_passages),
        cmocka_unit_test(the_last_occurrence_is_named),
        cmocka_unit_test(wrong_guesses_are_few),
        cmocka_unit_test(a_useless_model_is_left_alone),
        cmocka_unit_test(right_guesses_become_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
