/* The table of routes. */
#ifndef BOURN_API_ROUTES_H
#define BOURN_API_ROUTES_H

#include "ipc/request.h"

/* What a route takes from where. */
enum route_flag {
    ROUTE_TOKEN = 1,    /* Authorization: Bearer, needed */
    ROUTE_PURPOSE = 2,  /* Bourn-Purpose, needed; other routes do not look at it */
    ROUTE_BODY = 4,     /* a JSON body, needed */
    ROUTE_VERSION = 8,  /* If-Match, optional */
    ROUTE_CURSOR = 16,  /* ?cursor=, optional */
    ROUTE_FIELDS = 32,  /* ?fields=a,b, optional */
    ROUTE_KEY = 64,     /* Idempotency-Key, optional */
    ROUTE_UPLOAD = 256, /* an NDJSON body of any length, ?collection= and ?subject= (a field), all needed */
    ROUTE_STATEMENT = 512,    /* Bourn-Statement: a signed statement as base64url, needed; becomes the body */
    ROUTE_SIZE = 1024,        /* ?size=, optional */
    ROUTE_TOKEN_MAYBE = 2048, /* Authorization: Bearer, optional: a closed cell asks for it */
    ROUTE_PATCH = 128,        /* a body of application/merge-patch+json (RFC 7396), needed */
};

struct route {
    const char *method;
    const char *pattern; /* segments: words, or {s} subject, {c} collection, {n} number; a last "*": path is
                            the rest */
    uint32_t op;
    unsigned flags;
};

struct route_match {
    const struct route *route;                      /* NULL: no such route */
    struct slice subject, collection, number, rest; /* raw: escapes untouched */
    char allow[64];                                 /* methods of the path, when only the method was wrong */
};
size_t route_count(void);
void route_find(struct slice method, struct slice path, struct route_match *out);

#endif
