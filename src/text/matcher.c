/* matcher.c - runs PCRE2 over the kinds of a text's characters, within a budget of steps. */
#include "text/matcher.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

enum {
    /* Backtracking points. A match at one place costs up to FREE_STEPS without being counted. What
     * takes more is paid for by the text as a whole: so many points, and more for each byte. */
    FREE_STEPS = 256,
    TEXT_STEPS = 50 * 1000 * 1000,
    STEPS_PER_BYTE = 64,
    /* Without JIT, or where its stack is too small: so much memory for backtracking. */
    HEAP_LIMIT_KIB = 65536,
    JIT_STACK_MIN = 32 * 1024,
    JIT_STACK_MAX = 8 * 1024 * 1024
};

ith_status ith_match_budget_open(ith_match_budget *budget, ith_error *err)
{
    budget->steps = TEXT_STEPS;
    budget->context = pcre2_match_context_create(NULL);
    /* NULL without JIT. */
    budget->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
    if (budget->context == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for matching");
    pcre2_set_heap_limit(budget->context, HEAP_LIMIT_KIB);
    if (budget->stack != NULL)
        pcre2_jit_stack_assign(budget->context, NULL, budget->stack);
    return ITH_OK;
}

void ith_match_budget_close(ith_match_budget *budget)
{
    pcre2_match_context_free(budget->context);
    pcre2_jit_stack_free(budget->stack);
    *budget = (ith_match_budget){0};
}

void ith_match_budget_add(ith_match_budget *budget, size_t len)
{
    budget->steps += STEPS_PER_BYTE * (uint64_t)len;
}

ith_status ith_matcher_open(ith_matcher *matcher, const ith_pattern *pattern, ith_error *err)
{
    *matcher = (ith_matcher){.pattern = pattern, .match = pcre2_match_data_create(1, NULL)};
    return matcher->match != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for matching");
}

void ith_matcher_close(ith_matcher *matcher)
{
    pcre2_match_data_free(matcher->match);
    ith_buffer_free(&matcher->kinds);
    *matcher = (ith_matcher){0};
}

ith_status ith_matcher_begin(ith_matcher *matcher, const char *text, size_t len, ith_error *err)
{
    matcher->kinds.len = matcher->from = matcher->at = matcher->at_byte = 0;
    matcher->len = len;
    ITH_TRY(ith_buffer_reserve(&matcher->kinds, len + 1, err));
    matcher->n = ith_pattern_kinds(matcher->pattern, text, len, matcher->kinds.data);
    return ITH_OK;
}

/* A try with a limit of its own; at most UINT32_MAX. */
static int try_match(ith_matcher *m, ith_match_budget *budget, size_t at, bool anchored,
                     uint64_t limit)
{
    const pcre2_code *code = ith_pattern_code(m->pattern, anchored);
    PCRE2_SPTR kinds = (PCRE2_SPTR)m->kinds.data;
    int rc;

    pcre2_set_match_limit(budget->context, limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX);
    rc = pcre2_match(code, kinds, m->n, at, 0, m->match, budget->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(code, kinds, m->n, at, PCRE2_NO_JIT, m->match, budget->context);
    return rc;
}

/* A match that begins at `at` and costs more than FREE_STEPS: tried with twice as much each time,
 * until the text's budget is spent. */
static int costly_match(ith_matcher *m, ith_match_budget *budget, size_t at)
{
    uint64_t limit = FREE_STEPS;
    int rc;

    do {
        limit = 2 * limit < budget->steps ? 2 * limit : budget->steps;
        rc = try_match(m, budget, at, true, limit);
        budget->steps -= limit;
    } while (rc == PCRE2_ERROR_MATCHLIMIT && budget->steps > 0);
    return rc;
}

/* The next match from `at` on. PCRE2's limit holds for each place where a match could begin, so
 * after a costly one the places are tried one by one. */
static int next_match(ith_matcher *m, ith_match_budget *budget, size_t at)
{
    int rc = try_match(m, budget, at, false, FREE_STEPS);

    while (rc == PCRE2_ERROR_MATCHLIMIT) {
        rc = try_match(m, budget, at, true, FREE_STEPS);
        if (rc == PCRE2_ERROR_MATCHLIMIT)
            rc = costly_match(m, budget, at);
        if (rc != PCRE2_ERROR_NOMATCH || at == m->n)
            break;
        at++;
        rc = PCRE2_ERROR_MATCHLIMIT;
    }
    return rc;
}

/* The first byte of a character, at or behind the last one that was asked for. */
static size_t byte_of(ith_matcher *m, const char *text, size_t character)
{
    if (m->n == m->len)
        return character;
    for (; m->at < character; m->at++) {
        size_t width;
        ith_utf8_decode(text + m->at_byte, &width);
        m->at_byte += width;
    }
    return m->at_byte;
}

ith_status ith_matcher_next(ith_matcher *m, ith_match_budget *budget, const char *text,
                            size_t *begin, size_t *end, bool *found, ith_error *err)
{
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(m->match);
    char why[120] = "";
    int rc;

    *found = false;
    if (m->from >= m->n)
        return ITH_OK;
    rc = next_match(m, budget, m->from);
    if (rc == PCRE2_ERROR_NOMATCH)
        return ITH_OK;
    if (rc < 0) {
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)why, sizeof why);
        return ith_fail(err, ITH_E_FORMAT, "a pattern of the tokenizer fails on this text: %s",
                        why);
    }
    *found = true;
    *begin = byte_of(m, text, span[0]);
    *end = byte_of(m, text, span[1]);
    m->from = span[1] + (span[0] == span[1]); /* after an empty match: one character on */
    return ITH_OK;
}
