/* tokenizer.c - encoding, decoding and queries. */
#include "text/tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

void ith_tokenizer_free(ith_tokenizer *tok)
{
    if (tok == NULL)
        return;
    ith_token_table_free(&tok->tokens);
    ith_bpe_free(&tok->bpe);
    ith_added_free(&tok->raw);
    ith_added_free(&tok->normalized);
    ith_normalizer_free(&tok->normalizer);
    ith_pretokenizer_free(&tok->pre);
    ith_spelling_free(&tok->spelling);
    free(tok->notes);
    free(tok);
}

/* ---- Encoding ----
 *
 * The text between added tokens is normalized into one growing buffer, `work`, and words are ranges
 * of it. Words recur, so a cache holds the ids of the last word of each hash value, as ranges of
 * `work` and of the output.
 */

enum {
    CACHE_WORDS = 16384, /* for a long text; a power of two, as is the least */
    CACHE_LEAST = 64,
    CACHE_MAX_LEN = 64 /* bytes; longer words seldom recur */
};

typedef struct cached_word {
    uint32_t at, len;       /* in work; len 0: empty */
    uint32_t ids_at, n_ids; /* in ids */
} cached_word;

typedef struct encoding {
    const ith_tokenizer *tok;
    ith_buffer repaired, work;
    ith_ids ids;
    ith_bpe_scratch scratch;
    ith_normalizing normalizing;
    ith_splitter splitter;
    cached_word *cache; /* [n_cache], a power of two */
    size_t n_cache;
    unsigned flags;
    const ith_written *written;             /* NULL: no authors */
    bool *raw_markers, *normalized_markers; /* of the two sets; of `written` only */
    bool *held;
} encoding;

/* False: a byte of the character is no token. */
static bool push_bytes(encoding *e, const char *text, size_t width)
{
    const ith_tokenizer *tok = e->tok;
    bool all = tok->byte_fallback;

    for (size_t i = 0; i < width && all; i++)
        all = tok->byte_tokens[(unsigned char)text[i]] >= 0;
    for (size_t i = 0; i < width && all; i++)
        ith_bpe_push(&e->scratch, tok->byte_tokens[(unsigned char)text[i]]);
    return all;
}

/* The first symbols of a word that is merged from characters, in the order of Hugging Face's: an
 * unknown token waits until a known one follows, or the end. */
static ith_status push_chars(encoding *e, const char *word, size_t len, ith_error *err)
{
    const ith_tokenizer *tok = e->tok;
    bool waits = false;
    size_t width;

    ITH_TRY(ith_bpe_begin(&e->scratch, len + 1, err));
    for (size_t at = 0; at < len; at += width) {
        int32_t id;
        ith_utf8_decode(word + at, &width);
        id = ith_token_table_find_model(&tok->tokens, word + at, width, false);
        if (id >= 0) {
            if (waits)
                ith_bpe_push(&e->scratch, tok->unk);
            waits = false;
            ith_bpe_push(&e->scratch, id);
        } else if (!push_bytes(e, word + at, width) && tok->unk >= 0) {
            if (waits && !tok->fuse_unk)
                ith_bpe_push(&e->scratch, tok->unk);
            waits = true;
        }
    }
    if (waits)
        ith_bpe_push(&e->scratch, tok->unk);
    return ITH_OK;
}

static ith_status merge_word(encoding *e, const char *word, size_t len, ith_error *err)
{
    const ith_tokenizer *tok = e->tok;
    int32_t id =
        tok->ignore_merges ? ith_token_table_find_model(&tok->tokens, word, len, false) : -1;

    if (id >= 0 && !(tok->tokens.tokens[id].flags & ITH_TOKEN_SPECIAL)) {
        ITH_TRY(ith_ids_reserve(&e->ids, 1, err));
        e->ids.data[e->ids.n++] = id;
        return ITH_OK;
    }
    if (!tok->chars)
        return ith_bpe_word(&tok->bpe, &e->scratch, word, len, &e->ids, err);
    ITH_TRY(push_chars(e, word, len, err));
    return ith_bpe_merge(&tok->bpe, &e->scratch, &e->ids, err);
}

static ith_status encode_word(void *user, size_t begin, size_t end, ith_error *err)
{
    encoding *e = user;
    const char *word = e->work.data + begin;
    size_t len = end - begin, first = e->ids.n;
    cached_word *cached;

    if (len > CACHE_MAX_LEN)
        return merge_word(e, word, len, err);
    cached = &e->cache[ith_hash_bytes(word, len) % e->n_cache];
    if (cached->len == len && memcmp(e->work.data + cached->at, word, len) == 0) {
        ITH_TRY(ith_ids_reserve(&e->ids, cached->n_ids, err));
        memcpy(e->ids.data + first, e->ids.data + cached->ids_at,
               cached->n_ids * sizeof *e->ids.data);
        e->ids.n += cached->n_ids;
        return ITH_OK;
    }
    ITH_TRY(merge_word(e, word, len, err));
    *cached = (cached_word){(uint32_t)begin, (uint32_t)len, (uint32_t)first,
                            (uint32_t)(e->ids.n - first)};
    return ITH_OK;
}

static ith_status append_id(encoding *e, int32_t id, ith_error *err)
{
    ITH_TRY(ith_ids_reserve(&e->ids, 1, err));
    e->ids.data[e->ids.n++] = id;
    return ITH_OK;
}

/* A cutter of e->written from byte `base` on. */
static ith_cutter begin_cutter(encoding *e, const ith_added_set *set, const char *text, size_t len,
                               size_t base, ith_finding finding)
{
    ith_cutter cutter = ith_cutter_begin(set, text, len, e->flags);

    if (e->written != NULL)
        cutter.authors =
            (ith_authors){.passages = e->written->passages,
                          .n = e->written->n_passages,
                          .base = base,
                          .markers = set == &e->tok->raw ? e->raw_markers : e->normalized_markers,
                          .finding = finding,
                          .held = e->held};
    return cutter;
}

/* The text between two added tokens that match before normalization. at_start: it begins the whole
 * text. */
static ith_status encode_between(encoding *e, const char *text, size_t len, bool at_start,
                                 ith_error *err)
{
    const ith_tokenizer *tok = e->tok;
    size_t begin = e->work.len;
    ith_cutter cutter;
    ith_cut cut;

    ITH_TRY(ith_normalizing_run(&e->normalizing, text, len, &e->work, err));
    cutter = begin_cutter(e, &tok->normalized, e->work.data + begin, e->work.len - begin, 0,
                          ITH_FIND_OTHERS);
    while (ith_cutter_next(&cutter, &cut)) {
        if (cut.item != NULL)
            ITH_TRY(append_id(e, cut.item->id, err));
        else
            ITH_TRY(ith_splitter_run(&e->splitter, begin + cut.begin, begin + cut.end,
                                     at_start && cut.begin == 0, err));
        cutter.text = e->work.data + begin; /* the buffer may have moved */
    }
    return ITH_OK;
}

/* Markers that would match after normalization match before it where authors count, because what
 * is normalized has no authors. */
static ith_status encode_unnormalized(encoding *e, const char *text, size_t len, size_t base,
                                      ith_error *err)
{
    ith_cutter cutter;
    ith_cut cut;

    if (e->written == NULL)
        return encode_between(e, text, len, base == 0, err);
    cutter = begin_cutter(e, &e->tok->normalized, text, len, base, ITH_FIND_MARKERS);
    while (ith_cutter_next(&cutter, &cut)) {
        if (cut.item != NULL)
            ITH_TRY(append_id(e, cut.item->id, err));
        else
            ITH_TRY(encode_between(e, text + cut.begin, cut.end - cut.begin, base + cut.begin == 0,
                                   err));
    }
    return ITH_OK;
}

static ith_status encode_text(encoding *e, const char *text, size_t len, ith_error *err)
{
    ith_cutter cutter = begin_cutter(e, &e->tok->raw, text, len, 0, ITH_FIND_ALL);
    ith_cut cut;

    while (ith_cutter_next(&cutter, &cut)) {
        if (cut.item != NULL)
            ITH_TRY(append_id(e, cut.item->id, err));
        else
            ITH_TRY(encode_unnormalized(e, text + cut.begin, cut.end - cut.begin, cut.begin, err));
    }
    return ITH_OK;
}

static ith_status begin_encoding(encoding *e, const ith_tokenizer *tok, size_t len, unsigned flags,
                                 ith_error *err)
{
    *e = (encoding){.tok = tok, .flags = flags, .normalizing = {.normalizer = &tok->normalizer}};
    e->splitter =
        (ith_splitter){.pre = &tok->pre, .buffer = &e->work, .on_word = encode_word, .user = e};
    for (e->n_cache = CACHE_LEAST; e->n_cache < CACHE_WORDS && e->n_cache < len;)
        e->n_cache *= 2;
    e->cache = calloc(e->n_cache, sizeof *e->cache);
    if (e->cache == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for tokenizing");
    ITH_TRY(ith_splitter_begin(&e->splitter, err));
    return ith_ids_reserve(&e->ids, 1, err);
}

static void end_encoding(encoding *e)
{
    ith_normalizing_end(&e->normalizing);
    ith_splitter_end(&e->splitter);
    ith_bpe_scratch_free(&e->scratch);
    ith_buffer_free(&e->repaired);
    ith_buffer_free(&e->work);
    free(e->ids.data);
    free(e->cache);
    free(e->raw_markers);
    free(e->normalized_markers);
}

static ith_status check_length(size_t len, ith_error *err)
{
    return len <= ITH_MAX_TEXT
               ? ITH_OK
               : ith_fail(err, ITH_E_ARGUMENT,
                          "the text has %zu bytes; at most %d can be tokenized at once", len,
                          ITH_MAX_TEXT);
}

static ith_status encode_all(encoding *e, const char *text, size_t len, ith_error *err)
{
    if (ith_utf8_valid_prefix(text, len) == len)
        return encode_text(e, text, len, err);
    ITH_TRY(ith_utf8_repair(text, len, &e->repaired, err));
    return encode_text(e, e->repaired.data, e->repaired.len, err);
}

static bool begins_with(const ith_ids *ids, const int32_t *first, size_t n)
{
    return ids->n >= n && memcmp(ids->data, first, n * sizeof *first) == 0;
}

static bool ends_with(const ith_ids *ids, const int32_t *last, size_t n)
{
    return ids->n >= n && memcmp(ids->data + ids->n - n, last, n * sizeof *last) == 0;
}

/* What the tokenizer puts around texts, unless a text with markers brings it itself. */
static ith_status put_around(encoding *e, ith_error *err)
{
    const ith_tokenizer *tok = e->tok;
    ith_ids *ids = &e->ids;

    ITH_TRY(ith_ids_reserve(ids, tok->n_before + tok->n_after, err));
    if (e->flags & ITH_TOKENIZE_BOS && !begins_with(ids, tok->before, tok->n_before)) {
        memmove(ids->data + tok->n_before, ids->data, ids->n * sizeof *ids->data);
        memcpy(ids->data, tok->before, tok->n_before * sizeof *ids->data);
        ids->n += tok->n_before;
    }
    if (e->flags & ITH_TOKENIZE_EOS && !ends_with(ids, tok->after, tok->n_after)) {
        memcpy(ids->data + ids->n, tok->after, tok->n_after * sizeof *ids->data);
        ids->n += tok->n_after;
    }
    return ITH_OK;
}

ith_status ith_tokenizer_encode(const ith_tokenizer *tok, const char *text, size_t len,
                                unsigned flags, int32_t **ids, size_t *n_ids, ith_error *err)
{
    ith_status status;
    encoding e;

    *ids = NULL;
    *n_ids = 0;
    ITH_TRY(check_length(len, err));
    ITH_CHECK(begin_encoding(&e, tok, len, flags, err));
    ITH_CHECK(encode_all(&e, text, len, err));
    ITH_CHECK(put_around(&e, err));
    *ids = e.ids.data;
    *n_ids = e.ids.n;
    e.ids.data = NULL;
done:
    end_encoding(&e);
    return status;
}

/* ---- What a chat template wrote ---- */

/* <|im_end|>, or DeepSeek's with full-width bars */
static bool looks_like_marker(const ith_added *item)
{
    static const char *const ends[][2] = {{"<|", "|>"}, {"<\xef\xbd\x9c", "\xef\xbd\x9c>"}};

    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(ends[i][0]);
        if (item->len > 2 * n && memcmp(item->text, ends[i][0], n) == 0 &&
            memcmp(item->text + item->len - n, ends[i][1], n) == 0)
            return true;
    }
    return false;
}

/* Line ends, blanks and words occur in templates as ordinary text. */
static bool has_punctuation(const ith_added *item)
{
    size_t width;

    for (size_t at = 0; at < item->len; at += width) {
        uint32_t code = ith_utf8_decode(item->text + at, &width);
        if (!ith_is_white_space(code) && !ith_is_word_char(code) && code != 0x2581) /* ▁ */
            return true;
    }
    return false;
}

static ith_status find_markers(const ith_added_set *set, const ith_written *written, bool **out,
                               ith_error *err)
{
    *out = calloc(set->n + 1, sizeof **out);
    if (*out == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the markers of a chat template");
    for (size_t i = 0; i < set->n; i++) {
        const ith_added *item = &set->items[i];
        (*out)[i] = item->special || looks_like_marker(item) ||
                    (memmem(written->source, written->source_len, item->text, item->len) != NULL &&
                     has_punctuation(item));
    }
    return ITH_OK;
}

ith_status ith_tokenizer_encode_written(const ith_tokenizer *tok, const ith_written *written,
                                        int32_t **ids, size_t *n_ids, bool *held, ith_error *err)
{
    ith_status status;
    encoding e;

    *ids = NULL;
    *n_ids = 0;
    *held = false;
    ITH_TRY(check_length(written->len, err));
    if (ith_utf8_valid_prefix(written->text, written->len) != written->len)
        return ith_fail(err, ITH_E_ARGUMENT, "the text is not UTF-8");
    ITH_CHECK(begin_encoding(&e, tok, written->len, ITH_TOKENIZE_SPECIAL, err));
    e.written = written;
    e.held = held;
    ITH_CHECK(find_markers(&tok->raw, written, &e.raw_markers, err));
    ITH_CHECK(find_markers(&tok->normalized, written, &e.normalized_markers, err));
    ITH_CHECK(encode_text(&e, written->text, written->len, err));
    *ids = e.ids.data;
    *n_ids = e.ids.n;
    e.ids.data = NULL;
done:
    end_encoding(&e);
    return status;
}

/* ---- Decoding ---- */

ith_decoding ith_decoding_begin(const ith_tokenizer *tok)
{
    return (ith_decoding){.strip = tok->spelling.strip, .first = true};
}

/* The first token without the marks of its spelling. */
static size_t without_marks(const ith_tokenizer *tok, const ith_token *token, char *out)
{
    ith_bytes mark = tok->spelling.replaced[0].from;
    const char *text = tok->tokens.bytes + token->at;
    size_t n = 0;

    for (size_t at = 0; at < token->len;) {
        if (token->len - at >= mark.len && memcmp(text + at, mark.data, mark.len) == 0)
            at += mark.len;
        else
            out[n++] = text[at++];
    }
    return n;
}

size_t ith_decoding_next(const ith_tokenizer *tok, ith_decoding *decoding, int32_t id, char *out)
{
    const ith_token *token = ith_token_table_get(&tok->tokens, id);
    const char *piece;
    size_t len, begin = 0;
    bool first = decoding->first;

    decoding->first = false;
    if (token == NULL)
        return 0;
    if (first && tok->spelling.drop_mark)
        return without_marks(tok, token, out);
    piece = tok->tokens.bytes + token->piece_at;
    len = token->piece_len;
    while (begin < len && decoding->strip > 0) {
        decoding->strip = piece[begin] == ' ' ? decoding->strip - 1 : 0;
        begin += piece[begin] == ' ';
    }
    memcpy(out, piece + begin, len - begin);
    return len - begin;
}

static ith_status check_ids(const ith_tokenizer *tok, const int32_t *ids, size_t n, size_t *bytes,
                            ith_error *err)
{
    *bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const ith_token *token = ith_token_table_get(&tok->tokens, ids[i]);
        if (token == NULL)
            return ith_fail(err, ITH_E_ARGUMENT,
                            "token id %d (at index %zu) is not in the vocabulary of %zu tokens",
                            ids[i], i, tok->tokens.n);
        if (__builtin_add_overflow(*bytes, i == 0 ? tok->tokens.max_len : token->piece_len, bytes))
            return ith_fail(err, ITH_E_MEMORY, "no memory for the text of %zu tokens", n);
    }
    return ITH_OK;
}

ith_status ith_tokenizer_decode(const ith_tokenizer *tok, const int32_t *ids, size_t n, char **text,
                                size_t *len, ith_error *err)
{
    ith_decoding decoding = ith_decoding_begin(tok);
    size_t bytes, at = 0;

    *text = NULL;
    *len = 0;
    ITH_TRY(check_ids(tok, ids, n, &bytes, err));
    *text = bytes == SIZE_MAX ? NULL : malloc(bytes + 1);
    if (*text == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the %zu bytes of %zu tokens", bytes, n);
    for (size_t i = 0; i < n; i++)
        at += ith_decoding_next(tok, &decoding, ids[i], *text + at);
    (*text)[at] = '\0';
    *len = at;
    return ITH_OK;
}

/* ---- Queries ---- */

int32_t ith_tokenizer_n_vocab(const ith_tokenizer *tok)
{
    return (int32_t)tok->tokens.n;
}

size_t ith_tokenizer_max_len(const ith_tokenizer *tok)
{
    return tok->tokens.max_len;
}

const char *ith_tokenizer_token(const ith_tokenizer *tok, int32_t id, size_t *len)
{
    const ith_token *token = ith_token_table_get(&tok->tokens, id);

    *len = token != NULL ? token->piece_len : 0;
    return token != NULL ? tok->tokens.bytes + token->piece_at : NULL;
}

int32_t ith_tokenizer_find(const ith_tokenizer *tok, const char *text, size_t len)
{
    return ith_token_table_find(&tok->tokens, text, len);
}

bool ith_tokenizer_is_special(const ith_tokenizer *tok, int32_t id)
{
    const ith_token *token = ith_token_table_get(&tok->tokens, id);
    return token != NULL && token->flags & ITH_TOKEN_SPECIAL;
}

int32_t ith_tokenizer_bos(const ith_tokenizer *tok)
{
    return tok->bos;
}

int32_t ith_tokenizer_eos(const ith_tokenizer *tok)
{
    return tok->eos;
}

const char *ith_tokenizer_notes(const ith_tokenizer *tok)
{
    return tok->notes != NULL ? tok->notes : "";
}

bool ith_tokenizer_add_bos(const ith_tokenizer *tok)
{
    return tok->n_before > 0;
}
