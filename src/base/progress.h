/* progress.h - how far something long has come, its rate and the time left, on stderr.
 *
 *     ith_progress p = {0};
 *     while (...) {
 *         ith_progress_update(&p, "prefill", ITH_UNIT_TOKENS, done, total);
 *         ...
 *         ith_progress_within(&p, done + 0.5);    // optional: between two updates
 *     }
 *     ith_progress_end(&p);
 *
 * Silent for what ends within two seconds. On a terminal one line is redrawn in place, never longer
 * than the terminal is wide; elsewhere a line appears every minute, and at every tenth of the whole
 * that comes 10 s or more after the last line.
 *
 * The rate is that of the last seconds, not the mean since the start. Prefill slows down as the
 * context grows: the time left for tokens takes that into account (forecast.h); that for bytes
 * follows the rate.
 */
#ifndef ITH_BASE_PROGRESS_H
#define ITH_BASE_PROGRESS_H

#include "base/forecast.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ith_unit {
    ITH_UNIT_TOKENS,
    ITH_UNIT_BYTES,
    ITH_UNIT_NONE /* things that `what` names */
} ith_unit;

enum { ITH_PROGRESS_MORE = 2 };

/* Further facts for a line that is about to be shown, the more important first: fills in some of
 * `more` and returns how many. */
typedef int (*ith_progress_more_fn)(void *user, char more[ITH_PROGRESS_MORE][32]);

/* Zeroed by the caller before the first update. forecast.key_share, more and user stay from one
 * `what` to the next, and may be set at any time. */
typedef struct ith_progress {
    double start_s, shown_s; /* when it began, was last shown; 0: not yet */
    double recent_s;         /* time of the last advance */
    double rate;             /* units per second, smoothed over some seconds; 0: unknown */
    int64_t recent_done, shown_done, total;
    ith_forecast forecast; /* of tokens */
    ith_unit unit;
    bool terminal, begun;
    char what[32];
    ith_progress_more_fn more; /* NULL: nothing more to say */
    void *user;
} ith_progress;

/* `done` of `total` units are complete. May be called as often as you like; for tokens, after each
 * chunk. Another `what` ends the one before. */
void ith_progress_update(ith_progress *p, const char *what, ith_unit unit, int64_t done,
                         int64_t total);

/* Between two updates: about `done` units are complete. Only moves the display: rates and forecasts
 * rest on updates, except before the first advance. */
void ith_progress_within(ith_progress *p, double done);

/* Ends the terminal's line, if one was drawn. To be called before anything else is printed. */
void ith_progress_end(ith_progress *p);

/* ---- The text, apart from clocks and terminals ---- */

typedef struct ith_progress_report {
    const char *what;
    ith_unit unit;
    int64_t done, total;
    double rate, left_s; /* seconds; negative, like a rate of 0: unknown, not shown */
    char more[ITH_PROGRESS_MORE][32];
    int n_more;
} ith_progress_report;

/* What there is to say at a time, now_s by ith_now_s's clock, when about `done` units are complete.
 * Without `more`. */
ith_progress_report ith_progress_look(const ith_progress *p, double now_s, double done);

/* "prefill 37%, 12,288 of 32,768 tokens, 262 tokens/s, 1 min 19 s left, 1.20 GB of memory", without
 * a line end. Width 0: everything. Else at most `width` characters, with a bar; what does not fit
 * is left out. In order of importance: percentage, time left, rate, count, bar, more. */
void ith_progress_format(char *line, size_t size, const ith_progress_report *report, int width);

void ith_format_bytes(char out[32], double bytes); /* "35 kB", "350 MB", "4.10 GB" */
void ith_format_time(char out[32], double s); /* "45 s", "3 min 20 s", "32 min", "4 h 32 min" */

double ith_now_s(void); /* monotonic clock */

#endif
