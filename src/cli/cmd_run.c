/* cmd_run.c - one prompt, one answer. */
#include "base/newfile.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/profile_table.h"
#include "cli/run_options.h"
#include "cli/sent.h"
#include "cli/shares_text.h"
#include "cli/signals.h"
#include "cli/where.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same on all ranks, except for what rank 0 alone reads. */
typedef struct run_state {
    ith_watch watch;
    ith_prompt prompt;
    ith_ids ids, forced; /* the prompt; the answer of --answer-ids */
    ith_engine *engine;
    ith_session *session;
    ith_drafting drafting;
    ith_generation answer;
    ith_grammar *grammar; /* of rank 0 */
    json_t *where;        /* of --report-pages, on rank 0 */
    int64_t n_prompt, n_forced;
    ith_sampling sampling;
    double prefill_s, decode_s;
    bool stream;     /* show text as it comes */
    char last_shown; /* 0: nothing yet */
    int write_errno; /* stdout failed */
} run_state;

/* Rank 0. Text is written at once, so that it has been seen when the run is stopped. */
static bool on_text(void *user, const char *text, size_t len)
{
    run_state *run = user;

    if (run->stream && len > 0) {
        if (!ith_cli_write(text, len)) {
            run->write_errno = errno;
            return false;
        }
        run->last_shown = text[len - 1];
    }
    return ith_stop_signal() == 0;
}

/* Rank 0's work between loading and prefill. */
static ith_status check_room(const run_state *run, const ith_run_args *args, ith_error *err)
{
    int64_t ctx = ith_engine_get_info(run->engine)->ctx;

    if (run->n_prompt == ctx && ith_run_wanted(args, run->n_forced) > 0)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the prompt fills the context of %lld tokens, which leaves no room for an "
                        "answer: use a larger context (--ctx), a shorter text, or -n 0",
                        (long long)ctx);
    if (run->n_prompt <= ctx)
        return ITH_OK;
    return ith_fail(err, ITH_E_ARGUMENT,
                    "the prompt has %lld tokens, more than the context of %lld: use a larger "
                    "context (--ctx) or a "
                    "shorter text",
                    (long long)run->n_prompt, (long long)ctx);
}

/* Rank 0. */
static ith_status read_answer(const ith_run_args *args, run_state *run, ith_error *err)
{
    ITH_TRY(ith_read_ids(args->answer_file, &run->forced, err));
    return run->forced.n > 0 ? ITH_OK
                             : ith_fail(err, ITH_E_ARGUMENT, "%s: there is not one token id in it",
                                        args->answer_file);
}

/* Rank 0, before the prompt is computed, which may take hours. */
static ith_status read_grammar(const ith_run_args *args, run_state *run, ith_error *err)
{
    const ith_vocab *vocab = ith_engine_vocab(run->engine);
    bool schema = args->schema_file != NULL;
    const char *file = schema ? args->schema_file : args->grammar_file;
    ith_text text = {0};
    ith_status status;

    if (file == NULL)
        return ITH_OK;
    status = ith_read_text(file, &text, err);
    if (status == ITH_OK) {
        status = (schema ? ith_grammar_from_schema : ith_grammar_from_gbnf)(
            vocab, text.data != NULL ? text.data : "", text.len, &run->grammar, err);
        if (status != ITH_OK)
            ith_fail_prefix(err, status, "%s", ith_input_name(file));
    }
    ith_text_free(&text);
    return status;
}

static ith_status make_prompt(const ith_cli *cli, const ith_run_args *args, run_state *run,
                              ith_error *err)
{
    bool plain_markers = false;
    ith_status status = ITH_OK;

    if (cli->rank == 0)
        status = ith_prompt_ids(&args->prompt, ith_engine_vocab(run->engine), &run->prompt,
                                &run->ids, &plain_markers, err);
    if (cli->rank == 0 && ith_engine_vocab(run->engine) != NULL && !run->watch.quiet)
        ith_cli_notes(cli, ith_vocab_notes(ith_engine_vocab(run->engine)));
    if (plain_markers && !run->watch.quiet)
        ith_cli_note(cli, ITH_NOTE_PLAIN_MARKERS);
    ith_prompt_free(&run->prompt);
    if (cli->rank == 0 && status == ITH_OK && args->answer_file != NULL)
        status = read_answer(args, run, err);
    if (cli->rank == 0 && status == ITH_OK)
        status = read_grammar(args, run, err);
    run->n_prompt = (int64_t)run->ids.n;
    ith_world_bcast(cli->world, &run->n_prompt, sizeof run->n_prompt);
    run->n_forced = (int64_t)run->forced.n;
    ith_world_bcast(cli->world, &run->n_forced, sizeof run->n_forced);
    if (status == ITH_OK)
        status = check_room(run, args, err);
    if (status == ITH_OK)
        ith_cli_check_length(cli, run->engine, run->n_prompt, run->watch.quiet);
    return ith_cli_agree(cli, status);
}

static ith_generate_params plan_answer(const ith_cli *cli, const ith_run_args *args, run_state *run)
{
    int64_t ctx = ith_engine_get_info(run->engine)->ctx, room = ctx - run->n_prompt;
    int64_t wanted = ith_run_wanted(args, run->n_forced);
    ith_generate_params params = {
        .max_tokens = wanted < room ? wanted : room,
        .max_draft = args->speculation.max,
        .draft = run->drafting.session,
        .ignore_eos = args->ignore_eos || args->answer_file != NULL,
        .answer = run->forced.data,
        .grammar = run->grammar,
        .sampling = ith_sampling_args_apply(&args->sampling, run->engine, args->keep.checkpoint),
        .stop = args->stop.items,
        .n_stop = args->stop.n,
        .on_text = on_text,
        .user = run};

    if (params.max_tokens < wanted && !run->watch.quiet)
        ith_cli_note(cli, "the context of %lld tokens leaves room for %lld tokens of answer",
                     (long long)ctx, (long long)params.max_tokens);
    run->sampling = params.sampling;
    return params;
}

static ith_status generate(run_state *run, const ith_generate_params *params, ith_error *err)
{
    double start_s = ith_now_s();
    ith_status status = ITH_OK;

    if (params->max_tokens > 0)
        status = ith_generate(run->session, params, &run->answer, err);
    run->decode_s = ith_now_s() - start_s;
    return status;
}

/* The file is tried first: a run may take hours. */
static ith_status begin_trace(const ith_cli *cli, const ith_run_args *args, const run_state *run,
                              ith_error *err)
{
    ITH_TRY(ith_cli_agree(cli, cli->rank == 0 ? ith_newfile_try(args->trace, err) : ITH_OK));
    return ith_session_trace_start(run->session, err);
}

static ith_status write_trace(const ith_cli *cli, const ith_run_args *args, const run_state *run,
                              ith_error *err)
{
    char *text = NULL;
    ith_status status = ith_session_trace(run->session, &text, err);

    if (status == ITH_OK && cli->rank == 0)
        status = ith_newfile_text(AT_FDCWD, args->trace, text, false, err);
    free(text);
    return ith_cli_agree(cli, status);
}

static ith_status work(const ith_cli *cli, const ith_run_args *args,
                       const ith_engine_params *params, run_state *run, ith_error *err)
{
    ith_generate_params answer;
    double start_s;

    ITH_TRY(ith_cli_agree(cli, cli->rank == 0 ? ith_prompt_read(&args->prompt, &run->prompt, err)
                                              : ITH_OK));
    ITH_TRY(ith_drafting_open(cli, &args->speculation, params, &run->drafting, err));
    ITH_TRY(ith_engine_open(cli->world, params, &run->engine, err));
    ith_watch_end(&run->watch);
    ITH_TRY(ith_drafting_check(&run->drafting, run->engine, err));
    ith_cli_advise(cli, run->engine, run->watch.quiet);
    ITH_TRY(make_prompt(cli, args, run, err));
    ITH_TRY(ith_session_open(run->engine, &run->session, err));
    if (args->profile)
        ITH_TRY(ith_session_profile_start(run->session, err));
    if (args->trace != NULL)
        ITH_TRY(begin_trace(cli, args, run, err));
    answer = plan_answer(cli, args, run);
    ITH_TRY(ith_keep_args_open(&args->keep, &run->watch, run->session, run->ids.data, run->ids.n,
                               &answer, err));
    start_s = ith_now_s();
    ITH_TRY(ith_session_prefill(run->session, run->ids.data, run->ids.n, err));
    if (run->drafting.session != NULL)
        ITH_TRY(ith_session_prefill(run->drafting.session, run->ids.data, run->ids.n, err));
    run->prefill_s = ith_now_s() - start_s;
    ith_watch_end(&run->watch);
    ITH_TRY(generate(run, &answer, err));
    if (args->trace != NULL)
        ITH_TRY(write_trace(cli, args, run, err));
    return args->report_pages ? ith_cli_where(run->session, &run->where, err) : ITH_OK;
}

static const char *finish_name(ith_finish finish)
{
    return finish == ITH_FINISH_STOP        ? "stop"
           : finish == ITH_FINISH_CANCELLED ? "cancelled"
                                            : "length";
}

static json_t *model_json(const char *path, const ith_engine_info *info)
{
    return json_pack("{s:o, s:s, s:s, s:s, s:I}", "path", ith_json_c_string(path), "name",
                     info->name, "architecture", info->architecture, "kv",
                     ith_word_name(ith_kv_words, (int)info->kv), "ctx", (json_int_t)info->ctx);
}

static json_t *sampling_json(const ith_sampling *s)
{
    return json_pack("{s:f, s:i, s:f, s:f, s:f, s:i, s:I}", "temperature", (double)s->temperature,
                     "top_k", s->top_k, "top_p", (double)s->top_p, "min_p", (double)s->min_p,
                     "repeat_penalty", (double)s->repeat_penalty, "repeat_window", s->repeat_window,
                     "seed", (json_int_t)s->seed);
}

static int print_json(const ith_cli *cli, const ith_run_args *args, const run_state *run)
{
    const ith_engine_info *info = ith_engine_get_info(run->engine);
    json_t *ids = json_array();
    char sha256[65];

    for (size_t i = 0; i < run->answer.n_ids; i++)
        json_array_append_new(ids, json_integer(run->answer.ids[i]));
    ith_session_logits_sha256(run->session, sha256);
    json_t *result = json_pack(
        "{s:s, s:o, s:I, s:I, s:o, s:o, s:s, s:o, s:f, s:f, s:o, s:i, s:i, s:s, s:o, s:s, s:s, "
        "s:s, "
        "s:o, s:o}",
        "version", ith_version(), "model", model_json(args->model.model, info), "prompt_tokens",
        (json_int_t)run->n_prompt, "restored_tokens",
        (json_int_t)ith_session_restored(run->session), "ids", ids, "text",
        ith_json_bytes(run->answer.text, run->answer.text_len), "finish",
        finish_name(run->answer.finish), "sampling", sampling_json(&run->sampling), "prefill_s",
        run->prefill_s, "decode_s", run->decode_s, "speculation",
        ith_speculation_json(&args->speculation, &run->answer), "ranks", info->ranks, "threads",
        info->threads, "mesh", info->mesh, "shares", ith_json_numbers(info->shares, info->ranks),
        "simd", info->simd, "distribution", info->distribution, "logits_sha256", sha256, "sent",
        ith_cli_sent_json(cli->world), "notes", ith_json_lines(info->notes));
    if (run->grammar != NULL)
        json_object_set_new(result, "whole", json_boolean(run->answer.whole));
    if (args->profile)
        json_object_set_new(result, "profile", ith_cli_profile(run->session));
    if (run->where != NULL)
        json_object_set(result, "memory", run->where);
    return ith_cli_write_json(cli, result);
}

/* "12.34 s", "4 h 32 min" */
static const char *time_text(double s, char text[32])
{
    if (s < 60)
        snprintf(text, 32, "%.2f s", s);
    else
        ith_format_time(text, s);
    return text;
}

static void print_timings(const ith_cli *cli, const run_state *run)
{
    const ith_engine_info *info = ith_engine_get_info(run->engine);
    double n_prompt = (double)run->n_prompt, n_answer = (double)run->answer.n_ids;
    char seed[40] = "", restored[40] = "", guesses[80] = "", sent[160], text[160];
    char prefill[32], decode[32];

    ith_cli_sent_text(cli->world, sent, sizeof sent);
    if (strncmp(info->distribution, "replicated", 10) != 0)
        ith_cli_say(cli, "%s", info->distribution);
    if (info->shares != NULL) {
        json_t *shares = ith_json_numbers(info->shares, info->ranks);
        ith_cli_say(cli, "shares of tokens and rows: %s",
                    ith_cli_shares_text(shares, text, sizeof text));
        json_decref(shares);
    }
    if (run->sampling.temperature > 0 && run->sampling.seed != 0)
        snprintf(seed, sizeof seed, ", seed %llu", (unsigned long long)run->sampling.seed);
    if (ith_session_restored(run->session) > 0)
        snprintf(restored, sizeof restored, ", %lld from disk",
                 (long long)ith_session_restored(run->session));
    if (run->answer.n_drafted > 0)
        snprintf(guesses, sizeof guesses, ", %lld of %lld guesses right",
                 (long long)run->answer.n_accepted, (long long)run->answer.n_drafted);
    ith_cli_say(cli,
                "prompt %.0f tokens in %s (%.1f/s%s), answer %.0f tokens in %s (%.1f/s)%s, "
                "%d x %d threads, mesh %s, %s%s%s",
                n_prompt, time_text(run->prefill_s, prefill), n_prompt / fmax(run->prefill_s, 1e-9),
                restored, n_answer, time_text(run->decode_s, decode),
                n_answer / fmax(run->decode_s, 1e-9), guesses, info->ranks, info->threads,
                info->mesh, info->simd, seed, sent);
}

/* Rank 0, after an answer, complete or not. */
static int report(const ith_cli *cli, const ith_run_args *args, run_state *run)
{
    int code = ITH_EXIT_DONE;

    if (run->write_errno != 0)
        return ith_cli_write_failure(cli, run->write_errno);
    if (args->model.output.json)
        code = print_json(cli, args, run);
    else if (run->last_shown != 0 && run->last_shown != '\n')
        ith_cli_write("\n", 1); /* main reports a failed write */
    if (!args->model.output.json && !args->model.output.quiet)
        print_timings(cli, run);
    if (!args->model.output.json && args->profile) {
        json_t *profile = ith_cli_profile(run->session);
        ith_cli_print_profile(cli, profile);
        json_decref(profile);
    }
    if (run->where != NULL && !args->model.output.json)
        ith_cli_print_where(run->where);
    return ith_stop_signal() != 0 ? ITH_EXIT_SIGNAL + ith_stop_signal() : code;
}

typedef enum run_end { RUN_FAILED, RUN_DONE, RUN_STOPPED } run_end;

/* How the run ended, as rank 0 sees it. RUN_DONE: the answer has reached its reader. */
static run_end how_it_ended(const ith_cli *cli, const run_state *run, ith_status status)
{
    int32_t end = RUN_FAILED;

    if (status == ITH_E_CANCELLED)
        return RUN_STOPPED;
    if (status != ITH_OK)
        return RUN_FAILED;
    if (run->write_errno == 0 && run->answer.finish == ITH_FINISH_CANCELLED)
        end = RUN_STOPPED;
    else if (fflush(stdout) == 0 && !ferror(stdout) && run->write_errno == 0)
        end = RUN_DONE;
    ith_world_bcast(cli->world, &end, sizeof end);
    return (run_end)end;
}

/* What happens to the checkpoint, and the exit code. Collective. */
static int end_checkpoint(const ith_cli *cli, const ith_run_args *args, run_state *run,
                          ith_status status, int code)
{
    ith_error err = {0};
    run_end end;

    if (args->keep.checkpoint == NULL)
        return code;
    end = how_it_ended(cli, run, status);
    if (end == RUN_STOPPED)
        return ith_keep_args_stop(cli, &args->keep, run->session, code);
    if (end == RUN_DONE && ith_session_remove_checkpoint(run->session, &err) != ITH_OK)
        ith_cli_warning(cli, "checkpoint: %s", err.text);
    return code;
}

static int run_main(const ith_cli *cli, int argc, char **argv)
{
    ith_run_args args;
    run_state run = {0};
    ith_engine_params params;
    ith_error err = {0};
    ith_status status;
    int code = ith_run_args_parse(cli, &ith_command_run, argc, argv, &args, &params);

    if (code != ITH_ARGS_OK)
        return code;
    run.stream = !args.model.output.json;
    ith_watch_engine(&run.watch, cli, args.model.output.quiet, &params);
    status = work(cli, &args, &params, &run, &err);
    ith_watch_end(&run.watch);
    if (status == ITH_OK ||
        (status == ITH_E_CANCELLED && run.answer.finish == ITH_FINISH_CANCELLED))
        code = cli->rank == 0 ? report(cli, &args, &run) : ITH_EXIT_DONE;
    else
        code = ith_cli_failure(cli, status, &err);
    json_decref(run.where);
    code = end_checkpoint(cli, &args, &run, status, code);
    ith_generation_free(&run.answer);
    ith_session_close(run.session);
    ith_grammar_close(run.grammar);
    ith_engine_close(run.engine);
    ith_drafting_close(&run.drafting);
    ith_prompt_free(&run.prompt);
    free(run.ids.data);
    free(run.forced.data);
    return code;
}

const ith_command ith_command_run = {
    .name = "run",
    .summary = "answer a prompt",
    .synopsis = "run MODEL -p TEXT [OPTION]...\n"
                "run MODEL -f FILE [-p QUESTION] [OPTION]...\n"
                "run MODEL --messages FILE [-p QUESTION] [OPTION]...\n"
                "run MODEL --ids FILE [OPTION]...",
    .description = "Answers a prompt. The answer goes to stdout as it is generated, everything "
                   "else to stderr.",
    .examples = "ithaca run Qwen3-8B -p \"What is the capital of France?\"\n"
                "mpirun -n 4 ithaca run Qwen3-8B -f book.txt -p \"Who narrates?\" -n 400\n"
                "ithaca run Qwen3-8B -f book.txt -p \"Who narrates?\" --prompt-cache ~/kv\n"
                "ithaca run Qwen3-8B --tools tools.json -p \"Weather?\" --thinking off\n"
                "ithaca run Qwen3-8B -f invoice.txt -p \"Items?\" --json-schema items.json\n"
                "ithaca run model.gguf --raw -p \"Once upon a time\" --temp 0.8 --seed 7\n",
    .groups = ith_run_groups,
    .operand = "model",
    .collective = true,
    .run = run_main,
};
