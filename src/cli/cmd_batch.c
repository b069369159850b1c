/* cmd_batch.c - answers the requests of a file, many at a time. */
#include "base/checksum.h"
#include "cli/arguments.h"
#include "cli/batch_lines.h"
#include "cli/batch_names.h"
#include "cli/batch_output.h"
#include "cli/batch_request.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/keep_options.h"
#include "cli/sampling_options.h"
#include "cli/signals.h"
#include "cli/speculation.h"
#include "openai/message.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct batch_args {
    ith_model_args model;
    ith_keep_args keep;
    ith_sampling_args sampling;
    ith_speculation_args speculation;
    const char *input, *output, *shard;
    int64_t in_flight, max_tokens;
    bool ordered;
} batch_args;

static const ith_option options[] = {
    {.name = "input",
     .letter = 'i',
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(batch_args, input),
     .help = "requests, one JSON object per line",
     .more =
         "As in OpenAI's batch files: custom_id, and a body with messages or prompt. Options give "
         "the defaults of the body's fields."},
    {.name = "output",
     .letter = 'o',
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(batch_args, output),
     .help = "append answers here, one JSON object per line",
     .more =
         "Requests that have a line are not computed again: run the same command again after an "
         "interruption, and it resumes."},
    {.name = "in-flight",
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(batch_args, in_flight),
     .min = 1,
     .max = ITH_STEP_MOST,
     .preset = "16",
     .help = "requests computed at a time",
     .more = "Fewer if memory is short. Answers do not depend on it."},
    {.name = "shard",
     .kind = ITH_OPTION_TEXT,
     .metavar = "K/N",
     .at = offsetof(batch_args, shard),
     .otherwise = "all lines",
     .help = "take every N-th line, starting with the K-th",
     .more = "For N jobs that share an input. Each writes its own output."},
    {.name = "ordered",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(batch_args, ordered),
     .help = "write answers in the order of the input",
     .more = "By default they are written in the order in which they end."},
    {.name = "max-tokens",
     .letter = 'n',
     .kind = ITH_OPTION_TOKENS,
     .metavar = "N",
     .at = offsetof(batch_args, max_tokens),
     .min = 1,
     .max = 1e9,
     .preset = "256",
     .help = "maximum number of tokens in an answer"},
    {.name = NULL},
};

static const ith_option_group group = {"Batch", options};

static const ith_group_use groups[] = {
    {&ith_group_model, offsetof(batch_args, model.model)},
    {&group, 0},
    {&ith_group_sampling, offsetof(batch_args, sampling)},
    {&ith_group_lookup, offsetof(batch_args, speculation)},
    {&ith_group_prompt_cache, offsetof(batch_args, keep)},
    ITH_ENGINE_GROUPS(batch_args, model),
    {&ith_group_json, offsetof(batch_args, model.output)},
    {&ith_group_quiet, offsetof(batch_args, model.output)},
    {NULL, 0},
};

/* A line to be written when those before it are. */
typedef struct held {
    char *text;
} held;

/* A request in work. */
typedef struct work {
    ith_batch_request request;
    int64_t number; /* of those of this run */
    uint64_t asked; /* digest of its line */
} work;

/* What stands behind `counts` is on rank 0 only. */
typedef struct batch_state {
    const ith_cli *cli;
    const batch_args *args;
    ith_watch watch;
    ith_engine *engine;
    ith_many_counts counts;

    ith_batch_lines lines;
    ith_batch_output output;
    uint64_t options; /* digest of those that answers depend on */
    ith_progress progress;
    int64_t shard, n_shards;
    int64_t total, before; /* lines of this shard; those of them that had an answer */
    int64_t begun, written, failed;
    held *held; /* [room], those from `written` on; with --ordered */
    int64_t room;
    double start_s, seconds;
    ith_error err; /* why the callbacks stopped; ITH_OK: for a signal */
} batch_state;

/* ---- Options ---- */

static int check_shard(const ith_cli *cli, const char *command, const char *text, int64_t *shard,
                       int64_t *n)
{
    long long k = 1, of = 1;
    char end;

    if (text != NULL && (strspn(text, "0123456789/") != strlen(text) ||
                         sscanf(text, "%9lld/%9lld%c", &k, &of, &end) != 2 || k < 1 || k > of))
        return ith_args_wrong(cli, command, "--shard %s: expected K/N with K from 1 to N, as 2/8",
                              text);
    *shard = k;
    *n = of;
    return ITH_ARGS_OK;
}

static int parse(const ith_cli *cli, int argc, char **argv, batch_args *args, batch_state *b,
                 ith_engine_params *params)
{
    int code = ith_args_parse(cli, &ith_command_batch, args, argc, argv);

    if (code == ITH_ARGS_OK)
        code = ith_model_args_check(cli, argv[0], &args->model, params);
    if (code == ITH_ARGS_OK)
        code = ith_keep_args_check(cli, argv[0], &args->keep, &args->model);
    if (code == ITH_ARGS_OK)
        code = ith_lookup_args_check(cli, argv[0], &args->speculation, params->exact);
    if (code != ITH_ARGS_OK)
        return code;
    if (args->input == NULL || args->output == NULL)
        return ith_args_wrong(cli, argv[0], "%s FILE is missing",
                              args->input == NULL ? "--input" : "--output");
    return check_shard(cli, argv[0], args->shard, &b->shard, &b->n_shards);
}

/* ---- Writing, rank 0 ---- */

static bool fail(batch_state *b, const ith_error *err)
{
    if (b->err.status == ITH_OK)
        b->err = *err;
    return false;
}

static bool no_memory(batch_state *b)
{
    ith_error err;
    ith_fail(&err, ITH_E_MEMORY, "no memory for a line of %s", b->args->output);
    return fail(b, &err);
}

static bool add(batch_state *b, const char *text)
{
    ith_error err;
    if (ith_batch_output_add(&b->output, text, &err) != ITH_OK)
        return fail(b, &err);
    b->written++;
    return true;
}

/* Those that are complete from the first on. */
static bool add_held(batch_state *b)
{
    while (b->written < b->room && b->held[b->written].text != NULL) {
        char **text = &b->held[b->written].text;
        if (!add(b, *text))
            return false;
        free(*text);
        *text = NULL;
    }
    return true;
}

/* Takes the text. */
static bool hold(batch_state *b, int64_t number, char *text)
{
    int64_t room = b->room == 0 ? 256 : b->room;
    held *grown;

    while (room <= number)
        room *= 2;
    if (room > b->room) {
        grown = realloc(b->held, (size_t)room * sizeof *grown);
        if (grown == NULL) {
            free(text);
            return no_memory(b);
        }
        memset(grown + b->room, 0, (size_t)(room - b->room) * sizeof *grown);
        b->held = grown;
        b->room = room;
    }
    b->held[number].text = text;
    return add_held(b);
}

/* Takes the line. All JSON of this run that was lost, and that nobody has dealt with, is its. */
static bool write_line(batch_state *b, int64_t number, json_t *line)
{
    char *text = line != NULL ? ith_json_text(line, false) : NULL;
    bool written;

    json_decref(line);
    if (ith_json_lost(0) || text == NULL) {
        free(text);
        return no_memory(b);
    }
    if (b->args->ordered)
        return hold(b, number, text);
    written = add(b, text);
    free(text);
    return written;
}

/* ---- Lines, in OpenAI's form ---- */

/* Takes the body. */
static json_t *line_json(const batch_state *b, const work *w, int status, json_t *body)
{
    char id[40], request_id[40];

    snprintf(id, sizeof id, ITH_BATCH_ID "%lld", (long long)w->request.line);
    ith_batch_output_request_id(w->asked, b->options, request_id);
    return json_pack("{s:s, s:s?, s:{s:i, s:s, s:o}, s:n}", "id", id, "custom_id",
                     w->request.custom_id, "response", "status_code", status, "request_id",
                     request_id, "body", body, "error");
}

/* By whose fault there is no answer: of the request, or not. */
typedef enum fault { BAD_REQUEST = 400, BROKEN_NUMBERS = 500, NO_MEMORY = 503 } fault;

static const char *code_of(fault f, ith_status status)
{
    if (f == NO_MEMORY)
        return "out_of_memory";
    if (f == BROKEN_NUMBERS)
        return "not_finite";
    return status == ITH_E_UNSUPPORTED ? "unsupported" : "invalid_request";
}

static json_t *error_json(const batch_state *b, const work *w, fault f, const ith_error *err)
{
    const ith_batch_request *r = &w->request;
    json_t *body =
        json_pack("{s:{s:o, s:s, s:o?, s:s}}", "error", "message", ith_json_c_string(err->text),
                  "type", f == BAD_REQUEST ? "invalid_request_error" : "server_error", "param",
                  r->body.param[0] != 0 ? ith_json_c_string(r->body.param) : NULL, "code",
                  code_of(f, err->status));
    return line_json(b, w, (int)f, body);
}

static json_t *ids_json(const ith_generation *answer)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < answer->n_ids; i++)
        json_array_append_new(ids, json_integer(answer->ids[i]));
    return ids;
}

/* The message of a chat, with the calls of tools in it. *finish becomes "tool_calls" if they ended
 * the answer. NULL: no memory. */
static json_t *message_json(const ith_batch_request *r, const ith_generation *answer,
                            const char **finish)
{
    ith_message_text *message = ith_message_open(&r->body, r->custom_id);
    json_t *json = NULL;

    if (message != NULL && ith_message_push(message, answer->text, answer->text_len, true))
        json = ith_message_json(message, false);
    if (json != NULL && answer->finish == ITH_FINISH_STOP)
        *finish = ith_message_stop(message);
    ith_message_close(message);
    return json;
}

/* A model without a tokenizer has no text: its answer is ids. */
static json_t *choice_json(const batch_state *b, const ith_batch_request *r,
                           const ith_generation *answer)
{
    json_t *choice, *said;
    const char *finish = answer->finish == ITH_FINISH_STOP ? "stop" : "length";

    said = r->body.chat ? message_json(r, answer, &finish)
                        : ith_json_bytes(answer->text, answer->text_len);
    choice = json_pack("{s:i, s:o, s:n, s:s}", "index", 0, r->body.chat ? "message" : "text", said,
                       "logprobs", "finish_reason", finish);
    if (ith_engine_vocab(b->engine) == NULL)
        json_object_set_new(choice, "token_ids", ids_json(answer));
    return choice;
}

static json_t *model_json(const batch_state *b)
{
    return ith_json_c_string(ith_engine_get_info(b->engine)->name);
}

/* Nothing in it depends on when or beside what it was computed, so that two runs can be compared:
 * `created` is 0. */
static json_t *answer_json(const batch_state *b, const work *w, size_t n_ids,
                           const ith_generation *answer)
{
    const ith_batch_request *r = &w->request;
    char id[48];
    json_t *body;

    snprintf(id, sizeof id, "%s-%lld", r->body.chat ? "chatcmpl" : "cmpl", (long long)r->line);
    body = json_pack("{s:s, s:s, s:i, s:o, s:[o], s:{s:I, s:I, s:I}}", "id", id, "object",
                     r->body.chat ? "chat.completion" : "text_completion", "created", 0, "model",
                     model_json(b), "choices", choice_json(b, r, answer), "usage", "prompt_tokens",
                     (json_int_t)n_ids, "completion_tokens", (json_int_t)answer->n_ids,
                     "total_tokens", (json_int_t)(n_ids + answer->n_ids));
    return line_json(b, w, 200, body);
}

/* ---- Requests, rank 0: callbacks of ith_generate_many ---- */

static void show(batch_state *b)
{
    if (!b->args->model.output.quiet)
        ith_progress_update(&b->progress, "requests", ITH_UNIT_NONE, b->before + b->written,
                            b->total);
}

static bool refuse(batch_state *b, work *w, fault f, const ith_error *err)
{
    b->failed++;
    return write_line(b, w->number,
                      error_json(b, w, err->status == ITH_E_MEMORY ? NO_MEMORY : f, err));
}

static void free_work(work *w)
{
    ith_batch_request_free(&w->request);
    free(w);
}

/* What the line does not say. A seed follows from the custom_id, so that a run that was killed goes
 * on with the same choices. */
static ith_generate_params preset(const batch_state *b)
{
    ith_generate_params how = ith_generate_params_default(b->engine);

    how.max_tokens = b->args->max_tokens;
    how.max_draft = b->args->speculation.max;
    how.sampling = ith_sampling_args_apply(&b->args->sampling, b->engine, NULL);
    return how;
}

static void set_seed(const batch_state *b, ith_batch_request *r)
{
    int64_t given = b->args->sampling.seed >= 0 ? b->args->sampling.seed : 0;

    if (!r->body.has_seed)
        r->body.how.sampling.seed =
            ith_checksum_more((uint64_t)given, r->custom_id, strlen(r->custom_id));
}

/* Of the line in hand. */
static uint64_t digest_of_line(const batch_state *b)
{
    const ith_text *text = &b->lines.text;
    return ith_checksum(text->len > 0 ? text->data : "", text->len);
}

/* Of what answers depend on beside their lines and the model's name. */
static uint64_t digest_of_options(const batch_state *b)
{
    const ith_engine_info *info = ith_engine_get_info(b->engine);
    const ith_generate_params how = preset(b);
    const ith_sampling *s = &how.sampling;
    const float reals[] = {s->temperature, s->top_p, s->min_p, s->repeat_penalty};
    const int64_t whole[] = {how.max_tokens,         s->top_k, s->repeat_window,
                             b->args->sampling.seed, info->kv, info->exact};
    uint64_t digest = ith_checksum(info->weights, strlen(info->weights));

    digest = ith_checksum_more(digest, reals, sizeof reals);
    return ith_checksum_more(digest, whole, sizeof whole);
}

/* A request of the line in hand; NULL: it has been refused. *on false: stop. */
static work *read_request(batch_state *b, ith_ids *ids, bool *on)
{
    work *w = calloc(1, sizeof *w);
    ith_error err = {0};
    ith_status status;

    if (w == NULL) {
        *on = no_memory(b);
        return NULL;
    }
    w->number = b->begun++;
    w->asked = digest_of_line(b);
    w->request.line = b->lines.number;
    w->request.body.how = preset(b);
    if (b->lines.too_long)
        status = ith_fail(&err, ITH_E_ARGUMENT, "the line has more than %d MiB",
                          ITH_BATCH_LINE_MOST >> 20);
    else
        status = ith_batch_request_read(&w->request, b->lines.text.data, b->lines.text.len, &err);
    if (status == ITH_OK) {
        set_seed(b, &w->request);
        status = ith_request_grammar(&w->request.body, ith_engine_vocab(b->engine), &err);
    }
    if (status == ITH_OK)
        status = ith_request_ids(&w->request.body, 0, ith_engine_vocab(b->engine), &ids->data,
                                 &ids->n, &err);
    if (ith_json_lost(0))
        status = ith_fail(&err, ITH_E_MEMORY, "no memory to read the request");
    if (status == ITH_OK)
        return w;
    *on = refuse(b, w, BAD_REQUEST, &err);
    free_work(w);
    return NULL;
}

static bool is_mine(const batch_state *b)
{
    return !ith_batch_lines_blank(&b->lines) && (b->lines.number - b->shard) % b->n_shards == 0;
}

/* What is in the input now, was there when the run began. */
static bool is_done(const batch_state *b)
{
    return b->lines.number < b->output.room && b->output.done[b->lines.number] != 0;
}

static bool next(void *user, ith_many_prompt *prompt)
{
    batch_state *b = user;
    bool more = true, on = true;
    ith_ids ids = {0};
    ith_error err;
    work *w = NULL;

    while (w == NULL && on && ith_stop_signal() == 0) {
        if (ith_batch_lines_next(&b->lines, &more, &err) != ITH_OK)
            return fail(b, &err);
        if (!more)
            return false;
        if (is_mine(b) && !is_done(b))
            w = read_request(b, &ids, &on);
        show(b);
    }
    if (w == NULL)
        return false;
    *prompt =
        (ith_many_prompt){.ids = ids.data, .n_ids = ids.n, .how = w->request.body.how, .user = w};
    return true;
}

static bool done(void *user, const ith_many_prompt *prompt, const ith_generation *answer,
                 const ith_error *err)
{
    batch_state *b = user;
    work *w = prompt->user;
    bool on = true;

    if (err->status == ITH_OK)
        on = write_line(b, w->number, answer_json(b, w, prompt->n_ids, answer));
    else if (err->status != ITH_E_CANCELLED)
        on = refuse(b, w, err->status == ITH_E_FORMAT ? BROKEN_NUMBERS : BAD_REQUEST, err);
    free_work(w);
    show(b);
    return on;
}

static bool goes_on(void *user, const ith_many_counts *counts)
{
    const batch_state *b = user;
    (void)counts;
    return b->err.status == ITH_OK && ith_stop_signal() == 0;
}

/* ---- The run ---- */

/* Rank 0: how many lines there are, which names they have, and whether the output is theirs. */
static ith_status read_lines(batch_state *b, ith_batch_names *names, ith_error *err)
{
    int64_t found = 0;
    bool more = true, has;

    for (;;) {
        ITH_TRY(ith_batch_lines_next(&b->lines, &more, err));
        if (!more)
            break;
        if (ith_batch_lines_blank(&b->lines))
            continue;
        ITH_TRY(ith_batch_output_has(&b->output, b->lines.number, digest_of_line(b), &has, err));
        ITH_TRY(ith_batch_names_add(names, b->lines.text.data, b->lines.text.len, b->lines.number,
                                    err));
        found += has;
        b->total += is_mine(b);
        b->before += is_mine(b) && has;
    }
    if (found < b->output.n_done)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%s: it answers lines that %s does not have: it is the output of another "
                        "input",
                        b->args->output, b->args->input);
    return ith_batch_names_check(names, b->args->input, err);
}

/* Rank 0. The input is open before and after. */
static ith_status count_lines(batch_state *b, ith_error *err)
{
    ith_batch_names names = {0};
    ith_status status = read_lines(b, &names, err);

    ith_batch_names_free(&names);
    ITH_TRY(status);
    ith_batch_lines_close(&b->lines);
    return ith_batch_lines_open(b->args->input, &b->lines, err);
}

/* Rank 0, before minutes of loading. */
static ith_status open_files(batch_state *b, ith_error *err)
{
    ITH_TRY(ith_batch_lines_open(b->args->input, &b->lines, err));
    ITH_TRY(ith_batch_output_open(b->args->output, b->lines.bytes, &b->output, err));
    ITH_TRY(count_lines(b, err));
    if (b->output.cut)
        ith_cli_note(b->cli, "%s: its last line was not complete and is cut off", b->args->output);
    return ITH_OK;
}

/* Rank 0. What was in the output is of this model and these options. */
static ith_status check_output(batch_state *b, ith_error *err)
{
    json_t *model = model_json(b);
    ith_status status;

    b->options = digest_of_options(b);
    status = model == NULL
                 ? ith_fail(err, ITH_E_MEMORY, "no memory for a model's name")
                 : ith_batch_output_check(&b->output, json_string_value(model), b->options, err);
    json_decref(model);
    return status;
}

/* Rank 0. A function that stopped the run knows why; one that had no more requests to give may have
 * heard a signal. */
static ith_status outcome(const batch_state *b, ith_status status, ith_error *err)
{
    if (b->err.status != ITH_OK)
        return ith_fail(err, b->err.status, "%s", b->err.text);
    return status == ITH_OK && b->before + b->written < b->total ? ITH_E_CANCELLED : status;
}

static ith_status answer_all(batch_state *b, const ith_engine_params *params, ith_error *err)
{
    const ith_cli *cli = b->cli;
    bool root = cli->rank == 0;
    const ith_keep_params keep = {.cache = b->args->keep.cache,
                                  .cache_bytes = b->args->keep.cache_bytes,
                                  .warn = ith_watch_warning,
                                  .user = &b->watch};
    const ith_many_params many = {.in_flight = (int)b->args->in_flight,
                                  .keep = keep.cache != NULL ? &keep : NULL,
                                  .next = next,
                                  .done = done,
                                  .goes_on = goes_on,
                                  .user = b};
    ith_status status;

    ITH_TRY(ith_cli_agree(cli, root ? open_files(b, err) : ITH_OK));
    ITH_TRY(ith_engine_open(cli->world, params, &b->engine, err));
    ith_watch_end(&b->watch);
    ith_cli_advise(cli, b->engine, b->watch.quiet);
    b->watch.quiet = true; /* requests are shown, not the chunks of each */
    ITH_TRY(ith_cli_agree(cli, root ? check_output(b, err) : ITH_OK));
    b->start_s = ith_now_s();
    status = ith_generate_many(b->engine, &many, &b->counts, err);
    b->seconds = ith_now_s() - b->start_s;
    return ith_cli_agree(cli, root ? outcome(b, status, err) : status);
}

static double rate(const batch_state *b, int64_t n)
{
    return (double)n / fmax(b->seconds, 1e-9);
}

static int print_json(const batch_state *b)
{
    const ith_engine_info *info = ith_engine_get_info(b->engine);

    return ith_cli_write_json(
        b->cli,
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, "
                  "s:f, s:i, s:i, s:s}",
                  "version", ith_version(), "model", info->name, "lines", (json_int_t)b->total,
                  "done_before", (json_int_t)b->before, "written", (json_int_t)b->written, "failed",
                  (json_int_t)b->failed, "prompt_tokens", (json_int_t)b->counts.prompt_tokens,
                  "restored_tokens", (json_int_t)b->counts.restored, "shared_tokens",
                  (json_int_t)b->counts.shared, "begun_again", (json_int_t)b->counts.begun_again,
                  "answer_tokens", (json_int_t)b->counts.answer_tokens, "steps",
                  (json_int_t)b->counts.steps, "drafted", (json_int_t)b->counts.drafted, "accepted",
                  (json_int_t)b->counts.accepted, "seconds", b->seconds, "answer_tokens_per_s",
                  rate(b, b->counts.answer_tokens), "ranks", info->ranks, "threads", info->threads,
                  "simd", info->simd));
}

static void print_text(const batch_state *b)
{
    const ith_engine_info *info = ith_engine_get_info(b->engine);
    char time[32], before[60] = "";

    ith_format_time(time, b->seconds);
    if (b->before > 0)
        snprintf(before, sizeof before, ", %lld were there", (long long)b->before);
    ith_cli_say(b->cli,
                "%lld of %lld requests in %s%s: %lld tokens of prompts, %lld of answers (%.1f/s), "
                "%d x %d threads, mesh %s, %s",
                (long long)b->written, (long long)b->total, time, before,
                (long long)b->counts.prompt_tokens, (long long)b->counts.answer_tokens,
                rate(b, b->counts.answer_tokens), info->ranks, info->threads, info->mesh,
                info->simd);
}

/* Rank 0, after a run that is complete or was stopped. */
static int report(const batch_state *b, int code)
{
    if (b->failed > 0)
        ith_cli_warning(b->cli, "%lld requests have an error in place of an answer in %s",
                        (long long)b->failed, b->args->output);
    if (!b->args->model.output.json) {
        if (!b->args->model.output.quiet)
            print_text(b);
        return code;
    }
    return print_json(b) == ITH_EXIT_DONE ? code : ITH_EXIT_FAILED;
}

/* Collective. Stopped by a signal: the same command gets further, if this one did. Launchers return
 * the exit status of any rank. */
static int stopped(batch_state *b, int code)
{
    ith_world_bcast(b->cli->world, &b->written, sizeof b->written);
    return b->written > 0 ? ITH_EXIT_SAVED : code;
}

static void close_all(batch_state *b)
{
    for (int64_t i = 0; i < b->room; i++)
        free(b->held[i].text);
    free(b->held);
    ith_batch_lines_close(&b->lines);
    ith_batch_output_close(&b->output);
    ith_engine_close(b->engine);
}

static int batch_main(const ith_cli *cli, int argc, char **argv)
{
    batch_args args = {.model = ith_model_args_default(), .sampling = ith_sampling_args_default()};
    batch_state b = {.cli = cli, .args = &args, .output = {.fd = -1}};
    ith_engine_params params;
    ith_error err = {0};
    ith_status status;
    int code = parse(cli, argc, argv, &args, &b, &params);

    if (code != ITH_ARGS_OK)
        return code;
    ith_stop_patiently(); /* a step of a large model takes long */
    ith_watch_engine(&b.watch, cli, args.model.output.quiet, &params);
    status = answer_all(&b, &params, &err);
    ith_watch_end(&b.watch);
    ith_progress_end(&b.progress);
    code = status == ITH_OK ? ITH_EXIT_DONE : ith_cli_failure(cli, status, &err);
    if (b.engine != NULL && status == ITH_E_CANCELLED)
        code = stopped(&b, code);
    if (cli->rank == 0 && b.engine != NULL && (status == ITH_OK || status == ITH_E_CANCELLED))
        code = report(&b, code);
    close_all(&b);
    return code;
}

const ith_command ith_command_batch = {
    .name = "batch",
    .summary = "answer a file of requests, many at a time",
    .synopsis = "batch MODEL --input FILE --output FILE [OPTION]...",
    .description =
        "Answers the requests in a file and appends one line per request to another file, in "
        "OpenAI's batch format. Several requests share each pass, so that the weights are read "
        "once for all of them; when an answer ends, the next request starts. An answer is the same "
        "alone or beside others.\n\n"
        "Each line is on disk before the next is written. Run the same command again after an "
        "interruption, and it resumes: no line is lost or written twice. A request that cannot be "
        "answered gets a line that says why.",
    .examples = "ithaca batch Qwen3-8B --input in.jsonl --output out.jsonl\n"
                "srun ithaca batch Qwen3-8B -i in.jsonl \\\n"
                "    -o out.$SLURM_ARRAY_TASK_ID.jsonl --shard $SLURM_ARRAY_TASK_ID/8\n",
    .groups = groups,
    .operand = "model",
    .collective = true,
    .run = batch_main,
};
