/* RANKS: 1 3, long: 2
 *
 * test_step.c - the bits of a session are the same alone and in any company: prompts of many
 * lengths, in chunks, beside sessions that decode, join and leave; with a prompt cache too.
 */
#include "tests/needle.h"

#include "base/digest.h"
#include "engine/session.h"

#include <unistd.h>

enum { PROMPTS = 7, DECODED = 3, CTX = 2200, CHUNK = 96 };
enum { FEW = 16 }; /* tokens: what is not saved */

/* Shorter than a block, over blocks, over a segment, longer than passes by rows take. */
static const size_t lengths[PROMPTS] = {5, 300, 1100, 130, 64, 17, 1};
/* The step before which each joins; each leaves when its answer is complete. */
static const int joins[PROMPTS] = {0, 0, 1, 2, 2, 9, 12};

static int32_t text[CTX];
static char alone[PROMPTS][DECODED + 1][65]; /* of the logits after the prompt, and each token */

static const int32_t *prompt_of(int i)
{
    return text + 13 * i;
}

static int32_t token_of(int i, int k)
{
    return prompt_of(i)[lengths[i] + (size_t)k];
}

static ith_engine_params params_of(const char *model)
{
    ith_engine_params params = ith_engine_params_default();
    params.model = model;
    params.threads = ith_world_size(world) == 1 ? 2 : 1;
    params.ctx = CTX;
    params.chunk = CHUNK;
    return params;
}

static void run_alone(ith_engine *engine)
{
    for (int i = 0; i < PROMPTS; i++) {
        ith_session *s = must_open_session(engine);
        must_prefill(s, prompt_of(i), lengths[i]);
        sha_of(s, alone[i][0]);
        for (int k = 0; k < DECODED; k++) {
            must_decode(s, token_of(i, k));
            sha_of(s, alone[i][k + 1]);
        }
        ith_session_close(s);
    }
}

/* ---- The same in steps ---- */

typedef struct company {
    const char *cache; /* NULL: none */
    bool cached;       /* it holds all prompts */
    ith_session *of[PROMPTS];
    int decoded[PROMPTS]; /* -1: the prompt is not computed yet */
    int32_t next[PROMPTS];
    bool joined[PROMPTS], left[PROMPTS];
    ith_step_item items[PROMPTS];
    int who[PROMPTS]; /* of each item */
    int n;
} company;

static ith_session *join(const company *c, ith_engine *engine)
{
    const ith_keep_params keep = {.cache = c->cache};
    ith_session *session = must_open_session(engine);
    ith_error err;

    if (c->cache != NULL)
        must(ith_session_keep(session, &keep, &err) == ITH_OK, "a prompt cache", &err);
    return session;
}

static void list(company *c, ith_engine *engine, int step)
{
    c->n = 0;
    for (int i = 0; i < PROMPTS; i++) {
        ith_step_item item = {0};
        if (c->left[i] || step < joins[i])
            continue;
        if (!c->joined[i]) {
            c->of[i] = join(c, engine);
            c->decoded[i] = -1;
            item.ids = prompt_of(i);
            item.n = lengths[i];
            c->joined[i] = true;
        } else if (ith_session_pending(c->of[i]) == 0) {
            c->next[i] = token_of(i, c->decoded[i]);
            item.ids = &c->next[i];
            item.n = 1;
        }
        item.session = c->of[i];
        if (ith_world_rank(world) != 0) {
            item.ids = NULL;
            item.n = 0;
        }
        c->who[c->n] = i;
        c->items[c->n++] = item;
    }
}

static void look(company *c, const char *name)
{
    char hex[65];

    for (int k = 0; k < c->n; k++) {
        int i = c->who[k];
        const float *logits = c->items[k].logits;
        must((logits != NULL) == (ith_world_rank(world) == 0 && ith_session_pending(c->of[i]) == 0),
             "logits of those that wait for nothing", NULL);
        if (ith_session_pending(c->of[i]) > 0)
            continue;
        c->decoded[i]++;
        if (c->cached && lengths[i] > FEW)
            must(ith_session_restored(c->of[i]) == (int64_t)lengths[i] - 1,
                 "all but a prompt's last token comes from the cache", NULL);
        if (logits != NULL) {
            ith_sha256_hex(logits, (size_t)c->of[i]->engine->model->hp.n_vocab * sizeof *logits,
                           hex);
            if (strcmp(hex, alone[i][c->decoded[i]]) != 0)
                printf("# prompt %d, %d tokens after it\n", i, c->decoded[i]);
            must(strcmp(hex, alone[i][c->decoded[i]]) == 0, name, NULL);
        }
        must(ith_session_logits(c->of[i]) == NULL, "a step's logits are the item's", NULL);
        if (c->decoded[i] == DECODED) {
            ith_session_close(c->of[i]);
            c->left[i] = true;
        }
    }
}

static void run_together(company c, ith_engine *engine, const char *name)
{
    ith_error err;
    int most = 0;

    for (int step = 0;; step++) {
        list(&c, engine, step);
        if (c.n == 0)
            break;
        must(ith_engine_step(engine, c.items, (size_t)c.n, &err) == ITH_OK, "step", &err);
        look(&c, name);
        most = c.n > most ? c.n : most;
    }
    must(most >= 5, "sessions were together", NULL);
}

/* ---- Guesses ---- */

/* A step of two sessions: one decodes token `k` after prompt `i` with guesses, of which `right` are
 * right, the other computes a prompt. The logits after all that are right are those alone. */
static void verify(ith_engine *engine, ith_session *s, ith_session *beside, int i, int k, int right)
{
    int32_t tokens[4];
    ith_step_item items[2] = {{.session = beside}, {.session = s}};
    int64_t length = ith_session_length(s);
    char hex[65];
    ith_error err;

    for (int g = 0; g < 4; g++)
        tokens[g] = token_of(i, k + g) ^ (g > right);
    if (ith_world_rank(world) == 0)
        items[1] = (ith_step_item){.session = s, .ids = tokens, .n = 4, .n_guesses = 3};
    must(ith_engine_step(engine, items, 2, &err) == ITH_OK, "a step with guesses", &err);
    must(ith_session_length(s) == length + 4, "the session has all guesses", NULL);
    for (int g = 0; ith_world_rank(world) == 0 && g <= right; g++) {
        ith_sha256_hex(ith_step_logits(engine, &items[1], (size_t)g),
                       (size_t)engine->model->hp.n_vocab * sizeof(float), hex);
        must(strcmp(hex, alone[i][k + g + 1]) == 0, "the logits after a guess", NULL);
    }
    must(ith_session_truncate(s, length + 1 + right, &err) == ITH_OK, "guesses taken back", &err);
}

static void guesses(ith_engine *engine, const char *name)
{
    enum { PROMPT = 3 };
    ith_session *s = must_open_session(engine), *beside = must_open_session(engine);
    ith_step_item items[2] = {{.session = s, .ids = prompt_of(PROMPT), .n = lengths[PROMPT]},
                              {.session = beside, .ids = prompt_of(2), .n = lengths[2]}};
    ith_error err;

    while (ith_session_length(s) == 0 || ith_session_pending(s) > 0) {
        must(ith_engine_step(engine, items, 2, &err) == ITH_OK, "prompts", &err);
        items[0].n = items[1].n = 0;
    }
    must(ith_session_pending(beside) > 0 && ith_step_guesses(beside) == 0 &&
             ith_step_guesses(s) == ITH_DRAFT_MAX,
         "one may guess, one computes its prompt", NULL);
    verify(engine, s, beside, PROMPT, 0, 1);
    verify(engine, s, beside, PROMPT, 2, 0);
    ith_session_close(s);
    ith_session_close(beside);
    if (ith_world_rank(world) == 0)
        printf("ok guesses in a step: %s\n", name);
}

/* ---- All of it ---- */

static void same_in_company(const char *model, const char *name)
{
    ith_engine_params params = params_of(model);
    ith_engine *engine = must_open(&params);
    const char *build = getenv("BUILD");
    char cache[300];
    ith_error err;

    snprintf(cache, sizeof cache, "%s/step-cache-%d", build != NULL ? build : "build/release",
             ith_world_size(world));
    for (int i = 0; i < CTX; i++)
        text[i] = ids[i % (int)n_ids] % engine->info.n_vocab;
    if (ith_world_rank(world) == 0)
        ith_cache_remove(cache, NULL, NULL, &err);
    run_alone(engine);
    run_together((company){0}, engine, name);
    for (int i = 0; i < 2; i++)
        run_together((company){.cache = cache, .cached = i > 0}, engine, name);
    guesses(engine, name);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0) {
        ith_cache_remove(cache, NULL, NULL, &err);
        rmdir(cache);
        printf("ok alone as in company: %s\n", name);
    }
}

/* ---- More sessions than a pass by segments takes ---- */

static void many_decode(void)
{
    enum { SESSIONS = 20, STEPS = 3 };
    ith_engine_params params = params_of(NEEDLE_MODEL);
    ith_engine *engine = must_open(&params);
    ith_session *all[SESSIONS];
    char want[STEPS + 1][65], hex[65];
    ith_error err;

    sha_after(engine, ids, 30, 0, want[0]);
    for (int k = 1; k <= STEPS; k++)
        sha_after(engine, ids, 30 + (size_t)k, (size_t)k, want[k]);
    for (int i = 0; i < SESSIONS; i++)
        all[i] = must_open_session(engine);
    for (int k = 0; k <= STEPS;) {
        ith_step_item items[SESSIONS];
        for (int i = 0; i < SESSIONS; i++) {
            bool waits = ith_session_pending(all[i]) > 0 || ith_session_length(all[i]) == 30 + k;
            items[i] = (ith_step_item){.session = all[i]};
            if (!waits)
                items[i].ids = k == 0 ? ids : ids + 29 + k;
            if (!waits)
                items[i].n = k == 0 ? 30 : 1;
        }
        must(ith_engine_step(engine, items, SESSIONS, &err) == ITH_OK, "a step of 20", &err);
        bool all_there = true;
        for (int i = 0; i < SESSIONS; i++) {
            all_there = all_there && ith_session_length(all[i]) == 30 + k;
            if (items[i].logits == NULL)
                continue;
            ith_sha256_hex(items[i].logits, (size_t)engine->model->hp.n_vocab * sizeof(float), hex);
            must(strcmp(hex, want[k]) == 0, "twenty at a time", NULL);
        }
        k += all_there;
    }
    must(engine->ws->limits.logits >= SESSIONS, "the workspace has room for their logits", NULL);
    for (int i = 0; i < SESSIONS; i++)
        ith_session_close(all[i]);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok twenty sessions decode together\n");
}

/* ---- What is refused ---- */

static void must_refuse(ith_engine *engine, ith_step_item *items, size_t n, ith_status status,
                        const char *part)
{
    ith_error err = {0};

    must(ith_engine_step(engine, items, n, &err) == status, part, &err);
    must(strstr(err.text, part) != NULL, part, &err);
}

static void refusals(void)
{
    ith_engine_params params = params_of(NEEDLE_MODEL);
    ith_engine *engine = must_open(&params), *other = must_open(&params);
    ith_session *a = must_open_session(engine), *b = must_open_session(engine),
                *c = must_open_session(other);
    const int32_t wrong[] = {1, 1 << 30};
    ith_step_item pair[] = {{.session = a, .ids = ids, .n = 300}, {.session = b}};
    ith_step_item twice[] = {{.session = a, .ids = ids, .n = 1}, {.session = a}};
    ith_step_item foreign[] = {{.session = c, .ids = ids, .n = 1}};
    ith_step_item bad[] = {{.session = a, .ids = ids, .n = 1},
                           {.session = b, .ids = wrong, .n = 2}};
    ith_step_item nothing[] = {{.session = a}};
    ith_step_item only_guesses[] = {{.session = a, .ids = ids, .n = 1, .n_guesses = 1}};
    ith_step_item many_guesses[] = {{.session = a, .ids = ids, .n = 17, .n_guesses = 16}};
    ith_step_item large[] = {{.session = a, .ids = text, .n = CTX + 1}};
    ith_error err;

    must_refuse(engine, twice, 0, ITH_E_ARGUMENT, "expected 1 to 64");
    must_refuse(engine, twice, 2, ITH_E_ARGUMENT, "are one session");
    must_refuse(engine, foreign, 1, ITH_E_ARGUMENT, "no session of its engine");
    must_refuse(engine, bad, 2, ITH_E_ARGUMENT, "not in the vocabulary");
    must_refuse(engine, nothing, 1, ITH_E_ARGUMENT, "no session of the step has tokens");
    must_refuse(engine, large, 1, ITH_E_ARGUMENT, "do not fit a context");
    must_refuse(engine, only_guesses, 1, ITH_E_ARGUMENT, "1 guesses among 1 new tokens");
    must_refuse(engine, many_guesses, 1, ITH_E_ARGUMENT, "16 guesses among 17 new tokens");
    must(ith_session_pending(a) == 0 && ith_session_pending(b) == 0, "nothing was appended", NULL);
    must(ith_session_reserve(a, CTX, &err) == ITH_OK, "room for the whole context", &err);
    must(ith_session_reserve(a, CTX + 1, &err) == ITH_E_ARGUMENT, "not for more", NULL);
    must(ith_engine_step(engine, pair, 2, &err) == ITH_OK, "one has tokens", &err);
    must(ith_session_length(a) == CHUNK && ith_session_pending(a) == 300 - CHUNK &&
             pair[1].logits == NULL && ith_session_length(b) == 0,
         "a step takes a chunk", NULL);
    must(ith_session_prefill(a, ids, 1, &err) == ITH_E_ARGUMENT &&
             strstr(err.text, "wait for a step") != NULL,
         "no prefill while tokens wait", &err);
    must(ith_session_truncate(a, 50, &err) == ITH_OK && ith_session_pending(a) == 0,
         "a cut drops what waits", &err);
    if (ith_world_size(world) > 1) {
        ith_step_item unlike[] = {{.session = ith_world_rank(world) == 0 ? a : b,
                                   .ids = ids,
                                   .n = ith_world_rank(world) == 0 ? 1 : 0}};
        must_refuse(engine, unlike, 1, ITH_E_COMM, "not those of rank 0");
    }
    ith_session_close(a);
    ith_session_close(b);
    ith_session_close(c);
    ith_engine_close(engine);
    ith_engine_close(other);
    if (ith_world_rank(world) == 0)
        printf("ok refused by name\n");
}

int main(void)
{
    setenv("ITHACA_TEST_STATES", "1024", true); /* within a prompt, too */
    if (!open_needle())
        return 1;
    same_in_company(NEEDLE_MODEL, "attention");
    same_in_company("synthetic:tests/models/windows/config.json:q8_0", "windows");
    same_in_company("synthetic:tests/models/experts/config.json:q8_0", "experts");
    same_in_company("synthetic:tests/models/latents/config.json:q8_0", "latents");
    same_in_company("synthetic:tests/models/recurrent/config.json:q8_0", "recurrent states");
    many_decode();
    refusals();
    ith_world_close(world);
    return 0;
}
