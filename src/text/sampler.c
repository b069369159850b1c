#include "text/sampler.h"
#include "simd/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct candidate {
    float x; /* the logit, later its weight: exp(logit - largest) */
    int32_t id;
} candidate;

struct ith_sampler {
    ith_sampling params;
    int32_t n_vocab;
    uint64_t random[4];
    float *logits;   /* [n_vocab] after the penalty */
    candidate *list; /* [n_vocab] */
    int32_t *window; /* [repeat_window] a ring */
    int64_t n_accepted;
};

enum { MAX_WINDOW = 1 << 24 };

/* ---- The generator ---- */

static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t random_next(uint64_t s[4])
{
    uint64_t result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static void random_seed(uint64_t s[4], uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        s[i] = z ^ z >> 31;
    }
}

/* ---- Opening ---- */

static ith_status check_params(const ith_sampling *p, int64_t n_vocab, ith_error *err)
{
    if (n_vocab < 1 || n_vocab > INT32_MAX)
        return ith_fail(err, ITH_E_ARGUMENT, "sampling from a vocabulary of %lld tokens", (long long)n_vocab);
    if (!(p->temperature >= 0 && p->temperature <= 1e6f))
        return ith_fail(err, ITH_E_ARGUMENT, "temperature is %g, expected 0 (greedy) or more", (double)p->temperature);
    if (p->top_k < 0)
        return ith_fail(err, ITH_E_ARGUMENT, "top_k is %d, expected 0 (off) or more", p->top_k);
    if (!(p->top_p >= 0 && p->top_p <= 1))
        return ith_fail(err, ITH_E_ARGUMENT, "top_p is %g, expected 0 to 1", (double)p->top_p);
    if (!(p->min_p >= 0 && p->min_p <= 1))
        return ith_fail(err, ITH_E_ARGUMENT, "min_p is %g, expected 0 to 1", (double)p->min_p);
    if (!(p->repeat_penalty > 0 && p->repeat_penalty <= 1e6f))
        return ith_fail(err, ITH_E_ARGUMENT, "repeat_penalty is %g, expected more than 0 (1: off)",
                        (double)p->repeat_penalty);
    if (p->repeat_window < 0 || p->repeat_window > MAX_WINDOW)
        return ith_fail(err, ITH_E_ARGUMENT, "repeat_window is %d, expected 0 to %d", p->repeat_window, MAX_WINDOW);
    return ITH_OK;
}

ith_status ith_sampler_open(const ith_sampling *params, int64_t n_vocab, ith_sampler **out, ith_error *err)
{
    ith_sampler *sampler;

    *out = NULL;
    ITH_TRY(check_params(params, n_vocab, err));
    sampler = calloc(1, sizeof *sampler);
    if (sampler != NULL) {
        sampler->logits = malloc((size_t)n_vocab * sizeof *sampler->logits);
        sampler->list = malloc((size_t)n_vocab * sizeof *sampler->list);
        sampler->window = malloc(((size_t)params->repeat_window + 1) * sizeof *sampler->window);
    }
    if (sampler == NULL || sampler->logits == NULL || sampler->list == NULL || sampler->window == NULL) {
        ith_sampler_close(sampler);
        return ith_fail(err, ITH_E_MEMORY, "no memory to sample from %lld tokens", (long long)n_vocab);
    }
    sampler->params = *params;
    sampler->n_vocab = (int32_t)n_vocab;
    random_seed(sampler->random, params->seed);
    *out = sampler;
    return ITH_OK;
}

void ith_sampler_close(ith_sampler *sampler)
{
    if (sampler == NULL)
        return;
    free(sampler->logits);
    free(sampler->list);
    free(sampler->window);
    free(sampler);
}

void ith_sampler_accept(ith_sampler *sampler, int32_t id)
{
    if (sampler->params.repeat_window == 0 || id < 0 || id >= sampler->n_vocab)
        return;
    sampler->window[sampler->n_accepted++ % sampler->params.repeat_window] = id;
}

/* ---- Filters ---- */

/* A token that occurs often is penalized once: the penalty starts from the original logit each time. */
static void penalize(ith_sampler *sampler, const float *logits)
{
    int64_t n =
        sampler->n_accepted < sampler->params.repeat_window ? sampler->n_accepted : sampler->params.repeat_window;
    float penalty = sampler->params.repeat_penalty;

    for (int32_t i = 0; i < sampler->n_vocab; i++)
        sampler->logits[i] = isnan(logits[i]) ? -INFINITY : logits[i];
    for (int64_t i = 0; i < n && penalty != 1; i++) {
        int32_t id = sampler->window[i];
        float x = logits[id];
        sampler->logits[id] = isnan(x) ? -INFINITY : x > 0 ? x / penalty : x * penalty;
    }
}

static int32_t largest(const float *x, int32_t n)
{
    int32_t best = 0;

    for (int32_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

/* Larger first; of equals, the lower id. */
static bool before(candidate a, candidate b)
{
    return a.x > b.x || (a.x == b.x && a.id < b.id);
}

/* Restores a heap below place i: with `best`, the first in order is on top, else the last. */
static void sift(candidate *heap, int32_t n, int32_t i, bool best)
{
    candidate moving = heap[i];

    for (;;) {
        int64_t child = 2 * (int64_t)i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && before(heap[child + 1], heap[child]) == best)
            child++;
        if (before(heap[child], moving) != best)
            break;
        heap[i] = heap[child];
        i = (int32_t)child;
    }
    heap[i] = moving;
}

static void make_heap(candidate *heap, int32_t n, bool best)
{
    for (int32_t i = n / 2; i-- > 0;)
        sift(heap, n, i, best);
}

/* Keeps the k first in order, sorted: a heap with the worst of them on top, which most of the vocabulary never enters. */
static int32_t keep_top_k(candidate *list, int32_t n, int32_t k)
{
    if (k > n)
        k = n;
    make_heap(list, k, false);
    for (int32_t i = k; i < n; i++) {
        if (before(list[i], list[0])) {
            list[0] = list[i];
            sift(list, k, 0, false);
        }
    }
    for (int32_t left = k - 1; left > 0; left--) {
        candidate worst = list[0];
        list[0] = list[left];
        list[left] = worst;
        sift(list, left, 0, false);
    }
    return k;
}

/* From logits to weights relative to the largest, whose weight is 1. Sums go over the list in its order. */
static double weigh(candidate *list, int32_t n, float max, float temperature)
{
    const float log2e = 1.44269504f;
    double sum = 0;

    for (int32_t i = 0; i < n; i++) {
        list[i].x = list[i].x == max ? 1 : ith_exp2((list[i].x - max) / temperature * log2e);
        sum += (double)list[i].x;
    }
    return sum;
}

/* Keeps the fewest first in order whose weights reach the share `p` of `sum`; *sum becomes theirs. Unless the list is sorted, a
 * heap gives the order as far as it is needed, from the end of the list's free part. */
static int32_t keep_top_p(candidate *list, int32_t n, bool sorted, double p, double *sum)
{
    double limit = p * *sum, kept = 0;
    int32_t taken = 0;

    if (!sorted)
        make_heap(list, n, true);
    do {
        if (!sorted) { /* the heap shrinks from its end, and what was taken gathers there */
            int32_t last = n - 1 - taken;
            candidate top = list[0];
            list[0] = list[last];
            list[last] = top;
            sift(list, last, 0, true);
            kept += (double)top.x;
        } else {
            kept += (double)list[taken].x;
        }
        taken++;
    } while (taken < n && kept < limit);
    if (!sorted)
        memmove(list, list + n - taken, (size_t)taken * sizeof *list);
    *sum = kept;
    return taken;
}

static int32_t keep_min_p(candidate *list, int32_t n, float min_p, double *sum)
{
    int32_t kept = 0;

    *sum = 0;
    for (int32_t i = 0; i < n; i++) {
        if (list[i].x < min_p) /* the largest weight is 1 */
            continue;
        *sum += (double)list[i].x;
        list[kept++] = list[i];
    }
    return kept;
}

static int32_t draw(ith_sampler *sampler, int32_t n, double sum)
{
    double u = (double)(random_next(sampler->random) >> 11) * 0x1p-53 * sum, seen = 0;
    int32_t last = 0;

    for (int32_t i = 0; i < n; i++) {
        if (sampler->list[i].x <= 0)
            continue;
        last = i;
        seen += (double)sampler->list[i].x;
        if (u < seen)
            break;
    }
    return sampler->list[last].id;
}

int32_t ith_sampler_choose(ith_sampler *sampler, const float *logits)
{
    const ith_sampling *p = &sampler->params;
    candidate *list = sampler->list;
    int32_t n = sampler->n_vocab, best;
    bool sorted = p->top_k > 0;
    double sum;

    penalize(sampler, logits);
    best = largest(sampler->logits, n);
    if (p->temperature == 0 || isinf(sampler->logits[best]))
        return best;
    for (int32_t i = 0; i < n; i++)
        list[i] = (candidate){sampler->logits[i], i};
    if (sorted)
        n = keep_top_k(list, n, p->top_k);
    sum = weigh(list, n, sampler->logits[best], p->temperature);
    if (p->top_p < 1)
        n = keep_top_p(list, n, sorted, (double)p->top_p, &sum);
    if (p->min_p > 0)
        n = keep_min_p(list, n, p->min_p, &sum);
    return draw(sampler, n, sum);
}
