/* many.c - answers many prompts, several at a time: who is admitted, who leaves, what is chosen. */
#include "base/fpenv.h"
#include "base/testhook.h"
#include "comm/same.h"
#include "engine/pass_check.h"
#include "engine/writer.h"

#include <stdlib.h>
#include <string.h>

/* A prompt in flight. Rank 0 alone has more than the session. */
typedef struct flight {
    ith_session *session;
    int64_t total; /* tokens that it may come to */
    ith_many_prompt prompt;
    ith_generation answer;
    ith_writer writer;
    bool is_open; /* the writer */
    size_t given; /* tokens of the prompt that are in the session, or wait there */
    int32_t id;   /* the last token chosen */
    bool has_id;  /* it waits for the next step */
} flight;

typedef struct many {
    ith_engine *engine;
    const ith_many_params *params;
    ith_many_counts *counts;
    ith_session *holder;            /* keeps the workspace while no prompt is in flight */
    flight *flights[ITH_STEP_MOST]; /* [n], in the order of admission */
    ith_step_item items[ITH_STEP_MOST];
    int n;

    /* Rank 0. */
    flight *waiting; /* admitted next; NULL: to be asked for */
    bool no_more;    /* prompts */
    bool stopped;    /* other ranks hear of it before a step and with each admission */
} many;

static bool is_root(const many *m)
{
    return m->engine->world->comm->rank == 0;
}

/* ---- The end of a prompt ---- */

static void free_flight(flight *f)
{
    if (f == NULL)
        return;
    ith_session_close(f->session);
    ith_writer_close(&f->writer);
    ith_generation_free(&f->answer);
    free(f->prompt.ids);
    free(f);
}

/* Rank 0. */
static void tell(many *m, flight *f, const ith_error *err)
{
    static const ith_error none;

    ith_writer_close(&f->writer); /* the caller may close its grammar now */
    if (!m->params->done(m->params->user, &f->prompt, &f->answer, err != NULL ? err : &none))
        m->stopped = true;
    if (err != NULL && err->status == ITH_E_CANCELLED)
        return;
    if (ith_test_hook_due("prompt", m->counts->done + 1))
        while (ith_test_hook_act())
            continue;
}

/* Collective. Flight i leaves; err: why, on rank 0, NULL if it is answered. */
static void leave(many *m, int i, const ith_error *err)
{
    flight *f = m->flights[i];

    m->counts->restored += ith_session_restored(f->session);
    if (is_root(m))
        tell(m, f, err);
    m->counts->done++;
    free_flight(f);
    memmove(&m->flights[i], &m->flights[i + 1], (size_t)(--m->n - i) * sizeof m->flights[0]);
}

/* Collective. The run ends before those in flight. */
static void drop(many *m)
{
    ith_error err;

    ith_fail(&err, ITH_E_CANCELLED, "the run has ended");
    for (int i = 0; is_root(m) && i < m->n; i++)
        tell(m, m->flights[i], &err);
    if (m->waiting != NULL)
        tell(m, m->waiting, &err);
    while (m->n > 0)
        free_flight(m->flights[--m->n]);
    free_flight(m->waiting);
}

/* ---- Admission ---- */

/* Rank 0. */
static ith_status check_prompt(const many *m, const ith_many_prompt *p, ith_error *err)
{
    int64_t ctx = m->engine->info.ctx;

    if (p->how.max_draft != 0 || p->how.draft != NULL || p->how.answer != NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "many prompts are answered without guesses");
    if (p->n_ids == 0)
        return ith_fail(err, ITH_E_ARGUMENT, "the prompt is empty: not one token");
    if ((int64_t)p->n_ids > ctx)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the prompt has %zu tokens, more than the context of %lld", p->n_ids,
                        (long long)ctx);
    for (size_t i = 0; i < p->n_ids; i++)
        if (p->ids[i] < 0 || p->ids[i] >= m->engine->model->hp.n_vocab)
            return ith_fail(err, ITH_E_ARGUMENT,
                            "token id %d at index %zu is not in the vocabulary of %lld tokens",
                            p->ids[i], i, (long long)m->engine->model->hp.n_vocab);
    if (p->how.max_tokens < 1)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the longest answer is %lld tokens; expected 1 at least",
                        (long long)p->how.max_tokens);
    return ITH_OK;
}

/* Rank 0. The next prompt that can be begun is m->waiting; those that cannot end at once. */
static ith_status find_next(many *m, ith_error *err)
{
    while (m->waiting == NULL && !m->no_more && !m->stopped) {
        flight *f = calloc(1, sizeof *f);
        ith_error wrong = {0};
        if (f == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory for a prompt");
        m->no_more = !m->params->next(m->params->user, &f->prompt);
        if (!m->no_more && check_prompt(m, &f->prompt, &wrong) == ITH_OK) {
            m->waiting = f;
            f->total = ith_min((int64_t)f->prompt.n_ids + f->prompt.how.max_tokens - 1,
                               m->engine->info.ctx);
            continue;
        }
        if (!m->no_more) {
            tell(m, f, &wrong);
            m->counts->done++;
        }
        free_flight(f);
    }
    return ITH_OK;
}

/* Rank 0. A prompt that waits for memory may be wanted no more. */
static void ask_waiting(many *m)
{
    flight *f = m->waiting;

    if (f == NULL || m->params->wanted == NULL ||
        m->params->wanted(m->params->user, &f->prompt, -1))
        return;
    f->answer.finish = ITH_FINISH_CANCELLED;
    tell(m, f, NULL);
    m->counts->done++;
    m->waiting = NULL;
    free_flight(f);
}

/* What rank 0 says before an admission. */
typedef struct candidate {
    int64_t total; /* 0: there is none */
    int32_t stopped;
    int32_t each_token;
    int64_t done; /* prompts so far */
} candidate;

/* Collective. A session with room for all its tokens. */
static ith_status open_session(many *m, const candidate *c, ith_session **session, ith_error *err)
{
    const ith_keep_params *keep = m->params->keep;
    const ith_session_sizes sizes = {.ctx = c->total, .chunk = m->engine->info.chunk};
    ith_status status = ith_session_open_sized(m->engine, &sizes, session, err);

    if (status == ITH_OK)
        status = ith_session_make_room(*session, c->total, err);
    if (status == ITH_OK && keep != NULL && !c->each_token)
        status = ith_session_keep(*session, keep, err);
    if (status != ITH_OK) {
        ith_session_close(*session);
        *session = NULL;
    }
    return status;
}

/* Collective. Rank 0's waiting prompt begins. */
static void begin(many *m, flight *f, ith_session *session, int64_t total)
{
    f->session = session;
    f->total = total;
    m->flights[m->n++] = f;
    if (is_root(m)) {
        m->counts->prompt_tokens += (int64_t)f->prompt.n_ids;
        m->waiting = NULL;
    }
}

/* Collective. *on false: nobody can be admitted now. */
static ith_status admit_one(many *m, bool *on, ith_error *err)
{
    ith_comm *comm = m->engine->world->comm;
    candidate c = {0};
    ith_error wrong = {0};
    ith_session *session = NULL;
    flight *f;
    ith_status status;

    if (is_root(m))
        ask_waiting(m);
    ITH_TRY(ith_comm_agree(comm, is_root(m) ? find_next(m, err) : ITH_OK, err));
    if (m->waiting != NULL) {
        c.total = m->waiting->total;
        c.each_token = m->waiting->prompt.each_token;
    }
    c.stopped = m->stopped;
    c.done = m->counts->done;
    ith_world_bcast(m->engine->world, &c, sizeof c);
    m->stopped = c.stopped;
    m->counts->done = c.done;
    *on = c.total > 0 && !m->stopped;
    if (!*on)
        return ITH_OK;
    f = is_root(m) ? m->waiting : calloc(1, sizeof *f);
    status = ith_comm_agree_memory(comm, f, "a prompt", err);
    if (status == ITH_OK)
        status = open_session(m, &c, &session, &wrong);
    if (status == ITH_OK) {
        begin(m, f, session, c.total);
        return ITH_OK;
    }
    if (f != NULL && !is_root(m))
        free(f);
    if (wrong.status != ITH_E_MEMORY)
        return wrong.status == ITH_OK ? status : ith_fail(err, status, "%s", wrong.text);
    *on = m->n == 0; /* alone it will not find more */
    if (*on && is_root(m)) {
        tell(m, f, &wrong);
        m->waiting = NULL;
        free_flight(f);
    }
    m->counts->done += *on;
    return ITH_OK;
}

/* Collective. That the run is stopped ends it on all ranks at once, in admit_one. */
static ith_status admit(many *m, ith_error *err)
{
    bool on = true;

    m->no_more = m->no_more && !m->params->asks_again;
    while (on && m->n < m->params->in_flight)
        ITH_TRY(admit_one(m, &on, err));
    return ITH_OK;
}

/* ---- Choosing ---- */

/* All members: samplers are independent, and each reads all logits of its prompt. */
static void choose(void *arg, ith_member *me)
{
    many *m = arg;

    for (int i = me->tid; i < m->n; i += me->n_threads) {
        flight *f = m->flights[i];
        if (m->items[i].logits != NULL)
            f->id = ith_writer_choose(&f->writer, m->items[i].logits);
    }
}

/* What becomes of a flight after a step. */
typedef enum fate { GOES_ON, ANSWERED, FAILED } fate;

/* Rank 0. The writer is opened when its prompt is in the session: the sampler sees these tokens. */
static ith_status open_writer(flight *f, ith_error *err)
{
    if (f->is_open)
        return ITH_OK;
    f->is_open = true;
    f->answer.finish = ITH_FINISH_LENGTH;
    return ith_writer_open(&f->writer, f->session, &f->prompt.how, &f->answer, err);
}

/* Rank 0. Token `id` follows the logits of flight i. */
static void tell_token(const many *m, int i, int32_t id, bool ends)
{
    if (m->params->token != NULL)
        m->params->token(m->params->user, &m->flights[i]->prompt, id, m->items[i].logits, ends);
}

/* Rank 0. Token f->id is chosen. */
static ith_status write_token(many *m, flight *f, bool *on, ith_error *err)
{
    *on = true;
    ITH_TRY(ith_writer_token(&f->writer, f->id, on, err));
    f->has_id = true;
    f->answer.n_passes++;
    m->counts->answer_tokens++;
    *on = *on && (int64_t)f->answer.n_ids < f->prompt.how.max_tokens &&
          ith_session_length(f->session) < f->total;
    return *on ? ITH_OK : ith_writer_rest(&f->writer, err);
}

/* Rank 0. The next token of flight i, if it has logits. */
static fate take(many *m, int i, ith_error *err)
{
    flight *f = m->flights[i];
    bool on;

    if (m->params->wanted != NULL &&
        !m->params->wanted(m->params->user, &f->prompt, ith_session_length(f->session))) {
        f->answer.finish = ITH_FINISH_CANCELLED;
        return ANSWERED;
    }
    if (m->items[i].logits == NULL)
        return GOES_ON;
    tell_token(m, i, f->id, ith_writer_ends(&f->writer, f->id));
    if (write_token(m, f, &on, err) != ITH_OK)
        return FAILED;
    return on ? GOES_ON : ANSWERED;
}

/* Rank 0. */
static void take_all(many *m, int32_t *fates, ith_error *errors)
{
    for (int i = 0; i < m->n; i++) {
        flight *f = m->flights[i];
        fates[i] = GOES_ON;
        if (m->items[i].logits != NULL && f->given < f->prompt.n_ids) {
            tell_token(m, i, f->prompt.ids[f->given], false);
            m->items[i].logits = NULL; /* nothing is to be chosen */
        }
        if (m->items[i].logits != NULL && open_writer(f, &errors[i]) != ITH_OK) {
            fates[i] = FAILED;
            m->items[i].logits = NULL;
        }
    }
    ith_team_run(m->engine->team, choose, m);
    for (int i = 0; i < m->n; i++)
        if (fates[i] == GOES_ON)
            fates[i] = (int32_t)take(m, i, &errors[i]);
}

/* Collective, after a step: tokens are chosen, and those that have ended leave. */
static ith_status settle(many *m, ith_error *err)
{
    int32_t fates[ITH_STEP_MOST] = {0};
    ith_error *errors = calloc(ITH_STEP_MOST, sizeof *errors);

    ITH_TRY(ith_comm_agree_memory(m->engine->world->comm, errors, "the errors of prompts", err));
    if (is_root(m))
        take_all(m, fates, errors);
    ith_world_bcast(m->engine->world, fates, (size_t)m->n * sizeof *fates);
    for (int i = m->n - 1; i >= 0; i--)
        if (fates[i] != GOES_ON)
            leave(m, i, fates[i] == FAILED ? &errors[i] : NULL);
    free(errors);
    return ITH_OK;
}

/* ---- Steps ---- */

/* Rank 0 has tokens for those that wait for none. */
static void list_items(many *m)
{
    for (int i = 0; i < m->n; i++) {
        flight *f = m->flights[i];
        ith_session *s = f->session;
        m->items[i] = (ith_step_item){.session = s};
        if (is_root(m) && f->given < f->prompt.n_ids) {
            m->items[i].ids = f->prompt.ids + f->given;
            m->items[i].n = f->prompt.each_token ? 1 : f->prompt.n_ids;
            f->given += m->items[i].n;
        } else if (f->has_id) {
            m->items[i].ids = &f->id;
            m->items[i].n = 1;
        }
        f->has_id = false;
    }
}

/* Collective. Flight i computes all of its timeline again, by itself. */
static ith_status compute_alone(many *m, ith_step_item *item, ith_error *err)
{
    ith_session *s = item->session;

    s->pending += s->length;
    s->length = 0;
    do {
        item->n = 0;
        ITH_TRY(ith_engine_step(m->engine, item, 1, err));
    } while (s->pending > 0);
    return ITH_OK;
}

/* Collective. The numbers of a step are not finite: each flight is computed by itself, so that the
 * one whose fault it is ends alone. */
static ith_status step_alone(many *m, ith_error *err)
{
    ith_engine *e = m->engine;
    many one = *m;

    ITH_TRY(ith_comm_agree(e->world->comm, ith_store_status(e->store, err), err));
    ITH_TRY(ith_engine_check_files_on_all(e, err)); /* no prompt's fault */
    for (int i = m->n - 1; i >= 0; i--) {
        ith_error wrong = {0};
        ith_status status;
        one.n = 1;
        one.flights[0] = m->flights[i];
        one.items[0] = m->items[i];
        status = compute_alone(&one, &one.items[0], &wrong);
        if (status == ITH_E_FORMAT)
            leave(&one, 0, &wrong);
        else if (status == ITH_OK)
            status = settle(&one, err);
        else
            ith_fail(err, status, "%s", wrong.text);
        if (one.n == 0)
            memmove(&m->flights[i], &m->flights[i + 1],
                    (size_t)(--m->n - i) * sizeof m->flights[0]);
        m->stopped = one.stopped;
        if (status != ITH_OK && status != ITH_E_FORMAT)
            return status;
    }
    return ITH_OK;
}

/* Collective. */
static ith_status step(many *m, ith_error *err)
{
    ith_status status;

    list_items(m);
    m->counts->steps++;
    status = ith_engine_step(m->engine, m->items, (size_t)m->n, err);
    if (status == ITH_E_FORMAT)
        return step_alone(m, err);
    return status == ITH_OK ? settle(m, err) : status;
}

/* Collective. Is the run to go on? */
static void ask(many *m)
{
    m->counts->in_flight = m->n;
    if (is_root(m) && m->params->goes_on != NULL && !m->params->goes_on(m->params->user, m->counts))
        m->stopped = true;
    ith_world_bcast(m->engine->world, &m->stopped, sizeof m->stopped);
}

static ith_status run(many *m, ith_error *err)
{
    for (;;) {
        ask(m);
        ITH_TRY(admit(m, err));
        if (m->stopped)
            return ith_fail(err, ITH_E_CANCELLED, "stopped after %lld prompts",
                            (long long)m->counts->done);
        if (m->n == 0)
            return ITH_OK;
        ITH_TRY(step(m, err));
    }
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
    many m = {.engine = engine, .params = params, .counts = counts};
    const ith_session_sizes sizes = {.ctx = engine->info.ctx, .chunk = engine->info.chunk};
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
