/* RANKS: 1 2 4
 *
 * test_golden.c - the exact path against Hugging Face Transformers in float32, on random
 * checkpoints that nothing was tuned on (tests/golden/README.md).
 *
 * Compared are every nll, the ten best logits, and 48 greedy tokens. A checkpoint runs with the
 * rank counts that divide its KV heads. Float weights and caches with our own kernels must be as
 * close, on folders. The quantized path runs on the same files with a tolerance that fits 8 bits.
 */
#include "base/json.h"
#include "ithaca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The largest differences from Transformers. Those of the exact path come from float32 sums in
 * another order. Those of the quantized path only catch gross errors: test_same_bits pins its
 * numbers. */
#define NLL_EXACT   2e-4
#define LOGIT_EXACT 2e-3
#define MEAN_NLL_Q8 0.1

static const char *const folders[] = {
    "llama-gqa3", "llama-linear",    "llama-llama3",  "qwen2-bias",     "qwen3-gqa1",
    "qwen3-gqa4", "qwen3-gqa8-yarn", "qwen3-headdim", "qwen3moe-dense", "qwen3moe-norm"};

/* More references for folders listed above. */
static const char *const scaled[] = {"rope-linear", "rope-none", "rope-yarn"};

static const char *const ggufs[] = {
    "llama-gqa3-q4_0",   "llama-gqa3-q4_1",    "llama-gqa3-q8_0",        "llama-kquants-blocks",
    "qwen2-bias-q8_0",   "qwen3-gqa4-f16",     "qwen3-gqa4-q4_0",        "qwen3-gqa8-yarn-mixed",
    "qwen3moe-norm-f16", "qwen3moe-norm-q4_0", "qwen3moe-kquants-blocks"};

enum { QUANTIZED, FLOATS, EXACT, MODES };
static const char *const mode_names[MODES] = {"quantized", "floats", "exact"};

static ith_world *world;

typedef struct golden {
    const char *name, *rope_scaling; /* NULL: the model's own */
    char model[200];
    json_t *root;
    int32_t *ids, *greedy;
    double *nll;
    size_t n_ids, n_greedy, prefix;
} golden;

static void fail(const char *name, const char *text)
{
    if (ith_world_rank(world) == 0)
        printf("not ok golden %s\n", name);
    fflush(stdout);
    ith_world_abort(world, 1, text);
}

static int32_t *int_array(const json_t *root, const char *key, size_t *n)
{
    const json_t *array = json_object_get(root, key);
    int32_t *out;
    *n = json_array_size(array);
    out = calloc(*n + 1, sizeof *out);
    for (size_t i = 0; i < *n; i++)
        out[i] = (int32_t)json_integer_value(json_array_get(array, i));
    return out;
}

typedef enum reference { FOLDER, GGUF, SCALED } reference;

static golden golden_open(const char *name, reference kind)
{
    golden g = {.name = name};
    const json_t *array;
    char path[256];
    size_t n;
    ith_error err;

    snprintf(path, sizeof path,
             kind == FOLDER ? "tests/golden/%s/reference.json" : "tests/golden/%s.json", name);
    if (ith_json_read(path, 1 << 24, &g.root, &err) != ITH_OK)
        fail(name, err.text);
    snprintf(g.model, sizeof g.model, "tests/golden/%s%s",
             kind == SCALED ? json_string_value(json_object_get(g.root, "model")) : name,
             kind == GGUF ? ".gguf" : "");
    g.rope_scaling = json_string_value(json_object_get(g.root, "rope_scaling"));
    g.ids = int_array(g.root, "ids", &g.n_ids);
    g.greedy = int_array(g.root, "greedy_ids", &g.n_greedy);
    g.prefix = (size_t)json_integer_value(json_object_get(g.root, "greedy_prefix"));
    array = json_object_get(g.root, "nll");
    n = json_array_size(array);
    if (g.n_ids < 2 || n != g.n_ids - 1 || g.n_greedy != 48 || g.prefix < 1 || g.prefix > g.n_ids)
        fail(name, "the reference file lacks ids, nll or greedy_ids");
    g.nll = calloc(n, sizeof *g.nll);
    for (size_t i = 0; i < n; i++)
        g.nll[i] = json_number_value(json_array_get(array, i));
    return g;
}

static void golden_close(golden *g)
{
    json_decref(g->root);
    free(g->ids);
    free(g->greedy);
    free(g->nll);
}

static void check_nll(const golden *g, const float *nll, int mode)
{
    double worst = 0, sum = 0, want = 0;
    char text[200];

    for (size_t i = 0; i + 1 < g->n_ids; i++) {
        worst = fmax(worst, fabs((double)nll[i] - g->nll[i]));
        sum += (double)nll[i];
        want += g->nll[i];
    }
    sum /= (double)(g->n_ids - 1);
    want /= (double)(g->n_ids - 1);
    printf("# %s %s: largest nll difference %.2g, mean nll %.6f for %.6f\n", g->name,
           mode_names[mode], worst, sum, want);
    if (mode != QUANTIZED ? !(worst <= NLL_EXACT) : !(fabs(sum - want) <= MEAN_NLL_Q8)) {
        snprintf(text, sizeof text, "%s: nll differs by %g, mean %g for %g", g->name, worst, sum,
                 want);
        fail(g->name, text);
    }
}

static void check_top(const golden *g, const float *logits)
{
    const json_t *top = json_object_get(g->root, "top"), *entry;
    char text[200];
    size_t i;

    json_array_foreach (top, i, entry) {
        int64_t id = json_integer_value(json_object_get(entry, "id"));
        double logit = json_number_value(json_object_get(entry, "logit"));
        if (!(fabs((double)logits[id] - logit) <= LOGIT_EXACT)) {
            snprintf(text, sizeof text, "%s: logit of id %lld is %g, expected %g", g->name,
                     (long long)id, (double)logits[id], logit);
            fail(g->name, text);
        }
    }
}

static void score(ith_engine *engine, const golden *g, int mode)
{
    float *nll = calloc(g->n_ids, sizeof *nll);
    ith_session *session;
    ith_error err;

    if (ith_session_open(engine, &session, &err) ||
        ith_session_score(session, g->ids, g->n_ids, nll, &err))
        fail(g->name, err.text);
    if (ith_world_rank(world) == 0) {
        check_nll(g, nll, mode);
        if (mode != QUANTIZED)
            check_top(g, ith_session_logits(session));
    }
    ith_session_close(session);
    free(nll);
}

static void greedy(ith_engine *engine, const golden *g)
{
    ith_generate_params params = {.max_tokens = (int64_t)g->n_greedy,
                                  .ignore_eos = true,
                                  .sampling = {.top_p = 1, .repeat_penalty = 1}};
    ith_generation answer;
    ith_session *session;
    ith_error err;

    if (ith_session_open(engine, &session, &err) ||
        ith_session_prefill(session, g->ids, g->prefix, &err) ||
        ith_generate(session, &params, &answer, &err))
        fail(g->name, err.text);
    if (ith_world_rank(world) == 0 &&
        (answer.n_ids != g->n_greedy ||
         memcmp(answer.ids, g->greedy, g->n_greedy * sizeof *g->greedy) != 0))
        fail(g->name, "greedy tokens differ from Transformers'");
    ith_generation_free(&answer);
    ith_session_close(session);
}

static void run(const char *name, reference kind)
{
    golden g = golden_open(name, kind);
    ith_engine_params params = ith_engine_params_default();
    ith_engine *engine;
    ith_error err;

    params.model = g.model;
    params.rope_scaling = g.rope_scaling;
    params.ctx = kind == SCALED ? (int64_t)g.n_ids : 0; /* beyond what it then was trained for */
    params.threads = 1;
    params.chunk = 96;
    for (int mode = EXACT; mode >= QUANTIZED; mode--) {
        if (mode == FLOATS && kind == GGUF)
            continue; /* quantized tensors keep their own bits */
        params.exact = mode == EXACT;
        params.quant = mode == FLOATS ? ITH_QUANT_F32 : ITH_QUANT_W8;
        params.kv = mode == FLOATS ? ITH_KV_F32 : ITH_KV_Q8;
        ith_status status = ith_engine_open(world, &params, &engine, &err);
        if (status == ITH_E_UNSUPPORTED && ith_world_size(world) > 1)
            break; /* KV heads are not divided by the rank count */
        if (status != ITH_OK)
            fail(name, err.text);
        score(engine, &g, mode);
        if (mode != QUANTIZED)
            greedy(engine, &g);
        ith_engine_close(engine);
        if (ith_world_rank(world) == 0)
            printf("ok golden %s %s\n", name, mode_names[mode]);
    }
    golden_close(&g);
}

int main(void)
{
    ith_error err;

    if (ith_world_open(&world, &err) != ITH_OK) {
        printf("not ok world: %s\n", err.text);
        return 1;
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        run(folders[i], FOLDER);
    for (size_t i = 0; i < sizeof ggufs / sizeof *ggufs; i++)
        run(ggufs[i], GGUF);
    for (size_t i = 0; i < sizeof scaled / sizeof *scaled; i++)
        run(scaled[i], SCALED);
    ith_world_close(world);
    return 0;
}
