/* jcase.c - changes of case. */
#include "text/jinja/jcase.h"

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
            ith_jbuild_part(&build, s, at, at + width);
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
