/* What a client says about the form of a public file: what it has already (If-None-Match), which part it
 * wants (Range, If-Range), and whether it takes gzip. RFC 9110 sections 12.5.3, 13 and 14. Pure. */
#ifndef BOURN_API_CONDITIONS_H
#define BOURN_API_CONDITIONS_H

#include "http/http.h"

#define API_ETAG_BYTES 16
enum { API_ETAGS_MAX = 16 };

/* "<32 hex digits>" of the file's bytes, "<32 hex digits>-gzip" of their compressed form. */
struct api_etag {
    uint8_t hash[API_ETAG_BYTES];
    bool gzip;
};
enum api_range { API_RANGE_NONE, API_RANGE_FROM, API_RANGE_LAST };

/* Holds nothing of the request that it was read from. */
struct api_conditions {
    bool gzip;    /* the client takes it, and no less gladly than plain bytes */
    bool has_any; /* If-None-Match: * */
    unsigned has_n;
    struct api_etag has[API_ETAGS_MAX]; /* those of If-None-Match that can be ours */
    enum api_range range;
    uint64_t first, last; /* FROM: first to last, both included; LAST: the last `last` bytes */
    bool if_range, if_range_known;
    struct api_etag if_range_etag; /* if_range_known */
};
/* Malformed and repeated conditions are no conditions: then the whole file is the answer. */
void api_conditions_read(const struct http_request *q, struct api_conditions *out);

struct api_file {
    const char *type;
    const char *caching; /* Cache-Control */
    uint8_t hash[API_ETAG_BYTES];
    bool varies; /* there is a compressed form, for some clients */
    struct slice bytes;
    struct slice gzip; /* p NULL: not at hand now */
};
/* Whether the answer would be the compressed form, if it is at hand. */
bool api_file_wants_gzip(const struct api_conditions *c, const struct api_file *f);
/* The response: 200, 206, 304 or 416. It borrows from the file; a 416 from `scratch`. */
void api_file_response(const struct api_conditions *c, const struct api_file *f, struct buf *scratch,
                       struct http_response *r);

#endif
