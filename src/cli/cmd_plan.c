/* cmd_plan.c - what a run would need on several numbers of nodes, and about how fast it would be.
 * The library gives JSON for one number of ranks; here several become a table. */
#include "base/progress.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/shares_text.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB 1048576.0

typedef struct plan_args {
    ith_model_args model;
    int64_t nodes, ranks_per_node;
    double read_gbps, integer_gops, network_gbps, latency_us;
} plan_args;

static const ith_option options[] = {
    {.name = "nodes",
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(plan_args, nodes),
     .min = 1,
     .max = 65536,
     .preset = "8",
     .help = "plan for 1, 2, 4, ... N machines"},
    {.name = "ranks-per-node",
     .kind = ITH_OPTION_INT,
     .metavar = "R",
     .at = offsetof(plan_args, ranks_per_node),
     .min = 1,
     .max = 4096,
     .preset = "1",
     .help = "ranks on each machine"},
    {.name = "read-gbps",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(plan_args, read_gbps),
     .min = 0.001,
     .max = 1e6,
     .otherwise = "measured on this machine",
     .help = "memory bandwidth of a node, GB/s"},
    {.name = "gops",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(plan_args, integer_gops),
     .min = 0.001,
     .max = 1e9,
     .otherwise = "measured on this machine",
     .help = "8-bit integer speed of a node, GOP/s"},
    {.name = "network-gbps",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(plan_args, network_gbps),
     .min = 0.001,
     .max = 1e6,
     .preset = "1.25",
     .help = "network bandwidth of a node, GB/s"},
    {.name = "latency-us",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(plan_args, latency_us),
     .max = 1e6,
     .preset = "20",
     .help = "latency of an exchange between nodes, us"},
    {.name = NULL},
};

static const ith_option_group group = {"Cluster", options};

static const ith_group_use groups[] = {
    {&ith_group_model, offsetof(plan_args, model.model)},
    {&group, 0},
    ITH_ENGINE_GROUPS(plan_args, model),
    {&ith_group_json, offsetof(plan_args, model.output)},
    {&ith_group_quiet, offsetof(plan_args, model.output)},
    {NULL, 0},
};

static int parse(const ith_cli *cli, int argc, char **argv, plan_args *args,
                 ith_engine_params *params)
{
    int code = ith_args_parse(cli, &ith_command_plan, args, argc, argv);

    return code != ITH_ARGS_OK ? code : ith_model_args_check(cli, argv[0], &args->model, params);
}

/* Measures what was not given on this machine, in about a second. */
static ith_status measure(const ith_cli *cli, plan_args *args, ith_error *err)
{
    ith_bench_roofline_params quick = {
        .threads = (int)args->model.threads, .seconds = 0.1, .buffer = 256 << 20};
    char *text;
    json_t *root, *rows, *all;

    if (args->read_gbps > 0 && args->integer_gops > 0)
        return ITH_OK;
    ITH_TRY(ith_bench_roofline(cli->world, &quick, &text, err));
    root = json_loads(text, 0, NULL);
    free(text);
    rows = json_object_get(root, "threads");
    all = json_array_get(rows, json_array_size(rows) - 1);
    if (args->read_gbps <= 0)
        args->read_gbps = json_number_value(json_object_get(all, "read_gbps"));
    if (args->integer_gops <= 0)
        args->integer_gops = json_number_value(json_object_get(all, "integer_gops"));
    json_decref(root);
    return ITH_OK;
}

static ith_status estimate(const plan_args *args, const ith_engine_params *params, int64_t nodes,
                           json_t *rows, ith_error *err)
{
    ith_estimate_params p = {.engine = *params,
                             .nodes = (int)nodes,
                             .ranks_per_node = (int)args->ranks_per_node,
                             .read_gbps = args->read_gbps,
                             .integer_gops = args->integer_gops,
                             .network_gbps = args->network_gbps,
                             .latency_us = args->latency_us};
    char *text;

    ITH_TRY(ith_estimate(&p, &text, err));
    json_array_append_new(rows, json_loads(text, 0, NULL));
    free(text);
    return ITH_OK;
}

/* 1, 2, 4, ..., and the last number of nodes. With numbers as --shares only the last: they are for
 * that many ranks. */
static int64_t first_count(const plan_args *args)
{
    const char *by = args->model.shares;
    return by != NULL && isdigit((unsigned char)by[0]) ? args->nodes : 1;
}

static int64_t next_count(int64_t nodes, int64_t last)
{
    return nodes < last && 2 * nodes > last ? last : 2 * nodes;
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void print_memory(const json_t *row)
{
    const json_t *memory = json_object_get(row, "memory");

    printf("%5.0f %5.0f %7.0f %7s  %-12s %9.0f %9.0f %9.0f %9.0f\n", number(row, "nodes"),
           number(row, "ranks"), number(row, "threads"), text_of(row, "mesh"),
           text_of(row, "distribution"), number(memory, "node_weights_bytes") / MIB,
           number(memory, "node_bytes") / MIB, number(memory, "rank_kv_bytes") / MIB,
           number(memory, "rank_workspace_bytes") / MIB);
}

static void print_speed(const json_t *row)
{
    const json_t *wire = json_object_get(row, "token_layer_bytes"),
                 *prefill = json_object_get(row, "prefill_s"),
                 *decode = json_object_get(row, "decode_tps");
    char time[32] = "-", rate[32] = "-";

    if (json_is_number(prefill))
        ith_format_time(time, json_number_value(prefill));
    if (json_is_number(decode))
        snprintf(rate, sizeof rate, "%.1f", json_number_value(decode));
    printf("%5.0f %5.0f %9.1f %9.1f %12.1f %16s %17s\n", number(row, "nodes"), number(row, "ranks"),
           number(wire, "ulysses_prefill") / 1024, number(wire, "rows_decode") / 1024,
           number(wire, "tensor_parallel") / 1024, time, rate);
}

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

static void print_table(const plan_args *args, const json_t *rows)
{
    const json_t *row, *first = json_array_get(rows, 0);
    size_t i;

    printf("%s: weights %.0f MiB, context %.0f tokens\n"
           "node: %.1f GB/s, %.0f integer GOP/s; network: %.2f GB/s, %.0f us\n\n",
           text_of(first, "model"), number(first, "weight_bytes") / MIB, number(first, "ctx"),
           args->read_gbps, args->integer_gops, args->network_gbps, args->latency_us);
    printf("%5s %5s %7s %7s  %-12s %9s %9s %9s %9s\n", "", "", "", "", "", "node: MiB", "node: MiB",
           "rank: MiB", "rank: MiB");
    printf("%5s %5s %7s %7s  %-12s %9s %9s %9s %9s\n", "nodes", "ranks", "threads", "mesh",
           "distribution", "weights", "total", "KV cache", "buffers");
    json_array_foreach (rows, i, row)
        print_memory(row);
    printf("\n%5s %5s %9s %9s %12s %16s %17s\n", "", "", "KiB sent", "KiB sent", "KiB sent",
           "whole context", "full context");
    printf("%5s %5s %9s %9s %12s %16s %17s\n", "nodes", "ranks", "prefill", "decode", "tensor par.",
           "prefill", "decode, tokens/s");
    json_array_foreach (rows, i, row)
        print_speed(row);
    printf("\n");
    json_array_foreach (rows, i, row)
        print_reasons(row);
    printf("\nKiB sent: by each rank, per token and layer; \"tensor par.\": as tensor parallelism "
           "would.\n"
           "Speeds are estimates.\n");
}

static int plan_main(const ith_cli *cli, int argc, char **argv)
{
    plan_args args = {.model = ith_model_args_default()};
    ith_engine_params params;
    ith_error err = {0};
    json_t *rows = json_array();
    ith_status status;
    int code = parse(cli, argc, argv, &args, &params);

    if (code != ITH_ARGS_OK) {
        json_decref(rows);
        return code;
    }
    status = measure(cli, &args, &err);
    for (int64_t nodes = first_count(&args); status == ITH_OK && nodes <= args.nodes;
         nodes = next_count(nodes, args.nodes))
        status = estimate(&args, &params, nodes, rows, &err);
    if (status != ITH_OK) {
        code = ith_cli_failure(cli, status, &err);
    } else if (args.model.output.json) {
        code = ith_cli_write_json(cli, json_pack("{s:f, s:f, s:f, s:f, s:O}", "read_gbps",
                                                 args.read_gbps, "integer_gops", args.integer_gops,
                                                 "network_gbps", args.network_gbps, "latency_us",
                                                 args.latency_us, "plans", rows));
    } else {
        print_table(&args, rows);
        code = ITH_EXIT_DONE;
    }
    json_decref(rows);
    return code;
}

const ith_command ith_command_plan = {
    .name = "plan",
    .summary = "estimate memory and speed of a run, without loading the model",
    .synopsis = "plan MODEL [--nodes N] [--ranks-per-node R] [OPTION]...",
    .description =
        "Shows what a run would need on 1, 2, 4, ... N nodes: memory, weight distribution, mesh, "
        "bytes sent for each token and layer (also by tensor parallelism, for comparison), and "
        "estimates of speed. Each node is assumed to be like this machine unless --mem, -t, "
        "--read-gbps and --gops say otherwise. The model is not loaded.",
    .examples = "ithaca plan Qwen3-8B --ctx 128k\n"
                "ithaca plan Qwen3-32B -c 32k --nodes 8 --mem 60GiB -t 32 --gops 20000\n"
                "ithaca plan synthetic:qwen3-8b:q4_0 --nodes 16 --json\n",
    .groups = groups,
    .operand = "model",
    .run = plan_main,
};
