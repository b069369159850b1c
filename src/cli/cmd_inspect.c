/* inspect.c - describes a model's files. The library gives one JSON object; here it becomes a table for people. */
#include "cli/arguments.h"
#include "cli/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ith_manual manual = {
    "ithaca inspect MODEL [--tensors | --json] [--verify]",
    "Format, architecture, hyperparameters and tokenizer of a model, without loading its weights.",
    "  ithaca inspect Qwen3-8B\n"
    "  ithaca inspect model.gguf --tensors\n"
    "  ithaca inspect model.gguf --json | jq .tensors[0]\n"
    "  ithaca inspect qwen3-8b.ith --verify\n",
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

static ith_status verify_pack(const char *model, ith_error *err)
{
    ith_watch watch = {0};
    ith_status status = ith_pack_verify(model, 0, ith_watch_progress, &watch, err);

    ith_watch_end(&watch);
    return status;
}

int ith_cmd_inspect(const ith_cli *cli, int argc, char **argv)
{
    const char *model = NULL;
    bool tensors = false, as_json = false, verify = false;
    const ith_arg args[] = {
        {"model", 'm', ITH_ARG_TEXT, "MODEL", "a Hugging Face folder, a .gguf file or a pack", &model, 0, 0},
        {"tensors", 0, ITH_ARG_FLAG, NULL, "list every tensor: name, type, shape", &tensors, 0, 0},
        {"verify", 0, ITH_ARG_FLAG, NULL, "a pack: read it all and compare its checksums", &verify, 0, 0},
        {"json", 0, ITH_ARG_FLAG, NULL, "one JSON object on stdout, tensors included", &as_json, 0, 0},
    };
    ith_error err = {0};
    char *text = NULL;
    json_t *info;
    ith_status status;
    int code;

    ith_args_take_model(&argc, &argv, &model);
    code = ith_args_parse(cli, &manual, args, sizeof args / sizeof args[0], argc, argv);
    if (code != ITH_ARGS_OK)
        return code;
    if (model == NULL)
        return ith_args_wrong(cli, argv[0], "-m MODEL is missing");
    status = verify ? verify_pack(model, &err) : ITH_OK;
    if (status == ITH_OK)
        status = ith_inspect(model, &text, &err);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    info = json_loads(text, 0, NULL);
    free(text);
    if (verify)
        json_object_set_new(info, "verified", json_true());
    if (as_json)
        return ith_cli_write_json(cli, info);
    print_object(info, 0);
    print_tensors(json_object_get(info, "tensors"), tensors);
    json_decref(info);
    return ITH_EXIT_DONE;
}
