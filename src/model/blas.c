/* blas.c - loads OpenBLAS on demand. */
#include "model/blas.h"

#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A thread's buffer on 64-bit machines, and what the rest of a run may map meanwhile. */
enum { BUFFER_MIB = 128, SPARE_MIB = 256 };

/* The process has one copy of the library, however many engines use it. */
static struct {
    pthread_once_t once;
    void *handle;  /* NULL: not loaded */
    char why[256]; /* the reason */
    __typeof__(&cblas_sgemm) sgemm;
    __typeof__(&openblas_set_num_threads) set_num_threads;
    __typeof__(&openblas_get_config) get_config;
} blas = {.once = PTHREAD_ONCE_INIT};

static bool find(void *function, const char *name)
{
    *(void **)function = dlsym(blas.handle, name);
    return *(void **)function != NULL;
}

/* Without this OpenBLAS makes a pool of a thread for each core as it is loaded, which never serves
 * here, and takes 128 MiB of addresses for each. Under `ulimit -v` it then hangs at the end of the
 * process. */
static void without_pool(bool begin)
{
    static const char name[] = "OPENBLAS_NUM_THREADS";
    static char *users;

    if (begin) {
        const char *set = getenv(name);
        users = set != NULL ? strdup(set) : NULL;
        setenv(name, "1", 1);
        return;
    }
    if (users != NULL)
        setenv(name, users, 1);
    else
        unsetenv(name);
    free(users);
    users = NULL;
}

static void load(void)
{
    const char *names[] = {"libopenblas.so.0", "libopenblas.so"};

    without_pool(true);
    for (size_t i = 0; i < sizeof names / sizeof *names && blas.handle == NULL; i++) {
        blas.handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (blas.handle == NULL && i == 0) /* the usual name: report what is wrong with it */
            snprintf(blas.why, sizeof blas.why, "%s", dlerror());
    }
    without_pool(false);
    if (blas.handle == NULL)
        return;
    if (!find(&blas.sgemm, "cblas_sgemm") ||
        !find(&blas.set_num_threads, "openblas_set_num_threads") ||
        !find(&blas.get_config, "openblas_get_config")) {
        snprintf(blas.why, sizeof blas.why, "%s", "libopenblas lacks the CBLAS functions");
        blas.handle = NULL; /* not closed, since its threads may be running */
        return;
    }
    blas.set_num_threads(1);
}

/* OpenBLAS maps a buffer for each thread that calls it, and tries for ever if that is refused. */
static ith_status check_addresses(int threads, ith_error *err)
{
    size_t bytes = ((size_t)threads * BUFFER_MIB + SPARE_MIB) << 20;
    void *room = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (room == MAP_FAILED)
        return ith_fail(err, ITH_E_MEMORY,
                        "the exact path on %d threads needs %zu MiB of addresses for OpenBLAS: is "
                        "the address space limited (ulimit -v)?",
                        threads, bytes >> 20);
    munmap(room, bytes);
    return ITH_OK;
}

ith_status ith_blas_open(int threads, ith_error *err)
{
    pthread_once(&blas.once, load);
    if (blas.handle == NULL)
        return ith_fail(err, ITH_E_UNSUPPORTED, "the exact path needs OpenBLAS: %s", blas.why);
    return check_addresses(threads, err);
}

void ith_blas_gemm(int64_t n_tokens, int64_t n_rows, int64_t n_cols, const float *a, int64_t lda,
                   const float *w, int64_t ldw, float *c, int64_t ldc)
{
    blas.sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n_tokens, (blasint)n_rows,
               (blasint)n_cols, 1.0f, a, (blasint)lda, w, (blasint)ldw, 0.0f, c, (blasint)ldc);
}

const char *ith_blas_version(void)
{
    pthread_once(&blas.once, load);
    return blas.handle == NULL ? "none" : blas.get_config();
}
