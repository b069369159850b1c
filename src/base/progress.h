/* progress.h - rate and remaining time of something long, on stderr. Silent for what ends within two seconds.
 *
 *     ith_progress p = {0};
 *     while (...)
 *         ith_progress_update(&p, "prefill", ITH_UNIT_TOKENS, done, total);
 *     ith_progress_end(&p);
 *
 * The rate is that of the last seconds, not the mean since the start. Prefill slows down as the context grows: the remaining time of
 * tokens knows that (forecast.h); that of bytes follows the rate.
 */
#ifndef ITH_BASE_PROGRESS_H
#define ITH_BASE_PROGRESS_H

#include "base/forecast.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ith_unit { ITH_UNIT_TOKENS, ITH_UNIT_BYTES, ITH_UNIT_NONE /* things that `what` names */ } ith_unit;

typedef struct ith_progress { /* zeroed by the caller before the first update; of it forecast.key_share alone stays from one `what` to the next, and may be set at any time */
    double start_s, shown_s;  /* when it began, was last shown */
    double recent_s, rate;    /* time of the last advance; units per second, smoothed over some seconds */
    int64_t recent_done, shown_done;
    ith_forecast forecast; /* of tokens */
    bool terminal, begun;
    char what[32];
} ith_progress;

/* A bar rewritten in place on a terminal; elsewhere a line a minute, and at every tenth of the whole that is 10 s after the last line.
 * Called as often as you like, of tokens after each chunk; another `what` ends the one before. more: what the line ends with, "" for
 * nothing. */
void ith_progress_update(ith_progress *p, const char *what, ith_unit unit, int64_t done, int64_t total,
                         const char *more);
void ith_progress_end(ith_progress *p); /* leaves the terminal's line, if one was drawn */

/* The text of one report, without line end: "prefill 12,288 of 32,768 tokens (37%), 262 tokens/s, 1:18 left". rate 0:
 * unknown, left out together with the time; left_s: seconds; bar: with a bar of 20 characters in front. */
void ith_progress_format(char *line, size_t size, const char *what, ith_unit unit, int64_t done, int64_t total,
                         double rate, double left_s, bool bar);

/* "350 MB", "4.10 GB" */
void ith_format_bytes(char out[32], double bytes);

double ith_now_s(void); /* monotonic clock */

#endif
