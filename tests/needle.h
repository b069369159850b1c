/* needle.h - for tests that run the public API on several ranks, most of them with the needle
 * model's prompt of 1,002 tokens.
 *
 * A failed check says what failed and ends all ranks, so that none waits. Rank 0 prints the TAP
 * lines. Then come engines and sessions that must open, prompts that must be prefilled and decoded,
 * digests of logits, and ranks divided into nodes. All functions are collective.
 */
#ifndef ITH_TESTS_NEEDLE_H
#define ITH_TESTS_NEEDLE_H

#include "ithaca_tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEEDLE_MODEL "tests/models/needle-qwen3"
#define NEEDLE_IDS   "tests/golden/needle/1k.ids"

enum { MAX_IDS = 2048 };

static ith_world *world;
static int32_t ids[MAX_IDS];
static size_t n_ids;

static void must(bool condition, const char *what, const ith_error *err)
{
    char text[1200];
    if (condition)
        return;
    snprintf(text, sizeof text, "%s: %s", what, err != NULL ? err->text : "not so");
    if (ith_world_rank(world) == 0)
        printf("not ok %s\n", what);
    fflush(stdout);
    ith_world_abort(world, 1, text);
}

/* Joins the ranks and reads the ids. Returns false if the world cannot be opened, which is
 * reported. */
static inline bool open_needle(void)
{
    ith_error err;
    FILE *file;
    int id;

    if (ith_world_open(&world, &err) != ITH_OK) {
        printf("not ok world: %s\n", err.text);
        return false;
    }
    file = fopen(NEEDLE_IDS, "r");
    must(file != NULL, "open the ids", NULL);
    while (n_ids < MAX_IDS && fscanf(file, "%d", &id) == 1)
        ids[n_ids++] = id;
    fclose(file);
    return true;
}

/* `copies` copies of the ids, one after another, valid until the next call. */
static inline const int32_t *copies_of_ids(int copies, size_t *n)
{
    static int32_t *all;

    *n = (size_t)copies * n_ids;
    all = realloc(all, *n * sizeof *all);
    must(all != NULL, "memory for the ids", NULL);
    for (size_t i = 0; i < *n; i++)
        all[i] = ids[i % n_ids];
    return all;
}

/* ---- Engines and sessions ---- */

static inline ith_engine *must_open(const ith_engine_params *params)
{
    ith_engine *engine;
    ith_error err;

    must(ith_engine_open(world, params, &engine, &err) == ITH_OK, "open the engine", &err);
    return engine;
}

/* Opens an engine that streams its weights with the smallest budget that works, to within 1 MiB.
 * The memory that the process already uses counts, so the budget has to be searched for. *least: 0
 * or the last result on entry, the result on return. */
static inline ith_engine *must_open_tight(ith_engine_params params, int64_t *least)
{
    const int64_t mib = 1 << 20;
    const bool known = *least > mib;
    int64_t step = known ? mib : 8 * mib;
    bool refused = false; /* one budget at least */

    for (params.memory = known ? *least - mib : step;; params.memory += step) {
        ith_engine *engine;
        ith_error err;
        ith_status status = ith_engine_open(world, &params, &engine, &err);
        if (status == ITH_OK && refused && step == mib) {
            *least = params.memory;
            return engine;
        }

        /* Too large: go back. */
        if (status == ITH_OK) {
            ith_engine_close(engine);
            must(params.memory > 8 * mib, "some budget is too little", NULL);
            params.memory -= refused ? step : known ? 2 * mib : 5 * mib;
            step = mib;
            continue;
        }
        must(status == ITH_E_MEMORY && strstr(err.text, "--mem") != NULL,
             "too little memory is an error of its own", &err);
        must(params.memory < 1024 * mib, "some budget works", NULL);
        refused = true;
    }
}

static inline ith_session *must_open_session(ith_engine *engine)
{
    ith_session *session;
    ith_error err;

    must(ith_session_open(engine, &session, &err) == ITH_OK, "open a session", &err);
    return session;
}

static inline void must_prefill(ith_session *session, const int32_t *tokens, size_t n)
{
    ith_error err;
    must(ith_session_prefill(session, tokens, n, &err) == ITH_OK, "prefill", &err);
}

static inline void must_decode(ith_session *session, int32_t token)
{
    ith_error err;
    must(ith_session_decode(session, token, &err) == ITH_OK, "decode", &err);
}

/* A session after n tokens, the last `decoded` of them one by one. */
static inline ith_session *session_after(ith_engine *engine, const int32_t *tokens, size_t n,
                                         size_t decoded)
{
    ith_session *session = must_open_session(engine);

    must_prefill(session, tokens, n - decoded);
    for (size_t i = n - decoded; i < n; i++)
        must_decode(session, tokens[i]);
    return session;
}

/* ---- Digests of the last logits: on rank 0, who has them; left alone on the others ---- */

static inline void sha_of(const ith_session *session, char sha[65])
{
    if (ith_world_rank(world) == 0)
        ith_session_logits_sha256(session, sha);
}

static inline void sha_after(ith_engine *engine, const int32_t *tokens, size_t n, size_t decoded,
                             char sha[65])
{
    ith_session *session = session_after(engine, tokens, n, decoded);

    sha_of(session, sha);
    ith_session_close(session);
}

/* `form`: of which model or weights, for the message. */
static inline void must_have_sha(const ith_session *session, const char *want, const char *form,
                                 const char *what)
{
    char sha[65];

    if (ith_world_rank(world) != 0)
        return;
    ith_session_logits_sha256(session, sha);
    if (strcmp(sha, want) != 0)
        printf("# %s, %s: logits_sha256 %s\n", form, what, sha);
    must(strcmp(sha, want) == 0, what, NULL);
}

/* ---- Nodes ---- */

/* Opens a world whose nodes have `ranks_per_node` ranks each; NULL: as they are. Returns the first
 * world, which stays open and keeps MPI running, for end_nodes. */
static inline ith_world *begin_nodes(const char *ranks_per_node)
{
    ith_world *first = world;
    ith_error err;

    if (ranks_per_node != NULL)
        setenv("ITHACA_RANKS_PER_NODE", ranks_per_node, 1);
    must(ith_world_open(&world, &err) == ITH_OK, "open a world", &err);
    return first;
}

static inline void end_nodes(ith_world *first)
{
    ith_world_close(world);
    unsetenv("ITHACA_RANKS_PER_NODE");
    world = first;
}

#endif
