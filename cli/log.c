/* bourn log: the entries of a ledger in lines that a person reads, from its files. It checks nothing: that is
 * bourn-verify's work. */
#include "base/limits.h"
#include "base/text.h"
#include "cbor/entry.h"
#include "cli.h"
#include "io/io.h"
#include "merkle/merkle.h"

#include <stdio.h>
#include <stdlib.h>

const char help_log[] = "bourn log CELL|FOLDER [--from INDEX] [--json]\n"
                        "  Shows the entries of a cell's ledger, or of a copy of its public folder, up to "
                        "its last checkpoint: index, time,\n"
                        "  kind, and what the entry says. Nothing in them is about a person. Nothing is "
                        "checked here: use bourn-verify.\n"
                        "  --json  one object a line\n";

#define BUNDLE_BYTES_MAX (256 * (ENTRY_BYTES_MAX + 2))
#define CHECKPOINT_BYTES_MAX 65536

struct party {
    uint64_t index;
    char name[65];
};
struct log {
    struct io_dir *dir;
    struct party *parties;
    size_t parties_n;
    bool json;
    struct arena arena;
    struct buf bundle, line, path;
};

static const char *party_name(const struct log *l, uint64_t index)
{
    for (size_t i = 0; i < l->parties_n; i++)
        if (l->parties[i].index == index)
            return l->parties[i].name;
    return "?";
}

static enum bourn_err party_keep(struct log *l, uint64_t index, const struct entry *e)
{
    if (e->kind != ENTRY_PARTY || !entry_has(e, E_NAME))
        return BOURN_OK;
    struct party *grown = realloc(l->parties, (l->parties_n + 1) * sizeof *grown);
    if (!grown)
        return err_set(BOURN_E_MEMORY, "out of memory");
    l->parties = grown;
    struct party *p = &grown[l->parties_n++];
    p->index = index;
    snprintf(p->name, sizeof p->name, "%.*s", e->name.n < 65 ? (int)e->name.n : 64, (const char *)e->name.p);
    return BOURN_OK;
}

static const char *operation(uint32_t op)
{
    static const char *const names[] = {"?", "read", "search", "write", "delete", "evidence", "self"};
    return names[op <= OP_SELF ? op : 0];
}

static void rights(struct buf *b, uint32_t bits, const char *quote)
{
    static const char *const names[] = {"read",  "write",  "consent", "enrol",
                                        "erase", "search", "link",    "audit"};
    int n = 0;
    for (unsigned i = 0; i < 8; i++)
        if (bits >> i & 1)
            buf_printf(b, "%s%s%s%s", n++ ? "," : "", quote, names[i], quote);
}

static void word(struct buf *b, const char *before, struct slice s, const char *after)
{
    buf_put_str(b, before);
    cli_printable(b, s);
    buf_put_str(b, after);
}

/* What is particular to a kind, where the plain words of line() do not say it. */
static void detail(struct log *l, const struct entry *e)
{
    struct buf *b = &l->line;
    static const char *const asked[] = {"?", "the person", "a party", "the operator"};
    switch (e->kind) {
    case ENTRY_GENESIS:
        word(b, " ", e->origin, "");
        word(b, ", people of ", e->domicile, "");
        word(b, ", controller ", e->legal_name, "");
        buf_printf(b, ", delay %llu s%s", (unsigned long long)e->delay, e->delay ? "" : " (a trial)");
        break;
    case ENTRY_COLLECTION:
        buf_printf(b, ", %zu fields%s", e->fields_declared_n, e->sensitive ? ", sensitive" : "");
        break;
    case ENTRY_CONFIG:
        buf_printf(b, " %zu settings", e->settings_n);
        break;
    case ENTRY_PARTY:
        if (entry_has(e, E_ENDS)) {
            buf_printf(b, " %s has ended", party_name(l, e->ends));
            break;
        }
        word(b, ", ", e->party_kind, "");
        word(b, " in ", e->jurisdiction, ", rights ");
        rights(b, e->rights, "");
        for (size_t i = 0; i < e->purposes_n; i++) {
            word(b, ", ", e->purposes[i].purpose, "");
            if (e->purposes[i].ground.n)
                word(b, " (", e->purposes[i].ground, ")");
        }
        break;
    case ENTRY_NOTICE:
        word(b, " in ", e->language, "");
        break;
    case ENTRY_ERASED:
        buf_printf(b, ", asked for by %s", asked[e->asked_by <= 3 ? e->asked_by : 0]);
        break;
    default:
        break;
    }
}

static void line(struct log *l, uint64_t index, const struct entry *e)
{
    struct buf *b = &l->line;
    const char *kind = entry_kind_name(e->kind);
    buf_printf(b, "%6llu  ", (unsigned long long)index);
    time_put(b, e->time);
    buf_printf(b, "  %-10s", kind ? kind : "unknown");
    if (entry_has(e, E_NAME) && !(e->kind == ENTRY_PARTY && entry_has(e, E_ENDS)))
        word(b, " ", e->name, "");
    if (entry_has(e, E_VERSION))
        buf_printf(b, " version %llu", (unsigned long long)e->version);
    if (entry_has(e, E_PARTY))
        word(b, " ", slice_str(party_name(l, e->party)), "");
    if (entry_has(e, E_DESTINATION))
        word(b, " to ", e->destination, "");
    if (entry_has(e, E_OPERATION))
        buf_printf(b, ", %s", operation(e->operation));
    if (entry_has(e, E_COLLECTION))
        word(b, " ", e->collection, "");
    if (entry_has(e, E_PURPOSE))
        word(b, " for ", e->purpose, "");
    detail(l, e);
    if (entry_has(e, E_CODE))
        word(b, ": ", e->code, "");
    if (entry_has(e, E_COUNT) && e->kind == ENTRY_REFUSED)
        buf_printf(b, e->count == 1 ? ", once" : ", %llu times", (unsigned long long)e->count);
    else if (entry_has(e, E_COUNT))
        buf_printf(b, e->count == 1 ? ", 1 person" : ", %llu people", (unsigned long long)e->count);
    buf_put_u8(b, '\n');
}

static void member(struct buf *b, const char *name, struct slice s)
{
    buf_printf(b, ",\"%s\":", name);
    json_put_string(b, utf8_valid(s) ? s : slice_str("?"));
}

static void line_json(struct log *l, uint64_t index, const struct entry *e)
{
    struct buf *b = &l->line;
    const char *kind = entry_kind_name(e->kind);
    const struct {
        enum entry_key key;
        const char *name;
        struct slice value;
    } texts[] = {
        {E_NAME, "name", e->name},
        {E_LEGAL_NAME, "legal_name", e->legal_name},
        {E_PARTY_KIND, "party_kind", e->party_kind},
        {E_JURISDICTION, "jurisdiction", e->jurisdiction},
        {E_ORIGIN, "origin", e->origin},
        {E_DOMICILE, "domicile", e->domicile},
        {E_LANGUAGE, "language", e->language},
        {E_PURPOSE, "purpose", e->purpose},
        {E_COLLECTION, "collection", e->collection},
        {E_DESTINATION, "destination", e->destination},
        {E_CODE, "code", e->code},
        {E_CAUSE, "cause", e->cause},
    };
    const struct {
        enum entry_key key;
        const char *name;
        uint64_t value;
    } numbers[] = {
        {E_COUNT, "count", e->count},   {E_VERSION, "version", e->version},    {E_ENDS, "ends", e->ends},
        {E_DELAY, "delay_s", e->delay}, {E_ASKED_BY, "asked_by", e->asked_by},
    };
    buf_printf(b, "{\"index\":%llu,\"time\":\"", (unsigned long long)index);
    time_put(b, e->time);
    buf_put_str(b, "\"");
    member(b, "kind", slice_str(kind ? kind : "unknown"));
    if (entry_has(e, E_PARTY)) {
        member(b, "party", slice_str(party_name(l, e->party)));
        buf_printf(b, ",\"party_entry\":%llu", (unsigned long long)e->party);
    }
    if (entry_has(e, E_OPERATION))
        member(b, "operation", slice_str(operation(e->operation)));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (entry_has(e, texts[i].key))
            member(b, texts[i].name, texts[i].value);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (entry_has(e, numbers[i].key))
            buf_printf(b, ",\"%s\":%llu", numbers[i].name, (unsigned long long)numbers[i].value);
    if (entry_has(e, E_RIGHTS)) {
        buf_put_str(b, ",\"rights\":[");
        rights(b, e->rights, "\"");
        buf_put_str(b, "]");
    }
    buf_put_str(b, "}\n");
}

/* Bundle n of a log of `size` entries: the partial one of that size, or the full one if there is more by now.
 */
static enum bourn_err read_bundle(struct log *l, uint64_t n, uint64_t size)
{
    uint64_t width = size - n * MERKLE_TILE_WIDTH;
    for (int partial = width < MERKLE_TILE_WIDTH; partial >= 0; partial--) {
        buf_clear(&l->path);
        buf_clear(&l->bundle);
        buf_put_str(&l->path, "tile/entries/");
        merkle_tile_name(&l->path, n);
        if (partial)
            buf_printf(&l->path, ".p/%llu", (unsigned long long)width);
        buf_put_u8(&l->path, 0);
        enum bourn_err err = buf_check(&l->path);
        if (err == BOURN_OK)
            err = io_read_all(l->dir, (char *)l->path.p, &l->bundle);
        if (err == BOURN_OK || err != BOURN_E_NOT_FOUND || !partial)
            return err;
    }
    return BOURN_E_INTERNAL;
}

static enum bourn_err show_bundle(struct log *l, uint64_t first, uint64_t from, uint64_t size)
{
    enum bourn_err err = BOURN_OK;
    size_t at = 0;
    struct slice bytes;
    for (uint64_t i = first; i < size && i < first + MERKLE_TILE_WIDTH; i++) {
        struct entry e;
        if (!bundle_next(buf_slice(&l->bundle), &at, &bytes))
            return err_set(BOURN_E_CORRUPT, "the file of entry %llu ends before it", (unsigned long long)i);
        arena_reset(&l->arena);
        err = entry_decode(bytes, &l->arena, &e);
        if (err != BOURN_OK && err != BOURN_E_UNAVAILABLE)
            return err_set(BOURN_E_CORRUPT, "entry %llu does not decode: bourn-verify says more",
                           (unsigned long long)i);
        TRY(party_keep(l, i, &e));
        if (i < from)
            continue;
        buf_clear(&l->line);
        if (l->json)
            line_json(l, i, &e);
        else
            line(l, i, &e);
        TRY(buf_check(&l->line));
        if (fwrite(l->line.p, 1, l->line.n, stdout) != l->line.n)
            return err_sys(BOURN_E_IO, "cannot write to standard output");
    }
out:
    return err;
}

/* The folder with `checkpoint`: FOLDER itself, or its ledger/. */
static enum bourn_err open_log(struct log *l, const char *path, uint64_t *size)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf note;
    struct io_dir *below = NULL;
    buf_init(&note, CHECKPOINT_BYTES_MAX);
    TRY(io_dir_open(path, &l->dir));
    if (io_dir_at(l->dir, "ledger", false, &below) == BOURN_OK) {
        io_dir_close(l->dir);
        l->dir = below;
    }
    err = io_read_all(l->dir, "checkpoint", &note);
    if (err == BOURN_E_NOT_FOUND)
        err = err_set(
            err, "%s is neither a cell nor a ledger's folder, or has no checkpoint yet: serve it once", path);
    if (err != BOURN_OK)
        goto out;
    const uint8_t *first = memchr(note.p, '\n', note.n);
    const uint8_t *from = first ? first + 1 : note.p + note.n;
    const uint8_t *second = memchr(from, '\n', (size_t)(note.p + note.n - from));
    if (!second || !decimal_get(slice_of(from, (size_t)(second - from)), size))
        err = err_set(BOURN_E_CORRUPT, "%s: the checkpoint is malformed", path);
out:
    buf_release(&note);
    return err;
}

static enum bourn_err show(struct log *l, const char *path, uint64_t from)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint64_t size;
    TRY(open_log(l, path, &size));
    for (uint64_t n = 0; n * MERKLE_TILE_WIDTH < size; n++) {
        TRY(read_bundle(l, n, size));
        TRY(show_bundle(l, n * MERKLE_TILE_WIDTH, from, size));
    }
    err = fflush(stdout) == 0 ? BOURN_OK : err_sys(BOURN_E_IO, "cannot write to standard output");
out:
    return err;
}

int cmd_log(int argc, char **argv)
{
    static const struct opt options[] = {{"json", false}, {"from", true}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *path = NULL;
    struct log l = {.json = false};
    uint64_t from = 0;
    int option;
    while ((option = opt_next(&o, options, 2, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == 0)
            l.json = true;
        else if (option == 1 && !decimal_get(slice_str(value), &from))
            return cli_fail(CLI_USAGE, "--from: an index is wanted");
        else if (option == OPT_OPERAND && path)
            return cli_fail(CLI_USAGE, "usage:\n%s", help_log);
        else if (option == OPT_OPERAND)
            path = value;
    }
    if (!path)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_log);
    arena_init(&l.arena, 16u << 20);
    buf_init(&l.bundle, BUNDLE_BYTES_MAX);
    buf_init(&l.line, 1u << 20);
    buf_init(&l.path, 256);
    enum bourn_err err = show(&l, path, from);
    if (l.dir)
        io_dir_close(l.dir);
    free(l.parties);
    arena_release(&l.arena);
    buf_release(&l.bundle);
    buf_release(&l.line);
    buf_release(&l.path);
    return err != BOURN_OK ? cli_err(err) : CLI_DONE;
}
