/* step.c - one step of many sessions: tokens wait in each, passes take them.
 *
 * What passes take follows from the sessions' counts alone, so all ranks come to the same without a
 * message.
 */
#include "base/checksum.h"
#include "base/fpenv.h"
#include "base/mem.h"
#include "base/testhook.h"
#include "engine/pass_check.h"
#include "engine/session.h"

#include <stdlib.h>
#include <string.h>

/* A step in work. Arrays: [n]. */
typedef struct step {
    ith_engine *engine;
    ith_step_item *items;
    int n;
    int64_t chunk; /* tokens of prompts that it takes at most */
    int64_t room;  /* tokens of a pass that holds all of them on every rank */
    int64_t rows;  /* of step_logits that are written */
    int32_t *ids;  /* new tokens; then those of a pass */
    bool appended; /* the new tokens wait in the sessions */
    int64_t guesses[ITH_STEP_MOST];
    bool is_prompt[ITH_STEP_MOST]; /* at its beginning */
    bool done[ITH_STEP_MOST];      /* has advanced, or is not going to */
    int64_t tokens[ITH_STEP_MOST]; /* that the next pass takes */
} step;

/* ---- New tokens ---- */

/* What rank 0 says of a step. */
typedef struct header {
    int64_t counts[ITH_STEP_MOST];  /* new tokens */
    uint8_t guesses[ITH_STEP_MOST]; /* of these */
    uint64_t sessions;              /* digest of which they are */
} header;

/* Sessions are the same if they were opened in the same order, and are as long. */
static uint64_t digest_of(const ith_step_item *items, size_t n)
{
    uint64_t digest = n;

    for (size_t i = 0; i < n && i < ITH_STEP_MOST; i++) {
        const ith_session *s = items[i].session;
        const int64_t is[] = {s->number, s->length, s->pending};
        digest = ith_checksum_more(digest, is, sizeof is);
    }
    return digest;
}

static ith_status check_sessions(const ith_engine *e, const ith_step_item *items, size_t n,
                                 ith_error *err)
{
    if (n < 1 || n > ITH_STEP_MOST)
        return ith_fail(err, ITH_E_ARGUMENT, "a step of %zu sessions; expected 1 to %d", n,
                        ITH_STEP_MOST);
    for (size_t i = 0; i < n; i++) {
        if (items[i].session == NULL || items[i].session->engine != e)
            return ith_fail(err, ITH_E_ARGUMENT, "item %zu of a step has no session of its engine",
                            i);
        for (size_t k = 0; k < i; k++)
            if (items[k].session == items[i].session)
                return ith_fail(err, ITH_E_ARGUMENT, "items %zu and %zu of a step are one session",
                                k, i);
    }
    return ITH_OK;
}

size_t ith_step_guesses(const ith_session *s)
{
    const ith_model *m = s->engine->model;

    /* With other frequencies the whole timeline is computed anew, as a prompt. */
    if (s->pending > 0 || s->length >= s->ctx || s->is_long != ith_model_is_long(m, s->length + 1))
        return 0;
    return (size_t)(ith_min(ith_session_few(s), s->ctx - s->length) - 1);
}

const float *ith_step_logits(const ith_engine *engine, const ith_step_item *item, size_t guess)
{
    return item->logits + (int64_t)guess * ith_logits_ld(engine->model);
}

static ith_status check_guesses(const ith_step_item *item, ith_error *err)
{
    size_t most;

    if (item->n_guesses == 0)
        return ITH_OK;
    most = ith_step_guesses(item->session);
    if (item->n_guesses > most || item->n != 1 + item->n_guesses)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%zu guesses among %zu new tokens; expected one token, and up to %zu "
                        "guesses after it",
                        item->n_guesses, item->n, most);
    return ITH_OK;
}

/* Rank 0. */
static ith_status check_tokens(const step *st, ith_error *err)
{
    int64_t waiting = 0;
    size_t guesses = 0;

    for (int i = 0; i < st->n; i++) {
        const ith_step_item *item = &st->items[i];
        ITH_TRY(check_guesses(item, err));
        if (item->n > 0)
            ITH_TRY(ith_session_check_ids(item->session, item->ids, item->n, err));
        waiting += item->session->pending + (int64_t)item->n;
        guesses += item->n_guesses;
    }
    if (guesses > (size_t)(ITH_STEP_MOST - st->n))
        return ith_fail(err, ITH_E_ARGUMENT, "%zu guesses in a step of %d sessions; expected %d",
                        guesses, st->n, ITH_STEP_MOST - st->n);
    return waiting > 0
               ? ITH_OK
               : ith_fail(err, ITH_E_ARGUMENT, "no session of the step has tokens to compute");
}

/* Local. The buffers of a step's logits and of what they are made of. */
static ith_status logits_buffer(ith_engine *e, ith_error *err)
{
    if (e->world->comm->rank != 0)
        return ITH_OK;
    if (e->step_outputs == NULL)
        ITH_TRY(ith_mem_alloc_array(ITH_MEM_OTHER, ITH_STEP_MOST * (size_t)e->model->hp.hidden,
                                    sizeof(float), "outputs", (void **)&e->step_outputs, err));
    return e->step_logits != NULL
               ? ITH_OK
               : ith_mem_alloc_array(ITH_MEM_OTHER, ITH_STEP_MOST * (size_t)ith_logits_ld(e->model),
                                     sizeof(float), "logits", (void **)&e->step_logits, err);
}

/* Collective. The new tokens, and room for them, on all ranks. */
static ith_status append(step *st, const header *h, ith_error *err)
{
    ith_engine *e = st->engine;
    int32_t *all = st->ids;
    ith_comm *comm = e->world->comm;
    int64_t sum = 0;

    for (int i = 0; i < st->n; sum += h->counts[i++])
        if (comm->rank == 0 && h->counts[i] > 0)
            memcpy(all + sum, st->items[i].ids, (size_t)h->counts[i] * sizeof *all);
    if (sum > 0)
        ith_world_bcast(e->world, all, (size_t)sum * sizeof *all);
    for (int i = 0; i < st->n; i++) {
        ith_session *s = st->items[i].session;
        int64_t after = s->length + s->pending + h->counts[i];
        if (!ith_state_has_room(s->state, after)) /* the same on all ranks */
            ITH_TRY(ith_session_make_room(s, after, err));
    }
    sum = 0;
    for (int i = 0; i < st->n; sum += h->counts[i++]) {
        ith_session *s = st->items[i].session;
        memcpy(s->ids + s->length + s->pending, all + sum, (size_t)h->counts[i] * sizeof *all);
        s->pending += h->counts[i];
        s->n_logits = 0;
        st->items[i].logits = st->items[i].output = NULL;
    }
    st->appended = true;
    return ITH_OK;
}

/* Collective. Sessions to which tokens came: what a keeper has of a prompt is read. */
static ith_status begin_prompts(step *st, const header *h, ith_error *err)
{
    for (int i = 0; i < st->n; i++) {
        ith_session *s = st->items[i].session;
        int64_t end = s->length + s->pending, restored;
        if (h->counts[i] == 0)
            continue;
        s->pending += ith_session_change_rope(s, s->pending);
        if (s->keeper == NULL || s->pending - st->guesses[i] == 1)
            continue;
        ITH_TRY(s->keeper->ops->begin(s->keeper, s->pending, &restored, err));
        s->pending = end - s->length;
        s->prompt = true;
    }
    return ITH_OK;
}

/* What passes may take, of the smallest session. */
static void measure(step *st)
{
    bool several = st->engine->world->comm->size > 1;

    st->chunk = st->room = INT64_MAX;
    for (int i = 0; i < st->n; i++) {
        const ith_session *s = st->items[i].session;
        st->chunk = ith_min(st->chunk, s->chunk);
        st->room = ith_min(st->room, several ? s->rows_tokens : s->chunk);
    }
}

/* Local. Buffers for `sum` new tokens and for those of any pass. */
static ith_status allocate(step *st, int64_t sum, ith_error *err)
{
    st->ids = malloc((size_t)ith_max(sum, ith_max(st->chunk, st->room)) * sizeof *st->ids);
    if (st->ids == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the tokens of a step");
    return logits_buffer(st->engine, err);
}

/* Rank 0. */
static void describe(const step *st, header *h)
{
    for (int i = 0; i < st->n; i++) {
        h->counts[i] = (int64_t)st->items[i].n;
        h->guesses[i] = (uint8_t)st->items[i].n_guesses;
    }
}

/* Collective. */
static ith_status take_tokens(step *st, size_t n, ith_error *err)
{
    ith_engine *e = st->engine;
    ith_comm *comm = e->world->comm;
    ith_status status = check_sessions(e, st->items, n, err);
    header h = {0};
    uint64_t mine = status == ITH_OK ? digest_of(st->items, n) : 0;
    int64_t sum = 0, rows;

    st->n = status == ITH_OK ? (int)n : 0;
    if (status == ITH_OK && comm->rank == 0) {
        status = check_tokens(st, err);
        if (status == ITH_OK)
            describe(st, &h);
    }
    h.sessions = mine;
    ith_world_bcast(e->world, &h, sizeof h);
    if (status == ITH_OK && h.sessions != mine)
        status = ith_fail(err, ITH_E_COMM, "the sessions of a step are not those of rank 0");
    rows = st->n;
    for (int i = 0; status == ITH_OK && i < st->n; i++) {
        sum += h.counts[i];
        rows += st->guesses[i] = h.guesses[i];
    }
    measure(st);
    if (status == ITH_OK)
        status = allocate(st, sum, err);
    ITH_TRY(ith_comm_agree(comm, status, err));
    ITH_TRY(ith_engine_widen(e, rows, err));
    ITH_TRY(append(st, &h, err));
    return begin_prompts(st, &h, err);
}

/* ---- Passes ---- */

/* Tokens of a prompt that one pass may take. */
static int64_t next_of(const step *st, int i)
{
    const ith_session *s = st->items[i].session;
    return ith_session_most(s, s->pending);
}

/* Tokens of one that decodes, with its guesses, if a pass has room for them beside n others. */
static int64_t decoded(const step *st, int i, int64_t n)
{
    int64_t tokens = 1 + st->guesses[i];
    return !st->done[i] && !st->is_prompt[i] && n + tokens <= st->room ? tokens : 0;
}

/* Does a pass of its own, by tokens, take the prompt's next chunk? */
static bool is_long(const step *st, int i)
{
    return st->engine->world->comm->size > 1 && next_of(st, i) > st->room;
}

/* The tokens of the next pass that holds all of them on every rank: those that decode, then, unless
 * an earlier pass had some, prompts as far as there is room. Returns how many; 0: there is nothing
 * for such a pass. */
static int64_t fill(step *st, int64_t *prompts)
{
    bool more = *prompts == 0;
    int64_t n = 0;

    for (int i = 0; i < st->n; i++) {
        st->tokens[i] = decoded(st, i, n);
        n += st->tokens[i];
    }
    for (int i = 0; i < st->n; i++)
        if (more && !st->done[i] && st->is_prompt[i] && !is_long(st, i)) {
            st->tokens[i] = ith_min(next_of(st, i), ith_min(st->room - n, st->chunk - *prompts));
            n += st->tokens[i];
            *prompts += st->tokens[i];
        }
    return n;
}

/* Rank 0: where the logits of item i are, if its last token is computed; then its guesses are. */
static void note_logits(step *st, int i, const ith_session *s)
{
    const ith_engine *e = st->engine;

    if (s->pending == 0 && e->step_logits != NULL) {
        st->items[i].logits = e->step_logits + st->rows * ith_logits_ld(e->model);
        st->items[i].output = e->step_outputs + st->rows * e->model->hp.hidden;
    }
    st->rows += s->pending == 0 ? 1 + st->guesses[i] : 0;
}

/* Collective. The pass has run: the sessions that it took from go on. */
static ith_status advance(step *st, ith_error *err)
{
    for (int i = 0; i < st->n; i++) {
        ith_session *s = st->items[i].session;
        if (st->tokens[i] == 0)
            continue;
        s->length += st->tokens[i];
        s->pending -= st->tokens[i];
        st->done[i] = true;
        note_logits(st, i, s);
        if (s->keeper != NULL)
            ITH_TRY(s->keeper->ops->chunk(s->keeper, err));
        if (s->prompt && s->pending == 0) {
            s->prompt = false;
            ITH_TRY(s->keeper->ops->rest(s->keeper, err));
        }
        if (ith_test_hook_due("length", s->length))
            while (ith_test_hook_act())
                continue;
    }
    return ITH_OK;
}

/* The spans of st->tokens, and their ids; *n_logits: of those with the last token that waits, and
 * of guesses. */
static int gather(step *st, ith_span *spans, int64_t *with_logits, int64_t *n_logits)
{
    int64_t before = 0;
    int n = 0;

    *n_logits = 0;
    for (int i = 0; i < st->n; i++) {
        ith_session *s = st->items[i].session;
        if (st->tokens[i] == 0)
            continue;
        memcpy(st->ids + before, s->ids + s->length, (size_t)st->tokens[i] * sizeof *st->ids);
        before += st->tokens[i];
        spans[n++] = s->span = (ith_span){s->state, s->length, st->tokens[i], s->is_long};
        for (int64_t k = st->tokens[i] == s->pending ? st->guesses[i] : -1; k >= 0; k--)
            with_logits[(*n_logits)++] = before - 1 - k;
    }
    return n;
}

/* Is something of the pass kept on disk? */
static bool is_kept(const step *st)
{
    for (int i = 0; i < st->n; i++)
        if (st->tokens[i] > 0 && st->items[i].session->keeper != NULL)
            return true;
    return false;
}

/* Collective. A pass over st->tokens. */
static ith_status run_pass(step *st, bool by_rows, ith_error *err)
{
    ith_engine *e = st->engine;
    ith_pass_env env = ith_engine_env(e);
    ith_span spans[ITH_STEP_MOST];
    int64_t with_logits[ITH_STEP_MOST], n_logits;
    int n_spans = gather(st, spans, with_logits, &n_logits);
    ith_pass pass = ith_pass_make(&env, by_rows, spans, n_spans, st->ids);

    pass.n_logits = n_logits;
    pass.logit_tokens = n_spans > 1 ? with_logits : NULL;
    if (e->step_logits != NULL) {
        pass.logits = e->step_logits + st->rows * ith_logits_ld(e->model);
        pass.outputs = e->step_outputs + st->rows * e->model->hp.hidden;
    }
    ith_team_run(e->team, ith_pass_run, &pass);
    ITH_TRY(ith_engine_check_pass(e, &pass, is_kept(st), err));
    return advance(st, err);
}

/* Collective. The next chunk of the first long prompt. */
static ith_status run_long(step *st, ith_error *err)
{
    int64_t n = 0;

    for (int i = 0; i < st->n; i++) {
        bool first = n == 0 && !st->done[i] && is_long(st, i);
        st->tokens[i] = first ? ith_min(next_of(st, i), st->chunk) : 0;
        n += st->tokens[i];
    }
    return n > 0 ? run_pass(st, false, err) : ITH_OK;
}

/* Those that decode leave no prompt without its turn: where they fill a pass, another follows. */
static ith_status run_passes(step *st, ith_error *err)
{
    int64_t prompts = 0;

    for (int i = 0; i < st->n; i++) {
        ITH_TRY(ith_session_check_state(st->items[i].session, err));
        st->is_prompt[i] = st->items[i].session->pending - st->guesses[i] > 1;
        st->done[i] = st->items[i].session->pending == 0;
    }
    while (fill(st, &prompts) > 0)
        ITH_TRY(run_pass(st, st->engine->world->comm->size > 1, err));
    return run_long(st, err);
}

/* After a failure: guesses that were not computed are not tokens that wait. */
static void drop_guesses(step *st)
{
    for (int i = 0; st->appended && i < st->n; i++)
        if (st->items[i].session->pending > 0)
            st->items[i].session->pending -= st->guesses[i];
}

ith_status ith_engine_step(ith_engine *engine, ith_step_item *items, size_t n, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    step st = {.engine = engine, .items = items};
    ith_status status = take_tokens(&st, n, err);

    if (status == ITH_OK)
        status = run_passes(&st, err);
    if (status != ITH_OK)
        drop_guesses(&st);
    free(st.ids);
    return status;
}
