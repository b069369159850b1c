/* fuzz_pull.c - a download from a hub. The input is the name that a user has typed, then what the
 * server answers (curl_stand_in.h). Nothing appears outside the cache; what is there at the end is
 * what the hub has listed. */
#include "tests/fuzz/curl_stand_in.h"

#include "ithaca_tools.h"

/* A connection that fails is tried again after half a second, which nobody waits for. */
static bool go_on(void *user, const char *what, int64_t done, int64_t total)
{
    (void)user;
    (void)what;
    fuzz_must(done >= 0 && done <= total);
    return !stand_in.failed;
}

static void check_files(const char *text, const char *cache)
{
    json_t *root = json_loads(text, 0, NULL), *file;
    const char *path = json_string_value(json_object_get(root, "path")),
               *commit = json_string_value(json_object_get(root, "commit"));
    char name[2048];
    struct stat info;
    size_t i;

    fuzz_must(path != NULL && strncmp(path, cache, strlen(cache)) == 0 && stat(path, &info) == 0);
    json_array_foreach (json_object_get(root, "files"), i, file) {
        snprintf(name, sizeof name, "%s/models--a--b/snapshots/%s/%s", cache, commit,
                 json_string_value(json_object_get(file, "name")));
        fuzz_must(stat(name, &info) == 0 && S_ISREG(info.st_mode));
        fuzz_must(info.st_size == json_integer_value(json_object_get(file, "bytes")));
    }
    json_decref(root);
}

static void must_be_alone(const char *name)
{
    struct dirent **entries;
    int n = scandir(fuzz_folder(), &entries, NULL, NULL);

    for (int i = 0; i < n; i++) {
        fuzz_must(entries[i]->d_name[0] == '.' || strcmp(entries[i]->d_name, name) == 0);
        free(entries[i]);
    }
    free(entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes model = fuzz_part(&data, &size);
    ith_pull_params params = ith_pull_params_default();
    ith_error err = {0};
    char cache[128], *json;
    bool known = strncmp(model.data, "a/b", 3) == 0 && strchr(":@", model.data[3]) != NULL;

    stand_in.data = data;
    stand_in.size = size;
    stand_in.failed = false;
    snprintf(cache, sizeof cache, "%s/cache", fuzz_folder());
    fuzz_remove(cache);
    setenv("HF_ENDPOINT", FUZZ_ENDPOINT, true);
    setenv("HF_TOKEN", "hf_secret", true);
    setenv("HF_HUB_CACHE", cache, true);
    params.model = model.data;
    params.at_once = 1;
    params.progress = go_on;
    if (fuzz_verdict(ith_pull(&params, &json, &err), &err)) {
        if (known)
            check_files(json, cache);
        free(json);
    } else
        fuzz_must(json == NULL);
    must_be_alone("cache");
    fuzz_part_free(model);
    return 0;
}
