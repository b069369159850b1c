/* command.c - messages and output. */
#include "cli/command.h"

#include "base/character.h"
#include "cli/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOLD_RED     "\033[1;31m"
#define BOLD_MAGENTA "\033[1;35m"
#define BOLD_CYAN    "\033[1;36m"
#define PLAIN        "\033[0m"

bool ith_cli_wants_colour(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(STDERR_FILENO) && (no_color == NULL || no_color[0] == 0) && term != NULL &&
           strcmp(term, "dumb") != 0;
}

static void say(const ith_cli *cli, const char *kind, const char *colour, const char *format,
                va_list args)
{
    bool coloured = cli->colour && kind[0] != 0;
    char text[1200];

    if (cli->rank != 0)
        return;
    vsnprintf(text, sizeof text, format, args);
    ith_clean_line(text);
    fprintf(stderr, "ithaca: %s%s%s%s\n", coloured ? colour : "", kind, coloured ? PLAIN : "",
            text);
}

void ith_cli_error(const ith_cli *cli, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(cli, "error: ", BOLD_RED, format, args);
    va_end(args);
}

void ith_cli_warning(const ith_cli *cli, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(cli, "warning: ", BOLD_MAGENTA, format, args);
    va_end(args);
}

void ith_cli_note(const ith_cli *cli, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(cli, "note: ", BOLD_CYAN, format, args);
    va_end(args);
}

void ith_cli_say(const ith_cli *cli, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(cli, "", "", format, args);
    va_end(args);
}

void ith_cli_notes(const ith_cli *cli, const char *lines)
{
    while (*lines != '\0') {
        int len = (int)strcspn(lines, "\n");
        ith_cli_note(cli, "%.*s", len, lines);
        lines += len + (lines[len] == '\n');
    }
}

void ith_cli_advise(const ith_cli *cli, const ith_engine *engine, bool quiet)
{
    const ith_engine_info *info = ith_engine_get_info(engine);

    if (quiet)
        return;
    ith_cli_notes(cli, ith_world_note(cli->world));
    ith_cli_notes(cli, info->notes);
    ith_cli_notes(cli, info->advice);
}

void ith_cli_check_length(const ith_cli *cli, const ith_engine *engine, int64_t n, bool quiet)
{
    int64_t trained = ith_engine_get_info(engine)->ctx_train;

    if (!quiet && n > trained)
        ith_cli_note(
            cli,
            "%lld tokens are more than the %lld that the model was trained for, and answers will "
            "be poor; --rope-scaling yarn:%lld:%lld scales its positions",
            (long long)n, (long long)trained, (long long)((n + trained - 1) / trained),
            (long long)trained);
}

ith_status ith_cli_agree(const ith_cli *cli, ith_status status)
{
    int32_t shared = (int32_t)status;

    ith_world_bcast(cli->world, &shared, sizeof shared);
    return (ith_status)shared;
}

int ith_cli_failure(const ith_cli *cli, ith_status status, const ith_error *err)
{
    int sig = ith_stop_signal();

    if (status == ITH_E_CANCELLED)
        return ITH_EXIT_SIGNAL + (sig != 0 ? sig : SIGINT);
    ith_cli_error(cli, "%s", err->text);
    return ITH_EXIT_FAILED;
}

bool ith_cli_write(const char *text, size_t len)
{
    return fwrite(text, 1, len, stdout) == len && fflush(stdout) == 0;
}

/* What write() would say, for a failure whose errno is lost in stdio. */
static bool reader_is_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

int ith_cli_write_failure(const ith_cli *cli, int write_errno)
{
    if (write_errno == EPIPE || (write_errno == 0 && reader_is_gone()))
        return ITH_EXIT_SIGNAL + SIGPIPE;
    ith_cli_error(cli, "standard output: %s",
                  write_errno != 0 ? strerror(write_errno) : "not everything could be written");
    return ITH_EXIT_FAILED;
}

int ith_cli_write_json(const ith_cli *cli, json_t *value)
{
    char *text = value != NULL ? ith_json_text(value, false) : NULL;
    int code = ITH_EXIT_DONE;

    if (text == NULL || ith_json_lost(0)) {
        ith_cli_error(cli, "no memory for the JSON text of the result");
        code = ITH_EXIT_FAILED;
    } else {
        printf("%s\n", text); /* main reports a failed write */
    }
    free(text);
    json_decref(value);
    return code;
}
