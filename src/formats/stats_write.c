/* stats_write.c - writing activation statistics. */
#include "base/json.h"
#include "base/newfile.h"
#include "formats/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *decimal(int64_t x)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, x);
    return json_string(text);
}

static json_t *metadata(const ith_stats_about *about)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:s}", "format", "ithaca-activations-1", "model",
                     about->model, "tokens", decimal(about->tokens), "window",
                     decimal(about->window), "ids_sha256", about->ids_sha256);
}

/* The JSON of the header, padded with spaces so that the data begin at a multiple of 8. NULL: no
 * memory. */
static char *header_text(const ith_stats_about *about, const ith_stats_vector *vectors, size_t n)
{
    json_t *header = json_object();
    bool good = json_object_set_new(header, "__metadata__", metadata(about)) == 0;
    char *text, *padded = NULL;

    for (size_t i = 0, at = 0; good && i < n; i++) {
        size_t end = at + (size_t)vectors[i].n * sizeof(float);
        json_t *entry =
            json_pack("{s:s, s:[I], s:[I,I]}", "dtype", "F32", "shape", (json_int_t)vectors[i].n,
                      "data_offsets", (json_int_t)at, (json_int_t)end);
        good = json_object_set_new(header, vectors[i].name, entry) == 0;
        at = end;
    }
    text = good ? ith_json_text(header, false) : NULL;
    if (text != NULL && asprintf(&padded, "%s%*s", text, (int)(7 - (strlen(text) + 7) % 8), "") < 0)
        padded = NULL;
    free(text);
    json_decref(header);
    return padded;
}

static ith_status write_all(ith_newfile *file, const char *header, const ith_stats_vector *vectors,
                            size_t n, ith_error *err)
{
    uint64_t length = strlen(header), at = sizeof length + length;

    ITH_TRY(ith_newfile_write(file, &length, sizeof length, 0, err));
    ITH_TRY(ith_newfile_write(file, header, length, sizeof length, err));
    for (size_t i = 0; i < n; i++) {
        size_t bytes = (size_t)vectors[i].n * sizeof(float);
        ITH_TRY(ith_newfile_write(file, vectors[i].values, bytes, at, err));
        at += bytes;
    }
    return ith_newfile_publish(file, true, err);
}

ith_status ith_stats_write(const char *path, const ith_stats_about *about,
                           const ith_stats_vector *vectors, size_t n, ith_error *err)
{
    char *header = header_text(about, vectors, n);
    ith_newfile file = {.fd = -1};
    ith_status status;

    if (header == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a header of %zu matrices", path, n);
    ITH_CHECK(ith_newfile_open(path, &file, err));
    ITH_CHECK(write_all(&file, header, vectors, n, err));
done:
    ith_newfile_close(&file);
    free(header);
    return status;
}
