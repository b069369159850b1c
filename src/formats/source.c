#include "formats/source_parts.h"

#include "formats/hparams.h"
#include "formats/packfile.h"
#include "formats/safetensors.h"
#include "formats/synthetic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool ends_with(const char *text, const char *suffix)
{
    size_t len = strlen(text), end = strlen(suffix);
    return len >= end && strcmp(text + len - end, suffix) == 0;
}

static bool begins_with(const ith_mapfile *file, const char *magic)
{
    return file->size >= strlen(magic) && memcmp(file->data, magic, strlen(magic)) == 0;
}

ith_status ith_source_add_file(ith_source *source, const char *path, ith_mapfile **file, ith_error *err)
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

ith_status ith_source_map(ith_source *source, const char *path, const ith_mapfile **file, ith_error *err)
{
    ith_mapfile *added;

    ITH_TRY(ith_source_add_file(source, path, &added, err));
    ITH_TRY(ith_mapfile_open(path, added, err));
    *file = added;
    if (ith_mapfile_is_lfs_pointer(*file))
        return ith_fail(err, ITH_E_FORMAT, "%s: only a Git LFS pointer; fetch the file itself with: git lfs pull",
                        path);
    return ITH_OK;
}

/* ---- GGUF ---- */

ith_status ith_source_read_gguf(ith_source *source, const ith_mapfile *file, unsigned flags, ith_error *err)
{
    ith_cursor cursor;

    source->kind = ITH_SOURCE_GGUF;
    source->hparams = ith_hparams_default();
    ITH_TRY(ith_gguf_meta_read(file, &cursor, &source->meta, err));
    source->meta_bytes = file->size - cursor.left;
    ITH_TRY(ith_gguf_vocab_read(&source->meta, &source->vocab, err));
    if (flags & ITH_SOURCE_TOKENIZER_ONLY) {
        ITH_TRY(ith_gguf_special_tokens(&source->meta, &source->vocab, &source->hparams, err));
    } else {
        ITH_TRY(ith_gguf_tensors_read(file, &cursor, &source->meta, &source->tensors, err));
        ITH_TRY(ith_tensor_table_index(&source->tensors, err));
        ITH_TRY(ith_gguf_hparams_read(&source->meta, &source->tensors, &source->vocab, &source->hparams, err));
    }
    if (source->hparams.name[0] == '\0') {
        const char *slash = strrchr(file->path, '/'), *name = slash == NULL ? file->path : slash + 1;
        ith_clean_text(name, strlen(name), source->hparams.name, sizeof source->hparams.name);
    }
    return ITH_OK;
}

/* ---- What a path is ---- */

/* What a file is that is neither GGUF nor a pack, as far as one can tell, and what to give instead. */
static ith_status not_gguf(const ith_mapfile *file, ith_error *err)
{
    static const char *const old_ggml[] = {"lmgg", "fmgg", "tjgg"};
    const char *path = file->path;

    if (ends_with(path, ".ith"))
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged or not a pack: it does not begin as one", path);
    for (size_t i = 0; i < sizeof old_ggml / sizeof *old_ggml; i++)
        if (begins_with(file, old_ggml[i]))
            return ith_fail(err, ITH_E_UNSUPPORTED, "%s: a GGML file from before GGUF; convert the model to GGUF again",
                            path);
    if (begins_with(file, "PK\003\004") || ends_with(path, ".bin") || ends_with(path, ".pth") || ends_with(path, ".pt"))
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: a PyTorch file; Ithaca reads GGUF files and folders with *.safetensors", path);
    if (ends_with(path, ".safetensors") || ith_safetensors_probe(file))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%s: a safetensors file alone does not describe a model; give its folder, with config.json",
                        path);
    if (ends_with(path, ".json"))
        return ith_fail(err, ITH_E_ARGUMENT, "%s: give the folder that holds this file", path);
    if (ends_with(path, ".gguf"))
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged or not a GGUF file: it does not begin with \"GGUF\"", path);
    return ith_fail(err, ITH_E_ARGUMENT, "%s: neither a GGUF file, a pack (.ith) nor a Hugging Face folder", path);
}

/* "Qwen/Qwen3-8B" is how people name models on the hub. */
static bool looks_like_hub_name(const char *path)
{
    const char *slash = strchr(path, '/');
    return slash != NULL && slash != path && slash[1] != '\0' && strchr(slash + 1, '/') == NULL && path[0] != '.' &&
           path[0] != '~' && !ends_with(path, ".gguf");
}

static ith_status open_path(ith_source *source, unsigned flags, ith_error *err)
{
    const char *path = source->path;
    const ith_mapfile *file = NULL;
    struct stat info;

    if (ith_synthetic_is_name(path))
        return ith_synthetic_open(source, flags, err);
    if (stat(path, &info) != 0) {
        if (errno == ENOENT && looks_like_hub_name(path))
            return ith_fail(
                err, ITH_E_IO,
                "%s: no such file or folder; to download that model first: hf download %s --local-dir FOLDER", path,
                path);
        return ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
    }
    if (S_ISDIR(info.st_mode))
        return ith_hf_folder_open(source, flags, err);
    ITH_TRY(ith_source_map(source, path, &file, err));
    if (ith_pack_probe(file))
        return ith_source_read_pack(source, file, err);
    return begins_with(file, "GGUF") ? ith_source_read_gguf(source, file, flags, err) : not_gguf(file, err);
}

ith_status ith_source_open(const char *path, unsigned flags, ith_source **source, ith_error *err)
{
    ith_source *s = calloc(1, sizeof *s);
    ith_status status;

    *source = NULL;
    if (s == NULL || (s->path = strdup(path)) == NULL) {
        free(s);
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory to open it", path);
    }
    status = open_path(s, flags, err);
    if (status != ITH_OK)
        ith_source_close(s);
    else
        *source = s;
    return status;
}

void ith_source_clear(ith_source *source)
{
    ith_pack_close(source->pack);
    ith_gguf_vocab_free(&source->vocab);
    ith_gguf_meta_free(&source->meta);
    ith_tensor_table_free(&source->tensors);
    for (size_t i = 0; i < source->n_files; i++) {
        ith_mapfile_close(source->files[i]);
        free(source->files[i]);
    }
    free(source->files);
    free(source->floats);
    free(source->tokenizer_json);
    free(source->tokenizer_config);
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

const char *ith_source_tokenizer_json(const ith_source *source)
{
    return source->tokenizer_json;
}

const char *ith_source_tokenizer_config(const ith_source *source)
{
    return source->tokenizer_config;
}

const ith_gguf_vocab *ith_source_gguf_vocab(const ith_source *source)
{
    return source->meta_bytes > 0 ? &source->vocab : NULL;
}
