/* jfilters.c - filters of texts and of single values. */
#include "text/jinja/jaccess.h"
#include "text/jinja/jcase.h"
#include "text/jinja/jmethods.h"
#include "text/jinja/jprint.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Texts ---- */

static ith_jval cased(ith_jrun *run, ith_jval self, ith_jcase to)
{
    return ith_jstring(ith_jstr_case(run, ith_jtext(run, self), to));
}

static ith_jval f_upper(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return cased(run, self, ITH_JCASE_UPPER);
}

static ith_jval f_lower(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return cased(run, self, ITH_JCASE_LOWER);
}

static ith_jval f_capitalize(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return cased(run, self, ITH_JCASE_CAPITAL);
}

static bool begins_word(uint32_t code)
{
    return code == '-' || code == '(' || code == '{' || code == '[' || code == '<' ||
           ith_jcode_is_space(code);
}

/* Jinja's words begin at blanks, hyphens and brackets only, unlike those of str.title. */
static ith_jval f_title(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jstr *s = ith_jtext(run, self);
    ith_jbuild build = {.run = run};
    bool first = true;
    size_t width;

    (void)args;
    for (size_t at = 0; at < s->len; at += width) {
        uint32_t code = ith_jstr_code(s, at, &width);
        ith_jstr *letter = ith_jstr_slice(run, s, at, at + width);
        ith_jrun_step(run, 1);
        ith_jbuild_str(&build,
                       ith_jstr_case(run, letter, first ? ITH_JCASE_UPPER : ITH_JCASE_LOWER));
        first = begins_word(code);
    }
    return ith_jstring(ith_jbuild_end(&build));
}

static ith_jval f_trim(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    const ith_jstr *chars = ith_jgiven(args->pos[0]) ? ith_jarg_str(run, args->pos[0], NULL) : NULL;

    return ith_jstring(ith_jstr_strip(run, ith_jtext(run, self), chars, true, true));
}

static ith_jval f_replace(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return ith_jstring(ith_jstr_replace(run, ith_jtext(run, self), ith_jtext(run, args->pos[0]),
                                        ith_jtext(run, args->pos[1]),
                                        ith_jarg_int(run, args->pos[2], -1)));
}

/* A text, or so many blanks. */
static const ith_jstr *indentation(ith_jrun *run, ith_jval v, int64_t otherwise)
{
    ith_jstr blank = {.data = " ", .len = 1};

    if (v.kind == ITH_J_STRING)
        return v.as.str;
    return ith_jbinary(run, ith_jstr_text(run, "*"), ith_jstring(&blank),
                       ith_jint(ith_jarg_int(run, v, otherwise)))
        .as.str;
}

static ith_jval f_indent(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jstr *s = ith_jarg_str(run, self, NULL);
    bool first = ith_jarg_bool(run, args->pos[1], false);
    bool blanks = ith_jarg_bool(run, args->pos[2], false);
    const ith_jstr *indent = indentation(run, args->pos[0], 4);
    ith_jlist *lines;
    ith_jbuild build = {.run = run};

    lines = ith_jstr_lines(run, ith_jstr_concat(run, s, ith_jstr_text(run, "\n")), false);
    for (size_t i = 0; i < lines->n; i++) {
        const ith_jstr *line = lines->items[i].as.str;
        if (i > 0)
            ith_jbuild_text(&build, "\n", ith_jstr_origin(s, 0, s->len));
        if (i == 0 ? first : line->len > 0 || blanks)
            ith_jbuild_str(&build, indent);
        ith_jbuild_str(&build, line);
    }
    return ith_jstring(ith_jbuild_end(&build));
}

static ith_jval f_format(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jlist *list = ith_jlist_new(run, args->n, ITH_JTEMPLATE);
    ith_jdict *dict = ith_jdict_new(run, ITH_JTEMPLATE);

    for (size_t i = 0; i < args->n; i++)
        ith_jlist_add(run, list, args->pos[i]);
    for (size_t i = 0; i < args->n_named; i++)
        ith_jdict_set(run, dict, ith_jstring((ith_jstr *)args->named[i].name),
                      args->named[i].value);
    if (args->n > 0 && args->n_named > 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "format takes values by position or by name, not both");
    return ith_jpercent(run, ith_jtext(run, self),
                        args->n_named > 0 ? ith_jdict_value(dict)
                                          : ith_jlist_value(list, ITH_J_TUPLE));
}

static ith_jval f_string(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jstring(ith_jtext(run, self));
}

static ith_jval f_safe(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jstr *s = ith_jtext(run, self);

    (void)args;
    s = ith_jstr_slice(run, s, 0, s->len);
    s->safe = true;
    return ith_jstring(s);
}

static ith_jval f_escape(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jstring(ith_jstr_escape(run, ith_jtext(run, self)));
}

static ith_jval f_center(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jval text = ith_jstring(ith_jtext(run, self));
    ith_jval width = ith_jint(ith_jarg_int(run, args->pos[0], 80));
    const ith_jbuiltin *center = ith_jmethod_of(run, text, ith_jstr_text(run, "center"));

    return ith_jbuiltin_call(run, center, text, &(ith_jargs){.pos = &width, .n = 1});
}

static ith_jval f_wordcount(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    const ith_jstr *s = ith_jtext(run, self);
    bool inside = false;
    int64_t n = 0;
    size_t width;

    (void)args;
    for (size_t at = 0; at < s->len; at += width) {
        bool space = ith_jcode_is_space(ith_jstr_code(s, at, &width));
        ith_jrun_step(run, 1);
        if (s->data[at] & 0x80 || strchr("'\"-.,;:!?", s->data[at]) != NULL)
            ith_jrun_fail(run, ITH_E_UNSUPPORTED, "wordcount is supported for plain words only");
        n += !space && !inside;
        inside = !space;
    }
    return ith_jint(n);
}

const ith_jbuiltin ith_jtext_filters[] = {
    {"upper", f_upper, "", 0},
    {"lower", f_lower, "", 0},
    {"capitalize", f_capitalize, "", 0},
    {"title", f_title, "", 0},
    {"trim", f_trim, "chars", 0},
    {"replace", f_replace, "old new count", 2},
    {"indent", f_indent, "width first blank", 0},
    {"format", f_format, "*", 0},
    {"string", f_string, "", 0},
    {"safe", f_safe, "", 0},
    {"escape", f_escape, "", 0},
    {"e", f_escape, "", 0},
    {"center", f_center, "width", 0},
    {"wordcount", f_wordcount, "", 0},
    {NULL, NULL, NULL, 0},
};

/* ---- Single values ---- */

static ith_jval f_default(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    bool otherwise = self.kind == ITH_J_UNDEFINED ||
                     (ith_jarg_bool(run, args->pos[1], false) && !ith_jtruth(run, self));

    if (!otherwise)
        return self;
    return args->pos[0].kind == ITH_J_ABSENT ? ith_jstring(ith_jstr_text(run, "")) : args->pos[0];
}

/* Reads all of a text as a number with strtod or strtoll; false: it is none. */
static bool read_number(ith_jrun *run, const ith_jstr *text, int64_t base, ith_jval *out)
{
    ith_jstr *s = ith_jstr_strip(run, (ith_jstr *)text, NULL, true, true);
    char copy[72], *end;

    if (s->len == 0 || s->len >= sizeof copy || memchr(s->data, '\0', s->len) != NULL)
        return false;
    if (memchr(s->data, '_', s->len) != NULL)
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "underscores in numbers are not supported");
    memcpy(copy, s->data, s->len);
    copy[s->len] = '\0';
    errno = 0;
    if (base != 0) {
        long long i = strtoll(copy, &end, (int)base);
        if (errno == ERANGE)
            ith_jrun_fail(run, ITH_E_ARGUMENT, "an integer has more than 64 bits");
        *out = ith_jint(i);
    } else {
        if (strpbrk(copy, "xX(") != NULL)
            return false;
        *out = ith_jfloat(strtod(copy, &end));
    }
    out->origin = (unsigned char)ith_jstr_origin(s, 0, s->len);
    return *end == '\0';
}

static ith_jval f_int(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jval otherwise = args->pos[0].kind == ITH_J_ABSENT ? ith_jint(0) : args->pos[0], out = self;
    int64_t base = ith_jarg_int(run, args->pos[1], 10);

    if (base != 10 && base != 2 && base != 8 && base != 16)
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "int: only the bases 2, 8, 10 and 16 are supported");
    if (self.kind == ITH_J_UNDEFINED)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "%s", self.as.missing);
    if (self.kind == ITH_J_STRING && !read_number(run, self.as.str, base, &out) &&
        !read_number(run, self.as.str, 0, &out))
        return otherwise;
    if (ith_jis_integral(out))
        return ith_jint(ith_jintegral(out));
    if (out.kind != ITH_J_FLOAT || !isfinite(out.as.f))
        return otherwise;
    if (!(out.as.f > -0x1p63 && out.as.f < 0x1p63))
        ith_jrun_fail(run, ITH_E_ARGUMENT, "an integer has more than 64 bits");
    return ith_jint((int64_t)out.as.f);
}

static ith_jval f_float(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jval otherwise = args->pos[0].kind == ITH_J_ABSENT ? ith_jfloat(0) : args->pos[0], out;

    if (self.kind == ITH_J_UNDEFINED)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "%s", self.as.missing);
    if (ith_jis_number(self))
        return ith_jfloat(ith_jreal(self));
    if (self.kind == ITH_J_STRING && read_number(run, self.as.str, 0, &out))
        return out;
    return otherwise;
}

static ith_jval f_abs(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    if (self.kind == ITH_J_FLOAT)
        return ith_jfloat(fabs(self.as.f));
    if (ith_jis_integral(self) && ith_jintegral(self) >= 0)
        return ith_jint(ith_jintegral(self));
    return ith_jnegate(run, self);
}

/* Python rounds decimal digits correctly; for few digits of moderate numbers this is what printf
 * does. */
static ith_jval f_round(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    int64_t digits = ith_jarg_int(run, args->pos[0], 0);
    ith_jstr *method = ith_jarg_str(run, args->pos[1], "common");
    char text[400];
    double scale = 1, x;

    if (!ith_jis_number(self))
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a %s cannot be rounded", ith_jkind_name(self));
    if (digits < 0 || digits > 15)
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "round: only 0 to 15 digits are supported");
    x = ith_jreal(self);
    ith_jrun_step(run, 100);
    if (ith_jstr_is(method, "common")) {
        if (self.kind != ITH_J_FLOAT)
            return ith_jint(ith_jintegral(self));
        snprintf(text, sizeof text, "%.*f", (int)digits, x);
        return ith_jfloat(strtod(text, NULL));
    }
    if (!ith_jstr_is(method, "ceil") && !ith_jstr_is(method, "floor"))
        ith_jrun_fail(run, ITH_E_ARGUMENT, "round: the method is common, ceil or floor");
    for (int64_t i = 0; i < digits; i++)
        scale *= 10; /* exact up to 1e22 */
    x = ith_jstr_is(method, "ceil") ? ceil(x * scale) : floor(x * scale);
    return ith_jfloat((x == 0 ? 0 : x) / scale);
}

static ith_jval f_tojson(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jjson style = {.ascii = ith_jarg_bool(run, args->pos[0], false),
                       .sorted = ith_jarg_bool(run, args->pos[3], false)};
    ith_jval separators = args->pos[2];
    ith_jbuild build = {.run = run};

    if (ith_jgiven(args->pos[1]))
        style.indent = indentation(run, args->pos[1], 0);
    style.item = ith_jstr_text(run, style.indent != NULL ? "," : ", ");
    style.key = ith_jstr_text(run, ": ");
    if (ith_jgiven(separators)) {
        if (!ith_jis_list(separators) || separators.as.list->n != 2)
            ith_jrun_fail(run, ITH_E_ARGUMENT, "tojson: separators are two strings");
        style.item = ith_jarg_str(run, separators.as.list->items[0], NULL);
        style.key = ith_jarg_str(run, separators.as.list->items[1], NULL);
    }
    ith_jprint_json(&build, self, &style);
    return ith_jstring(ith_jbuild_end(&build));
}

static ith_jval f_attr(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    if (self.kind == ITH_J_DICT)
        return ith_jmissing(run, self, args->pos[0]);
    return ith_jattr(run, self, ith_jarg_str(run, args->pos[0], NULL));
}

const ith_jbuiltin ith_jvalue_filters[] = {
    {"default", f_default, "default_value boolean", 0},
    {"d", f_default, "default_value boolean", 0},
    {"int", f_int, "default base", 0},
    {"float", f_float, "default", 0},
    {"abs", f_abs, "", 0},
    {"round", f_round, "precision method", 0},
    {"tojson", f_tojson, "ensure_ascii indent separators sort_keys", 0},
    {"attr", f_attr, "name", 1},
    {NULL, NULL, NULL, 0},
};
