/* fuzz_machine.c - a machine file, and plans of two models on such machines: times are above 0,
 * and finite. */
#include "base/json.h"
#include "ithaca_tools.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>

/* All times of a plan, and what they consist of. */
static void check_numbers(const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    if (json_is_real(value))
        fuzz_must(isfinite(json_real_value(value)));
    json_array_foreach (value, i, member)
        check_numbers(member);
    json_object_foreach ((json_t *)(uintptr_t)value, key, member)
        check_numbers(member);
}

static void plan(const char *machine, const char *model, int nodes, int ranks)
{
    ith_estimate_params params = {.engine = ith_engine_params_default(),
                                  .nodes = nodes,
                                  .ranks_per_node = ranks,
                                  .machine = machine,
                                  .answer = 8};
    char *text = NULL;
    json_t *root;
    ith_error err = {0};

    params.engine.model = model;
    params.engine.ctx = 4096;
    if (!fuzz_verdict(ith_estimate(&params, &text, &err), &err))
        return;
    root = json_loads(text, 0, NULL);
    fuzz_must(root != NULL);
    check_numbers(root);
    fuzz_must(json_is_null(json_object_get(root, "decode_tps")) ||
              json_number_value(json_object_get(root, "decode_tps")) > 0);
    json_decref(root);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes file = fuzz_part(&data, &size);
    char path[128], *text = NULL;
    ith_error err = {0};

    snprintf(path, sizeof path, "%s/machine.json", fuzz_folder());
    fuzz_file("machine.json", file);
    if (file.len > 0 && fuzz_json(ith_machine_read(path, &text, &err), &text, &err)) {
        plan(file.data, "synthetic:qwen3-0.6b:q4_0", 1, 1);
        plan(file.data, "synthetic:qwen3-30b-a3b:q4_k", 3, 2);
    }
    fuzz_part_free(file);
    return 0;
}
