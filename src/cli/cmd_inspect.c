/* cmd_inspect.c - describes a model's files. The library gives a JSON object; here it becomes a
 * table for people. */
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/watch.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct inspect_args {
    const char *model;
    bool tensors, verify;
    ith_output_args output;
} inspect_args;

static const ith_option options[] = {
    {.name = "tensors",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(inspect_args, tensors),
     .help = "list every tensor: name, type, shape"},
    {.name = "verify",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(inspect_args, verify),
     .help = "read a pack completely and compare its checksums",
     .more = "The first damaged tensor and tile are named."},
    {.name = NULL},
};

static const ith_option_group group = {"Inspection", options};

static const ith_group_use groups[] = {
    {&ith_group_model, offsetof(inspect_args, model)},
    {&group, 0},
    {&ith_group_json, offsetof(inspect_args, output)},
    {&ith_group_quiet, offsetof(inspect_args, output)},
    {NULL, 0},
};

/* ---- Quantization: the types of matrices ---- */

enum { TYPES_MAX = 32 };

typedef struct type_sum {
    const char *name;
    int tensors;
    double bytes;
} type_sum;

/* Sums over tensors of two dimensions or more; returns the number of types, at most TYPES_MAX. */
static int sum_types(const json_t *tensors, type_sum sums[TYPES_MAX])
{
    const json_t *tensor;
    size_t index;
    int n = 0;

    json_array_foreach (tensors, index, tensor) {
        const char *type = json_string_value(json_object_get(tensor, "type"));
        int i = 0;
        if (type == NULL || json_array_size(json_object_get(tensor, "shape")) < 2)
            continue;
        while (i < n && strcmp(sums[i].name, type) != 0)
            i++;
        if (i == TYPES_MAX)
            continue;
        if (i == n)
            sums[n++] = (type_sum){.name = type};
        sums[i].tensors++;
        sums[i].bytes += json_number_value(json_object_get(tensor, "bytes"));
    }
    return n;
}

static int by_bytes(const void *a, const void *b)
{
    double x = ((const type_sum *)a)->bytes, y = ((const type_sum *)b)->bytes;
    return (x < y) - (x > y);
}

/* {TYPE: number of matrices}, the type with most bytes first. */
static json_t *quantization(const json_t *tensors)
{
    type_sum sums[TYPES_MAX];
    int n = sum_types(tensors, sums);
    json_t *types = json_object();

    qsort(sums, (size_t)n, sizeof sums[0], by_bytes);
    for (int i = 0; i < n; i++)
        json_object_set_new(types, sums[i].name, json_integer(sums[i].tensors));
    return types;
}

/* "BF16", or "Q4_0 (196), Q6_K (1)" */
static void print_quantization(const json_t *types)
{
    const char *name, *separator = "";
    json_t *tensors;

    printf("%-24s", "quantization");
    json_object_foreach ((json_t *)types, name, tensors) {
        printf("%s%s", separator, name);
        if (json_object_size(types) > 1)
            printf(" (%lld)", (long long)json_integer_value(tensors));
        separator = ", ";
    }
    printf("\n");
}

/* ---- Tables ---- */

static void print_scalar(const json_t *value)
{
    char *text = json_is_string(value) ? NULL : ith_json_text(value, false);

    printf("%s", json_is_string(value) ? json_string_value(value) : text != NULL ? text : "");
    free(text);
}

static void print_object(const json_t *object, int indent)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value) {
        if (indent == 0 && strcmp(key, "tensors") == 0)
            continue;
        if (indent == 0 && strcmp(key, "quantization") == 0) {
            print_quantization(value);
            continue;
        }
        printf("%*s%-*s", indent, "", 24 - indent, key);
        if (json_is_object(value)) {
            printf("\n");
            print_object(value, indent + 2);
        } else {
            print_scalar(value);
            printf("\n");
        }
    }
}

static void print_tensors(const json_t *tensors, bool each)
{
    size_t index;
    json_t *tensor;
    double bytes = 0;

    json_array_foreach ((json_t *)tensors, index, tensor) {
        bytes += json_number_value(json_object_get(tensor, "bytes"));
        if (!each)
            continue;
        printf("  %-48s %-6s ", json_string_value(json_object_get(tensor, "name")),
               json_string_value(json_object_get(tensor, "type")));
        print_scalar(json_object_get(tensor, "shape"));
        printf("\n");
    }
    printf("%-24s%zu, %.0f bytes\n", "tensors", json_array_size(tensors), bytes);
}

static ith_status verify_pack(const ith_cli *cli, const inspect_args *args, ith_error *err)
{
    ith_watch watch = {.cli = cli, .quiet = args->output.quiet};
    ith_status status = ith_pack_verify(args->model, 0, ith_watch_progress, &watch, err);

    ith_watch_end(&watch);
    return status;
}

static int inspect_main(const ith_cli *cli, int argc, char **argv)
{
    inspect_args args = {0};
    ith_error err = {0};
    char *text = NULL;
    json_t *info;
    ith_status status;
    int code = ith_args_parse(cli, &ith_command_inspect, &args, argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    if (args.model == NULL)
        return ith_args_wrong(cli, argv[0], "MODEL is missing");
    status = args.verify ? verify_pack(cli, &args, &err) : ITH_OK;
    if (status == ITH_OK)
        status = ith_inspect(args.model, &text, &err);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    info = json_loads(text, 0, NULL);
    free(text);
    json_object_set_new(info, "quantization", quantization(json_object_get(info, "tensors")));
    if (args.verify)
        json_object_set_new(info, "verified", json_true());
    if (args.output.json)
        return ith_cli_write_json(cli, info);
    print_object(info, 0);
    print_tensors(json_object_get(info, "tensors"), args.tensors);
    json_decref(info);
    return ITH_EXIT_DONE;
}

const ith_command ith_command_inspect = {
    .name = "inspect",
    .summary = "describe a model's files, or verify a pack",
    .synopsis = "inspect MODEL [--tensors] [--verify] [--json]",
    .description =
        "Shows format, architecture, hyperparameters, quantization and tokenizer of a model "
        "without loading its weights.",
    .examples = "ithaca inspect Qwen3-8B\n"
                "ithaca inspect model.gguf --tensors\n"
                "ithaca inspect model.gguf --json | jq .tensors[0]\n"
                "ithaca inspect qwen3-8b.ith --verify\n",
    .groups = groups,
    .operand = "model",
    .run = inspect_main,
};
