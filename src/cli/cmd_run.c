/* cmd_run.c - one prompt, one answer. */
#include "cli/keep_args.h"
#include "cli/profile_table.h"
#include "cli/prompt.h"
#include "cli/sent.h"
#include "cli/shares_text.h"
#include "cli/signals.h"
#include "cli/speculation.h"
#include "cli/watch.h"
#include "cli/where.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const ith_manual manual = {
    "ithaca run -m MODEL (-p TEXT | -f FILE | -f FILE -p QUESTION | --ids FILE) [OPTION]...\n"
    "mpirun -n RANKS ithaca run ...",
    "Answers a prompt. The answer goes to stdout as it comes, everything else to stderr.",
    "  ithaca run -m Qwen3-8B -p \"What is the capital of France?\"\n"
    "  mpirun -n 4 ithaca run -m Qwen3-8B -f book.txt -p \"Who is the narrator?\" -n 400\n"
    "  ithaca run -m model.gguf --raw -p \"Once upon a time\" --temp 0.8 --seed 7 --stop \"The end\"\n",
};

enum { DEFAULT_TOKENS = 256 };

typedef struct run_args {
    ith_model_args model;
    ith_prompt_args prompt;
    ith_keep_args keep;
    int64_t max_tokens, top_k, repeat_window, seed; /* -1: not given */
    double temp, top_p, min_p, repeat_penalty;      /* NaN: not given */
    int thinking;                                   /* 0 on, 1 off, -1 the template's own */
    const char *answer_file;
    bool ignore_eos, profile, report_placement;
    ith_arg_list stop;
    ith_speculation_args speculation;
} run_args;

typedef struct run_state { /* what a run holds; the same on all ranks but for what rank 0 alone reads */
    ith_watch watch;
    ith_text text;
    ith_ids ids, forced; /* the prompt; the answer, if it is given */
    ith_engine *engine;
    ith_session *session;
    ith_drafting drafting;
    ith_generation answer;
    json_t *where; /* of --report-placement, on rank 0 */
    int64_t n_prompt, n_forced;
    uint64_t seed;
    double prefill_s, decode_s;
    bool stream;     /* show text as it comes */
    char last_shown; /* 0: nothing yet */
    int write_errno; /* stdout failed */
} run_state;

static int parse(const ith_cli *cli, int argc, char **argv, run_args *args, ith_engine_params *params)
{
    ith_arg table[ITH_ARGS_MAX] = {
        {"prompt", 'p', ITH_ARG_TEXT, "TEXT", "the prompt; with -f the question after the file", &args->prompt.text, 0,
         0},
        {"file", 'f', ITH_ARG_TEXT, "FILE", "a text that is the prompt or stands before it; - is standard input",
         &args->prompt.file, 0, 0},
        {"ids", 0, ITH_ARG_TEXT, "FILE", "token ids instead of text (implies --raw)", &args->prompt.ids_file, 0, 0},
        {"raw", 0, ITH_ARG_FLAG, NULL, "no chat template: the text is the whole prompt, markers in it are tokens",
         &args->prompt.raw, 0, 0},
        {"system", 0, ITH_ARG_TEXT, "TEXT", "a system message before the prompt", &args->prompt.system, 0, 0},
        {"thinking", 0, ITH_ARG_CHOICE, "on|off", "whether the model thinks first, where its template knows (Qwen3)",
         &args->thinking, 0, 0},
        {"parse-special", 0, ITH_ARG_FLAG, NULL, "markers in the text become tokens, under a template too",
         &args->prompt.parse_special, 0, 0},
        {"max-tokens", 'n', ITH_ARG_INT, "N", "at most N tokens of answer (default 256; --answer-ids: all of the file)", &args->max_tokens, 0, 1e9},
        {"temp", 0, ITH_ARG_REAL, "X", "temperature; 0: always the likeliest token (default, here and in the next four: the model's own, else off)",
         &args->temp, 0, 100},
        {"top-k", 0, ITH_ARG_INT, "K", "choose among the K likeliest; 0: off", &args->top_k, 0, 1e9},
        {"top-p", 0, ITH_ARG_REAL, "X", "choose among the likeliest that make up probability X; 1: off", &args->top_p,
         0, 1},
        {"min-p", 0, ITH_ARG_REAL, "X", "leave out what is less than X times as likely as the best; 0: off",
         &args->min_p, 0, 1},
        {"repeat-penalty", 0, ITH_ARG_REAL, "X", "make recent tokens less likely; 1: off", &args->repeat_penalty, 0.01,
         100},
        {"repeat-window", 0, ITH_ARG_INT, "N", "how many tokens count as recent (default 64)", &args->repeat_window,
         0, 1e9},
        {"seed", 's', ITH_ARG_INT, "N", "the same seed gives the same answer, on any number of ranks (default: a new one)",
         &args->seed, 0, 9e15},
        {"stop", 0, ITH_ARG_LIST, "TEXT", "end the answer before this text; may be given again", &args->stop, 0, 0},
        {"answer-ids", 0, ITH_ARG_TEXT, "FILE", "answer with these token ids, at most -n of them, choosing nothing: to time guesses on any text",
         &args->answer_file, 0, 0},
        {"ignore-eos", 0, ITH_ARG_FLAG, NULL, "go on when the model would end its answer", &args->ignore_eos, 0, 0},
        {"profile", 0, ITH_ARG_FLAG, NULL, "show where the time of prefill and decode went (with --json: by layers)",
         &args->profile, 0, 0},
        {"speculate", 0, ITH_ARG_TEXT, "off|lookup[:K]|draft[:K]",
         "guess up to K tokens ahead: the same text sooner (default lookup:15: from the prompt and the answer)",
         &args->speculation.how, 0, 0},
        {"draft", 0, ITH_ARG_TEXT, "MODEL", "guess with this smaller model of the same vocabulary (draft:5)",
         &args->speculation.model, 0, 0},
        {"report-placement", 0, ITH_ARG_FLAG, NULL,
         "at the end, show on which memory nodes (NUMA) weights and cache lie, and where they should",
         &args->report_placement, 0, 0},
    };
    size_t n = 0;
    int code;

    while (table[n].name != NULL)
        n++;
    ith_keep_args_append(&args->keep, table, &n);
    ith_model_args_append(&args->model, table, &n);
    code = ith_args_parse(cli, &manual, table, n, argc, argv);
    if (code != ITH_ARGS_OK)
        return code;
    if (args->prompt.ids_file != NULL && (args->prompt.text != NULL || args->prompt.file != NULL))
        return ith_args_wrong(cli, argv[0], "--ids is the whole prompt; leave -p and -f out");
    if (args->prompt.ids_file == NULL && args->prompt.text == NULL && args->prompt.file == NULL)
        return ith_args_wrong(cli, argv[0], "a prompt is missing: -p TEXT, -f FILE or --ids FILE");
    args->prompt.raw |= args->prompt.ids_file != NULL;
    if (args->prompt.raw && (args->prompt.system != NULL || args->thinking >= 0))
        return ith_args_wrong(cli, argv[0], "--raw and --ids have no chat template for --system and --thinking");
    for (size_t i = 0; i < args->stop.n; i++)
        if (args->stop.items[i][0] == 0)
            return ith_args_wrong(cli, argv[0], "--stop \"\" would end every answer");
    args->prompt.thinking = args->thinking < 0    ? ITH_THINKING_DEFAULT
                            : args->thinking == 0 ? ITH_THINKING_ON
                                                  : ITH_THINKING_OFF;
    code = ith_keep_args_check(cli, argv[0], &args->keep, &args->model);
    if (code != ITH_ARGS_OK)
        return code;
    if (args->model.exact && args->speculation.how == NULL && args->speculation.model == NULL)
        args->speculation.how = "off"; /* the bits of an exact pass depend on its length */
    code = ith_speculation_args_check(cli, argv[0], &args->speculation);
    return code != ITH_ARGS_OK ? code : ith_model_args_check(cli, argv[0], &args->model, params);
}

/* Rank 0: where text begins to be shown it is written at once, so that a stop leaves what was said. */
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

/* A seed that nobody gave is the checkpoint's; else it is drawn, and shown with the timings so that the answer can be had again. */
static ith_sampling choose_sampling(const run_args *args, const ith_engine *engine)
{
    ith_sampling s = ith_sampling_default(engine);

    if (!isnan(args->temp))
        s.temperature = (float)args->temp;
    if (args->top_k >= 0)
        s.top_k = (int)args->top_k;
    if (!isnan(args->top_p))
        s.top_p = (float)args->top_p;
    if (!isnan(args->min_p))
        s.min_p = (float)args->min_p;
    if (!isnan(args->repeat_penalty))
        s.repeat_penalty = (float)args->repeat_penalty;
    if (args->repeat_window >= 0)
        s.repeat_window = (int)args->repeat_window;
    if (args->seed >= 0)
        s.seed = (uint64_t)args->seed;
    else if (args->keep.checkpoint != NULL && ith_checkpoint_seed(args->keep.checkpoint, &s.seed))
        return s;
    else if (s.temperature <= 0 || getrandom(&s.seed, sizeof s.seed, 0) != sizeof s.seed)
        s.seed = 0;
    s.seed &= (UINT64_C(1) << 52) - 1; /* --seed takes it back */
    return s;
}

/* Rank 0's part between loading and prefill; the other ranks learn how it ended. */
static ith_status check_room(const run_state *run, ith_error *err)
{
    int64_t ctx = ith_engine_get_info(run->engine)->ctx;

    if (run->n_prompt <= ctx)
        return ITH_OK;
    return ith_fail(err, ITH_E_ARGUMENT,
                    "the prompt has %lld tokens, more than the context of %lld: ask for a larger one (--ctx) or give less text",
                    (long long)run->n_prompt, (long long)ctx);
}

static ith_status make_prompt(const ith_cli *cli, const run_args *args, run_state *run, ith_error *err)
{
    bool plain_markers = false;
    ith_status status = ITH_OK;

    if (cli->rank == 0)
        status =
            ith_prompt_ids(&args->prompt, ith_engine_vocab(run->engine), &run->text, &run->ids, &plain_markers, err);
    if (plain_markers && !run->watch.quiet)
        ith_cli_say(
            cli,
            "note: the text holds markers of the model's template; they are read as text (--parse-special: as tokens)");
    ith_text_free(&run->text);
    if (cli->rank == 0 && status == ITH_OK && args->answer_file != NULL)
        status = ith_read_ids(args->answer_file, &run->forced, err);
    run->n_prompt = (int64_t)run->ids.n;
    ith_world_bcast(cli->world, &run->n_prompt, sizeof run->n_prompt);
    run->n_forced = (int64_t)run->forced.n;
    ith_world_bcast(cli->world, &run->n_forced, sizeof run->n_forced);
    if (status == ITH_OK)
        status = check_room(run, err);
    if (status == ITH_OK)
        ith_cli_check_length(cli, run->engine, run->n_prompt, run->watch.quiet);
    return ith_cli_agree(cli, status);
}

static int64_t wanted_tokens(const run_args *args, const run_state *run)
{
    int64_t all = args->answer_file != NULL ? run->n_forced : DEFAULT_TOKENS;

    if (args->max_tokens < 0)
        return all;
    return args->answer_file != NULL && all < args->max_tokens ? all : args->max_tokens;
}

static ith_generate_params plan_answer(const ith_cli *cli, const run_args *args, run_state *run)
{
    int64_t ctx = ith_engine_get_info(run->engine)->ctx, room = ctx - run->n_prompt;
    int64_t wanted = wanted_tokens(args, run);
    ith_generate_params params = {.max_tokens = wanted < room ? wanted : room,
                                  .max_draft = args->speculation.max,
                                  .draft = run->drafting.session,
                                  .ignore_eos = args->ignore_eos || args->answer_file != NULL,
                                  .answer = run->forced.data,
                                  .sampling = choose_sampling(args, run->engine),
                                  .stop = args->stop.items,
                                  .n_stop = args->stop.n,
                                  .on_text = on_text,
                                  .user = run};

    if (params.max_tokens < wanted && !run->watch.quiet)
        ith_cli_say(cli, "note: the context of %lld tokens leaves room for %lld of the answer", (long long)ctx,
                    (long long)params.max_tokens);
    run->seed = params.sampling.temperature > 0 ? params.sampling.seed : 0;
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

static ith_status work(const ith_cli *cli, const run_args *args, const ith_engine_params *params, run_state *run,
                       ith_error *err)
{
    ith_generate_params answer;
    double start_s;

    ITH_TRY(ith_cli_agree(cli, cli->rank == 0 ? ith_prompt_text(&args->prompt, &run->text, err) : ITH_OK));
    ITH_TRY(ith_drafting_open(cli, &args->speculation, params, &run->drafting, err));
    ITH_TRY(ith_engine_open(cli->world, params, &run->engine, err));
    ITH_TRY(ith_drafting_check(&run->drafting, run->engine, err));
    ith_cli_advise(cli, run->engine, run->watch.quiet);
    ITH_TRY(make_prompt(cli, args, run, err));
    ITH_TRY(ith_session_open(run->engine, &run->session, err));
    if (args->profile)
        ITH_TRY(ith_session_profile_start(run->session, err));
    answer = plan_answer(cli, args, run);
    ITH_TRY(ith_keep_args_open(cli, &args->keep, run->session, run->ids.data, run->ids.n, &answer, err));
    start_s = ith_now_s();
    ITH_TRY(ith_session_prefill(run->session, run->ids.data, run->ids.n, err));
    if (run->drafting.session != NULL)
        ITH_TRY(ith_session_prefill(run->drafting.session, run->ids.data, run->ids.n, err));
    run->prefill_s = ith_now_s() - start_s;
    ith_watch_end(&run->watch);
    ITH_TRY(generate(run, &answer, err));
    return args->report_placement ? ith_cli_where(run->session, &run->where, err) : ITH_OK;
}

static const char *finish_name(ith_finish finish)
{
    return finish == ITH_FINISH_STOP ? "stop" : finish == ITH_FINISH_CANCELLED ? "cancelled" : "length";
}

static int print_json(const ith_cli *cli, const run_args *args, const run_state *run)
{
    const ith_engine_info *info = ith_engine_get_info(run->engine);
    json_t *ids = json_array();
    char sha256[65];

    for (size_t i = 0; i < run->answer.n_ids; i++)
        json_array_append_new(ids, json_integer(run->answer.ids[i]));
    ith_session_logits_sha256(run->session, sha256);
    json_t *result =
        json_pack("{s:I, s:I, s:o, s:o, s:s, s:f, s:f, s:o, s:i, s:i, s:s, s:o, s:s, s:s, s:s, s:o}", "prompt_tokens",
                  (json_int_t)run->n_prompt, "restored_tokens", (json_int_t)ith_session_restored(run->session), "ids",
                  ids, "text", ith_cli_json_text(run->answer.text, run->answer.text_len), "finish",
                  finish_name(run->answer.finish), "prefill_s", run->prefill_s, "decode_s", run->decode_s,
                  "speculation", ith_speculation_json(&args->speculation, &run->answer), "ranks", info->ranks,
                  "threads", info->threads, "mesh", info->mesh, "shares", ith_json_numbers(info->shares, info->ranks), "simd", info->simd,
                  "placement", info->distribution, "logits_sha256", sha256, "sent", ith_cli_sent_json(cli->world));
    if (args->profile)
        json_object_set_new(result, "profile", ith_cli_profile(run->session));
    if (run->where != NULL)
        json_object_set(result, "memory", run->where);
    return ith_cli_write_json(cli, result);
}

static void print_timings(const ith_cli *cli, const run_state *run)
{
    const ith_engine_info *info = ith_engine_get_info(run->engine);
    double n_prompt = (double)run->n_prompt, n_answer = (double)run->answer.n_ids;
    char seed[40] = "", restored[40] = "", guesses[80] = "", sent[160], text[160];

    ith_cli_sent_text(cli->world, sent, sizeof sent);

    if (strncmp(info->distribution, "replicated", 10) != 0)
        ith_cli_say(cli, "%s", info->distribution);
    if (info->shares != NULL) {
        json_t *shares = ith_json_numbers(info->shares, info->ranks);
        ith_cli_say(cli, "shares of tokens and rows: %s", ith_cli_shares_text(shares, text, sizeof text));
        json_decref(shares);
    }
    if (run->seed != 0)
        snprintf(seed, sizeof seed, ", seed %llu", (unsigned long long)run->seed);
    if (ith_session_restored(run->session) > 0)
        snprintf(restored, sizeof restored, ", %lld read", (long long)ith_session_restored(run->session));
    if (run->answer.n_drafted > 0)
        snprintf(guesses, sizeof guesses, ", %lld of %lld guesses right", (long long)run->answer.n_accepted,
                 (long long)run->answer.n_drafted);
    ith_cli_say(
        cli,
        "prompt %.0f tokens in %.2f s (%.1f/s%s), answer %.0f tokens in %.2f s (%.1f/s)%s, %d x %d threads, mesh "
        "%s, %s%s%s",
        n_prompt, run->prefill_s, n_prompt / fmax(run->prefill_s, 1e-9), restored, n_answer, run->decode_s,
        n_answer / fmax(run->decode_s, 1e-9), guesses, info->ranks, info->threads, info->mesh, info->simd, seed, sent);
}

/* Rank 0, after an answer or a part of one. */
static int report(const ith_cli *cli, const run_args *args, run_state *run)
{
    int code = ITH_EXIT_DONE;

    if (run->write_errno != 0) {
        ith_cli_say(cli, "standard output: %s", strerror(run->write_errno));
        return ITH_EXIT_FAILED;
    }
    if (args->model.json)
        code = print_json(cli, args, run);
    else if (run->last_shown != 0 && run->last_shown != '\n')
        ith_cli_write("\n", 1); /* main reports a failed write */
    if (!args->model.json && !args->model.quiet)
        print_timings(cli, run);
    if (!args->model.json && args->profile) {
        json_t *profile = ith_cli_profile(run->session);
        ith_cli_print_profile(cli, profile);
        json_decref(profile);
    }
    if (run->where != NULL && !args->model.json)
        ith_cli_print_where(run->where);
    return ith_stop_signal() != 0 ? ITH_EXIT_SIGNAL + ith_stop_signal() : code;
}

typedef enum run_end { RUN_FAILED, RUN_DONE, RUN_STOPPED } run_end;

/* How it ended, by rank 0's word. Done: the answer has reached its reader. */
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
static int end_checkpoint(const ith_cli *cli, const run_args *args, run_state *run, ith_status status, int code)
{
    ith_error err = {0};
    run_end end;

    if (args->keep.checkpoint == NULL)
        return code;
    end = how_it_ended(cli, run, status);
    if (end == RUN_STOPPED)
        return ith_keep_args_stop(cli, &args->keep, run->session);
    if (end == RUN_DONE && ith_session_remove_checkpoint(run->session, &err) != ITH_OK)
        ith_cli_say(cli, "warning: checkpoint: %s", err.text);
    return code;
}

int ith_cmd_run(const ith_cli *cli, int argc, char **argv)
{
    run_args args = {.model = ith_model_args_default(),
                     .max_tokens = -1,
                     .top_k = -1,
                     .repeat_window = -1,
                     .seed = -1,
                     .temp = NAN,
                     .top_p = NAN,
                     .min_p = NAN,
                     .repeat_penalty = NAN,
                     .thinking = -1};
    run_state run = {0};
    ith_engine_params params;
    ith_error err = {0};
    ith_status status;
    int code = parse(cli, argc, argv, &args, &params);

    if (code != ITH_ARGS_OK)
        return code;
    run.stream = !args.model.json;
    ith_watch_engine(&run.watch, cli, args.model.quiet, &params);
    status = work(cli, &args, &params, &run, &err);
    ith_watch_end(&run.watch);
    if (status == ITH_OK || (status == ITH_E_CANCELLED && run.answer.finish == ITH_FINISH_CANCELLED))
        code = cli->rank == 0 ? report(cli, &args, &run) : ITH_EXIT_DONE;
    else
        code = ith_cli_failure(cli, status, &err);
    json_decref(run.where);
    code = end_checkpoint(cli, &args, &run, status, code);
    ith_generation_free(&run.answer);
    ith_session_close(run.session);
    ith_engine_close(run.engine);
    ith_drafting_close(&run.drafting);
    ith_text_free(&run.text);
    free(run.ids.data);
    free(run.forced.data);
    return code;
}
