/* source.c - the handle of an open model: its files, and access to what was read from them. */
#include "formats/source_impl.h"

#include "formats/packfile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ith_status ith_source_add_file(ith_source *source, const char *path, ith_mapfile **file,
                               ith_error *err)
{
    ith_mapfile **files = reallocarray(source->files, source->n_files + 1, sizeof(void *));

    if (files != NULL)
        source->files = files;
    *file = files == NULL ? NULL : calloc(1, sizeof **file);
    if (*file == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a list of files", path);
    files[source->n_files++] = *file;
    return ITH_OK;
}

ith_status ith_source_map(ith_source *source, const char *path, const ith_mapfile **file,
                          ith_error *err)
{
    ith_mapfile *added;

    ITH_TRY(ith_source_add_file(source, path, &added, err));
    ITH_TRY(ith_mapfile_open(path, added, err));
    *file = added;
    if (ith_mapfile_is_lfs_pointer(*file))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: only a Git LFS pointer; fetch the file itself with: git lfs pull",
                        path);
    return ITH_OK;
}

void ith_source_clear(ith_source *source)
{
    ith_pack_close(source->pack);
    ith_gguf_vocab_free(&source->vocab);
    ith_gguf_meta_free(&source->meta);
    ith_tensor_table_free(&source->tensors);
    ith_quantized_list_free(&source->quantized);
    for (size_t i = 0; i < source->n_files; i++) {
        ith_mapfile_close(source->files[i]);
        free(source->files[i]);
    }
    free(source->files);
    free(source->floats);
    free(source->tokenizer_file);
    free(source->notes);
    free(source->path);
    memset(source, 0, sizeof *source);
}

void ith_source_close(ith_source *source)
{
    if (source == NULL)
        return;
    ith_source_clear(source);
    free(source);
}

/* ---- Access ---- */

ith_source_kind ith_source_get_kind(const ith_source *source)
{
    return source->kind;
}

const char *ith_source_path(const ith_source *source)
{
    return source->path;
}

const ith_hparams *ith_source_hparams(const ith_source *source)
{
    return &source->hparams;
}

const char *ith_source_notes(const ith_source *source)
{
    return source->notes != NULL ? source->notes : "";
}

ith_status ith_source_drop_drafts(ith_source *source, ith_error *err)
{
    const ith_hparams *hp = &source->hparams;
    size_t removed = 0;

    if (hp->draft_layers == 0)
        return ITH_OK;
    ith_tensor_table_drop_layers(&source->tensors, hp->n_layers, hp->draft_layers, &removed);
    if (removed == 0)
        return ITH_OK;
    ITH_TRY(ith_tensor_table_index(&source->tensors, err));
    return ith_source_note(source, err,
                           "%s: %zu tensors are of layers that guess further tokens and are not "
                           "used",
                           source->path, removed);
}

ith_status ith_source_note(ith_source *source, ith_error *err, const char *format, ...)
{
    char line[1000], *longer;
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    if (asprintf(&longer, "%s%s%s", ith_source_notes(source), source->notes != NULL ? "\n" : "",
                 line) < 0)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a note", source->path);
    free(source->notes);
    source->notes = longer;
    return ITH_OK;
}

const ith_tensor *ith_source_find(const ith_source *source, const char *name)
{
    return ith_tensor_table_find(&source->tensors, name);
}

size_t ith_source_n_tensors(const ith_source *source)
{
    return source->tensors.n;
}

const ith_tensor *ith_source_tensor(const ith_source *source, size_t index)
{
    return index < source->tensors.n ? &source->tensors.items[index] : NULL;
}

const ith_packfile *ith_source_pack(const ith_source *source)
{
    return source->pack;
}

ith_bytes ith_source_blob(const ith_source *source, const char *name)
{
    return source->pack != NULL ? ith_pack_blob(source->pack, name) : (ith_bytes){NULL, 0};
}

const char *ith_source_tokenizer_file(const ith_source *source)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer.model", "vocab.json"};

    for (size_t i = 0; source->pack != NULL && i < sizeof names / sizeof *names; i++)
        if (ith_source_blob(source, names[i]).data != NULL)
            return names[i];
    return source->tokenizer_file;
}

const ith_gguf_vocab *ith_source_gguf_vocab(const ith_source *source)
{
    return source->meta_bytes > 0 ? &source->vocab : NULL;
}

ith_status ith_source_note_pre(ith_source *source, ith_error *err)
{
    if (!ith_bytes_equal(source->vocab.model, "gpt2") || source->vocab.pre.len > 0)
        return ITH_OK;
    return ith_source_note(
        source, err,
        "%s does not name its pre-tokenizer (tokenizer.ggml.pre): \"default\" is "
        "taken, and the tokens may not be those that the model was trained on",
        source->path);
}
