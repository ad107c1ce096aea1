/* Scatter/gather output: heads in a buffer, bodies where they lie, and an iovec of both in order for one
 * sendmsg; nothing is copied together.  The caller sees to it that there is room.  Sans-IO: sys/uio.h is
 * here for struct iovec alone. */
#ifndef EDGE_OUTPUT_H
#define EDGE_OUTPUT_H

#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#define EDGE_ANSWERS 64               /* requests answered in one call */
#define EDGE_PIECES (2 * EDGE_ANSWERS) /* a head and a body each */
#define EDGE_HEADS_BYTES (128 * 1024) /* buffer for heads and small bodies */

typedef struct {
    uint8_t heads[EDGE_HEADS_BYTES];
    size_t used;
    struct iovec pieces[EDGE_PIECES];
    int count;
    size_t total; /* bytes in all pieces */
} edge_output;

#define EDGE_NUMBER_BYTES 20
#define EDGE_LITERAL(text) (const uint8_t *)(text), sizeof(text) - 1

static inline void edge_output_clear(edge_output *out)
{
    out->used = 0;
    out->count = 0;
    out->total = 0;
}

static inline void edge_put(edge_output *out, const uint8_t *bytes, size_t length)
{
    memcpy(out->heads + out->used, bytes, length);
    out->used += length;
}

/* Writes a number in decimal, at most EDGE_NUMBER_BYTES; the byte after it. */
static inline uint8_t *edge_write_number(uint8_t *to, uint64_t number)
{
    uint8_t digits[EDGE_NUMBER_BYTES];
    int i = EDGE_NUMBER_BYTES;
    do
        digits[--i] = (uint8_t)('0' + number % 10);
    while (number /= 10);
    memcpy(to, digits + i, (size_t)(EDGE_NUMBER_BYTES - i));
    return to + (EDGE_NUMBER_BYTES - i);
}

static inline void edge_put_number(edge_output *out, uint64_t number)
{
    out->used = (size_t)(edge_write_number(out->heads + out->used, number) - out->heads);
}

/* Appends a piece; one that follows the last piece in memory joins it. */
static inline void edge_piece(edge_output *out, const uint8_t *bytes, size_t length)
{
    if (!length)
        return;
    out->total += length;
    if (out->count) {
        struct iovec *last = out->pieces + out->count - 1;
        if ((uint8_t *)last->iov_base + last->iov_len == bytes) {
            last->iov_len += length;
            return;
        }
    }
    out->pieces[out->count].iov_base = (void *)(uintptr_t)bytes;
    out->pieces[out->count++].iov_len = length;
}

/* What was put since out->used was begin becomes a piece. */
static inline void edge_piece_since(edge_output *out, size_t begin)
{
    edge_piece(out, out->heads + begin, out->used - begin);
}

#endif
