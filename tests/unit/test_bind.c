/* test_bind.c - the tensors from which a layer with experts takes its matrices, one per expert or
 * stacked, and what is rejected. */
#include "model/blocks/experts.h"
#include "tests/model_files.h"
#include "weights/produce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { HIDDEN = 32, FFN = 16, EXPERTS = 3, VOCABULARY = 8 };

static const char config[] =
    "{\"model_type\": \"qwen3_moe\", \"hidden_size\": 32, \"intermediate_size\": 48, "
    "\"num_hidden_layers\": 1,"
    " \"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"head_dim\": 16, \"vocab_size\": 8, "
    "\"num_experts\": 3,"
    " \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 16, \"tie_word_embeddings\": true}";

/* ---- Files ---- */

/* Writes a safetensors file of F32 tensors. */
typedef struct writer {
    buffer header, data;
} writer;

/* A tensor of n numbers that count up from `first`; shape as JSON. */
static void add(writer *w, const char *name, const char *shape, int n, float first)
{
    char text[300];
    int len = snprintf(
        text, sizeof text, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
        w->header.n == 0 ? "{" : ",", name, shape, w->data.n, w->data.n + (size_t)n * sizeof first);
    put(&w->header, text, (size_t)len);
    for (int i = 0; i < n; i++, first += 1)
        put(&w->data, &first, sizeof first);
}

static void finish(writer *w, const char *folder)
{
    buffer file = {0};
    put(&w->header, "}", 2);
    put_text(&file, (const char *)w->header.data);
    put(&file, w->data.data, w->data.n);
    folder_write_buffer(folder, "model.safetensors", file);
    folder_write_text(folder, "config.json", config);
    free(w->header.data);
    free(w->data.data);
}

/* All but the experts. */
static writer begin(void)
{
    writer w = {0};
    add(&w, "model.embed_tokens.weight", "[8,32]", VOCABULARY * HIDDEN, 0);
    add(&w, "model.norm.weight", "[32]", HIDDEN, 0);
    add(&w, "model.layers.0.input_layernorm.weight", "[32]", HIDDEN, 0);
    add(&w, "model.layers.0.post_attention_layernorm.weight", "[32]", HIDDEN, 0);
    add(&w, "model.layers.0.self_attn.q_proj.weight", "[32,32]", 32 * HIDDEN, 0);
    add(&w, "model.layers.0.self_attn.k_proj.weight", "[16,32]", 16 * HIDDEN, 0);
    add(&w, "model.layers.0.self_attn.v_proj.weight", "[16,32]", 16 * HIDDEN, 0);
    add(&w, "model.layers.0.self_attn.o_proj.weight", "[32,32]", 32 * HIDDEN, 0);
    add(&w, "model.layers.0.self_attn.q_norm.weight", "[16]", 16, 0);
    add(&w, "model.layers.0.self_attn.k_norm.weight", "[16]", 16, 0);
    add(&w, "model.layers.0.mlp.gate.weight", "[3,32]", EXPERTS * HIDDEN, 0);
    return w;
}

static void add_expert(writer *w, int e, const char *gate_shape, int gate_size)
{
    static const char *const parts[] = {"gate_proj", "up_proj", "down_proj"};
    char name[100];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "model.layers.0.mlp.experts.%d.%s.weight", e, parts[i]);
        /* as they lie in the stack below, down behind all gates and ups */
        float first = (float)(i < 2 ? (2 * e + i) * FFN * HIDDEN : 100000 + e * FFN * HIDDEN);
        add(w, name,
            i == 0   ? gate_shape
            : i == 1 ? "[16,32]"
                     : "[32,16]",
            i == 0 ? gate_size : FFN * HIDDEN, first);
    }
}

/* ---- Models ---- */

typedef struct bound {
    char folder[64];
    ith_source *source;
    ith_load_plan plan;
    ith_model *model;
} bound;

static ith_status open_files(writer *w, bound *b, ith_error *err)
{
    *b = (bound){0};
    folder_make(b->folder);
    finish(w, b->folder);
    ITH_TRY(ith_source_open(b->folder, 0, &b->source, err));
    return ith_model_open(b->source, &b->plan, ITH_QUANT_F32, false, &b->model, err);
}

static void close_files(bound *b)
{
    ith_model_close(b->model);
    ith_load_plan_free(&b->plan);
    ith_source_close(b->source);
    folder_remove(b->folder);
}

static const ith_experts *experts_of(const ith_model *model)
{
    return model->layers[0].sub[1].block.weights;
}

/* Every row of every expert's matrices is what add_expert gives it. */
static void check_rows(const bound *b)
{
    ith_producer p;
    _Alignas(64) static float tile[ITH_TILE_ROWS * HIDDEN];
    ith_error err = {0};

    assert_int_equal(ith_producer_open(&b->plan, ITH_CACHED, &p, &err), ITH_OK);
    for (int e = 0; e < EXPERTS; e++) {
        const ith_ffn *f = &experts_of(b->model)->ffn[e];
        const ith_matrix *const parts[] = {f->gate, f->up, f->down};
        for (int i = 0; i < 3; i++)
            for (int64_t t = 0; t < parts[i]->n_tiles; t++) {
                assert_int_equal(
                    ith_produce(&p, ith_load_plan_entry(&b->plan, parts[i]), t, 1, tile, &err),
                    ITH_OK);
                for (int64_t r = 0; r < ITH_TILE_ROWS; r++)
                    for (int64_t k = 0; k < parts[i]->cols; k++) {
                        int64_t at = (t * ITH_TILE_ROWS + r) * parts[i]->cols + k;
                        int64_t first =
                            i < 2 ? (2 * e + i) * FFN * HIDDEN : 100000 + e * FFN * HIDDEN;
                        assert_true(tile[ITH_TILE_ROWS * k + r] == (float)(first + at));
                    }
            }
    }
    ith_producer_close(&p);
}

static void expect_good(writer *w)
{
    bound b;
    ith_error err = {0};

    if (open_files(w, &b, &err) != ITH_OK)
        fail_msg("%s", err.text);
    check_rows(&b);
    assert_string_equal(experts_of(b.model)->ffn[2].up->name,
                        "model.layers.0.mlp.experts.2.up_proj.weight");
    close_files(&b);
}

static void expect_bad(writer *w, ith_status status, const char *text)
{
    bound b;
    ith_error err = {0};
    ith_status got = open_files(w, &b, &err);

    if (got != status || strstr(err.text, text) == NULL)
        fail_msg("status %d, \"%s\" instead of %d, \"%s\"", got, err.text, status, text);
    close_files(&b);
}

static void experts_one_by_one(void **state)
{
    writer w = begin();
    (void)state;
    for (int e = 0; e < EXPERTS; e++)
        add_expert(&w, e, "[16,32]", FFN * HIDDEN);
    expect_good(&w);
}

static void experts_in_stacks(void **state)
{
    writer w = begin();
    (void)state;
    add(&w, "model.layers.0.mlp.experts.gate_up_proj", "[3,32,32]", EXPERTS * 2 * FFN * HIDDEN, 0);
    add(&w, "model.layers.0.mlp.experts.down_proj", "[3,32,16]", EXPERTS * FFN * HIDDEN, 100000);
    expect_good(&w);
}

static void what_does_not_fit_is_named(void **state)
{
    static const char *const shapes[] = {"[2,32,32]", "[3,16,64]", "[96,32]", "[1,3,32,32]"};
    writer w = begin();
    (void)state;
    for (int e = 0; e < EXPERTS - 1; e++)
        add_expert(&w, e, "[16,32]", FFN * HIDDEN);
    expect_bad(&w, ITH_E_FORMAT, "model.layers.0.mlp.experts.2.gate_proj.weight is missing");
    w = begin();
    for (int e = 0; e < EXPERTS; e++)
        add_expert(&w, e, e == 1 ? "[32,16]" : "[16,32]", FFN * HIDDEN);
    expect_bad(&w, ITH_E_FORMAT,
               "experts.1.gate_proj.weight has shape [32, 16], expected [16, 32]");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        w = begin();
        add(&w, "model.layers.0.mlp.experts.gate_up_proj", shapes[i],
            (i == 0 ? 2 : 3) * 2 * FFN * HIDDEN, 0);
        expect_bad(&w, ITH_E_FORMAT, "experts.gate_up_proj should have shape [3, 32, 32]");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(experts_one_by_one),
        cmocka_unit_test(experts_in_stacks),
        cmocka_unit_test(what_does_not_fit_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
