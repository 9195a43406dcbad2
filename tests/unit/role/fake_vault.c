/* A vault that answers every request with 200, so that parent can start a whole service. What it does besides
 * stands in the file "behave" of the cell's folder. */
#include "base/log.h"
#include "ipc/request.h"
#include "role/role.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void behave(const char *cell, char word[16])
{
    char path[256];
    snprintf(path, sizeof path, "%s/behave", cell);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(word, 1, 15, f) : 0;
    word[n] = '\0';
    if (f)
        fclose(f);
}

static int answer_all(struct ring *r)
{
    static struct buf b = {.cap = 4096};
    uint32_t type;
    struct slice m;
    struct request q;
    while (ring_receive(r, &type, &m) == BOURN_OK) {
        if (type != IPC_REQUEST || request_decode(m, REQ_FROM_FRONT, &q) != BOURN_OK)
            return 70;
        struct reply reply = {.id = q.id, .status = 200, .type = REPLY_JSON, .receipt = REPLY_NO_RECEIPT};
        buf_clear(&b);
        reply_encode(&b, &reply);
        if (ring_send(r, IPC_REPLY, buf_slice(&b)) != BOURN_OK)
            return 70;
    }
    return ring_kick(r) == BOURN_OK ? 0 : 70;
}

static int serve(struct ring *f, struct ring *s, int control, const char *word)
{
    if (strcmp(word, "abort") == 0) {
        usleep(300000);
        raise(SIGABRT);
    }
    if (strcmp(word, "leave") == 0) {
        usleep(300000);
        return 0;
    }
    if (strcmp(word, "oldroot") == 0) { /* asks the signer for what does not extend its head */
        uint8_t m[42] = {0, 0, 0, 0, 0, 0, 0, 5};
        usleep(300000);
        if (ring_send(s, IPC_SIGN, slice_of(m, sizeof m)) != BOURN_OK || ring_kick(s) != BOURN_OK)
            return 70;
    }
    for (;;) {
        struct pollfd fds[] = {{ring_wait_fd(f), POLLIN, 0}, {control, POLLIN, 0}};
        poll(fds, 2, -1);
        if (fds[1].revents)
            return strcmp(word, "baddrain") == 0 ? 3 : 0;
        int rc = answer_all(f);
        if (rc)
            return rc;
    }
}

int role_vault(const struct ring_fds *front, const struct ring_fds *signer, const struct ring_fds *relay,
               int control, const char *cell)
{
    (void)relay;
    struct ring *f, *s;
    char word[16];
    behave(cell, word);
    log_init("vault", LOG_LEVEL_INFO);
    if (strcmp(word, "refuse") == 0) {
        log_error("this cell is broken on purpose");
        return 69;
    }
    if (ring_open(front, &f) != BOURN_OK || ring_open(signer, &s) != BOURN_OK ||
        write(control, "ready \n", 7) != 7)
        return 69;
    int rc = serve(f, s, control, word);
    ring_close(f);
    ring_close(s);
    return rc;
}
