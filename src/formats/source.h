/* source.h - a model's files as one thing: hyperparameters, named tensors in place, tokenizer data.
 *
 * Four kinds: a Hugging Face folder (config.json, *.safetensors with or without an index, generation_config.json,
 * tokenizer.json), a GGUF file, a pack (packfile.h), and no file at all: a synthetic model, see synthetic.h. Files are mapped read-only; tensors point into the mapping. Everything read from a file is
 * untrusted: each offset, count and product is checked, and an error names the file and the field.
 */
#ifndef ITH_FORMATS_SOURCE_H
#define ITH_FORMATS_SOURCE_H

#include "base/json.h"
#include "formats/hparams.h"

typedef enum ith_dtype {
    ITH_DT_F32,
    ITH_DT_F16,
    ITH_DT_BF16,
    ITH_DT_Q8_0,
    ITH_DT_Q4_0,
    ITH_DT_Q4_1,
    ITH_DTYPES
} ith_dtype;

typedef struct ith_dtype_info {
    const char *name; /* "F32", "Q4_0" */
    int block;        /* elements per block */
    int block_bytes;
} ith_dtype_info;

const ith_dtype_info *ith_dtype_get(ith_dtype dtype);

/* Widens n elements, a multiple of the type's block, to f32: exactly, but for Q4_1, whose d * q + m is rounded once. */
void ith_dtype_to_f32(ith_dtype dtype, const uint8_t *src, int64_t n, float *out);

typedef struct ith_tensor {
    const char *name;
    const char *file; /* where it lies, for messages */
    ith_dtype dtype;
    int n_dims;          /* 1 to 4 */
    int64_t dims[4];     /* row-major, as PyTorch says it: dims[n_dims - 1] is contiguous */
    const uint8_t *data; /* inside the mapping; unaligned */
    const struct ith_mapfile
        *mapping; /* that data lie in, to be read by filereader.h; NULL: they are in memory */
    size_t bytes;
    const struct ith_packed *
        packed; /* a pack's (packfile.h); of a matrix that has one, dtype and data say nothing. Else NULL */
} ith_tensor;

typedef enum ith_source_kind {
    ITH_SOURCE_HF,
    ITH_SOURCE_GGUF,
    ITH_SOURCE_PACK,
    ITH_SOURCE_SYNTHETIC
} ith_source_kind;

typedef struct ith_source ith_source;

enum { ITH_SOURCE_TOKENIZER_ONLY = 1 /* a folder without weights will do */ };

/* `path`: a folder with config.json, a .gguf file or a pack (recognised by their magic, not their name), or "synthetic:SHAPE:TYPE". With ITH_SOURCE_TOKENIZER_ONLY there are no
 * tensors, and of the hyperparameters only bos, eos and name; the architecture need not be known. ITH_E_ARGUMENT: `path` is something
 * else, and the text says what to give instead; ITH_E_IO, ITH_E_FORMAT, ITH_E_UNSUPPORTED as in ithaca.h. */
ith_status ith_source_open(const char *path, unsigned flags, ith_source **source, ith_error *err);
void ith_source_close(ith_source *source); /* accepts NULL */

ith_source_kind ith_source_get_kind(const ith_source *source);
const char *ith_source_path(const ith_source *source);
const ith_hparams *ith_source_hparams(const ith_source *source);

/* By name, NULL if there is none; by index in the order of the data in the files. Of GGUF's tensors two need care: see gguf.h
 * (rows of attn_q and attn_k of "llama" are permuted; rope_freqs.weight holds the scaling that Hugging Face calls llama3). */
const ith_tensor *ith_source_find(const ith_source *source, const char *name);
size_t ith_source_n_tensors(const ith_source *source);
const ith_tensor *ith_source_tensor(const ith_source *source, size_t index);

/* ---- Tokenizer data ---- */

/* Hugging Face folder: paths of tokenizer.json and tokenizer_config.json, NULL if absent. Others: NULL. */
const char *ith_source_tokenizer_json(const ith_source *source);
const char *ith_source_tokenizer_config(const ith_source *source);

/* GGUF: the tokenizer's arrays, in the file's mapping. Strings are not NUL-terminated. */
typedef struct ith_bytes {
    const char *data;
    size_t len;
} ith_bytes;

typedef struct ith_gguf_vocab {
    ith_bytes model, pre;    /* tokenizer.ggml.model ("gpt2"), tokenizer.ggml.pre ("qwen2") */
    ith_bytes chat_template; /* data NULL: none */
    size_t n_tokens, n_merges;
    ith_bytes *tokens; /* [n_tokens] in the byte-level alphabet */
    ith_bytes *merges; /* [n_merges] "left right" */
    int32_t *
        types; /* [n_tokens] 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte; NULL if the file has none */
    int32_t bos, eos; /* -1: none */
    bool add_bos;
} ith_gguf_vocab;

const ith_gguf_vocab *
ith_source_gguf_vocab(const ith_source *source); /* a GGUF file, a pack made of one; else NULL */

/* What a pack holds byte for byte, in its mapping: "tokenizer.json", "tokenizer_config.json", "chat_template.jinja" of a Hugging Face
 * folder. data NULL: nothing of this name, or no pack. */
ith_bytes ith_source_blob(const ith_source *source, const char *name);

/* Hands out what a pack of this source must hold byte for byte: those files, or a GGUF file's header and metadata as "gguf". Stops at the
 * first failure of fn. */
typedef ith_status (*ith_blob_fn)(void *user, const char *name, const void *data, size_t bytes,
                                  ith_error *err);
ith_status ith_source_each_blob(const ith_source *source, ith_blob_fn fn, void *user,
                                ith_error *err);

const struct ith_packfile *ith_source_pack(const ith_source *source); /* NULL for other kinds */

/* ---- Description ---- */

/* For `ithaca inspect`: format, path, architecture, name, hyperparameters, parameters, bytes, tensors, tokenizer. *out is the caller's. */
ith_status ith_source_describe(const ith_source *source, json_t **out, ith_error *err);

#endif
