/* hf_folder.c - a Hugging Face folder as a source, and messages about folders of other kinds. */
#include "formats/source_impl.h"

#include "base/character.h"
#include "formats/arch.h"
#include "formats/hf_config.h"
#include "formats/hf_quantization.h"
#include "formats/hparams.h"
#include "formats/hub_cache.h"
#include "formats/quantized.h"
#include "formats/safetensors.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char adapter_file[] = "adapter_config.json";

enum { CONFIG_MAX_BYTES = 16 << 20, INDEX_MAX_BYTES = 64 << 20 };

static ith_status join(const char *folder, const char *name, char **path, ith_error *err)
{
    *path = NULL;
    if (asprintf(path, "%s/%s", folder, name) < 0) {
        *path = NULL;
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the name of %s", folder, name);
    }
    return ITH_OK;
}

/* *path is NULL if there is no such file. */
static ith_status find_file(const char *folder, const char *name, char **path, ith_error *err)
{
    ITH_TRY(join(folder, name, path, err));
    if (access(*path, F_OK) != 0) {
        free(*path);
        *path = NULL;
    }
    return ITH_OK;
}

/* The alphabetically first name with this suffix. */
static bool find_suffix(const char *folder, const char *suffix, char found[256])
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;

    found[0] = '\0';
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name), end = strlen(suffix);
        if (len > end && len < 256 && strcmp(entry->d_name + len - end, suffix) == 0 &&
            (found[0] == '\0' || strcmp(entry->d_name, found) < 0))
            memcpy(found, entry->d_name, len + 1);
    }
    if (dir != NULL)
        closedir(dir);
    return found[0] != '\0';
}

/* ---- Errors about folders of another kind ---- */

static ith_status no_config(const char *folder, ith_error *err)
{
    char name[256], *adapter;

    ITH_TRY(find_file(folder, adapter_file, &adapter, err));
    free(adapter);
    if (adapter != NULL)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s has an adapter (%s), which is no model: merge it into the model it "
                        "was made for with PEFT's merge_and_unload, and give that folder",
                        folder, adapter_file);
    if (find_suffix(folder, ".gguf", name))
        return ith_fail(err, ITH_E_ARGUMENT, "%s is a directory; give the GGUF file in it: %s/%s",
                        folder, folder, name);
    return ith_fail(err, ITH_E_ARGUMENT,
                    "%s is a directory without config.json; a Hugging Face model folder has "
                    "config.json, tokenizer.json and "
                    "*.safetensors",
                    folder);
}

static ith_status no_weights(const char *folder, ith_error *err)
{
    char name[256];

    if (find_suffix(folder, ".bin", name) || find_suffix(folder, ".bin.index.json", name) ||
        find_suffix(folder, ".pth", name))
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s has only PyTorch weights (%s); Ithaca reads safetensors: "
                        "save the model again with "
                        "Transformers, or download a revision with *.safetensors",
                        folder, name);
    if (find_suffix(folder, ".safetensors", name))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s has neither model.safetensors nor model.safetensors.index.json, only "
                        "files such as %s: is the download "
                        "complete?",
                        folder, name);
    return ith_fail(err, ITH_E_FORMAT,
                    "%s has no weights: model.safetensors, or model.safetensors.index.json and its "
                    "shards, expected",
                    folder);
}

/* ---- Weights ---- */

static ith_status add_file(ith_source *source, const char *path, ith_error *err)
{
    const ith_mapfile *file = NULL;

    ITH_TRY(ith_source_map(source, path, &file, err));
    return ith_safetensors_parse(file, &source->tensors, err);
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* Opens a shard that the index names, unless it is open already. */
static ith_status add_shard(ith_source *source, const char *index, const char *shard,
                            ith_error *err)
{
    char *path;
    ith_status status;

    for (size_t i = 0; i < source->n_files; i++)
        if (strcmp(file_name(source->files[i]->path), shard) == 0)
            return ITH_OK;
    if (shard[0] == '\0' || strchr(shard, '/') != NULL || strcmp(shard, "..") == 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: \"weight_map\" names \"%s\", which is not a file of the same folder",
                        index, shard);
    ITH_TRY(find_file(source->path, shard, &path, err));
    if (path == NULL)
        return ith_fail(err, ITH_E_IO,
                        "%s/%s: this shard is missing, but %s names it: is the download complete?",
                        source->path, shard, file_name(index));
    status = add_file(source, path, err);
    free(path);
    return status;
}

static ith_status check_map(const ith_source *source, const char *index, json_t *map,
                            ith_error *err)
{
    const char *name;
    json_t *shard;

    json_object_foreach (map, name, shard) {
        const ith_tensor *t = ith_tensor_table_find(&source->tensors, name);
        if (t == NULL || strcmp(file_name(t->file), json_string_value(shard)) != 0)
            return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s should be in %s, but is not", index,
                            name, json_string_value(shard));
    }
    return ITH_OK;
}

static ith_status add_shards(ith_source *source, const char *index, ith_error *err)
{
    json_t *root = NULL, *map, *shard;
    const char *name;
    ith_status status;

    ITH_CHECK(ith_json_read(index, INDEX_MAX_BYTES, &root, err));
    map = json_object_get(root, "weight_map");
    if (!json_is_object(map))
        ITH_CHECK(ith_fail(err, ITH_E_FORMAT, "%s: \"weight_map\" is missing", index));
    json_object_foreach (map, name, shard) {
        if (!json_is_string(shard))
            ITH_CHECK(ith_fail(err, ITH_E_FORMAT, "%s: \"weight_map\": tensor %s has no file name",
                               index, name));
        ITH_CHECK(add_shard(source, index, json_string_value(shard), err));
    }
    ITH_CHECK(ith_tensor_table_index(&source->tensors, err));
    ITH_CHECK(check_map(source, index, map, err));
done:
    json_decref(root);
    return status;
}

static ith_status open_weights(ith_source *source, ith_error *err)
{
    char *single = NULL, *index = NULL;
    ith_status status;

    ITH_CHECK(find_file(source->path, "model.safetensors", &single, err));
    ITH_CHECK(find_file(source->path, "model.safetensors.index.json", &index, err));
    if (single != NULL) {
        ITH_CHECK(add_file(source, single, err));
        ITH_CHECK(ith_tensor_table_index(&source->tensors, err));
    } else if (index != NULL) {
        ITH_CHECK(add_shards(source, index, err));
    } else {
        ITH_CHECK(no_weights(source->path, err));
    }
done:
    free(single);
    free(index);
    return status;
}

/* A model of images and text, whose text runs alone. */
static ith_status unwrap(ith_source *source, ith_error *err)
{
    size_t removed = 0;

    if (ith_arch_find(source->hparams.architecture)->hf_wrappers == NULL)
        return ITH_OK;
    ITH_TRY(ith_tensor_table_unwrap(&source->tensors, &removed, err));
    ITH_TRY(ith_tensor_table_index(&source->tensors, err));
    return removed == 0 ? ITH_OK
                        : ith_source_note(source, err,
                                          "%s: %zu tensors are for images or drafts and are not "
                                          "used: the model reads and writes text only",
                                          source->path, removed);
}

/* Models that were saved as the class without a head have names without "model.". */
static ith_status complete_names(ith_source *source, ith_error *err)
{
    static const char prefix[] = "model.";
    const ith_arch *arch = ith_arch_find(source->hparams.architecture);
    const char *embed = ith_arch_pattern(arch, false, ITH_ROLE_EMBED),
               *output = ith_arch_pattern(arch, false, ITH_ROLE_OUTPUT);
    size_t skip = sizeof prefix - 1;

    if (strncmp(embed, prefix, skip) != 0 || ith_source_find(source, embed) != NULL ||
        ith_source_find(source, embed + skip) == NULL)
        return ITH_OK;
    ITH_TRY(ith_tensor_table_prefix(&source->tensors, prefix, output, err));
    return ith_tensor_table_index(&source->tensors, err);
}

/* Matrices that only floats can hold, although they are of integers. */
static ith_status note_floats(ith_source *source, ith_error *err)
{
    size_t n = 0;

    for (size_t i = 0; i < source->tensors.n; i++) {
        const ith_tensor *t = &source->tensors.items[i];
        n += t->quantized != NULL && t->dtype == ITH_DT_F32 && t->quantized->form != ITH_FORM_F8;
    }
    return n == 0 ? ITH_OK
                  : ith_source_note(source, err,
                                    "%s: no layout keeps the bits of %zu of its matrices (columns "
                                    "in the order of activations, zero points of 8 bits, or scales "
                                    "that no half-precision number holds): they are read as floats",
                                    source->path, n);
}

/* Matrices that several tensors hold become one tensor each. */
static ith_status join_quantized(ith_source *source, ith_error *err)
{
    ith_hf_quantization quantization;
    json_t *root = NULL;
    char *path;
    ith_status status;

    ITH_TRY(join(source->path, "config.json", &path, err));
    ITH_CHECK(ith_json_read(path, CONFIG_MAX_BYTES, &root, err));
    ITH_CHECK(ith_hf_quantization_parse(root, path, &quantization, err));
    if (quantization.method == ITH_HF_PLAIN)
        ITH_CHECK(ith_hf_quantization_parse(json_object_get(root, "text_config"), path,
                                            &quantization, err));
    ITH_CHECK(ith_quantized_join(&source->tensors, &quantization, path, &source->quantized, err));
    ITH_CHECK(ith_tensor_table_index(&source->tensors, err));
    ITH_CHECK(note_floats(source, err));
done:
    json_decref(root);
    free(path);
    return status;
}

/* config.json says that the output matrix is the embedding, and the files have another one: it
 * counts, as in Transformers 5. One that equals the embedding is not needed. */
static ith_status settle_head(ith_source *source, ith_error *err)
{
    const ith_arch *arch = ith_arch_find(source->hparams.architecture);
    const ith_tensor *embed =
                         ith_source_find(source, ith_arch_pattern(arch, false, ITH_ROLE_EMBED)),
                     *output =
                         ith_source_find(source, ith_arch_pattern(arch, false, ITH_ROLE_OUTPUT));

    if (!source->hparams.tied_embeddings || embed == NULL || output == NULL ||
        (embed->quantized == NULL && output->quantized == NULL && embed->dtype == output->dtype &&
         embed->bytes == output->bytes && memcmp(embed->data, output->data, embed->bytes) == 0))
        return ITH_OK;
    source->hparams.tied_embeddings = false;
    return ith_source_note(source, err,
                           "%s: \"tie_word_embeddings\" is true, but %s differs from the "
                           "embedding; it is used, as Transformers 5 does",
                           source->path, output->name);
}

/* ---- Configuration ---- */

typedef ith_status (*config_reader)(const json_t *config, const char *where, ith_hparams *hp,
                                    ith_error *err);

/* Reads an optional file with a function of hf_config.h; *found: it exists. */
static ith_status read_config(ith_source *source, const char *name, config_reader reader,
                              bool *found, ith_error *err)
{
    json_t *root = NULL;
    char *path = NULL;
    ith_status status;

    ITH_CHECK(find_file(source->path, name, &path, err));
    *found = path != NULL;
    if (path != NULL) {
        ITH_CHECK(ith_json_read(path, CONFIG_MAX_BYTES, &root, err));
        ITH_CHECK(reader(root, path, &source->hparams, err));
    }
done:
    json_decref(root);
    free(path);
    return status;
}

static void set_name(ith_source *source)
{
    char *full = realpath(source->path, NULL); /* "." and "folder/" do not end with a name */
    const char *path = full != NULL ? full : source->path, *name = file_name(path), *model;
    size_t len = strlen(name);

    model = ith_hub_snapshot_name(path, &len);
    ith_clean_text(model != NULL ? model : name, len, source->hparams.name,
                   sizeof source->hparams.name);
    free(full);
}

static ith_status has_file(const ith_source *source, const char *name, bool *has, ith_error *err)
{
    char *path;

    ITH_TRY(find_file(source->path, name, &path, err));
    *has = path != NULL;
    free(path);
    return ITH_OK;
}

/* A fine-tuned adapter (LoRA) in the model's folder, which Transformers would load. */
static ith_status note_adapter(ith_source *source, ith_error *err)
{
    bool there;

    ITH_TRY(has_file(source, adapter_file, &there, err));
    if (!there)
        return ITH_OK;
    return ith_source_note(source, err,
                           "%s: the adapter (%s) is not applied; to apply it, merge it into the "
                           "model with PEFT's merge_and_unload",
                           source->path, adapter_file);
}

/* The first form of a vocabulary that is there. vocab.json needs two files more. */
static ith_status find_tokenizer(ith_source *source, ith_error *err)
{
    bool merges = false, config = false;

    ITH_TRY(find_file(source->path, "tokenizer.json", &source->tokenizer_file, err));
    if (source->tokenizer_file == NULL)
        ITH_TRY(find_file(source->path, "tokenizer.model", &source->tokenizer_file, err));
    if (source->tokenizer_file != NULL)
        return ITH_OK;
    ITH_TRY(has_file(source, "merges.txt", &merges, err));
    ITH_TRY(has_file(source, "tokenizer_config.json", &config, err));
    return merges && config ? find_file(source->path, "vocab.json", &source->tokenizer_file, err)
                            : ITH_OK;
}

/* Settings of generation_config.json that are not done. */
static ith_status note_generation(ith_source *source, ith_error *err)
{
    json_t *root = NULL;
    char *path, list[800];
    ith_status status;

    ITH_TRY(find_file(source->path, "generation_config.json", &path, err));
    if (path == NULL)
        return ITH_OK;
    ITH_CHECK(ith_json_read(path, CONFIG_MAX_BYTES, &root, err));
    ith_hf_generation_not_done(root, list, sizeof list);
    if (list[0] != '\0')
        ITH_CHECK(ith_source_note(source, err,
                                  "%s asks for what Ithaca does not do, so answers differ from "
                                  "those of Transformers: %s",
                                  path, list));
done:
    json_decref(root);
    free(path);
    return status;
}

/* What sentence-transformers writes of a model that makes vectors of texts. */
static ith_status read_pooling(ith_source *source, ith_error *err)
{
    bool found;

    ITH_TRY(read_config(source, "1_Pooling/config.json", ith_hf_pooling_parse, &found, err));
    return read_config(source, "modules.json", ith_hf_modules_parse, &found, err);
}

ith_status ith_hf_folder_open(ith_source *source, unsigned flags, ith_error *err)
{
    bool tokenizer_only = flags & ITH_SOURCE_TOKENIZER_ONLY, found;

    source->kind = ITH_SOURCE_HF;
    source->hparams = ith_hparams_default();
    ITH_TRY(find_tokenizer(source, err));
    ITH_TRY(read_config(source, "config.json",
                        tokenizer_only ? ith_hf_special_tokens : ith_hf_config_parse, &found, err));
    if (!found && !tokenizer_only)
        return no_config(source->path, err);
    if (tokenizer_only && source->tokenizer_file == NULL)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%s is a directory without tokenizer.json or tokenizer.model",
                        source->path);
    ITH_TRY(read_config(source, "generation_config.json",
                        tokenizer_only ? ith_hf_special_tokens : ith_hf_generation_parse, &found,
                        err));
    set_name(source);
    if (tokenizer_only)
        return ITH_OK;
    ITH_TRY(read_pooling(source, err));
    ITH_TRY(note_adapter(source, err));
    ITH_TRY(note_generation(source, err));
    ITH_TRY(open_weights(source, err));
    ITH_TRY(unwrap(source, err));
    ITH_TRY(ith_source_drop_drafts(source, err));
    ITH_TRY(complete_names(source, err));
    ITH_TRY(join_quantized(source, err));
    return settle_head(source, err);
}
