/* test_safetensors.c - one safetensors file in memory: what is read, and what is rejected. Folders
 * are in test_source.c. */
#include "formats/safetensors.h"

#include "tests/model_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct parsed {
    memory_source memory;
    ith_error err;
    ith_status status;
} parsed;

static parsed parse_bytes(const void *data, size_t size)
{
    parsed p = {0};
    memory_source_begin(&p.memory, data, size, "memory.safetensors");
    p.status = ith_safetensors_parse(&p.memory.file, &p.memory.source.tensors, &p.err);
    if (p.status == ITH_OK)
        p.status = ith_tensor_table_index(&p.memory.source.tensors, &p.err);
    return p;
}

static parsed parse(const char *header, size_t data_bytes)
{
    buffer b = safetensors_file(header, data_bytes);
    parsed p = parse_bytes(b.data, b.n);
    free(b.data);
    return p;
}

static void check_tensor(const ith_source *source, size_t index, const char *name, ith_dtype dtype,
                         int n_dims, int64_t d0, uint8_t first)
{
    const ith_tensor *t = ith_source_tensor(source, index);
    assert_string_equal(t->name, name);
    assert_string_equal(t->file, "memory.safetensors");
    assert_int_equal(t->dtype, dtype);
    assert_int_equal(t->n_dims, n_dims);
    assert_int_equal(t->dims[0], d0);
    assert_int_equal(t->data[0], first);
    assert_ptr_equal(ith_source_find(source, name), t);
}

static void tensors_are_read_in_the_order_of_their_data(void **state)
{
    parsed p = parse(SAFETENSORS_SMALL, SAFETENSORS_SMALL_DATA);
    (void)state;
    assert_int_equal(p.status, ITH_OK);
    assert_int_equal(ith_source_n_tensors(&p.memory.source), 3);
    check_tensor(&p.memory.source, 0, "a", ITH_DT_F32, 1, 2, 1);
    check_tensor(&p.memory.source, 1, "b", ITH_DT_BF16, 2, 2, 9);
    check_tensor(&p.memory.source, 2, "c", ITH_DT_F16, 1, 1, 21);
    assert_int_equal(ith_source_tensor(&p.memory.source, 1)->dims[1], 3);
    assert_int_equal(ith_source_tensor(&p.memory.source, 1)->bytes, 12);
    assert_null(ith_source_find(&p.memory.source, "d"));
    memory_source_close(&p.memory);
}

static void every_truncation_is_an_error(void **state)
{
    buffer b = safetensors_file(SAFETENSORS_SMALL, SAFETENSORS_SMALL_DATA);
    (void)state;
    for (size_t n = 0; n < b.n; n++) {
        parsed p = parse_bytes(b.data, n);
        assert_int_equal(p.status, ITH_E_FORMAT);
        assert_non_null(strstr(p.err.text, "memory.safetensors"));
        memory_source_close(&p.memory);
    }
    free(b.data);
}

#define ONE(dtype, shape, offsets)                                                                 \
    "{\"w\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define TWO(shape, first, second)                                                                  \
    "{\"v\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" first "},"                   \
    "\"w\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" second "}}"

static void damaged_headers_are_refused(void **state)
{
    static const struct {
        const char *header;
        size_t data_bytes;
        ith_status status;
        const char *text; /* part of the error */
    } cases[] = {
        {"[]", 0, ITH_E_FORMAT, "not a JSON object"},
        {"{\"w\":", 0, ITH_E_FORMAT, "header: "},
        {"{\"w\":3}", 0, ITH_E_FORMAT, "tensor w is not described"},
        {"{\"w\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, ITH_E_FORMAT, "no \"dtype\""},
        {"{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, ITH_E_FORMAT, "no \"shape\""},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, ITH_E_FORMAT, "data_offsets"},
        {ONE("F32", "[1,1,1,1,2]", "[0,4]"), 4, ITH_E_FORMAT, "its shape and type need 8"},
        {ONE("F32", "[1,1,1,4294967296,4294967296]", "[0,0]"), 0, ITH_E_FORMAT, "address space"},
        {ONE("F32", "[-1]", "[0,4]"), 4, ITH_E_FORMAT, "shape"},
        {ONE("F32", "[1.5]", "[0,4]"), 4, ITH_E_FORMAT, "shape"},
        {ONE("F32", "[2]", "[0,4]"), 4, ITH_E_FORMAT, "takes 4 bytes, its shape and type need 8"},
        {ONE("F32", "[1]", "[4,0]"), 4, ITH_E_FORMAT, "[begin, end]"},
        {ONE("F32", "[1]", "[-4,0]"), 4, ITH_E_FORMAT, "[begin, end]"},
        {ONE("F32", "[1]", "[0,4,8]"), 4, ITH_E_FORMAT, "[begin, end]"},
        {ONE("F32", "[1]", "[0,4]"), 3, ITH_E_FORMAT, "truncated"},
        {ONE("F32", "[1]", "[9223372036854775803,9223372036854775807]"), 4, ITH_E_FORMAT,
         "truncated"},
        {ONE("F32", "[4294967296,4294967296,4]", "[0,0]"), 0, ITH_E_FORMAT, "overflow"},
        {ONE("F32", "[4294967296,1073741824]", "[0,0]"), 0, ITH_E_FORMAT, "overflow"},
        {ONE("F32", "[4611686018427387904,2,0]", "[0,0]"), 0, ITH_E_FORMAT, "overflow"},
        {ONE("F32", "[0,4611686018427387904,2]", "[0,0]"), 0, ITH_E_FORMAT, "overflow"},
        {ONE("I64", "[4611686018427387904,2,0]", "[0,0]"), 0, ITH_E_FORMAT, "overflow"},
        {ONE("F32", "[1]", "[0,4]"), 5, ITH_E_FORMAT, "the tensors take 4 bytes, the file has 5"},
        {TWO("[2]", "[0,8]", "[4,12]"), 12, ITH_E_FORMAT, "tensors v and w overlap"},
        {TWO("[2]", "[0,8]", "[0,8]"), 8, ITH_E_FORMAT, "overlap"},
        {TWO("[1]", "[0,4]", "[8,12]"), 12, ITH_E_FORMAT, "the tensors take 8 bytes"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
         "\"w\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}",
         0, ITH_E_FORMAT, "duplicate"},
        {"{\"w\\u001b\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, ITH_E_FORMAT,
         "printable ASCII"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        parsed p = parse(cases[i].header, cases[i].data_bytes);
        if (p.status != cases[i].status || strstr(p.err.text, cases[i].text) == NULL)
            fail_msg("case %zu: status %d, \"%s\" instead of %d, \"%s\"", i, p.status, p.err.text,
                     cases[i].status, cases[i].text);
        memory_source_close(&p.memory);
    }
}

static void hostile_header_lengths_are_refused(void **state)
{
    static const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX - 7, UINT64_C(1) << 63,
                                       100000001,  100000000,      9};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        buffer b = {0};
        parsed p;
        put_u64(&b, lengths[i]);
        put(&b, "{}      ", 8);
        p = parse_bytes(b.data, b.n);
        assert_int_equal(p.status, ITH_E_FORMAT);
        memory_source_close(&p.memory);
        free(b.data);
    }
}

static void empty_tensors_are_allowed(void **state)
{
    parsed p = parse(ONE("F32", "[0,7]", "[0,0]"), 0);
    (void)state;
    assert_int_equal(p.status, ITH_OK);
    assert_int_equal(ith_source_find(&p.memory.source, "w")->bytes, 0);
    memory_source_close(&p.memory);
}

/* Of a type that Ithaca does not read: listed with its bytes, refused where somebody wants it. */
static void dimensions_beyond_four_count_as_one(void **state)
{
    static const int64_t dims[4] = {1, 2, 1, 6};
    parsed p = parse(ONE("F32", "[1,2,1,3,2]", "[0,48]"), 48);
    const ith_tensor *t = NULL;
    (void)state;

    assert_int_equal(p.status, ITH_OK);
    t = ith_source_find(&p.memory.source, "w");
    assert_int_equal(t->n_dims, 4);
    assert_memory_equal(t->dims, dims, sizeof dims);
    memory_source_close(&p.memory);
}

static void unread_types_are_listed(void **state)
{
    parsed p = parse(ONE("F8_E4M3", "[3,5]", "[0,15]"), 15);
    const ith_tensor *t = ith_source_find(&p.memory.source, "w");
    ith_error err = {0};
    (void)state;
    assert_int_equal(p.status, ITH_OK);
    assert_true(t->dtype == ITH_DT_UNREAD && t->bytes == 15 && !ith_tensor_is_integers(t));
    assert_int_equal(ith_tensor_check_read(t, &err), ITH_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "tensor w has type F8_E4M3"));
    memory_source_close(&p.memory);
    p = parse(ONE("U8", "[3]", "[0,3]"), 3);
    assert_true(p.status == ITH_OK &&
                ith_tensor_is_integers(ith_source_find(&p.memory.source, "w")));
    memory_source_close(&p.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_read_in_the_order_of_their_data),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(damaged_headers_are_refused),
        cmocka_unit_test(hostile_header_lengths_are_refused),
        cmocka_unit_test(empty_tensors_are_allowed),
        cmocka_unit_test(dimensions_beyond_four_count_as_one),
        cmocka_unit_test(unread_types_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
