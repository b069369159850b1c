/* RANKS: 1 2
 *
 * test_oom.c - an allocation of the library fails on one rank: every rank gets the same error, and
 * none is ended or left waiting.
 *
 * Allocations are counted that this program makes itself, which has the library in it: not those of
 * MPI and other libraries. Of those, one after another fails on the last rank; and of those that
 * many prompts take, on the first one too: the same engine answers them again after each failure.
 */
#include "tests/model_files.h"
#include "tests/needle.h"

#include <malloc.h>

#if defined __SANITIZE_ADDRESS__ || !defined __GLIBC__
int main(void)
{
    puts("ok oom # SKIP the sanitizer has the allocator");
    return 0;
}
#else

/* The first EACH are those of world, communicators and engine; of the others one in STEP fails.
 * Then those of a prefill alone, so long that lists of segments travel. */
enum { EACH = 60, STEP = 37, MOST = 1500, PREFILL = 6, LONG = 7000 };

extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *at, size_t size);
extern const char __executable_start, etext;

static long countdown = -1; /* the allocation that fails; negative: none */

static bool fails(const void *caller)
{
    const char *at = caller;

    if (at < &__executable_start || at >= &etext ||
        __atomic_load_n(&countdown, __ATOMIC_RELAXED) < 0)
        return false;
    return __atomic_fetch_sub(&countdown, 1, __ATOMIC_RELAXED) == 0;
}

void *calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *realloc(void *at, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(at, size);
}

/* Weights and sequence, divided among the ranks or not */
typedef enum division { HEADS, WEIGHTS, SEQUENCE, DIVISIONS } division;

static ith_engine_params params_of(division by, int64_t ctx)
{
    ith_engine_params params = ith_engine_params_default();

    params.model = NEEDLE_MODEL;
    params.threads = 1;
    params.ctx = ctx;
    params.shares = "threads";
    params.distribution = by == WEIGHTS ? ITH_DISTRIBUTION_SHARDED : ITH_DISTRIBUTION_REPLICATED;
    if (by == SEQUENCE)
        params.mesh = ith_world_size(world) == 1 ? "1x1" : "1x2";
    return params;
}

static void set_countdown(long n)
{
    __atomic_store_n(&countdown, n, __ATOMIC_RELAXED);
}

/* All that a program does with a model, in a world of its own. The n-th allocation fails: of all,
 * or of the prefill. */
static ith_status work(division by, long n, bool in_prefill, const char *cache, ith_error *err)
{
    ith_engine_params params = params_of(by, in_prefill ? LONG : 128);
    ith_keep_params keep = {.cache = cache};
    ith_world *w = NULL;
    ith_engine *engine = NULL;
    ith_session *session = NULL;
    int32_t text[LONG];
    size_t length = in_prefill ? LONG : 40;
    ith_status status;

    for (size_t i = 0; i < length; i++)
        text[i] = ids[i % 40];
    set_countdown(in_prefill ? -1 : n);
    status = ith_world_open(&w, err);
    if (status == ITH_OK)
        status = ith_engine_open(w, &params, &engine, err);
    if (status == ITH_OK)
        status = ith_session_open(engine, &session, err);
    if (status == ITH_OK)
        status = ith_session_keep(session, &keep, err);
    if (in_prefill)
        set_countdown(n);
    if (status == ITH_OK)
        status = ith_session_prefill(session, text, length, err);
    set_countdown(-1);
    ith_session_close(session);
    ith_engine_close(engine);
    ith_world_close(w);
    return status;
}

/* Is the status the same on all ranks? Rank 0 knows. */
static bool agreed(ith_status mine)
{
    int32_t first = (int32_t)mine;

    ith_world_bcast(world, &first, sizeof first);
    return first == (int32_t)mine;
}

/* The n-th allocation of the last rank fails, if there are so many. */
static void fail_nth(long n, division by, bool in_prefill, const char *cache)
{
    bool me = ith_world_rank(world) == ith_world_size(world) - 1;
    ith_error err = {0};

    ith_status status = work(by, me ? n : -1, in_prefill, cache, &err);
    must(agreed(status), "the same status on all ranks", &err);
    must(status == ITH_OK || err.text[0] != '\0', "a text", NULL);
}

/* ---- Many prompts ---- */

enum { PROMPTS = 3, POINTS = 40, ANSWER = 3 };

/* Rank 0: what has become of the prompts. */
typedef struct answers {
    int given, ended[PROMPTS], failed[PROMPTS];
    int32_t tokens[PROMPTS][ANSWER];
    int n[PROMPTS];
} answers;

static bool next(void *user, ith_many_prompt *prompt)
{
    answers *a = user;
    int i = a->given;

    if (i == PROMPTS)
        return false;
    *prompt = (ith_many_prompt){.n_ids = 20 + (size_t)i, .user = (void *)(intptr_t)i};
    prompt->ids = __libc_malloc(prompt->n_ids * sizeof *prompt->ids); /* the caller's own */
    must(prompt->ids != NULL, "memory for a prompt", NULL);
    for (size_t k = 0; k < prompt->n_ids; k++)
        prompt->ids[k] = ids[i < 2 ? k : k + 9]; /* two begin alike */
    prompt->how = (ith_generate_params){.max_tokens = ANSWER, .ignore_eos = true};
    prompt->how.sampling.repeat_penalty = 1;
    a->given++;
    return true;
}

static void token(void *user, const ith_many_prompt *prompt, int32_t id, const float *logits,
                  bool ends)
{
    answers *a = user;
    intptr_t i = (intptr_t)prompt->user;

    (void)logits;
    must(!ends && a->n[i] < ANSWER, "as many tokens as were asked for", NULL);
    a->tokens[i][a->n[i]++] = id;
}

static bool done(void *user, const ith_many_prompt *prompt, const ith_generation *answer,
                 const ith_error *err)
{
    answers *a = user;
    intptr_t i = (intptr_t)prompt->user;

    (void)answer;
    must(err->status == ITH_OK || err->text[0] != '\0', "a text for a prompt", NULL);
    a->ended[i]++;
    a->failed[i] = err->status != ITH_OK;
    return true;
}

static int32_t made; /* allocations of the last answer_all, if none failed */

static ith_status answer_all(ith_engine *engine, long n, answers *a, ith_error *err)
{
    const ith_many_params params = {
        .in_flight = 2, .next = next, .done = done, .token = token, .user = a};
    ith_many_counts counts;
    ith_status status;

    *a = (answers){0};
    *err = (ith_error){0};
    set_countdown(n);
    status = ith_generate_many(engine, &params, &counts, err);
    made = (int32_t)(n - __atomic_load_n(&countdown, __ATOMIC_RELAXED));
    set_countdown(-1);
    return status;
}

/* All that were taken have ended, once; those that have an answer have the right one. */
static void check_answers(const answers *a, const answers *right)
{
    for (int i = 0; i < PROMPTS; i++) {
        must(a->ended[i] == (i < a->given), "every prompt ends once", NULL);
        must(a->ended[i] == 0 || a->failed[i] ||
                 memcmp(a->tokens[i], right->tokens[i], sizeof a->tokens[i]) == 0,
             "the same answer", NULL);
    }
}

static void fail_many(division by)
{
    ith_engine_params params = params_of(by, 128);
    ith_engine *engine = must_open(&params);
    answers right, a;
    ith_error err;
    int32_t most;

    must(answer_all(engine, INT32_MAX, &right, &err) == ITH_OK, "answers", &err);
    most = made; /* of rank 0, which makes the most */
    ith_world_bcast(world, &most, sizeof most);
    for (int victim = 0; victim < ith_world_size(world); victim++)
        for (long n = 0; n < most; n += 1 + most / POINTS) {
            bool me = ith_world_rank(world) == victim;
            ith_status status = answer_all(engine, me ? n : -1, &a, &err);
            must(agreed(status), "the same status of many on all ranks", &err);
            must(status == ITH_OK || err.text[0] != '\0', "a text", NULL);
            if (ith_world_rank(world) == 0)
                check_answers(&a, &right);
        }
    ith_engine_close(engine);
}

int main(void)
{
    char folder[64] = "";

    if (!open_needle())
        return 1;
    if (ith_world_rank(world) == 0)
        folder_make(folder);
    ith_world_bcast(world, folder, sizeof folder);
    ith_world *first = begin_nodes("1");
    for (int by = 0; by < DIVISIONS; by++)
        for (long n = 0; n < MOST; n += n < EACH ? 1 : STEP)
            fail_nth(n, (division)by, false, folder);
    for (long n = 0; n < PREFILL; n++)
        fail_nth(n, SEQUENCE, true, folder);
    fail_many(HEADS);
    fail_many(SEQUENCE);
    end_nodes(first);
    if (ith_world_rank(world) == 0) {
        folder_remove(folder);
        printf("ok oom: every failure is an error on all ranks\n");
    }
    ith_world_close(world);
    return 0;
}
#endif
