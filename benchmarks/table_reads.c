/* Many reads of a table that a writer changes all the time: none may be torn.
 *
 * One process writes whole entries whose fields all follow from one number; the others read them and
 * check that the fields belong together.  Usage: table_reads READS WRITER_CORE READER_CORE */
#include "check.h"

#include <sched.h>
#include <signal.h>
#include <time.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define PATHS 256

static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void fill(edge_slot *slot, uint64_t number, uint32_t head, uint64_t arena)
{
    uint64_t mixed = number * 0x9e3779b97f4a7c15u;
    memcpy(slot->etag, &number, 8);
    memcpy(slot->etag + 8, &mixed, 8);
    slot->body = (uint32_t)(arena / 64 + mixed % 1000);
    slot->length = mixed % 10000;
    slot->head = head;
    slot->modified = (uint32_t)mixed;
    slot->state = EDGE_SLOT_LIVE;
    slot->variants = 1;
}

int main(int argc, char **argv)
{
    uint64_t reads = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, torn = 0, missed = 0;
    segment s = segment_new();
    void *shared = mmap(NULL, SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memcpy(shared, s.base, SEGMENT_BYTES);
    s.base = shared;
    edge_table table;
    edge_table_open(&table, s.base, SEGMENT_BYTES, worker_block);
    uint32_t head = (uint32_t)(segment_block(&s, "\1\0\0\0x", 6) / 64);
    edge_key keys[PATHS];
    edge_slot *slots[PATHS];
    for (int i = 0; i < PATHS; i++) {
        char path[16];
        edge_slot slot = {0};
        keys[i] = edge_hash(&table.hash, (uint8_t *)path, (size_t)sprintf(path, "/page-%d", i));
        slots[i] = segment_slots(&s) + (keys[i].low & table.slot_mask);
        while (slots[i]->state)
            slots[i] = slots[i] == segment_slots(&s) + table.slot_mask ? segment_slots(&s) : slots[i] + 1;
        memcpy(slot.key, keys + i, 16);
        fill(&slot, 1, head, table.arena_begin);
        edge_slot_store(slots[i], &slot);
    }
    pid_t writer = fork();
    if (!writer) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(argc > 2 ? atoi(argv[2]) : 0);
        for (uint64_t number = 2;; number++) {
            edge_slot slot = *slots[number % PATHS];
            fill(&slot, number, head, table.arena_begin);
            edge_slot_store(slots[number % PATHS], &slot);
            segment_header(&s)->sequence = number;
        }
    }
    pin(argc > 3 ? atoi(argv[3]) : 1);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (uint64_t i = 0; i < reads; i++) {
        edge_entry entry;
        uint64_t number, mixed;
        if (!edge_table_find(&table, keys[i % PATHS], 0, &entry)) {
            missed++;
            continue;
        }
        memcpy(&number, entry.etag, 8);
        mixed = number * 0x9e3779b97f4a7c15u;
        torn += memcmp(entry.etag + 8, &mixed, 8) || entry.length != mixed % 10000 || entry.modified != (uint32_t)mixed
                || (uint64_t)(entry.body - table.base) != table.arena_begin + (mixed % 1000) * 64;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    printf("{\"reads\": %llu, \"torn\": %llu, \"missed\": %llu, \"writes\": %llu, \"seconds\": %.1f}\n",
           (unsigned long long)reads, (unsigned long long)torn, (unsigned long long)missed,
           (unsigned long long)segment_header(&s)->sequence,
           (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    return torn != 0;
}
