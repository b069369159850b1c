/* cmd_plan.c - what a run would take on so many ranks, and about how fast it would be. The library gives JSON for one number of ranks; here several
 * become a table. */
#include "cli/arguments.h"
#include "cli/shares_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB 1048576.0

static const ith_manual manual = {
    "ithaca plan -m MODEL [--nodes N] [--ranks-per-node R] [OPTION]...",
    "Memory, placement, traffic and expected speed of a run, for 1, 2, 4, ... N nodes, without loading the model.\n"
    "Each node is like this machine, unless --mem, -t, --read-gbps and --gops say otherwise.",
    "  ithaca plan -m Qwen3-8B --ctx 131072\n"
    "  ithaca plan -m Qwen3-32B --ctx 32768 --nodes 8 --ranks-per-node 2 --mem 60GiB -t 32 --read-gbps 300 --gops "
    "20000\n"
    "  ithaca plan -m synthetic:qwen3-8b:q4_0 --nodes 16 --json\n",
};

typedef struct plan_args {
    ith_model_args model;
    int64_t nodes, ranks_per_node;
    double read_gbps, integer_gops, network_gbps, latency_us;
} plan_args;

static int parse(const ith_cli *cli, int argc, char **argv, plan_args *args, ith_engine_params *params)
{
    ith_arg table[ITH_ARGS_MAX] = {
        {"nodes", 0, ITH_ARG_INT, "N", "machines, up to this many (default 8)", &args->nodes, 1, 65536},
        {"ranks-per-node", 0, ITH_ARG_INT, "R", "ranks on each (default 1)", &args->ranks_per_node, 1, 4096},
        {"read-gbps", 0, ITH_ARG_REAL, "X", "memory bandwidth of a node, GB/s (default: measured here)",
         &args->read_gbps, 0.001, 1e6},
        {"gops", 0, ITH_ARG_REAL, "X", "8-bit integer GOP/s of a node (default: measured here)", &args->integer_gops,
         0.001, 1e9},
        {"network-gbps", 0, ITH_ARG_REAL, "X", "of a node's connection, gigabytes a second (default 1.25)",
         &args->network_gbps, 0.001, 1e6},
        {"latency-us", 0, ITH_ARG_REAL, "X", "of an exchange between nodes, microseconds (default 20)",
         &args->latency_us, 0, 1e6},
    };
    size_t n = 0;
    int code;

    while (table[n].name != NULL)
        n++;
    ith_model_args_append(&args->model, table, &n);
    ith_args_take_model(&argc, &argv, &args->model.model);
    code = ith_args_parse(cli, &manual, table, n, argc, argv);
    return code != ITH_ARGS_OK ? code : ith_model_args_check(cli, argv[0], &args->model, params);
}

/* What was not given is measured on this machine, in about a second. */
static ith_status measure(const ith_cli *cli, plan_args *args, ith_error *err)
{
    ith_bench_roofline_params quick = {.threads = (int)args->model.threads, .seconds = 0.1, .buffer = 256 << 20};
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

static ith_status estimate(const plan_args *args, const ith_engine_params *params, int64_t nodes, json_t *rows,
                           ith_error *err)
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

/* 1, 2, 4, ..., and the last: which alone has so many ranks as numbers are given for. */
static int64_t first_count(const plan_args *args)
{
    const char *by = args->model.weights_by;
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

static void print_time(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    if (json_is_number(value))
        printf(" %10.1f", json_number_value(value));
    else
        printf(" %10s", "-");
}

static void print_row(const json_t *row)
{
    const json_t *memory = json_object_get(row, "memory"), *wire = json_object_get(row, "token_layer_bytes");

    printf("%5.0f %5.0f %7.0f %7s  %-10s %9.0f %8.0f %9.0f %9.0f  %8.1f %8.1f %8.1f", number(row, "nodes"),
           number(row, "ranks"), number(row, "threads"), text_of(row, "mesh"), text_of(row, "distribution"),
           number(memory, "node_weights_bytes") / MIB, number(memory, "rank_kv_bytes") / MIB,
           number(memory, "rank_workspace_bytes") / MIB, number(memory, "node_bytes") / MIB,
           number(wire, "ulysses_prefill") / 1024, number(wire, "tensor_parallel") / 1024,
           number(wire, "rows_decode") / 1024);
    print_time(row, "prefill_s");
    print_time(row, "decode_tps");
    printf("\n");
}

/* Why the weights are where they are, and who gets how much where that is weighed. */
static void print_reasons(const json_t *row)
{
    const json_t *shares = json_object_get(row, "shares");
    char text[160];

    printf("%.0f node%s: %s\n", number(row, "nodes"), number(row, "nodes") > 1 ? "s" : "", text_of(row, "why"));
    if (json_is_array(shares))
        printf("shares of tokens and rows: %s\n", ith_cli_shares_text(shares, text, sizeof text));
}

static void print_table(const plan_args *args, const json_t *rows)
{
    const json_t *row, *first = json_array_get(rows, 0);
    size_t i;

    printf("%s: weights %.0f MiB, context %.0f tokens; a node: %.1f GB/s, %.0f integer GOP/s; network %.2f GB/s, %.0f "
           "us\n\n",
           text_of(first, "model"), number(first, "weight_bytes") / MIB, number(first, "ctx"), args->read_gbps,
           args->integer_gops, args->network_gbps, args->latency_us);
    printf("%5s %5s %7s %7s  %-10s %9s %8s %9s %9s  %8s %8s %8s %10s %10s\n", "", "", "", "", "", "MiB: node", "rank",
           "rank", "node", "KiB sent", "tensor", "", "whole", "behind it");
    printf("%5s %5s %7s %7s  %-10s %9s %8s %9s %9s  %8s %8s %8s %10s %10s\n", "nodes", "ranks", "threads", "mesh",
           "placement", "weights", "KV", "workspace", "in all", "ulysses", "parallel", "decode", "prefill s",
           "decode t/s");
    json_array_foreach(rows, i, row) print_row(row);
    printf("\n");
    json_array_foreach(rows, i, row) print_reasons(row);
    printf("\nSent: by a rank, for one token and layer. Times are estimates.\n");
}

int ith_cmd_plan(const ith_cli *cli, int argc, char **argv)
{
    plan_args args = {
        .model = ith_model_args_default(), .nodes = 8, .ranks_per_node = 1, .network_gbps = 1.25, .latency_us = 20};
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
    } else if (args.model.json) {
        code = ith_cli_write_json(cli, json_pack("{s:f, s:f, s:f, s:f, s:O}", "read_gbps", args.read_gbps,
                                                 "integer_gops", args.integer_gops, "network_gbps", args.network_gbps,
                                                 "latency_us", args.latency_us, "plans", rows));
    } else {
        print_table(&args, rows);
        code = ITH_EXIT_DONE;
    }
    json_decref(rows);
    return code;
}
