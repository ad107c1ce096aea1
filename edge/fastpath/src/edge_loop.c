#include "edge_loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256
#define ROUNDS 8        /* epoll_waits in one run: the reactor gets its turn after at most 2,048 events */
#define ACCEPTS 64      /* accepts in one turn of a listener */
#define LISTENERS 64
#define INPUT_BYTES (EDGE_HEAD_LIMIT + EDGE_BODY_LIMIT + 32 * 1024)
#define LINGER_SECONDS 2
#define LINGER_BYTES (256 * 1024)
#define LISTENER_BIT ((uint64_t)1 << 32)

enum { FREE, IDLE, READING, WRITING, LINGER, HANDED };
enum { CLOSE_AFTER = 1 };

/* Bytes that outlive a turn: first output not taken yet, then input not answered yet. */
typedef struct {
    uint32_t sent, output, input; /* output: sent and unsent together */
    uint8_t bytes[];
} edge_buffer;

typedef struct {
    uint32_t deadline; /* loop seconds */
    uint32_t peer;
    uint16_t listener;
    uint8_t state, flags;
    edge_buffer *buffer;
} edge_connection;

typedef struct {
    int fd;
    uint32_t number;
    int recognise, shared, listening;
} edge_listener;

struct edge_loop {
    edge_answerer answerer;
    edge_output output;
    edge_limits limits;
    edge_peers peers;
    edge_connection *connections;
    uint32_t capacity, highest; /* of descriptors */
    int epoll;
    uint64_t open, pending, buffered;
    uint32_t now, advanced; /* loop seconds */
    uint32_t resume_accept; /* after EMFILE; 0: accepting */
    int draining;
    int listener_count, handoff_count;
    edge_listener listeners[LISTENERS];
    edge_handoff handoffs[EDGE_HANDOFFS];
    size_t timeout_length;
    uint8_t timeout_answer[1024];
    uint8_t input[INPUT_BYTES];
};

static void clocks(edge_loop *loop)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    loop->now = (uint32_t)time.tv_sec + loop->advanced;
    clock_gettime(CLOCK_REALTIME_COARSE, &time);
    edge_answerer_date(&loop->answerer, (uint64_t)time.tv_sec);
}

static void count(edge_loop *loop, unsigned counter, uint64_t n)
{
    edge_count(&loop->answerer.table, counter, n);
}

static void gauge(edge_loop *loop)
{
    __atomic_store_n(loop->answerer.table.counters + EDGE_C_CONNECTIONS, loop->open, __ATOMIC_RELAXED);
}

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

static void forget(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    buffer_drop(loop, c);
    edge_peers_leave(&loop->peers, c->peer);
    memset(c, 0, sizeof *c);
    loop->open--;
    gauge(loop);
}

static void drop(edge_loop *loop, int fd)
{
    forget(loop, fd);
    close(fd);
}

static int watch(edge_loop *loop, int operation, int fd, uint32_t events)
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
        drop(loop, fd);
        return;
    }
    c->state = LINGER;
    c->flags = 0;
    c->deadline = loop->now + LINGER_SECONDS;
    if (watch(loop, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLRDHUP) && errno == ENOENT
        && watch(loop, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP))
        drop(loop, fd);
}

static void hand_off(edge_loop *loop, int fd, const uint8_t *data, size_t length, int watched)
{
    edge_connection *c = loop->connections + fd;
    edge_handoff *handoff = loop->handoffs + loop->handoff_count;
    uint8_t *copy = malloc(length ? length : 1);
    if (!copy) {
        drop(loop, fd);
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
                drop(loop, fd);
                return;
            }
            if ((size_t)sent < loop->output.total) {
                if (verdict == EDGE_CLOSE) {
                    c->flags |= CLOSE_AFTER;
                    length = 0;
                }
                if (!buffer_keep(loop, c, &loop->output, (size_t)sent, data, length)
                    || watch(loop, watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, EPOLLOUT)) {
                    drop(loop, fd);
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
            drop(loop, fd);
        return;
    }
    if (verdict == EDGE_HANDOFF) {
        hand_off(loop, fd, data, length, watched);
        return;
    }
    if (length) {
        if (!buffer_keep(loop, c, NULL, 0, data, length)) {
            drop(loop, fd);
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
    if (!watched && watch(loop, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP))
        drop(loop, fd);
}

/* watched 0: just accepted, not in the set yet. */
static void readable(edge_loop *loop, int fd, int watched)
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
        if (!watched && watch(loop, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP))
            drop(loop, fd);
    } else {
        drop(loop, fd);
    }
}

static void writable(edge_loop *loop, int fd)
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
            drop(loop, fd);
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
    if (watch(loop, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLRDHUP))
        drop(loop, fd);
    else
        serve(loop, fd, loop->input, length, 1);
}

static void discard(edge_loop *loop, int fd)
{
    size_t total = 0;
    ssize_t n;
    while ((n = recv(fd, loop->input, INPUT_BYTES, 0)) > 0 && (total += (size_t)n) < LINGER_BYTES)
        ;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        drop(loop, fd);
}

/* ---- accepting ---- */

static void listener_watch(edge_loop *loop, edge_listener *listener, int on)
{
    struct epoll_event event = {.events = EPOLLIN | (listener->shared ? (uint32_t)EPOLLEXCLUSIVE : 0),
                                .data.u64 = LISTENER_BIT | (uint64_t)(listener - loop->listeners)};
    if (listener->listening == on)
        return;
    epoll_ctl(loop->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener->fd, &event);
    listener->listening = on;
}

static void accept_paused(edge_loop *loop)
{
    for (int i = 0; i < loop->listener_count; i++)
        listener_watch(loop, loop->listeners + i, 0);
    loop->resume_accept = loop->now + 1;
}

static void acceptable(edge_loop *loop, edge_listener *listener)
{
    for (int i = 0; i < ACCEPTS && loop->handoff_count < EDGE_HANDOFFS; i++) {
        struct sockaddr_storage address;
        socklen_t length = sizeof address;
        edge_connection *c;
        int fd = accept4(listener->fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                accept_paused(loop); /* a level-triggered listener would spin */
            if (errno == ECONNABORTED || errno == EINTR)
                continue;
            return;
        }
        count(loop, EDGE_C_ACCEPTS, 1);
        if ((uint32_t)fd >= loop->capacity || loop->open >= loop->limits.connections) {
            count(loop, EDGE_C_REFUSED_TOTAL, 1);
            close(fd);
            continue;
        }
        c = loop->connections + fd;
        memset(c, 0, sizeof *c);
        if (loop->limits.connections_per_address) {
            address.ss_family = length ? address.ss_family : AF_UNIX;
            c->peer = edge_peers_enter(&loop->peers, (struct sockaddr *)&address);
            if (c->peer && loop->peers.peers[c->peer].count > loop->limits.connections_per_address) {
                edge_peers_leave(&loop->peers, c->peer);
                c->peer = 0;
                count(loop, EDGE_C_REFUSED_ADDRESS, 1);
                close(fd);
                continue;
            }
        }
        if ((uint32_t)fd >= loop->highest)
            loop->highest = (uint32_t)fd + 1;
        c->listener = (uint16_t)listener->number;
        c->state = IDLE;
        c->deadline = loop->now + loop->limits.idle_seconds;
        loop->open++;
        gauge(loop);
        if (listener->recognise)
            readable(loop, fd, 0);
        else
            hand_off(loop, fd, loop->input, 0, 0);
    }
}

/* ---- the interface ---- */

edge_loop *edge_loop_new(const edge_table *table, const edge_limits *limits, uint32_t log_every,
                         const uint8_t *timeout_answer, size_t timeout_length)
{
    edge_loop *loop = calloc(1, sizeof *loop);
    struct rlimit files;
    if (!loop)
        return NULL;
    loop->answerer.table = *table;
    loop->answerer.log_every = loop->answerer.log_countdown = log_every;
    loop->limits = *limits;
    if (timeout_length <= sizeof loop->timeout_answer) {
        memcpy(loop->timeout_answer, timeout_answer, timeout_length);
        loop->timeout_length = timeout_length;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    loop->capacity = files.rlim_cur > 4u << 20 ? 4u << 20 : (uint32_t)files.rlim_cur;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    /* Reserved, not used: a page of it becomes memory when a descriptor in its range is accepted. */
    loop->connections = mmap(NULL, loop->capacity * sizeof *loop->connections, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (loop->connections == MAP_FAILED)
        loop->connections = NULL;
    clocks(loop);
    if (loop->epoll < 0 || !loop->connections
        || edge_peers_open(&loop->peers, ((uint64_t *)(void *)table->header->hash_key)[1])) {
        edge_loop_free(loop);
        return NULL;
    }
    return loop;
}

void edge_loop_free(edge_loop *loop)
{
    edge_loop_taken(loop);
    for (uint32_t fd = 0; loop->connections && fd < loop->highest; fd++) {
        if (loop->connections[fd].state == HANDED)
            forget(loop, (int)fd); /* the descriptor is Twisted's */
        else if (loop->connections[fd].state != FREE)
            drop(loop, (int)fd);
    }
    if (loop->connections)
        munmap(loop->connections, loop->capacity * sizeof *loop->connections);
    edge_peers_close(&loop->peers);
    if (loop->epoll >= 0)
        close(loop->epoll);
    free(loop);
}

edge_answerer *edge_loop_answerer(edge_loop *loop)
{
    return &loop->answerer;
}

int edge_loop_fileno(const edge_loop *loop)
{
    return loop->epoll;
}

int edge_loop_listen(edge_loop *loop, int fd, uint32_t number, int recognise, int shared)
{
    edge_listener *listener = loop->listeners + loop->listener_count;
    int on = 1;
    if (loop->listener_count == LISTENERS)
        return -ENOSPC;
    *listener = (edge_listener){.fd = fd, .number = number, .recognise = recognise, .shared = shared};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
    listener_watch(loop, listener, 1);
    loop->listener_count++;
    return 0;
}

static void ready(edge_loop *loop, const struct epoll_event *event)
{
    int fd = (int)(uint32_t)event->data.u64;
    if (event->data.u64 & LISTENER_BIT) {
        edge_listener *listener = loop->listeners + fd;
        if (listener->listening)
            acceptable(loop, listener);
        return;
    }
    switch (loop->connections[fd].state) {
    case IDLE:
    case READING:
        readable(loop, fd, 1);
        break;
    case WRITING:
        if (event->events & (EPOLLERR | EPOLLHUP))
            drop(loop, fd);
        else
            writable(loop, fd);
        break;
    case LINGER:
        discard(loop, fd);
        break;
    default: /* handed off or closed earlier in this batch */
        break;
    }
}

int edge_loop_run(edge_loop *loop)
{
    struct epoll_event events[EVENTS];
    clocks(loop);
    edge_table_enter(&loop->answerer.table);
    for (int round = 0; round < ROUNDS; round++) {
        /* Each event hands off at most one connection, an accepting one up to what is left: asking
         * for no more events than places are left keeps the list from overflowing. */
        int room = EDGE_HANDOFFS - loop->handoff_count;
        int n = room ? epoll_wait(loop->epoll, events, room < EVENTS ? room : EVENTS, 0) : 0;
        for (int i = 0; i < n && loop->handoff_count < EDGE_HANDOFFS; i++)
            ready(loop, events + i);
        if (n <= 0 || loop->handoff_count)
            break;
    }
    edge_table_leave(&loop->answerer.table);
    return loop->handoff_count;
}

const edge_handoff *edge_loop_handoffs(const edge_loop *loop)
{
    return loop->handoffs;
}

void edge_loop_taken(edge_loop *loop)
{
    for (int i = 0; i < loop->handoff_count; i++)
        free(loop->handoffs[i].data);
    loop->handoff_count = 0;
}

static void head_too_slow(edge_loop *loop, int fd)
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

void edge_loop_tick(edge_loop *loop)
{
    clocks(loop);
    if (loop->resume_accept && loop->now >= loop->resume_accept && !loop->draining) {
        loop->resume_accept = 0;
        for (int i = 0; i < loop->listener_count; i++)
            listener_watch(loop, loop->listeners + i, 1);
    }
    for (uint32_t fd = 0; fd < loop->highest; fd++) {
        edge_connection *c = loop->connections + fd;
        if (c->state == FREE || c->state == HANDED || (int32_t)(loop->now - c->deadline) < 0)
            continue;
        if (c->state == READING) {
            head_too_slow(loop, (int)fd);
            continue;
        }
        if (c->state != LINGER)
            count(loop, c->state == IDLE ? EDGE_C_TIMEOUTS_IDLE : EDGE_C_TIMEOUTS_WRITE, 1);
        drop(loop, (int)fd);
    }
    while (loop->highest && loop->connections[loop->highest - 1].state == FREE)
        loop->highest--;
}

int edge_loop_adopt(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    if ((uint32_t)fd >= loop->capacity || c->state != HANDED)
        return -EINVAL;
    c->state = IDLE;
    c->deadline = loop->now + loop->limits.idle_seconds;
    count(loop, EDGE_C_RETURNS, 1);
    if (loop->draining || watch(loop, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP)) {
        int error = loop->draining ? 0 : -errno;
        drop(loop, fd);
        return error;
    }
    return 0;
}

void edge_loop_release(edge_loop *loop, int fd)
{
    if (fd >= 0 && (uint32_t)fd < loop->capacity && loop->connections[fd].state == HANDED)
        forget(loop, fd);
}

void edge_loop_drain(edge_loop *loop)
{
    loop->draining = loop->answerer.draining = 1;
    clocks(loop);
    edge_table_enter(&loop->answerer.table);
    for (int i = 0; i < loop->listener_count; i++) {
        if (loop->listeners[i].listening)
            acceptable(loop, loop->listeners + i); /* who has connected already is still served */
        listener_watch(loop, loop->listeners + i, 0);
    }
    edge_table_leave(&loop->answerer.table);
    for (uint32_t fd = 0; fd < loop->highest; fd++)
        if (loop->connections[fd].state == IDLE)
            drop(loop, (int)fd);
}

uint64_t edge_loop_connections(const edge_loop *loop)
{
    return loop->open;
}

uint64_t edge_loop_memory(const edge_loop *loop)
{
    return loop->open * sizeof(edge_connection) + loop->buffered
           + (loop->peers.used - 1) * (sizeof(edge_peer) + sizeof(uint32_t));
}

void edge_loop_advance(edge_loop *loop, uint32_t seconds)
{
    loop->advanced += seconds;
    clocks(loop);
}
