/* plan_table.c - prints what a run takes on several numbers of nodes: memory, messages, times. */
#include "cli/plan_table.h"

#include "base/progress.h"
#include "cli/shares_text.h"

#include <stdio.h>
#include <string.h>

#define MIB 1048576.0

enum { DEPTHS = 6 };

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static void print_head(const json_t *first)
{
    const json_t *node = json_object_get(first, "node");

    printf("%s: weights %.0f MiB, context %.0f tokens\n", text_of(first, "model"),
           number(first, "weight_bytes") / MIB, number(first, "ctx"));
    printf("node: %s, %.1f GB/s, %.0f integer GOP/s; network: %.2f GB/s, %.0f us\n\n",
           text_of(node, "name"), number(node, "read_gbps"), number(node, "integer_gops"),
           number(node, "network_gbps"), number(node, "latency_us"));
}

static void print_counts(const json_t *row)
{
    printf("%5.0f %5.0f ", number(row, "nodes"), number(row, "ranks"));
}

static void print_memory(const json_t *row)
{
    const json_t *memory = json_object_get(row, "memory");

    print_counts(row);
    printf("%7.0f %7s  %-12s %9.0f %9.0f %9.0f %9.0f\n", number(row, "threads"),
           text_of(row, "mesh"), text_of(row, "distribution"),
           number(memory, "node_weights_bytes") / MIB, number(memory, "node_bytes") / MIB,
           number(memory, "rank_kv_bytes") / MIB, number(memory, "rank_workspace_bytes") / MIB);
}

static void print_memories(const json_t *rows)
{
    const json_t *row;
    size_t i;

    printf("%5s %5s %7s %7s  %-12s %9s %9s %9s %9s\n", "", "", "", "", "", "node: MiB", "node: MiB",
           "rank: MiB", "rank: MiB");
    printf("%5s %5s %7s %7s  %-12s %9s %9s %9s %9s\n", "nodes", "ranks", "threads", "mesh",
           "distribution", "weights", "total", "KV cache", "buffers");
    json_array_foreach (rows, i, row)
        print_memory(row);
}

/* ---- Times ---- */

static void print_time(const json_t *value, int width)
{
    char text[32] = "-";

    if (json_is_number(value))
        ith_format_time(text, json_number_value(value));
    printf(" %*s", width, text);
}

/* A number of four digits or so. */
static void print_number(const json_t *value, double factor, int width)
{
    double x = json_number_value(value) * factor;

    if (json_is_number(value))
        printf(" %*.*f", width, x < 10 ? 2 : x < 100 ? 1 : 0, x);
    else
        printf(" %*s", width, "-");
}

static void print_speed(const json_t *row)
{
    const json_t *run = json_object_get(row, "run"),
                 *breakdown = json_object_get(json_object_get(row, "decode"), "parts");

    print_counts(row);
    print_time(json_object_get(row, "load_s"), 12);
    print_time(json_object_get(row, "prefill_s"), 15);
    print_number(json_object_get(row, "decode_tps"), 1, 9);
    print_number(json_object_get(breakdown, "network_s"), 1e3, 9);
    print_time(json_object_get(run, "seconds"), 15);
    print_number(json_object_get(run, "cost"), 1, 9);
    print_number(json_object_get(run, "energy_wh"), 1e-3, 9);
    printf("\n");
}

static void print_speeds(const json_t *rows)
{
    const json_t *row;
    size_t i;

    printf("\n%5s %5s %12s %15s %9s %9s %15s %9s %9s\n", "", "", "", "whole context",
           "decode:", "ms in the", "prompt", "", "");
    printf("%5s %5s %12s %15s %9s %9s %15s %9s %9s\n", "nodes", "ranks", "load", "prefill",
           "tokens/s", "network", "and answer", "cost", "kWh");
    json_array_foreach (rows, i, row)
        print_speed(row);
}

/* The last DEPTHS prompts of a plan. */
static const json_t *depths_of(const json_t *row, size_t *first)
{
    const json_t *depths = json_object_get(json_object_get(row, "prefill"), "depths");
    size_t n = json_array_size(depths);

    *first = n > DEPTHS ? n - DEPTHS : 0;
    return depths;
}

static void print_depths(const json_t *rows)
{
    const json_t *row, *depth, *shown = NULL;
    size_t i, j, first = 0;

    json_array_foreach (rows, i, row)
        if (shown == NULL)
            shown = depths_of(row, &first);
    if (shown == NULL)
        return;
    printf("\n%5s %5s  prefill of so many tokens\n%5s %5s ", "", "", "nodes", "ranks");
    json_array_foreach (shown, j, depth)
        if (j >= first)
            printf(" %12.0f", number(depth, "tokens"));
    printf("\n");
    json_array_foreach (rows, i, row) {
        print_counts(row);
        json_array_foreach (depths_of(row, &first), j, depth)
            if (j >= first)
                print_time(json_object_get(depth, "seconds"), 12);
        printf("\n");
    }
}

static void print_wire(const json_t *row)
{
    const json_t *wire = json_object_get(row, "token_layer_bytes");

    print_counts(row);
    printf("%9.1f %9.1f %12.1f %17.0f\n", number(wire, "ulysses_prefill") / 1024,
           number(wire, "rows_decode") / 1024, number(wire, "tensor_parallel") / 1024,
           number(json_object_get(row, "decode"), "collectives"));
}

static void print_wires(const json_t *rows)
{
    const json_t *row;
    size_t i;

    printf("\n%5s %5s %9s %9s %12s %17s\n", "", "", "KiB sent", "KiB sent", "KiB sent",
           "collectives");
    printf("%5s %5s %9s %9s %12s %17s\n", "nodes", "ranks", "prefill", "decode", "tensor par.",
           "a token, decode");
    json_array_foreach (rows, i, row)
        print_wire(row);
}

/* ---- Words ---- */

/* Why the weights are distributed so, and the shares unless they are equal. */
static void print_reasons(const json_t *row)
{
    const json_t *shares = json_object_get(row, "shares");
    char text[160];

    printf("%.0f node%s: %s\n", number(row, "nodes"), number(row, "nodes") > 1 ? "s" : "",
           text_of(row, "why"));
    if (json_is_array(shares))
        printf("shares of tokens and rows: %s\n", ith_cli_shares_text(shares, text, sizeof text));
}

static void print_assumed(const json_t *last)
{
    const json_t *assumed = json_object_get(last, "assumed"), *what;
    size_t i;

    json_array_foreach (assumed, i, what)
        printf("%s %s", i == 0 ? "Assumed:" : ",", json_string_value(what));
    if (json_array_size(assumed) > 0)
        printf(".\n");
}

void ith_cli_print_plans(const json_t *plans)
{
    const json_t *row;
    size_t i;

    print_head(json_array_get(plans, 0));
    print_memories(plans);
    print_speeds(plans);
    print_depths(plans);
    print_wires(plans);
    printf("\n");
    json_array_foreach (plans, i, row)
        print_reasons(row);
    printf("\nKiB sent: by each rank, per token and layer; \"tensor par.\": as tensor parallelism "
           "would.\n"
           "Times are simulated, for a quiet cluster.\n");
    print_assumed(json_array_get(plans, json_array_size(plans) - 1));
}
