/* test_chat.c - conversations in chat templates against apply_chat_template of Transformers
 * (chat.json, made by tests/golden/tokenizer/make.py), what is given to templates, and where they
 * are found. */
#include "unit/text_data.h"

#include "text/chat.h"

#include <unistd.h>

static json_t *golden(void)
{
    json_t *root = json_load_file("tests/golden/tokenizer/chat.json", 0, NULL);

    assert_non_null(root);
    return root;
}

static ith_thinking thinking_named(const char *name)
{
    return strcmp(name, "on") == 0    ? ITH_THINKING_ON
           : strcmp(name, "off") == 0 ? ITH_THINKING_OFF
                                      : ITH_THINKING_DEFAULT;
}

/* The templates of Qwen3, SmolLM2, plain ChatML and Llama 3, with their own bos_token. */
static void test_golden(void **state)
{
    json_t *root = golden();
    const json_t *one, *message;
    size_t i, k;

    (void)state;
    assert_true(json_array_size(json_object_get(root, "cases")) >= 90);
    json_array_foreach (json_object_get(root, "cases"), i, one) {
        const json_t *list = json_object_get(one, "messages");
        const char *kind = json_string_value(json_object_get(one, "kind"));
        ith_chat_files files = {0};
        ith_message messages[16];
        ith_chat_params params = {.messages = messages, .n_messages = json_array_size(list)};
        ith_chat_text text;
        ith_error err = {0};
        assert_true(json_array_size(list) <= 16);
        json_array_foreach (list, k, message) {
            messages[k].role = json_string_value(json_array_get(message, 0));
            messages[k].content = json_string_value(json_array_get(message, 1));
        }
        params.template_source =
            json_string_value(json_object_get(json_object_get(root, "templates"), kind));
        if (strcmp(kind, "qwen3") == 0)
            params.thinking = thinking_named(json_string_value(json_object_get(one, "thinking")));
        assert_int_equal(ith_chat_files_name(&files, "bos_token", "<|begin_of_text|>", 17, NULL),
                         ITH_OK);
        if (ith_chat_write(&files, &params, &text, &err) != ITH_OK)
            fail_msg("%s, case %zu: %s", kind, i, err.text);
        if (strcmp(text.rendered.text, json_string_value(json_object_get(one, "text"))) != 0)
            fail_msg("%s, case %zu: \"%s\" instead of \"%s\"", kind, i, text.rendered.text,
                     json_string_value(json_object_get(one, "text")));
        ith_jinja_text_free(&text.rendered);
        ith_chat_files_free(&files);
    }
    json_decref(root);
}

/* ---- What a template is given ---- */

static void expect(ith_chat_params params, const char *source, const char *expected)
{
    ith_chat_files files = {0};
    ith_chat_text text;
    ith_error err = {0};

    params.template_source = source;
    if (ith_chat_write(&files, &params, &text, &err) != ITH_OK)
        fail_msg("%s: %s", source, err.text);
    assert_string_equal(text.rendered.text, expected);
    ith_jinja_text_free(&text.rendered);
    ith_chat_files_free(&files);
}

static void refuse(ith_chat_params params, const char *source, ith_status status, const char *part)
{
    ith_chat_files files = {0};
    ith_chat_text text;
    ith_error err = {0};

    params.template_source = source;
    assert_int_equal(ith_chat_write(&files, &params, &text, &err), status);
    assert_null(text.rendered.text);
    if (strstr(err.text, part) == NULL)
        fail_msg("%s: %s", source, err.text);
}

#define SHOW "{{ messages|tojson }}"

static void test_messages(void **state)
{
    const ith_message two[] = {{"user", "caf\xe9"}, {"odd role", ""}};

    (void)state;
    expect((ith_chat_params){.messages = two, .n_messages = 2}, SHOW,
           "[{\"role\": \"user\", \"content\": \"caf\xef\xbf\xbd\"}, "
           "{\"role\": \"odd role\", \"content\": \"\"}]");
    expect((ith_chat_params){.messages_json = "[{\"role\": \"user\", \"content\": null, \"n\": 1}]",
                             .messages = two + 1,
                             .n_messages = 1},
           SHOW, "[{\"role\": \"user\", \"n\": 1}, {\"role\": \"odd role\", \"content\": \"\"}]");
    expect((ith_chat_params){.messages_json = "[{\"role\": \"a\", \"reasoning\": \"r\"}]"}, SHOW,
           "[{\"thinking\": \"r\", \"role\": \"a\", \"reasoning\": \"r\", "
           "\"reasoning_content\": \"r\"}]");
    expect((ith_chat_params){.messages_json = "[{\"thinking\": \"t\", \"reasoning_content\": "
                                              "null}]"},
           SHOW, "[{\"thinking\": \"t\", \"reasoning_content\": \"t\"}]");
    refuse((ith_chat_params){0}, SHOW, ITH_E_ARGUMENT, "at least one message");
    refuse((ith_chat_params){.messages_json = "[]"}, SHOW, ITH_E_ARGUMENT, "at least one message");
    refuse((ith_chat_params){.messages_json = "{}"}, SHOW, ITH_E_ARGUMENT, "messages: expected");
    refuse((ith_chat_params){.messages_json = "[{}, 1]"}, SHOW, ITH_E_ARGUMENT, "item 1");
    refuse((ith_chat_params){.messages_json = "[{"}, SHOW, ITH_E_FORMAT, "messages");
    refuse((ith_chat_params){.messages = &(ith_message){NULL, "x"}, .n_messages = 1}, SHOW,
           ITH_E_ARGUMENT, "role");
    refuse((ith_chat_params){.messages = &(ith_message){"x", NULL}, .n_messages = 1}, SHOW,
           ITH_E_ARGUMENT, "content");
}

static void test_variables(void **state)
{
    ith_chat_params hi = {.messages_json = "[{\"role\": \"user\", \"content\": \"hi\"}]"};
    ith_chat_params with = hi;

    (void)state;
    expect(hi, "{{ add_generation_prompt }}{{ tools }}{{ documents }}{{ bos_token }}",
           "TrueNoneNone");
    with.no_generation_prompt = true;
    expect(with, "{{ add_generation_prompt }}", "False");
    with = hi;
    with.tools = "[{\"type\": \"function\"}]";
    expect(with, "{{ tools|tojson }}", "[{\"type\": \"function\"}]");
    refuse(with, "{{ messages }}", ITH_E_UNSUPPORTED, "takes no tools");
    with.tools = "{}";
    refuse(with, "{{ tools }}", ITH_E_ARGUMENT, "tools: expected");
    with = hi;
    with.arguments = "{\"documents\": [1], \"x\": \"<\", \"bos_token\": \"B\"}";
    expect(with, "{{ documents }}{{ x }}{{ bos_token }}", "[1]<B");
    refuse(with, "{{ documents }}{{ bos_token }}{{ y.x }}", ITH_E_ARGUMENT, "no argument \"x\"");
    with.arguments = "{\"messages\": []}";
    refuse(with, SHOW, ITH_E_ARGUMENT, "messages cannot be");
    with.arguments = "[]";
    refuse(with, SHOW, ITH_E_ARGUMENT, "template arguments");
}

/* What a family calls its choice. */
static void test_thinking(void **state)
{
    ith_chat_params off = {.messages_json = "[{\"role\": \"user\", \"content\": \"hi\"}]",
                           .thinking = ITH_THINKING_OFF},
                    on = off;

    (void)state;
    on.thinking = ITH_THINKING_ON;
    expect(off, "{{ enable_thinking }}", "False");
    expect(on, "{{ enable_thinking }}{{ thinking }}", "TrueTrue");
    expect(off,
           "{% if thinking is not defined %}{% set thinking = true %}{% endif %}{{ thinking }}",
           "False");
    expect(off, "{{ thinking_budget }}", "0");
    expect(on, "{{ thinking_budget }}", "");
    expect(off, "{{ reasoning_effort if reasoning_effort in ['none', 'high'] }}", "none");
    expect(on, "{{ reasoning_effort if reasoning_effort in ['none', 'high'] }}", "high");
    expect(on, "{{ reasoning_effort|default('medium') }}", "medium");
    refuse(off, "{{ reasoning_effort|default('medium') }}", ITH_E_UNSUPPORTED, "reasoning_effort");
    refuse(off, "{{ messages[0].thinking }}", ITH_E_UNSUPPORTED, "does not let the user choose");
    off.arguments = "{\"enable_thinking\": \"auto\"}";
    expect(off, "{{ enable_thinking }}", "auto");
}

/* ---- Where templates are found ---- */

static void take(ith_chat_files *files, const char *name, const char *text)
{
    ith_error err = {0};

    if (ith_chat_files_take(files, name, (ith_bytes){text, strlen(text)}, &err) != ITH_OK)
        fail_msg("%s: %s", name, err.text);
}

static void expect_template(const ith_chat_files *files, const char *name, const char *source)
{
    const ith_chat_template *t = ith_chat_files_find(files, name);

    if (source == NULL) {
        assert_null(t);
        return;
    }
    assert_non_null(t);
    assert_string_equal(t->source, source);
    assert_int_equal(t->len, strlen(source));
}

static void test_files(void **state)
{
    static const char two[] = "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"}, "
                              "{\"name\": \"default\", \"template\": \"d\"}]}";
    ith_chat_files files = {0};

    (void)state;
    take(&files, "tokenizer_config.json", "{\"chat_template\": \"one\", \"bos_token\": \"<s>\"}");
    expect_template(&files, "default", "one");
    take(&files, "special_tokens_map.json",
         "{\"bos_token\": \"no\", \"eos_token\": {\"content\": \"</s>\"}, \"pad_token\": null}");
    assert_string_equal(json_string_value(json_object_get(files.tokens, "bos_token")), "<s>");
    assert_string_equal(json_string_value(json_object_get(files.tokens, "eos_token")), "</s>");
    assert_null(json_object_get(files.tokens, "pad_token"));
    take(&files, "chat_template.json", "{\"chat_template\": \"old\"}");
    expect_template(&files, "default", "one");
    take(&files, "tokenizer_config.json", two);
    expect_template(&files, "tool_use", "t");
    expect_template(&files, "default", "d");
    take(&files, "chat_template.jinja", "file");
    expect_template(&files, "default", "file");
    expect_template(&files, "tool_use", NULL);
    take(&files, "additional_chat_templates/rag.jinja", "");
    expect_template(&files, "rag", "");
    take(&files, "tokenizer_config.json", two);
    expect_template(&files, "tool_use", NULL);
    ith_chat_files_free(&files);
    take(&files, "tokenizer.json", "no JSON");
    take(&files, "tokenizer_config.json", "{\"chat_template\": {\"default\": \"d\"}}");
    expect_template(&files, "default", "d");
    ith_chat_files_free(&files);
    take(&files, "tokenizer_config.json", "{\"chat_template\": null}");
    take(&files, "chat_template.json", "{\"chat_template\": \"old\"}");
    expect_template(&files, "default", "old");
    ith_chat_files_free(&files);
}

static void test_damaged_files(void **state)
{
    static const char *const bad[] = {"{", "{\"chat_template\": 1}", "{\"chat_template\": [1]}",
                                      "{\"chat_template\": [{\"name\": \"x\"}]}",
                                      "{\"chat_template\": {\"default\": 1}}"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ith_chat_files files = {0};
        ith_error err = {0};
        assert_int_equal(ith_chat_files_take(&files, "tokenizer_config.json",
                                             (ith_bytes){bad[i], strlen(bad[i])}, &err),
                         ITH_E_FORMAT);
        assert_non_null(strstr(err.text, "tokenizer_config.json"));
        ith_chat_files_free(&files);
    }
}

static void expect_choice(const ith_chat_files *files, ith_chat_params params, ith_status status,
                          const char *part)
{
    ith_chat_text text;
    ith_error err = {0};

    params.messages_json = "[{\"role\": \"user\", \"content\": \"hi\"}]";
    assert_int_equal(ith_chat_write(files, &params, &text, &err), status);
    assert_non_null(strstr(status == ITH_OK ? text.rendered.text : err.text, part));
    ith_jinja_text_free(&text.rendered);
}

static void test_choice(void **state)
{
    ith_chat_files files = {0};

    (void)state;
    expect_choice(&files, (ith_chat_params){0}, ITH_E_UNSUPPORTED, "no chat template");
    take(&files, "chat_template.jinja", "the first{% if tools %}!{% endif %}");
    expect_choice(&files, (ith_chat_params){.tools = "[{}]"}, ITH_OK, "the first!");
    take(&files, "additional_chat_templates/tool_use.jinja", "with {{ tools }}");
    expect_choice(&files, (ith_chat_params){0}, ITH_OK, "the first");
    expect_choice(&files, (ith_chat_params){.tools = "[{}]"}, ITH_OK, "with [{}]");
    expect_choice(&files, (ith_chat_params){.template_name = "tool_use"}, ITH_OK, "with None");
    expect_choice(&files, (ith_chat_params){.template_name = "rag"}, ITH_E_ARGUMENT,
                  "no chat template \"rag\"; it has \"default\" and others");
    expect_choice(&files, (ith_chat_params){.template_source = "mine"}, ITH_OK, "mine");
    take(&files, "chat_template.jinja", "a\n{% for %}");
    expect_choice(&files, (ith_chat_params){0}, ITH_E_FORMAT, "chat_template.jinja: line 2");
    ith_chat_files_free(&files);
}

/* ---- Where an answer ends ---- */

static void test_answer_end(void **state)
{
    ith_chat_files files = {0};
    ith_chat_text text;
    ith_error err = {0};
    size_t end;

    (void)state;
    take(&files, "chat_template.jinja",
         "{% for m in messages %}<{{ m.content|trim }}>{% endfor %}"
         "{% if add_generation_prompt %}={% endif %}");
    assert_int_equal(ith_chat_write_answer(&files, &text, &end, &err), ITH_OK);
    assert_string_equal(text.rendered.text + end, ">");
    ith_jinja_text_free(&text.rendered);
    take(&files, "chat_template.jinja", "{{ messages[0].content }}");
    assert_int_equal(ith_chat_write_answer(&files, &text, &end, &err), ITH_E_UNSUPPORTED);
    ith_jinja_text_free(&text.rendered);
    ith_chat_files_free(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),    cmocka_unit_test(test_messages),
        cmocka_unit_test(test_variables), cmocka_unit_test(test_thinking),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_choice),    cmocka_unit_test(test_answer_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
