/* What front's files share. */
#ifndef BOURN_ROLE_FRONT_INTERNAL_H
#define BOURN_ROLE_FRONT_INTERNAL_H

#include "api/conditions.h"
#include "http/http.h"
#include "ipc/request.h"
#include "ipc/ring.h"

struct front {
    struct ring *ring;
    struct http *http;
    struct http *metrics; /* GET /metrics and nothing else, on an address of its own; NULL: none */
    struct http_tls *tls; /* NULL: plain HTTP */
    int epoll, control;
    struct buf message; /* secret: requests on their way */
    struct buf scratch; /* decoded segments, problems */
    struct buf page;    /* secret: a page of a streamed answer */
    struct buf orders;  /* secret: bytes of the parent that are no whole order yet */
    enum bourn_err ring_err;
    struct files *files; /* of the ledger, for everybody */
    uint64_t sent;       /* requests */
    uint64_t swept_ms, drain_ms;
    bool draining;
};

/* What is kept with a request that goes on behind vault's first answer (http_own): its answer has more pages,
 * or its body more batches. */
struct kept {
    struct buf request; /* secret: encoded; an upload's stands without its rows */
    uint64_t next;      /* of a page that was answered: the number that asks for the next one */
    bool upload;
    uint64_t line; /* of an upload: the first that vault has not answered for, from 1 */
    size_t sent_bytes, sent_lines;
    uint64_t stored, skipped, rejected_n;
    struct buf rejected;              /* secret: JSON of those that the answer lists; reasons name fields */
    struct api_conditions conditions; /* of a public file */
};
struct kept *kept_new(struct front *f, uint64_t id, const struct request *r); /* NULL: out of memory */
struct kept *kept_of(struct front *f, uint64_t id);
void kept_free(void *ctx, void *kept); /* for http_hooks */

/* Sends a request to vault; BOURN_E_LIMIT if too many wait. Any other failure is fatal and kept in ring_err.
 */
enum bourn_err front_send(struct front *f, const struct request *r) BOURN_MUST_USE;
/* Ends a request with a problem, in the way that its answer still allows. */
void front_refuse(struct front *f, uint64_t id, uint32_t status, const char *code, const char *detail);

/* metrics.c: the listener for monitoring. Ids of its requests have METRICS_ID set, the others never. */
#define METRICS_ID (1ull << 63)
enum bourn_err metrics_start(struct front *f, int listener) BOURN_MUST_USE;
void metrics_reply(struct front *f, const struct reply *reply);

/* stream.c: answers of several pages. Vault decides each page anew. */
void stream_first(struct front *f, uint32_t op, const struct reply *reply);
void stream_wanted(void *ctx, uint64_t id);
void stream_next(struct front *f, uint32_t op, const struct reply *reply);
void stream_refuse(struct front *f, uint64_t id, const struct http_response *problem);

/* files.c: the public files of the ledger. file_request answers now (true, like http_handle) or through
 * vault. */
enum bourn_err files_new(struct files **out) BOURN_MUST_USE;
void files_free(struct files *s);
void files_turn(struct files *s); /* a new turn of the loop */
bool file_request(struct front *f, uint64_t id, const struct http_request *q, const struct request *request,
                  struct http_response *r, struct buf *body);
void file_reply(struct front *f, const struct reply *reply);

/* upload.c: imports. */
bool upload_head(void *ctx, uint64_t id, const struct http_request *q, uint32_t *tag, bool *upload,
                 struct http_response *r, struct buf *body);
void upload_go_on(void *ctx, uint64_t id);
void upload_reply(struct front *f, const struct reply *reply);
void upload_refuse(struct front *f, uint64_t id, struct http_response *problem, struct buf *body);

/* orders.c: what the parent says over the control socket. True in *stop: to drain. */
enum bourn_err orders_read(struct front *f, bool *stop) BOURN_MUST_USE;
/* Before front serves: waits for the certificate. */
enum bourn_err orders_first(struct front *f) BOURN_MUST_USE;

#endif
