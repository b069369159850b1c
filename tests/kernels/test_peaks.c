/* test_peaks.c - the loops of simd/peaks.h do as many multiplications as they claim, and read every
 * byte. */
#include "simd/kernels.h"
#include "simd/peaks.h"

#include "prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void each_level(void (*check)(const ith_peaks *))
{
    for (const char *const *name = ith_kernels_names(); *name != NULL; name++)
        if (ith_kernels_named(*name) != NULL) {
            assert_string_equal(ith_peaks_named(*name)->name, *name);
            check(ith_peaks_named(*name));
        }
}

static void check_counts(const ith_peaks *p)
{
    for (int64_t rounds = 0; rounds < 1000; rounds += 333) {
        assert_int_equal(p->integer.run(rounds), rounds * p->integer.ops / 2);
        assert_int_equal(p->f32.run(rounds), rounds * p->f32.ops / 2);
    }
}

static void check_read(const ith_peaks *p)
{
    enum { WORDS = 3 * 64 };
    uint64_t *words = aligned_alloc(64, WORDS * 8), sum = 0;
    prng r = {7};

    assert_non_null(words);
    for (int i = 0; i < WORDS; i++)
        sum += words[i] = prng_next(&r);
    assert_true(p->read(words, WORDS * 8) == sum);
    assert_true(p->read(words, 0) == 0);
    free(words);
}

static void loops_do_what_they_count(void **state)
{
    (void)state;
    each_level(check_counts);
}

static void reading_meets_every_word(void **state)
{
    (void)state;
    each_level(check_read);
}

static void an_unknown_level_is_plain_c(void **state)
{
    (void)state;
    assert_string_equal(ith_peaks_named("mmx")->name, "ref");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_do_what_they_count),
        cmocka_unit_test(reading_meets_every_word),
        cmocka_unit_test(an_unknown_level_is_plain_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
