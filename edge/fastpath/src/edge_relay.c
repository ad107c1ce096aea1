#include "edge_relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STILL_SECONDS 60 /* that an answer may stand still: edge/node/applications/pool.py */
#define CREDIT_STEP (EDGE_APP_WINDOW / 2)
#define MOST_INTERIM 16
#define MOST_OUT (4 * 1024 * 1024) /* bytes that a process does not take: it is gone for us */

/* ---- who is who ---- */

/* In the buffer of a connection that waits: carrier and exchange. */
static edge_exchange *exchange_of(edge_loop *loop, int fd, edge_carrier **carrier)
{
    const uint32_t at = loop->connections[fd].buffer->exchange;
    *carrier = loop->relay->carriers[at / EDGE_EXCHANGES];
    return (*carrier)->exchanges + at % EDGE_EXCHANGES;
}

static unsigned index_of(const edge_carrier *carrier)
{
    return carrier->id % EDGE_CARRIERS;
}

static edge_application *application_of(edge_loop *loop, const edge_carrier *carrier)
{
    return loop->relay->applications + carrier->application;
}

static void tell(edge_loop *loop, edge_news_kind kind, const edge_carrier *carrier, uint32_t status,
                 const uint8_t *data, size_t length)
{
    edge_relay *relay = loop->relay;
    uint8_t *copy = length ? malloc(length) : NULL;
    if (relay->news_count == EDGE_NEWS || (length && !copy)) {
        free(copy);
        return; /* see can_go_on: of failures alone, the health of who fails that much is known */
    }
    if (length)
        memcpy(copy, data, length);
    relay->news[relay->news_count++] = (edge_news){kind, carrier->id, status, copy, length};
}

/* The caller goes by failures, and by whether there are answers between them. */
static void tell_failure(edge_loop *loop, edge_carrier *carrier, uint32_t status)
{
    if (carrier->has_answered)
        tell(loop, EDGE_NEWS_ANSWERED, carrier, 0, NULL, 0);
    carrier->has_answered = false;
    tell(loop, EDGE_NEWS_FAILED, carrier, status, NULL, 0);
}

/* ---- what is said to a process ---- */

static bool say(edge_loop *loop, edge_carrier *carrier, const uint8_t *frame, size_t length)
{
    if (carrier->out_length + length > carrier->out_room && carrier->out_sent) {
        carrier->out_length -= carrier->out_sent;
        memmove(carrier->out, carrier->out + carrier->out_sent, carrier->out_length);
        carrier->out_sent = 0;
    }
    if (carrier->out_length + length > carrier->out_room) {
        const size_t room = 2 * carrier->out_room + length + 16384;
        uint8_t *out = room <= MOST_OUT ? realloc(carrier->out, room) : NULL;
        if (!out) {
            carrier->stuck = loop->relay->has_work = true;
            return false;
        }
        carrier->out = out;
        carrier->out_room = room;
    }
    memcpy(carrier->out + carrier->out_length, frame, length);
    carrier->out_length += length;
    loop->relay->has_work = true;
    return true;
}

static void say_cancel(edge_loop *loop, edge_carrier *carrier, const edge_exchange *exchange)
{
    uint8_t frame[64];
    say(loop, carrier, frame, edge_app_cancel(frame, exchange->number));
}

static void watch_carrier(edge_loop *loop, const edge_carrier *carrier)
{
    struct epoll_event event = {.events = EPOLLIN | (carrier->awaits_output || carrier->held ? EPOLLOUT : 0),
                                .data.u64 = CARRIER_BIT | index_of(carrier)};
    epoll_ctl(loop->epoll, EPOLL_CTL_MOD, carrier->fd, &event);
}

/* Whether what is said could be sent, now or later. */
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
        watch_carrier(loop, carrier);
    }
    return true;
}

/* ---- the end of exchanges ---- */

static void release(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange)
{
    if (!exchange->answered)
        application_of(loop, carrier)->unanswered--;
    free(exchange->pending);
    *exchange = (edge_exchange){.used = false};
    carrier->running--;
    if (carrier->retired || carrier->fd < 0)
        loop->relay->has_work = true; /* it may be the last one of it */
}

void edge_relay_left(edge_loop *loop, int fd)
{
    edge_carrier *carrier;
    edge_exchange *exchange = exchange_of(loop, fd, &carrier);
    if (!exchange->over && carrier->fd >= 0)
        say_cancel(loop, carrier, exchange);
    release(loop, carrier, exchange);
}

/* There is no whole answer: the caller goes on, or, if it has begun, the connection ends before it is whole. */
static void fail(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange, edge_met met)
{
    const int fd = exchange->fd;
    exchange->over = true;
    if (exchange->answered || loop->connections[fd].state != EDGE_CONN_ASKED) {
        edge_connection_drop(loop, fd); /* which releases the exchange */
        return;
    }
    release(loop, carrier, exchange);
    edge_connection_give_up(loop, fd, met);
}

/* Whether what all exchanges of a carrier may lead to has room among handoffs and news. */
static bool can_go_on(const edge_loop *loop)
{
    return loop->handoff_count + EDGE_EXCHANGES <= EDGE_HANDOFFS && loop->relay->news_count + 8 <= EDGE_NEWS;
}

static void lose(edge_loop *loop, edge_carrier *carrier, bool broken)
{
    const unsigned index = index_of(carrier);
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, carrier->fd, NULL);
    close(carrier->fd);
    carrier->fd = -1;
    tell(loop, EDGE_NEWS_LOST, carrier, broken, NULL, 0);
    for (unsigned i = 0; i < EDGE_EXCHANGES; i++)
        if (carrier->exchanges[i].used && !carrier->exchanges[i].over)
            fail(loop, carrier, carrier->exchanges + i, broken ? EDGE_MET_GARBAGE : EDGE_MET_NO_ANSWER);
    if (carrier->running)
        return; /* answers that are here whole are still taken: see end_if_done */
    loop->relay->carriers[index] = NULL;
    free(carrier->rest);
    free(carrier->out);
    free(carrier);
}

/* A carrier that nobody asks any more is closed when all is answered. */
static void end_if_done(edge_loop *loop, edge_carrier *carrier)
{
    if (carrier->running || !(carrier->retired || carrier->fd < 0))
        return;
    if (carrier->fd >= 0) {
        send_out(loop, carrier);
        lose(loop, carrier, false);
        return;
    }
    loop->relay->carriers[index_of(carrier)] = NULL;
    free(carrier->rest);
    free(carrier->out);
    free(carrier);
}

/* ---- asking ---- */

static edge_carrier *choose(edge_relay *relay, unsigned application)
{
    edge_carrier *best = NULL;
    for (unsigned i = 0; i < relay->carrier_count; i++) {
        edge_carrier *one = relay->carriers[i];
        if (!one || one->application != application || one->fd < 0 || !one->ready || one->draining || one->retired
            || one->unusable || one->running >= EDGE_EXCHANGES || one->running >= one->at_once)
            continue;
        if (!best || one->running < best->running)
            best = one;
    }
    return best;
}

static edge_exchange *free_exchange(edge_carrier *carrier, unsigned *at)
{
    for (*at = 0; carrier->exchanges[*at].used; ++*at)
        ;
    return carrier->exchanges + *at;
}

/* The client's address in text; false: it is one of a zone, which is not known here. */
static bool write_peer(const uint8_t address[16], char text[INET6_ADDRSTRLEN])
{
    static const uint8_t none[16], mapped[12] = {[10] = 0xff, [11] = 0xff};
    *text = 0;
    if (!memcmp(address, none, 16))
        return true;
    if (!memcmp(address, mapped, 12))
        return inet_ntop(AF_INET, address + 12, text, INET6_ADDRSTRLEN);
    return !(address[0] == 0xfe && (address[1] & 0xc0) == 0x80) && inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
}

/* The lines of the fields of a request, which was recognised. */
static edge_span lines_of(const edge_request *request)
{
    const uint8_t *begin = request->target.bytes + request->target.length + sizeof " HTTP/1.1\r\n" - 1;
    const uint8_t *head = request->target.bytes - (request->method == EDGE_HEAD ? 5 : 4);
    return (edge_span){begin, (size_t)(head + request->consumed - 2 - begin)};
}

bool edge_relay_ask(edge_loop *loop, int fd, const edge_received *received)
{
    edge_relay *relay = loop->relay;
    const edge_request *request = &loop->answerer.passed;
    edge_application *application = relay->applications + loop->answerer.application;
    edge_connection *c = loop->connections + fd;
    char peer[INET6_ADDRSTRLEN];
    uint8_t frame[EDGE_APP_ASK];
    unsigned at;
    if (application->waiting || application->unanswered + application->others >= application->queue
        || loop->answerer.application >= relay->application_count || !write_peer(loop->clients[fd], peer))
        return false;
    edge_carrier *carrier = choose(relay, loop->answerer.application);
    if (!carrier)
        return false;
    edge_exchange *exchange = free_exchange(carrier, &at);
    const edge_span host = {application->host, application->host_length};
    const edge_app_question question = {
        .number = (carrier->asked + 1) * EDGE_EXCHANGES + at,
        .method = request->method,
        .target = request->target,
        .host = application->host_length ? host : request->host,
        .peer = {(const uint8_t *)peer, strlen(peer)},
        .at = {application->at, application->at_length},
        .secure = loop->answerer.secure,
        .deadline_ms = application->timeout_ms,
        .fields = lines_of(request),
    };
    const size_t length = edge_app_ask(frame, &question, &relay->rules);
    if (!length || !say(loop, carrier, frame, length))
        return false;
    carrier->asked++;
    carrier->running++;
    application->unanswered++;
    *exchange = (edge_exchange){.used = true, .bodiless = request->method == EDGE_HEAD, .closing = request->close,
                                .fd = fd, .number = question.number, .began = loop->answerer.began,
                                .consumed = (uint32_t)request->consumed, .expected = EDGE_APP_UNKNOWN,
                                .may_come = EDGE_APP_WINDOW, .site = request->site};
    if (!edge_connection_ask(loop, fd, received, index_of(carrier) * EDGE_EXCHANGES + at)) {
        say_cancel(loop, carrier, exchange);
        release(loop, carrier, exchange);
        return false;
    }
    c->deadline = loop->now + (application->timeout_ms + 999) / 1000 + 1;
    count(loop, EDGE_C_ANSWERS_PASSED, 1);
    return true;
}

/* ---- answers ---- */

/* The application may send as much as was taken. */
static void give_credit(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange)
{
    uint8_t frame[64];
    if (exchange->untold < CREDIT_STEP || exchange->over)
        return;
    if (!say(loop, carrier, frame, edge_app_credit(frame, exchange->number, exchange->untold)))
        return;
    exchange->may_come += exchange->untold;
    exchange->untold = 0;
}

/* The answer is whole, and its end is in the output. */
static void finish(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange)
{
    edge_answerer *answerer = &loop->answerer;
    const edge_exchange was = *exchange;
    const edge_buffer *buffer = loop->connections[was.fd].buffer;
    edge_request request = {.method = EDGE_GET};
    const uint64_t began = answerer->began;
    answerer->began = was.began;
    if (answerer->log_every) {
        edge_connection_prepare(loop, was.fd);
        edge_recognise(buffer->bytes + buffer->output, was.consumed, &request);
    }
    request.site = was.site;
    edge_answer_passed(answerer, &request, was.status, was.sent);
    answerer->began = began;
    release(loop, carrier, exchange);
    edge_connection_answered(loop, was.fd, was.consumed, was.closing || loop->draining, was.muted);
}

/* Keeps what is in the output behind what the client has not taken.  false: there is no memory. */
static bool keep_pending(const edge_loop *loop, edge_exchange *exchange)
{
    const edge_output *out = &loop->output;
    uint8_t *pending = realloc(exchange->pending, exchange->pending_length + out->total + 1);
    if (!pending)
        return false;
    exchange->pending = pending;
    for (int i = 0; i < out->count; i++) {
        memcpy(pending + exchange->pending_length, out->pieces[i].iov_base, out->pieces[i].iov_len);
        exchange->pending_length += out->pieces[i].iov_len;
    }
    return true;
}

/* Passes on what is in the output; it may be the end of the answer. */
static void give(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange)
{
    edge_connection *c = loop->connections + exchange->fd;
    if (c->state == EDGE_CONN_GIVING) {
        if (!keep_pending(loop, exchange))
            edge_connection_drop(loop, exchange->fd);
        return;
    }
    if (exchange->over) {
        finish(loop, carrier, exchange);
        return;
    }
    c->deadline = loop->now + STILL_SECONDS;
    if (edge_connection_give(loop, exchange->fd) == EDGE_SENT)
        give_credit(loop, carrier, exchange);
}

void edge_relay_drained(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    edge_carrier *carrier;
    edge_exchange *exchange = exchange_of(loop, fd, &carrier);
    uint8_t *pending = exchange->pending;
    edge_connection_set_state(loop, c, EDGE_CONN_ASKED);
    c->deadline = loop->now + STILL_SECONDS;
    exchange->muted = false;
    if (edge_connection_watch(loop, fd, READABLE) || !edge_connection_forget_output(loop, fd)) {
        edge_connection_drop(loop, fd);
        return;
    }
    edge_output_clear(&loop->output);
    edge_piece(&loop->output, pending, exchange->pending_length);
    exchange->pending = NULL;
    exchange->pending_length = 0;
    if (loop->output.total || exchange->over)
        give(loop, carrier, exchange);
    else
        give_credit(loop, carrier, exchange);
    free(pending);
}

/* A piece of the body into the output, and what ends it. */
static void put_body(edge_output *out, const edge_exchange *exchange, edge_span body)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t size[18];
    size_t at = sizeof size;
    if (exchange->chunked && body.length) {
        size[--at] = '\n';
        size[--at] = '\r';
        for (size_t left = body.length; left; left /= 16)
            size[--at] = (uint8_t)digits[left % 16];
        const size_t begin = out->used;
        edge_put(out, size + at, sizeof size - at);
        edge_piece_since(out, begin);
    }
    edge_piece(out, body.bytes, body.length);
    if (exchange->chunked && (body.length || exchange->over)) {
        const size_t begin = out->used;
        if (body.length)
            edge_put(out, EDGE_LITERAL("\r\n"));
        if (exchange->over)
            edge_put(out, EDGE_LITERAL("0\r\n\r\n"));
        edge_piece_since(out, begin);
    }
}

/* Counts a piece against what may come, and against what was announced. */
typedef enum { COUNTED, AGAINST_ITS_HEAD, AGAINST_THE_RULES } counting;

static counting count_piece(edge_exchange *exchange, const edge_app_message *message)
{
    if ((message->more && !message->body.length) || message->body.length > exchange->may_come)
        return AGAINST_THE_RULES;
    exchange->may_come -= (uint32_t)message->body.length;
    exchange->untold += (uint32_t)message->body.length;
    exchange->counted += message->body.length;
    exchange->sent += message->body.length;
    if (exchange->expected == EDGE_APP_UNKNOWN)
        return COUNTED;
    const bool wrong = exchange->counted > exchange->expected || (!message->more && exchange->counted < exchange->expected);
    return wrong ? AGAINST_ITS_HEAD : COUNTED;
}

static void fail_and_tell(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange, edge_met met, bool cancels)
{
    if (cancels)
        say_cancel(loop, carrier, exchange);
    exchange->over = true;
    tell_failure(loop, carrier, met);
    fail(loop, carrier, exchange, met);
}

/* false: the rules are broken, as in all of these. */
static bool take_interim(edge_loop *loop, edge_exchange *exchange, const edge_app_message *message)
{
    bool chunked;
    if (message->body.length || !message->more || ++exchange->interim > MOST_INTERIM)
        return false;
    if (message->status == 100)
        return true; /* nobody waits for it */
    const edge_head_context context = edge_answer_context(&loop->answerer, false);
    edge_output_clear(&loop->output);
    if (!edge_app_head(&loop->output, message, &context, true, &chunked))
        return true; /* what clients could misread is left out */
    edge_connection *c = loop->connections + exchange->fd;
    const uint32_t deadline = c->deadline;
    if (c->state == EDGE_CONN_GIVING) {
        if (!keep_pending(loop, exchange))
            edge_connection_drop(loop, exchange->fd);
    } else if (edge_connection_give(loop, exchange->fd) == EDGE_SENT) {
        c->deadline = deadline;
    }
    return true;
}

static bool take_answer(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange, const edge_app_message *message)
{
    const int fd = exchange->fd;
    if (exchange->answered)
        return false;
    if (message->status < 200) {
        edge_connection_prepare(loop, fd);
        return take_interim(loop, exchange, message);
    }
    const bool bodiless = exchange->bodiless || message->status == 204 || message->status == 304;
    exchange->status = message->status;
    if (bodiless && (message->body.length || message->more)) {
        fail_and_tell(loop, carrier, exchange, EDGE_MET_GARBAGE, true);
        return true;
    }
    exchange->expected = bodiless ? EDGE_APP_UNKNOWN : message->length;
    switch (message->body.length || !message->more ? count_piece(exchange, message) : COUNTED) {
    case AGAINST_THE_RULES:
        return false;
    case AGAINST_ITS_HEAD:
        fail_and_tell(loop, carrier, exchange, EDGE_MET_GARBAGE, true);
        return true;
    case COUNTED:
        break;
    }
    exchange->bodiless = bodiless;
    exchange->closing = exchange->closing || loop->draining;
    edge_connection_prepare(loop, fd);
    const edge_head_context context = edge_answer_context(&loop->answerer, exchange->closing);
    edge_output_clear(&loop->output);
    if (!edge_app_head(&loop->output, message, &context, bodiless, &exchange->chunked)) {
        fail_and_tell(loop, carrier, exchange, EDGE_MET_GARBAGE, true);
        return true;
    }
    exchange->answered = true;
    application_of(loop, carrier)->unanswered--;
    exchange->of_events = edge_app_is_of_events(message);
    exchange->over = !message->more;
    if (message->status >= 502 && message->status <= 504)
        tell_failure(loop, carrier, message->status);
    else
        carrier->has_answered = true;
    put_body(&loop->output, exchange, message->body);
    give(loop, carrier, exchange);
    return true;
}

static bool take_data(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange, const edge_app_message *message)
{
    if (!exchange->answered)
        return false;
    switch (count_piece(exchange, message)) {
    case AGAINST_THE_RULES:
        return false;
    case AGAINST_ITS_HEAD:
        fail_and_tell(loop, carrier, exchange, EDGE_MET_GARBAGE, true);
        return true;
    case COUNTED:
        break;
    }
    exchange->over = !message->more;
    edge_output_clear(&loop->output);
    put_body(&loop->output, exchange, message->body);
    if (loop->output.total || exchange->over)
        give(loop, carrier, exchange);
    return true;
}

/* What is said in an exchange; one that is over has no one to hear it. */
static bool take_of_exchange(edge_loop *loop, edge_carrier *carrier, edge_app_kind kind, const edge_app_message *message)
{
    edge_exchange *exchange = carrier->exchanges + message->number % EDGE_EXCHANGES;
    if (message->number / EDGE_EXCHANGES > carrier->asked || message->number < EDGE_EXCHANGES)
        return false; /* there was none */
    if (!exchange->used || exchange->number != message->number || exchange->over)
        return true;
    switch (kind) {
    case EDGE_APP_ANSWER:
        return take_answer(loop, carrier, exchange, message);
    case EDGE_APP_DATA:
        return take_data(loop, carrier, exchange, message);
    case EDGE_APP_CREDIT:
        return !message->size; /* nothing was sent that it could be for */
    default:
        fail_and_tell(loop, carrier, exchange, EDGE_MET_NO_ANSWER, false);
        return true;
    }
}

/* One array that a process has sent. */
static bool take(edge_loop *loop, edge_carrier *carrier, const uint8_t *array, size_t length)
{
    edge_app_message message;
    const edge_app_kind kind = edge_app_read(array, length, &message);
    if (kind == EDGE_APP_MALFORMED || (!carrier->ready && kind != EDGE_APP_READY && kind != EDGE_APP_NOTHING))
        return false;
    switch (kind) {
    case EDGE_APP_NOTHING:
        return true;
    case EDGE_APP_READY:
        if (carrier->ready || message.number != 1)
            return false;
        carrier->ready = true;
        carrier->at_once = message.size < EDGE_EXCHANGES ? (uint32_t)message.size : EDGE_EXCHANGES;
        return true;
    case EDGE_APP_DRAIN:
        carrier->draining = carrier->retired = true;
        return true;
    case EDGE_APP_CHANGED:
        tell(loop, EDGE_NEWS_FRAME, carrier, 0, array, length);
        return true;
    default:
        return take_of_exchange(loop, carrier, kind, &message);
    }
}

static size_t size_of(const uint8_t *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* The frames at the front of the bytes; how many bytes they are, or SIZE_MAX: the rules are broken. */
static size_t take_frames(edge_loop *loop, edge_carrier *carrier, const uint8_t *in, size_t length)
{
    size_t at = 0;
    while (length - at >= 4 && can_go_on(loop)) {
        const uint8_t *p = in + at;
        const size_t size = size_of(p);
        if (!size || size > EDGE_APP_FRAME)
            return SIZE_MAX;
        if (length - at - 4 < size)
            break;
        if (!take(loop, carrier, p + 4, size))
            return SIZE_MAX;
        at += 4 + size;
    }
    return at;
}

/* Bytes that are not taken yet are kept; where a frame of them is whole, a carrier that can be written to wakes the
 * loop in its next turn.  false: no memory. */
static bool keep_rest(edge_loop *loop, edge_carrier *carrier, const uint8_t *in, size_t length)
{
    const bool held = length >= 4 && size_of(in) <= length - 4;
    uint8_t *rest = NULL;
    if (length && !(rest = malloc(length)))
        return false;
    if (length)
        memcpy(rest, in, length);
    free(carrier->rest);
    carrier->rest = rest;
    carrier->rest_length = length;
    if (held != carrier->held) {
        carrier->held = held;
        watch_carrier(loop, carrier);
    }
    return true;
}

static void receive(edge_loop *loop, edge_carrier *carrier)
{
    edge_relay *relay = loop->relay;
    size_t have = carrier->rest_length, taken;
    ssize_t n = 0;
    if (have)
        memcpy(relay->input, carrier->rest, have);
    if (!carrier->held) {
        do
            n = recv(carrier->fd, relay->input + have, sizeof relay->input - have, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN)
            n = 0;
        else if (n <= 0) {
            lose(loop, carrier, false);
            return;
        }
    }
    have += (size_t)n;
    taken = take_frames(loop, carrier, relay->input, have);
    if (taken == SIZE_MAX || !keep_rest(loop, carrier, relay->input + taken, have - taken)) {
        lose(loop, carrier, true);
        return;
    }
    end_if_done(loop, carrier);
}

void edge_relay_carrier_ready(edge_loop *loop, unsigned index, uint32_t events)
{
    edge_carrier *carrier = loop->relay ? loop->relay->carriers[index] : NULL;
    if (!carrier || carrier->fd < 0 || !can_go_on(loop))
        return;
    if (events & EPOLLOUT && !send_out(loop, carrier)) {
        lose(loop, carrier, false);
        return;
    }
    if (carrier->held || events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(loop, carrier);
}

void edge_relay_flush(edge_loop *loop)
{
    edge_relay *relay = loop->relay;
    if (!relay || !relay->has_work)
        return;
    relay->has_work = false;
    for (unsigned i = 0; i < relay->carrier_count; i++) {
        edge_carrier *carrier = relay->carriers[i];
        if (!carrier)
            continue;
        if (!can_go_on(loop)) {
            relay->has_work = true; /* the caller's turn is next, and then this one */
            if (carrier->fd >= 0 && !carrier->awaits_output) {
                carrier->awaits_output = true;
                watch_carrier(loop, carrier);
            }
        } else if (carrier->fd >= 0 && (carrier->stuck || (!carrier->awaits_output && !send_out(loop, carrier))))
            lose(loop, carrier, false);
        else
            end_if_done(loop, carrier);
    }
}

/* ---- clients that wait ---- */

static bool is_gone(int fd)
{
    struct pollfd now = {.fd = fd, .events = POLLRDHUP};
    return poll(&now, 1, 0) > 0 && now.revents & (POLLERR | POLLHUP | POLLRDHUP);
}

void edge_relay_ready(edge_loop *loop, int fd, uint32_t events)
{
    edge_carrier *carrier;
    edge_exchange *exchange = exchange_of(loop, fd, &carrier);
    const bool gone = events & (EPOLLERR | EPOLLHUP) || (events & EPOLLRDHUP && !exchange->answered);
    if (gone && !is_gone(fd))
        return; /* another connection is, which had the number before, in the same turn */
    if (gone) {
        edge_connection_drop(loop, fd);
    } else { /* what it sends on top is read when it has its answer */
        exchange->muted = true;
        if (edge_connection_watch(loop, fd, events & EPOLLRDHUP ? 0 : EPOLLRDHUP))
            edge_connection_drop(loop, fd);
    }
}

void edge_relay_overdue(edge_loop *loop, int fd)
{
    edge_connection *c = loop->connections + fd;
    edge_carrier *carrier;
    edge_exchange *exchange = exchange_of(loop, fd, &carrier);
    if (exchange->of_events || !can_go_on(loop)) {
        c->deadline = loop->now + (exchange->of_events ? STILL_SECONDS : 1);
        return;
    }
    fail_and_tell(loop, carrier, exchange, EDGE_MET_SILENCE, true);
}

/* ---- the interface ---- */

int edge_loop_relay(edge_loop *loop, const char *names, uint32_t names_length, const char *prefixes,
                    uint32_t prefixes_length, const char *suffixes, uint32_t suffixes_length)
{
    edge_relay *relay = calloc(1, sizeof *relay);
    char *texts = malloc((size_t)names_length + prefixes_length + suffixes_length);
    if (!relay || !texts || loop->relay) {
        free(relay);
        free(texts);
        return loop->relay ? -EEXIST : -ENOMEM;
    }
    memcpy(texts, names, names_length);
    memcpy(texts + names_length, prefixes, prefixes_length);
    memcpy(texts + names_length + prefixes_length, suffixes, suffixes_length);
    relay->rule_texts = texts;
    relay->rules = (edge_app_rules){texts, texts + names_length, texts + names_length + prefixes_length};
    loop->relay = relay;
    loop->answerer.marks = relay->marks;
    return 0;
}

int edge_loop_application(edge_loop *loop, const char *host, const char *at, uint32_t timeout_ms, uint32_t queue)
{
    edge_relay *relay = loop->relay;
    if (!relay || relay->application_count == EDGE_APPLICATIONS)
        return -ENOSPC;
    edge_application *made = relay->applications + relay->application_count;
    const size_t host_length = strlen(host), at_length = strlen(at);
    if (host_length > sizeof made->host || at_length > sizeof made->at)
        return -EINVAL;
    *made = (edge_application){.timeout_ms = timeout_ms, .queue = queue, .host_length = (uint16_t)host_length,
                               .at_length = (uint16_t)at_length};
    memcpy(made->host, host, host_length);
    memcpy(made->at, at, at_length);
    return (int)relay->application_count++;
}

void edge_loop_others(edge_loop *loop, uint32_t application, uint32_t unanswered, uint32_t waiting)
{
    edge_application *of = loop->relay->applications + application % EDGE_APPLICATIONS;
    of->others = unanswered;
    of->waiting = waiting;
}

uint32_t edge_loop_unanswered(const edge_loop *loop, uint32_t application)
{
    return loop->relay->applications[application % EDGE_APPLICATIONS].unanswered;
}

void edge_loop_pass(edge_loop *loop, uint32_t application, const uint8_t *name, uint32_t length, uint64_t sequence,
                    uint32_t milliseconds, bool secure)
{
    edge_loop_clocks(loop);
    edge_answerer_pass(&loop->answerer, name, length, sequence, milliseconds, application, secure);
}

int edge_loop_carry(edge_loop *loop, uint32_t application, int fd)
{
    edge_relay *relay = loop->relay;
    unsigned at = 0;
    if (!relay || application >= relay->application_count)
        return -EINVAL;
    while (at < EDGE_CARRIERS && relay->carriers[at])
        at++;
    if (at == EDGE_CARRIERS)
        return -ENOSPC;
    edge_carrier *carrier = calloc(1, sizeof *carrier);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = CARRIER_BIT | at};
    if (!carrier)
        return -ENOMEM;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event)) {
        free(carrier);
        return -errno;
    }
    carrier->fd = fd;
    carrier->id = (++relay->carried % (INT32_MAX / EDGE_CARRIERS)) * EDGE_CARRIERS + at;
    carrier->application = (uint16_t)application;
    relay->carriers[at] = carrier;
    if (at >= relay->carrier_count)
        relay->carrier_count = at + 1;
    return (int)carrier->id;
}

static edge_carrier *carrier_of(const edge_loop *loop, uint32_t id)
{
    edge_carrier *carrier = loop->relay ? loop->relay->carriers[id % EDGE_CARRIERS] : NULL;
    return carrier && carrier->id == id ? carrier : NULL;
}

void edge_loop_carrier_use(edge_loop *loop, uint32_t id, bool used)
{
    edge_carrier *carrier = carrier_of(loop, id);
    if (carrier)
        carrier->unusable = !used;
}

void edge_loop_carrier_retire(edge_loop *loop, uint32_t id)
{
    edge_carrier *carrier = carrier_of(loop, id);
    if (!carrier)
        return;
    carrier->retired = true;
    end_if_done(loop, carrier);
}

int edge_loop_carrier_say(edge_loop *loop, uint32_t id, const uint8_t *frame, uint32_t length)
{
    edge_carrier *carrier = carrier_of(loop, id);
    if (!carrier || carrier->fd < 0)
        return -ENOTCONN;
    if (!say(loop, carrier, frame, length))
        return -ENOBUFS;
    edge_relay_flush(loop);
    return 0;
}

const edge_news *edge_loop_news(const edge_loop *loop, uint32_t *count)
{
    *count = loop->relay ? (uint32_t)loop->relay->news_count : 0;
    return loop->relay ? loop->relay->news : NULL;
}

void edge_loop_news_taken(edge_loop *loop)
{
    edge_relay *relay = loop->relay;
    if (!relay)
        return;
    for (int i = 0; i < relay->news_count; i++)
        free(relay->news[i].data);
    relay->news_count = 0;
}

void edge_relay_close(edge_loop *loop)
{
    edge_relay *relay = loop->relay;
    if (!relay)
        return;
    edge_loop_news_taken(loop);
    for (unsigned i = 0; i < relay->carrier_count; i++) {
        edge_carrier *carrier = relay->carriers[i];
        if (!carrier)
            continue;
        if (carrier->fd >= 0) {
            send_out(loop, carrier);
            close(carrier->fd);
        }
        free(carrier->rest);
        free(carrier->out);
        free(carrier);
    }
    free(relay->rule_texts);
    free(relay);
    loop->relay = NULL;
    loop->answerer.marks = NULL;
}
