/* What the parent says over the control socket: one byte, and for a certificate two lengths (4 bytes each)
 * and the bytes of chain and key. Front may open no file, so this is how it gets them. */
#include "role/front_internal.h"

#include "base/limits.h"
#include "base/log.h"
#include "role/role_internal.h"

#include <errno.h>
#include <unistd.h>

enum { HEAD_BYTES = 9 };

static enum bourn_err malformed(void)
{
    return err_set(BOURN_E_FORMAT, "the parent process says what front does not understand");
}

/* Bytes of the certificate's order that stands first in what was read; 0: its head is not whole yet. */
static size_t pair_bytes(const struct buf *b, size_t *chain, size_t *key)
{
    if (b->n < HEAD_BYTES)
        return 0;
    *chain = (size_t)be_get(b->p + 1, 4);
    *key = (size_t)be_get(b->p + 5, 4);
    return HEAD_BYTES + *chain + *key;
}

/* Takes a certificate out of what was read, once it is whole. *refused: why it is not used. */
static enum bourn_err take_pair(struct front *f, bool *whole, enum bourn_err *refused)
{
    struct buf *b = &f->orders;
    size_t chain, key, n = pair_bytes(b, &chain, &key);
    *whole = false;
    if (n && (!f->tls || chain > TLS_PEM_BYTES_MAX || key > TLS_PEM_BYTES_MAX))
        return malformed();
    if (n == 0 || b->n < n)
        return BOURN_OK;
    *refused =
        http_tls_set(f->tls, slice_of(b->p + HEAD_BYTES, chain), slice_of(b->p + HEAD_BYTES + chain, key));
    *whole = true;
    memmove(b->p, b->p + n, b->n - n);
    explicit_bzero(b->p + b->n - n, n);
    b->n -= n;
    return BOURN_OK;
}

static enum bourn_err read_some(struct front *f, bool *ended)
{
    uint8_t *to = buf_reserve(&f->orders, 4096);
    ssize_t n = to ? read(f->control, to, 4096) : -1;
    if (n < 0 && errno == EINTR)
        return BOURN_OK;
    if (n < 0)
        return to ? err_sys(BOURN_E_UNAVAILABLE, "cannot read what the parent process says") : malformed();
    *ended = n == 0;
    f->orders.n += (size_t)n;
    return BOURN_OK;
}

enum bourn_err orders_read(struct front *f, bool *stop)
{
    enum bourn_err err = BOURN_E_INTERNAL, refused;
    bool whole = true;
    TRY(read_some(f, stop));
    while (f->orders.n && whole && !*stop) {
        *stop = f->orders.p[0] != ROLE_ORDER_CERTIFICATE;
        if (*stop)
            break;
        TRY(take_pair(f, &whole, &refused));
        if (whole && refused)
            log_error("the new certificate is refused, the old one stays in use: %s", err_text());
        else if (whole)
            log_info("new connections get the new certificate");
    }
    if (f->orders.n == 0)
        buf_release(&f->orders);
out:
    return err;
}

enum bourn_err orders_first(struct front *f)
{
    enum bourn_err err = BOURN_E_INTERNAL, refused = BOURN_OK;
    bool ended = false, whole = false;
    while (!whole) {
        TRY(read_some(f, &ended));
        if (ended)
            return err_set(BOURN_E_UNAVAILABLE, "the parent process gives no certificate");
        if (f->orders.p[0] != ROLE_ORDER_CERTIFICATE)
            return malformed();
        TRY(take_pair(f, &whole, &refused));
    }
    buf_release(&f->orders);
    err = refused;
out:
    return err;
}
