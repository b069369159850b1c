/* fuzz_sampler.c - the choice of a token: parameters as text, then logits as bytes. What is chosen
 * is in the vocabulary, greedy is the largest, and the same seed chooses the same. */
#include "tests/fuzz/fuzz.h"
#include "text/sampler.h"

#include <math.h>

enum { LOGITS = 3000 };

/* NaN counts as minus infinity; of equal logits the first counts as larger. */
static int32_t largest(const float *logits, int64_t n)
{
    float most = -INFINITY;
    int32_t best = 0;

    for (int64_t i = 0; i < n; i++)
        if (logits[i] > most) {
            most = logits[i];
            best = (int32_t)i;
        }
    return best;
}

static void choose(const ith_sampling *params, const float *logits, int64_t n, int32_t ids[4])
{
    ith_sampler *sampler;
    ith_error err = {0};

    if (!fuzz_verdict(ith_sampler_open(params, n, &sampler, &err), &err))
        return;
    for (int i = 0; i < 4; i++) {
        ids[i] = ith_sampler_choose(sampler, logits);
        fuzz_must(ids[i] >= 0 && ids[i] < n);
        if (params->temperature == 0 && params->repeat_penalty == 1)
            fuzz_must(ids[i] == largest(logits, n));
        ith_sampler_accept(sampler, ids[i]);
    }
    fuzz_must(ith_sampler_draws(sampler) <= (params->temperature > 0 ? 4 : 0));
    ith_sampler_close(sampler);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes text = fuzz_part(&data, &size);
    ith_sampling params = {0};
    unsigned long long seed = 0;
    static float logits[LOGITS];
    int32_t first[4] = {0}, again[4] = {0};
    int64_t n = (int64_t)(size / sizeof *logits < LOGITS ? size / sizeof *logits : LOGITS);
    long repeat = 1;

    sscanf(text.data, "%f %d %f %f %f %d %llu %ld", &params.temperature, &params.top_k,
           &params.top_p, &params.min_p, &params.repeat_penalty, &params.repeat_window, &seed,
           &repeat);
    params.seed = seed;
    if (n > 0)
        memcpy(logits, data, (size_t)n * sizeof *logits);
    /* a few logits can stand for many */
    for (int64_t i = n; n > 0 && repeat > 1 && i < LOGITS; i++, n++)
        logits[i] = logits[i % repeat % i] + (float)(i % 7) / 64;
    choose(&params, logits, n, first);
    choose(&params, logits, n, again);
    fuzz_must(memcmp(first, again, sizeof first) == 0);
    fuzz_part_free(text);
    return 0;
}
