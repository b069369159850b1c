/* tokenize.c - text to token ids, and back; reads only what tokenizing needs of a model. */
#include "cli/arguments.h"
#include "cli/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ith_manual manual = {
    "ithaca tokenize -m MODEL (-f FILE | -p TEXT) [--parse-special] [--count | --json]\n"
    "ithaca tokenize -m MODEL (-f FILE | -p TEXT) --decode [--json]",
    "Prints the token ids of a text, separated by blanks; with --decode the text of token ids, byte for byte.",
    "  ithaca tokenize -m Qwen3-8B -p \"How many tokens is this?\"\n"
    "  ithaca tokenize -m Qwen3-8B -f book.txt --count\n"
    "  ithaca tokenize -m Qwen3-8B -f book.txt | ithaca tokenize -m Qwen3-8B -f - --decode\n",
};

typedef struct tokenize_args {
    const char *model, *file, *text;
    bool decode, parse_special, count, json;
} tokenize_args;

static ith_status read_input(const tokenize_args *args, ith_text *text, ith_error *err)
{
    *text = (ith_text){0};
    if (args->file != NULL)
        return ith_read_text(args->file, text, err);
    return ith_text_append(text, args->text, strlen(args->text), err);
}

static json_t *json_ids(const int32_t *ids, size_t n)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, json_integer(ids[i]));
    return array;
}

static int print_ids(const ith_cli *cli, const tokenize_args *args, const int32_t *ids, size_t n)
{
    if (args->json)
        return ith_cli_write_json(cli, args->count ? json_pack("{s:I}", "tokens", (json_int_t)n)
                                                   : json_pack("{s:o}", "ids", json_ids(ids, n)));
    if (args->count) {
        printf("%zu\n", n);
        return ITH_EXIT_DONE;
    }
    for (size_t i = 0; i < n; i++)
        printf("%s%d", i > 0 ? " " : "", ids[i]);
    printf("\n");
    return ITH_EXIT_DONE;
}

static int encode(const ith_cli *cli, const tokenize_args *args, const ith_vocab *vocab, const ith_text *input)
{
    unsigned flags = args->parse_special ? ITH_TOKENIZE_SPECIAL : 0;
    ith_error err = {0};
    int32_t *ids = NULL;
    size_t n = 0;
    ith_status status = ith_vocab_tokenize(vocab, input->data, input->len, flags, &ids, &n, &err);
    int code = status != ITH_OK ? ith_cli_failure(cli, status, &err) : print_ids(cli, args, ids, n);

    free(ids);
    return code;
}

static int decode(const ith_cli *cli, const tokenize_args *args, const ith_vocab *vocab, const ith_text *input)
{
    const char *where = args->file == NULL ? "-p" : strcmp(args->file, "-") == 0 ? "standard input" : args->file;
    ith_error err = {0};
    ith_ids ids = {0};
    char *text = NULL;
    size_t len = 0;
    ith_status status;
    int code = ITH_EXIT_DONE;

    ITH_CHECK(ith_parse_ids(input, where, &ids, &err));
    ITH_CHECK(ith_vocab_detokenize(vocab, ids.data, ids.n, &text, &len, &err));
    if (args->json)
        code = ith_cli_write_json(cli, json_pack("{s:o}", "text", ith_cli_json_text(text, len)));
    else
        ith_cli_write(text, len); /* main reports a failed write */
done:
    free(ids.data);
    free(text);
    return status != ITH_OK ? ith_cli_failure(cli, status, &err) : code;
}

static int parse(const ith_cli *cli, int argc, char **argv, tokenize_args *args)
{
    const ith_arg table[] = {
        {"model", 'm', ITH_ARG_TEXT, "MODEL", "a Hugging Face folder, a .gguf file or a pack", &args->model, 0, 0},
        {"file", 'f', ITH_ARG_TEXT, "FILE", "the text, or with --decode the ids; - is standard input", &args->file, 0,
         0},
        {"prompt", 'p', ITH_ARG_TEXT, "TEXT", "the text itself, or the ids", &args->text, 0, 0},
        {"decode", 0, ITH_ARG_FLAG, NULL, "ids (separated by white space or commas) to text", &args->decode, 0, 0},
        {"parse-special", 0, ITH_ARG_FLAG, NULL, "markers such as <|im_start|> in the text become their tokens",
         &args->parse_special, 0, 0},
        {"count", 0, ITH_ARG_FLAG, NULL, "only the number of tokens", &args->count, 0, 0},
        {"json", 0, ITH_ARG_FLAG, NULL, "one JSON object on stdout: ids, tokens or text", &args->json, 0, 0},
    };
    int code = ith_args_parse(cli, &manual, table, sizeof table / sizeof table[0], argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    if (args->model == NULL)
        return ith_args_wrong(cli, argv[0], "-m MODEL is missing");
    if ((args->file == NULL) == (args->text == NULL))
        return ith_args_wrong(cli, argv[0], "give either -f FILE or -p TEXT");
    if (args->decode && (args->count || args->parse_special))
        return ith_args_wrong(cli, argv[0], "--decode goes with neither --count nor --parse-special");
    return ITH_ARGS_OK;
}

int ith_cmd_tokenize(const ith_cli *cli, int argc, char **argv)
{
    tokenize_args args = {0};
    ith_error err = {0};
    ith_vocab *vocab = NULL;
    ith_text input = {0};
    ith_status status;
    int code = parse(cli, argc, argv, &args);

    if (code != ITH_ARGS_OK)
        return code;
    ITH_CHECK(read_input(&args, &input, &err));
    ITH_CHECK(ith_vocab_open(args.model, &vocab, &err));
    code = args.decode ? decode(cli, &args, vocab, &input) : encode(cli, &args, vocab, &input);
done:
    ith_vocab_close(vocab);
    ith_text_free(&input);
    return status != ITH_OK ? ith_cli_failure(cli, status, &err) : code;
}
