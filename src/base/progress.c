/* progress.c - draws progress on stderr. */
#include "base/progress.h"

#include "base/monotonic.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR_MAX = 20, BAR_MIN = 8, LINE_BYTES = 300, USUAL_COLUMNS = 80 };

static const double silent_s = 2, redraw_s = 0.2, step_s = 10, line_s = 60, smooth_s = 5;

double ith_now_s(void)
{
    return 1e-9 * (double)ith_clock_ns();
}

/* ---- Numbers ---- */

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
    if (bytes > 0 && bytes < 1e6)
        snprintf(out, 32, "%.0f kB", bytes / 1e3);
    else if (bytes < 1e9)
        snprintf(out, 32, "%.0f MB", bytes / 1e6);
    else
        snprintf(out, 32, "%.2f GB", bytes / 1e9);
}

void ith_format_time(char out[32], double s)
{
    long long t = (long long)ceil(s);

    if (t < 60)
        snprintf(out, 32, "%lld s", t);
    else if (t < 600)
        snprintf(out, 32, "%lld min %lld s", t / 60, t % 60);
    else if (t < 3600)
        snprintf(out, 32, "%lld min", t / 60);
    else
        snprintf(out, 32, "%lld h %lld min", t / 3600, t / 60 % 60);
}

static void format_amount(char out[32], ith_unit unit, int64_t n)
{
    if (unit == ITH_UNIT_BYTES)
        ith_format_bytes(out, (double)n);
    else
        format_count(out, n);
}

static void format_rate(char out[32], ith_unit unit, double rate)
{
    if (unit == ITH_UNIT_BYTES)
        ith_format_bytes(out, rate);
    else if (rate < 100)
        snprintf(out, 32, "%.1f", rate);
    else
        format_count(out, (int64_t)rate);
}

/* ---- The line ---- */

/* In the order of the line. */
typedef enum fact {
    WHAT,
    BAR,
    PERCENT,
    COUNT,
    RATE,
    LEFT,
    MORE,
    FACTS = MORE + ITH_PROGRESS_MORE
} fact;

typedef struct facts {
    char text[FACTS][96]; /* each with what separates it from those before; "": there is none */
    bool shown[FACTS];
} facts;

static void set(facts *f, fact which, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(f->text[which], sizeof f->text[which], format, args);
    va_end(args);
}

static void make_facts(facts *f, const ith_progress_report *r)
{
    const char *name = r->unit == ITH_UNIT_TOKENS ? " tokens" : "";
    int percent = r->total > 0 ? (int)(100 * (double)r->done / (double)r->total) : 100;
    char done[32], total[32], rate[32], left[32];

    *f = (facts){0};
    set(f, WHAT, "%s", r->what);
    set(f, PERCENT, " %d%%", percent);
    format_amount(done, r->unit, r->done);
    format_amount(total, r->unit, r->total);
    set(f, COUNT, ", %s of %s%s", done, total, name);
    if (r->rate > 0) {
        format_rate(rate, r->unit, r->rate);
        set(f, RATE, ", %s%s/s", rate, name);
    }
    if (r->rate > 0 && r->left_s >= 0 && r->done < r->total) {
        ith_format_time(left, r->left_s);
        set(f, LEFT, ", %s left", left);
    }
    for (int i = 0; i < r->n_more; i++)
        set(f, (fact)(MORE + i), ", %s", r->more[i]);
}

static int length(const facts *f)
{
    size_t n = 0;

    for (int i = 0; i < FACTS; i++)
        n += f->shown[i] ? strlen(f->text[i]) : 0;
    return (int)n;
}

static void set_bar(facts *f, const ith_progress_report *r, int cells)
{
    int full = r->total > 0 ? (int)(cells * (double)r->done / (double)r->total) : cells;

    set(f, BAR, " [%.*s%.*s]", full, "####################", cells - full, "....................");
}

/* Shows what fits, the important first. */
static void choose_facts(facts *f, const ith_progress_report *r, int width)
{
    static const fact by_importance[] = {WHAT, PERCENT, LEFT, RATE, COUNT, BAR, MORE, MORE + 1};

    for (size_t i = 0; i < sizeof by_importance / sizeof by_importance[0]; i++) {
        fact which = by_importance[i];
        int room = width - length(f), cells = room - 3;
        if (which == BAR && cells >= BAR_MIN)
            set_bar(f, r, cells < BAR_MAX ? cells : BAR_MAX);
        f->shown[which] = (int)strlen(f->text[which]) <= room;
    }
}

void ith_progress_format(char *line, size_t size, const ith_progress_report *report, int width)
{
    facts f;
    size_t used = 0;

    make_facts(&f, report);
    if (width > 0)
        choose_facts(&f, report, width);
    if (size > 0)
        line[0] = 0;
    for (int i = 0; i < FACTS; i++)
        if ((width == 0 || f.shown[i]) && used < size)
            used += (size_t)snprintf(line + used, size - used, "%s", f.text[i]);
}

/* ---- Rates ---- */

static void forget(ith_progress *p)
{
    *p = (ith_progress){
        .forecast.key_share = p->forecast.key_share, .more = p->more, .user = p->user};
}

static bool is_terminal(void)
{
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) && (term == NULL || strcmp(term, "dumb") != 0);
}

static void begin(ith_progress *p, const char *what, int64_t done)
{
    forget(p);
    p->start_s = p->recent_s = ith_now_s();
    p->recent_done = done;
    p->terminal = is_terminal();
    p->begun = true;
    snprintf(p->what, sizeof p->what, "%s", what);
}

/* Exponential smoothing whose weight depends on the time passed, so that it does not matter how
 * often we are called. */
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

ith_progress_report ith_progress_look(const ith_progress *p, double now_s, double done)
{
    ith_progress_report r = {.what = p->what,
                             .unit = p->unit,
                             .done = (int64_t)done,
                             .total = p->total,
                             .rate = p->rate};
    ith_forecast forecast = p->forecast;
    double passed = now_s - p->recent_s;

    if (p->rate <= 0 && done > (double)p->recent_done &&
        passed > 0) { /* all that is known so far */
        r.rate = (done - (double)p->recent_done) / passed;
        ith_forecast_add(&forecast, p->recent_done, (int64_t)ceil(done), passed);
    }
    if (p->unit == ITH_UNIT_TOKENS)
        r.left_s = ith_forecast_left(&forecast, r.done, p->total);
    else
        r.left_s = r.rate > 0 ? ((double)p->total - done) / r.rate : -1;
    return r;
}

/* ---- The display ---- */

static bool is_due(const ith_progress *p, double now, int64_t done)
{
    int64_t total = p->total;
    bool last = done >= total && done > 0,
         tenth = total > 0 && 10 * done / total > 10 * p->shown_done / total;

    if (now - p->start_s < silent_s)
        return false;
    if (p->shown_s == 0 || (last && p->shown_done < total))
        return true;
    return now - p->shown_s >= (p->terminal ? redraw_s : tenth ? step_s : line_s);
}

/* Asked each time, since it may be resized. The last column stays free: some terminals wrap when it
 * is written. */
static int terminal_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
        return USUAL_COLUMNS - 1;
    return size.ws_col - 1;
}

static void show_if_due(ith_progress *p, double done)
{
    char line[LINE_BYTES];
    double now = ith_now_s();
    ith_progress_report report;

    if (!is_due(p, now, (int64_t)done))
        return;
    p->shown_s = now;
    p->shown_done = (int64_t)done;
    report = ith_progress_look(p, now, done);
    if (p->more != NULL && p->unit == ITH_UNIT_TOKENS)
        report.n_more = p->more(p->user, report.more);
    ith_progress_format(line, sizeof line, &report, p->terminal ? terminal_width() : 0);
    fprintf(stderr, p->terminal ? "\r\033[K%s" : "%s\n", line);
    fflush(stderr);
}

void ith_progress_update(ith_progress *p, const char *what, ith_unit unit, int64_t done,
                         int64_t total)
{
    double now;

    if (!p->begun || strncmp(p->what, what, sizeof p->what - 1) != 0) {
        ith_progress_end(p);
        begin(p, what, done);
    }
    p->unit = unit;
    p->total = total;
    now = ith_now_s();
    ith_forecast_add(&p->forecast, p->recent_done, done, now - p->recent_s);
    measure_rate(p, now, done);
    show_if_due(p, (double)done);
}

void ith_progress_within(ith_progress *p, double done)
{
    if (p->begun)
        show_if_due(p, fmin(done, (double)p->total));
}

void ith_progress_end(ith_progress *p)
{
    if (p->begun && p->terminal && p->shown_s > 0)
        fputc('\n', stderr);
    forget(p);
}
