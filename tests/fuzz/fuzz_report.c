/* fuzz_report.c - what `compare` reads: two benchmark documents, a price file ("": the one of the
 * program), and what a node costs. What is accepted becomes a page and a text, which are UTF-8, and
 * nothing of the documents becomes markup of the page. */
#include "cli/report_verdict.h"
#include "cli/report_write.h"
#include "tests/fuzz/fuzz.h"

enum { DOCUMENTS = 2 };

static size_t count(const char *text, const char *word)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word))
        n++;
    return n;
}

static void check_utf8(const char *text)
{
    size_t len = strlen(text);

    for (size_t n; len > 0; text += n, len -= n) {
        n = ith_utf8_bytes(text, len);
        fuzz_must(n > 0);
    }
}

static void write_report(const ith_report_all *all)
{
    char *verdict = ith_report_verdict(all), *page, *text;

    fuzz_must(verdict != NULL);
    page = ith_report_html(all, verdict);
    text = ith_report_markdown(all, verdict);
    fuzz_must(page != NULL && text != NULL);
    check_utf8(page);
    check_utf8(text);
    fuzz_must(count(page, "<script") == 1 && count(page, "</script") == 1);
    fuzz_must(count(page, "</html>") == 1 && count(page, "<img") == 0);
    free(verdict);
    free(page);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes parts[DOCUMENTS + 2];
    char paths[DOCUMENTS + 1][128];
    const char *documents[DOCUMENTS];
    size_t n = 0;
    ith_report_all all = {.paths = documents, .network = {1.25, 20}};
    ith_error err = {0};

    for (int i = 0; i < DOCUMENTS + 2; i++)
        parts[i] = fuzz_part(&data, &size);
    for (int i = 0; i <= DOCUMENTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.json", i);
        snprintf(paths[i], sizeof paths[i], "%s/%s", fuzz_folder(), name);
        fuzz_file(name, parts[i]);
        if (i < DOCUMENTS && parts[i].len > 0)
            documents[n++] = paths[i];
    }
    if (fuzz_verdict(
            ith_prices_open(parts[DOCUMENTS].len > 0 ? paths[DOCUMENTS] : NULL,
                            parts[DOCUMENTS + 1].len > 0 ? parts[DOCUMENTS + 1].data : NULL,
                            &all.prices, &err),
            &err) &&
        fuzz_verdict(ith_report_open(documents, n, &all.report, &err), &err) &&
        all.report.n_groups > 0 &&
        fuzz_verdict(ith_evens_find(&all.report, all.network, &all.evens, &err), &err))
        write_report(&all);
    ith_evens_close(&all.evens);
    ith_report_close(&all.report);
    ith_prices_close(&all.prices);
    for (int i = 0; i < DOCUMENTS + 2; i++)
        fuzz_part_free(parts[i]);
    return 0;
}
