/* tokenizer_arrays.c - builds a tokenizer from the arrays of a GGUF file. */
#include "text/pre_names.h"
#include "text/tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

static ith_status unknown_pre(const ith_tokenizer_spec *spec, ith_error *err)
{
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: the pre-tokenizer \"%.*s\" is not supported (docs/formats.md lists those "
                    "that are)",
                    spec->where, (int)(spec->pre.len < 60 ? spec->pre.len : 60), spec->pre.data);
}

/* U+2581, which stands for a space. */
static const ith_bytes mark = {"\xe2\x96\x81", 3};

/* A vocabulary as SentencePiece spells it. */
static ith_status set_spelling(const ith_tokenizer_spec *spec, ith_tokenizer *tok, bool space_first,
                               ith_error *err)
{
    tok->chars = tok->byte_fallback = tok->fuse_unk = true;
    tok->spelling.bytes = true;
    tok->spelling.strip = space_first;
    if (space_first)
        ITH_TRY(ith_normalizer_add_prepend(&tok->normalizer, mark, spec->where, err));
    ITH_TRY(ith_normalizer_add_replace(&tok->normalizer, (ith_bytes){" ", 1}, true, mark,
                                       spec->where, err));
    return ith_spelling_add(&tok->spelling, mark, (ith_bytes){" ", 1}, spec->where, err);
}

static ith_status set_pre(const ith_tokenizer_spec *spec, ith_tokenizer *tok, ith_error *err)
{
    const ith_known_pre *pre = ith_pre_named(spec->pre);

    if (spec->scores != NULL)
        return set_spelling(spec, tok, spec->add_space_prefix, err);
    if (pre == NULL)
        return unknown_pre(spec, err);
    if (pre->chars)
        return set_spelling(spec, tok, false, err);
    if (pre->nfc)
        ITH_TRY(ith_normalizer_add_form(&tok->normalizer, ITH_NFC, spec->where, err));
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
static ith_status check_byte(const ith_builder *builder, const ith_tokenizer_spec *spec, size_t id,
                             int32_t type, ith_error *err)
{
    ith_bytes text = spec->tokens[id];
    char byte[8];
    size_t n;

    if (builder->tok->chars)
        return ITH_OK;
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
        if (type == TYPE_BYTE && !builder->tok->chars)
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "%s: token %zu has type 6 (byte), which byte-level BPE does not have",
                            spec->where, id);
        ITH_TRY(check_byte(builder, spec, id, type, err));
        /* Vocabularies of SentencePiece hold their added tokens as well. */
        if (added ? !is_added(type) : is_added(type) && !builder->tok->chars)
            continue;
        ITH_TRY(added ? ith_builder_added(builder, &item, err)
                      : ith_builder_token(builder, (int64_t)id, text.data, text.len, err));
    }
    return ITH_OK;
}

static bool is_token(const ith_tokenizer *tok, int32_t id)
{
    return id < 0 || ith_token_table_get(&tok->tokens, id) != NULL;
}

/* Without an id in the file, the token of type 2 is the unknown one. */
static void set_unk(const ith_tokenizer_spec *spec, ith_tokenizer *tok)
{
    tok->unk = spec->unk < 0 ? -1 : spec->unk;
    for (size_t id = 0; id < spec->n_tokens && tok->unk < 0; id++)
        if (type_of(spec, id) == TYPE_UNKNOWN)
            tok->unk = (int32_t)id;
}

static ith_status set_ends(const ith_tokenizer_spec *spec, ith_tokenizer *tok, ith_error *err)
{
    if (!is_token(tok, spec->bos) || !is_token(tok, spec->eos) || !is_token(tok, spec->unk))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: bos %d, eos %d or unknown %d is not in the vocabulary of %zu tokens",
                        spec->where, spec->bos, spec->eos, spec->unk, tok->tokens.n);
    tok->bos = spec->bos < 0 ? -1 : spec->bos;
    tok->eos = spec->eos < 0 ? -1 : spec->eos;
    if (spec->add_bos && tok->bos >= 0)
        tok->before[tok->n_before++] = tok->bos;
    if (spec->add_eos && tok->eos >= 0)
        tok->after[tok->n_after++] = tok->eos;
    if (tok->chars)
        set_unk(spec, tok);
    return ITH_OK;
}

static ith_status add_merges(ith_builder *builder, const ith_tokenizer_spec *spec, ith_error *err)
{
    bool *merges;
    ith_status status;

    if (spec->scores == NULL) {
        ITH_TRY(ith_builder_merges(builder, spec->n_merges, err));
        for (size_t rank = 0; rank < spec->n_merges; rank++)
            ITH_TRY(ith_builder_merge_text(builder, rank, spec->merges[rank], err));
        return ITH_OK;
    }
    merges = calloc(spec->n_tokens, sizeof *merges);
    if (merges == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the types of %zu tokens", spec->n_tokens);
    for (size_t id = 0; id < spec->n_tokens; id++) {
        int32_t type = type_of(spec, id);
        merges[id] = type == TYPE_NORMAL || type == TYPE_USER || type == TYPE_UNUSED;
    }
    status = ith_builder_scores(builder, spec->scores, merges, spec->n_tokens, err);
    free(merges);
    return status;
}

ith_status ith_builder_arrays(ith_builder *builder, const ith_tokenizer_spec *spec, ith_error *err)
{
    if (spec->n_tokens == 0 || spec->n_tokens > (size_t)ITH_MAX_TOKEN_ID + 1)
        return ith_fail(err, ITH_E_FORMAT, "%s: the vocabulary has %zu tokens; expected 1 to %d",
                        spec->where, spec->n_tokens, ITH_MAX_TOKEN_ID + 1);
    ITH_TRY(set_pre(spec, builder->tok, err));
    ITH_TRY(add_tokens(builder, spec, false, err));
    ITH_TRY(add_merges(builder, spec, err));
    ITH_TRY(add_tokens(builder, spec, true, err));
    return set_ends(spec, builder->tok, err);
}

ith_status ith_tokenizer_from_arrays(const ith_tokenizer_spec *spec, ith_tokenizer **tok,
                                     ith_error *err)
{
    ith_builder builder;
    ith_status status;

    *tok = NULL;
    ITH_CHECK(ith_builder_begin(&builder, spec->where, err));
    ITH_CHECK(ith_builder_arrays(&builder, spec, err));
    ITH_CHECK(ith_builder_finish(&builder, tok, err));
done:
    ith_builder_free(&builder);
    return status;
}
