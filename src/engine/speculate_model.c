/* speculate_model.c - guesses what a smaller model would say. */
#include "engine/session.h"
#include "engine/speculate.h"

#include <stdlib.h>
#include <string.h>

typedef struct drafting_model {
    ith_drafter base;
    ith_session *session;
    int64_t agreed; /* tokens that both timelines begin with */
} drafting_model;

/* Makes ids[0, n) the timeline of the drafting model, with the logits after it. */
static ith_status follow(drafting_model *d, const int32_t *ids, int64_t n, ith_error *err)
{
    ith_session *s = d->session;
    int64_t agreed = d->agreed;

    while (agreed < n - 1 && agreed < s->length && s->ids[agreed] == ids[agreed])
        agreed++;
    ITH_TRY(ith_session_cut(s, agreed, err));
    ITH_TRY((n - agreed <= ith_session_few(s) ? ith_session_extend : ith_session_prefill)(
        s, ids + agreed, (size_t)(n - agreed), err));
    d->agreed = n;
    return ITH_OK;
}

static ith_status draft(ith_drafter *base, const int32_t *ids, int64_t n, int64_t max, int32_t *out,
                        int64_t *n_out, ith_error *err)
{
    drafting_model *d = (drafting_model *)base;
    ith_session *s = d->session;
    const ith_kernels *kernels = s->engine->model->kernels;
    int64_t room = s->ctx - n;

    *n_out = 0;
    if (room < 0)
        return ITH_OK;
    if (max > room + 1) /* the last guess is not appended */
        max = room + 1;
    ITH_TRY(follow(d, ids, n, err));
    for (int64_t i = 0; i < max; i++) {
        const float *logits = ith_session_logits(s);
        out[i] = logits == NULL ? 0 : (int32_t)kernels->argmax(s->engine->info.n_vocab, logits);
        if (i + 1 < max)
            ITH_TRY(ith_session_decode(s, out[i], err));
    }
    *n_out = max;
    return ITH_OK;
}

static void close_model(ith_drafter *base)
{
    free(base);
}

static const ith_drafter_ops ops = {draft, close_model};

/* Rank 0, which has the vocabularies. If a model has none, only the sizes are compared. */
static ith_status same_vocabulary(const ith_engine *a, const ith_engine *b, ith_error *err)
{
    const ith_tokenizer *x = a->vocab == NULL ? NULL : a->vocab->tok,
                        *y = b->vocab == NULL ? NULL : b->vocab->tok;

    if (a->info.n_vocab != b->info.n_vocab)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%s has a vocabulary of %d tokens and %s one of %d: it cannot draft for it",
                        b->info.name, b->info.n_vocab, a->info.name, a->info.n_vocab);
    for (int32_t id = 0; x != NULL && y != NULL && id < a->info.n_vocab; id++) {
        size_t n_x = 0, n_y = 0;
        const char *in_x = ith_tokenizer_token(x, id, &n_x),
                   *in_y = ith_tokenizer_token(y, id, &n_y);
        if (n_x != n_y || (n_x > 0 && memcmp(in_x, in_y, n_x) != 0))
            return ith_fail(err, ITH_E_ARGUMENT,
                            "token %d differs in %s and %s: their vocabularies must be the same",
                            id, b->info.name, a->info.name);
    }
    return ITH_OK;
}

ith_status ith_drafter_model(const ith_session *session, ith_session *draft_session,
                             ith_drafter **out, ith_error *err)
{
    const ith_engine *e = session->engine;
    ith_comm *comm = e->world->comm;
    drafting_model *d;

    *out = NULL;
    ITH_TRY(ith_comm_agree(
        comm, comm->rank == 0 ? same_vocabulary(e, draft_session->engine, err) : ITH_OK, err));
    d = calloc(1, sizeof *d);
    if (d != NULL)
        *d = (drafting_model){.base.ops = &ops, .session = draft_session};
    *out = d == NULL ? NULL : &d->base;
    return ith_comm_agree(
        comm, d == NULL ? ith_fail(err, ITH_E_MEMORY, "no memory for a drafting model") : ITH_OK,
        err);
}
