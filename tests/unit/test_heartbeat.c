/* test_heartbeat.c - two ranks beat to each other: what is heard, what is missed, a goodbye; how
 * long they wait. */
#include "comm/heartbeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { LOOKS = 1000000 }; /* datagrams take their time */

/* Looks until that many were in vain. */
static bool looks_until(ith_heartbeat *h, int missed)
{
    for (int i = 0; i < LOOKS; i++)
        if (ith_heartbeat_look(h, 0) == missed)
            return true;
    return false;
}

typedef struct pair {
    ith_heartbeat *a, *b; /* ranks 0 and 1 */
} pair;

static pair open_pair(int seconds_of_a)
{
    ith_pulse all[2];
    pair p = {ith_heartbeat_open(seconds_of_a, &all[0]), ith_heartbeat_open(60, &all[1])};

    assert_non_null(p.a);
    assert_non_null(p.b);
    assert_true(all[0].port != 0 && all[1].port != 0);
    ith_heartbeat_join(p.a, all, 2, 0);
    ith_heartbeat_join(p.b, all, 2, 1);
    return p;
}

static void the_rank_before_is_named(void **state)
{
    pair p = open_pair(5);
    const char *host;
    (void)state;

    assert_int_equal(ith_heartbeat_before(p.b, &host), 0);
    assert_int_equal(ith_heartbeat_before(p.a, &host), 1);
    ith_heartbeat_close(p.a);
    ith_heartbeat_close(p.b);
}

/* As where a rank's ITHACA_NETWORK_TIMEOUT is 0. */
static void who_does_not_beat_is_not_missed(void **state)
{
    pair p = open_pair(0);
    (void)state;

    for (int i = 0; i < 1000; i++)
        assert_int_equal(ith_heartbeat_look(p.b, 0), 0);
    ith_heartbeat_close(p.a);
    ith_heartbeat_close(p.b);
}

/* A patient rank beats seldom: an impatient one must not take it for stopped. */
static void both_wait_as_long_as_the_patient_one(void **state)
{
    pair p = open_pair(5);
    (void)state;

    assert_int_equal(ith_heartbeat_seconds(p.a), 60);
    assert_int_equal(ith_heartbeat_seconds(p.b), 60);
    ith_heartbeat_close(p.a);
    ith_heartbeat_close(p.b);
}

static void beats_are_missed_after_the_first(void **state)
{
    pair p = open_pair(5);
    (void)state;

    assert_true(looks_until(p.b, 1)); /* the first beat comes with the place in the ring */
    assert_int_equal(ith_heartbeat_look(p.b, 0), 2);
    ith_heartbeat_look(p.a, 0);
    assert_true(looks_until(p.b, 0));
    assert_int_equal(ith_heartbeat_look(p.b, 0), 1);
    ith_heartbeat_close(p.a);
    assert_true(looks_until(p.b, 0));
    ith_heartbeat_look(p.b, 0);
    assert_int_equal(ith_heartbeat_look(p.b, 0), 0); /* it has left */
    ith_heartbeat_close(p.b);
}

/* Looks that come late are said to the next rank, which waits longer: for a time, and not for ever.
 */
static void who_is_late_gets_longer(void **state)
{
    pair p = open_pair(5);
    int looks = 0;
    (void)state;

    assert_true(looks_until(p.b, 1));
    assert_int_equal(ith_heartbeat_times(p.b), 1);
    ith_heartbeat_look(p.a, 2);
    assert_true(looks_until(p.b, 0));
    assert_int_equal(ith_heartbeat_times(p.b), 3);
    assert_int_equal(ith_heartbeat_times(p.a), 1); /* b was in time */
    ith_heartbeat_look(p.a, 0);
    assert_true(looks_until(p.b, 0));
    assert_int_equal(ith_heartbeat_times(p.b), 3);
    ith_heartbeat_look(p.a, 1000);
    assert_true(looks_until(p.b, 0));
    assert_int_equal(ith_heartbeat_times(p.b), 6);
    ith_heartbeat_close(p.a);
    ith_heartbeat_close(p.b);

    p = open_pair(5);
    for (ith_heartbeat_look(p.a, 1); ith_heartbeat_times(p.b) != 2;)
        ith_heartbeat_look(p.b, 0);
    while (ith_heartbeat_times(p.b) != 1 && ++looks < 100) {
        ith_heartbeat_look(p.a, 0);
        assert_true(looks_until(p.b, 0));
    }
    assert_int_equal(looks, 30);
    ith_heartbeat_close(p.a);
    ith_heartbeat_close(p.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rank_before_is_named),
        cmocka_unit_test(both_wait_as_long_as_the_patient_one),
        cmocka_unit_test(who_does_not_beat_is_not_missed),
        cmocka_unit_test(beats_are_missed_after_the_first),
        cmocka_unit_test(who_is_late_gets_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
