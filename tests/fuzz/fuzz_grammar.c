/* fuzz_grammar.c - a JSON schema (if it begins with a brace) or a GBNF grammar, then bytes that
 * choose among the tokens of each mask. What is chosen is accepted, tokens that are not in a mask
 * are not, and a text that may end fits as a whole. */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "grammar/gbnf.h"
#include "grammar/grammar.h"
#include "grammar/json_schema.h"

enum { END = 256, TOKENS = 260, MOST = 40 };

/* The bytes, spelled in GPT-2's alphabet, and some longer tokens. */
static ith_trie *make_trie(void)
{
    static char texts[256][3];
    static ith_tokenizer *tok;
    static ith_trie *trie;
    ith_bytes tokens[TOKENS] = {[END] = {"<end>", 5}, {"{\"", 2}, {"\",\"", 3}, {"ab", 2}};
    int32_t types[TOKENS];
    ith_tokenizer_spec spec = {.where = "fuzz",
                               .pre = {"gpt-2", 5},
                               .n_tokens = TOKENS,
                               .tokens = tokens,
                               .types = types,
                               .bos = -1,
                               .eos = END};

    if (trie != NULL)
        return trie;
    for (int id = 0; id < TOKENS; id++)
        types[id] = id == END ? 3 : 1;
    for (int byte = 0, next = 256; byte < 256; byte++) {
        bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        int code = printable ? byte : next++;
        texts[byte][0] = (char)(code < 128 ? code : 0xc0 | code >> 6);
        texts[byte][1] = (char)(0x80 | (code & 0x3f));
        tokens[byte] = (ith_bytes){texts[byte], code < 128 ? 1 : 2};
    }
    fuzz_must(ith_tokenizer_from_arrays(&spec, &tok, NULL) == ITH_OK);
    fuzz_must(ith_trie_open(tok, &trie, NULL) == ITH_OK);
    return trie;
}

static bool compile(ith_bytes source, ith_grammar **grammar)
{
    static const int32_t stops[] = {END};
    ith_grammar_how how = {
        .trie = make_trie(), .stops = stops, .n_stops = 1, .work = ITH_GRAMMAR_WORK};
    ith_rules rules = {0};
    ith_error err = {0};
    json_t *json = NULL;
    ith_status status;

    if (source.len > 0 && source.data[0] == '{') {
        status = ith_json_parse_strict(source.data, source.len, "schema", &json, &err);
        if (status == ITH_OK)
            status = ith_schema_compile(json, &rules, &err);
    } else {
        status = ith_gbnf_compile(source.data, source.len, &rules, &err);
    }
    json_decref(json);
    if (fuzz_verdict(status, &err))
        return fuzz_verdict(ith_grammar_make(&rules, &how, source, grammar, &err), &err);
    ith_rules_free(&rules);
    return false;
}

/* The first token of the mask at or behind a number. */
static int32_t choose(const uint64_t *mask, int32_t at)
{
    for (int32_t i = 0; i < TOKENS; i++) {
        int32_t id = (at + i) % TOKENS;
        if ((mask[id / 64] >> id % 64 & 1) != 0)
            return id;
    }
    abort();
}

static void follow(ith_grammar *grammar, const uint8_t *data, size_t size)
{
    ith_follower *f;
    ith_error err = {0};
    int32_t ids[MOST], n_ids;
    const uint64_t *mask;
    bool complete = false, matches;
    char *text;
    size_t n = 0, len;

    fuzz_must(ith_follower_open(grammar, false, &f, &err) == ITH_OK);
    while (n < MOST && n < size && !complete) {
        int32_t id;
        if (!fuzz_verdict(ith_follower_mask(f, &mask, &n_ids, &err), &err)) {
            /* all bytes are tokens, so there is always one that goes on */
            fuzz_must(strstr(err.text, "no token of the vocabulary") == NULL);
            break;
        }
        fuzz_must(n_ids == TOKENS);
        id = choose(mask, data[n] + (data[n] > 250 ? 6 : 0));
        if (id == END)
            break;
        ids[n++] = id;
        if (!fuzz_verdict(ith_follower_accept(f, id, &complete, &err), &err)) {
            fuzz_must(err.status != ITH_E_FORMAT);
            break;
        }
    }
    fuzz_must(ith_tokenizer_decode(make_trie()->tok, ids, n, &text, &len, NULL) == ITH_OK);
    if (ith_follower_may_end(f) &&
        ith_grammar_matches(grammar, text, len, &matches, &err) == ITH_OK)
        fuzz_must(matches);
    free(text);
    ith_follower_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes source = fuzz_part(&data, &size);
    ith_grammar *grammar = NULL;

    if (compile(source, &grammar))
        follow(grammar, data, size);
    ith_grammar_free(grammar);
    fuzz_part_free(source);
    return 0;
}
