/* ceilings.c - measures the hardware limits that benchmarks are compared with. */
#include "tools/ceilings.h"

#include "base/mem.h"
#include "base/progress.h"

#include <string.h>

enum {
    PEAK_ROUNDS = 100000,
    MIN_RUNS = 3,
    BUFFER_BYTES = 1 << 30,
    BUFFER_MIN = 1 << 20,
    READ_UNIT = 512,
    READ_BYTES = 64 << 20
};

typedef enum what { READ, INTEGER, F32 } what;

typedef struct job {
    const ith_peaks *peaks;
    what what;
    int active;
    const uint8_t *buffer;
    size_t bytes;   /* of the buffer */
    size_t stretch; /* bytes that one run reads; each run takes the next stretch of the buffer */
    double seconds, best_s;
    bool go_on;
    volatile uint64_t sink[64]; /* stores results, so that the compiler keeps the computation */
} job;

/* Writes bytes that may be read as scales too: as f16 and bf16 they are small positive numbers. */
static void write_all(uint8_t *at, size_t bytes)
{
    uint64_t x = 88172645463325252u;

    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint64_t word;
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        word = 0x3c3c3c3c3c3c3c3cu | (x & 0x0303030303030303u);
        memcpy(at + i, &word, 8);
    }
}

ith_status ith_bench_buffer(int64_t want, int share, void **buffer, size_t *bytes, ith_error *err)
{
    int64_t quarter = (int64_t)(ith_mem_available() / 4);

    if (want <= 0)
        want = quarter < BUFFER_BYTES ? quarter : BUFFER_BYTES;
    want /= share;
    if (want < BUFFER_MIN)
        want = BUFFER_MIN;
    *bytes = (size_t)want / READ_UNIT * READ_UNIT;
    ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, *bytes, "a buffer beyond the caches", buffer, err));
    write_all(*buffer, *bytes);
    return ITH_OK;
}

static uint64_t work(const job *j, int tid, int64_t run)
{
    if (j->what == READ) {
        ith_range mine = ith_split((int64_t)j->stretch, READ_UNIT, j->active, tid);
        const uint8_t *from = j->buffer + (size_t)run % (j->bytes / j->stretch) * j->stretch;
        return j->peaks->read(from + mine.begin, (size_t)ith_range_size(mine));
    }
    return (j->what == INTEGER ? &j->peaks->integer : &j->peaks->f32)->run(PEAK_ROUNDS);
}

static void measure(void *arg, ith_member *me)
{
    job *j = arg;
    double begin_s = ith_now_s(), start_s = begin_s;

    if (me->tid == 0)
        j->best_s = 1e30;
    for (int64_t run = 0;; run++) {
        ith_barrier(me);
        start_s = ith_now_s();
        if (me->tid < j->active)
            j->sink[me->tid % 64] = work(j, me->tid, run);
        ith_barrier(me);
        if (me->tid == 0) {
            double now_s = ith_now_s();
            if (now_s - start_s < j->best_s)
                j->best_s = now_s - start_s;
            j->go_on = run + 1 < MIN_RUNS || now_s - begin_s < j->seconds;
        }
        ith_barrier(me);
        if (!j->go_on)
            return;
    }
}

ith_ceilings ith_ceilings_measure(ith_team *team, int active, const ith_peaks *peaks,
                                  const void *buffer, size_t bytes, double seconds)
{
    job j = {
        .peaks = peaks, .active = active, .buffer = buffer, .bytes = bytes, .seconds = seconds};
    double rate[3];

    j.stretch = bytes < READ_BYTES ? bytes : READ_BYTES;

    for (j.what = READ; j.what <= F32; j.what++) {
        double each =
            (double)PEAK_ROUNDS * (double)(j.what == INTEGER ? peaks->integer.ops : peaks->f32.ops);
        ith_team_run(team, measure, &j);
        rate[j.what] = (j.what == READ ? (double)j.stretch : each * active) / j.best_s;
    }
    return (ith_ceilings){
        .read_bytes = rate[READ], .integer_ops = rate[INTEGER], .f32_ops = rate[F32]};
}

json_t *ith_ceilings_json(const ith_ceilings *c)
{
    return json_pack("{s:o, s:o, s:o}", "read_gbps", ith_json_number(c->read_bytes * 1e-9),
                     "integer_gops", ith_json_number(c->integer_ops * 1e-9), "f32_gflops",
                     ith_json_number(c->f32_ops * 1e-9));
}

bool ith_bench_word(const char *list, size_t index, char *out, size_t size)
{
    size_t len;

    for (; index > 0; index--) {
        list = strchr(list, ',');
        if (list == NULL)
            return false;
        list++;
    }
    len = strcspn(list, ",");
    if (len >= size)
        len = size - 1;
    memcpy(out, list, len);
    out[len] = '\0';
    return true;
}
