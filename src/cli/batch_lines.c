/* batch_lines.c - reads lines of any bytes, up to a largest length. */
#include "cli/batch_lines.h"

#include "base/regular.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ith_status ith_batch_lines_open(const char *path, ith_batch_lines *lines, ith_error *err)
{
    struct stat info;
    int fd;

    *lines = (ith_batch_lines){.path = path};
    ITH_TRY(ith_regular_open(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, &fd, err));
    if (fstat(fd, &info) == 0)
        lines->bytes = info.st_size;
    lines->file = fdopen(fd, "rb");
    if (lines->file != NULL)
        return ITH_OK;
    close(fd);
    return ith_fail(err, ITH_E_MEMORY, "%s: no memory to read it", path);
}

void ith_batch_lines_close(ith_batch_lines *lines)
{
    if (lines->file != NULL)
        fclose(lines->file);
    ith_text_free(&lines->text);
    *lines = (ith_batch_lines){0};
}

static ith_status append(ith_batch_lines *lines, const char *bytes, size_t n, ith_error *err)
{
    if (!lines->too_long && lines->text.len + n <= ITH_BATCH_LINE_MOST)
        return ith_text_append(&lines->text, bytes, n, err);
    lines->too_long = true;
    lines->text.len = 0;
    return ITH_OK;
}

ith_status ith_batch_lines_next(ith_batch_lines *lines, bool *more, ith_error *err)
{
    char buffer[4096];
    size_t n = 0;
    int c;

    lines->text.len = 0;
    lines->ended = lines->too_long = false;
    *more = false;
    while (!lines->ended && (c = getc_unlocked(lines->file)) != EOF) {
        *more = true;
        lines->ended = c == '\n';
        if (!lines->ended)
            buffer[n++] = (char)c;
        if (n == sizeof buffer) {
            ITH_TRY(append(lines, buffer, n, err));
            n = 0;
        }
    }
    if (ferror(lines->file))
        return ith_fail(err, ITH_E_IO, "%s: %s", lines->path, strerror(errno));
    lines->number += *more;
    return append(lines, buffer, n, err);
}

bool ith_batch_lines_blank(const ith_batch_lines *lines)
{
    for (size_t i = 0; i < lines->text.len; i++)
        if (strchr(" \t\r", lines->text.data[i]) == NULL || lines->text.data[i] == 0)
            return false;
    return !lines->too_long;
}
