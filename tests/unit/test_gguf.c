/* test_gguf.c - GGUF files in memory: what is read, and what is rejected. */
#include "tests/model_files.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Closes *w's file as a source and checks status and part of the text. */
static void expect(gguf_writer *w, ith_status status, const char *text)
{
    buffer b = gguf_finish(w);
    memory_source m;
    ith_error err = {0};
    ith_status got = memory_gguf(&m, b.data, b.n, 0, &err);

    if (got != status || strstr(err.text, text) == NULL)
        fail_msg("status %d, \"%s\" instead of %d, \"%s\"", got, err.text, status, text);
    memory_source_close(&m);
    free(b.data);
}

static memory_source open_writer(gguf_writer *w)
{
    buffer b = gguf_finish(w);
    memory_source m;
    ith_error err = {0};
    if (memory_gguf(&m, b.data, b.n, 0, &err) != ITH_OK)
        fail_msg("%s", err.text);
    free(b.data);
    return m;
}

/* ---- Good files ---- */

static void check_small(const ith_source *s)
{
    const ith_hparams *hp = ith_source_hparams(s);
    assert_string_equal(hp->architecture, "llama");
    assert_string_equal(hp->name, "small");
    assert_int_equal(hp->n_layers, 1);
    assert_int_equal(hp->hidden, 64);
    assert_int_equal(hp->ffn, 96);
    assert_int_equal(hp->n_heads, 4);
    assert_int_equal(hp->n_kv_heads, 2);
    assert_int_equal(hp->head_dim, 16);
    assert_int_equal(hp->n_vocab, 5);
    assert_int_equal(hp->ctx_train, 2048);
    assert_true(hp->rms_eps == 0.5 && hp->rope.theta == 500000.0);
    assert_int_equal(hp->rope.kind, ITH_ROPE_PLAIN);
    assert_true(hp->tied_embeddings);
    assert_int_equal(hp->bos, 1);
    assert_int_equal(hp->n_eos, 2); /* the file's, then the other known by its text */
    assert_int_equal(hp->eos[0], 2);
    assert_int_equal(hp->eos[1], 1);
    assert_false(hp->has_sampling);
}

static void a_small_file_is_read(void **state)
{
    buffer b = gguf_small();
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        memory_source m;
        ith_error err = {0};
        const ith_tensor *t;
        memcpy(b.data + 4, &version, sizeof version);
        assert_int_equal(memory_gguf(&m, b.data, b.n, 0, &err), ITH_OK);
        check_small(&m.source);
        assert_int_equal(ith_source_n_tensors(&m.source), 3);
        t = ith_source_find(&m.source, "token_embd.weight");
        assert_int_equal(t->dtype, ITH_DT_Q8_0);
        assert_int_equal(t->n_dims, 2);
        assert_int_equal(t->dims[0], 5); /* GGUF says 64, 5 */
        assert_int_equal(t->dims[1], 64);
        assert_int_equal(t->bytes, 340);
        assert_int_equal(t->data[0], 1);
        t = ith_source_find(&m.source, "blk.0.attn_q.weight");
        assert_int_equal(t->data[0], 3);
        assert_int_equal((t->data - ith_source_tensor(&m.source, 0)->data) % 32, 0);
        source_touch(&m.source);
        memory_source_close(&m);
    }
    free(b.data);
}

static void the_vocabulary_is_read(void **state)
{
    buffer b = gguf_small();
    memory_source m;
    const ith_gguf_vocab *v;
    (void)state;
    assert_int_equal(memory_gguf(&m, b.data, b.n, 0, NULL), ITH_OK);
    v = ith_source_gguf_vocab(&m.source);
    assert_true(ith_bytes_equal(v->model, "gpt2") && ith_bytes_equal(v->pre, "smollm"));
    assert_int_equal(v->n_tokens, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(ith_bytes_equal(v->tokens[i], small_tokens[i]));
    assert_int_equal(v->n_merges, 1);
    assert_true(ith_bytes_equal(v->merges[0], "a b"));
    assert_int_equal(v->types[0], 2);
    assert_int_equal(v->types[4], 1);
    assert_int_equal(v->bos, 1);
    assert_int_equal(v->eos, 2);
    assert_false(v->add_bos);
    assert_int_equal(v->n_templates, 0);
    assert_int_equal(v->pad, -1);
    assert_false(v->add_eos);
    assert_true(v->add_space_prefix);
    assert_int_equal(v->unk, -1);
    memory_source_close(&m);
    free(b.data);
}

/* A name of more than 100 characters. */
#define LONG_TEMPLATE                                                                              \
    "tokenizer.chat_template.with_tools_and_documents_and_everything_else_that_one_could_ever_"    \
    "want_to_say_in_a_name_of_a_template"

static void optional_keys_count(void **state)
{
    gguf_writer w = gguf_small_pairs();
    memory_source m;
    const ith_hparams *hp;
    const ith_gguf_vocab *v;
    uint64_t wide = 64;
    (void)state;
    gguf_pair(&w, "llama.attention.key_length", ITH_GGUF_U64, &wide, sizeof wide);
    gguf_u32(&w, "llama.rope.dimension_count", 64);
    gguf_text(&w, "tokenizer.chat_template", "{{ messages }}");
    gguf_text(&w, "tokenizer.chat_template.tool_use", "{{ tools }}");
    gguf_text(&w, LONG_TEMPLATE, "{{ long }}");
    gguf_text(&w, "tokenizer.chat_templates", "not one");
    gguf_u32(&w, "tokenizer.ggml.padding_token_id", 3);
    gguf_bool(&w, "tokenizer.ggml.add_bos_token", 1);
    gguf_bool(&w, "tokenizer.ggml.add_eos_token", 1);
    gguf_bool(&w, "tokenizer.ggml.add_space_prefix", 0);
    gguf_u32(&w, "tokenizer.ggml.unknown_token_id", 2);
    gguf_u32(&w, "tokenizer.ggml.eot_token_id", 4);
    gguf_f32(&w, "general.sampling.temp", 0.5f);
    gguf_u32(&w, "general.sampling.top_k", 20);
    gguf_small_tensors(&w);
    gguf_tensor(&w, "output.weight", 1, 2, (uint64_t[]){64, 5}, 640, 0);
    gguf_tensor(&w, "rope_freqs.weight", 0, 1, (uint64_t[]){32}, 128, 0);
    m = open_writer(&w);
    hp = ith_source_hparams(&m.source);
    assert_int_equal(hp->head_dim, 64);
    assert_false(hp->tied_embeddings);
    assert_int_equal(hp->n_eos, 3);
    assert_int_equal(hp->eos[1], 4);
    assert_true(hp->has_sampling && hp->temperature == 0.5 && hp->top_k == 20);
    assert_true(ith_source_gguf_vocab(&m.source)->add_bos);
    v = ith_source_gguf_vocab(&m.source);
    assert_true(v->add_eos);
    assert_false(v->add_space_prefix);
    assert_int_equal(v->unk, 2);
    assert_int_equal(v->pad, 3);
    assert_int_equal(v->n_templates, 3);
    assert_true(ith_bytes_equal(v->templates[0].name, "default"));
    assert_true(ith_bytes_equal(v->templates[0].source, "{{ messages }}"));
    assert_true(ith_bytes_equal(v->templates[1].name, "tool_use"));
    assert_true(ith_bytes_equal(v->templates[1].source, "{{ tools }}"));
    assert_true(ith_bytes_equal(v->templates[2].source, "{{ long }}"));
    assert_non_null(ith_source_find(&m.source, "rope_freqs.weight"));
    memory_source_close(&m);
}

static void rope_scaling_is_read(void **state)
{
    gguf_writer w = gguf_small_pairs();
    memory_source m;
    const ith_rope_params *rope;
    (void)state;
    gguf_text(&w, "llama.rope.scaling.type", "yarn");
    gguf_f32(&w, "llama.rope.scaling.factor", 4.0f);
    gguf_u32(&w, "llama.rope.scaling.original_context_length", 1024);
    gguf_f32(&w, "llama.rope.scaling.attn_factor", 0.5f);
    gguf_f32(&w, "llama.rope.scaling.yarn_beta_fast", 16.0f);
    gguf_small_tensors(&w);
    m = open_writer(&w);
    rope = &ith_source_hparams(&m.source)->rope;
    assert_int_equal(rope->kind, ITH_ROPE_YARN);
    assert_true(rope->factor == 4.0 && rope->beta_fast == 16.0 && rope->beta_slow == 1.0 &&
                rope->truncate);
    assert_int_equal(rope->original_context, 1024);
    assert_true(fabs(rope->attention_factor - 0.5 * (0.1 * log(4.0) + 1)) < 1e-12);
    assert_int_equal(ith_source_hparams(&m.source)->ctx_train, 4096);
    memory_source_close(&m);

    w = gguf_small_pairs(); /* what config.json has in place of 0.1 ln(factor) + 1 */
    gguf_text(&w, "llama.rope.scaling.type", "yarn");
    gguf_f32(&w, "llama.rope.scaling.factor", 4.0f);
    gguf_f32(&w, "llama.rope.scaling.yarn_attn_factor", 1.25f);
    gguf_small_tensors(&w);
    m = open_writer(&w);
    assert_true(ith_source_hparams(&m.source)->rope.attention_factor == 1.25);
    memory_source_close(&m);

    w = gguf_small_pairs();
    gguf_f32(&w, "llama.rope.scale_linear", 2.0f);
    gguf_small_tensors(&w);
    m = open_writer(&w);
    assert_int_equal(ith_source_hparams(&m.source)->rope.kind, ITH_ROPE_LINEAR);
    assert_true(ith_source_hparams(&m.source)->rope.factor == 2.0);
    memory_source_close(&m);
}

static void other_alignments_are_followed(void **state)
{
    gguf_writer w = gguf_small_pairs();
    memory_source m;
    (void)state;
    w.alignment = 256;
    gguf_u32(&w, "general.alignment", 256);
    gguf_small_tensors(&w);
    m = open_writer(&w);
    assert_int_equal(ith_source_find(&m.source, "output_norm.weight")->data[0], 2);
    assert_int_equal((ith_source_tensor(&m.source, 0)->data - m.file.data) % 256, 0);
    memory_source_close(&m);
}

static void arrays_in_arrays_are_skipped(void **state)
{
    gguf_writer w = gguf_small_pairs();
    memory_source m;
    (void)state;
    gguf_array(&w, "other.nested", ITH_GGUF_ARRAY, 2);
    put_u32(&w.pairs, ITH_GGUF_U8);
    put_u64(&w.pairs, 3);
    put(&w.pairs, "xyz", 3);
    put_u32(&w.pairs, ITH_GGUF_STRING);
    put_u64(&w.pairs, 1);
    put_text(&w.pairs, "text");
    gguf_small_tensors(&w);
    m = open_writer(&w);
    check_small(&m.source);
    memory_source_close(&m);
}

static void a_vocabulary_alone_is_enough_for_the_tokenizer(void **state)
{
    gguf_writer w = {.version = 3, .alignment = 32};
    buffer b;
    memory_source m;
    (void)state;
    gguf_text(&w, "general.architecture", "unheard-of");
    gguf_text(&w, "tokenizer.ggml.model", "gpt2");
    gguf_texts(&w, "tokenizer.ggml.tokens", small_tokens, 5);
    b = gguf_finish(&w);
    assert_int_equal(memory_gguf(&m, b.data, b.n, ITH_SOURCE_TOKENIZER_ONLY, NULL), ITH_OK);
    assert_int_equal(ith_source_gguf_vocab(&m.source)->n_tokens, 5);
    assert_int_equal(ith_source_hparams(&m.source)->n_eos, 2);
    memory_source_close(&m);
    free(b.data);
}

/* ---- Damage ---- */

static void every_truncation_is_an_error(void **state)
{
    buffer b = gguf_small();
    (void)state;
    for (size_t n = 0; n < b.n; n++) {
        memory_source m;
        ith_error err = {0};
        if (memory_gguf(&m, b.data, n, 0, &err) != ITH_E_FORMAT ||
            strstr(err.text, "memory.gguf") == NULL)
            fail_msg("cut to %zu bytes: \"%s\"", n, err.text);
        memory_source_close(&m);
    }
    free(b.data);
}

static void headers_of_other_kinds_are_refused(void **state)
{
    static const struct {
        uint32_t version;
        ith_status status;
        const char *text;
    } cases[] = {{1, ITH_E_UNSUPPORTED, "GGUF version 1"},
                 {4, ITH_E_UNSUPPORTED, "GGUF version 4"},
                 {0, ITH_E_UNSUPPORTED, "GGUF version 0"},
                 {0x03000000, ITH_E_UNSUPPORTED, "big-endian"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gguf_writer w = gguf_small_pairs();
        w.version = cases[i].version;
        gguf_small_tensors(&w);
        expect(&w, cases[i].status, cases[i].text);
    }
}

static void hostile_counts_are_refused(void **state)
{
    static const uint64_t counts[] = {UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX / 14, 100000};
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        gguf_writer w = gguf_small_pairs();
        gguf_small_tensors(&w);
        w.n_tensors = counts[i];
        expect(&w, ITH_E_FORMAT, "tensors described");
        w = gguf_small_pairs();
        w.n_pairs = counts[i];
        expect(&w, ITH_E_FORMAT, "metadata pairs");
        w = gguf_small_pairs();
        gguf_array(&w, "x", ITH_GGUF_STRING, counts[i]);
        expect(&w, ITH_E_FORMAT, "items where");
        w = gguf_small_pairs();
        gguf_array(&w, "x", ITH_GGUF_F64, counts[i]);
        expect(&w, ITH_E_FORMAT, "items where");
        w = gguf_small_pairs();
        gguf_pair(&w, "x", ITH_GGUF_STRING, &counts[i], 8);
        expect(&w, ITH_E_FORMAT, "truncated or damaged");
    }
}

static void damaged_pairs_are_refused(void **state)
{
    gguf_writer w = gguf_small_pairs();
    (void)state;
    gguf_u32(&w, "llama.block_count", 1);
    expect(&w, ITH_E_FORMAT, "llama.block_count occurs twice");
    w = gguf_small_pairs();
    gguf_pair(&w, "x", 13, "", 1);
    expect(&w, ITH_E_FORMAT, "a value of type 13");
    w = gguf_small_pairs();
    gguf_array(&w, "x", 77, 1);
    expect(&w, ITH_E_FORMAT, "an array of type 77");
    w = gguf_small_pairs();
    gguf_u32(&w, "", 1);
    expect(&w, ITH_E_FORMAT, "a key of 0 bytes");
    w = gguf_small_pairs();
    gguf_u32(&w, "a\033[2J", 1);
    expect(&w, ITH_E_FORMAT, "not printable");
    w = gguf_small_pairs();
    gguf_array(&w, "x", ITH_GGUF_ARRAY, 1);
    for (int i = 0; i < 1000; i++) {
        put_u32(&w.pairs, ITH_GGUF_ARRAY);
        put_u64(&w.pairs, 1);
    }
    expect(&w, ITH_E_FORMAT, "deep");
}

static void damaged_tensors_are_refused(void **state)
{
    static const struct {
        const char *name;
        uint32_t type, n_dims;
        uint64_t ne[5], offset;
        ith_status status;
        const char *text;
    } cases[] = {
        {"w", 0, 0, {0}, 0, ITH_E_FORMAT, "0 dimensions"},
        {"w", 0, 5, {1, 1, 1, 1, 1}, 0, ITH_E_FORMAT, "5 dimensions"},
        {"w", 0, 2, {UINT64_C(1) << 63, 1}, 0, ITH_E_FORMAT, "overflow"},
        {"w", 0, 2, {UINT64_C(1) << 32, UINT64_C(1) << 32}, 0, ITH_E_FORMAT, "overflow"},
        {"w", 0, 2, {UINT64_C(1) << 62, 1}, 0, ITH_E_FORMAT, "overflow"},
        {"w", 0, 2, {UINT64_C(1) << 61, 1}, 0, ITH_E_FORMAT, "overflow"},
        {"w",
         0,
         4,
         {UINT64_C(1) << 16, UINT64_C(1) << 16, UINT64_C(1) << 16, UINT64_C(1) << 16},
         0,
         ITH_E_FORMAT,
         "overflow"},
        {"w", 8, 2, {48, 2}, 0, ITH_E_FORMAT, "not a whole number of Q8_0 blocks"},
        {"w", 0, 1, {1}, 4, ITH_E_FORMAT, "not a multiple of the alignment 32"},
        {"w", 0, 1, {1}, UINT64_C(1) << 40, ITH_E_FORMAT, "truncated or damaged: tensor w"},
        {"w", 0, 1, {1}, UINT64_MAX - 31, ITH_E_FORMAT, "truncated or damaged: tensor w"},
        {"w", 0, 1, {UINT64_C(1) << 40}, 0, ITH_E_FORMAT, "truncated or damaged: tensor w"},
        {"w", 0, 1, {1}, 0, ITH_E_FORMAT, "overlap"},
        {"output_norm.weight",
         0,
         1,
         {0},
         0,
         ITH_E_FORMAT,
         "tensor output_norm.weight occurs twice"},
        {"", 0, 1, {1}, 0, ITH_E_FORMAT, "a tensor name of 0 bytes"},
        {"w\n", 0, 1, {1}, 0, ITH_E_FORMAT, "not printable"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gguf_writer w = gguf_small_pairs();
        gguf_small_tensors(&w);
        gguf_tensor_at(&w, cases[i].name, cases[i].type, cases[i].n_dims, cases[i].ne,
                       cases[i].offset);
        expect(&w, cases[i].status, cases[i].text);
    }
}

/* Types that Ithaca does not read are refused when something binds the tensor. */
static void unread_types_are_listed(void **state)
{
    static const struct {
        uint32_t type;
        const char *name;
        bool integers;
    } cases[] = {{18, "IQ3_XXS", false},
                 {16, "IQ2_XXS", false},
                 {27, "I64", true},
                 {28, "F64", false},
                 {99, "number 99", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gguf_writer w = gguf_small_pairs();
        ith_error err = {0};
        gguf_small_tensors(&w);
        gguf_tensor(&w, "w", cases[i].type, 2, (uint64_t[]){256, 1}, 144, 1);
        memory_source m = open_writer(&w);
        const ith_tensor *t = ith_source_find(&m.source, "w");
        assert_true(t->dtype == ITH_DT_UNREAD && t->n_dims == 2 && t->dims[1] == 256);
        assert_string_equal(t->unread, cases[i].name);
        assert_int_equal(ith_tensor_is_integers(t), cases[i].integers);
        assert_int_equal(ith_tensor_check_read(t, &err), ITH_E_UNSUPPORTED);
        assert_non_null(strstr(err.text, "tensor w has type"));
        memory_source_close(&m);
    }
}

static void bad_alignments_are_refused(void **state)
{
    static const uint32_t bad[] = {0, 3, 48, 1u << 31, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gguf_writer w = gguf_small_pairs();
        gguf_u32(&w, "general.alignment", bad[i]);
        gguf_small_tensors(&w);
        expect(&w, ITH_E_FORMAT, "general.alignment");
    }
}

/* ---- Contradictions and what Ithaca does not do ---- */

static void unsupported_settings_are_named(void **state)
{
    static const struct {
        const char *key;
        uint32_t value;
    } cases[] = {{"llama.attention.sliding_window", 512},
                 {"llama.attention.value_length", 8},
                 {"llama.rope.dimension_count", 8},
                 {"llama.logit_scale", 2},
                 {"llama.attention.causal_window", 7}}; /* made up: nobody knows it */
    gguf_writer w;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        w = gguf_small_pairs();
        gguf_u32(&w, cases[i].key, cases[i].value);
        gguf_small_tensors(&w);
        expect(&w, ITH_E_UNSUPPORTED, cases[i].key);
    }
    w = gguf_small_pairs();
    gguf_u32(&w, "llama.expert_count", 8);
    gguf_small_tensors(&w);
    expect(&w, ITH_E_FORMAT, "llama.expert_used_count is missing");
    w = gguf_small_pairs();
    gguf_bool(&w, "llama.attention.causal", 0);
    gguf_small_tensors(&w);
    expect(&w, ITH_E_UNSUPPORTED, "llama.attention.causal");
    w = gguf_small_pairs();
    gguf_text(&w, "llama.norm_kind", "layer");
    gguf_small_tensors(&w);
    expect(&w, ITH_E_UNSUPPORTED, "llama.norm_kind");
    w = gguf_small_pairs();
    gguf_text(&w, "llama.rope.scaling.type", "longrope");
    gguf_small_tensors(&w);
    expect(&w, ITH_E_UNSUPPORTED, "llama.rope.scaling.type");
    w = (gguf_writer){.version = 3, .alignment = 32};
    gguf_text(&w, "general.architecture", "mamba");
    gguf_small_tensors(&w);
    expect(&w, ITH_E_UNSUPPORTED,
           "\"mamba\" is not supported; Ithaca knows: arcee, bailingmoe2, bamba, ");
}

/* Gemma 4 with a window layer of 4 KV heads and a full one of `full_kv`, the first `turning` of
 * whose 12 pairs turn; the others are divided by `divisor`. turning -1: nothing says so. Behind
 * them are draft layers, one at most. */
static gguf_writer gemma4_before(uint32_t draft, uint32_t full_kv, int turning, float divisor)
{
    gguf_writer w = {.version = 3, .alignment = 32};
    const uint32_t kv_heads[] = {4, full_kv, 9};

    gguf_text(&w, "general.architecture", "gemma4");
    gguf_u32(&w, "gemma4.block_count", 2 + draft);
    if (draft > 0)
        gguf_u32(&w, "gemma4.nextn_predict_layers", draft);
    gguf_u32(&w, "gemma4.context_length", 2048);
    gguf_u32(&w, "gemma4.embedding_length", 64);
    gguf_u32(&w, "gemma4.feed_forward_length", 96);
    gguf_u32(&w, "gemma4.attention.head_count", 8);
    gguf_array(&w, "gemma4.attention.head_count_kv", ITH_GGUF_U32, 2 + draft);
    put(&w.pairs, kv_heads, (2 + draft) * sizeof *kv_heads);
    gguf_f32(&w, "gemma4.attention.layer_norm_rms_epsilon", 1e-6f);
    gguf_f32(&w, "gemma4.rope.freq_base", 1e6f);
    gguf_u32(&w, "gemma4.attention.key_length", 24);
    gguf_u32(&w, "gemma4.attention.value_length", 24);
    gguf_u32(&w, "gemma4.attention.key_length_swa", 16);
    gguf_u32(&w, "gemma4.attention.sliding_window", 32);
    gguf_array(&w, "gemma4.attention.sliding_window_pattern", ITH_GGUF_BOOL, 2 + draft);
    put(&w.pairs, (const uint8_t[]){1, 0, 1}, 2 + draft);
    gguf_tensor(&w, "token_embd.weight", 0, 2, (uint64_t[]){64, 5}, 64 * 5 * 4, 1);
    gguf_tensor(&w, "blk.0.attn_v.weight", 0, 2, (uint64_t[]){64, 64}, 64 * 64 * 4, 1);
    if (turning < 0)
        return w;
    gguf_tensor(&w, "rope_freqs.weight", 0, 1, (uint64_t[]){12}, 0, 0);
    for (int i = 0; i < 12; i++) {
        float x = i < turning ? 1 : divisor;
        put(&w.data, &x, sizeof x);
    }
    return w;
}

static gguf_writer gemma4(uint32_t full_kv, int turning, float divisor)
{
    return gemma4_before(0, full_kv, turning, divisor);
}

/* Lists of layers have values of the draft layers, too. */
static void draft_layers_are_listed(void **state)
{
    gguf_writer w = gemma4_before(1, 2, 3, 1e30f);
    memory_source m = open_writer(&w);
    const ith_hparams *hp = ith_source_hparams(&m.source);
    (void)state;

    assert_true(hp->n_layers == 2 && hp->draft_layers == 1);
    assert_true(ith_hparams_kv_heads(hp, 0) == 4 && ith_hparams_kv_heads(hp, 1) == 2);
    memory_source_close(&m);
}

static void heads_of_two_sizes(void **state)
{
    gguf_writer w = gemma4(2, 3, 1e30f);
    memory_source m = open_writer(&w);
    const ith_hparams *hp = ith_source_hparams(&m.source);
    (void)state;

    assert_true(ith_hparams_head_dim(hp, 0) == 16 && ith_hparams_kv_heads(hp, 0) == 4);
    assert_true(ith_hparams_head_dim(hp, 1) == 24 && ith_hparams_kv_heads(hp, 1) == 2);
    assert_true(hp->full.keys_are_values); /* the full layer has no values */
    assert_true(hp->rope.kind == ITH_ROPE_PROPORTIONAL && hp->rope.rotated == 6);
    memory_source_close(&m);
    w = gemma4(2, 3, 32); /* a divisor of another scaling */
    expect(&w, ITH_E_UNSUPPORTED, "neither 1 nor huge");
    w = gemma4(2, 0, 1e30f);
    expect(&w, ITH_E_UNSUPPORTED, "does not turn");
    w = gemma4(2, -1, 0);
    expect(&w, ITH_E_FORMAT, "no tensor rope_freqs.weight");
    w = gemma4(3, 3, 1e30f);
    expect(&w, ITH_E_FORMAT, "cannot share 3");
    w = gemma4(2, 3, 1e30f);
    gguf_u32(&w, "gemma4.attention.shared_kv_layers", 1);
    expect(&w, ITH_E_FORMAT, "layer 1 reads the keys and values of a layer");
    w = gemma4(2, 3, 1e30f);
    gguf_u32(&w, "gemma4.embedding_length_per_layer_input", 8);
    expect(&w, ITH_E_FORMAT, "tensor per_layer_token_embd.weight is missing");
    w = gemma4(2, 3, 1e30f);
    gguf_u32(&w, "gemma4.expert_count", 8);
    expect(&w, ITH_E_FORMAT, "gemma4.expert_used_count is missing");
    w = gemma4(2, 3, 1e30f);
    gguf_u32(&w, "gemma4.expert_count", 8);
    gguf_u32(&w, "gemma4.expert_used_count", 2);
    gguf_u32(&w, "gemma4.expert_feed_forward_length", 48);
    m = open_writer(&w);
    hp = ith_source_hparams(&m.source);
    assert_true(hp->experts.n == 8 && hp->experts.used == 2 && hp->experts.ffn == 48);
    assert_true(hp->experts.router.apart && hp->experts.router.normalized);
    memory_source_close(&m);
    w = gemma4(2, 3, 1e30f);
    gguf_u32(&w, "gemma4.rope.dimension_count_swa", 8);
    expect(&w, ITH_E_UNSUPPORTED, "rope.dimension_count_swa");
}

/* Nemotron 3 Nano: Mamba2, experts with a shared one, an MLP, attention. rms_eps, eps 0: the file
 * does not have it. */
static gguf_writer nemotron(bool shared, float rms_eps, float eps)
{
    gguf_writer w = {.version = 3, .alignment = 32};
    const uint32_t kv_heads[] = {0, 0, 0, 2}, widths[] = {0, 32, 80, 0};

    gguf_text(&w, "general.architecture", "nemotron_h_moe");
    gguf_u32(&w, "nemotron_h_moe.block_count", 4);
    gguf_u32(&w, "nemotron_h_moe.context_length", 2048);
    gguf_u32(&w, "nemotron_h_moe.embedding_length", 64);
    gguf_array(&w, "nemotron_h_moe.feed_forward_length", ITH_GGUF_U32, 4);
    put(&w.pairs, widths, sizeof widths);
    gguf_u32(&w, "nemotron_h_moe.attention.head_count", 4);
    gguf_array(&w, "nemotron_h_moe.attention.head_count_kv", ITH_GGUF_U32, 4);
    put(&w.pairs, kv_heads, sizeof kv_heads);
    gguf_u32(&w, "nemotron_h_moe.attention.key_length", 16);
    gguf_u32(&w, "nemotron_h_moe.ssm.conv_kernel", 4);
    gguf_u32(&w, "nemotron_h_moe.ssm.inner_size", 64);
    gguf_u32(&w, "nemotron_h_moe.ssm.state_size", 16);
    gguf_u32(&w, "nemotron_h_moe.ssm.time_step_rank", 4);
    gguf_u32(&w, "nemotron_h_moe.ssm.group_count", 2);
    gguf_u32(&w, "nemotron_h_moe.expert_count", 8);
    gguf_u32(&w, "nemotron_h_moe.expert_used_count", 2);
    gguf_u32(&w, "nemotron_h_moe.expert_feed_forward_length", 32);
    gguf_u32(&w, "nemotron_h_moe.expert_shared_count", 1);
    if (rms_eps > 0)
        gguf_f32(&w, "nemotron_h_moe.attention.layer_norm_rms_epsilon", rms_eps);
    if (eps > 0)
        gguf_f32(&w, "nemotron_h_moe.attention.layer_norm_epsilon", eps);
    gguf_tensor(&w, "token_embd.weight", 0, 2, (uint64_t[]){64, 5}, 64 * 5 * 4, 1);
    gguf_tensor(&w, "blk.0.ssm_in.weight", 0, 2, (uint64_t[]){64, 1}, 64 * 4, 1);
    gguf_tensor(&w, "blk.1.ffn_up_exps.weight", 0, 3, (uint64_t[]){64, 1, 1}, 64 * 4, 1);
    gguf_tensor(&w, "blk.1.exp_probs_b.bias", 0, 1, (uint64_t[]){8}, 8 * 4, 1);
    if (shared)
        gguf_tensor(&w, "blk.1.ffn_up_shexp.weight", 0, 2, (uint64_t[]){64, 48}, 64 * 48 * 4, 1);
    gguf_tensor(&w, "blk.2.ffn_up.weight", 0, 2, (uint64_t[]){64, 80}, 64 * 80 * 4, 1);
    gguf_tensor(&w, "blk.3.attn_q.weight", 0, 2, (uint64_t[]){64, 1}, 64 * 4, 1);
    return w;
}

static void tensors_say_what_a_layer_is(void **state)
{
    gguf_writer w = nemotron(true, 0.25f, 0.5f);
    memory_source m = open_writer(&w);
    const ith_hparams *hp = ith_source_hparams(&m.source);
    (void)state;

    assert_true(hp->traits[0] == ITH_LAYER_RECURRENT && hp->traits[1] == ITH_LAYER_MLP);
    assert_true(hp->traits[2] == ITH_LAYER_MLP && hp->traits[3] == ITH_LAYER_NO_ROPE);
    assert_true(ith_hparams_has_experts(hp, 1) && !ith_hparams_has_experts(hp, 2));
    assert_true(hp->experts.shared_ffn == 48 && hp->experts.router.choice_bias);
    assert_true(hp->ffn == 80 && hp->n_kv_heads == 2 && hp->mamba.dt_least == 0.001);
    assert_true(hp->rms_eps == 0.25);
    memory_source_close(&m);
    w = nemotron(true, 0, 0.5f);
    m = open_writer(&w);
    assert_true(ith_source_hparams(&m.source)->rms_eps == 0.5);
    memory_source_close(&m);
    w = nemotron(true, 0, 0);
    expect(&w, ITH_E_FORMAT, "attention.layer_norm_rms_epsilon is missing");
    w = nemotron(false, 0.25f, 0);
    expect(&w, ITH_E_FORMAT, "no tensors of shared experts");
}

/* Kimi Linear: files do not say the heads of recurrent layers, which the rows of b tell. */
static gguf_writer kimi_linear(bool b)
{
    gguf_writer w = {.version = 3, .alignment = 32};
    const uint32_t kv_heads[] = {0, 1};

    gguf_text(&w, "general.architecture", "kimi-linear");
    gguf_u32(&w, "kimi-linear.block_count", 2);
    gguf_u32(&w, "kimi-linear.context_length", 2048);
    gguf_u32(&w, "kimi-linear.embedding_length", 64);
    gguf_u32(&w, "kimi-linear.feed_forward_length", 96);
    gguf_u32(&w, "kimi-linear.attention.head_count", 4);
    gguf_array(&w, "kimi-linear.attention.head_count_kv", ITH_GGUF_U32, 2);
    put(&w.pairs, kv_heads, sizeof kv_heads);
    gguf_f32(&w, "kimi-linear.attention.layer_norm_rms_epsilon", 0.5f);
    gguf_u32(&w, "kimi-linear.ssm.conv_kernel", 3);
    gguf_u32(&w, "kimi-linear.kda.head_dim", 16);
    gguf_u32(&w, "kimi-linear.attention.kv_lora_rank", 32);
    gguf_u32(&w, "kimi-linear.rope.dimension_count", 8);
    gguf_u32(&w, "kimi-linear.attention.key_length_mla", 24);
    gguf_u32(&w, "kimi-linear.attention.value_length_mla", 32);
    gguf_u32(&w, "kimi-linear.expert_count", 8);
    gguf_u32(&w, "kimi-linear.expert_used_count", 2);
    gguf_u32(&w, "kimi-linear.expert_gating_func", 2);
    gguf_u32(&w, "kimi-linear.leading_dense_block_count", 1);
    gguf_tensor(&w, "token_embd.weight", 0, 2, (uint64_t[]){64, 5}, 64 * 5 * 4, 1);
    if (b)
        gguf_tensor(&w, "blk.0.ssm_beta.weight", 0, 2, (uint64_t[]){64, 3}, 64 * 3 * 4, 1);
    return w;
}

static void tensors_say_the_heads(void **state)
{
    gguf_writer w = kimi_linear(true);
    memory_source m = open_writer(&w);
    const ith_hparams *hp = ith_source_hparams(&m.source);
    (void)state;

    assert_true(hp->traits[0] == ITH_LAYER_RECURRENT && hp->traits[1] == ITH_LAYER_NO_ROPE);
    assert_true(hp->delta.key_heads == 3 && hp->delta.value_heads == 3 && hp->delta.key_dim == 16 &&
                hp->delta.value_dim == 16 && hp->delta.taps == 3);
    assert_true(hp->latent.kv_rank == 32 && hp->latent.nope == 16 && hp->latent.rope == 8 &&
                hp->latent.value == 32 && hp->n_kv_heads == 1 && hp->head_dim == 40);
    assert_true(hp->experts.router.score == ITH_ROUTER_SIGMOID && hp->experts.router.normalized);
    memory_source_close(&m);
    w = kimi_linear(false);
    expect(&w, ITH_E_FORMAT, "no tensor tells the number of heads");
}

/* Qwen3-VL: what only images need says nothing of text. */
static void texts_of_image_models_are_read(void **state)
{
    gguf_writer w = {.version = 3, .alignment = 32};
    const uint32_t sections[] = {6, 5, 5, 0};
    const ith_hparams *hp;
    memory_source m;
    (void)state;

    gguf_text(&w, "general.architecture", "qwen3vl");
    gguf_u32(&w, "qwen3vl.block_count", 1);
    gguf_u32(&w, "qwen3vl.context_length", 2048);
    gguf_u32(&w, "qwen3vl.embedding_length", 64);
    gguf_u32(&w, "qwen3vl.feed_forward_length", 96);
    gguf_u32(&w, "qwen3vl.attention.head_count", 4);
    gguf_u32(&w, "qwen3vl.attention.head_count_kv", 2);
    gguf_u32(&w, "qwen3vl.attention.key_length", 32);
    gguf_f32(&w, "qwen3vl.attention.layer_norm_rms_epsilon", 0.5f);
    gguf_f32(&w, "qwen3vl.rope.freq_base", 5e6f);
    gguf_array(&w, "qwen3vl.rope.dimension_sections", ITH_GGUF_U32, 4);
    put(&w.pairs, sections, sizeof sections);
    gguf_u32(&w, "qwen3vl.n_deepstack_layers", 3);
    gguf_tensor(&w, "token_embd.weight", 0, 2, (uint64_t[]){64, 5}, 64 * 5 * 4, 1);
    m = open_writer(&w);
    hp = ith_source_hparams(&m.source);
    assert_true(hp->qk_norm == ITH_QK_NORM_HEAD && hp->head_dim == 32 && hp->n_kv_heads == 2);
    assert_true(hp->rope.theta == 5e6 && hp->rope.kind == ITH_ROPE_PLAIN && hp->rope.rotated == 0);
    memory_source_close(&m);
}

/* OLMo 3: the base of window layers, which have a list. */
static void windows_have_a_base_of_their_own(void **state)
{
    gguf_writer w = {.version = 3, .alignment = 32};
    const uint8_t windows[] = {1, 0};
    const ith_hparams *hp;
    memory_source m;
    (void)state;

    gguf_text(&w, "general.architecture", "olmo2");
    gguf_u32(&w, "olmo2.block_count", 2);
    gguf_u32(&w, "olmo2.context_length", 2048);
    gguf_u32(&w, "olmo2.embedding_length", 64);
    gguf_u32(&w, "olmo2.feed_forward_length", 96);
    gguf_u32(&w, "olmo2.attention.head_count", 4);
    gguf_f32(&w, "olmo2.attention.layer_norm_rms_epsilon", 0.5f);
    gguf_f32(&w, "olmo2.rope.freq_base", 500000);
    gguf_f32(&w, "olmo2.rope.freq_base_swa", 10000);
    gguf_u32(&w, "olmo2.attention.sliding_window", 16);
    gguf_array(&w, "olmo2.attention.sliding_window_pattern", ITH_GGUF_BOOL, 2);
    put(&w.pairs, windows, sizeof windows);
    gguf_tensor(&w, "token_embd.weight", 0, 2, (uint64_t[]){64, 5}, 64 * 5 * 4, 1);
    m = open_writer(&w);
    hp = ith_source_hparams(&m.source);
    assert_true(hp->rope.theta == 500000 && hp->window_theta == 10000 && hp->window == 16);
    assert_true(hp->traits[0] == (ITH_LAYER_WINDOW | ITH_LAYER_WINDOW_ROPE) && hp->traits[1] == 0);
    memory_source_close(&m);
}

/* A file of a family with LayerNorm, and q, k and v in one tensor. */
static gguf_writer layer_norms(const char *arch, bool epsilon)
{
    gguf_writer w = {.version = 3, .alignment = 32};
    char key[64];

#define KEY(name) (snprintf(key, sizeof key, "%s." name, arch), key)
    gguf_text(&w, "general.architecture", arch);
    gguf_u32(&w, KEY("block_count"), 1);
    gguf_u32(&w, KEY("context_length"), 2048);
    gguf_u32(&w, KEY("embedding_length"), 64);
    gguf_u32(&w, KEY("feed_forward_length"), 96);
    gguf_u32(&w, KEY("attention.head_count"), 4);
    if (epsilon)
        gguf_f32(&w, KEY("attention.layer_norm_epsilon"), 0.5f);
#undef KEY
    gguf_tensor(&w, "token_embd.weight", 0, 2, (uint64_t[]){64, 5}, 64 * 5 * 4, 1);
    gguf_tensor(&w, "blk.0.attn_qkv.weight", 0, 2, (uint64_t[]){64, 192}, 64 * 192 * 4, 1);
    return w;
}

static void families_with_layer_norms_are_read(void **state)
{
    static const char *const names[] = {"gptneox", "phi2", "olmo", "nemotron", "starcoder2"};
    gguf_writer w = layer_norms("gptneox", true);
    memory_source m;
    const ith_hparams *hp;
    (void)state;

    gguf_bool(&w, "gptneox.use_parallel_residual", 0);
    gguf_u32(&w, "gptneox.rope.dimension_count", 4);
    m = open_writer(&w);
    hp = ith_source_hparams(&m.source);
    assert_true(!hp->parallel && hp->rope.rotated == 4 && hp->rms_eps == 0.5);
    memory_source_close(&m);
    w = layer_norms("phi2", true);
    gguf_u32(&w, "phi2.rope.dimension_count", 8);
    m = open_writer(&w);
    hp = ith_source_hparams(&m.source);
    assert_true(hp->parallel && hp->output_bias && hp->rope.rotated == 8 && hp->rms_eps == 0.5);
    memory_source_close(&m);
    w = layer_norms("olmo", true);
    gguf_f32(&w, "olmo.attention.clamp_kqv", 8);
    m = open_writer(&w);
    hp = ith_source_hparams(&m.source);
    assert_true(hp->qkv_limit == 8 && hp->rms_eps == 0.5);
    memory_source_close(&m);
    w = layer_norms("olmo", true);
    gguf_f32(&w, "olmo.attention.clamp_kqv", -8);
    expect(&w, ITH_E_FORMAT, "the limit of queries, keys and values is -8");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        w = layer_norms(names[i], false);
        expect(&w, ITH_E_FORMAT, "attention.layer_norm_epsilon is missing");
    }
}

/* Keys that say nothing, or that a feature is off. */
static void neutral_settings_are_accepted(void **state)
{
    gguf_writer w = gguf_small_pairs();
    memory_source m;
    (void)state;
    gguf_u32(&w, "llama.vocab_size", 5);
    gguf_u32(&w, "llama.pooling_type", 3);
    gguf_u32(&w, "llama.expert_used_count", 0);
    gguf_u32(&w, "llama.attention.sliding_window", 0);
    gguf_u32(&w, "llama.new_feature", 0);
    gguf_bool(&w, "llama.use_parallel_residual", 0);
    gguf_bool(&w, "llama.attention.causal", 1);
    gguf_small_tensors(&w);
    m = open_writer(&w);
    memory_source_close(&m);
}

/* A tiny Qwen3 with experts; a count of UINT32_MAX is left out. */
static gguf_writer moe_pairs(uint32_t n, uint32_t used, uint32_t ffn)
{
    gguf_writer w = {.version = 3, .alignment = 32};

    gguf_text(&w, "general.architecture", "qwen3moe");
    gguf_u32(&w, "qwen3moe.block_count", 1);
    gguf_u32(&w, "qwen3moe.context_length", 2048);
    gguf_u32(&w, "qwen3moe.embedding_length", 64);
    gguf_u32(&w, "qwen3moe.feed_forward_length", 96);
    gguf_u32(&w, "qwen3moe.attention.head_count", 4);
    gguf_f32(&w, "qwen3moe.attention.layer_norm_rms_epsilon", 0.5f);
    if (n != UINT32_MAX)
        gguf_u32(&w, "qwen3moe.expert_count", n);
    if (used != UINT32_MAX)
        gguf_u32(&w, "qwen3moe.expert_used_count", used);
    if (ffn != UINT32_MAX)
        gguf_u32(&w, "qwen3moe.expert_feed_forward_length", ffn);
    return w;
}

static void experts_are_read(void **state)
{
    gguf_writer w = moe_pairs(8, 2, 32);
    memory_source m;
    const ith_hparams *hp;
    const ith_tensor *t;
    (void)state;
    gguf_small_tensors(&w);
    gguf_tensor(&w, "blk.0.ffn_gate_exps.weight", 8, 3, (uint64_t[]){64, 32, 8}, 8 * 32 * 2 * 34,
                4);
    gguf_u32(&w, "qwen3moe.expert_gating_func", 1);
    m = open_writer(&w);
    hp = ith_source_hparams(&m.source);
    assert_true(hp->experts.n == 8 && hp->experts.used == 2 && hp->experts.ffn == 32 &&
                hp->experts.router.normalized);
    assert_true(ith_hparams_has_experts(hp, 0));
    t = ith_source_find(&m.source, "blk.0.ffn_gate_exps.weight");
    assert_true(t->n_dims == 3 && t->dims[0] == 8 && t->dims[1] == 32 && t->dims[2] == 64);
    memory_source_close(&m);
    w = moe_pairs(8, 2, 32);
    gguf_bool(&w, "qwen3moe.expert_weights_norm", 0);
    gguf_small_tensors(&w);
    m = open_writer(&w);
    assert_false(ith_source_hparams(&m.source)->experts.router.normalized);
    memory_source_close(&m);
}

static void impossible_experts_are_refused(void **state)
{
    static const struct {
        uint32_t n, used, ffn;
        const char *text;
    } cases[] = {{UINT32_MAX, 2, 32, "qwen3moe.expert_count is missing"},
                 {8, UINT32_MAX, 32, "qwen3moe.expert_used_count is missing"},
                 {8, 2, UINT32_MAX, "qwen3moe.expert_feed_forward_length is missing"},
                 {0, 2, 32, "qwen3moe.expert_count is 0"},
                 {0x7fffffff, 2, 32, "the number of experts is 2147483647"},
                 {8, 0, 32, "experts for a token is 0"},
                 {8, 9, 32, "experts for a token is 9, expected 1 to 8"},
                 {8, 2, 0, "experts' feed-forward size is 0"},
                 {8, 2, 0x7fffffff, "experts' feed-forward size is 2147483647"}};
    static const struct {
        const char *key;
        uint32_t value;
        ith_status status;
        const char *text;
    } settings[] = {
        {"qwen3moe.expert_shared_count", 2, ITH_E_FORMAT, "no tensors of shared experts"},
        {"qwen3moe.expert_gating_func", 4, ITH_E_UNSUPPORTED, "qwen3moe.expert_gating_func is 4"},
        {"qwen3moe.expert_group_count", 3, ITH_E_FORMAT, "number of groups for a token is 0"},
        {"qwen3moe.expert_group_count", 9, ITH_E_FORMAT, "groups of experts is 9"},
        {"qwen3moe.interleave_moe_layer_step", 0, ITH_E_FORMAT, "interleave_moe_layer_step"},
        {"qwen3moe.nextn_predict_layers", 1, ITH_E_FORMAT, "nextn_predict_layers is 1 of 1 layers"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gguf_writer w = moe_pairs(cases[i].n, cases[i].used, cases[i].ffn);
        gguf_small_tensors(&w);
        expect(&w, ITH_E_FORMAT, cases[i].text);
    }
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        gguf_writer w = moe_pairs(8, 2, 32);
        gguf_u32(&w, settings[i].key, settings[i].value);
        gguf_small_tensors(&w);
        expect(&w, settings[i].status, settings[i].text);
    }
}

/* What the file says of the router and of the layers that have experts. */
static void routers_are_read(void **state)
{
    gguf_writer w = moe_pairs(8, 2, 32);
    memory_source m;
    const ith_experts_params *e;
    (void)state;
    gguf_u32(&w, "qwen3moe.expert_gating_func", 2);
    gguf_u32(&w, "qwen3moe.expert_group_count", 4);
    gguf_u32(&w, "qwen3moe.expert_group_used_count", 3);
    gguf_f32(&w, "qwen3moe.expert_weights_scale", 2.5f);
    gguf_u32(&w, "qwen3moe.leading_dense_block_count", 0);
    gguf_small_tensors(&w);
    gguf_tensor(&w, "blk.0.exp_probs_b.bias", 0, 1, (uint64_t[]){8}, 32, 4);
    gguf_tensor(&w, "blk.0.ffn_up_shexp.weight", 0, 2, (uint64_t[]){64, 48}, 64 * 48 * 4, 4);
    m = open_writer(&w);
    e = &ith_source_hparams(&m.source)->experts;
    assert_true(e->router.score == ITH_ROUTER_SIGMOID && e->router.groups == 4 &&
                e->router.top_groups == 3 && e->router.factor == 2.5 && e->router.choice_bias &&
                !e->router.bias && e->shared_ffn == 48 && !e->shared_gated);
    memory_source_close(&m);
}

static void wrong_values_are_named(void **state)
{
    gguf_writer w = {.version = 3, .alignment = 32};
    static const int32_t types[] = {1};
    (void)state;
    gguf_small_tensors(&w);
    gguf_u32(&w, "x", 1);
    expect(&w, ITH_E_FORMAT, "general.architecture is missing");
    w = (gguf_writer){.version = 3, .alignment = 32};
    gguf_text(&w, "general.architecture", "llama");
    gguf_small_tensors(&w);
    expect(&w, ITH_E_FORMAT, "llama.block_count is missing");
    w = gguf_small_pairs();
    expect(&w, ITH_E_FORMAT, "token_embd.weight is missing");
    w = gguf_small_pairs();
    gguf_u32(&w, "tokenizer.ggml.eot_token_id", 5);
    gguf_small_tensors(&w);
    expect(&w, ITH_E_FORMAT, "eot_token_id is 5, the vocabulary has 5 tokens");
    w = gguf_small_pairs();
    gguf_text(&w, "llama.attention.key_length", "64");
    gguf_small_tensors(&w);
    expect(&w, ITH_E_FORMAT, "llama.attention.key_length should be a whole number");
    w = gguf_small_pairs();
    gguf_u32(&w, "llama.attention.key_length", 15);
    gguf_small_tensors(&w);
    expect(&w, ITH_E_FORMAT, "the head size is 15");
    w = (gguf_writer){.version = 3, .alignment = 32};
    gguf_texts(&w, "tokenizer.ggml.tokens", small_tokens, 5);
    gguf_array(&w, "tokenizer.ggml.token_type", ITH_GGUF_I32, 1);
    put(&w.pairs, types, sizeof types);
    expect(&w, ITH_E_FORMAT, "token_type has 1 items for 5 tokens");
    w = (gguf_writer){.version = 3, .alignment = 32};
    gguf_array(&w, "tokenizer.ggml.tokens", ITH_GGUF_I32, 1);
    put(&w.pairs, types, sizeof types);
    expect(&w, ITH_E_FORMAT, "tokenizer.ggml.tokens should be an array of strings");
    w = gguf_small_pairs();
    gguf_text(&w, "tokenizer.ggml.scores", "none");
    gguf_small_tensors(&w);
    expect(&w, ITH_E_FORMAT, "tokenizer.ggml.scores should be an array of 32-bit floats");
    w = gguf_small_pairs();
    gguf_u32(&w, "tokenizer.chat_template.other", 1);
    gguf_small_tensors(&w);
    expect(&w, ITH_E_FORMAT, "tokenizer.chat_template.other should be a string");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_file_is_read),
        cmocka_unit_test(the_vocabulary_is_read),
        cmocka_unit_test(optional_keys_count),
        cmocka_unit_test(rope_scaling_is_read),
        cmocka_unit_test(other_alignments_are_followed),
        cmocka_unit_test(arrays_in_arrays_are_skipped),
        cmocka_unit_test(a_vocabulary_alone_is_enough_for_the_tokenizer),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(headers_of_other_kinds_are_refused),
        cmocka_unit_test(hostile_counts_are_refused),
        cmocka_unit_test(damaged_pairs_are_refused),
        cmocka_unit_test(damaged_tensors_are_refused),
        cmocka_unit_test(unread_types_are_listed),
        cmocka_unit_test(heads_of_two_sizes),
        cmocka_unit_test(tensors_say_what_a_layer_is),
        cmocka_unit_test(draft_layers_are_listed),
        cmocka_unit_test(families_with_layer_norms_are_read),
        cmocka_unit_test(tensors_say_the_heads),
        cmocka_unit_test(texts_of_image_models_are_read),
        cmocka_unit_test(windows_have_a_base_of_their_own),
        cmocka_unit_test(neutral_settings_are_accepted),
        cmocka_unit_test(bad_alignments_are_refused),
        cmocka_unit_test(unsupported_settings_are_named),
        cmocka_unit_test(experts_are_read),
        cmocka_unit_test(impossible_experts_are_refused),
        cmocka_unit_test(routers_are_read),
        cmocka_unit_test(wrong_values_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
