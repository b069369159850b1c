/* RANKS: 1 2
 *
 * test_overflow.c - projections that exceed a float are errors that name the layer and the block,
 * also where a gate, a limit or a norm behind them makes the numbers finite again: on the exact and
 * the quantized path, by tokens and by rows; on one rank for each token alone.
 */
#include "tests/parallel/golden_model.h"

enum { TOKENS = 16 };

/* Of matrices with 64 columns: the first. */
static bool first_column(int64_t i)
{
    return i % 64 == 0;
}

/* Of heads that have 32 rows of queries, then 32 of gates. */
static bool gates(int64_t i)
{
    return first_column(i) && i / 64 % 64 >= 32;
}

/* Of experts with 64 rows of 80 columns. */
static bool first_row(int64_t i)
{
    return i / 80 % 64 == 0;
}

/* Of z among z, x, B, C and dt. */
static bool gate_of_norm(int64_t i)
{
    return first_column(i) && i / 64 < 128;
}

/* Which tokens overflow with the large weights, and with their negatives. */
typedef enum sides {
    EQUAL, /* the same, to the opposite infinity */
    SOME,  /* some in both cases; others in one, as a square overflows sooner */
    SPLIT  /* each in one of them, as a gate of the other sign is 0 */
} sides;

typedef struct overflow {
    const char *model, *tensor;
    bool (*here)(int64_t i);
    float value;
    const char *place;
    sides sides;
} overflow;

static const overflow cases[] = {
    {"qwen3_next", "model.layers.1.self_attn.q_proj.weight", gates, 3e38f,
     "in layer 1, in its attention", EQUAL},
    {"qwen2-moe", "model.layers.2.mlp.shared_expert_gate.weight", first_column, 3e38f,
     "in layer 2, in its shared", EQUAL},
    {"gpt-oss", "model.layers.1.mlp.experts.gate_up_proj", first_row, 3e38f,
     "in layer 1, in its experts", EQUAL},
    {"nemotron", "model.layers.0.mlp.up_proj.weight", first_column, 3e38f, "in layer 0, in its mlp",
     true},
    {"arcee", "model.layers.1.mlp.up_proj.weight", first_column, 3e38f, "in layer 1, in its mlp",
     true},
    {"olmo", "model.layers.0.self_attn.q_proj.weight", first_column, 3e38f,
     "in layer 0, in its attention", EQUAL},
    {"olmo", "model.layers.1.self_attn.k_proj.weight", first_column, 3e38f,
     "in layer 1, in its attention", EQUAL},
    {"olmo", "model.layers.1.self_attn.v_proj.weight", first_column, 3e38f,
     "in layer 1, in its attention", EQUAL},
    {"bamba", "model.layers.2.mamba.in_proj.weight", gate_of_norm, 1e30f,
     "in layer 2, in its mamba", SPLIT},
};

/* Is a prompt of n tokens an error? */
static bool is_broken(ith_engine *engine, const overflow *o, const int32_t *tokens, size_t n)
{
    ith_session *session = must_open_session(engine);
    ith_error err;
    ith_status status = ith_session_prefill(session, tokens, n, &err);

    must(status == ITH_OK || (status == ITH_E_FORMAT && strstr(err.text, o->place) != NULL),
         o->place, &err);
    ith_session_close(session);
    return status != ITH_OK;
}

/* Which tokens, each alone, are errors: a bit for each. Several ranks take them together: one bit
 * for all. */
static uint32_t broken_tokens(ith_engine *engine, const overflow *o)
{
    uint32_t broken = 0;

    if (ith_world_size(world) > 1)
        return is_broken(engine, o, ids, TOKENS) ? 1 : 0;
    for (int i = 0; i < TOKENS; i++)
        broken |= (uint32_t)is_broken(engine, o, ids + i, 1) << i;
    return broken;
}

static bool as_expected(sides expected, uint32_t a, uint32_t b)
{
    const uint32_t all = (1u << TOKENS) - 1;

    if (ith_world_size(world) > 1)
        return a == 1 && b == 1;
    return expected == EQUAL  ? a != 0 && a == b
           : expected == SOME ? (a & b) != 0
                              : (a ^ b) == all && a != 0 && b != 0;
}

static void check(const overflow *o, ith_quant quant, bool exact, ith_prefill way)
{
    uint32_t broken[2];

    for (int i = 0; i < 2; i++) {
        const weights_change change = {o->tensor, o->here, i == 0 ? o->value : -o->value};
        ith_engine_params params = ith_engine_params_default();
        json_t *golden = must_read_golden(o->model);
        char folder[300];
        ith_engine *engine;

        must_write_model(golden, "overflow", &change, folder);
        json_decref(golden);
        params.model = folder;
        params.quant = quant;
        params.exact = exact;
        params.kv = ITH_KV_BF16; /* no constants of keys to measure as it opens */
        params.prefill = way;
        params.threads = 1;
        engine = must_open(&params);
        broken[i] = broken_tokens(engine, o);
        ith_engine_close(engine);
    }
    if (!as_expected(o->sides, broken[0], broken[1]))
        printf("# %s, %s: broken tokens %x and %x\n", o->model, o->tensor, broken[0], broken[1]);
    must(as_expected(o->sides, broken[0], broken[1]), o->tensor, NULL);
}

int main(void)
{
    ith_error err;

    if (ith_world_open(&world, &err) != ITH_OK) {
        printf("not ok world: %s\n", err.text);
        return 1;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check(&cases[i], ITH_QUANT_BF16, false, ITH_PREFILL_ULYSSES);
        if (ith_world_size(world) == 1)
            check(&cases[i], ITH_QUANT_F32, true, ITH_PREFILL_ULYSSES);
        else
            check(&cases[i], ITH_QUANT_BF16, false, ITH_PREFILL_ROWS);
        if (ith_world_rank(world) == 0)
            printf("ok overflow of %s in %s\n", cases[i].tensor, cases[i].model);
    }
    ith_world_close(world);
    return 0;
}
