/* Opening a cell and closing it. */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "merkle/merkle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_TRIES 40
#define LOCK_PAUSE_US 50000
#define ARENA_BYTES_MAX (256u << 20)

enum bourn_err vault_lock(const char *path, int *fd)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/lock", path);
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return err_sys(BOURN_E_IO, "open %s", name);
    /* Processes of a service that was just killed may still be dying. */
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
            return BOURN_OK;
        if (errno != EWOULDBLOCK)
            break;
        usleep(LOCK_PAUSE_US);
    }
    enum bourn_err err =
        errno == EWOULDBLOCK
            ? err_set(BOURN_E_UNAVAILABLE, "%s: the cell is being served by another process", path)
            : err_sys(BOURN_E_IO, "lock %s", name);
    close(*fd);
    *fd = -1;
    return err;
}

static enum bourn_err read_origin(struct vault *v)
{
    struct merkle_vkey k;
    enum bourn_err err = io_read_all(v->cell, "ledger.vkey", &v->vkey);
    while (v->vkey.n && v->vkey.p[v->vkey.n - 1] == '\n')
        v->vkey.n--;
    if (err == BOURN_OK)
        err = merkle_vkey_get(buf_slice(&v->vkey), &k);
    if (err == BOURN_OK)
        snprintf(v->origin, sizeof v->origin, "%s", k.name);
    return err;
}

static enum bourn_err open_parts(struct vault *v, const char *path)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    char store[4096];
    uint8_t id_key[32];
    TRY(io_dir_open(path, &v->cell));
    TRY(io_dir_at(v->cell, "journal", false, &v->cell_journal));
    TRY(settings_read(v->cell, &v->settings));
    TRY(read_origin(v));
    TRY(witnesses_new(v));
    TRY(webhooks_new(v));
    TRY(slots_open(v->cell, v->origin, &v->slots));
    slots_derive(v->slots, "identifiers", id_key);
    crypto_mac_init(&v->id_mac, id_key, sizeof id_key);
    slots_derive(v->slots, "blind", id_key);
    crypto_mac_init(&v->blind_mac, id_key, sizeof id_key);
    crypto_wipe(id_key, sizeof id_key);
    snprintf(store, sizeof store, "%s/store", path);
    TRY(store_open_lmdb(store, &v->store));
    TRY(vault_recover(v));
out:
    return err;
}

static void free_answers(struct answer *a)
{
    while (a) {
        struct answer *next = a->next;
        answer_free(a);
        a = next;
    }
}

static void free_all(struct vault *v)
{
    scrub_drop(v);
    free_answers(v->waiting); /* before the worker, whose thread may be about to sign their receipts */
    free_answers(v->answers);
    free_answers(v->held);
    webhooks_free(v->webhooks);
    worker_free(v->worker);
    witnesses_free(v->witnesses);
    if (v->journal)
        journal_close(v->journal);
    if (v->store)
        store_close(v->store);
    if (v->slots)
        slots_close(v->slots);
    prev_free(v->prev);
    known_free(v->known);
    world_free(v->world);
    if (v->cell_journal)
        io_dir_close(v->cell_journal);
    if (v->cell)
        io_dir_close(v->cell);
    if (v->lock_fd >= 0)
        close(v->lock_fd);
    buf_release(&v->vkey);
    buf_release(&v->entries);
    buf_release(&v->heads);
    buf_release(&v->ops);
    buf_release(&v->erased);
    buf_release(&v->entry_bytes);
    buf_release(&v->row_bytes);
    buf_release(&v->plain);
    answer_pool_free(&v->spare_answers);
    release_pool_free(&v->releases);
    arena_release(&v->arena);
    crypto_wipe(v, sizeof *v);
    free(v);
}

enum bourn_err vault_open(const char *path, int lock_fd, vault_answer answer, void *ctx, struct vault **out)
{
    struct vault *v = calloc(1, sizeof *v);
    if (!v)
        return err_set(BOURN_E_MEMORY, "out of memory for the vault");
    v->answer = answer;
    v->answer_ctx = ctx;
    v->lock_fd = lock_fd;
    v->answers_tail = &v->answers;
    v->now = clock_wall_s();
    v->now_ms = v->store_committed_ms = clock_mono_ms();
    arena_init(&v->arena, ARENA_BYTES_MAX);
    buf_init(&v->vkey, 1024);
    buf_init(&v->entries, BATCH_BYTES_MAX);
    buf_init(&v->heads, BATCH_BYTES_MAX / 8);
    buf_init(&v->ops, BATCH_BYTES_MAX);
    buf_init(&v->erased, 8 * BATCH_REQUESTS_MAX);
    buf_init(&v->entry_bytes, ENTRY_BYTES_MAX);
    buf_init(&v->row_bytes, ROWS_BYTES_MAX);
    buf_init_secret(&v->plain, SUBJECT_STATE_BYTES_MAX);
    enum bourn_err err = known_new(&v->known);
    if (!err)
        err = open_parts(v, path);
    if (err) {
        free_all(v);
        *out = NULL;
        return err;
    }
    batch_clear(v);
    *out = v;
    return BOURN_OK;
}

enum bourn_err vault_start(struct vault *v, const struct vault_signer *signer)
{
    witnesses_begin(v);
    return worker_run(v->worker, signer, !vault_asked(v));
}

int vault_wait_fd(const struct vault *v)
{
    return worker_wait_fd(v->worker);
}

void vault_close(struct vault *v)
{
    if (!v)
        return;
    enum bourn_err err = refusals_flush(v, true);
    if (err == BOURN_OK)
        err = vault_commit(v);
    if (err == BOURN_OK && v->waiting) {
        for (int i = 0; i < 200 && v->waiting && err == BOURN_OK; i++) {
            usleep(10000);
            v->now_ms = clock_mono_ms();
            err = vault_published(v);
        }
    }
    while (err == BOURN_OK && v->held) {
        usleep(HOLD_US / 4);
        err = vault_release_held(v);
    }
    if (err == BOURN_OK)
        err = commit_store(v);
    if (err == BOURN_OK)
        err = save_prev(v);
    if (err)
        log_error("closing the vault: %s; nothing acknowledged is lost, the next start recovers it",
                  err_text());
    free_all(v);
}
