#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_file(const struct outfile *o)
{
    return strcmp(o->to, "-") != 0;
}

enum bourn_err outfile_open(struct outfile *o, const char *to)
{
    *o = (struct outfile){.to = to, .fd = -1};
    buf_init(&o->part, 8192);
    buf_printf(&o->part, "%s.XXXXXX", to);
    buf_put_u8(&o->part, 0);
    enum bourn_err err = buf_check(&o->part);
    if (err != BOURN_OK)
        return err;
    if (is_file(o) && access(to, F_OK) == 0)
        return err_set(BOURN_E_EXISTS, "%s is there already: it is never written over", to);
    if (is_file(o) && (o->fd = mkostemp((char *)o->part.p, O_CLOEXEC)) < 0)
        return err_sys(BOURN_E_IO, "cannot make %s", to);
    o->f = is_file(o) ? fdopen(o->fd, "w") : stdout;
    return o->f ? BOURN_OK : err_set(BOURN_E_MEMORY, "out of memory");
}

enum bourn_err outfile_done(struct outfile *o)
{
    if (fflush(o->f) != 0 || (is_file(o) && fsync(o->fd) != 0))
        return err_sys(BOURN_E_IO, "cannot write %s", o->to);
    if (is_file(o) && link((char *)o->part.p, o->to) != 0)
        return err_sys(errno == EEXIST ? BOURN_E_EXISTS : BOURN_E_IO, "cannot make %s", o->to);
    return BOURN_OK;
}

void outfile_close(struct outfile *o)
{
    if (is_file(o) && o->f)
        fclose(o->f);
    else if (o->fd >= 0)
        close(o->fd);
    if (o->fd >= 0)
        unlink((char *)o->part.p);
    buf_release(&o->part);
}
