/* fuzz_tokenizer.c - a text, a tokenizer.json, a tokenizer_config.json and a
 * special_tokens_map.json. */
#include "tests/fuzz/tokenizer_targets.h"

static int count(const char *text, const char *word)
{
    int n = 0;

    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        n++;
    return n;
}

/* May encoding drop white space or what a pattern matches, or put a space first (ByteLevel's
 * default)? */
static bool may_change(ith_bytes json)
{
    json_t *root = json_loadb(json.data, json.len, JSON_ALLOW_NUL, NULL);
    char *text = json_dumps(root, JSON_COMPACT);
    bool may =
        text != NULL && (count(text, "strip\":true") > 0 || count(text, "\"Removed\"") > 0 ||
                         count(text, "\"ByteLevel\"") > count(text, "\"add_prefix_space\":false"));

    free(text);
    json_decref(root);
    return may;
}

/* From files, if there is a special_tokens_map.json, else from text. */
static ith_status open_tokenizer(ith_bytes json, ith_bytes config, ith_bytes special,
                                 ith_tokenizer **tok, ith_error *err)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json",
                                        "special_tokens_map.json"};
    const ith_bytes none = {NULL, 0}, parts[] = {json, config, special};
    char paths[3][128];

    if (special.len == 0)
        return ith_tokenizer_from_json_text("tokenizer.json", json, config.len > 0 ? config : none,
                                            none, tok, err);
    for (int i = 0; i < 3; i++) {
        fuzz_file(names[i], parts[i]);
        snprintf(paths[i], sizeof paths[i], "%s/%s", fuzz_folder(), names[i]);
    }
    return ith_tokenizer_from_json(paths[0], config.len > 0 ? paths[1] : NULL, paths[2], tok, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes text = fuzz_part(&data, &size), json = fuzz_part(&data, &size),
              config = fuzz_part(&data, &size), special = fuzz_part(&data, &size);
    ith_tokenizer *tok;
    ith_error err = {0};
    bool changes = may_change(json);

    if (fuzz_verdict(open_tokenizer(json, config, special, &tok, &err), &err)) {
        fuzz_tokenizer(tok, text, 0, changes);
        fuzz_tokenizer(tok, text, ITH_TOKENIZE_SPECIAL | ITH_TOKENIZE_BOS, changes);
        ith_tokenizer_free(tok);
    } else
        fuzz_must(tok == NULL);
    fuzz_part_free(text);
    fuzz_part_free(json);
    fuzz_part_free(config);
    fuzz_part_free(special);
    return 0;
}
