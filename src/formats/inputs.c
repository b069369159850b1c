/* inputs.c - the files that a model was read from: outputs spare them, and changes are seen. */
#include "base/samefile.h"
#include "formats/source_impl.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a folder, apart from the weights. */
static const char *const folder_files[] = {
    "config.json",       "generation_config.json", "model.safetensors.index.json",
    "tokenizer.json",    "tokenizer_config.json",  "special_tokens_map.json",
    "added_tokens.json", "tokenizer.model",        "vocab.json",
    "merges.txt",        "chat_template.jinja",    "chat_template.json"};

static ith_status no_memory(const ith_source *source, ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the names of its files", source->path);
}

static ith_status spare_templates(const ith_source *source, const char *output, ith_error *err)
{
    ith_status status = ITH_OK;
    char *folder, *path;
    struct dirent *entry;
    DIR *dir;

    if (asprintf(&folder, "%s/additional_chat_templates", source->path) < 0)
        return no_memory(source, err);
    dir = opendir(folder);
    while (status == ITH_OK && dir != NULL && (entry = readdir(dir)) != NULL) {
        if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0) {
            status = no_memory(source, err);
            break;
        }
        status = ith_spare_input(output, path, err);
        free(path);
    }
    if (dir != NULL)
        closedir(dir);
    free(folder);
    return status;
}

static ith_status spare_folder(const ith_source *source, const char *output, ith_error *err)
{
    for (size_t i = 0; i < sizeof folder_files / sizeof *folder_files; i++) {
        char *path = NULL;
        ith_status status;
        if (asprintf(&path, "%s/%s", source->path, folder_files[i]) < 0)
            return no_memory(source, err);
        status = ith_spare_input(output, path, err);
        free(path);
        ITH_TRY(status);
    }
    return spare_templates(source, output, err);
}

/* The shape in "synthetic:SHAPE:TYPE" may be a file. */
static ith_status spare_shape(const ith_source *source, const char *output, ith_error *err)
{
    const char *shape = strchr(source->path, ':') + 1, *end = strrchr(source->path, ':');
    char *path = strndup(shape, end > shape ? (size_t)(end - shape) : 0);
    ith_status status = path == NULL ? no_memory(source, err) : ith_spare_input(output, path, err);

    free(path);
    return status;
}

ith_status ith_source_spare(const ith_source *source, const char *output, ith_error *err)
{
    for (size_t i = 0; i < source->n_files; i++)
        ITH_TRY(ith_spare_input(output, source->files[i]->path, err));
    if (source->kind == ITH_SOURCE_SYNTHETIC)
        return spare_shape(source, output, err);
    return source->kind == ITH_SOURCE_HF ? spare_folder(source, output, err) : ITH_OK;
}

ith_status ith_source_check_unchanged(const ith_source *source, ith_error *err)
{
    for (size_t i = 0; i < source->n_files; i++)
        ITH_TRY(ith_mapfile_check_unchanged(source->files[i], err));
    return ITH_OK;
}
