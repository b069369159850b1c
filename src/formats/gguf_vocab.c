/* gguf_vocab.c - the tokenizer of a GGUF file, and its special tokens. */
#include "formats/gguf_vocab.h"

#include <stdlib.h>
#include <string.h>

enum { TYPE_CONTROL = 3, TYPE_USER_DEFINED = 4 }; /* tokenizer.ggml.token_type */

/* The items of a string array; the parser has checked every length. */
static ith_status list_strings(const ith_gguf_meta *meta, const char *key, ith_bytes **out,
                               size_t *n, ith_error *err)
{
    const ith_gguf_pair *pair;
    const uint8_t *at;

    ITH_TRY(ith_gguf_array(meta, key, ITH_GGUF_STRING, &pair, err));
    if (pair == NULL)
        return ITH_OK;
    *out = calloc(pair->count + 1, sizeof **out);
    if (*out == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the %llu strings of %s", meta->path,
                        (unsigned long long)pair->count, key);
    *n = pair->count;
    at = pair->value;
    for (size_t i = 0; i < *n; i++) {
        uint64_t len;
        memcpy(&len, at, sizeof len);
        (*out)[i] = (ith_bytes){(const char *)at + sizeof len, len};
        at += sizeof len + len;
    }
    return ITH_OK;
}

static ith_status list_types(const ith_gguf_meta *meta, ith_gguf_vocab *vocab, ith_error *err)
{
    const ith_gguf_pair *pair;

    ITH_TRY(ith_gguf_array(meta, "tokenizer.ggml.token_type", ITH_GGUF_I32, &pair, err));
    if (pair == NULL)
        return ITH_OK;
    if (pair->count != vocab->n_tokens)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tokenizer.ggml.token_type has %llu items for %zu tokens", meta->path,
                        (unsigned long long)pair->count, vocab->n_tokens);
    vocab->types = calloc(vocab->n_tokens + 1, sizeof *vocab->types);
    if (vocab->types == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the types of %zu tokens", meta->path,
                        vocab->n_tokens);
    memcpy(vocab->types, pair->value, vocab->n_tokens * sizeof *vocab->types);
    return ITH_OK;
}

/* Values of the metadata are not aligned, so they are copied. */
static ith_status list_scores(const ith_gguf_meta *meta, ith_gguf_vocab *vocab, ith_error *err)
{
    const ith_gguf_pair *pair;

    ITH_TRY(ith_gguf_array(meta, "tokenizer.ggml.scores", ITH_GGUF_F32, &pair, err));
    if (pair == NULL)
        return ITH_OK;
    if (pair->count != vocab->n_tokens)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tokenizer.ggml.scores has %llu items for %zu tokens", meta->path,
                        (unsigned long long)pair->count, vocab->n_tokens);
    vocab->scores = calloc(vocab->n_tokens + 1, sizeof *vocab->scores);
    if (vocab->scores == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the scores of %zu tokens", meta->path,
                        vocab->n_tokens);
    memcpy(vocab->scores, pair->value, vocab->n_tokens * sizeof *vocab->scores);
    return ITH_OK;
}

/* The id of a token; `preset` where the file has none. -1 and 2^32 - 1 mean none. */
static ith_status read_token(const ith_gguf_meta *meta, const char *key, size_t n_tokens,
                             int64_t preset, int32_t *out, ith_error *err)
{
    int64_t id = preset < (int64_t)n_tokens ? preset : -1;

    *out = -1;
    ITH_TRY(ith_gguf_int(meta, key, NULL, -1, UINT32_MAX, &id, err));
    if (id == -1 || id == UINT32_MAX)
        return ITH_OK;
    if ((uint64_t)id >= n_tokens || id > INT32_MAX)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s is %lld, the vocabulary has %zu tokens",
                        meta->path, key, (long long)id, n_tokens);
    *out = (int32_t)id;
    return ITH_OK;
}

static ith_status read_tokens(const ith_gguf_meta *meta, ith_gguf_vocab *vocab, ith_error *err)
{
    /* one of the keys is misspelt in the specification */
    static const char *const keys[] = {
        "tokenizer.ggml.bos_token_id",     "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.seperator_token_id",
        "tokenizer.ggml.padding_token_id", "tokenizer.ggml.cls_token_id",
        "tokenizer.ggml.mask_token_id"};
    /* of vocabularies of SentencePiece */
    static const int64_t presets[] = {1, 2, -1, -1, -1, -1, -1};
    bool llama = ith_bytes_equal(vocab->model, "llama");
    int32_t *const ids[] = {&vocab->bos, &vocab->eos, &vocab->unk, &vocab->sep,
                            &vocab->pad, &vocab->cls, &vocab->mask};

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        *ids[i] = -1;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        ITH_TRY(read_token(meta, keys[i], vocab->n_tokens, llama ? presets[i] : -1, ids[i], err));
    return ITH_OK;
}

static ith_status list_templates(const ith_gguf_meta *meta, ith_gguf_vocab *vocab, ith_error *err)
{
    static const char prefix[] = "tokenizer.chat_template";
    size_t n = sizeof prefix - 1;

    vocab->templates = calloc(meta->n_pairs + 1, sizeof *vocab->templates);
    if (vocab->templates == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for its chat templates", meta->path);
    for (size_t i = 0; i < meta->n_pairs; i++) {
        ith_gguf_template *t = &vocab->templates[vocab->n_templates];
        ith_bytes key = meta->pairs[i].key;
        if (key.len < n || memcmp(key.data, prefix, n) != 0 || (key.len > n && key.data[n] != '.'))
            continue;
        t->name = key.len > n ? (ith_bytes){key.data + n + 1, key.len - n - 1}
                              : (ith_bytes){"default", 7};
        ITH_TRY(ith_gguf_pair_string(meta, &meta->pairs[i], &t->source, err));
        vocab->n_templates++;
    }
    return ITH_OK;
}

/* For files that do not say whether texts begin with bos: those of SentencePiece do, and those
 * whose pre-tokenizer is Llama 3's (llama.cpp has the same list). */
static bool default_add_bos(const ith_gguf_vocab *vocab)
{
    static const char *const with_bos[] = {"llama-bpe", "llama3",    "llama-v3",    "falcon3",
                                           "falcon-h1", "pixtral",   "midm-2.0",    "lfm2",
                                           "tekken",    "chameleon", "jina-v5-nano"};

    if (ith_bytes_equal(vocab->model, "llama") || ith_bytes_equal(vocab->model, "gemma4"))
        return true;
    for (size_t i = 0; i < sizeof with_bos / sizeof *with_bos; i++)
        if (ith_bytes_equal(vocab->pre, with_bos[i]))
            return true;
    return false;
}

ith_status ith_gguf_vocab_read(const ith_gguf_meta *meta, ith_gguf_vocab *vocab, ith_error *err)
{
    *vocab = (ith_gguf_vocab){.add_space_prefix = true};
    ITH_TRY(ith_gguf_string(meta, "tokenizer.ggml.model", NULL, &vocab->model, err));
    ITH_TRY(ith_gguf_string(meta, "tokenizer.ggml.pre", NULL, &vocab->pre, err));
    ITH_TRY(list_templates(meta, vocab, err));
    ITH_TRY(list_strings(meta, "tokenizer.ggml.tokens", &vocab->tokens, &vocab->n_tokens, err));
    ITH_TRY(list_strings(meta, "tokenizer.ggml.merges", &vocab->merges, &vocab->n_merges, err));
    ITH_TRY(list_types(meta, vocab, err));
    ITH_TRY(list_scores(meta, vocab, err));
    ITH_TRY(read_tokens(meta, vocab, err));
    vocab->add_bos = default_add_bos(vocab);
    ITH_TRY(ith_gguf_bool(meta, "tokenizer.ggml.add_bos_token", NULL, &vocab->add_bos, err));
    ITH_TRY(ith_gguf_bool(meta, "tokenizer.ggml.add_eos_token", NULL, &vocab->add_eos, err));
    return ith_gguf_bool(meta, "tokenizer.ggml.add_space_prefix", NULL, &vocab->add_space_prefix,
                         err);
}

void ith_gguf_vocab_free(ith_gguf_vocab *vocab)
{
    if (vocab == NULL)
        return;
    free(vocab->tokens);
    free(vocab->merges);
    free(vocab->types);
    free(vocab->scores);
    free(vocab->templates);
    *vocab = (ith_gguf_vocab){0};
}

/* Tokens that end a turn or a document in the chat formats of the known families. */
static bool ends_answer(ith_bytes token)
{
    static const char *const texts[] = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>",
                                        "<|end_of_text|>", "<|eom_id|>"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (ith_bytes_equal(token, texts[i]))
            return true;
    return false;
}

ith_status ith_gguf_special_tokens(const ith_gguf_meta *meta, const ith_gguf_vocab *vocab,
                                   ith_hparams *hp, ith_error *err)
{
    int32_t eot, eom;

    ITH_TRY(read_token(meta, "tokenizer.ggml.eot_token_id", vocab->n_tokens, -1, &eot, err));
    ITH_TRY(read_token(meta, "tokenizer.ggml.eom_token_id", vocab->n_tokens, -1, &eom, err));
    hp->bos = vocab->bos;
    ITH_TRY(ith_hparams_add_eos(hp, vocab->eos, meta->path, err));
    ITH_TRY(ith_hparams_add_eos(hp, eot, meta->path, err));
    ITH_TRY(ith_hparams_add_eos(hp, eom, meta->path, err));
    for (size_t i = 0; i < vocab->n_tokens; i++) {
        int32_t type = vocab->types != NULL ? vocab->types[i] : TYPE_CONTROL;
        if ((type == TYPE_CONTROL || type == TYPE_USER_DEFINED) && ends_answer(vocab->tokens[i]))
            ITH_TRY(ith_hparams_add_eos(hp, (int64_t)i, meta->path, err));
    }
    return ITH_OK;
}
