/* stop.c - finds stop strings in a growing text, byte by byte. */
#include "text/stop.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>

/* One stop string with its automaton (Knuth, Morris and Pratt, SIAM J. Comput. 6, 1977): fail[i] is
 * the length of the longest proper prefix of text[0 .. i] that is also its suffix. */
typedef struct pattern {
    char *text;
    size_t *fail;
    size_t len;
    size_t matched; /* the text so far ends with this many of its bytes */
} pattern;

struct ith_stop {
    pattern *patterns;
    size_t n;
    ith_buffer buffer; /* what the last call returned, then what is held back */
    size_t n_shown;    /* bytes that the last call returned */
    bool stopped;
};

static ith_status set_pattern(pattern *p, const char *text, ith_error *err)
{
    size_t k = 0;

    if (text == NULL || text[0] == '\0')
        return ith_fail(err, ITH_E_ARGUMENT, "a stop string is empty");
    p->len = strlen(text);
    p->text = strdup(text);
    p->fail = calloc(p->len, sizeof *p->fail);
    if (p->text == NULL || p->fail == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a stop string of %zu bytes", p->len);
    for (size_t i = 1; i < p->len; i++) {
        while (k > 0 && text[i] != text[k])
            k = p->fail[k - 1];
        k += text[i] == text[k];
        p->fail[i] = k;
    }
    return ITH_OK;
}

ith_status ith_stop_open(const char *const *strings, size_t n, ith_stop **out, ith_error *err)
{
    ith_stop *stop = calloc(1, sizeof *stop);
    ith_status status = ITH_OK;

    *out = NULL;
    if (stop != NULL)
        stop->patterns = calloc(n + 1, sizeof *stop->patterns);
    if (stop == NULL || stop->patterns == NULL) {
        status = ith_fail(err, ITH_E_MEMORY, "no memory for %zu stop strings", n);
        goto done;
    }
    stop->n = n;
    for (size_t i = 0; i < n; i++)
        ITH_CHECK(set_pattern(&stop->patterns[i], strings[i], err));
    ITH_CHECK(ith_buffer_reserve(&stop->buffer, 1, err));
    *out = stop;
    return ITH_OK;
done:
    ith_stop_close(stop);
    return status;
}

void ith_stop_close(ith_stop *stop)
{
    if (stop == NULL)
        return;
    for (size_t i = 0; i < stop->n; i++) {
        free(stop->patterns[i].text);
        free(stop->patterns[i].fail);
    }
    free(stop->patterns);
    ith_buffer_free(&stop->buffer);
    free(stop);
}

/* Feeds one byte to all stop strings. Returns the length of the longest one that is now complete,
 * or 0. */
static size_t feed(ith_stop *stop, char c)
{
    size_t complete = 0;

    for (size_t i = 0; i < stop->n; i++) {
        pattern *p = &stop->patterns[i];
        while (p->matched > 0 && p->text[p->matched] != c)
            p->matched = p->fail[p->matched - 1];
        p->matched += p->text[p->matched] == c;
        if (p->matched == p->len && p->len > complete)
            complete = p->len;
    }
    return complete;
}

static size_t longest_begun(const ith_stop *stop)
{
    size_t longest = 0;

    for (size_t i = 0; i < stop->n; i++)
        if (stop->patterns[i].matched > longest)
            longest = stop->patterns[i].matched;
    return longest;
}

static void drop_shown(ith_stop *stop)
{
    memmove(stop->buffer.data, stop->buffer.data + stop->n_shown, stop->buffer.len - stop->n_shown);
    stop->buffer.len -= stop->n_shown;
    stop->n_shown = 0;
}

ith_status ith_stop_push(ith_stop *stop, const char *text, size_t len, const char **out,
                         size_t *out_len, bool *stopped, ith_error *err)
{
    size_t complete = 0;

    drop_shown(stop);
    *out = stop->buffer.data;
    *out_len = 0;
    *stopped = stop->stopped;
    if (stop->stopped)
        return ITH_OK;
    ITH_TRY(ith_buffer_reserve(&stop->buffer, len, err));
    for (size_t i = 0; i < len && complete == 0; i++) {
        stop->buffer.data[stop->buffer.len++] = text[i];
        complete = feed(stop, text[i]);
    }
    if (complete > 0) {
        stop->buffer.len -= complete;
        stop->stopped = *stopped = true;
    }
    stop->n_shown = stop->buffer.len - (complete > 0 ? 0 : longest_begun(stop));
    *out = stop->buffer.data;
    *out_len = stop->n_shown;
    return ITH_OK;
}

const char *ith_stop_flush(ith_stop *stop, size_t *len)
{
    drop_shown(stop);
    *len = stop->n_shown = stop->buffer.len;
    return stop->buffer.data;
}
