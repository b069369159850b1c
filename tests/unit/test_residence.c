/* What stays under a budget, and that the steps bring all else, once. */
#include "model/model.h"
#include "weights/residence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS = 2 };

typedef struct planned {
    ith_source *source;
    ith_plan plan;
    ith_model *model;
    size_t bytes;
} planned;

static void open_planned(planned *p, const char *name)
{
    ith_error err = {0};
    *p = (planned){0};
    if (ith_source_open(name, 0, &p->source, &err) != ITH_OK ||
        ith_model_open(p->source, &p->plan, ITH_QUANT_W8, false, &p->model, &err) != ITH_OK)
        fail_msg("%s: %s", name, err.text);
    for (size_t i = 0; i < p->plan.n_entries; i++)
        p->bytes += ((size_t)p->plan.entries[i].n_units * p->plan.entries[i].unit_bytes + 63) / 64 * 64;
}

static void close_planned(planned *p)
{
    ith_model_close(p->model);
    ith_plan_free(&p->plan);
    ith_source_close(p->source);
}

static ith_status choose(planned *p, size_t budget, bool rest_stays, ith_residence *r, ith_error *err)
{
    for (size_t i = 0; i < p->plan.n_entries; i++)
        p->plan.entries[i].streamed = false;
    return ith_residence_choose(&p->plan, budget, SLOTS, rest_stays, p->model->embed, p->model->output, r, err);
}

/* Every unit of a streamed entry is in one step, at a place of its own inside the slot; an entry that stays in none. */
static void assert_complete(const planned *p, const ith_residence *r)
{
    for (size_t i = 0; i < p->plan.n_entries; i++) {
        const ith_entry *e = &p->plan.entries[i];
        int64_t next = 0;
        for (int64_t s = 0; s < r->n_steps; s++)
            for (int k = 0; k < r->steps[s].n_parts; k++) {
                const ith_step_part *part = &r->steps[s].parts[k];
                if (part->entry != e)
                    continue;
                assert_int_equal(part->first, next);
                next += part->n;
                assert_true(part->at % 64 == 0);
                assert_true(part->at + (size_t)part->n * e->unit_bytes <= r->steps[s].bytes);
            }
        bool looked_up = e->matrix == p->model->embed && !r->embed_stays && e->matrix != p->model->output;
        assert_int_equal(next, e->streamed && !looked_up ? e->n_units : 0);
    }
    for (int64_t s = 0; s < r->n_steps; s++)
        assert_true(r->steps[s].bytes <= r->slot_bytes);
}

static void check_budgets(const char *name)
{
    planned p;
    size_t before = 0;
    open_planned(&p, name);
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
        assert_true(r.resident + SLOTS * r.slot_bytes <= budget);
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
    check_budgets("synthetic:qwen3-0.6b:q4_0"); /* tied */
    check_budgets("synthetic:qwen3-8b:q4_0");
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
        assert_int_equal(r.n_steps, 0);
        assert_int_equal(r.slot_bytes, 0);
        assert_true(r.output_stays && r.embed_stays && r.output_parts == 1 && r.layers_resident == 28);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets_are_kept),
        cmocka_unit_test(enough_is_everything),
        cmocka_unit_test(nothing_else_stays_if_frames_take_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
