#include "base/url.h"

#include "base/text.h"

static const char http[] = "http://", https[] = "https://";

static bool is_tls(const char *url)
{
    return strncmp(url, https, sizeof https - 1) == 0;
}

/* "host" or "host:port", as far as it goes. */
static struct slice authority(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    return slice_of(host, strcspn(host, "/?"));
}

/* The host of it; an address of IPv6 with its brackets. */
static struct slice host_of(struct slice authority)
{
    bool v6 = authority.n && *authority.p == '[';
    const uint8_t *end = authority.n ? memchr(authority.p, v6 ? ']' : ':', authority.n) : NULL;
    if (v6 && !end)
        return slice_of(authority.p, 0);
    return slice_of(authority.p, end ? (size_t)(end - authority.p) + v6 : authority.n);
}

static bool loopback(struct slice host)
{
    return slice_is(host, "127.0.0.1") || slice_is(host, "localhost") || slice_is(host, "[::1]");
}

/* What stands behind the host: nothing, or a colon and a port. *port stays as it is where there is none. */
static bool port_of(struct slice authority, uint64_t *port)
{
    struct slice host = host_of(authority);
    if (host.n == authority.n)
        return true;
    return host.p[host.n] == ':' &&
           decimal_get(slice_of(host.p + host.n + 1, authority.n - host.n - 1), port) && *port > 0 &&
           *port <= UINT16_MAX;
}

bool url_ok(const char *url)
{
    uint64_t port = 1;
    if (!is_tls(url) && strncmp(url, http, sizeof http - 1) != 0)
        return false;
    for (const char *p = url; *p; p++)
        if (*p <= ' ' || *p > '~' || strchr("@#\\\"", *p))
            return false;
    struct slice a = authority(url), host = host_of(a);
    return host.n > 0 && port_of(a, &port) && (is_tls(url) || loopback(host));
}

struct slice url_origin(const char *url)
{
    struct slice a = authority(url);
    return slice_of(url, (size_t)((const char *)a.p - url) + a.n);
}

uint16_t url_port(const char *url)
{
    uint64_t port = is_tls(url) ? 443 : 80;
    return port_of(authority(url), &port) ? (uint16_t)port : 0;
}
