/* fuzz_stop.c - stop strings, one a line, and a text. However the text is cut into chunks, what is
 * shown ends before the first stop string that is complete. */
#include "tests/fuzz/fuzz.h"
#include "text/stop.h"

enum { STRINGS = 8 };

/* The text's length without the stop string that is complete first, the longest of these. */
static size_t expected(const char *const *strings, size_t n, ith_bytes text)
{
    for (size_t end = 1; end <= text.len; end++) {
        size_t longest = 0;
        for (size_t i = 0; i < n; i++) {
            size_t len = strlen(strings[i]);
            if (len <= end && len > longest && memcmp(text.data + end - len, strings[i], len) == 0)
                longest = len;
        }
        if (longest > 0)
            return end - longest;
    }
    return text.len;
}

static void show(const char *const *strings, size_t n, ith_bytes text, size_t chunk)
{
    ith_stop *stop;
    ith_error err = {0};
    bool stopped = false;
    size_t shown = 0, len, end = expected(strings, n, text);
    const char *out;

    fuzz_must(ith_stop_open(strings, n, &stop, &err) == ITH_OK);
    for (size_t at = 0; at <= text.len; at += chunk) {
        size_t bytes = at < text.len ? (text.len - at < chunk ? text.len - at : chunk) : 0;
        fuzz_must(ith_stop_push(stop, text.data + at, bytes, &out, &len, &stopped, &err) == ITH_OK);
        fuzz_must(len <= end - shown && memcmp(out, text.data + shown, len) == 0);
        shown += len;
    }
    out = ith_stop_flush(stop, &len);
    fuzz_must(len == end - shown && memcmp(out, text.data + shown, len) == 0);
    fuzz_must(stopped == (end < text.len));
    ith_stop_close(stop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes list = fuzz_part(&data, &size), text = fuzz_part(&data, &size);
    const char *strings[STRINGS];
    char *rest = (char *)(uintptr_t)list.data;
    ith_stop *stop;
    ith_error err = {0};
    size_t n = 0, used = 0;

    while (n < STRINGS && (strings[n] = strsep(&rest, "\n")) != NULL)
        n++;
    if (fuzz_verdict(ith_stop_open(strings, n, &stop, &err), &err)) {
        ith_stop_close(stop);
        for (size_t i = 0; i < n; i++)
            used += strings[i][0] != '\0';
        fuzz_must(used == n);
        for (size_t chunk = 1; chunk < 10; chunk += 4)
            show(strings, n, text, chunk);
        show(strings, n, text, text.len + 1);
    } else
        fuzz_must(stop == NULL);
    fuzz_part_free(list);
    fuzz_part_free(text);
    return 0;
}
