/* RANKS: 1 3 4, long: 2
 *
 * test_architectures.c - every architecture of tests/golden/architectures against Hugging Face
 * Transformers, with weights from a generator (tests/golden/weights.h).
 *
 * On the exact path every nll and the greedy tokens are compared. On the quantized path the logits
 * after the tokens have the digest in the golden file: for any number of ranks and threads, any
 * chunk, scored, prefilled or decoded, from the folder or from a pack, and, where one rank runs it
 * again at every level of the kernels (tests/golden/architectures.sh), for any instruction set.
 * Four ranks run those whose layers are unlike in KV heads, which they share out in two ways.
 */
#include "tests/parallel/golden_model.h"

#include <dirent.h>
#include <math.h>

#define GOLDEN      "tests/golden/architectures"
#define NLL_EXACT   2e-4
#define MEAN_NLL_Q8 0.1

enum { TOKENS_MOST = 256, NAMES_MOST = 128, DECODED_HERE = 17 };

typedef struct golden {
    char name[64], folder[300];
    json_t *root;
    float nll[TOKENS_MOST];
    size_t prefix;
} golden;

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The names of the golden files, sorted. */
static size_t list_names(char names[NAMES_MOST][64])
{
    DIR *dir = opendir(GOLDEN);
    const struct dirent *entry;
    size_t n = 0;

    must(dir != NULL, "open " GOLDEN, NULL);
    while ((entry = readdir(dir)) != NULL) {
        must(n < NAMES_MOST, "room for the names of all golden files", NULL);
        size_t len = strlen(entry->d_name);
        if (len > 5 && len < 64 && strcmp(entry->d_name + len - 5, ".json") == 0)
            snprintf(names[n++], 64, "%.*s", (int)len - 5, entry->d_name);
    }
    closedir(dir);
    qsort(names, n, sizeof *names, compare_names);
    return n;
}

static golden golden_open(const char *name)
{
    golden g = {.root = must_read_golden(name)};
    char folder[300];
    const json_t *list;

    must(n_ids <= TOKENS_MOST, "the number of ids", NULL);
    snprintf(g.name, sizeof g.name, "%s", name);
    snprintf(folder, sizeof folder, "%s/architectures", build_folder());
    mkdir(folder, 0700);
    list = json_object_get(g.root, "nll");
    must(json_array_size(list) == n_ids - 1, "a score for each id but the first", NULL);
    for (size_t i = 0; i + 1 < n_ids; i++)
        g.nll[i] = (float)json_number_value(json_array_get(list, i));
    g.prefix = (size_t)json_integer_value(json_object_get(g.root, "greedy_prefix"));
    snprintf(folder, sizeof folder, "architectures/%s", name);
    must_write_model(g.root, folder, NULL, g.folder);
    return g;
}

static void check_nll(const golden *g, const float *nll, bool exact)
{
    double worst = 0, mean = 0;

    for (size_t i = 0; i + 1 < n_ids; i++) {
        worst = fmax(worst, fabs((double)nll[i] - (double)g->nll[i]));
        mean += ((double)nll[i] - (double)g->nll[i]) / (double)(n_ids - 1);
    }
    printf("# %s %s: largest nll difference %.2g, mean %.2g\n", g->name,
           exact ? "exact" : "quantized", worst, mean);
    must(exact ? worst <= NLL_EXACT : fabs(mean) <= MEAN_NLL_Q8, g->name, NULL);
}

static void score(ith_engine *engine, const golden *g, bool exact, const char *way)
{
    ith_session *session = must_open_session(engine);
    float nll[TOKENS_MOST];
    ith_error err;

    must(ith_session_score(session, ids, n_ids, nll, &err) == ITH_OK, "score", &err);
    if (ith_world_rank(world) == 0)
        check_nll(g, nll, exact);
    if (!exact)
        must_have_sha(session, json_string_value(json_object_get(g->root, "sha256")), g->name, way);
    ith_session_close(session);
}

static void greedy(ith_engine *engine, const golden *g)
{
    const json_t *wanted = json_object_get(g->root, "greedy_ids");
    ith_generate_params params = {.max_tokens = (int64_t)json_array_size(wanted),
                                  .ignore_eos = true,
                                  .sampling = {.top_p = 1, .repeat_penalty = 1}};
    ith_session *session = session_after(engine, ids, g->prefix, 0);
    ith_generation answer;
    ith_error err;

    must(ith_generate(session, &params, &answer, &err) == ITH_OK, "generate", &err);
    for (size_t i = 0; ith_world_rank(world) == 0 && i < json_array_size(wanted); i++)
        must(i < answer.n_ids && answer.ids[i] == json_integer_value(json_array_get(wanted, i)),
             g->name, NULL);
    ith_generation_free(&answer);
    ith_session_close(session);
}

static void decode(ith_engine *engine, const golden *g)
{
    ith_session *session = session_after(engine, ids, n_ids, DECODED_HERE);
    must_have_sha(session, json_string_value(json_object_get(g->root, "sha256")), g->name,
                  "decoded token by token");
    ith_session_close(session);
}

static void run_quantized(const golden *g, const char *model, int threads, int64_t chunk)
{
    ith_engine_params params = ith_engine_params_default();
    ith_engine *engine;

    params.model = model;
    params.threads = threads;
    params.chunk = chunk;
    params.quant = ITH_QUANT_W8;
    engine = must_open(&params);
    score(engine, g, false, model == g->folder ? "scored" : "scored from a pack");
    decode(engine, g);
    ith_engine_close(engine);
}

static void run_exact(const golden *g)
{
    ith_engine_params params = ith_engine_params_default();
    ith_engine *engine;

    params.model = g->folder;
    params.threads = 1;
    params.chunk = 96;
    params.exact = true;
    engine = must_open(&params);
    score(engine, g, true, NULL);
    greedy(engine, g);
    ith_engine_close(engine);
}

static void run_pack(const golden *g)
{
    ith_pack_params params = ith_pack_params_default();
    char pack[320], *json = NULL;
    ith_error err;

    snprintf(pack, sizeof pack, "%s/model.ith", g->folder);
    params.model = g->folder;
    params.output = pack;
    params.quant = ITH_QUANT_W8;
    params.threads = 2;
    params.force = true;
    must(ith_pack(&params, &json, &err) == ITH_OK, "pack", &err);
    free(json);
    run_quantized(g, pack, 2, 100);
    unlink(pack);
}

static bool has_unlike_heads(const golden *g)
{
    const json_t *config = json_object_get(g->root, "config");
    return json_is_integer(json_object_get(config, "num_global_key_value_heads"));
}

static void run(const char *name)
{
    golden g = golden_open(name);
    bool levels = getenv("ITHACA_SIMD") != NULL;

    if (ith_world_size(world) == 4 && !has_unlike_heads(&g)) {
        json_decref(g.root);
        return;
    }
    if (!levels)
        run_exact(&g);
    run_quantized(&g, g.folder, 1, 37);
    if (!levels)
        run_quantized(&g, g.folder, 2, 512);
    if (!levels && ith_world_size(world) == 1)
        run_pack(&g);
    json_decref(g.root);
    if (ith_world_rank(world) == 0)
        printf("ok architecture %s\n", name);
}

/* Arguments: the names of some golden files; none: all. */
int main(int argc, char **argv)
{
    char names[NAMES_MOST][64];
    ith_error err;
    size_t n;

    if (ith_world_open(&world, &err) != ITH_OK) {
        printf("not ok world: %s\n", err.text);
        return 1;
    }
    n = list_names(names);
    must(n > 20, "there are golden files", NULL);
    for (size_t i = 0; argc == 1 && i < n; i++)
        run(names[i]);
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    ith_world_close(world);
    return 0;
}
