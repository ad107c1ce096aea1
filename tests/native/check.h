/* What every native test needs: named checks, a table in ordinary memory, bytes before a guard page. */
#ifndef CHECK_H
#define CHECK_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edge_answer.h"

static int check_failures;

/* Each test is a sentence; its line says how it went and is counted by the test runner. */
static inline void check(int ok, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf(ok ? "ok - " : "not ok - ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    check_failures += !ok;
}

/* The next of the numbers below n that every run draws alike (xorshift64). */
static inline uint32_t below(uint32_t n)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? (uint32_t)(state % n) : 0;
}

/* A copy of the bytes that ends right before memory that must not be touched. */
static inline uint8_t *guarded(const void *bytes, size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = length / page + 1;
    uint8_t *area = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED || mprotect(area + pages * page, page, PROT_NONE))
        abort();
    uint8_t *copy = area + pages * page - length;
    memcpy(copy, bytes, length);
    return copy;
}

static inline void unguard(uint8_t *copy, size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = length / page + 1;
    munmap(copy + length - pages * page, (pages + 1) * page);
}

/* Makes the memory an empty ring of the log. */
static inline void ring_new(uint8_t *memory, size_t bytes)
{
    edge_log_header *header = (edge_log_header *)(void *)memory;
    memset(memory, 0, bytes);
    memcpy(header->magic, EDGE_LOG_MAGIC, 8);
    header->version = EDGE_LOG_VERSION;
    header->bytes = bytes - EDGE_LOG_HEADER;
}

#define SLOTS 1024
#define ARENA (1 << 20)
#define SEGMENT_BYTES (EDGE_HEADER_BYTES + SLOTS * 64 + ARENA)

/* What a worker would write; one at a time is enough here. */
static uint8_t worker_block[EDGE_WORKER_BLOCK + SLOTS] __attribute__((aligned(64), unused));

typedef struct {
    uint8_t *base;
    uint64_t arena_used;
} segment;

static inline segment segment_new(void)
{
    segment s = {aligned_alloc(4096, SEGMENT_BYTES), 0};
    memset(s.base, 0, SEGMENT_BYTES);
    edge_header *header = (edge_header *)(void *)s.base;
    memcpy(header->magic, EDGE_MAGIC, 8);
    header->version = EDGE_LAYOUT_VERSION;
    header->header_bytes = EDGE_HEADER_BYTES;
    header->segment_bytes = SEGMENT_BYTES;
    header->slots_offset = EDGE_HEADER_BYTES;
    header->slot_count = SLOTS;
    header->arena_offset = header->slots_offset + SLOTS * 64;
    header->arena_bytes = ARENA;
    header->worker_count = 2;
    header->worker_bytes = EDGE_WORKER_BLOCK + SLOTS;
    memcpy(header->hash_key, "0123456789abcdef", 16);
    header->epoch = 1;
    header->complete = 1;
    header->answers_lease = UINT64_MAX;
    return s;
}

static inline edge_header *segment_header(const segment *s)
{
    return (edge_header *)(void *)s->base;
}

static inline edge_slot *segment_slots(const segment *s)
{
    return (edge_slot *)(void *)(s->base + EDGE_HEADER_BYTES);
}

static inline uint64_t segment_block(segment *s, const void *bytes, size_t length)
{
    edge_header *header = (edge_header *)(void *)s->base;
    uint64_t at = header->arena_offset + s->arena_used;
    memcpy(s->base + at, bytes, length);
    s->arena_used += (length + 63) / 64 * 64;
    return at;
}

static inline void segment_put(segment *s, edge_table *table, const char *path, unsigned variant, unsigned variants,
                               const char *etag, const char *body, const char *lines_200, const char *lines_304,
                               uint8_t state)
{
    uint8_t record[4 + 2 * EDGE_LINES_LIMIT];
    uint16_t lengths[2] = {(uint16_t)strlen(lines_200), (uint16_t)strlen(lines_304)};
    edge_slot slot = {.state = state, .variant = (uint8_t)variant, .variants = (uint16_t)variants};
    edge_key key = edge_hash(&table->hash, (const uint8_t *)path, strlen(path));
    memcpy(record, lengths, 4);
    memcpy(record + 4, lines_200, lengths[0]);
    memcpy(record + 4 + lengths[0], lines_304, lengths[1]);
    memcpy(slot.key, &key, 16);
    memcpy(slot.etag, etag, 16);
    slot.length = strlen(body);
    slot.body = (uint32_t)(segment_block(s, body, slot.length + 1) / 64);
    slot.head = (uint32_t)(segment_block(s, record, 4u + lengths[0] + lengths[1]) / 64);
    slot.modified = 1700000000;
    uint64_t at = key.low & table->slot_mask;
    while (table->slots[at].state != EDGE_SLOT_EMPTY)
        at = (at + 1) & table->slot_mask;
    edge_slot_store(segment_slots(s) + at, &slot);
}

/* A small site: /a.html in identity, gzip and br; /i.jpg with AVIF; the revalidation template. */
static inline void segment_site(segment *s, edge_table *table)
{
    static const char plain[] = "Content-Type: text/html; charset=utf-8\r\nVary: Accept-Encoding\r\n"
                                "Cache-Control: no-cache\r\nAccept-Ranges: bytes\r\n";
    static const char vary[] = "Cache-Control: no-cache\r\nVary: Accept-Encoding\r\n";
    static const char image[] = "Content-Type: image/jpeg\r\nVary: Accept\r\nCache-Control: no-cache\r\n";
    static const char image_304[] = "Cache-Control: no-cache\r\nVary: Accept\r\n";
    segment_put(s, table, "/a.html", 0, 7, "identity-etag-16", "<p>identity</p>", plain, vary, EDGE_SLOT_LIVE);
    segment_put(s, table, "/a.html", 1, 7, "gzipped--etag-16", "gzip bytes", plain, vary, EDGE_SLOT_LIVE);
    segment_put(s, table, "/a.html", 2, 7, "brotli---etag-16", "br", plain, vary, EDGE_SLOT_LIVE);
    segment_put(s, table, "/i.jpg", 0, 0x101, "jpeg-----etag-16", "jpeg bytes", image, image_304, EDGE_SLOT_LIVE);
    segment_put(s, table, "/i.jpg", 8, 0x101, "avif-----etag-16", "avif", image, image_304, EDGE_SLOT_LIVE);
    segment_put(s, table, "/.edge/revalidate", 0, 1, "template-etag-16", "", "Content-Type: application/json\r\n", "",
                EDGE_SLOT_TEMPLATE);
}

#endif
