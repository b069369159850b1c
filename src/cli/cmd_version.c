/* cmd_version.c - describes this build and this machine. */
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/model_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_value(const json_t *value)
{
    char *text =
        json_is_string(value) ? strdup(json_string_value(value)) : ith_json_text(value, false);

    printf("%s", text != NULL ? text : "");
    free(text);
}

static void print_info(const json_t *info)
{
    const char *key;
    json_t *value;

    printf("ithaca %s\n", ITH_VERSION);
    json_object_foreach ((json_t *)info, key, value) {
        if (strcmp(key, "version") == 0)
            continue;
        printf("  %-24s", key);
        print_value(value);
        printf("\n");
    }
}

static int version_main(const ith_cli *cli, int argc, char **argv)
{
    ith_output_args output = {0};
    ith_error err = {0};
    char *text = NULL;
    json_t *info;
    ith_status status;
    int code = ith_args_parse(cli, &ith_command_version, &output, argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    status = ith_build_info(&text, &err);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    info = json_loads(text, 0, NULL);
    free(text);
    if (output.json)
        return ith_cli_write_json(cli, info);
    print_info(info);
    json_decref(info);
    return ITH_EXIT_DONE;
}

static const ith_group_use groups[] = {{&ith_group_json, 0}, {&ith_group_quiet, 0}, {NULL, 0}};

const ith_command ith_command_version = {
    .name = "version",
    .summary = "describe this build and this machine",
    .synopsis = "version [--json]",
    .description = "Describes this build and this machine: kernels, MPI, BLAS, cores, memory.",
    .examples = "ithaca version\nithaca version --json\n",
    .groups = groups,
    .run = version_main,
};
