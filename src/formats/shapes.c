/* shapes.c - finding a shape by name or by path. */
#include "formats/shapes.h"

#include "formats/hf_config.h"

#include <stdio.h>
#include <string.h>

typedef struct shape {
    const char *name, *config;
} shape;

#define SHAPE(name, config) {name, config},
static const shape shapes[] = {
#include "formats/shapes.inc"
};
#undef SHAPE

enum { N_SHAPES = sizeof shapes / sizeof *shapes, CONFIG_MAX_BYTES = 1 << 20 };

static const shape *find(const char *name)
{
    for (int i = 0; i < N_SHAPES; i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    return NULL;
}

static bool is_path(const char *name)
{
    size_t len = strlen(name);
    return len > 5 && strcmp(name + len - 5, ".json") == 0;
}

static ith_status unknown(const char *name, ith_error *err)
{
    char known[400] = "";
    size_t used = 0;

    for (int i = 0; i < N_SHAPES && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s, ", shapes[i].name);
    return ith_fail(err, ITH_E_ARGUMENT,
                    "\"%s\" is not a shape; known: %sor the path of a config.json", name, known);
}

ith_status ith_shape_find(const char *name, ith_hparams *hp, ith_error *err)
{
    const shape *known = find(name);
    json_t *root = NULL;
    ith_status status;

    if (known == NULL && !is_path(name))
        return unknown(name, err);
    if (known != NULL)
        status = ith_json_parse(known->config, strlen(known->config), known->name, &root, err);
    else
        status = ith_json_read(name, CONFIG_MAX_BYTES, &root, err);
    if (status == ITH_OK)
        status = ith_hf_config_parse(root, name, hp, err);
    json_decref(root);
    return status;
}
