/* test_residence_experts.c - under a budget, what every token needs stays first; the rest of the
 * memory is shelves for experts. */
#include "model/model.h"
#include "weights/residence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define MODEL "synthetic:tests/models/experts/config.json:q8_0"

enum { LAYERS = 5, DENSE = 2, EXPERTS = 24 };

typedef struct planned {
    ith_source *source;
    ith_load_plan plan;
    ith_model *model;
    size_t bytes;
    ith_comm comm; /* who shares a node; nothing is sent */
    ith_mesh mesh;
    ith_residence_params params;
} planned;

static const int nodes[4] = {0, 1, 2, 3};

static void open_planned(planned *p, int ranks)
{
    ith_error err = {0};

    *p = (planned){0};
    if (ith_source_open(MODEL, 0, &p->source, &err) != ITH_OK ||
        ith_model_open(p->source, &p->plan, ITH_QUANT_W8, false, &p->model, &err) != ITH_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < p->plan.n_entries; i++)
        p->bytes += ith_entry_bytes(&p->plan.entries[i]);
    p->comm = (ith_comm){.size = ranks, .node_of = nodes, .n_nodes = ranks};
    assert_int_equal(ith_mesh_make(NULL, ranks, 0, (int)p->model->hp.n_kv_heads, &p->mesh, NULL),
                     ITH_OK);
    p->params = (ith_residence_params){.shards = ith_shards_of(&p->comm, &p->mesh, ranks > 1),
                                       .rest_stays = true,
                                       .embed = p->model->embed,
                                       .output = p->model->output};
}

static void close_planned(planned *p)
{
    ith_model_close(p->model);
    ith_load_plan_free(&p->plan);
    ith_source_close(p->source);
}

static ith_status choose(planned *p, size_t budget, ith_residence *r)
{
    ith_error err;
    for (size_t i = 0; i < p->plan.n_entries; i++)
        p->plan.entries[i].streamed = false;
    p->params.budget = budget;
    return ith_residence_choose(&p->plan, &p->params, r, &err);
}

/* All steps of a layer have the same number of cells, and layers differ by at most one cell. */
static void assert_shelves(const ith_residence *r)
{
    size_t shelves = 0;
    int least = EXPERTS, most = 0;

    for (int64_t i = 0; i < r->steps.n; i++) {
        const ith_step *s = &r->steps.items[i];
        const ith_entry *first = s->extents[0].entry;
        if (first->expert == ITH_NO_EXPERT) {
            assert_int_equal(s->n_experts + s->n_cells, 0);
            continue;
        }
        assert_int_equal(s->n_experts, EXPERTS);
        assert_int_equal(s->cell_bytes * EXPERTS, s->bytes); /* they are all alike */
        shelves += (size_t)s->n_cells * s->cell_bytes;
        least = s->n_cells < least ? s->n_cells : least;
        most = s->n_cells > most ? s->n_cells : most;
        if (first->stage > 2) /* down, behind gate and up */
            assert_int_equal(s->n_cells, r->steps.items[i - 1].n_cells);
    }
    assert_true(most <= least + 1 || most == 0);
    assert_int_equal(shelves, r->steps.shelves);
}

static void assert_table(const ith_residence *r)
{
    int64_t found = 0;

    for (int layer = 0; layer < r->steps.n_layers; layer++)
        for (int stage = 0; stage < r->steps.n_stages; stage++) {
            int64_t step = r->steps.of_stage[layer * r->steps.n_stages + stage];
            if (step < 0)
                continue;
            assert_int_equal(r->steps.items[step].extents[0].entry->layer, layer);
            assert_int_equal(r->steps.items[step].extents[0].entry->stage, stage);
            found++;
        }
    assert_int_equal(found, r->steps.first_output);
}

static void what_is_left_holds_experts(void **state)
{
    (void)state;
    planned p;
    size_t before = 0;
    double read = 0, embed;
    bool dense_first = false, embed_stayed = false;

    open_planned(&p, 1);
    embed = (double)ith_entry_bytes(ith_load_plan_entry(&p.plan, p.model->embed));
    for (int percent = 1; percent < 100; percent++) {
        ith_residence r;
        size_t budget = p.bytes / 100 * (size_t)percent;
        if (choose(&p, budget, &r) != ITH_OK) {
            assert_int_equal(before, 0);
            continue;
        }
        size_t taken = r.resident + r.steps.transit + r.steps.shelves;
        double reads = ith_residence_reads(&p.plan, &p.params, &r, 1),
               few = ith_residence_reads(&p.plan, &p.params, &r, 0.25),
               looked_up = r.embed_stays ? 0 : embed;
        assert_true(taken <= budget && r.resident + r.steps.shelves >= before);
        assert_int_equal(r.experts_resident, 0);
        assert_shelves(&r);
        assert_table(&r);

        /* With more memory, less is read. */
        assert_true(before == 0 || reads <= read || r.embed_stays > embed_stayed);
        assert_true(few <= reads && few >= 0.25 * reads);
        assert_true(reads + looked_up + (double)(r.resident + r.steps.shelves) >=
                    0.95 * (double)p.bytes);
        if (r.layers_resident == LAYERS && r.steps.shelves > 0) {
            dense_first = true;

            /* Only experts have steps, and one layer is dense. */
            assert_int_equal(r.steps.first_output, 2 * (LAYERS - 1));
        }
        before = r.resident + r.steps.shelves;
        read = reads;
        embed_stayed = r.embed_stays;
        ith_residence_free(&r);
    }
    assert_true(before > 0 && dense_first);
    close_planned(&p);
}

/* Where matrices are sharded, a node's rows of whole layers stay, experts included, and shelves are
 * empty. */
static void cut_experts_stay_by_layers(void **state)
{
    (void)state;
    planned p;
    ith_residence r;
    int some = 0;

    open_planned(&p, 4);
    for (int percent = 1; percent < 100; percent++) {
        if (choose(&p, p.bytes / 100 * (size_t)percent, &r) != ITH_OK)
            continue;
        assert_int_equal(r.steps.shelves, 0);
        assert_true(r.experts_resident <= r.layers_resident);
        some += r.experts_resident > 0 && r.experts_resident < LAYERS;
        for (size_t i = 0; i < p.plan.n_entries; i++) {
            const ith_entry *e = &p.plan.entries[i];
            if (e->expert != ITH_NO_EXPERT)
                assert_int_equal(e->streamed, e->layer >= r.experts_resident);
        }
        ith_residence_free(&r);
    }
    assert_true(some > 0);
    close_planned(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_holds_experts),
        cmocka_unit_test(cut_experts_stay_by_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
