/* json.c - reads JSON and its members, with errors that name them. */
#include "base/json.h"

#include "base/character.h"
#include "base/json_numbers.h"
#include "base/regular.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Memory that was not there ---- */

static _Thread_local unsigned n_lost;

void *ith_json_malloc(size_t n)
{
    void *at = malloc(n);

    n_lost += at == NULL;
    return at;
}

void ith_json_lose(void)
{
    n_lost++;
}

void ith_json_count_memory(void)
{
    json_set_alloc_funcs(ith_json_malloc, free);
}

unsigned ith_json_mark(void)
{
    return n_lost;
}

bool ith_json_lost(unsigned mark)
{
    bool lost = n_lost != mark;

    n_lost = mark;
    return lost;
}

/* ---- Reading ---- */

/* jansson says of memory, too, that the text is wrong. */
static ith_status refused(const json_error_t *why, unsigned mark, const char *where, ith_error *err)
{
    if (n_lost != mark || json_error_code(why) == json_error_out_of_memory)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory to read it", where);
    return ith_fail(err, ITH_E_FORMAT, "%s: line %d: %s", where, why->line, why->text);
}

/* A text that jansson refuses is tried again with the numbers that Python writes besides. */
ith_status ith_json_parse(const char *text, size_t len, const char *where, json_t **root,
                          ith_error *err)
{
    unsigned mark = ith_json_mark();
    json_error_t why, again;
    char *plain = NULL;
    size_t plain_len = 0;

    if (len == 0)
        text = "";
    *root = json_loadb(text, len, JSON_ALLOW_NUL, &why);
    if (*root != NULL)
        return ITH_OK;
    ITH_TRY(ith_json_plain_numbers(text, len, &plain, &plain_len, err));
    if (plain != NULL) {
        *root = json_loadb(plain, plain_len, JSON_ALLOW_NUL, &again);
        why = again;
    }
    free(plain);
    return *root != NULL ? ITH_OK : refused(&why, mark, where, err);
}

ith_status ith_json_parse_strict(const char *text, size_t len, const char *where, json_t **root,
                                 ith_error *err)
{
    unsigned mark = ith_json_mark();
    json_error_t why;

    *root = json_loadb(len > 0 ? text : "", len,
                       JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    return *root != NULL ? ITH_OK : refused(&why, mark, where, err);
}

static ith_status load(FILE *file, const char *path, size_t max_bytes, json_t **root,
                       ith_error *err)
{
    struct stat info;
    ith_status status;
    char *text;
    size_t len;

    if (fstat(fileno(file), &info) != 0)
        return ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
    if ((uint64_t)info.st_size > max_bytes)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: %lld bytes, more than the %zu expected of such a file", path,
                        (long long)info.st_size, max_bytes);
    text = malloc((size_t)info.st_size + 1);
    if (text == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory to read it", path);
    len = fread(text, 1, (size_t)info.st_size, file);
    status = ferror(file) ? ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno))
                          : ith_json_parse(text, len, path, root, err);
    free(text);
    return status;
}

ith_status ith_json_read_in(int folder, const char *path, size_t max_bytes, json_t **root,
                            ith_error *err)
{
    FILE *file;
    ith_status status;
    int fd;

    *root = NULL;
    ITH_TRY(ith_regular_open(folder, path, O_RDONLY, &fd, err));
    file = fdopen(fd, "rb");
    if (file == NULL) {
        close(fd);
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory to read it", path);
    }
    status = load(file, path, max_bytes, root, err);
    fclose(file);
    return status;
}

ith_status ith_json_read(const char *path, size_t max_bytes, json_t **root, ith_error *err)
{
    return ith_json_read_in(AT_FDCWD, path, max_bytes, root, err);
}

static const json_t *member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

ith_status ith_json_int(const json_t *object, const char *where, const char *key, int64_t min,
                        int64_t max, int64_t *out, ith_error *err)
{
    const json_t *value = member(object, key);
    if (value == NULL)
        return ITH_OK;
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be a whole number from %lld to %lld",
                        where, key, (long long)min, (long long)max);
    *out = json_integer_value(value);
    return ITH_OK;
}

ith_status ith_json_real(const json_t *object, const char *where, const char *key, double *out,
                         ith_error *err)
{
    const json_t *value = member(object, key);
    if (value == NULL)
        return ITH_OK;
    if (!json_is_number(value))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be a number", where, key);
    *out = json_number_value(value);
    return ITH_OK;
}

ith_status ith_json_bool(const json_t *object, const char *where, const char *key, bool *out,
                         ith_error *err)
{
    const json_t *value = member(object, key);
    if (value == NULL)
        return ITH_OK;
    if (!json_is_boolean(value))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be true or false", where, key);
    *out = json_is_true(value);
    return ITH_OK;
}

ith_status ith_json_string(const json_t *object, const char *where, const char *key,
                           const char **out, ith_error *err)
{
    const json_t *value = member(object, key);
    if (value == NULL)
        return ITH_OK;
    if (!json_is_string(value))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be a string", where, key);
    *out = json_string_value(value);
    return ITH_OK;
}

/* ---- Writing ---- */

json_t *ith_json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

json_t *ith_json_numbers(const double *values, int n)
{
    json_t *out = values == NULL ? json_null() : json_array();
    for (int i = 0; values != NULL && i < n; i++)
        json_array_append_new(out, ith_json_number(values[i]));
    return out;
}

json_t *ith_json_bytes(const char *text, size_t len)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *clean = ith_json_malloc(3 * len + 1); /* each byte at worst its own replacement */
    size_t used = 0;
    json_t *value;

    if (clean == NULL)
        return NULL;
    for (size_t i = 0; i < len;) {
        size_t n = ith_utf8_bytes(text + i, len - i);
        memcpy(clean + used, n > 0 ? text + i : replacement, n > 0 ? n : 3);
        used += n > 0 ? n : 3;
        i += n > 0 ? n : 1;
    }
    value = json_stringn(clean, used);
    free(clean);
    return value;
}

json_t *ith_json_c_string(const char *text)
{
    return ith_json_bytes(text, strlen(text));
}

json_t *ith_json_lines(const char *text)
{
    json_t *out = json_array();

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        json_array_append_new(out, ith_json_bytes(text, len));
        text += len + (text[len] == '\n');
    }
    return out;
}

static char *dump(const json_t *value, size_t digits, bool pretty)
{
    return json_dumps(value, digits | JSON_ENCODE_ANY | (pretty ? JSON_INDENT(2) : JSON_COMPACT));
}

char *ith_json_text(const json_t *value, bool pretty)
{
    return dump(value, JSON_REAL_PRECISION(9), pretty);
}

char *ith_json_exact_text(const json_t *value, bool pretty)
{
    return dump(value, JSON_REAL_PRECISION(17), pretty);
}
