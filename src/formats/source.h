/* source.h - the files of a model as one thing: hyperparameters, named tensors, tokenizer data.
 *
 * There are four kinds: a Hugging Face folder (config.json, *.safetensors with or without an index,
 * generation_config.json, tokenizer.json), a GGUF file, a pack (packfile.h), and no file at all, a
 * synthetic model (synthetic.h).
 *
 * Files are mapped read-only, and tensors point into the mappings. Nothing in a file is trusted:
 * each offset, count and product is checked, and an error names the file and the field.
 */
#ifndef ITH_FORMATS_SOURCE_H
#define ITH_FORMATS_SOURCE_H

#include "base/bytes.h"
#include "base/json.h"
#include "formats/gguf_vocab.h"
#include "formats/hparams.h"
#include "formats/tensor.h"

typedef enum ith_source_kind {
    ITH_SOURCE_HF,
    ITH_SOURCE_GGUF,
    ITH_SOURCE_PACK,
    ITH_SOURCE_SYNTHETIC
} ith_source_kind;

typedef struct ith_source ith_source;

/* Flag: a folder without weights will do. */
enum { ITH_SOURCE_TOKENIZER_ONLY = 1 };

/* `path`: a folder with config.json, a GGUF file or a pack (recognised by their first bytes, not by
 * their names), or "synthetic:SHAPE:TYPE". Where there is no such file, the name of a model on the
 * hub is looked up in Hugging Face's cache (hub_cache.h).
 *
 * With ITH_SOURCE_TOKENIZER_ONLY there are no tensors, hyperparameters have only bos, eos and name,
 * and the family need not be known.
 *
 * ITH_E_ARGUMENT: `path` is something else; the message says what to give instead. ITH_E_IO,
 * ITH_E_FORMAT, ITH_E_UNSUPPORTED as in ithaca.h. */
ith_status ith_source_open(const char *path, unsigned flags, ith_source **source, ith_error *err);
void ith_source_close(ith_source *source); /* accepts NULL */

ith_source_kind ith_source_get_kind(const ith_source *source);
const char *ith_source_path(const ith_source *source);
const ith_hparams *ith_source_hparams(const ith_source *source);

/* What a user should know of the files although they can be run: what is not used, or what was
 * decided between contradictions. Sentences, a line each; "" if there is nothing. */
const char *ith_source_notes(const ith_source *source);

/* By name, NULL if there is none; by index, in the order of the data in the files. Two tensors of
 * GGUF files need care, see gguf.h. */
const ith_tensor *ith_source_find(const ith_source *source, const char *name);
size_t ith_source_n_tensors(const ith_source *source);
const ith_tensor *ith_source_tensor(const ith_source *source, size_t index);

/* ---- Files ---- */

/* ITH_E_ARGUMENT: a file written as `output` would replace one that the model was read from. */
ith_status ith_source_spare(const ith_source *source, const char *output, ith_error *err);

/* ITH_E_IO: a file of weights has changed since it was opened (mapfile.h). */
ith_status ith_source_check_unchanged(const ith_source *source, ith_error *err);

/* ---- Tokenizer data ---- */

/* The file that holds the vocabulary: of a Hugging Face folder the path of tokenizer.json, else of
 * tokenizer.model, else of vocab.json if merges.txt and tokenizer_config.json stand beside it; of a
 * pack of such a folder the name alone. NULL: none of them, or a GGUF file. */
const char *ith_source_tokenizer_file(const ith_source *source);

/* Of a GGUF file, or of a pack made from one; else NULL. */
const ith_gguf_vocab *ith_source_gguf_vocab(const ith_source *source);

/* What a pack of a Hugging Face folder holds byte for byte, in its mapping: "tokenizer.json",
 * "tokenizer.model", "vocab.json", "merges.txt" (those that its vocabulary is in),
 * "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
 * "additional_chat_templates/NAME.jinja", "chat_template.json". data NULL: no such blob, or not a
 * pack. */
ith_bytes ith_source_blob(const ith_source *source, const char *name);

/* Passes to fn what a pack of this source must hold byte for byte: those files in this order, or as
 * "gguf" the header and metadata of a GGUF file. Stops when fn fails. */
typedef ith_status (*ith_blob_fn)(void *user, const char *name, const void *data, size_t bytes,
                                  ith_error *err);
ith_status ith_source_each_blob(const ith_source *source, ith_blob_fn fn, void *user,
                                ith_error *err);

const struct ith_packfile *ith_source_pack(const ith_source *source); /* NULL for other kinds */

/* ---- Description ---- */

/* For `ithaca inspect`: format, path, architecture, name, hyperparameters, parameters, bytes,
 * tensors, tokenizer. *out is the caller's. */
ith_status ith_source_describe(const ith_source *source, json_t **out, ith_error *err);

#endif
