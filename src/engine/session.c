/* session.c - one timeline: runs chunks of tokens through the model, returns logits and scores. */
#include "engine/session.h"

#include "base/digest.h"
#include "base/fpenv.h"
#include "base/mem.h"
#include "base/testhook.h"
#include "comm/same.h"
#include "engine/pass_check.h"
#include "engine/sizes.h"
#include "model/traffic.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The workspace: one for all sessions of an engine, used by one pass at a time ---- */

static ith_status take_workspace(ith_engine *e, const ith_limits *wanted, ith_error *err)
{
    ith_limits limits = e->ws == NULL ? *wanted : ith_limits_both(&e->ws->limits, wanted);
    ith_workspace *larger;

    if (e->ws == NULL || !ith_limits_within(&limits, &e->ws->limits)) {
        ITH_TRY(ith_workspace_open(e->model, &e->mesh, e->kv, &limits, &larger, err));
        ith_workspace_close(e->ws);
        e->ws = larger;
    }
    e->n_sessions++;
    return ITH_OK;
}

static void leave_workspace(ith_engine *e)
{
    if (--e->n_sessions > 0)
        return;
    ith_workspace_close(e->ws);
    e->ws = NULL;
}

ith_status ith_engine_widen(ith_engine *e, int64_t logits, ith_error *err)
{
    ith_limits wanted = e->ws->limits;
    ith_workspace *wider = NULL;
    ith_status status;

    if (wanted.logits >= logits) /* the same on all ranks */
        return ITH_OK;
    wanted.logits = logits;
    status = ith_workspace_open(e->model, &e->mesh, e->kv, &wanted, &wider, err);
    status = ith_comm_agree(e->world->comm, status, err);
    if (status != ITH_OK) { /* of no rank: the next call asks all again */
        ith_workspace_close(wider);
        return status;
    }
    ith_workspace_close(e->ws);
    e->ws = wider;
    return ITH_OK;
}

/* ---- Opening ---- */

static ith_status allocate(ith_session *s, int64_t back, const ith_limits *limits, ith_error *err)
{
    ith_engine *e = s->engine;
    ith_comm *comm = e->world->comm;
    ith_state_params state = ith_session_state(e, s->ctx, ith_max(s->chunk, back));

    ITH_TRY(ith_mem_alloc_array(ITH_MEM_OTHER, (size_t)s->ctx, sizeof *s->ids, "timeline",
                                (void **)&s->ids, err));
    ITH_TRY(ith_state_open(&state, &s->state, err));
    ITH_TRY(take_workspace(e, limits, err));
    s->has_workspace = true;
    if (!comm->ops->messages_open(comm, e->ws->parcels, e->ws->parcel_bytes))
        return ith_fail(err, ITH_E_MEMORY, "no memory for the messages of a pass");
    return ITH_OK;
}

ith_status ith_session_open_sized(ith_engine *engine, const ith_session_sizes *sizes,
                                  ith_session **out, ith_error *err)
{
    ith_session *s = calloc(1, sizeof *s);
    ith_limits limits = ith_session_limits(engine, sizes->ctx, sizes->chunk, sizes->all_by_rows);
    ith_status status;

    *out = NULL;
    limits.logits = ith_max(limits.logits, sizes->logits);
    if (s == NULL) {
        status = ith_fail(err, ITH_E_MEMORY, "no memory for a session");
    } else {
        s->engine = engine;
        s->number = engine->n_opened++;
        s->ctx = sizes->ctx;
        s->chunk = sizes->chunk;
        s->rows_tokens = limits.rows_tokens;
        status = allocate(s, sizes->back, &limits, err);
    }
    status = ith_comm_agree(engine->world->comm, status, err);
    if (status == ITH_OK)
        status = engine->world->comm->ops->exchange_open(
            engine->world->comm, engine->exchange, ith_session_exchange_most(engine, sizes->chunk),
            err);
    if (status != ITH_OK) {
        ith_session_close(s);
        return status;
    }
    *out = s;
    return ITH_OK;
}

ith_status ith_session_open(ith_engine *engine, ith_session **session, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    const ith_session_sizes sizes = {.ctx = engine->info.ctx, .chunk = engine->info.chunk};

    return ith_session_open_sized(engine, &sizes, session, err);
}

void ith_session_close(ith_session *session)
{
    if (session == NULL)
        return;
    if (session->keeper != NULL)
        session->keeper->ops->close(session->keeper);
    if (session->has_workspace)
        leave_workspace(session->engine);
    ith_profile_close(session->profile);
    ith_state_close(session->state);
    ith_mem_free(session->ids);
    ith_mem_free(session->logits);
    ith_mem_free(session->output);
    ith_mem_free(session->score_logits);
    ith_mem_free(session->nll);
    ith_mem_free(session->targets);
    free(session);
}

ith_pass_env ith_engine_env(const ith_engine *engine)
{
    return (ith_pass_env){.model = engine->model,
                          .comm = engine->world->comm,
                          .mesh = &engine->mesh,
                          .kv = engine->kv,
                          .ws = engine->ws,
                          .head_slices = engine->head_slices};
}

ith_pass ith_session_pass(ith_session *s, int64_t n)
{
    ith_pass_env env = ith_engine_env(s->engine);
    bool by_rows = env.comm->size > 1 && n <= s->rows_tokens;
    ith_pass pass;

    s->span = (ith_span){s->state, s->length, n, s->is_long};
    pass = ith_pass_make(&env, by_rows, &s->span, 1, s->ids + s->length);
    pass.probe = s->probe;
    pass.profile = s->profile;
    return pass;
}

/* ---- Prefill ---- */

ith_status ith_session_check_ids(const ith_session *s, const int32_t *ids, size_t n, ith_error *err)
{
    int64_t n_vocab = s->engine->model->hp.n_vocab, before = s->length + s->pending;

    if (n == 0 || n > (size_t)(s->ctx - before))
        return ith_fail(
            err, ITH_E_ARGUMENT, "%zu tokens after %lld do not fit a context of %lld tokens%s", n,
            (long long)before, (long long)s->ctx,
            n == 0 ? ": give at least one" : ": give a larger one (--ctx) or a shorter text");
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= n_vocab)
            return ith_fail(err, ITH_E_ARGUMENT,
                            "token id %d at index %zu is not in the vocabulary of %lld tokens",
                            ids[i], i, (long long)n_vocab);
    return ITH_OK;
}

ith_status ith_session_make_room(ith_session *s, int64_t n_tokens, ith_error *err)
{
    ith_comm *comm = s->engine->world->comm;
    ith_status status;

    if (ith_state_has_room(s->state, n_tokens)) /* the same on all ranks */
        return ITH_OK;
    status = ith_comm_agree(comm, ith_state_reserve(s->state, n_tokens, err), err);
    if (status == ITH_OK)
        status = ith_comm_agree(comm, ith_state_populate(s->state, s->engine->team, err), err);
    if (status != ITH_OK)
        ith_state_trim(s->state, s->length);
    return status;
}

bool ith_session_shareable(const ith_session *s, int64_t n)
{
    return s->length >= n && ith_state_shareable(s->state, n);
}

ith_status ith_session_share(ith_session *s, const ith_session *from, int64_t n, ith_error *err)
{
    ith_comm *comm = s->engine->world->comm;
    ith_status status = ith_comm_agree(comm, ith_state_share(s->state, from->state, n, err), err);

    if (status != ITH_OK)
        ith_state_trim(s->state, 0);
    return status;
}

void ith_session_copy(ith_session *s, const ith_session *from, int64_t n)
{
    ith_state_copy(s->state, from->state, n);
    memcpy(s->ids, from->ids, (size_t)n * sizeof *s->ids);
    s->length = n;
    s->is_long = from->is_long;
}

ith_status ith_session_reserve(ith_session *session, int64_t n_tokens, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_same same = {0};

    ith_same_int(&same, "the tokens to reserve memory for", n_tokens);
    ITH_TRY(ith_comm_same(session->engine->world->comm, &same, err));
    if (n_tokens < 0 || n_tokens > session->ctx)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "memory for %lld tokens is wanted in a context of %lld",
                        (long long)n_tokens, (long long)session->ctx);
    return ith_session_make_room(session, n_tokens, err);
}

/* Local. Rank 0 gets its buffer of logits with the first tokens. */
static ith_status check_tokens(ith_session *s, const int32_t *ids, size_t n, ith_error *err)
{
    ITH_TRY(ith_session_check_ids(s, ids, n, err));
    if (s->pending > 0)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%lld tokens of the session wait for a step (ith_engine_step)",
                        (long long)s->pending);
    return s->logits != NULL
               ? ITH_OK
               : ith_mem_alloc_array(ITH_MEM_OTHER, ith_session_logits_floats(s->engine),
                                     sizeof(float), "logits", (void **)&s->logits, err);
}

/* What rank 0 tells the others of new tokens: of a few all, as in decode, of more how many. */
typedef struct told_ids {
    int32_t refused;
    uint64_t n;
    int32_t ids[ITH_DECODE_TOKENS];
} told_ids;

/* Collective. Copies rank 0's ids to the end of every rank's timeline, and reserves state for them.
 * The session's length stays. */
static ith_status take_ids(ith_session *s, const int32_t *ids, size_t *n, ith_error *err)
{
    ith_world *world = s->engine->world;
    bool root = world->comm->rank == 0;
    ith_status status = root ? check_tokens(s, ids, *n, err) : ITH_OK;
    told_ids told = {.refused = status != ITH_OK, .n = *n};
    int32_t *to = s->ids + s->length;
    const size_t few = ITH_DECODE_TOKENS;

    if (root && !told.refused)
        memcpy(told.ids, ids, (*n < few ? *n : few) * sizeof *ids);
    ith_world_bcast(world, &told, sizeof told);
    if (told.refused)
        return ith_comm_agree(world->comm, status, err);
    *n = told.n;
    if (*n <= few) {
        memcpy(to, told.ids, *n * sizeof *to);
    } else {
        if (root)
            memcpy(to, ids, *n * sizeof *to);
        ith_world_bcast(world, to, *n * sizeof *to);
    }
    return ith_session_make_room(s, s->length + (int64_t)*n, err);
}

static bool goes_on(ith_session *s, int64_t done, int64_t total)
{
    return ith_engine_goes_on(s->engine, "prefill", s->before + done,
                              s->total > 0 ? s->total : total);
}

static void act_for_test(const ith_session *s, int64_t done, int64_t total)
{
    const ith_engine *e = s->engine;

    while (ith_test_hook_act())
        if (e->progress != NULL && e->world->comm->rank == 0 &&
            !e->progress(e->progress_user, "prefill", done, total))
            break;
}

/* Collects the scores of a pass on rank 0. */
static void collect_scores(ith_session *s, const ith_pass *p, float *out, int64_t n_out)
{
    ith_comm *comm = s->engine->world->comm;
    ith_comm_counts parcels = ith_workspace_counts(s->engine->ws, comm->size, 0, 0);
    ith_range mine = ith_pass_scored(p, comm->rank);

    for (int r = 0; r < comm->size; r++) {
        ith_range scored = ith_pass_scored(p, r);
        parcels.counts[r] = ith_range_size(scored) * (int64_t)sizeof(float);
        parcels.displs[r] = scored.begin * (int64_t)sizeof(float);
    }
    comm->ops->allgatherv(comm, s->nll + mine.begin, s->nll, parcels.counts, parcels.displs);
    for (ith_range slots = {0, comm->rank == 0 && n_out > 0 ? p->n : 0}; slots.begin < slots.end;) {
        ith_range tokens = ith_pass_tokens(p, slots);
        for (int64_t t = tokens.begin; t < tokens.end && t < n_out; t++)
            out[t] = s->nll[slots.begin + t - tokens.begin];
        slots.begin += ith_range_size(tokens);
    }
}

static void set_targets(ith_session *s, int64_t n, int64_t left)
{
    for (int64_t i = 0; i < n; i++)
        s->targets[i] = i + 1 < left ? s->ids[s->length + i + 1] : -1;
}

/* A chunk whose progress is reported. */
typedef struct chunk_shown {
    const ith_engine *engine;
    int64_t tokens;
} chunk_shown;

/* Reports only: a chunk that has begun is always finished. */
static bool show_layers(void *user, int layers)
{
    const chunk_shown *chunk = user;
    const ith_engine *e = chunk->engine;

    e->chunk_progress(e->progress_user, chunk->tokens, layers / (double)e->model->hp.n_layers);
    return true;
}

ith_status ith_session_check_state(const ith_session *s, ith_error *err)
{
    if (ith_state_resumes(s->state, s->length))
        return ITH_OK;
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "the states of the model's recurrent layers are not those after %lld tokens: "
                    "begin a new session",
                    (long long)s->length);
}

int64_t ith_session_most(const ith_session *s, int64_t n)
{
    if (s->stop > s->length)
        n = ith_min(n, s->stop - s->length);
    if (s->most > 0)
        n = ith_min(n, s->most);
    return s->keeper == NULL ? n : s->keeper->ops->most(s->keeper, n);
}

/* Collective. Runs the n new ids from take_ids in chunks. `done` of them are in the state already.
 * The last n_logits, all in one chunk, get logits. nll: [n - 1] scores on rank 0, or NULL. */
static ith_status run_chunks(ith_session *s, int64_t n, int64_t done, int64_t n_logits, bool score,
                             float *nll, ith_error *err)
{
    bool shown = n > n_logits; /* otherwise it is a step of decoding */

    ITH_TRY(ith_session_check_state(s, err));
    while (done < n) {
        int64_t left = n - done, now = ith_min(ith_session_most(s, left), s->chunk);
        ith_pass pass = ith_session_pass(s, now);
        chunk_shown chunk = {s->engine, now};

        if (shown && !goes_on(s, done, n))
            return ith_fail(err, ITH_E_CANCELLED, "stopped after %lld of %lld tokens",
                            (long long)done, (long long)n);
        pass.n_logits = now == left ? n_logits : 0;
        pass.logits = s->logits;
        pass.outputs = pass.n_logits == 1 ? s->output : NULL;
        if (score) {
            set_targets(s, now, left);
            pass.targets = s->targets;
            pass.nll = s->nll;
            pass.score_logits = s->score_logits;
        }
        if (shown && s->engine->chunk_progress != NULL && s->engine->world->comm->rank == 0) {
            pass.goes_on = show_layers;
            pass.user = &chunk;
        }
        s->n_logits = 0;
        if (s->profile != NULL)
            ith_profile_begin(s->profile, shown ? ITH_PHASE_PREFILL : ITH_PHASE_DECODE, now);
        ith_team_run(s->engine->team, ith_pass_run, &pass);
        if (s->profile != NULL)
            ith_profile_end(s->profile, s->engine->store);
        ITH_TRY(ith_engine_check_pass(s->engine, &pass, s->keeper != NULL, err));
        if (score)
            collect_scores(s, &pass, nll == NULL ? NULL : nll + done, ith_min(now, left - 1));
        s->length += now;
        done += now;
        if (s->keeper != NULL)
            ITH_TRY(s->keeper->ops->chunk(s->keeper, err));
        if (ith_test_hook_due("length", s->length))
            act_for_test(s, done, n);
    }
    s->n_logits = n_logits;
    s->logits_from = s->length - n_logits + 1;
    if (!shown)
        return ITH_OK;
    goes_on(s, n, n);
    return ith_engine_check_files_on_all(s->engine, err);
}

/* Computes the n new ids from take_ids, with the logits after the last: what the keeper has is
 * read. */
static ith_status compute(ith_session *session, int64_t n, ith_error *err)
{
    ith_keeper *keeper = n > 1 ? session->keeper : NULL;
    int64_t done = 0;
    ith_status status;

    if (keeper != NULL)
        ITH_TRY(keeper->ops->begin(keeper, n, &done, err));
    if (done < 0) {
        n -= done;
        done = 0;
    }
    status = run_chunks(session, n, done, 1, false, NULL, err);
    if (keeper != NULL && (status == ITH_OK || status == ITH_E_CANCELLED)) {
        ith_status rest = keeper->ops->rest(keeper, err);
        status = status == ITH_OK ? rest : status;
    }
    return status;
}

int64_t ith_session_change_rope(ith_session *s, int64_t n)
{
    bool is_long = ith_model_is_long(s->engine->model, s->length + n);
    int64_t old = s->length;

    if (s->is_long == is_long)
        return 0;
    s->is_long = is_long;
    s->length = 0;
    s->n_logits = 0;
    return old;
}

/* The same; the old tokens are computed at once. */
static ith_status follow_rope(ith_session *s, int64_t n, ith_error *err)
{
    int64_t old = ith_session_change_rope(s, n);
    return old > 0 ? compute(s, old, err) : ITH_OK;
}

ith_status ith_session_prefill(ith_session *session, const int32_t *ids, size_t n, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ITH_TRY(take_ids(session, ids, &n, err));
    return compute(session, (int64_t)n + ith_session_change_rope(session, (int64_t)n), err);
}

/* Local. */
static ith_status output_buffer(ith_session *s, ith_error *err)
{
    const ith_engine *e = s->engine;

    ITH_TRY(ith_engine_check_pooling(e, err));
    if (e->world->comm->rank != 0 || s->output != NULL)
        return ITH_OK;
    return ith_mem_alloc_array(ITH_MEM_OTHER, (size_t)e->model->hp.hidden, sizeof(float),
                               "an embedding", (void **)&s->output, err);
}

ith_status ith_session_embed(ith_session *session, const int32_t *ids, size_t n, float *embedding,
                             ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ITH_TRY(ith_comm_agree(session->engine->world->comm, output_buffer(session, err), err));
    ITH_TRY(take_ids(session, ids, &n, err));
    ITH_TRY(compute(session, (int64_t)n + ith_session_change_rope(session, (int64_t)n), err));
    if (session->output != NULL)
        memcpy(embedding, session->output,
               (size_t)session->engine->model->hp.hidden * sizeof *embedding);
    return ITH_OK;
}

/* The logits of each token are those of a timeline that ends there: all must be rotated alike. */
static int64_t few_alike(const ith_session *s, int64_t few)
{
    const ith_model *m = s->engine->model;

    while (few > 1 && ith_model_is_long(m, s->length + few) != ith_model_is_long(m, s->length + 1))
        few--;
    return few;
}

int64_t ith_session_few(const ith_session *s)
{
    int64_t few = few_alike(s, ith_min(ITH_DECODE_TOKENS, s->chunk));
    return s->engine->world->comm->size > 1 ? ith_min(few, s->rows_tokens) : few;
}

static ith_status extend(ith_session *session, int64_t n, ith_error *err)
{
    ITH_TRY(follow_rope(session, n, err));
    return run_chunks(session, n, 0, n, false, NULL, err);
}

ith_status ith_session_extend(ith_session *session, const int32_t *ids, size_t n, ith_error *err)
{
    ITH_TRY(take_ids(session, ids, &n, err));
    return extend(session, (int64_t)n, err);
}

ith_status ith_session_extend_known(ith_session *session, const int32_t *ids, size_t n,
                                    ith_error *err)
{
    memcpy(session->ids + session->length, ids, n * sizeof *ids);
    ITH_TRY(ith_session_make_room(session, session->length + (int64_t)n, err));
    return extend(session, (int64_t)n, err);
}

ith_status ith_session_truncate(ith_session *session, int64_t length, ith_error *err)
{
    ITH_NEED_ERROR(err);
    ith_same same = {0};

    ith_same_int(&same, "the length to truncate to", length);
    ITH_TRY(ith_comm_same(session->engine->world->comm, &same, err));
    return ith_session_cut(session, length, err);
}

ith_status ith_session_cut(ith_session *session, int64_t length, ith_error *err)
{
    int64_t least;

    if (length < 0 || length > session->length)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "a timeline of %lld tokens cannot be truncated to %lld",
                        (long long)session->length, (long long)length);
    least = session->keeper == NULL ? 0 : session->keeper->ops->least(session->keeper);
    if (length < least)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "the first %lld tokens of the timeline are saved on disk; it cannot be "
                        "truncated to %lld",
                        (long long)least, (long long)length);
    if (length < session->length && !ith_state_reaches(session->state, length))
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "layers with a window have given up what tokens after the first %lld see; "
                        "a timeline of %lld tokens cannot be truncated to so few, but to 0",
                        (long long)length, (long long)session->length);
    if (!ith_state_resumes(session->state, length))
        return ith_fail(
            err, ITH_E_UNSUPPORTED,
            "the model's recurrent layers hold their state after %lld tokens, and after "
            "a few tokens less; the timeline cannot be truncated to %lld, only to 0",
            (long long)session->length, (long long)length);
    session->length = length;
    session->pending = 0;
    return ITH_OK;
}

ith_status ith_session_decode(ith_session *session, int32_t id, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    return ith_session_prefill(session, &id, 1, err);
}

static ith_status score_buffers(ith_session *s, ith_error *err)
{
    size_t ld = (size_t)ith_round_up(s->engine->model->hp.n_vocab, ITH_TILE_ROWS),
           chunk = (size_t)s->chunk;

    if (s->score_logits == NULL)
        ITH_TRY(ith_mem_alloc_array(ITH_MEM_ACTIVATIONS, ITH_SCORE_TOKENS * ld, sizeof(float),
                                    "scores", (void **)&s->score_logits, err));
    if (s->nll == NULL)
        ITH_TRY(ith_mem_alloc_array(ITH_MEM_ACTIVATIONS, chunk, sizeof(float), "scores",
                                    (void **)&s->nll, err));
    if (s->targets == NULL)
        ITH_TRY(ith_mem_alloc_array(ITH_MEM_ACTIVATIONS, chunk, sizeof(int32_t), "scores",
                                    (void **)&s->targets, err));
    return ITH_OK;
}

ith_status ith_session_score(ith_session *session, const int32_t *ids, size_t n, float *nll,
                             ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ITH_TRY(ith_comm_agree(session->engine->world->comm, score_buffers(session, err), err));
    ITH_TRY(take_ids(session, ids, &n, err));
    ITH_TRY(follow_rope(session, (int64_t)n, err));
    return run_chunks(session, (int64_t)n, 0, 1, true, nll, err);
}

/* ---- Queries ---- */

static bool has_logits_at(const ith_session *s, int64_t length)
{
    return length >= s->logits_from && length < s->logits_from + s->n_logits;
}

bool ith_session_has_logits(const ith_session *session)
{
    return has_logits_at(session, session->length);
}

const float *ith_session_logits_at(const ith_session *s, int64_t length)
{
    if (s->logits == NULL || !has_logits_at(s, length))
        return NULL;
    return s->logits + (length - s->logits_from) * ith_logits_ld(s->engine->model);
}

const float *ith_session_logits(const ith_session *session)
{
    return ith_session_logits_at(session, session->length);
}

int64_t ith_session_pending(const ith_session *session)
{
    return session->pending;
}

int64_t ith_session_length(const ith_session *session)
{
    return session->length;
}

void ith_session_logits_sha256(const ith_session *session, char hex[65])
{
    const float *logits = ith_session_logits(session);

    hex[0] = 0;
    if (logits != NULL)
        ith_sha256_hex(logits, (size_t)session->engine->model->hp.n_vocab * sizeof(float), hex);
}
