/* report_verdict.c - the sentences at the head of the report. */
#include "cli/report_verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BY_FAR   10.0
#define HEADLINE 32768
#define GIB      (double)(1 << 30)

static const char *const phase_verbs[] = {"prefill", "decode"};
static const char *const phase_nouns[] = {"time to first token", "decode rate"};

/* How many times as fast the GPU is as a node; 0: not known. */
static double ratio(const ith_even_phase *f)
{
    return f->gpu_rate > 0 && f->one > 0 ? f->gpu_rate / f->one : 0;
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
    static const struct {
        const char *begin, *bits;
    } types[] = {{"bf16", "16"}, {"f16", "16"}, {"f32", "32"}, {"w8", "8"},
                 {"q8", "8"},    {"fp8", "8"},  {"w4", "4"},   {"q4", "4"}};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strncmp(type, types[i].begin, strlen(types[i].begin)) == 0) {
            snprintf(text, 80, "%s-bit (%.60s)", types[i].bits, type);
            return text;
        }
    snprintf(text, 80, "%.70s", type);
    return text;
}

static void write_lead(FILE *out, const ith_even *even)
{
    double prefill = ratio(&even->phase[ITH_EVEN_PREFILL]),
           decode = ratio(&even->phase[ITH_EVEN_DECODE]);
    char gpu[140], node[140], a[64];
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
    fprintf(out, " as one node, %s.\n", ith_series_machine(even->node, 1, node, sizeof node));
}

static void write_rates(FILE *out, const ith_even *even)
{
    char a[64], b[64];

    fputs("- Tokens per second, GPU and one node:", out);
    for (int phase = 0, said = 0; phase < ITH_EVEN_PHASES; phase++) {
        const ith_even_phase *f = &even->phase[phase];
        if (f->gpu_rate > 0)
            fprintf(out, "%s %s %s and %s", said++ > 0 ? ";" : "",
                    phase == ITH_EVEN_PREFILL ? "prefill" : "decoding", figure(f->gpu_rate, a),
                    figure(f->one, b));
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
        else
            fprintf(out,
                    "- Its %s: no number of such nodes up to %s reaches it. The most is %.1f%% of "
                    "it, with %s nodes.\n",
                    phase_nouns[phase], figure(ITH_EVEN_NODES_MAX, a),
                    100 * f->reached / f->gpu_rate, figure(f->nodes, b));
    }
}

static void write_cost(FILE *out, const ith_report_all *all, const ith_even *even)
{
    char range[140], of_nodes[140];
    const char *currency = all->prices.currency;
    ith_price gpu, node = all->prices.node;

    if (!ith_prices_find(&all->prices, even->gpu, &gpu)) {
        fputs("- Cost: the price file has no price of this GPU.\n", out);
        return;
    }
    fprintf(out, "- Cost: the GPU costs %s %s an hour.", ith_range_text(gpu.low, gpu.high, range),
            currency);
    for (int phase = 0; phase < ITH_EVEN_PHASES; phase++) {
        const ith_even_phase *f = &even->phase[phase];
        if (!f->equals)
            continue;
        if (node.high > 0)
            fprintf(out, " The nodes for its %s cost %s.", phase_nouns[phase],
                    ith_range_text(node.low * f->nodes, node.high * f->nodes, of_nodes));
        else
            fprintf(out, " The nodes for its %s cost less only if one costs less than %s.",
                    phase_nouns[phase],
                    ith_range_text(gpu.low / f->nodes, gpu.high / f->nodes, of_nodes));
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

    fprintf(out, "- What else changes: %s weights and %s cache instead of %s and %s.",
            type_text(ith_series_weights(even->node), a),
            type_text(ith_series_cache(even->node), b), type_text(ith_series_weights(gpu), c),
            type_text(ith_series_cache(gpu), d));
    for (int phase = 0; phase < ITH_EVEN_PHASES; phase++)
        of_node = fmax(of_node, even->phase[phase].node_bytes / GIB);
    if (of_node > 0)
        fprintf(out, " Memory: %s GiB of each node", figure(of_node, a));
    if (of_node > 0 && memory > 0)
        fprintf(out, ", %s of the GPU", figure(memory, b));
    fprintf(out, "%s\n", of_node > 0 ? "." : "");
}

static void write_trust(FILE *out, const ith_even *even)
{
    char a[64], b[64];

    if (!even->measured) {
        fputs("- Rates of nodes are estimates from what the node's memory and cores reached in "
              "another run: this model was not measured on it.\n",
              out);
        return;
    }
    fputs("- Rates of nodes are estimates, scaled by what was measured over what was estimated:",
          out);
    for (int phase = 0, said = 0; phase < ITH_EVEN_PHASES; phase++) {
        const ith_even_phase *f = &even->phase[phase];
        if (f->factor > 0)
            fprintf(out, "%s %s for its %s, at %s tokens", said++ > 0 ? ";" : "",
                    figure(f->factor, a), phase_nouns[phase], figure((double)f->factor_context, b));
    }
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

/* Is it the row that speaks for its model, GPU and node? */
static bool is_headline(const ith_evens *evens, const ith_even *even)
{
    for (size_t i = 0; i < evens->n; i++)
        if (is_same_pair(&evens->rows[i], even) && distance(&evens->rows[i]) < distance(even))
            return false;
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
    if (all->evens.n == 0)
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
