#include "edge_shaking.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "edge_sealed.h"

#define SHARE 2     /* events in one turn: 304s of others wait for half a millisecond */
#define TRIM_AT 256  /* handshakes at once, after which the heap gives memory back when all are done */

void edge_shaking_close(edge_loop *loop)
{
    if (loop->handshakes >= 0)
        close(loop->handshakes);
    if (loop->shaking)
        munmap(loop->shaking, (loop->limits.handshakes + 1) * sizeof *loop->shaking);
}

static void gauge(edge_loop *loop)
{
    __atomic_store_n(loop->answerer.table.counters + EDGE_C_TLS_HANDSHAKES, loop->shaking_count, __ATOMIC_RELAXED);
}

void edge_shaking_accepted(edge_loop *loop, int fd)
{
    loop->connections[fd].flags |= EDGE_CONN_SHAKING;
    loop->connections[fd].deadline = loop->now + loop->limits.head_seconds; /* the handshake begins now */
    edge_connection_await_input(loop, fd);
}

void edge_shaking_turn(edge_loop *loop)
{
    struct epoll_event events[SHARE];
    int n = epoll_wait(loop->handshakes, events, SHARE, 0);
    for (int i = 0; i < n && loop->handoff_count < EDGE_HANDOFFS; i++)
        edge_connection_ready(loop, (int)events[i].data.u64, events[i].events);
}

/* ---- one handshake ---- */

static edge_listener *listener_of(edge_loop *loop, const edge_connection *c)
{
    edge_listener *listener = loop->listeners;
    while (listener->number != c->listener)
        listener++;
    return listener;
}

/* Begins a handshake with a hello that was recognised.  false: there are too many, in all or for the share of the
 * address, or no memory. */
static bool begin(edge_loop *loop, int fd, size_t length)
{
    edge_connection *c = loop->connections + fd;
    uint32_t number = loop->shaking_free, held = c->peer ? loop->peers.peers[c->peer].handshakes : 0;
    if (!edge_share(loop->limits.handshakes, loop->shaking_count, held, 1))
        return false;
    edge_tls_handshake *handshake =
        loop->tls->begin(loop->tls_of, listener_of(loop, c)->context, loop->sealed, length);
    if (!handshake)
        return false;
    if (number)
        loop->shaking_free = loop->shaking[number].next;
    else
        number = ++loop->shaking_used;
    loop->shaking[number] = (edge_shaking){handshake, 0};
    loop->peers.peers[c->peer].handshakes++; /* [0]: of all that are not told apart */
    c->tls = number;
    if (++loop->shaking_count > loop->shaking_most)
        loop->shaking_most = loop->shaking_count;
    gauge(loop);
    return true;
}

/* The connection is no longer one of these. */
static void end(edge_loop *loop, edge_connection *c)
{
    edge_shaking *shaking = loop->shaking + c->tls;
    c->flags &= (uint8_t)~EDGE_CONN_SHAKING;
    if (!c->tls)
        return;
    loop->tls->end(shaking->handshake);
    loop->peers.peers[c->peer].handshakes--;
    *shaking = (edge_shaking){.next = loop->shaking_free};
    loop->shaking_free = c->tls;
    c->tls = 0;
    loop->shaking_count--;
    gauge(loop);
}

/* Keeps the bytes of a record that is not whole. */
static void await_more(edge_loop *loop, int fd, size_t begin, size_t length)
{
    edge_connection *c = loop->connections + fd;
    edge_received received = {.sealed = loop->sealed + begin, .sealed_length = length};
    edge_buffer *buffer = length ? edge_connection_buffer(loop, c, 0, &received) : NULL;
    if (buffer) {
        edge_connection_keep(loop, c, buffer, 0, &received);
    } else if (length) {
        edge_connection_drop(loop, fd);
        return;
    } else {
        edge_connection_keep_nothing(loop, c);
    }
    edge_connection_await_input(loop, fd);
}

static void count_done(edge_loop *loop, const edge_connection *c, const edge_tls_outcome *outcome)
{
    count(loop, outcome->resumed ? EDGE_C_TLS_RESUMED : EDGE_C_TLS_FULL, 1);
    count(loop, EDGE_C_TLS_AES_128_GCM + loop->tls->suite(loop->tls_of, c->tls) - 1, 1);
    count(loop,
          outcome->group == EDGE_TLS_X25519 ? EDGE_C_TLS_X25519
          : outcome->group == EDGE_TLS_P256 ? EDGE_C_TLS_P256
                                                  : EDGE_C_TLS_X25519MLKEM768,
          1);
}

/* For which hosts the connection may be asked, by the name that its client has asked for. */
static uint32_t certified(edge_loop *loop, const edge_listener *listener, const edge_tls_outcome *outcome)
{
    const edge_span name = {outcome->name, outcome->name_length};
    if (!listener->certificates || !name.length)
        return 0;
    const int site = edge_sites_find(&loop->answerer.sites, name);
    const uint32_t shown = listener->first_shown + edge_certificates_shown_to(listener->certificates, name);
    return (uint32_t)(uint16_t)site * SHOWN + shown;
}

/* libssl is done: the connection becomes an ordinary one with a sealed state. */
static void done(edge_loop *loop, int fd, const edge_tls_outcome *outcome)
{
    edge_connection *c = loop->connections + fd;
    edge_connection_unwatch(loop, fd); /* of the set that handshakes are in */
    if (loop->shown_count)
        loop->certified[fd] = certified(loop, listener_of(loop, c), outcome);
    end(loop, c);
    c->flags |= EDGE_CONN_SEALED;
    c->tls = outcome->state;
    count_done(loop, c, outcome);
}

static void failed(edge_loop *loop, int fd, const edge_tls_outcome *outcome)
{
    count(loop, EDGE_C_TLS_FAILED, 1);
    edge_sealed_count_alert(loop, true, outcome->sends);
    edge_sealed_count_alert(loop, false, outcome->received);
    edge_connection_unwatch(loop, fd);
    end(loop, loop->connections + fd);
    if (outcome->received >= 0)
        edge_connection_drop(loop, fd);
    else
        edge_connection_linger(loop, fd); /* the peer gets time to read the alert */
}

static uint64_t microseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* Feeds libssl, sends what it says, and goes on as it says. */
static void feed(edge_loop *loop, int fd, size_t length)
{
    edge_connection *c = loop->connections + fd;
    edge_tls_outcome outcome;
    uint64_t before = microseconds();
    edge_tls_progress progress =
        loop->tls->step(loop->shaking[c->tls].handshake, loop->sealed, length, &outcome);
    ssize_t sent = outcome.length ? edge_connection_send(loop, fd, outcome.output, outcome.length) : 0;
    edge_received rest = {.sealed = loop->sealed + outcome.consumed, .sealed_length = length - outcome.consumed};
    edge_buffer *buffer = NULL;
    if (sent >= 0 && (size_t)sent < outcome.length && progress != EDGE_TLS_FAILED) {
        size_t left = outcome.length - (size_t)sent;
        buffer = edge_connection_buffer(loop, c, left, &rest);
        if (buffer) {
            memcpy(buffer->bytes, outcome.output + sent, left);
            edge_connection_keep(loop, c, buffer, left, &rest);
        } else {
            sent = -1;
        }
    }
    if (progress == EDGE_TLS_DONE)
        done(loop, fd, &outcome); /* after which libssl's output is gone */
    count(loop, EDGE_C_TLS_HANDSHAKE_US, microseconds() - before);
    if (sent < 0)
        edge_connection_drop(loop, fd);
    else if (progress == EDGE_TLS_FAILED)
        failed(loop, fd, &outcome);
    else if (buffer)
        edge_connection_await_output(loop, fd);
    else if (progress == EDGE_TLS_RECEIVE)
        await_more(loop, fd, outcome.consumed, rest.sealed_length);
    else
        edge_sealed_begin(loop, fd, &rest);
}

/* Goes on with that many bytes in loop->sealed. */
static void step(edge_loop *loop, int fd, size_t length)
{
    edge_connection *c = loop->connections + fd;
    if (!c->tls) {
        switch (loop->tls->recognise(loop->tls_of, loop->sealed, length)) {
        case EDGE_TLS_INCOMPLETE:
            await_more(loop, fd, 0, length);
            return;
        case EDGE_TLS_LET_GO:
            count(loop, EDGE_C_TLS_LET_GO, 1);
            edge_connection_hand_off(loop, fd, &(edge_received){.bytes = loop->sealed, .length = length});
            return;
        case EDGE_TLS_RECOGNISED:
            break;
        }
        if (!begin(loop, fd, length)) {
            count(loop, EDGE_C_TLS_REFUSED, 1);
            edge_connection_drop(loop, fd);
            return;
        }
    }
    feed(loop, fd, length);
}

static void readable(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    size_t have = 0;
    ssize_t n;
    if (c->buffer) {
        have = c->buffer->sealed;
        memcpy(loop->sealed, c->buffer->bytes, have);
    }
    do
        n = recv(fd, loop->sealed + have, INPUT_BYTES - have, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) {
        edge_connection_await_input(loop, fd);
    } else if (n <= 0) {
        if (c->tls)
            count(loop, EDGE_C_TLS_FAILED, 1);
        edge_connection_drop(loop, fd);
    } else {
        count(loop, EDGE_C_BYTES_IN, (uint64_t)n);
        if (c->state == EDGE_CONN_IDLE)
            edge_connection_set_state(loop, c, EDGE_CONN_HANDSHAKE);
        step(loop, fd, have + (size_t)n);
    }
}

static void go_on(edge_loop *loop, int fd, size_t plain, size_t sealed)
{
    (void)plain;
    step(loop, fd, sealed);
}

static const edge_transport shaking = {.readable = readable, .go_on = go_on, .end = end};

int edge_shaking_open(edge_loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = HANDSHAKES_BIT};
    loop->handshakes = epoll_create1(EPOLL_CLOEXEC);
    if (loop->handshakes < 0 || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->handshakes, &event))
        return -errno;
    loop->shaking = mmap(NULL, (loop->limits.handshakes + 1) * sizeof *loop->shaking, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (loop->shaking == MAP_FAILED) {
        loop->shaking = NULL;
        return -ENOMEM;
    }
    loop->transports[1] = &shaking;
    loop->transports[2] = &edge_sealed;
    return 0;
}

void edge_shaking_tick(edge_loop *loop)
{
    __atomic_store_n(loop->answerer.table.counters + EDGE_C_TLS_STATES, loop->tls->states(loop->tls_of),
                     __ATOMIC_RELAXED);
    if (loop->shaking_count || loop->shaking_most < TRIM_AT)
        return;
    loop->shaking_most = 0;
    malloc_trim(0); /* 10 ms for 100 MB */
}
