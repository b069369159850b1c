#include "base/forecast.h"

static const double FADE = 0.98; /* of a chunk's weight with each that follows */

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
static void fit(const ith_forecast *f, double *a, double *b)
{
    double spread = f->xx - f->x * f->x / f->n;

    *b = spread > 1e-6 * f->xx ? (f->xy - f->x * f->y / f->n) / spread : 0;
    *a = (f->y - *b * f->x) / f->n;
    if (*b < 0) {
        *b = 0;
        *a = f->y / f->n;
    }
    if (*a < 0) {
        *a = 0;
        *b = f->xy / f->xx;
    }
}

double ith_forecast_left(const ith_forecast *f, int64_t done, int64_t total)
{
    double a, b, from = (double)done, to = (double)total;

    if (f->n <= 0)
        return -1;
    fit(f, &a, &b);
    return a * (to - from) + b * (to * to - from * from) / 2;
}

double ith_forecast_token(const ith_forecast *f, int64_t x)
{
    double a, b;

    if (f->n <= 0)
        return -1;
    fit(f, &a, &b);
    return a + b * (double)x;
}
