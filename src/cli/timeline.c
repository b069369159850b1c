/* timeline.c - brings a session to the tokens of a conversation. */
#include "cli/timeline.h"

#include <stdlib.h>

typedef enum step_kind { STEP_END, STEP_COMPUTE, STEP_ANSWER } step_kind;

/* What rank 0 tells the others. */
typedef struct step {
    int64_t kind;       /* step_kind */
    int64_t common;     /* tokens of the session that stay */
    int64_t max_tokens; /* of the answer */
} step;

/* After such a failure the session cannot be used. The same on all ranks. */
static bool is_over(ith_status status)
{
    return status != ITH_OK && status != ITH_E_CANCELLED && status != ITH_E_ARGUMENT &&
           status != ITH_E_MEMORY && status != ITH_E_UNSUPPORTED;
}

ith_status ith_timeline_open(ith_timeline *t, ith_error *err)
{
    ITH_TRY(ith_session_open(t->engine, &t->session, err));
    return ith_keep_args_open(t->keep, t->watch, t->session, NULL, 0, NULL, err);
}

void ith_timeline_close(ith_timeline *t)
{
    ith_session_close(t->session);
    free(t->tokens);
    t->session = NULL;
    t->tokens = NULL;
}

/* ---- On all ranks ---- */

/* Cuts the session back to s->common tokens. One whose segments are saved cannot be cut within
 * those; then it begins anew, and reads what was saved. */
static ith_status cut(ith_timeline *t, step *s, ith_error *err)
{
    ith_status status = ith_session_truncate(t->session, s->common, err);

    if (status != ITH_E_UNSUPPORTED)
        return status;
    ith_session_close(t->session);
    t->session = NULL;
    s->common = 0;
    return ith_timeline_open(t, err);
}

/* `ids`, [n], and `params` on rank 0; the others pass NULL. */
static ith_status take(ith_timeline *t, step *s, const ith_ids *ids,
                       const ith_generate_params *params, ith_generation *answer, ith_error *err)
{
    ith_generate_params how = ith_generate_params_default(t->engine);
    int64_t before;

    ITH_TRY(cut(t, s, err));
    before = ith_session_length(t->session);
    ITH_TRY(ith_session_prefill(t->session, ids != NULL ? ids->data + s->common : NULL,
                                ids != NULL ? ids->n - (size_t)s->common : 0, err));
    t->computed = ith_session_length(t->session) - before;
    ith_watch_end(t->watch);
    if (s->kind != STEP_ANSWER)
        return ITH_OK;
    if (params != NULL)
        how = *params;
    how.max_tokens = s->max_tokens;
    how.max_draft = t->max_draft;
    how.draft = t->draft;
    return ith_generate(t->session, &how, answer, err);
}

/* The session could not be opened again: without one nothing goes on. */
static ith_status check_session(const ith_timeline *t, ith_status status)
{
    return t->session == NULL && !is_over(status) ? ITH_E_IO : status;
}

/* ---- Rank 0 ---- */

static void tell(ith_timeline *t, step *s)
{
    ith_world_wait(t->cli->world);
    ith_world_bcast(t->cli->world, s, sizeof *s);
}

/* One token at least is computed, because logits come with it. */
static int64_t count_common(const ith_timeline *t, const ith_ids *ids)
{
    size_t n = 0;

    while (n < t->n_tokens && n + 1 < ids->n && t->tokens[n] == ids->data[n])
        n++;
    return (int64_t)n;
}

/* The tokens are those of the conversation and of the answer, as far as the session holds them. */
static ith_status remember(ith_timeline *t, ith_ids *ids, const ith_generation *answer,
                           ith_error *err)
{
    size_t n = (size_t)ith_session_length(t->session), more = answer != NULL ? answer->n_ids : 0;
    int32_t *grown = realloc(ids->data, (ids->n + more + 1) * sizeof *grown);

    if (grown == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the conversation's tokens");
    for (size_t i = 0; i < more; i++)
        grown[ids->n + i] = answer->ids[i];
    free(t->tokens);
    t->tokens = grown;
    t->n_tokens = n < ids->n + more ? n : ids->n + more;
    *ids = (ith_ids){0};
    return ITH_OK;
}

static ith_status check_room(const ith_timeline *t, const ith_ids *ids, ith_error *err)
{
    int64_t ctx = ith_engine_get_info(t->engine)->ctx;

    if ((int64_t)ids->n <= ctx)
        return ITH_OK;
    return ith_fail(err, ITH_E_ARGUMENT,
                    "the conversation has %zu tokens, more than the context of %lld: /undo or "
                    "/clear shortens it, and --ctx makes more room",
                    ids->n, (long long)ctx);
}

static ith_status run(ith_timeline *t, ith_ids *ids, step *s, const ith_generate_params *params,
                      ith_generation *answer, ith_error *err)
{
    ith_status status;

    ITH_TRY(check_room(t, ids, err));
    s->common = count_common(t, ids);
    tell(t, s);
    status = take(t, s, ids, params, answer, err);
    ith_watch_end(t->watch);
    status = check_session(t, status);
    t->broken = is_over(status);
    if (t->broken)
        return status;
    if (remember(t, ids, answer, err) != ITH_OK)
        ith_world_abort(t->cli->world, ITH_EXIT_FAILED, err->text);
    return status;
}

ith_status ith_timeline_compute(ith_timeline *t, ith_ids *ids, ith_error *err)
{
    step s = {.kind = STEP_COMPUTE};
    return run(t, ids, &s, NULL, NULL, err);
}

ith_status ith_timeline_answer(ith_timeline *t, ith_ids *ids, const ith_generate_params *params,
                               ith_generation *answer, ith_error *err)
{
    int64_t room = ith_engine_get_info(t->engine)->ctx - (int64_t)ids->n + 1;
    step s = {.kind = STEP_ANSWER,
              .max_tokens = params->max_tokens < room ? params->max_tokens : room};

    return run(t, ids, &s, params, answer, err);
}

void ith_timeline_end(ith_timeline *t)
{
    step s = {.kind = STEP_END};
    tell(t, &s);
}

/* ---- The others ---- */

ith_status ith_timeline_follow(ith_timeline *t, ith_error *err)
{
    ith_generation answer = {0};
    ith_status status;
    step s = {.kind = STEP_END};

    for (;;) {
        tell(t, &s);
        if (s.kind == STEP_END)
            return ITH_OK;
        status = check_session(t, take(t, &s, NULL, NULL, &answer, err));
        ith_generation_free(&answer);
        if (is_over(status))
            return status;
    }
}
