/* RANKS: 1 3, long: 2 4
 *
 * test_same_bits_experts.c - contract 2 for mixtures of experts, and for matrices of unlike
 * quantized types: the logits after a prompt are the same bits for any number of ranks and threads,
 * any chunk, and both ways of prefill.
 *
 * The prompt is scored whole, or prefilled in several calls and decoded token by token. The
 * expected digests are those of the scalar reference on one rank and one thread: ITHACA_SIMD=ref
 * ithaca score -m MODEL --ids FILE --json prints them, with the ids of a reference file. The bits
 * are also the same for every weight distribution: sharded, streamed from files and from memory,
 * from a pack, on one node and with the ranks on nodes of 1 and 2, on machines with one memory node
 * and with two.
 */
#include "base/json.h"
#include "tests/model_files.h"
#include "tests/needle.h"

#define GOLDEN    "tests/golden/"
#define SYNTHETIC "synthetic:tests/models/experts/config.json:q8_0"
#define KQUANTS   GOLDEN "llama-kquants-blocks.gguf"

enum { DECODED = 20, PLACED = 150, DECODED_PLACED = 3, CTX = 256 };

typedef struct expected {
    const char *model, *reference; /* whose ids are the prompt */
    ith_quant quant;
    ith_kv_type kv;
    const char *sha;
} expected;

static const expected models[] = {
    {GOLDEN "qwen3moe-norm", GOLDEN "qwen3moe-norm/reference.json", ITH_QUANT_W8, ITH_KV_Q8,
     "5b01e687f2ae8513e62240fe746d7d9a0d1929c5fafecfe686b9f5e37ba7988a"},
    {GOLDEN "qwen3moe-norm", GOLDEN "qwen3moe-norm/reference.json", ITH_QUANT_W4, ITH_KV_Q8,
     "888dff3cc51c360e307f71ef4c6ea1990f114127d0489ddfc67f20bed28657c9"},
    {GOLDEN "qwen3moe-norm-q4_0.gguf", GOLDEN "qwen3moe-norm-q4_0.json", ITH_QUANT_W8, ITH_KV_Q8,
     "9329dc1beb8d2a0a16b1f0aa5d1e6dd656f4cda4682cab2dc18377a89371b5d8"},
    {GOLDEN "qwen3moe-dense", GOLDEN "qwen3moe-dense/reference.json", ITH_QUANT_W8, ITH_KV_Q8,
     "8c943320476a909b1d8dc439e0757a304f61bb3d05f21f546bc6db01c6f5a0dc"},
    {GOLDEN "qwen3moe-dense", GOLDEN "qwen3moe-dense/reference.json", ITH_QUANT_BF16, ITH_KV_BF16,
     "80f9ba6dd196b15dede89b70ccee02dc82676c31bf03b5b18f6a54645694960b"},
    {GOLDEN "qwen3moe-dense", GOLDEN "qwen3moe-dense/reference.json", ITH_QUANT_F32, ITH_KV_F32,
     "8a672b9f2ff68cdfdaba4785a23719e5a217ee48da697098ce134ebada2284b0"},
    {KQUANTS, GOLDEN "llama-kquants-blocks.json", ITH_QUANT_W8, ITH_KV_Q8,
     "900dc71a0623325fb1a38a45d2b66f29a4164e67ab731c09c7f21daecdd9a3c1"},
    {GOLDEN "qwen3moe-kquants-blocks.gguf", GOLDEN "qwen3moe-kquants-blocks.json", ITH_QUANT_W8,
     ITH_KV_Q8, "a281e065943740aa19531092b71b94ade081ca36609eec2ea767d60e72da6d37"},
};

static void read_ids(const char *path)
{
    json_t *root = NULL;
    ith_error err;

    must(ith_json_read(path, 1 << 24, &root, &err) == ITH_OK, "read the ids", &err);
    const json_t *array = json_object_get(root, "ids");
    n_ids = json_array_size(array);
    must(n_ids > DECODED && n_ids <= MAX_IDS, "as many ids as expected", NULL);
    for (size_t i = 0; i < n_ids; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(array, i));
    json_decref(root);
}

/* ---- Against fixed digests ---- */

static void must_be(const ith_session *session, const expected *e, const char *what)
{
    char form[200];

    snprintf(form, sizeof form, "%s, quant %d", e->model, (int)e->quant);
    must_have_sha(session, e->sha, form, what);
}

static void score_whole(ith_engine *engine, const expected *e)
{
    static float nll[MAX_IDS];
    ith_session *session = must_open_session(engine);
    ith_error err;

    must(ith_session_score(session, ids, n_ids, nll, &err) == ITH_OK, "score", &err);
    must_be(session, e, "scored whole");
    ith_session_close(session);
}

static void prefill_and_decode(ith_engine *engine, const expected *e)
{
    ith_session *session = session_after(engine, ids, n_ids, DECODED);

    must_be(session, e, "decoded token by token");
    ith_session_close(session);
}

static void run(const expected *e, int threads, int64_t chunk, ith_prefill way)
{
    ith_engine_params params = ith_engine_params_default();
    ith_engine *engine;

    params.model = e->model;
    params.quant = e->quant;
    params.kv = e->kv;
    params.threads = threads;
    params.chunk = chunk;
    params.prefill = way;
    engine = must_open(&params);
    score_whole(engine, e);
    prefill_and_decode(engine, e);
    ith_engine_close(engine);
}

/* With ITHACA_LONG every chunk with either number of threads and both ways of prefill; else each
 * chunk with one of them, which another model runs the other way. */
static void same_bits(const expected *e)
{
    static const int64_t chunks[] = {5, 64, 1000};
    const bool all = getenv("ITHACA_LONG") != NULL;

    read_ids(e->reference);
    for (int threads = 1; threads <= 3; threads += 2)
        for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
            if (all || (threads == 3) == (chunks[i] == 64)) {
                bool rows = ((e - models) + (ptrdiff_t)i) % 2 != 0;
                if (all || !rows)
                    run(e, threads, chunks[i], ITH_PREFILL_ULYSSES);
                if (all || rows)
                    run(e, threads, chunks[i], ITH_PREFILL_ROWS);
            }
    if (ith_world_rank(world) == 0)
        printf("ok experts: the same bits of %s, quant %d\n", e->model, (int)e->quant);
}

/* ---- Wherever the weights are ---- */

static ith_engine_params params_of(const char *model, ith_distribution distribution,
                                   ith_offload offload)
{
    ith_engine_params params = ith_engine_params_default();
    params.model = model;
    params.threads = 2;
    params.ctx = CTX;
    params.chunk = 60;
    params.distribution = distribution;
    params.offload = offload;
    return params;
}

/* After a prefill and some decoding; on rank 0. Closes the engine. */
static void digest(ith_engine *engine, char sha[65])
{
    sha_after(engine, ids, PLACED, DECODED_PLACED, sha);
    ith_engine_close(engine);
}

static bool is_pack(const char *model)
{
    return strstr(model, ".ith") != NULL;
}

/* The least budget that streaming takes, of a model and its pack; 0: not known yet. */
static int64_t least[ITH_OFFLOAD_RAM + 1][2];

/* Streamed: under a tight budget. */
static ith_engine *open_placed(const char *model, ith_distribution distribution,
                               ith_offload offload)
{
    ith_engine_params params = params_of(model, distribution, offload);

    return distribution == ITH_DISTRIBUTION_STREAMED
               ? must_open_tight(params, &least[offload][is_pack(model)])
               : must_open(&params);
}

static void compare(const char *model, ith_distribution distribution, ith_offload offload,
                    const char *nodes, const char *want)
{
    static const char *const words[] = {[ITH_DISTRIBUTION_REPLICATED] = "replicated",
                                        [ITH_DISTRIBUTION_SHARDED] = "sharded",
                                        [ITH_DISTRIBUTION_STREAMED] = "streamed"};
    ith_engine *engine = open_placed(model, distribution, offload);
    char got[65] = "", what[200];

    snprintf(what, sizeof what, "experts: %s %s, offload %d, node: %s",
             is_pack(model) ? "pack" : model, words[distribution], (int)offload, nodes);
    must(strncmp(ith_engine_get_info(engine)->distribution, words[distribution],
                 strlen(words[distribution])) == 0,
         "the weights are distributed so", NULL);
    digest(engine, got);
    if (ith_world_rank(world) == 0) {
        must(strcmp(got, want) == 0, what, NULL);
        printf("ok %s\n", what);
    }
}

/* The ranks as nodes of so many; NULL: as they are. */
static void on_nodes(const char *ranks_per_node, const char *const models_of[2], const char *want)
{
    const char *nodes = ranks_per_node == NULL ? "a machine" : ranks_per_node;
    ith_world *first = begin_nodes(ranks_per_node);

    for (int i = 0; i < 2; i++) {
        compare(models_of[i], ITH_DISTRIBUTION_REPLICATED, ITH_OFFLOAD_DISK, nodes, want);
        compare(models_of[i], ITH_DISTRIBUTION_SHARDED, ITH_OFFLOAD_DISK, nodes, want);
        compare(models_of[i], ITH_DISTRIBUTION_STREAMED, ITH_OFFLOAD_DISK, nodes, want);
        compare(models_of[i], ITH_DISTRIBUTION_STREAMED, ITH_OFFLOAD_RAM, nodes, want);
    }
    end_nodes(first);
}

static void make_pack(const char *source, const char *path)
{
    ith_pack_params params = ith_pack_params_default();
    ith_error err;

    params.model = source;
    params.output = path;
    params.force = true;
    must(ith_world_rank(world) != 0 || ith_pack(&params, NULL, &err) == ITH_OK, "make a pack",
         &err);
}

/* With ITHACA_LONG both models on nodes of 1, and two memory nodes on a machine too. */
static void distributions(const char *source)
{
    const bool all = getenv("ITHACA_LONG") != NULL;
    char want[65] = "", folder[64] = "", pack[80];

    if (ith_world_rank(world) == 0)
        folder_make(folder);
    ith_world_bcast(world, folder, sizeof folder);
    snprintf(pack, sizeof pack, "%s/experts.ith", folder);
    const char *const models_of[2] = {source, pack};
    memset(least, 0, sizeof least);
    make_pack(source, pack);
    digest(open_placed(source, ITH_DISTRIBUTION_REPLICATED, ITH_OFFLOAD_DISK), want);
    on_nodes(NULL, models_of, want);
    if (ith_world_size(world) > 1 && (all || strcmp(source, SYNTHETIC) == 0))
        on_nodes("1", models_of, want);
    if (ith_world_size(world) > 2)
        on_nodes("2", models_of, want);

    /* Each rank's threads beside two memory nodes: the rows of every expert lie in two strips. */
    setenv("ITHACA_TOPOLOGY", "numa:2 core:2 pu:1", 1);
    if (all || ith_world_size(world) <= 2)
        on_nodes(NULL, models_of, want);
    if (ith_world_size(world) > 2)
        on_nodes("2", models_of, want);
    unsetenv("ITHACA_TOPOLOGY");
    if (ith_world_rank(world) == 0)
        folder_remove(folder);
}

int main(void)
{
    if (!open_needle())
        return 1;
    distributions(SYNTHETIC);
    read_ids(GOLDEN "llama-kquants-blocks.json");
    distributions(KQUANTS);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        same_bits(&models[i]);
    ith_world_close(world);
    return 0;
}
