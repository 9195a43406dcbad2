/* How the commands speak and read. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

__attribute__((format(printf, 1, 0))) static void say(const char *fmt, va_list ap)
{
    fputs("bourn: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

int cli_fail(enum cli_exit code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(fmt, ap);
    va_end(ap);
    return (int)code;
}

int cli_err(enum bourn_err err)
{
    enum cli_exit code = err == BOURN_E_USAGE         ? CLI_USAGE
                         : err == BOURN_E_UNAVAILABLE ? CLI_UNAVAILABLE
                                                      : CLI_REFUSED;
    const char *text = err_text();
    return cli_fail(code, "%s", *text ? text : err_name(err));
}

void cli_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

int cli_out(struct slice text)
{
    if ((text.n && fwrite(text.p, 1, text.n, stdout) != text.n) || fflush(stdout) != 0)
        return cli_fail(CLI_REFUSED, "cannot write to standard output: %s", strerror(errno));
    return CLI_DONE;
}

enum bourn_err cli_read(const char *path, struct buf *out)
{
    bool input = strcmp(path, "-") == 0;
    int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(BOURN_E_NOT_FOUND, "cannot open %s", path);
    enum bourn_err err = BOURN_OK;
    for (;;) {
        size_t room = out->cap - out->n < 65536 ? out->cap - out->n : 65536;
        uint8_t over, *to = room ? buf_reserve(out, room) : &over;
        ssize_t got = to ? read(fd, to, room ? room : 1) : -1;
        if (got < 0 && to && errno == EINTR)
            continue;
        if (got < 0) {
            err = to ? err_sys(BOURN_E_IO, "cannot read %s", path) : buf_check(out);
            break;
        }
        if (got == 0)
            break;
        if (!room) {
            err = err_set(BOURN_E_LIMIT, "%s is longer than %zu bytes", path, out->cap);
            break;
        }
        out->n += (size_t)got;
    }
    if (!input)
        close(fd);
    return err;
}

bool cli_member(struct json_value object, const char *name, struct buf *out)
{
    struct json_value v;
    if (!json_find(object, name, &v) || v.type != JSON_STRING)
        return false;
    json_string_decode(v.raw, out);
    return true;
}

void cli_printable(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool c1 = c == 0xc2 && i + 1 < text.n && text.p[i + 1] < 0xa0; /* U+0080..U+009F */
        buf_put_u8(out, c < 0x20 || c == 0x7f || c1 ? '?' : c);
        i += c1;
    }
}

static void show_scalar(struct buf *out, struct json_value v)
{
    if (v.type != JSON_STRING) {
        buf_put_slice(out, v.type == JSON_NULL ? slice_str("-") : v.raw);
        return;
    }
    struct buf text;
    buf_init_secret(&text, v.raw.n + 1);
    json_string_decode(v.raw, &text);
    cli_printable(out, buf_slice(&text));
    buf_release(&text);
}

static bool flat(struct json_value v)
{
    struct json_member m;
    size_t at = 0;
    while (json_next(v, &at, &m))
        if (m.value.type == JSON_OBJECT || m.value.type == JSON_ARRAY)
            return false;
    return true;
}

/* Scalars on one line: "a, b" for arrays, "x: 1, y: 2" for objects. */
static void show_flat(struct buf *out, struct json_value v)
{
    struct json_member m;
    size_t at = 0, n = 0;
    for (; json_next(v, &at, &m); n++) {
        buf_put_str(out, n ? ", " : "");
        if (v.type == JSON_OBJECT) {
            show_scalar(out, (struct json_value){JSON_STRING, m.name});
            buf_put_str(out, ": ");
        }
        show_scalar(out, m.value);
    }
    if (n == 0)
        buf_put_str(out, "none");
}

static void show(struct buf *out, struct json_value v, int depth)
{
    struct json_member m;
    size_t at = 0;
    while (json_next(v, &at, &m)) {
        bool nested = m.value.type == JSON_OBJECT || m.value.type == JSON_ARRAY;
        buf_printf(out, "%*s", 2 * depth, "");
        if (v.type == JSON_OBJECT) {
            show_scalar(out, (struct json_value){JSON_STRING, m.name});
            buf_put_u8(out, ':');
        } else {
            buf_put_str(out, "-");
        }
        if (nested && !flat(m.value)) {
            buf_put_u8(out, '\n');
            show(out, m.value, depth + 1);
            continue;
        }
        buf_put_u8(out, ' ');
        if (nested)
            show_flat(out, m.value);
        else
            show_scalar(out, m.value);
        buf_put_u8(out, '\n');
    }
}

void cli_show(struct buf *out, struct json_value v)
{
    if (v.type == JSON_OBJECT || v.type == JSON_ARRAY) {
        show(out, v, 0);
        return;
    }
    show_scalar(out, v);
    buf_put_u8(out, '\n');
}
