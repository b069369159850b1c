/* jprint.c - values as text. */
#include "text/jinja/jprint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* float.__repr__: the shortest digits that read back as the same number. */
static void print_float(ith_jrun *run, char out[40], double f)
{
    char text[40], digits[24] = "";
    int n = 0, exponent, at = 0, least = 0, most = 16;

    if (!isfinite(f)) {
        strcpy(out, isnan(f) ? "nan" : f > 0 ? "inf" : "-inf");
        return;
    }
    ith_jrun_step(run, 100);
    while (least < most) {
        snprintf(text, sizeof text, "%.*e", (least + most) / 2, f);
        if (strtod(text, NULL) == f)
            most = (least + most) / 2;
        else
            least = (least + most) / 2 + 1;
    }
    snprintf(text, sizeof text, "%.*e", least, f);
    for (const char *s = text; *s != 'e'; s++)
        if (*s >= '0' && *s <= '9')
            digits[n++] = *s;
    exponent = atoi(strchr(text, 'e') + 1);
    if (signbit(f))
        out[at++] = '-';
    if (exponent < -4 || exponent >= 16) {
        out[at++] = digits[0];
        if (n > 1)
            out[at++] = '.';
        sprintf(out + at, "%.*se%c%02d", n > 1 ? n - 1 : 0, digits + 1, exponent < 0 ? '-' : '+',
                abs(exponent));
        return;
    }
    if (exponent < 0) {
        at += sprintf(out + at, "0.%.*s", -exponent - 1, "0000");
        memcpy(out + at, digits, (size_t)n);
        out[at + n] = '\0';
        return;
    }
    for (int i = 0; i < n || i <= exponent + 1; i++) {
        if (i == exponent + 1)
            out[at++] = '.';
        out[at++] = i < n ? digits[i] : '0';
    }
    out[at] = '\0';
}

static bool is_printable(uint32_t code)
{
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    case UTF8PROC_CATEGORY_ZS:
        return code == ' ';
    default:
        return true;
    }
}

static void repr_string(ith_jbuild *build, const ith_jstr *s)
{
    ith_jorigin origin = ith_jstr_origin(s, 0, s->len);
    bool twice = memchr(s->data, '\'', s->len) != NULL && memchr(s->data, '"', s->len) == NULL;
    char quote = twice ? '"' : '\'', escape[16];
    size_t width;

    ith_jrun_step(build->run, s->len / 2);
    ith_jbuild_bytes(build, &quote, 1, origin);
    for (size_t at = 0; at < s->len; at += width) {
        uint32_t code = ith_jstr_code(s, at, &width);
        *escape = '\0';
        if (code == '\\' || code == (uint32_t)quote)
            snprintf(escape, sizeof escape, "\\%c", (char)code);
        else if (code == '\n' || code == '\r' || code == '\t')
            strcpy(escape, code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t");
        else if (!is_printable(code))
            snprintf(escape, sizeof escape,
                     code < 0x100     ? "\\x%02x"
                     : code < 0x10000 ? "\\u%04x"
                                      : "\\U%08x",
                     code);
        if (*escape != '\0')
            ith_jbuild_text(build, escape, origin);
        else
            ith_jbuild_slice(build, s, at, at + width);
    }
    ith_jbuild_bytes(build, &quote, 1, origin);
}

static void repr_list(ith_jbuild *build, ith_jval v)
{
    const ith_jlist *list = v.as.list;
    const char *open = v.kind == ITH_J_TUPLE ? "(" : "[";
    const char *close = v.kind == ITH_J_TUPLE ? list->n == 1 ? ",)" : ")" : "]";

    ith_jbuild_text(build, open, list->origin);
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            ith_jbuild_text(build, ", ", list->origin);
        ith_jrepr(build, list->items[i]);
    }
    ith_jbuild_text(build, close, list->origin);
}

static void repr_range(ith_jbuild *build, const ith_jlist *range)
{
    char text[80];

    if (range->step == 1)
        snprintf(text, sizeof text, "range(%lld, %lld)", (long long)range->start,
                 (long long)range->stop);
    else
        snprintf(text, sizeof text, "range(%lld, %lld, %lld)", (long long)range->start,
                 (long long)range->stop, (long long)range->step);
    ith_jbuild_text(build, text, ITH_JTEMPLATE);
}

static void repr_dict(ith_jbuild *build, const ith_jdict *dict)
{
    ith_jbuild_text(build, "{", dict->origin);
    for (size_t i = 0; i < dict->n; i++) {
        if (i > 0)
            ith_jbuild_text(build, ", ", dict->origin);
        ith_jrepr(build, dict->entries[i].key);
        ith_jbuild_text(build, ": ", dict->origin);
        ith_jrepr(build, dict->entries[i].value);
    }
    ith_jbuild_text(build, "}", dict->origin);
}

static void print_scalar(ith_jbuild *build, ith_jval v)
{
    char text[40];

    if (v.kind == ITH_J_INT)
        snprintf(text, sizeof text, "%lld", (long long)v.as.i);
    else if (v.kind == ITH_J_FLOAT)
        print_float(build->run, text, v.as.f);
    else
        strcpy(text, v.kind == ITH_J_NONE ? "None" : v.as.truth ? "True" : "False");
    ith_jbuild_text(build, text, v.origin);
}

void ith_jrepr(ith_jbuild *build, ith_jval v)
{
    ith_jrun *run = build->run;

    ith_jrun_enter(run);
    ith_jrun_step(run, 1);
    switch (v.kind) {
    case ITH_J_UNDEFINED:
        ith_jbuild_text(build, "Undefined", ITH_JTEMPLATE);
        break;
    case ITH_J_NONE:
    case ITH_J_BOOL:
    case ITH_J_INT:
    case ITH_J_FLOAT:
        print_scalar(build, v);
        break;
    case ITH_J_STRING:
        ith_jbuild_text(build, v.as.str->safe ? "Markup(" : "", ITH_JTEMPLATE);
        repr_string(build, v.as.str);
        ith_jbuild_text(build, v.as.str->safe ? ")" : "", ITH_JTEMPLATE);
        break;
    case ITH_J_LIST:
    case ITH_J_TUPLE:
        repr_list(build, v);
        break;
    case ITH_J_RANGE:
        repr_range(build, v.as.list);
        break;
    case ITH_J_VIEW:
        ith_jbuild_text(build, v.as.list->view, v.as.list->origin);
        ith_jbuild_text(build, "(", v.as.list->origin);
        repr_list(build, v);
        ith_jbuild_text(build, ")", v.as.list->origin);
        break;
    case ITH_J_DICT:
        repr_dict(build, v.as.dict);
        break;
    case ITH_J_NAMESPACE:
        ith_jbuild_text(build, "<Namespace ", ITH_JTEMPLATE);
        repr_dict(build, v.as.dict);
        ith_jbuild_text(build, ">", ITH_JTEMPLATE);
        break;
    default:
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "a %s has no text", ith_jkind_name(v));
    }
    ith_jrun_exit(run);
}

void ith_jprint(ith_jbuild *build, ith_jval v)
{
    if (v.kind == ITH_J_STRING)
        ith_jbuild_str(build, v.as.str);
    else if (v.kind != ITH_J_UNDEFINED)
        ith_jrepr(build, v);
}

ith_jstr *ith_jtext(ith_jrun *run, ith_jval v)
{
    ith_jbuild build = {.run = run};

    if (v.kind == ITH_J_STRING)
        return v.as.str;
    ith_jprint(&build, v);
    return ith_jbuild_end(&build);
}

/* ---- JSON ---- */

static void put_escape(ith_jbuild *build, uint32_t code, ith_jorigin origin)
{
    static const char from[] = "\"\\\n\r\t\f\b", to[] = "\"\\nrtfb";
    const char *known = code != 0 && code < 0x80 ? strchr(from, (char)code) : NULL;
    char text[16];

    if (known != NULL)
        snprintf(text, sizeof text, "\\%c", to[known - from]);
    else if (code < 0x10000)
        snprintf(text, sizeof text, "\\u%04x", code);
    else
        snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                 0xdc00 + ((code - 0x10000) & 0x3ff));
    ith_jbuild_text(build, text, origin);
}

static void put_string(ith_jbuild *build, const ith_jstr *s, bool ascii)
{
    ith_jorigin origin = ith_jstr_origin(s, 0, s->len);
    size_t begin = 0, at = 0, width;

    ith_jrun_step(build->run, s->len / 4);
    ith_jbuild_text(build, "\"", origin);
    for (; at < s->len; at += width) {
        uint32_t code = ith_jstr_code(s, at, &width);
        if (code >= 0x20 && code != '"' && code != '\\' && (!ascii || code <= 0x7f))
            continue;
        ith_jbuild_slice(build, s, begin, at);
        put_escape(build, code, ith_jstr_origin(s, at, at + width));
        begin = at + width;
    }
    ith_jbuild_slice(build, s, begin, s->len);
    ith_jbuild_text(build, "\"", origin);
}

typedef struct json_writer {
    ith_jbuild *build;
    const ith_jjson *style;
    int level;
} json_writer;

static void put_value(json_writer *w, ith_jval v);

static void put_line(json_writer *w, ith_jorigin origin)
{
    if (w->style->indent == NULL)
        return;
    ith_jbuild_text(w->build, "\n", origin);
    for (int i = 0; i < w->level; i++)
        ith_jbuild_str(w->build, w->style->indent);
}

static void put_list(json_writer *w, const ith_jlist *list)
{
    ith_jbuild_text(w->build, "[", list->origin);
    w->level++;
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            ith_jbuild_bytes(w->build, w->style->item->data, w->style->item->len, list->origin);
        put_line(w, list->origin);
        put_value(w, list->items[i]);
    }
    w->level--;
    if (list->n > 0)
        put_line(w, list->origin);
    ith_jbuild_text(w->build, "]", list->origin);
}

static ith_jval put_key(json_writer *w, ith_jval key)
{
    ith_jbuild build = {.run = w->build->run};

    if (key.kind == ITH_J_STRING)
        return key;
    if (!ith_jis_number(key) && key.kind != ITH_J_NONE)
        ith_jrun_fail(build.run, ITH_E_ARGUMENT, "a %s cannot be a key in JSON",
                      ith_jkind_name(key));
    ith_jprint_json(&build, key, w->style);
    return ith_jstring(ith_jbuild_end(&build));
}

static void put_dict(json_writer *w, const ith_jdict *dict)
{
    ith_jrun *run = w->build->run;
    ith_jentry *entries = ith_jrun_alloc(run, dict->n, sizeof *entries);

    if (dict->n > 0)
        memcpy(entries, dict->entries, dict->n * sizeof *entries);
    if (w->style->sorted)
        ith_jsort(run, entries, dict->n, false, false);
    ith_jbuild_text(w->build, "{", dict->origin);
    w->level++;
    for (size_t i = 0; i < dict->n; i++) {
        if (i > 0)
            ith_jbuild_bytes(w->build, w->style->item->data, w->style->item->len, dict->origin);
        put_line(w, dict->origin);
        put_value(w, put_key(w, entries[i].key));
        ith_jbuild_bytes(w->build, w->style->key->data, w->style->key->len, dict->origin);
        put_value(w, entries[i].value);
    }
    w->level--;
    if (dict->n > 0)
        put_line(w, dict->origin);
    ith_jbuild_text(w->build, "}", dict->origin);
}

static void put_number(json_writer *w, ith_jval v)
{
    char text[40];

    if (v.kind == ITH_J_INT)
        snprintf(text, sizeof text, "%lld", (long long)v.as.i);
    else if (isfinite(v.as.f))
        print_float(w->build->run, text, v.as.f);
    else
        strcpy(text, isnan(v.as.f) ? "NaN" : v.as.f > 0 ? "Infinity" : "-Infinity");
    ith_jbuild_text(w->build, text, v.origin);
}

static void put_value(json_writer *w, ith_jval v)
{
    ith_jrun *run = w->build->run;

    ith_jrun_enter(run);
    ith_jrun_step(run, 1);
    switch (v.kind) {
    case ITH_J_NONE:
        ith_jbuild_text(w->build, "null", v.origin);
        break;
    case ITH_J_BOOL:
        ith_jbuild_text(w->build, v.as.truth ? "true" : "false", v.origin);
        break;
    case ITH_J_INT:
    case ITH_J_FLOAT:
        put_number(w, v);
        break;
    case ITH_J_STRING:
        put_string(w->build, v.as.str, w->style->ascii);
        break;
    case ITH_J_LIST:
    case ITH_J_TUPLE:
        put_list(w, v.as.list);
        break;
    case ITH_J_DICT:
        put_dict(w, v.as.dict);
        break;
    default:
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a %s cannot be written as JSON", ith_jkind_name(v));
    }
    ith_jrun_exit(run);
}

void ith_jprint_json(ith_jbuild *build, ith_jval v, const ith_jjson *style)
{
    json_writer w = {.build = build, .style = style};

    put_value(&w, v);
}
