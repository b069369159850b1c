/* heat.h - how often something was found, by length and position, as an SVG inside a page.
 *
 * Lengths from left to right, positions from top to bottom. The darker a cell, the more often; each
 * cell says how often in numbers, so that nobody needs to tell shades apart. Colours are the page's
 * variables, as in plot.h.
 */
#ifndef ITH_CLI_HEAT_H
#define ITH_CLI_HEAT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct ith_heat_cell {
    int64_t tokens;
    double position; /* 0 to 1 */
    int64_t asked, right;
} ith_heat_cell;

/* Writes an <svg> element; nothing without cells. Of two cells of one place the last counts. */
void ith_heat_write(FILE *out, const char *title, const ith_heat_cell *cells, size_t n);

#endif
