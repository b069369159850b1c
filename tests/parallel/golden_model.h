/* golden_model.h - for tests on several ranks: the models of tests/golden/architectures as folders,
 * with weights from their generator. All functions are collective. */
#ifndef ITH_TESTS_GOLDEN_MODEL_H
#define ITH_TESTS_GOLDEN_MODEL_H

#include "tests/golden/weights.h"
#include "tests/needle.h"

#include <unistd.h>

static inline const char *build_folder(void)
{
    const char *build = getenv("BUILD");
    return build != NULL ? build : "build/release";
}

/* The golden file NAME.json, which the caller frees; its tokens to `ids`. */
static inline json_t *must_read_golden(const char *name)
{
    char path[300];
    json_t *root;
    const json_t *list;
    ith_error err;

    snprintf(path, sizeof path, "tests/golden/architectures/%s.json", name);
    must(ith_json_read(path, 1 << 24, &root, &err) == ITH_OK, name, &err);
    list = json_object_get(root, "ids");
    n_ids = json_array_size(list);
    must(n_ids > 2 && n_ids <= MAX_IDS, "the number of ids", NULL);
    for (size_t i = 0; i < n_ids; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return root;
}

/* Writes the folder `name` among those of the build: its path to `folder`. Each rank writes it
 * under a name of its own and gives it its place: whichever comes last stays, and all are equal. */
static inline void must_write_model(const json_t *golden, const char *name,
                                    const weights_change *change, char folder[300])
{
    static const char *const files[] = {"config.json", "model.safetensors"};
    char own[400], from[500], to[500];

    snprintf(folder, 300, "%s/%s", build_folder(), name);
    snprintf(own, sizeof own, "%s.%d", folder, (int)getpid());
    must(weights_write(golden, change, own), "write the weights", NULL);
    mkdir(folder, 0700);
    for (int i = 0; i < 2; i++) {
        snprintf(from, sizeof from, "%s/%s", own, files[i]);
        snprintf(to, sizeof to, "%s/%s", folder, files[i]);
        must(rename(from, to) == 0, "place the weights", NULL);
    }
    rmdir(own);
}

#endif
