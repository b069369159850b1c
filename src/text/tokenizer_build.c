/* tokenizer_build.c - builds a tokenizer from tokens, merges and added tokens of any format. */
#include "base/grow.h"
#include "text/tokenizer_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer added tokens are taken for damage. A search may look this far ahead at every byte. */
enum { MAX_ADDED = 1024 };

/* So are longer tokens of SentencePiece. Each is looked up in all its halves. */
enum { MAX_SCORED = 256 };

ith_status ith_builder_begin(ith_builder *builder, const char *where, ith_error *err)
{
    *builder = (ith_builder){.where = where, .tok = calloc(1, sizeof *builder->tok)};
    if (builder->tok == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a tokenizer");
    builder->tok->bos = builder->tok->eos = builder->tok->unk = -1;
    return ITH_OK;
}

/* Appends to builder->word a token as the table holds it: what it stands for if the vocabulary is
 * byte-level, where a token that is not in the alphabet (*raw) stands for its text. */
static ith_status append_decoded(ith_builder *builder, const char *text, size_t len, bool *raw,
                                 ith_error *err)
{
    ith_buffer *word = &builder->word;
    bool byte_level = !builder->tok->chars;
    size_t n;

    ITH_TRY(ith_buffer_reserve(word, len + 1, err));
    *raw = byte_level && !ith_alphabet_decode(text, len, word->data + word->len, &n);
    if (*raw || !byte_level) {
        memcpy(word->data + word->len, text, len);
        n = len;
    }
    word->len += n;
    return ITH_OK;
}

ith_status ith_builder_token(ith_builder *builder, int64_t id, const char *text, size_t len,
                             ith_error *err)
{
    ith_token_table *tokens = &builder->tok->tokens;
    bool raw;

    if (ith_token_table_get(tokens, id) != NULL)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: token id %lld is used twice, the second time for \"%.*s\"",
                        builder->where, (long long)id, (int)(len < 40 ? len : 40), text);
    builder->word.len = 0;
    ITH_TRY(append_decoded(builder, text, len, &raw, err));
    return ith_token_table_put(tokens, id, builder->word.data, builder->word.len,
                               ITH_TOKEN_MODEL | (raw ? ITH_TOKEN_RAW : 0), builder->where, err);
}

ith_status ith_builder_find(ith_builder *builder, const char *text, size_t len, int32_t *id,
                            ith_error *err)
{
    bool raw;

    builder->word.len = 0;
    ITH_TRY(append_decoded(builder, text, len, &raw, err));
    *id = ith_token_table_find_model(&builder->tok->tokens, builder->word.data, builder->word.len,
                                     raw);
    return ITH_OK;
}

ith_status ith_builder_merges(ith_builder *builder, size_t n_merges, ith_error *err)
{
    ith_tokenizer *tok = builder->tok;

    ITH_TRY(ith_token_table_index(&tok->tokens, err));
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte, spelled[8];
        snprintf(spelled, sizeof spelled, "<0x%02X>", (unsigned)byte);
        tok->bpe.byte_id[byte] = ith_token_table_find_model(&tok->tokens, &c, 1, false);
        tok->byte_tokens[byte] = ith_token_table_find_model(&tok->tokens, spelled, 6, false);
    }
    return ith_bpe_init(&tok->bpe, n_merges, err);
}

ith_status ith_builder_merge(ith_builder *builder, size_t rank, ith_bytes left, ith_bytes right,
                             ith_error *err)
{
    ith_token_table *tokens = &builder->tok->tokens;
    ith_buffer *word = &builder->word;
    int32_t left_id, right_id, result;
    bool raw_left, raw_right;
    size_t cut;

    word->len = 0;
    ITH_TRY(append_decoded(builder, left.data, left.len, &raw_left, err));
    cut = word->len;
    ITH_TRY(append_decoded(builder, right.data, right.len, &raw_right, err));
    left_id = ith_token_table_find_model(tokens, word->data, cut, raw_left);
    right_id = ith_token_table_find_model(tokens, word->data + cut, word->len - cut, raw_right);
    result = ith_token_table_find_model(tokens, word->data, word->len, raw_left || raw_right);
    if (left_id < 0 || right_id < 0 || result < 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: merge %zu of \"%.*s\" and \"%.*s\": one of these, or the result, is "
                        "not in the vocabulary",
                        builder->where, rank, (int)(left.len < 40 ? left.len : 40), left.data,
                        (int)(right.len < 40 ? right.len : 40), right.data);
    ith_bpe_add(&builder->tok->bpe, (uint32_t)rank, left_id, right_id, result);
    return ITH_OK;
}

ith_status ith_builder_merge_text(ith_builder *builder, size_t rank, ith_bytes both, ith_error *err)
{
    const char *space = both.len > 0 ? memchr(both.data, ' ', both.len) : NULL;
    size_t left = space == NULL ? 0 : (size_t)(space - both.data);

    if (left == 0 || left + 1 == both.len || memchr(space + 1, ' ', both.len - left - 1) != NULL)
        return ith_fail(
            err, ITH_E_FORMAT,
            "%s: merge %zu is \"%.*s\"; expected two tokens with one space between them",
            builder->where, rank, (int)(both.len < 80 ? both.len : 80), both.data);
    return ith_builder_merge(builder, rank, (ith_bytes){both.data, left},
                             (ith_bytes){space + 1, both.len - left - 1}, err);
}

/* ---- Merges by score ---- */

typedef struct scored {
    float score;
    int32_t id;
} scored;

static int by_score(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* The tokens that others may merge into, best first. */
static ith_status list_scored(const ith_builder *builder, const float *scores, const bool *merges,
                              size_t n, scored *list, size_t *count, ith_error *err)
{
    *count = 0;
    for (size_t id = 0; id < n; id++) {
        const ith_token *token = ith_token_table_get(&builder->tok->tokens, (int64_t)id);
        if (token == NULL || !merges[id] || token->len < 2)
            continue;
        if (token->len > MAX_SCORED || !(scores[id] > -INFINITY && scores[id] < INFINITY))
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: token %zu has %u bytes and score %g; expected at most %d bytes "
                            "and a finite score",
                            builder->where, id, token->len, scores[id], MAX_SCORED);
        list[(*count)++] = (scored){scores[id], (int32_t)id};
    }
    qsort(list, *count, sizeof *list, by_score);
    return ITH_OK;
}

/* Pairs that merge, best first. */
typedef struct pair_list {
    ith_merge *pairs;
    size_t n, cap;
} pair_list;

static ith_status add_pair(pair_list *list, ith_merge pair, ith_error *err)
{
    if (!ith_grow((void **)&list->pairs, &list->cap, list->n + 1, sizeof *list->pairs))
        return ith_fail(err, ITH_E_MEMORY, "no memory for %zu merges", list->n + 1);
    list->pairs[list->n++] = pair;
    return ITH_OK;
}

/* The pairs of tokens that a token can be cut into. */
static ith_status add_pairs(const ith_token_table *tokens, const bool *merges, int32_t id,
                            uint32_t rank, pair_list *list, ith_error *err)
{
    const ith_token *token = &tokens->tokens[id];
    const char *text = tokens->bytes + token->at;

    for (size_t cut = 1; cut < token->len; cut++) {
        int32_t left, right;
        if (((unsigned char)text[cut] & 0xc0) == 0x80)
            continue;
        left = ith_token_table_find_model(tokens, text, cut, false);
        right =
            left < 0 ? -1 : ith_token_table_find_model(tokens, text + cut, token->len - cut, false);
        if (right >= 0 && merges[left] && merges[right])
            ITH_TRY(add_pair(list, (ith_merge){left, right, rank, id}, err));
    }
    return ITH_OK;
}

ith_status ith_builder_scores(ith_builder *builder, const float *scores, const bool *merges,
                              size_t n, ith_error *err)
{
    ith_token_table *tokens = &builder->tok->tokens;
    scored *list = calloc(n + 1, sizeof *list);
    pair_list found = {NULL, 0, 0};
    size_t count, rank = 0;
    ith_status status = ITH_OK;

    if (list == NULL) {
        status = ith_fail(err, ITH_E_MEMORY, "no memory for the scores of %zu tokens", n);
        goto done;
    }
    ITH_CHECK(list_scored(builder, scores, merges, n, list, &count, err));
    ITH_CHECK(ith_token_table_index(tokens, err));
    for (size_t i = 0; i < count; i++) {
        rank += i > 0 && list[i].score != list[i - 1].score;
        ITH_CHECK(add_pairs(tokens, merges, list[i].id, (uint32_t)rank, &found, err));
    }
    ITH_CHECK(ith_builder_merges(builder, found.n, err));
    for (size_t i = 0; i < found.n; i++)
        ith_bpe_add(&builder->tok->bpe, found.pairs[i].rank, found.pairs[i].left,
                    found.pairs[i].right, found.pairs[i].result);
done:
    free(list);
    free(found.pairs);
    return status;
}

static ith_status check_added(ith_builder *builder, const ith_added *added, ith_error *err)
{
    ith_token_table *tokens = &builder->tok->tokens;
    const ith_token *same = ith_token_table_get(tokens, added->id);
    bool raw;

    if (same == NULL)
        return ITH_OK;
    builder->word.len = 0;
    ITH_TRY(append_decoded(builder, added->text, added->len, &raw, err));
    if (same->flags & ITH_TOKEN_ADDED || same->len != builder->word.len ||
        memcmp(tokens->bytes + same->at, builder->word.data, same->len) != 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the added token \"%.*s\" has id %d, which belongs to another token",
                        builder->where, (int)(added->len < 40 ? added->len : 40), added->text,
                        added->id);
    return ITH_OK;
}

/* Its text as it is found in normalized text, in builder->word. */
static ith_status normalize(ith_builder *builder, const ith_added *added, ith_error *err)
{
    ith_normalizing z = {.normalizer = &builder->tok->normalizer};
    ith_status status;

    builder->word.len = 0;
    status = ith_normalizing_run(&z, added->text, added->len, &builder->word, err);
    ith_normalizing_end(&z);
    return status;
}

ith_status ith_builder_added(ith_builder *builder, const ith_added *added, ith_error *err)
{
    ith_tokenizer *tok = builder->tok;
    uint32_t flags = ITH_TOKEN_ADDED | (added->special ? ITH_TOKEN_SPECIAL : 0);
    ith_added item = *added;

    if (added->len == 0) /* Hugging Face ignores such tokens, too */
        return ITH_OK;
    if (added->len > MAX_ADDED)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the added token with id %d has %zu bytes; expected at most %d",
                        builder->where, added->id, added->len, MAX_ADDED);
    if (ith_utf8_valid_prefix(added->text, added->len) < added->len)
        return ith_fail(err, ITH_E_FORMAT, "%s: the added token with id %d is not UTF-8",
                        builder->where, added->id);
    ITH_TRY(check_added(builder, added, err));
    ITH_TRY(ith_token_table_put(&tok->tokens, added->id, added->text, added->len, flags,
                                builder->where, err));
    if (added->normalized) {
        ITH_TRY(normalize(builder, added, err));
        item.text = builder->word.data;
        item.len = builder->word.len;
        if (item.len == 0)
            return ITH_OK;
    }
    return ith_added_push(added->normalized ? &tok->normalized : &tok->raw, &item, err);
}

ith_status ith_builder_note(ith_builder *builder, const char *line, ith_error *err)
{
    char *old = builder->tok->notes, *longer;

    if (asprintf(&longer, "%s%s%s", old != NULL ? old : "", old != NULL ? "\n" : "", line) < 0)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a note");
    free(old);
    builder->tok->notes = longer;
    return ITH_OK;
}

/* What each token of a vocabulary that is not byte-level stands for. */
static ith_status set_pieces(ith_builder *builder, ith_error *err)
{
    ith_tokenizer *tok = builder->tok;

    for (size_t id = 0; id < tok->tokens.n; id++) {
        const ith_token *token = ith_token_table_get(&tok->tokens, (int64_t)id);
        ith_bytes text, piece = {NULL, 0};
        ith_status status;
        if (token == NULL)
            continue;
        text = (ith_bytes){tok->tokens.bytes + token->at, token->len};
        status = ith_spelling_piece(&tok->spelling, text, &piece, err);
        if (status == ITH_OK &&
            (piece.len != text.len || memcmp(piece.data, text.data, text.len) != 0))
            status =
                ith_token_table_set_piece(&tok->tokens, (int32_t)id, piece, builder->where, err);
        free((char *)piece.data);
        ITH_TRY(status);
    }
    return ITH_OK;
}

ith_status ith_builder_finish(ith_builder *builder, ith_tokenizer **out, ith_error *err)
{
    ith_tokenizer *tok = builder->tok;
    const ith_added *twice;

    for (int byte = 0; byte < 256; byte++)
        if (tok->bpe.byte_id[byte] < 0)
            tok->bpe.byte_id[byte] = tok->unk;
    ith_added_sort(&tok->raw);
    ith_added_sort(&tok->normalized);
    twice = ith_added_twice(&tok->raw, &tok->normalized);
    if (twice != NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: two added tokens are \"%.*s\", one with id %d",
                        builder->where, (int)(twice->len < 40 ? twice->len : 40), twice->text,
                        twice->id);
    ITH_TRY(ith_token_table_index(&tok->tokens, err));
    if (tok->chars)
        ITH_TRY(set_pieces(builder, err));
    builder->tok = NULL;
    *out = tok;
    return ITH_OK;
}

void ith_builder_free(ith_builder *builder)
{
    ith_tokenizer_free(builder->tok);
    ith_buffer_free(&builder->word);
    builder->tok = NULL;
}
