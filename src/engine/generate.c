/* generate.c - rank 0 samples and shows, all ranks compute. */
#include "engine/engine_impl.h"
#include "text/sampler.h"
#include "text/stop.h"
#include "text/stream.h"

#include <stdlib.h>
#include <string.h>

typedef struct writer { /* rank 0: from ids to the text that is shown */
    const ith_generate_params *params;
    const ith_vocab *vocab;
    ith_keep *keep; /* where the answer's tokens are saved, or NULL */
    ith_sampler *sampler;
    ith_detok *detok; /* NULL without a tokenizer: ids only */
    ith_stop *stop;
    ith_generation *out;
    size_t room, text_room;
} writer;

static ith_status writer_open(writer *w, ith_session *s, const ith_generate_params *params, ith_generation *out,
                              ith_error *err)
{
    *w = (writer){.params = params, .vocab = s->engine->vocab, .keep = s->keep, .out = out};
    ITH_TRY(ith_sampler_open(&params->sampling, s->engine->model->hp.n_vocab, &w->sampler, err));
    for (int64_t i = 0; i < s->length; i++)
        ith_sampler_accept(w->sampler, s->ids[i]);
    if (w->vocab == NULL && params->n_stop > 0)
        return ith_fail(err, ITH_E_ARGUMENT, "stop strings need a model with a tokenizer");
    ITH_TRY(ith_stop_open(params->stop, params->n_stop, &w->stop, err));
    return w->vocab == NULL ? ITH_OK : ith_detok_open(w->vocab->tok, &w->detok, err);
}

static void writer_close(writer *w)
{
    ith_sampler_close(w->sampler);
    ith_detok_close(w->detok);
    ith_stop_close(w->stop);
}

static ith_status grow(void **buffer, size_t *room, size_t need, size_t size, ith_error *err)
{
    size_t more = *room;
    void *grown;

    if (need <= *room)
        return ITH_OK;
    while (more < need)
        more = more ? 2 * more : 256;
    grown = realloc(*buffer, more * size);
    if (grown == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for an answer of %zu bytes", more * size);
    *buffer = grown;
    *room = more;
    return ITH_OK;
}

/* Keeps and shows a piece of text; *on false: the caller's function wants to stop. */
static ith_status show(writer *w, const char *text, size_t len, bool *on, ith_error *err)
{
    ith_generation *out = w->out;

    ITH_TRY(grow((void **)&out->text, &w->text_room, out->text_len + len + 1, 1, err));
    memcpy(out->text + out->text_len, text, len);
    out->text_len += len;
    out->text[out->text_len] = 0;
    *on = w->params->on_text == NULL || w->params->on_text(w->params->user, text, len);
    return ITH_OK;
}

static ith_status show_through_stop(writer *w, const char *text, size_t len, bool *on, bool *stopped, ith_error *err)
{
    const char *ready;
    size_t n;
    ITH_TRY(ith_stop_push(w->stop, text, len, &ready, &n, stopped, err));
    return show(w, ready, n, on, err);
}

/* One token. *on false: the answer is finished, out->finish says how. */
static ith_status write_token(writer *w, int32_t id, bool *on, ith_error *err)
{
    bool stopped = false;
    const char *text = "";
    size_t len = 0;

    if (!w->params->ignore_eos && w->vocab != NULL && ith_vocab_is_stop(w->vocab, id)) {
        w->out->finish = ITH_FINISH_STOP;
        *on = false;
        return ITH_OK;
    }
    ITH_TRY(grow((void **)&w->out->ids, &w->room, w->out->n_ids + 1, sizeof *w->out->ids, err));
    w->out->ids[w->out->n_ids++] = id;
    ith_sampler_accept(w->sampler, id);
    ith_keep_token(w->keep, (int64_t)w->out->n_ids - 1, id, ith_sampler_draws(w->sampler));
    if (w->detok != NULL)
        text = ith_detok_push(w->detok, id, &len);
    ITH_TRY(show_through_stop(w, text, len, on, &stopped, err));
    if (!*on)
        w->out->finish = ITH_FINISH_CANCELLED;
    else if (stopped)
        w->out->finish = ITH_FINISH_STOP;
    *on = *on && !stopped;
    return ITH_OK;
}

/* What stream and stop matcher still hold. */
static ith_status write_rest(writer *w, ith_error *err)
{
    bool on, stopped = false;
    const char *text;
    size_t len;

    if (w->detok != NULL) {
        text = ith_detok_flush(w->detok, &len);
        ITH_TRY(show_through_stop(w, text, len, &on, &stopped, err));
    }
    text = ith_stop_flush(w->stop, &len);
    return show(w, text, len, &on, err);
}

/* What rank 0 tells the others after each token. */
typedef struct verdict {
    int32_t id, go_on;
} verdict;

static ith_status step(writer *w, ith_session *s, verdict *v, ith_error *err)
{
    bool on = true;

    v->id = ith_sampler_choose(w->sampler, s->logits);
    ITH_TRY(write_token(w, v->id, &on, err));
    v->go_on = on;
    return ITH_OK;
}

/* ---- What a checkpoint holds of the answer ---- */

typedef struct replayed {
    int64_t n; /* tokens */
    int64_t go_on;
} replayed;

static ith_status show_again(writer *w, const int32_t *ids, replayed *r, int64_t draws, ith_error *err)
{
    int64_t n = r->n;
    bool on = true;

    for (r->n = 0; on && r->n < n; r->n++)
        ITH_TRY(write_token(w, ids[r->n], &on, err));
    ith_sampler_skip(w->sampler, draws);
    r->go_on = on;
    return ITH_OK;
}

/* Shows the tokens again and computes what follows them at once: logits have the same bits as when they came one by one. */
static ith_status replay(writer *w, ith_session *s, replayed *r, ith_error *err)
{
    ith_comm *comm = s->engine->world->comm;
    int64_t draws;
    const int32_t *ids = ith_keep_answer(s->keep, &r->n, &draws);

    r->go_on = 1;
    ITH_TRY(ith_comm_agree(comm, comm->rank == 0 ? show_again(w, ids, r, draws, err) : ITH_OK, err));
    ith_world_bcast(s->engine->world, r, sizeof *r);
    if (r->n == 0 || !r->go_on)
        return ITH_OK;
    return ith_session_prefill(s, ids, (size_t)r->n, err);
}

static ith_status loop(writer *w, ith_session *s, const ith_generate_params *params, ith_error *err)
{
    ith_comm *comm = s->engine->world->comm;
    bool root = comm->rank == 0;
    replayed r = {0, 1};

    if (s->keep != NULL)
        ITH_TRY(replay(w, s, &r, err));
    for (int64_t i = r.n; r.go_on && i < params->max_tokens; i++) {
        verdict v = {0, 0};
        ITH_TRY(ith_comm_agree(comm, root ? step(w, s, &v, err) : ITH_OK, err));
        ith_world_bcast(s->engine->world, &v, sizeof v);
        if (!v.go_on)
            break;
        if (i + 1 < params->max_tokens)
            ITH_TRY(ith_session_decode(s, v.id, err));
    }
    return ith_comm_agree(comm, root ? write_rest(w, err) : ITH_OK, err);
}

ith_status ith_generate(ith_session *session, const ith_generate_params *params, ith_generation *out, ith_error *err)
{
    ith_comm *comm = session->engine->world->comm;
    bool root = comm->rank == 0;
    writer w = {0};
    ith_status status;

    *out = (ith_generation){.finish = ITH_FINISH_LENGTH};
    status = ITH_OK;
    if (!session->has_logits)
        status = ith_fail(err, ITH_E_ARGUMENT, "there is nothing to go on from: prefill a prompt first");
    else if (root)
        status = writer_open(&w, session, params, out, err);
    status = ith_comm_agree(comm, status, err);
    if (status == ITH_OK)
        status = loop(&w, session, params, err);
    writer_close(&w);
    return status;
}

void ith_generation_free(ith_generation *out)
{
    free(out->ids);
    free(out->text);
    *out = (ith_generation){0};
}
