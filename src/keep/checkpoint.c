/* checkpoint.c - the files of a checkpoint. */
#include "keep/checkpoint.h"

#include "base/checksum.h"
#include "base/newfile.h"
#include "base/progress.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { VERSION = 1, FILE_MAX = 1 << 20 };

/* A power failure loses at most so many seconds of an answer; a killed process loses nothing. */
static const double SYNC_S = 1;

typedef struct record {
    uint32_t number;
    int32_t id;
    int64_t draws;
    uint64_t checksum;
} record;

_Static_assert(sizeof(record) == 24, "as checkpoint.h says");

struct ith_checkpoint {
    char state[ITH_PATH_MAX], answer[ITH_PATH_MAX], lock[ITH_PATH_MAX];
    int folder, lock_fd, answer_fd; /* open */
    int32_t *ids;                   /* [n] the answer when it was opened */
    int64_t *draws;
    int64_t n;
    bool cut; /* the file has been truncated to where this run continues */
    double synced_s;
};

static uint64_t seal(const record *r)
{
    return ith_checksum(r, offsetof(record, checksum));
}

static ith_status failed(const char *path, ith_error *err)
{
    return ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
}

static ith_status name_files(ith_checkpoint *c, const char *folder, ith_error *err)
{
    bool fits = (size_t)snprintf(c->state, sizeof c->state, "%s/checkpoint.json", folder) <
                sizeof c->state - 64;

    snprintf(c->answer, sizeof c->answer, "%s/answer", folder);
    snprintf(c->lock, sizeof c->lock, "%s/lock", folder);
    return fits ? ITH_OK : ith_fail(err, ITH_E_ARGUMENT, "%s: the path is too long", folder);
}

static ith_status take_lock(ith_checkpoint *c, ith_error *err)
{
    ITH_TRY(ith_regular_open(c->folder, c->lock, O_RDWR | O_CREAT, &c->lock_fd, err));
    if (flock(c->lock_fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return ith_fail(err, ITH_E_ARGUMENT, "%s: another run uses this checkpoint", c->lock);
    return ITH_OK; /* on file systems without locks nobody is kept out */
}

/* ---- The run ---- */

/* The first member of b that a does not have alike: its path, and its values in both. */
static bool find_difference(const json_t *a, const json_t *b, char *path, size_t size,
                            const json_t **va, const json_t **vb)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)b, key, value) {
        size_t used = strlen(path);
        *va = json_object_get(a, key);
        *vb = value;
        if (json_equal(*va, value))
            continue;
        snprintf(path + used, size - used, "%s%s", used > 0 ? "." : "", key);
        if (json_is_object(*va) && json_is_object(value))
            return find_difference(*va, value, path, size, va, vb);
        return true;
    }
    return false;
}

static ith_status differs(const ith_checkpoint *c, const char *path, const json_t *there,
                          const json_t *here, ith_error *err)
{
    char *was = ith_json_text(there, false), *is = ith_json_text(here, false);
    ith_status status = ith_fail(
        err, ITH_E_ARGUMENT,
        "%s: a checkpoint of another run: %s is %.100s there and %.100s here; repeat the same "
        "command, name another folder, or remove this one",
        c->state, path, was != NULL ? was : "absent", is != NULL ? is : "absent");
    free(was);
    free(is);
    return status;
}

static ith_status read_state(int folder, const char *path, json_t **run, ith_error *err)
{
    json_t *root;
    const char *kind = "";
    int64_t version = -1;

    *run = NULL;
    ITH_TRY(ith_json_read_in(folder, path, FILE_MAX, &root, err));
    ith_json_string(root, path, "ithaca", &kind, NULL);
    ith_json_int(root, path, "version", 0, INT32_MAX, &version, NULL);
    if (strcmp(kind, "checkpoint") == 0 && version == VERSION)
        *run = json_incref(json_object_get(root, "run"));
    json_decref(root);
    return *run != NULL ? ITH_OK
                        : ith_fail(err, ITH_E_FORMAT,
                                   "%s: not a checkpoint of version %d; remove it to start anew",
                                   path, VERSION);
}

/* As read back from a file, where numbers have as many digits as a float needs. */
static json_t *as_stored(const json_t *value)
{
    char *text = ith_json_text(value, false);
    json_t *copy = text == NULL ? NULL : json_loads(text, 0, NULL);

    free(text);
    return copy;
}

static ith_status compare(const ith_checkpoint *c, const json_t *run, ith_error *err)
{
    const json_t *there = NULL, *here = NULL;
    char path[200] = "";
    json_t *stored, *mine = as_stored(run);
    ith_status status = read_state(c->folder, c->state, &stored, err);

    if (status == ITH_OK && mine == NULL)
        status = ith_fail(err, ITH_E_MEMORY, "%s: no memory to compare it", c->state);
    if (status == ITH_OK && find_difference(stored, mine, path, sizeof path, &there, &here))
        status = differs(c, path, there, here, err);
    json_decref(stored);
    json_decref(mine);
    return status;
}

static void remove_file(const ith_checkpoint *c, const char *path)
{
    unlinkat(c->folder, ith_path_within(c->folder, path), 0);
}

static bool has_state(const ith_checkpoint *c)
{
    return faccessat(c->folder, ith_path_within(c->folder, c->state), F_OK, AT_SYMLINK_NOFOLLOW) ==
           0;
}

static ith_status begin(ith_checkpoint *c, const json_t *run, ith_error *err)
{
    json_t *root =
        json_pack("{s:s, s:i, s:O}", "ithaca", "checkpoint", "version", VERSION, "run", run);
    char *text = root == NULL ? NULL : ith_json_text(root, true);
    ith_status status;

    /* an older run's; before the new state appears */
    remove_file(c, c->answer);
    status = text == NULL ? ith_fail(err, ITH_E_MEMORY, "%s: no memory for its text", c->state)
                          : ith_newfile_text(c->folder, c->state, text, true, err);
    json_decref(root);
    free(text);
    return status;
}

/* ---- The answer ---- */

/* Room for one more token. The file's size is not to be trusted: only records that are sound take
 * memory. */
static ith_status make_room(ith_checkpoint *c, int64_t *room, ith_error *err)
{
    int64_t grown = *room > 0 ? 2 * *room : 1024;
    int32_t *ids;
    int64_t *draws;

    if (c->n < *room)
        return ITH_OK;
    ids = realloc(c->ids, (size_t)grown * sizeof *ids);
    c->ids = ids != NULL ? ids : c->ids;
    draws = realloc(c->draws, (size_t)grown * sizeof *draws);
    c->draws = draws != NULL ? draws : c->draws;
    if (ids == NULL || draws == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for %lld tokens", c->answer,
                        (long long)grown);
    *room = grown;
    return ITH_OK;
}

static ith_status read_answer(ith_checkpoint *c, ith_error *err)
{
    int64_t room = 0;
    record r;

    for (;; c->n++) {
        ITH_TRY(make_room(c, &room, err));
        if (pread(c->answer_fd, &r, sizeof r, c->n * (off_t)sizeof r) != sizeof r ||
            r.number != c->n || ith_checksum_differs(r.checksum, seal(&r)))
            return ITH_OK;
        c->ids[c->n] = r.id;
        c->draws[c->n] = r.draws;
    }
}

static ith_status open_answer(ith_checkpoint *c, ith_error *err)
{
    ITH_TRY(ith_regular_open(c->folder, c->answer, O_RDWR | O_CREAT, &c->answer_fd, err));
    return read_answer(c, err);
}

ith_status ith_checkpoint_open(const char *folder, const json_t *run, ith_checkpoint **out,
                               ith_error *err)
{
    ith_checkpoint *c = calloc(1, sizeof *c);
    ith_status status;

    *out = NULL;
    if (c == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a checkpoint", folder);
    c->folder = c->lock_fd = c->answer_fd = -1;
    ITH_CHECK(name_files(c, folder, err));
    ITH_CHECK(ith_folder_open(folder, true, &c->folder, err));
    ITH_CHECK(take_lock(c, err));
    ITH_CHECK(has_state(c) ? compare(c, run, err) : begin(c, run, err));
    ITH_CHECK(open_answer(c, err));
    *out = c;
done:
    if (status != ITH_OK)
        ith_checkpoint_close(c);
    return status;
}

void ith_checkpoint_close(ith_checkpoint *c)
{
    if (c == NULL)
        return;
    if (c->answer_fd >= 0)
        close(c->answer_fd);
    if (c->lock_fd >= 0)
        close(c->lock_fd);
    if (c->folder >= 0)
        close(c->folder);
    free(c->ids);
    free(c->draws);
    free(c);
}

const int32_t *ith_checkpoint_answer(const ith_checkpoint *c, int64_t *n)
{
    *n = c->n;
    return c->ids;
}

int64_t ith_checkpoint_draws(const ith_checkpoint *c, int64_t i)
{
    return c->draws[i];
}

ith_status ith_checkpoint_put(ith_checkpoint *c, int64_t i, int32_t id, int64_t draws,
                              ith_error *err)
{
    record r = {.number = (uint32_t)i, .id = id, .draws = draws};

    r.checksum = seal(&r);
    if (!c->cut && ftruncate(c->answer_fd, i * (off_t)sizeof r) != 0)
        return failed(c->answer, err);
    c->cut = true;
    if (!ith_write_at(c->answer_fd, &r, sizeof r, (uint64_t)i * sizeof r))
        return failed(c->answer, err);
    return ith_now_s() - c->synced_s < SYNC_S ? ITH_OK : ith_checkpoint_sync(c, err);
}

ith_status ith_checkpoint_sync(ith_checkpoint *c, ith_error *err)
{
    c->synced_s = ith_now_s();
    return fdatasync(c->answer_fd) == 0 ? ITH_OK : failed(c->answer, err);
}

void ith_checkpoint_remove(ith_checkpoint *c)
{
    remove_file(c, c->state); /* without it the other files mean nothing */
    remove_file(c, c->answer);
    remove_file(c, c->lock);
}

json_t *ith_checkpoint_peek(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    json_t *run = NULL;

    if (fd < 0)
        return NULL;
    if (read_state(fd, "checkpoint.json", &run, NULL) != ITH_OK)
        run = NULL;
    close(fd);
    return run;
}
