/* yield.c - sched_yield for test programs, which sleeps where yielding would be slow.
 *
 * Ranks that wait, in Open MPI or in our own code, look and yield in turns. Beside other busy
 * programs a yield gives away a time slice of milliseconds, and an exchange between ranks has many:
 * tests of microseconds then take minutes. After a yield that took long, this one sleeps for
 * moments instead; the system lets a thread that wakes up run soon. On idle cores it is the
 * system's.
 */
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LONG_YIELD_NS = 200000, SLEEP_NS = 20000, SLEEPS = 1000 };

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

__attribute__((visibility("default"))) int sched_yield(void)
{
    static _Thread_local int sleeps;
    const struct timespec moment = {.tv_nsec = SLEEP_NS};
    int64_t began;

    if (sleeps > 0) {
        sleeps--;
        nanosleep(&moment, NULL);
        return 0;
    }
    began = now_ns();
    syscall(SYS_sched_yield);
    if (now_ns() - began > LONG_YIELD_NS) {
        prctl(PR_SET_TIMERSLACK, 1000); /* ns; it is 50 us otherwise */
        sleeps = SLEEPS;
    }
    return 0;
}
