#include "edge_connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_BYTES (256 * 1024)

/* ---- life of a connection ---- */

static size_t buffer_size(const edge_buffer *buffer)
{
    return buffer ? sizeof *buffer + buffer->output + buffer->input : 0;
}

static void buffer_drop(edge_loop *loop, edge_connection *c)
{
    size_t size = buffer_size(c->buffer);
    if (!size)
        return;
    loop->buffered -= size;
    loop->peers.peers[c->peer].bytes -= size;
    free(c->buffer);
    c->buffer = NULL;
}

/* Whether a buffer of that size in place of the present one is within the share of the connection's address. */
static bool buffer_allowed(edge_loop *loop, const edge_connection *c, size_t size)
{
    size_t present = buffer_size(c->buffer);
    uint64_t held = c->peer ? loop->peers.peers[c->peer].bytes : 0;
    if (size <= present || edge_share(loop->limits.pending_bytes, loop->buffered, held, size - present))
        return true;
    count(loop, EDGE_C_REFUSED_SHARE, 1);
    return false;
}

/* Keeps what is left of an answer and of the input.  false: over the share or no memory. */
static bool buffer_keep(edge_loop *loop, edge_connection *c, const edge_output *out, size_t sent,
                       const uint8_t *input, size_t input_length)
{
    size_t left = out ? out->total - sent : 0, at = 0;
    edge_buffer *buffer;
    if (!buffer_allowed(loop, c, sizeof *buffer + left + input_length))
        return false;
    buffer = malloc(sizeof *buffer + left + input_length);
    if (!buffer)
        return false;
    buffer->sent = 0;
    buffer->output = (uint32_t)left;
    buffer->input = (uint32_t)input_length;
    for (int i = 0; left && i < out->count; i++) {
        size_t length = out->pieces[i].iov_len, skip = sent < length ? sent : length;
        memcpy(buffer->bytes + at, (uint8_t *)out->pieces[i].iov_base + skip, length - skip);
        at += length - skip;
        sent -= skip;
    }
    memcpy(buffer->bytes + left, input, input_length);
    buffer_drop(loop, c);
    c->buffer = buffer;
    loop->buffered += buffer_size(buffer);
    loop->peers.peers[c->peer].bytes += buffer_size(buffer); /* [0]: of all that are not told apart */
    return true;
}

void edge_connection_forget(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    buffer_drop(loop, c);
    edge_peers_leave(&loop->peers, c->peer);
    edge_connection_set_state(loop, c, EDGE_CONN_FREE);
    memset(c, 0, sizeof *c);
    loop->open--;
    edge_connection_gauge(loop);
}

void edge_connection_drop(edge_loop *loop, int fd)
{
    edge_connection_forget(loop, fd);
    close(fd);
}

int edge_connection_watch(edge_loop *loop, int fd, uint32_t events)
{
    edge_connection *c = loop->connections + fd;
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)fd};
    if (epoll_ctl(loop->epoll, c->flags & EDGE_CONN_WATCHED ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event))
        return -1;
    c->flags |= EDGE_CONN_WATCHED;
    return 0;
}

/* Waits for input; a connection in a state that does so is in the set for nothing else. */
static void await_input(edge_loop *loop, int fd)
{
    if (!(loop->connections[fd].flags & EDGE_CONN_WATCHED) && edge_connection_watch(loop, fd, READABLE))
        edge_connection_drop(loop, fd);
}

/* Our side is closed; the peer gets time to read what we sent (RFC 9112 9.6). */
static void linger(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    buffer_drop(loop, c);
    if (shutdown(fd, SHUT_WR)) {
        edge_connection_drop(loop, fd);
        return;
    }
    edge_connection_set_state(loop, c, EDGE_CONN_LINGER);
    if (edge_connection_watch(loop, fd, READABLE))
        edge_connection_drop(loop, fd);
}

void edge_connection_hand_off(edge_loop *loop, int fd, const uint8_t *data, size_t length)
{
    edge_connection *c = loop->connections + fd;
    edge_handoff *handoff = loop->handoffs + loop->handoff_count;
    uint8_t *copy = malloc(length ? length : 1);
    if (!copy) {
        edge_connection_drop(loop, fd);
        return;
    }
    memcpy(copy, data, length);
    buffer_drop(loop, c);
    if (c->flags & EDGE_CONN_WATCHED)
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
    handoff->fd = fd;
    handoff->listener = c->listener;
    handoff->data = copy;
    handoff->length = length;
    edge_connection_set_state(loop, c, EDGE_CONN_HANDED);
    c->flags = 0;
    loop->handoff_count++;
    count(loop, EDGE_C_HANDOFFS, 1);
}

/* ---- answering ---- */

static void samples_address(edge_loop *loop, unsigned from, int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char text[46] = "";
    if (getpeername(fd, (struct sockaddr *)&address, &length) == 0) {
        if (address.ss_family == AF_INET)
            inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&address)->sin_addr, text, sizeof text);
        else if (address.ss_family == AF_INET6)
            inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)&address)->sin6_addr, text, sizeof text);
    }
    for (; from < loop->answerer.sample_count; from++)
        memcpy(loop->answerer.samples[from].address, text, sizeof text);
}

/* Sends the output, gathered from its pieces.  Bytes taken, or -1: the connection is broken. */
static ssize_t output_send(edge_loop *loop, int fd)
{
    struct msghdr message = {.msg_iov = loop->output.pieces, .msg_iovlen = (size_t)loop->output.count};
    ssize_t n;
    do
        n = loop->output.count == 1 ? send(fd, loop->output.pieces[0].iov_base, loop->output.total, MSG_NOSIGNAL)
                                    : sendmsg(fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    count(loop, EDGE_C_BYTES_OUT, (uint64_t)n);
    return n;
}

/* Bytes that the peer has still to acknowledge.  What the kernel took says little of the peer: it takes
 * much at once when a slow one has made room, and nothing in between. */
static uint64_t output_owed(int fd, const edge_buffer *buffer)
{
    int queued = 0;
    ioctl(fd, SIOCOUTQ, &queued); /* tcp(7); a connection that is gone is met elsewhere */
    return buffer->output - buffer->sent + (uint64_t)queued;
}

/* Answers what is in data; leaves the connection in its next state. */
static void serve(edge_loop *loop, int fd, const uint8_t *data, size_t length)
{
    edge_connection *c = loop->connections + fd;
    bool fresh = c->state != EDGE_CONN_READING; /* what is left begins a head, whose time begins now */
    edge_next next;
    size_t consumed;
    do {
        unsigned samples = loop->answerer.sample_count;
        next = edge_answer(&loop->answerer, data, length, &loop->output, &consumed);
        if (loop->answerer.sample_count > samples)
            samples_address(loop, samples, fd);
        data += consumed;
        length -= consumed;
        if (consumed)
            fresh = true;
        if (loop->output.total) {
            ssize_t sent = output_send(loop, fd);
            if (sent < 0) {
                edge_connection_drop(loop, fd);
                return;
            }
            if ((size_t)sent < loop->output.total) {
                if (next == EDGE_NEXT_CLOSE) {
                    c->flags |= EDGE_CONN_CLOSE_AFTER_OUTPUT;
                    length = 0;
                }
                if (!buffer_keep(loop, c, &loop->output, (size_t)sent, data, length)
                    || edge_connection_watch(loop, fd, EPOLLOUT)) {
                    edge_connection_drop(loop, fd);
                    return;
                }
                c->buffer->owed = output_owed(fd, c->buffer);
                edge_connection_set_state(loop, c, EDGE_CONN_WRITING);
                return;
            }
        }
    } while (next == EDGE_NEXT_ANSWER);
    if (next == EDGE_NEXT_CLOSE) {
        if (length)
            linger(loop, fd);
        else
            edge_connection_drop(loop, fd);
        return;
    }
    if (next == EDGE_NEXT_HAND_OFF) {
        edge_connection_hand_off(loop, fd, data, length);
        return;
    }
    if (length) {
        if (!buffer_keep(loop, c, NULL, 0, data, length)) {
            edge_connection_drop(loop, fd);
            return;
        }
        if (fresh)
            edge_connection_set_state(loop, c, EDGE_CONN_READING);
    } else {
        buffer_drop(loop, c);
        edge_connection_set_state(loop, c, EDGE_CONN_IDLE);
    }
    await_input(loop, fd);
}

void edge_connection_readable(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    size_t have = 0;
    ssize_t n;
    if (c->buffer) {
        have = c->buffer->input;
        memcpy(loop->input, c->buffer->bytes + c->buffer->output, have);
    }
    do
        n = recv(fd, loop->input + have, INPUT_BYTES - have, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        count(loop, EDGE_C_BYTES_IN, (uint64_t)n);
        serve(loop, fd, loop->input, have + (size_t)n);
    } else if (n < 0 && errno == EAGAIN) {
        await_input(loop, fd);
    } else {
        edge_connection_drop(loop, fd);
    }
}

void edge_connection_writable(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    edge_buffer *buffer = c->buffer;
    ssize_t n;
    size_t length;
    do
        n = send(fd, buffer->bytes + buffer->sent, buffer->output - buffer->sent, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        if (errno != EAGAIN)
            edge_connection_drop(loop, fd);
        return;
    }
    count(loop, EDGE_C_BYTES_OUT, (uint64_t)n);
    buffer->sent += (uint32_t)n;
    if (buffer->sent < buffer->output)
        return;
    if (c->flags & EDGE_CONN_CLOSE_AFTER_OUTPUT) {
        linger(loop, fd);
        return;
    }
    length = buffer->input;
    memcpy(loop->input, buffer->bytes + buffer->output, length);
    buffer_drop(loop, c);
    edge_connection_set_state(loop, c, EDGE_CONN_IDLE);
    if (edge_connection_watch(loop, fd, READABLE))
        edge_connection_drop(loop, fd);
    else
        serve(loop, fd, loop->input, length);
}

bool edge_connection_keeps_pace(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    uint64_t owed = output_owed(fd, c->buffer), before = c->buffer->owed;
    uint64_t least = (uint64_t)loop->limits.least_rate * loop->limits.write_seconds;
    if (owed + (least ? least : 1) > before)
        return false;
    c->buffer->owed = owed;
    c->deadline = loop->now + loop->limits.write_seconds;
    return true;
}

void edge_connection_discard(edge_loop *loop, int fd)
{
    size_t total = 0;
    ssize_t n;
    while ((n = recv(fd, loop->input, INPUT_BYTES, 0)) > 0 && (total += (size_t)n) < LINGER_BYTES)
        ;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        edge_connection_drop(loop, fd);
}

void edge_connection_too_slow(edge_loop *loop, int fd)
{
    edge_output_clear(&loop->output);
    edge_head_408(&loop->output, loop->answerer.date);
    count(loop, EDGE_C_TIMEOUTS_HEAD, 1);
    output_send(loop, fd); /* what is not taken at once is not worth a buffer */
    linger(loop, fd);
}
