#include "edge_connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_SECONDS 2
#define LINGER_BYTES (256 * 1024)

/* ---- life of a connection ---- */

static void buffer_drop(edge_loop *loop, edge_connection *c)
{
    if (!c->buffer)
        return;
    loop->pending -= c->buffer->output;
    loop->buffered -= sizeof *c->buffer + c->buffer->output + c->buffer->input;
    free(c->buffer);
    c->buffer = NULL;
}

/* Keeps what is left of an answer and of the input.  0: over the limit or no memory. */
static int buffer_keep(edge_loop *loop, edge_connection *c, const edge_output *out, size_t sent,
                       const uint8_t *input, size_t input_length)
{
    size_t left = out ? out->total - sent : 0, at = 0;
    edge_buffer *buffer;
    if (loop->pending + left > loop->limits.pending_bytes)
        return 0;
    buffer = malloc(sizeof *buffer + left + input_length);
    if (!buffer)
        return 0;
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
    loop->pending += left;
    loop->buffered += sizeof *buffer + left + input_length;
    return 1;
}

void edge_connection_forget(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    buffer_drop(loop, c);
    edge_peers_leave(&loop->peers, c->peer);
    memset(c, 0, sizeof *c);
    loop->open--;
    edge_connection_gauge(loop);
}

void edge_connection_drop(edge_loop *loop, int fd)
{
    edge_connection_forget(loop, fd);
    close(fd);
}

int edge_connection_watch(edge_loop *loop, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)fd};
    return epoll_ctl(loop->epoll, operation, fd, &event);
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
    c->state = LINGER;
    c->flags = 0;
    c->deadline = loop->now + LINGER_SECONDS;
    if (edge_connection_watch(loop, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLRDHUP) && errno == ENOENT
        && edge_connection_watch(loop, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP))
        edge_connection_drop(loop, fd);
}

void edge_connection_hand_off(edge_loop *loop, int fd, const uint8_t *data, size_t length, int watched)
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
    if (watched)
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
    handoff->fd = fd;
    handoff->listener = c->listener;
    handoff->data = copy;
    handoff->length = length;
    c->state = HANDED;
    c->deadline = 0;
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

/* Sends the output.  Bytes taken, or -1: the connection is broken. */
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

/* Answers what is in data; leaves the connection in its next state.  watched: already in the set. */
static void serve(edge_loop *loop, int fd, const uint8_t *data, size_t length, int watched)
{
    edge_connection *c = loop->connections + fd;
    edge_verdict verdict;
    size_t consumed, fresh = c->state == READING ? 0 : 1;
    do {
        unsigned samples = loop->answerer.sample_count;
        verdict = edge_answer(&loop->answerer, data, length, &loop->output, &consumed);
        if (loop->answerer.sample_count > samples)
            samples_address(loop, samples, fd);
        data += consumed;
        length -= consumed;
        if (consumed)
            fresh = 1;
        if (loop->output.total) {
            ssize_t sent = output_send(loop, fd);
            if (sent < 0) {
                edge_connection_drop(loop, fd);
                return;
            }
            if ((size_t)sent < loop->output.total) {
                if (verdict == EDGE_CLOSE) {
                    c->flags |= CLOSE_AFTER;
                    length = 0;
                }
                if (!buffer_keep(loop, c, &loop->output, (size_t)sent, data, length)
                    || edge_connection_watch(loop, watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, EPOLLOUT)) {
                    edge_connection_drop(loop, fd);
                    return;
                }
                c->state = WRITING;
                c->deadline = loop->now + loop->limits.write_seconds;
                return;
            }
        }
    } while (verdict == EDGE_RECOGNISED);
    if (verdict == EDGE_CLOSE) {
        if (length)
            linger(loop, fd);
        else
            edge_connection_drop(loop, fd);
        return;
    }
    if (verdict == EDGE_HANDOFF) {
        edge_connection_hand_off(loop, fd, data, length, watched);
        return;
    }
    if (length) {
        if (!buffer_keep(loop, c, NULL, 0, data, length)) {
            edge_connection_drop(loop, fd);
            return;
        }
        if (fresh)
            c->deadline = loop->now + loop->limits.head_seconds;
        c->state = READING;
    } else {
        buffer_drop(loop, c);
        c->deadline = loop->now + loop->limits.idle_seconds;
        c->state = IDLE;
    }
    if (!watched && edge_connection_watch(loop, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP))
        edge_connection_drop(loop, fd);
}

/* watched 0: just accepted, not in the set yet. */
void edge_connection_readable(edge_loop *loop, int fd, int watched)
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
        serve(loop, fd, loop->input, have + (size_t)n, watched);
    } else if (n < 0 && errno == EAGAIN) {
        if (!watched && edge_connection_watch(loop, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP))
            edge_connection_drop(loop, fd);
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
    c->deadline = loop->now + loop->limits.write_seconds;
    if (buffer->sent < buffer->output)
        return;
    if (c->flags & CLOSE_AFTER) {
        linger(loop, fd);
        return;
    }
    length = buffer->input;
    memcpy(loop->input, buffer->bytes + buffer->output, length);
    buffer_drop(loop, c);
    c->state = IDLE;
    if (edge_connection_watch(loop, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLRDHUP))
        edge_connection_drop(loop, fd);
    else
        serve(loop, fd, loop->input, length, 1);
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
    static const char status[] = "HTTP/1.1 408 Request Timeout\r\nDate: ";
    uint8_t answer[sizeof status + EDGE_DATE_BYTES + sizeof loop->timeout_answer];
    size_t used = sizeof status - 1;
    memcpy(answer, status, used);
    memcpy(answer + used, loop->answerer.date, EDGE_DATE_BYTES);
    used += EDGE_DATE_BYTES;
    memcpy(answer + used, loop->timeout_answer, loop->timeout_length);
    used += loop->timeout_length;
    count(loop, EDGE_C_TIMEOUTS_HEAD, 1);
    ssize_t n = send(fd, answer, used, MSG_NOSIGNAL);
    if (n > 0)
        count(loop, EDGE_C_BYTES_OUT, (uint64_t)n);
    linger(loop, fd);
}
