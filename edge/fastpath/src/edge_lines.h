/* The other end of the rings of edge_log.h: records as lines of an access log, byte for byte as edge/logs/lines.py
 * makes them.  Who writes the ring may be anybody: whatever is in it makes whole lines, or is skipped and counted.
 * Sans-IO. */
#ifndef EDGE_LINES_H
#define EDGE_LINES_H

#include "edge_log.h"

#define EDGE_LINE_MOST (6 * EDGE_LOG_MOST + 520) /* bytes of the longest line: \u00XX for each byte */

typedef enum { EDGE_LINES_COMMON, EDGE_LINES_COMBINED, EDGE_LINES_JSON } edge_lines_format;

/* Copies the next record to record, EDGE_LOG_MOST bytes, and moves on: its bytes, or 0: there is none.  What is no
 * record is skipped, up to the head; *damaged counts that. */
uint32_t edge_log_read(edge_log_ring *ring, uint8_t *record, uint64_t *damaged);
/* Lines of the records that there are, as many as have room (EDGE_LINE_MOST of it at least): their bytes. */
size_t edge_log_lines(edge_log_ring *ring, edge_lines_format format, unsigned worker, uint8_t *to, size_t room,
                      uint64_t *damaged);
/* The reader is about to sleep (or wakes: false).  Whether it may: nothing is there to be read. */
bool edge_log_sleeps(edge_log_ring *ring, bool sleeps);

#endif
