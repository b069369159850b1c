/* RANKS: 1 3, long: 2 5
 *
 * test_windows.c - a cache that keeps only what its layers see: the bits are those of one that
 * keeps everything, it takes as little memory as the plan says, what it has given up is known, and
 * what it saves can be resumed at every end of a segment.
 *
 * A chunk as long as the context makes the caches keep everything; the digest of that, on one rank
 * with the scalar reference, is expected of all.
 */
#include "tests/needle.h"

#include "base/mem.h"
#include "engine/session.h"
#include "engine/sizes.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODEL "synthetic:tests/models/windows/config.json:q8_0"

enum {
    WINDOW = 100,
    CTX = 9000,
    TOKENS = 6500,
    SHORT = 3100,
    CHUNK = 300,
    DECODED = 20,
    SMALL_CHUNK = 64
};

static const char sha_of_tokens[] =
    "9b50b34cbf7eb35fa5d07fd7d12cb6aacee514b3a0785ffe25d98afd72ae428c";
static const char sha_of_short[] =
    "5e9d8a4595471197ce8eac9f1e7321f2fb021fb768fab7d84c7b794ea9bfecd2";

static int32_t text[CTX];

static ith_engine_params of_chunk(int64_t chunk)
{
    ith_engine_params params = ith_engine_params_default();
    params.model = MODEL;
    params.threads = 2;
    params.ctx = CTX;
    params.chunk = chunk;
    return params;
}

static void same_bits(int64_t chunk, const char *name)
{
    ith_engine_params params = of_chunk(chunk);
    ith_engine *engine = must_open(&params);
    ith_session *session = session_after(engine, text, TOKENS, DECODED);

    must_have_sha(session, sha_of_tokens, name, "the bits of a cache that keeps everything");
    ith_session_close(session);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok the same bits, %s\n", name);
}

/* ---- Memory ---- */

/* Of 9 segments of 1,024 tokens, 3 are kept in a window of 100 tokens and chunks of 300: any of
 * their tokens lie in two, and three ranks that share 2 heads take turns of three. */
static void memory(void)
{
    ith_engine_params params = of_chunk(CHUNK);
    ith_engine *engine = must_open(&params);
    int64_t before = (int64_t)ith_mem_in_use(ITH_MEM_KV), used, plan = ith_session_kv_bytes(engine),
            turn = engine->mesh.turn, kept = ith_round_up(2, turn),
            token = engine->info.kv_bytes_per_token / 3,
            expected = token * ITH_KV_SEGMENT * (9 + 2 * kept) / engine->mesh.ranks;
    ith_session *session = session_after(engine, text, TOKENS, 0);

    must(plan == expected, "two of three layers are planned with few segments", NULL);
    must_prefill(session, text + TOKENS, CTX - TOKENS);
    used = (int64_t)ith_mem_in_use(ITH_MEM_KV) - before;
    must(llabs(used - plan) <= 3 * token * ITH_KV_SEGMENT, "the cache takes what is planned", NULL);
    must(engine->mesh.ranks > 1 || used == plan, "on one rank exactly", NULL);
    ith_session_close(session);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok memory falls as the windows say\n");
}

/* ---- Cutting back ---- */

static void cuts(void)
{
    ith_engine_params params = of_chunk(CHUNK);
    ith_engine *engine = must_open(&params);
    ith_session *session = session_after(engine, text, TOKENS + CHUNK - DECODED, 0);
    ith_error err;

    must(ith_session_truncate(session, 1500, &err) == ITH_E_UNSUPPORTED &&
             strstr(err.text, "layers with a window") != NULL,
         "what is given up is refused by name", &err);
    must(ith_session_length(session) == TOKENS + CHUNK - DECODED, "nothing is cut then", NULL);
    must(ith_session_truncate(session, TOKENS - DECODED, &err) == ITH_OK, "a chunk back", &err);
    for (int i = TOKENS - DECODED; i < TOKENS; i++)
        must_decode(session, text[i]);
    must_have_sha(session, sha_of_tokens, MODEL, "the bits after a cut");
    must(ith_session_truncate(session, 0, &err) == ITH_OK, "to nothing", &err);
    must_prefill(session, text, SHORT);
    must_have_sha(session, sha_of_short, MODEL, "the bits of another beginning");
    ith_session_close(session);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok cuts\n");
}

/* ---- The prompt cache ---- */

static void folder_of(char path[200])
{
    const char *build = getenv("BUILD");
    snprintf(path, 200, "%s/windows-cache-%d", build != NULL ? build : "build/release",
             ith_world_size(world));
}

static void warn(void *user, const char *what)
{
    int *warnings = user;
    ++*warnings;
    printf("# %s\n", what);
}

static int warnings;

static ith_session *open_cached(ith_engine *engine)
{
    char path[200];
    ith_keep_params keep = {.cache = path, .warn = warn, .user = &warnings};
    ith_session *session = must_open_session(engine);
    ith_error err;

    folder_of(path);
    must(ith_session_keep(session, &keep, &err) == ITH_OK, "open the prompt cache", &err);
    return session;
}

static void cached(ith_engine *engine, size_t n, const char *sha, int64_t restored,
                   const char *what)
{
    ith_session *session = open_cached(engine);

    must_prefill(session, text, n);
    must(ith_session_restored(session) == restored, what, NULL);
    must_have_sha(session, sha, MODEL, what);
    ith_session_close(session);
}

/* Where the files of a segment have data of the first layer, which has a window, and of the second,
 * which has none. */
enum { IN_WINDOW_LAYER = 3000, IN_WHOLE_LAYER = 100000 };

/* Damages the files of the segment that begins at token `start`. */
static void damage(int64_t start, int at)
{
    char path[200], command[700];

    folder_of(path);
    snprintf(command, sizeof command,
             "f=$(grep -l '\"start\":%lld,' %s/*/manifest.json) && for k in \"${f%%/*}\"/*.kv; "
             "do b=$(od -An -tu1 -j %d -N 1 \"$k\") && "
             "printf \"\\\\$(printf %%o $((b ^ 255)))\" | "
             "dd of=\"$k\" bs=1 seek=%d conv=notrunc 2>/dev/null; done",
             (long long)start, path, at, at);
    if (ith_world_rank(world) == 0)
        must(system(command) == 0, "reach the file of a segment", NULL);
    ith_world_bcast(world, command, 1);
}

static void prompt_cache(int64_t chunk)
{
    enum { LAST = ITH_KV_SEGMENT * (TOKENS / ITH_KV_SEGMENT) };
    ith_engine_params params = of_chunk(chunk);
    ith_engine *engine = must_open(&params);
    char path[200];
    ith_error err;
    char *json = NULL;

    folder_of(path);
    if (ith_world_rank(world) == 0 && access(path, F_OK) == 0)
        must(ith_cache_remove(path, NULL, &json, &err) == ITH_OK, "remove the cache", &err);
    free(json);
    cached(engine, TOKENS, sha_of_tokens, 0, "fresh, and saved");
    cached(engine, TOKENS, sha_of_tokens, TOKENS - 1, "restored");
    cached(engine, SHORT, sha_of_short, SHORT - 1, "resumed at the end of an earlier segment");
    if (ith_kv_kept(CTX, WINDOW, chunk, engine->mesh.turn) < 6) {
        damage(ITH_KV_SEGMENT, IN_WINDOW_LAYER);
        cached(engine, TOKENS, sha_of_tokens, TOKENS - 1, "what is not kept is not read");
    }
    damage(LAST - ITH_KV_SEGMENT, IN_WHOLE_LAYER);
    cached(engine, TOKENS, sha_of_tokens, LAST - ITH_KV_SEGMENT, "a damaged segment");
    cached(engine, TOKENS, sha_of_tokens, TOKENS - 1, "saved again");
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok prompt cache, chunks of %lld\n", (long long)chunk);
}

/* A session that has 1,000 tokens reads on to 6,500, and finds a segment damaged. What its layers
 * with a window held is lost; it begins anew, and finds another segment damaged in these layers. */
static void lost_while_reading(void)
{
    ith_engine_params params = of_chunk(CHUNK);
    ith_engine *engine = must_open(&params);
    ith_session *session = open_cached(engine);
    int before = warnings;

    must_prefill(session, text, 1000);
    damage(3 * ITH_KV_SEGMENT, IN_WINDOW_LAYER);
    damage(4 * ITH_KV_SEGMENT, IN_WHOLE_LAYER);
    must_prefill(session, text + 1000, TOKENS - 1000);
    must(ith_world_rank(world) != 0 || warnings > before, "the damage is told", NULL);
    must_have_sha(session, sha_of_tokens, MODEL, "a damaged segment behind what is in memory");
    ith_session_close(session);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok what is lost while reading is computed again\n");
}

/* A long answer: its segments are saved before the layers with a window give them up, so that the
 * next prompt can be saved behind them. */
static void long_answer(void)
{
    enum { FIRST = 500, ANSWER = 3000, MORE = 1500 };
    ith_engine_params params = of_chunk(SMALL_CHUNK);
    ith_engine *engine = must_open(&params);
    ith_session *session = open_cached(engine);
    int before = warnings;

    must_prefill(session, text, FIRST);
    for (int i = FIRST; i < FIRST + ANSWER; i++)
        must_decode(session, text[i]);
    must_prefill(session, text + FIRST + ANSWER, MORE);
    ith_session_close(session);
    session = open_cached(engine);
    must_prefill(session, text, FIRST + ANSWER + MORE + 1);
    must(ith_session_restored(session) == FIRST + ANSWER + MORE, "all of it was saved", NULL);
    must(warnings == before, "without a warning", NULL);
    must_prefill(session, text + FIRST + ANSWER + MORE + 1, TOKENS - (FIRST + ANSWER + MORE + 1));
    must_have_sha(session, sha_of_tokens, MODEL, "the bits behind a saved answer");
    ith_session_close(session);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok a long answer\n");
}

int main(void)
{
    ith_error err;

    if (ith_world_open(&world, &err) != ITH_OK) {
        printf("not ok world: %s\n", err.text);
        return 1;
    }
    for (int i = 0; i < CTX; i++)
        text[i] = (int32_t)((uint32_t)i * 2654435761u >> 24);
    same_bits(CTX, "everything kept");
    same_bits(CHUNK, "chunks of 300");
    same_bits(2000, "chunks of 2,000");
    memory();
    cuts();
    prompt_cache(CHUNK);
    prompt_cache(2000);
    lost_while_reading();
    if (ith_world_size(world) == 1)
        long_answer();
    ith_world_close(world);
    return 0;
}
