/* forecast.c - least squares over the chunks measured so far. */
#include "base/forecast.h"

static const double FADE = 0.98; /* factor of a chunk's weight with each chunk after it */
static const double UNEQUAL = 4; /* how much faster one kind of operation may be than the other */

double ith_depth_cost_s(ith_depth_cost c, int64_t from, int64_t to)
{
    double n = (double)to - (double)from, middle = ((double)from + (double)to) / 2;
    return n * (c.token_s + c.key_s * middle);
}

void ith_forecast_add(ith_forecast *f, int64_t from, int64_t to, double seconds)
{
    double n = (double)(to - from), x = ((double)from + (double)to) / 2;

    if (from >= to || !(seconds > 0))
        return;
    if (f->chunks++ == 1)
        *f = (ith_forecast){.chunks = 2, .key_share = f->key_share};
    f->n = FADE * f->n + n;
    f->x = FADE * f->x + n * x;
    f->y = FADE * f->y + seconds;
    f->xx = FADE * f->xx + n * x * x;
    f->xy = FADE * f->xy + seconds * x;
}

/* The line y = a (1 + ratio x). */
static ith_depth_cost fit_of_ratio(const ith_forecast *f, double ratio)
{
    double a = (f->y + ratio * f->xy) / (f->n + 2 * ratio * f->x + ratio * ratio * f->xx);
    return (ith_depth_cost){a, ratio * a};
}

/* The line y = a + b x. Where the chunks' positions hardly differ, b cannot be told from noise. */
static ith_depth_cost fit_freely(const ith_forecast *f)
{
    double spread = f->xx - f->x * f->x / f->n;
    double b = spread > 1e-6 * f->xx ? (f->xy - f->x * f->y / f->n) / spread : 0,
           a = (f->y - b * f->x) / f->n;

    if (b < 0)
        return (ith_depth_cost){f->y / f->n, 0};
    return a < 0 ? (ith_depth_cost){0, f->xy / f->xx} : (ith_depth_cost){a, b};
}

static ith_depth_cost fit(const ith_forecast *f)
{
    ith_depth_cost c = fit_freely(f);

    if (!(f->key_share > 0))
        return c;
    if (f->chunks == 1)
        return fit_of_ratio(f, f->key_share);
    if (c.key_s > UNEQUAL * f->key_share * c.token_s)
        return fit_of_ratio(f, UNEQUAL * f->key_share);
    return c.key_s < f->key_share / UNEQUAL * c.token_s ? fit_of_ratio(f, f->key_share / UNEQUAL)
                                                        : c;
}

double ith_forecast_left(const ith_forecast *f, int64_t done, int64_t total)
{
    return f->n > 0 ? ith_depth_cost_s(fit(f), done, total) : -1;
}
