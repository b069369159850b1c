/* json_steps.c - normalizer, pre_tokenizer, decoder and post_processor of tokenizer.json. */
#include "text/json_steps.h"
#include "text/pattern_class.h"

#include <string.h>

/* A pattern: an object with "Regex" or "String". */
static ith_status read_pattern(const ith_json_reader *r, const json_t *component, const char *field,
                               ith_bytes *text, bool *literal, ith_error *err)
{
    const json_t *pattern = json_object_get(component, "pattern"),
                 *regex = json_object_get(pattern, "Regex"),
                 *string = regex != NULL ? regex : json_object_get(pattern, "String");

    if (!json_is_string(string))
        return ith_json_damaged(r, field, "an object with \"Regex\" or \"String\"", err);
    *text = ith_json_text_of(string);
    *literal = regex == NULL;
    return ITH_OK;
}

/* ---- normalizer ---- */

static ith_status read_replace(ith_json_reader *r, const json_t *component, ith_error *err)
{
    const json_t *content = json_object_get(component, "content");
    ith_bytes from;
    bool literal = false;

    ITH_TRY(read_pattern(r, component, "normalizer Replace: pattern", &from, &literal, err));
    if (!json_is_string(content))
        return ith_json_damaged(r, "normalizer Replace: content", "a string", err);
    return ith_normalizer_add_replace(&r->builder.tok->normalizer, from, literal,
                                      ith_json_text_of(content), r->builder.where, err);
}

static ith_status read_prepend(ith_json_reader *r, const json_t *component, ith_error *err)
{
    const json_t *text = json_object_get(component, "prepend");

    if (!json_is_string(text))
        return ith_json_damaged(r, "normalizer Prepend: prepend", "a string", err);
    return ith_normalizer_add_prepend(&r->builder.tok->normalizer, ith_json_text_of(text),
                                      r->builder.where, err);
}

static ith_status read_strip(ith_json_reader *r, const json_t *component, ith_error *err)
{
    bool left = true, right = true;

    ITH_TRY(ith_json_bool(component, r->builder.where, "strip_left", &left, err));
    ITH_TRY(ith_json_bool(component, r->builder.where, "strip_right", &right, err));
    return ith_normalizer_add_strip(&r->builder.tok->normalizer, left, right, r->builder.where,
                                    err);
}

ith_status ith_json_normalizer(ith_json_reader *r, const json_t *component, int depth,
                               ith_error *err)
{
    static const char *const forms[] = {"NFC", "NFD", "NFKC", "NFKD"};
    ith_normalizer *normalizer = &r->builder.tok->normalizer;
    const char *type;
    const json_t *list, *item;
    size_t i;

    ITH_TRY(ith_json_component(r, component, "normalizer", &type, err));
    if (type == NULL)
        return ITH_OK;
    for (int form = ITH_NFC; form <= ITH_NFKD; form++)
        if (strcmp(type, forms[form]) == 0)
            return ith_normalizer_add_form(normalizer, (ith_normal_form)form, r->builder.where,
                                           err);
    if (strcmp(type, "Lowercase") == 0)
        return ith_normalizer_add_lower(normalizer, r->builder.where, err);
    if (strcmp(type, "Replace") == 0)
        return read_replace(r, component, err);
    if (strcmp(type, "Prepend") == 0)
        return read_prepend(r, component, err);
    if (strcmp(type, "Strip") == 0)
        return read_strip(r, component, err);
    if (strcmp(type, "Sequence") != 0)
        return ith_json_unsupported(r, "normalizer", type, err);
    ITH_TRY(ith_json_sequence(r, component, "normalizers", depth, &list, err));
    json_array_foreach (list, i, item)
        ITH_TRY(ith_json_normalizer(r, item, depth + 1, err));
    return ITH_OK;
}

/* ---- pre_tokenizer ---- */

static ith_status add_split(ith_json_reader *r, ith_bytes pattern, bool literal,
                            ith_split_kind kind, bool invert, ith_error *err)
{
    return ith_pretokenizer_add_split(&r->builder.tok->pre, pattern.data, pattern.len, literal,
                                      kind, invert, r->builder.where, err);
}

static ith_status add_pattern(ith_json_reader *r, const char *pattern, ith_split_kind kind,
                              bool invert, ith_error *err)
{
    return add_split(r, (ith_bytes){pattern, strlen(pattern)}, false, kind, invert, err);
}

/* "behavior", which `kind` is the default of. */
static ith_status read_behavior(const ith_json_reader *r, const json_t *component,
                                ith_split_kind *kind, ith_error *err)
{
    static const char *const names[ITH_SPLIT_KINDS] = {"Isolated", "Removed", "MergedWithPrevious",
                                                       "MergedWithNext", "Contiguous"};
    const char *behavior = names[*kind];
    int at = 0;

    ITH_TRY(ith_json_string(component, r->builder.where, "behavior", &behavior, err));
    while (at < ITH_SPLIT_KINDS && strcmp(behavior, names[at]) != 0)
        at++;
    if (at == ITH_SPLIT_KINDS)
        return ith_json_unsupported(r, "pre_tokenizer behavior", behavior, err);
    *kind = (ith_split_kind)at;
    return ITH_OK;
}

static ith_status read_split(ith_json_reader *r, const json_t *component, ith_error *err)
{
    ith_split_kind kind = ITH_SPLIT_ISOLATED;
    bool literal = false, invert = false;
    ith_bytes text;

    ITH_TRY(read_pattern(r, component, "pre_tokenizer Split: pattern", &text, &literal, err));
    if (!json_is_string(json_object_get(component, "behavior")))
        return ith_json_damaged(r, "pre_tokenizer Split: behavior", "a string", err);
    ITH_TRY(read_behavior(r, component, &kind, err));
    ITH_TRY(ith_json_bool(component, r->builder.where, "invert", &invert, err));
    return add_split(r, text, literal, kind, invert, err);
}

static ith_status read_digits(ith_json_reader *r, const json_t *component, ith_error *err)
{
    bool individual = false;

    ITH_TRY(ith_json_bool(component, r->builder.where, "individual_digits", &individual, err));
    return add_pattern(r, individual ? "\\p{N}" : "\\p{N}+", ITH_SPLIT_ISOLATED, false, err);
}

static ith_status read_byte_level(ith_json_reader *r, const json_t *component, ith_error *err)
{
    bool add_prefix_space = true, use_regex = true;

    ITH_TRY(ith_json_bool(component, r->builder.where, "add_prefix_space", &add_prefix_space, err));
    ITH_TRY(ith_json_bool(component, r->builder.where, "use_regex", &use_regex, err));
    r->byte_level = true;
    if (add_prefix_space)
        ITH_TRY(ith_pretokenizer_add_mark(&r->builder.tok->pre, (ith_bytes){" ", 1},
                                          ITH_PREPEND_ALWAYS, r->builder.where, err));
    return use_regex ? add_pattern(r, ITH_PATTERN_GPT2, ITH_SPLIT_ISOLATED, false, err) : ITH_OK;
}

/* The marks of a Metaspace, and before which words they are put. */
static ith_status read_meta(const ith_json_reader *r, const json_t *component, ith_bytes *mark,
                            ith_prepend *prepend, ith_error *err)
{
    static const char *const schemes[] = {"always", "first", "never"};
    const json_t *replacement = json_object_get(component, "replacement");
    const char *scheme = "always";
    bool prefix = true;
    int at = 0;

    if (!json_is_string(replacement))
        return ith_json_damaged(r, "Metaspace: replacement", "a string", err);
    *mark = ith_json_text_of(replacement);
    ITH_TRY(ith_json_bool(component, r->builder.where, "add_prefix_space", &prefix, err));
    ITH_TRY(ith_json_string(component, r->builder.where, "prepend_scheme", &scheme, err));
    while (at < 3 && strcmp(scheme, schemes[at]) != 0)
        at++;
    if (at == 3)
        return ith_json_unsupported(r, "Metaspace prepend_scheme", scheme, err);
    if (!prefix && at != ITH_PREPEND_NEVER)
        return ith_json_damaged(r, "Metaspace: prepend_scheme",
                                "\"never\" where add_prefix_space is false", err);
    *prepend = (ith_prepend)at;
    return ITH_OK;
}

static ith_status read_metaspace(ith_json_reader *r, const json_t *component, ith_error *err)
{
    ith_prepend prepend;
    ith_bytes mark;
    bool split = true;

    ITH_TRY(read_meta(r, component, &mark, &prepend, err));
    ITH_TRY(ith_json_bool(component, r->builder.where, "split", &split, err));
    ITH_TRY(ith_pretokenizer_add_mark(&r->builder.tok->pre, mark, prepend, r->builder.where, err));
    return split ? add_split(r, mark, true, ITH_SPLIT_MERGED_WITH_NEXT, false, err) : ITH_OK;
}

static ith_status read_delimiter(ith_json_reader *r, const json_t *component, ith_error *err)
{
    const json_t *delimiter = json_object_get(component, "delimiter");

    if (!json_is_string(delimiter))
        return ith_json_damaged(r, "CharDelimiterSplit: delimiter", "a string", err);
    return add_split(r, ith_json_text_of(delimiter), true, ITH_SPLIT_REMOVED, false, err);
}

/* \w of Rust's regular expressions. */
#define WORD ITH_PATTERN_WORD ITH_PATTERN_JOINERS

/* Types without settings, or with a behavior alone. */
static ith_status read_simple(ith_json_reader *r, const json_t *component, const char *type,
                              bool *known, ith_error *err)
{
    ith_split_kind kind = ITH_SPLIT_ISOLATED;

    *known = true;
    if (strcmp(type, "Whitespace") == 0)
        return add_pattern(r, "[" WORD "]+|[^" WORD "\\s]+", ITH_SPLIT_REMOVED, true, err);
    if (strcmp(type, "WhitespaceSplit") == 0)
        return add_pattern(r, "\\s", ITH_SPLIT_REMOVED, false, err);
    if (strcmp(type, "BertPreTokenizer") == 0) {
        ITH_TRY(add_pattern(r, "\\s", ITH_SPLIT_REMOVED, false, err));
        return add_pattern(r, ith_unicode_punctuation(), ITH_SPLIT_ISOLATED, false, err);
    }
    if (strcmp(type, "Punctuation") == 0) {
        ITH_TRY(read_behavior(r, component, &kind, err));
        return add_pattern(r, ith_unicode_punctuation(), kind, false, err);
    }
    *known = false;
    return ITH_OK;
}

ith_status ith_json_pre_tokenizer(ith_json_reader *r, const json_t *component, int depth,
                                  ith_error *err)
{
    const char *type;
    const json_t *list, *item;
    bool known;
    size_t i;

    ITH_TRY(ith_json_component(r, component, "pre_tokenizer", &type, err));
    if (type == NULL)
        return ITH_OK;
    if (r->byte_level)
        return ith_json_unsupported(r, "pre_tokenizer: after ByteLevel,", type, err);
    if (strcmp(type, "Split") == 0)
        return read_split(r, component, err);
    if (strcmp(type, "Digits") == 0)
        return read_digits(r, component, err);
    if (strcmp(type, "ByteLevel") == 0)
        return read_byte_level(r, component, err);
    if (strcmp(type, "Metaspace") == 0)
        return read_metaspace(r, component, err);
    if (strcmp(type, "CharDelimiterSplit") == 0)
        return read_delimiter(r, component, err);
    ITH_TRY(read_simple(r, component, type, &known, err));
    if (known)
        return ITH_OK;
    if (strcmp(type, "Sequence") != 0)
        return ith_json_unsupported(r, "pre_tokenizer", type, err);
    ITH_TRY(ith_json_sequence(r, component, "pretokenizers", depth, &list, err));
    json_array_foreach (list, i, item)
        ITH_TRY(ith_json_pre_tokenizer(r, item, depth + 1, err));
    return ITH_OK;
}

/* ---- decoder ---- */

static ith_status decode_replace(ith_json_reader *r, const json_t *component, ith_error *err)
{
    const json_t *content = json_object_get(component, "content");
    ith_bytes from;
    bool literal = false;

    ITH_TRY(read_pattern(r, component, "decoder Replace: pattern", &from, &literal, err));
    if (!json_is_string(content))
        return ith_json_damaged(r, "decoder Replace: content", "a string", err);
    if (!literal)
        return ith_json_unsupported(r, "decoder Replace: pattern", "Regex", err);
    if (r->fused)
        return ith_json_unsupported(r, "decoder: after Fuse,", "Replace", err);
    return ith_spelling_add(&r->builder.tok->spelling, from, ith_json_text_of(content),
                            r->builder.where, err);
}

/* Spaces at the beginning of the whole text. */
static ith_status decode_strip(ith_json_reader *r, const json_t *component, ith_error *err)
{
    const char *content = "";
    int64_t start = 0, stop = 0;

    ITH_TRY(ith_json_string(component, r->builder.where, "content", &content, err));
    ITH_TRY(ith_json_int(component, r->builder.where, "start", 0, INT32_MAX, &start, err));
    ITH_TRY(ith_json_int(component, r->builder.where, "stop", 0, INT32_MAX, &stop, err));
    if (strcmp(content, " ") != 0)
        return ith_json_unsupported(r, "decoder Strip: content", content, err);
    if (stop > 0)
        return ith_json_unsupported(r, "decoder Strip: stop", "not 0", err);
    if (!r->fused || r->stripped)
        return ith_json_unsupported(r, "decoder Strip",
                                    r->stripped ? "twice" : "without Fuse before", err);
    r->stripped = true;
    r->builder.tok->spelling.strip = (int)start;
    return ITH_OK;
}

static ith_status decode_metaspace(ith_json_reader *r, const json_t *component, ith_error *err)
{
    ith_spelling *spelling = &r->builder.tok->spelling;
    ith_prepend prepend;
    ith_bytes mark;

    ITH_TRY(read_meta(r, component, &mark, &prepend, err));
    if (r->fused || spelling->n_replaced > 0 || mark.len == 0)
        return ith_json_unsupported(r, "decoder: after Replace or Fuse,", "Metaspace", err);
    spelling->drop_mark = prepend != ITH_PREPEND_NEVER;
    return ith_spelling_add(spelling, mark, (ith_bytes){" ", 1}, r->builder.where, err);
}

static ith_status decode_chars(ith_json_reader *r, const json_t *component, const char *type,
                               ith_error *err)
{
    if (strcmp(type, "Replace") == 0)
        return decode_replace(r, component, err);
    if (strcmp(type, "Strip") == 0)
        return decode_strip(r, component, err);
    if (strcmp(type, "Metaspace") == 0)
        return decode_metaspace(r, component, err);
    if (strcmp(type, "Fuse") == 0) {
        r->fused = true;
        return ITH_OK;
    }
    if (strcmp(type, "ByteFallback") != 0)
        return ith_json_unsupported(r, "decoder", type, err);
    if (r->fused)
        return ith_json_unsupported(r, "decoder: after Fuse,", type, err);
    r->builder.tok->spelling.bytes = true;
    return ITH_OK;
}

ith_status ith_json_decoder(ith_json_reader *r, const json_t *component, int depth, ith_error *err)
{
    const char *type;
    const json_t *list, *item;
    size_t i;

    ITH_TRY(ith_json_component(r, component, "decoder", &type, err));
    if (type == NULL)
        return ith_json_unsupported(r, "decoder", "null", err);
    if (strcmp(type, "Sequence") == 0) {
        ITH_TRY(ith_json_sequence(r, component, "decoders", depth, &list, err));
        json_array_foreach (list, i, item)
            ITH_TRY(ith_json_decoder(r, item, depth + 1, err));
        return ITH_OK;
    }
    if (r->byte_level != (strcmp(type, "ByteLevel") == 0))
        return ith_json_unsupported(r,
                                    r->byte_level
                                        ? "decoder of a byte-level pre_tokenizer"
                                        : "decoder of a pre_tokenizer that is not byte-level",
                                    type, err);
    return r->byte_level ? ITH_OK : decode_chars(r, component, type, err);
}

/* ---- post_processor ---- */

/* The ids of a special token of a template. */
static ith_status read_special(ith_json_reader *r, const json_t *component, const char *name,
                               int32_t *list, size_t *n, ith_error *err)
{
    const json_t *special = json_object_get(json_object_get(component, "special_tokens"), name),
                 *ids = json_object_get(special, "ids"), *id;
    size_t i;

    if (json_array_size(ids) == 0)
        return ith_json_damaged(r, "post_processor special_tokens", "ids for each token", err);
    json_array_foreach (ids, i, id) {
        if (!json_is_integer(id) ||
            ith_token_table_get(&r->builder.tok->tokens, json_integer_value(id)) == NULL)
            return ith_json_damaged(r, "post_processor special_tokens", "ids of the vocabulary",
                                    err);
        if (*n == ITH_MAX_AROUND)
            return ith_json_unsupported(r, "post_processor TemplateProcessing", "too many tokens",
                                        err);
        list[(*n)++] = (int32_t)json_integer_value(id);
    }
    return ITH_OK;
}

/* The template of a single text: the text once, tokens before and after it. */
static ith_status read_template(ith_json_reader *r, const json_t *component, ith_error *err)
{
    const json_t *single = json_object_get(component, "single"), *entry;
    ith_tokenizer *tok = r->builder.tok;
    int texts = 0;
    size_t i;

    tok->n_before = tok->n_after = 0;
    json_array_foreach (single, i, entry) {
        const char *name =
            json_string_value(json_object_get(json_object_get(entry, "SpecialToken"), "id"));
        if (json_object_get(entry, "Sequence") != NULL)
            texts++;
        else if (name == NULL)
            return ith_json_damaged(r, "post_processor TemplateProcessing: single",
                                    "a list of SpecialToken and Sequence", err);
        else
            ITH_TRY(read_special(r, component, name, texts == 0 ? tok->before : tok->after,
                                 texts == 0 ? &tok->n_before : &tok->n_after, err));
    }
    if (texts != 1)
        return ith_json_unsupported(r, "post_processor TemplateProcessing", "single", err);
    if (tok->n_before == 1)
        tok->bos = tok->before[0];
    return ITH_OK;
}

ith_status ith_json_post_processor(ith_json_reader *r, const json_t *component, int depth,
                                   ith_error *err)
{
    const char *type;
    const json_t *list, *item;
    size_t i;

    ITH_TRY(ith_json_component(r, component, "post_processor", &type, err));
    /* ByteLevel only affects offsets, which Ithaca does not compute. */
    if (type == NULL || strcmp(type, "ByteLevel") == 0)
        return ITH_OK;
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(r, component, err);
    if (strcmp(type, "Sequence") != 0)
        return ith_json_unsupported(r, "post_processor", type, err);
    ITH_TRY(ith_json_sequence(r, component, "processors", depth, &list, err));
    json_array_foreach (list, i, item)
        ITH_TRY(ith_json_post_processor(r, item, depth + 1, err));
    return ITH_OK;
}
