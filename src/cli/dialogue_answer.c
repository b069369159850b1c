/* dialogue_answer.c - computes a chat as far as it goes, and shows an answer while it is chosen. */
#include "cli/dialogue.h"

#include "base/character.h"
#include "base/progress.h"
#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Showing ---- */

/* Bytes up to a line end or tab, or up to `most`, between characters. */
static size_t count_plain(const char *text, size_t len, size_t most)
{
    size_t n = 0;

    while (n < len && n < most && text[n] != '\n' && text[n] != '\t')
        n++;
    while (n > 1 && n < len && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* What a terminal may obey is not for an answer to say; line ends and tabs are. */
static bool show_clean(const char *text, size_t len)
{
    char shown[256];

    while (len > 0) {
        size_t n = count_plain(text, len, sizeof shown - 1);
        ith_clean_text(text, n, shown, sizeof shown);
        if (fputs(shown, stdout) == EOF || (n == 0 && fputc(text[0], stdout) == EOF))
            return false;
        n += n == 0;
        text += n;
        len -= n;
    }
    return fflush(stdout) == 0;
}

/* An ith_text_fn. */
static bool on_text(void *user, const char *text, size_t len)
{
    ith_dialogue *d = user;
    bool good = true;

    if (len > 0) {
        good = d->interactive ? show_clean(text, len) : ith_cli_write(text, len);
        d->write_errno = good ? 0 : errno;
        d->last_shown = text[len - 1];
    }
    return good && ith_stop_signal() == 0;
}

static void end_line(ith_dialogue *d)
{
    if (d->last_shown != 0 && d->last_shown != '\n')
        ith_cli_write("\n", 1);
    d->last_shown = 0;
}

static void say_answer(const ith_dialogue *d, const ith_generation *answer, double seconds)
{
    long long used = (long long)d->timeline->n_tokens,
              ctx = (long long)ith_engine_get_info(d->timeline->engine)->ctx;

    if (d->quiet)
        return;
    if (answer->finish == ITH_FINISH_LENGTH)
        ith_cli_note(d->cli, "the answer was cut off: %s",
                     used + 1 >= ctx ? "the context is full" : "it is as long as -n allows");
    if (d->interactive)
        ith_cli_say(d->cli, "%s%zu token%s, %.1f/s; %lld of %lld tokens of context used",
                    answer->finish == ITH_FINISH_CANCELLED ? "stopped after " : "", answer->n_ids,
                    answer->n_ids == 1 ? "" : "s",
                    (double)answer->n_ids / (seconds > 1e-9 ? seconds : 1e-9), used, ctx);
}

/* ---- Turns ---- */

bool ith_dialogue_must_end(const ith_dialogue *d)
{
    int sig = ith_stop_signal();

    if (sig != SIGINT || !d->interactive)
        return sig != 0;
    ith_stop_forget();
    return false;
}

ith_status ith_dialogue_settle(ith_dialogue *d, ith_status status, const ith_error *err)
{
    if (status == ITH_OK || d->timeline->broken || d->write_errno != 0)
        return status;
    if (status == ITH_E_CANCELLED)
        return ith_dialogue_must_end(d) ? status : ITH_OK;
    ith_cli_error(d->cli, "%s", err->text);
    d->failed = true;
    return ITH_OK;
}

static ith_status make_ids(ith_dialogue *d, bool answer, ith_ids *ids, ith_error *err)
{
    bool plain = false;

    ITH_TRY(ith_conversation_ids(&d->conversation, ith_engine_vocab(d->timeline->engine), answer,
                                 ids, &plain, err));
    if (plain && !d->noted && !d->quiet)
        ith_cli_note(d->cli, ITH_NOTE_PLAIN_MARKERS);
    d->noted |= plain;
    return ITH_OK;
}

ith_status ith_dialogue_compute(ith_dialogue *d, ith_error *err)
{
    size_t n = ith_conversation_length(&d->conversation);
    ith_ids ids = {0};
    ith_status status = ITH_OK;

    if (d->loaded.len > 0)
        ITH_TRY(ith_conversation_add(&d->conversation, "user", d->loaded.data, d->loaded.len, err));
    if (ith_conversation_length(&d->conversation) > 0)
        status = make_ids(d, false, &ids, err);
    if (status == ITH_OK && ids.n > 0)
        status = ith_timeline_compute(d->timeline, &ids, err);
    ith_conversation_cut(&d->conversation, n);
    free(ids.data);
    return status;
}

/* Each answer has a seed of its own, which follows from its place in the conversation: a
 * conversation that is resumed goes on as if it had not been left. */
static ith_generate_params how(ith_dialogue *d)
{
    ith_generate_params params = ith_generate_params_default(d->timeline->engine);

    params.max_tokens = d->max_tokens;
    params.sampling = d->sampling;
    params.sampling.seed += ith_conversation_length(&d->conversation) + 1000 * (uint64_t)d->retries;
    params.on_text = on_text;
    params.user = d;
    return params;
}

/* Keeps what was said, if it was a word at least. */
static ith_status keep_answer(ith_dialogue *d, ith_status status, const ith_generation *answer,
                              ith_error *err)
{
    bool stopped = status == ITH_OK && answer->finish == ITH_FINISH_CANCELLED;

    if (status == ITH_OK && (!stopped || answer->text_len > 0))
        status =
            ith_conversation_add(&d->conversation, "assistant",
                                 answer->text != NULL ? answer->text : "", answer->text_len, err);
    if (d->write_errno != 0)
        return ith_fail(err, ITH_E_IO, "standard output: %s", strerror(d->write_errno));
    return stopped && status == ITH_OK ? ith_fail(err, ITH_E_CANCELLED, "stopped") : status;
}

ith_status ith_dialogue_answer(ith_dialogue *d, ith_error *err)
{
    ith_generate_params params = how(d);
    ith_generation answer = {0};
    double start_s = 0;
    ith_ids ids = {0};
    ith_status status = make_ids(d, true, &ids, err);

    d->last_shown = 0;
    if (status == ITH_OK) {
        start_s = ith_now_s();
        status = ith_timeline_answer(d->timeline, &ids, &params, &answer, err);
    }
    end_line(d);
    if (status == ITH_OK && answer.n_ids > 0)
        say_answer(d, &answer, ith_now_s() - start_s);
    status = keep_answer(d, status, &answer, err);
    ith_generation_free(&answer);
    free(ids.data);
    return status;
}

void ith_dialogue_say_stopped(const ith_dialogue *d, ith_status status, const char *what)
{
    if (status == ITH_E_CANCELLED && !d->quiet)
        ith_cli_say(d->cli, "stopped; %s", what);
}
