#include "cli/command.h"

#include "base/character.h"
#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ith_cli_say(const ith_cli *cli, const char *format, ...)
{
    char text[1200];
    va_list args;

    if (cli->rank != 0)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "ithaca: %s\n", text);
}

void ith_cli_advise(const ith_cli *cli, const ith_engine *engine, bool quiet)
{
    const char *advice = ith_engine_get_info(engine)->advice;
    if (!quiet && advice[0] != 0)
        ith_cli_say(cli, "note: %s", advice);
}

void ith_cli_check_length(const ith_cli *cli, const ith_engine *engine, int64_t n, bool quiet)
{
    int64_t trained = ith_engine_get_info(engine)->ctx_train;

    if (!quiet && n > trained)
        ith_cli_say(cli,
                    "note: %lld tokens are more than the %lld that the model was trained for; past those its answers "
                    "are worth little (--rope-scaling yarn:%lld:%lld stretches its positions)",
                    (long long)n, (long long)trained, (long long)((n + trained - 1) / trained), (long long)trained);
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
    ith_cli_say(cli, "%s", err->text);
    return ITH_EXIT_FAILED;
}

bool ith_cli_write(const char *text, size_t len)
{
    return fwrite(text, 1, len, stdout) == len && fflush(stdout) == 0;
}

int ith_cli_write_json(const ith_cli *cli, json_t *value)
{
    char *text = value != NULL ? ith_json_text(value, false) : NULL;
    int code = ITH_EXIT_DONE;

    if (text == NULL) {
        ith_cli_say(cli, "no memory for the result's JSON text");
        code = ITH_EXIT_FAILED;
    } else {
        printf("%s\n", text); /* main reports a failed write */
    }
    free(text);
    json_decref(value);
    return code;
}

json_t *ith_cli_json_text(const char *text, size_t len)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *clean = malloc(3 * len + 1); /* each byte at worst its own replacement */
    size_t used = 0;
    json_t *value;

    if (clean == NULL)
        return NULL;
    for (size_t i = 0; i < len;) {
        size_t n = ith_utf8_bytes(text + i, len - i);
        memcpy(clean + used, n > 0 ? text + i : replacement, n > 0 ? n : 3);
        used += n > 0 ? n : 3;
        i += n > 0 ? n : 1;
    }
    value = json_stringn(clean, used);
    free(clean);
    return value;
}
