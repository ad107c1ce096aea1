/* The table's reader against whole, odd, corrupt and impossible bytes. */
#include "check.h"

static edge_key key_of(edge_table *table, const char *path)
{
    return edge_hash(&table->hash, (const uint8_t *)path, strlen(path));
}

static void open_refuses_what_is_no_table(void)
{
    segment s = segment_new();
    edge_header *header = (edge_header *)(void *)s.base, good = *header;
    edge_table table;
    check(edge_table_open(&table, s.base, SEGMENT_BYTES, worker_block) == EDGE_TABLE_OPENED, "a table opens");
    check(edge_table_open(&table, s.base, SEGMENT_BYTES - 1, worker_block) == EDGE_TABLE_INCONSISTENT, "a truncated segment is refused");
    check(edge_table_open(&table, s.base, 100, worker_block) == EDGE_TABLE_FOREIGN, "a segment smaller than a header is refused");
    header->version = EDGE_LAYOUT_VERSION + 1;
    check(edge_table_open(&table, s.base, SEGMENT_BYTES, worker_block) == EDGE_TABLE_VERSION, "another version is refused");
    *header = good;
    header->magic[0] = 'X';
    check(edge_table_open(&table, s.base, SEGMENT_BYTES, worker_block) == EDGE_TABLE_FOREIGN, "other magic bytes are refused");
    *header = good;
    header->slot_count = 1000;
    check(edge_table_open(&table, s.base, SEGMENT_BYTES, worker_block) == EDGE_TABLE_INCONSISTENT, "a slot count that is no power of two is refused");
    *header = good;
    header->arena_offset = ~(uint64_t)63;
    check(edge_table_open(&table, s.base, SEGMENT_BYTES, worker_block) == EDGE_TABLE_INCONSISTENT, "an arena outside is refused");
    *header = good;
    header->slots_offset = 64;
    check(edge_table_open(&table, s.base, SEGMENT_BYTES, worker_block) == EDGE_TABLE_INCONSISTENT, "slots over the header are refused");
    free(s.base);
}

static void corrupt_slots_are_misses(void)
{
    segment s = segment_new();
    edge_table table;
    edge_entry entry;
    edge_table_open(&table, s.base, SEGMENT_BYTES, worker_block);
    segment_site(&s, &table);
    edge_key key = key_of(&table, "/a.html");
    edge_slot *slot = segment_slots(&s) + (key.low & table.slot_mask);
    while (memcmp(slot->key, &key, 16) || slot->variant)
        slot++;
    edge_slot good = *slot;
    check(edge_table_find(&table, key, 0, &entry) && entry.length == 15, "a live entry is found");
    bool is_file;
    check(edge_table_is_current(&table, key, (const uint8_t *)"brotli---etag-16", 16, &is_file) && is_file,
          "any variant's ETag is current");
    check(!edge_table_is_current(&table, key, (const uint8_t *)"another--etag-16", 16, &is_file) && is_file,
          "another ETag is not");
    slot->seq |= 1;
    check(!edge_table_find(&table, key, 0, &entry), "an entry whose writer died inside is a miss");
    check(edge_table_find(&table, key, 2, &entry), "its neighbours are still found");
    *slot = good;
    slot->body = (uint32_t)(table.arena_end / 64 - 1);
    slot->length = 65;
    check(!edge_table_find(&table, key, 0, &entry), "a body beyond the arena is a miss");
    *slot = good;
    slot->length = ~(uint64_t)0;
    check(!edge_table_find(&table, key, 0, &entry), "a length beyond the arena is a miss");
    *slot = good;
    slot->head = ~(uint32_t)0;
    check(!edge_table_find(&table, key, 0, &entry), "a head beyond the arena is a miss");
    *slot = good;
    slot->head = 0;
    check(!edge_table_find(&table, key, 0, &entry), "a head before the arena is a miss");
    for (uint64_t i = 0; i <= table.slot_mask; i++)
        segment_slots(&s)[i].state = EDGE_SLOT_DELETED;
    check(!edge_table_find(&table, key, 0, &entry), "a table full of deleted slots ends the search");
    free(s.base);
}

static void random_bytes_never_lead_outside(void)
{
    segment s = segment_new();
    edge_table table;
    edge_entry entry;
    unsigned found = 0, own = 0;
    edge_table_open(&table, s.base, SEGMENT_BYTES, worker_block);
    srand(1);
    for (uint64_t i = 0; i < (SLOTS * 64 + ARENA) / 2; i++)
        ((uint16_t *)(void *)segment_slots(&s))[i] = (uint16_t)rand();
    for (uint64_t i = 0; i <= table.slot_mask; i++) {
        edge_key key;
        segment_slots(&s)[i].seq &= ~1u;
        memcpy(&key, table.slots[i].key, 16);
        key.low = (key.low & ~table.slot_mask) | i; /* its home is here */
        memcpy(segment_slots(&s)[i].key, &key, 16);
        segment_slots(&s)[i].state = i & 2 ? EDGE_SLOT_ANSWER : EDGE_SLOT_LIVE;
        if (i & 1) {
            segment_slots(&s)[i].head = (uint32_t)((table.arena_begin + (uint64_t)rand() % ARENA) / 64);
            segment_slots(&s)[i].body = (uint32_t)((table.arena_begin + (uint64_t)rand() % ARENA) / 64);
            segment_slots(&s)[i].length %= 2048;
            if (i & 2) { /* an answer, whose record says what it likes */
                uint64_t record = (uint64_t)segment_slots(&s)[i].body * 64 + segment_slots(&s)[i].length;
                uint16_t length = (uint16_t)(rand() % 600);
                uint64_t head = (uint64_t)segment_slots(&s)[i].head * 64;
                segment_slots(&s)[i].variant = 0;
                if (head + 4 <= table.arena_end)
                    memset(s.base + head, 0, 4);
                if (record + EDGE_RECORD_BYTES <= table.arena_end)
                    memcpy(s.base + record + EDGE_RECORD_LENGTHS + 2, &length, 2);
            }
        }
        if (edge_table_find(&table, key, table.slots[i].variant, &entry)) {
            volatile uint8_t sum = 0;
            for (uint64_t b = 0; entry.body && b < entry.length; b++)
                sum ^= entry.body[b];
            for (unsigned b = 0; b < entry.length_200 + (unsigned)entry.length_304; b++)
                sum ^= entry.lines_200[b];
            if (entry.state == EDGE_SLOT_ANSWER && entry.own_etag) {
                for (unsigned variant = 0; variant < 3; variant++) {
                    own += edge_is_own_tag(&entry, variant, entry.own_etag, entry.own_length);
                    sum ^= (uint8_t)edge_own_suffix(&entry, variant)[0];
                }
                for (unsigned b = 0; b < entry.own_length; b++)
                    sum ^= entry.own_etag[b];
                own++;
            }
            found++;
        }
    }
    check(own > 0, "some of them have an ETag of an application, in its bounds");
    check(found > 0, "random slots lead to misses or to bytes inside the arena");
    free(s.base);
}

static void epochs_tell_who_reads(void)
{
    segment s = segment_new();
    edge_table table;
    edge_table_open(&table, s.base, SEGMENT_BYTES, worker_block);
    edge_table_enter(&table);
    check(*table.worker_epoch == 1, "a reader shows the epoch it entered in");
    check(edge_epoch_advance(segment_header(&s)) == 1 && table.header->epoch == 2, "the writer advances the epoch");
    check(*table.worker_epoch == 1, "the reader keeps its own");
    edge_table_leave(&table);
    check(*table.worker_epoch == 0, "a reader outside shows zero");
    free(s.base);
}

int main(void)
{
    open_refuses_what_is_no_table();
    corrupt_slots_are_misses();
    random_bytes_never_lead_outside();
    epochs_tell_who_reads();
    return check_failures != 0;
}
