/* test_grammar_limits.c - what is not trusted: schemas, grammars and answers that would take long,
 * or for ever, end with a refusal that does not depend on anything else; and nobody else ends. */
#include "unit/grammar_vocab.h"

#include "grammar/automaton.h"

/* ---- Compiling ---- */

/* What a compiled text leaves of the budget of work. */
static int64_t work_left(const char *source)
{
    ith_rules rules;
    ith_error err;
    int64_t left;

    if (compile_rules(source, &rules, &err) != ITH_OK)
        fail_msg("%.60s: %s", source, err.text);
    left = rules.work;
    ith_rules_free(&rules);
    return left;
}

static void check_refused(const char *source, const char *why)
{
    ith_rules rules;
    ith_error err = {0};

    if (compile_rules(source, &rules, &err) == ITH_OK)
        fail_msg("%.60s is not refused", source);
    ith_rules_free(&rules);
    if (err.status != ITH_E_UNSUPPORTED || strstr(err.text, why) == NULL)
        fail_msg("%.60s: \"%s\" does not say \"%s\"", source, err.text, why);
}

static char text[1 << 20];

/* Alternatives that are compared along 30 references, 8 deep: 30^8 ways. */
static void test_exclusive(void **state)
{
    size_t n = (size_t)sprintf(text, "{\"oneOf\": [{\"$ref\": \"#/$defs/A\"}, {\"$ref\": "
                                     "\"#/$defs/A\"}], \"$defs\": {\"A\": {\"type\": \"object\", "
                                     "\"required\": [");

    (void)state;
    for (int i = 0; i < 30; i++)
        n += (size_t)sprintf(text + n, "%s\"a%d\"", i > 0 ? ", " : "", i);
    n += (size_t)sprintf(text + n, "], \"properties\": {");
    for (int i = 0; i < 30; i++)
        n +=
            (size_t)sprintf(text + n, "%s\"a%d\": {\"$ref\": \"#/$defs/A\"}", i > 0 ? ", " : "", i);
    sprintf(text + n, "}}}}");
    check_refused(text, "takes too much work");
}

/* Each alternative is merged with a description of 100 kB. */
static void test_merging(void **state)
{
    size_t n = (size_t)sprintf(text, "{\"properties\": {\"a\": {\"description\": \"");

    (void)state;
    memset(text + n, 'x', 100000);
    n += 100000;
    n += (size_t)sprintf(text + n, "\"}}, \"anyOf\": [");
    for (int i = 0; i < 2000; i++)
        n += (size_t)sprintf(text + n, "%s{\"required\": [\"a%d\"]}", i > 0 ? ", " : "", i);
    sprintf(text + n, "]}");
    check_refused(text, "takes too much work");
}

/* 1,000 names united with 1,000 others, again and again. */
static void test_uniting(void **state)
{
    size_t n = (size_t)sprintf(text, "{\"allOf\": [");

    (void)state;
    for (int k = 0; k < 100; k++) {
        n += (size_t)sprintf(text + n, "%s{\"required\": [", k > 0 ? ", " : "");
        for (int i = 0; i < 1000; i++)
            n += (size_t)sprintf(text + n, "%s\"%d\"", i > 0 ? "," : "", k * 1000 + i);
        n += (size_t)sprintf(text + n, "]}");
    }
    sprintf(text + n, "]}");
    check_refused(text, "takes too much work");
}

/* Sets of many characters and classes are sorted once; many properties are too many. */
static void test_sets(void **state)
{
    size_t n = (size_t)sprintf(text, "{\"pattern\": \"^[");

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int code = 0x4e00 + i;
        n += (size_t)sprintf(text + n, "%c%c%c", 0xe0 | code >> 12, 0x80 | (code >> 6 & 0x3f),
                             0x80 | (code & 0x3f));
    }
    sprintf(text + n, "]$\"}");
    assert_true(work_left(text) > ITH_RULES_WORK - 2000000);
    n = (size_t)sprintf(text, "{\"pattern\": \"^[^");
    for (int i = 0; i < 30000; i++)
        n += (size_t)sprintf(text + n, "\\\\w");
    sprintf(text + n, "]$\"}");
    assert_true(work_left(text) > ITH_RULES_WORK - 2000000);
    n = (size_t)sprintf(text, "{\"pattern\": \"^[");
    for (int i = 0; i < 12000; i++)
        n += (size_t)sprintf(text + n, "\\\\p{L}");
    sprintf(text + n, "]$\"}");
    check_refused(text, "takes too much work");
}

/* ---- Places from which no text ends ---- */

/* The bytes that may come after a text, in ascending order, must be `bytes`. */
static void check_next(const char *source, const char *before, const char *bytes)
{
    ith_grammar *grammar = must_compile(source);
    ith_follower *f;
    ith_error err;
    const uint64_t *mask;
    int32_t n_ids;
    bool complete;
    char found[257];
    size_t n = 0;

    assert_int_equal(ith_follower_open(grammar, false, &f, &err), ITH_OK);
    for (; *before != 0; before++)
        if (ith_follower_accept(f, (unsigned char)*before, &complete, &err) != ITH_OK)
            fail_msg("%s: %s", source, err.text);
    if (ith_follower_mask(f, &mask, &n_ids, &err) != ITH_OK)
        fail_msg("%s: %s", source, err.text);
    for (int32_t id = 0; id < END; id++)
        if (in_mask(mask, id))
            found[n++] = (char)id;
    found[n] = 0;
    assert_string_equal(found, bytes);
    ith_follower_close(f);
    ith_grammar_free(grammar);
}

static void test_traps(void **state)
{
    (void)state;
    check_next("root ::= \"a\" dead{3} | \"b\"\ndead ::= \"x\" dead", "", "b");
    check_next("root ::= \"a\" dead{0,3} | \"b\" dead{1,}\ndead ::= \"x\" dead", "", "a");
    check_next("root ::= \"a\" (\"c\" dead){2} | \"b\" [\\ud7ff]{2}\ndead ::= dead2{2}\n"
               "dead2 ::= \"x\" dead",
               "", "b");
    check_next("{\"anyOf\": [{\"type\": \"array\", \"minItems\": 3, \"items\": {\"enum\": []}}, "
               "{\"const\": 1}]}",
               "", "1");
    check_next(
        "{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"array\", \"minItems\": 2, "
        "\"items\": {\"const\": 1, \"type\": \"string\"}}, \"b\": {\"const\": 1}}}",
        "{\"", "b");
    check_next("{\"type\": \"array\", \"prefixItems\": [{\"const\": 1}], \"items\": {\"type\": "
               "\"array\", \"minItems\": 1, \"items\": {\"$ref\": \"#/items\"}}}",
               "[1", "]");
}

static uint64_t seed = 11;

static int draw(int n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int)(seed % (uint64_t)n);
}

/* A small grammar of four rules, with counts, and rules that can never end among them. */
static void draw_grammar(char *out)
{
    static const char *const elements[] = {"\"a\"", "\"b\"", "[ab]", "r1",
                                           "r2",    "r3",    "r3",   "\"\""};
    static const char *const repeats[] = {"", "", "", "?", "*", "+", "{2}", "{1,3}", "{2,}"};
    static const char *const names[] = {"root", "r1", "r2", "r3"};

    for (size_t r = 0; r < 4; r++) {
        out += sprintf(out, "%s ::= ", names[r]);
        for (int i = 0, n = 1 + draw(2); i < n; i++) {
            out += sprintf(out, "%s\"%c\"", i > 0 ? " | " : "", 'c' + draw(3));
            for (int k = draw(3); k > 0; k--)
                out += sprintf(out, " %s%s", elements[draw(8)], repeats[draw(9)]);
        }
        out += sprintf(out, "\n");
    }
}

/* All configurations of an automaton, if they are few, and from where a text can end. */
static bool check_ends(const char *source, const ith_rules *rules)
{
    enum { MOST = 150 };
    static bool ends[MOST];
    ith_automaton a;
    ith_error err;
    bool few = true;

    assert_int_equal(ith_automaton_open(rules, &a, &err), ITH_OK);
    a.work = INT64_MAX;
    assert_true(ith_automaton_begin(&a) >= 0);
    for (int32_t c = 0; few && (size_t)c < a.n_configs; c++) {
        for (int byte = 'a'; byte <= 'e'; byte++)
            ith_automaton_step(&a, c, (uint8_t)byte);
        assert_int_equal(a.failure.status, ITH_OK);
        few = a.n_configs < MOST;
        ends[c] = a.configs[c].may_end;
    }
    for (bool changed = few; changed;) {
        changed = false;
        for (size_t c = a.n_configs; c-- > 0;)
            for (int byte = 'a'; byte <= 'e' && !ends[c]; byte++)
                if (a.steps[c].next[byte] >= 0 && ends[a.steps[c].next[byte]])
                    ends[c] = changed = true;
    }
    for (size_t c = 0; few && c < a.n_configs; c++)
        if (!ends[c])
            fail_msg("%s: a text cannot end", source);
    ith_automaton_close(&a);
    return few;
}

/* From wherever an answer may come, it can end. */
static void test_random_ends(void **state)
{
    int n = 0, refused = 0;

    (void)state;
    for (int i = 0; i < 800; i++) {
        char source[2000];
        ith_rules rules;
        ith_error err;
        draw_grammar(source);
        if (ith_gbnf_compile(source, strlen(source), &rules, &err) == ITH_OK)
            n += check_ends(source, &rules);
        else
            refused += err.status == ITH_E_ARGUMENT;
        ith_rules_free(&rules);
    }
    print_message("%d grammars looked through, %d without any text\n", n, refused);
    assert_true(n > 150 && refused > 10);
}

/* One more token, drawn among those of the mask, which is right. False: the text must end. */
static bool draw_token(ith_grammar *grammar, ith_follower *f, int32_t *ids, size_t *n)
{
    const uint64_t *mask;
    int32_t n_ids, allowed[1000], n_allowed = 0;
    ith_error err;
    bool complete;

    assert_int_equal(ith_follower_mask(f, &mask, &n_ids, &err), ITH_OK);
    check_mask(grammar, ids, *n, mask, n_ids);
    for (int32_t id = 0; id < n_ids; id++)
        if (id != END && in_mask(mask, id))
            allowed[n_allowed++] = id;
    if (n_allowed == 0)
        return false;
    ids[*n] = allowed[draw(n_allowed)];
    assert_int_equal(ith_follower_accept(f, ids[(*n)++], &complete, &err), ITH_OK);
    return !complete;
}

/* Masks of two answers by turns, whose counters stand elsewhere. */
static void test_random_masks(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        char source[2000];
        ith_grammar *grammar;
        ith_follower *f[2];
        ith_error err;
        int32_t ids[2][8];
        size_t n[2] = {0};
        draw_grammar(source);
        if (compile(source, &grammar, &err) != ITH_OK)
            continue;
        for (int k = 0; k < 2; k++)
            assert_int_equal(ith_follower_open(grammar, false, &f[k], &err), ITH_OK);
        for (int step = 0; step < 10; step++) {
            int k = step == 0 ? 0 : draw(2);
            if (n[k] == 5 || !draw_token(grammar, f[k], ids[k], &n[k]))
                break;
        }
        ith_follower_close(f[0]);
        ith_follower_close(f[1]);
        ith_grammar_free(grammar);
    }
}

/* ---- Following ---- */

/* Each of n characters may have begun an item, and items count: n ways to read them, or n^2. */
static const char ambiguous[] = "root ::= x{0,1000}\nx ::= \"a\"{1,1000}";

/* Accepts n times "a" with a mask before each; the first failure. */
static ith_status follow(ith_follower *f, int n, ith_error *err)
{
    const uint64_t *mask;
    int32_t n_ids;
    bool complete;

    for (int i = 0; i < n; i++) {
        ITH_TRY(ith_follower_mask(f, &mask, &n_ids, err));
        ITH_TRY(ith_follower_accept(f, 'a', &complete, err));
    }
    return ITH_OK;
}

/* A failure ends one answer, and stays with it. */
static void test_one_fails(void **state)
{
    ith_grammar *grammar;
    ith_follower *f, *other, *third;
    ith_error err = {0};
    const uint64_t *mask;
    int32_t n_ids;
    bool complete;

    (void)state;
    budget = 300000;
    grammar = must_compile(ambiguous);
    assert_int_equal(ith_follower_open(grammar, false, &f, &err), ITH_OK);
    assert_int_equal(ith_follower_open(grammar, false, &other, &err), ITH_OK);
    assert_int_equal(follow(other, 2, &err), ITH_OK);
    assert_int_equal(follow(f, 300, &err), ITH_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "takes too much work"));
    assert_int_equal(ith_follower_mask(f, &mask, &n_ids, &err), ITH_E_UNSUPPORTED);
    assert_int_equal(ith_follower_accept(f, 'a', &complete, &err), ITH_E_UNSUPPORTED);
    assert_false(ith_follower_may_end(f));
    assert_int_equal(follow(other, 2, &err), ITH_OK);
    assert_true(ith_follower_may_end(other));
    assert_int_equal(ith_follower_open(grammar, false, &third, &err), ITH_OK);
    assert_int_equal(follow(third, 4, &err), ITH_OK);
    ith_follower_close(f);
    ith_follower_close(other);
    ith_follower_close(third);
    ith_grammar_free(grammar);
    budget = ITH_GRAMMAR_WORK;
}

/* How many "a" a follower of a grammar can take. */
static int reach(ith_grammar *grammar)
{
    ith_follower *f;
    ith_error err = {0};
    int n = 0;

    assert_int_equal(ith_follower_open(grammar, false, &f, &err), ITH_OK);
    while (n < 300 && follow(f, 1, &err) == ITH_OK)
        n++;
    ith_follower_close(f);
    return n;
}

/* How many times a new follower can take a token, without masks, up to `most`. */
static int leap(ith_grammar *grammar, int32_t id, int most)
{
    ith_follower *f;
    ith_error err = {0};
    bool complete;
    int n = 0;

    assert_int_equal(ith_follower_open(grammar, false, &f, &err), ITH_OK);
    while (n < most && ith_follower_accept(f, id, &complete, &err) == ITH_OK)
        n++;
    ith_follower_close(f);
    return n;
}

static int32_t token(const char *piece)
{
    for (int32_t i = 0;; i++)
        if (strcmp(pieces[i], piece) == 0)
            return FIRST_PIECE + i;
}

/* Steps that another answer has taken one by one cost the same in a token of many. */
static void test_same_steps(void **state)
{
    ith_grammar *cold, *warm;
    int reached;

    (void)state;
    budget = 60000;
    cold = must_compile(ambiguous);
    warm = must_compile(ambiguous);
    reached = leap(cold, token("aaaaaaaa"), 100);
    assert_int_equal(leap(warm, 'a', 8 * reached + 8), 8 * reached + 8);
    assert_int_equal(leap(warm, token("aaaaaaaa"), 100), reached);
    ith_grammar_free(cold);
    ith_grammar_free(warm);
    budget = ITH_GRAMMAR_WORK;
}

/* The budget is that of the task, whatever others have seen: alone, behind others, beside one. */
static void test_same_budget(void **state)
{
    int reached[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        ith_grammar *grammar;
        budget = 60000 << 2 * i;
        grammar = must_compile(ambiguous);
        reached[i] = reach(grammar);
        assert_true(reached[i] > (i > 0 ? reached[i - 1] : 0) && reached[i] < 300);
        for (int k = 0; k < 3; k++)
            assert_int_equal(reach(grammar), reached[i]);
        ith_grammar_free(grammar);
    }
    budget = ITH_GRAMMAR_WORK;
}

/* Tables are forgotten before they take more than they may. */
static void test_tables(void **state)
{
    ith_grammar *grammar = must_compile("root ::= x*\nx ::= .{1,100000}");
    ith_follower *f;
    ith_error err = {0};
    int n = 0;

    (void)state;
    assert_int_equal(ith_follower_open(grammar, false, &f, &err), ITH_OK);
    while (n < 1500 && follow(f, 1, &err) == ITH_OK)
        n++;
    print_message("%d characters: %s\n", n, err.text);
    assert_true(n > 20 && n < 1500 && err.status == ITH_E_UNSUPPORTED);
    assert_true(ith_grammar_bytes(grammar) < 200 << 20);
    ith_follower_close(f);
    ith_grammar_free(grammar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exclusive),    cmocka_unit_test(test_merging),
        cmocka_unit_test(test_uniting),      cmocka_unit_test(test_sets),
        cmocka_unit_test(test_traps),        cmocka_unit_test(test_random_ends),
        cmocka_unit_test(test_random_masks), cmocka_unit_test(test_one_fails),
        cmocka_unit_test(test_same_budget),  cmocka_unit_test(test_same_steps),
        cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests_name("grammar limits", tests, set_up, tear_down);
}
