#include "role/role_internal.h"

#include "base/limits.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

enum bourn_err role_address_parse(const char *text, bool tls, struct sockaddr_storage *out, socklen_t *n)
{
    char host[64];
    uint64_t port = 0;
    const char *colon = strrchr(text, ':');
    *out = (struct sockaddr_storage){0};
    if (!colon || !decimal_get(slice_str(colon + 1), &port) || port > UINT16_MAX)
        return err_set(BOURN_E_USAGE, "--listen takes ADDRESS:PORT, such as 127.0.0.1:7700 or [::1]:7700");
    bool bracket = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    size_t host_n = (size_t)(colon - text) - (bracket ? 2 : 0);
    if (host_n >= sizeof host)
        host_n = 0;
    memcpy(host, text + (bracket ? 1 : 0), host_n);
    host[host_n] = '\0';

    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
    if (bracket && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *n = sizeof *v6;
        if (tls || IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr))
            return BOURN_OK;
    } else if (!bracket && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *n = sizeof *v4;
        if (tls || ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
            return BOURN_OK;
    } else {
        return err_set(BOURN_E_USAGE,
                       "--listen takes a numeric address, such as 127.0.0.1:7700 or [::1]:7700");
    }
    return err_set(
        BOURN_E_USAGE,
        "bourn listens without TLS on loopback only (127.0.0.0/8 or [::1]): any other address needs "
        "--tls-cert and --tls-key");
}

void role_address_print(const struct sockaddr_storage *at, char out[80])
{
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)at;
    bool six = at->ss_family == AF_INET6;
    inet_ntop(at->ss_family, six ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr, host,
              sizeof host);
    snprintf(out, 80, six ? "[%s]:%u" : "%s:%u", host, ntohs(six ? v6->sin6_port : v4->sin_port));
}

enum bourn_err role_listen(const char *listen_at, bool tls, int *fd, char address[80])
{
    struct sockaddr_storage at;
    socklen_t n;
    int one = 1;
    enum bourn_err err = role_address_parse(listen_at, tls, &at, &n);
    if (err)
        return err;
    *fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(*fd, (struct sockaddr *)&at, n) != 0 || listen(*fd, LISTEN_BACKLOG) != 0 ||
        getsockname(*fd, (struct sockaddr *)&at, &n) != 0)
        return err_sys(BOURN_E_UNAVAILABLE, "cannot listen on %s", listen_at);
    role_address_print(&at, address);
    return BOURN_OK;
}

enum bourn_err role_ready(int control, const char *text)
{
    enum bourn_err err = BOURN_OK;
    struct buf line;
    buf_init(&line, ROLE_READY_BYTES_MAX);
    buf_printf(&line, "ready %s\n", text);
    if (buf_check(&line) != BOURN_OK || write(control, line.p, line.n) != (ssize_t)line.n)
        err = err_sys(BOURN_E_UNAVAILABLE, "cannot tell the parent process that this role is ready");
    buf_release(&line);
    return err;
}
