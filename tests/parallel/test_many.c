/* RANKS: 1 2 3
 *
 * test_many.c - prompts in flight that begin alike compute what they have in common once, and each
 * has the logits that it has alone: whoever ends first, with every kind of state, and with a prompt
 * cache.
 */
#include "tests/needle.h"

#include "base/checksum.h"
#include "base/mem.h"
#include "engine/waiting.h"

#include <unistd.h>

enum { PROMPTS = 7, CTX = 1600, CHUNK = 96 };

/* Of the text's first tokens, `alike`, then `more` of others. */
static const struct {
    size_t alike, more, drift; /* where the others begin */
    int64_t answer;
} prompts[PROMPTS] = {
    {1300, 0, 0, 1},  /* ends as soon as it is computed */
    {1300, 0, 0, 4},  /* another answer to the same prompt */
    {1100, 40, 0, 6}, /* a common beginning of more than a segment */
    {0, 90, 7, 9},    /* nothing in common */
    {70, 500, 50, 3}, /* of more than a block */
    {1100, 45, 0, 2}, /* begins like two others */
    {1300, 0, 0, 5},
};

/* What all share of 0: all but the last token of a prompt at most. */
enum { SHARED = 1299 + 1100 + 70 + 1100 + 1299 };

static int32_t text[CTX];

/* Rank 0. The answers of a run. */
typedef struct answers {
    int next;
    uint64_t logits[PROMPTS]; /* digest of all that tokens were chosen from */
    int64_t tokens[PROMPTS];
    ith_status status[PROMPTS];
    int ended;
} answers;

static bool next(void *user, ith_many_prompt *prompt)
{
    answers *a = user;
    int i = a->next;

    if (i == PROMPTS)
        return false;
    a->next++;
    *prompt =
        (ith_many_prompt){.n_ids = prompts[i].alike + prompts[i].more, .user = (void *)(intptr_t)i};
    prompt->ids = malloc(prompt->n_ids * sizeof *prompt->ids);
    must(prompt->ids != NULL, "memory for a prompt", NULL);
    for (size_t k = 0; k < prompt->n_ids; k++)
        prompt->ids[k] = k < prompts[i].alike ? text[k] : text[(2 * k + prompts[i].drift) % CTX];
    prompt->how = (ith_generate_params){.max_tokens = prompts[i].answer, .ignore_eos = true};
    prompt->how.sampling = (ith_sampling){.temperature = 1,
                                          .top_p = 1,
                                          .repeat_penalty = 1.1f,
                                          .repeat_window = 64,
                                          .seed = (uint64_t)i};
    return true;
}

static ith_engine *engine;

static void token(void *user, const ith_many_prompt *prompt, int32_t id, const float *logits,
                  bool ends)
{
    answers *a = user;
    int i = (int)(intptr_t)prompt->user;

    a->logits[i] =
        ith_checksum_more(a->logits[i], logits, (size_t)engine->model->hp.n_vocab * sizeof *logits);
    a->logits[i] = ith_checksum_more(a->logits[i], &id, sizeof id);
    must(!ends, "no token ends an answer here", NULL);
    a->tokens[i]++;
}

static bool done(void *user, const ith_many_prompt *prompt, const ith_generation *answer,
                 const ith_error *err)
{
    answers *a = user;

    (void)answer;
    a->status[(intptr_t)prompt->user] = err->status;
    a->ended++;
    return true;
}

static ith_status answer_all(int in_flight, const char *cache, answers *a, ith_many_counts *counts,
                             ith_error *err)
{
    const ith_keep_params keep = {.cache = cache};
    const ith_many_params params = {.in_flight = in_flight,
                                    .keep = cache != NULL ? &keep : NULL,
                                    .next = next,
                                    .done = done,
                                    .token = token,
                                    .user = a};
    *a = (answers){0};
    return ith_generate_many(engine, &params, counts, err);
}

static void must_equal(const answers *want, const answers *got, const char *what)
{
    for (int i = 0; i < PROMPTS; i++) {
        if (want->logits[i] != got->logits[i])
            printf("# prompt %d\n", i);
        must(want->logits[i] == got->logits[i] && want->tokens[i] == got->tokens[i] &&
                 got->status[i] == ITH_OK,
             what, NULL);
    }
}

static ith_engine *open_engine(const char *model)
{
    ith_engine_params params = ith_engine_params_default();
    ith_engine *opened;

    params.model = model;
    params.threads = ith_world_size(world) == 1 ? 2 : 1;
    params.ctx = CTX;
    params.chunk = CHUNK;
    opened = must_open(&params);
    for (int i = 0; i < CTX; i++)
        text[i] = ids[i % (int)n_ids] % opened->info.n_vocab;
    return opened;
}

static void folder_of(char path[300])
{
    const char *build = getenv("BUILD");

    snprintf(path, 300, "%s/many-cache-%d", build != NULL ? build : "build/release",
             ith_world_size(world));
}

/* shared: tokens that prompts have of others with a prompt cache, too. */
static void same_in_company(const char *model, const char *name, int64_t with_cache)
{
    answers alone, together;
    ith_many_counts counts;
    ith_error err = {0};
    char cache[300];
    size_t before;

    folder_of(cache);
    engine = open_engine(model);
    before = ith_mem_in_use(ITH_MEM_KV);
    must(answer_all(1, NULL, &alone, &counts, &err) == ITH_OK, "one at a time", &err);
    must(counts.shared == 0 && counts.done == PROMPTS, "one at a time shares nothing", NULL);
    for (int i = 0; ith_world_rank(world) == 0 && i < PROMPTS; i++)
        must(alone.tokens[i] == prompts[i].answer, "all tokens are seen", NULL);
    for (int in_flight = 2; in_flight <= PROMPTS; in_flight += 5) {
        must(answer_all(in_flight, NULL, &together, &counts, &err) == ITH_OK, "together", &err);
        must_equal(&alone, &together, "the same alone and together");
        must(in_flight == 2 ? counts.shared > 0 : counts.shared == SHARED,
             "what prompts have in common is computed once", NULL);
        must(ith_mem_in_use(ITH_MEM_KV) == before, "all memory is given back", NULL);
    }
    if (ith_world_rank(world) == 0)
        ith_cache_remove(cache, NULL, NULL, &err);
    must(answer_all(PROMPTS, cache, &together, &counts, &err) == ITH_OK, "with a cache", &err);
    must_equal(&alone, &together, "the same with a prompt cache");
    must(counts.shared == with_cache, "prompts share beside a prompt cache", NULL);
    must(answer_all(3, cache, &together, &counts, &err) == ITH_OK, "from a cache", &err);
    must_equal(&alone, &together, "the same from a prompt cache");
    must(counts.restored > 1000, "some is read", NULL);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0) {
        ith_cache_remove(cache, NULL, NULL, &err);
        rmdir(cache);
        printf("ok what prompts have in common is computed once: %s\n", name);
    }
}

/* A cache that cannot be opened ends no prompt; the user is warned once. */
static int warned;

static void warn(void *user, const char *line)
{
    (void)user;
    warned += strstr(line, "are computed without it") != NULL;
}

static void broken_cache(void)
{
    const ith_keep_params keep = {.cache = "/dev/null/none", .warn = warn};
    answers a = {0}, alone;
    const ith_many_params params = {
        .in_flight = 3, .keep = &keep, .next = next, .done = done, .token = token, .user = &a};
    ith_many_counts counts;
    ith_error err = {0};

    engine = open_engine(NEEDLE_MODEL);
    must(answer_all(1, NULL, &alone, &counts, &err) == ITH_OK, "one at a time", &err);
    must(ith_generate_many(engine, &params, &counts, &err) == ITH_OK, "goes on", &err);
    must_equal(&alone, &a, "the same without the cache");
    must(ith_world_rank(world) != 0 || warned == 1, "one warning", NULL);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok a prompt cache that fails ends no prompt\n");
}

/* With which tokens a prompt begins again that has given up its memory. */
static void begins_again(void)
{
    static const struct {
        bool each_token, begun;
        size_t first, given, answered;
        int64_t pending;
        size_t again;
    } cases[] = {
        {false, false, 5, 0, 0, 0, 5}, /* it had not begun */
        {false, true, 5, 5, 0, 2, 5},  /* in the middle of its prompt */
        {false, true, 5, 5, 3, 0, 8},  /* of its answer, of which the last token waited */
        {false, true, 8, 5, 4, 0, 9},  /* a second time */
        {false, true, 9, 5, 4, 7, 9},  /* while it began again */
        {true, false, 1, 0, 0, 0, 1},
        {true, true, 1, 3, 0, 0, 4}, /* the token after the three has been told */
        {true, true, 4, 4, 0, 1, 4}, /* not yet */
        {true, true, 1, 5, 2, 0, 7},
    };
    ith_many_counts counts = {0};
    ith_many m = {.counts = &counts};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static int32_t answer[] = {11, 12, 13, 14};
        ith_flight *f = calloc(1, sizeof *f);
        int32_t *tokens = malloc(9 * sizeof *tokens);
        must(f != NULL && tokens != NULL, "memory", NULL);
        for (int k = 0; k < 9; k++)
            tokens[k] = k;
        f->prompt = (ith_many_prompt){.ids = tokens, .n_ids = 5, .each_token = cases[i].each_token};
        f->first = cases[i].first;
        f->given = cases[i].given;
        f->begun = cases[i].begun;
        f->answer = (ith_generation){.ids = answer, .n_ids = cases[i].answered};
        ith_waiting_again(&m, f, cases[i].pending);
        must(f == m.waiting[0] && m.n_waiting == 1 && !f->begun, "it waits", NULL);
        must(f->first == cases[i].again, "it begins with all that it had come to", NULL);
        if (cases[i].pending == 0 && f->first > 5)
            must(f->prompt.ids[5] == 11 && f->prompt.ids[f->first - 1] == 5 + (int)f->first,
                 "behind the prompt its answer", NULL);
        f->answer = (ith_generation){0};
        ith_flight_free(ith_waiting_take(&m, 0));
    }
    if (ith_world_rank(world) == 0)
        printf("ok a prompt begins again where it was\n");
}

int main(void)
{
    setenv("ITHACA_TEST_STATES", "1024", true);
    if (!open_needle())
        return 1;
    same_in_company(NEEDLE_MODEL, "attention", SHARED);
    same_in_company("synthetic:tests/models/windows/config.json:q8_0", "windows", 0);
    same_in_company("synthetic:tests/models/latents/config.json:q8_0", "latents", SHARED);
    same_in_company("synthetic:tests/models/recurrent/config.json:q8_0", "recurrent states",
                    SHARED);
    broken_cache();
    begins_again();
    ith_world_close(world);
    return 0;
}
