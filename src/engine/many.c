/* many.c - answers many prompts, several at a time: who is next, and what is chosen. */
#include "base/fpenv.h"
#include "base/progress.h"
#include "comm/same.h"
#include "engine/admit.h"
#include "engine/guesses.h"
#include "engine/pass_check.h"
#include "engine/waiting.h"

#include <stdlib.h>
#include <string.h>

/* ---- Choosing ----
 *
 * A token is chosen from the logits after the last one, and another one after each guess that
 * equals the token chosen before it, as in generate.c.
 */

/* Rank 0. The logits that flight i chooses from next. */
static const float *logits_of(const ith_many *m, int i)
{
    return ith_step_logits(m->engine, &m->items[i], (size_t)m->flights[i]->n_right);
}

/* All members: samplers are independent, and each reads all logits of its prompt. */
static void choose(void *arg, ith_member *me)
{
    ith_many *m = arg;

    for (int i = me->tid; i < m->n; i += me->n_threads) {
        ith_flight *f = m->flights[i];
        if (f->chooses)
            f->ids[0] = ith_writer_choose(&f->writer, logits_of(m, i));
    }
}

/* What becomes of a flight after a step. */
typedef enum fate {
    GOES_ON,
    ANSWERED,
    LINGERS, /* answered, but another begins with its tokens */
    FAILED
} fate;

/* What rank 0 says of a flight after a step. */
typedef struct verdict {
    int32_t fate;
    int32_t wrong; /* guesses at the end of its timeline */
} verdict;

/* Rank 0. Token `id` follows the logits of flight i. */
static void tell_token(const ith_many *m, int i, int32_t id, bool ends)
{
    if (m->params->token != NULL)
        m->params->token(m->params->user, &m->flights[i]->prompt, id, logits_of(m, i), ends);
}

/* Rank 0. The tokens of a flight's timeline without guesses that are not known to be right. */
static int64_t length_of(const ith_flight *f)
{
    return ith_session_length(f->session) - f->n_guesses + f->n_right;
}

/* Rank 0. A token is chosen. */
static ith_status write_token(ith_many *m, ith_flight *f, bool *on, ith_error *err)
{
    *on = true;
    ITH_TRY(ith_writer_token(&f->writer, f->ids[0], on, err));
    m->counts->answer_tokens++;
    *on = *on && (int64_t)f->answer.n_ids < f->prompt.how.max_tokens && length_of(f) < f->total;
    return *on ? ITH_OK : ith_writer_rest(&f->writer, err);
}

/* Rank 0. The vector of flight i's text is its answer. */
static fate embed(ith_many *m, int i)
{
    ith_flight *f = m->flights[i];
    size_t bytes = (size_t)m->engine->model->hp.hidden * sizeof(float);

    f->answer.embedding = malloc(bytes);
    if (f->answer.embedding == NULL) {
        ith_fail(&f->err, ITH_E_MEMORY, "no memory for an embedding");
        return FAILED;
    }
    memcpy(f->answer.embedding, m->items[i].output, bytes);
    f->answer.finish = ITH_FINISH_STOP;
    return ANSWERED;
}

/* Rank 0. Flight i has chosen a token. Does it choose another, after a guess that was right? */
static fate take(ith_many *m, int i)
{
    ith_flight *f = m->flights[i];
    bool on;

    f->chooses = false;
    tell_token(m, i, f->ids[0], ith_writer_ends(&f->writer, f->ids[0]));
    if (write_token(m, f, &on, &f->err) != ITH_OK)
        return FAILED;
    if (!on)
        return ANSWERED;
    f->chooses = f->n_right < f->n_guesses && f->ids[0] == f->ids[1 + f->n_right];
    f->n_right += f->chooses;
    f->has_id = !f->chooses;
    return GOES_ON;
}

/* Rank 0. Does flight i go on, and does it choose a token? */
static fate look_at(ith_many *m, int i)
{
    ith_flight *f = m->flights[i];

    if (m->items[i].logits == NULL)
        f->n_guesses = 0;
    f->n_right = 0;
    f->chooses = false;
    if (m->items[i].logits != NULL && f->given < f->prompt.n_ids) {
        tell_token(m, i, f->prompt.ids[f->given], false);
        m->items[i].logits = NULL; /* nothing is to be chosen */
    }
    if (m->params->wanted != NULL &&
        !m->params->wanted(m->params->user, &f->prompt, length_of(f))) {
        f->answer.finish = ITH_FINISH_CANCELLED;
        return ANSWERED;
    }
    if (m->items[i].logits == NULL)
        return GOES_ON;
    if (f->prompt.embeds)
        return embed(m, i);
    f->chooses = true;
    f->answer.n_passes++;
    return GOES_ON;
}

/* Rank 0. Guesses that were right and wrong are counted. Returns the wrong ones. */
static int64_t count_guesses(ith_many *m, ith_flight *f)
{
    int64_t wrong = f->n_guesses - f->n_right;

    f->answer.n_drafted += f->n_guesses;
    f->answer.n_accepted += f->n_right;
    m->counts->drafted += f->n_guesses;
    m->counts->accepted += f->n_right;
    ith_draft_pace_count(&f->draft_pace, f->n_guesses, f->n_right);
    f->n_guesses = f->n_right = 0;
    return wrong;
}

static bool any_chooses(const ith_many *m)
{
    for (int i = 0; i < m->n; i++)
        if (m->flights[i]->chooses)
            return true;
    return false;
}

/* Rank 0. */
static void take_all(ith_many *m, verdict *verdicts)
{
    for (int i = 0; i < m->n; i++)
        verdicts[i].fate = (int32_t)look_at(m, i);
    while (any_chooses(m)) {
        ith_team_run(m->engine->team, choose, m);
        for (int i = 0; i < m->n; i++)
            if (m->flights[i]->chooses)
                verdicts[i].fate = (int32_t)take(m, i);
    }
    for (int i = 0; i < m->n; i++) {
        if (m->items[i].logits != NULL)
            verdicts[i].wrong = (int32_t)count_guesses(m, m->flights[i]);
        if (verdicts[i].fate == ANSWERED && ith_waiting_follows(m, m->flights[i]))
            verdicts[i].fate = LINGERS;
    }
}

/* Collective, after a step: tokens are chosen, wrong guesses taken back, and those that have ended
 * leave. */
static ith_status settle(ith_many *m, ith_error *err)
{
    verdict verdicts[ITH_STEP_MOST] = {0};

    if (ith_many_is_root(m))
        take_all(m, verdicts);
    ith_world_bcast(m->engine->world, verdicts, (size_t)m->n * sizeof *verdicts);
    for (int i = m->n - 1; i >= 0; i--) {
        ith_session *s = m->flights[i]->session;
        if (verdicts[i].wrong > 0)
            ITH_TRY(ith_session_cut(s, s->length - verdicts[i].wrong, err));
        if (verdicts[i].fate == LINGERS)
            ith_many_linger(m, i);
        else if (verdicts[i].fate != GOES_ON)
            ith_many_leave(m, i, verdicts[i].fate == FAILED ? &m->flights[i]->err : NULL);
    }
    return ITH_OK;
}

/* ---- Steps ---- */

/* Rank 0. What the session of flight f is given in the next step. */
static void give(ith_flight *f, ith_step_item *item)
{
    if (!f->begun) {
        item->ids = f->prompt.ids + f->session->length; /* these it shares */
        item->n = f->first - (size_t)f->session->length;
        f->given = (size_t)ith_min((int64_t)f->first, (int64_t)f->prompt.n_ids);
        f->begun = true;
    } else if (f->session->pending == 0 && f->given < f->prompt.n_ids) {
        item->ids = f->prompt.ids + f->given++;
        item->n = 1;
    } else if (f->has_id) {
        item->ids = f->ids;
        item->n = 1;
    }
    f->has_id = false;
}

/* Rank 0. Does flight f have more than one token of its prompt to compute? */
static bool has_prompt(const ith_flight *f)
{
    return f->begun ? f->session->pending > 1 : (int64_t)f->first - f->session->length > 1;
}

/* Rank 0. How many tokens of each flight the next step takes at most; 0: a chunk. */
static void pace(ith_many *m, int64_t most[ITH_STEP_MOST])
{
    int64_t chunk = m->engine->info.chunk, next = ith_prompt_pace_next(&m->prompt_pace, chunk);
    ith_prompt_pace_step *s = &m->prompt_step;

    *s = (ith_prompt_pace_step){0};
    for (int i = 0; i < m->n; i++) {
        const ith_flight *f = m->flights[i];
        bool is_long = (int64_t)f->first > chunk;
        most[i] = 0;
        s->answers = s->answers || !has_prompt(f);
        s->prompts = s->prompts || (has_prompt(f) && !is_long);
        if (!has_prompt(f) || !is_long)
            continue;
        most[i] = s->long_tokens == 0 ? next : 1; /* of one after another */
        s->long_tokens = next;
    }
    for (int i = 0; i < m->n; i++)
        if (!s->answers || !m->params->paced)
            most[i] = 0;
}

static void list_items(ith_many *m)
{
    bool guesses = ith_many_is_root(m) && ith_guesses_pay(m);

    for (int i = 0; i < m->n; i++) {
        m->items[i] = (ith_step_item){.session = m->flights[i]->session};
        if (ith_many_is_root(m))
            give(m->flights[i], &m->items[i]);
    }
    if (guesses)
        ith_guess(m);
}

/* ---- Numbers that are not finite ---- */

/* Rank 0, before each step. */
static void look_around(ith_many *m)
{
    m->no_more = m->no_more && !m->params->asks_again;
    m->counts->in_flight = m->n;
    if (m->params->goes_on != NULL && !m->params->goes_on(m->params->user, m->counts))
        m->stopped = true;
    ith_waiting_prune(m);
}

/* Collective. */
static bool goes_on(ith_many *m)
{
    int32_t on = 1;

    if (ith_many_is_root(m)) {
        look_around(m);
        on = !m->stopped;
    }
    ith_world_bcast(m->engine->world, &on, sizeof on);
    return on != 0;
}

/* What a session has computed stays, unless its recurrent states have gone on in the pass that
 * failed: then it computes its timeline again. The bits that are there are written again, also
 * where others share them. */
static void go_back(ith_session *s)
{
    if (ith_state_shareable(s->state, s->length))
        return;
    s->pending += s->length;
    s->length = 0;
}

/* The place of the flight with this session; -1: it has left. */
static int flight_with(const ith_many *m, int64_t session)
{
    for (int i = 0; i < m->n; i++)
        if (m->flights[i]->session->number == session)
            return i;
    return -1;
}

/* Collective. Flight i takes a step by itself. *ended: its numbers are not finite. */
static ith_status one_alone(ith_many *m, int i, bool *ended, ith_error *err)
{
    ith_step_item item = {.session = m->flights[i]->session};
    ith_error wrong = {0};
    ith_status status = ith_engine_step(m->engine, &item, 1, &wrong);

    m->counts->steps++;
    for (int k = 0; k < m->n; k++)
        m->items[k].logits = NULL;
    m->items[i] = item;
    *ended = status == ITH_E_FORMAT;
    if (*ended)
        ith_many_leave(m, i, &wrong);
    else if (status == ITH_OK)
        return settle(m, err);
    else
        return ith_fail(err, status, "%s", wrong.text);
    return ITH_OK;
}

/* A flight whose fault it may be: the pass that failed took tokens of it before `end`. */
typedef struct suspect {
    int64_t session, end;
} suspect;

/* Collective. The flight takes steps by itself until it is past the pass that failed. *found: it is
 * the one, and has ended. */
static ith_status try_alone(ith_many *m, const suspect *s, bool *found, ith_error *err)
{
    for (int i = flight_with(m, s->session); i >= 0; i = flight_with(m, s->session)) {
        const ith_session *session = m->flights[i]->session;
        if (session->pending == 0 || session->length >= s->end || !goes_on(m))
            break;
        ITH_TRY(one_alone(m, i, found, err));
    }
    return ITH_OK;
}

/* Collective. The numbers of a step are not finite. Those whose tokens were computed before go on.
 * Of the others one after another goes on by itself, until the one is found whose fault it is: it
 * ends alone. */
static ith_status step_alone(ith_many *m, ith_error *err)
{
    ith_engine *e = m->engine;
    suspect suspects[ITH_STEP_MOST];
    int n = 0;
    bool found = false;

    ITH_TRY(ith_comm_agree(e->world->comm, ith_store_status(e->store, err), err));
    ITH_TRY(ith_engine_check_files_on_all(e, err)); /* no prompt's fault */
    for (int i = 0; i < m->n; i++) {
        ith_session *s = m->flights[i]->session;
        if (s->pending == 0)
            continue;
        suspects[n++] = (suspect){s->number, s->length + s->chunk};
        go_back(s);
    }
    ITH_TRY(settle(m, err));
    while (n > 0 && !found && goes_on(m))
        ITH_TRY(try_alone(m, &suspects[--n], &found, err));
    return ITH_OK;
}

/* Collective. */
static ith_status step(ith_many *m, ith_error *err)
{
    ith_status status;
    double start_s = ith_now_s();

    list_items(m);
    m->counts->steps++;
    status = ith_engine_step(m->engine, m->items, (size_t)m->n, err);
    if (ith_many_is_root(m) && m->params->paced)
        ith_prompt_pace_note(&m->prompt_pace, &m->prompt_step, ith_now_s() - start_s,
                             m->engine->info.chunk);
    if (status == ITH_E_FORMAT)
        return step_alone(m, err);
    return status == ITH_OK ? settle(m, err) : status;
}

/* ---- The run ---- */

/* Rank 0. The place of `flight` among n; -1: it is not there. */
static int place_of(const ith_flight *flight, ith_flight *const *among, int n)
{
    for (int i = 0; i < n; i++)
        if (among[i] == flight)
            return i;
    return -1;
}

/* Rank 0. Number i of those that wait is admitted. */
static void order_admission(const ith_many *m, int i, ith_order *o)
{
    const ith_flight *f = m->waiting[i];

    o->kind = ITH_ORDER_ADMIT;
    o->number = i;
    o->uncached = f->prompt.each_token || f->prompt.embeds;
    o->total = f->total;
    o->first = (int64_t)f->first;
    o->shared = f->shared;
    o->leader = place_of(f->leader, m->flights, m->n);
    o->leader_left = f->leader != NULL && o->leader < 0;
    if (o->leader_left)
        o->leader = place_of(f->leader, m->left, m->n_left);
}

/* Rank 0. */
static ith_status give_order(ith_many *m, ith_order *o, ith_error *err)
{
    int next;

    ITH_TRY(ith_waiting_fetch(m, err));
    o->done = m->counts->done;
    next = m->n < m->params->in_flight ? ith_waiting_first(m) : -1;
    if (m->stopped) {
        o->kind = ITH_ORDER_STOP;
    } else if (next >= 0) {
        order_admission(m, next, o);
    } else if (m->n + m->n_waiting == 0) {
        o->kind = ITH_ORDER_END;
    } else {
        o->kind = ITH_ORDER_STEP;
        ith_waiting_stops(m, o->stops);
        pace(m, o->most);
    }
    return ITH_OK;
}

/* Collective. Who can be admitted is; *o: what follows. */
static ith_status prepare(ith_many *m, ith_order *o, ith_error *err)
{
    if (ith_many_is_root(m))
        look_around(m);
    for (;;) {
        ith_status status = ITH_OK;
        *o = (ith_order){.kind = ITH_ORDER_FAIL};
        if (ith_many_is_root(m))
            status = give_order(m, o, err);
        ith_world_bcast(m->engine->world, o, sizeof *o);
        m->counts->done = o->done;
        if (o->kind == ITH_ORDER_FAIL)
            return ith_comm_agree(m->engine->world->comm, status, err);
        if (o->kind != ITH_ORDER_ADMIT)
            return ITH_OK;
        ITH_TRY(ith_many_admit(m, o, err));
    }
}

static ith_status run(ith_many *m, ith_error *err)
{
    for (;;) {
        ith_order o;
        ITH_TRY(prepare(m, &o, err));
        if (o.kind == ITH_ORDER_STOP)
            return ith_fail(err, ITH_E_CANCELLED, "stopped after %lld prompts", (long long)o.done);
        if (o.kind == ITH_ORDER_END)
            return ITH_OK;
        ith_many_release(m);
        for (int i = 0; i < m->n; i++) {
            m->flights[i]->session->stop = o.stops[i];
            m->flights[i]->session->most = o.most[i];
        }
        ITH_TRY(ith_many_grow(m, err));
        if (m->n > 0)
            ITH_TRY(step(m, err));
    }
}

/* Collective. The run ends before those that are left. */
static void drop(ith_many *m)
{
    ith_error err;

    ith_fail(&err, ITH_E_CANCELLED, "the run has ended");
    for (int i = 0; ith_many_is_root(m) && i < m->n; i++)
        ith_flight_tell(m, m->flights[i], &err);
    for (int i = 0; i < m->n_waiting; i++)
        ith_flight_tell(m, m->waiting[i], &err);
    while (m->n > 0)
        ith_flight_free(m->flights[--m->n]);
    while (m->n_left > 0)
        ith_flight_free(m->left[--m->n_left]);
    while (m->n_waiting > 0)
        ith_flight_free(m->waiting[--m->n_waiting]);
}

/* ---- Opening ---- */

static ith_status check(ith_engine *engine, const ith_many_params *params, ith_error *err)
{
    ith_same same = {0};

    ith_same_int(&same, "the number of prompts in flight", params->in_flight);
    ith_same_text(&same, "the prompt cache", params->keep != NULL ? params->keep->cache : NULL);
    ITH_TRY(ith_comm_same(engine->world->comm, &same, err));
    if (params->in_flight < 1 || params->in_flight > ITH_STEP_MOST)
        return ith_fail(err, ITH_E_ARGUMENT, "%d prompts in flight; expected 1 to %d",
                        params->in_flight, ITH_STEP_MOST);
    return ITH_OK;
}

/* Where keys are rotated otherwise in longer timelines, or with exact weights, what two prompts
 * begin with need not be equal; and a prompt cache saves windows only of a session that has
 * computed them. */
static bool can_share(const ith_engine *e, const ith_many_params *params)
{
    const ith_model *m = e->model;

    if (e->info.exact || ith_model_is_long(m, 1) != ith_model_is_long(m, e->info.ctx))
        return false;
    for (int64_t i = 0; params->keep != NULL && i < m->hp.n_layers; i++)
        if (m->states[i].form == ITH_STATE_KV && m->states[i].window > 0)
            return false;
    return true;
}

void ith_logits_nll(const ith_engine *engine, const float *logits, const int32_t *ids, size_t n,
                    float *nll)
{
    ITH_DEFAULT_FPENV;
    const ith_model *model = engine->model;
    ith_negative_log_likelihoods(model->kernels, model->hp.n_vocab, logits, ids, n, nll);
}

ith_status ith_generate_many(ith_engine *engine, const ith_many_params *params,
                             ith_many_counts *counts, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_many m = {
        .engine = engine, .params = params, .counts = counts, .shares = can_share(engine, params)};
    const ith_session_sizes sizes = {
        .ctx = engine->info.ctx, .chunk = engine->info.chunk, .logits = params->in_flight};
    ith_status status;

    *counts = (ith_many_counts){0};
    ITH_TRY(check(engine, params, err));
    ITH_TRY(ith_session_open_sized(engine, &sizes, &m.holder, err));
    status = run(&m, err);
    drop(&m);
    ith_session_close(m.holder);
    ith_world_bcast(engine->world, counts, sizeof *counts);
    return status;
}
