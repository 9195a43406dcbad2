/* The schema of a collection: read from YAML, inferred from data, written as the JSON that the cell takes and
 * as YAML. */
#ifndef BOURN_CLI_SCHEMA_H
#define BOURN_CLI_SCHEMA_H

#include "base/json.h"
#include "base/limits.h"

struct schema_field {
    char name[65];
    uint32_t type;  /* enum field_type */
    uint32_t flags; /* enum field_flag */
};
struct schema {
    struct schema_field field[FIELDS_PER_COLLECTION_MAX];
    size_t fields_n;
    struct {
        char was[65], now[65];
    } renamed[RENAMES_PER_COLLECTION_MAX]; /* of the version before */
    size_t renamed_n;
    bool sensitive;
    uint64_t retention_s; /* 0: no limit */
};
/* YAML: `fields:` is a list of {name, type, required, sensitive, searchable}; beside it `renamed`, a list of
 * {from, to}, `sensitive` and `retention_days`. Anything else is refused, with its line. */
enum bourn_err schema_read(const char *path, struct schema *out) BOURN_MUST_USE;
/* `to` is what the version before calls `from`. BOURN_E_USAGE if the schema declares no `to`. */
enum bourn_err schema_rename(struct schema *s, const char *from, const char *to) BOURN_MUST_USE;
const char *schema_type_name(uint32_t type); /* "text" */
/* All of a file that cli/feed.h reads (by `format`, or by its name where that is NULL). */
enum bourn_err schema_infer(const char *path, const char *format, struct schema *out) BOURN_MUST_USE;
void schema_put_json(struct buf *out, const struct schema *s, const char *name);
void schema_put_yaml(struct buf *out, const struct schema *s);

#endif
