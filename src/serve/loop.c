/* loop.c - the engine's side of a server: choices from the queue go through ith_generate_many. */
#include "base/best.h"
#include "base/error.h"
#include "base/precise.h"
#include "openai/request.h"
#include "serve/clock.h"
#include "serve/server_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_MS = 100 };

static const char stopping_text[] = "the server is stopping";

static bool is_stopping(ith_server *server)
{
    bool stopping;

    pthread_mutex_lock(&server->lock);
    stopping = server->stopping;
    pthread_mutex_unlock(&server->lock);
    return stopping;
}

/* ---- Callbacks of ith_generate_many, rank 0 ---- */

static void refuse(ith_choice *c, ith_status status, const char *text)
{
    ith_error err;

    ith_fail(&err, status, "%s", text);
    ith_choice_end(c, ITH_FINISH_CANCELLED, &err);
}

static bool on_text(void *user, const char *text, size_t len)
{
    return ith_choice_text(user, text, len);
}

/* A choice that is still wanted. */
static ith_choice *take(ith_server *server)
{
    ith_choice *c = ith_queue_take(&server->queue);

    while (c != NULL && !ith_choice_wanted(c, -1)) {
        refuse(c, ITH_E_CANCELLED, "the client has left");
        c = ith_queue_take(&server->queue);
    }
    return c;
}

static bool next(void *user, ith_many_prompt *prompt)
{
    ith_server *server = user;
    ith_choice *c = take(server);
    int32_t *ids;

    if (c == NULL)
        return false;
    ids = malloc(c->n_ids * sizeof *ids);
    c->chosen = calloc(1 + (size_t)c->call->top, sizeof *c->chosen);
    if (ids == NULL || c->chosen == NULL) {
        free(ids);
        refuse(c, ITH_E_MEMORY, "no memory for a request");
        return false;
    }
    memcpy(ids, c->ids, c->n_ids * sizeof *ids);
    *prompt = (ith_many_prompt){.ids = ids,
                                .n_ids = c->n_ids,
                                .how = c->how,
                                .each_token = c->call->each_token,
                                .embeds = c->call->embeds,
                                .user = c};
    prompt->how.on_text = on_text;
    prompt->how.user = c;
    /* It counts as in flight until the next step shows whether it is. */
    atomic_fetch_add_explicit(&server->metrics.taken, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&server->metrics.in_flight, 1, memory_order_relaxed);
    return true;
}

static bool done(void *user, const ith_many_prompt *prompt, const ith_generation *answer,
                 const ith_error *err)
{
    ith_server *server = user;
    ith_error why = *err;
    bool cancelled = err->status == ITH_OK && answer->finish == ITH_FINISH_CANCELLED;

    ith_choice_reused(prompt->user, answer->n_reused);
    atomic_fetch_add_explicit(&server->metrics.drafted, answer->n_drafted, memory_order_relaxed);
    atomic_fetch_add_explicit(&server->metrics.accepted, answer->n_accepted, memory_order_relaxed);
    if (answer->embedding != NULL &&
        !ith_choice_embedding(prompt->user, answer->embedding, (size_t)server->info->hidden))
        ith_fail(&why, ITH_E_MEMORY, "no memory for an embedding");
    atomic_fetch_sub_explicit(&server->metrics.taken, 1, memory_order_relaxed);
    if (cancelled)
        ith_fail(&why, ITH_E_CANCELLED, "%s",
                 ith_choice_lacks(prompt->user) ? "no memory for the text of an answer"
                 : is_stopping(server)          ? stopping_text
                                                : "the client has left");
    ith_choice_end(prompt->user, answer->finish, &why);
    return true;
}

/* `length` tokens of prompt and answer are computed, for the first time or again. */
static void count_computed(ith_server *server, const ith_choice *c, int64_t length)
{
    int64_t n = (int64_t)c->n_ids, now = length < n ? length : n;

    if (now > c->computed)
        atomic_fetch_add_explicit(&server->metrics.prompt_tokens, now - c->computed,
                                  memory_order_relaxed);
}

/* What waits, for memory too, is refused when the server is stopping. */
static bool wanted(void *user, const ith_many_prompt *prompt, int64_t length)
{
    count_computed(user, prompt->user, length);
    return ith_choice_wanted(prompt->user, length) && !(length < 0 && is_stopping(user));
}

static void rank_tokens(const ith_server *server, const float *logits, int32_t id, ith_ranked *t,
                        int top)
{
    int32_t ids[1 + ITH_REQUEST_TOP];
    float nll[1 + ITH_REQUEST_TOP];
    size_t n = 1 + (size_t)top;

    ids[0] = id;
    ith_best(logits, server->info->n_vocab, ids + 1, top);
    ith_logits_nll(server->engine, logits, ids, n, nll);
    for (size_t i = 0; i < n; i++)
        t[i] = (ith_ranked){.id = ids[i], .nll = nll[i]};
}

/* exp(a) / (exp(a) + exp(b)) */
static double likeliness(float a, float b)
{
    static const double e = 2.718281828459045;
    double d = (double)b - (double)a;

    return d > 600 ? 0 : d < -600 ? 1 : 1 / (1 + ith_power(e, d));
}

static void token(void *user, const ith_many_prompt *prompt, int32_t id, const float *logits,
                  bool ends)
{
    ith_server *server = user;
    ith_choice *c = prompt->user;
    bool of_prompt = c->computed < (int64_t)prompt->n_ids;

    if (c->call->logprobs)
        rank_tokens(server, logits, id, c->chosen, c->call->top);
    if (c->call->ranks)
        c->score = likeliness(logits[c->call->yes], logits[c->call->no]);
    if (of_prompt)
        ith_choice_prompt_token(c, c->chosen);
    c->has_chosen = !of_prompt;
    c->chosen_ends = ends;
    if (!of_prompt && !ends && !c->call->hides)
        atomic_fetch_add_explicit(&server->metrics.completion_tokens, 1, memory_order_relaxed);
}

/* What waits is refused, and what comes. */
static void refuse_waiting(ith_server *server, ith_status status, const char *text)
{
    ith_choice *c;

    while ((c = ith_queue_take(&server->queue)) != NULL)
        refuse(c, status, text);
}

static void stop(ith_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->ready = false;
    server->stopping = true;
    pthread_mutex_unlock(&server->lock);
    ith_queue_shut(&server->queue);
    refuse_waiting(server, ITH_E_CANCELLED, stopping_text);
}

static bool goes_on(void *user, const ith_many_counts *counts)
{
    ith_server *server = user;

    atomic_store_explicit(&server->metrics.in_flight, counts->in_flight, memory_order_relaxed);
    atomic_fetch_add_explicit(&server->metrics.begun_again,
                              counts->begun_again - server->begun_again, memory_order_relaxed);
    server->begun_again = counts->begun_again;
    if (!server->params.goes_on(server->params.user))
        stop(server);
    return true;
}

/* The prompt cache is tried again with the next prompts: what is known of it is not said again. */
static void warn(void *user, const char *line)
{
    ith_server *server = user;
    const ith_keep_params *keep = server->params.keep;

    if (keep->warn == NULL || strncmp(line, server->warned, sizeof server->warned - 1) == 0)
        return;
    snprintf(server->warned, sizeof server->warned, "%s", line);
    keep->warn(keep->user, line);
}

/* ---- The run ---- */

/* Rank 0. Waits until there is something to do. False: the server is to end. */
static bool wait_for_work(ith_server *server)
{
    while (server->params.goes_on(server->params.user))
        if (ith_queue_wait(&server->queue, IDLE_MS))
            return true;
    return false;
}

/* Rank 0. */
static void begin(ith_server *server, ith_engine *engine)
{
    int64_t body = server->params.body_bytes;

    server->engine = engine;
    server->info = ith_engine_get_info(engine);
    server->preset = ith_generate_params_default(engine);
    server->preset.max_draft = server->params.max_draft;
    server->vocab = ith_engine_vocab(engine);
    if (body == 0 && server->info->ctx > ITH_SERVE_BODY / ITH_SERVE_TOKEN)
        body = server->info->ctx * ITH_SERVE_TOKEN;
    pthread_mutex_lock(&server->lock);
    if (body > 0)
        server->body_most = body;
    server->ready = true;
    pthread_mutex_unlock(&server->lock);
}

ith_status ith_server_run(ith_server *server, ith_engine *engine, ith_error *err)
{
    const ith_keep_params *asked = server->params.keep;
    ith_keep_params keep = asked != NULL ? *asked : (ith_keep_params){0};
    const ith_many_params many = {.in_flight = server->params.sessions,
                                  .keep = asked != NULL ? &keep : NULL,
                                  .next = next,
                                  .asks_again = true,
                                  .paced = true,
                                  .done = done,
                                  .wanted = wanted,
                                  .token = token,
                                  .goes_on = goes_on,
                                  .user = server};
    bool root = ith_world_rank(server->world) == 0;
    ith_many_counts counts;
    ith_session *holder = NULL; /* the buffers of passes stay while there are no prompts */
    int32_t status = (int32_t)ith_session_open(engine, &holder, err), on;

    keep.warn = warn;
    keep.user = server;
    if (root && status == ITH_OK)
        begin(server, engine);
    while (status == ITH_OK) {
        on = root && wait_for_work(server);
        ith_world_wait(server->world);
        ith_world_bcast(server->world, &on, sizeof on);
        if (!on)
            break;
        server->begun_again = 0;
        status = (int32_t)ith_generate_many(engine, &many, &counts, err);
        if (status == ITH_E_MEMORY) { /* there may be some again for the next */
            if (root)
                refuse_waiting(server, ITH_E_MEMORY, err->text);
            status = ITH_OK;
        }
    }
    if (root)
        stop(server);
    ith_session_close(holder);
    return (ith_status)status;
}

/* ---- Opening ---- */

ith_status ith_server_open(ith_world *world, const ith_server_params *params, ith_server **out,
                           ith_error *err)
{
    ith_server *server = calloc(1, sizeof *server);
    int32_t status = ITH_OK;

    *out = NULL;
    if (server == NULL)
        ith_world_abort(world, 1, "no memory for a server"); /* one rank alone knows */
    server->params = *params;
    server->world = world;
    server->listener = -1;
    server->body_most = params->body_bytes > 0 ? params->body_bytes : ITH_SERVE_BODY;
    pthread_mutex_init(&server->lock, NULL);
    ith_cond_open(&server->turn);
    ith_queue_open(&server->queue, params->waiting);
    if (ith_world_rank(world) == 0)
        status = (int32_t)ith_listener_open(server, err);
    ith_world_bcast(world, &status, sizeof status);
    if (status != ITH_OK) {
        ith_server_close(server);
        return (ith_status)status;
    }
    *out = server;
    return ITH_OK;
}

const char *ith_server_address(const ith_server *server)
{
    return server->address;
}

bool ith_server_is_open(const ith_server *server)
{
    return server->params.key == NULL && !server->is_local;
}

void ith_server_close(ith_server *server)
{
    if (server == NULL)
        return;
    stop(server);
    ith_listener_close(server);
    ith_queue_close(&server->queue);
    pthread_cond_destroy(&server->turn);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
