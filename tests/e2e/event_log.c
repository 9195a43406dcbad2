/* event_log FOLDER SIZE...: the log of the published vectors ("event 0", "event 1", …) as src/ledger writes
 * it, with a checkpoint at each of the ascending sizes, which stays beside the log as
 * FOLDER/checkpoint.<size>. It is signed by the key of tests/vectors/checkpoint.txt (seed 00…1f), which is
 * printed. */
#include "base/text.h"
#include "crypto/crypto.h"
#include "io/io.h"
#include "ledger/ledger.h"
#include "merkle/merkle.h"

#include <stdio.h>
#include <stdlib.h>

static struct io_dir *dir;
static struct ledger *l;
static struct merkle_vkey key;
static uint8_t secret[CRYPTO_SIGN_SECRET_BYTES];

static void must(enum bourn_err err)
{
    if (err == BOURN_OK)
        return;
    fprintf(stderr, "event_log: %s\n", err_text());
    exit(1);
}

static void publish(void)
{
    struct buf note;
    struct merkle_hash root;
    uint8_t signature[CRYPTO_SIGNATURE_BYTES];
    char name[64];
    buf_init(&note, 4096);
    ledger_root(l, &root);
    merkle_checkpoint_body(&note, slice_str(key.name), ledger_size(l), &root);
    crypto_sign(signature, buf_slice(&note), secret);
    buf_put_str(&note, "\n");
    merkle_note_sign_line(&note, &key, slice_of(signature, sizeof signature));
    must(ledger_flush(l));
    must(ledger_publish(l, buf_slice(&note)));
    snprintf(name, sizeof name, "checkpoint.%llu", (unsigned long long)ledger_size(l));
    must(io_write_new(dir, name, buf_slice(&note), false));
    buf_release(&note);
}

int main(int argc, char **argv)
{
    uint8_t seed[32], public[CRYPTO_SIGN_PUBLIC_BYTES];
    struct buf vkey;
    if (argc < 3)
        return 64;
    must(crypto_init());
    for (uint8_t i = 0; i < 32; i++)
        seed[i] = i;
    crypto_sign_from_seed(public, secret, seed);
    merkle_vkey_init(&key, "cn.example/ledger", 0x01, public);
    must(io_dir_open(argv[1], &dir));
    must(ledger_open(dir, 0, &l));
    for (int i = 2; i < argc; i++) {
        char text[32];
        uint64_t size = 0;
        if (!decimal_get(slice_str(argv[i]), &size))
            return 64;
        while (ledger_size(l) < size) {
            int n = snprintf(text, sizeof text, "event %llu", (unsigned long long)ledger_size(l));
            must(ledger_append(l, slice_of(text, (size_t)n), slice_of(NULL, 0)));
        }
        publish();
    }
    ledger_close(l);
    io_dir_close(dir);
    buf_init(&vkey, 512);
    merkle_vkey_put(&vkey, &key);
    printf("%.*s\n", SLICE_ARG(buf_slice(&vkey)));
    buf_release(&vkey);
    return 0;
}
