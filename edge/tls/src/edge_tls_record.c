#include "edge_tls_record.h"

#include <string.h>

#include <openssl/crypto.h>

/* ---- opening ---- */

int edge_tls_open_record(const edge_tls_suite *suite, edge_tls_cell *cell, unsigned direction, bool new_key,
                         const uint8_t *record, size_t length, uint8_t *out, size_t *written)
{
    const uint8_t *key = new_key ? edge_tls_key(suite, cell, direction) : NULL;
    size_t inner = length - EDGE_TLS_HEADER - EDGE_TLS_TAG;
    if (!edge_tls_aead_begin(suite, false, key, cell->iv[direction], cell->sequence[direction]++, record)
        || !edge_tls_aead_update(suite, record + EDGE_TLS_HEADER, inner, out)
        || !edge_tls_aead_verify(suite, record + length - EDGE_TLS_TAG)) {
        OPENSSL_cleanse(out, inner);
        return -1;
    }
    *written = inner;
    while (*written && !out[*written - 1])
        --*written;
    return *written ? out[--*written] : 0;
}

static int useless(edge_tls_cell *cell)
{
    if (cell->useless == EDGE_TLS_USELESS)
        return EDGE_TLS_UNEXPECTED_MESSAGE;
    cell->useless++;
    return EDGE_TLS_NO_ALERT;
}

/* An alert of the peer; its level says nothing any more, RFC 8446 6. */
static int alert_came(edge_tls_cell *cell, const uint8_t *content, size_t length, edge_tls_opened *opened)
{
    if (length != 2) /* it stands alone in its record, and an empty one is no alert: RFC 8446 5.1, 5.4 */
        return length ? EDGE_TLS_DECODE_ERROR : EDGE_TLS_UNEXPECTED_MESSAGE;
    if (content[1] == EDGE_TLS_USER_CANCELED)
        return useless(cell);
    if (content[1] == EDGE_TLS_CLOSE_NOTIFY) {
        opened->closed = true;
        cell->flags |= EDGE_TLS_FLAG_CLOSED;
    } else {
        opened->received = content[1];
        cell->flags |= EDGE_TLS_FLAG_DEAD | EDGE_TLS_FLAG_SHUT; /* there is nobody to answer */
        cell->flags &= (uint8_t)~EDGE_TLS_FLAG_OWES;
    }
    return EDGE_TLS_NO_ALERT;
}

/* A KeyUpdate or a part of one, RFC 8446 4.6.3: it ends its record, as the next is under the next key. */
static int handshake_came(const edge_tls_suite *suite, edge_tls_cell *cell, const uint8_t *content, size_t length,
                          edge_tls_opened *opened)
{
    static const uint8_t expected[] = {24, 0, 0, 1};
    if (useless(cell) != EDGE_TLS_NO_ALERT || !length)
        return EDGE_TLS_UNEXPECTED_MESSAGE;
    for (; length && cell->partial < sizeof expected; length--, cell->partial++)
        if (*content++ != expected[cell->partial])
            return cell->partial ? EDGE_TLS_DECODE_ERROR : EDGE_TLS_UNEXPECTED_MESSAGE;
    if (!length)
        return EDGE_TLS_NO_ALERT;
    if (*content > 1)
        return EDGE_TLS_ILLEGAL_PARAMETER;
    if (length > 1)
        return EDGE_TLS_UNEXPECTED_MESSAGE;
    cell->partial = 0;
    if (*content && !(cell->flags & EDGE_TLS_FLAG_SHUT))
        cell->flags |= EDGE_TLS_FLAG_OWES;
    opened->updates++;
    return edge_tls_advance(suite, cell, EDGE_TLS_READ) ? EDGE_TLS_NO_ALERT : EDGE_TLS_INTERNAL_ERROR;
}

/* What a verified record carries; the alert that is to be sent. */
static int content_came(const edge_tls_suite *suite, edge_tls_cell *cell, int type, uint8_t *content, size_t length,
                        edge_tls_opened *opened)
{
    if (cell->partial && type != EDGE_TLS_TYPE_HANDSHAKE)
        return EDGE_TLS_UNEXPECTED_MESSAGE;
    switch (type) {
    case EDGE_TLS_TYPE_DATA:
        if (length > EDGE_TLS_TEXT)
            return EDGE_TLS_RECORD_OVERFLOW;
        if (!length)
            return useless(cell);
        cell->useless = 0;
        opened->written += length;
        return EDGE_TLS_NO_ALERT;
    case EDGE_TLS_TYPE_ALERT:
        return alert_came(cell, content, length, opened);
    case EDGE_TLS_TYPE_HANDSHAKE:
        return handshake_came(suite, cell, content, length, opened);
    default:
        return EDGE_TLS_UNEXPECTED_MESSAGE;
    }
}

/* What the header alone says. */
static int header_came(const uint8_t *header)
{
    if (header[0] != EDGE_TLS_TYPE_DATA)
        return EDGE_TLS_UNEXPECTED_MESSAGE;
    if (edge_tls_record_length(header) > EDGE_TLS_TEXT + 256)
        return EDGE_TLS_RECORD_OVERFLOW;
    return EDGE_TLS_NO_ALERT;
}

static int record_came(const edge_tls_suite *suite, edge_tls_cell *cell, bool new_key, const uint8_t *record,
                       size_t length, uint8_t *out, edge_tls_opened *opened)
{
    size_t content;
    if (length < EDGE_TLS_HEADER + 1 + EDGE_TLS_TAG)
        return EDGE_TLS_BAD_RECORD_MAC;
    int type = edge_tls_open_record(suite, cell, EDGE_TLS_READ, new_key, record, length, out, &content);
    if (type < 0)
        return EDGE_TLS_BAD_RECORD_MAC;
    if (length > EDGE_TLS_HEADER + EDGE_TLS_TEXT + 1 + EDGE_TLS_TAG)
        return EDGE_TLS_RECORD_OVERFLOW;
    return content_came(suite, cell, type, out, content, opened);
}

void edge_tls_open(const edge_tls_suite *suites, edge_tls_cell *cell, const uint8_t *in, size_t length,
                   uint8_t *out, edge_tls_opened *opened)
{
    const edge_tls_suite *suite = suites + cell->suite;
    bool new_key = true;
    *opened = (edge_tls_opened){.sends = EDGE_TLS_NO_ALERT, .received = EDGE_TLS_NO_ALERT};
    while (!(cell->flags & (EDGE_TLS_FLAG_CLOSED | EDGE_TLS_FLAG_DEAD)) && length - opened->consumed >= EDGE_TLS_HEADER) {
        const uint8_t *record = in + opened->consumed;
        size_t whole = EDGE_TLS_HEADER + edge_tls_record_length(record);
        uint32_t updates = opened->updates;
        opened->sends = header_came(record);
        if (opened->sends == EDGE_TLS_NO_ALERT) {
            if (length - opened->consumed < whole)
                break;
            opened->sends = record_came(suite, cell, new_key, record, whole, out + opened->written, opened);
        }
        if (opened->sends != EDGE_TLS_NO_ALERT) {
            cell->flags |= EDGE_TLS_FLAG_DEAD;
            cell->partial = 0;
            break;
        }
        opened->consumed += whole;
        new_key = opened->updates != updates;
    }
    if (cell->flags & (EDGE_TLS_FLAG_CLOSED | EDGE_TLS_FLAG_DEAD))
        opened->consumed = length; /* what comes after the end is nobody's */
    opened->closed = cell->flags & (EDGE_TLS_FLAG_CLOSED | EDGE_TLS_FLAG_DEAD);
    opened->owes = cell->flags & EDGE_TLS_FLAG_OWES;
}

/* ---- sealing ---- */

/* A place in gathered output. */
typedef struct {
    const struct iovec *piece;
    size_t at;
} cursor;

static bool update_from(const edge_tls_suite *suite, cursor *from, size_t length, uint8_t *out)
{
    while (length) {
        size_t part = from->piece->iov_len - from->at;
        part = part < length ? part : length;
        if (!edge_tls_aead_update(suite, (const uint8_t *)from->piece->iov_base + from->at, part, out))
            return false;
        out += part;
        length -= part;
        from->at += part;
        if (from->at == from->piece->iov_len)
            *from = (cursor){from->piece + 1, 0};
    }
    return true;
}

/* Seals one record of `length` bytes; how many it has, 0: it cannot be done. */
static size_t seal_record(const edge_tls_suite *suite, edge_tls_cell *cell, bool new_key, uint8_t type, cursor *from,
                          size_t length, uint8_t *out)
{
    const uint8_t *key = new_key ? edge_tls_key(suite, cell, EDGE_TLS_WRITE) : NULL;
    size_t rest = length + 1 + EDGE_TLS_TAG;
    out[0] = EDGE_TLS_TYPE_DATA;
    out[1] = out[2] = 3;
    out[3] = (uint8_t)(rest >> 8);
    out[4] = (uint8_t)rest;
    if (!edge_tls_aead_begin(suite, true, key, cell->iv[EDGE_TLS_WRITE], cell->sequence[EDGE_TLS_WRITE], out)
        || !update_from(suite, from, length, out + EDGE_TLS_HEADER)
        || !edge_tls_aead_update(suite, &type, 1, out + EDGE_TLS_HEADER + length)
        || !edge_tls_aead_seal(suite, out + EDGE_TLS_HEADER + length + 1))
        return 0;
    cell->sequence[EDGE_TLS_WRITE]++;
    return EDGE_TLS_HEADER + rest;
}

static size_t seal_bytes(const edge_tls_suite *suite, edge_tls_cell *cell, uint8_t type, const uint8_t *bytes,
                         size_t length, uint8_t *out)
{
    struct iovec piece = {(void *)(uintptr_t)bytes, length};
    cursor from = {&piece, 0};
    return seal_record(suite, cell, true, type, &from, length, out);
}

/* A KeyUpdate that is owed or due, under the key that it ends. */
static size_t seal_update(const edge_tls_suite *suite, edge_tls_cell *cell, uint8_t *out)
{
    static const uint8_t update[] = {24, 0, 0, 1, 0}; /* update_not_requested */
    size_t written = seal_bytes(suite, cell, EDGE_TLS_TYPE_HANDSHAKE, update, sizeof update, out);
    cell->flags &= (uint8_t)~EDGE_TLS_FLAG_OWES;
    return written && edge_tls_advance(suite, cell, EDGE_TLS_WRITE) ? written : 0;
}

size_t edge_tls_seal(const edge_tls_suite *suites, edge_tls_cell *cell, const struct iovec *pieces, size_t skip,
                     size_t length, uint8_t *out)
{
    const edge_tls_suite *suite = suites + cell->suite;
    cursor from = {pieces, skip};
    size_t written = 0, whole;
    bool new_key = true;
    if (cell->flags & EDGE_TLS_FLAG_SHUT)
        return 0;
    while (length && from.at >= from.piece->iov_len)
        from = (cursor){from.piece + 1, from.at - from.piece->iov_len};
    for (; length || cell->flags & EDGE_TLS_FLAG_OWES; new_key = false) {
        if (cell->flags & EDGE_TLS_FLAG_OWES || cell->sequence[EDGE_TLS_WRITE] >= EDGE_TLS_REKEY) {
            written += whole = seal_update(suite, cell, out + written);
            if (!whole)
                break;
            new_key = true;
            if (!length)
                return written;
        }
        size_t part = length < EDGE_TLS_TEXT ? length : EDGE_TLS_TEXT;
        written += whole = seal_record(suite, cell, new_key, EDGE_TLS_TYPE_DATA, &from, part, out + written);
        if (!whole)
            break;
        length -= part;
    }
    if (!length)
        return written;
    cell->flags |= EDGE_TLS_FLAG_SHUT; /* libcrypto has failed: no byte of this connection is sent any more */
    return 0;
}

size_t edge_tls_alert(const edge_tls_suite *suites, edge_tls_cell *cell, int description, uint8_t *out)
{
    uint8_t alert[] = {description == EDGE_TLS_CLOSE_NOTIFY ? 1 : 2, (uint8_t)description};
    if (cell->flags & EDGE_TLS_FLAG_SHUT)
        return 0;
    cell->flags = (uint8_t)((cell->flags & ~EDGE_TLS_FLAG_OWES) | EDGE_TLS_FLAG_SHUT);
    return seal_bytes(suites + cell->suite, cell, EDGE_TLS_TYPE_ALERT, alert, sizeof alert, out);
}
