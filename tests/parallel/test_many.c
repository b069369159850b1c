/* RANKS: 1 3, long: 2
 *
 * test_many.c - prompts in flight that begin alike compute what they have in common once, and each
 * has the logits that it has alone: whoever ends first, with every kind of state, with a prompt
 * cache, and beside one whose numbers are not finite. Memory is asked for before it is taken.
 */
#include "tests/parallel/golden_model.h"

#include "base/checksum.h"
#include "base/ledger.h"
#include "base/mem.h"
#include "engine/waiting.h"

#include <unistd.h>

enum { PROMPTS = 7, MOST = 20, CTX = 1600, CHUNK = 96, BAD = 77 };

/* Of the text's first tokens, `alike`, then `more` of others. */
typedef struct asked {
    size_t alike, more, drift; /* where the others begin */
    int64_t answer;
    size_t bad; /* where the token BAD is; 0: nowhere */
} asked;

static const asked usual[PROMPTS] = {
    {1300, 0, 0, 1, 0},  /* ends as soon as it is computed */
    {1300, 0, 0, 4, 0},  /* another answer to the same prompt */
    {1100, 40, 0, 6, 0}, /* a common beginning of more than a segment */
    {0, 90, 7, 9, 0},    /* nothing in common */
    {70, 500, 50, 3, 0}, /* of more than a block */
    {1100, 45, 0, 2, 0}, /* begins like two others */
    {1300, 0, 0, 5, 0},
};

/* What all share of 0: all but the last token of a prompt at most. Recurrent models gain nothing
 * where a pass has to end for few tokens. */
enum { SHARED = 1299 + 1100 + 70 + 1100 + 1299, SHARED_STATES = SHARED - 70 };

/* Prompts that repeat themselves, so that what follows is guessed, and answers long enough. */
static const asked repeated[] = {
    {300, 0, 0, 40, 0}, {40, 0, 0, 25, 0}, {130, 0, 0, 40, 0}, {1100, 0, 0, 9, 0}};
enum { REPEATED = 4 };

static const asked *prompts = usual;
static int max_draft; /* with it, tokens are not drawn: what repeats itself goes on */
static int n_prompts = PROMPTS;

static int32_t text[CTX];

/* Rank 0. The answers of a run. */
typedef struct answers {
    int next;
    uint64_t logits[MOST]; /* digest of all that tokens were chosen from */
    int64_t tokens[MOST];
    ith_status status[MOST];
    ith_finish finish[MOST];
    int ended;

    /* Prompt 0 is wanted until it has so many tokens; 0: to its end. */
    int64_t leaves_at;
    ith_workspace *workspace; /* at the first step */
    bool widened;             /* another at a later one */
    bool stops;               /* the run, when one has ended */
    size_t peak;              /* ith_mem_peak, when one had */
} answers;

static bool next(void *user, ith_many_prompt *prompt)
{
    answers *a = user;
    int i = a->next;

    if (i == n_prompts)
        return false;
    a->next++;
    *prompt =
        (ith_many_prompt){.n_ids = prompts[i].alike + prompts[i].more, .user = (void *)(intptr_t)i};
    prompt->ids = malloc(prompt->n_ids * sizeof *prompt->ids);
    must(prompt->ids != NULL, "memory for a prompt", NULL);
    for (size_t k = 0; k < prompt->n_ids; k++)
        prompt->ids[k] = k < prompts[i].alike ? text[k] : text[(2 * k + prompts[i].drift) % CTX];
    if (prompts[i].bad > 0)
        prompt->ids[prompts[i].bad] = BAD;
    prompt->how = (ith_generate_params){.max_tokens = prompts[i].answer, .ignore_eos = true};
    prompt->how.max_draft = max_draft;
    prompt->how.sampling = (ith_sampling){.temperature = prompts == repeated ? 0 : 1,
                                          .top_p = 1,
                                          .repeat_penalty = prompts == repeated ? 1 : 1.1f,
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

    a->status[(intptr_t)prompt->user] = err->status;
    a->finish[(intptr_t)prompt->user] = answer->finish;
    a->ended++;
    a->peak = a->peak > 0 ? a->peak : ith_mem_peak();
    return true;
}

static bool wanted(void *user, const ith_many_prompt *prompt, int64_t length)
{
    const answers *a = user;
    return a->leaves_at == 0 || (intptr_t)prompt->user != 0 || length < a->leaves_at;
}

enum { MIB = 1 << 20 };

/* So many MiB are left to this process. */
static void limit_memory(size_t mib)
{
    char limit[40];

    snprintf(limit, sizeof limit, "%zu",
             (ith_mem_resident() + (size_t)ith_ledger_promised(false)) / MIB + mib);
    setenv("SLURM_JOB_ID", "1", true);
    setenv("SLURM_MEM_PER_NODE", limit, true);
}

static bool goes_on(void *user, const ith_many_counts *counts)
{
    answers *a = user;

    a->workspace = counts->steps == 0 ? engine->ws : a->workspace;
    a->widened = a->widened || engine->ws != a->workspace;
    return !a->stops || a->ended == 0;
}

static ith_status answer_all(int in_flight, const char *cache, answers *a, ith_many_counts *counts,
                             ith_error *err)
{
    const answers how = {.leaves_at = a->leaves_at, .stops = a->stops};
    const ith_keep_params keep = {.cache = cache};
    const ith_many_params params = {.in_flight = in_flight,
                                    .keep = cache != NULL ? &keep : NULL,
                                    .next = next,
                                    .done = done,
                                    .wanted = wanted,
                                    .token = token,
                                    .goes_on = goes_on,
                                    .user = a};
    *a = how;
    return ith_generate_many(engine, &params, counts, err);
}

static void must_equal(const answers *want, const answers *got, const char *what)
{
    for (int i = want->leaves_at > 0 || got->leaves_at > 0; i < n_prompts; i++) {
        if (want->logits[i] != got->logits[i])
            printf("# prompt %d: status %d, %lld tokens\n", i, (int)got->status[i],
                   (long long)got->tokens[i]);
        must(want->logits[i] == got->logits[i] && want->tokens[i] == got->tokens[i] &&
                 got->status[i] == ITH_OK,
             what, NULL);
    }
}

static ith_engine *open_engine(const char *model, int64_t ctx)
{
    ith_engine_params params = ith_engine_params_default();
    ith_engine *opened;

    params.model = model;
    params.threads = ith_world_size(world) == 1 ? 2 : 1;
    params.ctx = ctx;
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

/* Prompt 0, which others wait for, is wanted no more: in the middle of what they share, or just
 * when that is computed. */
static void leader_leaves(const answers *alone)
{
    static const int64_t at[] = {1, 700, 1299, 1300};
    answers left = {0};
    ith_many_counts counts;
    ith_error err = {0};

    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        left.leaves_at = at[i];
        must(answer_all(PROMPTS, NULL, &left, &counts, &err) == ITH_OK, "a leader leaves", &err);
        must_equal(alone, &left, "the same when a leader has left");
        must(ith_world_rank(world) != 0 || left.finish[0] == ITH_FINISH_CANCELLED, "it has left",
             NULL);
    }
}

/* shared, with_cache: tokens that prompts have of others, also beside a prompt cache. */
static void same_in_company(const char *model, const char *name, int64_t shared, int64_t with_cache)
{
    answers alone = {0}, together = {0};
    ith_many_counts counts;
    ith_error err = {0};
    char cache[300];
    size_t before;

    folder_of(cache);
    engine = open_engine(model, CTX);
    before = ith_mem_in_use(ITH_MEM_KV);
    must(answer_all(1, NULL, &alone, &counts, &err) == ITH_OK, "one at a time", &err);
    must(counts.shared == 0 && counts.done == PROMPTS, "one at a time shares nothing", NULL);
    for (int i = 0; ith_world_rank(world) == 0 && i < PROMPTS; i++)
        must(alone.tokens[i] == prompts[i].answer, "all tokens are seen", NULL);
    for (int in_flight = 2; in_flight <= PROMPTS; in_flight += 5) {
        must(answer_all(in_flight, NULL, &together, &counts, &err) == ITH_OK, "together", &err);
        must_equal(&alone, &together, "the same alone and together");
        must(in_flight == 2 ? counts.shared > 0 : counts.shared == shared,
             "what prompts have in common is computed once", NULL);
        must(ith_mem_in_use(ITH_MEM_KV) == before, "all memory is given back", NULL);
    }
    leader_leaves(&alone);
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

/* Guesses change no bit of an answer, alone and together, and none is made where a pass is full. */
static void with_guesses(const char *model, const char *name, bool some_right)
{
    static const int in_flight[] = {1, 2, REPEATED};
    answers plain = {0}, guessed = {0};
    ith_many_counts counts;
    ith_error err = {0};
    int64_t steps;

    engine = open_engine(model, CTX);
    for (int i = 0; i < CTX; i++)
        text[i] = text[i % 20];
    prompts = repeated;
    n_prompts = REPEATED;
    must(answer_all(1, NULL, &plain, &counts, &err) == ITH_OK, "without guesses", &err);
    must(counts.drafted == 0, "none is made when off", NULL);
    steps = counts.steps;
    max_draft = ITH_DRAFT_MAX;
    for (int i = 0; i < 3; i++) {
        must(answer_all(in_flight[i], NULL, &guessed, &counts, &err) == ITH_OK, "guessed", &err);
        must_equal(&plain, &guessed, "the same with guesses");
        must(counts.drafted > counts.accepted && (counts.accepted > 0) == some_right,
             "some guesses are right, some are wrong", NULL);
        must(i > 0 || counts.steps + counts.accepted == steps, "a right guess saves a step", NULL);
    }
    max_draft = 0;
    prompts = usual;
    n_prompts = PROMPTS;
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok the same with guesses: %s # %lld of %lld right\n", name,
               (long long)counts.accepted, (long long)counts.drafted);
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
    answers a = {0}, alone = {0};
    const ith_many_params params = {
        .in_flight = 3, .keep = &keep, .next = next, .done = done, .token = token, .user = &a};
    ith_many_counts counts;
    ith_error err = {0};

    engine = open_engine(NEEDLE_MODEL, CTX);
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

/* ---- Long prompts between ranks ---- */

/* A flight of n tokens, the first `alike` of them 5, of which none is computed. */
static ith_flight flight_of(ith_session *session, int32_t ids_of[300], size_t alike, size_t n,
                            int32_t own)
{
    for (size_t k = 0; k < n; k++)
        ids_of[k] = k < alike ? 5 : own;
    return (ith_flight){
        .session = session, .prompt = {.ids = ids_of, .n_ids = n}, .first = n, .total = 300};
}

/* Where passes of long prompts come one after another, a short prompt waits for the first alone. */
static void overtakes(void)
{
    static int32_t tokens[3][300];
    ith_comm comm = {.size = 8};
    ith_world ranks = {.comm = &comm};
    ith_engine of = {.world = &ranks};
    ith_state state = {0};
    ith_session a = {.engine = &of, .state = &state, .rows_tokens = 128}, b = a;
    ith_flight first = flight_of(&a, tokens[0], 0, 300, 1),
               second = flight_of(&b, tokens[1], 90, 300, 2),
               follower = flight_of(NULL, tokens[2], 90, 100, 3);
    ith_many m = {.engine = &of, .shares = true, .n = 2, .flights = {&first, &second}};

    m.waiting[m.n_waiting++] = &follower;
    ith_waiting_lead(&m, &second);
    must(follower.leader == NULL && ith_waiting_first(&m) == 0,
         "a short prompt does not wait for a long one that waits", NULL);
    b.length = 96; /* of it, what the two have in common is computed */
    ith_waiting_lead(&m, &second);
    must(follower.leader == &second && follower.shared == 90 && ith_waiting_first(&m) == 0,
         "what is computed is shared", NULL);
    b.length = 0;
    follower.leader = NULL;
    follower.shared = 0;
    m.flights[0] = &second;
    m.n = 1;
    ith_waiting_lead(&m, &second);
    must(follower.leader == &second && ith_waiting_first(&m) == -1, "it waits for the first", NULL);
    if (ith_world_rank(world) == 0)
        printf("ok short prompts wait for no long ones that wait\n");
}

/* ---- Numbers that are not finite ---- */

static bool bad_row(int64_t i)
{
    return i / 64 == BAD;
}

/* Counts what ranks agree on: at least once a pass. */
static int64_t agreed;
static const ith_comm_ops *ops;

static int64_t counted_max(ith_comm *comm, int64_t x)
{
    agreed++;
    return ops->max(comm, x);
}

/* One of three that share a segment meets a token that exceeds a float. It ends alone, and what the
 * others have computed stays. */
static void not_finite(const char *golden_name, const char *tensor, int64_t most)
{
    static const asked finite[] = {{.alike = 1300, .answer = 12},
                                   {.alike = 1100, .more = 30, .answer = 1},
                                   {.alike = 1100, .more = 45, .drift = 3, .answer = 12}};
    asked broken[] = {finite[0], finite[1], finite[2]};
    const weights_change change = {tensor, bad_row, 3e38f};
    ith_engine_params params = ith_engine_params_default();
    json_t *golden = must_read_golden(golden_name);
    answers alone = {0}, all = {0}, two = {0};
    ith_many_counts counts;
    ith_error err = {0};
    ith_comm_ops counting;
    char folder[300];
    int64_t before;

    must_write_model(golden, "many-overflow", &change, folder);
    json_decref(golden);
    params.model = folder;
    params.quant = ITH_QUANT_BF16;
    params.kv = ITH_KV_BF16;
    params.threads = 1;
    params.ctx = CTX;
    params.chunk = CHUNK;
    engine = must_open(&params);
    for (int i = 0; i < CTX; i++) {
        text[i] = ids[i % (int)n_ids] % 256;
        text[i] += text[i] == BAD;
    }
    ops = engine->world->comm->ops;
    counting = *ops;
    counting.max = counted_max;
    engine->world->comm->ops = &counting;
    prompts = finite;
    n_prompts = 3;
    must(answer_all(1, NULL, &alone, &counts, &err) == ITH_OK, "one at a time", &err);
    agreed = 0;
    must(answer_all(3, NULL, &all, &counts, &err) == ITH_OK, "together", &err);
    must_equal(&alone, &all, "the same alone and together");
    before = agreed;
    broken[1].bad = 1115;
    prompts = broken;
    agreed = 0;
    must(answer_all(3, NULL, &two, &counts, &err) == ITH_OK, "beside one that is broken", &err);
    if (ith_world_rank(world) == 0) {
        for (int i = 0; i < 3; i++)
            if (two.status[i] != ITH_OK || two.logits[i] != alone.logits[i])
                printf("# prompt %d: status %d, %lld tokens\n", i, (int)two.status[i],
                       (long long)two.tokens[i]);
        must(two.status[1] == ITH_E_FORMAT && two.tokens[1] == 0, "it has an error", NULL);
        must(two.status[0] == ITH_OK && two.logits[0] == alone.logits[0] &&
                 two.status[2] == ITH_OK && two.logits[2] == alone.logits[2],
             "the others are answered", NULL);
    }
    if (agreed - before > most)
        printf("# %lld times\n", (long long)(agreed - before));
    must(agreed - before <= most, "what the others have computed stays", NULL);
    engine->world->comm->ops = ops;
    prompts = usual;
    n_prompts = PROMPTS;
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok one whose numbers are not finite ends alone: %s\n", golden_name);
}

/* ---- Memory ---- */

/* Buffers for all that may be in flight are there before any of them takes memory. */
static void widens_once(void)
{
    static asked many[MOST];
    answers a = {0};
    ith_many_counts counts;
    ith_error err = {0};

    for (int i = 0; i < MOST; i++)
        many[i] = (asked){.more = 3, .drift = (size_t)i, .answer = 2 + i};
    engine = open_engine(NEEDLE_MODEL, CTX);
    prompts = many;
    n_prompts = MOST;
    must(answer_all(MOST, NULL, &a, &counts, &err) == ITH_OK, "many at a time", &err);
    must(ith_world_rank(world) != 0 || (!a.widened && a.workspace != NULL),
         "one workspace serves all", NULL);
    prompts = usual;
    n_prompts = PROMPTS;
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok buffers are as large as they will be, at once\n");
}

/* A segment of this model takes 66 MiB. There is memory for the two segments of the second prompt,
 * but not for both prompts to grow: it is refused before its segments are brought in. */
static void asks_first(void)
{
    static const asked two[] = {{.alike = 1010, .answer = 20},
                                {.more = 1600, .drift = 3, .answer = 500}};
    answers a = {.leaves_at = 500, .stops = true};
    ith_many_counts counts;
    ith_error err = {0};
    size_t before;

    if (ith_world_size(world) > 1 || !ith_mem_forget_peak())
        return;
    engine = open_engine("synthetic:tests/models/large-kv/config.json:q8_0", 2200);
    before = ith_mem_resident();
    limit_memory(280);
    prompts = two;
    n_prompts = 2;
    must(ith_mem_forget_peak(), "the peak is forgotten", NULL);
    must(answer_all(2, NULL, &a, &counts, &err) == ITH_E_CANCELLED, "until one leaves", &err);
    if (a.peak - before >= 150 * MIB)
        printf("# %zu MiB\n", (a.peak - before) / MIB);
    must(a.peak - before < 150 * MIB, "no memory is brought in for what is refused", NULL);
    unsetenv("SLURM_JOB_ID");
    prompts = usual;
    n_prompts = PROMPTS;
    ith_engine_close(engine);
    printf("ok memory for a prompt and for others to grow is asked for before it is taken\n");
}

int main(void)
{
    setenv("ITHACA_TEST_STATES", "1024", true);
    if (!open_needle())
        return 1;
    same_in_company(NEEDLE_MODEL, "attention", SHARED, SHARED);
    same_in_company("synthetic:tests/models/windows/config.json:q8_0", "windows", SHARED, 0);
    same_in_company("synthetic:tests/models/latents/config.json:q8_0", "latents", SHARED, SHARED);
    same_in_company("synthetic:tests/models/recurrent/config.json:q8_0", "recurrent states",
                    SHARED_STATES, SHARED_STATES);
    with_guesses(NEEDLE_MODEL, "attention", true);
    with_guesses("synthetic:tests/models/windows/config.json:q8_0", "windows", true);
    with_guesses("synthetic:tests/models/latents/config.json:q8_0", "latents", true);
    with_guesses("synthetic:tests/models/recurrent/config.json:q8_0", "recurrent states", false);
    broken_cache();
    begins_again();
    overtakes();
    widens_once();
    asks_first();
    not_finite("llama-biases", "model.embed_tokens.weight", 40);
    not_finite("falcon_h1", "model.embed_tokens.weight", 80);
    ith_world_close(world);
    return 0;
}
