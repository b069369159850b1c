/* report_verdict.c - the sentences at the head of the report. */
#include "cli/report_verdict.h"

#include "cli/report_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BY_FAR   10.0
#define HEADLINE 32768
#define GIB      (double)(1 << 30)

static const char *const phase_verbs[] = {"prefill", "decode"};
static const char *const phase_nouns[] = {"time to first token", "decode rate"};

/* How many times as fast the GPU is as the fewest nodes that hold the model; 0: not known. */
static double ratio(const ith_even_phase *f)
{
    return f->gpu_rate > 0 && f->few > 0 ? f->gpu_rate / f->few : 0;
}

static const char *figure(double value, char text[64])
{
    return ith_figure_text(value, text);
}

/* "1,349", "20", "2.3" */
static const char *times_text(double value, char text[64])
{
    if (value >= 10)
        return ith_figure_text(round(value), text);
    snprintf(text, 64, "%.2g", value);
    return text;
}

/* "4-bit (w4)": numbers of a type that every reader may not know. */
static const char *type_text(const char *type, char text[80])
{
    char name[61];
    static const struct {
        const char *begin, *bits;
    } types[] = {{"bf16", "16"}, {"f16", "16"}, {"f32", "32"}, {"w8", "8"},
                 {"q8", "8"},    {"fp8", "8"},  {"w4", "4"},   {"q4", "4"}};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strncmp(type, types[i].begin, strlen(types[i].begin)) == 0) {
            snprintf(text, 80, "%s-bit (%s)", types[i].bits,
                     ith_report_cut(type, name, sizeof name));
            return text;
        }
    return ith_report_cut(type, text, 71);
}

/* "one node", or "4 nodes (the fewest that hold the model)" */
static const char *few_text(const ith_even *even, char text[120])
{
    char a[64];

    if (even->fewest <= 1)
        return strcpy(text, "one node");
    snprintf(text, 120, "%s nodes (the fewest that hold the model)", figure(even->fewest, a));
    return text;
}

static void write_lead(FILE *out, const ith_even *even)
{
    double prefill = ratio(&even->phase[ITH_EVEN_PREFILL]),
           decode = ratio(&even->phase[ITH_EVEN_DECODE]);
    char gpu[140], node[140], few[120], a[64];
    bool several = ith_series_devices(even->gpu) > 1;

    fprintf(out, "# %sAt %s tokens with %s, %s%s",
            prefill >= BY_FAR || decode >= BY_FAR ? "The GPU wins by far. " : "",
            ith_figure_text((double)even->context, a), even->group->name, several ? "" : "one ",
            ith_series_machine(even->gpu, 1, gpu, sizeof gpu));
    for (int phase = 0, said = 0; phase < ITH_EVEN_PHASES; phase++) {
        double times = ratio(&even->phase[phase]);
        if (times > 0)
            fprintf(out, "%s %s%s %s times as fast", said++ > 0 ? " and" : "", phase_verbs[phase],
                    several ? "" : "s", times_text(times, a));
    }
    ith_series_machine(even->node, 1, node, sizeof node);
    if (even->fewest == 0)
        fprintf(out, ": up to %s nodes of %s do not hold the model.\n", figure(even->most, a),
                node);
    else if (even->fewest == 1)
        fprintf(out, " as one node, %s.\n", node);
    else
        fprintf(out, " as %s, %s each.\n", few_text(even, few), node);
}

static void write_rates(FILE *out, const ith_even *even)
{
    char a[64], b[64], few[120];

    if (even->fewest == 0)
        fputs("- Tokens per second of the GPU:", out);
    else
        fprintf(out, "- Tokens per second, GPU and %s:", few_text(even, few));
    for (int phase = 0, said = 0; phase < ITH_EVEN_PHASES; phase++) {
        const ith_even_phase *f = &even->phase[phase];
        if (f->gpu_rate <= 0)
            continue;
        fprintf(out, "%s %s %s", said++ > 0 ? ";" : "",
                phase == ITH_EVEN_PREFILL ? "prefill" : "decoding", figure(f->gpu_rate, a));
        if (even->fewest > 0)
            fprintf(out, " and %s", figure(f->few, b));
    }
    fputs(".\n", out);
}

static void write_nodes(FILE *out, const ith_even *even)
{
    char a[64], b[64];

    for (int phase = 0; phase < ITH_EVEN_PHASES; phase++) {
        const ith_even_phase *f = &even->phase[phase];
        if (f->gpu_rate <= 0)
            continue;
        if (f->equals)
            fprintf(out, "- For its %s: about %s such node%s.\n", phase_nouns[phase],
                    figure(f->nodes, a), f->nodes > 1 ? "s" : "");
        else if (f->reached > 0)
            fprintf(out,
                    "- For its %s: no number of such nodes up to %s is enough. %s come%s nearest, "
                    "with %.1f%% of its speed.\n",
                    phase_nouns[phase], figure(even->most, a), figure(f->nodes, b),
                    f->nodes > 1 ? "" : "s", 100 * f->reached / f->gpu_rate);
    }
}

static void write_cost(FILE *out, const ith_report_all *all, const ith_even *even)
{
    char range[140], of_nodes[140];
    const char *currency = all->prices.currency;
    ith_price gpu, node = all->prices.node;
    int devices = ith_series_devices(even->gpu);

    if (!ith_prices_find(&all->prices, even->gpu, &gpu)) {
        fputs("- Cost: the price file has no price of this GPU.\n", out);
        return;
    }
    fprintf(out, "- Cost: the GPU costs %s %s an hour.", ith_price_text(gpu.low, gpu.high, range),
            currency);
    if (gpu.least_lot > devices)
        fprintf(out, " No offer is of less than %d such GPUs.", gpu.least_lot);
    else if (gpu.greatest_lot > devices)
        fprintf(out, " Some offers are of no less than %d such GPUs.", gpu.greatest_lot);
    for (int phase = 0; phase < ITH_EVEN_PHASES; phase++) {
        const ith_even_phase *f = &even->phase[phase];
        if (!f->equals)
            continue;
        if (node.high > 0)
            fprintf(out, " The nodes for its %s cost %s.", phase_nouns[phase],
                    ith_price_text(node.low * f->nodes, node.high * f->nodes, of_nodes));
        else
            fprintf(out, " The nodes for its %s cost less only if one costs less than %s.",
                    phase_nouns[phase],
                    ith_price_text(gpu.low / f->nodes, gpu.high / f->nodes, of_nodes));
    }
    fputc('\n', out);
}

/* Of the GPU's series at the context, in GiB of all its devices. */
static double gpu_memory(const ith_even *even)
{
    double most = 0;

    for (int phase = 0; phase < ITH_EVEN_PHASES; phase++) {
        const ith_report_series *s = even->phase[phase].gpu;
        const ith_report_point *p =
            s != NULL ? ith_series_point(s, ITH_FIGURE_MEMORY, even->context) : NULL;
        most = p != NULL ? fmax(most, p->value) : most;
    }
    return most / GIB;
}

static void write_changes(FILE *out, const ith_even *even)
{
    const ith_even_phase *f = &even->phase[ITH_EVEN_PREFILL];
    const ith_report_series *gpu = f->gpu != NULL ? f->gpu : even->phase[ITH_EVEN_DECODE].gpu;
    double memory = gpu_memory(even), of_node = 0;
    char a[80], b[80], c[80], d[80];

    type_text(ith_series_weights(gpu), c);
    type_text(ith_series_cache(gpu), d);
    fprintf(out, "- What else changes: %s weights and %s cache instead of %s",
            type_text(ith_series_weights(even->node), a),
            type_text(ith_series_cache(even->node), b), c);
    if (strcmp(c, d) == 0)
        fputs(" for both.", out);
    else
        fprintf(out, " and %s.", d);
    for (int phase = 0; phase < ITH_EVEN_PHASES; phase++)
        of_node = fmax(of_node, even->phase[phase].node_bytes / GIB);
    if (of_node > 0)
        fprintf(out, " Memory: %s GiB of each node", figure(of_node, a));
    if (of_node > 0 && memory > 0)
        fprintf(out, ", %s of the GPU", figure(memory, b));
    fprintf(out, "%s\n", of_node > 0 ? "." : "");
}

/* Its rate of both phases may be scaled, of one, or of none: where the run has no point of a phase,
 * or there is no estimate for its context. */
static void write_trust(FILE *out, const ith_even *even)
{
    char a[64], b[64];
    int scaled = 0;

    if (!even->measured) {
        fputs("- Rates of nodes are estimates from what the node's memory and cores reached in "
              "another run: this model was not measured on it.\n",
              out);
        return;
    }
    fputs("- Rates of nodes are estimates", out);
    for (int phase = 0; phase < ITH_EVEN_PHASES; phase++) {
        const ith_even_phase *f = &even->phase[phase];
        if (f->factor > 0)
            fprintf(out, "%s %s for the %s, at %s tokens",
                    scaled++ > 0 ? ";" : ", scaled by what was measured over what was estimated:",
                    figure(f->factor, a), phase_nouns[phase], figure((double)f->factor_context, b));
    }
    fputs(scaled == 0 ? ", not scaled: what was measured on the node does not say how fast the "
                        "model runs there"
                      : "",
          out);
    for (int phase = 0; scaled == 1 && phase < ITH_EVEN_PHASES; phase++)
        if (even->phase[phase].factor <= 0)
            fprintf(out, ". The %s was not measured and is not scaled", phase_nouns[phase]);
    fputs(".\n", out);
}

static void write_even(FILE *out, const ith_report_all *all, const ith_even *even)
{
    char gpu[140], node[140];

    if (even->refusal[0] != '\0') {
        fprintf(out, "# %s, %s and %s: no estimate.\n- %s.\n", even->group->name,
                ith_series_machine(even->gpu, 1, gpu, sizeof gpu),
                ith_series_machine(even->node, 1, node, sizeof node), even->refusal);
        return;
    }
    write_lead(out, even);
    write_nodes(out, even);
    write_cost(out, all, even);
    write_rates(out, even);
    write_changes(out, even);
    write_trust(out, even);
}

static double distance(const ith_even *even)
{
    return fabs(log2((double)even->context / HEADLINE));
}

static bool is_same_pair(const ith_even *a, const ith_even *b)
{
    return a->group == b->group && a->gpu == b->gpu && a->node == b->node;
}

/* Is it the row that speaks for its model, GPU and node? Of two contexts that are equally near the
 * larger one does. */
static bool is_headline(const ith_evens *evens, const ith_even *even)
{
    for (size_t i = 0; i < evens->n; i++) {
        const ith_even *other = &evens->rows[i];
        double nearer = distance(even) - distance(other);
        if (is_same_pair(other, even) &&
            (nearer > 0 || (nearer >= 0 && other->context > even->context)))
            return false;
    }
    return true;
}

/* Published figures speak where nothing was measured of the model on a GPU. */
static bool speaks(const ith_evens *evens, const ith_even *even)
{
    if (ith_series_published(even->gpu) == NULL)
        return true;
    for (size_t i = 0; i < evens->n; i++)
        if (evens->rows[i].group == even->group && ith_series_published(evens->rows[i].gpu) == NULL)
            return false;
    return true;
}

char *ith_report_verdict(const ith_report_all *all)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool failed;

    if (out == NULL)
        return NULL;
    if (all->report.n_groups == 0)
        fputs("# These documents say how good answers are, not how fast they come.\n", out);
    else if (all->evens.n == 0)
        fputs("# No model was measured both on a GPU, at 8,192, 32,768 or 131,072 tokens, and with "
              "Ithaca on any node, so there is no break-even.\n",
              out);
    for (size_t i = 0; i < all->evens.n; i++)
        if (is_headline(&all->evens, &all->evens.rows[i]) &&
            speaks(&all->evens, &all->evens.rows[i]))
            write_even(out, all, &all->evens.rows[i]);
    failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
