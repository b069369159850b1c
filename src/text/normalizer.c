/* normalizer.c - the steps of a normalizer. */
#include "text/normalizer.h"

#include <stdlib.h>
#include <string.h>

static ith_status add_step(ith_normalizer *normalizer, ith_normal_step step, const char *where,
                           ith_error *err)
{
    if (normalizer->n_steps == ITH_MAX_NORMAL_STEPS)
        return ith_fail(err, ITH_E_UNSUPPORTED, "%s: the normalizer has more than %d steps", where,
                        ITH_MAX_NORMAL_STEPS);
    normalizer->steps[normalizer->n_steps++] = step;
    return ITH_OK;
}

ith_status ith_normalizer_add_form(ith_normalizer *normalizer, ith_normal_form form,
                                   const char *where, ith_error *err)
{
    return add_step(normalizer, (ith_normal_step){.kind = ITH_NORMAL_FORM, .form = form}, where,
                    err);
}

ith_status ith_normalizer_add_lower(ith_normalizer *normalizer, const char *where, ith_error *err)
{
    return add_step(normalizer, (ith_normal_step){.kind = ITH_NORMAL_LOWER}, where, err);
}

ith_status ith_normalizer_add_strip(ith_normalizer *normalizer, bool left, bool right,
                                    const char *where, ith_error *err)
{
    return add_step(normalizer,
                    (ith_normal_step){.kind = ITH_NORMAL_STRIP, .left = left, .right = right},
                    where, err);
}

ith_status ith_normalizer_add_prepend(ith_normalizer *normalizer, ith_bytes text, const char *where,
                                      ith_error *err)
{
    ITH_TRY(add_step(normalizer, (ith_normal_step){.kind = ITH_NORMAL_PREPEND}, where, err));
    return ith_bytes_copy(text, &normalizer->steps[normalizer->n_steps - 1].to, err);
}

ith_status ith_normalizer_add_replace(ith_normalizer *normalizer, ith_bytes from, bool literal,
                                      ith_bytes to, const char *where, ith_error *err)
{
    ith_normal_step *step;

    if (from.len == 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: the normalizer replaces an empty text", where);
    ITH_TRY(add_step(normalizer, (ith_normal_step){.kind = ITH_NORMAL_REPLACE}, where, err));
    step = &normalizer->steps[normalizer->n_steps - 1];
    ITH_TRY(ith_bytes_copy(to, &step->to, err));
    return literal ? ith_bytes_copy(from, &step->from, err)
                   : ith_pattern_compile(from.data, from.len, false, where, &step->pattern, err);
}

void ith_normalizer_free(ith_normalizer *normalizer)
{
    for (int i = 0; i < normalizer->n_steps; i++) {
        ith_pattern_free(normalizer->steps[i].pattern);
        free((char *)normalizer->steps[i].from.data);
        free((char *)normalizer->steps[i].to.data);
    }
    *normalizer = (ith_normalizer){.n_steps = 0};
}

/* ---- Steps ---- */

static ith_status lower(const char *text, size_t len, ith_buffer *out, ith_error *err)
{
    size_t width;

    for (size_t at = 0; at < len; at += width) {
        uint32_t code = ith_utf8_decode(text + at, &width);
        ITH_TRY(ith_buffer_reserve(out, 4, err));
        if (code == 0x130) /* I with a dot becomes i and a combining dot */
            ITH_TRY(ith_buffer_append(out, "i\xcc\x87", 3, err));
        else
            out->len += ith_utf8_encode(ith_unicode_lower(code), out->data + out->len);
    }
    return ITH_OK;
}

static ith_status strip(const ith_normal_step *step, const char *text, size_t len, ith_buffer *out,
                        ith_error *err)
{
    size_t begin = 0, end = len, width;

    while (step->left && begin < end && ith_is_white_space(ith_utf8_decode(text + begin, &width)))
        begin += width;
    while (step->right && end > begin) {
        size_t last = ith_utf8_before(text, end);
        if (!ith_is_white_space(ith_utf8_decode(text + last, NULL)))
            break;
        end = last;
    }
    return ith_buffer_append(out, text + begin, end - begin, err);
}

/* Appends what is kept of a text, and what comes in place of a match after it, up to a length. */
static ith_status put(ith_buffer *out, size_t limit, const char *kept, size_t len, ith_bytes to,
                      ith_error *err)
{
    if (len > limit || to.len > limit || out->len + len + to.len > limit)
        return ith_fail(err, ITH_E_FORMAT,
                        "the tokenizer's normalizer makes too long a text of this one");
    ITH_TRY(ith_buffer_append(out, kept, len, err));
    return ith_buffer_append(out, to.data, to.len, err);
}

static ith_status replace_text(const ith_normal_step *step, const char *text, size_t len,
                               ith_buffer *out, size_t limit, ith_error *err)
{
    const char *at = text, *end = text + len, *next;

    while ((next = memmem(at, (size_t)(end - at), step->from.data, step->from.len)) != NULL) {
        ITH_TRY(put(out, limit, at, (size_t)(next - at), step->to, err));
        at = next + step->from.len;
    }
    return put(out, limit, at, (size_t)(end - at), (ith_bytes){"", 0}, err);
}

static ith_status replace_matches(ith_normalizing *z, int index, const char *text, size_t len,
                                  ith_buffer *out, size_t limit, ith_error *err)
{
    const ith_normal_step *step = &z->normalizer->steps[index];
    ith_matcher *matcher = &z->matchers[index];
    size_t done = 0, begin, end;
    bool found;

    if (z->budget.context == NULL)
        ITH_TRY(ith_match_budget_open(&z->budget, err));
    if (matcher->pattern == NULL)
        ITH_TRY(ith_matcher_open(matcher, step->pattern, err));
    ith_match_budget_add(&z->budget, len);
    ITH_TRY(ith_matcher_begin(matcher, text, len, err));
    for (;;) {
        ITH_TRY(ith_matcher_next(matcher, &z->budget, text, &begin, &end, &found, err));
        if (!found)
            return put(out, limit, text + done, len - done, (ith_bytes){"", 0}, err);
        ITH_TRY(put(out, limit, text + done, begin - done, step->to, err));
        done = end;
    }
}

static ith_status run_step(ith_normalizing *z, int index, const char *text, size_t len,
                           ith_buffer *out, size_t limit, ith_error *err)
{
    const ith_normal_step *step = &z->normalizer->steps[index];

    switch (step->kind) {
    case ITH_NORMAL_FORM:
        return ith_utf8_normalize(step->form, text, len, out, err);
    case ITH_NORMAL_LOWER:
        return lower(text, len, out, err);
    case ITH_NORMAL_STRIP:
        return strip(step, text, len, out, err);
    case ITH_NORMAL_PREPEND:
        ITH_TRY(put(out, limit, "", 0, len > 0 ? step->to : (ith_bytes){"", 0}, err));
        return put(out, limit, text, len, (ith_bytes){"", 0}, err);
    default:
        return step->pattern != NULL ? replace_matches(z, index, text, len, out, limit, err)
                                     : replace_text(step, text, len, out, limit, err);
    }
}

ith_status ith_normalizing_run(ith_normalizing *z, const char *text, size_t len, ith_buffer *out,
                               ith_error *err)
{
    int n = z->normalizer->n_steps;
    size_t most = ITH_NORMALIZED_LEAST + ITH_NORMALIZED_GROWTH * len,
           limit = out->len + most < ITH_MAX_NORMALIZED ? out->len + most : ITH_MAX_NORMALIZED;

    if (n == 0)
        return put(out, limit, text, len, (ith_bytes){"", 0}, err);
    for (int i = 0; i < n; i++) {
        ith_buffer *to = i + 1 < n ? &z->between[i % 2] : out;
        if (to != out) {
            to->len = 0;
            ITH_TRY(ith_buffer_reserve(to, len + 1, err));
        }
        ITH_TRY(run_step(z, i, text, len, to, to != out ? most : limit, err));
        text = to->data;
        len = to->len;
    }
    return ITH_OK;
}

void ith_normalizing_end(ith_normalizing *z)
{
    for (int i = 0; i < ITH_MAX_NORMAL_STEPS; i++)
        ith_matcher_close(&z->matchers[i]);
    ith_match_budget_close(&z->budget);
    ith_buffer_free(&z->between[0]);
    ith_buffer_free(&z->between[1]);
}
