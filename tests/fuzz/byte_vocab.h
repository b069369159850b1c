/* byte_vocab.h - a vocabulary for targets that tokenize: a token for each byte, and two special
 * ones, <|s|> and <|e|>. */
#ifndef ITH_TESTS_FUZZ_BYTE_VOCAB_H
#define ITH_TESTS_FUZZ_BYTE_VOCAB_H

#include "tests/fuzz/fuzz.h"

#include "ithaca.h"

enum { FUZZ_BYTES = 256, FUZZ_BEGIN = FUZZ_BYTES, FUZZ_END };

static inline void fuzz_json_file(const char *name, json_t *root)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    fuzz_must(json_dump_file(root, path, 0) == 0);
    json_decref(root);
}

/* With that chat template. It lives as long as the process. */
static inline ith_vocab *fuzz_byte_vocab(const char *chat_template)
{
    ith_vocab *vocab;
    json_t *tokens = json_object();
    char name[16];
    ith_error err = {0};

    for (int i = 0; i < FUZZ_BYTES; i++) {
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)i);
        json_object_set_new(tokens, name, json_integer(i));
    }
    fuzz_json_file("tokenizer.json",
                   json_pack("{s:[{s:i, s:s, s:b}, {s:i, s:s, s:b}], s:{s:s}, s:{s:s, s:b, s:o, "
                             "s:[]}}",
                             "added_tokens", "id", FUZZ_BEGIN, "content", "<|s|>", "special", 1,
                             "id", FUZZ_END, "content", "<|e|>", "special", 1, "decoder", "type",
                             "ByteFallback", "model", "type", "BPE", "byte_fallback", 1, "vocab",
                             tokens, "merges"));
    fuzz_json_file("tokenizer_config.json", json_pack("{s:s}", "chat_template", chat_template));
    fuzz_must(ith_vocab_open(fuzz_folder(), &vocab, &err) == ITH_OK);
    return vocab;
}

#endif
