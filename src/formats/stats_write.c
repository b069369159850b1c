#include "base/json.h"
#include "formats/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *decimal(int64_t x)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, x);
    return json_string(text);
}

static json_t *metadata(const ith_stats_about *about)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:s}", "format", "ithaca-activations-1", "model", about->model, "tokens",
                     decimal(about->tokens), "window", decimal(about->window), "ids_sha256", about->ids_sha256);
}

/* The header's JSON text, padded with spaces so that the data begin at a multiple of 8. NULL without memory. */
static char *header_text(const ith_stats_about *about, const ith_stats_vector *vectors, size_t n)
{
    json_t *header = json_object();
    bool good = json_object_set_new(header, "__metadata__", metadata(about)) == 0;
    char *text, *padded = NULL;

    for (size_t i = 0, at = 0; good && i < n; i++) {
        size_t end = at + (size_t)vectors[i].n * sizeof(float);
        json_t *entry = json_pack("{s:s, s:[I], s:[I,I]}", "dtype", "F32", "shape", (json_int_t)vectors[i].n,
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

static bool write_all(FILE *file, const char *header, const ith_stats_vector *vectors, size_t n)
{
    uint64_t length = strlen(header);
    bool good = fwrite(&length, sizeof length, 1, file) == 1 && fwrite(header, 1, length, file) == length;

    for (size_t i = 0; good && i < n; i++)
        good = fwrite(vectors[i].values, sizeof(float), (size_t)vectors[i].n, file) == (size_t)vectors[i].n;
    return good && fflush(file) == 0 && fsync(fileno(file)) == 0;
}

static ith_status write_as(const char *temporary, const char *path, const char *header, const ith_stats_vector *vectors,
                           size_t n, ith_error *err)
{
    FILE *file = fopen(temporary, "wxb");
    int why;

    if (file == NULL)
        return ith_fail(err, ITH_E_IO, "%s: %s", temporary, strerror(errno));
    bool good = write_all(file, header, vectors, n);
    why = errno;
    if (fclose(file) != 0 && good) {
        good = false;
        why = errno;
    }
    if (good && rename(temporary, path) == 0)
        return ITH_OK;
    why = good ? errno : why;
    unlink(temporary);
    return ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(why));
}

ith_status ith_stats_write(const char *path, const ith_stats_about *about, const ith_stats_vector *vectors, size_t n,
                           ith_error *err)
{
    char *header = header_text(about, vectors, n), *temporary = NULL;
    ith_status status;

    if (header == NULL || asprintf(&temporary, "%s.%ld.tmp", path, (long)getpid()) < 0) {
        free(header);
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a header of %zu matrices", path, n);
    }
    status = write_as(temporary, path, header, vectors, n, err);
    free(header);
    free(temporary);
    return status;
}
