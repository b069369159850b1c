/* fuzz_cached.c - a model in Hugging Face's cache: the name that a user has typed, what refs/main
 * holds, and the names of the snapshot's files, one a line. What is found is one of them, or their
 * folder. */
#include "base/folders.h"
#include "formats/hub_cache.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>

enum { NAMES = 64 };

/* A file, empty, and the folders that lead to it. */
static void make_file(const char *folder, const char *name)
{
    char path[1024];

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return;
    ith_make_parents(path, 0700, NULL);
    if (path[strlen(path) - 1] != '/')
        close(open(path, O_WRONLY | O_CREAT, 0600));
}

static void make_cache(const ith_hub_name *name, const char *cache, ith_bytes ref, char *files)
{
    char folder[256], path[512], *line;
    bool commit = ith_hub_is_commit(name->revision);

    ith_hub_folder_name(name, folder);
    if (!commit) {
        snprintf(path, sizeof path, "%s/%s/refs/%s", cache, folder, name->revision);
        make_file(".", path);
        folder_write(".", path, ref.data, ref.len);
    }
    snprintf(path, sizeof path, "%s/%s/snapshots/%.40s", cache, folder,
             commit ? name->revision : ref.data);
    for (int i = 0; i < NAMES && (line = strsep(&files, "\n")) != NULL; i++)
        if (ith_hub_path_is_safe(line))
            make_file(path, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes text = fuzz_part(&data, &size), ref = fuzz_part(&data, &size),
              files = fuzz_part(&data, &size);
    char cache[128], *found;
    ith_hub_name name;
    const char *why;
    struct stat info;
    ith_error err = {0};

    snprintf(cache, sizeof cache, "%s/cache", fuzz_folder());
    fuzz_remove(cache);
    setenv("HF_HUB_CACHE", cache, true);
    /* what is written as a commit becomes a folder's name */
    if (ith_hub_name_read(text.data, &name, &why) && strlen(name.revision) < 100 &&
        strcspn(ref.data, "/.") >= 40)
        make_cache(&name, cache, ref, (char *)(uintptr_t)files.data);
    if (fuzz_verdict(ith_hub_find(text.data, &found, &err), &err)) {
        fuzz_must(strncmp(found, cache, strlen(cache)) == 0 && strstr(found, "/../") == NULL);
        fuzz_must(stat(found, &info) == 0);
        fuzz_must(name.file[0] == '\0' || S_ISREG(info.st_mode));
        free(found);
    } else
        fuzz_must(found == NULL);
    fuzz_part_free(text);
    fuzz_part_free(ref);
    fuzz_part_free(files);
    return 0;
}
