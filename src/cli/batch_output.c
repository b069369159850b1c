/* batch_output.c - appends lines, and finds out what an earlier run has written. */
#include "cli/batch_output.h"

#include "base/newfile.h"
#include "base/regular.h"
#include "cli/batch_lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* How every line begins. */
#define BEGINNING "{\"id\":\"" ITH_BATCH_ID

static ith_status failed(const ith_batch_output *out, ith_error *err)
{
    return ith_fail(err, ITH_E_IO, "%s: %s", out->path, strerror(errno));
}

/* ---- What is there ---- */

static ith_status make_room(ith_batch_output *out, int64_t line, ith_error *err)
{
    int64_t room = out->room == 0 ? 1024 : out->room;
    uint8_t *done;
    uint64_t *asked;

    if (line < out->room)
        return ITH_OK;
    while (room <= line)
        room *= 2;
    done = realloc(out->done, (size_t)room * sizeof *done);
    if (done != NULL)
        out->done = done;
    asked = realloc(out->asked, (size_t)room * sizeof *asked);
    if (asked != NULL)
        out->asked = asked;
    if (done == NULL || asked == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld lines", (long long)room);
    memset(done + out->room, 0, (size_t)(room - out->room) * sizeof *done);
    out->room = room;
    return ITH_OK;
}

void ith_batch_output_request_id(uint64_t asked, uint64_t options, char text[40])
{
    snprintf(text, 40, "%016" PRIx64 "-%016" PRIx64, asked, options);
}

/* False: the text is none. */
static bool read_request_id(const json_t *line, uint64_t *asked, uint64_t *options)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(line, "response"), "request_id"));
    char again[40];

    if (text == NULL || sscanf(text, "%16" SCNx64 "-%16" SCNx64, asked, options) != 2)
        return false;
    ith_batch_output_request_id(*asked, *options, again);
    return strcmp(text, again) == 0;
}

/* The line of the input that a line answers; 0: it is not of this program. */
static int64_t number_of(const json_t *line)
{
    const char *id = json_string_value(json_object_get(line, "id"));
    size_t prefix = strlen(ITH_BATCH_ID);
    char *end;
    long long number;

    if (id == NULL || strncmp(id, ITH_BATCH_ID, prefix) != 0 || id[prefix] < '1' ||
        id[prefix] > '9')
        return 0;
    errno = 0;
    number = strtoll(id + prefix, &end, 10);
    return errno == 0 && *end == 0 ? number : 0;
}

/* The model of an answer; NULL: it is none. */
static const char *model_of(const json_t *line)
{
    const json_t *body = json_object_get(json_object_get(line, "response"), "body");
    return json_string_value(json_object_get(body, "model"));
}

static ith_status unlike_model(const ith_batch_output *out, const char *model, ith_error *err)
{
    return ith_fail(err, ITH_E_ARGUMENT,
                    "%s: it has answers of the model %.80s, not of %.80s: give another --output",
                    out->path, out->model, model);
}

static ith_status unlike_options(const ith_batch_output *out, ith_error *err)
{
    return ith_fail(err, ITH_E_ARGUMENT,
                    "%s: it has answers of other options (--max-tokens, sampling, quantization): "
                    "give another --output",
                    out->path);
}

/* What the answers that were there have in common. */
static ith_status note_common(ith_batch_output *out, const char *model, uint64_t options,
                              ith_error *err)
{
    if (out->n_done == 0)
        out->options = options;
    if (options != out->options)
        return unlike_options(out, err);
    if (model == NULL)
        return ITH_OK;
    if (out->model[0] == 0)
        snprintf(out->model, sizeof out->model, "%.*s", ITH_BATCH_MODEL - 1, model);
    return strncmp(model, out->model, ITH_BATCH_MODEL - 1) == 0 ? ITH_OK
                                                                : unlike_model(out, model, err);
}

static ith_status note_line(ith_batch_output *out, const json_t *line, int64_t at, ith_error *err)
{
    int64_t number = number_of(line);
    uint64_t asked, options;

    if (number == 0 || !read_request_id(line, &asked, &options))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%s: line %lld was not written by ithaca batch: give another --output",
                        out->path, (long long)at);
    if (number > out->most)
        return ith_fail(
            err, ITH_E_ARGUMENT,
            "%s: line %lld answers line %lld of an input, which this one does not have: "
            "give another --output",
            out->path, (long long)at, (long long)number);
    ITH_TRY(note_common(out, model_of(line), options, err));
    ITH_TRY(make_room(out, number, err));
    out->n_done += out->done[number] == 0;
    out->done[number] = 1;
    out->asked[number] = asked;
    return ITH_OK;
}

/* The bytes of a line before the first zero, which the program writes nowhere. */
static size_t before_zeros(const ith_text *text)
{
    const char *zero = text->len > 0 ? memchr(text->data, 0, text->len) : NULL;
    return zero != NULL ? (size_t)(zero - text->data) : text->len;
}

static bool all_zeros(const ith_text *text)
{
    for (size_t i = 0; i < text->len; i++)
        if (text->data[i] != 0)
            return false;
    return true;
}

/* Is this torn last line the beginning of a line of this program, as far as it goes? With nothing
 * before its zeros it is, if the file has lines of this program or nothing else. */
static bool is_beginning(const ith_batch_output *out, const ith_text *text)
{
    size_t n = strlen(BEGINNING), whole = before_zeros(text);

    if (whole == 0)
        return out->n_done > 0 || all_zeros(text);
    return memcmp(text->data, BEGINNING, whole < n ? whole : n) == 0;
}

/* It is cut off, unless it is anything else than a line of this program. */
static ith_status cut(ith_batch_output *out, const ith_text *torn, ith_error *err)
{
    if (!is_beginning(out, torn))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%s: its last line was not written by ithaca batch: give another --output",
                        out->path);
    if (ftruncate(out->fd, out->bytes) != 0)
        return failed(out, err);
    out->cut = true;
    return ITH_OK;
}

/* The last line: it has no end, or zeros in it. */
static bool is_torn(const ith_batch_output *out, const ith_batch_lines *lines)
{
    return !lines->ended || (out->bytes + (int64_t)lines->text.len + 1 == lines->bytes &&
                             before_zeros(&lines->text) < lines->text.len);
}

static ith_status read_line(ith_batch_output *out, const ith_batch_lines *lines, ith_error *err)
{
    json_t *line = NULL;
    char where[80];
    ith_status status;

    snprintf(where, sizeof where, "line %lld", (long long)lines->number);
    if (is_torn(out, lines))
        return cut(out, &lines->text, err);
    status = ith_json_parse(lines->text.data, lines->text.len, where, &line, err);
    if (status == ITH_OK)
        status = note_line(out, line, lines->number, err);
    else
        status = ith_fail(err, ITH_E_ARGUMENT,
                          "%s: line %lld was not written by ithaca batch, or is damaged: remove "
                          "it, or give another --output",
                          out->path, (long long)lines->number);
    json_decref(line);
    out->bytes += (int64_t)lines->text.len + 1;
    return status;
}

static ith_status read_lines(ith_batch_output *out, ith_error *err)
{
    ith_batch_lines lines;
    bool more = true;
    ith_status status = ith_batch_lines_open(out->path, &lines, err);

    while (status == ITH_OK && more) {
        status = ith_batch_lines_next(&lines, &more, err);
        if (status == ITH_OK && more)
            status = lines.too_long
                         ? ith_fail(err, ITH_E_ARGUMENT,
                                    "%s: line %lld was not written by ithaca batch: it is too long",
                                    out->path, (long long)lines.number)
                         : read_line(out, &lines, err);
    }
    ith_batch_lines_close(&lines);
    return status;
}

ith_status ith_batch_output_open(const char *path, int64_t most, ith_batch_output *out,
                                 ith_error *err)
{
    *out = (ith_batch_output){.path = path, .fd = -1, .most = most};
    ITH_TRY(ith_regular_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, &out->fd, err));
    if (flock(out->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return ith_fail(err, ITH_E_ARGUMENT, "%s: another run writes it", path);
    ith_sync_folder(path); /* that the file is there must last as its lines do */
    return read_lines(out, err);
}

void ith_batch_output_close(ith_batch_output *out)
{
    if (out->fd >= 0)
        close(out->fd);
    free(out->done);
    free(out->asked);
    *out = (ith_batch_output){.fd = -1};
}

ith_status ith_batch_output_has(const ith_batch_output *out, int64_t line, uint64_t asked,
                                bool *has, ith_error *err)
{
    *has = line < out->room && out->done[line] != 0;
    if (!*has || out->asked[line] == asked)
        return ITH_OK;
    return ith_fail(err, ITH_E_ARGUMENT,
                    "%s: its line " ITH_BATCH_ID "%lld answers another request than line %lld of "
                    "the input: it is the output of another input",
                    out->path, (long long)line, (long long)line);
}

ith_status ith_batch_output_check(const ith_batch_output *out, const char *model, uint64_t options,
                                  ith_error *err)
{
    if (out->model[0] != 0 && strncmp(model, out->model, ITH_BATCH_MODEL - 1) != 0)
        return unlike_model(out, model, err);
    return out->n_done == 0 || out->options == options ? ITH_OK : unlike_options(out, err);
}

/* ---- Appending ---- */

static bool write_all(int fd, const char *data, size_t len, int64_t at)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, (off_t)at);
        if (n < 0 && errno != EINTR)
            return false;
        n = n < 0 ? 0 : n;
        data += n;
        len -= (size_t)n;
        at += n;
    }
    return true;
}

ith_status ith_batch_output_add(ith_batch_output *out, const char *text, ith_error *err)
{
    size_t len = strlen(text);
    int64_t end = out->bytes + (int64_t)len;

    if (write_all(out->fd, text, len, out->bytes) && write_all(out->fd, "\n", 1, end) &&
        fdatasync(out->fd) == 0) {
        out->bytes = end + 1;
        return ITH_OK;
    }
    failed(out, err);
    if (ftruncate(out->fd, out->bytes) != 0)
        return err->status; /* the next run cuts it off */
    return err->status;
}
