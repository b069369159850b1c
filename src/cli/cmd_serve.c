/* cmd_serve.c - serves a model over HTTP. */
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/keep_options.h"
#include "cli/signals.h"
#include "cli/speculation.h"
#include "serve/serve.h"

#include <stdio.h>
#include <string.h>

typedef struct serve_args {
    ith_model_args model;
    ith_keep_args keep;
    ith_speculation_args speculation;
    const char *host, *key_file, *allow_host;
    int64_t port, sessions, waiting, connections, body_bytes, timeout_s;
    int log;
} serve_args;

static const ith_word log_words[] = {
    {"none", ITH_SERVER_LOG_NONE, "no lines"},
    {"text", ITH_SERVER_LOG_TEXT, "for people and for grep"},
    {"json", ITH_SERVER_LOG_JSON, "one object per line"},
    {.name = NULL},
};

static const ith_option options[] = {
    {.name = "host",
     .kind = ITH_OPTION_TEXT,
     .metavar = "HOST",
     .at = offsetof(serve_args, host),
     .preset = "127.0.0.1",
     .help = "address to listen on",
     .more =
         "0.0.0.0 or :: means all addresses of the machine. HTTP is not encrypted: use a tunnel "
         "from other machines."},
    {.name = "port",
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(serve_args, port),
     .min = 0,
     .max = 65535,
     .preset = "8080",
     .help = "port to listen on",
     .more = "0 picks a free port; the line `listening on` shows it."},
    {.name = "api-key-file",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(serve_args, key_file),
     .otherwise = "anyone who can reach the port may use it",
     .help = "file with the key that clients must send"},
    {.name = "allow-host",
     .kind = ITH_OPTION_TEXT,
     .metavar = "NAME",
     .at = offsetof(serve_args, allow_host),
     .otherwise = "only addresses, localhost, the machine's name and that of --host",
     .help = "another name by which the server may be reached without a key",
     .more = "As that of a proxy before it. Requests that name any other host are refused, because "
             "a web page may have led a browser there."},
    {.name = "max-sessions",
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(serve_args, sessions),
     .min = 1,
     .max = ITH_STEP_MOST,
     .preset = "16",
     .help = "prompts in flight at a time",
     .more = "Fewer if memory is short. Answers do not depend on it."},
    {.name = "max-waiting",
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(serve_args, waiting),
     .min = 1,
     .max = 1e6,
     .preset = "1024",
     .help = "length of the queue; further prompts are refused"},
    {.name = "max-connections",
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(serve_args, connections),
     .min = 1,
     .max = 10000,
     .preset = "256",
     .help = "open connections; beyond that idle ones are closed, then new ones"},
    {.name = "max-body",
     .kind = ITH_OPTION_BYTES,
     .metavar = "SIZE",
     .at = offsetof(serve_args, body_bytes),
     .min = 1024,
     .max = 1e12,
     .otherwise = "16 bytes per token of the context, at least 4 MiB",
     .help = "size limit of a request body"},
    {.name = "timeout",
     .kind = ITH_OPTION_INT,
     .metavar = "SECONDS",
     .at = offsetof(serve_args, timeout_s),
     .min = 1,
     .max = 86400,
     .preset = "60",
     .help = "time for a request to arrive, and for a client to read"},
    {.name = "log-format",
     .kind = ITH_OPTION_WORD,
     .words = log_words,
     .at = offsetof(serve_args, log),
     .preset = "none",
     .help = "write a line on stderr for each finished request",
     .more = "It has times, tokens and the client's address, but no prompts and no answers."},
    {.name = NULL},
};

static const ith_option_group group = {"Server", options};

static const ith_group_use groups[] = {
    {&ith_group_model, offsetof(serve_args, model.model)},
    {&group, 0},
    {&ith_group_lookup, offsetof(serve_args, speculation)},
    {&ith_group_prompt_cache, offsetof(serve_args, keep)},
    ITH_ENGINE_GROUPS(serve_args, model),
    {&ith_group_quiet, offsetof(serve_args, model.output)},
    {NULL, 0},
};

typedef struct serve_state {
    const ith_cli *cli;
    const serve_args *args;
    ith_watch watch;
    ith_text key;
    ith_server *server;
    ith_engine *engine;
} serve_state;

/* Rank 0. One line, which is not empty. */
static ith_status read_key(serve_state *s, ith_error *err)
{
    const char *path = s->args->key_file;

    if (path == NULL)
        return ITH_OK;
    ITH_TRY(ith_read_text(path, &s->key, err));
    for (const char *end = "\n\r"; *end != 0; end++)
        if (s->key.len > 0 && s->key.data[s->key.len - 1] == *end)
            s->key.data[--s->key.len] = 0;
    if (s->key.len == 0 || strpbrk(s->key.data, "\r\n ") != NULL ||
        strlen(s->key.data) != s->key.len)
        return ith_fail(err, ITH_E_FORMAT, "%s: expected one line with a key, without spaces",
                        path);
    return ITH_OK;
}

static bool goes_on(void *user)
{
    (void)user;
    return ith_stop_signal() == 0;
}

/* Threads may write at the same time: a line at once. */
static void write_log(const char *line)
{
    fprintf(stderr, "%s\n", line);
}

static void say_where(const ith_cli *cli, const ith_server *server)
{
    ith_cli_say(cli, "listening on %s", ith_server_address(server));
    if (ith_server_is_open(server))
        ith_cli_warning(cli, "anyone who can reach this machine may use the server; "
                             "--api-key-file FILE requires a key");
}

static ith_status serve(serve_state *s, const ith_engine_params *params, ith_error *err)
{
    const serve_args *args = s->args;
    const ith_cli *cli = s->cli;
    const ith_keep_params keep = {.cache = args->keep.cache,
                                  .cache_bytes = args->keep.cache_bytes,
                                  .warn = ith_watch_warning,
                                  .user = &s->watch};
    ith_server_params how = {.host = args->host,
                             .allow_host = args->allow_host,
                             .port = (int)args->port,
                             .sessions = (int)args->sessions,
                             .waiting = (int)args->waiting,
                             .connections = (int)args->connections,
                             .body_bytes = args->body_bytes,
                             .timeout_s = (int)args->timeout_s,
                             .max_draft = args->speculation.max,
                             .log = (ith_server_log)args->log,
                             .write_log = write_log,
                             .keep = keep.cache != NULL ? &keep : NULL,
                             .goes_on = goes_on};

    ITH_TRY(ith_cli_agree(cli, cli->rank == 0 ? read_key(s, err) : ITH_OK));
    how.key = s->key.data;
    ITH_TRY(ith_server_open(cli->world, &how, &s->server, err));
    if (cli->rank == 0)
        say_where(cli, s->server);
    ITH_TRY(ith_engine_open(cli->world, params, &s->engine, err));
    ith_watch_end(&s->watch);
    ith_cli_advise(cli, s->engine, s->watch.quiet);
    s->watch.quiet = true; /* nobody watches the chunks of requests */
    return ith_server_run(s->server, s->engine, err);
}

static int serve_main(const ith_cli *cli, int argc, char **argv)
{
    serve_args args = {.model = ith_model_args_default()};
    serve_state s = {.cli = cli, .args = &args};
    ith_engine_params params;
    ith_error err = {0};
    ith_status status;
    int code = ith_args_parse(cli, &ith_command_serve, &args, argc, argv);

    if (code == ITH_ARGS_OK)
        code = ith_model_args_check(cli, argv[0], &args.model, &params);
    if (code == ITH_ARGS_OK)
        code = ith_keep_args_check(cli, argv[0], &args.keep, &args.model);
    if (code == ITH_ARGS_OK)
        code = ith_lookup_args_check(cli, argv[0], &args.speculation, params.exact);
    if (code != ITH_ARGS_OK)
        return code;
    ith_stop_patiently(); /* a step of a large model takes long */
    ith_watch_engine(&s.watch, cli, args.model.output.quiet, &params);
    status = serve(&s, &params, &err);
    ith_watch_end(&s.watch);
    code = status == ITH_OK ? ITH_EXIT_DONE : ith_cli_failure(cli, status, &err);
    ith_server_close(s.server);
    ith_engine_close(s.engine);
    ith_text_free(&s.key);
    return code;
}

const ith_command ith_command_serve = {
    .name = "serve",
    .summary = "answer HTTP requests, with OpenAI's interface",
    .synopsis = "serve MODEL [OPTION]...",
    .description =
        "Answers /v1/completions and /v1/chat/completions as OpenAI's interface does, many at a "
        "time, on one rank or many; rank 0 listens. An answer is the same alone or beside others. "
        "/health returns 200 once the model is loaded; /v1/models names it.\n\n"
        "SIGTERM shuts the server down: it finishes the answers in flight and refuses prompts that "
        "wait.",
    .examples = "ithaca serve Qwen3-8B\n"
                "mpirun -n 4 ithaca serve Qwen3-8B --port 8000 --api-key-file key\n",
    .groups = groups,
    .operand = "model",
    .collective = true,
    .run = serve_main,
};
