/* fuzz_pattern.c - a pattern of a tokenizer.json, and a text that it cuts into words. Whatever
 * becomes of matches, the words are the text, each without a cut character; only Removed drops
 * matches. Normal forms are their own normal forms. */
#include "tests/fuzz/fuzz.h"
#include "text/pretokenize.h"

typedef struct words {
    const ith_buffer *buffer;
    ith_buffer all; /* of the words so far */
} words;

static ith_status add_word(void *user, size_t begin, size_t end, ith_error *err)
{
    words *w = user;
    const char *word = w->buffer->data + begin;

    fuzz_must(begin < end && end <= w->buffer->len);
    fuzz_must(ith_utf8_valid_prefix(word, end - begin) == end - begin);
    return ith_buffer_append(&w->all, word, end - begin, err);
}

static void cut(const ith_pretokenizer *pre, const ith_buffer *text, bool whole)
{
    ith_buffer copy = {0};
    words w = {.buffer = &copy};
    ith_splitter splitter = {.pre = pre, .buffer = &copy, .on_word = add_word, .user = &w};
    ith_error err = {0};

    fuzz_must(ith_buffer_append(&copy, text->data, text->len, &err) == ITH_OK);
    fuzz_must(ith_splitter_begin(&splitter, &err) == ITH_OK);
    if (fuzz_verdict(ith_splitter_run(&splitter, 0, copy.len, true, &err), &err) && whole)
        fuzz_must(w.all.len == text->len &&
                  (text->len == 0 || memcmp(w.all.data, text->data, text->len) == 0));
    ith_splitter_end(&splitter);
    ith_buffer_free(&w.all);
    ith_buffer_free(&copy);
}

static void normalize(const ith_buffer *text)
{
    for (int form = ITH_NFC; form <= ITH_NFKD; form++) {
        ith_buffer once = {0}, twice = {0};
        ith_error err = {0};
        fuzz_must(ith_utf8_normalize((ith_normal_form)form, text->data, text->len, &once, &err) ==
                  ITH_OK);
        fuzz_must(ith_utf8_normalize((ith_normal_form)form, once.data, once.len, &twice, &err) ==
                  ITH_OK);
        fuzz_must(once.len == twice.len &&
                  (once.len == 0 || memcmp(once.data, twice.data, once.len) == 0));
        ith_buffer_free(&once);
        ith_buffer_free(&twice);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes pattern = fuzz_part(&data, &size), part = fuzz_part(&data, &size);
    ith_buffer text = {0};
    ith_error err = {0};

    fuzz_must(ith_utf8_repair(part.data, part.len, &text, &err) == ITH_OK);
    for (int i = 0; i < 2 * 2 * ITH_SPLIT_KINDS; i++) {
        ith_pretokenizer pre = {0};
        ith_split_kind kind = (ith_split_kind)(i / 4);
        if (fuzz_verdict(ith_pretokenizer_add_split(&pre, pattern.data, pattern.len, i % 2 > 0,
                                                    kind, i / 2 % 2 > 0, "memory", &err),
                         &err))
            cut(&pre, &text, kind != ITH_SPLIT_REMOVED);
        ith_pretokenizer_free(&pre);
    }
    normalize(&text);
    ith_buffer_free(&text);
    fuzz_part_free(pattern);
    fuzz_part_free(part);
    return 0;
}
