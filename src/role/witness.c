/* A witness: HTTP like front's, the decision of src/witness, one process. It holds a key and no data; what it
 * may write is the folder of the checkpoints that it signed. */
#include "role/role_internal.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "http/http.h"
#include "sandbox/sandbox.h"
#include "witness/witness.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct witness_role {
    struct witness *witness;
    struct http *http;
    struct http_tls *tls;
    int signals;
    struct buf body;       /* of an answer */
    enum bourn_err failed; /* of the disk: fatal */
};

static bool problem(struct http_response *r, struct buf *body, uint32_t status, const char *code,
                    struct slice detail)
{
    http_problem(r, body, status, slice_str(code), detail, slice_of(NULL, 0));
    return true;
}

static bool on_request(void *ctx, uint64_t id, const struct http_request *q, uint32_t *tag,
                       struct http_response *r, struct buf *body)
{
    struct witness_role *x = ctx;
    struct witness_answer a = {.body = &x->body};
    (void)id;
    *tag = 0;
    if (!slice_is(q->path, "/add-checkpoint") || q->query.n)
        return problem(r, body, 404, "route_unknown", slice_str("There is POST /add-checkpoint alone."));
    if (!slice_is(q->method, "POST")) {
        problem(r, body, 405, "method_not_allowed", slice_str("Use POST."));
        http_header(r, "Allow", "POST");
        return true;
    }
    buf_clear(&x->body);
    if (!x->failed)
        x->failed = witness_add_checkpoint(x->witness, q->body, clock_wall_s(), &a);
    if (x->failed) {
        log_error("%s", err_text());
        return problem(r, body, 500, "storage_failed", slice_str("This witness cannot keep checkpoints."));
    }
    if (!a.type)
        return problem(r, body, a.status, a.code, buf_slice(&x->body));
    *r = (struct http_response){.status = a.status, .type = a.type, .body = buf_slice(&x->body)};
    http_header(r, "Cache-Control", "no-store");
    return true;
}

static enum bourn_err serve(struct witness_role *x)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    unsigned wait_ms = 0;
    uint64_t until_ms = 0;
    while (!until_ms || (http_busy(x->http) && clock_mono_ms() < until_ms)) {
        struct pollfd p[] = {{http_wait_fd(x->http), POLLIN, 0}, {x->signals, POLLIN, 0}};
        if (poll(p, until_ms ? 1 : 2, (int)wait_ms) < 0 && errno != EINTR) {
            err = err_sys(BOURN_E_UNAVAILABLE, "cannot wait for events");
            goto out;
        }
        if (!until_ms && p[1].revents) {
            until_ms = clock_mono_ms() + DRAIN_MS_MAX;
            http_drain(x->http);
        }
        TRY(http_run(x->http, &wait_ms));
        TRY(x->failed);
    }
    err = BOURN_OK;
out:
    return err;
}

static enum bourn_err take_certificate(struct witness_role *x, const struct role_witness_options *o)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf chain, key;
    buf_init(&chain, TLS_PEM_BYTES_MAX + 8192);
    buf_init_secret(&key, TLS_PEM_BYTES_MAX + 8192);
    TRY(http_tls_new(&x->tls));
    TRY(role_read_pem(o->tls_cert, "BEGIN CERTIFICATE", "certificate", false, &chain));
    TRY(role_read_pem(o->tls_key, "PRIVATE KEY", "certificate's key", true, &key));
    TRY(http_tls_set(x->tls, buf_slice(&chain), buf_slice(&key)));
out:
    buf_release(&chain);
    buf_release(&key);
    return err;
}

static enum bourn_err start(struct witness_role *x, const struct role_witness_options *o)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    static const char *const no_headers[] = {NULL};
    const struct http_hooks hooks = {.ctx = x, .handle = on_request};
    char address[80], line[128], state[4096];
    sigset_t set;
    int listener = -1;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || (x->signals = signalfd(-1, &set, SFD_CLOEXEC)) < 0)
        TRY(err_sys(BOURN_E_UNAVAILABLE, "cannot wait for signals"));
    if (snprintf(state, sizeof state, "%s/state", o->dir) >= (int)sizeof state)
        TRY(err_set(BOURN_E_USAGE, "the path is too long"));
    TRY(witness_open(o->dir, &x->witness));
    if (o->tls_cert)
        TRY(take_certificate(x, o));
    TRY(role_listen(o->listen, o->tls_cert != NULL, &listener, address));
    TRY(http_start(listener, no_headers, &hooks, x->tls, &x->http));
    TRY(sandbox_enter_witness(state));
    int n = snprintf(line, sizeof line, "listening on http%s://%s\n", o->tls_cert ? "s" : "", address);
    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        log_warning("cannot write to standard output");
    log_info("witness of %zu logs", witness_logs(x->witness));
out:
    return err;
}

int role_witness(const struct role_witness_options *o)
{
    struct witness_role x = {.signals = -1};
    log_init("witness", LOG_LEVEL_INFO);
    if (!o->tls_cert != !o->tls_key) {
        log_error("TLS needs both --tls-cert and --tls-key");
        return ROLE_EXIT_USAGE;
    }
    buf_init(&x.body, 8192);
    enum bourn_err err = start(&x, o);
    int code = err == BOURN_E_USAGE ? ROLE_EXIT_USAGE : err ? ROLE_EXIT_UNAVAILABLE : 0;
    if (!err && (err = serve(&x)) != BOURN_OK)
        code = ROLE_EXIT_FAILED;
    if (err)
        log_error("%s", err_text());
    http_stop(x.http);
    http_tls_free(x.tls);
    witness_close(x.witness);
    buf_release(&x.body);
    return code;
}
