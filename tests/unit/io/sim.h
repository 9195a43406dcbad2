/* A simulated disk under io: files in memory with what is cached and what is durable kept apart, so that a
 * test can cut the power at any call and look at what a restart would find.
 *
 * What survives a cut: all that was synced; of the rest each sector of 512 bytes on its own, as it was before
 * or after any of the writes since then; of the names in a folder the first few changes since its last sync.
 * A failed fdatasync behaves as Linux does: the pages stay readable, may or may not have reached the disk,
 * and count as clean. One disk a process; not for threads. */
#ifndef BOURN_TESTS_SIM_H
#define BOURN_TESTS_SIM_H

#include "io/io_ops.h"

#define SIM_SECTOR_BYTES 512

enum sim_fault {
    SIM_NO_FAULT,
    SIM_POWER_CUT,  /* the call and all that follow fail with EIO, as if the process were gone */
    SIM_SYNC_FAILS, /* the next sync call at or after `fault_at` fails with EIO, once */
};

struct sim_stats {
    uint64_t calls; /* writes, syncs, changes of names: everything that a cut can fall on */
    uint64_t syncs; /* fdatasync, fsync and syncfs that succeeded */
    uint64_t writes;
};

extern const struct io_ops sim_ops;
extern struct sim_stats sim_stats;

/* An empty disk of so many bytes; the table is put under io. Ends by sim_end, which gives the kernel back. */
void sim_begin(uint64_t seed, uint64_t capacity_bytes);
void sim_end(void);
void sim_capacity(uint64_t bytes);
/* The fault falls on the call that makes sim_stats.calls equal fault_at (1: the next one after sim_begin). */
void sim_fault(enum sim_fault fault, uint64_t fault_at);
bool sim_fault_happened(void);
/* The machine starts again: every descriptor is closed, and only what survived is there. */
void sim_reboot(void);
/* Only the process starts again: descriptors closed, the cache stays. */
void sim_restart(void);
/* Changes a byte on disk and in the cache, behind io's back. False if there is no such byte. */
bool sim_flip(const char *path, uint64_t offset, uint8_t mask);
/* Sets `n` bytes to zero likewise. */
void sim_wipe(const char *path, uint64_t offset, uint64_t n);
uint64_t sim_random(uint64_t below);

#endif
