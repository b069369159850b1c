/* jformat.c - "%s" % values and "{}".format(values): the conversions that templates use. */
#include "text/jinja/jaccess.h"
#include "text/jinja/jprint.h"

#include <stdio.h>
#include <string.h>

typedef struct spec {
    char fill, align, sign; /* 0: not given */
    bool zero, alternate;
    int64_t width, precision; /* -1: not given */
    char type;
} spec;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_among(char c, const char *chars)
{
    return c != '\0' && strchr(chars, c) != NULL;
}

static int64_t number_at(const ith_jstr *s, size_t *at, int64_t otherwise)
{
    int64_t n = 0;

    if (*at >= s->len || !is_digit(s->data[*at]))
        return otherwise;
    for (; *at < s->len && is_digit(s->data[*at]) && n < 100000; (*at)++)
        n = n * 10 + (s->data[*at] - '0');
    return n;
}

/* Writes `text` into a field of at least `width`. */
static void put_field(ith_jbuild *build, ith_jstr *text, const spec *f, char align)
{
    int64_t more = f->width - (int64_t)ith_jstr_chars(build->run, text), left = 0;
    size_t sign = 0;

    more = more < 0 ? 0 : more;
    ith_jrun_step(build->run, (uint64_t)more);
    if (align == '=')
        sign = text->len > 0 && (text->data[0] == '-' || text->data[0] == '+');
    left = align == '<' ? 0 : align == '^' ? more / 2 : more;
    ith_jbuild_slice(build, text, 0, sign);
    for (int64_t i = 0; i < left; i++)
        ith_jbuild_bytes(build, &f->fill, 1, ITH_JTEMPLATE);
    ith_jbuild_slice(build, text, sign, text->len);
    for (int64_t i = left; i < more; i++)
        ith_jbuild_bytes(build, &f->fill, 1, ITH_JTEMPLATE);
}

static ith_jstr *number_text(ith_jrun *run, ith_jval v, const spec *f)
{
    char text[420], format[16];
    ith_jbuild build = {.run = run};
    int precision = f->precision < 0 ? 6 : (int)f->precision;

    if (!ith_jis_number(v))
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a %s cannot be formatted as a number",
                      ith_jkind_name(v));
    if (precision > 60)
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "more than 60 decimals are not supported");
    if (is_among(f->type, "dxXo")) {
        unsigned long long size;
        const char *sign;
        int64_t i;
        if (v.kind == ITH_J_FLOAT && !(v.as.f > -0x1p63 && v.as.f < 0x1p63))
            ith_jrun_fail(run, ITH_E_ARGUMENT, "an integer has more than 64 bits");
        i = v.kind == ITH_J_FLOAT ? (int64_t)v.as.f : ith_jintegral(v);
        size = i < 0 ? 0 - (unsigned long long)i : (unsigned long long)i;
        sign = i < 0 ? "-" : f->sign == '+' ? "+" : f->sign == ' ' ? " " : "";
        snprintf(format, sizeof format, "%%s%%ll%c", f->type == 'd' ? 'u' : f->type);
        snprintf(text, sizeof text, format, sign, size);
    } else {
        snprintf(format, sizeof format, "%%%s.*%c",
                 f->sign == '+' ? "+"
                 : f->sign      ? " "
                                : "",
                 f->type);
        ith_jrun_step(run, 100);
        snprintf(text, sizeof text, format, precision, ith_jreal(v));
    }
    ith_jbuild_text(&build, text, v.origin);
    return ith_jbuild_end(&build);
}

static void put_value(ith_jbuild *build, ith_jval v, spec *f)
{
    ith_jrun *run = build->run;
    ith_jstr *text;
    ith_jbuild repr = {.run = run};
    bool number = is_among(f->type, "dxXofFeEgG");

    if (number) {
        text = number_text(run, v, f);
    } else if (f->type == 'r') {
        ith_jrepr(&repr, v);
        text = ith_jbuild_end(&repr);
    } else {
        text = ith_jtext(run, v);
    }
    if (!number && f->precision >= 0 && f->precision < (int64_t)ith_jstr_chars(run, text))
        text = ith_jstr_slice(run, text, 0, ith_jstr_offset(run, text, (size_t)f->precision));
    put_field(build, text, f, f->align ? f->align : number ? '>' : '<');
}

/* ---- Percent ---- */

typedef struct values {
    ith_jval all;
    size_t used, n;
} values;

static ith_jval next_value(ith_jrun *run, values *v)
{
    if (v->used >= v->n)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a format has too few values");
    v->used++;
    return v->all.kind == ITH_J_TUPLE ? v->all.as.list->items[v->used - 1] : v->all;
}

static ith_jval named_value(ith_jrun *run, values *v, const ith_jstr *s, size_t *at)
{
    size_t begin = *at + 1;
    ith_jval *found = NULL;

    while (*at < s->len && s->data[*at] != ')')
        (*at)++;
    if (v->all.kind == ITH_J_DICT && *at < s->len)
        found = ith_jdict_get(run, v->all.as.dict, ith_jstring(ith_jstr_slice(run, s, begin, *at)));
    if (found == NULL)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a format names a value that is not there");
    (*at)++;
    v->used = v->n;
    return *found;
}

static void put_percent(ith_jbuild *build, const ith_jstr *s, size_t *at, values *v)
{
    spec f = {.fill = ' ', .width = 0, .precision = -1, .align = '>'};
    ith_jval value = {0};

    if (*at < s->len && s->data[*at] == '(')
        value = named_value(build->run, v, s, at);
    for (; *at < s->len && is_among(s->data[*at], "-+ 0"); (*at)++) {
        if (s->data[*at] == '-')
            f.align = '<';
        else if (s->data[*at] == '0')
            f.zero = true;
        else if (f.sign != '+')
            f.sign = s->data[*at];
    }
    f.width = number_at(s, at, 0);
    if (*at < s->len && s->data[*at] == '.') {
        (*at)++;
        f.precision = number_at(s, at, 0);
    }
    if (*at >= s->len || !is_among(s->data[*at], "sdirxXofFeEgG%"))
        ith_jrun_fail(build->run, ITH_E_UNSUPPORTED, "this conversion after %% is not supported");
    f.type = s->data[(*at)++];
    if (f.type == '%') {
        ith_jbuild_text(build, "%", ITH_JTEMPLATE);
        return;
    }
    f.type = f.type == 'i' ? 'd' : f.type;
    if (f.zero && f.align == '>' && !is_among(f.type, "sr")) {
        f.fill = '0';
        f.align = '=';
    }
    put_value(build, value.kind == ITH_J_ABSENT ? next_value(build->run, v) : value, &f);
}

ith_jval ith_jpercent(ith_jrun *run, ith_jstr *s, ith_jval value)
{
    ith_jbuild build = {.run = run};
    values v = {.all = value, .n = value.kind == ITH_J_TUPLE ? value.as.list->n : 1};
    size_t at = 0;

    while (at < s->len) {
        const char *next = memchr(s->data + at, '%', s->len - at);
        size_t end = next == NULL ? s->len : (size_t)(next - s->data);
        ith_jbuild_slice(&build, s, at, end);
        at = end + 1;
        if (end < s->len)
            put_percent(&build, s, &at, &v);
    }
    /* Python lets what could be a mapping go unused. */
    if (v.used < v.n && value.kind != ITH_J_DICT && value.kind != ITH_J_LIST &&
        value.kind != ITH_J_RANGE && value.kind != ITH_J_UNDEFINED)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a format has too many values");
    return ith_jstring(ith_jbuild_end(&build));
}

/* ---- format() ---- */

static spec parse_spec(ith_jrun *run, const ith_jstr *s)
{
    spec f = {.fill = ' ', .precision = -1, .type = 's'};
    size_t at = 0;

    if (s->len > 1 && is_among(s->data[1], "<>^=")) {
        f.fill = s->data[0];
        f.align = s->data[1];
        at = 2;
    } else if (s->len > 0 && is_among(s->data[0], "<>^=")) {
        f.align = s->data[at++];
    }
    if (at < s->len && is_among(s->data[at], "+- ")) {
        f.sign = s->data[at] == '-' ? '\0' : s->data[at];
        at++;
    }
    if (at < s->len && s->data[at] == '0') {
        f.zero = true;
        at++;
    }
    f.width = number_at(s, &at, 0);
    if (at < s->len && s->data[at] == '.') {
        at++;
        f.precision = number_at(s, &at, 0);
    }
    if (at < s->len)
        f.type = s->data[at++];
    if (at < s->len || !is_among(f.type, "sdxXofFeEgG"))
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "this format of a field is not supported");
    if (f.zero && f.align == 0) {
        f.fill = '0';
        f.align = '=';
    }
    return f;
}

/* "name.attr[0]" */
static ith_jval find_field(ith_jrun *run, const ith_jstr *name, const ith_jargs *args,
                           size_t *automatic)
{
    size_t at = 0;
    int64_t index = number_at(name, &at, -1);

    if (name->len == 0)
        index = (int64_t)(*automatic)++;
    if (memchr(name->data, '.', name->len) != NULL || memchr(name->data, '[', name->len) != NULL)
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "attributes in a format are not supported");
    if (index >= 0 && (size_t)index < args->n)
        return args->pos[index];
    for (size_t i = 0; i < args->n_named; i++)
        if (ith_jstr_equal(args->named[i].name, name))
            return args->named[i].value;
    ith_jrun_fail(run, ITH_E_ARGUMENT, "a format names a value that is not there");
}

static void put_braces(ith_jbuild *build, const ith_jstr *s, size_t begin, size_t end,
                       const ith_jargs *args, size_t *automatic)
{
    ith_jrun *run = build->run;
    const char *colon = memchr(s->data + begin, ':', end - begin);
    size_t name_end = colon == NULL ? end : (size_t)(colon - s->data);
    spec f = {.fill = ' ', .precision = -1, .type = 's'};
    bool repr = name_end - begin >= 2 && memcmp(s->data + name_end - 2, "!r", 2) == 0;
    ith_jval v;

    if (memchr(s->data + begin, '!', name_end - begin) != NULL && !repr)
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "only !r is supported in a format");
    if (memchr(s->data + begin, '{', end - begin) != NULL)
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "nested fields in a format are not supported");
    v = find_field(run, ith_jstr_slice(run, s, begin, name_end - (repr ? 2 : 0)), args, automatic);
    if (colon != NULL && name_end + 1 < end) {
        f = parse_spec(run, ith_jstr_slice(run, s, name_end + 1, end));
        if (f.type == 's' && v.kind != ITH_J_STRING && !repr) {
            if (v.kind != ITH_J_INT || f.precision >= 0)
                ith_jrun_fail(run, ITH_E_UNSUPPORTED, "this format of a field is not supported");
            f.type = 'd';
        }
    }
    if (repr)
        f.type = 'r';
    put_value(build, v, &f);
}

ith_jval ith_jformat(ith_jrun *run, ith_jstr *s, const ith_jargs *args)
{
    ith_jbuild build = {.run = run};
    size_t at = 0, automatic = 0;

    while (at < s->len) {
        char c = s->data[at];
        const char *close;
        if (c != '{' && c != '}') {
            ith_jbuild_slice(&build, s, at, at + 1);
            at++;
            continue;
        }
        if (at + 1 < s->len && s->data[at + 1] == c) {
            ith_jbuild_slice(&build, s, at, at + 1);
            at += 2;
            continue;
        }
        close = c == '{' ? memchr(s->data + at, '}', s->len - at) : NULL;
        if (close == NULL)
            ith_jrun_fail(run, ITH_E_ARGUMENT, "a format has a single brace");
        put_braces(&build, s, at + 1, (size_t)(close - s->data), args, &automatic);
        at = (size_t)(close - s->data) + 1;
    }
    return ith_jstring(ith_jbuild_end(&build));
}
