/* jsplit.c - the methods of strings that cut and join. */
#include "text/jinja/jbuiltin.h"
#include "text/jinja/jmethods.h"
#include "text/utf8.h"

static void add_slice(ith_jrun *run, ith_jlist *list, const ith_jstr *s, size_t begin, size_t end)
{
    ith_jlist_add(run, list, ith_jstring(ith_jstr_slice(run, s, begin, end)));
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
            add_slice(run, out, s, 0, s->len);
            return;
        }
        while (at < s->len && !ith_jcode_is_space(ith_jstr_code(s, at, &width)))
            at += width;
        add_slice(run, out, s, 0, at);
        while (at < s->len && ith_jcode_is_space(ith_jstr_code(s, at, &width)))
            at += width;
        s = ith_jstr_slice(run, s, at, s->len);
    }
}

static void rsplit_space(ith_jrun *run, ith_jstr *s, int64_t most, ith_jlist *out)
{
    s = ith_jstr_strip(run, s, NULL, false, true);
    while (s->len > 0 && (most < 0 || (int64_t)out->n < most)) {
        size_t at = s->len, begin = at;
        while (at > 0) {
            begin = ith_utf8_before(s->data, at);
            if (ith_jcode_is_space(ith_jstr_code(s, begin, NULL)))
                break;
            at = begin;
        }
        add_slice(run, out, s, at, s->len);
        s = ith_jstr_strip(run, ith_jstr_slice(run, s, 0, at), NULL, false, true);
    }
    if (s->len > 0)
        add_slice(run, out, s, 0, s->len);
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
        add_slice(run, out, s, begin, at);
        begin = at + by->len;
    }
    while (right && (most < 0 || (int64_t)out->n < most) &&
           (at = ith_jstr_find_last(run, s, by, end)) != SIZE_MAX) {
        add_slice(run, out, s, at + by->len, end);
        end = at;
    }
    add_slice(run, out, s, begin, end);
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
    ith_jrun_step(run, s->len / 64);
    at = right ? ith_jstr_find_last(run, s, by, s->len) : ith_jstr_find(s, by, 0);
    if (at == SIZE_MAX) {
        add_slice(run, out, s, 0, right ? 0 : s->len);
        add_slice(run, out, s, 0, 0);
        add_slice(run, out, s, right ? 0 : s->len, s->len);
    } else {
        add_slice(run, out, s, 0, at);
        add_slice(run, out, s, at, at + by->len);
        add_slice(run, out, s, at + by->len, s->len);
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
        add_slice(run, out, s, begin, keep ? at + width : at);
        begin = at + width;
    }
    if (begin < s->len)
        add_slice(run, out, s, begin, s->len);
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
        ith_jrun_step(run, 1);
        if (i > 0)
            ith_jbuild_str(&build, self.as.str);
        ith_jbuild_str(&build, ith_jarg_str(run, list->items[i], NULL));
    }
    return ith_jstring(ith_jbuild_end(&build));
}

const ith_jbuiltin ith_jsplit_methods[] = {
    {"split", m_split, "sep maxsplit", 0},
    {"rsplit", m_rsplit, "sep maxsplit", 0},
    {"partition", m_partition, "sep", 1},
    {"rpartition", m_rpartition, "sep", 1},
    {"splitlines", m_splitlines, "keepends", 0},
    {"join", m_join, "iterable", 1},
    {NULL, NULL, NULL, 0},
};
