/* test_filereader.c - ranges of a file through the page cache and past it, on file systems that
 * allow the latter and on those that refuse it; files that are too short, and reads that fail. */
#include "formats/filereader.h"

#include "model_files.h"
#include "prng.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum { BYTES = (3 << 20) + 123, RANGES = 300, BLOCK = 4096 };

/* ---- A system that refuses: in place of the C library's functions ---- */

static bool refuses_open; /* opening with O_DIRECT fails */
static bool refuses_read; /* reading with O_DIRECT fails */
static bool fails;        /* every pread fails */
static int direct_reads;

int open(const char *path, int flags, ...)
{
    va_list args;
    int mode;

    va_start(args, flags);
    mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    if ((flags & O_DIRECT) != 0 && refuses_open) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* What open() becomes where the compiler defines _FORTIFY_SOURCE by default. */
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return open(path, flags);
}

ssize_t pread(int fd, void *out, size_t bytes, off_t offset)
{
    bool direct = (fcntl(fd, F_GETFL) & O_DIRECT) != 0;

    if (fails || (direct && refuses_read)) {
        errno = fails ? EIO : EINVAL;
        return -1;
    }

    /* Some file systems demand less, but all must be served. */
    if (direct) {
        assert_int_equal((uintptr_t)out % BLOCK, 0);
        assert_int_equal(bytes % BLOCK, 0);
        assert_int_equal(offset % BLOCK, 0);
        direct_reads++;
    }
    return syscall(SYS_pread64, fd, out, bytes, offset);
}

/* ---- */

typedef struct fixture {
    char folder[64], path[80];
    uint8_t *bytes; /* [BYTES] what is in the file */
    ith_mapfile file;
} fixture;

static void write_file(const fixture *f)
{
    folder_write(f->folder, "file", f->bytes, BYTES);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    prng x = {7};

    folder_make(f->folder);
    snprintf(f->path, sizeof f->path, "%s/file", f->folder);
    f->bytes = malloc(BYTES);
    for (int i = 0; i < BYTES; i++)
        f->bytes[i] = (uint8_t)prng_next(&x);
    write_file(f);
    assert_int_equal(ith_mapfile_open(f->path, &f->file, NULL), ITH_OK);
    refuses_open = refuses_read = fails = false;
    direct_reads = 0;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    ith_mapfile_close(&f->file);
    folder_remove(f->folder);
    free(f->bytes);
    free(f);
    return 0;
}

static ith_filereader *open_reader(const fixture *f, ith_caching caching)
{
    ith_filereader *r;
    ith_error err = {0};
    if (ith_filereader_open(&f->file, caching, &r, &err) != ITH_OK)
        fail_msg("%s", err.text);
    return r;
}

/* Ranges of all sizes, the whole file and its last byte among them. */
static void check_ranges(const fixture *f, ith_filereader *r)
{
    uint8_t *out = malloc(BYTES + 1);
    prng x = {11};

    for (int i = 0; i < RANGES; i++) {
        size_t most = (size_t)1 << prng_next(&x) % 23, at = (size_t)(prng_next(&x) % BYTES),
               n = 1 + prng_next(&x) % most;
        const uint8_t *data;
        if (i == 0)
            at = 0, n = BYTES;
        if (i == 1)
            at = BYTES - 1;
        n = n < BYTES - at ? n : BYTES - at;
        assert_int_equal(ith_filereader_get(r, at, n, &data, NULL), ITH_OK);
        assert_memory_equal(data, f->bytes + at, n);
        out[n] = 0xa5;
        assert_int_equal(ith_filereader_copy(r, at, n, out, NULL), ITH_OK);
        assert_memory_equal(out, f->bytes + at, n);
        assert_int_equal(out[n], 0xa5);
    }
    free(out);
}

static void ranges_are_the_files(void **state)
{
    for (ith_caching caching = ITH_CACHED; caching <= ITH_UNCACHED; caching++) {
        ith_filereader *r = open_reader(*state, caching);
        check_ranges(*state, r);
        assert_true(caching == ITH_UNCACHED || direct_reads == 0);
        assert_int_equal(ith_filereader_is_direct(r), direct_reads > 0);
        ith_filereader_close(r);
    }
}

static void a_file_system_may_refuse_to_open(void **state)
{
    refuses_open = true;
    ith_filereader *r = open_reader(*state, ITH_UNCACHED);
    assert_false(ith_filereader_is_direct(r));
    check_ranges(*state, r);
    ith_filereader_close(r);
}

static void a_file_system_may_refuse_to_read(void **state)
{
    refuses_read = true;
    ith_filereader *r = open_reader(*state, ITH_UNCACHED);
    check_ranges(*state, r);
    assert_false(ith_filereader_is_direct(r));
    ith_filereader_close(r);
}

static void what_was_read_last_is_not_read_again(void **state)
{
    const uint8_t *data;
    const fixture *f = *state;
    ith_filereader *r = open_reader(f, ITH_CACHED);

    assert_int_equal(ith_filereader_get(r, 5000, 20000, &data, NULL), ITH_OK);
    fails = true;
    assert_int_equal(ith_filereader_get(r, 7000, 18000, &data, NULL), ITH_OK);
    assert_memory_equal(data, f->bytes + 7000, 18000);
    assert_int_equal(ith_filereader_get(r, 7000, 30000, &data, NULL), ITH_E_IO);
    fails = false;
    assert_int_equal(ith_filereader_get(r, 7000, 30000, &data, NULL), ITH_OK);
    assert_memory_equal(data, f->bytes + 7000, 30000);
    ith_filereader_close(r);
}

static void the_end_is_an_error(void **state)
{
    static uint8_t out[20000];
    const fixture *f = *state;
    const uint8_t *data;
    ith_error err = {0};

    for (ith_caching caching = ITH_CACHED; caching <= ITH_UNCACHED; caching++) {
        ith_filereader *r = open_reader(f, caching);
        assert_int_equal(ith_filereader_get(r, BYTES - 10, 11, &data, &err), ITH_E_FORMAT);
        assert_non_null(strstr(err.text, "truncated: the file ends before byte 3145852"));
        assert_int_equal(ith_filereader_copy(r, BYTES - 10000, 10001, out, &err), ITH_E_FORMAT);
        assert_int_equal(ith_filereader_get(r, BYTES + 50000, 1, &data, &err), ITH_E_FORMAT);
        ith_filereader_close(r);
    }
}

static void a_file_cut_short_under_a_reader_is_an_error(void **state)
{
    const fixture *f = *state;
    const uint8_t *data;
    ith_error err = {0};

    for (ith_caching caching = ITH_CACHED; caching <= ITH_UNCACHED; caching++) {
        ith_filereader *r = open_reader(f, caching);
        assert_int_equal(truncate(f->path, 2 << 20), 0);
        assert_int_equal(ith_filereader_get(r, (2 << 20) - 100, 200, &data, &err), ITH_E_FORMAT);
        assert_non_null(strstr(err.text, "the file ends before byte 2097252"));
        assert_int_equal(ith_filereader_get(r, (2 << 20) - 100, 100, &data, &err), ITH_OK);
        ith_filereader_close(r);
        write_file(f);
    }
}

static void another_file_of_the_name_is_refused(void **state)
{
    const fixture *f = *state;
    ith_filereader *r;
    ith_error err = {0};

    assert_int_equal(unlink(f->path), 0); /* mapped as it is, its number is not used again */
    write_file(f);
    assert_int_equal(ith_filereader_open(&f->file, ITH_CACHED, &r, &err), ITH_E_IO);
    assert_null(r);
    assert_non_null(strstr(err.text, "replaced"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ranges_are_the_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_system_may_refuse_to_open, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_system_may_refuse_to_read, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_read_last_is_not_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_cut_short_under_a_reader_is_an_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(another_file_of_the_name_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
