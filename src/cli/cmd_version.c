#include "cli/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ith_manual manual = {
    "ithaca version [--json]",
    "What this build and this machine offer: kernels, MPI, BLAS, cores, memory.",
    "  ithaca version\n"
    "  ithaca version --json\n",
};

static void print_value(const json_t *value)
{
    char *text = json_is_string(value) ? strdup(json_string_value(value)) : ith_json_text(value, false);

    printf("%s", text != NULL ? text : "");
    free(text);
}

static void print_info(const json_t *info)
{
    const char *key;
    json_t *value;

    printf("ithaca %s\n", ITH_VERSION);
    json_object_foreach((json_t *)info, key, value)
    {
        if (strcmp(key, "version") == 0)
            continue;
        printf("  %-24s", key);
        print_value(value);
        printf("\n");
    }
}

int ith_cmd_version(const ith_cli *cli, int argc, char **argv)
{
    bool as_json = false;
    const ith_arg args[] = {{"json", 0, ITH_ARG_FLAG, NULL, "one JSON object on stdout", &as_json, 0, 0}};
    ith_error err = {0};
    char *text = NULL;
    json_t *info;
    ith_status status;
    int code = ith_args_parse(cli, &manual, args, 1, argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    status = ith_build_info(&text, &err);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    info = json_loads(text, 0, NULL);
    free(text);
    if (as_json)
        return ith_cli_write_json(cli, info);
    print_info(info);
    json_decref(info);
    return ITH_EXIT_DONE;
}
