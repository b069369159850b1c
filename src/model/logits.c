/* logits.c - from the last layer to the vocabulary. For logits, ranks divide the rows of the output
 * matrix; for scores, they divide the tokens. */
#include "base/finite.h"
#include "base/precise.h"
#include "model/pass.h"

#include <string.h>

/* Ulysses: the rank that holds the pass's last token, as the last of its own. */
static int last_owner(const ith_pass *p)
{
    int64_t slot = ith_mesh_slot(&p->mesh, p->n, p->n - 1);
    int r = 0;
    while (slot >= ith_mesh_slots(&p->mesh, p->n, r).end)
        r++;
    return r;
}

/* The place of the last residuals. */
static int end_of(const ith_pass *p)
{
    return ith_pass_place((int)p->model->hp.n_layers, 0);
}

/* My token with logits i. */
static int64_t token_with(const ith_pass *p, int64_t i)
{
    return p->logit_tokens != NULL ? p->logit_tokens[i] : ith_range_size(p->mine) - p->n_logits + i;
}

/* Copies the residuals of the tokens with logits to tokens 0, 1, ... of ws->y on every rank, then
 * normalizes and quantizes them to those of ws->h. */
static void share_last(ith_pass *p)
{
    const ith_hparams *hp = &p->model->hp;
    ith_workspace *ws = p->ws;
    bool all_here = p->way->all_tokens || p->comm->size == 1;

    for (int64_t i = 0; i < p->n_logits; i++) {
        float *x = ws->y + i * ws->ld_y;
        if (all_here || ith_range_size(p->mine) > 0)
            memcpy(x, ws->x + token_with(p, i) * hp->hidden, (size_t)hp->hidden * sizeof *x);
        if (!all_here)
            p->comm->ops->bcast(p->comm, x, hp->hidden * (int64_t)sizeof *x, last_owner(p));
        ith_normalize_token(p, x, &p->model->out_norm, i, end_of(p));
        if (p->outputs != NULL)
            memcpy(p->outputs + i * hp->hidden, ws->h + i * ws->ld,
                   (size_t)hp->hidden * sizeof *p->outputs);
    }
}

/* Collects the rows of all ranks on rank 0, token by token. */
static void collect(ith_pass *p)
{
    ith_comm_counts send = ith_workspace_counts(p->ws, p->comm->size, 0, 0),
                    recv = ith_workspace_counts(p->ws, p->comm->size, 0, 1);
    int64_t n_vocab = p->model->hp.n_vocab;
    ith_range mine = ith_mesh_rows(&p->mesh, n_vocab, p->comm->rank);

    for (int r = 0; r < p->comm->size; r++) {
        ith_range rows = ith_mesh_rows(&p->mesh, n_vocab, r);
        send.counts[r] = r == 0 ? ith_range_size(mine) * (int64_t)sizeof(float) : 0;
        send.displs[r] = 0;
        recv.counts[r] = p->comm->rank == 0 ? ith_range_size(rows) * (int64_t)sizeof(float) : 0;
        recv.displs[r] = p->comm->rank == 0 ? rows.begin * (int64_t)sizeof(float) : 0;
    }
    for (int64_t i = 0; i < p->n_logits; i++) {
        int64_t at = i * ith_logits_ld(p->model);
        ith_comm_alltoall(p->comm,
                          &(ith_alltoall){p->ws->logits_rows + at, send.counts, send.displs,
                                          p->comm->rank == 0 ? p->logits + at : NULL, recv.counts,
                                          recv.displs, n_vocab * (int64_t)sizeof(float)});
    }
}

/* Multiplies rows `rows` of the output matrix, step by step as the matrix arrives; rows.begin is
 * the first row of a tile. Ends with a barrier. */
static void output(ith_pass *p, ith_member *me, ith_range rows, ith_need need, const ith_input *in,
                   int64_t n, float *out, int64_t ld)
{
    ith_store *store = p->model->store;

    for (int step = 0; step < ith_store_output_steps(store, need); step++) {
        ith_range there = ith_store_enter_output(store, step, need, me), now = rows;
        ith_pass_lap(p, me, (int)p->model->hp.n_layers, ITH_LAP_WEIGHTS);
        now.begin = now.begin > there.begin ? now.begin : there.begin;
        now.end = now.end < there.end ? now.end : there.end;
        if (now.begin < now.end && n > 0)
            ith_linear(me, p->model, p->model->output, now, in, n, out + now.begin - rows.begin,
                       ld);
        ith_barrier(me);
        ith_pass_lap(p, me, (int)p->model->hp.n_layers, ITH_LAP_PRODUCTS);
        ith_store_leave_output(store, step, need, me);
    }
}

static bool are_changed(const ith_hparams *hp)
{
    return hp->output_bias || hp->logit_scale != 1 || hp->logit_softcap > 0;
}

/* The model's bias, scale and soft cap, of the n logits from row `first` on. False if they are not
 * finite; a soft cap would hide that. */
static bool change_logits(const ith_model *m, int64_t first, int64_t n, float *logits)
{
    bool finite;

    if (m->output_bias != NULL)
        m->kernels->add(n, logits, m->output_bias + first);
    if (m->hp.logit_scale != 1)
        m->kernels->scale(n, logits, (float)m->hp.logit_scale);
    finite = ith_all_finite(logits, n);
    if (m->hp.logit_softcap > 0)
        m->kernels->softcap(n, logits, (float)m->hp.logit_softcap);
    return finite;
}

/* My share of this rank's rows, which are `rows`. */
static void finish_logits(ith_pass *p, const ith_member *me, float *logits, ith_range rows)
{
    ith_range mine = ith_my_share(me, ith_range_size(rows), 1);

    for (int64_t i = 0; i < p->n_logits; i++)
        if (!change_logits(p->model, rows.begin + mine.begin, ith_range_size(mine),
                           logits + i * ith_logits_ld(p->model) + mine.begin))
            ith_pass_note_broken(p, end_of(p) + 1);
}

void ith_logits(ith_pass *p, ith_member *me)
{
    const ith_matrix *w = p->model->output;
    bool alone = p->comm->size == 1;
    ith_range rows = ith_mesh_rows(&p->mesh, w->rows, p->comm->rank);
    ith_input in = ith_pass_input(p, w->cols);
    float *logits = alone ? p->logits : p->ws->logits_rows;

    if (me->tid == 0)
        share_last(p);
    ith_barrier(me);
    output(p, me, rows, ITH_NEED_HELD, &in, p->n_logits, logits, ith_logits_ld(p->model));
    finish_logits(p, me, logits, rows);
    if (alone)
        return;
    if (are_changed(&p->model->hp))
        ith_barrier(me); /* all members' shares are sent */
    if (me->tid == 0)
        collect(p);
    ith_barrier(me);
}

/* ---- Scores ---- */

ith_range ith_pass_scored(const ith_pass *p, int rank)
{
    return ith_mesh_slots(&p->mesh, p->n, rank);
}

void ith_negative_log_likelihoods(const ith_kernels *kernels, int64_t n, const float *logits,
                                  const int32_t *targets, size_t n_targets, float *nll)
{
    float top = kernels->max(n, logits);
    double log_sum = ith_ln((double)kernels->sum_exp(n, logits, top));

    for (size_t i = 0; i < n_targets; i++)
        nll[i] = (float)(log_sum + ((double)top - (double)logits[targets[i]]));
}

/* My tokens [t, t + n); n may be 0. */
static void score_block(ith_pass *p, ith_member *me, int64_t t, int64_t n)
{
    const ith_hparams *hp = &p->model->hp;
    const ith_kernels *kernels = p->model->kernels;
    const ith_matrix *w = p->model->output;
    ith_workspace *ws = p->ws;
    ith_input in = ith_pass_input(p, w->cols);
    int64_t ld = ith_logits_ld(p->model);
    ith_range share = ith_my_share(me, n, 1);

    for (int64_t i = share.begin; i < share.end; i++)
        ith_normalize_token(p, ws->x + (t + i) * hp->hidden, &p->model->out_norm, i, end_of(p));
    ith_barrier(me);
    output(p, me, (ith_range){0, w->rows}, ITH_NEED_ALL, &in, n, p->score_logits, ld);
    for (int64_t i = share.begin; i < share.end; i++) {
        int32_t target = p->targets[ith_pass_token(p, t + i)];
        float *nll = &p->nll[p->mine.begin + t + i];
        if (target < 0)
            continue;
        if (!change_logits(p->model, 0, hp->n_vocab, p->score_logits + i * ld))
            ith_pass_note_broken(p, end_of(p) + 1);
        ith_negative_log_likelihoods(kernels, hp->n_vocab, p->score_logits + i * ld, &target, 1,
                                     nll);
        if (!ith_all_finite(nll, 1)) /* finite logits may lie further apart than a float reaches */
            ith_pass_note_broken(p, end_of(p) + 1);
    }
    ith_barrier(me);
}

void ith_score(ith_pass *p, ith_member *me)
{
    ith_range scored = ith_pass_scored(p, p->comm->rank);
    int64_t most = 0;

    for (int r = 0; r < p->comm->size; r++) {
        int64_t n = ith_range_size(ith_pass_scored(p, r));
        most = n > most ? n : most;
    }
    /* As often on all ranks, since they may fetch the output matrix together. */
    for (int64_t done = 0; done < most; done += ITH_SCORE_TOKENS) {
        int64_t t = scored.begin - p->mine.begin + done,
                left = ith_clamp(ith_range_size(scored) - done, 0, ITH_SCORE_TOKENS);
        score_block(p, me, t, left);
    }
}
