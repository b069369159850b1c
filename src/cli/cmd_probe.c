/* cmd_probe.c - measures a machine for plans: a machine file, or a table of it. */
#include "base/newfile.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/model_options.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

typedef struct probe_args {
    const char *output, *disk;
    int64_t threads, buffer;
    double seconds;
    ith_output_args show;
} probe_args;

static const ith_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(probe_args, output),
     .help = "write a machine file, for ithaca plan --machine"},
    {.name = "disk",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(probe_args, disk),
     .otherwise = "the disk is not measured",
     .help = "read this file to measure the disk, such as a model",
     .more = "The page cache is bypassed. This takes a second or two."},
    {.name = "seconds",
     .kind = ITH_OPTION_REAL,
     .metavar = "S",
     .at = offsetof(probe_args, seconds),
     .max = 60,
     .preset = "0.02",
     .help = "time for each of about 150 measurements"},
    {.name = "buffer",
     .kind = ITH_OPTION_BYTES,
     .metavar = "SIZE",
     .at = offsetof(probe_args, buffer),
     .min = 1 << 20,
     .max = 1e15,
     .otherwise = "256MiB, or more if caches are large",
     .help = "memory per node to read from, larger than its caches"},
    {.name = NULL},
};

static const ith_option_group group = {"Measurement", options};

static const ith_group_use groups[] = {
    {&group, 0},
    {&ith_group_threads, offsetof(probe_args, threads)},
    {&ith_group_json, offsetof(probe_args, show)},
    {&ith_group_quiet, offsetof(probe_args, show)},
    {NULL, 0},
};

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void print_link(const char *what, const json_t *link)
{
    if (json_is_object(link))
        printf("%s: %.1f us per message, %.2f us per further one, %.2f GB/s\n", what,
               number(link, "alpha_us"), number(link, "gap_us"), number(link, "gbps"));
}

static void print_machine(const json_t *root)
{
    const json_t *row, *links = json_object_get(root, "links"), *value;
    const char *level;
    size_t i;

    printf("%s\n\nthreads   read GB/s   integer GOP/s   f32 GFLOP/s\n",
           json_string_value(json_object_get(root, "name")));
    json_array_foreach (json_object_get(root, "rates"), i, row)
        printf("%7.0f %11.1f %15.0f %13.0f\n", number(row, "threads"), number(row, "read_gbps"),
               number(row, "integer_gops"), number(row, "f32_gflops"));
    printf("\n");
    json_object_foreach (json_object_get(root, "integer_gops"), level, value)
        printf("%s: %.0f integer GOP/s\n", level, json_number_value(value));
    json_array_foreach (json_object_get(json_object_get(root, "memory"), "nodes"), i, row)
        printf("memory node %zu: %.0f cores, %.1f GB/s\n", i, number(row, "cores"),
               number(row, "read_gbps"));
    json_array_foreach (json_object_get(root, "barriers"), i, row)
        printf("barrier of %.0f threads: %.2f us\n", number(row, "threads"), number(row, "us"));
    print_link("ranks of a node", json_object_get(links, "inside"));
    print_link("nodes", json_object_get(links, "between"));
    row = json_object_get(root, "disk");
    if (json_is_object(row))
        printf("disk: %.2f GB/s\n", number(row, "read_gbps"));
}

static ith_status write_file(const char *path, const json_t *root, ith_error *err)
{
    char *text = ith_json_text(root, true);
    ith_status status = text != NULL ? ith_newfile_text(AT_FDCWD, path, text, false, err)
                                     : ith_fail(err, ITH_E_MEMORY, "%s: no memory", path);

    free(text);
    return status;
}

/* Rank 0. */
static int show(const ith_cli *cli, const probe_args *args, json_t *root)
{
    ith_error err;
    ith_status status = args->output == NULL ? ITH_OK : write_file(args->output, root, &err);

    if (status != ITH_OK) {
        json_decref(root);
        return ith_cli_failure(cli, status, &err);
    }
    if (args->show.json)
        return ith_cli_write_json(cli, root);
    print_machine(root);
    json_decref(root);
    return ITH_EXIT_DONE;
}

/* A machine file takes no other file's place. */
static ith_status spare_others(const char *path, ith_error *err)
{
    struct stat info;
    char *text = NULL;
    ith_status status = stat(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0
                            ? ITH_OK
                            : ith_machine_read(path, &text, err);

    free(text);
    return status == ITH_OK ? ITH_OK
                            : ith_fail(err, ITH_E_ARGUMENT,
                                       "%s exists and is no machine file: give another name", path);
}

static int probe_main(const ith_cli *cli, int argc, char **argv)
{
    probe_args args = {0};
    ith_error err = {0};
    json_t *root;
    char *text = NULL;
    ith_status status = ITH_OK;
    int code = ith_args_parse(cli, &ith_command_probe, &args, argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    if (cli->rank == 0 && args.output != NULL)
        status = spare_others(args.output, &err);
    if (cli->rank == 0 && args.output != NULL && status == ITH_OK)
        status = ith_newfile_try(args.output, &err);
    status = ith_cli_agree(cli, status);
    if (status == ITH_OK)
        status = ith_machine_probe(
            cli->world,
            &(ith_machine_probe_params){(int)args.threads, args.seconds, args.buffer, args.disk},
            &text, &err);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    if (text == NULL)
        return ITH_EXIT_DONE;
    root = json_loads(text, 0, NULL);
    free(text);
    return show(cli, &args, root);
}

const ith_command ith_command_probe = {
    .name = "probe",
    .summary = "measure this machine for plans",
    .synopsis = "probe [-o FILE] [--disk FILE] [OPTION]...",
    .description =
        "Measures what ithaca plan needs to know about a machine, in a few seconds: the bandwidth "
        "of each memory node, arithmetic by instruction set, the rates of products and attention "
        "with few and many tokens, barriers, and the disk. Under mpirun, all ranks measure at the "
        "same time, and the links between ranks and nodes are measured, too. Start it on the same "
        "nodes and in the same way as the runs.",
    .examples = "ithaca probe -o here.json\n"
                "ithaca probe --disk model.gguf --json\n"
                "mpirun -n 8 --map-by ppr:2:node ithaca probe -o cluster.json\n"
                "ithaca plan Qwen3-8B --nodes 64 --machine cluster.json\n",
    .groups = groups,
    .collective = true,
    .run = probe_main,
};
