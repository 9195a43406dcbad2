#include "picture.h"

#include <stdio.h>
#include <string.h>

void picture_record(char *out, size_t n, size_t who, const struct story_record *r, unsigned schema)
{
    char extra[40] = "";
    int digits = (int)(8 + r->value % 53 * 16); /* of very different lengths */
    if (r->collection == VISITS) {
        snprintf(out, n, "{\"id\":\"p%02zu\",\"ward\":\"w%u\",\"note\":\"%0*llu\"}", who, r->ward, digits / 4,
                 (unsigned long long)r->value);
        return;
    }
    if (r->extra)
        snprintf(extra, sizeof extra, ",\"e%u\":%u", r->extra, r->extra);
    snprintf(out, n, "{\"id\":\"p%02zu\",\"ward\":\"w%u\",\"n%u\":\"%0*llu\"%s}", who, r->ward, schema,
             digits, (unsigned long long)r->value, extra);
}

void picture_person(char *out, size_t n, size_t who, const struct story_person *p, unsigned collection,
                    int ward, uint64_t now, unsigned schema)
{
    out[0] = '\0';
    for (uint32_t i = 0; p->there && i < p->records_n; i++) {
        const struct story_record *r = &p->record[i];
        size_t at = strlen(out);
        char data[TEXT_BYTES];
        if (r->collection != collection || (ward >= 0 && r->ward != (uint32_t)ward) ||
            (r->expires && r->expires <= now))
            continue;
        picture_record(data, sizeof data, who, r, schema);
        snprintf(out + at, n - at, "%llu/%llu/%s;", (unsigned long long)r->id, (unsigned long long)r->version,
                 data);
    }
}

void picture_schema(char *out, size_t n, unsigned version)
{
    char renamed[64] = "";
    if (version > 1)
        snprintf(renamed, sizeof renamed, ",\"renamed\":[{\"from\":\"n%u\",\"to\":\"n%u\"}]", version - 1,
                 version);
    snprintf(out, n,
             "{\"name\":\"people\",\"fields\":[{\"name\":\"id\",\"type\":\"text\"},"
             "{\"name\":\"ward\",\"type\":\"text\",\"searchable\":true},"
             "{\"name\":\"n%u\",\"type\":\"text\"},{\"name\":\"e%u\",\"type\":\"integer\"}]%s}",
             version, version, renamed);
}
