/* The parent's part in TLS: it reads certificate and key, at the start and at each SIGHUP, and hands them to
 * front, which may open no file. It keeps neither. */
#include "role/role_internal.h"

#include "base/buf.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The whole file; `secret`: others than owner and group may not read it. */
static enum bourn_err read_pem(const char *path, const char *what, bool secret, struct buf *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(BOURN_E_UNAVAILABLE, "cannot open %s, the %s", path, what);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > TLS_PEM_BYTES_MAX) {
        err = err_set(BOURN_E_FORMAT, "%s is no %s: a file of at most %u bytes is wanted", path, what,
                      TLS_PEM_BYTES_MAX);
        goto out;
    }
    if (secret && st.st_mode & S_IRWXO) {
        err = err_set(BOURN_E_DENIED, "every user may read or change %s, the %s: chmod o= it", path, what);
        goto out;
    }
    for (ssize_t n = 1; n > 0;) {
        uint8_t *to = buf_reserve(out, 4096);
        n = to ? read(fd, to, 4096) : 0;
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            out->n += (size_t)n;
        else if (n < 0)
            TRY(err_sys(BOURN_E_UNAVAILABLE, "cannot read %s, the %s", path, what));
    }
    err = buf_check(out);
out:
    close(fd);
    return err;
}

static enum bourn_err check(const struct buf *b, const char *path, const char *words, const char *what)
{
    return memmem(b->p, b->n, words, strlen(words))
               ? BOURN_OK
               : err_set(BOURN_E_FORMAT, "%s holds no \"%s\": the %s as PEM is wanted", path, words, what);
}

enum bourn_err role_read_pem(const char *path, const char *words, const char *what, bool secret,
                             struct buf *out)
{
    enum bourn_err err = read_pem(path, what, secret, out);
    return err ? err : check(out, path, words, what);
}

enum bourn_err role_send_certificate(int control, const char *chain, const char *key)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf pem, order;
    size_t room = TLS_PEM_BYTES_MAX + 8192;
    buf_init_secret(&pem, room);
    buf_init_secret(&order, 2 * room + 16);
    buf_put_u8(&order, ROLE_ORDER_CERTIFICATE);
    buf_put_be(&order, 0, 8);
    TRY(role_read_pem(chain, "BEGIN CERTIFICATE", "certificate", false, &pem));
    be_put(order.p + 1, pem.n, 4);
    buf_put_slice(&order, buf_slice(&pem));
    buf_clear(&pem);
    TRY(role_read_pem(key, "PRIVATE KEY", "certificate's key", true, &pem));
    buf_put_slice(&order, buf_slice(&pem));
    TRY(buf_check(&order));
    be_put(order.p + 5, pem.n, 4);
    for (size_t at = 0; at < order.n;) {
        ssize_t n = write(control, order.p + at, order.n - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            TRY(err_sys(BOURN_E_UNAVAILABLE, "the front process does not take the certificate"));
        at += (size_t)n;
    }
out:
    buf_release(&pem);
    buf_release(&order);
    return err;
}

static enum bourn_err folder_of(const char *path, bool resolved, char **out)
{
    char *name = resolved ? realpath(path, NULL) : strdup(path);
    *out = name ? realpath(dirname(name), NULL) : NULL;
    enum bourn_err err = *out ? BOURN_OK : err_sys(BOURN_E_UNAVAILABLE, "cannot find %s", path);
    free(name);
    return err;
}

enum bourn_err role_certificate_folders(const char *chain, const char *key, char *out[ROLE_FOLDERS_MAX + 1])
{
    enum bourn_err err = BOURN_E_INTERNAL;
    size_t n = 0;
    const char *const files[] = {chain, key};
    for (size_t i = 0; i < 2; i++) {
        TRY(folder_of(files[i], false, &out[n++]));
        TRY(folder_of(files[i], true, &out[n++]));
    }
out:
    out[n] = NULL;
    return err;
}
