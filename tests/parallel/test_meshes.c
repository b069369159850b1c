/* RANKS: 4 8 */
/* test_meshes.c - logits deep in a timeline have the same bits on every mesh of the ranks.
 *
 * If R and the KV heads of a group have a common divisor, a rank holds more than 1 / R of a head's
 * segments, up to all of them, and sends each to all other ranks of its group. */
#include "tests/needle.h"

#include "engine/session.h"

enum { DEPTH = 13 * ITH_KV_SEGMENT + 100, PREFILLED = 100, DECODED = 3, KV_HEADS = 4 };

/* Gives the session a timeline of DEPTH tokens. All keys and values are the same small number. */
static void fill(ith_session *s)
{
    const ith_engine *e = s->engine;
    size_t block = ith_kv_block_bytes(e->kv, e->info.head_dim);
    int heads = e->info.n_kv_heads / e->mesh.ulysses;
    ith_error err;

    must(ith_state_reserve(s->state, DEPTH, &err) == ITH_OK, "room for the timeline", &err);
    for (int layer = 0; layer < e->info.n_layers; layer++)
        for (int head = 0; head < heads; head++)
            for (int64_t at = 0; at < DEPTH; at += ITH_KV_BLOCK)
                if (ith_kv_holds(s->state->pools[0], head, at / ITH_KV_SEGMENT))
                    memset(ith_kv_block(s->state->pools[0], layer, head, at), 0x3c, block);
    s->length = DEPTH;
}

static void run_on(const char *mesh, char sha[65])
{
    ith_engine_params params = ith_engine_params_default();
    ith_engine *engine;
    ith_session *session;

    params.model = NEEDLE_MODEL;
    params.threads = 1;
    params.mesh = mesh;
    params.ctx = DEPTH + PREFILLED + DECODED;
    engine = must_open(&params);
    session = must_open_session(engine);
    fill(session);
    must_prefill(session, ids, PREFILLED);
    for (int i = 0; i < DECODED; i++)
        must_decode(session, ids[PREFILLED + i]);
    ith_session_logits_sha256(session, sha);
    ith_session_close(session);
    ith_engine_close(engine);
}

int main(void)
{
    char first[65], sha[65], mesh[16];

    if (!open_needle())
        return 1;
    for (int ulysses = KV_HEADS; ulysses > 0; ulysses /= 2) {
        snprintf(mesh, sizeof mesh, "%dx%d", ulysses, ith_world_size(world) / ulysses);
        run_on(mesh, ulysses == KV_HEADS ? first : sha);
        if (ith_world_rank(world) != 0)
            continue;
        must(ulysses == KV_HEADS || strcmp(sha, first) == 0, "the same bits on every mesh", NULL);
        printf("ok mesh %s\n", mesh);
    }
    ith_world_close(world);
    return 0;
}
