/* test_threads.c - teams: every member runs once, barriers order writes and reads (also when
 * members sleep), counters give each number once, and lots give each task once. */
#include "base/threads.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAX = 8, ROUNDS = 300 };

typedef struct job {
    int ran[MAX], sizes[MAX];
    int64_t cells[2][MAX]; /* written in turn, one barrier per round */
    int wrong[MAX];
    bool late;
    int taken[1000];
    pid_t thread[MAX];
} job;

static void in_team(int n_threads, void (*fn)(void *, ith_member *), job *j)
{
    ith_team *team;
    assert_int_equal(ith_team_open(n_threads, &team, NULL), ITH_OK);
    assert_int_equal(ith_team_size(team), n_threads);
    ith_team_run(team, fn, j);
    ith_team_close(team);
}

static void note(void *arg, ith_member *me)
{
    job *j = arg;
    j->ran[me->tid]++;
    j->sizes[me->tid] = me->n_threads;
    j->thread[me->tid] = gettid();
}

static void every_member_runs_once(void **state)
{
    (void)state;
    for (int n = 1; n <= MAX; n++) {
        job j = {0};
        in_team(n, note, &j);
        for (int t = 0; t < n; t++) {
            assert_int_equal(j.ran[t], 1);
            assert_int_equal(j.sizes[t], n);
        }
        assert_int_equal(j.thread[0], gettid());
    }
}

static bool sleeps(pid_t thread)
{
    char path[64], state = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    f = fopen(path, "r");
    if (f != NULL) {
        if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
            state = 0;
        fclose(f);
    }
    return state == 'S';
}

/* Until all the others sleep, in the barrier; `thread` is filled in. */
static void let_others_sleep(const job *j, const ith_member *me)
{
    for (int t = 0; t < me->n_threads; t++)
        while (t != me->tid && !sleeps(j->thread[t]))
            sched_yield();
}

/* In each round a member writes its cell, waits at a barrier, and reads all cells. There are two
 * rows because a fast member may already write for the next round. */
static void write_and_read(void *arg, ith_member *me)
{
    job *j = arg;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t *row = j->cells[round % 2];
        if (j->late && round % 100 == 50 && me->tid == round / 100 % me->n_threads)
            let_others_sleep(j, me);
        row[me->tid] = round * 100 + me->tid;
        ith_barrier(me);
        for (int t = 0; t < me->n_threads; t++)
            j->wrong[me->tid] += row[t] != round * 100 + t;
    }
}

static void count_wrong(int n_threads, bool late)
{
    job j = {.late = late};
    ith_team *team;
    assert_int_equal(ith_team_open(n_threads, &team, NULL), ITH_OK);
    if (late)
        ith_team_run(team, note, &j); /* fills in `thread` */

    /* Odd and even numbers of barriers before, so that both senses of a barrier are met. */
    for (int run = 0; run < 3; run++) {
        ith_team_run(team, write_and_read, &j);
        ith_team_run(team, note, &j);
    }
    ith_team_close(team);
    for (int t = 0; t < n_threads; t++)
        assert_int_equal(j.wrong[t], 0);
}

static void barriers_order_writes_and_reads(void **state)
{
    (void)state;
    for (int n = 1; n <= MAX; n++)
        count_wrong(n, false);
}

static void sleepers_are_woken(void **state)
{
    (void)state;
    count_wrong(2, true);
    count_wrong(5, true);
}

static void one_barrier(void *arg, ith_member *me)
{
    job *j = arg;
    j->cells[0][me->tid] = 1 + me->tid;
    ith_barrier(me);
    for (int t = 0; t < me->n_threads; t++)
        j->wrong[me->tid] += j->cells[0][t] != 1 + t;
}

static void a_region_may_end_on_either_sense(void **state)
{
    ith_team *team;
    (void)state;
    assert_int_equal(ith_team_open(3, &team, NULL), ITH_OK);
    for (int run = 0; run < 20; run++) {
        job j = {0};
        ith_team_run(team, one_barrier, &j);
        for (int t = 0; t < 3; t++)
            assert_int_equal(j.wrong[t], 0);
    }
    ith_team_close(team);
}

static void take(void *arg, ith_member *me)
{
    job *j = arg;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i; (i = ith_counter_next(me)) < 1000;)
            __atomic_fetch_add(&j->taken[i], 1, __ATOMIC_RELAXED);
        ith_barrier(me);
        if (me->tid == 0)
            ith_counter_reset(me);
        ith_barrier(me);
    }
}

static void counters_give_each_number_once(void **state)
{
    (void)state;
    for (int n = 1; n <= 4; n++) {
        job j = {0};
        in_team(n, take, &j);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(j.taken[i], 2);
    }
}

static void shares(void *arg, ith_member *me)
{
    job *j = arg;
    ith_range mine = ith_my_share(me, 1000, 16);
    for (int64_t i = mine.begin; i < mine.end; i++)
        __atomic_fetch_add(&j->taken[i], 1, __ATOMIC_RELAXED);
}

static void shares_cover_the_work(void **state)
{
    (void)state;
    for (int n = 1; n <= MAX; n++) {
        job j = {0};
        in_team(n, shares, &j);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(j.taken[i], 1);
    }
}

/* ---- Lots ---- */

enum { TASKS = 7, LOTS = 70000 }; /* more than a lot's number can tell apart */

typedef struct lots {
    int lots;
    int64_t tasks;
    bool help;
    int taken[MAX][TASKS], foreign, late_has, done;
} lots;

static void take_lots(void *arg, ith_member *me)
{
    lots *l = arg;
    for (int i = 0; i < l->lots; i++) {
        ith_lot lot = ith_lot_open(me, l->tasks, l->help);
        while (ith_lot_next(me, &lot)) {
            __atomic_fetch_add(&l->taken[lot.share][lot.task], 1, __ATOMIC_RELAXED);
            __atomic_fetch_add(&l->foreign, lot.share != me->tid, __ATOMIC_RELAXED);
        }
        if (i % 1000 == 999)
            ith_barrier(me);
    }
}

static void run_lots(int n_threads, lots *l, int runs)
{
    ith_team *team;
    assert_int_equal(ith_team_open(n_threads, &team, NULL), ITH_OK);
    for (int i = 0; i < runs; i++)
        ith_team_run(team, take_lots, l);
    ith_team_close(team);
    for (int t = 0; t < n_threads; t++)
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(l->taken[t][i], i < l->tasks ? runs * l->lots : 0);
}

static void every_piece_is_given_once(void **state)
{
    (void)state;
    for (int n = 1; n <= MAX; n++)
        for (int64_t tasks = 0; tasks <= TASKS; tasks += TASKS) {
            lots l = {.lots = 20, .tasks = tasks, .help = true};
            run_lots(n, &l, 3);
        }
    lots many = {.lots = LOTS, .tasks = TASKS, .help = true};
    run_lots(3, &many, 2);
}

/* More lots without tasks than a lot's number can tell apart, then one with tasks. */
static void empty_lots(void *arg, ith_member *me)
{
    lots *l = arg;

    for (int i = 0; i < l->lots; i++) {
        ith_lot lot = ith_lot_open(me, 0, true);
        while (ith_lot_next(me, &lot))
            __atomic_fetch_add(&l->foreign, 1, __ATOMIC_RELAXED);
    }
    ith_barrier(me);
    ith_lot lot = ith_lot_open(me, TASKS, true);
    while (ith_lot_next(me, &lot))
        __atomic_fetch_add(&l->taken[lot.share][lot.task], 1, __ATOMIC_RELAXED);
}

static void lots_without_tasks_take_nothing_from_others(void **state)
{
    (void)state;
    for (int n = 32766; n <= 32769; n++) {
        lots l = {.lots = n};
        ith_team *team;
        assert_int_equal(ith_team_open(2, &team, NULL), ITH_OK);
        ith_team_run(team, empty_lots, &l);
        ith_team_close(team);
        assert_int_equal(l.foreign, 0);
        for (int t = 0; t < 2; t++)
            for (int i = 0; i < TASKS; i++)
                assert_int_equal(l.taken[t][i], 1);
    }
}

static void without_help_each_does_his_share(void **state)
{
    (void)state;
    for (int n = 1; n <= MAX; n++) {
        lots l = {.lots = 20, .tasks = TASKS};
        run_lots(n, &l, 3);
        assert_int_equal(l.foreign, 0);
    }
}

/* The last member comes when the others have gone through the lot. */
static void come_late(void *arg, ith_member *me)
{
    lots *l = arg;
    bool late = me->tid == me->n_threads - 1;
    ith_lot lot = ith_lot_open(me, TASKS, true);

    while (late && __atomic_load_n(&l->done, __ATOMIC_ACQUIRE) < me->n_threads - 1)
        sched_yield();
    while (ith_lot_next(me, &lot)) {
        __atomic_fetch_add(&l->taken[lot.share][lot.task], 1, __ATOMIC_RELAXED);
        l->late_has += late;
    }
    __atomic_fetch_add(&l->done, 1, __ATOMIC_RELEASE);
}

static void others_do_the_share_of_one_who_is_late(void **state)
{
    (void)state;
    for (int n = 2; n <= MAX; n++) {
        lots l = {0};
        ith_team *team;
        assert_int_equal(ith_team_open(n, &team, NULL), ITH_OK);
        ith_team_run(team, come_late, &l);
        ith_team_close(team);
        assert_int_equal(l.late_has, 0);
        for (int t = 0; t < n; t++)
            for (int i = 0; i < TASKS; i++)
                assert_int_equal(l.taken[t][i], 1);
    }
}

static void impossible_sizes_are_refused(void **state)
{
    ith_team *team;
    ith_error err;
    (void)state;
    assert_int_equal(ith_team_open(0, &team, &err), ITH_E_ARGUMENT);
    assert_null(team);
    assert_int_equal(ith_team_open(1 << 20, &team, &err), ITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "1048576 threads"));
    ith_team_close(NULL);
}

/* The limit is read when a program starts, so the question is asked in one that starts with it. */
static int limited(void)
{
    ith_team *team;
    ith_error err = {0};
    ith_status status = ith_team_open(4, &team, &err);
    return status == ITH_E_ARGUMENT && !team &&
                   strstr(err.text, "4 threads asked for, OpenMP gives 2")
               ? 0
               : 1;
}

static void fewer_threads_than_asked_for_are_an_error(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        setenv("OMP_THREAD_LIMIT", "2", 1);
        execl("/proc/self/exe", "test_threads", "limited", NULL);
        _exit(2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void there_is_a_core(void **state)
{
    (void)state;
    assert_in_range(ith_cores_available(), 1, 1 << 20);
}

/* Ranks bound to sockets keep their own cores; unbound ranks share all cores; a rank bound to one
 * core has one. */
static void cores_are_shared_by_masks(void **state)
{
    (void)state;
    const uint8_t sockets[2][2] = {{0xff, 0x00}, {0x00, 0xff}},
                  unbound[3][2] = {{0xff, 0xff}, {0xff, 0xff}, {0xff, 0xff}};
    const uint8_t mixed[2][2] = {{0x0f, 0x00}, {0xff, 0x00}}, none[1][2] = {{0, 0}};
    uint8_t mine[128];
    int n = 0;

    assert_int_equal(ith_cores_share(&sockets[0][0], 2, 2, 0), 8);
    assert_int_equal(ith_cores_share(&sockets[0][0], 2, 2, 1), 8);
    assert_int_equal(ith_cores_share(&unbound[0][0], 2, 3, 2), 5);
    assert_int_equal(ith_cores_share(&mixed[0][0], 2, 2, 0), 2);
    assert_int_equal(ith_cores_share(&mixed[0][0], 2, 2, 1), 6);
    assert_int_equal(ith_cores_share(&none[0][0], 2, 1, 0), 1);
    ith_cores_mask(mine, sizeof mine);
    for (size_t i = 0; i < 8 * sizeof mine; i++)
        n += mine[i / 8] >> i % 8 & 1;
    assert_true(n >= ith_cores_available());
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "limited") == 0)
        return limited();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cores_are_shared_by_masks),
        cmocka_unit_test(every_member_runs_once),
        cmocka_unit_test(barriers_order_writes_and_reads),
        cmocka_unit_test(sleepers_are_woken),
        cmocka_unit_test(a_region_may_end_on_either_sense),
        cmocka_unit_test(counters_give_each_number_once),
        cmocka_unit_test(shares_cover_the_work),
        cmocka_unit_test(every_piece_is_given_once),
        cmocka_unit_test(lots_without_tasks_take_nothing_from_others),
        cmocka_unit_test(without_help_each_does_his_share),
        cmocka_unit_test(others_do_the_share_of_one_who_is_late),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(fewer_threads_than_asked_for_are_an_error),
        cmocka_unit_test(there_is_a_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
