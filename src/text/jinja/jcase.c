/* jcase.c - changes of case, and the methods of strings for case and classes of characters. */
#include "text/jinja/jcase.h"
#include "text/jinja/jbuiltin.h"

#include <utf8proc.h>

static bool is_upper(uint32_t code)
{
    return utf8proc_tolower((utf8proc_int32_t)code) != (utf8proc_int32_t)code;
}

static bool is_lower(uint32_t code)
{
    return utf8proc_category((utf8proc_int32_t)code) == UTF8PROC_CATEGORY_LL ||
           utf8proc_toupper((utf8proc_int32_t)code) != (utf8proc_int32_t)code;
}

/* Letters that become several, or another in another place (Unicode's SpecialCasing.txt,
 * by blocks), but for sharp s. */
static bool is_special(uint32_t code)
{
    return code == 0x130 || code == 0x149 || code == 0x1f0 || code == 0x390 || code == 0x3a3 ||
           code == 0x3b0 || code == 0x587 || (code >= 0x1e96 && code <= 0x1e9e) ||
           (code >= 0x1f50 && code <= 0x1fff) || (code >= 0xfb00 && code <= 0xfb17) ||
           (code >= 0x1c4 && code <= 0x1cc) || (code >= 0x1f1 && code <= 0x1f3);
}

static void put(ith_jbuild *build, uint32_t code, bool upper, bool title, ith_jorigin origin)
{
    utf8proc_int32_t c = (utf8proc_int32_t)code;

    if (is_special(code))
        ith_jrun_fail(build->run, ITH_E_UNSUPPORTED, "the case of U+%04X is not supported", code);
    if (code == 0xdf && (upper || title))
        ith_jbuild_text(build, upper ? "SS" : "Ss", origin);
    else
        ith_jbuild_code(build,
                        (uint32_t)(upper   ? utf8proc_toupper(c)
                                   : title ? utf8proc_totitle(c)
                                           : utf8proc_tolower(c)),
                        origin);
}

ith_jstr *ith_jstr_case(ith_jrun *run, const ith_jstr *s, ith_jcase to)
{
    ith_jbuild build = {.run = run};
    bool inside = false; /* of a word */
    size_t width;

    ith_jrun_step(run, s->len / 2);
    for (size_t at = 0; at < s->len; at += width) {
        uint32_t code = ith_jstr_code(s, at, &width);
        bool cased = is_upper(code) || is_lower(code);
        bool first = to == ITH_JCASE_TITLE ? !inside : to == ITH_JCASE_CAPITAL && at == 0;
        ith_jorigin origin = ith_jstr_origin(s, at, at + width);
        if (cased)
            put(&build, code, to == ITH_JCASE_UPPER || (to == ITH_JCASE_SWAP && is_lower(code)),
                first, origin);
        else
            ith_jbuild_slice(&build, s, at, at + width);
        inside = cased;
    }
    return ith_jbuild_end(&build);
}

bool ith_jstr_is_case(ith_jrun *run, const ith_jstr *s, bool upper)
{
    bool any = false;
    size_t width;

    ith_jrun_step(run, s->len / 2);
    for (size_t at = 0; at < s->len; at += width) {
        uint32_t code = ith_jstr_code(s, at, &width);
        if (upper ? is_lower(code) : is_upper(code))
            return false;
        any = any || is_lower(code) || is_upper(code);
    }
    return any;
}

/* ---- Methods: case ---- */

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

/* ---- Methods: classes of characters ---- */

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

const ith_jbuiltin ith_jcase_methods[] = {
    {"upper", m_upper, "", 0},       {"lower", m_lower, "", 0},
    {"title", m_title, "", 0},       {"capitalize", m_capitalize, "", 0},
    {"swapcase", m_swapcase, "", 0}, {"isalpha", m_isalpha, "", 0},
    {"isalnum", m_isalnum, "", 0},   {"isdecimal", m_isdecimal, "", 0},
    {"isdigit", m_isdigit, "", 0},   {"isnumeric", m_isdigit, "", 0},
    {"isspace", m_isspace, "", 0},   {"isascii", m_isascii, "", 0},
    {"islower", m_islower, "", 0},   {"isupper", m_isupper, "", 0},
    {"istitle", m_istitle, "", 0},   {NULL, NULL, NULL, 0},
};
