/* RANKS: 1 2 3
 *
 * Weights that come and go give the bits of weights that stay: the needle model under several budgets, from the files and from frames in
 * memory, prefilled, decoded and scored.
 */
#include "tests/needle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DECODED = 3, CTX = 1100, CHUNK = 400 };

static ith_engine_params params_of(int64_t memory, ith_offload offload)
{
    ith_engine_params params = ith_engine_params_default();
    params.model = NEEDLE_MODEL;
    params.threads = 2;
    params.ctx = CTX;
    params.chunk = CHUNK;
    params.memory = memory;
    params.placement = memory > 0 ? ITH_PLACE_STREAMED : ITH_PLACE_REPLICATED;
    params.offload = offload;
    return params;
}

/* Digests after a prefill and some decoding, and after scoring; on rank 0. */
static void digests(ith_engine *engine, char decoded[65], char scored[65])
{
    static float nll[MAX_IDS];
    ith_session *session;
    ith_error err;

    must(ith_session_open(engine, &session, &err) == ITH_OK, "open a session", &err);
    must(ith_session_prefill(session, ids, n_ids - DECODED, &err) == ITH_OK, "prefill", &err);
    for (size_t i = n_ids - DECODED; i < n_ids; i++)
        must(ith_session_decode(session, ids[i], &err) == ITH_OK, "decode", &err);
    if (ith_world_rank(world) == 0)
        ith_session_logits_sha256(session, decoded);
    ith_session_close(session);
    must(ith_session_open(engine, &session, &err) == ITH_OK, "open a session", &err);
    must(ith_session_score(session, ids, 40, nll, &err) == ITH_OK, "score", &err);
    if (ith_world_rank(world) == 0)
        ith_session_logits_sha256(session, scored);
    ith_session_close(session);
}

/* Opens it with the least budget that works, found by asking for more and more: what the process itself takes by now counts. */
static ith_engine *open_tight(ith_offload offload, int64_t *memory)
{
    for (*memory = 8 << 20;; *memory += 1 << 20) {
        ith_engine_params params = params_of(*memory, offload);
        ith_engine *engine;
        ith_error err;
        ith_status status = ith_engine_open(world, &params, &engine, &err);
        if (status == ITH_OK)
            return engine;
        must(status == ITH_E_MEMORY && strstr(err.text, "--mem") != NULL, "too little memory is an error of its own",
             &err);
        must(*memory < (int64_t)1 << 30, "some budget works", NULL);
    }
}

static void check(ith_offload offload, const char decoded[65], const char scored[65])
{
    const char *what = offload == ITH_OFFLOAD_RAM ? "from frames in memory" : "from the files";
    char got_decoded[65] = "", got_scored[65] = "";
    int64_t memory;
    ith_engine *engine = open_tight(offload, &memory);

    must(strncmp(ith_engine_get_info(engine)->placement, "streamed", 8) == 0, "it is streamed", NULL);
    digests(engine, got_decoded, got_scored);
    ith_engine_close(engine);
    if (ith_world_rank(world) != 0)
        return;
    must(strcmp(got_decoded, decoded) == 0 && strcmp(got_scored, scored) == 0, what, NULL);
    printf("ok placement: streamed %s\n", what);
}

int main(void)
{
    char decoded[65] = "", scored[65] = "";
    ith_engine_params params = params_of(0, ITH_OFFLOAD_DISK);
    ith_engine *engine;
    ith_error err;

    if (!open_needle())
        return 1;
    must(ith_engine_open(world, &params, &engine, &err) == ITH_OK, "open the engine", &err);
    digests(engine, decoded, scored);
    ith_engine_close(engine);
    check(ITH_OFFLOAD_DISK, decoded, scored);
    check(ITH_OFFLOAD_RAM, decoded, scored);
    ith_world_close(world);
    return 0;
}
