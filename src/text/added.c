/* added.c - finds added tokens in a text: the leftmost match, and of several there the longest. */
#include "text/added.h"

#include "base/grow.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>

ith_status ith_added_push(ith_added_set *set, const ith_added *item, ith_error *err)
{
    char *text = malloc(item->len + 1);

    if (text == NULL ||
        !ith_grow((void **)&set->items, &set->cap, set->n + 1, sizeof *set->items)) {
        free(text);
        return ith_fail(err, ITH_E_MEMORY, "no memory for %zu added tokens", set->n + 1);
    }
    memcpy(text, item->text, item->len);
    text[item->len] = '\0';
    set->items[set->n] = *item;
    set->items[set->n++].text = text;
    return ITH_OK;
}

static int by_text(const void *a, const void *b)
{
    const ith_added *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

void ith_added_sort(ith_added_set *set)
{
    size_t i = 0;

    if (set->n > 0)
        qsort(set->items, set->n, sizeof *set->items, by_text);
    for (int byte = 0; byte <= 256; byte++) {
        while (i < set->n && (unsigned char)set->items[i].text[0] < byte)
            i++;
        set->first[byte] = (uint32_t)i;
    }
}

static const ith_added *same_text(const ith_added *a, const ith_added *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0 ? b : NULL;
}

const ith_added *ith_added_twice(const ith_added_set *a, const ith_added_set *b)
{
    const ith_added *twice = NULL;

    for (size_t i = 1; i < a->n && twice == NULL; i++)
        twice = same_text(&a->items[i - 1], &a->items[i]);
    for (size_t i = 1; i < b->n && twice == NULL; i++)
        twice = same_text(&b->items[i - 1], &b->items[i]);
    for (size_t i = 0, k = 0; i < a->n && k < b->n && twice == NULL;) {
        int order = by_text(&a->items[i], &b->items[k]);
        if (order == 0)
            twice = &b->items[k];
        i += order < 0;
        k += order > 0;
    }
    return twice;
}

void ith_added_free(ith_added_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        free(set->items[i].text);
    free(set->items);
    memset(set, 0, sizeof *set);
}

/* Items [lo, hi) share their first `depth` bytes, and all are longer. Returns the first of them
 * whose next byte is at least `byte`. */
static size_t lower_bound(const ith_added_set *set, size_t lo, size_t hi, size_t depth, int byte)
{
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if ((unsigned char)set->items[mid].text[depth] < byte)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The end of what the template wrote from `at` on; `at` if somebody else did. */
static size_t template_end(ith_cutter *cutter, size_t at)
{
    const ith_authors *a = &cutter->authors;

    while (cutter->passage < a->n && a->passages[cutter->passage].end <= a->base + at)
        cutter->passage++;
    if (cutter->passage == a->n || !a->passages[cutter->passage].from_template)
        return at;
    return a->passages[cutter->passage].end - a->base;
}

/* May the item be the token at `at`? */
static bool counts(ith_cutter *cutter, const ith_added *item, size_t at)
{
    const ith_authors *a = &cutter->authors;
    bool marker, own;

    if (a->passages == NULL)
        return true;
    marker = a->markers[item - cutter->set->items];
    if (a->finding != ITH_FIND_ALL && marker != (a->finding == ITH_FIND_MARKERS))
        return false;
    own = !marker || template_end(cutter, at) >= at + item->len;
    *a->held = *a->held || !own;
    return own;
}

static const ith_added *longest_at(ith_cutter *cutter, size_t at)
{
    const ith_added_set *set = cutter->set;
    const char *text = cutter->text + at;
    size_t len = cutter->len - at;
    unsigned char c = (unsigned char)text[0];
    size_t lo = set->first[c], hi = set->first[c + 1], depth = 1;
    const ith_added *best = NULL;

    while (lo < hi) {
        if (set->items[lo].len == depth) {
            if (counts(cutter, &set->items[lo], at))
                best = &set->items[lo];
            lo++;
        }
        if (depth == len || lo == hi)
            break;
        c = (unsigned char)text[depth];
        lo = lower_bound(set, lo, hi, depth, c);
        hi = lower_bound(set, lo, hi, depth, c + 1);
        depth++;
    }
    return best;
}

static size_t spaces_before(const char *text, size_t end, size_t stop)
{
    while (end > stop) {
        size_t before = ith_utf8_before(text, end);
        if (!ith_is_white_space(ith_utf8_decode(text + before, NULL)))
            break;
        end = before;
    }
    return end;
}

static size_t spaces_after(const char *text, size_t begin, size_t len)
{
    while (begin < len) {
        size_t width;
        if (!ith_is_white_space(ith_utf8_decode(text + begin, &width)))
            break;
        begin += width;
    }
    return begin;
}

static bool stands_alone(const char *text, size_t len, size_t begin, size_t end)
{
    return (begin == 0 ||
            !ith_is_word_char(ith_utf8_decode(text + ith_utf8_before(text, begin), NULL))) &&
           (end == len || !ith_is_word_char(ith_utf8_decode(text + end, NULL)));
}

ith_cutter ith_cutter_begin(const ith_added_set *set, const char *text, size_t len, unsigned flags)
{
    return (ith_cutter){
        .set = set, .text = text, .len = len, .with_special = flags & ITH_TOKENIZE_SPECIAL};
}

/* Finds the next token from `scanned` on. A token whose flags forbid the match is skipped as a
 * whole, as Hugging Face does. */
static bool find_token(ith_cutter *cutter, ith_cut *cut)
{
    const ith_added_set *set = cutter->set;
    const char *text = cutter->text;
    size_t at = cutter->scanned;

    while (set->n > 0 && at < cutter->len) {
        unsigned char c = (unsigned char)text[at];
        const ith_added *item = set->first[c] < set->first[c + 1] ? longest_at(cutter, at) : NULL;
        if (item == NULL) {
            at++;
            continue;
        }
        cut->begin = at;
        at += item->len;
        if ((item->special && !cutter->with_special) ||
            (item->single_word && !stands_alone(text, cutter->len, cut->begin, at)))
            continue;
        cut->item = item;
        cut->begin = item->lstrip ? spaces_before(text, cut->begin, cutter->done) : cut->begin;
        cut->end = item->rstrip ? spaces_after(text, at, cutter->len) : at;
        cutter->scanned = cut->end;
        return true;
    }
    return false;
}

bool ith_cutter_next(ith_cutter *cutter, ith_cut *cut)
{
    if (cutter->has_held) {
        *cut = cutter->held;
        cutter->has_held = false;
        cutter->done = cut->end;
        return true;
    }
    if (cutter->done == cutter->len)
        return false;
    if (!find_token(cutter, cut)) {
        *cut = (ith_cut){NULL, cutter->done, cutter->len};
    } else if (cut->begin > cutter->done) {
        cutter->held = *cut;
        cutter->has_held = true;
        *cut = (ith_cut){NULL, cutter->done, cut->begin};
        return true; /* the next call returns the held token and moves `done` */
    }
    cutter->done = cut->end;
    return true;
}
