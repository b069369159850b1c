/* tokenizer_arrays.c - builds a tokenizer from the arrays of a GGUF file. */
#include "text/tokenizer_impl.h"

#include <string.h>

/* What the name of a pre-tokenizer in GGUF stands for. The settings are those of the models' own
 * tokenizer.json; the names, and `default`, are llama.cpp's (src/llama-vocab.cpp). */
typedef struct known_pre {
    const char *name;
    bool nfc, ignore_merges;
    const char *patterns[5]; /* applied one after the other; each isolates its matches */
} known_pre;

#define CONTRACTIONS   "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WHITE_SPACE    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LETTERS        "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define SYMBOLS        " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define PATTERN_LLAMA3 CONTRACTIONS "|" LETTERS "|\\p{N}{1,3}|" SYMBOLS "|" WHITE_SPACE
#define PATTERN_QWEN2  CONTRACTIONS "|" LETTERS "|\\p{N}|" SYMBOLS "|" WHITE_SPACE

static const known_pre known[] = {
    {"qwen2", true, false, {PATTERN_QWEN2}},
    {"smollm", false, false, {"\\p{N}", ITH_PATTERN_GPT2}},
    {"gpt-2", false, false, {ITH_PATTERN_GPT2}},
    {"llama-bpe", false, true, {PATTERN_LLAMA3}},
    {"llama3", false, true, {PATTERN_LLAMA3}},
    {"llama-v3", false, true, {PATTERN_LLAMA3}},
    {"smaug-bpe", false, false, {PATTERN_LLAMA3}},
    {"dbrx", false, false, {PATTERN_LLAMA3}},
    {"default",
     false,
     false,
     {"[\\p{P}\\$\\+<=>\\^~\\|]+", ITH_PATTERN_GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
};

enum { N_KNOWN = sizeof known / sizeof *known };

/* Names of models whose pre-tokenizer is that of another; llama.cpp has them all. */
static const char *const same_pre[][2] = {
    {"deepseek-r1-qwen", "qwen2"}, {"megrez", "qwen2"},        {"kormo", "qwen2"},
    {"falcon3", "llama-bpe"},      {"falcon-h1", "llama-bpe"}, {"pixtral", "llama-bpe"},
    {"midm-2.0", "llama-bpe"},     {"lfm2", "llama-bpe"},      {"a.x-4.0", "gpt-2"},
    {"mellum", "gpt-2"},           {"gigachat", "gpt-2"},      {"jina-es", "gpt-2"},
    {"jina-de", "gpt-2"},          {"jina-v2-es", "gpt-2"},    {"jina-v2-de", "gpt-2"},
};

static bool is_name(ith_bytes text, const char *name)
{
    return text.len == strlen(name) && memcmp(text.data, name, text.len) == 0;
}

static const known_pre *find_pre(ith_bytes name)
{
    if (name.len == 0)
        name = (ith_bytes){"default", 7};
    for (size_t i = 0; i < sizeof same_pre / sizeof *same_pre; i++)
        if (is_name(name, same_pre[i][0]))
            name = (ith_bytes){same_pre[i][1], strlen(same_pre[i][1])};
    for (int i = 0; i < N_KNOWN; i++)
        if (is_name(name, known[i].name))
            return &known[i];
    return NULL;
}

static ith_status unknown_pre(const ith_tokenizer_spec *spec, ith_error *err)
{
    enum { NAME_MAX_BYTES = 16 };
    char list[N_KNOWN * NAME_MAX_BYTES] = "";

    for (int i = 0; i < N_KNOWN; i++)
        strcat(strcat(list, i > 0 ? ", " : ""), known[i].name);
    return ith_fail(
        err, ITH_E_UNSUPPORTED, "%s: the pre-tokenizer \"%.*s\" is not supported; supported are %s",
        spec->where, (int)(spec->pre.len < 60 ? spec->pre.len : 60), spec->pre.data, list);
}

static ith_status set_pre(const ith_tokenizer_spec *spec, ith_tokenizer *tok, ith_error *err)
{
    const known_pre *pre = find_pre(spec->pre);

    if (pre == NULL)
        return unknown_pre(spec, err);
    tok->nfc = pre->nfc;
    tok->ignore_merges = pre->ignore_merges;
    for (int i = 0; pre->patterns[i] != NULL; i++)
        ITH_TRY(ith_pretokenizer_add_split(&tok->pre, pre->patterns[i], strlen(pre->patterns[i]),
                                           false, ITH_SPLIT_ISOLATED, false, spec->where, err));
    return ITH_OK;
}

enum { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_USER, TYPE_UNUSED, TYPE_BYTE };

static int32_t type_of(const ith_tokenizer_spec *spec, size_t id)
{
    return spec->types != NULL ? spec->types[id] : TYPE_NORMAL;
}

static bool is_added(int32_t type)
{
    return type == TYPE_UNKNOWN || type == TYPE_CONTROL || type == TYPE_USER;
}

/* A file whose single bytes are control tokens has lost its types: every text would lose those
 * bytes. */
static ith_status check_byte(const ith_tokenizer_spec *spec, size_t id, int32_t type,
                             ith_error *err)
{
    ith_bytes text = spec->tokens[id];
    char byte[8];
    size_t n;

    if ((type != TYPE_UNKNOWN && type != TYPE_CONTROL) || text.len > 2 ||
        !ith_alphabet_decode(text.data, text.len, byte, &n) || n != 1)
        return ITH_OK;
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: token %zu is the single byte 0x%02x but has type %d (%s); convert the "
                    "model again",
                    spec->where, id, (unsigned char)byte[0], type,
                    type == TYPE_CONTROL ? "control" : "unknown");
}

static ith_status add_tokens(ith_builder *builder, const ith_tokenizer_spec *spec, bool added,
                             ith_error *err)
{
    for (size_t id = 0; id < spec->n_tokens; id++) {
        int32_t type = type_of(spec, id);
        ith_bytes text = spec->tokens[id];
        ith_added item = {.text = (char *)text.data,
                          .len = text.len,
                          .id = (int32_t)id,
                          .special = type != TYPE_USER};
        if (type < TYPE_NORMAL || type > TYPE_BYTE)
            return ith_fail(err, ITH_E_FORMAT, "%s: token %zu has type %d; expected 1 to 6",
                            spec->where, id, type);
        if (type == TYPE_BYTE)
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "%s: token %zu has type 6 (byte), which byte-level BPE does not have",
                            spec->where, id);
        ITH_TRY(check_byte(spec, id, type, err));
        if (is_added(type) != added)
            continue;
        ITH_TRY(added ? ith_builder_added(builder, &item, err)
                      : ith_builder_token(builder, (int64_t)id, text.data, text.len, err));
    }
    return ITH_OK;
}

static ith_status set_ends(const ith_tokenizer_spec *spec, ith_tokenizer *tok, ith_error *err)
{
    if ((spec->bos >= 0 && ith_token_table_get(&tok->tokens, spec->bos) == NULL) ||
        (spec->eos >= 0 && ith_token_table_get(&tok->tokens, spec->eos) == NULL))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: bos %d or eos %d is not in the vocabulary of %zu tokens", spec->where,
                        spec->bos, spec->eos, tok->tokens.n);
    tok->bos = spec->bos < 0 ? -1 : spec->bos;
    tok->eos = spec->eos < 0 ? -1 : spec->eos;
    tok->add_bos = spec->add_bos && tok->bos >= 0;
    return ITH_OK;
}

ith_status ith_tokenizer_from_arrays(const ith_tokenizer_spec *spec, ith_tokenizer **tok,
                                     ith_error *err)
{
    ith_builder builder;
    ith_status status;

    *tok = NULL;
    if (spec->n_tokens == 0 || spec->n_tokens > (size_t)ITH_MAX_TOKEN_ID + 1)
        return ith_fail(err, ITH_E_FORMAT, "%s: the vocabulary has %zu tokens; expected 1 to %d",
                        spec->where, spec->n_tokens, ITH_MAX_TOKEN_ID + 1);
    ITH_CHECK(ith_builder_begin(&builder, spec->where, err));
    ITH_CHECK(set_pre(spec, builder.tok, err));
    ITH_CHECK(add_tokens(&builder, spec, false, err));
    ITH_CHECK(ith_builder_merges(&builder, spec->n_merges, err));
    for (size_t rank = 0; rank < spec->n_merges; rank++)
        ITH_CHECK(ith_builder_merge_text(&builder, rank, spec->merges[rank], err));
    ITH_CHECK(add_tokens(&builder, spec, true, err));
    ITH_CHECK(set_ends(spec, builder.tok, err));
    ITH_CHECK(ith_builder_finish(&builder, -1, tok, err));
done:
    ith_builder_free(&builder);
    return status;
}
