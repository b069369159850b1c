/* test_grammar.c - grammars: what GBNF and JSON schemas accept and refuse, what is refused by name,
 * and masks against every token tried one by one, while random answers follow them. */
#include "unit/grammar_vocab.h"

/* ---- Texts that fit and texts that do not ---- */

typedef struct text_case {
    const char *source;
    const char *fit[8], *unfit[10];
} text_case;

static void check_texts(const text_case *c)
{
    ith_grammar *grammar = must_compile(c->source);
    ith_error err;
    bool matches;

    for (size_t i = 0; i < sizeof c->fit / sizeof *c->fit && c->fit[i] != NULL; i++) {
        assert_int_equal(ith_grammar_matches(grammar, c->fit[i], strlen(c->fit[i]), &matches, &err),
                         ITH_OK);
        if (!matches)
            fail_msg("%s does not fit %s", c->fit[i], c->source);
    }
    for (size_t i = 0; i < sizeof c->unfit / sizeof *c->unfit && c->unfit[i] != NULL; i++) {
        assert_int_equal(
            ith_grammar_matches(grammar, c->unfit[i], strlen(c->unfit[i]), &matches, &err), ITH_OK);
        if (matches)
            fail_msg("%s fits %s", c->unfit[i], c->source);
    }
    ith_grammar_free(grammar);
}

static const text_case gbnf_cases[] = {
    {"root ::= \"a\"", {"a"}, {"", "b", "aa"}},
    {"root ::= \"a\" | \"bc\"\n", {"a", "bc"}, {"", "b", "abc"}},
    {"# about\nroot ::= x y? # end\nx ::= [a-c]+\ny ::= \"!\"{2,3}",
     {"a", "abcabc!!", "b!!!"},
     {"", "!", "a!", "a!!!!", "d"}},
    {"root ::= (\"a\" |\n  \"b\")* \"\\x63\\u00e9\\U0001F600\"",
     {"c\xc3\xa9\xf0\x9f\x98\x80", "abbac\xc3\xa9\xf0\x9f\x98\x80"},
     {"c", "c\xc3\xa9", "ab"}},
    {"root ::= \"a\nb\" [\n]", {"a\nb\n"}, {"a\nb", "ab"}},
    {"root ::= [^\"\\n]{3}", {"abc", "\xc3\xa9z!"}, {"ab", "abcd", "a\nb", "a\"b"}},
    {"root ::= .", {"a", "\xe2\x82\xac", "\n"}, {"", "ab", "\xe2\x82", "\xed\xa0\x80", "\xff"}},
    /* recursion in the middle, on the right, and through empty rules */
    {"root ::= \"(\" root \")\" | \"\"", {"", "()", "((()))"}, {"(", ")", "(()", "())"}},
    {"root ::= e root2\nroot2 ::= \"x\" root2 | \"y\"\ne ::= \"\" | \"e\"",
     {"y", "xxxy", "exy"},
     {"", "x", "e", "ye"}},
    {"root ::= n n n \"b\"\nn ::= m m\nm ::= \"a\"?", {"b", "ab", "aaaaaab"}, {"aaaaaaab", "a"}},
    {"root ::= n{4} \"b\"\nn ::= \"a\"?", {"b", "aab", "aaaab"}, {"aaaaab"}},
    /* ambiguous without bound: the callers of a rule are shared */
    {"root ::= s\ns ::= \"a\" s \"b\" | \"a\" s \"c\" | \"a\" s \"b\" | \"\"",
     {"", "ab", "aaaabcbc"},
     {"aab", "ba"}},
    {"root ::= a{2} | a{5,}\na ::= \"a\" | \"a\" \"a\"",
     {"aa", "aaa", "aaaaa", "aaaaaaaaaaaaa"},
     {"a"}},
    {"root ::= \"x\"{1000000000,}", {NULL}, {"", "x", "xxxxx"}},
    {"root ::= \"x\"{0,1000000000} \"y\"", {"y", "xxxxxy"}, {"", "x"}},
    {"root ::= \"a\" dead{3} | \"b\" (\"c\" dead{0,2} | dead{1,})\ndead ::= \"x\" dead",
     {"bc"},
     {"a", "b", "bcx"}},
    /* a rule that cannot end is no alternative */
    {"root ::= \"a\" | \"a\" trap\ntrap ::= \"b\" trap", {"a"}, {"ab", "abb"}},
};

#define FRAME(name, schema)                                                                        \
    "{\"name\": \"" name "\", \"before\": \"<" name " \", \"after\": \">\", \"schema\": " schema "}"

static const text_case schema_cases[] = {
    /* schemas inside of other text */
    {"{\"begin\": \"[\", \"end\": \"]\", \"frames\": [" FRAME(
         "a", "{\"type\": \"integer\"}") ", " FRAME("ab", "{\"$ref\": \"#/$defs/x\", \"$defs\": "
                                                          "{\"x\": {\"type\": \"null\"}}}") "]}",
     {"[<a 1>]", "[<a -12>]", "[<ab null>]"},
     {"", "[]", "<a 1>", "[<a null>]", "[<ab 1>]", "[<a 1>", "[<a 1><a 1>]", "[<a 1>, <a 1>]"}},
    {"{\"begin\": \"\", \"end\": \"\", \"between\": \", \", \"frames\": [" FRAME(
         "a", "{\"type\": \"integer\"}") "]}",
     {"<a 1>", "<a 1>, <a 2>", "<a 1>, <a 2>, <a 3>"},
     {"", "<a 1>,<a 1>", "<a 1>, ", "<a 1><a 2>"}},
    /* values that are written as they are */
    {"{\"begin\": \"\", \"end\": \"\", \"frames\": [{\"name\": \"f\", \"before\": \"<f>\", "
     "\"after\": \"</f>\", "
     "\"fields\": [{\"name\": \"f.a\", \"before\": \"a=\", \"after\": \"\\n</a>\", \"required\": "
     "true, "
     "\"text\": true}, {\"name\": \"f.b\", \"before\": \"b=\", \"after\": \";\", \"words\": "
     "[\"x\", \"xy\"]}, "
     "{\"name\": \"f.c\", \"before\": \"c=\", \"after\": \";\", \"required\": true, \"schema\": "
     "{\"type\": "
     "\"integer\"}}]}]}",
     {"<f>a=\n</a>c=1;</f>", "<f>a=b \u00e9\n\n</</a\n</a>b=xy;c=-3;</f>",
      "<f>a=\"\n</b\n\n</a>b=x;c=0;</f>"},
     {"", "<f></f>", "<f>a=1</a>c=1;</f>", "<f>a=\n</a>\n</a>c=1;</f>", "<f>a=\x01\n</a>c=1;</f>",
      "<f>a=\n</a>b=y;c=1;</f>", "<f>a=\n</a>b=x;</f>"}},
    {"true",
     {"1", "\"a\"", "{}", "[1, {\"a\": null}]", "-0.5e3"},
     {"", "{", " 1", "1 ", "01", "[1,]"}},
    {"{\"type\": \"boolean\"}", {"true", "false"}, {"null", "True", "\"true\""}},
    {"{\"type\": [\"string\", \"null\"]}",
     {"null", "\"\"", "\"a\\u00e9\\n\\ud83d\\ude00\""},
     {"1", "\"\n\"", "\"\\x\"", "\"\\ud83d\"", "\"\\ude00\"", "\"a"}},
    {"{\"type\": \"integer\"}",
     {"0", "-7", "123456789012345678"},
     {"00", "-0", "1.0", "1e3", "+1", "-"}},
    {"{\"type\": \"number\"}",
     {"0", "-0.25", "1e+9", "12.5E-3"},
     {".5", "1.", "1e", "--1", "1e400"}},
    {"{\"type\": \"integer\", \"minimum\": 5, \"maximum\": 12}",
     {"5", "9", "10", "12"},
     {"4", "13", "05", "1", "-5", "50"}},
    {"{\"type\": \"integer\", \"exclusiveMinimum\": -101, \"exclusiveMaximum\": 3.5}",
     {"-100", "-99", "-1", "0", "3"},
     {"-101", "-1000", "4", "3.2"}},
    {"{\"type\": \"integer\", \"minimum\": 99}", {"99", "100", "123456"}, {"98", "9", "-99"}},
    {"{\"type\": \"number\", \"minimum\": -1.5, \"exclusiveMaximum\": 0.25}",
     {"-1.5", "-1.49", "0", "0.2", "0.249", "-0.0001"},
     {"-1.51", "-2", "0.25", "0.250", "1", "0.3"}},
    {"{\"type\": \"number\", \"exclusiveMinimum\": 0}",
     {"0.1", "5", "0.0000001"},
     {"0", "0.0", "-1"}},
    {"{\"type\": \"string\", \"minLength\": 2, \"maxLength\": 3}",
     {"\"ab\"", "\"a\\n\\\"\"", "\"\xf0\x9f\x98\x80\xc3\xa9\"", "\"\\ud83d\\ude00b\""},
     {"\"\"", "\"a\"", "\"abcd\"", "\"\\ud83d\\ude00\""}},
    {"{\"type\": \"string\", \"maxLength\": 1000000000}", {"\"\"", "\"abc\""}, {"1"}},
    {"{\"type\": \"string\", \"pattern\": \"^a+(b|c){2}$\"}",
     {"\"abb\"", "\"aacb\""},
     {"\"a\"", "\"abbb\"", "\"xabb\""}},
    {"{\"type\": \"string\", \"pattern\": \"b\\\\d\"}",
     {"\"b1\"", "\"xxb2\\n\""},
     {"\"b\"", "\"\\u0062\\u0031\""}},
    {"{\"type\": \"string\", \"pattern\": \"xx\", \"minLength\": 3, \"maxLength\": 4}",
     {"\"xxa\"", "\"axx\"", "\"axxa\"", "\"xxxx\""},
     {"\"xx\"", "\"aaxxa\"", "\"abc\""}},
    {"{\"type\": \"string\", \"pattern\": \"^[^a\\\\s]\\\\W\\\\.$|^\\\\u0041$\"}",
     {"\"b-.\"", "\"A\""},
     {"\"a-.\"", "\"bc.\"", "\"b-x\""}},
    {"{\"format\": \"date\"}",
     {"\"2024-02-29\"", "\"2000-02-29\"", "\"1999-12-31\""},
     {"\"2023-02-29\"", "\"1900-02-29\"", "\"2024-04-31\"", "\"0000-01-01\"", "\"2024-13-01\""}},
    {"{\"format\": \"date-time\"}",
     {"\"2024-02-29T23:59:59Z\"", "\"2024-01-01T00:00:00.5+01:30\""},
     {"\"2024-01-01T24:00:00Z\"", "\"2024-01-01 00:00:00Z\""}},
    {"{\"format\": \"ipv4\"}",
     {"\"0.10.255.249\""},
     {"\"256.1.1.1\"", "\"1.1.1\"", "\"01.1.1.1\""}},
    {"{\"enum\": [\"a\", \"ab\", 1, null, [1, {\"k\": \"\\u00e9\"}]]}",
     {"\"a\"", "\"ab\"", "1", "null", "[1,{\"k\":\"\xc3\xa9\"}]"},
     {"\"b\"", "2", "\"abc\""}},
    {"{\"enum\": [\"a\", 1], \"type\": \"string\"}", {"\"a\""}, {"1"}},
    {"{\"enum\": [\"a\", \"\u00e4\u00f6\", \"abc\", 5, 9, [1, 2], [], {\"k\": 1}, {\"x\": 1}], "
     "\"maxLength\": 2, \"minimum\": 6, \"maxItems\": 1, \"required\": [\"x\"]}",
     {"\"a\"", "\"\u00e4\u00f6\"", "9", "[]", "{\"x\":1}"},
     {"\"abc\"", "5", "[1,2]", "{\"k\":1}"}},
    {"{\"enum\": [1, 1.5, 2], \"exclusiveMinimum\": 1, \"pattern\": \"^x\", \"anyOf\": "
     "[{\"exclusiveMaximum\": 2}]}",
     {"1.5"},
     {"1", "2"}},
    {"{\"const\": \"q\\\"\"}", {"\"q\\\"\""}, {"\"q\""}},
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"integer\"}, \"b\": true}, "
     "\"required\": [\"b\"]}",
     {"{\"a\": 1, \"b\": 2}", "{\"b\":[]}", "{\"a\":1,\"b\":{\"x\": 1}}"},
     {"{}", "{\"a\": 1}", "{\"b\": 1, \"a\": 1}", "{\"b\": 1, \"c\": 1}", "{ \"b\": 1}",
      "{\"b\": 1 }", "{, \"b\": 1}"}},
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"integer\"}}, "
     "\"additionalProperties\": {\"type\": \"null\"}}",
     {"{}", "{\"a\": 1}", "{\"a\": 1, \"ab\": null}", "{\"\": null, \"b\": null}"},
     {"{\"a\": null}", "{\"ab\": 1}", "{\"\\u0061\": null}", "{\"b\": null, \"a\": 1}"}},
    {"{\"type\": \"object\"}", {"{}", "{\"x\": [1, 2], \"y\": {}}"}, {"[]", "{\"x\"}"}},
    {"{\"type\": \"array\", \"items\": {\"type\": \"integer\"}, \"minItems\": 1, \"maxItems\": 3}",
     {"[1]", "[1, 2,3]"},
     {"[]", "[1, 2, 3, 4]", "[1,]", "[\"a\"]"}},
    {"{\"type\": \"array\", \"items\": {\"const\": 1}, \"maxItems\": 1000000000}",
     {"[]", "[1, 1, 1, 1, 1]"},
     {"[2]"}},
    {"{\"type\": \"array\", \"prefixItems\": [{\"const\": 1}, {\"const\": 2}], \"minItems\": 1, "
     "\"items\": {\"const\": 3}}",
     {"[1]", "[1, 2]", "[1, 2, 3, 3]"},
     {"[]", "[2]", "[1, 3]"}},
    {"{\"prefixItems\": [{\"const\": 1}], \"items\": false}", {"[]", "[1]"}, {"[1, 1]"}},
    {"{\"anyOf\": [{\"type\": \"integer\"}, {\"type\": \"string\", \"maxLength\": 1}]}",
     {"17", "\"x\""},
     {"\"xx\"", "null"}},
    {"{\"type\": \"object\", \"properties\": {\"a\": {}, \"b\": {}}, \"anyOf\": [{\"required\": "
     "[\"a\"]}, "
     "{\"required\": [\"b\"]}]}",
     {"{\"a\": 1}", "{\"b\": 1}", "{\"a\": 1, \"b\": 1}"},
     {"{}"}},
    {"{\"oneOf\": [{\"properties\": {\"t\": {\"const\": \"a\"}}, \"required\": [\"t\"]}, "
     "{\"properties\": {\"t\": {\"const\": \"b\"}, \"u\": {\"type\": \"integer\"}}, \"required\": "
     "[\"t\", \"u\"]}]}",
     {"{\"t\": \"a\"}", "{\"t\": \"b\", \"u\": 1}"},
     {"{\"t\": \"b\"}", "{}"}},
    {"{\"allOf\": [{\"properties\": {\"a\": {\"type\": [\"integer\", \"null\"]}}, \"required\": "
     "[\"a\"]}, "
     "{\"$ref\": \"#/$defs/more\"}], \"$defs\": {\"more\": {\"type\": \"object\", \"properties\": "
     "{\"a\": {\"minimum\": 3, \"type\": \"number\"}, \"b\": {\"const\": 1}}}}}",
     {"{\"a\": 3}", "{\"a\": 4, \"b\": 1}"},
     {"{\"a\": 2}", "{\"a\": null}", "{\"b\": 1}", "{\"a\": 3.5}"}},
    {"{\"$ref\": \"#/$defs/n\", \"$defs\": {\"n\": {\"type\": \"object\", \"properties\": {\"v\": "
     "{\"const\": 1}, "
     "\"next\": {\"$ref\": \"#/$defs/n\"}}, \"required\": [\"v\"]}}}",
     {"{\"v\": 1}", "{\"v\": 1, \"next\": {\"v\": 1, \"next\": {\"v\": 1}}}"},
     {"{}", "{\"v\": 1, \"next\": {}}"}},
    /* alternatives that cannot hold are none */
    {"{\"type\": \"string\", \"anyOf\": [{\"type\": \"integer\"}, {\"minLength\": 3}]}",
     {"\"abc\""},
     {"1", "\"ab\""}},
    {"{\"type\": \"integer\", \"minimum\": 5, \"anyOf\": [{\"maximum\": 3}, {\"maximum\": 6}]}",
     {"5", "6"},
     {"3", "4", "7"}},
    {"{\"maxLength\": 2, \"anyOf\": [{\"minLength\": 3}, {\"minLength\": 2}]}",
     {"\"ab\""},
     {"\"a\"", "\"abc\""}},
    {"{\"anyOf\": [{\"const\": 1, \"allOf\": [{\"const\": 2}]}, {\"const\": 3}]}",
     {"3"},
     {"1", "2"}},
    {"{\"anyOf\": [{\"required\": [\"b\"], \"properties\": {}, \"additionalProperties\": "
     "false}, {\"const\": 3}]}",
     {"3"},
     {"{}", "{\"b\": 1}"}},
    {"{\"properties\": {\"a\": {\"minLength\": 3, \"maxLength\": 2}, \"b\": {\"const\": 1}}}",
     {"{}", "{\"b\": 1}"},
     {"{\"a\": \"xy\"}"}},
    /* what is said of other properties and items holds for what the other schema declares */
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"const\": 1}, \"b\": {\"const\": 2}}, "
     "\"additionalProperties\": false, \"anyOf\": [{\"required\": [\"a\"]}, {\"required\": "
     "[\"b\"]}]}",
     {"{\"a\": 1}", "{\"b\": 2}", "{\"a\": 1, \"b\": 2}"},
     {"{}", "{\"a\": 2}", "{\"a\": 1, \"c\": 1}"}},
    {"{\"allOf\": [{\"properties\": {\"a\": {\"const\": 1}}, \"additionalProperties\": false}, "
     "{\"properties\": {\"b\": {\"const\": 2}}, \"type\": \"object\"}]}",
     {"{}", "{\"a\": 1}"},
     {"{\"b\": 2}", "{\"a\": 1, \"b\": 2}"}},
    {"{\"allOf\": [{\"properties\": {\"a\": {\"minimum\": 3}}, \"additionalProperties\": "
     "{\"type\": "
     "\"integer\"}}, {\"properties\": {\"b\": {\"maximum\": 5}}, \"additionalProperties\": "
     "{\"maximum\": 7}}]}",
     {"{\"a\": 7, \"b\": 5, \"c\": 1}"},
     {"{\"a\": 2}", "{\"a\": 8}", "{\"b\": 4.5}", "{\"b\": 6}", "{\"c\": 8}", "{\"c\": 1.5}"}},
    {"{\"allOf\": [{\"prefixItems\": [{\"const\": 1}], \"items\": {\"type\": \"integer\"}}, "
     "{\"prefixItems\": [{}, {\"enum\": [\"x\", 2]}], \"minItems\": 2, \"items\": {\"minimum\": "
     "0}}]}",
     {"[1, 2]", "[1, 2, 0, 7]"},
     {"[1]", "[1, \"x\"]", "[1, 2, -1]", "[1, 2, 0.5]", "[2, 2]"}},
    /* bounds beyond 2^53 */
    {"{\"type\": \"integer\", \"maximum\": 9007199254740993, \"minimum\": 9007199254740990, "
     "\"allOf\": "
     "[{\"maximum\": 9007199254740992}]}",
     {"9007199254740992", "9007199254740990"},
     {"9007199254740993"}},
    {"{\"type\": \"integer\", \"maximum\": 9007199254740992, \"minimum\": 9007199254740990, "
     "\"allOf\": "
     "[{\"maximum\": 9007199254740993}]}",
     {"9007199254740992"},
     {"9007199254740993"}},
    {"{\"oneOf\": [{\"type\": \"number\", \"maximum\": 9007199254740992.0}, {\"type\": \"number\", "
     "\"minimum\": 9007199254740993}]}",
     {"1", "9007199254740993"},
     {NULL}},
    {"{\"oneOf\": [{\"type\": \"number\", \"maximum\": -9007199254740993}, {\"type\": \"number\", "
     "\"minimum\": -9007199254740992.0}]}",
     {"1", "-9007199254740993"},
     {NULL}},
    /* formats of numbers */
    {"{\"type\": \"integer\", \"format\": \"uint8\"}", {"0", "255"}, {"-1", "256"}},
    {"{\"type\": \"integer\", \"format\": \"uint64\", \"minimum\": 0.0}",
     {"0", "9223372036854775807"},
     {"-1", "9223372036854775808"}},
    {"{\"type\": \"integer\", \"format\": \"int32\", \"minimum\": 7}",
     {"7", "2147483647"},
     {"6", "2147483648"}},
    {"{\"type\": \"number\", \"format\": \"double\", \"maximum\": 1}", {"0.5"}, {"1.5"}},
    /* alternatives of which no answer is valid by two */
    {"{\"oneOf\": [{\"type\": \"object\", \"properties\": {\"x\": {\"type\": \"integer\"}}, "
     "\"required\": [\"x\"]}, {\"type\": \"object\", \"properties\": {\"y\": {\"type\": "
     "\"integer\"}}, \"required\": [\"y\"]}]}",
     {"{\"x\": 1}", "{\"y\": 1}"},
     {"{\"x\": 1, \"y\": 1}", "{}"}},
    {"{\"oneOf\": [{\"enum\": [[1, {\"a\": 2}]]}, {\"const\": [1, {\"a\": 3}]}]}",
     {"[1,{\"a\":2}]", "[1,{\"a\":3}]"},
     {"[]"}},
    {"{\"enum\": [1.0, \"a\"], \"const\": 1}", {"1"}, {"\"a\"", "1.0"}},
    {"{\"type\": \"array\", \"items\": {\"$ref\": \"#\"}, \"title\": \"nested\", \"examples\": "
     "[1]}",
     {"[]", "[[], [[]]]"},
     {"[1]", "[[]"}},
};

static void test_gbnf(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof gbnf_cases / sizeof *gbnf_cases; i++)
        check_texts(&gbnf_cases[i]);
}

static void test_schemas(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof schema_cases / sizeof *schema_cases; i++)
        check_texts(&schema_cases[i]);
}

/* ---- What is refused ---- */

static void check_refused(const char *source, ith_status status, const char *name)
{
    ith_grammar *grammar;
    ith_error err = {0};

    if (compile(source, &grammar, &err) == ITH_OK)
        fail_msg("%s is not refused", source);
    assert_null(grammar);
    if (err.status != status || strstr(err.text, name) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", source, err.text, name);
}

static void test_refused(void **state)
{
    static const struct {
        const char *source, *name;
        ith_status status;
    } cases[] = {
        {"root ::= root \"a\" | \"b\"", "root begins with itself", ITH_E_UNSUPPORTED},
        {"root ::= x\nx ::= y \"a\" | \"b\"\ny ::= \"\" x", "begins with itself",
         ITH_E_UNSUPPORTED},
        {"root ::= e root \"a\" | \"b\"\ne ::= \"x\"?", "root begins with itself",
         ITH_E_UNSUPPORTED},
        {"root ::= \"a\" root", "root can never end", ITH_E_ARGUMENT},
        {"root ::= x", "no rule is called x", ITH_E_FORMAT},
        {"rot ::= \"a\"", "no rule called root", ITH_E_FORMAT},
        {"root ::= \"a\nx ::= \"b\"", "line 2: a literal or set is not closed", ITH_E_FORMAT},
        {"root ::= \"a\"\nroot ::= \"b\"", "line 2: the rule was defined before", ITH_E_FORMAT},
        {"root ::= <think>", "tokens (<...>)", ITH_E_UNSUPPORTED},
        {"root ::= \"\\q\"", "no such escape", ITH_E_FORMAT},
        {"root ::= [z-a]", "upside down", ITH_E_FORMAT},
        {"root ::= \"a\"{3,2}", "bounds that nothing fits", ITH_E_FORMAT},
        {"root ::= (\"a\"", ") is missing", ITH_E_FORMAT},
        {"false", "no text fits", ITH_E_ARGUMENT},
        {"{\"not\": {}}", "not is not supported", ITH_E_UNSUPPORTED},
        {"{\"type\": \"object\", \"properties\": {\"a\": {\"multipleOf\": 2}}}",
         "#/properties/a: multipleOf is not supported", ITH_E_UNSUPPORTED},
        {"{\"type\": \"array\", \"uniqueItems\": true}", "uniqueItems", ITH_E_UNSUPPORTED},
        {"{\"type\": \"strin\"}", "type is not a type", ITH_E_FORMAT},
        {"{\"type\": \"string\", \"minLength\": -1}", "minLength", ITH_E_FORMAT},
        {"{\"minLength\": 3, \"maxLength\": 2}", "at least 3 but at most 2", ITH_E_ARGUMENT},
        {"{\"pattern\": \"(?=a)\"}", "look-around", ITH_E_UNSUPPORTED},
        {"{\"pattern\": \"\\\\bx\"}", "\\b and \\B", ITH_E_UNSUPPORTED},
        {"{\"pattern\": \"a(\"}", ") is missing", ITH_E_FORMAT},
        {"{\"pattern\": \"(a)\\\\1\"}", "references", ITH_E_UNSUPPORTED},
        {"{\"pattern\": \"a^b\"}", "^ and $", ITH_E_UNSUPPORTED},
        {"{\"pattern\": \"((a{1000}){1000}){1000}\"}", "too large", ITH_E_UNSUPPORTED},
        {"{\"pattern\": \"a{5,1000000000}\"}", "too large", ITH_E_UNSUPPORTED},
        {"{\"pattern\": \"ab\", \"maxLength\": 1}", "no text fits", ITH_E_ARGUMENT},
        {"{\"pattern\": \"a.*b\", \"maxLength\": 100000000}", "too large", ITH_E_UNSUPPORTED},
        {"{\"format\": \"iri\"}", "iri is no format", ITH_E_UNSUPPORTED},
        {"{\"type\": \"integer\", \"minimum\": 1.2, \"maximum\": 1.8}", "no number",
         ITH_E_ARGUMENT},
        {"{\"type\": \"array\", \"minItems\": 2000000000000}", "out of reach", ITH_E_UNSUPPORTED},
        {"{\"items\": [{}]}", "prefixItems", ITH_E_UNSUPPORTED},
        {"{\"$ref\": \"#/$defs/x\"}", "#/$defs/x leads nowhere", ITH_E_UNSUPPORTED},
        {"{\"$ref\": \"http://x/y\"}", "leads nowhere", ITH_E_UNSUPPORTED},
        {"{\"$ref\": \"#\"}", "circle", ITH_E_UNSUPPORTED},
        {"{\"$ref\": \"#\", \"minLength\": 1}", "$ref", ITH_E_UNSUPPORTED},
        {"{\"properties\": {\"a\": {}}, \"required\": [\"b\"], \"additionalProperties\": false}",
         "b is required", ITH_E_ARGUMENT},
        {"{\"oneOf\": [{\"type\": \"integer\"}, {\"type\": \"number\"}]}",
         "alternatives 1 and 2 may hold both", ITH_E_UNSUPPORTED},
        {"{\"oneOf\": [{\"type\": \"object\", \"properties\": {\"x\": {\"type\": \"integer\"}}, "
         "\"required\": [\"x\", \"y\"]}, {\"type\": \"object\", \"properties\": {\"y\": {\"type\": "
         "\"integer\"}}, \"required\": [\"y\"]}]}",
         "alternatives 1 and 2 may hold both", ITH_E_UNSUPPORTED},
        {"{\"oneOf\": [{\"type\": \"number\"}, {\"const\": 1}]}", "may hold both",
         ITH_E_UNSUPPORTED},
        {"{\"oneOf\": [{\"const\": [1.0, {\"a\": 1}]}, {\"const\": [1, {\"a\": 1.0}]}]}",
         "may hold both", ITH_E_UNSUPPORTED},
        {"{\"oneOf\": [{\"maximum\": 9007199254740993}, {\"type\": \"number\", \"minimum\": "
         "9007199254740993}]}",
         "may hold both", ITH_E_UNSUPPORTED},
        /* items that can never be, but must */
        {"{\"type\": \"array\", \"prefixItems\": [{\"type\": \"string\"}], \"minItems\": 3, "
         "\"items\": {\"type\": \"object\", \"properties\": {\"n\": {\"$ref\": \"#/items\"}}, "
         "\"required\": [\"n\"]}}",
         "no text fits", ITH_E_ARGUMENT},
        {"{\"type\": \"array\", \"minItems\": 3, \"items\": {\"enum\": []}}", "no text fits",
         ITH_E_ARGUMENT},
        {"{\"type\": \"array\", \"minItems\": 3, \"items\": {\"const\": 1, \"type\": "
         "\"string\"}}",
         "no text fits", ITH_E_ARGUMENT},
        {"root ::= x{2,}\nx ::= \"a\" y{3}\ny ::= \"b\" x", "no text fits", ITH_E_ARGUMENT},
        {"root ::= root{1,3}", "no text fits", ITH_E_ARGUMENT},
        /* values that a keyword cannot have, whatever the type */
        {"{\"type\": \"string\", \"minimum\": \"x\"}", "minimum is not a number", ITH_E_FORMAT},
        {"{\"type\": \"string\", \"required\": 5}", "required is not a list", ITH_E_FORMAT},
        {"{\"required\": [\"a\\u0000b\"]}", "required lists what is no name", ITH_E_FORMAT},
        {"{\"type\": \"null\", \"properties\": {\"a\": 3}}", "properties has what is no schema",
         ITH_E_FORMAT},
        {"{\"minItems\": 1.5}", "minItems is not a whole number", ITH_E_FORMAT},
        {"{\"type\": []}", "type is not a type", ITH_E_FORMAT},
        {"{\"allOf\": []}", "allOf is not a list of schemas", ITH_E_FORMAT},
        {"{\"type\": \"integer\", \"format\": \"int33\"}", "int33 is no format", ITH_E_UNSUPPORTED},
        {"{\"type\": [\"integer\", \"string\"], \"format\": \"int32\"}",
         "int32 is no format of strings", ITH_E_UNSUPPORTED},
        /* references to what is no schema, or another document */
        {"{\"$ref\": \"#/properties\", \"properties\": {\"type\": {}}}", "leads nowhere",
         ITH_E_UNSUPPORTED},
        {"{\"$ref\": \"#/const\", \"const\": {}}", "leads nowhere", ITH_E_UNSUPPORTED},
        {"{\"items\": {\"$id\": \"http://x/\", \"$ref\": \"#/$defs/a\"}, \"$defs\": {\"a\": {}}}",
         "$id is supported at the root only", ITH_E_UNSUPPORTED},
        {"{\"$ref\": \"#/$defs/e/items\", \"$defs\": {\"e\": {\"$id\": \"e\", \"items\": {}}}}",
         "leads nowhere", ITH_E_UNSUPPORTED},
        {"{\"allOf\": [{\"$id\": \"e\", \"type\": \"null\"}]}", "$id is supported",
         ITH_E_UNSUPPORTED},
        /* patterns that are others elsewhere */
        {"{\"pattern\": \"x{,5}\"}", "{...} is a repetition", ITH_E_UNSUPPORTED},
        {"{\"pattern\": \"x{,}\"}", "{...} is a repetition", ITH_E_UNSUPPORTED},
        {"{\"pattern\": \"\\\\01\"}", "\\0 before a digit", ITH_E_UNSUPPORTED},
        {"{\"pattern\": \"[\\\\07]\"}", "\\0 before a digit", ITH_E_UNSUPPORTED},
        {"{\"allOf\": [{\"pattern\": \"a\"}, {\"pattern\": \"b\"}]}", "pattern differs",
         ITH_E_UNSUPPORTED},
        {"{\"type\": \"object\", \"properties\": {\"c\": {\"$ref\": \"#\"}}, \"required\": "
         "[\"c\"]}",
         "can never end", ITH_E_ARGUMENT},
        {"{\"enum\": [\"abc\"], \"pattern\": \"b\"}", "pattern is not supported beside",
         ITH_E_UNSUPPORTED},
        {"{\"const\": {\"a\": 1}, \"properties\": {\"a\": {}}}",
         "properties is not supported beside", ITH_E_UNSUPPORTED},
        {"{\"enum\": [\"abc\"], \"maxLength\": 2}", "no text fits", ITH_E_ARGUMENT},
        {"{\"anyOf\": 3}", "anyOf is not a list", ITH_E_FORMAT},
        {"{\"begin\": \"\", \"end\": \"\", \"frames\": [" FRAME("f", "{\"properties\": {\"a\": "
                                                                     "{\"not\": {}}}}") "]}",
         "f#/properties/a: not", ITH_E_UNSUPPORTED},
        {"{\"begin\": \"\", \"end\": \"\", \"frames\": []}", "", ITH_E_ARGUMENT},
        {"{\"begin\": \"\", \"frames\": []}", "frames need", ITH_E_FORMAT},
        {"{\"begin\": \"\", \"end\": \"\", \"between\": \"\", \"frames\": []}", "frames need",
         ITH_E_FORMAT},
        {"{\"begin\": \"\", \"end\": \"\", \"frames\": [{}]}", "a frame needs", ITH_E_FORMAT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(cases[i].source, cases[i].status, cases[i].name);
}

/* Schemas and grammars that would take long, or for ever, are refused at once. */
static void test_hostile(void **state)
{
    static char text[400000];
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        n += (size_t)sprintf(text + n, "{\"items\": ");
    n += (size_t)sprintf(text + n, "{}");
    for (int i = 0; i < 1000; i++)
        n += (size_t)sprintf(text + n, "}");
    check_refused(text, ITH_E_UNSUPPORTED, "nested too deeply");
    n = (size_t)sprintf(text, "{\"$ref\": \"#/$defs/d0\", \"$defs\": {");
    for (int i = 0; i < 40; i++)
        n += (size_t)sprintf(text + n,
                             "\"d%d\": {\"allOf\": [{\"$ref\": \"#/$defs/d%d\", \"minItems\": %d}, "
                             "{\"$ref\": \"#/$defs/d%d\", \"maxItems\": %d}]}, ",
                             i, i + 1, i, i + 1, 1000 + i);
    sprintf(text + n, "\"d40\": {\"type\": \"array\"}}}");
    check_texts(&(text_case){text, {NULL}, {"1", "[1]"}});
    n = (size_t)sprintf(text, "{\"enum\": [");
    for (int i = 0; i < 30000; i++)
        n += (size_t)sprintf(text + n, "%s\"%d\"", i > 0 ? ", " : "", i);
    sprintf(text + n, "]}");
    check_texts(&(text_case){text, {"\"0\"", "\"29999\""}, {"\"30000\"", "\"00\""}});
    memset(text, '(', 100000);
    n = (size_t)sprintf(text, "root ::= ");
    text[n] = '(';
    text[100000] = 0;
    check_refused(text, ITH_E_UNSUPPORTED, "nested too deeply");
}

/* ---- Masks ---- */

static uint64_t seed = 7;

static uint64_t draw(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

static int32_t choose(const uint64_t *mask, int32_t n_ids)
{
    int32_t allowed[2000], n = 0;

    for (int32_t id = 0; id < n_ids; id++)
        if (in_mask(mask, id))
            allowed[n++] = id;
    assert_true(n > 0);
    if (in_mask(mask, END) && draw(3) == 0)
        return END;
    return allowed[draw((uint64_t)n)];
}

/* Random answers: every mask is right, and what they come to fits as a whole. */
static void walk(const char *source, bool tries_all)
{
    ith_grammar *grammar = must_compile(source);
    ith_follower *f;
    ith_error err;
    int32_t ids[60], id = 0, n_ids;
    const uint64_t *mask;
    char *text;
    size_t n = 0, len;
    bool complete = false, matches;

    assert_int_equal(ith_follower_open(grammar, false, &f, &err), ITH_OK);
    while (n < 60 && !complete) {
        if (ith_follower_mask(f, &mask, &n_ids, &err) != ITH_OK)
            fail_msg("%s: %s", source, err.text);
        if (tries_all && n < 12)
            check_mask(grammar, ids, n, mask, n_ids);
        id = choose(mask, n_ids);
        if (id == END)
            break;
        assert_int_equal(ith_follower_accept(f, id, &complete, &err), ITH_OK);
        ids[n++] = id;
    }
    assert_int_equal(ith_tokenizer_decode(tok, ids, n, &text, &len, &err), ITH_OK);
    assert_int_equal(ith_grammar_matches(grammar, text, len, &matches, &err), ITH_OK);
    assert_true(matches == (complete || ith_follower_may_end(f)));
    if (id == END)
        assert_true(matches);
    free(text);
    ith_follower_close(f);
    ith_grammar_free(grammar);
}

static void test_masks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof gbnf_cases / sizeof *gbnf_cases; i++)
        for (int k = 0; k < 3; k++)
            walk(gbnf_cases[i].source, true);
    for (size_t i = 0; i < sizeof schema_cases / sizeof *schema_cases; i++)
        for (int k = 0; k < 6; k++)
            walk(schema_cases[i].source, k < 2);
}

/* A grammar that has seen much forgets it, and those that follow it go on. */
static void test_forgets(void **state)
{
    ith_grammar *grammar = must_compile("root ::= \"[\" (root (\",\" root)*)? \"]\"");
    ith_follower *f, *other;
    ith_error err;
    bool complete;
    enum { DEPTH = 30000 };

    (void)state;
    assert_int_equal(ith_follower_open(grammar, false, &f, &err), ITH_OK);
    assert_int_equal(ith_follower_open(grammar, false, &other, &err), ITH_OK);
    assert_int_equal(ith_follower_accept(other, '[', &complete, &err), ITH_OK);
    for (int i = 0; i < DEPTH; i++)
        if (ith_follower_accept(f, '[', &complete, &err) != ITH_OK)
            fail_msg("%d: %s", i, err.text);
    for (int i = 0; i < DEPTH; i++) {
        assert_false(complete);
        if (ith_follower_accept(f, ']', &complete, &err) != ITH_OK)
            fail_msg("%d: %s", i, err.text);
    }
    assert_true(complete);
    assert_int_equal(ith_follower_accept(f, ']', &complete, &err), ITH_E_FORMAT);
    assert_int_equal(ith_follower_accept(other, ']', &complete, &err), ITH_OK);
    assert_true(complete);
    ith_follower_close(f);
    ith_follower_close(other);
    ith_grammar_free(grammar);
}

/* A SentencePiece token begins with a space, except at the beginning of a text. */
static void test_continues(void **state)
{
    static const int32_t types[] = {2, 3, 1, 1}, stops[] = {1};
    static const float scores[] = {0, 0, -1, -2};
    ith_bytes tokens[] = {{"<unk>", 5}, {"</s>", 4}, {"\xe2\x96\x81\x61", 4}, {"a", 1}};
    ith_tokenizer_spec spec = {.where = "test",
                               .n_tokens = 4,
                               .tokens = tokens,
                               .types = types,
                               .scores = scores,
                               .add_space_prefix = true,
                               .bos = -1,
                               .eos = 1,
                               .unk = 0};
    ith_tokenizer *sp;
    ith_trie *tree;
    ith_error err;

    (void)state;
    assert_int_equal(ith_tokenizer_from_arrays(&spec, &sp, &err), ITH_OK);
    assert_int_equal(ith_trie_open(sp, &tree, &err), ITH_OK);
    for (int continues = 0; continues < 2; continues++) {
        ith_grammar_how how = {tree, stops, 1, ITH_GRAMMAR_WORK};
        ith_grammar *grammar;
        ith_follower *f;
        ith_rules rules;
        const uint64_t *mask;
        int32_t n_ids;
        bool complete;
        assert_int_equal(ith_gbnf_compile("root ::= \"a\"", 12, &rules, &err), ITH_OK);
        assert_int_equal(ith_grammar_make(&rules, &how, (ith_bytes){"", 0}, &grammar, &err),
                         ITH_OK);
        assert_int_equal(ith_follower_open(grammar, continues, &f, &err), ITH_OK);
        assert_int_equal(ith_follower_mask(f, &mask, &n_ids, &err), ITH_OK);
        assert_int_equal(in_mask(mask, 2), !continues);
        assert_true(in_mask(mask, 3));
        assert_int_equal(ith_follower_accept(f, 2, &complete, &err),
                         continues ? ITH_E_FORMAT : ITH_OK);
        ith_follower_close(f);
        ith_grammar_free(grammar);
    }
    ith_trie_close(tree);
    ith_tokenizer_free(sp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gbnf),      cmocka_unit_test(test_schemas),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_masks),     cmocka_unit_test(test_forgets),
        cmocka_unit_test(test_continues),
    };

    return cmocka_run_group_tests_name("grammar", tests, set_up, tear_down);
}
