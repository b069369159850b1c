/* source_impl.h - the struct behind ith_source, for the files of this room that fill or read it. */
#ifndef ITH_FORMATS_SOURCE_IMPL_H
#define ITH_FORMATS_SOURCE_IMPL_H

#include "formats/gguf.h"
#include "formats/mapfile.h"
#include "formats/quantized.h"
#include "formats/source.h"
#include "formats/tensor_table.h"

struct ith_source {
    ith_source_kind kind;
    char *path;
    ith_hparams hparams;
    ith_tensor_table tensors;
    ith_mapfile **files; /* [n_files] the weights */
    size_t n_files;

    /* Hugging Face folders; NULL if absent. */
    char *tokenizer_file; /* see ith_source_tokenizer_file */
    ith_quantized_list quantized;

    /* GGUF files, and packs made from one. */
    ith_gguf_meta meta;
    size_t meta_bytes; /* of the file before its first tensor's description */
    ith_gguf_vocab vocab;

    char *notes; /* see ith_source_notes; NULL: none */

    struct ith_packfile *pack; /* packs */
    float *floats;             /* synthetic: ones, for norms and biases; then the routers */
};

/* Appends a zeroed file, which the source closes. */
ith_status ith_source_add_file(ith_source *source, const char *path, ith_mapfile **file,
                               ith_error *err);

/* Maps one more file of weights. */
ith_status ith_source_map(ith_source *source, const char *path, const ith_mapfile **file,
                          ith_error *err);

/* Fills a source whose path is a folder. */
ith_status ith_hf_folder_open(ith_source *source, unsigned flags, ith_error *err);

/* Fills a source from a GGUF file. `file` stays the caller's and must outlive the source. */
ith_status ith_source_read_gguf(ith_source *source, const ith_mapfile *file, unsigned flags,
                                ith_error *err);

/* The same from a pack. */
ith_status ith_source_read_pack(ith_source *source, const ith_mapfile *file, ith_error *err);

/* Notes that a GGUF file's byte-level tokenizer does not name its pre-tokenizer. */
ith_status ith_source_note_pre(ith_source *source, ith_error *err);

/* Removes the tensors of the layers that guess further tokens, with a note. */
ith_status ith_source_drop_drafts(ith_source *source, ith_error *err);

/* Adds a line to the notes. */
ith_status ith_source_note(ith_source *source, ith_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Frees what a source holds, but not the struct. */
void ith_source_clear(ith_source *source);

#endif
