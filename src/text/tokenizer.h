/* tokenizer.h - converts text to token ids and back: BPE, byte-level or SentencePiece's, with the
 * same ids as Hugging Face's `tokenizers`.
 *
 *     ith_tokenizer *tok;
 *     ITH_TRY(ith_tokenizer_from_files(&(ith_tokenizer_files){.json = {path, bytes}}, &tok, err));
 *     ITH_TRY(ith_tokenizer_encode(tok, text, len, ITH_TOKENIZE_SPECIAL, &ids, &n, err));
 *     ITH_TRY(ith_tokenizer_decode(tok, ids, n, &bytes, &n_bytes, err));
 *
 * Encoding has three steps:
 *   1. Bytes that are not UTF-8 become U+FFFD, one for each maximal subpart of an ill-formed
 *      sequence (Unicode 3.9; Python's errors="replace" does the same).
 *   2. Added tokens are found in the text: the leftmost first, and the longest of those that begin
 *      at the same byte. Special ones ("<|im_end|>") are found only with ITH_TOKENIZE_SPECIAL, so
 *      that user text cannot forge a marker. Others (Qwen3's "<think>", "<tool_call>") are always
 *      found, as in Hugging Face, but see ith_tokenizer_encode_written. The flags lstrip, rstrip,
 *      single_word and normalized apply.
 *   3. The text between them is normalized and cut into words by the model's pre-tokenizer. The
 *      bytes of each word, or its characters, are merged by rank (byte-pair encoding: Sennrich et
 *      al. 2016, arXiv:1508.07909; on bytes: Radford et al. 2019, GPT-2; by score: Kudo and
 *      Richardson 2018, arXiv:1808.06226).
 *
 * Decoding returns the exact bytes of the ids. So text that is UTF-8 and in normal form survives
 * encoding and decoding, except for white space next to lstrip and rstrip tokens, and what the
 * tokenizer's own steps remove.
 *
 * A tokenizer does not change once it is built: any number of threads may use it. Every size and id
 * read from a file is checked.
 */
#ifndef ITH_TEXT_TOKENIZER_H
#define ITH_TEXT_TOKENIZER_H

#include "base/bytes.h"
#include "base/error.h"
#include "text/authors.h"

typedef struct ith_tokenizer ith_tokenizer;

/* Bytes that can be tokenized at once: 256 MiB, some 60 million tokens. */
enum { ITH_MAX_TEXT = 1 << 28 };

/* The flags of encoding are those of ith_vocab_tokenize (ithaca.h). */

/* ---- Building ---- */

/* A file of a Hugging Face folder. */
typedef struct ith_tokenizer_file {
    const char *path; /* for errors */
    ith_bytes bytes;  /* data NULL: there is none */
} ith_tokenizer_file;

/* The vocabulary is that of the first of
 *
 *     json              tokenizer.json
 *     model             tokenizer.model, of SentencePiece
 *     vocab, merges     vocab.json and merges.txt, both; `config` names their class
 *
 * `config`, tokenizer_config.json, adds the tokens of added_tokens_decoder that it lacks, and sets
 * bos_token, eos_token, add_bos_token and add_eos_token; `special`, special_tokens_map.json, sets
 * bos_token and eos_token where the other does not. Where there is neither tokenizer.json nor
 * added_tokens_decoder, `added`, added_tokens.json, adds tokens. */
typedef struct ith_tokenizer_files {
    ith_tokenizer_file json, model, vocab, merges, config, special, added;
} ith_tokenizer_files;

/* Supported in tokenizer.json:
 *
 *     normalizer      null, NFC, NFD, NFKC, NFKD, Lowercase, Replace, Prepend, Strip, Sequence
 *     pre_tokenizer   null, Split, Digits, ByteLevel, Metaspace, Whitespace, WhitespaceSplit,
 *                     Punctuation, BertPreTokenizer, CharDelimiterSplit, Sequence
 *     model           BPE, with ignore_merges, byte_fallback, fuse_unk; merges as "a b" or
 *                     ["a", "b"]
 *     post_processor  ByteLevel, TemplateProcessing, Sequence
 *     decoder         ByteLevel; or Replace, ByteFallback, Fuse, Strip, Metaspace; Sequence
 *
 * ITH_E_UNSUPPORTED, naming the field: anything else. ITH_E_FORMAT: a file is damaged. */
ith_status ith_tokenizer_from_files(const ith_tokenizer_files *files, ith_tokenizer **tok,
                                    ith_error *err);

/* A vocabulary as arrays, as in GGUF files. They are read while the tokenizer is built and not
 * needed afterwards. With scores it is one of SentencePiece, of the kind that it calls BPE: its
 * tokens spell a space as U+2581 and bytes as <0x0A>, and merges follow from the scores. Without
 * them it is byte-level, or as the pre-tokenizer has it. */
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
    const float *scores;   /* [n_tokens]; NULL: merges count */
    bool add_space_prefix; /* with scores: a text begins with a space */
    int32_t bos, eos, unk; /* -1: none */
    bool add_bos, add_eos;
} ith_tokenizer_spec;

/* `pre` is a name that docs/formats.md lists. ITH_E_UNSUPPORTED: another one, or a token of type 6
 * in a byte-level vocabulary. ITH_E_FORMAT: the arrays contradict each other, or a single byte is a
 * control token. */
ith_status ith_tokenizer_from_arrays(const ith_tokenizer_spec *spec, ith_tokenizer **tok,
                                     ith_error *err);

void ith_tokenizer_free(ith_tokenizer *tok); /* accepts NULL */

/* ---- Encoding and decoding ---- */

/* *ids is malloc'd, also if there are none; the caller frees it. flags: 0 for plain text.
 * ITH_E_ARGUMENT: the text is longer than ITH_MAX_TEXT. */
ith_status ith_tokenizer_encode(const ith_tokenizer *tok, const char *text, size_t len,
                                unsigned flags, int32_t **ids, size_t *n_ids, ith_error *err);

/* A text that was written by a chat template and its users. */
typedef struct ith_written {
    const char *text; /* UTF-8 */
    size_t len;
    const ith_passage *passages; /* [n_passages] of the text */
    size_t n_passages;
    const char *source; /* the template */
    size_t source_len;
} ith_written;

/* Encodes it with ITH_TOKENIZE_SPECIAL, but markers are tokens only where all of their bytes are
 * the template's; elsewhere they are plain text, and *held becomes true. Markers are the special
 * tokens, and those of the other added tokens that occur in the template's source and hold a mark
 * of punctuation, or that look like <|this|>. For a text whose users write no markers the ids are
 * those of the text as a whole. As ith_tokenizer_encode otherwise. */
ith_status ith_tokenizer_encode_written(const ith_tokenizer *tok, const ith_written *written,
                                        int32_t **ids, size_t *n_ids, bool *held, ith_error *err);

/* *text is malloc'd, with a NUL after its *len bytes; the caller frees it. Special tokens appear as
 * their text. ITH_E_ARGUMENT: an id is not in the vocabulary. */
ith_status ith_tokenizer_decode(const ith_tokenizer *tok, const int32_t *ids, size_t n, char **text,
                                size_t *len, ith_error *err);

/* The same token by token, and what the first tokens of a text leave out: SentencePiece's
 * vocabularies begin a text with a space that it does not have. */
typedef struct ith_decoding {
    int strip;  /* spaces that are left out if they come next */
    bool first; /* no token has been decoded */
} ith_decoding;

ith_decoding ith_decoding_begin(const ith_tokenizer *tok);

/* Writes the bytes of the next token to out, which has room for ith_tokenizer_max_len bytes, and
 * returns how many there are; 0 for an id that is not in the vocabulary. */
size_t ith_decoding_next(const ith_tokenizer *tok, ith_decoding *decoding, int32_t id, char *out);

/* ---- Queries ---- */

/* The largest id + 1. The model's embedding may have more rows. */
int32_t ith_tokenizer_n_vocab(const ith_tokenizer *tok);

/* Bytes of the longest token, and of the longest spelling of one. */
size_t ith_tokenizer_max_len(const ith_tokenizer *tok);

/* The bytes of one token inside a text, valid as long as the tokenizer. NULL, with *len 0: no token
 * has this id. */
const char *ith_tokenizer_token(const ith_tokenizer *tok, int32_t id, size_t *len);

/* The id of the token with exactly these bytes ("<|im_end|>"), an added token if there is one; -1:
 * none. In a vocabulary that is not byte-level, of the token that is spelled so. */
int32_t ith_tokenizer_find(const ith_tokenizer *tok, const char *text, size_t len);

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
