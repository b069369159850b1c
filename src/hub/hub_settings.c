/* hub_settings.c - reads the environment for the hub. */
#include "hub/hub_settings.h"

#include "base/regular.h"
#include "formats/hub_cache.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { TIMEOUT_S = 30, TIMEOUT_MAX_S = 86400 };

void ith_hub_show_address(const char *url, char *out, size_t size)
{
    const char *host = strstr(url, "://"), *end = url + strcspn(url, "?"), *at;
    size_t scheme, rest;

    host = host != NULL && host < end ? host + 3 : url;
    /* The last one: a password with a slash in it ends the host too early. */
    at = memrchr(host, '@', (size_t)(end - host));
    rest = at != NULL ? (size_t)(at + 1 - url) : (size_t)(host - url);
    scheme = (size_t)(host - url);
    snprintf(out, size, "%.*s%.*s%s", (int)scheme, url, (int)(end - url - (ptrdiff_t)rest),
             url + rest, *end != '\0' ? "?..." : "");
}

static ith_status read_endpoint(ith_hub_settings *s, ith_error *err)
{
    const char *set = ith_hub_variable("HF_ENDPOINT");
    const char *url = set != NULL ? set : "https://huggingface.co";
    size_t len = strlen(url), scheme;

    ith_hub_show_address(url, s->shown, sizeof s->shown);
    while (len > 0 && url[len - 1] == '/')
        len--;
    s->plain = strncasecmp(url, "http://", 7) == 0;
    scheme = s->plain ? 7 : 8;
    if ((!s->plain && strncasecmp(url, "https://", 8) != 0) || len <= scheme ||
        len >= sizeof s->endpoint || strcspn(url, " \"<>\\^`{|}?#\r\n\t") < len)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "HF_ENDPOINT is no address such as https://huggingface.co: %s", s->shown);
    memcpy(s->endpoint, url, len);
    s->endpoint[len] = '\0';
    ith_hub_show_address(s->endpoint, s->shown, sizeof s->shown);
    s->origin = scheme + strcspn(s->endpoint + scheme, "/");
    return ITH_OK;
}

/* Without white space around it. A token becomes part of a header: it must not hold more than one
 * word. */
static ith_status set_token(ith_hub_settings *s, const char *where, const char *text,
                            ith_error *err)
{
    const char *begin = text + strspn(text, " \t\r\n");
    size_t len = strcspn(begin, " \t\r\n");

    if (len >= sizeof s->token || begin[len + strspn(begin + len, " \t\r\n")] != '\0')
        return ith_fail(err, ITH_E_ARGUMENT, "%s holds no token: one word is expected", where);
    for (size_t i = 0; i < len; i++)
        if (begin[i] <= ' ' || begin[i] > '~')
            return ith_fail(err, ITH_E_ARGUMENT, "%s holds no token: a byte 0x%02x is in it", where,
                            (unsigned char)begin[i]);
    memcpy(s->token, begin, len);
    s->token[len] = '\0';
    return ITH_OK;
}

static ith_status read_token_file(ith_hub_settings *s, ith_error *err)
{
    char path[ITH_PATH_MAX], text[1024];
    ssize_t n;
    int fd;

    if (ith_hub_token_path(path, err) != ITH_OK)
        return ith_hub_variable("HF_TOKEN_PATH") != NULL ? err->status : ITH_OK;
    if (ith_regular_open(AT_FDCWD, path, O_RDONLY, &fd, err) != ITH_OK) {
        ith_status status = err->status;
        return errno == ENOENT || errno == ENOTDIR ? ITH_OK : status;
    }
    n = pread(fd, text, sizeof text - 1, 0);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return set_token(s, path, text, err);
}

static ith_status read_token(ith_hub_settings *s, ith_error *err)
{
    static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ith_hub_variable(names[i]) != NULL)
            return set_token(s, names[i], ith_hub_variable(names[i]), err);
    return ith_hub_flag("HF_HUB_DISABLE_IMPLICIT_TOKEN") ? ITH_OK : read_token_file(s, err);
}

static ith_status read_timeout(ith_hub_settings *s, ith_error *err)
{
    const char *set = ith_hub_variable("HF_HUB_DOWNLOAD_TIMEOUT");
    char *end;

    s->timeout_s = TIMEOUT_S;
    if (set == NULL)
        return ITH_OK;
    s->timeout_s = strtol(set, &end, 10);
    if (*end != '\0' || s->timeout_s < 1 || s->timeout_s > TIMEOUT_MAX_S)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "HF_HUB_DOWNLOAD_TIMEOUT is a number of seconds, not \"%s\"", set);
    return ITH_OK;
}

ith_status ith_hub_settings_read(ith_hub_settings *s, ith_error *err)
{
    *s = (ith_hub_settings){.certificates = ith_hub_variable("SSL_CERT_FILE")};
    if (s->certificates == NULL)
        s->certificates = ith_hub_variable("CURL_CA_BUNDLE");
    s->offline = ith_hub_flag("HF_HUB_OFFLINE") || ith_hub_flag("TRANSFORMERS_OFFLINE");
    ITH_TRY(read_endpoint(s, err));
    ITH_TRY(read_timeout(s, err));
    return read_token(s, err);
}

bool ith_hub_is_endpoint(const ith_hub_settings *s, const char *url)
{
    return strncasecmp(url, s->endpoint, s->origin) == 0 &&
           (url[s->origin] == '/' || url[s->origin] == '\0');
}
