/* fuzz_calls.c - an answer, in each form of calls. However it is cut, the same is said; calls are
 * of known functions, and arguments that stand by themselves become a JSON object. */
#include "tests/fuzz/fuzz.h"

#include "openai/forms/form.h"

enum { ROOM = 1 << 20 };

typedef struct heard {
    size_t n, calls;
    size_t arguments; /* where those of the last call begin */
    char said[ROOM];  /* [n] each byte behind its kind */
} heard;

static json_t *functions(void)
{
    static json_t *all;

    if (all == NULL)
        all = json_loads("{\"f\": {\"properties\": {\"text\": {\"type\": \"string\"}, \"n\": "
                         "{\"type\": \"integer\"}, \"any\": {\"anyOf\": [{\"type\": \"string\"}, "
                         "{\"type\": \"null\"}]}}}, \"g\": {}}",
                         0, NULL);
    fuzz_must(all != NULL);
    return all;
}

/* An ith_said_fn. Pieces of one kind, one after another, are one. */
static bool hear(void *user, const ith_said *said)
{
    static const char kinds[] = {[ITH_SAID_TEXT] = 't',
                                 [ITH_SAID_THOUGHT] = 'h',
                                 [ITH_SAID_CALL] = 'c',
                                 [ITH_SAID_ARGUMENTS] = 'a'};
    heard *h = user;

    fuzz_must(said->len > 0 && h->n + 2 * said->len < ROOM);
    if (said->kind == ITH_SAID_CALL) {
        fuzz_must(said->call == h->calls++ && said->text[said->len] == 0);
        fuzz_must(json_object_get(functions(), said->text) != NULL);
    }
    if (said->kind == ITH_SAID_ARGUMENTS)
        fuzz_must(said->call + 1 == h->calls);
    for (size_t i = 0; i < said->len; i++) {
        h->said[h->n++] = kinds[said->kind];
        h->said[h->n++] = said->text[i];
    }
    if (said->kind == ITH_SAID_CALL)
        h->arguments = h->n;
    return true;
}

/* The last call has all of its arguments, which stood by themselves. */
static void check_object(const heard *h)
{
    char *text = malloc(h->n + 1);
    json_error_t why;
    json_t *object;
    size_t n = 0;

    fuzz_must(text != NULL);
    for (size_t i = h->arguments; i < h->n && h->said[i] == 'a'; i += 2)
        text[n++] = h->said[i + 1];
    object = json_loadb(text, n, JSON_ALLOW_NUL, &why);
    fuzz_must(json_is_object(object));
    json_decref(object);
    free(text);
}

static void read_parts(const ith_form *form, ith_bytes text, size_t step, heard *h)
{
    static const ith_marks marks = {"<think>", "</think>"};
    const ith_calls_params params = {.form = form,
                                     .functions = functions(),
                                     .marks = form != &ith_form_harmony ? &marks : NULL,
                                     .thinks = text.len % 4 == 3,
                                     .said = hear,
                                     .user = h};
    ith_calls *calls = ith_calls_open(&params);

    h->n = h->calls = 0;
    fuzz_must(calls != NULL);
    for (size_t at = 0; at < text.len; at += step) {
        size_t n = text.len - at < step ? text.len - at : step;
        fuzz_must(ith_calls_push(calls, text.data + at, n, false));
    }
    fuzz_must(ith_calls_push(calls, "", 0, true));
    fuzz_must(ith_calls_count(calls) == h->calls);
    if (form != NULL && form->field_before != NULL && h->calls > 0 && !ith_calls_is_cut(calls))
        check_object(h);
    ith_calls_close(calls);
}

static bool is_plain(ith_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < 1) /* NUL, or not ASCII */
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static heard whole, parts;
    ith_bytes text = fuzz_part(&data, &size);

    for (size_t i = 0; is_plain(text) && text.len < ROOM / 16; i++) {
        const ith_form *form = ith_form_at(i);
        read_parts(form, text, text.len + 1, &whole);
        for (size_t step = 1; step < 8; step += 3) {
            read_parts(form, text, step, &parts);
            fuzz_must(parts.n == whole.n && parts.calls == whole.calls &&
                      memcmp(parts.said, whole.said, whole.n) == 0);
        }
        if (form == NULL)
            break;
    }
    fuzz_part_free(text);
    return 0;
}
