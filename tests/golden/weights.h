/* weights.h - the weights of tests/golden/architectures/NAME.json, from the generator that
 * make_architectures.py has too: splitmix64, one draw for each element, rounded to bf16. Written as
 * a Hugging Face folder. */
#ifndef TESTS_GOLDEN_WEIGHTS_H
#define TESTS_GOLDEN_WEIGHTS_H

#include "base/json.h"
#include "simd/half.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A number in [-1, 1). */
static inline double weights_draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z ^= z >> 31;
    return (double)(z >> 40) * 0x1p-23 - 1;
}

static inline int64_t weights_count(const json_t *shape)
{
    int64_t n = 1;
    for (size_t i = 0; i < json_array_size(shape); i++)
        n *= json_integer_value(json_array_get(shape, i));
    return n;
}

/* Weights of a tensor that have another value: those for whose index here() is true. */
typedef struct weights_change {
    const char *tensor;
    bool (*here)(int64_t i);
    float value;
} weights_change;

/* tensors: lists of [name, shape, centre, spread], in the order of their draws. */
static inline json_t *weights_header(const json_t *tensors)
{
    json_t *header = json_object();
    int64_t at = 0;

    for (size_t i = 0; i < json_array_size(tensors); i++) {
        const json_t *t = json_array_get(tensors, i);
        int64_t bytes = 2 * weights_count(json_array_get(t, 1));
        json_object_set_new(header, json_string_value(json_array_get(t, 0)),
                            json_pack("{s:s, s:O, s:[I, I]}", "dtype", "BF16", "shape",
                                      json_array_get(t, 1), "data_offsets", (json_int_t)at,
                                      (json_int_t)(at + bytes)));
        at += bytes;
    }
    return header;
}

static inline void weights_values(const json_t *tensors, const weights_change *change, FILE *file)
{
    uint64_t state = 1;

    for (size_t i = 0; i < json_array_size(tensors); i++) {
        const json_t *t = json_array_get(tensors, i);
        const char *name = json_string_value(json_array_get(t, 0));
        bool changed = change != NULL && strcmp(change->tensor, name) == 0;
        int64_t n = weights_count(json_array_get(t, 1));
        double centre = json_number_value(json_array_get(t, 2)),
               spread = json_number_value(json_array_get(t, 3));
        for (int64_t j = 0; j < n; j++) {
            float drawn = (float)(weights_draw(&state) * spread + centre);
            uint16_t h = ith_f32_to_bf16(changed && change->here(j) ? change->value : drawn);
            fwrite(&h, sizeof h, 1, file);
        }
    }
}

/* Writes config.json and model.safetensors of a golden file to the folder, which is made. change:
 * NULL or one tensor's. False: it cannot. */
static inline bool weights_write(const json_t *golden, const weights_change *change,
                                 const char *folder)
{
    const json_t *tensors = json_object_get(golden, "tensors");
    json_t *header = weights_header(tensors);
    char *text = json_dumps(header, JSON_COMPACT), path[512];
    uint64_t length = strlen(text);
    FILE *file;
    bool good;

    mkdir(folder, 0700);
    snprintf(path, sizeof path, "%s/config.json", folder);
    good = json_dump_file(json_object_get(golden, "config"), path, 0) == 0;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    file = fopen(path, "wb");
    if (file != NULL) {
        fwrite(&length, sizeof length, 1, file);
        fwrite(text, 1, length, file);
        weights_values(tensors, change, file);
    }
    good = good && file != NULL && !ferror(file) && fclose(file) == 0;
    free(text);
    json_decref(header);
    return good;
}

#endif
