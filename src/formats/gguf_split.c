/* gguf_split.c - GGUF models in several files. */
#include "formats/gguf_split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a file says of itself; absent keys are those of a whole model. */
typedef struct split {
    int64_t no, count; /* from 0; files of the model */
    int64_t tensors;   /* of all files; -1: not said */
} split;

static ith_status read_split(const ith_gguf_meta *meta, split *p, ith_error *err)
{
    *p = (split){0, 1, -1};
    ITH_TRY(ith_gguf_int(meta, "split.no", NULL, 0, UINT16_MAX, &p->no, err));
    ITH_TRY(ith_gguf_int(meta, "split.count", NULL, 0, UINT16_MAX, &p->count, err));
    return ith_gguf_int(meta, "split.tensors.count", NULL, 0, INT32_MAX, &p->tensors, err);
}

/* "-00001-of-00003.gguf" */
static void ending(int64_t no, int64_t count, char text[40])
{
    snprintf(text, 40, "-%05lld-of-%05lld.gguf", (long long)no + 1, (long long)count);
}

ith_status ith_gguf_split_check_first(const ith_gguf_meta *meta, ith_error *err)
{
    char text[40];
    split p;

    ITH_TRY(read_split(meta, &p, err));
    if (p.no == 0)
        return ITH_OK;
    ending(0, p.count, text);
    return ith_fail(err, ITH_E_ARGUMENT,
                    "%s: file %lld of %lld of a split model; give the first file, which ends in %s",
                    meta->path, (long long)p.no + 1, (long long)p.count, text);
}

/* The path of file `no`, for the caller to free, from that of the first. */
static ith_status path_of(const ith_mapfile *first, const split *p, int64_t no, char **path,
                          ith_error *err)
{
    char own[40], other[40];
    size_t length = strlen(first->path);

    ending(0, p->count, own);
    ending(no, p->count, other);
    if (length < strlen(own) || strcmp(first->path + length - strlen(own), own) != 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the first of %lld files of a model: its name should end in %s, so "
                        "that the others are found",
                        first->path, (long long)p->count, own);
    if (asprintf(path, "%.*s%s", (int)(length - strlen(own)), first->path, other) < 0) {
        *path = NULL;
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a path", first->path);
    }
    return ITH_OK;
}

static ith_status check_split(const ith_gguf_meta *meta, const split *first, int64_t no,
                              ith_error *err)
{
    split p;

    ITH_TRY(read_split(meta, &p, err));
    if (p.no == no && p.count == first->count && p.tensors == first->tensors)
        return ITH_OK;
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: it says that it is file %lld of %lld of a model with %lld tensors, "
                    "expected file %lld of %lld with %lld",
                    meta->path, (long long)p.no + 1, (long long)p.count, (long long)p.tensors,
                    (long long)no + 1, (long long)first->count, (long long)first->tensors);
}

static ith_status read_tensors(ith_source *source, const ith_mapfile *file, const split *first,
                               int64_t no, ith_error *err)
{
    ith_gguf_meta meta = {0};
    ith_cursor cursor;
    ith_status status;

    ITH_CHECK(ith_gguf_meta_read(file, &cursor, &meta, err));
    ITH_CHECK(check_split(&meta, first, no, err));
    ITH_CHECK(ith_gguf_tensors_read(file, &cursor, &meta, &source->tensors, err));
done:
    ith_gguf_meta_free(&meta);
    return status;
}

static ith_status add_split(ith_source *source, const ith_mapfile *file, const split *first,
                            int64_t no, ith_error *err)
{
    const ith_mapfile *mapped;
    ith_status status;
    char *path;

    ITH_TRY(path_of(file, first, no, &path, err));
    status = ith_source_map(source, path, &mapped, err);
    free(path);
    ITH_TRY(status);
    return read_tensors(source, mapped, first, no, err);
}

ith_status ith_gguf_split_read(ith_source *source, const ith_mapfile *file, ith_error *err)
{
    split first;

    ITH_TRY(read_split(&source->meta, &first, err));
    for (int64_t no = 1; no < first.count; no++)
        ITH_TRY(add_split(source, file, &first, no, err));
    if (first.count > 1 && first.tensors >= 0 && (int64_t)source->tensors.n != first.tensors)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: its %lld files have %zu tensors, expected %lld: some are of another "
                        "model",
                        file->path, (long long)first.count, source->tensors.n,
                        (long long)first.tensors);
    return ITH_OK;
}
