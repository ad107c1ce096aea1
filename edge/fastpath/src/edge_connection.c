#include "edge_connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_BYTES (256 * 1024)

/* ---- life of a connection ---- */

/* Bytes that the kernel took and the peer has not acknowledged.  What the kernel took says little of the peer: it
 * takes much at once when a slow one has made room, and nothing in between. */
static uint32_t unacknowledged(int fd)
{
    int queued = 0;
    ioctl(fd, SIOCOUTQ, &queued); /* tcp(7); a connection that is gone is met elsewhere */
    return (uint32_t)queued;
}

/* Bytes that the peer has still to acknowledge. */
static uint64_t output_owed(int fd, const edge_buffer *buffer)
{
    return (uint64_t)buffer->output - buffer->sent + unacknowledged(fd);
}

static size_t buffer_size(const edge_buffer *buffer)
{
    return buffer ? sizeof *buffer + buffer->output + buffer->input + buffer->sealed : 0;
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

/* Whether so many bytes more are within the share of the connection's address. */
static bool is_allowed(edge_loop *loop, const edge_connection *c, size_t more)
{
    uint64_t held = c->peer ? loop->peers.peers[c->peer].bytes : 0;
    if (edge_share(loop->limits.pending_bytes, loop->buffered, held, more))
        return true;
    count(loop, EDGE_C_REFUSED_SHARE, 1);
    return false;
}

bool edge_connection_hold(edge_loop *loop, int fd, size_t bytes)
{
    const edge_connection *c = loop->connections + fd;
    if (!is_allowed(loop, c, bytes))
        return false;
    loop->buffered += bytes;
    loop->peers.peers[c->peer].bytes += bytes;
    return true;
}

void edge_connection_let(edge_loop *loop, int fd, size_t bytes)
{
    loop->buffered -= bytes;
    loop->peers.peers[loop->connections[fd].peer].bytes -= bytes;
}

void edge_connection_keep_nothing(edge_loop *loop, edge_connection *c)
{
    buffer_drop(loop, c);
}

edge_buffer *edge_connection_buffer(edge_loop *loop, const edge_connection *c, size_t room, const edge_received *received)
{
    size_t size = sizeof(edge_buffer) + room + received->length + received->sealed_length, present = buffer_size(c->buffer);
    return size <= present || is_allowed(loop, c, size - present) ? malloc(size) : NULL;
}

void edge_connection_keep(edge_loop *loop, edge_connection *c, edge_buffer *buffer, size_t output,
                          const edge_received *received)
{
    buffer->sent = 0;
    buffer->output = (uint32_t)output;
    buffer->input = (uint32_t)received->length;
    buffer->sealed = (uint32_t)received->sealed_length;
    buffer->exchange = c->buffer ? c->buffer->exchange : NULL;
    if (received->length)
        memcpy(buffer->bytes + output, received->bytes, received->length);
    if (received->sealed_length)
        memcpy(buffer->bytes + output + received->length, received->sealed, received->sealed_length);
    buffer_drop(loop, c);
    c->buffer = buffer;
    loop->buffered += buffer_size(buffer);
    loop->peers.peers[c->peer].bytes += buffer_size(buffer); /* [0]: of all that are not told apart */
}

static void end_transport(edge_loop *loop, edge_connection *c)
{
    const edge_transport *over = edge_connection_over(loop, c);
    if (over->end)
        over->end(loop, c);
}

static void say_goodbye(edge_loop *loop, int fd)
{
    const edge_transport *over = edge_connection_over(loop, loop->connections + fd);
    if (over->goodbye)
        over->goodbye(loop, fd);
}

void edge_connection_forget(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    if (c->state == EDGE_CONN_ASKED || c->state == EDGE_CONN_GIVING)
        loop->passing->left(loop, fd);
    buffer_drop(loop, c);
    end_transport(loop, c);
    if (c->flags & EDGE_CONN_SOCKET_BIT)
        edge_sockets_leave(loop, fd, NULL);
    edge_peers_leave(&loop->peers, c->peer);
    edge_connection_set_state(loop, c, EDGE_CONN_FREE);
    memset(c, 0, sizeof *c);
    loop->open--;
    edge_connection_gauge(loop);
}

void edge_connection_drop(edge_loop *loop, int fd)
{
    static const struct linger nothing = {.l_onoff = 1, .l_linger = 0};
    edge_connection_forget(loop, fd);
    if (unacknowledged(fd) > OWED_BYTES)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &nothing, sizeof nothing); /* a reset: the kernel forgets it, too */
    close(fd);
}

void edge_connection_close(edge_loop *loop, int fd)
{
    if (unacknowledged(fd) > OWED_BYTES) {
        edge_connection_linger(loop, fd);
        return;
    }
    say_goodbye(loop, fd);
    edge_connection_drop(loop, fd);
}

/* Of TLS that is not agreed upon there is a set of its own, which gets a share of each turn. */
static int set_of(const edge_loop *loop, const edge_connection *c)
{
    return c->flags & EDGE_CONN_SHAKING ? loop->handshakes : loop->epoll;
}

int edge_connection_watch(edge_loop *loop, int fd, uint32_t events)
{
    edge_connection *c = loop->connections + fd;
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)fd};
    if (epoll_ctl(set_of(loop, c), c->flags & EDGE_CONN_WATCHED ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event))
        return -1;
    c->flags |= EDGE_CONN_WATCHED;
    return 0;
}

void edge_connection_unwatch(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    if (c->flags & EDGE_CONN_WATCHED)
        epoll_ctl(set_of(loop, c), EPOLL_CTL_DEL, fd, NULL);
    c->flags &= (uint8_t)~EDGE_CONN_WATCHED;
}

/* A connection in a state that waits for input is in the set for nothing else. */
void edge_connection_await_input(edge_loop *loop, int fd)
{
    if (!(loop->connections[fd].flags & EDGE_CONN_WATCHED) && edge_connection_watch(loop, fd, READABLE))
        edge_connection_drop(loop, fd);
}

void edge_connection_await_output(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    if (edge_connection_watch(loop, fd, EPOLLOUT)) {
        edge_connection_drop(loop, fd);
        return;
    }
    c->buffer->owed = output_owed(fd, c->buffer);
    edge_connection_set_state(loop, c, EDGE_CONN_WRITING);
}

void edge_connection_linger(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    buffer_drop(loop, c);
    say_goodbye(loop, fd);
    if (shutdown(fd, SHUT_WR)) {
        edge_connection_drop(loop, fd);
        return;
    }
    if (c->flags & EDGE_CONN_SOCKET_BIT)
        edge_sockets_leave(loop, fd, NULL);
    end_transport(loop, c); /* nothing is opened or sealed any more */
    c->owed = 0;
    edge_connection_set_state(loop, c, EDGE_CONN_LINGER);
    if (edge_connection_watch(loop, fd, READABLE))
        edge_connection_drop(loop, fd);
}

void edge_connection_hand_off(edge_loop *loop, int fd, const edge_received *received)
{
    edge_connection *c = loop->connections + fd;
    edge_handoff *handoff = loop->handoffs + loop->handoff_count;
    uint8_t *copy = malloc(received->length + received->sealed_length + 1);
    if (!copy) {
        edge_connection_drop(loop, fd);
        return;
    }
    if (received->length)
        memcpy(copy, received->bytes, received->length);
    if (received->sealed_length)
        memcpy(copy + received->length, received->sealed, received->sealed_length);
    buffer_drop(loop, c);
    edge_connection_unwatch(loop, fd);
    handoff->fd = fd;
    handoff->listener = c->listener;
    handoff->tls = c->flags & EDGE_CONN_SEALED ? c->tls : 0;
    handoff->data = copy;
    handoff->certified = handoff->tls ? loop->certified[fd] : 0;
    handoff->length = received->length;
    handoff->sealed_length = received->sealed_length;
    handoff->socket.is_socket = false;
    handoff->met = EDGE_MET_NOTHING;
    handoff->ticket = handoff->waited = 0;
    if (c->flags & EDGE_CONN_SOCKET_BIT)
        edge_sockets_leave(loop, fd, &handoff->socket);
    edge_connection_set_state(loop, c, EDGE_CONN_HANDED);
    handoff->unnamed = c->flags & EDGE_CONN_UNNAMED;
    handoff->proxied = c->flags & EDGE_CONN_PROXIED;
    if (handoff->proxied)
        memcpy(handoff->client, loop->clients[fd], 16);
    c->flags &= EDGE_CONN_UNNAMED | EDGE_CONN_PROXIED;
    c->tls = 0;
    loop->handoff_count++;
    count(loop, EDGE_C_HANDOFFS, 1);
}

/* ---- answering ---- */

void edge_connection_set_client(edge_loop *loop, int fd, const struct sockaddr *address)
{
    edge_address_of(address, loop->clients[fd]);
}

bool edge_connection_is_local(const edge_loop *loop, int fd)
{
    static const uint8_t one[16] = {[15] = 1}, mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t address[16];
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    if (loop->connections[fd].flags & EDGE_CONN_PROXIED) {
        memcpy(address, loop->clients[fd], 16);
    } else {
        if (getpeername(fd, (struct sockaddr *)&peer, &length))
            return false;
        if (peer.ss_family == AF_UNIX)
            return true;
        edge_address_of((struct sockaddr *)&peer, address);
    }
    return !memcmp(address, one, 16) || (!memcmp(address, mapped, 12) && address[12] == 127);
}

/* Who the requests are of that are answered next. */
static void prepare_client(edge_loop *loop, int fd)
{
    edge_answerer *answerer = &loop->answerer;
    memcpy(answerer->peer, loop->clients[fd], 16);
    answerer->is_trusted = edge_networks_hold(&answerer->trusted, answerer->peer);
}

/* What only the connection knows of the requests that are logged next. */
static void prepare_log(edge_loop *loop, const edge_connection *c)
{
    static const char *const suites[] = {"TLSv1.3 TLS_AES_128_GCM_SHA256", "TLSv1.3 TLS_AES_256_GCM_SHA384",
                                         "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256"};
    edge_answerer *answerer = &loop->answerer;
    unsigned suite = c->flags & EDGE_CONN_SEALED ? loop->tls->suite(loop->tls_of, c->tls) : 0; /* 0x13nn */
    const char *tls = suite && suite <= 3 ? suites[suite - 1] : "";
    answerer->tls = (edge_span){(const uint8_t *)tls, strlen(tls)};
}

/* What was shown on the connection, as far as it matters which hosts it is asked for. */
static void prepare_certified(edge_loop *loop, int fd)
{
    const uint32_t certified = loop->connections[fd].tls ? loop->certified[fd] : 0;
    const edge_shown *shown = loop->shown + (certified & (SHOWN - 1));
    loop->answerer.certificates = certified ? shown->certificates : NULL;
    loop->answerer.shown = certified ? shown->shown : 0;
    loop->answerer.named = certified / SHOWN;
}

/* What only the connection knows of what is answered next. */
void edge_connection_prepare(edge_loop *loop, int fd)
{
    const edge_connection *c = loop->connections + fd;
    loop->answerer.secure = c->tls;
    if (loop->shown_count)
        prepare_certified(loop, fd);
    if (edge_loop_knows_clients(loop))
        prepare_client(loop, fd);
    if (loop->answerer.log_every)
        prepare_log(loop, c);
}

ssize_t edge_connection_send(edge_loop *loop, int fd, const uint8_t *bytes, size_t length)
{
    ssize_t n;
    do
        n = send(fd, bytes, length, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    count(loop, EDGE_C_BYTES_OUT, (uint64_t)n);
    return n;
}

/* Sends the output, gathered from its pieces.  Bytes taken, or -1: the connection is broken. */
static ssize_t send_gathered(edge_loop *loop, int fd)
{
    struct msghdr message = {.msg_iov = loop->output.pieces, .msg_iovlen = (size_t)loop->output.count};
    ssize_t n;
    if (loop->output.count == 1)
        return edge_connection_send(loop, fd, loop->output.pieces[0].iov_base, loop->output.total);
    do
        n = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    count(loop, EDGE_C_BYTES_OUT, (uint64_t)n);
    return n;
}

static edge_sending plain_send(edge_loop *loop, int fd, bool closing, const edge_received *received)
{
    edge_connection *c = loop->connections + fd;
    const edge_output *out = &loop->output;
    (void)closing; /* nothing is said for that */
    ssize_t sent = send_gathered(loop, fd);
    if (sent < 0 || (size_t)sent == out->total)
        return sent < 0 ? EDGE_BROKEN : EDGE_SENT;
    size_t skip = (size_t)sent, at = 0;
    edge_buffer *buffer = edge_connection_buffer(loop, c, out->total - skip, received);
    if (!buffer)
        return EDGE_BROKEN;
    for (int i = 0; i < out->count; i++) {
        size_t length = out->pieces[i].iov_len, gone = skip < length ? skip : length;
        memcpy(buffer->bytes + at, (uint8_t *)out->pieces[i].iov_base + gone, length - gone);
        at += length - gone;
        skip -= gone;
    }
    edge_connection_keep(loop, c, buffer, at, received);
    return EDGE_KEPT;
}

static edge_sending output_send(edge_loop *loop, int fd, bool closing, const edge_received *received)
{
    return edge_connection_over(loop, loop->connections + fd)->send(loop, fd, closing, received);
}

void edge_connection_push(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    edge_received kept = {.length = 0};
    if (c->buffer) { /* part of a frame: there is no output in it */
        kept = (edge_received){.bytes = c->buffer->bytes, .length = c->buffer->input,
                               .sealed = c->buffer->bytes + c->buffer->input, .sealed_length = c->buffer->sealed};
    }
    switch (output_send(loop, fd, false, &kept)) {
    case EDGE_BROKEN:
        edge_connection_drop(loop, fd);
        break;
    case EDGE_KEPT:
        edge_connection_await_output(loop, fd);
        break;
    case EDGE_SENT:
        break;
    }
}

/* It is a WebSocket from now on, which may have said something already. */
static edge_next open_socket(edge_loop *loop, int fd)
{
    if (!edge_sockets_begin(loop, fd))
        return EDGE_NEXT_ANSWER;
    edge_output_clear(&loop->output);
    return EDGE_NEXT_CLOSE;
}

static edge_next answer(edge_loop *loop, int fd, const edge_received *received, size_t *consumed)
{
    if (loop->connections[fd].flags & EDGE_CONN_SOCKET_BIT)
        return edge_sockets_answer(loop, fd, received->bytes, received->length, consumed);
    edge_next next = edge_answer(&loop->answerer, received->bytes, received->length, &loop->output, consumed);
    return next == EDGE_NEXT_OPEN ? open_socket(loop, fd) : next;
}

void edge_connection_serve(edge_loop *loop, int fd, edge_received received)
{
    edge_connection *c = loop->connections + fd;
    bool fresh = c->state != EDGE_CONN_READING; /* what is left begins a head, whose time begins now */
    edge_next next;
    size_t consumed;
    edge_connection_prepare(loop, fd);
    do {
        next = answer(loop, fd, &received, &consumed);
        received.bytes += consumed;
        received.length -= consumed;
        if (consumed)
            fresh = true;
        if (loop->output.total) {
            static const edge_received nothing;
            bool closing = next == EDGE_NEXT_CLOSE;
            edge_sending sending = output_send(loop, fd, closing, closing ? &nothing : &received);
            if (sending == EDGE_BROKEN) {
                edge_connection_drop(loop, fd);
                return;
            }
            if (sending == EDGE_KEPT) {
                if (closing)
                    c->flags |= EDGE_CONN_CLOSE_AFTER_OUTPUT;
                edge_connection_await_output(loop, fd);
                return;
            }
        }
    } while (next == EDGE_NEXT_ANSWER);
    if (next == EDGE_NEXT_CLOSE) {
        if (received.length + received.sealed_length)
            edge_connection_linger(loop, fd);
        else
            edge_connection_close(loop, fd);
        return;
    }
    if (next == EDGE_NEXT_PASS && !(c->flags & EDGE_CONN_ENDED) && loop->passing->ask(loop, fd, &received))
        return;
    if (next == EDGE_NEXT_HOLD && !(c->flags & EDGE_CONN_ENDED) && loop->passing->hold(loop, fd, &received))
        return;
    if (next == EDGE_NEXT_HAND_OFF || next == EDGE_NEXT_PASS || next == EDGE_NEXT_HOLD) {
        edge_connection_hand_off(loop, fd, &received);
        return;
    }
    if (c->flags & EDGE_CONN_ENDED) {
        edge_connection_close(loop, fd);
        return;
    }
    if (received.length + received.sealed_length) {
        edge_buffer *buffer = edge_connection_buffer(loop, c, 0, &received);
        if (!buffer) {
            edge_connection_drop(loop, fd);
            return;
        }
        edge_connection_keep(loop, c, buffer, 0, &received);
    } else {
        buffer_drop(loop, c);
    }
    if (c->flags & EDGE_CONN_SOCKET_BIT) {
        if (c->flags & EDGE_CONN_WATCHED || !edge_connection_watch(loop, fd, READABLE))
            edge_sockets_rest(loop, fd);
        else
            edge_connection_drop(loop, fd);
        return;
    }
    if (!c->buffer)
        edge_connection_set_state(loop, c, EDGE_CONN_IDLE);
    else if (fresh)
        edge_connection_set_state(loop, c, EDGE_CONN_READING);
    edge_connection_await_input(loop, fd);
}

static void plain_readable(edge_loop *loop, int fd)
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
        edge_connection_serve(loop, fd, (edge_received){.bytes = loop->input, .length = have + (size_t)n});
    } else if (n < 0 && errno == EAGAIN) {
        edge_connection_await_input(loop, fd);
    } else {
        edge_connection_close(loop, fd);
    }
}

static void plain_go_on(edge_loop *loop, int fd, size_t length, size_t sealed)
{
    (void)sealed;
    edge_connection_serve(loop, fd, (edge_received){.bytes = loop->input, .length = length});
}

const edge_transport edge_plain = {.readable = plain_readable, .go_on = plain_go_on, .send = plain_send};

/* What waited behind an output, which is taken, has its turn; watched: for input already. */
static void go_on(edge_loop *loop, int fd, size_t consumed, bool watched)
{
    edge_connection *c = loop->connections + fd;
    edge_buffer *buffer = c->buffer;
    size_t length = buffer->input - consumed, sealed = buffer->sealed;
    memcpy(loop->input, buffer->bytes + buffer->output + consumed, length);
    memcpy(loop->sealed, buffer->bytes + buffer->output + consumed + length, sealed);
    buffer_drop(loop, c);
    edge_connection_set_state(loop, c,
                              c->flags & EDGE_CONN_SHAKING      ? EDGE_CONN_HANDSHAKE
                              : c->flags & EDGE_CONN_SOCKET_BIT ? EDGE_CONN_SOCKET
                                                                : EDGE_CONN_IDLE);
    if (!watched && edge_connection_watch(loop, fd, READABLE))
        edge_connection_drop(loop, fd);
    else
        edge_connection_over(loop, c)->go_on(loop, fd, length, sealed);
}

/* ---- passed on to an application ---- */

/* What is kept of what was received; the request first. */
static edge_received kept_of(const edge_connection *c)
{
    const edge_buffer *buffer = c->buffer;
    const uint8_t *input = buffer->bytes + buffer->output;
    return (edge_received){.bytes = input, .length = buffer->input, .sealed = input + buffer->input,
                           .sealed_length = buffer->sealed};
}

void edge_connection_ask(edge_loop *loop, int fd, edge_buffer *buffer, const edge_received *received,
                         struct edge_exchange *exchange, uint32_t deadline)
{
    edge_connection *c = loop->connections + fd;
    edge_connection_keep(loop, c, buffer, 0, received);
    c->buffer->exchange = exchange;
    edge_connection_set_state(loop, c, EDGE_CONN_ASKED);
    c->deadline = deadline;
    edge_connection_await_input(loop, fd);
}

bool edge_connection_forget_output(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    edge_received kept = kept_of(c);
    edge_buffer *buffer = edge_connection_buffer(loop, c, 0, &kept);
    if (buffer)
        edge_connection_keep(loop, c, buffer, 0, &kept);
    return buffer;
}

edge_sending edge_connection_give(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    edge_received kept = kept_of(c);
    edge_sending sending = output_send(loop, fd, false, &kept);
    if (sending == EDGE_KEPT && edge_connection_watch(loop, fd, EPOLLOUT))
        sending = EDGE_BROKEN;
    if (sending == EDGE_KEPT) {
        c->buffer->owed = output_owed(fd, c->buffer);
        edge_connection_set_state(loop, c, EDGE_CONN_GIVING);
    }
    if (sending == EDGE_BROKEN)
        edge_connection_drop(loop, fd);
    return sending;
}

void edge_connection_answered(edge_loop *loop, int fd, size_t consumed, bool closing, bool muted)
{
    static const edge_received nothing;
    edge_connection *c = loop->connections + fd;
    edge_received kept = kept_of(c);
    kept.bytes += consumed;
    kept.length -= consumed;
    const bool more = kept.length + kept.sealed_length;
    edge_connection_set_state(loop, c, EDGE_CONN_IDLE);
    switch (loop->output.total ? output_send(loop, fd, closing, closing ? &nothing : &kept) : EDGE_SENT) {
    case EDGE_BROKEN:
        edge_connection_drop(loop, fd);
        break;
    case EDGE_KEPT:
        if (closing)
            c->flags |= EDGE_CONN_CLOSE_AFTER_OUTPUT;
        edge_connection_await_output(loop, fd);
        break;
    case EDGE_SENT:
        if (!closing)
            go_on(loop, fd, consumed, !muted);
        else if (more)
            edge_connection_linger(loop, fd);
        else
            edge_connection_close(loop, fd);
        break;
    }
}

void edge_connection_handed_since(const edge_loop *loop, edge_handoff *handoff, uint64_t began)
{
    handoff->waited = loop->answerer.clock ? loop->answerer.clock() - began : 0;
}

void edge_connection_give_up(edge_loop *loop, int fd, edge_met met, uint64_t began)
{
    edge_connection *c = loop->connections + fd;
    edge_received kept = kept_of(c);
    int before = loop->handoff_count;
    edge_connection_hand_off(loop, fd, &kept);
    if (loop->handoff_count > before) {
        loop->handoffs[before].met = met;
        edge_connection_handed_since(loop, loop->handoffs + before, began);
    }
}

void edge_connection_go_on(edge_loop *loop, int fd)
{
    go_on(loop, fd, 0, false);
}

edge_received edge_connection_kept(const edge_loop *loop, int fd)
{
    return kept_of(loop->connections + fd);
}

static bool is_gone(int fd)
{
    struct pollfd now = {.fd = fd, .events = POLLRDHUP};
    return poll(&now, 1, 0) > 0 && now.revents & (POLLERR | POLLHUP | POLLRDHUP);
}

bool edge_connection_mute(edge_loop *loop, int fd, uint32_t events, bool half)
{
    const bool gone = events & (EPOLLERR | EPOLLHUP) || (events & EPOLLRDHUP && !half);
    if (gone && !is_gone(fd))
        return false; /* another connection is, which had the number before, in the same turn */
    if (gone || edge_connection_watch(loop, fd, events & EPOLLRDHUP ? 0 : EPOLLRDHUP)) {
        edge_connection_drop(loop, fd);
        return false;
    }
    return true;
}

static void writable(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    edge_buffer *buffer = c->buffer;
    ssize_t n = edge_connection_send(loop, fd, buffer->bytes + buffer->sent, buffer->output - buffer->sent);
    if (n < 0) {
        edge_connection_drop(loop, fd);
        return;
    }
    buffer->sent += (uint32_t)n;
    if (buffer->sent < buffer->output)
        return;
    if (c->flags & EDGE_CONN_CLOSE_AFTER_OUTPUT)
        edge_connection_linger(loop, fd);
    else if (c->state == EDGE_CONN_GIVING)
        loop->passing->drained(loop, fd);
    else
        go_on(loop, fd, 0, false);
}

/* Whether the peer has taken enough before the deadline; then another one begins. */
static bool keeps_pace(edge_loop *loop, edge_connection *c, uint64_t owed, uint64_t before)
{
    uint64_t least = (uint64_t)loop->limits.least_rate * loop->limits.write_seconds;
    if (owed + (least ? least : 1) > before)
        return false;
    c->deadline = loop->now + loop->limits.write_seconds;
    return true;
}

bool edge_connection_keeps_pace(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    uint64_t owed = output_owed(fd, c->buffer), before = c->buffer->owed;
    c->buffer->owed = owed;
    return keeps_pace(loop, c, owed, before);
}

bool edge_connection_lingers_on(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    uint32_t owed = unacknowledged(fd), before = c->owed;
    c->owed = owed;
    if (owed <= OWED_BYTES)
        return false;
    if (before)
        return keeps_pace(loop, c, owed, before);
    c->deadline = loop->now + loop->limits.write_seconds;
    return true;
}

/* While lingering: what still comes is thrown away. */
static void discard(edge_loop *loop, int fd)
{
    size_t total = 0;
    ssize_t n;
    while ((n = recv(fd, loop->input, INPUT_BYTES, 0)) > 0 && (total += (size_t)n) < LINGER_BYTES)
        ;
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    if (unacknowledged(fd) > OWED_BYTES)
        edge_connection_unwatch(loop, fd); /* nothing more comes, but it reads */
    else
        edge_connection_drop(loop, fd);
}

void edge_connection_ready(edge_loop *loop, int fd, uint32_t events)
{
    edge_connection *c = loop->connections + fd;
    switch (c->state) {
    case EDGE_CONN_IDLE:
    case EDGE_CONN_HANDSHAKE:
    case EDGE_CONN_READING:
    case EDGE_CONN_SOCKET:
        edge_connection_over(loop, c)->readable(loop, fd);
        break;
    case EDGE_CONN_ASKED:
        loop->passing->ready(loop, fd, events);
        break;
    case EDGE_CONN_HELD: /* who has only nothing more to say waits on, as with Twisted */
        edge_connection_mute(loop, fd, events, true);
        break;
    case EDGE_CONN_WRITING:
    case EDGE_CONN_GIVING:
        if (events & (EPOLLERR | EPOLLHUP))
            edge_connection_drop(loop, fd);
        else
            writable(loop, fd);
        break;
    case EDGE_CONN_LINGER:
        discard(loop, fd);
        break;
    default: /* handed off or closed earlier in this batch */
        break;
    }
}

void edge_connection_too_slow(edge_loop *loop, int fd)
{
    static const edge_received nothing;
    edge_connection *c = loop->connections + fd;
    const uint32_t waited = loop->now - c->deadline + loop->limits.head_seconds;
    edge_connection_prepare(loop, fd);
    edge_answer_too_slow(&loop->answerer, (uint64_t)waited * 1000000, &loop->output);
    count(loop, EDGE_C_TIMEOUTS_HEAD, 1);
    output_send(loop, fd, true, &nothing); /* what is not taken at once is not worth a buffer: lingering drops it */
    edge_connection_linger(loop, fd);
}
