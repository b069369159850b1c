/* clock.h - the time that waits are measured in: it is never set. */
#ifndef ITH_SERVE_CLOCK_H
#define ITH_SERVE_CLOCK_H

#include "base/monotonic.h"
#include "base/testhook.h"

#include <pthread.h>
#include <stdint.h>
#include <time.h>

static inline int64_t ith_now_ms(void)
{
    return ith_clock_ns() / 1000000 + ith_test_clock_ms();
}

/* A condition for ith_wait_until. */
static inline void ith_cond_open(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

/* As pthread_cond_timedwait, until ith_now_ms() is `ms`. 0: woken before. */
static inline int ith_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ms)
{
    int64_t at = ms - ith_test_clock_ms();
    const struct timespec until = {.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000};

    return pthread_cond_timedwait(cond, lock, &until);
}

#endif
