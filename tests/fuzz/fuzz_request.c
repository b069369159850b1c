/* fuzz_request.c - a request in OpenAI's form, and an answer to it. The input's parts: two letters,
 * c, t or l for a chat, a text or a line of a batch, and h, l, m, y or another for the form of
 * calls in the model's template; the body, or the line; what the model answers.
 *
 * What is accepted is in range, its prompts are tokens of the vocabulary. An answer is the same
 * message in one piece, character by character, and as the deltas of a stream together. */
#include "cli/batch_request.h"
#include "openai/message.h"
#include "tests/fuzz/byte_vocab.h"

#define TEMPLATE(call)                                                                             \
    "{{ tools }}{% for m in messages %}<|s|>{{ m.role }}\n{{ m.content or '' }}"                   \
    "{% for c in m.tool_calls or [] %}" call "{% endfor %}<|e|>{% endfor %}"                       \
    "{% if add_generation_prompt %}<|s|>assistant\n{{ ending }}{% endif %}"
#define CALL(key)                                                                                  \
    "{\"name\": \"{{ c.function.name }}\", \"" key "\": {{ c.function.arguments | tojson }}}"

enum { FORMS = 5 };

static const struct {
    char letter;
    const char *text;
} templates[FORMS] = {
    {'h', TEMPLATE("<tool_call>\n" CALL("arguments") "\n</tool_call>")},
    {'l', TEMPLATE(CALL("parameters"))},
    {'m', TEMPLATE("[TOOL_CALLS][" CALL("arguments") "]")},
    {'y', TEMPLATE("to=functions.{{ c.function.name }}: {{ c.function.arguments | tojson }}")},
    {'o', TEMPLATE("{{ c }}")},
};

static const ith_vocab *vocab_of(char letter)
{
    static ith_vocab *open[FORMS];
    int i = 0;

    while (i < FORMS - 1 && templates[i].letter != letter)
        i++;
    if (open[i] == NULL)
        open[i] = fuzz_byte_vocab(templates[i].text);
    return open[i];
}

static void check_ranges(const ith_request *r)
{
    const ith_generate_params *how = &r->how;
    size_t prompts = ith_request_prompts(r);

    fuzz_must(how->max_tokens >= 0 && how->max_tokens <= 1000000000);
    fuzz_must(how->sampling.temperature >= 0 && how->sampling.temperature <= 100);
    fuzz_must(how->sampling.top_p >= 0 && how->sampling.top_p <= 1);
    fuzz_must(how->sampling.min_p >= 0 && how->sampling.min_p <= 1);
    fuzz_must(how->sampling.repeat_penalty > 0 && how->sampling.top_k >= 0);
    fuzz_must(how->n_stop <= ITH_REQUEST_STOPS && r->top >= 0 && r->top <= ITH_REQUEST_TOP);
    for (size_t i = 0; i < how->n_stop; i++)
        fuzz_must(how->stop[i][0] != '\0');
    fuzz_must(prompts >= 1);
    if (r->served)
        fuzz_must(r->n >= 1 && (size_t)r->n * prompts <= ITH_REQUEST_CHOICES);
}

/* ---- The answer ---- */

static json_t *whole(const ith_request *r, ith_bytes answer, size_t step)
{
    ith_message_text *m = ith_message_open(r, "key");
    json_t *message;

    fuzz_must(m != NULL);
    for (size_t at = 0, n; at < answer.len; at += n) {
        n = step == 0 ? answer.len : ith_utf8_bytes(answer.data + at, answer.len - at);
        fuzz_must(ith_message_push(m, answer.data + at, n, false));
    }
    fuzz_must(ith_message_push(m, "", 0, true));
    message = ith_message_json(m, false);
    fuzz_must(message != NULL);
    fuzz_must(strcmp(ith_message_stop(m), "stop") == 0 ||
              json_array_size(json_object_get(message, "tool_calls")) > 0);
    ith_message_close(m);
    return message;
}

static void append(buffer *b, const json_t *text)
{
    if (json_is_string(text))
        put(b, json_string_value(text), json_string_length(text));
}

/* Deltas, put together as a client does. */
static void add_delta(json_t *delta, buffer *content, buffer *arguments, size_t *calls)
{
    json_t *call;
    size_t i;

    fuzz_must(delta != NULL);
    append(content, json_object_get(delta, "content"));
    json_array_foreach (json_object_get(delta, "tool_calls"), i, call) {
        json_t *function = json_object_get(call, "function");
        size_t index = (size_t)json_integer_value(json_object_get(call, "index"));
        bool first = json_object_get(function, "name") != NULL;
        fuzz_must(index == *calls - !first);
        *calls += first;
        append(arguments, json_object_get(function, "arguments"));
    }
    json_decref(delta);
}

static bool is_text(const buffer *b, const json_t *text)
{
    return b->n == json_string_length(text) &&
           (b->n == 0 || memcmp(b->data, json_string_value(text), b->n) == 0);
}

static void check_stream(const ith_request *r, ith_bytes answer, const json_t *message)
{
    ith_message_text *m = ith_message_open(r, "key");
    buffer content = {0}, arguments = {0}, wanted = {0};
    const json_t *call;
    size_t calls = 0, i;

    fuzz_must(m != NULL);
    for (size_t at = 0, n; at < answer.len; at += n) {
        n = ith_utf8_bytes(answer.data + at, answer.len - at);
        fuzz_must(ith_message_push(m, answer.data + at, n, at + n == answer.len));
        if (ith_message_has_news(m))
            add_delta(ith_message_json(m, true), &content, &arguments, &calls);
    }
    json_array_foreach (json_object_get(message, "tool_calls"), i, call)
        append(&wanted, json_object_get(json_object_get(call, "function"), "arguments"));
    fuzz_must(is_text(&content, json_object_get(message, "content")) && calls == i);
    fuzz_must(arguments.n == wanted.n &&
              (wanted.n == 0 || memcmp(arguments.data, wanted.data, wanted.n) == 0));
    ith_message_close(m);
    free(content.data);
    free(arguments.data);
    free(wanted.data);
}

/* The text of an answer is UTF-8. */
static void tell(const ith_request *r, ith_bytes answer)
{
    json_t *text = ith_json_bytes(answer.data, answer.len), *message, *other;
    ith_bytes clean = {json_string_value(text), json_string_length(text)};

    message = whole(r, clean, 0);
    other = whole(r, clean, 1);
    fuzz_must(json_equal(message, other));
    if (r->tools.functions == NULL && r->speech.marks == NULL && r->speech.form == NULL)
        fuzz_must(json_equal(json_object_get(message, "content"), text));
    if (clean.len > 0)
        check_stream(r, clean, message);
    json_decref(message);
    json_decref(other);
    json_decref(text);
}

/* ---- The request ---- */

static void go_on(ith_request *r, const ith_vocab *vocab, ith_bytes answer)
{
    ith_error err = {0};

    check_ranges(r);
    if (!fuzz_verdict(ith_request_grammar(r, vocab, &err), &err))
        return;
    for (size_t i = 0; i < ith_request_prompts(r); i++) {
        int32_t *ids;
        size_t n;
        bool given;
        ith_request_text(r, i, &n);
        given = !r->chat && ith_request_text(r, i, &n) == NULL;
        if (!fuzz_verdict(ith_request_ids(r, i, vocab, &ids, &n, &err), &err))
            continue;
        for (size_t k = 0; k < n; k++)
            fuzz_must(ids[k] >= 0 && (given || ids[k] <= FUZZ_END));
        free(ids);
    }
    ith_request_forget(r);
    tell(r, answer);
}

static void line(ith_bytes text, const ith_vocab *vocab, ith_bytes answer)
{
    ith_batch_request request = {.line = 1};
    ith_error err = {0};

    request.body.how.sampling.repeat_penalty = 1;
    if (fuzz_verdict(ith_batch_request_read(&request, text.data, text.len, &err), &err))
        go_on(&request.body, vocab, answer);
    ith_batch_request_free(&request);
}

static void served(bool chat, ith_bytes text, const ith_vocab *vocab, ith_bytes answer)
{
    ith_request r = {.chat = chat, .served = true, .prefix = ""};
    json_t *body = NULL;
    ith_error err = {0};

    r.how.sampling.repeat_penalty = 1;
    if (ith_request_is_flat(text.data, text.len) &&
        fuzz_verdict(ith_json_parse(text.data, text.len, "the body", &body, &err), &err) &&
        json_is_object(body) && fuzz_verdict(ith_request_read(&r, body, &err), &err))
        go_on(&r, vocab, answer);
    ith_request_free(&r);
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes letters = fuzz_part(&data, &size), body = fuzz_part(&data, &size),
              answer = fuzz_part(&data, &size);
    const ith_vocab *vocab = vocab_of(letters.len > 1 ? letters.data[1] : 'o');

    if (letters.data[0] == 'l')
        line(body, vocab, answer);
    else
        served(letters.data[0] != 't', body, vocab, answer);
    fuzz_part_free(letters);
    fuzz_part_free(body);
    fuzz_part_free(answer);
    return 0;
}
