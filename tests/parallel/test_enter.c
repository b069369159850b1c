/* RANKS: 1 2
 *
 * test_enter.c - each thread that multiplies or attends has entered the level (simd/kernels.h), and
 * leaves it again: while an engine measures and is stopped, in prefill, decoding and scoring with
 * every form of weights and cache, and in the benches. A level that needs to be entered is feigned:
 * the functions of the table in use are replaced by others that watch over the calls and pass them
 * on.
 */
#include "simd/kernels.h"
#include "tests/needle.h"

#include <stdatomic.h>

static ith_kernels real;
static _Thread_local int inside; /* 1: this thread has entered */
static atomic_int entries, calls, faults;

static void enter(void)
{
    faults += inside != 0; /* a thread of the run before has not left */
    inside++;
    entries++;
    real.enter();
}

static void leave(void)
{
    inside--;
    faults += inside != 0;
    real.leave();
}

static void called(void)
{
    calls++;
    faults += inside != 1;
}

/* gemm_w8, ..., attn_q8, ... */
#define ITH_LAYOUT(constant, name, bytes, quantized)                                               \
    static void gemm_##name(int64_t n_tiles, int64_t n_tokens, const void *tiles,                  \
                            const ith_acts *acts, float *out, int64_t ld_out)                      \
    {                                                                                              \
        called();                                                                                  \
        real.gemm[ITH_##constant](n_tiles, n_tokens, tiles, acts, out, ld_out);                    \
    }
#define ITH_KV_LAYOUT(constant, name, element, scales)                                             \
    static void attn_##name(const ith_attn *a)                                                     \
    {                                                                                              \
        called();                                                                                  \
        real.attn[ITH_KVL_##constant](a);                                                          \
    }
#include "simd/layouts.inc"

/* Replaces the functions of the table that all of the program uses. */
static void watch(void)
{
    ith_kernels *k = (ith_kernels *)ith_kernels_get(); /* no constant: dispatch.c fills it in */

    real = *k;
    k->enter = enter;
    k->leave = leave;
#define ITH_LAYOUT(constant, name, bytes, quantized)                                               \
    if (real.gemm[ITH_##constant] != NULL)                                                         \
        k->gemm[ITH_##constant] = gemm_##name;
#define ITH_KV_LAYOUT(constant, name, element, scales) k->attn[ITH_KVL_##constant] = attn_##name;
#include "simd/layouts.inc"
}

/* Since the last call: at least so many threads have entered, kernels were called, all inside. */
static void must_be_entered(int threads, const char *what)
{
    must(entries >= threads, "threads enter the level", NULL);
    must(calls > 0, "kernels are called", NULL);
    must(faults == 0, "kernels are called between enter and leave of their thread", NULL);
    entries = calls = 0;
    if (ith_world_rank(world) == 0)
        printf("ok enter: %s\n", what);
}

static ith_engine_params params_of(ith_quant quant, ith_kv_type kv, bool exact)
{
    ith_engine_params params = ith_engine_params_default();

    params.model = NEEDLE_MODEL;
    params.threads = 2;
    params.chunk = 64;
    params.quant = quant;
    params.kv = kv;
    params.exact = exact;
    return params;
}

static void passes(ith_engine_params params, const char *what)
{
    ith_engine *engine = must_open(&params);
    ith_session *session = session_after(engine, ids, 100, 3);
    float nll[100];
    ith_error err;

    ith_session_close(session);
    session = must_open_session(engine);
    must(ith_session_score(session, ids, 100, nll, &err) == ITH_OK, "score", &err);
    ith_session_close(session);
    ith_engine_close(engine);
    must_be_entered(2 * (2 + 3 + 2), what); /* chunks of prefill, tokens, chunks that are scored */
}

static bool stop_measuring(void *user, const char *what, int64_t done, int64_t total)
{
    (void)user;
    (void)total;
    return strcmp(what, "measure") != 0 || done == 0;
}

static void stopped(void)
{
    ith_engine_params params = params_of(ITH_QUANT_W8, ITH_KV_Q8, false);
    ith_engine *engine;
    ith_error err;

    params.progress = stop_measuring;
    must(ith_engine_open(world, &params, &engine, &err) == ITH_E_CANCELLED, "stop the measuring",
         &err);
    must_be_entered(2, "a pass that is stopped between two layers");
}

static void measured_shares(void)
{
    ith_engine_params params = params_of(ITH_QUANT_W8, ITH_KV_Q8, false);

    params.shares = "measured";
    ith_engine_close(must_open(&params));
    must_be_entered(ith_world_size(world) > 1 ? 4 : 2, "shares by measured speed, keys' means");
}

static void benches(void)
{
    static const char *const lines[] = {"gemm_w8 smollm2-135m.kv 1", "attn_q8 smollm2-135m.decode"};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        ith_bench_kernels_params params = {.shapes = "smollm2-135m",
                                           .filter = lines[i],
                                           .threads = 2,
                                           .seconds = 0.001,
                                           .buffer = 1 << 24};
        char *json;
        ith_error err;

        must(ith_bench_kernels(&params, &json, &err) == ITH_OK, "bench", &err);
        free(json);
        must_be_entered(2, lines[i]);
    }
}

int main(void)
{
    if (!open_needle())
        return 1;
    watch();
    measured_shares();
    stopped();
    passes(params_of(ITH_QUANT_W8, ITH_KV_Q8, false), "w8, q8");
    passes(params_of(ITH_QUANT_W4, ITH_KV_Q8, false), "w4, q8");
    passes(params_of(ITH_QUANT_BF16, ITH_KV_BF16, false), "bf16, bf16");
    passes(params_of(ITH_QUANT_F32, ITH_KV_F32, false), "f32, f32");
    passes(params_of(ITH_QUANT_AUTO, ITH_KV_Q8, true), "exact");
    benches();
    ith_world_close(world);
    return 0;
}
