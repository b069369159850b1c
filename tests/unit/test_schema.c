/* test_schema.c - JSON Schema: what holds, what does not, and schemas that are wrong themselves. */
#include "cli/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* Returns the error's text, "" if there is none. */
static const char *say(const char *schema, const char *value)
{
    static ith_error err;
    json_t *rules = json_loads(schema, JSON_DECODE_ANY, NULL),
           *document = json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    assert_non_null(rules);
    assert_non_null(document);
    err = (ith_error){0};
    if (ith_schema_check(rules, document, "f.json", &err) != ITH_OK)
        assert_int_equal(err.status, ITH_E_FORMAT);
    json_decref(rules);
    json_decref(document);
    return err.text;
}

static void test_values(void **state)
{
    static const struct {
        const char *schema, *good, *bad;
    } cases[] = {
        {"true", "1", NULL},
        {"false", NULL, "1"},
        {"{\"properties\":{\"x\":false}}", "{\"y\":1}", "{\"x\":1}"},
        {"{\"items\":false}", "[]", "[1]"},
        {"{\"not\":true}", NULL, "1"},
        {"{\"not\":{\"type\":\"string\"}}", "1", "\"a\""},
        {"{\"type\":[\"string\",\"null\"]}", "null", "1"},
        {"{\"type\":\"integer\"}", "1", "1.0"},
        {"{\"minimum\":9007199254740993}", "9007199254740993", "9007199254740992"},
        {"{\"exclusiveMinimum\":9007199254740992}", "9007199254740993", "9007199254740992"},
        {"{\"exclusiveMinimum\":0}", "0.5", "0"},
        {"{\"minLength\":2}", "\"\\u00e4\\u00f6\"", "\"\\u00e4\""},
        {"{\"minLength\":3}", "\"a\\u0000b\"", "\"ab\""},
        {"{\"pattern\":\"^a$\"}", "\"a\"", "\"a\\u0000b\""},
        {"{\"if\":{\"const\":1},\"then\":{\"type\":\"integer\"},\"else\":false}", "1", "2"},
        {"{\"oneOf\":[{\"const\":1},{\"type\":\"integer\"}]}", "2", "1"},
        {"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"items\":{\"$ref\":\"#/$defs/a\"},\"type\":"
         "\"array\"}}}",
         "[[],[[]]]", "[[1]]"},
        {"{\"required\":[\"a\"]}", "{\"a\":null}", "{}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].good != NULL)
            assert_string_equal(say(cases[i].schema, cases[i].good), "");
        if (cases[i].bad != NULL)
            assert_non_null(strstr(say(cases[i].schema, cases[i].bad), "f.json: "));
    }
}

/* A schema that is wrong is named, whether or not a value comes to that place. */
static void test_wrong_schemas(void **state)
{
    static const struct {
        const char *schema, *place;
    } cases[] = {
        {"3", "the schema: "},
        {"{\"foo\":1}", "\"foo\" is unknown"},
        {"{\"not\":{\"foo\":1}}", "the schema/not: "},
        {"{\"if\":{\"foo\":1}}", "the schema/if: "},
        {"{\"oneOf\":[true,{\"foo\":1}]}", "the schema/oneOf/1: "},
        {"{\"properties\":{\"absent\":{\"foo\":1}}}", "the schema/properties/absent: "},
        {"{\"$defs\":{\"unused\":{\"foo\":1}}}", "the schema/$defs/unused: "},
        {"{\"additionalProperties\":{\"foo\":1}}", "the schema/additionalProperties: "},
        {"{\"properties\":3}", "the schema/properties: "},
        {"{\"properties\":{\"a\":3}}", "the schema/properties/a: "},
        {"{\"items\":[true]}", "the schema/items: "},
        {"{\"minItems\":\"2\"}", "the schema/minItems: "},
        {"{\"minLength\":-1}", "the schema/minLength: "},
        {"{\"minimum\":\"2\"}", "the schema/minimum: "},
        {"{\"required\":\"a\"}", "the schema/required: "},
        {"{\"required\":[1]}", "the schema/required: "},
        {"{\"enum\":[]}", "the schema/enum: "},
        {"{\"allOf\":{}}", "the schema/allOf: "},
        {"{\"type\":\"text\"}", "the schema/type: "},
        {"{\"type\":[\"string\",\"text\"]}", "the schema/type: "},
        {"{\"type\":[]}", "the schema/type: "},
        {"{\"not\":{\"pattern\":\"(\"}}", "the schema/not/pattern: "},
        {"{\"$ref\":\"#/$defs/a\"}", "the schema/$ref: "},
        {"{\"$ref\":\"other.json\"}", "the schema/$ref: "},
        {"{\"then\":true}", "there is no \"if\""},
        {"{\"else\":true}", "there is no \"if\""},
        {"{\"title\":1}", "the schema/title: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strstr(say(cases[i].schema, "{\"b\":1}"), cases[i].place) == NULL)
            fail_msg("%s: %s", cases[i].schema, say(cases[i].schema, "{\"b\":1}"));
    assert_non_null(
        strstr(say("{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/a\"}},\"$ref\":\"#/$defs/a\"}", "1"),
               "references"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_wrong_schemas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
