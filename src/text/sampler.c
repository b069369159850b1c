/* sampler.c - the filters and the draw. Heaps sort no more of the vocabulary than needed. */
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
    const ith_kernels *kernels;
    float *logits;   /* [n_vocab] after the penalty; later weights */
    float *maxima;   /* [n_vocab / ITH_MAXIMA, rounded up] */
    int32_t *ids;    /* [n_vocab] */
    candidate *list; /* [n_vocab] */
    /* [repeat_window] a ring buffer; for ITH_REPEAT_ALL [n_vocab] each accepted token once */
    int32_t *window;
    bool *seen; /* ITH_REPEAT_ALL: [n_vocab] is it in the window? */
    int64_t n_accepted;
    int64_t n_draws;
};

enum {
    MAX_WINDOW = 1 << 24,
    FEW = 512 /* tokens that top-p tries before it looks at the whole vocabulary */
};

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
        return ith_fail(err, ITH_E_ARGUMENT, "cannot sample from a vocabulary of %lld tokens",
                        (long long)n_vocab);
    if (!(p->temperature >= 0 && p->temperature <= 1e6f))
        return ith_fail(err, ITH_E_ARGUMENT, "temperature is %g; expected 0 (greedy) or more",
                        (double)p->temperature);
    if (p->top_k < 0)
        return ith_fail(err, ITH_E_ARGUMENT, "top_k is %d; expected 0 (off) or more", p->top_k);
    if (!(p->top_p >= 0 && p->top_p <= 1))
        return ith_fail(err, ITH_E_ARGUMENT, "top_p is %g; expected 0 to 1", (double)p->top_p);
    if (!(p->min_p >= 0 && p->min_p <= 1))
        return ith_fail(err, ITH_E_ARGUMENT, "min_p is %g; expected 0 to 1", (double)p->min_p);
    if (!(p->repeat_penalty > 0 && p->repeat_penalty <= 1e6f))
        return ith_fail(err, ITH_E_ARGUMENT, "repeat_penalty is %g; expected more than 0 (1: off)",
                        (double)p->repeat_penalty);
    if (p->repeat_window < ITH_REPEAT_ALL || p->repeat_window > MAX_WINDOW)
        return ith_fail(err, ITH_E_ARGUMENT, "repeat_window is %d; expected 0 to %d, or %d for all",
                        p->repeat_window, MAX_WINDOW, ITH_REPEAT_ALL);
    return ITH_OK;
}

static size_t window_room(const ith_sampling *p, int64_t n_vocab)
{
    return (p->repeat_window == ITH_REPEAT_ALL ? (size_t)n_vocab : (size_t)p->repeat_window) + 1;
}

ith_status ith_sampler_open(const ith_sampling *params, int64_t n_vocab, ith_sampler **out,
                            ith_error *err)
{
    ith_sampler *sampler;

    *out = NULL;
    ITH_TRY(check_params(params, n_vocab, err));
    sampler = calloc(1, sizeof *sampler);
    if (sampler != NULL) {
        sampler->logits = malloc((size_t)n_vocab * sizeof *sampler->logits);
        sampler->maxima = malloc(((size_t)n_vocab / ITH_MAXIMA + 1) * sizeof *sampler->maxima);
        sampler->ids = malloc((size_t)n_vocab * sizeof *sampler->ids);
        sampler->list = malloc((size_t)n_vocab * sizeof *sampler->list);
        sampler->window = malloc(window_room(params, n_vocab) * sizeof *sampler->window);
        sampler->seen = calloc((size_t)n_vocab, sizeof *sampler->seen);
    }
    if (sampler == NULL || sampler->logits == NULL || sampler->maxima == NULL ||
        sampler->ids == NULL || sampler->list == NULL || sampler->window == NULL ||
        sampler->seen == NULL) {
        ith_sampler_close(sampler);
        return ith_fail(err, ITH_E_MEMORY, "no memory to sample from %lld tokens",
                        (long long)n_vocab);
    }
    sampler->params = *params;
    sampler->kernels = ith_kernels_get();
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
    free(sampler->maxima);
    free(sampler->ids);
    free(sampler->list);
    free(sampler->window);
    free(sampler->seen);
    free(sampler);
}

void ith_sampler_accept(ith_sampler *sampler, int32_t id)
{
    if (sampler->params.repeat_window == 0 || id < 0 || id >= sampler->n_vocab)
        return;
    if (sampler->params.repeat_window != ITH_REPEAT_ALL) {
        sampler->window[sampler->n_accepted++ % sampler->params.repeat_window] = id;
    } else if (!sampler->seen[id]) {
        sampler->seen[id] = true;
        sampler->window[sampler->n_accepted++] = id;
    }
}

/* ---- Filters ---- */

/* The logits after the penalty. A token that occurs several times is penalized once, since each
 * time the penalty applies to the original logit. */
static const float *penalize(ith_sampler *sampler, const float *logits)
{
    int64_t room = sampler->params.repeat_window, n = sampler->n_accepted;
    float penalty = sampler->params.repeat_penalty;

    if (room != ITH_REPEAT_ALL && n > room)
        n = room;
    if (penalty == 1 || n == 0)
        return logits;
    memcpy(sampler->logits, logits, (size_t)sampler->n_vocab * sizeof *logits);
    for (int64_t i = 0; i < n; i++) {
        float x = logits[sampler->window[i]];
        sampler->logits[sampler->window[i]] = x > 0 ? x / penalty : x * penalty;
    }
    return sampler->logits;
}

/* The order of candidates: larger first; of equals, the lower id. */
static bool before(candidate a, candidate b)
{
    return a.x > b.x || (a.x == b.x && a.id < b.id);
}

/* Restores a heap below index i. With `best` the first in order is on top, otherwise the last. */
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

/* Moves the k first in order to the front of the list, sorted. The worst of them is on top of a
 * heap, so most of the vocabulary never enters it. */
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

/* Lists all tokens. */
static int32_t list_all(ith_sampler *sampler, const float *logits)
{
    for (int32_t i = 0; i < sampler->n_vocab; i++)
        sampler->list[i] = (candidate){isnan(logits[i]) ? -INFINITY : logits[i], i};
    return sampler->n_vocab;
}

/* Lists the k first in order and usually few others: all that reach the k-th largest of the blocks'
 * maxima. */
static int32_t list_top(ith_sampler *sampler, const float *logits, int32_t k)
{
    int32_t n = sampler->n_vocab, n_blocks = (n + ITH_MAXIMA - 1) / ITH_MAXIMA;
    float limit;

    if (k > n_blocks)
        return list_all(sampler, logits);
    sampler->kernels->maxima(n, logits, sampler->maxima);
    for (int32_t i = 0; i < n_blocks; i++)
        sampler->list[i] = (candidate){sampler->maxima[i], i};
    keep_top_k(sampler->list, n_blocks, k);
    limit = sampler->list[k - 1].x;
    if (limit == -INFINITY)
        return list_all(sampler, logits);
    n = (int32_t)sampler->kernels->select(n, logits, limit, sampler->ids);
    for (int32_t i = 0; i < n; i++)
        sampler->list[i] = (candidate){logits[sampler->ids[i]], sampler->ids[i]};
    return n;
}

/* Turns logits into weights relative to the largest, whose weight is 1. Returns their sum, added in
 * the list's order. */
static double weigh(const ith_sampler *sampler, int32_t n, float max)
{
    double sum = 0;

    for (int32_t i = 0; i < n; i++) {
        float *weight = &sampler->list[i].x;
        sampler->kernels->weights(1, weight, max, sampler->params.temperature, weight);
        sum += (double)*weight;
    }
    return sum;
}

/* Writes the weights of all tokens to sampler->logits, which may be `logits`. Returns the total of
 * four interleaved sums. */
static double weigh_all(ith_sampler *sampler, const float *logits, float max)
{
    double sum[4] = {0};

    sampler->kernels->weights(sampler->n_vocab, logits, max, sampler->params.temperature,
                              sampler->logits);
    for (int32_t i = 0; i < sampler->n_vocab; i++)
        sum[i % 4] += (double)sampler->logits[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Of a sorted list, how many weights from the front reach `limit`. *sum becomes their sum; it is
 * less than `limit` if the whole list does not reach it. */
static int32_t keep_top_p(const candidate *list, int32_t n, double limit, double *sum)
{
    int32_t taken = 0;

    *sum = 0;
    do
        *sum += (double)list[taken++].x;
    while (taken < n && *sum < limit);
    return taken;
}

/* The same for an unsorted list. A heap sorts it as far as needed; what it yields collects at the
 * end of the list and is then moved to the front. */
static int32_t sort_top_p(candidate *list, int32_t n, double limit, double *sum)
{
    int32_t taken = 0;

    *sum = 0;
    make_heap(list, n, true);
    do {
        int32_t last = n - 1 - taken;
        candidate top = list[0];
        list[0] = list[last];
        list[last] = top;
        sift(list, last, 0, true);
        *sum += (double)top.x;
        taken++;
    } while (taken < n && *sum < limit);
    for (int32_t i = 0; i < n / 2; i++) {
        candidate c = list[i];
        list[i] = list[n - 1 - i];
        list[n - 1 - i] = c;
    }
    return taken;
}

/* Top-p over all tokens. Usually the FEW largest are enough. */
static int32_t list_top_p(ith_sampler *sampler, double p, double *sum)
{
    int32_t n = sampler->n_vocab, n_blocks = (n + ITH_MAXIMA - 1) / ITH_MAXIMA, taken;
    int32_t k = n_blocks < FEW ? n_blocks : FEW;
    double limit = p * *sum;

    n = keep_top_k(sampler->list, list_top(sampler, sampler->logits, k), k);
    taken = keep_top_p(sampler->list, n, limit, sum);
    if (*sum >= limit)
        return taken;
    return sort_top_p(sampler->list, list_all(sampler, sampler->logits), limit, sum);
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

    sampler->n_draws++;
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

/* Chooses by logits after the penalty. */
static int32_t choose(ith_sampler *sampler, const float *x, int32_t best)
{
    const ith_sampling *p = &sampler->params;
    float max = x[best];
    int32_t n;
    double sum;

    if (p->temperature == 0 || !isfinite(max))
        return best;
    if (p->top_k > 0) {
        n = keep_top_k(sampler->list, list_top(sampler, x, p->top_k), p->top_k);
        sum = weigh(sampler, n, max);
        if (p->top_p < 1)
            n = keep_top_p(sampler->list, n, (double)p->top_p * sum, &sum);
    } else {
        sum = weigh_all(sampler, x, max);
        n = p->top_p < 1 ? list_top_p(sampler, (double)p->top_p, &sum)
                         : list_all(sampler, sampler->logits);
    }
    if (p->min_p > 0)
        n = keep_min_p(sampler->list, n, p->min_p, &sum);
    return draw(sampler, n, sum);
}

static int32_t largest(const ith_sampler *sampler, const float *x)
{
    return (int32_t)sampler->kernels->argmax(sampler->n_vocab, x);
}

int32_t ith_sampler_choose(ith_sampler *sampler, const float *logits)
{
    const float *x = penalize(sampler, logits);
    return choose(sampler, x, largest(sampler, x));
}

static bool is_in(const uint64_t *mask, int32_t n_ids, int32_t id)
{
    return id < n_ids && (mask[id / 64] >> id % 64 & 1) != 0;
}

/* The first of the tokens, for logits that do not tell them apart from the others. */
static int32_t first_of(const ith_sampler *sampler, const uint64_t *mask, int32_t n_ids)
{
    int32_t id = 0;

    while (id < sampler->n_vocab && !is_in(mask, n_ids, id))
        id++;
    return id < sampler->n_vocab ? id : 0;
}

int32_t ith_sampler_choose_among(ith_sampler *sampler, const float *logits, const uint64_t *mask,
                                 int32_t n_ids)
{
    const float *x = penalize(sampler, logits);
    int32_t best;

    for (int32_t id = 0; id < sampler->n_vocab; id++)
        sampler->logits[id] = is_in(mask, n_ids, id) ? x[id] : -INFINITY;
    best = largest(sampler, sampler->logits);
    if (!is_in(mask, n_ids, best))
        return first_of(sampler, mask, n_ids);
    return choose(sampler, sampler->logits, best);
}

int64_t ith_sampler_draws(const ith_sampler *sampler)
{
    return sampler->n_draws;
}

void ith_sampler_skip(ith_sampler *sampler, int64_t draws)
{
    for (int64_t i = 0; i < draws; i++)
        random_next(sampler->random);
    sampler->n_draws += draws;
}
