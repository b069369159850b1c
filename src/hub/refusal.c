/* refusal.c - why the hub has refused, or could not be reached. */
#include "hub/refusal.h"

#include <string.h>

static ith_status gated(const ith_hub_settings *s, const char *what, ith_error *err)
{
    int repo = (int)strcspn(what, "@: ");

    return ith_fail(err, ITH_E_IO,
                    "%s: access is granted on request only: accept the terms at %s/%.*s, %s", what,
                    s->shown, repo, what,
                    s->token[0] != '\0' ? "as the user whose token is in use"
                                        : "and set HF_TOKEN to a token of yours");
}

/* The hub does not tell whether a repository is private or not there. */
static ith_status no_repository(const ith_hub_settings *s, const char *what, ith_error *err)
{
    return ith_fail(err, ITH_E_IO, "%s: no such model on %s, or it is private%s", what, s->shown,
                    s->token[0] != '\0' ? " and the token in use does not open it"
                                        : " and needs a token in HF_TOKEN");
}

static ith_status no_access(const ith_hub_settings *s, const char *what,
                            const ith_http_reply *reply, ith_error *err)
{
    if (strcmp(reply->error_code, "GatedRepo") == 0)
        return gated(s, what, err);
    if (strcmp(reply->error_code, "RepoNotFound") == 0 ||
        (reply->status == 401 && s->token[0] == '\0'))
        return no_repository(s, what, err);
    return ith_fail(err, ITH_E_IO, "%s: %s %s (status %ld)%s%s", what, s->shown,
                    s->token[0] != '\0' ? "refuses the token in use" : "refuses access",
                    reply->status, reply->error_message[0] != '\0' ? ": " : "",
                    reply->error_message);
}

static ith_status not_found(const ith_hub_settings *s, const char *what,
                            const ith_http_reply *reply, ith_error *err)
{
    if (strcmp(reply->error_code, "RevisionNotFound") == 0)
        return ith_fail(err, ITH_E_IO, "%s: it has no such revision", what);
    if (strcmp(reply->error_code, "EntryNotFound") == 0)
        return ith_fail(err, ITH_E_IO, "%s: no such file in the repository", what);
    return no_repository(s, what, err);
}

ith_status ith_hub_refused(const ith_hub_settings *s, const char *what, const ith_http_reply *reply,
                           ith_error *err)
{
    if (reply->failure[0] != '\0')
        return ith_fail(err, ITH_E_IO, "%s: %s: %s", what, s->shown, reply->failure);
    if (reply->elsewhere)
        return ith_fail(err, ITH_E_IO, "%s: status %ld from the server that %s names for this file",
                        what, reply->status, s->shown);
    switch (reply->status) {
    case 401:
    case 403:
        return no_access(s, what, reply, err);
    case 404:
        return not_found(s, what, reply, err);
    case 429:
        return ith_fail(err, ITH_E_IO,
                        "%s: too many requests for %s (status 429): try again later%s", what,
                        s->shown, s->token[0] != '\0' ? "" : ", or set HF_TOKEN");
    default:
        return ith_fail(err, ITH_E_IO, "%s: %s answers with status %ld%s%s", what, s->shown,
                        reply->status, reply->error_message[0] != '\0' ? ": " : "",
                        reply->error_message);
    }
}
