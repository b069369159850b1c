/* test_calls.c - calls of tools in answers: each form whole, cut after every byte and byte by byte;
 * what is no call stays text; made of random pieces, too. */
#include "prng.h"
#include "unit/text_data.h"

#include "openai/forms/form.h"

typedef struct heard {
    char text[8192], thought[8192], calls[8192];
} heard;

static void add(char to[8192], const char *text, size_t len)
{
    size_t n = strlen(to);

    assert_true(n + len + 2 < 8192);
    memcpy(to + n, text, len);
    to[n + len] = 0;
}

/* Calls as "f{...}; g{...}", with an id as "id=f{...}". */
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
    if (said->kind == ITH_SAID_CALL && said->id != NULL) {
        add(h->calls, said->id, strlen(said->id));
        add(h->calls, "=", 1);
    }
    if (said->kind == ITH_SAID_CALL || said->kind == ITH_SAID_ARGUMENTS)
        add(h->calls, said->text, said->len);
    return true;
}

static json_t *functions;

static int set_up(void **state)
{
    (void)state;
    functions =
        json_pack("{s:{s:{s:{s:s}, s:{s:s}, s:{s:[{s:s},{s:s}]}, s:{s:s}}}, s:{}}", "f",
                  "properties", "text", "type", "string", "n", "type", "integer", "maybe", "anyOf",
                  "type", "string", "type", "null", "list", "type", "array", "get.it");
    return functions == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(functions);
    return 0;
}

typedef struct how {
    const ith_form *form;
    bool thinks, only_one;
} how;

/* The first part has `cut` bytes, the others `step`. Returns how many calls there are; *is_cut: of
 * the last. */
static size_t read_parts(how h, const char *text, size_t cut, size_t step, heard *out, bool *is_cut)
{
    static const ith_marks marks = {"<think>", "</think>"};
    const ith_calls_params params = {
        h.form,   functions, h.only_one, h.form == &ith_form_harmony ? NULL : &marks,
        h.thinks, hear,      out};
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

static const how hermes = {.form = &ith_form_hermes}, llama = {.form = &ith_form_llama},
                 mistral = {.form = &ith_form_mistral_list}, harmony = {.form = &ith_form_harmony},
                 deepseek = {.form = &ith_form_deepseek},
                 plain = {.form = &ith_form_deepseek_plain}, kimi = {.form = &ith_form_kimi},
                 mistral_args = {.form = &ith_form_mistral_args},
                 coder = {.form = &ith_form_qwen_coder}, glm = {.form = &ith_form_glm},
                 minimax = {.form = &ith_form_minimax}, none = {0};

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
    /* thoughts are no calls */
    expect(hermes, "<think>\n<tool_call>" G "</tool_call> no</think>\n\n<tool_call>" F, "",
           "<tool_call>" G "</tool_call> no", F_CALL);
    expect(thinking, "<tool_call>" G "</think>\n<tool_call>" F, "", "<tool_call>" G, F_CALL);
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
    expect(llama, text, "", "{", "f{\"a\": 1}");
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

static void test_thoughts(void **state)
{
    how thinking = none;

    (void)state;
    thinking.thinks = true;
    expect(none, "<think>\nI\n think.\n</think>\n\nYes.\n", "Yes.\n", "I\n think.", "");
    expect(none, "\n <think></think>Yes.", "Yes.", "", "");
    expect(none, "A <think>b</think>", "A <think>b</think>", "", "");
    expect(none, "<think>a</think> <think>b</think>", "<think>b</think>", "a", "");
    expect(none, "<think>a</thin", "", "a</thin", "");
    expect(none, " \n", " \n", "", "");
    expect(none, "<thin", "<thin", "", "");
    expect(thinking, "I think.</think>Yes.", "Yes.", "I think.", "");
    expect(thinking, "\n<think>\nI think.</think>\nYes.", "Yes.", "I think.", "");
    expect(thinking, "I think. \n", "", "I think.", "");
    expect(thinking, "", "", "", "");
}

/* Calls with a head. */
#define CALLS     "<｜tool▁calls▁begin｜>"
#define CALLS_END "<｜tool▁calls▁end｜>"
#define CALL      "<｜tool▁call▁begin｜>"
#define CALL_END  "<｜tool▁call▁end｜>"
#define SEP       "<｜tool▁sep｜>"

static void test_deepseek(void **state)
{
    how one = deepseek;

    (void)state;
    one.only_one = true;
    expect(deepseek,
           "Yes.\n" CALLS CALL "function" SEP "f\n```json\n{\"a\": \"```\"}\n```" CALL_END "\n" CALL
           "function" SEP "get.it\n```json\n{}\n```" CALL_END CALLS_END,
           "Yes.", "", "f{\"a\": \"```\"}; get.it{}");
    expect(one,
           CALLS CALL "function" SEP "f\n```json\n{}\n```" CALL_END CALL "function" SEP
                      "get.it\n```json\n{}\n```" CALL_END CALLS_END,
           "", "", "f{}");
    expect(deepseek, CALLS CALL "function" SEP "g\n```json\n{}",
           CALLS CALL "function" SEP "g\n"
                      "```json\n{}",
           "", "");
    expect(deepseek, CALLS CALL "function" SEP "f\n{}", CALLS CALL "function" SEP "f\n{}", "", "");
    expect(deepseek, CALLS CALL "functio", CALLS CALL "functio", "", "");
    expect(plain,
           CALLS CALL "f" SEP "{\"a\": 1}" CALL_END CALL "get.it" SEP "{}" CALL_END CALLS_END
                      "\nDone.",
           "Done.", "", "f{\"a\": 1}; get.it{}");
    expect(plain, CALLS CALL "f" SEP "{\"a\": [", "", "", "f{\"a\": [");
    expect(plain, "a <｜tool", "a <｜tool", "", "");
}

static void test_kimi(void **state)
{
    (void)state;
    expect(kimi,
           "Yes. <|tool_calls_section_begin|><|tool_call_begin|>functions.f:0"
           "<|tool_call_argument_begin|>{\"a\": 1}<|tool_call_end|><|tool_call_begin|>"
           "functions.get.it:12<|tool_call_argument_begin|>{}<|tool_call_end|>"
           "<|tool_calls_section_end|>",
           "Yes.", "", "functions.f:0=f{\"a\": 1}; functions.get.it:12=get.it{}");
    expect(kimi, "<|tool_calls_section_begin|><|tool_call_begin|>f:0",
           "<|tool_calls_section_begin|>"
           "<|tool_call_begin|>f:0",
           "", "");
    expect(mistral_args, "[TOOL_CALLS]f[ARGS]{\"a\": 1}[TOOL_CALLS]get.it[ARGS]{}", "", "",
           "f{\"a\": 1}; get.it{}");
    expect(mistral_args, "No. [TOOL_CALLS]g[ARGS]{}", "No. [TOOL_CALLS]g[ARGS]{}", "", "");
}

static void test_tagged(void **state)
{
    how one = coder;

    (void)state;
    one.only_one = true;
    expect(coder,
           "Well.\n<tool_call>\n<function=f>\n<parameter=text>\na \"b\"\n\\</parameter\n"
           "</parameter>\n<parameter=n>\n7\n</parameter>\n<parameter=list>\n[1, {\"a\": "
           "\"</parameter\"}]\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n"
           "<function=get.it>\n</function>\n</tool_call>\n",
           "Well.", "",
           "f{\"text\": \"a \\\"b\\\"\\n\\\\</parameter\", \"n\": 7, \"list\": "
           "[1,{\"a\":\"</parameter\"}]}; get.it{}");
    /* by the types of parameters */
    expect(coder,
           "<tool_call><function=f><parameter=text>12</parameter><parameter=n>seven</parameter>"
           "<parameter=maybe>12</parameter><parameter=x>True</parameter><parameter=y>{\"a\": "
           "1}</parameter><parameter=z>\"q\"</parameter></function></tool_call>",
           "", "",
           "f{\"text\": \"12\", \"n\": \"seven\", \"maybe\": \"12\", \"x\": true, "
           "\"y\": {\"a\":1}, \"z\": \"\\\"q\\\"\"}");
    expect(coder, "<function=f><parameter=maybe>None</parameter></function>", "", "",
           "f{\"maybe\": null}");
    /* what is forgotten, and what is cut */
    expect(coder, "<tool_call><function=f><parameter=n>1</parameter></tool_call>.", ".", "",
           "f{\"n\": 1}");
    expect(coder, "<function=f>and<parameter=n>1</parameter>so on</function> end", "end", "",
           "f{\"n\": 1}");
    expect(coder, "<function=f><parameter=text>ab\n", "", "", "f{\"text\": \"ab\\n");
    expect(coder, "<function=f><parameter=n>12", "", "", "f{\"n\": ");
    expect(one, "<function=f></function><function=get.it></function>", "", "", "f{}");
    /* no calls */
    expect(coder, "<tool_call>\n<function=g>", "<tool_call>\n<function=g>", "", "");
    expect(coder, "a<function=g></function>", "a<function=g></function>", "", "");
    expect(coder, "<tool_call>" F, "<tool_call>" F, "", "");
    expect(glm,
           "\n<tool_call>f\n<arg_key>text</arg_key>\n<arg_value>a\n</arg_value>\n<arg_key>n"
           "</arg_key>\n<arg_value>7</arg_value>\n</tool_call>\n<tool_call>get.it</tool_call>",
           "", "", "f{\"text\": \"a\\n\", \"n\": 7}; get.it{}");
    expect(glm, "<tool_call>f is a word", "<tool_call>f is a word", "", "");
    expect(glm, "<tool_call>f", "<tool_call>f", "", "");
    expect(minimax,
           "<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"text\">a</parameter>\n"
           "</invoke>\n<invoke name=\"get.it\">\n</invoke>\n</minimax:tool_call>\nSo.",
           "\nSo.", "", "f{\"text\": \"a\"}; get.it{}");
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
        "                                                         ",
        CALLS,
        CALL,
        "function",
        SEP,
        "f",
        "\n```json\n",
        "{}",
        "```",
        CALL_END,
        CALLS_END,
        "<|tool_calls_section_begin|>",
        "<|tool_call_begin|>functions.f:",
        "0",
        "<|tool_call_argument_begin|>",
        "[ARGS]",
        "<function=f>",
        "<parameter=text>",
        "<parameter=n>",
        "</parameter>",
        "</function>",
        "7",
        "<arg_key>",
        "</arg_key>",
        "<arg_value>",
        "</arg_value>",
        "<minimax:tool_call>",
        "<invoke name=\"f\">",
        "</invoke>"};
    const how *const forms[] = {&hermes, &llama,        &mistral, &harmony, &deepseek, &plain,
                                &kimi,   &mistral_args, &coder,   &glm,     &minimax,  &none};
    prng random = {7};

    (void)state;
    for (int i = 0; i < 12000; i++) {
        char text[3000] = "";
        heard whole, parts;
        bool cut_whole, cut_parts;
        how h = *forms[i % 12];
        h.thinks = i % 48 >= 36;
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
        const ith_form *form;
    } cases[] = {
        {"tools: {\"name\": \"probe\", \"description\"\n<tool_call>\n{\"name\": \"probe\", "
         "\"arguments\": {\"x\": 1}}\n</tool_call>",
         &ith_form_hermes},
        {"{\"name\": \"probe\", \"parameters\": {\"x\": 1}}", &ith_form_llama},
        {"[TOOL_CALLS] [{\"name\": \"probe\", \"arguments\": {}", &ith_form_mistral_list},
        {"assistant to=functions.probe<|channel|>commentary json<|message|>{}", &ith_form_harmony},
        {"[TOOL_CALLS]probe[ARGS]{}", &ith_form_mistral_args},
        {"<tool_call>\n<function=probe>\n<parameter=x>\n1", &ith_form_qwen_coder},
        {"<tool_call>probe\n<arg_key>x", &ith_form_glm},
        {"<minimax:tool_call>\n<invoke name=\"probe\">\n<parameter name=\"x\">", &ith_form_minimax},
        {CALLS CALL "function" SEP "probe\n```json\n{}", &ith_form_deepseek},
        {CALLS CALL "probe" SEP "{}", &ith_form_deepseek_plain},
        {"probe: <|tool_call_begin|>id<|tool_call_argument_begin|>{}", &ith_form_kimi},
        {"<function=probe>", NULL},
        {"<tool_call>probe\nx", NULL},
        {"{\"name\": \"probe\", \"description\": \"\", \"parameters\": {}}", NULL},
        {"probe", NULL},
        {"", NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_ptr_equal(ith_calls_form_of(cases[i].text, "probe", "id"), cases[i].form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hermes),   cmocka_unit_test(test_llama),
        cmocka_unit_test(test_mistral),  cmocka_unit_test(test_harmony),
        cmocka_unit_test(test_thoughts), cmocka_unit_test(test_deepseek),
        cmocka_unit_test(test_kimi),     cmocka_unit_test(test_tagged),
        cmocka_unit_test(test_count),    cmocka_unit_test(test_random),
        cmocka_unit_test(test_forms),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
