/* The record layer under any bytes: streams of honest records, mutated, cut anywhere, before guard pages.
 *
 * EDGE_STREAMS is how many (default 20,000). */
#include "check.h"

#include "edge_tls_record.h"

static edge_tls_suite suites[EDGE_TLS_SUITES];
static uint64_t seed = 88172645463325252u;

static uint64_t any(void) /* xorshift64 */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* Both ends of a connection; the client's writes are the server's reads. */
typedef struct {
    union {
        edge_tls_cell cell;
        uint8_t bytes[EDGE_TLS_CELL];
    } server, client;
} both;

static void connect_both(both *ends, unsigned number)
{
    const edge_tls_suite *suite = suites + number;
    memset(ends, 0, sizeof *ends);
    ends->server.cell.suite = ends->client.cell.suite = (uint8_t)number;
    for (unsigned direction = 0; direction < 2; direction++) {
        uint8_t *secret = edge_tls_secret(suite, &ends->server.cell, direction);
        for (unsigned i = 0; i < suite->secret; i++)
            secret[i] = (uint8_t)any();
        memcpy(edge_tls_secret(suite, &ends->client.cell, !direction), secret, suite->secret);
        edge_tls_derive(suite, &ends->server.cell, direction);
        edge_tls_derive(suite, &ends->client.cell, !direction);
    }
}

typedef struct {
    uint8_t bytes[1 << 17];
    size_t length;
} stream;

/* A record of any inner text of the client's. */
static void put_record(both *ends, stream *to, const uint8_t *inner, size_t length)
{
    const edge_tls_suite *suite = suites + ends->client.cell.suite;
    edge_tls_cell *cell = &ends->client.cell;
    uint8_t *out = to->bytes + to->length;
    out[0] = 23, out[1] = out[2] = 3;
    out[3] = (uint8_t)((length + EDGE_TLS_TAG) >> 8), out[4] = (uint8_t)(length + EDGE_TLS_TAG);
    edge_tls_aead_begin(suite, true, edge_tls_key(suite, cell, EDGE_TLS_WRITE), cell->iv[EDGE_TLS_WRITE],
                        cell->sequence[EDGE_TLS_WRITE]++, out);
    edge_tls_aead_update(suite, inner, length, out + EDGE_TLS_HEADER);
    edge_tls_aead_seal(suite, out + EDGE_TLS_HEADER + length);
    to->length += EDGE_TLS_HEADER + length + EDGE_TLS_TAG;
}

/* What is told is the connection's own mark, in a sequence that nobody else has. */
static void put_data(both *ends, stream *to, uint64_t mark, size_t *said)
{
    static uint8_t inner[EDGE_TLS_TEXT + 64];
    size_t length = below(4) ? below(200) : below(EDGE_TLS_TEXT), padding = below(3) ? 0 : below(60);
    for (size_t i = 0; i < length; i++, ++*said)
        inner[i] = (uint8_t)(mark >> 8 * (*said % 8) ^ *said);
    inner[length] = 23;
    memset(inner + length + 1, 0, padding);
    if (length + 1 + padding > EDGE_TLS_TEXT + 1)
        padding = 0;
    put_record(ends, to, inner, length + 1 + padding);
}

static void put_update(both *ends, stream *to)
{
    uint8_t inner[] = {24, 0, 0, 1, (uint8_t)below(2), 22};
    put_record(ends, to, inner, sizeof inner);
    edge_tls_advance(suites + ends->client.cell.suite, &ends->client.cell, EDGE_TLS_WRITE);
}

static void put_strange(both *ends, stream *to)
{
    uint8_t inner[32];
    size_t length = below(sizeof inner);
    for (size_t i = 0; i < length; i++)
        if ((inner[i] = below(3) ? (uint8_t)any() : (uint8_t)(20 + below(5))) == 23)
            inner[i] = 22; /* data would be told: it is not strange */
    put_record(ends, to, inner, length);
}

static void mutate(stream *to)
{
    size_t at = below(to->length);
    switch (below(5)) {
    case 0:
        to->bytes[at] ^= (uint8_t)(1 << below(8));
        break;
    case 1:
        to->bytes[at] = (uint8_t)any();
        break;
    case 2: /* a piece is left out */
        memmove(to->bytes + at / 2, to->bytes + at, to->length - at);
        to->length -= at - at / 2;
        break;
    case 3: /* and one comes twice */
        if (to->length + at <= sizeof to->bytes) {
            memmove(to->bytes + 2 * at, to->bytes + at, to->length - at);
            memcpy(to->bytes + at, to->bytes, at);
            to->length += at;
        }
        break;
    default:
        to->length = at;
    }
}

static unsigned long wrong, beyond, consumed_too_much;

/* Opens the stream in pieces, as a loop does that keeps what is not consumed. */
static void listen_to(both *ends, const stream *heard, uint64_t mark)
{
    size_t begin = 0, end = 0, told = 0;
    edge_tls_opened opened = {.sends = EDGE_TLS_NO_ALERT};
    while (end < heard->length && !opened.closed && opened.sends == EDGE_TLS_NO_ALERT) {
        size_t more = below(3) ? 1 + below(heard->length) : 1 + below(40);
        end = end + more < heard->length ? end + more : heard->length;
        uint8_t *in = guarded(heard->bytes + begin, end - begin), *out = guarded(in, end - begin);
        edge_tls_open(suites, &ends->server.cell, in, end - begin, out, &opened);
        consumed_too_much += opened.consumed > end - begin;
        beyond += opened.written > opened.consumed;
        for (size_t i = 0; i < opened.written; i++, told++)
            wrong += out[i] != (uint8_t)(mark >> 8 * (told % 8) ^ told);
        unguard(in, end - begin);
        unguard(out, end - begin);
        begin += opened.consumed;
        if (opened.owes) {
            uint8_t answer[EDGE_TLS_UPDATE + EDGE_TLS_UPDATE];
            edge_tls_seal(suites, &ends->server.cell, NULL, 0, 0, answer);
        }
    }
}

static void mutated_streams(unsigned long count)
{
    static stream heard;
    for (unsigned long i = 0; i < count; i++) {
        both ends;
        uint64_t mark = any();
        size_t said = 0, records = 1 + below(5), mutations = below(4);
        connect_both(&ends, 1 + (unsigned)below(3));
        heard.length = 0;
        for (size_t n = 0; n < records; n++) {
            if (below(6))
                put_data(&ends, &heard, mark, &said);
            else if (below(2))
                put_update(&ends, &heard);
            else
                put_strange(&ends, &heard);
        }
        for (size_t n = 0; n < mutations; n++)
            mutate(&heard);
        listen_to(&ends, &heard, mark);
    }
    check(!wrong, "of %lu mutated streams no byte is told that was not said, in its place, on its connection", count);
    check(!beyond && !consumed_too_much, "nor is there more of it than came");
}

/* Sealing from gathered pieces: any pieces, any part of them. */
static void gathered_pieces_are_sealed_in_order(void)
{
    static uint8_t said[200000], sealed[300000], told[300000];
    unsigned long differ = 0, sizes = 0;
    for (size_t i = 0; i < sizeof said; i++)
        said[i] = (uint8_t)any();
    for (int round = 0; round < 300; round++) {
        struct iovec pieces[8];
        both ends;
        size_t total = 0;
        edge_tls_opened opened;
        connect_both(&ends, 1 + (unsigned)below(3));
        for (int i = 0; i < 8; i++) {
            pieces[i] = (struct iovec){said + total, below(3) ? below(300) : below(24000)};
            total += pieces[i].iov_len;
        }
        size_t skip = below(total), length = below(total - skip + 1);
        size_t n = edge_tls_seal(suites, &ends.server.cell, pieces, skip, length, sealed);
        sizes += n > edge_tls_sealed_bytes(length);
        /* The client opens what the server seals: its own reads. */
        edge_tls_open(suites, &ends.client.cell, sealed, n, told, &opened);
        differ += opened.written != length || memcmp(told, said + skip, length) || opened.consumed != n;
    }
    check(!differ, "gathered pieces are sealed in order, from any byte on");
    check(!sizes, "and take no more room than was said");
}

int main(void)
{
    const char *streams = getenv("EDGE_STREAMS");
    if (!edge_tls_suites_open(suites))
        abort();
    mutated_streams(streams ? strtoul(streams, NULL, 10) : 20000);
    gathered_pieces_are_sealed_in_order();
    edge_tls_suites_close(suites);
    return check_failures != 0;
}
