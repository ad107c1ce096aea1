/* The ring of records, and the lines that are made of it, whatever is in it. */
#include "check.h"

#include "edge_lines.h"

#define RING (EDGE_LOG_HEADER + 16384)

static uint8_t memory[RING] __attribute__((aligned(64)));
static uint8_t noise[8192];
static uint64_t seed = 88172645463325252u;

static uint64_t draw(void) /* xorshift64 */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static edge_log_entry entry_new(size_t most)
{
    static uint8_t address[16];
    edge_log_entry entry = {.at = 1700000000000000u, .sent = 5, .duration = 7, .status = 200, .cache = 1,
                            .protocol = 11, .address = address};
    for (unsigned i = 0; i < EDGE_LOG_TEXTS; i++)
        entry.texts[i] = (edge_span){noise, draw() % (most + 1)};
    return entry;
}

static bool is_whole(const uint8_t *lines, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (lines[i] != '\n' && (lines[i] < 0x20 || lines[i] >= 0x7f))
            return false;
    return !length || lines[length - 1] == '\n';
}

static size_t lines_of(edge_log_ring *ring, edge_lines_format format, uint64_t *damaged)
{
    static const uint8_t room[EDGE_LINE_MOST];
    uint8_t *lines = guarded(room, EDGE_LINE_MOST);
    size_t length = edge_log_lines(ring, format, 3, lines, EDGE_LINE_MOST, damaged);
    check_failures += !is_whole(lines, length);
    unguard(lines, EDGE_LINE_MOST);
    return length;
}

static void the_longest_record_has_room(void)
{
    for (int format = EDGE_LINES_COMMON; format <= EDGE_LINES_JSON; format++) {
        edge_log_ring ring = {NULL, NULL, 0};
        uint64_t damaged = 0;
        ring_new(memory, sizeof memory);
        check(edge_log_open(&ring, memory, sizeof memory), "the memory is a ring");
        edge_log_entry entry = entry_new(0);
        memset(noise, 0xff, sizeof noise);
        for (unsigned i = 0; i < EDGE_LOG_TEXTS; i++)
            entry.texts[i].length = sizeof noise;
        entry.at = 253402300799999999u;
        entry.sent = ~(uint64_t)0;
        entry.duration = ~(uint32_t)0;
        entry.status = 65535;
        edge_log_write(&ring, &entry);
        check(ring.header->head == EDGE_LOG_MOST, "texts are cut at their limits");
        check(lines_of(&ring, (edge_lines_format)format, &damaged) > EDGE_LOG_MOST && !damaged, "its line has room");
    }
}

static void whatever_is_in_a_ring_makes_whole_lines(void)
{
    edge_log_ring ring = {NULL, NULL, 0};
    uint64_t damaged = 0;
    int before = check_failures;
    ring_new(memory, sizeof memory);
    edge_log_open(&ring, memory, sizeof memory);
    for (int round = 0; round < 20000; round++) {
        for (size_t i = 0; i < 64; i++)
            noise[draw() % sizeof noise] = (uint8_t)draw();
        edge_log_entry entry = entry_new(round % 8 ? 100 : 3000);
        edge_log_write(&ring, &entry);
        if (round % 5 == 0)
            memory[EDGE_LOG_HEADER + draw() % (sizeof memory - EDGE_LOG_HEADER)] = (uint8_t)draw();
        if (round % 50 == 0)
            ring.header->head += draw() % 3 ? draw() % 256 : draw();
        if (round % 70 == 0)
            ring.header->tail += draw() % 2 ? draw() % 64 : draw();
        lines_of(&ring, (edge_lines_format)(round % 3), &damaged);
    }
    check(check_failures == before && damaged, "whatever is in a ring makes whole lines, or is counted");
}

static void what_is_no_ring_is_refused(void)
{
    edge_log_ring ring = {NULL, NULL, 0};
    ring_new(memory, sizeof memory);
    check(!edge_log_open(&ring, memory, EDGE_LOG_HEADER - 1), "too short");
    check(!edge_log_open(&ring, memory, sizeof memory - 1), "of another size");
    ((edge_log_header *)(void *)memory)->version++;
    check(!edge_log_open(&ring, memory, sizeof memory), "of another version");
    memset(memory, 0, sizeof memory);
    check(!edge_log_open(&ring, memory, sizeof memory), "zeros are no ring");
}

int main(void)
{
    the_longest_record_has_room();
    whatever_is_in_a_ring_makes_whole_lines();
    what_is_no_ring_is_refused();
    return check_failures != 0;
}
