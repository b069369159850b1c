/* json.c - reads JSON and its members, with errors that name them. */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ith_status ith_json_read(const char *path, size_t max_bytes, json_t **root, ith_error *err)
{
    FILE *file = fopen(path, "rb");
    json_error_t why;
    ith_status status = ITH_OK;
    off_t size;

    *root = NULL;
    if (file == NULL)
        return ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
    if (fseeko(file, 0, SEEK_END) != 0 || (size = ftello(file)) < 0 ||
        fseeko(file, 0, SEEK_SET) != 0) {
        status = ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
    } else if ((uint64_t)size > max_bytes) {
        status =
            ith_fail(err, ITH_E_FORMAT, "%s: %lld bytes, more than the %zu expected of such a file",
                     path, (long long)size, max_bytes);
    } else {
        *root = json_loadf(file, JSON_ALLOW_NUL, &why);
        if (*root == NULL)
            status = ith_fail(err, ITH_E_FORMAT, "%s: line %d: %s", path, why.line, why.text);
    }
    fclose(file);
    return status;
}

ith_status ith_json_parse(const char *text, size_t len, const char *where, json_t **root,
                          ith_error *err)
{
    json_error_t why;

    *root = json_loadb(text, len, JSON_ALLOW_NUL, &why);
    if (*root == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: line %d: %s", where, why.line, why.text);
    return ITH_OK;
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

json_t *ith_json_lines(const char *text)
{
    json_t *out = json_array();

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        json_array_append_new(out, json_stringn_nocheck(text, len));
        text += len + (text[len] == '\n');
    }
    return out;
}

char *ith_json_text(const json_t *value, bool pretty)
{
    return json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9) |
                                 (pretty ? JSON_INDENT(2) : JSON_COMPACT));
}
