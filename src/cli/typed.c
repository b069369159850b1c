/* typed.c - the one file that includes libedit. */
#include "cli/typed.h"

#include "base/folders.h"
#include "base/regular.h"
#include "base/testhook.h"
#include "cli/signals.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_LINES = 1000 };

static const char paste_on[] = "\033[?2004h", paste_off[] = "\033[?2004l";

struct ith_typed {
    ith_terminal *terminal;
    EditLine *editor; /* at a terminal */
    History *history;
    char *path; /* of the history; NULL: none */
    const char *prompt;
    bool added;       /* the history has something new */
    bool interrupted; /* by a signal, or by Ctrl-C as a key */
    int64_t n_lines;  /* that were asked for */
    bool at_prompt;   /* nothing of the line is read yet */

    /* Standard input, if there is no terminal: bytes `at` to `n` are read but not taken. */
    char plain[4096];
    size_t at, n;
};

/* ---- Bytes ---- */

/* read(), unless a signal asks to stop: then -1 with EINTR. Without this wait a signal that comes
 * right before the read would not end it. */
static ssize_t read_or_stop(ith_typed *t, int fd, void *data, size_t size)
{
    if (t->at_prompt) {
        t->at_prompt = false;
        if (ith_test_hook_due("typed", t->n_lines))
            ith_test_hook_act();
    }
    if (ith_stop_wait(fd))
        return read(fd, data, size);
    errno = EINTR;
    return -1;
}

/* ---- Keys ---- */

static char *show_prompt(EditLine *editor)
{
    ith_typed *typed = NULL;

    el_get(editor, EL_CLIENTDATA, &typed);
    return (char *)typed->prompt;
}

static unsigned char insert_line_end(EditLine *editor, int key)
{
    (void)key;
    return el_winsertstr(editor, L"\n") == 0 ? CC_REFRESH : CC_ERROR;
}

/* Inserts what is pasted, up to the terminal's ESC [201~, its line ends included. */
static unsigned char insert_pasted(EditLine *editor, int key)
{
    static const wchar_t end[] = L"\033[201~";
    size_t matched = 0;
    wchar_t c, text[2] = L"";

    (void)key;
    while (end[matched] != L'\0' && el_wgetc(editor, &c) == 1) {
        matched = c == end[matched] ? matched + 1 : c == end[0];
        text[0] = c == L'\r' ? L'\n' : c;
        if (matched == 0 && (text[0] >= L' ' || text[0] == L'\n' || text[0] == L'\t'))
            el_winsertstr(editor, text);
    }
    return CC_REFRESH;
}

/* Where Ctrl-C is a key and not a signal. */
static unsigned char interrupt_line(EditLine *editor, int key)
{
    ith_typed *typed = NULL;

    (void)key;
    el_get(editor, EL_CLIENTDATA, &typed);
    typed->interrupted = true;
    return CC_NEWLINE;
}

/* libedit's el_rfunc_t: the next character; 0: there is none any more; -1: an error. */
static int read_key(EditLine *editor, wchar_t *c)
{
    ith_typed *typed = NULL;
    mbstate_t state = {0};
    char byte;
    int fd;

    el_get(editor, EL_CLIENTDATA, &typed);
    fd = typed->terminal->keys >= 0 ? typed->terminal->keys : fileno(typed->terminal->in);
    for (;;) {
        ssize_t n = read_or_stop(typed, fd, &byte, 1);
        size_t width;
        if (n <= 0) {
            typed->interrupted |= n < 0 && errno == EINTR;
            return (int)n;
        }
        width = mbrtowc(c, &byte, 1, &state);
        if (width == 1 || width == 0)
            return 1;
        if (width == (size_t)-1)
            state = (mbstate_t){0};
    }
}

/* libedit reads and draws characters by the locale's encoding, which may not be set. */
static void use_utf8(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static bool open_editor(ith_typed *t)
{
    HistEvent event;

    use_utf8();
    t->editor = el_init("ithaca", t->terminal->in, t->terminal->out, stderr);
    t->history = history_init();
    if (t->editor == NULL || t->history == NULL)
        return false;
    history(t->history, &event, H_SETSIZE, HISTORY_LINES);
    history(t->history, &event, H_SETUNIQUE, 1);
    el_set(t->editor, EL_CLIENTDATA, t);
    el_set(t->editor, EL_PROMPT, show_prompt);
    el_set(t->editor, EL_HIST, history, t->history);
    el_set(t->editor, EL_EDITOR, "emacs");
    el_set(t->editor, EL_SIGNAL, 0);
    el_set(t->editor, EL_ADDFN, "line-end", "insert a line end", insert_line_end);
    el_set(t->editor, EL_ADDFN, "paste", "insert pasted text", insert_pasted);
    el_set(t->editor, EL_BIND, "\033\r", "line-end", NULL);
    el_set(t->editor, EL_BIND, "\033\n", "line-end", NULL);
    el_set(t->editor, EL_BIND, "\033[200~", "paste", NULL);
    el_set(t->editor, EL_GETCFN, read_key);
    if (t->terminal->keys >= 0) {
        el_set(t->editor, EL_ADDFN, "interrupt", "end the line", interrupt_line);
        el_set(t->editor, EL_SETTY, "-d", "-isig", "intr=", NULL);
        el_set(t->editor, EL_BIND, "^C", "interrupt", NULL);
        el_set(t->editor, EL_SETTY, "-x", "-isig", "-icanon", "-echo", NULL);
    }
    el_set(t->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    return true;
}

/* ---- The history's file ---- */

bool ith_typed_history_path(char *path, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = ith_home();
    int len = -1;

    if (state != NULL && state[0] == '/')
        len = snprintf(path, size, "%s/ithaca/chat_history", state);
    else if (home != NULL && home[0] == '/')
        len = snprintf(path, size, "%s/.local/state/ithaca/chat_history", home);
    return len > 0 && (size_t)len < size;
}

/* A file that holds something else would be replaced at the end. */
static ith_status load_history(ith_typed *t, ith_error *err)
{
    HistEvent event;
    ith_status status;
    off_t bytes;
    int fd;

    if (t->path == NULL || t->history == NULL)
        return ITH_OK;
    status = ith_regular_open(AT_FDCWD, t->path, O_RDONLY, &fd, err);
    if (status != ITH_OK)
        return status == ITH_E_IO ? ITH_OK : status; /* as a rule there is none yet */
    bytes = lseek(fd, 0, SEEK_END);
    close(fd);
    if (bytes == 0 || history(t->history, &event, H_LOAD, t->path) >= 0)
        return ITH_OK;
    return ith_fail(err, ITH_E_ARGUMENT,
                    "%s is not a history of ithaca chat: give another file (--history)", t->path);
}

/* What cannot be saved is lost with the program. Folders on the way are for their owner alone, if
 * they are made here. */
static void save_history(ith_typed *t)
{
    HistEvent event;
    ith_newfile file;
    FILE *out;
    int copy;

    if (t->path == NULL || !t->added)
        return;
    if (ith_make_parents(t->path, 0700, NULL) != ITH_OK ||
        ith_newfile_open_in(AT_FDCWD, t->path, &file, NULL) != ITH_OK)
        return;
    copy = dup(file.fd);
    out = copy >= 0 ? fdopen(copy, "w") : NULL;
    if (out == NULL && copy >= 0)
        close(copy);
    if (out != NULL && history(t->history, &event, H_SAVE_FP, out) >= 0 && fflush(out) == 0)
        ith_newfile_publish(&file, false, NULL);
    if (out != NULL)
        fclose(out);
    ith_newfile_close(&file);
}

void ith_typed_remember(ith_typed *t, const char *text)
{
    HistEvent event;

    if (t->history == NULL)
        return;
    history(t->history, &event, H_ENTER, text);
    t->added = true;
}

/* ---- */

ith_status ith_typed_open(ith_terminal *terminal, const char *path, ith_typed **out, ith_error *err)
{
    ith_typed *t = calloc(1, sizeof *t);
    bool good = t != NULL;
    ith_status status;

    *out = NULL;
    if (good) {
        t->terminal = terminal;
        t->path = path != NULL ? strdup(path) : NULL;
        good = path == NULL || t->path != NULL;
    }
    if (good && t->terminal->in != NULL)
        good = open_editor(t);
    if (!good) {
        ith_typed_close(t);
        return ith_fail(err, ITH_E_MEMORY, "no memory to read what is typed");
    }
    status = load_history(t, err);
    if (status != ITH_OK) {
        ith_typed_close(t);
        return status;
    }
    *out = t;
    return ITH_OK;
}

void ith_typed_close(ith_typed *t)
{
    if (t == NULL)
        return;
    if (t->history != NULL) {
        save_history(t);
        history_end(t->history);
    }
    if (t->editor != NULL)
        el_end(t->editor);
    free(t->path);
    free(t);
}

static ith_status read_edited(ith_typed *t, ith_text *text, ith_typed_end *end, ith_error *err)
{
    const char *line;
    int n = 0;

    fputs(paste_on, t->terminal->out);
    t->interrupted = false;
    atomic_store(&t->terminal->editing, true);
    line = el_gets(t->editor, &n);
    atomic_store(&t->terminal->editing, false);
    fputs(paste_off, t->terminal->out);
    if (t->interrupted)
        el_reset(t->editor);
    if (t->interrupted || line == NULL || n <= 0) {
        *end = t->interrupted ? ITH_TYPED_INTERRUPTED : ITH_TYPED_END;
        fputc('\n', t->terminal->out);
        fflush(t->terminal->out);
        return ITH_OK;
    }
    fflush(t->terminal->out);
    *end = ITH_TYPED_LINE;
    return ith_text_append(text, line, (size_t)n - (line[n - 1] == '\n'), err);
}

static ith_status read_plain(ith_typed *t, ith_text *text, ith_typed_end *end, ith_error *err)
{
    size_t before = text->len, len;
    const char *line_end;

    for (;;) {
        if (t->at == t->n) {
            ssize_t n = read_or_stop(t, STDIN_FILENO, t->plain, sizeof t->plain);
            if (n < 0 && errno != EINTR)
                return ith_fail(err, ITH_E_IO, "standard input: %s", strerror(errno));
            if (n < 0)
                text->len = before;
            if (n <= 0) {
                *end = n < 0                ? ITH_TYPED_INTERRUPTED
                       : text->len > before ? ITH_TYPED_LINE
                                            : ITH_TYPED_END;
                return ITH_OK;
            }
            t->at = 0;
            t->n = (size_t)n;
        }
        line_end = memchr(t->plain + t->at, '\n', t->n - t->at);
        len = line_end != NULL ? (size_t)(line_end - t->plain) - t->at : t->n - t->at;
        ITH_TRY(ith_text_append(text, t->plain + t->at, len, err));
        t->at += len + (line_end != NULL);
        if (line_end != NULL) {
            *end = ITH_TYPED_LINE;
            return ITH_OK;
        }
    }
}

ith_status ith_typed_read(ith_typed *t, const char *prompt, ith_text *text, ith_typed_end *end,
                          ith_error *err)
{
    t->prompt = prompt;
    t->at_prompt = true;
    t->n_lines++;
    return t->editor != NULL ? read_edited(t, text, end, err) : read_plain(t, text, end, err);
}
