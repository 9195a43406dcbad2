/* TLS 1.3 over GnuTLS: the certificate in use, and those that connections from before still need.
 *
 * Pairs form a list, oldest first; each counts the connections that began while it was the newest. A
 * handshake may still read the pair that it was given until its connection is closed, so a pair goes once it
 * is not the newest, nobody counts on it, and all older ones are gone. */
#include "http/http_internal.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

/* Nothing older than 1.3, and of 1.3 only AEADs with whole tags. */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM"
enum { CHAIN_MAX = 16 };

struct http_tls_hold {
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_n;
    gnutls_privkey_t key;
    size_t connections;
    struct http_tls_hold *newer;
};
struct http_tls {
    struct http_tls_hold *oldest, *newest;
};

/* GnuTLS gives its callback no context; a process has one certificate. */
static struct http_tls *in_use;

static void pair_free(struct http_tls_hold *p)
{
    for (unsigned i = 0; i < p->chain_n; i++)
        gnutls_pcert_deinit(&p->chain[i]);
    if (p->key)
        gnutls_privkey_deinit(p->key); /* GnuTLS wipes it */
    free(p);
}

enum bourn_err http_tls_new(struct http_tls **out)
{
    bourn_assert(!in_use);
    struct http_tls *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(BOURN_E_MEMORY, "out of memory for TLS");
    if (gnutls_global_init() != GNUTLS_E_SUCCESS) {
        free(t);
        return err_set(BOURN_E_UNAVAILABLE, "the TLS library does not start");
    }
    *out = in_use = t;
    return BOURN_OK;
}

void http_tls_free(struct http_tls *t)
{
    struct http_tls_hold *next;
    if (!t)
        return;
    for (struct http_tls_hold *p = t->oldest; p; p = next) {
        next = p->newer;
        pair_free(p);
    }
    in_use = NULL;
    free(t);
    gnutls_global_deinit();
}

static void drop_unused(struct http_tls *t)
{
    while (t->oldest != t->newest && t->oldest->connections == 0) {
        struct http_tls_hold *p = t->oldest;
        t->oldest = p->newer;
        pair_free(p);
    }
}

/* GnuTLS wants its own copy of both to tell whether they belong together. */
static int check_pair(const gnutls_datum_t *chain, const gnutls_datum_t *key)
{
    gnutls_certificate_credentials_t c;
    int rc = gnutls_certificate_allocate_credentials(&c);
    if (rc < 0)
        return rc;
    rc = gnutls_certificate_set_x509_key_mem(c, chain, key, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(c);
    return rc;
}

static gnutls_datum_t datum(struct slice s)
{
    union {
        const uint8_t *in;
        unsigned char *out; /* GnuTLS's type for what it only reads */
    } p = {s.p};
    return (gnutls_datum_t){p.out, (unsigned)s.n};
}

enum bourn_err http_tls_set(struct http_tls *t, struct slice chain, struct slice key)
{
    gnutls_datum_t chain_pem = datum(chain), key_pem = datum(key);
    struct http_tls_hold *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(BOURN_E_MEMORY, "out of memory for a certificate");
    p->chain_n = CHAIN_MAX;
    int rc = gnutls_pcert_list_import_x509_raw(p->chain, &p->chain_n, &chain_pem, GNUTLS_X509_FMT_PEM, 0);
    if (rc < 0)
        p->chain_n = 0;
    const char *what = "the certificate does not read";
    if (rc >= 0) {
        what = "the key does not read";
        if ((rc = gnutls_privkey_init(&p->key)) >= 0)
            rc = gnutls_privkey_import_x509_raw(p->key, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    }
    if (rc >= 0) {
        what = "the certificate and the key do not go together";
        rc = check_pair(&chain_pem, &key_pem);
    }
    if (rc < 0) {
        pair_free(p);
        return err_set(BOURN_E_FORMAT, "%s: %s", what, gnutls_strerror(rc));
    }
    if (t->newest)
        t->newest->newer = p;
    else
        t->oldest = p;
    t->newest = p;
    drop_unused(t);
    return BOURN_OK;
}

struct http_tls_hold *tls_hold(struct http_tls *t)
{
    t->newest->connections++;
    return t->newest;
}

void tls_release(struct http_tls *t, struct http_tls_hold *hold)
{
    bourn_assert(hold->connections > 0);
    hold->connections--;
    drop_unused(t);
}

static int choose(gnutls_session_t session, const gnutls_datum_t *authorities, int authorities_n,
                  const gnutls_pk_algorithm_t *algorithms, int algorithms_n, gnutls_pcert_st **chain,
                  unsigned *chain_n, gnutls_privkey_t *key)
{
    (void)session;
    (void)authorities;
    (void)authorities_n;
    (void)algorithms;
    (void)algorithms_n;
    if (!in_use || !in_use->newest)
        return -1;
    *chain = in_use->newest->chain;
    *chain_n = in_use->newest->chain_n;
    *key = in_use->newest->key;
    return 0;
}

void tls_options(struct http_tls *t, struct MHD_OptionItem out[3])
{
    static char priorities[] = PRIORITIES;
    union {
        gnutls_certificate_retrieve_function2 *function;
        void *pointer;
    } callback = {choose};
    size_t n = 0;
    if (t) {
        out[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, callback.pointer};
        out[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, priorities};
    }
    out[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}
