/* pretokenize.c - runs the steps of a pre-tokenizer, one inside the other. */
#include "text/pretokenize.h"
#include "text/normalizer.h"

#include <string.h>

static ith_status add_step(ith_pretokenizer *pre, ith_split_step step, const char *where,
                           ith_error *err)
{
    if (pre->n_steps == ITH_MAX_SPLIT_STEPS) {
        ith_pattern_free(step.pattern);
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
    ith_split_step step = {.kind = kind, .invert = invert};

    ITH_TRY(ith_pattern_compile(pattern, len, literal, where, &step.pattern, err));
    return add_step(pre, step, where, err);
}

ith_status ith_pretokenizer_add_mark(ith_pretokenizer *pre, ith_bytes mark, ith_prepend prepend,
                                     const char *where, ith_error *err)
{
    ith_split_step step = {.mark_len = mark.len, .prepend = prepend};

    if (mark.len == 0 || mark.len > sizeof step.mark ||
        ith_utf8_bytes(mark.data, mark.len) != mark.len)
        return ith_fail(err, ITH_E_FORMAT, "%s: the pre_tokenizer's mark is not one character",
                        where);
    memcpy(step.mark, mark.data, mark.len);
    return add_step(pre, step, where, err);
}

void ith_pretokenizer_free(ith_pretokenizer *pre)
{
    for (int i = 0; i < pre->n_steps; i++)
        ith_pattern_free(pre->steps[i].pattern);
    memset(pre, 0, sizeof *pre);
}

ith_status ith_splitter_begin(ith_splitter *splitter, ith_error *err)
{
    ITH_TRY(ith_match_budget_open(&splitter->budget, err));
    for (int i = 0; i < splitter->pre->n_steps; i++)
        if (splitter->pre->steps[i].pattern != NULL)
            ITH_TRY(ith_matcher_open(&splitter->matchers[i], splitter->pre->steps[i].pattern, err));
    return ITH_OK;
}

void ith_splitter_end(ith_splitter *splitter)
{
    for (int i = 0; i < ITH_MAX_SPLIT_STEPS; i++)
        ith_matcher_close(&splitter->matchers[i]);
    ith_match_budget_close(&splitter->budget);
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

static ith_status run_split(ith_splitter *splitter, int step, size_t begin, size_t end,
                            ith_error *err)
{
    ith_matcher *matcher = &splitter->matchers[step];
    joiner j = {.splitter = splitter, .step = step, .begin = begin, .end = begin};
    size_t gap = 0, from, to;
    bool found;

    ITH_TRY(ith_matcher_begin(matcher, splitter->buffer->data + begin, end - begin, err));
    for (;;) {
        /* The buffer moves when it grows. */
        ITH_TRY(ith_matcher_next(matcher, &splitter->budget, splitter->buffer->data + begin, &from,
                                 &to, &found, err));
        if (!found)
            break;
        if (gap < from)
            ITH_TRY(take(&j, begin + gap, begin + from, false, err));
        ITH_TRY(take(&j, begin + from, begin + to, true, err));
        gap = to;
    }
    if (gap < end - begin)
        ITH_TRY(take(&j, begin + gap, end, false, err));
    return release(&j, err);
}

/* Copies the word with marks for its spaces. */
static ith_status run_mark(ith_splitter *splitter, int index, size_t begin, size_t end,
                           ith_error *err)
{
    const ith_split_step *step = &splitter->pre->steps[index];
    ith_buffer *buffer = splitter->buffer;
    size_t at = buffer->len;
    bool first = begin == splitter->first, wants = step->prepend == ITH_PREPEND_ALWAYS ||
                                                   (step->prepend == ITH_PREPEND_FIRST && first);

    wants = wants && buffer->data[begin] != ' ' &&
            (end - begin < step->mark_len ||
             memcmp(buffer->data + begin, step->mark, step->mark_len) != 0);
    if (!wants && step->mark[0] == ' ') /* nothing changes */
        return run_step(splitter, index + 1, begin, end, err);
    if (at > ITH_MAX_NORMALIZED)
        return ith_fail(err, ITH_E_FORMAT,
                        "the tokenizer's pre_tokenizer makes more than %d bytes of this text",
                        ITH_MAX_NORMALIZED);
    ITH_TRY(ith_buffer_reserve(buffer, (1 + end - begin) * step->mark_len, err));
    if (wants) {
        memcpy(buffer->data + buffer->len, step->mark, step->mark_len);
        buffer->len += step->mark_len;
    }
    for (; begin < end; begin++) {
        bool space = buffer->data[begin] == ' ';
        memcpy(buffer->data + buffer->len, space ? step->mark : &buffer->data[begin],
               space ? step->mark_len : 1);
        buffer->len += space ? step->mark_len : 1;
    }
    if (first)
        splitter->first = at;
    return run_step(splitter, index + 1, at, buffer->len, err);
}

static ith_status run_step(ith_splitter *splitter, int step, size_t begin, size_t end,
                           ith_error *err)
{
    if (step == splitter->pre->n_steps)
        return splitter->on_word(splitter->user, begin, end, err);
    if (splitter->pre->steps[step].pattern == NULL)
        return run_mark(splitter, step, begin, end, err);
    return run_split(splitter, step, begin, end, err);
}

ith_status ith_splitter_run(ith_splitter *splitter, size_t begin, size_t end, bool at_start,
                            ith_error *err)
{
    splitter->first = at_start ? begin : SIZE_MAX;
    ith_match_budget_add(&splitter->budget, end - begin);
    return begin < end ? run_step(splitter, 0, begin, end, err) : ITH_OK;
}
