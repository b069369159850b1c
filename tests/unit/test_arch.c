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
            assert_ptr_equal(ith_arch_find_hf(c->model_type, &class), all[i]);
            assert_string_equal(class, c->name);
        }
    }
    assert_null(ith_arch_find("qwen"));
    assert_null(ith_arch_find_hf("qwen3moe", &class)); /* GGUF's spelling */
}

/* Names fit, and those of layers hold the layer's number. */
static void each_names_its_tensors(void **state)
{
    static const ith_role needed[] = {ITH_ROLE_EMBED, ITH_ROLE_OUT_NORM, ITH_ROLE_OUTPUT};
    (void)state;

    for (int i = 0; i < N; i++) {
        const char *const *formats[] = {all[i]->hf_names, all[i]->gguf_names};
        for (int f = 0; f < 2; f++) {
            char name[ITH_TENSOR_NAME];
            for (size_t k = 0; k < sizeof needed / sizeof *needed; k++)
                assert_true(ith_arch_tensor_name(formats[f], needed[k], 0, 0, name));
            for (int role = ITH_ROLE_ATTN_NORM; role < ITH_ROLES; role++)
                if (ith_arch_tensor_name(formats[f], (ith_role)role, 98765, 4321, name)) {
                    assert_non_null(strstr(name, ".98765."));
                    assert_true(strlen(name) < ITH_TENSOR_NAME - 1);
                }
        }
    }
    char name[ITH_TENSOR_NAME];
    assert_true(ith_arch_tensor_name(ith_names_hf, ITH_ROLE_EXPERT_UP, 3, 12, name));
    assert_string_equal(name, "model.layers.3.mlp.experts.12.up_proj.weight");
    assert_false(ith_arch_tensor_name(ith_names_gguf, ITH_ROLE_EXPERT_UP, 3, 12, name));
}

/* A hyperparameter of a family reaches the JSON of a pack. */
static void each_stores_its_own_hyperparameters(void **state)
{
    (void)state;

    for (int i = 0; i < N; i++) {
        ith_hparams hp = ith_hparams_default();
        json_t *own = json_object();
        strcpy(hp.architecture, all[i]->name);
        assert_true(ith_hparams_add_own(&hp, own));
        assert_int_equal(json_object_size(own) > 0, all[i]->fields != NULL);
        json_decref(own);
    }
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
        cmocka_unit_test(keys_can_be_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
