/* test_exchange.c - which ranks exchange with which by node, and how much memory that takes. */
#include "comm/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void pairs_meet_in_every_step(void **state)
{
    (void)state;
    for (int size = 1; size <= 8; size++)
        for (int step = 1; step < size; step++)
            for (int r = 0; r < size; r++)
                assert_int_equal(ith_exchange_from(ith_exchange_to(r, size, step), size, step), r);
}

static void members_are_in_order_of_their_nodes(void **state)
{
    const int node_of[] = {0, 1, 0, 2, 1, 1}, expected[] = {0, 2, 1, 4, 5, 3},
              expected_first[] = {0, 2, 5, 6};
    int members[6], first[4];
    (void)state;
    ith_exchange_members(node_of, 6, 3, members, first);
    assert_memory_equal(members, expected, sizeof members);
    assert_memory_equal(first, expected_first, sizeof first);
}

static void slots_are_no_larger_than_exchanges(void **state)
{
    const int64_t most = 1 << 20;
    (void)state;

    /* Nobody to exchange with. */
    assert_int_equal(ith_exchange_slot(ITH_EXCHANGE_AUTO, most, 1, 1), 0);
    assert_int_equal(ith_exchange_slot(ITH_EXCHANGE_AUTO, most, 1, 4), most);
    assert_int_equal(ith_exchange_slot(ITH_EXCHANGE_AUTO, most, 4, 4), 0); /* no neighbour */
    assert_int_equal(ith_exchange_slot(ITH_EXCHANGE_AUTO, most, 2, 4),
                     ith_exchange_node_most(2, 4));
    assert_int_equal(ith_exchange_slot(ITH_EXCHANGE_AUTO, 1000, 2, 4), 1000);
    assert_int_equal(ith_exchange_slot(ITH_EXCHANGE_NODE, most, 2, 4), most);
    assert_int_equal(ith_exchange_slot(ITH_EXCHANGE_PAIRWISE, most, 1, 4), 0);
    assert_int_equal(ith_exchange_slot(ITH_EXCHANGE_ALLTOALLV, most, 1, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pairs_meet_in_every_step),
                                       cmocka_unit_test(members_are_in_order_of_their_nodes),
                                       cmocka_unit_test(slots_are_no_larger_than_exchanges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
