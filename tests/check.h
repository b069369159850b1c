/* check.h - checks for tests that run on several ranks.
 *
 * A failed check names the rank and the line and ends all ranks, so that none waits. Rank 0 prints
 * one TAP line per case. A test file declares its rank counts in the comment on its first line:
 * RANKS: 1 2 4, long: 3.
 */
#ifndef ITH_TESTS_CHECK_H
#define ITH_TESTS_CHECK_H

#include "comm/comm.h"

#include <stdio.h>

#define CHECK(comm, condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            char check_text_[400];                                                                 \
            snprintf(check_text_, sizeof check_text_, "%s:%d: not true: %s", __FILE__, __LINE__,   \
                     #condition);                                                                  \
            if ((comm)->rank == 0)                                                                 \
                printf("not ok %s\n", __func__);                                                   \
            fflush(stdout);                                                                        \
            ith_comm_abort(comm, 1, check_text_);                                                  \
        }                                                                                          \
    } while (0)

#define CASE_OK(comm)                                                                              \
    do {                                                                                           \
        if ((comm)->rank == 0)                                                                     \
            printf("ok %s\n", __func__);                                                           \
    } while (0)

#endif
