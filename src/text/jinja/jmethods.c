/* jmethods.c - the methods of strings. */
#include "text/jinja/jaccess.h"
#include "text/jinja/jcase.h"
#include "text/jinja/jprint.h"

#include <string.h>
#include <utf8proc.h>

static ith_jval text_value(const ith_jbuild *build)
{
    return ith_jstring(ith_jbuild_end(build));
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
        size_t at = end - 1;
        while (((unsigned char)s->data[at] & 0xc0) == 0x80)
            at--;
        if (!is_among(run, chars, ith_jstr_code(s, at, NULL)))
            break;
        end = at;
    }
    return ith_jstr_part(run, s, begin, end);
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

static bool begins(const ith_jstr *s, const ith_jstr *with)
{
    return s->len >= with->len && memcmp(s->data, with->data, with->len) == 0;
}

static bool ends(const ith_jstr *s, const ith_jstr *with)
{
    return s->len >= with->len && memcmp(s->data + s->len - with->len, with->data, with->len) == 0;
}

static ith_jval m_removeprefix(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jstr *s = self.as.str, *with = ith_jarg_str(run, args->pos[0], NULL);

    return begins(s, with) ? ith_jstring(ith_jstr_part(run, s, with->len, s->len)) : self;
}

static ith_jval m_removesuffix(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jstr *s = self.as.str, *with = ith_jarg_str(run, args->pos[0], NULL);

    return ends(s, with) ? ith_jstring(ith_jstr_part(run, s, 0, s->len - with->len)) : self;
}

/* ---- Search ---- */

/* s[start:stop], and where it begins. */
static ith_jstr *window(ith_jrun *run, ith_jval self, ith_jval start, ith_jval stop)
{
    return ith_jslice(run, self, start, stop, (ith_jval){0}).as.str;
}

static ith_jval affix(ith_jrun *run, ith_jval self, const ith_jargs *args,
                      bool (*has)(const ith_jstr *, const ith_jstr *))
{
    ith_jstr *s = window(run, self, args->pos[1], args->pos[2]);
    ith_jval what = args->pos[0];

    if (what.kind != ITH_J_TUPLE)
        return ith_jbool(has(s, ith_jarg_str(run, what, NULL)));
    for (size_t i = 0; i < what.as.list->n; i++)
        if (has(s, ith_jarg_str(run, what.as.list->items[i], NULL)))
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

static size_t find_last(ith_jrun *run, const ith_jstr *s, const ith_jstr *what, size_t end)
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

/* Characters before the match, -1: there is none. */
static int64_t search(ith_jrun *run, ith_jval self, const ith_jargs *args, bool last)
{
    ith_jstr *s = window(run, self, args->pos[1], args->pos[2]);
    ith_jstr *what = ith_jarg_str(run, args->pos[0], NULL);
    size_t at;

    ith_jrun_step(run, s->len / 64);
    if (last)
        at = what->len == 0 ? s->len : find_last(run, s, what, s->len);
    else
        at = ith_jstr_find(s, what, 0);
    if (at == SIZE_MAX)
        return -1;
    return (int64_t)ith_jstr_chars(
        ith_jstr_part(run, self.as.str, 0, (size_t)(s->data - self.as.str->data) + at));
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
    ith_jstr *s = window(run, self, args->pos[1], args->pos[2]);
    ith_jstr *what = ith_jarg_str(run, args->pos[0], NULL);
    int64_t n = 0;

    if (what->len == 0)
        return ith_jint((int64_t)ith_jstr_chars(s) + 1);
    for (size_t at = 0; (at = ith_jstr_find(s, what, at)) != SIZE_MAX; at += what->len)
        n++;
    ith_jrun_step(run, s->len / 4);
    return ith_jint(n);
}

/* ---- Split and join ---- */

static void add_part(ith_jrun *run, ith_jlist *list, const ith_jstr *s, size_t begin, size_t end)
{
    ith_jlist_add(run, list, ith_jstring(ith_jstr_part(run, s, begin, end)));
}

static void reverse(ith_jlist *list)
{
    for (size_t i = 0; i < list->n / 2; i++) {
        ith_jval item = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = item;
    }
}

static void split_space(ith_jrun *run, ith_jstr *s, int64_t most, ith_jlist *out)
{
    s = ith_jstr_strip(run, s, NULL, true, false);
    while (s->len > 0) {
        size_t at = 0, width;
        if (most >= 0 && (int64_t)out->n == most) {
            s = ith_jstr_strip(run, s, NULL, false, true);
            add_part(run, out, s, 0, s->len);
            return;
        }
        while (at < s->len && !ith_jcode_is_space(ith_jstr_code(s, at, &width)))
            at += width;
        add_part(run, out, s, 0, at);
        while (at < s->len && ith_jcode_is_space(ith_jstr_code(s, at, &width)))
            at += width;
        s = ith_jstr_part(run, s, at, s->len);
    }
}

static void rsplit_space(ith_jrun *run, ith_jstr *s, int64_t most, ith_jlist *out)
{
    s = ith_jstr_strip(run, s, NULL, false, true);
    while (s->len > 0 && (most < 0 || (int64_t)out->n < most)) {
        size_t at = s->len, begin = at;
        while (at > 0) {
            begin = at - 1;
            while (((unsigned char)s->data[begin] & 0xc0) == 0x80)
                begin--;
            if (ith_jcode_is_space(ith_jstr_code(s, begin, NULL)))
                break;
            at = begin;
        }
        add_part(run, out, s, at, s->len);
        s = ith_jstr_strip(run, ith_jstr_part(run, s, 0, at), NULL, false, true);
    }
    if (s->len > 0)
        add_part(run, out, s, 0, s->len);
    reverse(out);
}

static ith_jlist *split(ith_jrun *run, ith_jstr *s, const ith_jargs *args, bool right)
{
    ith_jlist *out = ith_jlist_new(run, 0, ith_jstr_origin(s, 0, s->len));
    int64_t most = ith_jarg_int(run, args->pos[1], -1);
    size_t begin = 0, end = s->len, at;
    ith_jstr *by;

    ith_jrun_step(run, s->len / 4);
    if (!ith_jgiven(args->pos[0])) {
        (right ? rsplit_space : split_space)(run, s, most, out);
        return out;
    }
    by = ith_jarg_str(run, args->pos[0], NULL);
    if (by->len == 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "split by an empty string");
    while (!right && (most < 0 || (int64_t)out->n < most) &&
           (at = ith_jstr_find(s, by, begin)) != SIZE_MAX) {
        add_part(run, out, s, begin, at);
        begin = at + by->len;
    }
    while (right && (most < 0 || (int64_t)out->n < most) &&
           (at = find_last(run, s, by, end)) != SIZE_MAX) {
        add_part(run, out, s, at + by->len, end);
        end = at;
    }
    add_part(run, out, s, begin, end);
    if (right)
        reverse(out);
    return out;
}

static ith_jval m_split(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return ith_jlist_value(split(run, self.as.str, args, false), ITH_J_LIST);
}

static ith_jval m_rsplit(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return ith_jlist_value(split(run, self.as.str, args, true), ITH_J_LIST);
}

static ith_jval partition(ith_jrun *run, ith_jstr *s, ith_jstr *by, bool right)
{
    ith_jlist *out = ith_jlist_new(run, 3, ITH_JTEMPLATE);
    size_t at;

    if (by->len == 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "split by an empty string");
    at = right ? find_last(run, s, by, s->len) : ith_jstr_find(s, by, 0);
    if (at == SIZE_MAX) {
        add_part(run, out, s, 0, right ? 0 : s->len);
        add_part(run, out, s, 0, 0);
        add_part(run, out, s, right ? 0 : s->len, s->len);
    } else {
        add_part(run, out, s, 0, at);
        add_part(run, out, s, at, at + by->len);
        add_part(run, out, s, at + by->len, s->len);
    }
    return ith_jlist_value(out, ITH_J_TUPLE);
}

static ith_jval m_partition(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return partition(run, self.as.str, ith_jarg_str(run, args->pos[0], NULL), false);
}

static ith_jval m_rpartition(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return partition(run, self.as.str, ith_jarg_str(run, args->pos[0], NULL), true);
}

static bool is_line_end(uint32_t code)
{
    return (code >= 10 && code <= 13) || (code >= 0x1c && code <= 0x1e) || code == 0x85 ||
           code == 0x2028 || code == 0x2029;
}

ith_jlist *ith_jstr_lines(ith_jrun *run, const ith_jstr *s, bool keep)
{
    ith_jlist *out = ith_jlist_new(run, 0, ith_jstr_origin(s, 0, s->len));
    size_t begin = 0, width;

    ith_jrun_step(run, s->len / 4);
    for (size_t at = 0; at < s->len; at += width) {
        if (!is_line_end(ith_jstr_code(s, at, &width)))
            continue;
        if (s->data[at] == '\r' && at + 1 < s->len && s->data[at + 1] == '\n')
            width = 2;
        add_part(run, out, s, begin, keep ? at + width : at);
        begin = at + width;
    }
    if (begin < s->len)
        add_part(run, out, s, begin, s->len);
    return out;
}

static ith_jval m_splitlines(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    bool keep = ith_jarg_bool(run, args->pos[0], false);

    return ith_jlist_value(ith_jstr_lines(run, self.as.str, keep), ITH_J_LIST);
}

static ith_jval m_join(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jlist *list = ith_jiterate(run, args->pos[0]);
    ith_jbuild build = {.run = run};

    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            ith_jbuild_str(&build, self.as.str);
        ith_jbuild_str(&build, ith_jarg_str(run, list->items[i], NULL));
    }
    return text_value(&build);
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
            ith_jbuild_part(&build, s, at, at < s->len ? at + width : s->len);
        }
        if (at < s->len)
            ith_jbuild_part(&build, s, at, s->len);
        return ith_jbuild_end(&build);
    }
    for (; most != 0 && (at = ith_jstr_find(s, old, begin)) != SIZE_MAX; most--) {
        ith_jrun_step(run, 1);
        ith_jbuild_part(&build, s, begin, at);
        put_replacement(&build, with, ith_jstr_origin(s, at, at + old->len));
        begin = at + old->len;
    }
    ith_jbuild_part(&build, s, begin, s->len);
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

static int64_t at_least_0(int64_t n)
{
    return n < 0 ? 0 : n;
}

static ith_jval pad(ith_jrun *run, ith_jval self, const ith_jargs *args, int mode)
{
    ith_jbuild build = {.run = run};
    ith_jstr *with = ith_jarg_str(run, args->pos[1], " ");
    int64_t width = at_least_0(ith_jarg_int(run, args->pos[0], 0));
    int64_t more = width - (int64_t)ith_jstr_chars(self.as.str), left = 0;

    if (ith_jstr_chars(with) != 1)
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
    return text_value(&build);
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

    ith_jbuild_part(&build, s, 0, sign);
    fill(&build, &zero,
         at_least_0(ith_jarg_int(run, args->pos[0], 0)) - (int64_t)ith_jstr_chars(s));
    ith_jbuild_part(&build, s, sign, s->len);
    return text_value(&build);
}

/* ---- Case ---- */

static ith_jval m_upper(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jstring(ith_jstr_case(run, self.as.str, ITH_JCASE_UPPER));
}

static ith_jval m_lower(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jstring(ith_jstr_case(run, self.as.str, ITH_JCASE_LOWER));
}

static ith_jval m_title(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jstring(ith_jstr_case(run, self.as.str, ITH_JCASE_TITLE));
}

static ith_jval m_capitalize(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jstring(ith_jstr_case(run, self.as.str, ITH_JCASE_CAPITAL));
}

static ith_jval m_swapcase(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jstring(ith_jstr_case(run, self.as.str, ITH_JCASE_SWAP));
}

/* ---- Classes of characters ---- */

static ith_jval all_are(ith_jrun *run, ith_jval self, bool (*is)(uint32_t code), bool empty)
{
    size_t width;

    ith_jrun_step(run, self.as.str->len / 4);
    for (size_t at = 0; at < self.as.str->len; at += width)
        if (!is(ith_jstr_code(self.as.str, at, &width)))
            return ith_jbool(false);
    return ith_jbool(self.as.str->len > 0 || empty);
}

static bool is_alpha(uint32_t code)
{
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);

    return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

static bool is_decimal(uint32_t code)
{
    return utf8proc_category((utf8proc_int32_t)code) == UTF8PROC_CATEGORY_ND;
}

static bool is_alnum(uint32_t code)
{
    return is_alpha(code) || is_decimal(code);
}

static bool is_ascii(uint32_t code)
{
    return code < 0x80;
}

/* Superscripts and fractions count as digits or numbers in Python; they are not known here. */
static void refuse_other_numbers(ith_jrun *run, const ith_jstr *s)
{
    size_t width;

    for (size_t at = 0; at < s->len; at += width) {
        uint32_t code = ith_jstr_code(s, at, &width);
        utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);
        if (c == UTF8PROC_CATEGORY_NO || c == UTF8PROC_CATEGORY_NL ||
            (code >= 0x3400 && c == UTF8PROC_CATEGORY_LO))
            ith_jrun_fail(run, ITH_E_UNSUPPORTED,
                          "whether U+%04X is a digit or number is not supported", code);
    }
}

static ith_jval m_isalpha(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return all_are(run, self, is_alpha, false);
}

static ith_jval m_isalnum(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    if (!all_are(run, self, is_alpha, false).as.truth)
        refuse_other_numbers(run, self.as.str);
    return all_are(run, self, is_alnum, false);
}

static ith_jval m_isdecimal(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return all_are(run, self, is_decimal, false);
}

static ith_jval m_isdigit(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    refuse_other_numbers(run, self.as.str);
    return all_are(run, self, is_decimal, false);
}

static ith_jval m_isspace(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return all_are(run, self, ith_jcode_is_space, false);
}

static ith_jval m_isascii(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return all_are(run, self, is_ascii, true);
}

static ith_jval m_islower(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jbool(ith_jstr_is_case(run, self.as.str, false));
}

static ith_jval m_isupper(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jbool(ith_jstr_is_case(run, self.as.str, true));
}

static ith_jval m_istitle(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jbool(
        ith_jstr_equal(self.as.str, ith_jstr_case(run, self.as.str, ITH_JCASE_TITLE)) &&
        (ith_jstr_is_case(run, self.as.str, true) || !ith_jstr_is_case(run, self.as.str, false)) &&
        !ith_jstr_equal(ith_jstr_case(run, self.as.str, ITH_JCASE_SWAP), self.as.str));
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
    {"split", m_split, "sep maxsplit", 0},
    {"rsplit", m_rsplit, "sep maxsplit", 0},
    {"partition", m_partition, "sep", 1},
    {"rpartition", m_rpartition, "sep", 1},
    {"splitlines", m_splitlines, "keepends", 0},
    {"join", m_join, "iterable", 1},
    {"replace", m_replace, "old new count", 2},
    {"center", m_center, "width fillchar", 1},
    {"ljust", m_ljust, "width fillchar", 1},
    {"rjust", m_rjust, "width fillchar", 1},
    {"zfill", m_zfill, "width", 1},
    {"upper", m_upper, "", 0},
    {"lower", m_lower, "", 0},
    {"title", m_title, "", 0},
    {"capitalize", m_capitalize, "", 0},
    {"swapcase", m_swapcase, "", 0},
    {"isalpha", m_isalpha, "", 0},
    {"isalnum", m_isalnum, "", 0},
    {"isdecimal", m_isdecimal, "", 0},
    {"isdigit", m_isdigit, "", 0},
    {"isnumeric", m_isdigit, "", 0},
    {"isspace", m_isspace, "", 0},
    {"isascii", m_isascii, "", 0},
    {"islower", m_islower, "", 0},
    {"isupper", m_isupper, "", 0},
    {"istitle", m_istitle, "", 0},
    {"format", m_format, "*", 0},
    {NULL, NULL, NULL, 0},
};
