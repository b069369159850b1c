/* plot.h - one plot of figures over context, as SVG inside a page.
 *
 * Both axes are logarithmic: contexts by octaves, figures by decades. A context of 0 stands one
 * octave before the least other one and is labelled 0.
 *
 * Nobody needs to tell colours apart. Each of ITH_PLOT_STYLES styles has a marker of its own: seven
 * shapes, which the next seven have with a stroke through them, and so on. Published figures have
 * hollow markers and a dashed line. The colours are Okabe and Ito's palette
 * (jfly.uni-koeln.de/color, 2008) without its yellow, which is too faint on white. They are CSS
 * variables, so that the page's theme decides them: --ink, --faint and --paper for text, grid and
 * background, --curve-0 to --curve-6 for the curves. Text keeps the page's font; nothing is
 * fetched.
 *
 * A vertical stroke at a point reaches from its low to its high where they differ by more than 2%.
 */
#ifndef ITH_CLI_PLOT_H
#define ITH_CLI_PLOT_H

#include "cli/report.h"

#include <stdio.h>

enum { ITH_PLOT_COLOURS = 7, ITH_PLOT_STYLES = 5 * ITH_PLOT_COLOURS };

typedef struct ith_plot_curve {
    const char *label;
    int style; /* taken modulo ITH_PLOT_STYLES */
    bool published;
    const ith_report_points *points; /* those above 0 and finite are drawn */
} ith_plot_curve;

typedef struct ith_plot {
    const char *title;            /* what the picture shows, for those who cannot see it */
    const char *unit;             /* of the figures, at their axis */
    const ith_plot_curve *curves; /* [n_curves] */
    size_t n_curves;
} ith_plot;

/* Writes an <svg> element; nothing if no curve has a point. ferror(out) tells of failures. */
void ith_plot_write(FILE *out, const ith_plot *plot);

/* Writes the marker of a style, as an <svg> element of a line's height for a legend or a table. */
void ith_plot_write_marker(FILE *out, int style, bool published);

/* Writes text with &, <, > and quotes as entities: for elements and attributes. */
void ith_plot_write_text(FILE *out, const char *text);

#endif
