/* scoring.c - scores a text window by window. */
#include "cli/scoring.h"

#include "cli/signals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A last window that the text does not fill is left out. The first half of each only gives
 * context. */
static ith_status plan(ith_scoring *s, int64_t window, ith_error *err)
{
    int64_t n = s->n_tokens;

    if (n < 1)
        return ith_fail(err, ITH_E_ARGUMENT, "there is nothing to score: not one token");
    if (window > n)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the text has %lld tokens, which does not fill one window of %lld",
                        (long long)n, (long long)window);
    s->window = window > 0 ? window : n;
    s->first = window > 0 ? window / 2 : 0;
    s->n_tokens = n / s->window * s->window;
    s->watch->total = s->n_tokens;
    return ITH_OK;
}

/* Scores one window in a session of its own, which stays open as s->session. */
static ith_status score_window(ith_scoring *s, int64_t begin, float *nll, ith_error *err)
{
    const int32_t *ids = s->ids != NULL ? s->ids + begin : NULL;
    size_t n = ids != NULL ? (size_t)s->window : 0;
    int64_t counted = s->window - 1 - s->first;

    ith_session_close(s->session);
    s->session = NULL;
    s->watch->before = begin;
    ITH_TRY(ith_session_open(s->engine, &s->session, err));
    ITH_TRY(ith_session_score(s->session, ids, n, nll, err));
    if (ids != NULL && counted > 0)
        memcpy(s->nll + s->n_counted, nll + s->first, (size_t)counted * sizeof nll[0]);
    s->n_counted += counted;
    return ITH_OK;
}

static ith_status score_windows(ith_scoring *s, ith_error *err)
{
    double start_s = ith_now_s();
    float *nll = NULL;
    ith_status status = ITH_OK;

    if (s->cli->rank == 0) {
        nll = calloc((size_t)s->window, sizeof nll[0]);
        s->nll = calloc((size_t)s->n_tokens, sizeof nll[0]);
        if (nll == NULL || s->nll == NULL)
            status = ith_fail(err, ITH_E_MEMORY, "no memory for the scores of %lld tokens",
                              (long long)s->n_tokens);
    }
    status = ith_cli_agree(s->cli, status);
    for (int64_t begin = 0; status == ITH_OK && begin < s->n_tokens; begin += s->window) {
        status = ith_cli_agree(s->cli, ith_stop_signal() != 0 ? ITH_E_CANCELLED : ITH_OK);
        if (status == ITH_OK)
            status = score_window(s, begin, nll, err);
    }
    s->seconds = ith_now_s() - start_s;
    free(nll);
    return status;
}

/* Rank 0. */
static ith_status prepare(const ith_scoring *s, ith_corpus *corpus, ith_error *err)
{
    return corpus->ids.data != NULL ? ITH_OK : ith_corpus_tokenize(corpus, s->engine, err);
}

ith_status ith_scoring_run(ith_scoring *s, ith_corpus *corpus, int64_t window, ith_error *err)
{
    const ith_cli *cli = s->cli;

    ITH_TRY(ith_cli_agree(cli, cli->rank == 0 ? prepare(s, corpus, err) : ITH_OK));
    s->ids = corpus->ids.data;
    s->n_tokens = (int64_t)corpus->ids.n;
    ith_world_bcast(cli->world, &s->n_tokens, sizeof s->n_tokens);
    ITH_TRY(plan(s, window, err));
    if (window > 0)
        ITH_TRY(ith_cli_agree(cli, cli->rank == 0 ? ith_corpus_begin_windows(corpus, s->engine,
                                                                             (size_t)s->window, err)
                                                  : ITH_OK));
    ith_cli_check_length(cli, s->engine, s->window, s->watch->quiet);
    return score_windows(s, err);
}

double ith_scoring_mean(const ith_scoring *s)
{
    double sum = 0;

    for (int64_t i = 0; i < s->n_counted; i++)
        sum += s->nll[i];
    return s->n_counted > 0 ? sum / (double)s->n_counted : NAN;
}

void ith_scoring_close(ith_scoring *s)
{
    ith_session_close(s->session);
    free(s->nll);
    s->session = NULL;
    s->nll = NULL;
    s->n_counted = 0;
}
