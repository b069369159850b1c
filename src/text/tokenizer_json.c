/* tokenizer_json.c - builds a tokenizer from Hugging Face's tokenizer.json, or from vocab.json and
 * merges.txt. */
#include "text/tokenizer_json.h"
#include "text/json_steps.h"
#include "text/pre_names.h"

#include <string.h>

/* ---- model ---- */

static ith_status check_model(const ith_json_reader *r, ith_error *err)
{
    static const char *const empty_strings[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const char *type = "BPE", *text;
    double dropout = 0;

    if (!json_is_object(r->model))
        return ith_json_damaged(r, "model", "an object", err);
    ITH_TRY(ith_json_string(r->model, r->builder.where, "type", &type, err));
    if (strcmp(type, "BPE") != 0)
        return ith_json_unsupported(r, "model type", type, err);
    ITH_TRY(ith_json_bool(r->model, r->builder.where, "byte_fallback",
                          &r->builder.tok->byte_fallback, err));
    ITH_TRY(ith_json_real(r->model, r->builder.where, "dropout", &dropout, err));
    if (dropout != 0)
        return ith_json_unsupported(r, "model dropout", "not 0", err);
    for (int i = 0; i < 2; i++) {
        text = "";
        ITH_TRY(ith_json_string(r->model, r->builder.where, empty_strings[i], &text, err));
        if (text[0] != '\0')
            return ith_json_unsupported(r, empty_strings[i], text, err);
    }
    return ith_json_bool(r->model, r->builder.where, "ignore_merges",
                         &r->builder.tok->ignore_merges, err);
}

static ith_status read_vocab(ith_json_reader *r, json_t *vocab, ith_error *err)
{
    size_t n = json_object_size(vocab);

    if (!json_is_object(vocab) || n == 0)
        return ith_json_damaged(r, "model vocab", "an object of tokens and their ids", err);
    for (void *it = json_object_iter(vocab); it != NULL; it = json_object_iter_next(vocab, it)) {
        const json_t *id = json_object_iter_value(it);
        if (!json_is_integer(id))
            return ith_json_damaged(r, "model vocab: every id", "a whole number", err);
        ITH_TRY(ith_builder_token(&r->builder, json_integer_value(id), json_object_iter_key(it),
                                  json_object_iter_key_len(it), err));
    }
    r->next_added = (int64_t)n;
    return ITH_OK;
}

static ith_status read_merges(ith_json_reader *r, ith_error *err)
{
    const json_t *merges = json_object_get(r->model, "merges"), *item;
    size_t rank;

    if (!json_is_array(merges))
        return ith_json_damaged(r, "model merges", "an array", err);
    ITH_TRY(ith_builder_merges(&r->builder, json_array_size(merges), err));
    json_array_foreach (merges, rank, item) {
        const json_t *left = json_array_get(item, 0), *right = json_array_get(item, 1);
        if (json_is_string(item))
            ITH_TRY(ith_builder_merge_text(&r->builder, rank, ith_json_text_of(item), err));
        else if (json_array_size(item) == 2 && json_is_string(left) && json_is_string(right))
            ITH_TRY(ith_builder_merge(&r->builder, rank, ith_json_text_of(left),
                                      ith_json_text_of(right), err));
        else
            return ith_json_damaged(r, "every merge", "\"left right\" or [\"left\", \"right\"]",
                                    err);
    }
    return ITH_OK;
}

static ith_status read_added_tokens(ith_json_reader *r, const json_t *list, ith_error *err)
{
    const json_t *item;
    size_t i;

    if (list == NULL || json_is_null(list))
        return ITH_OK;
    if (!json_is_array(list))
        return ith_json_damaged(r, "added_tokens", "an array", err);
    json_array_foreach (list, i, item)
        ITH_TRY(ith_json_read_added(r, item, err));
    return ITH_OK;
}

/* The unknown token. In a byte-level vocabulary bytes may lack a token only if such bytes are
 * dropped (no unk_token) or become one unknown token each (fuse_unk false). */
static ith_status read_unk(ith_json_reader *r, ith_error *err)
{
    ith_tokenizer *tok = r->builder.tok;
    const char *name = "";
    bool complete = true;

    ITH_TRY(ith_json_string(r->model, r->builder.where, "unk_token", &name, err));
    ITH_TRY(ith_json_bool(r->model, r->builder.where, "fuse_unk", &tok->fuse_unk, err));
    for (int byte = 0; byte < 256; byte++)
        complete = complete && tok->bpe.byte_id[byte] >= 0;
    if (!tok->chars && !complete && tok->byte_fallback)
        return ith_json_unsupported(r, "model byte_fallback with a vocabulary that lacks bytes,",
                                    "true", err);
    if ((!tok->chars && complete) || name[0] == '\0')
        return ITH_OK;
    if (!tok->chars && tok->fuse_unk)
        return ith_json_unsupported(r, "model fuse_unk with a vocabulary that lacks bytes,", "true",
                                    err);
    ITH_TRY(ith_builder_find(&r->builder, name, strlen(name), &tok->unk, err));
    return tok->unk < 0 ? ith_json_damaged(r, "model unk_token", "a token of the vocabulary", err)
                        : ITH_OK;
}

ith_status ith_json_tokenizer(ith_json_reader *r, const json_t *root, ith_error *err)
{
    if (!json_is_object(root))
        return ith_json_damaged(r, "the file", "a JSON object", err);
    r->model = json_object_get(root, "model");
    ITH_TRY(check_model(r, err));
    ITH_TRY(ith_json_normalizer(r, json_object_get(root, "normalizer"), 0, err));
    ITH_TRY(ith_json_pre_tokenizer(r, json_object_get(root, "pre_tokenizer"), 0, err));
    r->builder.tok->chars = !r->byte_level;
    ITH_TRY(ith_json_decoder(r, json_object_get(root, "decoder"), 0, err));
    ITH_TRY(read_vocab(r, json_object_get(r->model, "vocab"), err));
    ITH_TRY(read_merges(r, err));
    ITH_TRY(read_unk(r, err));
    ITH_TRY(read_added_tokens(r, json_object_get(root, "added_tokens"), err));
    return ith_json_post_processor(r, json_object_get(root, "post_processor"), 0, err);
}

/* ---- vocab.json and merges.txt ----
 *
 * Older folders have these alone. How texts are cut into words is then a matter of the class that
 * tokenizer_config.json names.
 */

static const struct {
    const char *class, *pre;
} classes[] = {
    {"GPT2Tokenizer", "gpt-2"},
    {"CodeGenTokenizer", "gpt-2"},
    {"GPTNeoXTokenizer", "gpt-2"},
    {"Qwen2Tokenizer", "qwen2"},
};

static ith_status find_class(const ith_json_reader *r, const json_t *config,
                             const ith_known_pre **pre, ith_error *err)
{
    const char *class = "";
    size_t len;

    ITH_TRY(ith_json_string(config, r->builder.where, "tokenizer_class", &class, err));
    len = strlen(class);
    if (len > 4 && strcmp(class + len - 4, "Fast") == 0)
        len -= 4;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i].class) == len && memcmp(classes[i].class, class, len) == 0) {
            *pre = ith_pre_named((ith_bytes){classes[i].pre, strlen(classes[i].pre)});
            return ITH_OK;
        }
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: without tokenizer.json the tokenizer_class \"%.60s\" is not supported "
                    "(GPT2Tokenizer and Qwen2Tokenizer are)",
                    r->builder.where, class);
}

static ith_status set_class(ith_json_reader *r, const json_t *config, const ith_known_pre *pre,
                            ith_error *err)
{
    ith_tokenizer *tok = r->builder.tok;
    bool space = false;

    ITH_TRY(ith_json_bool(config, r->builder.where, "add_prefix_space", &space, err));
    if (pre->nfc)
        ITH_TRY(ith_normalizer_add_form(&tok->normalizer, ITH_NFC, r->builder.where, err));
    if (space)
        ITH_TRY(ith_pretokenizer_add_mark(&tok->pre, (ith_bytes){" ", 1}, ITH_PREPEND_ALWAYS,
                                          r->builder.where, err));
    return ith_pretokenizer_add_split(&tok->pre, pre->patterns[0], strlen(pre->patterns[0]), false,
                                      ITH_SPLIT_ISOLATED, false, r->builder.where, err);
}

/* The next line of the merges, without its end; false: there is none. */
static bool next_line(ith_bytes *rest, ith_bytes *line)
{
    const char *end;

    if (rest->len == 0)
        return false;
    end = memchr(rest->data, '\n', rest->len);
    *line = (ith_bytes){rest->data, end != NULL ? (size_t)(end - rest->data) : rest->len};
    rest->len -= line->len + (end != NULL);
    rest->data += line->len + (end != NULL);
    line->len -= line->len > 0 && line->data[line->len - 1] == '\r';
    return true;
}

static bool is_merge(ith_bytes line)
{
    return line.len > 0 && (line.len < 8 || memcmp(line.data, "#version", 8) != 0);
}

static ith_status read_merge_lines(ith_json_reader *r, ith_bytes merges, ith_error *err)
{
    ith_bytes rest = merges, line;
    size_t n = 0, rank = 0;

    while (next_line(&rest, &line))
        n += is_merge(line);
    ITH_TRY(ith_builder_merges(&r->builder, n, err));
    for (rest = merges; next_line(&rest, &line);)
        if (is_merge(line))
            ITH_TRY(ith_builder_merge_text(&r->builder, rank++, line, err));
    return ITH_OK;
}

/* What all classes take for the end of a text, unless the configuration names another token. */
static ith_status add_end(ith_json_reader *r, ith_error *err)
{
    ith_added end = {.text = (char *)"<|endoftext|>", .len = 13, .special = true};

    end.id = ith_token_table_find(&r->builder.tok->tokens, end.text, end.len);
    if (end.id < 0)
        return ITH_OK;
    r->builder.tok->eos = end.id;
    return ith_builder_added(&r->builder, &end, err);
}

ith_status ith_json_vocab_and_merges(ith_json_reader *r, json_t *vocab, ith_bytes merges,
                                     const json_t *config, ith_error *err)
{
    const ith_known_pre *pre = NULL;

    ITH_TRY(find_class(r, config, &pre, err));
    ITH_TRY(set_class(r, config, pre, err));
    ITH_TRY(read_vocab(r, vocab, err));
    ITH_TRY(read_merge_lines(r, merges, err));
    return add_end(r, err);
}
