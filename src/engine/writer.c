/* writer.c - turns the ids of an answer into text and shows it. */
#include "engine/writer.h"

#include "base/grow.h"
#include "base/testhook.h"

#include <stdlib.h>
#include <string.h>

ith_status ith_writer_open(ith_writer *w, const ith_engine *engine,
                           const ith_generate_params *params, ith_generation *out, ith_error *err)
{
    *w = (ith_writer){
        .params = params, .vocab = engine->vocab, .hp = &engine->model->hp, .out = out};
    ITH_TRY(ith_sampler_open(&params->sampling, w->hp->n_vocab, &w->sampler, err));
    if (w->vocab == NULL && params->n_stop > 0)
        return ith_fail(err, ITH_E_ARGUMENT, "stop strings need a model that has a tokenizer");
    ITH_TRY(ith_stop_open(params->stop, params->n_stop, &w->stop, err));
    if (params->grammar != NULL && (params->ignore_eos || params->answer != NULL))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "an answer that follows a grammar cannot be given, or ignore its end");
    if (params->grammar != NULL)
        ITH_TRY(ith_follower_open(params->grammar, params->continues, &w->follower, err));
    if (w->vocab == NULL)
        return ITH_OK;
    ITH_TRY(ith_detok_open(w->vocab->tok, &w->detok, err));
    if (params->continues)
        ith_detok_go_on(w->detok);
    return ITH_OK;
}

void ith_writer_close(ith_writer *w)
{
    ith_sampler_close(w->sampler);
    ith_detok_close(w->detok);
    ith_stop_close(w->stop);
    ith_follower_close(w->follower);
    *w = (ith_writer){0};
}

int32_t ith_writer_choose(ith_writer *w, const float *logits)
{
    const uint64_t *mask;
    int32_t n_ids;

    if (w->follower == NULL)
        return ith_sampler_choose(w->sampler, logits);
    if (ith_follower_mask(w->follower, &mask, &n_ids, &w->unmatched) != ITH_OK)
        return 0;
    return ith_sampler_choose_among(w->sampler, logits, mask, n_ids);
}

void ith_writer_follow(ith_writer *w, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ith_sampler_accept(w->sampler, ids[i]);
}

static ith_status grow(void **buffer, size_t *room, size_t need, size_t size, ith_error *err)
{
    return ith_grow(buffer, room, need, size)
               ? ITH_OK
               : ith_fail(err, ITH_E_MEMORY, "no memory for an answer of %zu bytes", need * size);
}

/* Appends text to the answer and shows it. *on false: the caller's function wants to stop. */
static ith_status show(ith_writer *w, const char *text, size_t len, bool *on, ith_error *err)
{
    ith_generation *out = w->out;

    ITH_TRY(grow((void **)&out->text, &w->text_room, out->text_len + len + 1, 1, err));
    memcpy(out->text + out->text_len, text, len);
    out->text_len += len;
    out->text[out->text_len] = 0;
    *on = w->params->on_text == NULL || w->params->on_text(w->params->user, text, len);
    return ITH_OK;
}

static ith_status show_through_stop(ith_writer *w, const char *text, size_t len, bool *on,
                                    bool *stopped, ith_error *err)
{
    const char *ready;
    size_t n;
    ITH_TRY(ith_stop_push(w->stop, text, len, &ready, &n, stopped, err));
    return show(w, ready, n, on, err);
}

static void act_for_test(const ith_writer *w)
{
    while (ith_test_hook_act())
        if (w->params->on_text != NULL && !w->params->on_text(w->params->user, "", 0))
            break;
}

/* Without a tokenizer the model's configuration says which tokens end an answer. */
bool ith_writer_ends(const ith_writer *w, int32_t id)
{
    if (w->params->ignore_eos)
        return false;
    if (w->vocab != NULL)
        return ith_vocab_is_stop(w->vocab, id);
    for (int i = 0; i < w->hp->n_eos; i++)
        if (w->hp->eos[i] == id)
            return true;
    return false;
}

/* Takes one token. *on false: the answer is finished; out->finish says why. */
ith_status ith_writer_token(ith_writer *w, int32_t id, bool *on, ith_error *err)
{
    bool stopped = false, complete = false;
    const char *text = "";
    size_t len = 0;

    if (w->unmatched.status != ITH_OK)
        return ith_fail(err, w->unmatched.status, "%s", w->unmatched.text);
    if (ith_writer_ends(w, id)) {
        w->out->finish = ITH_FINISH_STOP;
        w->out->whole = w->follower != NULL && ith_follower_may_end(w->follower);
        *on = false;
        return ITH_OK;
    }
    if (w->follower != NULL)
        ITH_TRY(ith_follower_accept(w->follower, id, &complete, err));
    ITH_TRY(grow((void **)&w->out->ids, &w->room, w->out->n_ids + 1, sizeof *w->out->ids, err));
    w->out->ids[w->out->n_ids++] = id;
    ith_sampler_accept(w->sampler, id);
    if (w->keeper != NULL)
        w->keeper->ops->token(w->keeper, (int64_t)w->out->n_ids - 1, id,
                              ith_sampler_draws(w->sampler));
    if (ith_test_hook_due("answer", (int64_t)w->out->n_ids))
        act_for_test(w);
    if (w->detok != NULL)
        text = ith_detok_push(w->detok, id, &len);
    ITH_TRY(show_through_stop(w, text, len, on, &stopped, err));
    w->out->whole = w->follower != NULL && !stopped && ith_follower_may_end(w->follower);
    if (!*on)
        w->out->finish = ITH_FINISH_CANCELLED;
    else if (stopped || complete)
        w->out->finish = ITH_FINISH_STOP;
    *on = *on && !stopped && !complete;
    return ITH_OK;
}

/* Shows what the stream and the stop strings still hold back. */
ith_status ith_writer_rest(ith_writer *w, ith_error *err)
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
