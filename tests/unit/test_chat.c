/* test_chat.c - chat templates against apply_chat_template of Transformers (chat.json, made by
 * tests/golden/tokenizer/make.py). */
#include "unit/text_data.h"

#include "text/chat.h"

#include <unistd.h>

static ith_chat_kind kind_named(const char *name)
{
    for (ith_chat_kind kind = ITH_CHAT_CHATML; kind <= ITH_CHAT_LLAMA3; kind++)
        if (strcmp(ith_chat_kind_name(kind), name) == 0)
            return kind;
    return ITH_CHAT_UNKNOWN;
}

static json_t *golden(void)
{
    json_t *root = json_load_file("tests/golden/tokenizer/chat.json", 0, NULL);

    assert_non_null(root);
    return root;
}

static void test_detects_golden(void **state)
{
    json_t *root = golden(), *source;
    const char *name;

    (void)state;
    assert_int_equal(json_object_size(json_object_get(root, "templates")), 4);
    json_object_foreach (json_object_get(root, "templates"), name, source) {
        assert_int_equal(ith_chat_detect(json_string_value(source), json_string_length(source)),
                         kind_named(name));
    }
    json_decref(root);
}

static void expect_kind(const char *source, ith_chat_kind kind)
{
    if (ith_chat_detect(source, strlen(source)) != kind)
        fail_msg("detected as %s: %s", ith_chat_kind_name(ith_chat_detect(source, strlen(source))),
                 source);
}

#define TAIL "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

static void test_detects_chatml(void **state)
{
    (void)state;
    expect_kind("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
                "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}" TAIL,
                ITH_CHAT_CHATML);
    expect_kind("{%- for message in messages -%}\n  {{ \"<|im_start|>\" + message[\"role\"] + "
                "\"\\n\" + message.content + \"<|im_end|>\\n\" }}\n{%- endfor -%}\n" TAIL,
                ITH_CHAT_CHATML);
    expect_kind("{% for message in messages %}\n{{ '<|im_start|>' }}{{ message.role + '\\n' + "
                "message.content }}{{ '<|im_end|>\\n' }}{% endfor %}\n" TAIL "\n",
                ITH_CHAT_UNKNOWN); /* the same, but by a route that the reduction does not follow */
    expect_kind("{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content "
                "}}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% "
                "endif %}",
                ITH_CHAT_CHATML);
    expect_kind("{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false "
                "%}{% endif %}{% for message in messages %}{{'<|im_start|>' + message['role'] + "
                "'\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}" TAIL,
                ITH_CHAT_CHATML);
}

/* Qwen3's template with one text replaced by another. */
static void expect_changed(const char *old, const char *new, ith_chat_kind kind)
{
    json_t *root = golden();
    const char *source =
        json_string_value(json_object_get(json_object_get(root, "templates"), "qwen3"));
    const char *at = strstr(source, old);
    char *changed = NULL;

    assert_non_null(at);
    assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - source), source, new, at + strlen(old)) >
                0);
    expect_kind(changed, kind);
    free(changed);
    json_decref(root);
}

static void test_refuses_templates_made_from_qwen3(void **state)
{
    const char *last = "{{- '<|im_start|>assistant\\n' }}";

    (void)state;
    expect_changed(last, last, ITH_CHAT_QWEN3);
    expect_changed(last, "{{- '<|im_start|>assistant\\n' }}{{- '<think>\\n' }}", ITH_CHAT_UNKNOWN);
    expect_changed("{%- set ns = ", "{{- '<|im_start|>system\\nYou are Orla.' }}{%- set ns = ",
                   ITH_CHAT_UNKNOWN);
}

static void test_refuses_others(void **state)
{
    (void)state;
    assert_int_equal(ith_chat_detect(NULL, 0), ITH_CHAT_UNKNOWN);
    expect_kind("", ITH_CHAT_UNKNOWN);
    expect_kind("{{", ITH_CHAT_UNKNOWN);
    expect_kind("{% for", ITH_CHAT_UNKNOWN);
    expect_kind("{{ 'a", ITH_CHAT_UNKNOWN);
    expect_kind("{{ 'a\\", ITH_CHAT_UNKNOWN);
    expect_kind("{{ x['", ITH_CHAT_UNKNOWN);
    expect_kind("{{ x['a'", ITH_CHAT_UNKNOWN);
    expect_kind("{# <|im_start|> #}", ITH_CHAT_UNKNOWN);
    /* A default system prompt, a missing line end, another marker, a condition, text of its own. */
    expect_kind("{{ '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}{% for message in "
                "messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
                "'<|im_end|>' + '\\n'}}{% endfor %}" TAIL,
                ITH_CHAT_UNKNOWN);
    expect_kind("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
                "message['content'] + '<|im_end|>'}}{% endfor %}" TAIL,
                ITH_CHAT_UNKNOWN);
    expect_kind("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
                "message['content'] + '<|end|>' + '\\n'}}{% endfor %}" TAIL,
                ITH_CHAT_UNKNOWN);
    expect_kind("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
                "message['content'] | trim + '<|im_end|>' + '\\n'}}{% endfor %}" TAIL,
                ITH_CHAT_UNKNOWN);
    expect_kind("Hello{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
                "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}" TAIL,
                ITH_CHAT_UNKNOWN);
    expect_kind(
        "{% for message in messages %}{{'[INST]' + message['content'] + '[/INST]'}}{% endfor %}",
        ITH_CHAT_UNKNOWN);
}

static ith_thinking thinking_named(const char *name)
{
    return strcmp(name, "on") == 0    ? ITH_THINKING_ON
           : strcmp(name, "off") == 0 ? ITH_THINKING_OFF
                                      : ITH_THINKING_DEFAULT;
}

static void test_formats_golden(void **state)
{
    json_t *root = golden();
    const json_t *one, *message;
    size_t i, k;

    (void)state;
    assert_true(json_array_size(json_object_get(root, "cases")) >= 90);
    json_array_foreach (json_object_get(root, "cases"), i, one) {
        const json_t *list = json_object_get(one, "messages");
        const char *kind = json_string_value(json_object_get(one, "kind"));
        ith_message messages[16];
        char *text;
        assert_true(json_array_size(list) <= 16);
        json_array_foreach (list, k, message) {
            messages[k].role = json_string_value(json_array_get(message, 0));
            messages[k].content = json_string_value(json_array_get(message, 1));
        }
        assert_int_equal(
            ith_chat_format(kind_named(kind), messages, json_array_size(list),
                            thinking_named(json_string_value(json_object_get(one, "thinking"))),
                            &text, NULL),
            ITH_OK);
        if (strcmp(text, json_string_value(json_object_get(one, "text"))) != 0)
            fail_msg("%s, case %zu: \"%s\" instead of \"%s\"", kind, i, text,
                     json_string_value(json_object_get(one, "text")));
        free(text);
    }
    json_decref(root);
}

static void expect_format_error(ith_chat_kind kind, const ith_message *messages, size_t n,
                                ith_status status, const char *part)
{
    ith_error err = {0};
    char *text;

    assert_int_equal(ith_chat_format(kind, messages, n, ITH_THINKING_DEFAULT, &text, &err), status);
    assert_null(text);
    assert_non_null(strstr(err.text, part));
}

static void test_format_errors(void **state)
{
    const ith_message good = {"user", "x"}, role = {"wizard", "x"}, no_role = {NULL, "x"},
                      no_content = {"user", NULL}, tool = {"tool", "x"};

    (void)state;
    expect_format_error(ITH_CHAT_UNKNOWN, &good, 1, ITH_E_UNSUPPORTED, "template");
    expect_format_error(ITH_CHAT_QWEN3, &good, 0, ITH_E_ARGUMENT, "at least one");
    expect_format_error(ITH_CHAT_QWEN3, &role, 1, ITH_E_ARGUMENT, "wizard");
    expect_format_error(ITH_CHAT_CHATML, &no_role, 1, ITH_E_ARGUMENT, "role");
    expect_format_error(ITH_CHAT_CHATML, &no_content, 1, ITH_E_ARGUMENT, "content");
    expect_format_error(ITH_CHAT_SMOLLM2, &tool, 1, ITH_E_ARGUMENT, "tool");
}

/* ---- A folder's template ---- */

static void expect_template(const char *expected)
{
    char *source;
    size_t len;

    assert_int_equal(ith_chat_template_read("build/text/chat", &source, &len, NULL), ITH_OK);
    if (expected == NULL) {
        assert_null(source);
    } else {
        assert_non_null(source);
        assert_string_equal(source, expected);
        assert_int_equal(len, strlen(expected));
    }
    free(source);
}

static void set_file(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

static void test_reads_template(void **state)
{
    const char *config = "build/text/chat/tokenizer_config.json",
               *jinja = "build/text/chat/chat_template.jinja";
    ith_error err;
    char *source;
    size_t len;

    (void)state;
    test_folder();
    mkdir("build/text/chat", 0777);
    unlink(config);
    unlink(jinja);
    expect_template(NULL);
    set_file(config, "{}");
    expect_template(NULL);
    set_file(config, "{\"chat_template\": \"one\"}");
    expect_template("one");
    set_file(config, "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"a\"}, {\"name\": "
                     "\"default\", \"template\": \"b\"}]}");
    expect_template("b");
    set_file(config, "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"a\"}]}");
    assert_int_equal(ith_chat_template_read("build/text/chat", &source, &len, &err), ITH_E_FORMAT);
    set_file(jinja, "two");
    expect_template("two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detects_golden),
        cmocka_unit_test(test_detects_chatml),
        cmocka_unit_test(test_refuses_templates_made_from_qwen3),
        cmocka_unit_test(test_refuses_others),
        cmocka_unit_test(test_formats_golden),
        cmocka_unit_test(test_format_errors),
        cmocka_unit_test(test_reads_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
