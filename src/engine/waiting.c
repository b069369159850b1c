/* waiting.c - the list of prompts that wait. */
#include "engine/waiting.h"

#include <stdlib.h>
#include <string.h>

/* Fewer tokens are computed as fast. For recurrent states a pass of the leader must end behind the
 * common tokens, and another reads all weights again. */
enum { SHARED_FEWEST = ITH_KV_BLOCK, STOPPED_FEWEST = 4 * ITH_KV_BLOCK };

/* ---- Leaders ---- */

/* Is the rest of a prompt in flight computed by passes of its own? */
static bool is_long(const ith_many *m, const ith_flight *f)
{
    const ith_session *s = f->session;
    int64_t rest = f->begun ? s->pending : (int64_t)f->first - s->length;

    return m->engine->world->comm->size > 1 && rest > s->rows_tokens;
}

/* Does f, once it is in flight, go before `of`, which is long and not the first of these? */
static bool overtakes(const ith_many *m, const ith_flight *f, const ith_flight *of)
{
    if (!is_long(m, of) || (int64_t)f->first > of->session->rows_tokens)
        return false;
    for (int i = 0; i < m->n && m->flights[i] != of; i++)
        if (is_long(m, m->flights[i]))
            return true;
    return false;
}

/* Tokens that f can begin with, if `of` leads it. */
static int64_t alike(const ith_many *m, const ith_flight *f, const ith_flight *of)
{
    int64_t most = ith_min((int64_t)f->first - 1, (int64_t)f->prompt.n_ids), n = 0;

    most = ith_min(most, (int64_t)of->prompt.n_ids);
    if (of->prompt.each_token || overtakes(m, f, of))
        most = ith_min(most, of->session->length);
    while (n < most && f->prompt.ids[n] == of->prompt.ids[n])
        n++;
    return n;
}

/* Has `of` the state after its first n tokens, or will it? */
static bool comes_to(const ith_flight *of, int64_t n)
{
    return of->session->length < n || ith_session_shareable(of->session, n);
}

/* A prompt whose tokens are looked at one by one computes them all. */
static void try_leader(const ith_many *m, ith_flight *f, ith_flight *of)
{
    int64_t n, fewest = of->session->state->recurrent != NULL ? STOPPED_FEWEST : SHARED_FEWEST;

    if (!m->shares || f->prompt.each_token)
        return;
    n = alike(m, f, of);
    if (n < f->shared + fewest || !comes_to(of, n))
        return;
    f->leader = of;
    f->shared = n;
}

static void find_leader(const ith_many *m, ith_flight *f)
{
    f->leader = NULL;
    f->shared = 0;
    for (int i = 0; i < m->n; i++)
        try_leader(m, f, m->flights[i]);
}

void ith_waiting_lead(ith_many *m, ith_flight *flight)
{
    for (int i = 0; i < m->n_waiting; i++)
        try_leader(m, m->waiting[i], flight);
}

void ith_waiting_forget(ith_many *m, const ith_flight *flight)
{
    for (int i = 0; i < m->n_waiting; i++)
        if (m->waiting[i]->leader == flight)
            find_leader(m, m->waiting[i]);
}

bool ith_waiting_follows(const ith_many *m, const ith_flight *flight)
{
    for (int i = 0; i < m->n_waiting; i++) {
        const ith_flight *f = m->waiting[i];
        if (f->leader == flight && ith_session_shareable(flight->session, f->shared))
            return true;
    }
    return false;
}

void ith_waiting_stops(const ith_many *m, int64_t stops[ITH_STEP_MOST])
{
    for (int i = 0; i < m->n; i++) {
        const ith_session *s = m->flights[i]->session;
        stops[i] = 0;
        for (int k = 0; s->state->recurrent != NULL && k < m->n_waiting; k++) {
            const ith_flight *f = m->waiting[k];
            if (f->leader == m->flights[i] && f->shared > s->length &&
                (stops[i] == 0 || f->shared < stops[i]))
                stops[i] = f->shared;
        }
    }
}

/* Its leader's state after these tokens is there, or it has none. */
static bool is_ready(const ith_many *m, ith_flight *f)
{
    if (f->leader != NULL && !comes_to(f->leader, f->shared))
        find_leader(m, f);
    return f->leader == NULL || f->leader->session->length >= f->shared;
}

/* ---- The list ---- */

int ith_waiting_first(ith_many *m)
{
    if (m->full && m->n + m->n_left > 0)
        return -1;
    for (int i = 0; i < m->n_waiting; i++)
        if (is_ready(m, m->waiting[i]))
            return i;
    return -1;
}

ith_flight *ith_waiting_take(ith_many *m, int i)
{
    ith_flight *f = m->waiting[i];

    memmove(&m->waiting[i], &m->waiting[i + 1],
            (size_t)(--m->n_waiting - i) * sizeof m->waiting[0]);
    return f;
}

void ith_waiting_prune(ith_many *m)
{
    for (int i = m->n_waiting - 1; m->params->wanted != NULL && i >= 0; i--) {
        ith_flight *f = m->waiting[i];
        if (m->params->wanted(m->params->user, &f->prompt, f->admitted ? 0 : -1))
            continue;
        f->answer.finish = ITH_FINISH_CANCELLED;
        ith_flight_tell(m, f, NULL);
        ith_flight_free(ith_waiting_take(m, i));
    }
}

/* The tokens that it has come to, prompt and answer, are those that it begins with. What a session
 * had not computed of these, it had been given when it began. */
static ith_status gather(ith_flight *f, int64_t pending, ith_error *err)
{
    const ith_generation *answer = &f->answer;
    int32_t *all;

    if (!f->begun || pending > 0)
        return ITH_OK;
    if (f->given < f->prompt.n_ids) {
        f->first = f->given + 1; /* each_token: the next has been told */
        return ITH_OK;
    }
    f->first = f->prompt.n_ids + answer->n_ids;
    all = realloc(f->prompt.ids, f->first * sizeof *all);
    if (all == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to begin a prompt again");
    f->prompt.ids = all;
    if (answer->n_ids > 0)
        memcpy(all + f->prompt.n_ids, answer->ids, answer->n_ids * sizeof *all);
    return ITH_OK;
}

void ith_waiting_again(ith_many *m, ith_flight *f, int64_t pending)
{
    ith_error err = {0};

    if (gather(f, pending, &err) != ITH_OK) {
        ith_flight_tell(m, f, &err);
        ith_flight_free(f);
        return;
    }
    f->begun = f->has_id = false;
    find_leader(m, f);
    memmove(&m->waiting[1], &m->waiting[0], (size_t)m->n_waiting++ * sizeof m->waiting[0]);
    m->waiting[0] = f;
    m->counts->begun_again++;
}

/* ---- New prompts ---- */

static ith_status check_ids(const ith_engine *e, const ith_many_prompt *p, ith_error *err)
{
    int64_t ctx = e->info.ctx, n_vocab = e->model->hp.n_vocab;

    if (p->n_ids == 0)
        return ith_fail(err, ITH_E_ARGUMENT, "the prompt is empty: not one token");
    if ((int64_t)p->n_ids > ctx)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the prompt has %zu tokens, more than the context of %lld", p->n_ids,
                        (long long)ctx);
    for (size_t i = 0; i < p->n_ids; i++)
        if (p->ids[i] < 0 || p->ids[i] >= n_vocab)
            return ith_fail(err, ITH_E_ARGUMENT,
                            "token id %d at index %zu is not in the vocabulary of %lld tokens",
                            p->ids[i], i, (long long)n_vocab);
    return ITH_OK;
}

/* What cannot be computed or answered is found out before anything is computed. */
static ith_status open_flight(const ith_many *m, ith_flight *f, ith_error *err)
{
    const ith_generate_params *how = &f->prompt.how;

    if (how->draft != NULL || how->answer != NULL)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "many prompts are answered without a draft model or a "
                        "given answer");
    if (how->max_draft < 0 || how->max_draft > ITH_DRAFT_MAX)
        return ith_fail(err, ITH_E_ARGUMENT, "max_draft is %d; expected 0 (off) to %d",
                        how->max_draft, ITH_DRAFT_MAX);
    ITH_TRY(check_ids(m->engine, &f->prompt, err));
    if (f->prompt.embeds)
        ITH_TRY(ith_engine_check_pooling(m->engine, err));
    if (how->max_tokens < 1)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the longest answer is %lld tokens; expected 1 at least",
                        (long long)how->max_tokens);
    f->first = f->prompt.each_token ? 1 : f->prompt.n_ids;
    f->total = (int64_t)f->prompt.n_ids +
               ith_min(how->max_tokens - 1, m->engine->info.ctx - (int64_t)f->prompt.n_ids);
    f->answer.finish = ITH_FINISH_LENGTH;
    ITH_TRY(ith_writer_open(&f->writer, m->engine, how, &f->answer, err));
    ith_writer_follow(&f->writer, f->prompt.ids, f->prompt.n_ids);
    return ITH_OK;
}

/* The next prompt; *more false: there is none. */
static ith_status fetch_one(ith_many *m, bool *more, ith_error *err)
{
    ith_flight *f = calloc(1, sizeof *f);

    if (f == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a prompt");
    *more = m->params->next(m->params->user, &f->prompt);
    if (*more && open_flight(m, f, &f->err) == ITH_OK) {
        find_leader(m, f);
        m->waiting[m->n_waiting++] = f;
        return ITH_OK;
    }
    if (*more)
        ith_flight_tell(m, f, &f->err);
    ith_flight_free(f);
    return ITH_OK;
}

ith_status ith_waiting_fetch(ith_many *m, ith_error *err)
{
    while (m->n + m->n_waiting < m->params->in_flight && !m->no_more && !m->stopped) {
        bool more = false;
        ITH_TRY(fetch_one(m, &more, err));
        m->no_more = !more;
    }
    return ITH_OK;
}
