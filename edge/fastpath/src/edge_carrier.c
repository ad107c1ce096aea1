#include "edge_carrier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_OUT (4 * 1024 * 1024) /* bytes that a member does not take: it is gone for us */

static unsigned place_of(const edge_carrier *carrier)
{
    return carrier->id % EDGE_CARRIERS;
}

/* ---- which can be asked one more ---- */

void edge_carrier_withdraw(edge_loop *loop, edge_carrier *carrier)
{
    edge_member *member = carrier->member;
    if (!carrier->offered)
        return;
    *(carrier->newer ? &carrier->newer->older : &member->newest) = carrier->older;
    *(carrier->older ? &carrier->older->newer : &member->oldest) = carrier->newer;
    carrier->newer = carrier->older = NULL;
    carrier->offered = false;
    member->resting--;
    if (member->is_server)
        count(loop, EDGE_C_RELAY_RESTING, (uint64_t)-1);
}

void edge_carrier_offer(edge_loop *loop, edge_carrier *carrier)
{
    edge_member *member = carrier->member;
    if (carrier->offered || carrier->retired || carrier->fd < 0)
        return;
    carrier->offered = true;
    carrier->older = member->newest;
    *(member->newest ? &member->newest->newer : &member->oldest) = carrier;
    member->newest = carrier;
    if (member->is_server)
        count(loop, EDGE_C_RELAY_RESTING, 1);
    if (++member->resting > EDGE_RESTING)
        edge_carrier_lose(loop, member->oldest, false);
}

/* ---- its life ---- */

/* Has it looked at, at the end of the turn. */
static void queue(edge_loop *loop, edge_carrier *carrier)
{
    if (carrier->queued)
        return;
    carrier->queued = true;
    carrier->next = loop->relay->work;
    loop->relay->work = carrier;
}

int edge_carrier_new(edge_loop *loop, edge_member *member, int fd, uint32_t seconds, edge_carrier **made)
{
    edge_relay *relay = loop->relay;
    unsigned place = 0;
    if (!edge_member_may_carry(relay, member))
        return -ENOSPC;
    while (place < EDGE_CARRIERS && relay->carriers[place])
        place++;
    if (place == EDGE_CARRIERS)
        return -ENOSPC;
    edge_carrier *carrier = calloc(1, sizeof *carrier);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = CARRIER_BIT | place};
    if (!carrier)
        return -ENOMEM;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event)) {
        const int error = errno;
        free(carrier);
        return -error;
    }
    carrier->fd = fd;
    carrier->id = (++relay->carried % (INT32_MAX / EDGE_CARRIERS)) * EDGE_CARRIERS + place;
    carrier->member = member;
    member->carriers++;
    relay->carriers[place] = carrier;
    if (place >= relay->carrier_count)
        relay->carrier_count = place + 1;
    member->protocol->begin(loop, carrier, seconds);
    *made = carrier;
    return 0;
}

void edge_carrier_free(edge_loop *loop, edge_carrier *carrier)
{
    if (carrier->fd >= 0)
        close(carrier->fd);
    loop->relay->carriers[place_of(carrier)] = NULL;
    free(carrier->rest);
    free(carrier->out);
    free(carrier);
}

void edge_carrier_lose(edge_loop *loop, edge_carrier *carrier, bool broken)
{
    if (carrier->fd < 0)
        return;
    edge_carrier_withdraw(loop, carrier);
    if (!carrier->paused)
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, carrier->fd, NULL);
    close(carrier->fd);
    carrier->fd = -1;
    carrier->member->carriers--;
    queue(loop, carrier);
    carrier->member->protocol->lost(loop, carrier, broken);
}

void edge_carrier_retire(edge_loop *loop, edge_carrier *carrier)
{
    carrier->retired = true;
    edge_carrier_withdraw(loop, carrier);
    queue(loop, carrier);
}

/* ---- bytes out ---- */

/* An epoll set tells of errors and ends whether it is asked for them or not: what is paused is in none. */
static void watch(edge_loop *loop, const edge_carrier *carrier)
{
    struct epoll_event event = {.events = EPOLLIN | (carrier->awaits_output ? EPOLLOUT : 0),
                                .data.u64 = CARRIER_BIT | place_of(carrier)};
    if (!carrier->paused)
        epoll_ctl(loop->epoll, EPOLL_CTL_MOD, carrier->fd, &event);
}

void edge_carrier_pause(edge_loop *loop, edge_carrier *carrier, bool paused)
{
    struct epoll_event event = {.events = EPOLLIN | (carrier->awaits_output ? EPOLLOUT : 0),
                                .data.u64 = CARRIER_BIT | place_of(carrier)};
    if (carrier->fd < 0 || paused == carrier->paused)
        return;
    carrier->paused = paused;
    if (epoll_ctl(loop->epoll, paused ? EPOLL_CTL_DEL : EPOLL_CTL_ADD, carrier->fd, &event) && !paused) {
        carrier->paused = carrier->stuck = true; /* there is no memory to hear of it */
        queue(loop, carrier);
    }
}

bool edge_carrier_say(edge_loop *loop, edge_carrier *carrier, const uint8_t *bytes, size_t length)
{
    queue(loop, carrier);
    if (carrier->out_length + length > carrier->out_room && carrier->out_sent) {
        carrier->out_length -= carrier->out_sent;
        memmove(carrier->out, carrier->out + carrier->out_sent, carrier->out_length);
        carrier->out_sent = 0;
    }
    if (carrier->out_length + length > carrier->out_room) {
        const size_t room = 2 * carrier->out_room + length + 16384;
        uint8_t *out = room <= MOST_OUT ? realloc(carrier->out, room) : NULL;
        if (!out) {
            carrier->stuck = true;
            return false;
        }
        carrier->out = out;
        carrier->out_room = room;
    }
    memcpy(carrier->out + carrier->out_length, bytes, length);
    carrier->out_length += length;
    return true;
}

/* Whether what was said could be sent, now or later. */
static bool send_out(edge_loop *loop, edge_carrier *carrier)
{
    while (carrier->out_sent < carrier->out_length) {
        ssize_t n = send(carrier->fd, carrier->out + carrier->out_sent, carrier->out_length - carrier->out_sent,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return false;
        if (n < 0)
            break;
        carrier->out_sent += (size_t)n;
    }
    const bool awaits = carrier->out_sent < carrier->out_length;
    if (!awaits)
        carrier->out_sent = carrier->out_length = 0;
    if (awaits != carrier->awaits_output) {
        carrier->awaits_output = awaits;
        watch(loop, carrier);
    }
    return true;
}

/* ---- bytes in ---- */

/* Keeps bytes that are not understood yet, or that there was no room for in this turn.  false: no memory. */
static bool keep_rest(edge_loop *loop, edge_carrier *carrier, const uint8_t *in, size_t length)
{
    uint8_t *rest = NULL;
    if (length && !(rest = malloc(length)))
        return false;
    if (length)
        memcpy(rest, in, length);
    free(carrier->rest);
    carrier->rest = rest;
    carrier->rest_length = length;
    carrier->held = length && !edge_members_can_go_on(loop);
    if (carrier->held)
        queue(loop, carrier);
    return true;
}

static void receive(edge_loop *loop, edge_carrier *carrier)
{
    const edge_protocol *protocol = carrier->member->protocol;
    uint8_t *input = loop->relay->input;
    size_t have = carrier->rest_length;
    ssize_t n = 0;
    if (have)
        memcpy(input, carrier->rest, have);
    if (!carrier->held) {
        do
            n = recv(carrier->fd, input + have, protocol->reads - have, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            protocol->ended(loop, carrier, !n);
            return;
        }
    }
    have += (size_t)n;
    const size_t taken = protocol->take(loop, carrier, input, have);
    if (carrier->fd < 0)
        return;
    if (taken == SIZE_MAX || !keep_rest(loop, carrier, input + taken, have - taken))
        edge_carrier_lose(loop, carrier, true);
    else if (carrier->retired && !carrier->open)
        queue(loop, carrier);
}

void edge_carrier_ready(edge_loop *loop, unsigned place, uint32_t events)
{
    edge_carrier *carrier = loop->relay ? loop->relay->carriers[place] : NULL;
    if (!carrier || carrier->fd < 0 || carrier->paused || !edge_members_can_go_on(loop))
        return;
    if (events & EPOLLOUT && !send_out(loop, carrier))
        edge_carrier_lose(loop, carrier, false);
    else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(loop, carrier);
}

/* What is to be done with one at the end of a turn. */
static void settle(edge_loop *loop, edge_carrier *carrier)
{
    if (carrier->fd < 0)
        edge_carrier_free(loop, carrier);
    else if (carrier->stuck || (!carrier->awaits_output && !send_out(loop, carrier)))
        edge_carrier_lose(loop, carrier, false);
    else if (carrier->held)
        receive(loop, carrier);
    else if (carrier->retired && !carrier->open)
        edge_carrier_lose(loop, carrier, false);
}

void edge_carrier_flush(edge_loop *loop)
{
    edge_relay *relay = loop->relay;
    while (relay->work && edge_members_can_go_on(loop)) {
        edge_carrier *carrier = relay->work;
        relay->work = carrier->next;
        carrier->queued = false;
        settle(loop, carrier);
    }
}
