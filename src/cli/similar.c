/* similar.c - the edit distance between words. */
#include "cli/similar.h"

#include <stdio.h>
#include <string.h>

enum { LETTERS_MAX = 40, PREFIX_LETTERS = 3 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: Levenshtein's distance, and a swap of two neighbours counts as one. */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][LETTERS_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= m; j++)
        last[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *reused = before;
        before = last;
        last = row;
        row = reused;
    }
    return last[m];
}

void ith_similar_try(ith_similar *similar, const char *known)
{
    size_t len = strlen(known), n = similar->len, distance, close;

    if (n == 0 || n > LETTERS_MAX || len > LETTERS_MAX)
        return;
    close = least(n, len) / 3 > 1 ? least(n, len) / 3 : 1;
    distance = edit_distance(similar->typed, n, known, len);
    if (distance > close && least(n, len) >= PREFIX_LETTERS &&
        strncmp(similar->typed, known, least(n, len)) == 0)
        distance = close; /* misspelt words that are closer win */
    if (distance > close || (similar->best != NULL && distance >= similar->distance))
        return;
    similar->best = known;
    similar->distance = distance;
}

const char *ith_similar_hint(const ith_similar *similar, const char *before, char *text,
                             size_t size)
{
    text[0] = 0;
    if (similar->best != NULL)
        snprintf(text, size, " (did you mean %s%s?)", before, similar->best);
    return text;
}
