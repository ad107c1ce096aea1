#include "edge_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PING_SECONDS 30 /* edge/http/websocket.py Limits */
#define GONE_SECONDS 75
#define CLOSE_SECONDS 5

/* ---- who is here ---- */

int edge_sockets_open(edge_sockets *sockets, uint32_t descriptors)
{
    sockets->descriptors = descriptors;
    sockets->at = mmap(NULL, descriptors * sizeof *sockets->at, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sockets->at == MAP_FAILED)
        sockets->at = NULL;
    return sockets->at ? 0 : -1;
}

void edge_sockets_close(edge_sockets *sockets)
{
    for (unsigned topic = 0; topic < EDGE_TOPICS; topic++) {
        for (uint32_t site = 0; sockets->of_site[topic] && site < sockets->sites; site++)
            free(sockets->of_site[topic][site].bytes);
        free(sockets->of_site[topic]);
        free(sockets->common[topic].bytes);
    }
    free(sockets->all);
    if (sockets->at)
        munmap(sockets->at, sockets->descriptors * sizeof *sockets->at);
}

static edge_socket *socket_of(edge_loop *loop, int fd)
{
    return loop->sockets.all + loop->sockets.at[fd];
}

/* Grows by halves: what is reserved and not used is no memory yet. */
static bool make_room(edge_sockets *sockets)
{
    if (sockets->count < sockets->room)
        return true;
    uint32_t room = sockets->room + sockets->room / 2 + 64;
    edge_socket *all = realloc(sockets->all, room * sizeof *all);
    if (!all)
        return false;
    sockets->all = all;
    sockets->room = room;
    return true;
}

static void look_for_room(edge_loop *loop)
{
    loop->answerer.opens = loop->sockets.count < loop->sockets.most;
}

int edge_sockets_enter(edge_loop *loop, int fd, const edge_socket_state *state)
{
    edge_sockets *sockets = &loop->sockets;
    if (!make_room(sockets))
        return -ENOMEM;
    edge_socket *socket = sockets->all + sockets->count;
    *socket = (edge_socket){.fd = fd, .heard = loop->now, .pinged = loop->now, .topics = state->topics,
                            .choice = state->choice};
    socket->frames = (edge_frames){.second = loop->now, .count = state->frames, .site = state->site};
    memcpy(socket->seen, state->seen, sizeof socket->seen);
    sockets->at[fd] = sockets->count++;
    loop->connections[fd].flags |= EDGE_CONN_SOCKET_BIT;
    count(loop, EDGE_C_SOCKETS, 1);
    look_for_room(loop);
    return 0;
}

void edge_sockets_leave(edge_loop *loop, int fd, edge_socket_state *state)
{
    edge_sockets *sockets = &loop->sockets;
    edge_socket *socket = socket_of(loop, fd);
    if (state) {
        *state = (edge_socket_state){.is_socket = true, .topics = socket->topics, .choice = socket->choice,
                                     .site = socket->frames.site};
        if (socket->frames.second == loop->now)
            state->frames = socket->frames.count;
        memcpy(state->seen, socket->seen, sizeof socket->seen);
    }
    *socket = sockets->all[--sockets->count];
    sockets->at[socket->fd] = (uint32_t)(socket - sockets->all);
    if (sockets->round > sockets->count)
        sockets->round = sockets->count;
    if (sockets->hurry > sockets->count)
        sockets->hurry = sockets->count;
    loop->connections[fd].flags &= (uint8_t)~EDGE_CONN_SOCKET_BIT;
    count(loop, EDGE_C_SOCKETS, (uint64_t)-1);
    look_for_room(loop);
}

/* ---- one of them ---- */

edge_next edge_sockets_answer(edge_loop *loop, int fd, const uint8_t *in, size_t length, size_t *consumed)
{
    edge_socket *socket = socket_of(loop, fd);
    socket->heard = loop->now;
    return edge_frames_answer(&loop->answerer, &socket->frames, loop->now, in, length, &loop->output, consumed);
}

/* When something is to be done if nothing is heard. */
static uint32_t deadline_of(const edge_socket *socket)
{
    uint32_t last = (int32_t)(socket->pinged - socket->heard) > 0 ? socket->pinged : socket->heard;
    uint32_t ping = last + PING_SECONDS, gone = socket->heard + GONE_SECONDS;
    if (socket->frames.closing)
        return socket->pinged + CLOSE_SECONDS;
    return (int32_t)(gone - ping) < 0 ? gone : ping;
}

/* Sends what is in the output; the connection may be gone then. */
static void say(edge_loop *loop, edge_socket *socket)
{
    edge_connection *c = loop->connections + socket->fd;
    c->deadline = deadline_of(socket);
    edge_connection_push(loop, socket->fd);
}

static void say_goodbye(edge_loop *loop, edge_socket *socket)
{
    socket->frames.closing = true;
    socket->pinged = loop->now;
    edge_output_clear(&loop->output);
    edge_frames_goodbye(&loop->output);
    say(loop, socket);
}

void edge_sockets_rest(edge_loop *loop, int fd)
{
    edge_socket *socket = socket_of(loop, fd);
    edge_connection *c = loop->connections + fd;
    edge_connection_set_state(loop, c, EDGE_CONN_SOCKET);
    c->deadline = deadline_of(socket);
    if (loop->draining && !socket->frames.closing)
        say_goodbye(loop, socket);
}

void edge_sockets_overdue(edge_loop *loop, int fd)
{
    edge_socket *socket = socket_of(loop, fd);
    if (socket->frames.closing || loop->now - socket->heard >= GONE_SECONDS) {
        if (!socket->frames.closing)
            count(loop, EDGE_C_TIMEOUTS_IDLE, 1);
        edge_connection_drop(loop, fd);
        return;
    }
    socket->pinged = loop->now;
    edge_output_clear(&loop->output);
    edge_frames_ping(&loop->output);
    say(loop, socket);
}

/* ---- opening ---- */

void edge_loop_welcome(edge_loop *loop, uint32_t most, edge_audience audience)
{
    loop->sockets.most = most;
    loop->answerer.audience = audience;
    look_for_room(loop);
}

/* ---- pushes ---- */

static const edge_message *message_of(const edge_sockets *sockets, const edge_socket *socket, unsigned topic)
{
    const edge_message *of_site = sockets->of_site[topic];
    return of_site && socket->frames.site < sockets->sites ? of_site + socket->frames.site : sockets->common + topic;
}

/* Puts what is new for one in these topics into the output: it has got it then. */
static void put_news(edge_loop *loop, edge_socket *socket, uint32_t topics)
{
    for (unsigned topic = 0; topic < EDGE_TOPICS; topic++) {
        const edge_message *message = message_of(&loop->sockets, socket, topic);
        if (!(socket->topics & topics & 1u << topic) || message->edition <= socket->seen[topic])
            continue;
        edge_piece(&loop->output, message->bytes, message->length);
        socket->seen[topic] = message->edition;
    }
}

/* Brings one up to date in these topics. */
static void serve(edge_loop *loop, edge_socket *socket, uint32_t topics)
{
    if (socket->frames.closing || loop->connections[socket->fd].state != EDGE_CONN_SOCKET)
        return;
    edge_output_clear(&loop->output);
    put_news(loop, socket, topics);
    if (loop->output.total)
        say(loop, socket);
}

int edge_sockets_begin(edge_loop *loop, int fd)
{
    const edge_opening *opened = &loop->answerer.opened;
    edge_socket_state state = {.topics = opened->topics, .choice = opened->choice, .site = opened->site};
    if (loop->answerer.audience == EDGE_STATUS_LOCAL && opened->is_own && edge_connection_is_local(loop, fd))
        state.choice |= 1u << EDGE_TOPIC_STATUS;
    if (edge_sockets_enter(loop, fd, &state))
        return -ENOMEM;
    put_news(loop, socket_of(loop, fd), UINT32_MAX);
    return 0;
}

int edge_loop_publish(edge_loop *loop, uint32_t topic, uint32_t sites, int64_t site, const uint8_t *bytes,
                      uint32_t length, uint32_t edition)
{
    edge_sockets *sockets = &loop->sockets;
    edge_message *message;
    if (topic >= EDGE_TOPICS || (site >= 0 && (uint64_t)site >= sites) || (sockets->sites && sites != sockets->sites))
        return -EINVAL;
    uint8_t *copy = malloc(length + 1);
    if (!copy)
        return -ENOMEM;
    sockets->sites = sites;
    if (site >= 0 && !sockets->of_site[topic])
        sockets->of_site[topic] = calloc(sites, sizeof *message);
    if (site >= 0 && !sockets->of_site[topic]) {
        free(copy);
        return -ENOMEM;
    }
    message = site >= 0 ? sockets->of_site[topic] + site : sockets->common + topic;
    memcpy(copy, bytes, length);
    free(message->bytes);
    *message = (edge_message){copy, length, edition};
    return 0;
}

void edge_loop_push_round(edge_loop *loop, uint32_t turns, uint32_t topics, uint32_t rare, uint32_t rounds)
{
    edge_sockets *sockets = &loop->sockets;
    edge_loop_clocks(loop);
    for (; turns && sockets->count; turns--) {
        if (!sockets->round) {
            sockets->round = sockets->count;
            sockets->rounds++;
        }
        edge_socket *socket = sockets->all + --sockets->round;
        bool is_turn = (sockets->rounds + (uint32_t)socket->fd) % (rounds ? rounds : 1) == 0;
        serve(loop, socket, is_turn ? topics : topics & ~rare);
    }
}

uint32_t edge_loop_push_all(edge_loop *loop, uint32_t topics, uint32_t turns)
{
    edge_sockets *sockets = &loop->sockets;
    edge_loop_clocks(loop);
    if (topics) {
        sockets->hurry = sockets->count;
        sockets->hurry_topics = topics;
    }
    for (; turns && sockets->hurry; turns--)
        serve(loop, sockets->all + --sockets->hurry, sockets->hurry_topics);
    return sockets->hurry;
}

uint32_t edge_loop_sockets(const edge_loop *loop)
{
    return loop->sockets.count;
}
