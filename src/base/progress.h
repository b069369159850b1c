/* progress.h - rate and remaining time of something long, on stderr. Silent for what ends within two seconds. */
#ifndef ITH_BASE_PROGRESS_H
#define ITH_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ith_unit { ITH_UNIT_TOKENS, ITH_UNIT_BYTES } ith_unit;

typedef struct ith_progress {
    double start_s, shown_s, recent_s; /* when it began, was last shown; `recent` starts the window of the rate */
    int64_t recent_done;
    bool terminal, begun;
    char what[32];
} ith_progress;

/* A bar rewritten in place on a terminal; a line now and then (every 10 s at first, every minute later) elsewhere. Called as often as you like. */
void ith_progress_update(ith_progress *p, const char *what, ith_unit unit, int64_t done, int64_t total);
void ith_progress_end(ith_progress *p); /* leaves the terminal's line, if one was drawn */

double ith_now_s(void); /* monotonic clock */

#endif
