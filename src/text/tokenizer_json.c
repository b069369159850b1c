/* tokenizer_json.c - builds a tokenizer from Hugging Face's tokenizer.json and
 * tokenizer_config.json. */
#include "base/json.h"
#include "text/tokenizer_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 256 << 20 };

typedef struct reader {
    ith_builder builder;
    const char *path;
    const json_t *model;
    bool byte_level;    /* the pre_tokenizer has a ByteLevel */
    int64_t next_added; /* the id of the next added token that the vocabulary lacks */
} reader;

static ith_status unsupported(const reader *r, const char *field, const char *value, ith_error *err)
{
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: %s \"%.60s\" is not supported; Ithaca reads byte-level BPE as in Qwen, "
                    "Llama 3 and GPT-2",
                    r->path, field, value);
}

static ith_status damaged(const reader *r, const char *field, const char *expected, ith_error *err)
{
    return ith_fail(err, ITH_E_FORMAT, "%s: %s should be %s", r->path, field, expected);
}

/* The "type" of a component, which is an object, null or absent; *type NULL: null or absent. */
static ith_status component_type(const reader *r, const json_t *component, const char *field,
                                 const char **type, ith_error *err)
{
    *type = NULL;
    if (component == NULL || json_is_null(component))
        return ITH_OK;
    if (!json_is_object(component) || !json_is_string(json_object_get(component, "type")))
        return damaged(r, field, "null or an object with a \"type\"", err);
    *type = json_string_value(json_object_get(component, "type"));
    return ITH_OK;
}

/* The members of a Sequence. Nesting is bounded, since files are not trusted. */
static ith_status sequence_in(const reader *r, const json_t *component, const char *key, int depth,
                              const json_t **list, ith_error *err)
{
    *list = json_object_get(component, key);
    if (!json_is_array(*list) || depth > 4)
        return damaged(r, key, "an array, nested at most four times", err);
    return ITH_OK;
}

static ith_status read_normalizer(reader *r, const json_t *component, int depth, ith_error *err)
{
    const char *type;
    const json_t *list, *item;
    size_t i;

    ITH_TRY(component_type(r, component, "normalizer", &type, err));
    if (type == NULL)
        return ITH_OK;
    if (strcmp(type, "NFC") == 0) {
        r->builder.tok->nfc = true;
        return ITH_OK;
    }
    if (strcmp(type, "Sequence") != 0)
        return unsupported(r, "normalizer", type, err);
    ITH_TRY(sequence_in(r, component, "normalizers", depth, &list, err));
    json_array_foreach (list, i, item)
        ITH_TRY(read_normalizer(r, item, depth + 1, err));
    return ITH_OK;
}

/* ---- pre_tokenizer ---- */

static ith_status read_split(reader *r, const json_t *component, ith_error *err)
{
    static const char *const names[ITH_SPLIT_KINDS] = {"Isolated", "Removed", "MergedWithPrevious",
                                                       "MergedWithNext", "Contiguous"};
    const json_t *pattern = json_object_get(component, "pattern"),
                 *regex = json_object_get(pattern, "Regex");
    const json_t *text = regex != NULL ? regex : json_object_get(pattern, "String");
    const char *behavior = "";
    bool invert = false;
    int kind = 0;

    if (!json_is_string(text))
        return damaged(r, "pre_tokenizer Split: pattern", "an object with \"Regex\" or \"String\"",
                       err);
    ITH_TRY(ith_json_string(component, r->path, "behavior", &behavior, err));
    ITH_TRY(ith_json_bool(component, r->path, "invert", &invert, err));
    while (kind < ITH_SPLIT_KINDS && strcmp(behavior, names[kind]) != 0)
        kind++;
    if (kind == ITH_SPLIT_KINDS)
        return unsupported(r, "pre_tokenizer Split: behavior", behavior, err);
    return ith_pretokenizer_add_split(&r->builder.tok->pre, json_string_value(text),
                                      json_string_length(text), regex == NULL, (ith_split_kind)kind,
                                      invert, r->path, err);
}

static ith_status read_digits(reader *r, const json_t *component, ith_error *err)
{
    bool individual = false;
    const char *pattern;

    ITH_TRY(ith_json_bool(component, r->path, "individual_digits", &individual, err));
    pattern = individual ? "\\p{N}" : "\\p{N}+";
    return ith_pretokenizer_add_split(&r->builder.tok->pre, pattern, strlen(pattern), false,
                                      ITH_SPLIT_ISOLATED, false, r->path, err);
}

static ith_status read_byte_level(reader *r, const json_t *component, ith_error *err)
{
    bool add_prefix_space = true, use_regex = true;

    ITH_TRY(ith_json_bool(component, r->path, "add_prefix_space", &add_prefix_space, err));
    ITH_TRY(ith_json_bool(component, r->path, "use_regex", &use_regex, err));
    r->byte_level = true;
    if (add_prefix_space)
        ITH_TRY(ith_pretokenizer_add_space(&r->builder.tok->pre, r->path, err));
    if (!use_regex)
        return ITH_OK;
    return ith_pretokenizer_add_split(&r->builder.tok->pre, ITH_PATTERN_GPT2,
                                      strlen(ITH_PATTERN_GPT2), false, ITH_SPLIT_ISOLATED, false,
                                      r->path, err);
}

static ith_status read_pre_tokenizer(reader *r, const json_t *component, int depth, ith_error *err)
{
    const char *type;
    const json_t *list, *item;
    size_t i;

    ITH_TRY(component_type(r, component, "pre_tokenizer", &type, err));
    if (type == NULL)
        return ITH_OK;
    if (r->byte_level)
        return unsupported(r, "pre_tokenizer: after ByteLevel,", type, err);
    if (strcmp(type, "Split") == 0)
        return read_split(r, component, err);
    if (strcmp(type, "Digits") == 0)
        return read_digits(r, component, err);
    if (strcmp(type, "ByteLevel") == 0)
        return read_byte_level(r, component, err);
    if (strcmp(type, "Sequence") != 0)
        return unsupported(r, "pre_tokenizer", type, err);
    ITH_TRY(sequence_in(r, component, "pretokenizers", depth, &list, err));
    json_array_foreach (list, i, item)
        ITH_TRY(read_pre_tokenizer(r, item, depth + 1, err));
    return ITH_OK;
}

/* ---- model ---- */

static ith_status check_model(const reader *r, ith_error *err)
{
    static const char *const empty_strings[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const char *type = "BPE", *text;
    bool byte_fallback = false;
    double dropout = 0;

    if (!json_is_object(r->model))
        return damaged(r, "model", "an object", err);
    ITH_TRY(ith_json_string(r->model, r->path, "type", &type, err));
    if (strcmp(type, "BPE") != 0)
        return unsupported(r, "model type", type, err);
    ITH_TRY(ith_json_bool(r->model, r->path, "byte_fallback", &byte_fallback, err));
    if (byte_fallback)
        return unsupported(r, "model byte_fallback", "true", err);
    ITH_TRY(ith_json_real(r->model, r->path, "dropout", &dropout, err));
    if (dropout != 0)
        return unsupported(r, "model dropout", "not 0", err);
    for (int i = 0; i < 2; i++) {
        text = "";
        ITH_TRY(ith_json_string(r->model, r->path, empty_strings[i], &text, err));
        if (text[0] != '\0')
            return unsupported(r, empty_strings[i], text, err);
    }
    return ith_json_bool(r->model, r->path, "ignore_merges", &r->builder.tok->ignore_merges, err);
}

static ith_status read_vocab(reader *r, ith_error *err)
{
    json_t *vocab = json_object_get(r->model, "vocab");
    size_t n = json_object_size(vocab);

    if (!json_is_object(vocab) || n == 0)
        return damaged(r, "model vocab", "an object of tokens and their ids", err);
    for (void *it = json_object_iter(vocab); it != NULL; it = json_object_iter_next(vocab, it)) {
        const json_t *id = json_object_iter_value(it);
        if (!json_is_integer(id))
            return damaged(r, "model vocab: every id", "a whole number", err);
        ITH_TRY(ith_builder_token(&r->builder, json_integer_value(id), json_object_iter_key(it),
                                  json_object_iter_key_len(it), err));
    }
    r->next_added = (int64_t)n;
    return ITH_OK;
}

static ith_bytes bytes_of(const json_t *text)
{
    return (ith_bytes){json_string_value(text), json_string_length(text)};
}

static ith_status read_merges(reader *r, ith_error *err)
{
    const json_t *merges = json_object_get(r->model, "merges"), *item;
    size_t rank;

    if (!json_is_array(merges))
        return damaged(r, "model merges", "an array", err);
    ITH_TRY(ith_builder_merges(&r->builder, json_array_size(merges), err));
    json_array_foreach (merges, rank, item) {
        const json_t *left = json_array_get(item, 0), *right = json_array_get(item, 1);
        if (json_is_string(item))
            ITH_TRY(ith_builder_merge_text(&r->builder, rank, bytes_of(item), err));
        else if (json_array_size(item) == 2 && json_is_string(left) && json_is_string(right))
            ITH_TRY(ith_builder_merge(&r->builder, rank, bytes_of(left), bytes_of(right), err));
        else
            return damaged(r, "every merge", "\"left right\" or [\"left\", \"right\"]", err);
    }
    return ITH_OK;
}

/* ---- added_tokens, decoder, post_processor ---- */

/* Adds the token. Hugging Face's tokenizers give one that the vocabulary lacks the next free id,
 * whatever the file says; where the two differ, that is noted of the first. */
static ith_status put_added(reader *r, ith_added *added, ith_error *err)
{
    const ith_token *same = ith_token_table_get(&r->builder.tok->tokens, added->id);
    bool known = same != NULL && same->flags & ITH_TOKEN_MODEL;
    char note[256];

    if (!known && added->len > 0 && added->id != r->next_added) {
        if (r->builder.tok->notes == NULL) {
            snprintf(note, sizeof note,
                     "the added token \"%.*s\" has id %d in the file; it gets %lld, the next free "
                     "id, as in Hugging Face's tokenizers",
                     (int)(added->len < 40 ? added->len : 40), added->text, added->id,
                     (long long)r->next_added);
            ITH_TRY(ith_builder_note(&r->builder, note, err));
        }
        added->id = (int32_t)r->next_added;
    }
    ITH_TRY(ith_builder_added(&r->builder, added, err));
    if (added->len > 0 && added->id >= r->next_added)
        r->next_added = (int64_t)added->id + 1;
    return ITH_OK;
}

static ith_status read_added(reader *r, const json_t *item, ith_error *err)
{
    const json_t *content = json_object_get(item, "content");
    int64_t id = -1;
    ith_added added = {.text = NULL};

    if (!json_is_string(content) || !json_is_integer(json_object_get(item, "id")))
        return damaged(r, "every added token", "an object with \"id\" and \"content\"", err);
    ITH_TRY(ith_json_int(item, r->path, "id", 0, ITH_MAX_TOKEN_ID, &id, err));
    ITH_TRY(ith_json_bool(item, r->path, "special", &added.special, err));
    added.normalized = !added.special;
    ITH_TRY(ith_json_bool(item, r->path, "normalized", &added.normalized, err));
    ITH_TRY(ith_json_bool(item, r->path, "single_word", &added.single_word, err));
    ITH_TRY(ith_json_bool(item, r->path, "lstrip", &added.lstrip, err));
    ITH_TRY(ith_json_bool(item, r->path, "rstrip", &added.rstrip, err));
    added.id = (int32_t)id;
    added.text = (char *)json_string_value(content); /* the builder copies it */
    added.len = json_string_length(content);
    return put_added(r, &added, err);
}

static ith_status read_added_tokens(reader *r, const json_t *list, ith_error *err)
{
    const json_t *item;
    size_t i;

    if (list == NULL || json_is_null(list))
        return ITH_OK;
    if (!json_is_array(list))
        return damaged(r, "added_tokens", "an array", err);
    json_array_foreach (list, i, item)
        ITH_TRY(read_added(r, item, err));
    return ITH_OK;
}

static ith_status read_decoder(reader *r, const json_t *component, int depth, ith_error *err)
{
    const char *type;
    const json_t *list, *item;
    size_t i;

    ITH_TRY(component_type(r, component, "decoder", &type, err));
    if (type == NULL)
        return unsupported(r, "decoder", "null", err);
    if (strcmp(type, "ByteLevel") == 0)
        return ITH_OK;
    if (strcmp(type, "Sequence") != 0)
        return unsupported(r, "decoder", type, err);
    ITH_TRY(sequence_in(r, component, "decoders", depth, &list, err));
    json_array_foreach (list, i, item)
        ITH_TRY(read_decoder(r, item, depth + 1, err));
    return ITH_OK;
}

/* The template of a single text: at most one token, before the text. */
static ith_status read_template(reader *r, const json_t *component, ith_error *err)
{
    const json_t *single = json_object_get(component, "single"), *special, *ids;
    size_t n = json_array_size(single);
    const char *name;

    if (n == 0 || n > 2 || json_object_get(json_array_get(single, n - 1), "Sequence") == NULL)
        return unsupported(r, "post_processor TemplateProcessing", "single", err);
    if (n == 1)
        return ITH_OK;
    name = json_string_value(
        json_object_get(json_object_get(json_array_get(single, 0), "SpecialToken"), "id"));
    if (name == NULL)
        return unsupported(r, "post_processor TemplateProcessing", "single", err);
    special = json_object_get(json_object_get(component, "special_tokens"), name);
    ids = json_object_get(special, "ids");
    if (json_array_size(ids) != 1 || !json_is_integer(json_array_get(ids, 0)) ||
        ith_token_table_get(&r->builder.tok->tokens, json_integer_value(json_array_get(ids, 0))) ==
            NULL)
        return damaged(r, "post_processor special_tokens",
                       "one id of the vocabulary for each token", err);
    r->builder.tok->bos = (int32_t)json_integer_value(json_array_get(ids, 0));
    r->builder.tok->add_bos = true;
    return ITH_OK;
}

static ith_status read_post_processor(reader *r, const json_t *component, int depth, ith_error *err)
{
    const char *type;
    const json_t *list, *item;
    size_t i;

    ITH_TRY(component_type(r, component, "post_processor", &type, err));
    /* ByteLevel only affects offsets, which Ithaca does not compute. */
    if (type == NULL || strcmp(type, "ByteLevel") == 0)
        return ITH_OK;
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(r, component, err);
    if (strcmp(type, "Sequence") != 0)
        return unsupported(r, "post_processor", type, err);
    ITH_TRY(sequence_in(r, component, "processors", depth, &list, err));
    json_array_foreach (list, i, item)
        ITH_TRY(read_post_processor(r, item, depth + 1, err));
    return ITH_OK;
}

/* Bytes may lack a token only if such bytes are dropped (no unk_token) or become one unknown token
 * each (fuse_unk false). */
static ith_status read_unk(reader *r, int32_t *unk, ith_error *err)
{
    const char *name = "";
    bool fuse = false, complete = true;

    *unk = -1;
    ITH_TRY(ith_json_string(r->model, r->path, "unk_token", &name, err));
    ITH_TRY(ith_json_bool(r->model, r->path, "fuse_unk", &fuse, err));
    for (int byte = 0; byte < 256; byte++)
        complete = complete && r->builder.tok->bpe.byte_id[byte] >= 0;
    if (complete || name[0] == '\0')
        return ITH_OK;
    if (fuse)
        return unsupported(r, "model fuse_unk with a vocabulary that lacks bytes,", "true", err);
    *unk = ith_token_table_find(&r->builder.tok->tokens, name, strlen(name));
    return *unk < 0 ? damaged(r, "model unk_token", "a token of the vocabulary", err) : ITH_OK;
}

static ith_status read_all(reader *r, const json_t *root, int32_t *unk, ith_error *err)
{
    if (!json_is_object(root))
        return damaged(r, "the file", "a JSON object", err);
    r->model = json_object_get(root, "model");
    ITH_TRY(check_model(r, err));
    ITH_TRY(read_normalizer(r, json_object_get(root, "normalizer"), 0, err));
    ITH_TRY(read_pre_tokenizer(r, json_object_get(root, "pre_tokenizer"), 0, err));
    if (!r->byte_level)
        return unsupported(r, "pre_tokenizer", "without ByteLevel", err);
    ITH_TRY(read_decoder(r, json_object_get(root, "decoder"), 0, err));
    ITH_TRY(read_vocab(r, err));
    ITH_TRY(read_merges(r, err));
    ITH_TRY(read_unk(r, unk, err));
    ITH_TRY(read_added_tokens(r, json_object_get(root, "added_tokens"), err));
    return read_post_processor(r, json_object_get(root, "post_processor"), 0, err);
}

/* ---- tokenizer_config.json and special_tokens_map.json ----
 *
 * They may name tokens that tokenizer.json lacks. As in Transformers these are added: first those
 * of added_tokens_decoder, in the order of their ids, then the special tokens named by their text.
 */

/* An added token of added_tokens_decoder; its key is its id. */
static ith_status add_decoded(reader *r, const char *key, const json_t *item, ith_error *err)
{
    const json_t *content = json_object_get(item, "content");
    char *end;
    long long id = strtoll(key, &end, 10);
    int32_t known;
    json_t *token;
    ith_status status;

    if (!json_is_string(content) || *key == '\0' || *end != '\0' || id < 0 || id > ITH_MAX_TOKEN_ID)
        return damaged(r, "added_tokens_decoder", "an object of ids and tokens", err);
    known = ith_token_table_find(&r->builder.tok->tokens, json_string_value(content),
                                 json_string_length(content));
    if (known >= 0 && r->builder.tok->tokens.tokens[known].flags & ITH_TOKEN_ADDED)
        return ITH_OK;
    token = json_copy((json_t *)item);
    if (token == NULL ||
        json_object_set_new(token, "id", json_integer(known >= 0 ? known : id)) != 0) {
        json_decref(token);
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for an added token", r->path);
    }
    status = read_added(r, token, err);
    json_decref(token);
    return status;
}

static int by_id(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    long long i = strtoll(*x, NULL, 10), k = strtoll(*y, NULL, 10);
    return (i > k) - (i < k);
}

static ith_status read_added_decoder(reader *r, const json_t *config, ith_error *err)
{
    json_t *decoder = json_object_get(config, "added_tokens_decoder"), *item;
    size_t n = json_object_size(decoder), i = 0;
    ith_status status = ITH_OK;
    const char **keys, *key;

    if (decoder == NULL || json_is_null(decoder))
        return ITH_OK;
    if (!json_is_object(decoder))
        return damaged(r, "added_tokens_decoder", "an object of ids and tokens", err);
    keys = calloc(n + 1, sizeof *keys);
    if (keys == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for %zu added tokens", r->path, n);
    json_object_foreach (decoder, key, item)
        keys[i++] = key;
    qsort(keys, n, sizeof *keys, by_id);
    for (i = 0; i < n; i++)
        ITH_CHECK(add_decoded(r, keys[i], json_object_get(decoder, keys[i]), err));
done:
    free(keys);
    return status;
}

/* A token named by its text, or by an object with "content". *id keeps its value if the file does
 * not name it. */
static ith_status named_token(reader *r, const json_t *config, const char *key, int32_t *id,
                              ith_error *err)
{
    const json_t *value = json_object_get(config, key),
                 *text = json_is_object(value) ? json_object_get(value, "content") : value;
    ith_added added = {.special = true};

    if (value == NULL || json_is_null(value))
        return ITH_OK;
    if (!json_is_string(text))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be the text of a token", r->path,
                        key);
    added.text = (char *)json_string_value(text);
    added.len = json_string_length(text);
    if (added.len == 0)
        return ITH_OK;
    *id = added.id = ith_token_table_find(&r->builder.tok->tokens, added.text, added.len);
    if (added.id >= 0)
        return ITH_OK;
    added.id = (int32_t)r->next_added;
    ITH_TRY(put_added(r, &added, err));
    *id = added.id;
    return ith_token_table_index(&r->builder.tok->tokens, err);
}

/* `special` names tokens that `config` does not. Either may be NULL. */
static ith_status read_config(reader *r, const json_t *config, const json_t *special,
                              ith_error *err)
{
    ith_tokenizer *tok = r->builder.tok;
    bool add_bos = false;

    ITH_TRY(ith_token_table_index(&tok->tokens, err));
    ITH_TRY(read_added_decoder(r, config, err));
    ITH_TRY(ith_token_table_index(&tok->tokens, err));
    ITH_TRY(named_token(r, special, "bos_token", &tok->bos, err));
    ITH_TRY(named_token(r, special, "eos_token", &tok->eos, err));
    ITH_TRY(named_token(r, config, "bos_token", &tok->bos, err));
    ITH_TRY(named_token(r, config, "eos_token", &tok->eos, err));
    ITH_TRY(ith_json_bool(config, r->path, "add_bos_token", &add_bos, err));
    tok->add_bos = tok->add_bos || (add_bos && tok->bos >= 0);
    return ITH_OK;
}

/* ---- All files ---- */

/* A file and its contents; root NULL: there is none. */
typedef struct part {
    json_t *root;
    const char *path;
} part;

static ith_status build(const part *main, const part *config, const part *special,
                        ith_tokenizer **tok, ith_error *err)
{
    reader r = {.path = main->path};
    ith_status status;
    int32_t unk = -1;

    *tok = NULL;
    ITH_CHECK(ith_builder_begin(&r.builder, main->path, err));
    ITH_CHECK(read_all(&r, main->root, &unk, err));
    if (config->root != NULL || special->root != NULL)
        r.path = r.builder.where = config->root != NULL ? config->path : special->path;
    ITH_CHECK(read_config(&r, config->root, special->root, err));
    r.builder.where = main->path;
    ITH_CHECK(ith_builder_finish(&r.builder, unk, tok, err));
done:
    ith_builder_free(&r.builder);
    return status;
}

static ith_status read_part(const char *path, part *p, ith_error *err)
{
    *p = (part){NULL, path};
    return path != NULL ? ith_json_read(path, MAX_FILE, &p->root, err) : ITH_OK;
}

static ith_status parse_part(const char *where, ith_bytes text, part *p, ith_error *err)
{
    *p = (part){NULL, where};
    return text.data != NULL ? ith_json_parse(text.data, text.len, where, &p->root, err) : ITH_OK;
}

static void free_parts(part parts[3])
{
    for (int i = 0; i < 3; i++)
        json_decref(parts[i].root);
}

ith_status ith_tokenizer_from_json(const char *json_path, const char *config_path,
                                   const char *special_path, ith_tokenizer **tok, ith_error *err)
{
    part parts[3] = {{NULL, NULL}};
    ith_status status;

    *tok = NULL;
    ITH_CHECK(read_part(json_path, &parts[0], err));
    ITH_CHECK(read_part(config_path, &parts[1], err));
    ITH_CHECK(read_part(special_path, &parts[2], err));
    ITH_CHECK(build(&parts[0], &parts[1], &parts[2], tok, err));
done:
    free_parts(parts);
    return status;
}

ith_status ith_tokenizer_from_json_text(const char *where, ith_bytes json, ith_bytes config,
                                        ith_bytes special, ith_tokenizer **tok, ith_error *err)
{
    part parts[3] = {{NULL, NULL}};
    ith_status status;

    *tok = NULL;
    ITH_CHECK(parse_part(where, json, &parts[0], err));
    ITH_CHECK(parse_part(where, config, &parts[1], err));
    ITH_CHECK(parse_part(where, special, &parts[2], err));
    ITH_CHECK(build(&parts[0], &parts[1], &parts[2], tok, err));
done:
    free_parts(parts);
    return status;
}
