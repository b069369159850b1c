/* plot.c - plots as SVG. */
#include "cli/plot.h"

#include <math.h>

enum { WIDTH = 640, HEIGHT = 360, LEFT = 64, RIGHT = 16, TOP = 28, BOTTOM = 44 };

#define STROKE_FROM 1.02 /* high over low */

/* What the axes cover: octaves of context, decades of the figure. */
typedef struct plane {
    bool empty, has_zero;
    double first; /* least context above 0, in octaves */
    double x0, x1, y0, y1;
} plane;

/* Markers around the origin, of about one size, and strokes through them. */
static const char *const markers[ITH_PLOT_COLOURS] = {
    "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0Z",
    "M-4.5,-4.5H4.5V4.5H-4.5Z",
    "M0,-6L5.5,4.5H-5.5Z",
    "M0,-6.5L6.5,0L0,6.5L-6.5,0Z",
    "M0,6L5.5,-4.5H-5.5Z",
    "M-2,-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
    "M0,-6L1.8,-1.9L6,-1.9L2.6,1.2L3.9,5.6L0,3L-3.9,5.6L-2.6,1.2L-6,-1.9L-1.8,-1.9Z",
};

static const char *const strokes[ITH_PLOT_STYLES / ITH_PLOT_COLOURS] = {
    "", "M-7,0H7", "M0,-7V7", "M-7,0H7M0,-7V7", "M-5,-5L5,5M-5,5L5,-5",
};

void ith_plot_write_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

/* ---- Axes ---- */

static double octave(const plane *p, int64_t context)
{
    return context > 0 ? log2((double)context) : p->first - 1;
}

static double across(const plane *p, double x)
{
    return LEFT + (x - p->x0) / (p->x1 - p->x0) * (WIDTH - LEFT - RIGHT);
}

static double down(const plane *p, double y)
{
    return TOP + (p->y1 - y) / (p->y1 - p->y0) * (HEIGHT - TOP - BOTTOM);
}

/* Only what has a place on a logarithmic axis. */
static bool is_drawn(const ith_report_point *point)
{
    return point->context >= 0 && point->low > 0 && point->value >= point->low &&
           point->high >= point->value && isfinite(point->high);
}

static void cover(plane *p, const ith_report_point *point)
{
    double low = log10(point->low), high = log10(point->high);

    if (p->empty) {
        p->y0 = low;
        p->y1 = high;
    }
    p->y0 = fmin(p->y0, low);
    p->y1 = fmax(p->y1, high);
    p->empty = false;
    if (point->context == 0) {
        p->has_zero = true;
        return;
    }
    p->x0 = fmin(p->x0, log2((double)point->context));
    p->x1 = fmax(p->x1, log2((double)point->context));
}

/* At least one octave and half a decade, with some room around the points. */
static plane measure(const ith_plot *plot)
{
    plane p = {.empty = true, .x0 = INFINITY, .x1 = -INFINITY};

    for (size_t i = 0; i < plot->n_curves; i++)
        for (size_t k = 0; k < plot->curves[i].points->n; k++)
            if (is_drawn(&plot->curves[i].points->points[k]))
                cover(&p, &plot->curves[i].points->points[k]);
    if (p.x0 > p.x1) /* no context above 0 */
        p.x0 = p.x1 = 1;
    p.first = p.x0;
    p.x0 -= p.has_zero ? 1.25 : 0.25;
    p.x1 += 0.25;
    if (p.y1 - p.y0 < 0.5) {
        p.y0 -= 0.25;
        p.y1 += 0.25;
    }
    p.y0 -= 0.05;
    p.y1 += 0.05;
    return p;
}

/* 512, 2k, 1M: contexts by 1,024. */
static void write_context(FILE *out, double octaves)
{
    int n = (int)octaves;
    fprintf(out, "%d%s", 1 << n % 10, n < 10 ? "" : n < 20 ? "k" : n < 30 ? "M" : "G");
}

/* Figures by 1,000. */
static void write_figure(FILE *out, double value)
{
    static const char *const suffixes[] = {"", "k", "M", "G", "T"};
    int i = 0;

    for (; value >= 999.5 && i < 4; i++)
        value /= 1000;
    fprintf(out, "%.3g%s", value, suffixes[i]);
}

static void write_x_tick(FILE *out, const plane *p, double x, bool zero)
{
    fprintf(out,
            "<path class=\"grid\" d=\"M%.1f,%dV%d\"/>"
            "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
            across(p, x), TOP, HEIGHT - BOTTOM, across(p, x), HEIGHT - BOTTOM + 18);
    if (zero)
        fputc('0', out);
    else
        write_context(out, x);
    fputs("</text>\n", out);
}

static void write_x_axis(FILE *out, const plane *p)
{
    double step = p->x1 - p->first > 7 ? 2 : 1;

    if (p->has_zero)
        write_x_tick(out, p, p->first - 1, true);
    for (double x = ceil(p->first - 0.25); x <= p->x1; x += step)
        write_x_tick(out, p, x, false);
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">context, tokens</text>\n",
            WIDTH - RIGHT, HEIGHT - 6);
}

/* Lines at 1, 2 and 5 in each decade; of many decades at 1 alone. */
static void write_y_axis(FILE *out, const plane *p, const char *unit)
{
    static const double steps[] = {1, 2, 5};
    int each = p->y1 - p->y0 > 3.5 ? 1 : 3;

    for (double decade = floor(p->y0); decade <= p->y1; decade++)
        for (int i = 0; i < each; i++) {
            double y = decade + log10(steps[i]);
            if (y < p->y0 || y > p->y1)
                continue;
            fprintf(out,
                    "<path class=\"grid\" d=\"M%d,%.1fH%d\"/>"
                    "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
                    LEFT, down(p, y), WIDTH - RIGHT, LEFT - 8, down(p, y) + 4);
            write_figure(out, steps[i] * pow(10, decade));
            fputs("</text>\n", out);
        }
    fprintf(out, "<text x=\"8\" y=\"16\">");
    ith_plot_write_text(out, unit);
    fputs("</text>\n", out);
}

/* ---- Curves ---- */

static void write_marker(FILE *out, int style, bool published)
{
    int colour = style % ITH_PLOT_COLOURS;
    const char *stroke = strokes[style / ITH_PLOT_COLOURS];

    fprintf(out, "<path d=\"%s\" stroke=\"var(--curve-%d)\" stroke-width=\"1.5\" fill=\"",
            markers[colour], colour);
    if (published)
        fputs("var(--paper)\"/>", out);
    else
        fprintf(out, "var(--curve-%d)\"/>", colour);
    if (*stroke == '\0')
        return;
    fprintf(out, "<path d=\"%s\" fill=\"none\" stroke-width=\"2\" stroke=\"", stroke);
    if (published)
        fprintf(out, "var(--curve-%d)\"/>", colour);
    else
        fputs("var(--paper)\"/>", out);
}

static int style_of(int style)
{
    return (int)((unsigned)style % ITH_PLOT_STYLES);
}

static void write_line(FILE *out, const plane *p, const ith_plot_curve *curve)
{
    int begun = 0;

    fprintf(out, "<path fill=\"none\" stroke=\"var(--curve-%d)\" stroke-width=\"2\"%s d=\"",
            style_of(curve->style) % ITH_PLOT_COLOURS,
            curve->published ? " stroke-dasharray=\"6 4\"" : "");
    for (size_t i = 0; i < curve->points->n; i++) {
        const ith_report_point *point = &curve->points->points[i];
        if (is_drawn(point))
            fprintf(out, "%c%.1f,%.1f", begun++ > 0 ? 'L' : 'M',
                    across(p, octave(p, point->context)), down(p, log10(point->value)));
    }
    fputs("\"/>\n", out);
}

static void write_point(FILE *out, const plane *p, const ith_plot_curve *curve,
                        const ith_report_point *point)
{
    int style = style_of(curve->style);
    double x = across(p, octave(p, point->context));

    if (point->high > point->low * STROKE_FROM)
        fprintf(out, "<path stroke=\"var(--curve-%d)\" d=\"M%.1f,%.1fV%.1f\"/>",
                style % ITH_PLOT_COLOURS, x, down(p, log10(point->low)),
                down(p, log10(point->high)));
    fprintf(out, "<g transform=\"translate(%.1f %.1f)\"><title>", x, down(p, log10(point->value)));
    ith_plot_write_text(out, curve->label);
    fprintf(out, ", %lld tokens: %.4g</title>", (long long)point->context, point->value);
    write_marker(out, style, curve->published);
    fputs("</g>\n", out);
}

void ith_plot_write(FILE *out, const ith_plot *plot)
{
    plane p = measure(plot);

    if (p.empty)
        return;
    fprintf(out, "<svg class=\"plot\" role=\"img\" viewBox=\"0 0 %d %d\"><title>", WIDTH, HEIGHT);
    ith_plot_write_text(out, plot->title);
    fputs("</title>\n", out);
    write_x_axis(out, &p);
    write_y_axis(out, &p, plot->unit);
    for (size_t i = 0; i < plot->n_curves; i++) {
        const ith_plot_curve *curve = &plot->curves[i];
        write_line(out, &p, curve);
        for (size_t k = 0; k < curve->points->n; k++)
            if (is_drawn(&curve->points->points[k]))
                write_point(out, &p, curve, &curve->points->points[k]);
    }
    fputs("</svg>\n", out);
}

void ith_plot_write_marker(FILE *out, int style, bool published)
{
    fprintf(out, "<svg class=\"marker\" aria-hidden=\"true\" viewBox=\"-8 -8 16 16\">");
    write_marker(out, style_of(style), published);
    fputs("</svg>", out);
}
