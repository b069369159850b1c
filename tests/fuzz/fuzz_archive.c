/* fuzz_archive.c - a prompt cache: a manifest, or a head's file of keys and values; then a folder
 * with this segment, listed, verified and emptied. */
#include "ithaca_tools.h"
#include "keep/archive.h"
#include "tests/fuzz/archive_targets.h"

static void list_folder(const ith_manifest *m)
{
    ith_archive *archive;
    ith_segment *found = NULL;
    int64_t n;
    ith_error err = {0};
    char *json;

    fuzz_must(ith_archive_open(fuzz_folder(), false, false, &archive, &err) == ITH_OK);
    if (fuzz_verdict(
            ith_archive_find(archive, &m->parent, &m->shape, m->ids, m->n, &found, &n, &err), &err))
        fuzz_must(n == 0 || found[0].used == m->n);
    free(found);
    ith_archive_close(archive);
    fuzz_json(ith_cache_list(fuzz_folder(), &json, &err), &json, &err);
    fuzz_json(ith_cache_verify(fuzz_folder(), NULL, NULL, &json, &err), &json, &err);
    fuzz_json(ith_cache_remove(fuzz_folder(), NULL, &json, &err), &json, &err);
}

/* The segment's folder has the name that the manifest's keys ask for. */
static void list_segment(const uint8_t *data, size_t size)
{
    ith_manifest m;
    char parent[ITH_KEY_HEX], key[ITH_KEY_HEX], path[256];

    if (ith_manifest_parse((const char *)data, size, "manifest.json", &m, NULL) != ITH_OK)
        return;
    ith_key_hex(&m.parent, parent);
    ith_key_hex(&m.key, key);
    snprintf(path, sizeof path, "%s/%s-%s", fuzz_folder(), parent, key);
    mkdir(path, 0700);
    folder_write(path, "manifest.json", data, size);
    folder_write(path, "head-0.kv", data, size);
    list_folder(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == '{') {
        fuzz_manifest(data, size);
        list_segment(data, size);
    } else
        fuzz_kvfile(data, size);
    return 0;
}
