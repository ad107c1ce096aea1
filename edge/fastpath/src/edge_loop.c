#include "edge_connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "edge_held.h"
#include "edge_relay.h"
#include "edge_shaking.h"

#define EVENTS 256       /* of one epoll_wait */
#define TURN_EVENTS 2048 /* of one edge_loop_wait: then the caller gets its turn, whatever is ready here */
#define LOOKS 64         /* at the set, before a sleep; see await */
#define SLEEPS 255       /* without a look, at most */
#define ACCEPTS 64       /* accepts in one turn of a listener */
#define LISTENER_BIT ((uint64_t)1 << 32)
#define CALLER_BIT ((uint64_t)1 << 33)

void edge_loop_clocks(edge_loop *loop)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    loop->now = (uint32_t)time.tv_sec + loop->advanced;
    loop->answerer.table.now_ms = ((uint64_t)time.tv_sec + loop->advanced) * 1000 + (uint64_t)time.tv_nsec / 1000000;
    clock_gettime(CLOCK_REALTIME_COARSE, &time);
    edge_answerer_date(&loop->answerer, (uint64_t)time.tv_sec);
    loop->answerer.now_us = (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
    if (loop->answerer.clock) /* once for a batch: who waits for others of it waits, too */
        loop->answerer.began = loop->answerer.clock();
}

/* ---- accepting ---- */

static void listener_watch(edge_loop *loop, edge_listener *listener)
{
    uint32_t exclusive = listener->flags & EDGE_LISTENER_SHARED ? (uint32_t)EPOLLEXCLUSIVE : 0;
    struct epoll_event event = {.events = EPOLLIN | exclusive,
                                .data.u64 = LISTENER_BIT | (uint64_t)(listener - loop->listeners)};
    if (listener->watched)
        return;
    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, listener->fd, &event);
    listener->watched = true;
}

static void listener_unwatch(edge_loop *loop, edge_listener *listener)
{
    if (!listener->watched)
        return;
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, listener->fd, NULL);
    listener->watched = false;
}

/* Descriptors or memory have run out: backpressure by the listen queue for a second. */
static void accept_paused(edge_loop *loop)
{
    for (int i = 0; i < loop->listener_count; i++)
        listener_unwatch(loop, loop->listeners + i);
    loop->resume_accept = loop->now + 1;
}

/* Whether an address may have so many connections, the last of which is not counted in open yet. */
static bool address_may_connect(const edge_loop *loop, uint32_t count)
{
    return count <= loop->limits.connections_per_address
           && edge_share(loop->limits.connections, loop->open, count - 1, 1);
}

/* Counts a connection by an address.  false: that has too many. */
static bool enter(edge_loop *loop, edge_connection *c, const struct sockaddr *address)
{
    if (!loop->limits.connections_per_address)
        return true;
    c->peer = edge_peers_enter(&loop->peers, address);
    if (!c->peer || address_may_connect(loop, loop->peers.peers[c->peer].count))
        return true;
    edge_peers_leave(&loop->peers, c->peer);
    c->peer = 0;
    count(loop, EDGE_C_REFUSED_ADDRESS, 1);
    return false;
}

/* A connection is accepted, and it is known whom it is with. */
static void begin(edge_loop *loop, int fd, const edge_listener *listener)
{
    if (!(listener->flags & EDGE_LISTENER_RECOGNISES))
        edge_connection_hand_off(loop, fd, &(edge_received){.length = 0});
    else if (listener->context)
        edge_shaking_accepted(loop, fd);
    else
        edge_plain.readable(loop, fd);
}

static void acceptable(edge_loop *loop, edge_listener *listener)
{
    for (int i = 0; i < loop->accepts && loop->handoff_count < EDGE_HANDOFFS; i++) {
        struct sockaddr_storage address;
        socklen_t length = sizeof address;
        edge_connection *c;
        uint8_t peer[16];
        bool unnamed;
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
        address.ss_family = length ? address.ss_family : AF_UNIX;
        if (edge_loop_knows_clients(loop))
            edge_connection_set_client(loop, fd, (struct sockaddr *)&address);
        edge_address_of((struct sockaddr *)&address, peer);
        unnamed = edge_networks_hold(&loop->proxies, peer);
        /* Proxies are many visitors: they are not told apart by theirs. */
        if (!unnamed && !edge_networks_hold(&loop->answerer.trusted, peer)
            && !enter(loop, c, (struct sockaddr *)&address)) {
            close(fd);
            continue;
        }
        if (unnamed)
            c->flags |= EDGE_CONN_UNNAMED;
        if ((uint32_t)fd >= loop->highest)
            loop->highest = (uint32_t)fd + 1;
        c->listener = (uint16_t)listener->number;
        edge_connection_set_state(loop, c, EDGE_CONN_IDLE);
        loop->open++;
        edge_connection_gauge(loop);
        if (unnamed)
            edge_connection_hand_off(loop, fd, &(edge_received){.length = 0});
        else
            begin(loop, fd, listener);
    }
}

/* ---- the interface ---- */

/* What is ready here is for the caller.  0, or -1 with errno. */
static int watch_caller(const edge_loop *loop, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = CALLER_BIT};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
}

edge_loop *edge_loop_new(const edge_table *table, const edge_limits *limits)
{
    edge_loop *loop = calloc(1, sizeof *loop);
    struct rlimit files;
    if (!loop)
        return NULL;
    loop->answerer.table = *table;
    loop->log_wake = -1;
    loop->limits = *limits;
    loop->handshakes = -1;
    getrlimit(RLIMIT_NOFILE, &files);
    loop->capacity = files.rlim_cur > 4u << 20 ? 4u << 20 : (uint32_t)files.rlim_cur;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    /* Reserved, not used: a page of it becomes memory when a descriptor in its range is accepted. */
    loop->connections = mmap(NULL, loop->capacity * sizeof *loop->connections, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    loop->certified = mmap(NULL, loop->capacity * sizeof *loop->certified, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    loop->clients = mmap(NULL, loop->capacity * sizeof *loop->clients, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (loop->connections == MAP_FAILED)
        loop->connections = NULL;
    if (loop->clients == MAP_FAILED)
        loop->clients = NULL;
    if (loop->certified == MAP_FAILED)
        loop->certified = NULL;
    loop->transports[0] = &edge_plain;
    loop->answerer.parse_address = edge_address_parse;
    loop->accepts = 1;
    edge_loop_clocks(loop);
    if (loop->epoll < 0 || loop->timer < 0 || watch_caller(loop, loop->timer, EPOLLIN | EPOLLET) || !loop->connections
        || !loop->clients || !loop->certified || edge_sockets_open(&loop->sockets, loop->capacity)
        || edge_peers_open(&loop->peers, ((uint64_t *)(void *)table->header->hash_key)[1])) {
        edge_loop_free(loop);
        return NULL;
    }
    loop->peers.prefix = limits->ipv6_prefix;
    return loop;
}

void edge_loop_free(edge_loop *loop)
{
    edge_loop_taken(loop);
    for (uint32_t fd = 0; loop->connections && fd < loop->highest; fd++) {
        if (loop->connections[fd].state == EDGE_CONN_HANDED)
            edge_connection_forget(loop, (int)fd); /* the descriptor is Twisted's */
        else if (loop->connections[fd].state != EDGE_CONN_FREE) {
            edge_connection_forget(loop, (int)fd);
            close((int)fd); /* the kernel sends what it has */
        }
    }
    if (loop->connections)
        munmap(loop->connections, loop->capacity * sizeof *loop->connections);
    if (loop->clients)
        munmap(loop->clients, loop->capacity * sizeof *loop->clients);
    if (loop->certified)
        munmap(loop->certified, loop->capacity * sizeof *loop->certified);
    free(loop->shown);
    edge_relay_close(loop);
    edge_sockets_close(&loop->sockets);
    edge_peers_close(&loop->peers);
    for (int i = 0; i < loop->listener_count; i++)
        if (loop->listeners[i].context)
            loop->tls->release(loop->listeners[i].context);
    edge_shaking_close(loop);
    if (loop->timer >= 0)
        close(loop->timer);
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

int edge_loop_listen(edge_loop *loop, int fd, uint32_t number, unsigned flags)
{
    edge_listener *listener = loop->listeners + loop->listener_count;
    int on = 1;
    if (loop->listener_count == LISTENERS)
        return -ENOSPC;
    *listener = (edge_listener){.fd = fd, .number = number, .flags = flags};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
    listener_watch(loop, listener);
    loop->listener_count++;
    return 0;
}

int edge_loop_use_tls(edge_loop *loop, const edge_tls_functions *functions, edge_tls *tls)
{
    if (functions->size != sizeof *functions || loop->tls)
        return -EINVAL;
    loop->tls = functions;
    loop->tls_of = tls;
    return edge_shaking_open(loop);
}

/* Gives what these certificates may show places among all that was shown, those that they have if they have some: the
 * first of them; 0: there is no room. */
static uint32_t put_shown(edge_loop *loop, const edge_certificates *certificates)
{
    for (uint32_t i = 1; i < loop->shown_count; i += loop->shown[i].certificates->shown_count)
        if (loop->shown[i].certificates == certificates)
            return i;
    const uint32_t first = loop->shown_count ? loop->shown_count : 1;
    if (certificates->shown_count > SHOWN - first)
        return 0;
    edge_shown *grown = realloc(loop->shown, (first + certificates->shown_count) * sizeof *grown);
    if (!grown)
        return 0;
    loop->shown = grown;
    for (uint32_t i = 0; i < certificates->shown_count; i++)
        grown[first + i] = (edge_shown){certificates, i};
    loop->shown_count = first + certificates->shown_count;
    return first;
}

int edge_loop_secure(edge_loop *loop, uint32_t number, edge_tls_context *context,
                     const edge_certificates *certificates, uint32_t *first)
{
    *first = 0;
    for (int i = 0; i < loop->listener_count && loop->tls; i++) {
        edge_listener *listener = loop->listeners + i;
        if (listener->number != number)
            continue;
        loop->tls->retain(context);
        if (listener->context)
            loop->tls->release(listener->context);
        listener->context = context;
        *first = listener->first_shown = certificates ? put_shown(loop, certificates) : 0;
        listener->certificates = *first ? certificates : NULL;
        return 0;
    }
    return -EINVAL;
}

static void ready(edge_loop *loop, const struct epoll_event *event)
{
    int fd = (int)(uint32_t)event->data.u64;
    if (event->data.u64 & LISTENER_BIT) {
        edge_listener *listener = loop->listeners + fd;
        if (listener->watched)
            acceptable(loop, listener);
    } else {
        edge_connection_ready(loop, fd, event->events);
    }
}

int edge_loop_watch(edge_loop *loop, int fd)
{
    return watch_caller(loop, fd, EPOLLIN) ? -errno : 0;
}

static uint64_t microseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

int edge_loop_log(edge_loop *loop, void *ring, uint64_t bytes, uint32_t every, int wake)
{
    edge_answerer *answerer = &loop->answerer;
    if (!edge_log_open(&answerer->log, ring, bytes))
        return -EINVAL;
    answerer->log_every = answerer->log_countdown = every;
    answerer->clock = microseconds;
    loop->log_wake = wake;
    return 0;
}

/* Once for all requests of a batch. */
static void wake_log(const edge_loop *loop)
{
    static const uint64_t one = 1;
    if (loop->log_wake < 0 || !edge_log_is_awaited(&loop->answerer.log))
        return;
    if (write(loop->log_wake, &one, sizeof one) < 0)
        return; /* it is awake, or has gone */
}

/* The caller's turn comes in so many microseconds; -1: never.  One timer for many sleeps costs less than a timeout
 * of each, and is exact. */
static void deadline_set(const edge_loop *loop, int64_t timeout_us)
{
    struct itimerspec time = {.it_interval.tv_sec = 0};
    if (timeout_us > 0) {
        time.it_value.tv_sec = timeout_us / 1000000;
        time.it_value.tv_nsec = timeout_us % 1000000 * 1000;
    }
    timerfd_settime(loop->timer, 0, &time, NULL);
}

/* Serves a batch, handshakes last: they cost the most.  Whether the caller's descriptor or its deadline was among
 * it. */
static bool serve_events(edge_loop *loop, const struct epoll_event *events, int count)
{
    bool caller = false, shaking = false;
    edge_loop_clocks(loop);
    edge_table_enter(&loop->answerer.table);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 & CALLER_BIT)
            caller = true;
        else if (events[i].data.u64 & CARRIER_BIT)
            edge_carrier_ready(loop, (unsigned)(uint32_t)events[i].data.u64, events[i].events);
        else if (events[i].data.u64 & HANDSHAKES_BIT)
            shaking = true;
        else if (loop->handoff_count < EDGE_HANDOFFS)
            ready(loop, events + i);
    }
    if (shaking)
        edge_shaking_turn(loop);
    edge_relay_flush(loop);
    edge_table_leave(&loop->answerer.table);
    wake_log(loop);
    if (edge_relay_has_work(loop))
        deadline_set(loop, 1); /* there was no room for it: in the next turn */
    return caller;
}

/* Whether the caller has something to do besides what is ready here. */
static bool caller_has_work(const edge_loop *loop)
{
    return loop->handoff_count || edge_relay_has_news(loop);
}

/* epoll_wait that looks some times before it sleeps: some 15 us, while a sleep and its end cost 3 us of CPU, on a
 * virtual machine 25.  Close to its capacity a loop is fed in gaps of a few us and would sleep in each of them.
 * Where looking was in vain the next 1, 3, 7 .. SLEEPS waits sleep at once.  (`make bench BENCH=turn`: with 4
 * connections 0.76 of nginx's CPU instead of 1.15.)  Nor does it look while an application is asked: who is to answer
 * may wait for this core.  *paused: nothing was ready at first. */
static int await(edge_loop *loop, struct epoll_event *events, bool *paused)
{
    *paused = true;
    if (edge_relay_awaits(loop))
        return epoll_wait(loop->epoll, events, EVENTS, -1);
    if (loop->sleeps_left) {
        loop->sleeps_left--;
        return epoll_wait(loop->epoll, events, EVENTS, -1);
    }
    for (int i = 0; i < LOOKS; i++) {
        int n = epoll_wait(loop->epoll, events, EVENTS, 0);
        if (n) {
            loop->sleeps = 0;
            *paused = i > 0;
            return n;
        }
    }
    loop->sleeps = loop->sleeps < SLEEPS ? 2 * loop->sleeps + 1 : SLEEPS;
    loop->sleeps_left = loop->sleeps;
    return epoll_wait(loop->epoll, events, EVENTS, -1);
}

/* The next events, and how many connections a listener among them is to accept: all that are here; but if it alone
 * is ready after a pause one, and then twice as many each time.  An accept4 that finds nothing costs more than the
 * next look at the set, which says the same.  (One after the other: 0.88 of nginx's CPU instead of 0.93.) */
static int next_events(edge_loop *loop, struct epoll_event *events, bool wait)
{
    bool paused;
    int n;
    if (!wait) {
        loop->accepts = ACCEPTS;
        return epoll_wait(loop->epoll, events, EVENTS, 0);
    }
    n = await(loop, events, &paused);
    if (n > 1)
        loop->accepts = ACCEPTS;
    else if (paused)
        loop->accepts = 1;
    else if (loop->accepts < ACCEPTS)
        loop->accepts *= 2;
    return n;
}

int edge_loop_wait(edge_loop *loop, int64_t timeout_us)
{
    struct epoll_event events[EVENTS];
    edge_relay_resume(loop);
    bool wait = timeout_us && !caller_has_work(loop);
    if (wait)
        deadline_set(loop, timeout_us);
    for (int served = 0; served < TURN_EVENTS;) {
        int n = next_events(loop, events, wait);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n <= 0)
            break; /* nothing is ready, or a signal has come */
        served += n;
        if (serve_events(loop, events, n))
            wait = false;
        if (caller_has_work(loop) || (!wait && n < EVENTS))
            break; /* the caller's turn, and all that was ready is served */
    }
    return loop->handoff_count;
}

int edge_loop_run(edge_loop *loop)
{
    return edge_loop_wait(loop, 0);
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

/* What becomes of a connection whose deadline is over. */
static void overdue(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    switch (c->state) {
    case EDGE_CONN_READING:
        edge_connection_too_slow(loop, fd);
        return;
    case EDGE_CONN_WRITING:
    case EDGE_CONN_GIVING:
        if (edge_connection_keeps_pace(loop, fd))
            return;
        count(loop, EDGE_C_TIMEOUTS_WRITE, 1);
        break;
    case EDGE_CONN_SOCKET:
        edge_sockets_overdue(loop, fd);
        return;
    case EDGE_CONN_ASKED:
        edge_exchange_overdue(loop, fd);
        return;
    case EDGE_CONN_HELD:
        edge_held_overdue(loop, fd);
        return;
    case EDGE_CONN_LINGER:
        if (edge_connection_lingers_on(loop, fd))
            return;
        if (c->owed > OWED_BYTES)
            count(loop, EDGE_C_TIMEOUTS_WRITE, 1);
        break;
    default:
        if (c->state == EDGE_CONN_IDLE && !(c->flags & EDGE_CONN_SHAKING)) {
            count(loop, EDGE_C_TIMEOUTS_IDLE, 1);
            edge_connection_close(loop, fd);
            return;
        }
        count(loop, EDGE_C_TLS_TIMEOUTS, 1);
    }
    edge_connection_drop(loop, fd);
}

void edge_loop_tick(edge_loop *loop)
{
    edge_loop_clocks(loop);
    if (loop->resume_accept && loop->now >= loop->resume_accept && !loop->draining) {
        loop->resume_accept = 0;
        for (int i = 0; i < loop->listener_count; i++)
            listener_watch(loop, loop->listeners + i);
    }
    for (uint32_t fd = 0; fd < loop->highest; fd++) {
        edge_connection *c = loop->connections + fd;
        if (c->state == EDGE_CONN_FREE || c->state == EDGE_CONN_HANDED
            || (int32_t)(loop->now - c->deadline) < 0)
            continue;
        overdue(loop, (int)fd);
    }
    if (loop->tls)
        edge_shaking_tick(loop);
    edge_relay_tick(loop);
    wake_log(loop);
    while (loop->highest && loop->connections[loop->highest - 1].state == EDGE_CONN_FREE)
        loop->highest--;
}

int edge_loop_adopt(edge_loop *loop, int fd, uint32_t tls, const uint8_t *sealed, uint64_t sealed_length,
                    const edge_socket_state *socket)
{
    edge_connection *c = loop->connections + fd;
    edge_received received = {.sealed = sealed, .sealed_length = sealed_length};
    edge_buffer *buffer = NULL;
    if (fd < 0 || (uint32_t)fd >= loop->capacity || c->state != EDGE_CONN_HANDED)
        return -EINVAL;
    if (sealed_length && !(buffer = edge_connection_buffer(loop, c, 0, &received)))
        return -ENOMEM;
    if ((!loop->draining || socket) && edge_connection_watch(loop, fd, READABLE)) {
        free(buffer);
        return -errno;
    }
    if (socket && edge_sockets_enter(loop, fd, socket)) {
        edge_connection_unwatch(loop, fd);
        free(buffer);
        return -ENOMEM;
    }
    edge_connection_set_state(loop, c, socket ? EDGE_CONN_SOCKET : EDGE_CONN_IDLE);
    count(loop, EDGE_C_RETURNS, 1);
    if (tls) {
        c->flags |= EDGE_CONN_SEALED;
        c->tls = tls;
    }
    if (buffer) {
        edge_connection_keep(loop, c, buffer, 0, &received);
        if (!socket)
            edge_connection_set_state(loop, c, EDGE_CONN_READING);
    }
    if (socket)
        edge_sockets_rest(loop, fd);
    else if (loop->draining)
        edge_connection_close(loop, fd);
    return 0;
}

void edge_loop_proxies(edge_loop *loop, const edge_networks *proxies, const edge_networks *trusted)
{
    loop->proxies = *proxies;
    loop->answerer.trusted = *trusted;
}

int edge_loop_introduce(edge_loop *loop, int fd, const uint8_t *client)
{
    edge_connection *c = loop->connections + fd;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (fd < 0 || (uint32_t)fd >= loop->capacity || c->state != EDGE_CONN_HANDED || !(c->flags & EDGE_CONN_UNNAMED))
        return -EINVAL;
    if (loop->handoff_count == EDGE_HANDOFFS)
        return -EAGAIN;
    if (client) {
        edge_address_to(client, &address);
        if (!enter(loop, c, (struct sockaddr *)&address))
            return -EACCES;
        memcpy(loop->clients[fd], client, 16);
        c->flags |= EDGE_CONN_PROXIED;
    } else if (!getpeername(fd, (struct sockaddr *)&address, &length)) {
        address.ss_family = length ? address.ss_family : AF_UNIX;
        if (!enter(loop, c, (struct sockaddr *)&address))
            return -EACCES;
    }
    c->flags &= (uint8_t)~EDGE_CONN_UNNAMED;
    edge_connection_set_state(loop, c, EDGE_CONN_IDLE);
    for (int i = 0; i < loop->listener_count; i++)
        if (loop->listeners[i].number == c->listener) {
            edge_loop_clocks(loop);
            edge_table_enter(&loop->answerer.table);
            begin(loop, fd, loop->listeners + i);
            edge_relay_flush(loop);
            edge_table_leave(&loop->answerer.table);
            return 0;
        }
    edge_connection_drop(loop, fd);
    return 0;
}

void edge_loop_release(edge_loop *loop, int fd)
{
    if (fd >= 0 && (uint32_t)fd < loop->capacity && loop->connections[fd].state == EDGE_CONN_HANDED)
        edge_connection_forget(loop, fd);
}

/* Ends a connection that rests.  Of TLS that has not begun the hello is here and waits for its turn, or on its way:
 * without TLS what was here has been read when the connection was accepted. */
static void end_rest(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    if (!(c->flags & EDGE_CONN_SHAKING))
        edge_connection_close(loop, fd);
    else if ((int32_t)(c->deadline - loop->now) > LINGER_SECONDS)
        c->deadline = loop->now + LINGER_SECONDS;
}

void edge_loop_drain(edge_loop *loop)
{
    loop->draining = loop->answerer.draining = true;
    loop->accepts = ACCEPTS;
    edge_loop_clocks(loop);
    edge_table_enter(&loop->answerer.table);
    for (int i = 0; i < loop->listener_count; i++) {
        if (loop->listeners[i].watched)
            acceptable(loop, loop->listeners + i); /* who has connected already is still served */
        listener_unwatch(loop, loop->listeners + i);
    }
    edge_relay_flush(loop);
    edge_table_leave(&loop->answerer.table);
    for (uint32_t fd = 0; fd < loop->highest; fd++)
        if (loop->connections[fd].state == EDGE_CONN_IDLE)
            end_rest(loop, (int)fd);
        else if (loop->connections[fd].state == EDGE_CONN_SOCKET)
            edge_sockets_rest(loop, (int)fd); /* with a goodbye */
}

uint64_t edge_loop_connections(const edge_loop *loop)
{
    return loop->open;
}

uint64_t edge_loop_memory(const edge_loop *loop)
{
    return loop->open * (sizeof(edge_connection) + (edge_loop_knows_clients(loop) ? sizeof *loop->clients : 0))
           + loop->buffered
           + (loop->peers.used - 1) * (sizeof(edge_peer) + sizeof(uint32_t))
           + loop->sockets.count * (sizeof(edge_socket) + sizeof(uint32_t))
           + (loop->tls ? loop->tls->memory(loop->tls_of) : 0);
}

void edge_loop_advance(edge_loop *loop, uint32_t seconds)
{
    loop->advanced += seconds;
    edge_loop_clocks(loop);
}
