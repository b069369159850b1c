/* pretokenize.c - runs the steps of a pre-tokenizer, one inside the other. */
#include "text/pretokenize.h"
#include "text/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

enum {
    /* Backtracking points. A match at one place costs up to FREE_STEPS without being counted. What
     * takes more is paid for by the text as a whole: so many points, and more for each byte. */
    FREE_STEPS = 256,
    TEXT_STEPS = 50 * 1000 * 1000,
    STEPS_PER_BYTE = 64,
    DEPTH_LIMIT = 1000, /* of nested calls, without JIT */
    HEAP_LIMIT_KIB = 65536,
    JIT_STACK_MIN = 32 * 1024,
    JIT_STACK_MAX = 8 * 1024 * 1024
};

static ith_status add_step(ith_pretokenizer *pre, ith_split_step step, const char *where,
                           ith_error *err)
{
    if (pre->n_steps == ITH_MAX_SPLIT_STEPS) {
        pcre2_code_free(step.code);
        return ith_fail(err, ITH_E_UNSUPPORTED, "%s: the pre_tokenizer has more than %d steps",
                        where, ITH_MAX_SPLIT_STEPS);
    }
    pre->steps[pre->n_steps++] = step;
    return ITH_OK;
}

ith_status ith_pretokenizer_add_split(ith_pretokenizer *pre, const char *pattern, size_t len,
                                      bool literal, ith_split_kind kind, bool invert,
                                      const char *where, ith_error *err)
{
    ith_split_step step = {NULL, kind, invert};

    ITH_TRY(ith_pattern_compile(pattern, len, literal, where, &step.code, err));
    return add_step(pre, step, where, err);
}

ith_status ith_pretokenizer_add_space(ith_pretokenizer *pre, const char *where, ith_error *err)
{
    return add_step(pre, (ith_split_step){NULL, ITH_SPLIT_ISOLATED, false}, where, err);
}

void ith_pretokenizer_free(ith_pretokenizer *pre)
{
    for (int i = 0; i < pre->n_steps; i++)
        pcre2_code_free(pre->steps[i].code);
    memset(pre, 0, sizeof *pre);
}

ith_status ith_splitter_begin(ith_splitter *splitter, ith_error *err)
{
    splitter->context = pcre2_match_context_create(NULL);
    /* NULL without JIT. */
    splitter->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
    if (splitter->context == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for matching");
    splitter->steps = TEXT_STEPS;
    pcre2_set_depth_limit(splitter->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(splitter->context, HEAP_LIMIT_KIB);
    if (splitter->stack != NULL)
        pcre2_jit_stack_assign(splitter->context, NULL, splitter->stack);
    for (int i = 0; i < splitter->pre->n_steps; i++) {
        splitter->match[i] = pcre2_match_data_create(1, NULL);
        if (splitter->match[i] == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory for matching");
    }
    return ITH_OK;
}

void ith_splitter_end(ith_splitter *splitter)
{
    for (int i = 0; i < ITH_MAX_SPLIT_STEPS; i++)
        pcre2_match_data_free(splitter->match[i]);
    pcre2_match_context_free(splitter->context);
    pcre2_jit_stack_free(splitter->stack);
}

static ith_status run_step(ith_splitter *splitter, int step, size_t begin, size_t end,
                           ith_error *err);

/* ---- What happens to matches and gaps ----
 *
 * The matches and gaps of one step arrive in order. The last one is held back, so that the next can
 * join it to form one word.
 */
typedef struct joiner {
    ith_splitter *splitter;
    int step;
    size_t begin, end; /* what is held back */
    bool held, held_match, last_match;
} joiner;

/* Passes what is held back to the next step. */
static ith_status release(joiner *j, ith_error *err)
{
    size_t begin = j->begin, end = j->end;

    j->begin = j->end; /* empty: removed or released */
    return begin < end ? run_step(j->splitter, j->step + 1, begin, end, err) : ITH_OK;
}

static bool joins(const joiner *j, ith_split_kind kind, bool is_match)
{
    if (!j->held)
        return false;
    switch (kind) {
    case ITH_SPLIT_MERGED_WITH_PREVIOUS:
        return is_match && !j->last_match;
    case ITH_SPLIT_MERGED_WITH_NEXT:
        return !is_match && j->held_match;
    case ITH_SPLIT_CONTIGUOUS:
        return is_match == j->held_match;
    default:
        return false;
    }
}

/* Takes a match or a gap. Empty matches count: they separate what lies on either side. */
static ith_status take(joiner *j, size_t begin, size_t end, bool is_match, ith_error *err)
{
    const ith_split_step *step = &j->splitter->pre->steps[j->step];

    is_match = is_match != step->invert;
    if (joins(j, step->kind, is_match)) {
        j->end = end;
        j->held_match = is_match;
    } else {
        ITH_TRY(release(j, err));
        j->begin = step->kind == ITH_SPLIT_REMOVED && is_match ? end : begin;
        j->end = end;
        j->held_match = is_match;
        j->held = true;
    }
    j->last_match = is_match;
    return ITH_OK;
}

/* ---- Steps ---- */

static ith_status match_failed(int code, ith_error *err)
{
    char why[120] = "";

    pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
    return ith_fail(err, ITH_E_FORMAT,
                    "the tokenizer's pre_tokenizer pattern fails on this text: %s", why);
}

/* A try with a limit of its own; at most UINT32_MAX. */
static int try_match(ith_splitter *splitter, int step, size_t begin, size_t len, size_t at,
                     uint32_t options, uint64_t limit)
{
    /* Taken anew each time: the buffer moves when it grows. */
    PCRE2_SPTR subject = (PCRE2_SPTR)splitter->buffer->data + begin;

    pcre2_set_match_limit(splitter->context, limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX);
    return pcre2_match(splitter->pre->steps[step].code, subject, len, at,
                       PCRE2_NO_UTF_CHECK | options, splitter->match[step], splitter->context);
}

/* A match that begins at `at` and costs more than FREE_STEPS: tried with twice as much each time,
 * until the text's budget is spent. */
static int costly_match(ith_splitter *splitter, int step, size_t begin, size_t len, size_t at)
{
    uint64_t limit = FREE_STEPS;
    int rc;

    do {
        limit = 2 * limit < splitter->steps ? 2 * limit : splitter->steps;
        rc = try_match(splitter, step, begin, len, at, PCRE2_ANCHORED, limit);
        splitter->steps -= limit;
    } while (rc == PCRE2_ERROR_MATCHLIMIT && splitter->steps > 0);
    return rc;
}

/* The next match from `at` on. PCRE2's limit holds for each place where a match could begin, so
 * after a costly one the places are tried one by one. */
static int next_match(ith_splitter *splitter, int step, size_t begin, size_t len, size_t at)
{
    int rc = try_match(splitter, step, begin, len, at, 0, FREE_STEPS);

    while (rc == PCRE2_ERROR_MATCHLIMIT) {
        size_t width;
        rc = try_match(splitter, step, begin, len, at, PCRE2_ANCHORED, FREE_STEPS);
        if (rc == PCRE2_ERROR_MATCHLIMIT)
            rc = costly_match(splitter, step, begin, len, at);
        if (rc != PCRE2_ERROR_NOMATCH || at == len)
            break;
        ith_utf8_decode(splitter->buffer->data + begin + at, &width);
        at += width;
        rc = PCRE2_ERROR_MATCHLIMIT;
    }
    return rc;
}

static ith_status run_split(ith_splitter *splitter, int step, size_t begin, size_t end,
                            ith_error *err)
{
    pcre2_match_data *match = splitter->match[step];
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(match);
    joiner j = {.splitter = splitter, .step = step, .begin = begin, .end = begin};
    size_t len = end - begin, at = 0, gap = 0;

    while (at < len) {
        int rc = next_match(splitter, step, begin, len, at);
        if (rc == PCRE2_ERROR_NOMATCH)
            break;
        if (rc < 0)
            return match_failed(rc, err);
        if (gap < span[0])
            ITH_TRY(take(&j, begin + gap, begin + span[0], false, err));
        ITH_TRY(take(&j, begin + span[0], begin + span[1], true, err));
        gap = at = span[1];
        if (span[0] == span[1] && at < len) {
            size_t width; /* after an empty match: advance by one character */
            ith_utf8_decode(splitter->buffer->data + begin + at, &width);
            at += width;
        }
    }
    if (gap < len)
        ITH_TRY(take(&j, begin + gap, end, false, err));
    return release(&j, err);
}

static ith_status run_space(ith_splitter *splitter, int step, size_t begin, size_t end,
                            ith_error *err)
{
    ith_buffer *buffer = splitter->buffer;
    size_t at = buffer->len;

    if (buffer->data[begin] == ' ')
        return run_step(splitter, step + 1, begin, end, err);
    ITH_TRY(ith_buffer_reserve(buffer, 1 + end - begin, err));
    buffer->data[at] = ' ';
    memcpy(buffer->data + at + 1, buffer->data + begin, end - begin);
    buffer->len += 1 + end - begin;
    return run_step(splitter, step + 1, at, buffer->len, err);
}

static ith_status run_step(ith_splitter *splitter, int step, size_t begin, size_t end,
                           ith_error *err)
{
    if (step == splitter->pre->n_steps)
        return splitter->on_word(splitter->user, begin, end, err);
    if (splitter->pre->steps[step].code == NULL)
        return run_space(splitter, step, begin, end, err);
    return run_split(splitter, step, begin, end, err);
}

ith_status ith_splitter_run(ith_splitter *splitter, size_t begin, size_t end, ith_error *err)
{
    splitter->steps += STEPS_PER_BYTE * (uint64_t)(end - begin);
    return begin < end ? run_step(splitter, 0, begin, end, err) : ITH_OK;
}
