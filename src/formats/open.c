/* open.c - what a path names, and which reader opens it. */
#include "formats/source_impl.h"

#include "base/regular.h"
#include "formats/hub_cache.h"
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

/* The error for a file that is neither GGUF nor a pack: what it seems to be, and what to give
 * instead. */
static ith_status not_gguf(const ith_mapfile *file, ith_error *err)
{
    static const char *const old_ggml[] = {"lmgg", "fmgg", "tjgg"};
    const char *path = file->path;

    if (ends_with(path, ".ith"))
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged or not a pack: it does not begin like one",
                        path);
    for (size_t i = 0; i < sizeof old_ggml / sizeof *old_ggml; i++)
        if (begins_with(file, old_ggml[i]))
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "%s: a GGML file from before GGUF; convert the model to GGUF again",
                            path);
    if (begins_with(file, "PK\003\004") || ends_with(path, ".bin") || ends_with(path, ".pth") ||
        ends_with(path, ".pt"))
        return ith_fail(
            err, ITH_E_UNSUPPORTED,
            "%s: a PyTorch file; Ithaca reads GGUF files and folders with *.safetensors", path);
    if (ends_with(path, ".safetensors") || ith_safetensors_probe(file))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%s: a safetensors file alone does not describe a model; give its folder, "
                        "with config.json",
                        path);
    if (ends_with(path, ".json"))
        return ith_fail(err, ITH_E_ARGUMENT, "%s: give the folder that holds this file", path);
    if (ends_with(path, ".gguf"))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: damaged or not a GGUF file: it does not begin with \"GGUF\"", path);
    return ith_fail(err, ITH_E_ARGUMENT,
                    "%s: neither a GGUF file, a pack (.ith) nor a Hugging Face folder", path);
}

/* A path that leads nowhere may be the name of a model on the hub, which is looked up in Hugging
 * Face's cache. Then the source's path becomes the model's. */
static ith_status find_on_hub(ith_source *source, ith_error *err)
{
    ith_hub_name name;
    const char *why;
    char *found;

    if (ends_with(source->path, ".gguf") && strchr(source->path, ':') == NULL)
        return ITH_OK;
    if (!ith_hub_name_read(source->path, &name, &why))
        return ITH_OK;
    ITH_TRY(ith_hub_find(source->path, &found, err));
    free(source->path);
    source->path = found;
    return ITH_OK;
}

static ith_status open_path(ith_source *source, unsigned flags, ith_error *err)
{
    const ith_mapfile *file = NULL;
    const char *path;
    struct stat info;

    if (ith_synthetic_is_name(source->path))
        return ith_synthetic_open(source, flags, err);
    if (stat(source->path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR))
        ITH_TRY(find_on_hub(source, err));
    path = source->path;
    if (stat(path, &info) != 0)
        return ith_cannot_open(path, err);
    if (S_ISDIR(info.st_mode))
        return ith_hf_folder_open(source, flags, err);
    ITH_TRY(ith_source_map(source, path, &file, err));
    if (ith_pack_probe(file))
        return ith_source_read_pack(source, file, err);
    return begins_with(file, "GGUF") ? ith_source_read_gguf(source, file, flags, err)
                                     : not_gguf(file, err);
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
