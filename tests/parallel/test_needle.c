/* RANKS: 1 4, long: 2
 *
 * test_needle.c - the needle model (tests/models/needle-qwen3) finds a passkey in a long text,
 * wherever it lies.
 *
 * On the reference cases the logits of the exact path are those of Transformers within 0.01. The
 * depths are such that with 2 and 4 ranks the needle lies in every rank's share of the prompt.
 * Prompts have 1k and 8k tokens, with as many prompts of 8k as ranks; with ITHACA_LONG=1, four
 * prompts of each size, up to 32k. make_haystack.py (python3) makes them.
 */
#include "base/digest.h"
#include "base/json.h"
#include "ithaca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MODEL "tests/models/needle-qwen3"

static const double LOGIT_TOLERANCE = 0.01;

static ith_world *world;

static void fail(const char *name, const char *text)
{
    if (ith_world_rank(world) == 0)
        printf("not ok needle %s\n", name);
    fflush(stdout);
    ith_world_abort(world, 1, text);
}

static ith_engine *open_engine(bool exact)
{
    ith_engine_params params = ith_engine_params_default();
    ith_engine *engine;
    ith_error err;

    params.model = MODEL;
    params.exact = exact;
    params.threads = ith_world_size(world) == 1 ? 2 : 1;
    if (ith_engine_open(world, &params, &engine, &err) != ITH_OK)
        fail("open", err.text);
    return engine;
}

/* ---- Prompts, on rank 0 ---- */

typedef struct prompt {
    char name[64], answer[64], sha256[65];
    int32_t *ids;
    size_t n;
} prompt;

/* The output of make_haystack.py: a JSON object with "text" and "answer". */
static json_t *haystack(const prompt *p, int64_t tokens, double depth, int64_t seed)
{
    char command[300];
    json_t *root;
    FILE *pipe;

    snprintf(command, sizeof command,
             "python3 " MODEL
             "/make_haystack.py --tokens %lld --depth %g --seed %lld --format json",
             (long long)tokens, depth, (long long)seed);
    pipe = popen(command, "r");
    root = pipe == NULL ? NULL : json_loadf(pipe, 0, NULL);
    if (root == NULL || pclose(pipe) != 0)
        fail(p->name, "make_haystack.py failed");
    return root;
}

static prompt make_prompt(const ith_engine *engine, int64_t tokens, double depth, int64_t seed)
{
    prompt p = {.n = 0};
    char *text;
    ith_error err;

    snprintf(p.name, sizeof p.name, "%lld tokens, depth %g, seed %lld", (long long)tokens, depth,
             (long long)seed);
    if (ith_world_rank(world) != 0)
        return p;
    json_t *root = haystack(&p, tokens, depth, seed);
    const ith_message turn = {"user", json_string_value(json_object_get(root, "text"))};
    snprintf(p.answer, sizeof p.answer, "%s", json_string_value(json_object_get(root, "answer")));
    const ith_chat_params chat = {.messages = &turn, .n_messages = 1};
    if (ith_chat_render(ith_engine_vocab(engine), &chat, &text, &err) ||
        ith_chat_tokenize(ith_engine_vocab(engine), &chat, &p.ids, &p.n, NULL, &err))
        fail(p.name, err.text);
    ith_sha256_hex(text, strlen(text), p.sha256);
    free(text);
    json_decref(root);
    return p;
}

static ith_session *prefill(ith_engine *engine, const prompt *p)
{
    ith_session *session;
    ith_error err;

    if (ith_session_open(engine, &session, &err) ||
        ith_session_prefill(session, p->ids, p->n, &err))
        fail(p->name, err.text);
    return session;
}

/* ---- The quantized path answers ---- */

static void answers(ith_engine *engine, int64_t tokens, double depth, int64_t seed)
{
    prompt p = make_prompt(engine, tokens, depth, seed);
    ith_generate_params params = {.max_tokens = 30, .sampling = {.top_p = 1, .repeat_penalty = 1}};
    ith_session *session = prefill(engine, &p);
    ith_generation answer;
    char text[300];
    ith_error err;

    if (ith_generate(session, &params, &answer, &err) != ITH_OK)
        fail(p.name, err.text);
    if (ith_world_rank(world) == 0) {
        snprintf(text, sizeof text, "answered \"%.100s\", expected \"%s\"", answer.text, p.answer);
        if (answer.finish != ITH_FINISH_STOP || strcmp(answer.text, p.answer) != 0)
            fail(p.name, text);
        printf("ok needle found: %s\n", p.name);
    }
    ith_generation_free(&answer);
    ith_session_close(session);
    free(p.ids);
}

/* ---- The exact path meets the reference ---- */

static double check_step(const prompt *p, const float *logits, int64_t n_vocab, int64_t id,
                         double want)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n_vocab; i++)
        if (logits[i] > logits[best])
            best = i;
    if (best != id || !(fabs((double)logits[id] - want) <= LOGIT_TOLERANCE)) {
        char text[200];
        snprintf(text, sizeof text, "id %lld has logit %.4f, expected %.4f; the best is %lld",
                 (long long)id, (double)logits[id], want, (long long)best);
        fail(p->name, text);
    }
    return fabs((double)logits[id] - want);
}

static void meets_reference(ith_engine *engine, const json_t *c)
{
    const json_t *ids = json_object_get(c, "greedy_ids"),
                 *logits = json_object_get(c, "greedy_logits");
    prompt p = make_prompt(engine, json_integer_value(json_object_get(c, "tokens")),
                           json_number_value(json_object_get(c, "depth")),
                           json_integer_value(json_object_get(c, "seed")));
    int64_t n_vocab = ith_engine_get_info(engine)->n_vocab;
    double worst = 0;
    ith_error err;

    if (ith_world_rank(world) == 0 &&
        (strcmp(p.sha256, json_string_value(json_object_get(c, "chatml_sha256"))) != 0 ||
         (json_int_t)p.n != json_integer_value(json_object_get(c, "prompt_tokens"))))
        fail(p.name, "the prompt is not the reference's");
    ith_session *session = prefill(engine, &p);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        int64_t id = json_integer_value(json_array_get(ids, i));
        if (ith_world_rank(world) == 0)
            worst = fmax(worst, check_step(&p, ith_session_logits(session), n_vocab, id,
                                           json_number_value(json_array_get(logits, i))));
        if (i + 1 < json_array_size(ids) &&
            ith_session_decode(session, (int32_t)id, &err) != ITH_OK)
            fail(p.name, err.text);
    }
    if (ith_world_rank(world) == 0)
        printf("ok needle exact, largest logit difference %.2g: %s\n", worst, p.name);
    ith_session_close(session);
    free(p.ids);
}

int main(void)
{
    static const double depths[] = {0.02, 0.3, 0.6, 0.95};
#ifdef __SANITIZE_ADDRESS__
    int64_t longest = 1024; /* longer texts would show the sanitizers nothing new */
#else
    int64_t longest = getenv("ITHACA_LONG") != NULL ? 32768 : 8192;
#endif
    json_t *root;
    ith_error err;

    if (ith_world_open(&world, &err) != ITH_OK) {
        printf("not ok world: %s\n", err.text);
        return 1;
    }
    if (ith_json_read(MODEL "/cases.json", 1 << 20, &root, &err) != ITH_OK)
        fail("cases", err.text);

    ith_engine *engine = open_engine(false);
    for (int64_t tokens = 1024; tokens <= longest; tokens *= tokens == 1024 ? 8 : 4) {
        const int step = tokens == 1024 || longest > 8192 ? 1 : 4 / ith_world_size(world);

        /* One prompt: the third depth. Two: the second and the fourth. */
        for (int i = step / 2; i < 4; i += step)
            answers(engine, tokens, depths[i], 100 + i);
    }
    ith_engine_close(engine);

    engine = open_engine(true);
    const json_t *cases = json_object_get(root, "cases"), *c;
    size_t i;
    json_array_foreach (cases, i, c) {
        if (json_integer_value(json_object_get(c, "tokens")) <= longest)
            meets_reference(engine, c);
    }
    ith_engine_close(engine);
    json_decref(root);
    ith_world_close(world);
    return 0;
}
