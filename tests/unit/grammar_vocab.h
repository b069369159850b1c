/* grammar_vocab.h - a vocabulary for tests of grammars, and grammars for it. */
#ifndef TESTS_GRAMMAR_VOCAB_H
#define TESTS_GRAMMAR_VOCAB_H

#include "prng.h"
#include "unit/text_data.h"

#include "grammar/gbnf.h"
#include "grammar/grammar.h"
#include "grammar/json_schema.h"
#include "grammar/schema_frames.h"

/* ---- A vocabulary: all bytes, and tokens that begin, cross and end JSON's parts ---- */

enum { END = 256, FIRST_PIECE = 257 };

static const char *const pieces[] = {
    "\"",       "{\"",      "\": ",  "\", \"", "\":",  "\",",      "true",     "false",    "null",
    "12",       "123",      "0.",    "-1",     "e1",   "[]",       "{}",       "[[",       "]]",
    "}}",       "\"}",      "\"]",   "], ",    "ab",   "abc",      "name",     "\"name",   "name\"",
    "\\n",      "\\u00",    "\\ud8", "a\"",    "b\"",  "a\", \"b", "\xc3\xa9", "\xe4\xb8", "\xad\"",
    "\xf0\x9f", "\x98\x80", "  ",    "\n",     "aaaa", "\"\"",     "\"a\"",    "aaaaaaaa", "x\":1"};

static inline size_t alphabet(int byte, char out[3])
{
    static int codes[256], ready;
    int code;

    for (int b = 0, next = 256; !ready && b < 256; b++) {
        bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        codes[b] = printable ? b : next++;
    }
    ready = 1;
    code = codes[byte];
    out[0] = (char)(code < 128 ? code : 0xc0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3f));
    return code < 128 ? 1 : 2;
}

static inline ith_tokenizer *make_tokenizer(void)
{
    enum { N = FIRST_PIECE + sizeof pieces / sizeof *pieces };
    static char texts[N][80];
    ith_bytes tokens[N];
    int32_t types[N];
    ith_tokenizer_spec spec = {.where = "test",
                               .pre = {"gpt-2", 5},
                               .n_tokens = N,
                               .tokens = tokens,
                               .types = types,
                               .bos = -1,
                               .eos = END};
    ith_tokenizer *tok;
    ith_error err;

    for (int id = 0; id < N; id++) {
        const char *text = id >= FIRST_PIECE ? pieces[id - FIRST_PIECE] : "";
        size_t len = 0;
        types[id] = id == END ? 3 : 1;
        if (id < END)
            len = alphabet(id, texts[id]);
        for (; *text != 0; text++)
            len += alphabet((unsigned char)*text, texts[id] + len);
        tokens[id] = id == END ? (ith_bytes){"<|end|>", 7} : (ith_bytes){texts[id], len};
    }
    if (ith_tokenizer_from_arrays(&spec, &tok, &err) != ITH_OK)
        fail_msg("%s", err.text);
    return tok;
}

static ith_tokenizer *tok;
static ith_trie *trie;
static int64_t budget = ITH_GRAMMAR_WORK; /* of a mask or token */

static inline int set_up(void **state)
{
    (void)state;
    tok = make_tokenizer();
    return ith_trie_open(tok, &trie, NULL) == ITH_OK ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    ith_trie_close(trie);
    ith_tokenizer_free(tok);
    return 0;
}

/* The rules of a schema, of frames, or of GBNF; the caller's, also after a failure. */
static inline ith_status compile_rules(const char *source, ith_rules *rules, ith_error *err)
{
    bool frames = strncmp(source, "{\"begin\"", 8) == 0;
    bool schema = source[0] == '{' || strcmp(source, "true") == 0 || strcmp(source, "false") == 0;
    json_t *json;
    ith_status status;

    if (!schema)
        return ith_gbnf_compile(source, strlen(source), rules, err);
    json = json_loads(source, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(json);
    status = (frames ? ith_frames_compile : ith_schema_compile)(json, rules, err);
    json_decref(json);
    return status;
}

static inline ith_status compile(const char *source, ith_grammar **grammar, ith_error *err)
{
    static const int32_t stops[] = {END};
    ith_grammar_how how = {.trie = trie, .stops = stops, .n_stops = 1, .work = budget};
    ith_rules rules;
    ith_status status = compile_rules(source, &rules, err);

    *grammar = NULL;
    if (status == ITH_OK)
        return ith_grammar_make(&rules, &how, (ith_bytes){source, strlen(source)}, grammar, err);
    ith_rules_free(&rules);
    return status;
}

static inline ith_grammar *must_compile(const char *source)
{
    ith_grammar *grammar;
    ith_error err;

    if (compile(source, &grammar, &err) != ITH_OK)
        fail_msg("%s: %s", source, err.text);
    return grammar;
}

static inline bool in_mask(const uint64_t *mask, int32_t id)
{
    return (mask[id / 64] >> id % 64 & 1) != 0;
}

/* The mask says of each token what accepting it after these tokens says. */
static inline void check_mask(ith_grammar *grammar, const int32_t *ids, size_t n,
                              const uint64_t *mask, int32_t n_ids)
{
    for (int32_t id = 0; id < n_ids; id++) {
        ith_follower *f;
        ith_error err;
        bool complete, allowed;
        assert_int_equal(ith_follower_open(grammar, false, &f, &err), ITH_OK);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(ith_follower_accept(f, ids[i], &complete, &err), ITH_OK);
        allowed = id == END ? ith_follower_may_end(f)
                            : ith_follower_accept(f, id, &complete, &err) == ITH_OK;
        if (allowed != in_mask(mask, id))
            fail_msg("token %d after %zu tokens: %s", id, n, allowed ? "allowed" : "not allowed");
        ith_follower_close(f);
    }
}

#endif
