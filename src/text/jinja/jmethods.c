/* jmethods.c - the methods of strings that strip, search, replace and pad. */
#include "text/jinja/jmethods.h"
#include "text/jinja/jaccess.h"
#include "text/utf8.h"

#include <string.h>

static int64_t at_least_0(int64_t n)
{
    return n < 0 ? 0 : n;
}

/* ---- Strip ---- */

static bool is_among(ith_jrun *run, const ith_jstr *chars, uint32_t code)
{
    size_t width;

    ith_jrun_step(run, 1 + (chars != NULL ? chars->len / 4 : 0));
    if (chars == NULL)
        return ith_jcode_is_space(code);
    for (size_t at = 0; at < chars->len; at += width)
        if (ith_jstr_code(chars, at, &width) == code)
            return true;
    return false;
}

ith_jstr *ith_jstr_strip(ith_jrun *run, ith_jstr *s, const ith_jstr *chars, bool left, bool right)
{
    size_t begin = 0, end = s->len, width;

    while (left && begin < end && is_among(run, chars, ith_jstr_code(s, begin, &width)))
        begin += width;
    while (right && end > begin) {
        size_t at = ith_utf8_before(s->data, end);
        if (!is_among(run, chars, ith_jstr_code(s, at, NULL)))
            break;
        end = at;
    }
    return ith_jstr_slice(run, s, begin, end);
}

static const ith_jstr *strip_chars(ith_jrun *run, const ith_jargs *args)
{
    return ith_jgiven(args->pos[0]) ? ith_jarg_str(run, args->pos[0], NULL) : NULL;
}

static ith_jval m_strip(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return ith_jstring(ith_jstr_strip(run, self.as.str, strip_chars(run, args), true, true));
}

static ith_jval m_lstrip(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return ith_jstring(ith_jstr_strip(run, self.as.str, strip_chars(run, args), true, false));
}

static ith_jval m_rstrip(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return ith_jstring(ith_jstr_strip(run, self.as.str, strip_chars(run, args), false, true));
}

static bool begins(ith_jrun *run, const ith_jstr *s, const ith_jstr *with)
{
    ith_jrun_step(run, with->len / 64);
    return s->len >= with->len && memcmp(s->data, with->data, with->len) == 0;
}

static bool ends(ith_jrun *run, const ith_jstr *s, const ith_jstr *with)
{
    ith_jrun_step(run, with->len / 64);
    return s->len >= with->len && memcmp(s->data + s->len - with->len, with->data, with->len) == 0;
}

static ith_jval m_removeprefix(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jstr *s = self.as.str, *with = ith_jarg_str(run, args->pos[0], NULL);

    return begins(run, s, with) ? ith_jstring(ith_jstr_slice(run, s, with->len, s->len)) : self;
}

static ith_jval m_removesuffix(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jstr *s = self.as.str, *with = ith_jarg_str(run, args->pos[0], NULL);

    return ends(run, s, with) ? ith_jstring(ith_jstr_slice(run, s, 0, s->len - with->len)) : self;
}

/* ---- Search ---- */

/* self[start:stop], where the arguments after the first say so. NULL: it would end before it
 * begins, and not even an empty text is found there. */
static ith_jstr *window(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jval start = args->pos[1], stop = args->pos[2];
    int64_t n = ith_jlength(run, self), from = ith_jarg_int(run, start, 0);
    int64_t to = ith_jarg_int(run, stop, n);

    from += from < 0 ? n : 0;
    to += to < 0 ? n : 0;
    if (at_least_0(from) > (to < n ? at_least_0(to) : n))
        return NULL;
    return ith_jslice(run, self, start, stop, (ith_jval){0}).as.str;
}

static ith_jval affix(ith_jrun *run, ith_jval self, const ith_jargs *args,
                      bool (*has)(ith_jrun *, const ith_jstr *, const ith_jstr *))
{
    ith_jstr *s = window(run, self, args);
    ith_jval what = args->pos[0];

    if (s == NULL)
        return ith_jbool(false);
    if (what.kind != ITH_J_TUPLE)
        return ith_jbool(has(run, s, ith_jarg_str(run, what, NULL)));
    for (size_t i = 0; i < what.as.list->n; i++)
        if (has(run, s, ith_jarg_str(run, what.as.list->items[i], NULL)))
            return ith_jbool(true);
    return ith_jbool(false);
}

static ith_jval m_startswith(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return affix(run, self, args, begins);
}

static ith_jval m_endswith(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return affix(run, self, args, ends);
}

/* Characters before the match, -1: there is none. */
static int64_t search(ith_jrun *run, ith_jval self, const ith_jargs *args, bool last)
{
    ith_jstr *s = window(run, self, args);
    ith_jstr *what = ith_jarg_str(run, args->pos[0], NULL);
    size_t at;

    if (s == NULL)
        return -1;
    ith_jrun_step(run, s->len / 64);
    if (last)
        at = what->len == 0 ? s->len : ith_jstr_find_last(run, s, what, s->len);
    else
        at = ith_jstr_find(s, what, 0);
    if (at == SIZE_MAX)
        return -1;
    return (int64_t)ith_jstr_chars(
        run, ith_jstr_slice(run, self.as.str, 0, (size_t)(s->data - self.as.str->data) + at));
}

static ith_jval m_find(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return ith_jint(search(run, self, args, false));
}

static ith_jval m_rfind(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return ith_jint(search(run, self, args, true));
}

static ith_jval must_find(ith_jrun *run, int64_t at)
{
    if (at < 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "the text does not occur in the string");
    return ith_jint(at);
}

static ith_jval m_index(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return must_find(run, search(run, self, args, false));
}

static ith_jval m_rindex(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return must_find(run, search(run, self, args, true));
}

static ith_jval m_count(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jstr *s = window(run, self, args);
    ith_jstr *what = ith_jarg_str(run, args->pos[0], NULL);
    int64_t n = 0;

    if (s == NULL)
        return ith_jint(0);
    if (what->len == 0)
        return ith_jint((int64_t)ith_jstr_chars(run, s) + 1);
    for (size_t at = 0; (at = ith_jstr_find(s, what, at)) != SIZE_MAX; at += what->len)
        n++;
    ith_jrun_step(run, s->len / 4);
    return ith_jint(n);
}

/* ---- Replace and pad ---- */

/* What stands in place of input is input. */
static void put_replacement(ith_jbuild *build, const ith_jstr *with, ith_jorigin replaced)
{
    if (replaced == ITH_JINPUT)
        ith_jbuild_bytes(build, with->data, with->len, ITH_JINPUT);
    else
        ith_jbuild_str(build, with);
}

ith_jstr *ith_jstr_replace(ith_jrun *run, ith_jstr *s, const ith_jstr *old, const ith_jstr *with,
                           int64_t most)
{
    ith_jbuild build = {.run = run};
    ith_jorigin whole = ith_jstr_origin(s, 0, s->len);
    size_t begin = 0, at, width = 0;

    if (most < 0)
        most = INT64_MAX;
    ith_jrun_step(run, s->len / 64);
    if (old->len == 0) {
        for (at = 0; at <= s->len && most != 0; at += width, most--) {
            put_replacement(&build, with, whole);
            if (at < s->len)
                ith_jstr_code(s, at, &width);
            else
                width = 1;
            ith_jbuild_slice(&build, s, at, at < s->len ? at + width : s->len);
        }
        if (at < s->len)
            ith_jbuild_slice(&build, s, at, s->len);
        return ith_jbuild_end(&build);
    }
    for (; most != 0 && (at = ith_jstr_find(s, old, begin)) != SIZE_MAX; most--) {
        ith_jrun_step(run, 1);
        ith_jbuild_slice(&build, s, begin, at);
        put_replacement(&build, with, ith_jstr_origin(s, at, at + old->len));
        begin = at + old->len;
    }
    ith_jbuild_slice(&build, s, begin, s->len);
    return ith_jbuild_end(&build);
}

static ith_jval m_replace(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return ith_jstring(ith_jstr_replace(run, self.as.str, ith_jarg_str(run, args->pos[0], NULL),
                                        ith_jarg_str(run, args->pos[1], NULL),
                                        ith_jarg_int(run, args->pos[2], -1)));
}

static void fill(ith_jbuild *build, const ith_jstr *with, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        ith_jrun_step(build->run, 1);
        ith_jbuild_str(build, with);
    }
}

static ith_jval pad(ith_jrun *run, ith_jval self, const ith_jargs *args, int mode)
{
    ith_jbuild build = {.run = run};
    ith_jstr *with = ith_jarg_str(run, args->pos[1], " ");
    int64_t width = at_least_0(ith_jarg_int(run, args->pos[0], 0));
    int64_t more = width - (int64_t)ith_jstr_chars(run, self.as.str), left = 0;

    if (ith_jstr_chars(run, with) != 1)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "the fill character is not one character");
    if (more <= 0)
        return self;
    if (mode == 0)
        left = more / 2 + (more & width & 1);
    else if (mode > 0)
        left = more;
    fill(&build, with, left);
    ith_jbuild_str(&build, self.as.str);
    fill(&build, with, more - left);
    return ith_jstring(ith_jbuild_end(&build));
}

static ith_jval m_center(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return pad(run, self, args, 0);
}

static ith_jval m_ljust(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return pad(run, self, args, -1);
}

static ith_jval m_rjust(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return pad(run, self, args, 1);
}

static ith_jval m_zfill(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jbuild build = {.run = run};
    ith_jstr *s = self.as.str, zero = {.data = "0", .len = 1};
    size_t sign = s->len > 0 && (s->data[0] == '-' || s->data[0] == '+');

    ith_jbuild_slice(&build, s, 0, sign);
    fill(&build, &zero,
         at_least_0(ith_jarg_int(run, args->pos[0], 0)) - (int64_t)ith_jstr_chars(run, s));
    ith_jbuild_slice(&build, s, sign, s->len);
    return ith_jstring(ith_jbuild_end(&build));
}

static ith_jval m_format(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return ith_jformat(run, self.as.str, args);
}

const ith_jbuiltin ith_jstr_methods[] = {
    {"strip", m_strip, "chars", 0},
    {"lstrip", m_lstrip, "chars", 0},
    {"rstrip", m_rstrip, "chars", 0},
    {"removeprefix", m_removeprefix, "prefix", 1},
    {"removesuffix", m_removesuffix, "suffix", 1},
    {"startswith", m_startswith, "prefix start end", 1},
    {"endswith", m_endswith, "suffix start end", 1},
    {"find", m_find, "sub start end", 1},
    {"rfind", m_rfind, "sub start end", 1},
    {"index", m_index, "sub start end", 1},
    {"rindex", m_rindex, "sub start end", 1},
    {"count", m_count, "sub start end", 1},
    {"replace", m_replace, "old new count", 2},
    {"center", m_center, "width fillchar", 1},
    {"ljust", m_ljust, "width fillchar", 1},
    {"rjust", m_rjust, "width fillchar", 1},
    {"zfill", m_zfill, "width", 1},
    {"format", m_format, "*", 0},
    {NULL, NULL, NULL, 0},
};
