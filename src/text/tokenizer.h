/* tokenizer.h - text to token ids and back: byte-level BPE, equal id for id to Hugging Face's `tokenizers`.
 *
 *     ith_tokenizer *tok;
 *     ITH_TRY(ith_tokenizer_from_json("m/tokenizer.json", "m/tokenizer_config.json", &tok, err));
 *     ITH_TRY(ith_tokenizer_encode(tok, text, len, ITH_TOKENIZE_SPECIAL, &ids, &n, err));
 *     ITH_TRY(ith_tokenizer_decode(tok, ids, n, &bytes, &n_bytes, err));
 *
 * What encoding does, in order:
 *   1. Bytes that are not UTF-8 become U+FFFD, one for each maximal part of an ill-formed sequence (Unicode 3.9, the
 *      same as Python's errors="replace").
 *   2. Added tokens are cut out of the text, leftmost first, the longest at a place. Those marked special ("<|im_end|>") only
 *      with ITH_TOKENIZE_SPECIAL: what a user writes cannot forge a marker. Those not marked so (Qwen3's "<think>",
 *      "<tool_call>") always, as Hugging Face does. lstrip, rstrip, single_word and normalized are honoured.
 *   3. What lies between is normalized (NFC or nothing), cut into words by the model's pre-tokenizer, and each word's
 *      bytes are merged by rank (Sennrich et al. 2016, arXiv:1508.07909; on bytes as GPT-2 has it).
 * Decoding gives the exact bytes of the ids, so encode and decode round-trip any UTF-8 text that the normalizer leaves
 * as it is (text in NFC), except for white space that an lstrip or rstrip token swallows.
 *
 * A tokenizer is immutable once built: any number of threads may use it. Every size and id from a file is checked.
 */
#ifndef ITH_TEXT_TOKENIZER_H
#define ITH_TEXT_TOKENIZER_H

#include "base/error.h"

typedef struct ith_tokenizer ith_tokenizer;

enum { ITH_MAX_TEXT = 1 << 28 }; /* bytes that can be tokenized at once: 256 MiB, some 60 million tokens */

/* Flags of encoding, beside ITH_TOKENIZE_SPECIAL of ithaca.h. */
enum {
    ITH_TOKENIZE_BOS =
        2 /* the beginning-of-sequence token first, if ith_tokenizer_add_bos() says that the model wants it */
};

/* ---- Building ---------------------------------------------------------------------------------------------- */

/* From Hugging Face's tokenizer.json. `config_path` (tokenizer_config.json) may be NULL: it names bos_token, eos_token and
 * add_bos_token. Understood: normalizer null, NFC, Sequence of these; pre_tokenizer Split (Regex or String), Digits, ByteLevel,
 * Sequence of these; model BPE with ignore_merges, merges as "a b" or ["a", "b"]; post_processor ByteLevel,
 * TemplateProcessing that puts one token first, Sequence of these; decoder ByteLevel. Anything else:
 * ITH_E_UNSUPPORTED naming the field. A damaged file: ITH_E_FORMAT. */
ith_status ith_tokenizer_from_json(const char *json_path, const char *config_path, ith_tokenizer **tok, ith_error *err);

typedef struct ith_piece { /* bytes, not NUL-terminated */
    const char *data;
    size_t len;
} ith_piece;

/* The same from the files' text; `where` is named in errors. config.data may be NULL. */
ith_status ith_tokenizer_from_json_text(const char *where, ith_piece json, ith_piece config, ith_tokenizer **tok,
                                        ith_error *err);

/* The arrays of a GGUF file, in neutral form. Read while building only: nothing is kept. */
typedef struct ith_tokenizer_spec {
    const char *where;       /* the file's name, for messages */
    ith_piece pre;           /* tokenizer.ggml.pre; empty: "default" */
    size_t n_tokens;         /* ids 0 .. n_tokens-1 */
    const ith_piece *tokens; /* [n_tokens] in the byte-level alphabet; control and user-defined ones verbatim */
    size_t n_merges;
    const ith_piece *merges; /* [n_merges] "left right", best first */
    const int32_t
        *types; /* [n_tokens] 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte; NULL: all normal */
    int32_t bos, eos; /* -1: none */
    bool add_bos;
} ith_tokenizer_spec;

/* Known names of `pre`: qwen2, smollm, gpt-2, llama-bpe (llama3, llama-v3), default. Others: ITH_E_UNSUPPORTED with the list.
 * Types 2 and 3 are special added tokens, type 4 added tokens that are not special. */
ith_status ith_tokenizer_from_arrays(const ith_tokenizer_spec *spec, ith_tokenizer **tok, ith_error *err);

void ith_tokenizer_free(ith_tokenizer *tok); /* accepts NULL */

/* ---- Use ----------------------------------------------------------------------------------------------------- */

/* *ids is malloc'd, the caller frees it (never NULL on success). flags: see above, 0 for plain text. */
ith_status ith_tokenizer_encode(const ith_tokenizer *tok, const char *text, size_t len, unsigned flags, int32_t **ids,
                                size_t *n_ids, ith_error *err);

/* The bytes of n ids, malloc'd in *text with a NUL after *len bytes. Special tokens appear as their text. An id that the
 * vocabulary does not have: ITH_E_ARGUMENT. */
ith_status ith_tokenizer_decode(const ith_tokenizer *tok, const int32_t *ids, size_t n, char **text, size_t *len,
                                ith_error *err);

/* ---- Questions ------------------------------------------------------------------------------------------------- */

int32_t ith_tokenizer_n_vocab(const ith_tokenizer *tok); /* largest id + 1; the model's matrix may have more rows */
size_t ith_tokenizer_max_len(const ith_tokenizer *tok);  /* bytes of the longest token */

/* The bytes of one token, valid as long as the tokenizer; NULL (len 0) if no token has this id. */
const char *ith_tokenizer_token(const ith_tokenizer *tok, int32_t id, size_t *len);

/* The id of the token whose bytes are exactly these ("<|im_end|>"), added tokens first; -1: none. */
int32_t ith_tokenizer_find(const ith_tokenizer *tok, const char *text, size_t len);

bool ith_tokenizer_is_special(const ith_tokenizer *tok, int32_t id); /* an added token marked special */

int32_t ith_tokenizer_bos(const ith_tokenizer *tok);  /* -1: none */
int32_t ith_tokenizer_eos(const ith_tokenizer *tok);  /* -1: none; the model's own list is in its generation_config */
bool ith_tokenizer_add_bos(const ith_tokenizer *tok); /* does the model expect bos before raw text? */

#endif
