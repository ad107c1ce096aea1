#include "edge_table.h"

#include "edge_variant.h"

#include <string.h>

#define READ_TRIES 64

edge_table_opening edge_table_open(edge_table *table, const void *base, uint64_t bytes, void *block)
{
    const edge_header *header = base;
    uint16_t probe = 1;
    if (*(uint8_t *)&probe != 1)
        return EDGE_TABLE_BIG_ENDIAN;
    if (bytes < EDGE_HEADER_BYTES || memcmp(header->magic, EDGE_MAGIC, 8))
        return EDGE_TABLE_FOREIGN;
    if (header->version != EDGE_LAYOUT_VERSION || header->header_bytes != EDGE_HEADER_BYTES)
        return EDGE_TABLE_VERSION;
    uint64_t slots = header->slots_offset, count = header->slot_count;
    uint64_t arena = header->arena_offset, arena_bytes = header->arena_bytes;
    if (header->segment_bytes > bytes || !count || (count & (count - 1)) || slots % 64 || arena % 64
        || slots > bytes || count > (bytes - slots) / sizeof(edge_slot) || arena > bytes
        || arena_bytes > bytes - arena || slots < EDGE_HEADER_BYTES
        || header->worker_bytes < EDGE_WORKER_BLOCK + count)
        return EDGE_TABLE_INCONSISTENT;
    table->base = base;
    table->header = header;
    table->slots = (const edge_slot *)(const void *)(table->base + slots);
    table->slot_mask = count - 1;
    table->arena_begin = arena;
    table->arena_end = arena + arena_bytes;
    table->worker_epoch = block;
    table->counters = (uint64_t *)(void *)((uint8_t *)block + EDGE_OFFSET_COUNTERS);
    table->hits = (uint8_t *)block + EDGE_OFFSET_HITS;
    edge_hash_prepare(&table->hash, header->hash_key);
    return EDGE_TABLE_OPENED;
}

/* The epoch is stored, then read again: once it was still the same after the store became visible,
 * a writer that retires a block later cannot have missed this reader. */
void edge_table_enter(edge_table *table)
{
    uint64_t epoch = __atomic_load_n(&table->header->epoch, __ATOMIC_SEQ_CST), again;
    for (;;) {
        __atomic_store_n(table->worker_epoch, epoch, __ATOMIC_SEQ_CST);
        again = __atomic_load_n(&table->header->epoch, __ATOMIC_SEQ_CST);
        if (again == epoch)
            return;
        epoch = again;
    }
}

void edge_table_leave(edge_table *table)
{
    __atomic_store_n(table->worker_epoch, 0, __ATOMIC_RELEASE);
}

/* Copies a slot whole: the reader's side of its seqlock.  false: the writer was inside at every try, or
 * died there. */
static bool slot_read(const edge_slot *slot, edge_slot *copy)
{
    const uint64_t *from = (const uint64_t *)(const void *)slot;
    uint64_t words[8];
    for (int i = 0; i < READ_TRIES; i++) {
        uint32_t before = __atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE);
        if (before & 1)
            continue;
        for (int word = 0; word < 8; word++)
            words[word] = __atomic_load_n(from + word, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&slot->seq, __ATOMIC_RELAXED) == before) {
            memcpy(copy, words, sizeof *copy);
            return true;
        }
    }
    return false;
}

/* Whether entries of the origin in a slot may be confirmed; the node's own always. */
static bool confirmed(const edge_table *table, uint64_t length)
{
    unsigned origin = (unsigned)(length >> EDGE_LENGTH_BITS);
    return !origin || __atomic_load_n(&table->header->leases[origin], __ATOMIC_RELAXED) > table->now_ms;
}

static bool is_answer(const edge_slot *slot)
{
    return slot->state == EDGE_SLOT_ANSWER || slot->state == EDGE_SLOT_OTHER;
}

/* Whether an answer may be sent: it is fresh, not doubtful, and the lease of answers holds. */
static bool fresh(const edge_table *table, const edge_slot *slot)
{
    unsigned application = (unsigned)(slot->length >> EDGE_LENGTH_BITS);
    return (int32_t)(slot->modified - edge_ticks_of(table->now_ms)) > 0
           && slot->doubts == __atomic_load_n(&table->header->doubts[application], __ATOMIC_RELAXED)
           && __atomic_load_n(&table->header->answers_lease, __ATOMIC_RELAXED) > table->now_ms;
}

/* What the record behind the body of variant 0 says, drawn in edge/cache/record.py. */
static bool record_fill(const edge_table *table, const edge_slot *slot, edge_entry *entry)
{
    if (!entry->body || entry->length > (uint64_t)(table->base + table->arena_end - entry->body))
        return false;
    const uint8_t *record = entry->body + entry->length;
    uint64_t left = (uint64_t)(table->base + table->arena_end - record);
    uint16_t name_length;
    uint32_t born;
    if (left < EDGE_RECORD_BYTES)
        return false;
    memcpy(&entry->date, record, 4);
    memcpy(&born, record + EDGE_RECORD_BORN, 4);
    int32_t age = (int32_t)(edge_ticks_of(table->now_ms) - born);
    entry->age = age > 0 ? (uint32_t)age / EDGE_TICKS_PER_SECOND : 0;
    memcpy(&name_length, record + EDGE_RECORD_LENGTHS, 2);
    memcpy(&entry->own_length, record + EDGE_RECORD_LENGTHS + 2, 2);
    if (left - EDGE_RECORD_BYTES < (uint64_t)name_length + entry->own_length)
        return false;
    bool has_own = slot->variants & EDGE_OWN_ETAG && entry->own_length >= 2 && entry->own_length <= EDGE_OWN_LIMIT;
    entry->own_etag = has_own ? record + EDGE_RECORD_BYTES + name_length : NULL;
    return true;
}

static bool answer_fill(const edge_table *table, const edge_slot *slot, edge_entry *entry)
{
    entry->fresh = fresh(table, slot);
    entry->own_etag = NULL;
    return slot->variant || record_fill(table, slot, entry);
}

static bool is_weak(const edge_entry *entry)
{
    return entry->own_etag[0] == 'W';
}

const char *edge_own_suffix(const edge_entry *entry, unsigned variant)
{
    static const char *const suffixes[] = {"", "-gzip", "-br", "-zstd"};
    return variant < EDGE_CODINGS && !is_weak(entry) ? suffixes[variant] : "";
}

bool edge_is_own_tag(const edge_entry *entry, unsigned variant, const uint8_t *tag, size_t length)
{
    if (!entry->own_etag)
        return false;
    const char *suffix = edge_own_suffix(entry, variant);
    size_t quotes = is_weak(entry) ? 4 : 2, tail = strlen(suffix);
    if (entry->own_length < quotes || length != entry->own_length - quotes + tail)
        return false;
    return !memcmp(tag, entry->own_etag + quotes - 1, length - tail) && !memcmp(tag + length - tail, suffix, tail);
}

static bool entry_fill(const edge_table *table, const edge_slot *slot, edge_entry *entry)
{
    uint64_t head = (uint64_t)slot->head * EDGE_GRANULE;
    if (head < table->arena_begin || head > table->arena_end - 4)
        return false;
    const uint8_t *record = table->base + head;
    memcpy(&entry->length_200, record, 2);
    memcpy(&entry->length_304, record + 2, 2);
    if (entry->length_200 > EDGE_LINES_LIMIT || entry->length_304 > EDGE_LINES_LIMIT
        || head + 4 + entry->length_200 + entry->length_304 > table->arena_end)
        return false;
    entry->lines_200 = record + 4;
    entry->lines_304 = record + 4 + entry->length_200;
    entry->body = NULL;
    uint64_t length = slot->length & (((uint64_t)1 << EDGE_LENGTH_BITS) - 1);
    uint64_t body = (uint64_t)slot->body * EDGE_GRANULE;
    if (body) {
        if (body < table->arena_begin || body > table->arena_end || length > table->arena_end - body)
            return false;
        entry->body = table->base + body;
    }
    entry->length = length;
    entry->confirmed = is_answer(slot) || confirmed(table, slot->length);
    entry->state = slot->state;
    entry->variant = slot->variant;
    entry->variants = slot->variants;
    entry->modified = slot->modified;
    memcpy(entry->etag, slot->etag, EDGE_ETAG_BYTES);
    return !is_answer(slot) || answer_fill(table, slot, entry);
}

bool edge_table_find(const edge_table *table, edge_key key, unsigned variant, edge_entry *entry)
{
    uint64_t at = key.low & table->slot_mask;
    for (int i = 0; i < EDGE_MAX_PROBES; i++, at = (at + 1) & table->slot_mask) {
        edge_slot slot;
        if (!slot_read(table->slots + at, &slot))
            continue; /* unreadable: a miss at worst, if it was the one */
        if (slot.state == EDGE_SLOT_EMPTY)
            return false;
        if (slot.variant == variant && !memcmp(slot.key, &key, 16) && slot.state != EDGE_SLOT_DELETED) {
            entry->at = at;
            return entry_fill(table, &slot, entry);
        }
    }
    return false;
}

/* Whether a slot with a whole answer has the application's own tag, in any of its variants. */
static bool has_own_tag(const edge_table *table, const edge_slot *slot, const uint8_t *tag, size_t length)
{
    edge_entry entry;
    if (slot->variant || !(slot->variants & EDGE_OWN_ETAG) || !entry_fill(table, slot, &entry))
        return false;
    for (unsigned variant = EDGE_IDENTITY; variant < EDGE_CODINGS; variant++)
        if (slot->variants & EDGE_BIT(variant) && edge_is_own_tag(&entry, variant, tag, length))
            return true;
    return false;
}

bool edge_table_is_current(const edge_table *table, edge_key key, const uint8_t *tag, size_t length, bool *is_file)
{
    *is_file = false;
    uint64_t at = key.low & table->slot_mask;
    for (int i = 0; i < EDGE_MAX_PROBES; i++, at = (at + 1) & table->slot_mask) {
        edge_slot slot;
        if (!slot_read(table->slots + at, &slot))
            continue;
        if (slot.state == EDGE_SLOT_EMPTY)
            return false;
        if (slot.state == EDGE_SLOT_DELETED || memcmp(slot.key, &key, 16))
            continue;
        *is_file |= !is_answer(&slot);
        bool same = length == EDGE_ETAG_BYTES && !memcmp(slot.etag, tag, EDGE_ETAG_BYTES);
        if (is_answer(&slot) && (same || has_own_tag(table, &slot, tag, length)))
            return fresh(table, &slot);
        if (same && slot.state == EDGE_SLOT_LIVE)
            return confirmed(table, slot.length);
    }
    return false;
}

void edge_slot_store(edge_slot *slot, const edge_slot *value)
{
    uint64_t words[8], *to = (uint64_t *)(void *)slot;
    uint32_t seq = __atomic_load_n(&slot->seq, __ATOMIC_RELAXED) | 1;
    memcpy(words, value, sizeof words);
    __atomic_store_n(&slot->seq, seq, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    /* The second half of word 0 shares it with seq: written as its own four bytes. */
    __atomic_store_n((uint32_t *)(void *)slot + 1, (uint32_t)(words[0] >> 32), __ATOMIC_RELAXED);
    for (int word = 1; word < 8; word++)
        __atomic_store_n(to + word, words[word], __ATOMIC_RELAXED);
    __atomic_store_n(&slot->seq, seq + 1, __ATOMIC_RELEASE);
}

uint64_t edge_epoch_advance(edge_header *header)
{
    return __atomic_fetch_add(&header->epoch, 1, __ATOMIC_SEQ_CST);
}
