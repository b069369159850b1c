/* test_arch.c - the list of architectures: each is complete, and no two share a name. */
#include "formats/arch.h"
#include "formats/hparams_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ITH_ARCH(name) &ith_arch_##name,
static const ith_arch *const all[] = {
#include "formats/architectures.inc"
};
#undef ITH_ARCH

enum { N = sizeof all / sizeof *all };

static void each_is_found(void **state)
{
    const char *class;
    (void)state;

    for (int i = 0; i < N; i++) {
        assert_ptr_equal(ith_arch_find(all[i]->name), all[i]);
        assert_non_null(all[i]->hf_classes);
        for (const ith_hf_class *c = all[i]->hf_classes; c->model_type != NULL; c++) {
            const ith_hf_class *first = all[i]->hf_classes; /* of its model_type */
            while (strcmp(first->model_type, c->model_type) != 0)
                first++;
            assert_ptr_equal(ith_arch_find_hf(c->model_type, &class), all[i]);
            assert_string_equal(class, first->name);
        }
    }
    assert_null(ith_arch_find("qwen"));
    assert_null(ith_arch_find_hf("qwen3moe", &class)); /* GGUF's spelling */
}

/* Names fit, and those of layers hold the layer's number. */
static void each_names_its_tensors(void **state)
{
    static const ith_role needed[] = {ITH_ROLE_EMBED, ITH_ROLE_OUTPUT};
    (void)state;

    for (int i = 0; i < N; i++) {
        for (int f = 0; f < 2; f++) {
            char name[ITH_TENSOR_NAME];
            for (size_t k = 0; k < sizeof needed / sizeof *needed; k++)
                assert_true(ith_arch_tensor_name(all[i], f == 1, needed[k], 0, 0, name));
            for (int role = ITH_ROLE_ATTN_NORM; role < ITH_ROLES; role++)
                if (ith_arch_tensor_name(all[i], f == 1, (ith_role)role, 98765, 4321, name)) {
                    assert_non_null(strstr(name, ".98765."));
                    assert_true(strlen(name) < ITH_TENSOR_NAME - 1);
                }
        }
    }
    char name[ITH_TENSOR_NAME];
    assert_true(ith_arch_tensor_name(&ith_arch_qwen3moe, false, ITH_ROLE_EXPERT_UP, 3, 12, name));
    assert_string_equal(name, "model.layers.3.mlp.experts.12.up_proj.weight");
    assert_false(ith_arch_tensor_name(&ith_arch_qwen3moe, true, ITH_ROLE_EXPERT_UP, 3, 12, name));
}

/* A hyperparameter of a family reaches the JSON of a pack. */
static void each_stores_its_own_hyperparameters(void **state)
{
    (void)state;

    for (int i = 0; i < N; i++) {
        ith_hparams hp = ith_arch_hparams(all[i]);
        json_t *own = json_object();
        assert_true(ith_hparams_add_own(&hp, own));
        const ith_hparams_field *fields = all[i]->fields;
        assert_int_equal(json_object_size(own) > 0, fields != NULL && !fields->sparse);
        json_decref(own);
    }
}

/* What a family states is not written, and what differs from it comes back. */
static void each_says_only_what_differs(void **state)
{
    (void)state;

    for (int i = 0; i < N; i++) {
        ith_hparams hp = ith_arch_hparams(all[i]);
        json_t *sparse = json_object();
        assert_true(ith_hparams_add_sparse(&hp, sparse));
        assert_int_equal(json_object_size(sparse), 0);
        hp.qkv_bias = !hp.qkv_bias;
        hp.window = 77;
        hp.attn_softcap = 3.5;
        assert_true(ith_hparams_add_sparse(&hp, sparse));
        assert_int_equal(json_object_size(sparse), 3);
        assert_true(json_boolean_value(json_object_get(sparse, "qkv_bias")) == hp.qkv_bias);
        json_decref(sparse);
    }
}

/* A family's own names stand in place of the common ones. */
static void own_names_override(void **state)
{
    (void)state;

    assert_string_equal(ith_arch_pattern(&ith_arch_phi3, true, ITH_ROLE_GATE_UP),
                        "blk.%d.ffn_up.weight");
    assert_null(ith_arch_pattern(&ith_arch_phi3, true, ITH_ROLE_UP));
    assert_string_equal(ith_arch_pattern(&ith_arch_phi3, false, ITH_ROLE_UP),
                        "model.layers.%d.mlp.up_proj.weight");
}

static void traits_follow_patterns(void **state)
{
    ith_hparams hp = ith_arch_hparams(&ith_arch_cohere2);
    ith_error err;
    (void)state;

    hp.n_layers = 5;
    hp.window = 16;
    assert_int_equal(ith_arch_set_pattern(&hp, 4, 0, ITH_LAYER_WINDOW, "x", &err), ITH_OK);
    assert_int_equal(ith_arch_settle(&ith_arch_cohere2, "x", &hp, &err), ITH_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ith_hparams_traits(&hp, i), i == 3 ? ITH_LAYER_NO_ROPE : ITH_LAYER_WINDOW);
    hp = ith_arch_hparams(&ith_arch_gemma3);
    hp.n_layers = 2;
    hp.window = 16;
    assert_int_equal(ith_arch_set_pattern(&hp, 2, 0, ITH_LAYER_WINDOW, "x", &err), ITH_OK);
    assert_int_equal(ith_arch_settle(&ith_arch_gemma3, "x", &hp, &err), ITH_OK);
    assert_int_equal(hp.traits[0], ITH_LAYER_WINDOW | ITH_LAYER_WINDOW_ROPE);
    assert_int_equal(hp.traits[1], 0);
    hp.n_layers = ITH_MAX_LISTED_LAYERS + 1;
    assert_int_equal(ith_arch_set_pattern(&hp, 2, 0, 1, "x", &err), ITH_E_UNSUPPORTED);
    hp.n_layers = 2; /* no windows: nothing of theirs is left */
    assert_int_equal(ith_arch_set_pattern(&hp, 1, 0, 0, "x", &err), ITH_OK);
    assert_int_equal(ith_arch_settle(&ith_arch_gemma3, "x", &hp, &err), ITH_OK);
    assert_true(hp.n_traits == 0 && hp.window == 0 && hp.window_theta == 0);
}

static void keys_can_be_taken(void **state)
{
    static const char *const keys[] = {"one", "two", NULL};
    (void)state;

    assert_true(ith_arch_takes(keys, "two"));
    assert_false(ith_arch_takes(keys, "three"));
    assert_false(ith_arch_takes(NULL, "one"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found),
        cmocka_unit_test(each_names_its_tensors),
        cmocka_unit_test(each_stores_its_own_hyperparameters),
        cmocka_unit_test(each_says_only_what_differs),
        cmocka_unit_test(own_names_override),
        cmocka_unit_test(traits_follow_patterns),
        cmocka_unit_test(keys_can_be_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
