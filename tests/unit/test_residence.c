/* test_residence.c - what stays under a budget, and that the steps bring everything else once. */
#include "model/model.h"
#include "weights/residence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct planned {
    ith_source *source;
    ith_load_plan plan;
    ith_model *model;
    size_t bytes;
    ith_comm comm; /* who shares a node; nothing is sent */
    ith_mesh mesh;
} planned;

static const int nodes[8] = {0, 0, 1, 1, 1, 2, 3, 3};

/* `ranks` of 1, or 8 on four nodes. */
static void on_ranks(planned *p, int ranks)
{
    p->comm = (ith_comm){.size = ranks, .node_of = nodes, .n_nodes = ranks == 1 ? 1 : 4};
    assert_int_equal(ith_mesh_make(NULL, ranks, 0, (int)p->model->hp.n_kv_heads, &p->mesh, NULL),
                     ITH_OK);
}

static void open_planned(planned *p, const char *name)
{
    ith_error err = {0};
    *p = (planned){0};
    if (ith_source_open(name, 0, &p->source, &err) != ITH_OK ||
        ith_model_open(p->source, &p->plan, ITH_QUANT_W8, false, &p->model, &err) != ITH_OK)
        fail_msg("%s: %s", name, err.text);
    for (size_t i = 0; i < p->plan.n_entries; i++)
        p->bytes +=
            ((size_t)p->plan.entries[i].n_units * p->plan.entries[i].unit_bytes + 63) / 64 * 64;
    on_ranks(p, 1);
}

static void close_planned(planned *p)
{
    ith_model_close(p->model);
    ith_load_plan_free(&p->plan);
    ith_source_close(p->source);
}

static ith_status choose(planned *p, size_t budget, bool rest_stays, ith_residence *r,
                         ith_error *err)
{
    for (size_t i = 0; i < p->plan.n_entries; i++)
        p->plan.entries[i].streamed = false;
    ith_residence_params params = {.shards = ith_shards_of(&p->comm, &p->mesh, p->comm.n_nodes > 1),
                                   .budget = budget,
                                   .rest_stays = rest_stays,
                                   .embed = p->model->embed,
                                   .output = p->model->output};
    return ith_residence_choose(&p->plan, &params, r, err);
}

/* The step in use and those fetched ahead of it (the rest of a layer, or the next part of the
 * output matrix) do not overlap. */
static void assert_ahead(const ith_residence *r)
{
    for (int64_t s = 0; s + 1 < r->steps.n; s++) {
        int64_t ahead = s + r->steps.n_stages <= r->steps.first_output ? r->steps.n_stages
                        : s >= r->steps.first_output                   ? 2
                                                                       : 1;
        for (int64_t next = s + 1; next < s + ahead && next < r->steps.n; next++)
            assert_true(r->steps.items[s].offset + r->steps.items[s].bytes <=
                            r->steps.items[next].offset ||
                        r->steps.items[next].offset + r->steps.items[next].bytes <=
                            r->steps.items[s].offset);
    }
}

/* Every unit of a streamed entry is in exactly one step, in bytes of its own within the step. An
 * entry that stays is in none. */
static void assert_complete(const planned *p, const ith_residence *r)
{
    for (size_t i = 0; i < p->plan.n_entries; i++) {
        const ith_entry *e = &p->plan.entries[i];
        int64_t next = 0;
        for (int64_t s = 0; s < r->steps.n; s++)
            for (int k = 0; k < r->steps.items[s].n_extents; k++) {
                const ith_extent *part = &r->steps.items[s].extents[k];
                if (part->entry != e)
                    continue;
                assert_int_equal(part->first, next);
                next += part->n;
                assert_true(part->at % 64 == 0);
                assert_true(part->at + (size_t)part->n * e->unit_bytes <= r->steps.items[s].bytes);
            }
        bool looked_up =
            e->matrix == p->model->embed && !r->embed_stays && e->matrix != p->model->output;
        bool gathered = p->comm.n_nodes > 1 &&
                        (e->matrix == p->model->output || (e->matrix != NULL && e->layer >= 0));
        assert_int_equal(next, gathered || (e->streamed && !looked_up) ? e->n_units : 0);
    }
    for (int64_t s = 0; s < r->steps.n; s++)
        assert_true(r->steps.items[s].offset % 64 == 0 &&
                    r->steps.items[s].offset + r->steps.items[s].bytes <= r->steps.transit);
    assert_ahead(r);
}

static void check_budgets(const char *name, int ranks)
{
    planned p;
    size_t before = 0;
    open_planned(&p, name);
    on_ranks(&p, ranks);
    for (int percent = 1; percent <= 100; percent++) {
        ith_residence r;
        ith_error err = {0};
        size_t budget = p.bytes / 100 * (size_t)percent;
        if (choose(&p, budget, true, &r, &err) != ITH_OK) {
            assert_int_equal(err.status, ITH_E_MEMORY);
            assert_non_null(strstr(err.text, "--mem"));
            assert_int_equal(before, 0); /* once it is enough, more is too */
            continue;
        }
        assert_true(r.resident + r.steps.transit <= budget);
        assert_true(r.resident >= before); /* more memory, more stays */
        before = r.resident;
        assert_complete(&p, &r);
        ith_residence_free(&r);
    }
    assert_true(before > 0);
    close_planned(&p);
}

static void budgets_are_kept(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= 8; ranks += 7) {
        check_budgets("synthetic:qwen3-0.6b:q4_0", ranks); /* tied */
        check_budgets("synthetic:qwen3-8b:q4_0", ranks);
    }
}

static void enough_is_everything(void **state)
{
    (void)state;
    planned p;
    open_planned(&p, "synthetic:qwen3-0.6b:q4_0");
    for (int i = 0; i < 2; i++) {
        ith_residence r;
        ith_error err;
        assert_int_equal(choose(&p, i == 0 ? 0 : p.bytes, true, &r, &err), ITH_OK);
        assert_int_equal(r.resident, p.bytes);
        assert_int_equal(r.steps.n, 0);
        assert_int_equal(r.steps.transit, 0);
        assert_true(r.output_stays && r.embed_stays && r.steps.output_steps == 1 &&
                    r.layers_resident == 28);
    }
    close_planned(&p);
}

static void nothing_else_stays_if_frames_take_the_rest(void **state)
{
    (void)state;
    planned p;
    ith_residence r;
    ith_error err;
    open_planned(&p, "synthetic:qwen3-8b:q4_0");
    assert_int_equal(choose(&p, p.bytes / 2, false, &r, &err), ITH_OK);
    assert_int_equal(r.layers_resident, 0);
    assert_true(!r.output_stays && !r.embed_stays);
    assert_true(r.resident < p.bytes / 100);
    assert_complete(&p, &r);
    ith_residence_free(&r);
    close_planned(&p);
}

/* No step is made for a stage that a layer lacks. */
static void layers_may_have_fewer_stages(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= 8; ranks += 7) {
        planned p;
        ith_residence r;
        ith_error err;
        open_planned(&p, "synthetic:qwen3-8b:q4_0");
        on_ranks(&p, ranks);
        for (size_t i = 0; i < p.plan.n_entries; i++)
            if (p.plan.entries[i].layer % 2 == 1)
                p.plan.entries[i].stage /= 2;
        assert_int_equal(choose(&p, p.bytes / 2, true, &r, &err), ITH_OK);
        for (int64_t s = 0; s < r.steps.n; s++)
            assert_true(r.steps.items[s].n_extents > 0);
        assert_int_equal(ith_step_of(&r.steps, 35, 2), -1);
        ith_residence_free(&r);
        close_planned(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets_are_kept),
        cmocka_unit_test(enough_is_everything),
        cmocka_unit_test(nothing_else_stays_if_frames_take_the_rest),
        cmocka_unit_test(layers_may_have_fewer_stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
