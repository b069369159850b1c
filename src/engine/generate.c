/* generate.c - generates an answer: all ranks compute, rank 0 samples and shows the text. */
#include "base/fpenv.h"
#include "comm/same.h"
#include "engine/session.h"
#include "engine/speculate.h"
#include "engine/writer.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(ITH_DRAFT_MAX == ITH_DECODE_TOKENS - 1,
               "a pass verifies a chosen token and the guesses after it");

/* ---- The loop ----
 *
 * Each round chooses tokens from the logits of the last pass, guesses the tokens after them, and
 * runs a pass over the last chosen token and the guesses.
 */

typedef struct loop {
    ith_writer *w; /* of rank 0 */
    ith_session *session;
    const ith_generate_params *params;
    ith_drafter *drafter; /* NULL: no guesses */
    ith_draft_pace pace;
    int32_t tokens[ITH_DECODE_TOKENS]; /* of the last pass: a chosen token, then guesses */
    int64_t n_guesses;
    int64_t n_chosen;
} loop;

/* What rank 0 tells the others after each pass, in one message. */
typedef struct verdict {
    int32_t failed; /* no token could be chosen, or shown */
    int32_t go_on;  /* 0: the answer is finished */
    int64_t right;  /* guesses before the last token chosen that were right */
    int64_t n_ids;  /* of the next pass, if it goes on */
    /* The last token chosen, and guesses unless a model makes them. */
    int32_t ids[ITH_DECODE_TOKENS];
} verdict;

/* Token n of the answer, which follows `length` tokens of the timeline. */
static int32_t next_token(const loop *l, int64_t length, int64_t n)
{
    if (l->params->answer != NULL)
        return l->params->answer[n];
    return ith_writer_choose(l->w, ith_session_logits_at(l->session, length));
}

/* Chooses a token, and another one after each guess that equals the token chosen before it. The
 * answer goes on as long as the context has room for the token, which the next pass appends. */
static ith_status choose(loop *l, verdict *v, ith_error *err)
{
    int64_t length = l->session->length - l->n_guesses;
    bool on = true;

    for (;; v->right++) {
        v->ids[0] = next_token(l, length + v->right, l->n_chosen + v->right);
        ITH_TRY(ith_writer_token(l->w, v->ids[0], &on, err));
        v->go_on = on && l->n_chosen + v->right + 1 < l->params->max_tokens &&
                   length + v->right < l->session->ctx;
        if (!v->go_on || v->right == l->n_guesses || v->ids[0] != l->tokens[1 + v->right])
            return ITH_OK;
    }
}

/* The largest number of guesses that pays, fits, and may still be needed. */
static int64_t most_guesses(const loop *l)
{
    const int64_t limits[] = {ith_draft_pace_length(&l->pace),
                              l->params->max_tokens - l->n_chosen - 1,
                              l->session->ctx - l->session->length - 1};
    int64_t most = ith_session_few(l->session) - 1;

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        most = limits[i] < most ? limits[i] : most;
    return most;
}

/* Local, on all ranks: wrong guesses are taken back, and all are counted. */
static ith_status settle(loop *l, const verdict *v, ith_generation *out, ith_error *err)
{
    ITH_TRY(ith_session_cut(l->session, l->session->length - l->n_guesses + v->right, err));
    ith_draft_pace_count(&l->pace, l->n_guesses, v->right);
    out->n_drafted += l->n_guesses;
    out->n_accepted += v->right;
    out->n_passes += v->go_on;
    l->n_chosen += v->right + 1;
    return ITH_OK;
}

/* Guesses after the chosen token, ids[0]; *n: with it. Collective if a model makes them, else
 * local, on rank 0. */
static ith_status draft(const loop *l, int32_t *ids, int64_t *n, ith_error *err)
{
    ith_session *s = l->session;
    int64_t most = l->drafter == NULL || s->length == s->ctx ? 0 : most_guesses(l), guesses = 0;

    if (most > 0) {
        s->ids[s->length] = ids[0];
        ITH_TRY(l->drafter->ops->draft(l->drafter, s->ids, s->length + 1, most, ids + 1, &guesses,
                                       err));
    }
    *n = 1 + guesses;
    return ITH_OK;
}

/* Appends the chosen token, and guesses after it, to the timeline. */
static ith_status extend(loop *l, verdict *v, ith_error *err)
{
    ith_session *s = l->session;

    if (l->params->draft != NULL) {
        ITH_TRY(draft(l, v->ids, &v->n_ids, err));
        ITH_TRY(ith_session_extend(s, v->ids, (size_t)v->n_ids, err));
    } else {
        ITH_TRY(ith_session_extend_known(s, v->ids, (size_t)v->n_ids, err));
    }
    memcpy(l->tokens, v->ids, sizeof l->tokens);
    l->n_guesses = s->n_logits - 1;
    return ITH_OK;
}

/* ---- The answer in a checkpoint ---- */

typedef struct replayed {
    int64_t n; /* tokens */
    int64_t go_on;
} replayed;

static ith_status show_again(ith_writer *w, const int32_t *ids, replayed *r, int64_t draws,
                             ith_error *err)
{
    int64_t n = r->n;
    bool on = true;

    for (r->n = 0; on && r->n < n; r->n++)
        ITH_TRY(ith_writer_token(w, ids[r->n], &on, err));
    ith_sampler_skip(w->sampler, draws);
    r->go_on = on;
    return ITH_OK;
}

/* Shows the saved tokens again and computes them like a prompt: all but the last, which is chosen
 * again, so that a finished answer fits too. The logits after them have the same bits as if the
 * tokens had been computed one by one. */
static ith_status replay(loop *l, replayed *r, ith_error *err)
{
    ith_session *s = l->session;
    ith_comm *comm = s->engine->world->comm;
    int64_t draws;
    const int32_t *ids = s->keeper->ops->answer(s->keeper, &r->n, &draws);

    r->go_on = 1;
    ITH_TRY(
        ith_comm_agree(comm, comm->rank == 0 ? show_again(l->w, ids, r, draws, err) : ITH_OK, err));
    ith_world_bcast(s->engine->world, r, sizeof *r);
    if (r->n == 0 || !r->go_on)
        return ITH_OK;
    l->n_chosen = r->n;
    return ith_session_prefill(s, ids, (size_t)r->n, err);
}

/* Local. After the last token. */
static ith_status finish(loop *l, bool root, ith_error *err)
{
    ITH_TRY(ith_engine_check_files(l->session->engine, err));
    return root ? ith_writer_rest(l->w, err) : ITH_OK;
}

/* Rank 0. Chooses, and guesses what a pass is to verify. */
static ith_status decide(loop *l, verdict *v, ith_generation *out, ith_error *err)
{
    ITH_TRY(choose(l, v, err));
    ITH_TRY(settle(l, v, out, err));
    if (!v->go_on || l->params->draft != NULL)
        return ITH_OK;
    return draft(l, v->ids, &v->n_ids, err);
}

/* Collective. Rank 0 decides, and tells the others. */
static ith_status decide_on_all(loop *l, verdict *v, ith_generation *out, ith_error *err)
{
    ith_world *world = l->session->engine->world;
    bool root = world->comm->rank == 0;
    ith_status status = ITH_OK;

    *v = (verdict){0};
    if (root)
        status = decide(l, v, out, err);
    v->failed = status != ITH_OK;
    ith_world_bcast(world, v, sizeof *v);
    if (v->failed)
        return ith_comm_agree(world->comm, status, err);
    return root ? ITH_OK : settle(l, v, out, err);
}

static ith_status run(loop *l, ith_generation *out, ith_error *err)
{
    ith_comm *comm = l->session->engine->world->comm;
    bool root = comm->rank == 0;
    replayed r = {0, 1};
    verdict v;

    if (l->session->keeper != NULL)
        ITH_TRY(replay(l, &r, err));
    v = (verdict){.go_on = r.go_on && l->n_chosen < l->params->max_tokens};
    while (v.go_on) {
        ITH_TRY(decide_on_all(l, &v, out, err));
        if (v.go_on)
            ITH_TRY(extend(l, &v, err));
    }
    return ith_comm_agree(comm, finish(l, root, err), err);
}

/* ---- Opening ---- */

/* Checks params->answer, which is read on rank 0 only. */
static ith_status check_answer(const ith_session *s, const ith_generate_params *params,
                               ith_error *err)
{
    int64_t n_vocab = s->engine->model->hp.n_vocab;

    if (params->answer == NULL || s->engine->world->comm->rank != 0)
        return ITH_OK;
    for (int64_t i = 0; i < params->max_tokens; i++)
        if (params->answer[i] < 0 || params->answer[i] >= n_vocab)
            return ith_fail(err, ITH_E_ARGUMENT,
                            "token %lld of the answer is %d; expected 0 to %lld", (long long)i + 1,
                            params->answer[i], (long long)n_vocab - 1);
    return ITH_OK;
}

/* Local. All ranks make the first checks, rank 0 alone the last. */
static ith_status check(const ith_session *s, const ith_generate_params *params, ith_error *err)
{
    if (!ith_session_has_logits(s))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the session has no logits to continue from: prefill a prompt first");
    if (params->max_draft < 0 || params->max_draft > ITH_DRAFT_MAX)
        return ith_fail(err, ITH_E_ARGUMENT, "max_draft is %d; expected 0 (off) to %d",
                        params->max_draft, ITH_DRAFT_MAX);
    return check_answer(s, params, err);
}

static ith_guess_kind guess_kind(const loop *l)
{
    if (l->params->draft != NULL)
        return ITH_GUESSES_OF_MODEL;
    return l->session->engine->model->kernels->spare_arithmetic ? ITH_GUESSES_CHEAP
                                                                : ITH_GUESSES_DEAR;
}

static ith_status open_drafter(loop *l, ith_error *err)
{
    const ith_session *s = l->session;
    ith_comm *comm = s->engine->world->comm;
    int64_t room = s->ctx - s->length, most = l->params->max_tokens;

    if (l->params->max_draft == 0)
        return ITH_OK;
    l->pace = ith_draft_pace_start(l->params->max_draft, guess_kind(l));
    if (l->params->draft != NULL)
        return ith_drafter_model(s, l->params->draft, &l->drafter, err);
    return ith_comm_agree(comm,
                          ith_drafter_lookup(comm->rank == 0,
                                             s->length + (most < room ? most : room), &l->drafter,
                                             err),
                          err);
}

/* Collective: what all ranks act on. */
static ith_status check_same(ith_comm *comm, const ith_generate_params *params, ith_error *err)
{
    ith_same same = {0};

    ith_same_int(&same, "the longest answer in tokens", params->max_tokens);
    ith_same_int(&same, "max_draft", params->max_draft);
    ith_same_text(&same, "the draft model", params->draft != NULL ? "given" : NULL);
    return ith_comm_same(comm, &same, err);
}

/* Rank 0. The answer follows what the session holds. */
static ith_status open_writer(ith_writer *w, const ith_session *s,
                              const ith_generate_params *params, ith_generation *out,
                              ith_error *err)
{
    ITH_TRY(ith_writer_open(w, s->engine, params, out, err));
    w->keeper = s->keeper;
    ith_writer_follow(w, s->ids, (size_t)s->length);
    return ITH_OK;
}

ith_status ith_generate(ith_session *session, const ith_generate_params *params,
                        ith_generation *out, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_comm *comm = session->engine->world->comm;
    ith_writer w = {0};
    loop l = {.w = &w, .session = session, .params = params};
    ith_status status;

    *out = (ith_generation){.finish = ITH_FINISH_LENGTH};
    ITH_TRY(check_same(comm, params, err));
    status = check(session, params, err);
    if (status == ITH_OK && comm->rank == 0)
        status = open_writer(&w, session, params, out, err);
    status = ith_comm_agree(comm, status, err);
    if (status == ITH_OK)
        status = open_drafter(&l, err);
    if (status == ITH_OK)
        status = run(&l, out, err);
    ith_drafter_close(l.drafter);
    ith_writer_close(&w);
    return status;
}

void ith_generation_free(ith_generation *out)
{
    free(out->ids);
    free(out->text);
    free(out->embedding);
    *out = (ith_generation){0};
}
