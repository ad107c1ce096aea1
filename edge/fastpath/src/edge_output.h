/* Output that is gathered, not copied together: heads in a buffer, bodies where they lie, and a list of
 * both in order for one sendmsg.  The caller sees to it that there is room. */
#ifndef EDGE_OUTPUT_H
#define EDGE_OUTPUT_H

#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#define EDGE_ANSWERS 64               /* requests answered in one call */
#define EDGE_PIECES (2 * EDGE_ANSWERS)
#define EDGE_HEADS_BYTES (128 * 1024) /* buffer for heads and small bodies */

typedef struct {
    uint8_t heads[EDGE_HEADS_BYTES];
    size_t used;
    struct iovec pieces[EDGE_PIECES];
    int count;
    size_t total; /* bytes in all pieces */
} edge_output;

#define EDGE_LITERAL(text) (const uint8_t *)(text), sizeof(text) - 1

static inline void edge_put(edge_output *out, const uint8_t *bytes, size_t length)
{
    memcpy(out->heads + out->used, bytes, length);
    out->used += length;
}

static inline void edge_put_number(edge_output *out, uint64_t number)
{
    uint8_t digits[20];
    int i = 20;
    do
        digits[--i] = (uint8_t)('0' + number % 10);
    while (number /= 10);
    edge_put(out, digits + i, (size_t)(20 - i));
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

#endif
