/* inspect.c - describes a model's files. The library gives one JSON object; here it becomes a table for people. */
#include "cli/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ith_manual manual = {
    "ithaca inspect -m MODEL [--tensors | --json]",
    "Format, architecture, hyperparameters and tokenizer of a model, without loading its weights.",
    "  ithaca inspect -m Qwen3-8B\n"
    "  ithaca inspect -m model.gguf --tensors\n"
    "  ithaca inspect -m model.gguf --json | jq .tensors[0]\n",
};

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

    json_object_foreach((json_t *)object, key, value)
    {
        if (indent == 0 && strcmp(key, "tensors") == 0)
            continue;
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

    json_array_foreach((json_t *)tensors, index, tensor)
    {
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

int ith_cmd_inspect(const ith_cli *cli, int argc, char **argv)
{
    const char *model = NULL;
    bool tensors = false, as_json = false;
    const ith_arg args[] = {
        {"model", 'm', ITH_ARG_TEXT, "MODEL", "a Hugging Face folder or a .gguf file", &model, 0, 0},
        {"tensors", 0, ITH_ARG_FLAG, NULL, "list every tensor: name, type, shape", &tensors, 0, 0},
        {"json", 0, ITH_ARG_FLAG, NULL, "one JSON object on stdout, tensors included", &as_json, 0, 0},
    };
    ith_error err = {0};
    char *text = NULL;
    json_t *info;
    ith_status status;
    int code = ith_args_parse(cli, &manual, args, sizeof args / sizeof args[0], argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    if (model == NULL)
        return ith_args_wrong(cli, argv[0], "-m MODEL is missing");
    status = ith_inspect(model, &text, &err);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    info = json_loads(text, 0, NULL);
    free(text);
    if (as_json)
        return ith_cli_write_json(cli, info);
    print_object(info, 0);
    print_tensors(json_object_get(info, "tensors"), tensors);
    json_decref(info);
    return ITH_EXIT_DONE;
}
