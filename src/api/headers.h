/* Places of the headers that are read, in api_headers and in struct http_request. */
#ifndef BOURN_API_HEADERS_H
#define BOURN_API_HEADERS_H

enum {
    H_AUTHORIZATION,
    H_PURPOSE,
    H_CONTENT_TYPE,
    H_IF_MATCH,
    H_KEY,
    H_STATEMENT,
    H_ACCEPT_ENCODING,
    H_IF_NONE_MATCH,
    H_RANGE,
    H_IF_RANGE,
};

#endif
