/* tokenizer.h - converts text to token ids and back: byte-level BPE, with the same ids as Hugging
 * Face's `tokenizers`.
 *
 *     ith_tokenizer *tok;
 *     ITH_TRY(ith_tokenizer_from_json("m/tokenizer.json", NULL, NULL, &tok, err));
 *     ITH_TRY(ith_tokenizer_encode(tok, text, len, ITH_TOKENIZE_SPECIAL, &ids, &n, err));
 *     ITH_TRY(ith_tokenizer_decode(tok, ids, n, &bytes, &n_bytes, err));
 *
 * Encoding has three steps:
 *   1. Bytes that are not UTF-8 become U+FFFD, one for each maximal subpart of an ill-formed
 *      sequence (Unicode 3.9; Python's errors="replace" does the same).
 *   2. Added tokens are found in the text: the leftmost first, and the longest of those that begin
 *      at the same byte. Special ones ("<|im_end|>") are found only with ITH_TOKENIZE_SPECIAL, so
 *      that user text cannot forge a marker. Others (Qwen3's "<think>", "<tool_call>") are always
 *      found, as in Hugging Face. The flags lstrip, rstrip, single_word and normalized apply.
 *   3. The text between them is normalized (NFC or not at all) and cut into words by the model's
 *      pre-tokenizer. The bytes of each word are merged by rank (byte-pair encoding: Sennrich et
 *      al. 2016, arXiv:1508.07909; on bytes: Radford et al. 2019, GPT-2).
 *
 * Decoding returns the exact bytes of the ids. So text that is UTF-8 and in normal form survives
 * encoding and decoding, except for white space next to lstrip and rstrip tokens.
 *
 * A tokenizer does not change once it is built: any number of threads may use it. Every size and id
 * read from a file is checked.
 */
#ifndef ITH_TEXT_TOKENIZER_H
#define ITH_TEXT_TOKENIZER_H

#include "base/bytes.h"
#include "base/error.h"

typedef struct ith_tokenizer ith_tokenizer;

/* Bytes that can be tokenized at once: 256 MiB, some 60 million tokens. */
enum { ITH_MAX_TEXT = 1 << 28 };

/* The flags of encoding are those of ith_vocab_tokenize (ithaca.h). */

/* ---- Building ---- */

/* Reads a Hugging Face tokenizer.json. config_path, a tokenizer_config.json or NULL, adds the
 * tokens of added_tokens_decoder that it lacks, and sets bos_token, eos_token and add_bos_token;
 * special_path, a special_tokens_map.json or NULL, sets bos_token and eos_token where the other
 * does not. Supported:
 *
 *     normalizer      null, NFC, Sequence of these
 *     pre_tokenizer   Split (Regex or String), Digits, ByteLevel, Sequence of these
 *     model           BPE, with ignore_merges; merges as "a b" or ["a", "b"]
 *     post_processor  ByteLevel, TemplateProcessing that prepends one token, Sequence of these
 *     decoder         ByteLevel
 *
 * ITH_E_UNSUPPORTED, naming the field: anything else. ITH_E_FORMAT: the file is damaged. */
ith_status ith_tokenizer_from_json(const char *json_path, const char *config_path,
                                   const char *special_path, ith_tokenizer **tok, ith_error *err);

/* The same from the text of the files. Errors name `where`. The data of config and special may be
 * NULL. */
ith_status ith_tokenizer_from_json_text(const char *where, ith_bytes json, ith_bytes config,
                                        ith_bytes special, ith_tokenizer **tok, ith_error *err);

/* The vocabulary of a GGUF file, as arrays. They are read while the tokenizer is built and not
 * needed afterwards. */
typedef struct ith_tokenizer_spec {
    const char *where; /* the file's name, for error messages */
    ith_bytes pre;     /* tokenizer.ggml.pre; empty: "default" */
    size_t n_tokens;   /* ids 0 .. n_tokens-1 */
    /* [n_tokens] in the byte-level alphabet; control and user-defined tokens verbatim */
    const ith_bytes *tokens;
    size_t n_merges;
    const ith_bytes *merges; /* [n_merges] "left right", lowest rank first */
    /* [n_tokens] 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; NULL: all
     * normal. Types 2 and 3 are special added tokens, 4 are added tokens that are not special. */
    const int32_t *types;
    int32_t bos, eos; /* -1: none */
    bool add_bos;
} ith_tokenizer_spec;

/* `pre` is one of qwen2, smollm, gpt-2, llama-bpe (llama3, llama-v3), smaug-bpe, dbrx and default,
 * or a name that stands for one of them. ITH_E_UNSUPPORTED: another name of `pre`, or a token of
 * type 6. ITH_E_FORMAT: the arrays contradict each other, or a single byte is a control token. */
ith_status ith_tokenizer_from_arrays(const ith_tokenizer_spec *spec, ith_tokenizer **tok,
                                     ith_error *err);

void ith_tokenizer_free(ith_tokenizer *tok); /* accepts NULL */

/* ---- Encoding and decoding ---- */

/* *ids is malloc'd, also if there are none; the caller frees it. flags: 0 for plain text.
 * ITH_E_ARGUMENT: the text is longer than ITH_MAX_TEXT. */
ith_status ith_tokenizer_encode(const ith_tokenizer *tok, const char *text, size_t len,
                                unsigned flags, int32_t **ids, size_t *n_ids, ith_error *err);

/* *text is malloc'd, with a NUL after its *len bytes; the caller frees it. Special tokens appear as
 * their text. ITH_E_ARGUMENT: an id is not in the vocabulary. */
ith_status ith_tokenizer_decode(const ith_tokenizer *tok, const int32_t *ids, size_t n, char **text,
                                size_t *len, ith_error *err);

/* ---- Queries ---- */

/* The largest id + 1. The model's embedding may have more rows. */
int32_t ith_tokenizer_n_vocab(const ith_tokenizer *tok);

/* Bytes of the longest token. */
size_t ith_tokenizer_max_len(const ith_tokenizer *tok);

/* The bytes of one token, valid as long as the tokenizer. NULL, with *len 0: no token has this
 * id. */
const char *ith_tokenizer_token(const ith_tokenizer *tok, int32_t id, size_t *len);

/* The id of the token with exactly these bytes ("<|im_end|>"), an added token if there is one; -1:
 * none. */
int32_t ith_tokenizer_find(const ith_tokenizer *tok, const char *text, size_t len);

/* Makes every added token whose text occurs in `source`, a chat template, a marker: it is plain
 * text to ITH_TOKENIZE_CONTENT. Call it before the tokenizer is used. */
void ith_tokenizer_mark(ith_tokenizer *tok, const char *source, size_t len);

/* Does the text hold special tokens or markers, which ITH_TOKENIZE_CONTENT reads as text and
 * ITH_TOKENIZE_SPECIAL as tokens? Far faster than encoding. Errors as ith_tokenizer_encode. */
ith_status ith_tokenizer_holds_markers(const ith_tokenizer *tok, const char *text, size_t len,
                                       bool *holds, ith_error *err);

/* What is unusual in the files and was not refused: lines, "" if there are none. */
const char *ith_tokenizer_notes(const ith_tokenizer *tok);

/* Is this an added token that is marked special? */
bool ith_tokenizer_is_special(const ith_tokenizer *tok, int32_t id);

/* The beginning-of-sequence and end-of-sequence tokens; -1: none. A model's full list of tokens
 * that end a text is in its generation_config.json. */
int32_t ith_tokenizer_bos(const ith_tokenizer *tok);
int32_t ith_tokenizer_eos(const ith_tokenizer *tok);

/* Does the model expect the beginning-of-sequence token before plain text? */
bool ith_tokenizer_add_bos(const ith_tokenizer *tok);

#endif
