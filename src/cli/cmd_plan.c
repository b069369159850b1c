/* cmd_plan.c - what a run would need on several numbers of nodes, and about how fast it would be.
 * The library gives JSON for one number of ranks; here several become a table. */
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/plan_script.h"
#include "cli/plan_table.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct plan_args {
    ith_model_args model;
    const char *machine, *script;
    int64_t nodes, ranks_per_node, answer;
    double read_gbps, integer_gops, network_gbps, latency_us, price, watts;
    char *machine_text; /* of the machine file; NULL: none */
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
    {.name = "machine",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(plan_args, machine),
     .otherwise = "this machine",
     .help = "description of a node, as ithaca probe writes it",
     .more =
         "The options below override values of the file. Without a file, and unless both "
         "--read-gbps and --gops are given, this machine is measured, which takes a few seconds."},
    {.name = "read-gbps",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(plan_args, read_gbps),
     .min = 0.001,
     .max = 1e6,
     .otherwise = "from the machine file, else measured on this machine",
     .help = "memory bandwidth of a node, GB/s"},
    {.name = "gops",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(plan_args, integer_gops),
     .min = 0.001,
     .max = 1e9,
     .otherwise = "from the machine file, else measured on this machine",
     .help = "8-bit integer speed of a node, GOP/s"},
    {.name = "network-gbps",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(plan_args, network_gbps),
     .min = 0.001,
     .max = 1e6,
     .otherwise = "from the machine file, else 1.25",
     .help = "network bandwidth of a node, GB/s"},
    {.name = "latency-us",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(plan_args, latency_us),
     .min = 0.001,
     .max = 1e6,
     .otherwise = "from the machine file, else 20",
     .help = "time of a small message between nodes, us"},
    {.name = "sbatch",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(plan_args, script),
     .help = "write a SLURM script",
     .more =
         "It is cluster/slurm/ithaca.sbatch with the plan's ranks, threads, memory, time limit, "
         "model and context, for the smallest number of nodes that fits. Give the prompt when you "
         "submit it: sbatch FILE -f book.txt -p TEXT."},
    {.name = "answer",
     .kind = ITH_OPTION_TOKENS,
     .metavar = "N",
     .at = offsetof(plan_args, answer),
     .max = 1e9,
     .preset = "256",
     .help = "length of the answer, for the time of a whole run"},
    {.name = "price",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(plan_args, price),
     .min = 1e-6,
     .max = 1e9,
     .help = "price of a node per hour, in any currency"},
    {.name = "watts",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(plan_args, watts),
     .min = 0.001,
     .max = 1e9,
     .help = "power of a node under load"},
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

/* Reads the machine file, or measures this machine, in some seconds, unless its rates are given. */
static ith_status find_machine(const ith_cli *cli, plan_args *args, ith_error *err)
{
    const ith_machine_probe_params quick = {.seconds = 0.01};

    if (args->machine != NULL)
        return ith_machine_read(args->machine, &args->machine_text, err);
    if (args->read_gbps > 0 && args->integer_gops > 0)
        return ITH_OK;
    return ith_machine_probe(cli->world, &quick, &args->machine_text, err);
}

static ith_status estimate(const plan_args *args, const ith_engine_params *params, int64_t nodes,
                           json_t **row, ith_error *err)
{
    ith_estimate_params p = {.engine = *params,
                             .nodes = (int)nodes,
                             .ranks_per_node = (int)args->ranks_per_node,
                             .machine = args->machine_text,
                             .read_gbps = args->read_gbps,
                             .integer_gops = args->integer_gops,
                             .network_gbps = args->network_gbps,
                             .latency_us = args->latency_us,
                             .answer = args->answer,
                             .price = args->price,
                             .watts = args->watts};
    char *text;

    ITH_TRY(ith_estimate(&p, &text, err));
    *row = json_loads(text, 0, NULL);
    free(text);
    return ITH_OK;
}

/* 1, 2, 4, ..., and the last number of nodes. With --mesh, or numbers as --shares, only the last:
 * they are for that many ranks. */
static int64_t first_count(const plan_args *args)
{
    const char *by = args->model.shares;
    bool numbers = by != NULL && isdigit((unsigned char)by[0]);
    return numbers || args->model.mesh != NULL ? args->nodes : 1;
}

static int64_t next_count(int64_t nodes, int64_t last)
{
    return nodes < last && 2 * nodes > last ? last : 2 * nodes;
}

static ith_status estimate_all(const plan_args *args, const ith_engine_params *params, json_t *rows,
                               ith_error *err)
{
    for (int64_t nodes = first_count(args); nodes <= args->nodes;
         nodes = next_count(nodes, args->nodes)) {
        json_t *row;
        ITH_TRY(estimate(args, params, nodes, &row, err));
        json_array_append_new(rows, row);
    }
    return ITH_OK;
}

static int64_t nodes_of(const json_t *row)
{
    return json_integer_value(json_object_get(row, "nodes"));
}

/* The smallest number of nodes whose memory holds weights and session: between the last count that
 * is too small and the first that is not, more nodes never take more memory each. 0: none fits. */
static ith_status find_smallest(const plan_args *args, const ith_engine_params *params,
                                const json_t *rows, int64_t *smallest, ith_error *err)
{
    int64_t below = 0;
    const json_t *row;
    size_t i;

    *smallest = 0;
    json_array_foreach (rows, i, row) {
        if (*smallest == 0 && json_is_true(json_object_get(row, "fits")))
            *smallest = nodes_of(row);
        if (*smallest == 0)
            below = nodes_of(row);
    }
    while (*smallest > below + 1 && first_count(args) < args->nodes) {
        int64_t middle = (below + *smallest) / 2;
        json_t *tried;
        ITH_TRY(estimate(args, params, middle, &tried, err));
        *(json_is_true(json_object_get(tried, "fits")) ? smallest : &below) = middle;
        json_decref(tried);
    }
    return ITH_OK;
}

/* ---- The script ---- */

/* Options of the plan that a run should have too, as the script says nothing of them otherwise. */
static const ith_group_use carried[] = {
    {&ith_group_context, offsetof(plan_args, model)},
    {&ith_group_quant, offsetof(plan_args, model.quant)},
    {&ith_group_kv, offsetof(plan_args, model)},
    {&ith_group_memory, offsetof(plan_args, model)},
    {&ith_group_ranks, offsetof(plan_args, model)},
    {NULL, 0},
};

/* The option as words, if its value at `given` is not the usual one. */
static void add_words(json_t *words, const ith_option *o, const char *given, const char *usual)
{
    char value[64];
    const char *text = value;
    int64_t n = 0, usual_n = 0;

    switch (o->kind) {
    case ITH_OPTION_TEXT:
    case ITH_OPTION_FILE:
        text = *(const char *const *)(const void *)given;
        n = text != NULL;
        break;
    case ITH_OPTION_WORD:
        n = *(const int *)(const void *)given;
        usual_n = *(const int *)(const void *)usual;
        text = ith_word_name(o->words, (int)n);
        break;
    case ITH_OPTION_FLAG:
        n = *(const bool *)given;
        break;
    default:
        n = *(const int64_t *)(const void *)given;
        usual_n = *(const int64_t *)(const void *)usual;
        snprintf(value, sizeof value, "%lld", (long long)n);
    }
    if (n == usual_n || strcmp(o->name, "ctx") == 0 || strcmp(o->name, "mem") == 0)
        return;
    json_array_append_new(words, json_sprintf("--%s", o->name));
    if (o->kind != ITH_OPTION_FLAG)
        json_array_append_new(words, json_string(text));
}

/* SLURM says how much memory there is, and the plan how long the context is. */
static json_t *words_of(const ith_cli *cli, const plan_args *args)
{
    char *argv[] = {(char *)ith_command_plan.name, (char *)args->model.model, NULL};
    plan_args usual = {.model = ith_model_args_default()};
    json_t *words = json_array();

    if (ith_args_parse(cli, &ith_command_plan, &usual, 2, argv) != ITH_ARGS_OK)
        return words;
    for (const ith_group_use *use = carried; use->group != NULL; use++)
        for (const ith_option *o = use->group->options; o->name != NULL; o++)
            add_words(words, o, (const char *)args + use->at + o->at,
                      (const char *)&usual + use->at + o->at);
    return words;
}

/* For the smallest number of nodes that fits. */
static ith_status write_script(const ith_cli *cli, const plan_args *args,
                               const ith_engine_params *params, int64_t smallest, ith_error *err)
{
    json_t *row, *words;
    ith_status status;

    if (args->script == NULL)
        return ITH_OK;
    ITH_TRY(estimate(args, params, smallest > 0 ? smallest : args->nodes, &row, err));
    words = words_of(cli, args);
    status = ith_cli_write_script(args->script, args->model.model, words, row, err);
    json_decref(words);
    json_decref(row);
    return status;
}

static void print_smallest(int64_t smallest)
{
    if (smallest > 0)
        printf("Smallest that fits in memory: %lld node%s.\n", (long long)smallest,
               smallest > 1 ? "s" : "");
    else
        printf("None of these fits in memory: the weights would be read in every pass, if the rest "
               "fits.\n");
}

static int show(const ith_cli *cli, const plan_args *args, json_t *rows, int64_t smallest)
{
    const json_t *node = json_object_get(json_array_get(rows, 0), "node");

    if (args->model.output.json)
        return ith_cli_write_json(
            cli, json_pack("{s:O, s:O, s:O, s:O, s:o, s:O}", "read_gbps",
                           json_object_get(node, "read_gbps"), "integer_gops",
                           json_object_get(node, "integer_gops"), "network_gbps",
                           json_object_get(node, "network_gbps"), "latency_us",
                           json_object_get(node, "latency_us"), "smallest",
                           smallest > 0 ? json_integer(smallest) : json_null(), "plans", rows));
    ith_cli_print_plans(rows);
    print_smallest(smallest);
    return ITH_EXIT_DONE;
}

/* What is wrong with the model or the options is said before seconds are spent on measuring. */
static ith_status try_one(const plan_args *args, const ith_engine_params *params, ith_error *err)
{
    json_t *row = NULL;
    ith_status status = estimate(args, params, first_count(args), &row, err);

    json_decref(row);
    return status;
}

static int plan_main(const ith_cli *cli, int argc, char **argv)
{
    plan_args args = {.model = ith_model_args_default()};
    ith_engine_params params;
    ith_error err = {0};
    json_t *rows = json_array();
    int64_t smallest = 0;
    ith_status status;
    int code = parse(cli, argc, argv, &args, &params);

    if (code != ITH_ARGS_OK) {
        json_decref(rows);
        return code;
    }
    status = args.machine != NULL ? ITH_OK : try_one(&args, &params, &err);
    if (status == ITH_OK)
        status = find_machine(cli, &args, &err);
    if (status == ITH_OK)
        status = estimate_all(&args, &params, rows, &err);
    if (status == ITH_OK)
        status = find_smallest(&args, &params, rows, &smallest, &err);
    if (status == ITH_OK)
        status = write_script(cli, &args, &params, smallest, &err);
    code = status != ITH_OK ? ith_cli_failure(cli, status, &err) : show(cli, &args, rows, smallest);
    free(args.machine_text);
    json_decref(rows);
    return code;
}

const ith_command ith_command_plan = {
    .name = "plan",
    .summary = "estimate memory and speed of a run, without loading the model",
    .synopsis = "plan MODEL [--nodes N] [--machine FILE] [OPTION]...",
    .description =
        "Estimates a run on 1, 2, 4, ... N nodes: memory, weight distribution, mesh, time to load, "
        "to prefill and to decode a token, messages, bytes sent per token and layer (with tensor "
        "parallelism for comparison), and with --price and --watts the cost and energy of a run. "
        "Names the smallest number of nodes that fits. --machine describes a node, for example a "
        "file of cluster/machines; by default nodes are like this machine. --mem, -t, --read-gbps "
        "and --gops override single values. The model is not loaded.",
    .examples = "ithaca plan Qwen3-8B --ctx 128k\n"
                "ithaca plan Qwen3-32B -c 32k --nodes 64 --machine xeon.json --price 1.2\n"
                "ithaca plan Qwen3-8B -c 128k --machine here.json --sbatch job.sbatch\n"
                "ithaca plan Qwen3-32B -c 32k --nodes 8 --mem 60GiB -t 32 --gops 20000\n"
                "ithaca plan synthetic:qwen3-8b:q4_0 --nodes 16 --json\n",
    .groups = groups,
    .operand = "model",
    .run = plan_main,
};
