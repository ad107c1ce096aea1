#include "edge_log.h"

_Static_assert(sizeof(edge_log_header) <= EDGE_LOG_HEADER, "the header is before the data");
_Static_assert(__builtin_offsetof(edge_log_header, head) == 64, "header drawing");
_Static_assert(__builtin_offsetof(edge_log_header, tail) == 128, "header drawing");

bool edge_log_open(edge_log_ring *ring, void *memory, uint64_t bytes)
{
    edge_log_header *header = memory;
    if (bytes < EDGE_LOG_HEADER || memcmp(header->magic, EDGE_LOG_MAGIC, sizeof header->magic)
        || header->version != EDGE_LOG_VERSION || header->bytes != bytes - EDGE_LOG_HEADER
        || header->bytes < EDGE_LOG_MOST || header->bytes & (header->bytes - 1))
        return false;
    ring->header = header;
    ring->data = (uint8_t *)memory + EDGE_LOG_HEADER;
    ring->bytes = header->bytes;
    return true;
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t length)
{
    memcpy(to, bytes, length);
    return to + length;
}

/* The bytes of a record; how many. */
static uint32_t compose(uint8_t *record, const edge_log_entry *entry)
{
    static const uint16_t limits[EDGE_LOG_TEXTS] = EDGE_LOG_LIMITS;
    uint16_t lengths[EDGE_LOG_TEXTS] = {0}, cut[2] = {0}; /* with a spare one behind it */
    uint8_t *to = record + EDGE_LOG_RECORD;
    for (unsigned i = 0; i < EDGE_LOG_TEXTS; i++) {
        size_t length = entry->texts[i].length;
        if (length > limits[i]) {
            length = limits[i];
            cut[0] |= (uint16_t)(1 << i);
        }
        if (length)
            to = put(to, entry->texts[i].bytes, length);
        lengths[i] = (uint16_t)length;
    }
    while ((to - record) % 8)
        *to++ = 0;
    uint32_t size = (uint32_t)(to - record);
    to = put(record, &size, 4);
    to = put(to, &entry->status, 2);
    *to++ = entry->cache;
    *to++ = entry->protocol;
    to = put(to, &entry->at, 8);
    to = put(to, &entry->sent, 8);
    to = put(to, &entry->duration, 4);
    to = put(to, cut, 4);
    to = put(to, entry->address, 16);
    put(to, lengths, sizeof lengths);
    return size;
}

void edge_log_write(edge_log_ring *ring, const edge_log_entry *entry)
{
    edge_log_header *header = ring->header;
    uint8_t apart[EDGE_LOG_MOST + 8];
    uint64_t head = header->head, tail = __atomic_load_n(&header->tail, __ATOMIC_ACQUIRE);
    uint64_t at = head & (ring->bytes - 1), straight = ring->bytes - at, room = ring->bytes - (head - tail);
    /* Where the longest record is behind the head and before the tail, it is composed there; else apart, and copied. */
    const bool in_place = straight >= sizeof apart && room >= sizeof apart && room <= ring->bytes;
    uint8_t *record = in_place ? ring->data + at : apart;
    uint32_t size = compose(record, entry);
    if (!in_place) {
        if (head - tail + size > ring->bytes) {
            __atomic_store_n(&header->dropped, header->dropped + 1, __ATOMIC_RELAXED);
            return;
        }
        uint64_t first = straight < size ? straight : size;
        memcpy(ring->data + at, record, first);
        memcpy(ring->data, record + first, size - first);
    }
    __atomic_store_n(&header->written, header->written + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&header->head, head + size, __ATOMIC_RELEASE);
}

bool edge_log_is_awaited(const edge_log_ring *ring)
{
    const edge_log_header *header = ring->header;
    if (!header)
        return false;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the head before the look: edge_log_sleeps looks the other way round */
    return __atomic_load_n(&header->waiting, __ATOMIC_RELAXED)
           && __atomic_load_n(&header->tail, __ATOMIC_RELAXED) != header->head;
}
