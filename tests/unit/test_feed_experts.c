/* test_feed_experts.c - streamed experts: those chosen are in memory, no others are read, and what
 * is on a shelf is not read again. */
#include "comm/comm_self.h"
#include "model/model.h"
#include "weights/feed_fill.h"
#include "weights/feed_shelf.h"
#include "weights/produce.h"
#include "weights/residence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MODEL "synthetic:tests/models/experts/config.json:q8_0"

enum { THREADS = 3, ENTERED = 600, EXPERTS = 24, USED = 4 };

typedef struct streamed {
    ith_source *source;
    ith_load_plan plan;
    ith_model *model;
    ith_comm *comm;
    ith_mesh mesh;
    ith_residence residence;
    ith_step *steps; /* as the residence made them */
    int64_t n_steps;
    ith_team *team;
    ith_feed *feed;
    uint64_t chance;
} streamed;

static void must(ith_status status, const ith_error *err)
{
    if (status != ITH_OK)
        fail_msg("%s", err->text);
}

static uint64_t draw(streamed *s)
{
    s->chance ^= s->chance << 13, s->chance ^= s->chance >> 7, s->chance ^= s->chance << 17;
    return s->chance;
}

static ith_residence_params params_of(const streamed *s, size_t budget)
{
    return (ith_residence_params){.shards = ith_shards_of(s->comm, &s->mesh, false),
                                  .budget = budget,
                                  .rest_stays = true,
                                  .embed = s->model->embed,
                                  .output = s->model->output};
}

/* The budget at which everything stays except experts, of which `cells` per layer have room (18:
 * all). Negative: only what must stay. */
static size_t budget_for(const streamed *s, int cells)
{
    ith_residence_params p = params_of(s, 0);
    size_t least = ith_residence_least(&s->plan, &p), others = 0, expert = 0;

    for (size_t i = 0; i < s->plan.n_entries; i++) {
        const ith_entry *e = &s->plan.entries[i];
        others +=
            e->matrix != NULL && e->expert == ITH_NO_EXPERT && !e->whole ? ith_entry_bytes(e) : 0;
        expert += e->expert == 0 ? ith_entry_bytes(e) : 0;
    }
    return cells < 0 ? least : least + others + (size_t)cells * expert;
}

static void open_streamed(streamed *s, int cells, int frame_level, const ith_homes *homes)
{
    ith_error err = {0};

    *s = (streamed){.chance = 88172645463325252u};
    must(ith_source_open(MODEL, 0, &s->source, &err), &err);
    must(ith_model_open(s->source, &s->plan, ITH_QUANT_W8, false, &s->model, &err), &err);
    must(ith_comm_open_self(&s->comm, &err), &err);
    must(ith_mesh_make(NULL, 1, 0, (int)s->model->hp.n_kv_heads, &s->mesh, &err), &err);
    ith_residence_params p = params_of(s, budget_for(s, cells));
    must(ith_residence_choose(&s->plan, &p, &s->residence, &err), &err);
    s->n_steps = s->residence.steps.n;
    s->steps = s->residence.steps.items;
    s->residence.steps.items = NULL;
    must(ith_team_open(2, &s->team, &err), &err);
    ith_feed_params params = {.comm = s->comm,
                              .plan = &s->plan,
                              .shards = p.shards,
                              .transit = s->residence.steps.transit,
                              .homes = homes,
                              .n_threads = THREADS,
                              .frame_level = frame_level,
                              .frame_room = SIZE_MAX,
                              .team = s->team};
    must(ith_feed_open(&params, s->steps, s->n_steps, &s->feed, &err), &err);
}

static void close_streamed(streamed *s)
{
    ith_feed_close(s->feed);
    ith_residence_free(&s->residence);
    ith_team_close(s->team);
    ith_model_close(s->model);
    ith_load_plan_free(&s->plan);
    ith_source_close(s->source);
    ith_comm_close(s->comm);
}

static void assert_part(const streamed *s, const ith_extent *p)
{
    const ith_matrix *m = p->entry->matrix;
    uint8_t *want = aligned_alloc(64, p->entry->unit_bytes);
    ith_producer producer;
    ith_error err;

    assert_non_null(want);
    assert_non_null(m->tiles);
    assert_int_equal(m->first_tile, p->first);
    must(ith_producer_open(&s->plan, ITH_CACHED, &producer, &err), &err);
    for (int64_t u = 0; u < p->n; u++) {
        const uint8_t *at = ith_matrix_tiles(m, p->first + u);
        memcpy(want, at, p->entry->unit_bytes); /* the padding at its end, which nobody writes */
        must(ith_produce(&producer, p->entry, p->first + u, 1, want, &err), &err);
        assert_memory_equal(at, want, p->entry->unit_bytes);
    }
    ith_producer_close(&producer);
    free(want);
}

/* chosen NULL: all. */
static void assert_there(const streamed *s, int64_t i, const bool *chosen)
{
    for (int k = 0; k < s->steps[i].n_extents; k++) {
        const ith_extent *p = &s->steps[i].extents[k];
        if (p->entry->expert == ITH_NO_EXPERT || chosen == NULL || chosen[p->entry->expert])
            assert_part(s, p);
        else
            assert_null(p->entry->matrix->tiles);
    }
}

static void choose(streamed *s, bool chosen[EXPERTS])
{
    memset(chosen, 0, EXPERTS * sizeof *chosen);
    for (int i = 0; i < USED; i++)
        chosen[draw(s) % EXPERTS] = true;
}

static bool is_behind(const streamed *s, int64_t step)
{
    return step > 0 &&
           s->steps[step].extents[0].entry->layer == s->steps[step - 1].extents[0].entry->layer;
}

/* Passes of both kinds that skip steps, stop early and start again. A pass that continues within a
 * layer keeps that layer's experts. */
static void any_order(int cells, int frame_level, const ith_homes *homes)
{
    streamed s;
    bool chosen[EXPERTS] = {0};
    bool few = true;
    int64_t next = 0;
    ith_error err;

    open_streamed(&s, cells, frame_level, homes);
    for (int i = 0; i < ENTERED; i++) {
        bool jumps = draw(&s) % 4 == 0;
        if (jumps) {
            next = (int64_t)(draw(&s) % (uint64_t)s.n_steps);
            few = draw(&s) % 3 > 0;
        }
        if (jumps || !is_behind(&s, next))
            choose(&s, chosen);
        ith_feed_enter(s.feed, next, few ? ITH_NEED_CHOSEN : ITH_NEED_ALL, few ? chosen : NULL);
        assert_there(&s, next, few ? chosen : NULL);
        ith_feed_leave(s.feed);
        next = (next + 1) % s.n_steps;
    }
    must(ith_feed_status(s.feed, &err), &err);
    close_streamed(&s);
}

static void what_is_chosen_is_there(void **state)
{
    (void)state;
    static const int cells[] = {-1, 0, 1, 3, USED, 10, 17};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        any_order(cells[i], -1, NULL);
}

/* Finds the region that contains an address, and the node where it should lie. */
typedef struct placed {
    const uint8_t *at;
    int node, found;
} placed;

static void look(void *user, const void *at, size_t bytes, int node)
{
    placed *p = user;
    if (p->at < (const uint8_t *)at || p->at >= (const uint8_t *)at + bytes)
        return;
    p->node = node;
    p->found++;
}

/* Each tile of the experts of step i that are on the shelf lies beside the threads that read it,
 * those in the transit anywhere. Returns the number of tiles on a shelf, on other nodes than 0. */
static int64_t assert_homes(const streamed *s, int64_t i, const ith_homes *homes)
{
    int64_t elsewhere = 0;

    for (int k = 0; k < s->steps[i].n_extents; k++) {
        const ith_entry *e = s->steps[i].extents[k].entry;
        for (int64_t u = 0; u < e->n_units && e->expert != ITH_NO_EXPERT; u++) {
            placed p = {.at = ith_matrix_tiles(e->matrix, u)};
            ith_feed_regions(s->feed, look, &p);
            assert_int_equal(p.found, 1);
            if (e->matrix->n_strips > 0)
                assert_int_equal(p.node, ith_home_of(homes, e, u));
            else
                assert_int_equal(p.node, ith_homes_only(homes));
            elsewhere += e->matrix->n_strips > 0 && p.node > 0;
        }
    }
    return elsewhere;
}

/* Experts on a shelf lie beside the threads that read them, in whatever order they come. */
static void what_is_on_the_shelf_lies_where_it_is_read(void **state)
{
    (void)state;
    static const char *const machines[] = {"core:4 pu:1", "numa:2 core:2 pu:1",
                                           "numa:4 core:1 pu:1"};
    for (size_t m = 0; m < sizeof machines / sizeof *machines; m++) {
        streamed s;
        ith_topology *topology;
        ith_error err;
        int64_t elsewhere = 0;
        setenv("ITHACA_TOPOLOGY", machines[m], 1);
        must(ith_topology_open(&topology, &err), &err);
        ith_seat seat = ith_seat_of(topology, 0, 4);
        ith_homes homes = {.topology = topology, .seats = &seat, .n_seats = 1};
        must(ith_mesh_make(NULL, 1, 0, 4, &homes.mesh, &err), &err);
        any_order(5, -1, &homes);
        open_streamed(&s, 5, -1, &homes);
        for (int round = 0; round < 2; round++)
            for (int64_t i = 0; i < s.n_steps; i++) {
                ith_feed_enter(s.feed, i, ITH_NEED_ALL, NULL);
                elsewhere += assert_homes(&s, i, &homes);
                ith_feed_leave(s.feed);
            }
        assert_true(elsewhere > 0 || ith_topology_nodes(topology) == 1);
        close_streamed(&s);
        ith_topology_close(topology);
    }
    unsetenv("ITHACA_TOPOLOGY");
}

static void frames_of_what_is_chosen_are_read(void **state)
{
    (void)state;
    any_order(-1, 1, NULL);
}

/* ---- What is read ---- */

static int64_t read_so_far(const streamed *s)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < s->n_steps; i++)
        sum += ith_feed_count(s->feed, i).read;
    return sum;
}

/* Enters all steps once, each with these experts. Returns the bytes read, which include no more
 * than the steps and what the next pass starts with. */
static int64_t pass(streamed *s, const bool *chosen)
{
    int64_t before = read_so_far(s);
    for (int64_t i = 0; i < s->n_steps; i++) {
        ith_feed_enter(s->feed, i, chosen != NULL ? ITH_NEED_CHOSEN : ITH_NEED_ALL, chosen);
        ith_feed_leave(s->feed);
    }
    return read_so_far(s) - before;
}

static int64_t expert_bytes(const streamed *s)
{
    int64_t bytes = 0;
    bool packed;
    for (size_t i = 0; i < s->plan.n_entries; i++)
        if (s->plan.entries[i].expert == 0)
            bytes += (int64_t)ith_stored_bytes(&s->plan.entries[i], 0, s->plan.entries[i].n_units,
                                               &packed);
    return bytes;
}

static void of(bool chosen[EXPERTS], int first, int n)
{
    for (int i = 0; i < EXPERTS; i++)
        chosen[i] = i >= first && i < first + n;
}

static void only_what_is_chosen_is_read(void **state)
{
    (void)state;
    streamed s;
    bool chosen[EXPERTS];

    open_streamed(&s, 0, -1, NULL);
    assert_int_equal(s.residence.steps.shelves, 0);
    int64_t expert = expert_bytes(&s);
    of(chosen, 5, USED);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pass(&s, chosen), USED * expert);

    /* Some of the next pass's experts are fetched ahead. */
    assert_in_range(pass(&s, NULL), EXPERTS * expert, 2 * EXPERTS * expert);
    close_streamed(&s);
}

static void what_is_on_the_shelf_is_not_read_again(void **state)
{
    (void)state;
    enum { SLOTS = 6 };
    streamed s;
    bool chosen[EXPERTS];

    open_streamed(&s, SLOTS, -1, NULL);
    int64_t expert = expert_bytes(&s);
    of(chosen, 0, 4);
    assert_int_equal(pass(&s, chosen), 4 * expert);
    assert_int_equal(pass(&s, chosen), 0);
    of(chosen, 2, 4); /* 0 to 5 are there */
    assert_int_equal(pass(&s, chosen), 2 * expert);
    of(chosen, 6, 2); /* 0 and 1 leave */
    assert_int_equal(pass(&s, chosen), 2 * expert);
    of(chosen, 2, 6);
    assert_int_equal(pass(&s, chosen), 0);
    of(chosen, 0, 2);
    assert_int_equal(pass(&s, chosen), 2 * expert);
    of(chosen, 0, 9); /* more than there is room for */
    assert_int_equal(pass(&s, chosen), 3 * expert);
    assert_int_equal(pass(&s, chosen), 3 * expert);
    close_streamed(&s);
}

/* A pass of whole layers uses what is on the shelf and evicts nothing. What it puts into empty
 * cells is evicted first. */
static void whole_layers_use_the_shelf(void **state)
{
    (void)state;
    enum { SLOTS = 6 };
    streamed s;
    bool chosen[EXPERTS];

    open_streamed(&s, SLOTS, -1, NULL);
    int64_t expert = expert_bytes(&s), first, second;
    of(chosen, 20, 4);
    assert_int_equal(pass(&s, chosen), 4 * expert);
    first = pass(&s, NULL);
    second = pass(&s, NULL);

    /* Some of the next pass's experts are fetched ahead. */
    assert_in_range(first, (EXPERTS - 4) * expert, (EXPERTS - 4) * 2 * expert);
    assert_in_range(first + second, (EXPERTS - 4 + EXPERTS - SLOTS) * expert,
                    (EXPERTS - 4 + EXPERTS - SLOTS + EXPERTS / 2) * expert);
    for (int i = 0; i < 2; i++) /* what follows is guessed to be a whole pass, as last time */
        pass(&s, chosen);
    assert_int_equal(pass(&s, chosen), 0);
    of(chosen, 22, 2);
    chosen[10] = chosen[11] = true;
    assert_int_equal(pass(&s, chosen), 2 * expert); /* in the place of 0 and 1 */
    of(chosen, 20, 4);
    assert_int_equal(pass(&s, chosen), 0);
    close_streamed(&s);
}

/* A thread may come to a fill of all experts after it was dropped, while an earlier one is still
 * being fetched. */
static void a_dropped_fill_claims_no_cell(void **state)
{
    (void)state;
    streamed s;
    int64_t step = 0;

    open_streamed(&s, 5, -1, NULL);
    while (s.steps[step].n_cells == 0)
        step++;
    pthread_mutex_lock(&s.feed->shared->lock);
    ith_fill_begin(s.feed, ith_fill_key(step, ITH_NEED_ALL));
    ith_fill_drop_all(s.feed);
    ith_feed_fill(s.feed, 0)->listed = false;
    ith_shelf_list(s.feed, 0, NULL);
    for (int e = 0; e < EXPERTS; e++)
        assert_int_equal(s.feed->shelves[step].cell_of[e], -1);
    pthread_mutex_unlock(&s.feed->shared->lock);
    close_streamed(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_chosen_is_there),
        cmocka_unit_test(frames_of_what_is_chosen_are_read),
        cmocka_unit_test(what_is_on_the_shelf_lies_where_it_is_read),
        cmocka_unit_test(only_what_is_chosen_is_read),
        cmocka_unit_test(what_is_on_the_shelf_is_not_read_again),
        cmocka_unit_test(whole_layers_use_the_shelf),
        cmocka_unit_test(a_dropped_fill_claims_no_cell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
