/* jstring.c - strings with origins. */
#include "text/jinja/jstring.h"
#include "text/utf8.h"

#include <string.h>

static void reserve(ith_jbuild *build, size_t more)
{
    size_t cap = build->cap != 0 ? build->cap : 64;
    char *data;

    if (build->cap - build->len >= more && build->data != NULL)
        return;
    while (cap - build->len < more && cap < SIZE_MAX / 4)
        cap *= 2;
    if (cap - build->len < more)
        cap = SIZE_MAX / 2;
    data = ith_jrun_alloc(build->run, cap, 1);
    if (build->len > 0)
        memcpy(data, build->data, build->len);
    if (build->from != NULL) {
        unsigned char *from = ith_jrun_alloc(build->run, cap, 1);
        memcpy(from, build->from, build->len);
        build->from = from;
    }
    build->data = data;
    build->cap = cap;
}

static void need_map(ith_jbuild *build)
{
    build->from = ith_jrun_alloc(build->run, build->cap, 1);
    memset(build->from, build->origin, build->len);
}

void ith_jbuild_bytes(ith_jbuild *build, const char *data, size_t len, ith_jorigin origin)
{
    if (len == 0)
        return;
    ith_jrun_step(build->run, 1 + len / 64);
    reserve(build, len);
    if (build->len == 0 && build->from == NULL)
        build->origin = (unsigned char)origin;
    if (build->from == NULL && build->origin != origin)
        need_map(build);
    memcpy(build->data + build->len, data, len);
    if (build->from != NULL)
        memset(build->from + build->len, origin, len);
    build->len += len;
}

void ith_jbuild_text(ith_jbuild *build, const char *text, ith_jorigin origin)
{
    ith_jbuild_bytes(build, text, strlen(text), origin);
}

void ith_jbuild_slice(ith_jbuild *build, const ith_jstr *s, size_t begin, size_t end)
{
    if (s->from == NULL) {
        ith_jbuild_bytes(build, s->data + begin, end - begin, s->origin);
        return;
    }
    while (begin < end) {
        size_t at = begin;
        while (at < end && s->from[at] == s->from[begin])
            at++;
        ith_jbuild_bytes(build, s->data + begin, at - begin, s->from[begin]);
        begin = at;
    }
}

void ith_jbuild_str(ith_jbuild *build, const ith_jstr *s)
{
    ith_jbuild_slice(build, s, 0, s->len);
}

void ith_jbuild_code(ith_jbuild *build, uint32_t code, ith_jorigin origin)
{
    char bytes[4];

    ith_jbuild_bytes(build, bytes, ith_utf8_encode(code, bytes), origin);
}

ith_jstr *ith_jbuild_end(const ith_jbuild *build)
{
    ith_jstr *s =
        ith_jstr_new(build->run, build->data != NULL ? build->data : "", build->len, build->origin);
    s->from = build->from;
    return s;
}

ith_jstr *ith_jstr_new(ith_jrun *run, const char *data, size_t len, ith_jorigin origin)
{
    ith_jstr *s = ith_jrun_alloc(run, 1, sizeof *s);

    *s = (ith_jstr){.data = data, .len = len, .origin = (unsigned char)origin};
    return s;
}

ith_jstr *ith_jstr_text(ith_jrun *run, const char *text)
{
    return ith_jstr_new(run, text, strlen(text), ITH_JTEMPLATE);
}

ith_jstr *ith_jstr_slice(ith_jrun *run, const ith_jstr *s, size_t begin, size_t end)
{
    ith_jstr *slice = ith_jstr_new(run, s->data + begin, end - begin, s->origin);

    slice->from = s->from != NULL ? s->from + begin : NULL;
    slice->safe = s->safe;
    return slice;
}

/* A string that ends where its builder does grows in place; so a text that is built by many
 * concatenations is not copied each time. */
ith_jstr *ith_jstr_concat(ith_jrun *run, ith_jstr *a, const ith_jstr *b)
{
    ith_jbuild *build = a->build;
    ith_jstr *out;

    if (build == NULL || build->run != run || build->len != a->len) {
        build = ith_jrun_alloc(run, 1, sizeof *build);
        build->run = run;
        ith_jbuild_str(build, a);
    }
    ith_jbuild_str(build, b);
    out = ith_jbuild_end(build);
    out->build = build;
    return out;
}

ith_jorigin ith_jstr_origin(const ith_jstr *s, size_t begin, size_t end)
{
    if (s->from == NULL)
        return s->origin;
    return memchr(s->from + begin, ITH_JINPUT, end - begin) != NULL ? ITH_JINPUT : ITH_JTEMPLATE;
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t ith_jstr_chars(ith_jrun *run, ith_jstr *s)
{
    size_t n = 0;

    if (s->chars == 0) {
        ith_jrun_step(run, s->len / 64);
        for (size_t i = 0; i < s->len; i++)
            n += !continues(s->data[i]);
        s->chars = n + 1;
    }
    return s->chars - 1;
}

size_t ith_jstr_offset(ith_jrun *run, ith_jstr *s, size_t index)
{
    size_t at = 0;

    if (ith_jstr_chars(run, s) == s->len)
        return index;
    for (; at < s->len; at++)
        if (!continues(s->data[at]) && index-- == 0)
            break;
    return at;
}

bool ith_jstr_equal(const ith_jstr *a, const ith_jstr *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

bool ith_jstr_is(const ith_jstr *s, const char *text)
{
    return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}

size_t ith_jstr_find(const ith_jstr *s, const ith_jstr *what, size_t begin)
{
    const char *at;

    if (begin > s->len || what->len > s->len - begin)
        return SIZE_MAX;
    if (what->len == 0)
        return begin;
    at = memmem(s->data + begin, s->len - begin, what->data, what->len);
    return at == NULL ? SIZE_MAX : (size_t)(at - s->data);
}

size_t ith_jstr_find_last(ith_jrun *run, const ith_jstr *s, const ith_jstr *what, size_t end)
{
    ith_jrun_step(run, s->len / 4);
    for (size_t at = end; what->len <= end && at-- > 0;) {
        if (at + what->len > end || s->data[at] != what->data[0])
            continue;
        ith_jrun_step(run, 1 + what->len / 64);
        if (memcmp(s->data + at, what->data, what->len) == 0)
            return at;
    }
    return SIZE_MAX;
}

uint32_t ith_jstr_code(const ith_jstr *s, size_t at, size_t *width)
{
    return ith_utf8_decode(s->data + at, width);
}

bool ith_jcode_is_space(uint32_t code)
{
    return ith_is_white_space(code) || (code >= 0x1c && code <= 0x1f);
}

ith_jstr *ith_jstr_escape(ith_jrun *run, const ith_jstr *s)
{
    ith_jbuild build = {.run = run};
    ith_jstr *out;

    ith_jrun_step(run, s->len / 4);
    for (size_t i = 0; i < s->len; i++) {
        const char *name = s->data[i] == '&'    ? "&amp;"
                           : s->data[i] == '<'  ? "&lt;"
                           : s->data[i] == '>'  ? "&gt;"
                           : s->data[i] == '"'  ? "&#34;"
                           : s->data[i] == '\'' ? "&#39;"
                                                : NULL;
        if (name != NULL && !s->safe)
            ith_jbuild_text(&build, name, ith_jstr_origin(s, i, i + 1));
        else
            ith_jbuild_slice(&build, s, i, i + 1);
    }
    out = ith_jbuild_end(&build);
    out->safe = true;
    return out;
}
