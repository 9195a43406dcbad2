#include "rejects.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum bourn_err rejects_init(struct rejects *r, const char *input)
{
    const char *base = strcmp(input, "-") == 0 ? "import" : input;
    *r = (struct rejects){.path = malloc(strlen(base) + sizeof ".rejects")};
    if (!r->path)
        return err_set(BOURN_E_MEMORY, "out of memory");
    sprintf(r->path, "%s.rejects", base);
    return BOURN_OK;
}

/* Never through a link, and never readable by others, even if an older file was. */
static void make(struct rejects *r)
{
    int fd = open(r->path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fchmod(fd, 0600) == 0 &&
        ftruncate(fd, 0) == 0)
        r->file = fdopen(fd, "w");
    if (r->file)
        return;
    r->failed = true;
    cli_fail(CLI_REFUSED, "cannot write %s: %s; the rejected rows are not kept", r->path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

void rejects_add(struct rejects *r, uint64_t line, struct slice reason, struct slice row, bool object)
{
    struct buf b;
    if (r->n++ < REJECTS_SHOWN_MAX) {
        buf_init(&b, 4096);
        cli_printable(&b, reason);
        cli_note("line %llu: %.*s", (unsigned long long)line, SLICE_ARG(buf_slice(&b)));
        buf_release(&b);
    }
    if (!r->file && !r->failed)
        make(r);
    if (r->failed)
        return;
    buf_init_secret(&b, 8 * (size_t)RECORD_BYTES_MAX);
    buf_printf(&b, "{\"line\":%llu,\"reason\":", (unsigned long long)line);
    json_put_string(&b, utf8_valid(reason) ? reason : slice_str("not readable"));
    bool text = utf8_valid(row);
    buf_put_str(&b, text ? ",\"row\":" : ",\"row_base64\":");
    if (object) {
        buf_put_slice(&b, row);
    } else if (text) {
        json_put_string(&b, row);
    } else {
        buf_put_str(&b, "\"");
        base64_put(&b, row);
        buf_put_str(&b, "\"");
    }
    buf_put_str(&b, "}\n");
    if (b.failed || fwrite(b.p, 1, b.n, r->file) != b.n) {
        r->failed = true;
        cli_fail(CLI_REFUSED, "cannot write %s: %s", r->path,
                 b.failed ? "a row is too long" : strerror(errno));
    }
    buf_release(&b);
}

bool rejects_close(struct rejects *r)
{
    if (r->n > REJECTS_SHOWN_MAX)
        cli_note("… and %llu more", (unsigned long long)(r->n - REJECTS_SHOWN_MAX));
    if (r->file && fclose(r->file) != 0 && !r->failed) {
        r->failed = true;
        cli_fail(CLI_REFUSED, "cannot write %s: %s", r->path, strerror(errno));
    }
    r->file = NULL;
    return !r->failed;
}

void rejects_release(struct rejects *r)
{
    if (r->file)
        fclose(r->file);
    free(r->path);
    *r = (struct rejects){.path = NULL};
}
