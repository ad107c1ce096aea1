#include "edge_sealed.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

void edge_sealed_count_alert(edge_loop *loop, bool sent, int description)
{
    if (description < 0)
        return;
    if (sent)
        count(loop,
              description == EDGE_TLS_BAD_RECORD_MAC       ? EDGE_C_TLS_ALERTS_SENT_BAD_RECORD_MAC
              : description == EDGE_TLS_UNEXPECTED_MESSAGE ? EDGE_C_TLS_ALERTS_SENT_UNEXPECTED_MESSAGE
              : description == EDGE_TLS_HANDSHAKE_FAILURE  ? EDGE_C_TLS_ALERTS_SENT_HANDSHAKE_FAILURE
                                                           : EDGE_C_TLS_ALERTS_SENT_OTHER,
              1);
    else /* 42 to 46 and 48: bad, unsupported, revoked, expired, unknown certificate, unknown authority */
        count(loop,
              (description >= 42 && description <= 46) || description == 48 ? EDGE_C_TLS_ALERTS_RECEIVED_CERTIFICATE
                                                                            : EDGE_C_TLS_ALERTS_RECEIVED_OTHER,
              1);
}

/* ---- receiving ---- */

/* The peer has erred: it is told so. */
static void refuse(edge_loop *loop, int fd, int description)
{
    uint8_t alert[EDGE_TLS_ALERT];
    size_t length = loop->tls->alert(loop->tls_of, loop->connections[fd].tls, description, alert);
    edge_sealed_count_alert(loop, true, description);
    if (length && edge_connection_send(loop, fd, alert, length) < 0)
        edge_connection_drop(loop, fd);
    else
        edge_connection_linger(loop, fd);
}

/* Opens the records and serves what is in them, behind `plain` bytes that are in loop->input already. */
static void open_records(edge_loop *loop, int fd, size_t plain, const uint8_t *in, size_t length)
{
    edge_connection *c = loop->connections + fd;
    edge_tls_opened opened;
    loop->tls->open(loop->tls_of, c->tls, in, length, loop->input + plain, &opened);
    if (opened.updates)
        count(loop, EDGE_C_TLS_KEY_UPDATES, opened.updates);
    if (opened.sends >= 0) {
        refuse(loop, fd, opened.sends);
        return;
    }
    if (opened.received >= 0) {
        edge_sealed_count_alert(loop, false, opened.received);
        edge_connection_drop(loop, fd);
        return;
    }
    if (opened.closed)
        c->flags |= EDGE_CONN_ENDED;
    edge_connection_serve(loop, fd,
                          (edge_received){.bytes = loop->input,
                                          .length = plain + opened.written,
                                          .sealed = in + opened.consumed,
                                          .sealed_length = length - opened.consumed});
}

void edge_sealed_begin(edge_loop *loop, int fd, const edge_received *rest)
{
    edge_connection_set_state(loop, loop->connections + fd, EDGE_CONN_IDLE);
    open_records(loop, fd, 0, rest->sealed, rest->sealed_length);
}

static void go_on(edge_loop *loop, int fd, size_t plain, size_t sealed)
{
    open_records(loop, fd, plain, loop->sealed, sealed);
}

static void readable(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    size_t plain = 0, sealed = 0;
    ssize_t n;
    if (c->buffer) {
        plain = c->buffer->input;
        sealed = c->buffer->sealed;
        memcpy(loop->input, c->buffer->bytes, plain);
        memcpy(loop->sealed, c->buffer->bytes + plain, sealed);
    }
    do
        n = recv(fd, loop->sealed + sealed, INPUT_BYTES - plain - sealed, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        count(loop, EDGE_C_BYTES_IN, (uint64_t)n);
        go_on(loop, fd, plain, sealed + (size_t)n);
    } else if (n < 0 && errno == EAGAIN) {
        edge_connection_await_input(loop, fd);
    } else {
        edge_connection_close(loop, fd);
    }
}

/* ---- sending ---- */

/* Keeps what was sealed and not taken, and behind it the rest of the output, sealed now. */
static edge_sending keep(edge_loop *loop, int fd, const uint8_t *left, size_t length, size_t at, bool closing,
                         const edge_received *received)
{
    edge_connection *c = loop->connections + fd;
    const edge_output *out = &loop->output;
    size_t rest = out->total - at;
    edge_buffer *buffer = edge_connection_buffer(
        loop, c, length + (rest ? edge_tls_sealed_bytes(rest) : 0) + EDGE_TLS_ALERT, received);
    if (!buffer)
        return EDGE_BROKEN;
    memcpy(buffer->bytes, left, length);
    if (rest) {
        size_t sealed = loop->tls->seal(loop->tls_of, c->tls, out->pieces, at, rest, buffer->bytes + length);
        if (!sealed) {
            free(buffer);
            return EDGE_BROKEN;
        }
        length += sealed;
        if (closing)
            length += loop->tls->alert(loop->tls_of, c->tls, EDGE_TLS_CLOSE_NOTIFY, buffer->bytes + length);
    }
    edge_connection_keep(loop, c, buffer, length, received);
    return EDGE_KEPT;
}

static edge_sending seal_and_send(edge_loop *loop, int fd, bool closing, const edge_received *received)
{
    edge_connection *c = loop->connections + fd;
    const edge_output *out = &loop->output;
    for (size_t at = 0; at < out->total;) {
        size_t part = out->total - at < SLICE_BYTES ? out->total - at : SLICE_BYTES;
        size_t length = loop->tls->seal(loop->tls_of, c->tls, out->pieces, at, part, loop->slice);
        if (!length)
            return EDGE_BROKEN;
        at += part;
        if (at == out->total && closing)
            length += loop->tls->alert(loop->tls_of, c->tls, EDGE_TLS_CLOSE_NOTIFY, loop->slice + length);
        ssize_t sent = edge_connection_send(loop, fd, loop->slice, length);
        if (sent < 0)
            return EDGE_BROKEN;
        if ((size_t)sent < length)
            return keep(loop, fd, loop->slice + sent, length - (size_t)sent, at, closing, received);
    }
    return EDGE_SENT;
}

static void goodbye(edge_loop *loop, int fd)
{
    const edge_connection *c = loop->connections + fd;
    uint8_t alert[EDGE_TLS_ALERT];
    if (c->buffer && c->buffer->output)
        return;
    size_t length = loop->tls->alert(loop->tls_of, c->tls, EDGE_TLS_CLOSE_NOTIFY, alert);
    if (length)
        edge_connection_send(loop, fd, alert, length);
}

static void end(edge_loop *loop, edge_connection *c)
{
    loop->tls->discard(loop->tls_of, c->tls);
    c->flags &= (uint8_t)~EDGE_CONN_SEALED;
}

const edge_transport edge_sealed = {
    .readable = readable, .go_on = go_on, .send = seal_and_send, .goodbye = goodbye, .end = end};
