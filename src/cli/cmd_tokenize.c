/* cmd_tokenize.c - text to token ids, and back; reads only what tokenizing needs of a model. */
#include "cli/arguments.h"
#include "cli/chat_options.h"
#include "cli/commands.h"
#include "cli/model_options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tokenize_args {
    const char *model, *file, *text;
    bool decode, count, chat, render;
    ith_chat_args conversation;
    ith_output_args output;
} tokenize_args;

static const ith_option options[] = {
    {.name = "file",
     .letter = 'f',
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(tokenize_args, file),
     .help = "the text, with --decode the ids; - is standard input"},
    {.name = "prompt",
     .letter = 'p',
     .kind = ITH_OPTION_TEXT,
     .metavar = "TEXT",
     .at = offsetof(tokenize_args, text),
     .help = "the text or the ids themselves"},
    {.name = "decode",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(tokenize_args, decode),
     .help = "convert token ids to text",
     .more = "Ids are separated by white space or commas."},
    {.name = "count",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(tokenize_args, count),
     .help = "print only the number of tokens"},
    {.name = "chat",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(tokenize_args, chat),
     .help = "the text is a turn in the model's chat template",
     .more = "The ids are those that ithaca run computes."},
    {.name = "render",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(tokenize_args, render),
     .help = "print the text that the chat template makes"},
    {.name = NULL},
};

static const ith_option_group group = {"Text", options};

static const ith_group_use groups[] = {
    {&ith_group_model, offsetof(tokenize_args, model)},
    {&group, 0},
    {&ith_group_chat, offsetof(tokenize_args, conversation)},
    {&ith_group_json, offsetof(tokenize_args, output)},
    {&ith_group_quiet, offsetof(tokenize_args, output)},
    {NULL, 0},
};

static const char *name_of_input(const tokenize_args *args)
{
    return args->file == NULL ? "-p" : ith_input_name(args->file);
}

static ith_status read_input(const tokenize_args *args, ith_text *text, ith_error *err)
{
    *text = (ith_text){0};
    if (args->file != NULL)
        ITH_TRY(ith_read_text(args->file, text, err));
    else if (args->text != NULL)
        ITH_TRY(ith_text_append(text, args->text, strlen(args->text), err));
    return args->decode || text->data == NULL
               ? ITH_OK
               : ith_check_text(name_of_input(args), text->data, text->len, err);
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
    if (args->output.json)
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

static int encode(const ith_cli *cli, const tokenize_args *args, const ith_vocab *vocab,
                  const ith_text *input)
{
    unsigned flags = args->conversation.parse_special ? ITH_TOKENIZE_SPECIAL : 0;
    ith_error err = {0};
    int32_t *ids = NULL;
    size_t n = 0;
    ith_status status = ith_vocab_tokenize(vocab, input->data, input->len, flags, &ids, &n, &err);
    int code = status != ITH_OK ? ith_cli_failure(cli, status, &err) : print_ids(cli, args, ids, n);

    free(ids);
    return code;
}

static int print_text(const ith_cli *cli, const tokenize_args *args, const char *text, size_t len)
{
    if (args->output.json)
        return ith_cli_write_json(cli, json_pack("{s:o}", "text", ith_json_bytes(text, len)));
    ith_cli_write(text, len); /* main reports a failed write */
    return ITH_EXIT_DONE;
}

static int encode_chat(const ith_cli *cli, const tokenize_args *args, const ith_vocab *vocab,
                       const ith_text *input)
{
    ith_chat_inputs chat = {0};
    ith_error err = {0};
    int32_t *ids = NULL;
    char *text = NULL;
    size_t n = 0;
    bool plain_markers = false;
    ith_status status;
    int code = ITH_EXIT_DONE;

    ITH_CHECK(ith_chat_inputs_read(&args->conversation, input->data, &chat, &err));
    if (args->render) {
        ITH_CHECK(ith_chat_render(vocab, &chat.params, &text, &err));
        code = print_text(cli, args, text, strlen(text));
        goto done;
    }
    ITH_CHECK(ith_chat_tokenize(vocab, &chat.params, &ids, &n, &plain_markers, &err));
    if (plain_markers && !args->output.quiet)
        ith_cli_note(cli, ITH_NOTE_PLAIN_MARKERS);
    code = print_ids(cli, args, ids, n);
done:
    ith_chat_inputs_free(&chat);
    free(ids);
    free(text);
    return status != ITH_OK ? ith_cli_failure(cli, status, &err) : code;
}

static int decode(const ith_cli *cli, const tokenize_args *args, const ith_vocab *vocab,
                  const ith_text *input)
{
    ith_error err = {0};
    ith_ids ids = {0};
    char *text = NULL;
    size_t len = 0;
    ith_status status;
    int code = ITH_EXIT_DONE;

    ITH_CHECK(ith_parse_ids(input, name_of_input(args), &ids, &err));
    ITH_CHECK(ith_vocab_detokenize(vocab, ids.data, ids.n, &text, &len, &err));
    code = print_text(cli, args, text, len);
done:
    free(ids.data);
    free(text);
    return status != ITH_OK ? ith_cli_failure(cli, status, &err) : code;
}

static int parse(const ith_cli *cli, int argc, char **argv, tokenize_args *args)
{
    int code = ith_args_parse(cli, &ith_command_tokenize, args, argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    if (args->model == NULL)
        return ith_args_wrong(cli, argv[0], "MODEL is missing");
    args->chat |= args->render;
    if (args->file != NULL && args->text != NULL)
        return ith_args_wrong(cli, argv[0], "expected either -f FILE or -p TEXT");
    if (args->file == NULL && args->text == NULL && args->conversation.messages == NULL)
        return ith_args_wrong(cli, argv[0], "expected either -f FILE or -p TEXT");
    if (args->decode && (args->count || args->chat || args->conversation.parse_special))
        return ith_args_wrong(cli, argv[0],
                              "--decode excludes --count, --chat and --parse-special");
    if (args->render && args->count)
        return ith_args_wrong(cli, argv[0], "--render prints text; omit --count");
    if (!args->chat && ith_chat_args_given(&args->conversation))
        return ith_args_wrong(cli, argv[0],
                              "the options of chat templates need --chat or --render");
    return ith_chat_args_check(cli, argv[0], &args->conversation);
}

static int tokenize_main(const ith_cli *cli, int argc, char **argv)
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
    if (!args.output.quiet)
        ith_cli_notes(cli, ith_vocab_notes(vocab));
    code = args.decode ? decode(cli, &args, vocab, &input)
           : args.chat ? encode_chat(cli, &args, vocab, &input)
                       : encode(cli, &args, vocab, &input);
done:
    ith_vocab_close(vocab);
    ith_text_free(&input);
    return status != ITH_OK ? ith_cli_failure(cli, status, &err) : code;
}

const ith_command ith_command_tokenize = {
    .name = "tokenize",
    .summary = "convert text to token ids, and back",
    .synopsis = "tokenize MODEL (-f FILE | -p TEXT) [--parse-special] [--count]\n"
                "tokenize MODEL [-f FILE | -p TEXT] (--chat | --render) [OPTION]...\n"
                "tokenize MODEL (-f FILE | -p TEXT) --decode",
    .description =
        "Prints the token ids of a text, separated by blanks; with --decode, the text of "
        "token ids, byte for byte. Reads only the tokenizer of the model.",
    .examples = "ithaca tokenize Qwen3-8B -p \"How many tokens is this?\"\n"
                "ithaca tokenize Qwen3-8B -f book.txt --count\n"
                "ithaca tokenize Qwen3-8B --render -p Hello --system \"Be brief.\"\n"
                "ithaca tokenize Qwen3-8B -f book.ids --decode\n",
    .groups = groups,
    .operand = "model",
    .run = tokenize_main,
};
