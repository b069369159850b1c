/* cmd_embed.c - vectors that stand for texts: as numbers, as JSON, or as a matrix for NumPy. */
#include "base/grow.h"
#include "base/newfile.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/model_options.h"
#include "cli/signals.h"
#include "cli/watch.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_FLIGHT = 16 };

typedef struct embed_args {
    ith_model_args model;
    ith_option_list texts, files;
    const char *lines, *output;
    int64_t dimensions;
} embed_args;

static const ith_option options[] = {
    {.name = "prompt",
     .letter = 'p',
     .kind = ITH_OPTION_LIST,
     .metavar = "TEXT",
     .at = offsetof(embed_args, texts),
     .help = "a text; may be repeated"},
    {.name = "file",
     .letter = 'f',
     .kind = ITH_OPTION_LIST,
     .metavar = "FILE",
     .at = offsetof(embed_args, files),
     .help = "a file that is one text; may be repeated; - is standard input"},
    {.name = "lines",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(embed_args, lines),
     .help = "a file with a text in each line; - is standard input",
     .more = "Empty lines are left out."},
    {.name = "dimensions",
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(embed_args, dimensions),
     .min = 1,
     .max = 1e6,
     .otherwise = "all",
     .help = "keep the first N numbers of each vector",
     .more = "For models whose vectors may be cut (Matryoshka representations)."},
    {.name = "output",
     .letter = 'o',
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(embed_args, output),
     .otherwise = "numbers on standard output, a line for each text",
     .help = "write a matrix in NumPy's format (.npy), a row for each text"},
    {.name = NULL},
};

static const ith_option_group group = {"Texts", options};

static const ith_group_use groups[] = {
    {&ith_group_model, offsetof(embed_args, model.model)},
    {&group, 0},
    ITH_ENGINE_GROUPS(embed_args, model),
    {&ith_group_report_ranks, offsetof(embed_args, model)},
    {&ith_group_json, offsetof(embed_args, model.output)},
    {&ith_group_quiet, offsetof(embed_args, model.output)},
    {NULL, 0},
};

/* A text, then its tokens, then its vector. */
typedef struct item {
    char name[80]; /* for errors */
    ith_text text;
    int32_t *ids; /* [n_ids] */
    size_t n_ids;
    float *embedding; /* [hidden] */
} item;

/* All but the first three on rank 0 only. */
typedef struct embedder {
    const ith_cli *cli;
    ith_engine *engine;
    ith_watch watch;
    item *items; /* [n] */
    size_t n, room, next, done;
    int64_t tokens;
    ith_error err; /* why the callbacks stopped; ITH_OK: for a signal */
} embedder;

static int parse(const ith_cli *cli, int argc, char **argv, embed_args *args,
                 ith_engine_params *params)
{
    int code = ith_args_parse(cli, &ith_command_embed, args, argc, argv);

    if (code == ITH_ARGS_OK)
        code = ith_model_args_check(cli, argv[0], &args->model, params);
    if (code != ITH_ARGS_OK)
        return code;
    if (args->texts.n == 0 && args->files.n == 0 && args->lines == NULL)
        return ith_args_wrong(cli, argv[0], "expected -p TEXT, -f FILE or --lines FILE");
    if (args->output != NULL && args->model.output.json)
        return ith_args_wrong(cli, argv[0], "expected either --output FILE or --json");
    return ITH_ARGS_OK;
}

/* ---- Texts, rank 0 ---- */

/* A new item with a copy of the text. */
static ith_status add(embedder *e, const char *name, const char *text, size_t len, ith_error *err)
{
    item *one;

    if (!ith_grow((void **)&e->items, &e->room, e->n + 1, sizeof *e->items))
        return ith_fail(err, ITH_E_MEMORY, "no memory for texts");
    one = &e->items[e->n++];
    *one = (item){0};
    snprintf(one->name, sizeof one->name, "%s", name);
    ITH_TRY(ith_check_text(name, text, len, err));
    return ith_text_append(&one->text, text, len, err);
}

static ith_status add_file(embedder *e, const char *path, ith_error *err)
{
    ith_text text = {0};
    ith_status status = ith_read_text(path, &text, err);

    if (status == ITH_OK)
        status = add(e, ith_input_name(path), text.data != NULL ? text.data : "", text.len, err);
    ith_text_free(&text);
    return status;
}

/* The lines of a text that has a NUL behind it. */
static ith_status split(embedder *e, const char *path, const ith_text *text, ith_error *err)
{
    const char *at = text->data, *end = at + text->len;

    for (int64_t number = 1; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop != NULL ? stop : end) - at);
        char name[80];
        if (len > 0 && at[len - 1] == '\r')
            len--;
        snprintf(name, sizeof name, "%.50s, line %lld", ith_input_name(path), (long long)number);
        if (len > 0)
            ITH_TRY(add(e, name, at, len, err));
        at = stop != NULL ? stop + 1 : end;
    }
    return ITH_OK;
}

static ith_status add_lines(embedder *e, const char *path, ith_error *err)
{
    ith_text text = {0};
    ith_status status = ith_read_text(path, &text, err);

    if (status == ITH_OK && text.len > 0)
        status = split(e, path, &text, err);
    ith_text_free(&text);
    return status;
}

static ith_status read_texts(embedder *e, const embed_args *args, ith_error *err)
{
    char name[80];

    if (args->output != NULL)
        ITH_TRY(ith_newfile_try(args->output, err));
    for (size_t i = 0; i < args->texts.n; i++) {
        const char *text = args->texts.items[i];
        snprintf(name, sizeof name, "-p, text %zu", i + 1);
        ITH_TRY(add(e, name, text, strlen(text), err));
    }
    for (size_t i = 0; i < args->files.n; i++)
        ITH_TRY(add_file(e, args->files.items[i], err));
    if (args->lines != NULL)
        ITH_TRY(add_lines(e, args->lines, err));
    return e->n > 0 ? ITH_OK : ith_fail(err, ITH_E_ARGUMENT, "%s: no text", args->lines);
}

/* As the model's own tokenizer does it, with what begins and ends a text. */
static ith_status tokenize(embedder *e, int64_t dimensions, ith_error *err)
{
    const unsigned flags = ITH_TOKENIZE_SPECIAL | ITH_TOKENIZE_BOS | ITH_TOKENIZE_EOS;
    const ith_vocab *vocab = ith_engine_vocab(e->engine);
    const ith_engine_info *info = ith_engine_get_info(e->engine);

    if (dimensions > info->hidden)
        return ith_fail(err, ITH_E_ARGUMENT, "--dimensions %lld: expected at most %d",
                        (long long)dimensions, info->hidden);
    for (size_t i = 0; i < e->n; i++) {
        item *one = &e->items[i];
        ITH_TRY(ith_vocab_tokenize(vocab, one->text.data != NULL ? one->text.data : "",
                                   one->text.len, flags, &one->ids, &one->n_ids, err));
        ith_text_free(&one->text);
        if (one->n_ids == 0)
            return ith_fail(err, ITH_E_ARGUMENT, "%s: the text is empty", one->name);
        e->tokens += (int64_t)one->n_ids;
    }
    return ITH_OK;
}

/* ---- Vectors: callbacks of ith_generate_many, rank 0 ---- */

static bool next(void *user, ith_many_prompt *prompt)
{
    embedder *e = user;
    item *one = &e->items[e->next];

    if (e->next == e->n)
        return false;
    *prompt = (ith_many_prompt){.ids = one->ids,
                                .n_ids = one->n_ids,
                                .how = ith_generate_params_default(e->engine),
                                .embeds = true,
                                .user = one};
    prompt->how.max_tokens = 1;
    one->ids = NULL;
    e->next++;
    return true;
}

static bool done(void *user, const ith_many_prompt *prompt, const ith_generation *answer,
                 const ith_error *err)
{
    embedder *e = user;
    item *one = prompt->user;
    size_t bytes = (size_t)ith_engine_get_info(e->engine)->hidden * sizeof(float);

    if (err->status == ITH_E_CANCELLED)
        return false;
    if (err->status != ITH_OK) {
        ith_fail(&e->err, err->status, "%s: %s", one->name, err->text);
        return false;
    }
    one->embedding = malloc(bytes);
    if (one->embedding == NULL) {
        ith_fail(&e->err, ITH_E_MEMORY, "no memory for a vector");
        return false;
    }
    memcpy(one->embedding, answer->embedding, bytes);
    ith_watch_progress(&e->watch, "texts", (int64_t)++e->done, (int64_t)e->n);
    return true;
}

static bool goes_on(void *user, const ith_many_counts *counts)
{
    (void)user;
    (void)counts;
    return ith_stop_signal() == 0;
}

/* Collective. */
static ith_status embed(embedder *e, const embed_args *args, const ith_engine_params *params,
                        ith_error *err)
{
    const ith_many_params many = {
        .in_flight = IN_FLIGHT, .next = next, .done = done, .goes_on = goes_on, .user = e};
    ith_many_counts counts;
    ith_status status;
    bool root = e->cli->rank == 0;

    ITH_TRY(ith_cli_agree(e->cli, root ? read_texts(e, args, err) : ITH_OK));
    ITH_TRY(ith_engine_open(e->cli->world, params, &e->engine, err));
    ith_watch_end(&e->watch);
    ith_cli_advise(e->cli, e->engine, e->watch.quiet);
    ITH_TRY(ith_cli_agree(e->cli, root ? tokenize(e, args->dimensions, err) : ITH_OK));
    status = ith_generate_many(e->engine, &many, &counts, err);
    if (status == ITH_E_CANCELLED && root && e->err.status != ITH_OK)
        *err = e->err;
    return ith_cli_agree(e->cli, root && status != ITH_OK ? err->status : status);
}

/* ---- Results, rank 0 ---- */

static int print_json(const embedder *e, size_t n)
{
    json_t *all = json_array();

    for (size_t i = 0; i < e->n; i++) {
        json_t *one = json_array();
        for (size_t k = 0; k < n; k++)
            json_array_append_new(one, ith_json_number((double)e->items[i].embedding[k]));
        json_array_append_new(all, one);
    }
    return ith_cli_write_json(e->cli,
                              json_pack("{s:I, s:I, s:o, s:o}", "tokens", (json_int_t)e->tokens,
                                        "dimensions", (json_int_t)n, "embeddings", all, "notes",
                                        ith_json_lines(ith_engine_get_info(e->engine)->notes)));
}

/* Nine digits: they read back as the same float. */
static int print_numbers(const embedder *e, size_t n)
{
    for (size_t i = 0; i < e->n; i++)
        for (size_t k = 0; k < n; k++)
            printf("%.9g%c", (double)e->items[i].embedding[k], k + 1 < n ? ' ' : '\n');
    return ITH_EXIT_DONE;
}

/* Format 1.0 of numpy.lib.format: a header that is padded to 64 bytes, then floats in the order of
 * this machine, which is little-endian, row by row. */
static ith_status write_matrix(const embedder *e, size_t n, const char *path, ith_error *err)
{
    enum { HEAD = 128, BEFORE = 10 };
    char head[HEAD + 1] = "\x93NUMPY\x01";
    ith_newfile file;
    ith_status status = ith_newfile_open(path, &file, err);
    int len;

    head[8] = HEAD - BEFORE;
    len = snprintf(head + BEFORE, HEAD - BEFORE,
                   "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", e->n, n);
    memset(head + BEFORE + len, ' ', (size_t)(HEAD - BEFORE - len));
    head[HEAD - 1] = '\n';
    if (status == ITH_OK)
        status = ith_newfile_write(&file, head, HEAD, 0, err);
    for (size_t i = 0; status == ITH_OK && i < e->n; i++)
        status = ith_newfile_write(&file, e->items[i].embedding, n * sizeof(float),
                                   HEAD + i * n * sizeof(float), err);
    if (status == ITH_OK)
        status = ith_newfile_publish(&file, true, err);
    ith_newfile_close(&file);
    return status;
}

static int report(const embedder *e, const embed_args *args)
{
    size_t n = args->dimensions > 0 ? (size_t)args->dimensions
                                    : (size_t)ith_engine_get_info(e->engine)->hidden;
    ith_error err = {0};
    ith_status status;

    for (size_t i = 0; i < e->n; i++)
        ith_embedding_normalize(e->items[i].embedding, n);
    if (args->output == NULL)
        return args->model.output.json ? print_json(e, n) : print_numbers(e, n);
    status = write_matrix(e, n, args->output, &err);
    if (status != ITH_OK)
        return ith_cli_failure(e->cli, status, &err);
    if (!args->model.output.quiet)
        ith_cli_say(e->cli, "%s: %zu vectors of %zu numbers, %lld tokens", args->output, e->n, n,
                    (long long)e->tokens);
    return ITH_EXIT_DONE;
}

static void close_all(embedder *e)
{
    for (size_t i = 0; i < e->n; i++) {
        ith_text_free(&e->items[i].text);
        free(e->items[i].ids);
        free(e->items[i].embedding);
    }
    free(e->items);
    ith_engine_close(e->engine);
}

static int embed_main(const ith_cli *cli, int argc, char **argv)
{
    embed_args args = {.model = ith_model_args_default()};
    embedder e = {.cli = cli};
    ith_engine_params params;
    ith_error err = {0};
    ith_status status;
    int code = parse(cli, argc, argv, &args, &params);

    if (code != ITH_ARGS_OK)
        return code;
    ith_watch_engine(&e.watch, cli, args.model.output.quiet, &params);
    status = embed(&e, &args, &params, &err);
    ith_watch_end(&e.watch);
    if (status != ITH_OK)
        code = ith_cli_failure(cli, status, &err);
    else
        code = cli->rank == 0 ? report(&e, &args) : ITH_EXIT_DONE;
    close_all(&e);
    return code;
}

const ith_command ith_command_embed = {
    .name = "embed",
    .summary = "make vectors that stand for texts",
    .synopsis = "embed MODEL (-p TEXT | -f FILE | --lines FILE)... [-o FILE] [OPTION]...",
    .description =
        "Prints a vector of length 1 for each text: the output of the model's last layer for the "
        "text's last token, as Qwen3-Embedding and similar models are trained for. The bits are "
        "those that /v1/embeddings of ithaca serve gives, on any number of ranks. A text gets the "
        "tokens with which the model's own tokenizer begins and ends one; markers in it are read "
        "as tokens.",
    .examples = "ithaca embed Qwen3-Embedding-0.6B -p \"A harbour.\" -p \"A ship.\"\n"
                "ithaca embed Qwen3-Embedding-0.6B --lines sentences.txt -o vectors.npy\n"
                "mpirun -n 4 ithaca embed Qwen3-Embedding-8B -f chapter.txt --json\n",
    .groups = groups,
    .operand = "model",
    .collective = true,
    .run = embed_main,
};
