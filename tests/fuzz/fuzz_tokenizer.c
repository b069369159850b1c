/* fuzz_tokenizer.c - a text, and the files of a tokenizer: tokenizer.json, tokenizer_config.json,
 * special_tokens_map.json, tokenizer.model, vocab.json, merges.txt and added_tokens.json. */
#include "tests/fuzz/tokenizer_targets.h"

static int count(const char *text, const char *word)
{
    int n = 0;

    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        n++;
    return n;
}

/* May encoding drop white space or what a pattern matches, put a space first (ByteLevel's default),
 * or change the text otherwise? */
static bool may_change(ith_bytes json)
{
    json_t *root = json_loadb(json.data, json.len, JSON_ALLOW_NUL, NULL);
    char *text = json_dumps(root, JSON_COMPACT);
    static const char *const changers[] = {"\"Lowercase\"",    "\"Prepend\"",   "\"Replace\"",
                                           "\"Strip\"",        "\"NFD\"",       "\"NFKC\"",
                                           "\"NFKD\"",         "\"Metaspace\"", "Whitespace",
                                           "BertPreTokenizer", "CharDelimiter"};
    bool may =
        text != NULL && (count(text, "strip\":true") > 0 || count(text, "\"Removed\"") > 0 ||
                         count(text, "\"ByteLevel\"") > count(text, "\"add_prefix_space\":false"));

    for (size_t i = 0; text != NULL && i < sizeof changers / sizeof *changers; i++)
        may = may || count(text, changers[i]) > 0;
    free(text);
    json_decref(root);
    return may;
}

/* A file is there if its part is not empty. */
static ith_tokenizer_file file_of(const char *name, ith_bytes part)
{
    return (ith_tokenizer_file){name, part.len > 0 ? part : (ith_bytes){NULL, 0}};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes text = fuzz_part(&data, &size), json = fuzz_part(&data, &size),
              config = fuzz_part(&data, &size), special = fuzz_part(&data, &size),
              model = fuzz_part(&data, &size), vocab = fuzz_part(&data, &size),
              merges = fuzz_part(&data, &size), added = fuzz_part(&data, &size);
    const ith_tokenizer_files files = {.json = file_of("tokenizer.json", json),
                                       .config = file_of("tokenizer_config.json", config),
                                       .special = file_of("special_tokens_map.json", special),
                                       .model = file_of("tokenizer.model", model),
                                       .vocab = file_of("vocab.json", vocab),
                                       .merges = file_of("merges.txt", merges),
                                       .added = file_of("added_tokens.json", added)};
    ith_tokenizer *tok;
    ith_error err = {0};
    bool changes = json.len == 0 || may_change(json);

    if (fuzz_verdict(ith_tokenizer_from_files(&files, &tok, &err), &err)) {
        fuzz_tokenizer(tok, text, 0, changes);
        fuzz_tokenizer(tok, text, ITH_TOKENIZE_SPECIAL | ITH_TOKENIZE_BOS, changes);
        ith_tokenizer_free(tok);
    } else
        fuzz_must(tok == NULL);
    fuzz_part_free(text);
    fuzz_part_free(json);
    fuzz_part_free(config);
    fuzz_part_free(special);
    fuzz_part_free(model);
    fuzz_part_free(vocab);
    fuzz_part_free(merges);
    fuzz_part_free(added);
    return 0;
}
