/* visit.h - one HTTP request and its response. The one file that includes <microhttpd.h>. */
#ifndef ITH_SERVE_VISIT_H
#define ITH_SERVE_VISIT_H

#include "openai/request.h"
#include "serve/server_impl.h"

#include <microhttpd.h>
#include <time.h>

typedef struct ith_visit ith_visit;

/* An address and the function that answers requests to it. visit.c lists the routes. */
typedef struct ith_route {
    const char *method, *path; /* a path that ends with '/' matches all that begin with it */
    enum MHD_Result (*answer)(ith_visit *visit);
    bool open;  /* without a key */
    bool early; /* without a model, and when the server is stopping */
} ith_route;

struct ith_visit {
    ith_server *server;
    struct MHD_Connection *connection;
    const ith_route *route; /* NULL: there is none */
    char rest[256];         /* of the path, behind that of the route */
    const char *allow;      /* methods of the address; NULL: it is unknown */
    char *body;             /* [len], malloc'd */
    size_t len, room;
    int64_t claimed; /* bytes, of the limit for all bodies together */
    bool in_turn;    /* one of the few that are being prepared */
    bool too_long;   /* the body */
    bool overload;   /* the bodies of all requests together are */
    bool refused;    /* a response was begun before the body had arrived */
    unsigned mark;   /* of this call of MHD's: see ith_json_lost */

    /* account.c */
    int64_t came;         /* ith_now_ms */
    struct timespec when; /* the same by the clock */
    unsigned status;      /* of the response; 0: none */
    char id[40];          /* of the answer; "": none is asked for */
    int64_t prompt_tokens;
    ith_call *call; /* held; NULL: none was made, or it was refused */
};

/* Takes a response; NULL: no memory. */
enum MHD_Result ith_visit_respond(ith_visit *visit, unsigned status, struct MHD_Response *response);

/* Responses. They take `value`; NULL: no memory. */
enum MHD_Result ith_visit_json(ith_visit *visit, unsigned status, json_t *value);

/* In OpenAI's form. param: the field at fault; NULL: none. */
enum MHD_Result ith_visit_error(ith_visit *visit, unsigned status, const char *code,
                                const char *param, const char *text);

/* Text that is malloc'd, of a type of MIME. */
enum MHD_Result ith_visit_text(ith_visit *visit, const char *type, char *text, size_t len);

/* A request that is invalid or cannot be answered. code NULL: that of the error's status. param
 * NULL, "": no field is at fault. */
enum MHD_Result ith_visit_refuse(ith_visit *visit, const ith_error *err, const char *code,
                                 const char *param);

/* Parses the body to a JSON object, the caller's, and frees its bytes. request: see
 * ith_request_parse; NULL: its schemas are not read.
 * ITH_E_FORMAT, ITH_E_ARGUMENT: not an object, or nested too deeply. */
ith_status ith_visit_parse(ith_visit *visit, ith_request *request, json_t **body, ith_error *err);

/* The status and code of a failure. */
unsigned ith_visit_status(const ith_error *err, const char **code);

/* {error: {message, type, param, code}} */
json_t *ith_error_json(unsigned status, const char *code, const char *param, const char *text);

/* Frees the body, which has been read. What is made of it takes more memory than the body, so the
 * body counts until the request is prepared. */
void ith_visit_drop_body(ith_visit *visit);

/* The request is prepared, so that another may be. Functions that answer a POST call this before
 * they wait for the engine. */
void ith_visit_prepared(ith_visit *visit);

/* Around a wait for the engine, in which the client's silence does not count: before, and after. */
void ith_visit_be_patient(struct MHD_Connection *connection);
void ith_visit_be_strict(struct MHD_Connection *connection, const ith_server *server);

/* The number of a visit's address, and the path of address i; NULL: there are not so many. */
size_t ith_visit_route(const ith_visit *visit);
const char *ith_visit_path(size_t i);

/* Has the client closed its connection, or its sending side? */
bool ith_visit_is_gone(struct MHD_Connection *connection);

/* MHD's callbacks. */
enum MHD_Result ith_visit_handle(void *server, struct MHD_Connection *connection, const char *path,
                                 const char *method, const char *version, const char *data,
                                 size_t *n, void **state);
void ith_visit_completed(void *server, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code);

/* guard.c: does the request bring the key, if there is one? */
bool ith_guard_key(const ith_visit *visit);

/* Without a key: false for a request that a web page of another site has made a browser send.
 * *why: what is wrong. */
bool ith_guard_site(const ith_visit *visit, const char **why);

/* listener.c: the header of a request has come; all of it; its response is complete. */
void ith_guest_begins(const ith_visit *visit);
void ith_guest_arrives(const ith_visit *visit);
void ith_guest_leaves(const ith_visit *visit);

/* page.c: GET /, the page for people. */
enum MHD_Result ith_visit_page(ith_visit *visit);

/* tokens.c: POST /tokenize and /detokenize, GET /tokenizer_info. */
enum MHD_Result ith_visit_tokenize(ith_visit *visit);
enum MHD_Result ith_visit_detokenize(ith_visit *visit);
enum MHD_Result ith_visit_tokenizer_info(ith_visit *visit);

/* completions.c: POST /v1/completions, /v1/chat/completions and /v1/responses. */
typedef enum ith_completion {
    ITH_COMPLETE_TEXT,
    ITH_COMPLETE_CHAT,
    ITH_COMPLETE_RESPONSE
} ith_completion;
enum MHD_Result ith_visit_complete(ith_visit *visit, ith_completion kind);

/* embeddings.c: POST /v1/embeddings. rerank.c: POST /rerank and /v1/rerank. */
enum MHD_Result ith_visit_embeddings(ith_visit *visit);
enum MHD_Result ith_visit_rerank(ith_visit *visit);

/* Of a choice that failed. */
unsigned ith_completion_status(const ith_error *err, const char **code);

/* account.c: a request has come; it is over, and the client has the `whole` response or not. */
void ith_account_open(ith_visit *visit);
void ith_account_close(ith_visit *visit, bool whole);

/* account.c: GET /metrics. */
enum MHD_Result ith_visit_metrics(ith_visit *visit);

#endif
