/* fuzz_vocab.c - a tokenizer's arrays, as a GGUF file has them, and a text. The input's lines are
 *
 *   pre-tokenizer, bos and eos        "qwen2 1 -1"; "scores": tokens of SentencePiece, whose
 *                                     scores are 0, -1, 0, -1, ...
 *   a token each, after its type      "1abc"
 *   (an empty line), a merge each     "a b"
 *   (an empty line), the text
 */
#include "tests/fuzz/tokenizer_targets.h"

enum { LINES = 400 };

/* The next line; *text moves past it. False: it is empty, or the text ends. */
static bool next_line(ith_bytes *text, ith_bytes *line)
{
    const char *end = memchr(text->data, '\n', text->len);
    size_t len = end != NULL ? (size_t)(end - text->data) : text->len;

    *line = (ith_bytes){text->data, len};
    text->data += len + (end != NULL);
    text->len -= len + (end != NULL);
    return len > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes input = fuzz_part(&data, &size), text = input, line, tokens[LINES], merges[LINES];
    int32_t types[LINES];
    float scores[LINES];
    char pre[16] = "";
    ith_tokenizer_spec spec = {
        .where = "memory.gguf", .tokens = tokens, .merges = merges, .types = types};
    ith_tokenizer *tok;
    ith_error err = {0};

    if (next_line(&text, &line))
        sscanf(line.data, "%15s %d %d", pre, &spec.bos, &spec.eos);
    spec.pre = (ith_bytes){pre, strlen(pre)};
    for (; spec.n_tokens < LINES && next_line(&text, &line); spec.n_tokens++) {
        types[spec.n_tokens] = line.data[0] - '0';
        scores[spec.n_tokens] = -(float)(spec.n_tokens % 2);
        tokens[spec.n_tokens] = (ith_bytes){line.data + 1, line.len - 1};
    }
    for (; spec.n_merges < LINES && next_line(&text, &line); spec.n_merges++)
        merges[spec.n_merges] = line;
    spec.scores = strcmp(pre, "scores") == 0 ? scores : NULL;
    spec.add_space_prefix = spec.n_merges > 0;
    if (fuzz_verdict(ith_tokenizer_from_arrays(&spec, &tok, &err), &err)) {
        fuzz_tokenizer(tok, text, 0, spec.scores != NULL);
        fuzz_tokenizer(tok, text, ITH_TOKENIZE_SPECIAL | ITH_TOKENIZE_BOS, spec.scores != NULL);
        ith_tokenizer_free(tok);
    } else
        fuzz_must(tok == NULL);
    fuzz_part_free(input);
    return 0;
}
