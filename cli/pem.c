#include "pem.h"

#include "base/text.h"
#include "crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEGIN "-----BEGIN PRIVATE KEY-----"
#define END "-----END PRIVATE KEY-----"
#define PEM_BYTES_MAX 4096

/* PrivateKeyInfo { version 0, id-Ed25519, OCTET STRING { OCTET STRING seed } } up to the seed. */
static const uint8_t prefix[16] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                   0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

void pem_put(struct buf *out, const uint8_t seed[32])
{
    uint8_t der[48];
    memcpy(der, prefix, sizeof prefix);
    memcpy(der + sizeof prefix, seed, 32);
    buf_put_str(out, BEGIN "\n");
    base64_put(out, slice_of(der, sizeof der));
    buf_put_str(out, "\n" END "\n");
    crypto_wipe(der, sizeof der);
}

enum bourn_err pem_get(struct slice text, uint8_t seed[32])
{
    struct buf body, der;
    buf_init_secret(&body, PEM_BYTES_MAX);
    buf_init_secret(&der, PEM_BYTES_MAX);
    enum bourn_err err =
        err_set(BOURN_E_FORMAT, "not an Ed25519 private key in PEM (PKCS#8, without a password)");
    const uint8_t *begin = text.n ? memmem(text.p, text.n, BEGIN, sizeof BEGIN - 1) : NULL;
    const uint8_t *end = text.n ? memmem(text.p, text.n, END, sizeof END - 1) : NULL;
    if (begin && end && begin + sizeof BEGIN - 1 <= end) {
        for (const uint8_t *p = begin + sizeof BEGIN - 1; p < end; p++)
            if (*p != '\n' && *p != '\r')
                buf_put_u8(&body, *p);
        if (base64_get(buf_slice(&body), &der) && der.n == 48 && memcmp(der.p, prefix, sizeof prefix) == 0) {
            memcpy(seed, der.p + sizeof prefix, 32);
            err = BOURN_OK;
        }
    }
    buf_release(&body);
    buf_release(&der);
    return err;
}

static enum bourn_err sync_folder(const char *path)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    free(copy);
    return ok ? BOURN_OK : err_sys(BOURN_E_IO, "cannot sync the folder of %s", path);
}

enum bourn_err pem_write_new(const char *path, const uint8_t seed[32])
{
    struct buf text;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST
                   ? err_set(BOURN_E_EXISTS, "%s is there already: a key is never written over", path)
                   : err_sys(BOURN_E_IO, "cannot make %s", path);
    buf_init_secret(&text, PEM_BYTES_MAX);
    pem_put(&text, seed);
    enum bourn_err err = buf_check(&text);
    if (err == BOURN_OK &&
        (fchmod(fd, 0600) != 0 || write(fd, text.p, text.n) != (ssize_t)text.n || fsync(fd) != 0))
        err = err_sys(BOURN_E_IO, "cannot write %s", path);
    close(fd);
    buf_release(&text);
    if (err == BOURN_OK)
        return sync_folder(path);
    unlink(path);
    return err;
}

enum bourn_err pem_read(const char *path, uint8_t seed[32])
{
    struct stat st;
    struct buf text;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(BOURN_E_NOT_FOUND, "cannot open the key %s", path);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077)) {
        close(fd);
        return err_set(BOURN_E_DENIED, "others may read the key %s: chmod 600 it, or make a new one", path);
    }
    buf_init_secret(&text, PEM_BYTES_MAX);
    uint8_t *to = buf_reserve(&text, PEM_BYTES_MAX);
    ssize_t n = to ? read(fd, to, PEM_BYTES_MAX) : -1;
    enum bourn_err err =
        n < 0 ? err_sys(BOURN_E_IO, "cannot read the key %s", path) : pem_get(slice_of(to, (size_t)n), seed);
    if (n > 0)
        text.n = (size_t)n;
    close(fd);
    buf_release(&text);
    if (err == BOURN_E_FORMAT)
        return err_set(err, "%s: not an Ed25519 private key in PEM (PKCS#8, without a password)", path);
    return err;
}
