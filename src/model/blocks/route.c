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

void ith_route_token(const ith_kernels *kernels, const ith_experts_params *experts,
                     const float *logits, int32_t *chosen, float *weights)
{
    float max = kernels->max(experts->n, logits), sum = 0;

    choose_best(logits, experts->n, experts->used, chosen);
    sort(chosen, experts->used);
    for (int64_t k = 0; k < experts->used; k++)
        weights[k] = logits[chosen[k]];
    kernels->weights(experts->used, weights, max, 1.0f, weights);
    for (int64_t k = 0; k < experts->used; k++)
        sum += weights[k];
    if (!experts->normalized)
        sum = kernels->sum_exp(experts->n, logits, max);
    for (int64_t k = 0; k < experts->used; k++)
        weights[k] /= sum;
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

/* Several tokens: each member all rows for its own, so that more than one per tile of rows has
 * work. One or two: rows. */
static void router_product(ith_pass *p, const ith_matrix *router, ith_routes *r, ith_member *me)
{
    ith_input in = ith_pass_input(p, router->cols);
    int64_t n = ith_range_size(p->mine);
    ith_range mine = ith_my_share(me, n, 1), tiles = {0, router->n_tiles};

    if (n >= me->n_threads && router->layout != ITH_F32)
        ith_linear_tiles(p->model->kernels, router, tiles, &in, mine.begin, ith_range_size(mine),
                         r->logits + mine.begin * r->ld, r->ld);
    else
        ith_linear(me, p->model, router, (ith_range){0, router->rows}, &in, n, r->logits, r->ld);
    ith_barrier(me);
}

void ith_route(ith_pass *p, const ith_experts *w, ith_routes *r, ith_member *me)
{
    const ith_experts_params *experts = &p->model->hp.experts;
    int64_t n = ith_range_size(p->mine);
    ith_range mine = ith_my_share(me, n, 1);

    router_product(p, w->router, r, me);
    for (int64_t t = mine.begin; t < mine.end; t++) {
        if (!ith_all_finite(r->logits + t * r->ld, experts->n))
            ith_pass_note_broken_here(p);
        ith_route_token(p->model->kernels, experts, r->logits + t * r->ld,
                        r->chosen + t * experts->used, r->weights + t * experts->used);
    }
    ith_barrier(me);
    if (me->tid == 0)
        ith_route_list(experts, n, r);
    ith_barrier(me);
}
