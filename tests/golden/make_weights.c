/* make_weights.c - makes the safetensors files of the models here and in tests/models, bit for bit
 * as they were first written, so that the repository need not hold them.
 *
 *   make_weights FROM FOLDER                  writes the files into the folder
 *   make_weights --pack FROM FILE...          of trained weights: makes FROM
 *   make_weights --pack-drawn SEED TIED FROM FILE...    of make_golden.py's fill() with this seed
 *
 * FROM is compressed by Zstandard. It holds the headers of the files, the SHA-256 of each, and what
 * cannot be computed. Of drawn weights that is how far each element lies from what is drawn here,
 * in units of the last place: PyTorch's logarithm and sines are a little different, so a few are
 * not 0. All the arithmetic here is exact or correctly rounded by IEEE 754, and therefore the same
 * on every machine. Of trained weights, BF16, it is the elements: their exponents, and then their
 * other bits, because those alone are nearly random.
 */
#include "base/digest.h"
#include "simd/half.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <zstd.h>

enum { FILES_MOST = 8, TENSORS_MOST = 512, NAME_MOST = 128, LEVEL = 22 };

/* What FROM begins with; then the files' headers and the rest of each element. */
typedef struct from_head {
    char magic[8];
    uint32_t drawn, tied, seed, n_files;
} from_head;

typedef struct from_file {
    char name[NAME_MOST], sha256[72];
    uint64_t header, size; /* bytes: up to the tensors, and in all */
} from_file;

static const char magic[8] = "weights1";

typedef struct buffer {
    uint8_t *data;
    size_t size;
} buffer;

static void must(bool condition, const char *what, const char *name)
{
    if (condition)
        return;
    fprintf(stderr, "make_weights: %s: %s\n", name, what);
    exit(1);
}

static buffer buffer_new(size_t size)
{
    buffer b = {malloc(size + 1), size};
    must(b.data != NULL, "no memory", "buffer");
    return b;
}

static buffer read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size = 0;

    must(file != NULL && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0, "not there",
         path);
    rewind(file);
    buffer b = buffer_new((size_t)size);
    must(fread(b.data, 1, b.size, file) == b.size, "cannot be read", path);
    fclose(file);
    return b;
}

static void write_file(const char *path, buffer b)
{
    char new[600];
    FILE *file;

    snprintf(new, sizeof new, "%s.new", path);
    file = fopen(new, "wb");
    must(file != NULL && fwrite(b.data, 1, b.size, file) == b.size && fclose(file) == 0 &&
             rename(new, path) == 0,
         "cannot be written", path);
}

/* ---- Numbers as PyTorch draws them: mt19937, Box and Muller (normal_fill of ATen) ---- */

typedef struct generator {
    uint32_t state[624];
    int at;
} generator;

static void generator_seed(generator *g, uint32_t seed)
{
    g->state[0] = seed;
    for (uint32_t i = 1; i < 624; i++)
        g->state[i] = 1812433253U * (g->state[i - 1] ^ g->state[i - 1] >> 30) + i;
    g->at = 624;
}

static uint32_t generator_next(generator *g)
{
    uint32_t y, *s = g->state;

    for (int i = 0; g->at == 624 && i < 624; i++) {
        y = (s[i] & 0x80000000U) | (s[(i + 1) % 624] & 0x7fffffffU);
        s[i] = s[(i + 397) % 624] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfU : 0);
    }
    g->at = g->at == 624 ? 0 : g->at;
    y = s[g->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680U;
    y ^= y << 15 & 0xefc60000U;
    return y ^ y >> 18;
}

static void draw_uniform(generator *g, float *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (float)(generator_next(g) & 0xffffff) * 0x1p-24F;
}

/* Of 0 < x <= 1, by the series of the inverse hyperbolic tangent. */
static double logarithm(double x)
{
    int exponent;
    double m = frexp(x, &exponent), f, square, sum = 0;

    if (m < 0.70710678118654752)
        m *= 2, exponent--;
    f = (m - 1) / (m + 1);
    square = f * f;
    for (int i = 25; i >= 1; i -= 2)
        sum = sum * square + 1.0 / i;
    return exponent * 0.69314718055994531 + 2 * f * sum;
}

/* Of 0 <= x <= 2 pi, by their series within an eighth of a turn. */
static void sine_and_cosine(double x, double *sine, double *cosine)
{
    const int quarter = (int)(x * 0.63661977236758134 + 0.5);
    /* pi / 2 in two parts, the first of which has few bits */
    const double r = x - quarter * 1.5707963109016418 - quarter * 1.5893254773528196e-8,
                 square = r * r;
    double s = 0, c = 0;

    for (int i = 20; i >= 2; i -= 2) {
        s = (1 - s) * square / (i * (i + 1));
        c = (1 - c) * square / (i * (i - 1));
    }
    s = r * (1 - s), c = 1 - c;
    *sine = quarter % 4 == 0 ? s : quarter % 4 == 1 ? c : quarter % 4 == 2 ? -s : -c;
    *cosine = quarter % 4 == 0 ? c : quarter % 4 == 1 ? -s : quarter % 4 == 2 ? -c : s;
}

static void normal_16(float *x)
{
    for (int i = 0; i < 8; i++) {
        const double radius = sqrt(-2 * logarithm((double)(1 - x[i])));
        double sine, cosine;
        sine_and_cosine((double)(6.28318530717958648F * x[i + 8]), &sine, &cosine);
        x[i] = (float)(radius * cosine);
        x[i + 8] = (float)(radius * sine);
    }
}

static void draw_normal(generator *g, float *to, size_t n)
{
    must(n >= 16, "fewer elements than PyTorch draws so", "tensor");
    draw_uniform(g, to, n);
    for (size_t i = 0; i + 16 <= n; i += 16)
        normal_16(to + i);
    if (n % 16 != 0) {
        draw_uniform(g, to + n - 16, 16);
        normal_16(to + n - 16);
    }
}

/* ---- Tensors ---- */

typedef struct tensor {
    char name[NAME_MOST]; /* of the parameter: Transformers has all experts of a layer in one */
    int part;             /* of it, in order */
    const char *type;
    int dimensions;
    size_t last, n, file, at; /* size of the last dimension; elements; where they are */
} tensor;

static int compare_tensors(const void *a, const void *b)
{
    const tensor *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order != 0 ? order : x->part - y->part;
}

/* layers.0.mlp.experts.3.up_proj.weight is a part of layers.0.mlp.experts.gate_up_proj. */
static void name_tensor(tensor *t, const char *name)
{
    const char *experts = strstr(name, ".experts.");
    char *end;

    must(strlen(name) < NAME_MOST - 16, "name", name);
    snprintf(t->name, sizeof t->name, "%s", name);
    if (experts == NULL)
        return;
    const long expert = strtol(experts + 9, &end, 10);
    const bool down = strstr(end, "down_proj") != NULL, up = strstr(end, "up_proj") != NULL;
    snprintf(t->name, sizeof t->name, "%.*s%s", (int)(experts + 9 - name), name,
             down ? "down_proj" : "gate_up_proj");
    t->part = (int)expert * 2 + (!down && up);
}

/* Appends the tensors of a file's header. Their types stay in `*root`. */
static size_t read_header(const uint8_t *header, uint64_t size, size_t file, tensor *list, size_t n,
                          json_t **root)
{
    const char *name;
    json_t *value;

    must(size > 8, "header", "safetensors");
    *root = json_loadb((const char *)header + 8, size - 8, JSON_DISABLE_EOF_CHECK, NULL);
    must(json_is_object(*root), "header", "safetensors");
    json_object_foreach (*root, name, value) {
        const json_t *shape = json_object_get(value, "shape"),
                     *at = json_object_get(value, "data_offsets");
        tensor t = {.file = file, .n = 1, .dimensions = (int)json_array_size(shape)};
        if (shape == NULL)
            continue;
        name_tensor(&t, name);
        t.type = json_string_value(json_object_get(value, "dtype"));
        for (int i = 0; i < t.dimensions; i++)
            t.n *= t.last = (size_t)json_integer_value(json_array_get(shape, (size_t)i));
        t.at = size + (size_t)json_integer_value(json_array_get(at, 0));
        must(n < TENSORS_MOST, "too many tensors", name);
        list[n++] = t;
    }
    return n;
}

/* ---- Drawn weights: fill() of make_golden.py ---- */

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static double scale_of(const tensor *t, bool tied)
{
    const char *name = t->name;
    const bool embeds = strstr(name, "embed") != NULL;
    double gain = 1;

    if (embeds && !tied)
        return 1;
    if (strstr(name, "lm_head") != NULL || embeds)
        gain = 3;
    else if (strstr(name, "q_proj") != NULL || strstr(name, "k_proj") != NULL)
        gain = 1.3;
    else if (strstr(name, "o_proj") != NULL || strstr(name, "down_proj") != NULL ||
             strstr(name, "mlp.gate.weight") != NULL)
        gain = 1.5;
    return gain / sqrt((double)t->last);
}

static void draw(generator *g, const tensor *t, bool tied, float *to, size_t n)
{
    const bool head_norm =
                   ends_with(t->name, "q_norm.weight") || ends_with(t->name, "k_norm.weight"),
               bias = ends_with(t->name, ".bias");

    if (t->dimensions == 1 && !bias) {
        draw_uniform(g, to, n);
        for (size_t i = 0; i < n; i++)
            to[i] = head_norm ? 1.0F + 0.8F * to[i] : 0.5F + to[i];
        return;
    }
    draw_normal(g, to, n);
    for (size_t i = 0; !bias && i < n; i++)
        to[i] *= (float)scale_of(t, tied);
}

static size_t element_size(const tensor *t)
{
    const bool wide = strcmp(t->type, "F32") == 0;
    must(wide || strcmp(t->type, "BF16") == 0 || strcmp(t->type, "F16") == 0, t->type, t->name);
    return wide ? 4 : 2;
}

/* The bits of x in the tensor's type. */
static uint32_t bits_of(const tensor *t, float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return t->type[0] == 'B' ? ith_f32_to_bf16(x) : t->type[1] == '1' ? ith_f32_to_f16(x) : bits;
}

/* Draws all tensors. packing: sets `away` from the files; else sets the files from it. Elements of
 * `away` come in the order of the draws. */
static void drawn(const from_head *head, tensor *list, size_t n, buffer *files, int8_t *away,
                  bool packing)
{
    generator g;

    generator_seed(&g, head->seed);
    qsort(list, n, sizeof *list, compare_tensors);
    for (size_t i = 0, parts; i < n; i += parts) {
        size_t elements = 0, k = 0;
        for (parts = 0; i + parts < n && strcmp(list[i + parts].name, list[i].name) == 0; parts++)
            elements += list[i + parts].n;
        float *values = malloc(elements * sizeof *values);
        must(values != NULL, "no memory", list[i].name);
        draw(&g, &list[i], head->tied != 0, values, elements);
        for (const tensor *t = list + i; t < list + i + parts; t++) {
            uint8_t *at = files[t->file].data + t->at;
            const size_t size = element_size(t);
            for (size_t j = 0; j < t->n; j++, at += size, away++) {
                uint32_t bits = bits_of(t, values[k++]), is = 0;
                memcpy(&is, at, size);
                const int64_t distance = (int64_t)is - bits;
                must(!packing || llabs(distance) < 128, "was not drawn so", t->name);
                if (packing)
                    *away = (int8_t)distance;
                bits += (uint32_t)*away;
                memcpy(at, &bits, size);
            }
        }
        free(values);
    }
}

/* ---- Trained weights ---- */

/* The exponents of all elements, then signs and mantissas. */
static void trained(const tensor *list, size_t n, buffer *files, uint8_t *rest, bool packing)
{
    size_t all = 0, k = 0;

    for (size_t i = 0; i < n; i++)
        all += list[i].n;
    for (const tensor *t = list; t < list + n; t++) {
        uint8_t *at = files[t->file].data + t->at;
        must(strcmp(t->type, "BF16") == 0, t->type, t->name);
        for (size_t j = 0; j < t->n; j++, k++, at += 2) {
            if (packing) {
                rest[k] = (uint8_t)(at[1] << 1 | at[0] >> 7);
                rest[all + k] = (uint8_t)((at[1] & 0x80) | (at[0] & 0x7f));
            }
            at[0] = (uint8_t)(rest[k] << 7 | (rest[all + k] & 0x7f));
            at[1] = (uint8_t)(rest[k] >> 1 | (rest[all + k] & 0x80));
        }
    }
}

/* ---- FROM ---- */

static void code(const from_head *head, const from_file *about, buffer *files, uint8_t *rest,
                 bool packing)
{
    static tensor list[TENSORS_MOST];
    json_t *roots[FILES_MOST];
    size_t n = 0;

    for (size_t i = 0; i < head->n_files; i++)
        n = read_header(files[i].data, about[i].header, i, list, n, &roots[i]);
    if (head->drawn)
        drawn(head, list, n, files, (int8_t *)rest, packing);
    else
        trained(list, n, files, rest, packing);
    for (size_t i = 0; i < head->n_files; i++)
        json_decref(roots[i]);
}

static void pack(from_head head, const char *to, char **paths, int n)
{
    from_file about[FILES_MOST];
    buffer files[FILES_MOST];
    size_t headers = 0, bytes = 0, used;

    must(n >= 1 && n <= FILES_MOST, "number of files", to);
    memcpy(head.magic, magic, sizeof magic);
    head.n_files = (uint32_t)n;
    memset(about, 0, sizeof about);
    for (int i = 0; i < n; i++) {
        const char *name = strrchr(paths[i], '/');
        files[i] = read_file(paths[i]);
        snprintf(about[i].name, NAME_MOST, "%s", name == NULL ? paths[i] : name + 1);
        ith_sha256_hex(files[i].data, files[i].size, about[i].sha256);
        memcpy(&about[i].header, files[i].data, 8);
        about[i].header += 8;
        about[i].size = files[i].size;
        headers += about[i].header;
        bytes += files[i].size - about[i].header;
    }

    /* Trained: a byte of each half of an element. Drawn: a byte an element, the rest unused. */
    buffer all = buffer_new(sizeof head + (size_t)n * sizeof *about + headers + bytes);
    uint8_t *at = all.data;
    memset(at, 0, all.size);
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, about, (size_t)n * sizeof *about);
    at += sizeof head + (size_t)n * sizeof *about;
    for (int i = 0; i < n; i++, at += about[i - 1].header)
        memcpy(at, files[i].data, about[i].header);
    code(&head, about, files, at, true);
    buffer small = buffer_new(ZSTD_compressBound(all.size));
    used = ZSTD_compress(small.data, small.size, all.data, all.size, LEVEL);
    must(!ZSTD_isError(used), "cannot be compressed", to);
    small.size = used;
    write_file(to, small);
    for (int i = 0; i < n; i++)
        free(files[i].data);
    free(all.data);
    free(small.data);
}

static void make(const char *from, const char *folder)
{
    buffer small = read_file(from), files[FILES_MOST];
    const unsigned long long size = ZSTD_getFrameContentSize(small.data, small.size);
    from_head head;
    static from_file about[FILES_MOST];

    must(size > sizeof head && size < 1U << 30, "not compressed by this program", from);
    buffer all = buffer_new(size);
    must(ZSTD_decompress(all.data, size, small.data, small.size) == size, "damaged", from);
    memcpy(&head, all.data, sizeof head);
    must(memcmp(head.magic, magic, sizeof magic) == 0 && head.n_files <= FILES_MOST,
         "not made by this program", from);
    memcpy(about, all.data + sizeof head, head.n_files * sizeof *about);
    uint8_t *at = all.data + sizeof head + head.n_files * sizeof *about;
    for (size_t i = 0; i < head.n_files; i++, at += about[i - 1].header) {
        files[i] = buffer_new(about[i].size);
        memcpy(files[i].data, at, about[i].header);
    }
    code(&head, about, files, at, false);
    for (size_t i = 0; i < head.n_files; i++) {
        char path[400], sha256[72];
        ith_sha256_hex(files[i].data, files[i].size, sha256);
        must(strcmp(sha256, about[i].sha256) == 0, "its SHA-256 is not that of the first file",
             about[i].name);
        snprintf(path, sizeof path, "%s/%s", folder, about[i].name);
        write_file(path, files[i]);
        free(files[i].data);
    }
    free(all.data);
    free(small.data);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        make(argv[1], argv[2]);
    else if (argc >= 4 && strcmp(argv[1], "--pack") == 0)
        pack((from_head){.drawn = 0}, argv[2], argv + 3, argc - 3);
    else if (argc >= 6 && strcmp(argv[1], "--pack-drawn") == 0)
        pack((from_head){.drawn = 1,
                         .seed = (uint32_t)strtoul(argv[2], NULL, 10),
                         .tied = (uint32_t)strtoul(argv[3], NULL, 10)},
             argv[4], argv + 5, argc - 5);
    else
        must(false, "see the first lines of make_weights.c", "usage");
    return 0;
}
