/* test_calls.c - calls of tools in answers: each form whole, cut after every byte and byte by byte;
 * what is no call stays text; made of random pieces, too. */
#include "prng.h"
#include "unit/text_data.h"

#include "openai/calls.h"

typedef struct heard {
    char text[4096], thought[4096], calls[4096];
} heard;

static void add(char to[4096], const char *text, size_t len)
{
    size_t n = strlen(to);

    assert_true(n + len + 2 < 4096);
    memcpy(to + n, text, len);
    to[n + len] = 0;
}

/* Calls as "f{...}; g{...}". */
static bool hear(void *user, const ith_said *said)
{
    heard *h = user;

    assert_true(said->len > 0);
    if (said->kind == ITH_SAID_TEXT)
        add(h->text, said->text, said->len);
    else if (said->kind == ITH_SAID_THOUGHT)
        add(h->thought, said->text, said->len);
    else if (said->kind == ITH_SAID_CALL && h->calls[0] != 0)
        add(h->calls, "; ", 2);
    if (said->kind == ITH_SAID_CALL || said->kind == ITH_SAID_ARGUMENTS)
        add(h->calls, said->text, said->len);
    return true;
}

static json_t *names;

static int set_up(void **state)
{
    (void)state;
    names = json_pack("{s:b, s:b}", "f", 1, "get.it", 1);
    return names == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(names);
    return 0;
}

typedef struct how {
    ith_call_form form;
    bool thinks, only_one;
} how;

/* The first part has `cut` bytes, the others `step`. Returns how many calls there are; *is_cut: of
 * the last. */
static size_t read_parts(how h, const char *text, size_t cut, size_t step, heard *out, bool *is_cut)
{
    const ith_calls_params params = {h.form, names, h.only_one, h.thinks, hear, out};
    ith_calls *calls = ith_calls_open(&params);
    size_t n = strlen(text), count;

    *out = (heard){0};
    assert_non_null(calls);
    for (size_t at = 0, end = cut; at < n; at = end, end = end + step < n ? end + step : n) {
        char *part = strndup(text + at, end - at); /* so that a sanitizer sees reads behind it */
        assert_true(ith_calls_push(calls, part, end - at, false));
        free(part);
    }
    assert_true(ith_calls_push(calls, "", 0, true));
    count = ith_calls_count(calls);
    *is_cut = ith_calls_is_cut(calls);
    ith_calls_close(calls);
    return count;
}

static void same(const char *source, size_t cut, const heard *got, const heard *want)
{
    if (strcmp(got->text, want->text) != 0 || strcmp(got->calls, want->calls) != 0 ||
        strcmp(got->thought, want->thought) != 0)
        fail_msg("%s, cut at %zu:\ntext    \"%s\", not \"%s\"\nthought \"%s\", not \"%s\"\n"
                 "calls   %s, not %s",
                 source, cut, got->text, want->text, got->thought, want->thought, got->calls,
                 want->calls);
}

/* Cut anywhere, the text says the same. */
static void expect(how h, const char *source, const char *text, const char *thought,
                   const char *calls)
{
    heard want = {0}, got;
    size_t n = strlen(source);
    bool is_cut;

    add(want.text, text, strlen(text));
    add(want.thought, thought, strlen(thought));
    add(want.calls, calls, strlen(calls));
    for (size_t cut = 1; cut <= n; cut++) {
        read_parts(h, source, cut, n, &got, &is_cut);
        same(source, cut, &got, &want);
    }
    read_parts(h, source, 1, 1, &got, &is_cut);
    same(source, 0, &got, &want);
}

static const how hermes = {.form = ITH_CALLS_HERMES}, llama = {.form = ITH_CALLS_LLAMA},
                 mistral = {.form = ITH_CALLS_MISTRAL}, harmony = {.form = ITH_CALLS_HARMONY};

#define F      "{\"name\": \"f\", \"arguments\": {\"a\": \"}<\\\"\"}}"
#define G      "{\"name\": \"get.it\", \"arguments\": {}}"
#define F_CALL "f{\"a\": \"}<\\\"\"}"

static void test_hermes(void **state)
{
    how thinking = hermes, one = hermes;
    char text[1000];

    (void)state;
    thinking.thinks = one.only_one = true;
    expect(hermes, "<tool_call>\n" F "\n</tool_call>", "", "", F_CALL);
    expect(hermes, "Let me look.\n<tool_call>" F "</tool_call>\n<tool_call>\n" G "</tool_call>\n",
           "Let me look.", "", F_CALL "; get.it{}");
    expect(one, "<tool_call>" F "</tool_call><tool_call>" G "</tool_call>", "", "", F_CALL);
    expect(hermes, "<tool_call>" F "</tool_call>\n\u00e9nd", "\n\u00e9nd", "", F_CALL);
    snprintf(text, sizeof text, "a%70s<tool_call>" G, "");
    expect(hermes, text, "a      ", "", "get.it{}");
    /* keys in another order, others beside them, none at all, other white space */
    expect(hermes, "<tool_call>{\"arguments\": {\"b\": [1, {}]}, \"name\": \"f\"}</tool_call>", "",
           "", "f{\"b\":[1,{}]}");
    expect(hermes,
           "<tool_call>{\"name\":\"f\",\n\"arguments\":{ \"b\" : 1 },\"id\":\"}\"}</tool_call>", "",
           "", "f{ \"b\" : 1 }");
    expect(hermes, "<tool_call>{\"name\": \"f\"}</tool_call>", "", "", "f{}");
    /* the last brace is forgotten, the end is missing */
    expect(hermes, "<tool_call>\n{\"name\": \"f\", \"arguments\": {}\n</tool_call>.", ".", "",
           "f{}");
    expect(hermes, "<tool_call>" F, "", "", F_CALL);
    expect(hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": [", "", "", "f{\"a\": [");
    /* no calls */
    expect(hermes, "a < b <tool_call <<tool_call>", "a < b <tool_call <<tool_call>", "", "");
    expect(hermes, "\n <tool_call>\n{\"name\": \"g\", \"arguments\": {}}</tool_call>",
           "\n <tool_call>\n{\"name\": \"g\", \"arguments\": {}}</tool_call>", "", "");
    expect(hermes, "<tool_call>{\"name\": \"f\", \"arguments\": \"x\"}</tool_call> <tool_call>" G,
           "<tool_call>{\"name\": \"f\", \"arguments\": \"x\"}</tool_call>", "", "get.it{}");
    expect(hermes, "<tool_call>{\"name\": f}</tool_call>", "<tool_call>{\"name\": f}</tool_call>",
           "", "");
    expect(hermes, "<tool_call>{\"name\": \"f\", \"argu", "<tool_call>{\"name\": \"f\", \"argu", "",
           "");
    expect(hermes, "<tool_call>{\"arguments\": {}", "<tool_call>{\"arguments\": {}", "", "");
    /* thoughts are a part of the text, and no calls */
    expect(hermes, "<think>\n<tool_call>" G "</tool_call> no</think>\n\n<tool_call>" F,
           "<think>\n<tool_call>" G "</tool_call> no</think>", "", F_CALL);
    expect(thinking, "<tool_call>" G "</think>\n<tool_call>" F, "<tool_call>" G "</think>", "",
           F_CALL);
    expect(hermes, "Say <think>, <tool_call>" G, "Say <think>,", "", "get.it{}");
}

static void test_llama(void **state)
{
    static const char call[] = "{\"name\": \"f\", \"parameters\": {\"a\": 1}}";
    char text[1000];

    (void)state;
    expect(llama, call, "", "", "f{\"a\": 1}");
    snprintf(text, sizeof text, "\n<|python_tag|>%s; %s\n", call, call);
    expect(llama, text, "", "", "f{\"a\": 1}; f{\"a\": 1}");
    snprintf(text, sizeof text, "%90s%s", "", call);
    expect(llama, text, "                          ", "", "f{\"a\": 1}");
    expect(llama, "{\"type\": \"function\", \"name\": \"f\", \"parameters\": {}}", "", "", "f{}");
    snprintf(text, sizeof text, "I call <|python_tag|>%s", call);
    expect(llama, text, "I call", "", "f{\"a\": 1}");
    expect(llama, "{\"a\": {\"name\": \"f\"}} {", "{\"a\": {\"name\": \"f\"}} {", "", "");
    snprintf(text, sizeof text, "I call %s", call);
    expect(llama, text, text, "", "");
    expect(llama, "<|python_tag|>f.call(x=1)", "<|python_tag|>f.call(x=1)", "", "");
    snprintf(text, sizeof text, "<think>{</think>\n%s", call);
    expect(llama, text, "<think>{</think>", "", "f{\"a\": 1}");
}

static void test_mistral(void **state)
{
    (void)state;
    expect(mistral, "[TOOL_CALLS][" F "]", "", "", F_CALL);
    expect(mistral, "Yes. [TOOL_CALLS] [" F ", " G ",\n" F "]", "Yes.", "",
           F_CALL "; get.it{}; " F_CALL);
    expect(mistral, "[TOOL_CALLS]" F, "", "", F_CALL);
    expect(mistral, "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}, \"id\": \"abcdefghi\"}] .",
           " .", "", "f{}");
    expect(mistral, "[TOOL_CALLS]f[ARGS]{}", "[TOOL_CALLS]f[ARGS]{}", "", "");
    expect(mistral, "[TOOL_CALLS][" F ", {\"name\": \"x\"}]", " {\"name\": \"x\"}]", "", F_CALL);
    expect(mistral, "[TOOL_CALL [1]", "[TOOL_CALL [1]", "", "");
}

static void test_harmony(void **state)
{
    how one = harmony;

    (void)state;
    one.only_one = true;
    expect(harmony,
           "<|channel|>analysis<|message|>I need f.<|end|><|start|>assistant<|channel|>commentary "
           "to=functions.f <|constrain|>json<|message|>{\"a\": \"<|end|>\"}<|call|>",
           "", "I need f.", "f{\"a\": \"<|end|>\"}");
    expect(harmony,
           " to=functions.get.it<|channel|>commentary json<|message|>{}<|call|><|start|>assistant"
           "<|channel|>final<|message|>Done.<|return|>",
           "Done.", "", "get.it{}");
    expect(one,
           "<|channel|>commentary to=functions.f<|message|>{}<|call|><|channel|>commentary "
           "to=functions.get.it<|message|>{\"b\": 1}",
           "", "", "f{}");
    expect(harmony, "<|channel|>commentary<|message|>First this. <|end|><|start|>assistant",
           "First this. ", "", "");
    expect(harmony, "<|channel|>commentary to=functions.g<|message|>{}<|call|>", "{}", "", "");
    expect(harmony, "<|channel|>commentary to=functions.f<|message|>a = 1<|call|>", "a = 1", "",
           "");
    expect(harmony, "<|channel|>final<|message|>a<|channel|>analysis<|message|>b", "a", "b", "");
    expect(harmony, "Just text, <|channel|>", "Just text, <|channel|>", "", "");
}

static void test_count(void **state)
{
    heard h;
    bool is_cut;

    (void)state;
    assert_int_equal(read_parts(hermes, "<tool_call>" F "<tool_call>" G, 5, 3, &h, &is_cut), 2);
    assert_false(is_cut);
    assert_int_equal(
        read_parts(hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a", 5, 3, &h, &is_cut),
        1);
    assert_true(is_cut);
    assert_int_equal(read_parts(hermes, "<tool_call>{\"name\": \"f\", \"arg", 5, 3, &h, &is_cut),
                     0);
    assert_false(is_cut);
}

/* Of random pieces: the cut says nothing. */
static void test_random(void **state)
{
    static const char *const pieces[] = {
        "<tool_call>",
        "</tool_call>",
        "[TOOL_CALLS]",
        "[",
        "]",
        ",",
        " ",
        "\n",
        F,
        G,
        "{",
        "}",
        "{\"name\": \"f\", \"parameters\": {",
        "<think>",
        "</think>",
        "<|python_tag|>",
        ";",
        "a",
        "<|channel|>",
        "analysis",
        "commentary",
        " to=functions.f",
        "<|message|>",
        "<|end|>",
        "<|start|>",
        "\"",
        "\\",
        "<",
        "                                                         "};
    prng random = {7};

    (void)state;
    for (int i = 0; i < 4000; i++) {
        char text[3000] = "";
        heard whole, parts;
        bool cut_whole, cut_parts;
        how h = {.form = (ith_call_form)(1 + i % 4), .thinks = i % 16 >= 12};
        for (int k = (int)(prng_next(&random) % 24); k >= 0; k--)
            strcat(text, pieces[prng_next(&random) % (sizeof pieces / sizeof *pieces)]);
        assert_int_equal(read_parts(h, text, strlen(text), 1, &whole, &cut_whole),
                         read_parts(h, text, 1, 1, &parts, &cut_parts));
        same(text, 0, &parts, &whole);
        assert_int_equal(cut_whole, cut_parts);
    }
}

static void test_forms(void **state)
{
    static const struct {
        const char *text;
        ith_call_form form;
    } cases[] = {
        {"tools: {\"name\": \"probe\", \"description\"\n<tool_call>\n{\"name\": \"probe\", "
         "\"arguments\": {\"x\": 1}}\n</tool_call>",
         ITH_CALLS_HERMES},
        {"{\"name\": \"probe\", \"parameters\": {\"x\": 1}}", ITH_CALLS_LLAMA},
        {"[TOOL_CALLS] [{\"name\": \"probe\", \"arguments\": {}", ITH_CALLS_MISTRAL},
        {"assistant to=functions.probe<|channel|>commentary json<|message|>{}", ITH_CALLS_HARMONY},
        {"[TOOL_CALLS]probe[ARGS]{}", ITH_CALLS_UNKNOWN},
        {"<tool_call>\n<function=probe>\n", ITH_CALLS_UNKNOWN},
        {"<tool_call>probe\n<arg_key>x", ITH_CALLS_UNKNOWN},
        {"{\"name\": \"probe\", \"description\": \"\", \"parameters\": {}}", ITH_CALLS_UNKNOWN},
        {"probe", ITH_CALLS_UNKNOWN},
        {"", ITH_CALLS_UNKNOWN}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(ith_calls_form_of(cases[i].text, "probe"), cases[i].form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hermes),  cmocka_unit_test(test_llama),
        cmocka_unit_test(test_mistral), cmocka_unit_test(test_harmony),
        cmocka_unit_test(test_count),   cmocka_unit_test(test_random),
        cmocka_unit_test(test_forms),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
