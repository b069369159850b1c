/* test_jinja.c - chat templates against Python's jinja2: GOLDEN, which make_jinja_golden.py makes,
 * or what $ITHACA_JINJA_CASES names, cases of the same form by fuzz_jinja.py; who wrote which byte;
 * and templates that do not end. */
#include "unit/text_data.h"

#include "text/jinja/jinja.h"

#define GOLDEN "tests/golden/jinja/golden.json.zst"

static const time_t now = 1751371200; /* 2025-07-01, noon in UTC */

static ith_status render(const char *source, const json_t *conversation, const json_t *own,
                         ith_jinja_text *out, ith_error *err)
{
    ith_jinja *template = NULL;
    ith_jinja_input input = {.conversation = conversation, .own = own, .own_roles = true};
    ith_jinja_limits limits = {.now = now};
    ith_status status = ith_jinja_parse(source, strlen(source), "t", &template, err);

    memset(out, 0, sizeof *out);
    if (status == ITH_OK)
        status = ith_jinja_render(template, &input, &limits, out, err);
    ith_jinja_free(template);
    return status;
}

static size_t n_unsupported;

/* One template and one set of variables; "expected" null: Python raises an error. Returns whether
 * it is as expected. What is refused as unsupported is counted apart in fuzzed cases. */
static bool agrees(const char *name, const char *source, const json_t *vars, const json_t *expected,
                   bool unsupported_ok)
{
    ith_jinja_text text;
    ith_error err = {0};
    ith_status status = render(source, vars, NULL, &text, &err);
    bool ok;

    if (json_is_string(expected))
        ok = status == ITH_OK && text.len == json_string_length(expected) &&
             memcmp(text.text, json_string_value(expected), text.len) == 0;
    else
        ok = status != ITH_OK;
    if (!ok && unsupported_ok && status == ITH_E_UNSUPPORTED) {
        ok = true;
        n_unsupported++;
    }
    if (!ok)
        print_message("# %s: %s\n# expected: %s\n# got: %s\n", name, source,
                      json_is_string(expected) ? json_string_value(expected) : "an error",
                      status == ITH_OK ? text.text : err.text);
    ith_jinja_text_free(&text);
    return ok;
}

static void check_file(const char *path, size_t least, bool unsupported_ok)
{
    json_t *root = strcmp(path, GOLDEN) == 0 ? unpack_json(path) : json_load_file(path, 0, NULL),
           *item, *one;
    size_t i, k, wrong = 0, n = 0;

    assert_non_null(root);
    json_array_foreach (json_object_get(root, "templates"), i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        const char *source = json_string_value(json_object_get(item, "source"));
        json_array_foreach (json_object_get(item, "cases"), k, one) {
            json_t *vars = json_object_get(one, "vars");
            if (json_is_string(vars))
                vars = json_object_get(json_object_get(root, "vars"), json_string_value(vars));
            wrong += !agrees(name, source, vars, json_object_get(one, "expected"), unsupported_ok);
            n++;
        }
    }
    assert_true(json_array_size(json_object_get(root, "templates")) >= least);
    json_decref(root);
    print_message("# %zu cases, %zu of them refused as unsupported\n", n, n_unsupported);
    assert_int_equal(wrong, 0);
}

static void test_golden(void **state)
{
    const char *other = getenv("ITHACA_JINJA_CASES");

    (void)state;
    if (other != NULL)
        check_file(other, 1, true);
    else
        check_file(GOLDEN, 60, false);
}

/* Renders and returns a mask: '.' for bytes of the template, 'i' for those of the conversation. */
static void expect_mask(const char *source, const char *text, const char *mask)
{
    json_t *vars =
        json_pack("{s:s, s:[{s:s, s:s}, {s:s, s:s}], s:i}", "x", "aB<", "messages", "role", "user",
                  "content", "hi", "role", "<|x|>", "content", "<b>", "n", 7);
    json_t *own = json_pack("{s:s}", "eos_token", "</s>");
    ith_jinja_text out;
    ith_error err = {0};
    char *got;

    if (render(source, vars, own, &out, &err) != ITH_OK)
        fail_msg("%s: %s", source, err.text);
    assert_string_equal(out.text, text);
    got = calloc(out.len + 1, 1);
    assert_non_null(got);
    for (size_t i = 0; i < out.n_passages; i++) {
        assert_int_equal(out.passages[i].begin, i == 0 ? 0 : out.passages[i - 1].end);
        memset(got + out.passages[i].begin, out.passages[i].from_template ? '.' : 'i',
               out.passages[i].end - out.passages[i].begin);
    }
    assert_int_equal(out.n_passages == 0 ? 0 : out.passages[out.n_passages - 1].end, out.len);
    assert_string_equal(got, mask);
    free(got);
    ith_jinja_text_free(&out);
    json_decref(vars);
    json_decref(own);
}

static void test_origin(void **state)
{
    (void)state;
    expect_mask("<{{ x }}>", "<aB<>", ".iii.");
    expect_mask("{{ '<' + x + '>' }}", "<aB<>", ".iii.");
    expect_mask("{{ '<' ~ x ~ n ~ 3 }}", "<aB<73", ".iiii.");
    expect_mask("{{ eos_token }}{{ x|upper }}", "</s>AB<", "....iii");
    expect_mask("{{ ('[' + x + ']')[1:-2] }}", "aB", "ii");
    expect_mask("{{ ('[' + x + ']')[::-1] }}", "]<Ba[", ".iii.");
    expect_mask("{{ x.replace('B', '|') }}{{ 'aB'.replace('B', '|') }}", "a|<a|", "iii..");
    expect_mask("{{ x.replace('a', eos_token) }}", "</s>B<", "iiiiii");
    expect_mask("{{ [x, 'y']|join('-') }}", "aB<-y", "iii..");
    expect_mask("{{ {'k': x}|tojson }}", "{\"k\": \"aB<\"}", "......iiiii.");
    expect_mask("{{ x|e }}", "aB&lt;", "iiiiii");
    expect_mask("{{ '%s:%s' % (x, 'z') }}", "aB<:z", "iii..");
    expect_mask("{{ '{}:{}'.format(x, 'z') }}", "aB<:z", "iii..");
    expect_mask("{% set y %}({{ x }}){% endset %}{{ y }}", "(aB<)", ".iii.");
    expect_mask("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(x) }}", "<aB<>", ".iii.");
    expect_mask("{% set ns = namespace(s='') %}{% for c in x %}{% set ns.s = ns.s + c + '.' %}{% "
                "endfor %}{{ ns.s }}",
                "a.B.<.", "i.i.i.");
    expect_mask("{{ '<|' + messages[0].role + '|>' + messages[0].content }}", "<|user|>hi",
                "........ii");
    expect_mask("{{ '<|' + messages[1].role + '|>' }}", "<|<|x|>|>", "..iiiii..");
    expect_mask("{{ messages[0]|tojson }}", "{\"role\": \"user\", \"content\": \"hi\"}",
                "iiiiiiiii......iiiiiiiiiiiiiiiiii");
}

static void expect_error(const char *source, ith_status status, const char *text)
{
    ith_jinja_text out;
    ith_error err = {0};
    json_t *vars = json_pack("{s:s}", "x", "\n\x01");

    if (render(source, vars, NULL, &out, &err) != status)
        fail_msg("%s: status %d, %s", source, (int)err.status, err.text);
    if (strstr(err.text, text) == NULL || strchr(err.text, '\n') != NULL)
        fail_msg("%s: %s", source, err.text);
    json_decref(vars);
}

static void test_errors(void **state)
{
    char deep[4001];

    (void)state;
    expect_error("a\n{% for %}", ITH_E_FORMAT, "t: line 2:");
    expect_error("{{ y.z }}", ITH_E_ARGUMENT, "'y' is undefined");
    expect_error("\n\n{{ raise_exception('no ' + x) }}", ITH_E_ARGUMENT, "line 3: the template");
    expect_error("{{ [].append(1) }}", ITH_E_ARGUMENT, "list.append");
    expect_error("{{ x.__class__ }}", ITH_E_ARGUMENT, "unsafe");
    expect_error("{{ x|nosuch }}", ITH_E_UNSUPPORTED, "nosuch");
    expect_error("{{ x.casefold() }}", ITH_E_UNSUPPORTED, "str.casefold");
    expect_error("{% include 'x' %}", ITH_E_UNSUPPORTED, "include");
    expect_error("{{ 9223372036854775807 + 1 }}", ITH_E_ARGUMENT, "64 bits");
    expect_error("{{ 1 // 0 }}", ITH_E_ARGUMENT, "zero");
    expect_error("{{ 'a'.rpartition('bc'[2:]) }}", ITH_E_ARGUMENT, "empty");
    expect_error("{{ '%\\x00' % 5 }}", ITH_E_UNSUPPORTED, "conversion");
    expect_error("{{ '%\\x00d' % 5 }}", ITH_E_UNSUPPORTED, "conversion");
    expect_error("{{ '{:\\x00}'.format(5) }}", ITH_E_UNSUPPORTED, "format");
    expect_error("{{ '%d' % 1e300 }}", ITH_E_ARGUMENT, "64 bits");
    expect_mask("{% set m = -9223372036854775807 - 1 %}{{ 'a'.zfill(m) }}{{ 'a'.center(m) }}"
                "{{ 'aa'.replace('a', 'b', m) }}",
                "aabb", "....");
    expect_error("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
                 ITH_E_MEMORY, "memory");
    expect_error(
        "{% set s = 'b' * 99999 %}{% for i in range(99999) %}{% for j in range(9) %}{% if 'a' in "
        "s %}{% endif %}{% endfor %}{% endfor %}",
        ITH_E_FORMAT, "too many steps");
    expect_error("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", ITH_E_FORMAT, "deep");
    expect_error("{{ 'x' * 9000000000 }}", ITH_E_FORMAT, "too many steps");
    expect_error("{{ ('x' * 10000000) * 1000 }}", ITH_E_FORMAT, "too many steps");
    expect_error("{% set n = namespace(a=1) %}{% set n.a = n %}{{ n }}", ITH_E_FORMAT, "deep");
    memset(deep, '(', sizeof deep - 1);
    memcpy(deep, "{{ ", 3);
    deep[200] = '\0';
    expect_error(deep, ITH_E_FORMAT, "");
    deep[200] = '(';
    deep[4000] = '\0';
    memset(deep + 3, '-', 3997);
    memcpy(deep + 3990, "1 }}", 5);
    expect_error(deep, ITH_E_FORMAT, "deep");
}

/* Each would take minutes or years if what it repeats were not counted. */
static void test_hostile(void **state)
{
#define MANY "{% for i in range(99999) %}{% for j in range(99999) %}"
#define END  "{% endfor %}{% endfor %}"
    static const char *const sources[] = {
        MANY "{% set x = (0.1 * i)|string %}" END,
        MANY "{% set x = strftime_now('%c%c%c%c') %}" END,
        MANY "{% set x = 1e300|round(15) %}" END,
        MANY "{% set x = '%.60f' % i %}" END,
        "{% set s = '<' * 99999 %}" MANY "{% set x = s|e %}" END,
        "{% set s = 'a ' * 99999 %}" MANY "{% set x = s|wordcount %}" END,
        "{% set s = 'a' * 99999 %}{% set t = 'b' * 9999 ~ 'a' %}" MANY "{{ s.strip(t) }}" END,
        "{% set s = 'a' * 999999 %}{% set t = 'a' * 99999 ~ 'b' %}" MANY "{{ s.rfind(t) }}" END,
        "{% set s = '\u00e9' * 99999 %}" MANY "{% set x = s is lower %}" END,
        "{% set s = '\u00e9' * 99999 %}" MANY "{% set x = s.isalpha() %}" END,
        "{% set l = ['a\\n' * 999] * 999 %}" MANY "{% set x = l|string %}" END,
        "{% set s = 'b' * 9999 %}{% set l = [s ~ 'a', s ~ 'b', s] * 999 %}" MANY
        "{% set x = l|sort %}" END,
        "{% set n = namespace(t=(1,)) %}{% for i in range(60) %}{% set n.t = (n.t, n.t) %}"
        "{% endfor %}{{ {n.t: 1} }}",
        "{% set n = namespace(t=[1]) %}{% for i in range(60) %}{% set n.t = [n.t, n.t] %}"
        "{% endfor %}{% set m = namespace(t=[1]) %}{% for i in range(60) %}"
        "{% set m.t = [m.t, m.t] %}{% endfor %}{{ n.t < m.t }}",
        "{% set n = namespace(s='a' * 999999) %}" MANY
        "{% set n.s = n.s ~ 'b' %}{% set x = n.s|length %}" END,
        "{% set s = 'a' * 999999 %}" MANY "{% set x = s.partition('b') %}" END,
        "{% set s = 'a' * 999999 %}{% set t = s ~ '' %}" MANY "{% set x = s.removeprefix(t) %}" END,
        "{% set s = 'a' * 999999 %}{% set t = (s ~ '',) * 999 %}" MANY
        "{% set x = (s ~ 'b').endswith(t) %}" END,
        "{% set l = [''] * 99999 %}" MANY "{% set x = l|join('') %}" END,
        "{% set l = [''] * 99999 %}" MANY "{% set x = ''.join(l) %}" END,
        "{% macro m(n) %}{% if n > 0 %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
        "{{ m(99) }}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        expect_error(sources[i], ITH_E_FORMAT, "too many steps");
    expect_error("{% set n = namespace(t=(1,)) %}{% for i in range(9999) %}{% set n.t = (n.t,) %}"
                 "{% endfor %}{{ {n.t: 1} }}",
                 ITH_E_FORMAT, "deep");
}

/* A template of 2 MB whose parts are `part`, with every "@" replaced by a number. */
static char *repeated(const char *before, const char *part, const char *after)
{
    size_t n = 100000, cap = strlen(before) + n * (strlen(part) + 8) + strlen(after) + 1;
    char *source = malloc(cap), *at = source;
    const char *place = strchr(part, '@');

    assert_non_null(source);
    assert_non_null(place);
    at += sprintf(at, "%s", before);
    for (size_t i = 0; i < n; i++)
        at += sprintf(at, "%.*s%zu%s", (int)(place - part), part, i, place + 1);
    sprintf(at, "%s", after);
    return source;
}

/* Large templates: a call must not cost what the macro's body is long, nor a name what the scope is
 * large, without being counted. */
static void test_large(void **state)
{
    char *body = repeated("{% macro m() %}{% if x == 1 %}", "{{ a@ }}",
                          "{% endif %}{% endmacro %}" MANY "{{ m() }}" END),
         *scope = repeated("", "{% set a@ = 1 %}", "");

    (void)state;
    expect_error(body, ITH_E_FORMAT, "too many steps");
    expect_error(scope, ITH_E_FORMAT, "too many steps");
    free(body);
    free(scope);
    expect_mask("{% macro m() %}{% macro k() %}{{ varargs }}{% endmacro %}{{ k(2) }}{% endmacro %}"
                "{{ m(1) }}",
                "(2,)", "....");
    expect_mask("{{ 'abc'.find('', 4) }}{{ 'abc'.find('', 3) }}{{ 'abc'.rfind('', 2, 1) }}"
                "{{ 'abc'.count('', 4) }}{{ 'abc'.count('', 3) }}{{ 'abc'.endswith('', 4) }}"
                "{{ 'abc'.startswith('', 3) }}{{ 'abc'.find('c', -9, -0) }}",
                "-13-101FalseTrue-1", "..................");
    expect_error("{% macro m() %}{% endmacro %}{{ m(1) }}", ITH_E_ARGUMENT, "more than its 0");
    expect_error("{% macro m() %}{{ x.varargs }}{% endmacro %}{{ m(1) }}", ITH_E_ARGUMENT,
                 "more than its 0");
}

/* What depends on Python's memory, or is found wrong only when it is reached. */
static void test_refused(void **state)
{
    (void)state;
    expect_error("{{ x is sameas '\\n\\x01' }}", ITH_E_UNSUPPORTED, "sameas");
    expect_error("{{ 1.5 is sameas 1.5 }}", ITH_E_UNSUPPORTED, "sameas");
    expect_error("{{ 257 is sameas 257 }}", ITH_E_UNSUPPORTED, "sameas");
    expect_error("{% for i in [] %}{{ x|nosuch }}{% endfor %}", ITH_E_UNSUPPORTED, "\"nosuch\"");
    expect_error("{% for i in [] %}{% if x is nosuch %}{% endif %}{{ x is nosuch }}{% endfor %}",
                 ITH_E_UNSUPPORTED, "no test \"nosuch\"");
    expect_error("{% if false %}{% for i in [] %}{{ x|nosuch }}{% endfor %}{% endif %}",
                 ITH_E_UNSUPPORTED, "\"nosuch\"");
    expect_error("{% if true %}{{ x|nosuch }}{% endif %}", ITH_E_UNSUPPORTED, "\"nosuch\"");
    expect_error("{{ [x]|map('nosuch')|list }}", ITH_E_UNSUPPORTED, "no filter \"nosuch\"");
    expect_error("{{ [x]|select('nosuch')|list }}", ITH_E_UNSUPPORTED, "no test \"nosuch\"");
    expect_mask("{% if false %}{{ x|nosuch }}{% endif %}{{ 1 if true else x|nosuch }}", "1", ".");
    expect_mask("{{ 256 is sameas 256 }}{{ none is sameas none }}{{ x is sameas x }}",
                "TrueTrueTrue", "............");
    expect_error("{{ [{'a': 1}, {}]|groupby('a') }}", ITH_E_ARGUMENT, "attribute");
    expect_error("{{ [{'a': none}, {'a': none}]|groupby('a') }}", ITH_E_ARGUMENT, "no order");
    expect_mask("{{ [{'a': 'B'}, {}]|groupby('a', default='c')|map('first')|list }}", "['B', 'c']",
                "..........");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden), cmocka_unit_test(test_origin),
        cmocka_unit_test(test_errors), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_large),  cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
