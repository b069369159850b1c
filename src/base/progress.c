#include "base/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_CELLS = 20 };

static const double silent_s = 2, redraw_s = 0.2, step_s = 10, line_s = 60, smooth_s = 5;

double ith_now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* 1234567 -> "1,234,567" */
static void format_count(char out[32], int64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n), used = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = 0;
}

void ith_format_bytes(char out[32], double bytes)
{
    snprintf(out, 32, bytes < 1e9 ? "%.0f MB" : "%.2f GB", bytes < 1e9 ? bytes / 1e6 : bytes / 1e9);
}

static void format_amount(char out[32], ith_unit unit, double n)
{
    if (unit == ITH_UNIT_BYTES)
        ith_format_bytes(out, n);
    else if (n < 100)
        snprintf(out, 32, "%.1f", n);
    else
        format_count(out, (int64_t)n);
}

static void format_time(char out[32], double s)
{
    long long t = (long long)ceil(s);

    if (t >= 3600)
        snprintf(out, 32, "%lld:%02lld:%02lld", t / 3600, t / 60 % 60, t % 60);
    else
        snprintf(out, 32, "%lld:%02lld", t / 60, t % 60);
}

static void format_bar(char out[BAR_CELLS + 4], int64_t done, int64_t total)
{
    int full = total > 0 ? (int)(BAR_CELLS * (double)done / (double)total) : BAR_CELLS;

    out[0] = '[';
    for (int i = 0; i < BAR_CELLS; i++)
        out[1 + i] = i < full ? '#' : '.';
    memcpy(out + 1 + BAR_CELLS, "] ", 3);
}

void ith_progress_format(char *line, size_t size, const char *what, ith_unit unit, int64_t done, int64_t total,
                         double rate, double left_s, bool bar)
{
    char bar_text[BAR_CELLS + 4] = "", done_text[32], total_text[32], rate_text[32], left[32];
    const char *name = unit == ITH_UNIT_TOKENS ? " tokens" : "";
    int percent = total > 0 ? (int)(100 * (double)done / (double)total) : 100;
    int used;

    if (bar)
        format_bar(bar_text, done, total);
    if (unit != ITH_UNIT_BYTES) {
        format_count(done_text, done);
        format_count(total_text, total);
    } else {
        format_amount(done_text, unit, (double)done);
        format_amount(total_text, unit, (double)total);
    }
    used = snprintf(line, size, "%s %s%s of %s%s (%d%%)", what, bar_text, done_text, total_text, name, percent);
    if (rate <= 0 || used < 0 || (size_t)used >= size)
        return;
    format_amount(rate_text, unit, rate);
    format_time(left, left_s);
    snprintf(line + used, size - (size_t)used, ", %s%s/s, %s left", rate_text, name, left);
}

static void forget(ith_progress *p)
{
    *p = (ith_progress){.forecast.key_share = p->forecast.key_share};
}

static void begin(ith_progress *p, const char *what, int64_t done)
{
    forget(p);
    p->start_s = p->recent_s = ith_now_s();
    p->recent_done = done;
    p->terminal = isatty(STDERR_FILENO);
    p->begun = true;
    snprintf(p->what, sizeof p->what, "%s", what);
}

/* Exponential smoothing whose weight depends on the time passed, so that it does not matter how often we are called. */
static void measure_rate(ith_progress *p, double now, int64_t done)
{
    double passed = now - p->recent_s;
    double rate;

    if (done <= p->recent_done || passed <= 0)
        return;
    rate = (double)(done - p->recent_done) / passed;
    p->rate = p->rate > 0 ? p->rate + (1 - exp(-passed / smooth_s)) * (rate - p->rate) : rate;
    p->recent_s = now;
    p->recent_done = done;
}

static bool is_due(const ith_progress *p, double now, int64_t done, int64_t total)
{
    bool last = done >= total && done > 0, tenth = total > 0 && 10 * done / total > 10 * p->shown_done / total;

    if (now - p->start_s < silent_s)
        return false;
    if (last || p->shown_s == 0)
        return true;
    return now - p->shown_s >= (p->terminal ? redraw_s : tenth ? step_s : line_s);
}

void ith_progress_update(ith_progress *p, const char *what, ith_unit unit, int64_t done, int64_t total,
                         const char *more)
{
    char line[200];
    double now, left_s;

    if (!p->begun || strncmp(p->what, what, sizeof p->what - 1) != 0) {
        ith_progress_end(p);
        begin(p, what, done);
    }
    now = ith_now_s();
    ith_forecast_add(&p->forecast, p->recent_done, done, now - p->recent_s);
    measure_rate(p, now, done);
    if (!is_due(p, now, done, total))
        return;
    p->shown_s = now;
    p->shown_done = done;
    left_s = unit == ITH_UNIT_TOKENS ? fmax(ith_forecast_left(&p->forecast, done, total), 0)
                                     : (double)(total - done) / p->rate;
    ith_progress_format(line, sizeof line, what, unit, done, total, p->rate, left_s, p->terminal);
    fprintf(stderr, p->terminal ? "\r\033[K%s%s" : "%s%s\n", line, more);
    fflush(stderr);
}

void ith_progress_end(ith_progress *p)
{
    if (p->begun && p->terminal && p->shown_s > 0)
        fputc('\n', stderr);
    forget(p);
}
