/* RANKS: 1 3, long: 2 4 7
 *
 * test_same_bits.c - contract 2 on the needle model: the logits after a prompt are the same bits
 * for any number of ranks and threads, any shares and chunk, and caches of any size.
 *
 * The prompt has 1,002 tokens, or three times as many. It is scored whole, or prefilled in several
 * calls and decoded token by token. The expected digest is that of the scalar reference on one rank
 * and one thread. It changes only when the arithmetic of simd/kernels.h is changed on purpose; then
 * build/release/ithaca score -m tests/models/needle-qwen3 --ids tests/golden/needle/1k.ids --json
 * prints the new one. The same is tested for --quant w4, and for float weights and caches: --quant
 * bf16 --kv bf16 and --quant f32 --kv f32.
 */
#include "tests/needle.h"

#include <math.h>

enum { DECODED = 12, GENERATED = 13, COPIES = 3, DECODED_LONG = 6 };

/* The types of weights and cache, and the results they give. */
typedef struct forms {
    const char *name;
    ith_quant quant;
    ith_kv_type kv;
    const char *sha, *long_sha; /* of the prompt; of COPIES of it */
    double mean_nll;
} forms;

static const forms quantized = {"w8, q8",
                                ITH_QUANT_W8,
                                ITH_KV_Q8,
                                "4bef47b2ed52e1caeed4baaa566d7d166f8c3e329484134357d47d103420f584",
                                "2c3eecd9072344b1e4e1dbc049f33dc89df189b1f6edbfc5c226d60b94a740c3",
                                1.86001};
static const forms others[] = {
    {"w4, q8", ITH_QUANT_W4, ITH_KV_Q8,
     "b0c203df8f089e157d36e7146cd9382d1b15cb772846f62cd332ad0befd5fcfa",
     "71453206ca6afd318d79f67ee3d5a7fa59f959a45589996aa85d39cbc75a21fe", 1.86653},
    {"bf16, bf16", ITH_QUANT_BF16, ITH_KV_BF16,
     "b9cf60b04c76d96599b7a2a572082e53a24ad15390744c380997af8bce942f59",
     "e11c4f7bd3bd9c643e290730b6ac7506b48e905fa1bd527021da06519c818668", 1.85889},
    {"f32, f32", ITH_QUANT_F32, ITH_KV_F32,
     "5a203fdedfafc983d744a38baa06479687b812796b3f7302809dd5ccad6557ba",
     "a7f2b03cf0b98e37b488602f5f7712e5673dd43ae03b51a73e37464da16cea75", 1.85970},
};
static const int32_t expected_answer[GENERATED] = {282, 725, 314, 1877, 386, 220, 17,
                                                   22,  21,  21,  18,   17,  13};

static bool every; /* ITHACA_LONG */

static void score_whole(ith_engine *engine, const forms *way)
{
    ith_session *session = must_open_session(engine);
    ith_error err;
    float nll[MAX_IDS];
    double sum = 0;

    must(ith_session_score(session, ids, n_ids, nll, &err) == ITH_OK, "score", &err);
    must_have_sha(session, way->sha, way->name, "scored whole");
    if (ith_world_rank(world) == 0) {
        for (size_t i = 0; i + 1 < n_ids; i++)
            sum += nll[i];
        sum /= (double)(n_ids - 1);
        if (fabs(sum - way->mean_nll) >= 1e-4)
            printf("# %s: mean nll %.5f\n", way->name, sum);
        must(fabs(sum - way->mean_nll) < 1e-4, "mean nll", NULL);
    }
    ith_session_close(session);
}

/* The last DECODED tokens one by one, then the answer. */
static void prefill_and_decode(ith_engine *engine, const forms *way)
{
    ith_session *session = session_after(engine, ids, n_ids, DECODED);
    ith_error err;
    ith_generation answer;
    ith_generate_params params = {.max_tokens = 20, .sampling = {.top_p = 1, .repeat_penalty = 1}};

    must_have_sha(session, way->sha, way->name, "decoded token by token");
    must(ith_generate(session, &params, &answer, &err) == ITH_OK, "generate", &err);
    if (ith_world_rank(world) == 0) {
        must(answer.finish == ITH_FINISH_STOP && answer.n_ids == GENERATED, "the answer's length",
             NULL);
        must(memcmp(answer.ids, expected_answer, sizeof expected_answer) == 0, "the answer", NULL);
    }
    ith_generation_free(&answer);
    ith_session_close(session);
}

/* Several segments of the cache: with R > 1 they lie on several ranks. */
static void long_timeline(ith_engine *engine, const forms *way)
{
    size_t n;
    const int32_t *all = copies_of_ids(COPIES, &n);
    ith_session *session = session_after(engine, all, n, DECODED_LONG);

    must_have_sha(session, way->long_sha, way->name, "several segments");
    ith_session_close(session);
}

/* far: with several segments of the cache too; with ITHACA_LONG always. */
static void run_shared(const forms *way, int threads, int64_t chunk, ith_exchange exchange,
                       int parts, const char *weights_by, bool far)
{
    ith_engine_params params = ith_engine_params_default();
    ith_engine *engine;

    params.model = NEEDLE_MODEL;
    params.threads = threads;
    params.chunk = chunk;
    params.quant = way->quant;
    params.kv = way->kv;
    params.exchange = exchange;
    params.head_slices = parts;
    params.shares = weights_by;
    engine = must_open(&params);
    score_whole(engine, way);
    prefill_and_decode(engine, way);
    if (far || every)
        long_timeline(engine, way);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok same_bits of %s with %d threads, chunks of %lld, %d parts, shares by %s\n",
               way->name, threads, (long long)chunk, parts,
               weights_by == NULL ? "none" : weights_by);
}

static void run_with(const forms *way, int threads, int64_t chunk, ith_exchange exchange, int parts,
                     bool far)
{
    run_shared(way, threads, chunk, exchange, parts, NULL, far);
}

/* The first of seven numbers for as many ranks; the first that is not 0 is what one rank has. */
static void run_by_numbers(const char *numbers, const forms *way, int64_t chunk, int parts,
                           bool far)
{
    char text[64];
    snprintf(text, sizeof text, "%s", numbers);
    for (int r = 0, at = 0; text[at] != 0; at++)
        if (text[at] == ',' && ++r == ith_world_size(world))
            text[at--] = 0;
    run_shared(way, 2, chunk, ITH_EXCHANGE_AUTO, parts, text, far);
}

/* Caches that no machine has: other blocks, other tiles, the same bits. */
static void run_with_caches(const char *caches, const forms *way)
{
    setenv("ITHACA_CACHES", caches, 1);
    run_with(way, 2, 1000, ITH_EXCHANGE_AUTO, 0, false);
    unsetenv("ITHACA_CACHES");
    if (ith_world_rank(world) == 0)
        printf("ok same_bits with caches of %s\n", caches);
}

/* What only several ranks do: exchange by any strategy, and take unequal shares. */
static void among_ranks(void)
{
    const int threads = 1 + ith_world_rank(world) % 2;

    /* A rank has 2 heads on 2 ranks, and 4 on 3 ranks. */
    for (int exchange = ITH_EXCHANGE_AUTO; exchange <= ITH_EXCHANGE_NODE; exchange++)
        run_with(&quantized, 2, 300, (ith_exchange)exchange, 1 + exchange,
                 exchange != ITH_EXCHANGE_AUTO);
    run_by_numbers("3,1,4,1,5,9,2", &quantized, 1000, 0, true);
    run_by_numbers("7,0,0,5,0,1,3", &quantized, 64, 0, false);
    run_by_numbers("1,0,100000,0,2,100,0", &others[1], 300, 4, false);
    run_shared(&quantized, threads, 300, ITH_EXCHANGE_AUTO, 0, "threads", false);
    run_shared(&quantized, threads, 1000, ITH_EXCHANGE_AUTO, 0, "measured", false);
}

/* With ITHACA_LONG, every chunk runs with both numbers of threads, and the other forms run in small
 * chunks too. Otherwise each chunk runs with one number of threads, and several segments of the
 * cache meet each form of weights and cache, each exchange and unequal shares once. */
int main(void)
{
    static const int64_t chunks[] = {16, 64, 1000};

    every = getenv("ITHACA_LONG") != NULL;
    if (!open_needle())
        return 1;
    for (int threads = 1; threads <= 2; threads++)
        for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
            if (every || (threads == 2) == (chunks[i] == 16))
                run_with(&quantized, threads, chunks[i], ITH_EXCHANGE_AUTO, 0, chunks[i] == 64);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        run_with(&others[i], 1, 1000, ITH_EXCHANGE_AUTO, 0, false);
        run_with(&others[i], 2, 300, ITH_EXCHANGE_PAIRWISE, 4, true);
        if (every)
            run_with(&others[i], 2, 64, ITH_EXCHANGE_AUTO, 0, true);
    }
    if (ith_world_size(world) > 1)
        among_ranks();
    run_with_caches("1KiB,1KiB,1KiB", &quantized);
    run_with_caches("33KiB,300KiB,1MiB", &others[0]);
    run_with_caches("1GiB,1GiB,1GiB", &quantized);
    ith_world_close(world);
    return 0;
}
