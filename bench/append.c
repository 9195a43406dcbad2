/* bench-append FOLDER CHUNK-BYTES CHUNKS: how fast the disk itself takes appends that must last. Writes
 * CHUNKS times CHUNK-BYTES into a file of FOLDER that was filled with zeros before (as a journal's segments
 * are), an fdatasync after each, and removes it. Prints JSON: seconds, bytes, p50_us and p99_us of one write
 * with its sync. */
#include "answers.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
    static struct histogram latency;
    char path[4096];
    size_t chunk = argc == 4 ? strtoul(argv[2], NULL, 10) : 0,
           chunks = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (!chunk || !chunks) {
        fputs("usage: bench-append FOLDER CHUNK-BYTES CHUNKS\n", stderr);
        return 64;
    }
    snprintf(path, sizeof path, "%s/append.%d", argv[1], getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    uint8_t *bytes = calloc(1, chunk);
    if (fd < 0 || !bytes)
        die(path);
    unlink(path);
    for (size_t i = 0; i < chunks; i++)
        if (pwrite(fd, bytes, chunk, (off_t)(i * chunk)) != (ssize_t)chunk)
            die("write");
    if (fsync(fd) != 0)
        die("fsync");
    uint64_t dice = 88172645463325252u;
    for (size_t i = 0; i < chunk; i++) { /* nothing below us may compress it */
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        bytes[i] = (uint8_t)dice;
    }
    uint64_t start = now_ns();
    for (size_t i = 0; i < chunks; i++) {
        uint64_t from = now_ns();
        if (pwrite(fd, bytes, chunk, (off_t)(i * chunk)) != (ssize_t)chunk || fdatasync(fd) != 0)
            die("write");
        histogram_add(&latency, now_ns() - from);
    }
    double seconds = (double)(now_ns() - start) / 1e9;
    printf("{\"seconds\":%.6f,\"bytes\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", seconds, chunk * chunks,
           (double)histogram_at(&latency, 0.5) / 1e3, (double)histogram_at(&latency, 0.99) / 1e3);
    free(bytes);
    close(fd);
    return 0;
}
