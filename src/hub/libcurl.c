/* libcurl.c - loads libcurl on demand. */
#include "hub/libcurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static struct {
    pthread_once_t once;
    void *handle;  /* NULL: not loaded */
    char why[256]; /* the reason */
    ith_libcurl functions;
} loaded = {.once = PTHREAD_ONCE_INIT};

static void find(void *function, const char *name)
{
    *(void **)function = dlsym(loaded.handle, name);
    if (*(void **)function == NULL && loaded.why[0] == '\0')
        snprintf(loaded.why, sizeof loaded.why, "libcurl has no %s: 7.66 or later is needed", name);
}

static void find_all(ith_libcurl *f)
{
    find(&f->global_init, "curl_global_init");
    find(&f->easy_init, "curl_easy_init");
    find(&f->easy_cleanup, "curl_easy_cleanup");
    find(&f->easy_setopt, "curl_easy_setopt");
    find(&f->easy_getinfo, "curl_easy_getinfo");
    find(&f->easy_strerror, "curl_easy_strerror");
    find(&f->multi_init, "curl_multi_init");
    find(&f->multi_cleanup, "curl_multi_cleanup");
    find(&f->multi_setopt, "curl_multi_setopt");
    find(&f->multi_add_handle, "curl_multi_add_handle");
    find(&f->multi_remove_handle, "curl_multi_remove_handle");
    find(&f->multi_perform, "curl_multi_perform");
    find(&f->multi_poll, "curl_multi_poll");
    find(&f->multi_info_read, "curl_multi_info_read");
    find(&f->slist_append, "curl_slist_append");
    find(&f->slist_free_all, "curl_slist_free_all");
}

static void load(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so"};
    CURLcode code;

    for (size_t i = 0; i < sizeof names / sizeof *names && loaded.handle == NULL; i++) {
        loaded.handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (loaded.handle == NULL && i == 0) /* the usual name: report what is wrong with it */
            snprintf(loaded.why, sizeof loaded.why, "%s", dlerror());
    }
    if (loaded.handle == NULL)
        return;
    loaded.why[0] = '\0';
    find_all(&loaded.functions);
    if (loaded.why[0] != '\0')
        return;
    code = loaded.functions.global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK)
        snprintf(loaded.why, sizeof loaded.why, "%s", loaded.functions.easy_strerror(code));
}

const ith_libcurl *ith_libcurl_load(ith_error *err)
{
    pthread_once(&loaded.once, load);
    if (loaded.why[0] == '\0')
        return &loaded.functions;
    ith_fail(err, ITH_E_UNSUPPORTED, "libcurl cannot be used: %s", loaded.why);
    return NULL;
}
