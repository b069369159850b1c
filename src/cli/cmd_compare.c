/* cmd_compare.c - a report on benchmark documents: GPUs beside nodes. */
#include "base/newfile.h"
#include "base/samefile.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/report_verdict.h"
#include "cli/report_write.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct compare_args {
    ith_option_list documents;
    const char *output, *prices, *node_price;
    double network_gbps, latency_us;
} compare_args;

static const ith_option options[] = {
    {.name = "documents",
     .kind = ITH_OPTION_LIST,
     .metavar = "FILE",
     .at = offsetof(compare_args, documents),
     .help = "a benchmark document; may be repeated",
     .more = "ithaca bench model -o FILE writes them, and bench/baselines has those of GPUs."},
    {.name = "output",
     .letter = 'o',
     .kind = ITH_OPTION_FILE,
     .metavar = "DIR",
     .at = offsetof(compare_args, output),
     .preset = "report",
     .help = "folder for index.html and report.md"},
    {.name = "prices",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(compare_args, prices),
     .otherwise = "the prices of bench/prices.json",
     .help = "prices of machines per hour"},
    {.name = "node-price",
     .kind = ITH_OPTION_TEXT,
     .metavar = "PRICE",
     .at = offsetof(compare_args, node_price),
     .otherwise = "unknown",
     .help = "price of one node per hour",
     .more = "An amount in the currency of the prices, or the name of one of their offers."},
    {.name = NULL},
};

static const ith_option network_options[] = {
    {.name = "network-gbps",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(compare_args, network_gbps),
     .min = 0.001,
     .max = 1e6,
     .preset = "1.25",
     .help = "network bandwidth of a node, GB/s"},
    {.name = "latency-us",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(compare_args, latency_us),
     .min = 0.001,
     .max = 1e6,
     .preset = "20",
     .help = "latency of an exchange between nodes, us"},
    {.name = NULL},
};

static const ith_option_group report_group = {"Report", options};
static const ith_option_group network_group = {"Cluster", network_options};

static const ith_group_use groups[] = {
    {&report_group, 0},
    {&network_group, 0},
    {NULL, 0},
};

/* What is read is not replaced. */
static ith_status spare_inputs(const compare_args *args, ith_error *err)
{
    static const char *const names[] = {"index.html", "report.md"};
    char path[ITH_PATH_MAX];

    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "%s/%s", args->output, names[k]);
        for (size_t i = 0; i < args->documents.n; i++)
            ITH_TRY(ith_spare_input(path, args->documents.items[i], err));
        if (args->prices != NULL)
            ITH_TRY(ith_spare_input(path, args->prices, err));
    }
    return ITH_OK;
}

/* Takes the text. The file may be read by whom the umask allows: a report is to be shown. */
static ith_status write_file(const char *folder, const char *name, char *text, ith_error *err)
{
    char path[ITH_PATH_MAX];
    ith_newfile file;
    ith_status status;

    if (text == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for %s", name);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path) {
        free(text);
        return ith_fail(err, ITH_E_ARGUMENT, "the path %.60s... is too long", folder);
    }
    status = ith_newfile_open(path, &file, err);
    if (status == ITH_OK) {
        status = ith_newfile_write(&file, text, strlen(text), 0, err);
        if (status == ITH_OK)
            status = ith_newfile_publish(&file, false, err);
        ith_newfile_close(&file);
    }
    free(text);
    return status;
}

static ith_status write_report(const ith_report_all *all, const char *output, ith_error *err)
{
    char *verdict;
    ith_status status;

    if (mkdir(output, 0777) != 0 && errno != EEXIST)
        return ith_fail(err, ITH_E_IO, "cannot create folder %s: %s", output, strerror(errno));
    verdict = ith_report_verdict(all);
    if (verdict == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the report");
    status = write_file(output, "index.html", ith_report_html(all, verdict), err);
    if (status == ITH_OK)
        status = write_file(output, "report.md", ith_report_markdown(all, verdict), err);
    free(verdict);
    return status;
}

static ith_status compare(const compare_args *args, ith_error *err)
{
    ith_report_all all = {.paths = args->documents.items,
                          .network = {args->network_gbps, args->latency_us}};
    ith_status status = ith_prices_open(args->prices, args->node_price, &all.prices, err);

    if (status == ITH_OK)
        status = ith_report_open(all.paths, args->documents.n, &all.report, err);
    if (status == ITH_OK && all.report.n_groups == 0 && all.report.n_quality == 0)
        status =
            ith_fail(err, ITH_E_ARGUMENT, "no document has a measured prefill or decode result");
    if (status == ITH_OK)
        status = ith_evens_find(&all.report, all.network, &all.evens, err);
    if (status == ITH_OK)
        status = spare_inputs(args, err);
    if (status == ITH_OK)
        status = write_report(&all, args->output, err);
    ith_evens_close(&all.evens);
    ith_report_close(&all.report);
    ith_prices_close(&all.prices);
    return status;
}

static int compare_main(const ith_cli *cli, int argc, char **argv)
{
    compare_args args = {0};
    ith_error err = {0};
    ith_status status;
    int code = ith_args_parse(cli, &ith_command_compare, &args, argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    if (args.documents.n == 0)
        return ith_args_wrong(cli, argv[0], "no benchmark document is given");
    status = compare(&args, &err);
    return status != ITH_OK ? ith_cli_failure(cli, status, &err) : ITH_EXIT_DONE;
}

const ith_command ith_command_compare = {
    .name = "compare",
    .summary = "compare GPUs and nodes from benchmark documents",
    .synopsis = "compare FILE... [-o DIR] [--prices FILE] [--node-price PRICE]",
    .description =
        "Compares results of any engine on any machine: time to first token, prefill and decode "
        "rates and memory over the context length, scaling, shares of the ceilings, energy, cost, "
        "and how many nodes equal a GPU at 8k, 32k and 128k tokens. DIR/index.html is a "
        "self-contained page; DIR/report.md has the same sentences and tables.\n\n"
        "Models are compared only if they have the same shape: layers, sizes, heads, experts. The "
        "price of a GPU is looked up by name in the price file; give the price of a node with "
        "--node-price.",
    .examples = "ithaca compare here.json bench/baselines/h200/*.json -o report\n"
                "ithaca compare here.json h200.json --node-price 7.20\n"
                "ithaca compare here.json h200.json --node-price \"AWS hpc7a.96xlarge\"\n",
    .groups = groups,
    .operand = "documents",
    .run = compare_main,
};
