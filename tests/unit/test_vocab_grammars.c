/* test_vocab_grammars.c - the grammars that a vocabulary keeps: the same text is compiled once, and
 * what nobody has open takes bounded memory. */
#include "unit/text_data.h"

#include "ithaca.h"

#include <malloc.h>

static ith_vocab *vocab;

static int set_up(void **state)
{
    (void)state;
    return ith_vocab_open("tests/models/needle-qwen3", &vocab, NULL) == ITH_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    ith_vocab_close(vocab);
    return 0;
}

/* A grammar that differs from others by a comment. */
static ith_grammar *open_grammar(int i)
{
    char text[100];
    int len = sprintf(text, "root ::= \"[\" (root (\",\" root)*)? \"]\" # %d", i);
    ith_grammar *grammar;
    ith_error err;

    if (ith_grammar_from_gbnf(vocab, text, (size_t)len, &grammar, &err) != ITH_OK)
        fail_msg("%s", err.text);
    return grammar;
}

/* Fills what a grammar keeps of what it has seen: some MiB. */
static void use(ith_grammar *grammar)
{
    enum { DEPTH = 5000 };
    static char text[2 * DEPTH];
    ith_error err;
    bool matches;

    memset(text, '[', DEPTH);
    memset(text + DEPTH, ']', DEPTH);
    assert_int_equal(ith_grammar_matches(grammar, text, sizeof text, &matches, &err), ITH_OK);
    assert_true(matches);
}

/* Bytes that are allocated, in the heap and beside it. */
static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void test_kept(void **state)
{
    ith_grammar *first = open_grammar(-1), *again = open_grammar(-1);

    (void)state;
    assert_ptr_equal(first, again);
    ith_grammar_close(first);
    use(again);
    ith_grammar_close(again);
    first = open_grammar(-1);
    assert_ptr_equal(first, again);
    ith_grammar_close(first);
}

/* 16 of them would take 200 MiB. */
static void test_bounded(void **state)
{
    size_t before = allocated();

    (void)state;
    for (int i = 0; i < 20; i++) {
        ith_grammar *grammar = open_grammar(i);
        use(grammar);
        ith_grammar_close(grammar);
    }
    print_message("%zu MiB more\n", (allocated() - before) >> 20);
    assert_true(allocated() < before + (80u << 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests_name("grammars of a vocabulary", tests, set_up, tear_down);
}
