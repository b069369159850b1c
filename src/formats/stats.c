/* stats.c - reading activation statistics. */
#include "formats/stats.h"

#include "base/json.h"
#include "formats/safetensors.h"
#include "formats/widen.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

static const char format_name[] = "ithaca-activations-1";

struct ith_stats {
    ith_mapfile file;
    ith_tensor_table table;
    float *values; /* of all vectors, in the order of the table */
};

/* ---- Reading ---- */

static ith_status check_format(const ith_mapfile *file, ith_error *err)
{
    json_t *metadata = NULL;
    const char *name;
    ith_status status;

    ITH_TRY(ith_safetensors_metadata(file, &metadata, err));
    name = json_string_value(json_object_get(metadata, "format"));
    status = name != NULL && strcmp(name, format_name) == 0
                 ? ITH_OK
                 : ith_fail(err, ITH_E_FORMAT,
                            "%s: not activation statistics: its format is \"%s\", expected \"%s\"",
                            file->path, name != NULL ? name : "", format_name);
    json_decref(metadata);
    return status;
}

static ith_status take_vector(const ith_tensor *t, float *out, ith_error *err)
{
    if (t->n_dims != 1 || t->dtype != ITH_DT_F32)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s should be a vector of F32", t->file, t->name);
    ith_dtype_to_f32(t->dtype, t->data, t->dims[0], out);
    for (int64_t i = 0; i < t->dims[0]; i++)
        if (!(out[i] >= 0 && out[i] <= FLT_MAX))
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: %s: element %lld is %g, expected a number that is not negative",
                            t->file, t->name, (long long)i, (double)out[i]);
    return ITH_OK;
}

static ith_status read_all(ith_stats *s, const char *path, ith_error *err)
{
    ITH_TRY(ith_mapfile_open(path, &s->file, err));
    ith_status status = ith_safetensors_parse(&s->file, &s->table, err);
    if (status != ITH_OK)
        return ith_fail_prefix(err, status, "not a statistics file of ithaca calibrate");
    ITH_TRY(ith_tensor_table_index(&s->table, err));
    ITH_TRY(check_format(&s->file, err));
    s->values = malloc(s->file.size); /* the file holds them as F32 too, and more */
    if (s->values == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for %zu bytes", path, s->file.size);
    for (size_t i = 0, at = 0; i < s->table.n; i++) {
        ITH_TRY(take_vector(&s->table.items[i], s->values + at, err));
        at += (size_t)s->table.items[i].dims[0];
    }
    return ITH_OK;
}

ith_status ith_stats_open(const char *path, ith_stats **stats, ith_error *err)
{
    ith_stats *s = calloc(1, sizeof *s);
    ith_status status;

    *stats = NULL;
    if (s == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for statistics", path);
    status = read_all(s, path, err);
    if (status != ITH_OK) {
        ith_stats_close(s);
        return status;
    }
    *stats = s;
    return ITH_OK;
}

void ith_stats_close(ith_stats *stats)
{
    if (stats == NULL)
        return;
    ith_tensor_table_free(&stats->table);
    ith_mapfile_close(&stats->file);
    free(stats->values);
    free(stats);
}

ith_status ith_stats_find(const ith_stats *stats, const char *name, int64_t cols, const float **out,
                          ith_error *err)
{
    const ith_tensor *t = ith_tensor_table_find(&stats->table, name);

    *out = NULL;
    if (t == NULL)
        return ITH_OK;
    if (t->dims[0] != cols)
        return ith_fail(
            err, ITH_E_FORMAT,
            "%s: %s has %lld columns, the model's has %lld: the statistics are of another model",
            stats->file.path, name, (long long)t->dims[0], (long long)cols);
    /* the file has the vectors in the same order, without gaps */
    *out = stats->values + (size_t)(t->data - stats->table.items[0].data) / sizeof(float);
    return ITH_OK;
}

const char *ith_stats_path(const ith_stats *stats)
{
    return stats->file.path;
}
