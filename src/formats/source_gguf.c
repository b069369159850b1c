/* source_gguf.c - a GGUF file as a source. */
#include "formats/gguf_split.h"

#include "base/character.h"
#include "formats/hparams.h"

#include <string.h>

ith_status ith_source_read_gguf(ith_source *source, const ith_mapfile *file, unsigned flags,
                                ith_error *err)
{
    ith_cursor cursor;

    source->kind = ITH_SOURCE_GGUF;
    source->hparams = ith_hparams_default();
    ITH_TRY(ith_gguf_meta_read(file, &cursor, &source->meta, err));
    source->meta_bytes = file->size - cursor.left;
    ITH_TRY(ith_gguf_split_check_first(&source->meta, err));
    ITH_TRY(ith_gguf_vocab_read(&source->meta, &source->vocab, err));
    ITH_TRY(ith_source_note_pre(source, err));
    if (flags & ITH_SOURCE_TOKENIZER_ONLY) {
        ITH_TRY(ith_gguf_special_tokens(&source->meta, &source->vocab, &source->hparams, err));
    } else {
        ITH_TRY(ith_gguf_tensors_read(file, &cursor, &source->meta, &source->tensors, err));
        ITH_TRY(ith_gguf_split_read(source, file, err));
        ITH_TRY(ith_tensor_table_index(&source->tensors, err));
        ITH_TRY(ith_gguf_hparams_read(&source->meta, &source->tensors, &source->vocab,
                                      &source->hparams, err));
        ITH_TRY(ith_source_drop_drafts(source, err));
    }
    if (source->hparams.name[0] == '\0') {
        const char *slash = strrchr(file->path, '/'),
                   *name = slash == NULL ? file->path : slash + 1;
        ith_clean_text(name, strlen(name), source->hparams.name, sizeof source->hparams.name);
    }
    return ITH_OK;
}
