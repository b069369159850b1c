/* heat.c - heat maps as SVG. */
#include "cli/heat.h"

#include "cli/plot.h"

enum { WIDTH = 640, LEFT = 96, TOP = 28, BOTTOM = 44, ROW = 34, COLUMN_MAX = 90, SIDES_MAX = 64 };

#define DARKEST 0.55 /* the text stays legible on it */

/* The distinct values of one side, ascending; more than SIDES_MAX are left out. */
typedef struct side {
    double values[SIDES_MAX];
    int n;
} side;

static void put(side *s, double value)
{
    int at = s->n;

    for (int i = 0; i < s->n; i++)
        if (s->values[i] == value)
            return;
    if (s->n == SIDES_MAX)
        return;
    for (; at > 0 && s->values[at - 1] > value; at--)
        s->values[at] = s->values[at - 1];
    s->values[at] = value;
    s->n++;
}

static int cell_of(const side *s, double value)
{
    for (int i = 0; i < s->n; i++)
        if (s->values[i] == value)
            return i;
    return -1;
}

static void write_label(FILE *out, double x, double y, const char *anchor)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
}

/* 512, 2k, 1M: multiples of 1,024 as such. */
static void write_tokens(FILE *out, double tokens)
{
    int64_t n = (int64_t)tokens;

    if (n % (1 << 20) == 0)
        fprintf(out, "%lldM", (long long)(n >> 20));
    else if (n % (1 << 10) == 0)
        fprintf(out, "%lldk", (long long)(n >> 10));
    else
        fprintf(out, "%lld", (long long)n);
}

static void write_cell(FILE *out, const ith_heat_cell *cell, double x, double y, double width)
{
    double share = cell->asked > 0 ? (double)cell->right / (double)cell->asked : 0;

    fprintf(out,
            "<g><title>%lld tokens, at %g: %lld of %lld</title><rect x=\"%.1f\" y=\"%.1f\" "
            "width=\"%.1f\" height=\"%d\" fill=\"var(--curve-0)\" fill-opacity=\"%.2f\" "
            "stroke=\"var(--faint)\"/><text class=\"cell\" x=\"%.1f\" y=\"%.1f\" "
            "text-anchor=\"middle\">%lld/%lld</text></g>\n",
            (long long)cell->tokens, cell->position, (long long)cell->right, (long long)cell->asked,
            x, y, width, ROW, DARKEST * share, x + width / 2, y + ROW / 2.0 + 4,
            (long long)cell->right, (long long)cell->asked);
}

static void write_sides(FILE *out, const side *lengths, const side *positions, double width)
{
    for (int i = 0; i < positions->n; i++) {
        write_label(out, LEFT - 8, TOP + ROW * i + ROW / 2.0 + 4, "end");
        fprintf(out, "%g</text>\n", positions->values[i]);
    }
    for (int i = 0; i < lengths->n; i++) {
        write_label(out, LEFT + width * i + width / 2, TOP + ROW * positions->n + 18, "middle");
        write_tokens(out, lengths->values[i]);
        fputs("</text>\n", out);
    }
    fputs("<text x=\"8\" y=\"16\">passkey at</text>\n", out);
    write_label(out, LEFT + width * lengths->n, TOP + ROW * positions->n + 38, "end");
    fputs("prompt and answer, tokens</text>\n", out);
}

void ith_heat_write(FILE *out, const char *title, const ith_heat_cell *cells, size_t n)
{
    side lengths = {.n = 0}, positions = {.n = 0};
    double width;

    for (size_t i = 0; i < n; i++) {
        put(&lengths, (double)cells[i].tokens);
        put(&positions, cells[i].position);
    }
    if (n == 0)
        return;
    width = (double)(WIDTH - LEFT - 16) / lengths.n;
    width = width < COLUMN_MAX ? width : COLUMN_MAX;
    fprintf(out, "<svg class=\"plot\" role=\"img\" viewBox=\"0 0 %d %d\"><title>", WIDTH,
            TOP + ROW * positions.n + BOTTOM);
    ith_plot_write_text(out, title);
    fputs("</title>\n", out);
    write_sides(out, &lengths, &positions, width);
    for (size_t i = 0; i < n; i++) {
        int column = cell_of(&lengths, (double)cells[i].tokens),
            row = cell_of(&positions, cells[i].position);
        if (column >= 0 && row >= 0)
            write_cell(out, &cells[i], LEFT + width * column, TOP + ROW * row, width);
    }
    fputs("</svg>\n", out);
}
