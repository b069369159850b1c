/* route.c - which experts a token goes to, and with which weights. */
#include "base/finite.h"
#include "model/blocks/experts.h"

#include <math.h>

/* NaN counts as less than any number, so that something is chosen whatever comes. */
static float rank_of(float logit)
{
    return isnan(logit) ? -INFINITY : logit;
}

/* The `used` best, best first: each new one moves up past those that are worse, so of equal ones
 * the earlier stays ahead. */
static void choose_best(const float *logits, int64_t n, int64_t used, int32_t *best)
{
    int64_t have = 0;

    for (int64_t e = 0; e < n; e++) {
        float rank = rank_of(logits[e]);
        int64_t at = have;
        if (have == used && !(rank > rank_of(logits[best[used - 1]])))
            continue;
        have += have < used;
        at = at < have ? at : have - 1;
        for (; at > 0 && rank > rank_of(logits[best[at - 1]]); at--)
            best[at] = best[at - 1];
        best[at] = (int32_t)e;
    }
}

static void sort(int32_t *ids, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        int32_t id = ids[i];
        int64_t at = i;
        for (; at > 0 && ids[at - 1] > id; at--)
            ids[at] = ids[at - 1];
        ids[at] = id;
    }
}

/* ---- Scores ---- */

float ith_sigmoid(float x)
{
    float y = x * -0x1.715476p+0f;

    return 1.0f / (1.0f + ith_exp2(y < -126.0f ? -126.0f : y > 126.0f ? 126.0f : y));
}

/* s of n logits, but of softmax not divided by Z. */
static void score(const ith_kernels *kernels, ith_router_score kind, int64_t n, const float *logits,
                  float max, float *out)
{
    if (kind == ITH_ROUTER_SOFTMAX)
        kernels->weights(n, logits, max, 1.0f, out);
    for (int64_t i = 0; kind == ITH_ROUTER_SIGMOID && i < n; i++)
        out[i] = ith_sigmoid(logits[i]);
}

/* What a group is judged by. */
static float group_score(const float *c, int64_t n, int64_t best)
{
    int32_t two[2];

    choose_best(c, n, best, two);
    return best == 2 ? c[two[0]] + c[two[1]] : c[two[0]];
}

/* Experts of groups that do not take part become the least. */
static void leave_out_groups(const ith_experts_params *e, float *c)
{
    const ith_router_params *r = &e->router;
    int64_t each = e->n / r->groups;
    float scores[ITH_MAX_EXPERT_GROUPS] = {0};
    int32_t top[ITH_MAX_EXPERT_GROUPS];
    int64_t next = 0;

    for (int64_t g = 0; g < r->groups; g++)
        scores[g] = group_score(c + g * each, each, r->group_best);
    choose_best(scores, r->groups, r->top_groups, top);
    sort(top, r->top_groups);
    for (int64_t g = 0; g < r->groups; g++) {
        if (next < r->top_groups && top[next] == g) {
            next++;
            continue;
        }
        for (int64_t i = 0; i < each; i++)
            c[g * each + i] = -INFINITY;
    }
}

/* c of a token: the logits themselves, or made in scratch [n]. */
static const float *choice_scores(const ith_kernels *kernels, const ith_experts_params *e,
                                  const float *logits, float max, const float *bias, float *scratch)
{
    const ith_router_params *r = &e->router;

    if (bias == NULL && r->groups <= 1 && r->score == ITH_ROUTER_SOFTMAX)
        return logits;
    score(kernels, r->score, e->n, logits, max, scratch);
    if (r->score == ITH_ROUTER_SOFTMAX) {
        float sum = kernels->sum_exp(e->n, logits, max);
        for (int64_t i = 0; i < e->n; i++)
            scratch[i] /= sum;
    }
    if (bias != NULL)
        kernels->add(e->n, scratch, bias);
    if (r->groups > 1)
        leave_out_groups(e, scratch);
    return scratch;
}

/* ---- One token ---- */

/* What the `used` weights are divided by. */
static float divisor(const ith_kernels *kernels, const ith_experts_params *e, const float *logits,
                     float max, const float *weights)
{
    const ith_router_params *r = &e->router;
    float all = 1, sum = 0, least;

    if (r->score == ITH_ROUTER_SOFTMAX && (!r->normalized || r->norm_add > 0 || r->norm_least > 0))
        all = kernels->sum_exp(e->n, logits, max);
    if (!r->normalized)
        return all;
    for (int64_t k = 0; k < e->used; k++)
        sum += weights[k];
    sum += (float)r->norm_add * all;
    least = (float)r->norm_least * all;
    return sum < least ? least : sum;
}

/* The best but `taken`. */
static int32_t best_but(const float *logits, int64_t n, int32_t taken)
{
    int32_t best = -1;

    for (int32_t e = 0; e < n; e++)
        if (e != taken && (best < 0 || rank_of(logits[e]) > rank_of(logits[best])))
            best = e;
    return best;
}

/* SparseMixer's weight of `best`, if `taken` is left out. scratch [n] */
static float mixer_weight(const ith_kernels *kernels, const ith_experts_params *e,
                          const float *logits, int32_t best, int32_t taken, float *scratch)
{
    const float near = (float)(2 * e->router.jitter), most = logits[best];

    for (int32_t i = 0; i < e->n; i++) {
        float by = fabsf(logits[i]) > most ? fabsf(logits[i]) : most;
        bool out = i == taken || (most - logits[i]) / by > near;
        scratch[i] = out ? -INFINITY : logits[i];
    }
    return 1 / kernels->sum_exp(e->n, scratch, most);
}

static void mix_sparsely(const ith_kernels *kernels, const ith_experts_params *e,
                         const float *logits, float *scratch, int32_t chosen[2], float weights[2])
{
    int32_t first = best_but(logits, e->n, -1), second = best_but(logits, e->n, first);
    int at = first < second ? 0 : 1;

    chosen[at] = first;
    chosen[1 - at] = second;
    weights[at] = mixer_weight(kernels, e, logits, first, -1, scratch);
    weights[1 - at] = mixer_weight(kernels, e, logits, second, first, scratch);
}

void ith_route_token(const ith_kernels *kernels, const ith_experts_params *experts,
                     const float *logits, const float *choice_bias, float *scratch, int32_t *chosen,
                     float *weights)
{
    const ith_router_params *router = &experts->router;
    float max = kernels->max(experts->n, logits), by;

    if (router->score == ITH_ROUTER_MIXER) {
        mix_sparsely(kernels, experts, logits, scratch, chosen, weights);
        return;
    }
    choose_best(choice_scores(kernels, experts, logits, max, choice_bias, scratch), experts->n,
                experts->used, chosen);
    sort(chosen, experts->used);
    for (int64_t k = 0; k < experts->used; k++)
        weights[k] = logits[chosen[k]];
    score(kernels, router->score, experts->used, weights, max, weights);
    by = divisor(kernels, experts, logits, max, weights);
    for (int64_t k = 0; k < experts->used; k++)
        weights[k] /= by;
    if (router->factor != 1)
        kernels->scale(experts->used, weights, (float)router->factor);
}

/* ---- Lists ---- */

/* To bring a group of rows costs as much as to multiply it with so many tokens. */
enum { BRINGING = 4 };

/* first[e] counts the assignments of experts before e. */
static void sum_costs(int64_t n, ith_routes *r)
{
    r->costs[0] = 0;
    for (int64_t e = 0; e < n; e++) {
        int64_t tokens = r->first[e + 1] - r->first[e];
        r->costs[e + 1] = r->costs[e] + (tokens == 0 ? 0 : tokens + BRINGING);
    }
}

void ith_route_list(const ith_experts_params *experts, int64_t n_tokens, ith_routes *r)
{
    const int64_t used = experts->used;

    for (int64_t e = 0; e <= experts->n; e++)
        r->first[e] = 0;
    for (int64_t i = 0; i < n_tokens * used; i++)
        r->first[r->chosen[i] + 1]++;
    for (int64_t e = 0; e < experts->n; e++)
        r->first[e + 1] += r->first[e];
    for (int64_t i = 0; i < n_tokens * used;
         i++) { /* first[e] runs ahead to where the expert after it begins */
        int64_t at = r->first[r->chosen[i]]++;
        r->token[at] = (int32_t)(i / used);
        r->weight[at] = r->weights[i];
    }
    for (int64_t e = experts->n; e > 0; e--)
        r->first[e] = r->first[e - 1];
    r->first[0] = 0;
    sum_costs(experts->n, r);
}

/* Groups lie one after another, each as long as it costs. One is whose share it begins in. */
ith_range ith_experts_share(const ith_routes *r, int64_t n_experts, int64_t expert, int64_t groups,
                            ith_deal deal, int tasks, int task)
{
    int64_t sum = r->costs[n_experts], before = r->costs[expert],
            each = r->costs[expert + 1] - before;
    int64_t first = deal == ITH_BY_EXPERTS ? before * groups : before,
            step = deal == ITH_BY_EXPERTS ? each : sum;
    int64_t begin = sum * groups * task / tasks - first,
            end = sum * groups * (task + 1) / tasks - first;

    if (each == 0)
        return (ith_range){0, 0};
    return (ith_range){ith_clamp((begin + step - 1) / step, 0, groups),
                       ith_clamp((end + step - 1) / step, 0, groups)};
}

/* ---- In a pass ---- */

/* A token's logits, of the router's product. */
static void finish_logits(const ith_pass *p, const ith_experts *w, float *logits)
{
    const ith_hparams *hp = &p->model->hp;

    if (w->router_bias != NULL)
        p->model->kernels->add(hp->experts.n, logits, w->router_bias);
    if (hp->experts.router.apart)
        p->model->kernels->scale(hp->experts.n, logits, (float)(1 / sqrt((double)hp->hidden)));
}

void ith_route(ith_pass *p, const ith_experts *w, ith_routes *r, ith_member *me)
{
    const ith_experts_params *experts = &p->model->hp.experts;
    int64_t n = ith_range_size(p->mine);
    ith_range mine = ith_my_share(me, n, 1);

    ith_small_product(p, w->router, r->logits, r->ld, me);
    for (int64_t t = mine.begin; t < mine.end; t++) {
        float *logits = r->logits + t * r->ld;
        finish_logits(p, w, logits);
        if (!ith_all_finite(logits, experts->n))
            ith_pass_note_broken_here(p);
        ith_route_token(p->model->kernels, experts, logits, w->choice_bias,
                        r->scores + me->tid * r->ld, r->chosen + t * experts->used,
                        r->weights + t * experts->used);
        for (int64_t k = t * experts->used; w->scales != NULL && k < (t + 1) * experts->used; k++)
            r->weights[k] *= w->scales[r->chosen[k]];
    }
    ith_barrier(me);
    if (me->tid == 0)
        ith_route_list(experts, n, r);
    ith_barrier(me);
}
