/* unicode.c - properties of characters, by tables of runs. */
#include "text/unicode.h"

#include <string.h>

typedef struct lower_run {
    uint32_t first, last, step;
    int32_t plus;
} lower_run;

#include "text/unicode_tables.inc"

/* In the order of scripts/unicode.py. */
enum { CATEGORIES = 30, CN = 0 };

static const char *const category_names[CATEGORIES][2] = {
    {"Cn", "Unassigned"},
    {"Lu", "Uppercase_Letter"},
    {"Ll", "Lowercase_Letter"},
    {"Lt", "Titlecase_Letter"},
    {"Lm", "Modifier_Letter"},
    {"Lo", "Other_Letter"},
    {"Mn", "Nonspacing_Mark"},
    {"Mc", "Spacing_Mark"},
    {"Me", "Enclosing_Mark"},
    {"Nd", "Decimal_Number"},
    {"Nl", "Letter_Number"},
    {"No", "Other_Number"},
    {"Pc", "Connector_Punctuation"},
    {"Pd", "Dash_Punctuation"},
    {"Ps", "Open_Punctuation"},
    {"Pe", "Close_Punctuation"},
    {"Pi", "Initial_Punctuation"},
    {"Pf", "Final_Punctuation"},
    {"Po", "Other_Punctuation"},
    {"Sm", "Math_Symbol"},
    {"Sc", "Currency_Symbol"},
    {"Sk", "Modifier_Symbol"},
    {"So", "Other_Symbol"},
    {"Zs", "Space_Separator"},
    {"Zl", "Line_Separator"},
    {"Zp", "Paragraph_Separator"},
    {"Cc", "Control"},
    {"Cf", "Format"},
    {"Co", "Private_Use"},
    {"Cs", "Surrogate"},
};

enum { N_CATEGORY_RUNS = sizeof category_runs / sizeof *category_runs };
enum { N_SCRIPT_RUNS = sizeof script_runs / sizeof *script_runs };
enum { N_SCRIPTS = sizeof script_names / sizeof *script_names };

static const ith_code_range white_space[] = {
    {0x09, 0x0d},     {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680},
    {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
};

/* The value of the run that the character is in: the last of n that begins at it or before. */
static unsigned run_value(const uint32_t *runs, size_t n, uint32_t code)
{
    size_t lo = 0, hi = n;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (runs[mid] >> 8 <= code)
            lo = mid;
        else
            hi = mid;
    }
    return runs[lo] & 0xff;
}

static bool in_ranges(const ith_code_range *ranges, size_t n, uint32_t code)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (code > ranges[mid].last)
            lo = mid + 1;
        else if (code < ranges[mid].first)
            hi = mid;
        else
            return true;
    }
    return false;
}

bool ith_is_white_space(uint32_t code)
{
    return in_ranges(white_space, sizeof white_space / sizeof *white_space, code);
}

static bool is_circled_letter(uint32_t code)
{
    return (code >= 0x24b6 && code <= 0x24e9) || (code >= 0x1f130 && code <= 0x1f149) ||
           (code >= 0x1f150 && code <= 0x1f169) || (code >= 0x1f170 && code <= 0x1f189);
}

bool ith_is_word_char(uint32_t code)
{
    const char *name = category_names[run_value(category_runs, N_CATEGORY_RUNS, code)][0];

    return name[0] == 'L' || name[0] == 'M' || strcmp(name, "Nd") == 0 || strcmp(name, "Nl") == 0 ||
           strcmp(name, "Pc") == 0 || is_circled_letter(code) || code == 0x200c || code == 0x200d;
}

bool ith_unicode_is_inert(uint32_t code)
{
    /* No new character of these ranges decomposes or is a mark: old scripts, Han, Yi, Hangul. */
    if (code < 0x7fd || (code >= 0x3300 && code <= 0xa6ff) || (code >= 0xac00 && code <= 0xd7a3))
        return false;
    return run_value(category_runs, N_CATEGORY_RUNS, code) == CN ||
           in_ranges(inert, sizeof inert / sizeof *inert, code);
}

uint32_t ith_unicode_lower(uint32_t code)
{
    size_t lo = 0, hi = sizeof lower_runs / sizeof *lower_runs;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const lower_run *run = &lower_runs[mid];
        if (code > run->last)
            lo = mid + 1;
        else if (code < run->first)
            hi = mid;
        else
            return (code - run->first) % run->step == 0 ? (uint32_t)((int32_t)code + run->plus)
                                                        : code;
    }
    return code;
}

const char *ith_unicode_punctuation(void)
{
    return punctuation;
}

/* ---- Properties by their names ---- */

/* Do the names agree, when case, spaces, hyphens and underscores do not count? */
static bool is_named(const char *name, size_t len, const char *known)
{
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (c == ' ' || c == '-' || c == '_')
            continue;
        while (*known == '_')
            known++;
        if (*known == '\0' || (c | 0x20) != (*known | 0x20))
            return false;
        known++;
    }
    return *known == '\0';
}

/* Adds the runs whose value is `wanted` or, of categories, whose name begins with `letter`. */
static ith_status add_runs(const uint32_t *runs, size_t n, unsigned wanted, char letter,
                           ith_codeset *set, ith_error *err)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t last = i + 1 < n ? (runs[i + 1] >> 8) - 1 : ITH_MAX_CODE;
        unsigned value = runs[i] & 0xff;
        if (letter != '\0' ? category_names[value][0][0] == letter : value == wanted)
            ITH_TRY(ith_codeset_add(set, runs[i] >> 8, last, err));
    }
    ith_codeset_settle(set);
    return ITH_OK;
}

static ith_status add_category(unsigned wanted, char letter, ith_codeset *set, ith_error *err)
{
    return add_runs(category_runs, N_CATEGORY_RUNS, wanted, letter, set, err);
}

/* Of several categories. *known stays if the name is none of them. */
static ith_status add_group(const char *name, size_t len, ith_codeset *set, bool *known,
                            ith_error *err)
{
    static const char *const groups[][2] = {
        {"L", "Letter"}, {"M", "Mark"},      {"N", "Number"}, {"P", "Punctuation"},
        {"S", "Symbol"}, {"Z", "Separator"}, {"C", "Other"}};

    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if (!is_named(name, len, groups[i][0]) && !is_named(name, len, groups[i][1]))
            continue;
        *known = true;
        return add_category(0, groups[i][0][0], set, err);
    }
    if (is_named(name, len, "LC") || is_named(name, len, "Cased_Letter")) {
        *known = true;
        for (unsigned category = 1; category <= 3; category++)
            ITH_TRY(add_category(category, '\0', set, err));
    } else if (is_named(name, len, "Punct")) {
        *known = true;
        return add_category(0, 'P', set, err);
    } else if (is_named(name, len, "Digit")) {
        return ith_unicode_property("Nd", 2, set, known, err);
    }
    return ITH_OK;
}

static ith_status add_other(const char *name, size_t len, ith_codeset *set, bool *known,
                            ith_error *err)
{
    bool any = is_named(name, len, "Any"), assigned = is_named(name, len, "Assigned");

    if (any || assigned) {
        *known = true;
        if (assigned)
            ITH_TRY(add_category(CN, '\0', set, err));
        return ith_codeset_complement(set, err);
    }
    if (!is_named(name, len, "White_Space") && !is_named(name, len, "Space"))
        return ITH_OK;
    *known = true;
    for (size_t i = 0; i < sizeof white_space / sizeof *white_space; i++)
        ITH_TRY(ith_codeset_add(set, white_space[i].first, white_space[i].last, err));
    return ITH_OK;
}

static ith_status add_script(const char *name, size_t len, ith_codeset *set, bool *known,
                             ith_error *err)
{
    for (unsigned i = 0; i < N_SCRIPTS; i++) {
        if (!is_named(name, len, script_names[i][0]) && !is_named(name, len, script_names[i][1]))
            continue;
        *known = true;
        return add_runs(script_runs, N_SCRIPT_RUNS, i, '\0', set, err);
    }
    return ITH_OK;
}

ith_status ith_unicode_property(const char *name, size_t len, ith_codeset *set, bool *known,
                                ith_error *err)
{
    ith_codeset found = {0};
    ith_status status = ITH_OK;

    *known = false;
    for (unsigned i = 0; i < CATEGORIES && !*known; i++) {
        *known =
            is_named(name, len, category_names[i][0]) || is_named(name, len, category_names[i][1]);
        if (*known)
            ITH_CHECK(add_category(i, '\0', &found, err));
    }
    if (!*known)
        ITH_CHECK(add_group(name, len, &found, known, err));
    if (!*known)
        ITH_CHECK(add_other(name, len, &found, known, err));
    if (!*known)
        ITH_CHECK(add_script(name, len, &found, known, err));
    ITH_CHECK(ith_codeset_unite(set, &found, err));
done:
    ith_codeset_free(&found);
    return status;
}
