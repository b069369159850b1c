#include "base/forecast.h"

static const double FADE = 0.98; /* of a chunk's weight with each that follows */

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
        *f = (ith_forecast){.chunks = 2};
    f->n = FADE * f->n + n;
    f->x = FADE * f->x + n * x;
    f->y = FADE * f->y + seconds;
    f->xx = FADE * f->xx + n * x * x;
    f->xy = FADE * f->xy + seconds * x;
}

/* The line y = a + b x. Where the chunks' places hardly differ there is no telling b from noise. */
static ith_depth_cost fit(const ith_forecast *f)
{
    double spread = f->xx - f->x * f->x / f->n;
    double b = spread > 1e-6 * f->xx ? (f->xy - f->x * f->y / f->n) / spread : 0, a = (f->y - b * f->x) / f->n;

    if (b < 0)
        return (ith_depth_cost){f->y / f->n, 0};
    return a < 0 ? (ith_depth_cost){0, f->xy / f->xx} : (ith_depth_cost){a, b};
}

double ith_forecast_left(const ith_forecast *f, int64_t done, int64_t total)
{
    return f->n > 0 ? ith_depth_cost_s(fit(f), done, total) : -1;
}

double ith_forecast_token(const ith_forecast *f, int64_t x)
{
    ith_depth_cost c;

    if (f->n <= 0)
        return -1;
    c = fit(f);
    return c.token_s + c.key_s * (double)x;
}
