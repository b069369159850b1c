/* input.c - reads texts and token ids. */
#include "cli/input.h"

#include "base/character.h"
#include "base/regular.h"
#include "cli/signals.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { READ_BYTES = 1 << 16, SHOWN_BYTES = 24 };

void ith_text_free(ith_text *text)
{
    free(text->data);
    *text = (ith_text){0};
}

static ith_status reserve(ith_text *text, size_t more, ith_error *err)
{
    size_t need = text->len + more + 1, cap = text->cap > 0 ? text->cap : 64;
    char *data;

    if (need <= text->cap)
        return ITH_OK;
    while (cap < need)
        cap *= 2;
    data = realloc(text->data, cap);
    if (data == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for %zu bytes of input", cap);
    text->data = data;
    text->cap = cap;
    return ITH_OK;
}

ith_status ith_text_append(ith_text *text, const char *data, size_t len, ith_error *err)
{
    ITH_TRY(reserve(text, len, err));
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = 0;
    return ITH_OK;
}

static bool is_regular(FILE *file)
{
    struct stat info;
    return fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode);
}

/* Does it begin with UTF-16's byte order mark? */
static bool is_utf16(const char *text, size_t len)
{
    return len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
}

ith_status ith_check_text(const char *where, const char *text, size_t len, ith_error *err)
{
    size_t at = 0, bad, width;
    bool open;

    while (at < len && text[at] != '\0') {
        width = ith_utf8_width(text + at, len - at, &bad, &open);
        if (width == 0)
            return ith_fail(err, ITH_E_FORMAT,
                            "%s is not UTF-8: byte 0x%02x at offset %zu; convert it, as by iconv "
                            "-f %s -t UTF-8",
                            where, (unsigned char)text[at], at,
                            is_utf16(text, len) ? "UTF-16" : "LATIN1");
        at += width;
    }
    return at == len ? ITH_OK
                     : ith_fail(err, ITH_E_FORMAT,
                                "%s holds a NUL byte at offset %zu: is it a text?", where, at);
}

const char *ith_input_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

ith_status ith_read_text(const char *path, ith_text *text, ith_error *err)
{
    bool from_stdin = strcmp(path, "-") == 0, listened = ith_stop_listen(false);
    const char *name = ith_input_name(path);
    FILE *file = from_stdin ? stdin : fopen(path, "rb");
    ith_status status = ITH_OK;
    char block[READ_BYTES];
    bool is_text = true;
    size_t got;

    *text = (ith_text){0};
    if (file == NULL)
        ITH_CHECK(ith_cannot_open(name, err));
    ITH_CHECK(ith_text_append(text, "", 0, err));
    while (is_text && (got = fread(block, 1, sizeof block, file)) > 0) {
        ITH_CHECK(ith_text_append(text, block, got, err));
        is_text = memchr(block, 0, got) == NULL; /* else there may be no end, as of /dev/zero */
    }
    if (ferror(file))
        status = ith_fail(err, ITH_E_IO, "%s: %s", name, strerror(errno));
    if (from_stdin && !is_regular(stdin))
        ith_stop_after_input();
done:
    ith_stop_listen(listened);
    if (!from_stdin && file != NULL)
        fclose(file);
    if (status != ITH_OK)
        ith_text_free(text);
    return status;
}

static bool is_separator(char c)
{
    return c == ',' || isspace((unsigned char)c);
}

static ith_status wrong_id(const char *where, size_t index, const char *at, ith_error *err)
{
    int shown = 0;

    while (shown < SHOWN_BYTES && at[shown] != 0 && !is_separator(at[shown]))
        shown++;
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: entry %zu, \"%.*s\", is no token id: whole numbers from 0 to %d, "
                    "separated by white space or commas",
                    where, index + 1, shown, at, INT32_MAX);
}

ith_status ith_parse_ids(const ith_text *text, const char *where, ith_ids *ids, ith_error *err)
{
    const char *at = text->data, *end = text->data + text->len;

    ids->n = 0;
    /* an id takes at least a digit and a separator */
    ids->data = malloc((text->len / 2 + 1) * sizeof ids->data[0]);
    if (ids->data == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for its token ids", where);
    while (at < end) {
        int64_t id = 0;
        const char *first = at;
        if (is_separator(*at)) {
            at++;
            continue;
        }
        while (at < end && isdigit((unsigned char)*at) && id <= INT32_MAX)
            id = 10 * id + (*at++ - '0');
        if (at == first || id > INT32_MAX || (at < end && !is_separator(*at))) {
            ith_status status = wrong_id(where, ids->n, first, err);
            free(ids->data);
            *ids = (ith_ids){0};
            return status;
        }
        ids->data[ids->n++] = (int32_t)id;
    }
    return ITH_OK;
}

ith_status ith_read_ids(const char *path, ith_ids *ids, ith_error *err)
{
    ith_text text;
    ith_status status;

    *ids = (ith_ids){0};
    ITH_TRY(ith_read_text(path, &text, err));
    status = ith_parse_ids(&text, path, ids, err);
    ith_text_free(&text);
    return status;
}
