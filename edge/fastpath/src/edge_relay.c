#include "edge_relay.h"
#include "edge_held.h"
#include "edge_networks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- asking ---- */

#define CALLERS_SHARE 32 /* questions, one of which the caller asks where a member lacks something */

static bool has_rested(const edge_loop *loop, const edge_carrier *carrier)
{
    return carrier->until && (int32_t)(loop->now - carrier->until) >= 0;
}

/* A carrier of the member that does well and has the least to do; they take turns where that is the same.  NULL: the caller
 * asks, who makes connections and tries who has failed.  He does so, too, for one question of some while another member could
 * take it but one does not do well, or the one with the least to do has no carrier free: else it would stay so. */
static edge_carrier *choose(edge_loop *loop, edge_application *application)
{
    edge_member *best = NULL, *least = NULL;
    bool unwell = false;
    for (unsigned i = 0; i < application->count; i++) {
        edge_member *one = loop->relay->members + application->first + (application->turn + i) % application->count;
        unwell = unwell || !one->used;
        if (!one->used || !edge_member_has_room(one))
            continue;
        while (one->newest && has_rested(loop, one->newest))
            edge_carrier_lose(loop, one->newest, false);
        if (!least || one->busy < least->busy)
            least = one;
        if (one->newest && (!best || one->busy < best->busy))
            best = one;
    }
    application->turn++;
    const bool wanting = least && !least->newest && edge_member_may_carry(loop->relay, least);
    if (best && !((unwell || wanting) && application->turn % CALLERS_SHARE == 0))
        return best->newest;
    if (wanting)
        least->wanted++;
    return NULL;
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

/* Asks whoever can be asked.  A carrier may turn out to be lost; then it is the next one's turn. */
static bool ask_one(edge_loop *loop, edge_application *application, edge_exchange *exchange, const edge_question *question)
{
    for (;;) {
        edge_carrier *carrier = choose(loop, application);
        if (!carrier)
            return false;
        exchange->member = carrier->member;
        exchange->carrier = carrier;
        if (carrier->member->protocol->ask(loop, carrier, exchange, question))
            return true;
        if (carrier->fd >= 0)
            return false;
    }
}

/* Counts a question of who is on the descriptor; 0: he is not told apart.  false: it is more than his share. */
static bool enter(const edge_loop *loop, edge_application *application, int fd, uint32_t *asker)
{
    const uint32_t peer = loop->connections[fd].peer;
    *asker = peer ? edge_application_enter(loop, application, loop->peers.peers[peer].network) : 0;
    if (!*asker || edge_share(application->queue, application->unanswered + application->others,
                              application->askers.peers[*asker].count - 1, 1))
        return true;
    edge_peers_leave(&application->askers, *asker);
    return false;
}

/* Asks what the answerer says is to be passed on. */
static bool ask(edge_loop *loop, int fd, const edge_received *received)
{
    edge_relay *relay = loop->relay;
    const edge_request *request = &loop->answerer.passed;
    char peer[INET6_ADDRSTRLEN];
    uint32_t asker;
    if (loop->answerer.application >= relay->application_count)
        return false;
    edge_application *application = relay->applications + loop->answerer.application;
    if (application->waiting || application->unanswered + application->others >= application->queue
        || !write_peer(loop->clients[fd], peer) || !enter(loop, application, fd, &asker))
        return false;
    const edge_question question = {
        .method = request->method,
        .target = request->target,
        .host = application->host_length ? (edge_span){application->host, application->host_length} : request->host,
        .peer = {(const uint8_t *)peer, strlen(peer)},
        .at = {application->at, application->at_length},
        .secure = loop->answerer.secure,
        .deadline_ms = application->timeout_ms,
        .fields = lines_of(request),
    };
    edge_buffer *buffer = edge_connection_buffer(loop, loop->connections + fd, 0, received);
    edge_exchange *exchange = malloc(sizeof *exchange);
    if (buffer && exchange) {
        *exchange = (edge_exchange){.fd = fd, .asker = asker, .head_only = request->method == EDGE_HEAD, .closing = request->close,
                                    .site = request->site, .consumed = (uint32_t)request->consumed,
                                    .deadline = loop->now + (application->timeout_ms + 999) / 1000 + 1,
                                    .began = loop->answerer.began, .expected = EDGE_UNKNOWN};
        if (ask_one(loop, application, exchange, &question)) {
            edge_member_asked(loop, exchange->member);
            edge_connection_ask(loop, fd, buffer, received, exchange, exchange->deadline);
            return true;
        }
    }
    edge_peers_leave(&application->askers, asker);
    free(buffer);
    free(exchange);
    return false;
}

/* ---- turns ---- */

bool edge_relay_has_work(const edge_loop *loop)
{
    return loop->relay && loop->relay->work;
}

void edge_relay_flush(edge_loop *loop)
{
    if (loop->relay)
        edge_carrier_flush(loop);
}

void edge_relay_resume(edge_loop *loop)
{
    if (!edge_relay_has_work(loop))
        return;
    edge_loop_clocks(loop);
    edge_table_enter(&loop->answerer.table);
    edge_relay_flush(loop);
    edge_table_leave(&loop->answerer.table);
}

/* The carriers of a member that have rested long enough are closed. */
static void expire(edge_loop *loop, edge_member *member)
{
    for (edge_carrier *one = member->oldest, *newer; one; one = newer) {
        newer = one->newer;
        if (has_rested(loop, one))
            edge_carrier_lose(loop, one, false);
    }
}

void edge_relay_tick(edge_loop *loop)
{
    edge_relay *relay = loop->relay;
    for (unsigned i = 0; relay && i < relay->member_count; i++)
        expire(loop, relay->members + i);
    edge_relay_resume(loop);
}

void edge_relay_close(edge_loop *loop)
{
    edge_relay *relay = loop->relay;
    if (!relay)
        return;
    edge_loop_news_taken(loop);
    for (unsigned i = 0; i < relay->carrier_count; i++)
        if (relay->carriers[i])
            edge_carrier_free(loop, relay->carriers[i]);
    for (unsigned i = 0; i < relay->application_count; i++)
        edge_peers_close(&relay->applications[i].askers);
    free(relay->rule_texts);
    free(relay);
    loop->relay = NULL;
    loop->answerer.marks = NULL;
}

/* ---- the interface ---- */

static const edge_passing passing = {
    .ask = ask, .hold = edge_held_begin, .left = edge_exchange_left, .ready = edge_exchange_ready, .drained = edge_exchange_drained};

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
    edge_passed_open(&relay->rules, texts, texts + names_length, texts + names_length + prefixes_length);
    loop->relay = relay;
    loop->passing = &passing;
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
                               .at_length = (uint16_t)at_length, .first = relay->member_count};
    memcpy(made->host, host, host_length);
    memcpy(made->at, at, at_length);
    return (int)relay->application_count++;
}

int edge_loop_member(edge_loop *loop, bool speaks_http, uint32_t at_once)
{
    edge_relay *relay = loop->relay;
    if (!relay || !relay->application_count || relay->member_count == EDGE_MEMBERS)
        return -ENOSPC;
    edge_application *application = relay->applications + relay->application_count - 1;
    relay->members[relay->member_count] = (edge_member){
        .protocol = speaks_http ? &edge_carrier_http : &edge_carrier_app, .application = application,
        .is_server = speaks_http, .at_once = at_once, .used = true};
    relay->server_count += speaks_http;
    application->count++;
    return (int)relay->member_count++;
}

static edge_member *member_of(const edge_loop *loop, uint32_t member)
{
    edge_relay *relay = loop->relay;
    return relay && member < relay->member_count ? relay->members + member : NULL;
}

void edge_loop_others(edge_loop *loop, uint32_t application, uint32_t unanswered, uint32_t waiting)
{
    edge_application *of = loop->relay->applications + application % EDGE_APPLICATIONS;
    loop->relay->unanswered += unanswered - of->others;
    of->others = unanswered;
    of->waiting = waiting;
}

/* Of the unanswered questions of a network, the relay's; after those of the caller are said to be so many. */
static uint32_t told_of(edge_loop *loop, uint32_t application, const uint8_t address[16], const uint32_t *others)
{
    edge_application *of = loop->relay->applications + application % EDGE_APPLICATIONS;
    uint64_t network[2];
    edge_limited_network(address, loop->peers.prefix ? loop->peers.prefix : EDGE_PREFIX_BITS, network);
    const uint32_t asker = edge_application_enter(loop, of, network);
    if (!asker)
        return 0;
    edge_peer *peer = of->askers.peers + asker;
    if (others) {
        peer->count += *others - peer->others;
        peer->others = *others;
    }
    const uint32_t ours = peer->count - 1 - peer->others;
    edge_peers_leave(&of->askers, asker);
    return ours;
}

void edge_loop_others_from(edge_loop *loop, uint32_t application, const uint8_t *network, uint32_t unanswered)
{
    told_of(loop, application, network, &unanswered);
}

uint32_t edge_loop_unanswered_from(edge_loop *loop, uint32_t application, const uint8_t *network)
{
    return told_of(loop, application, network, NULL);
}

void edge_loop_member_others(edge_loop *loop, uint32_t member, uint32_t unanswered)
{
    edge_member *of = member_of(loop, member);
    if (of)
        of->others = unanswered;
}

uint32_t edge_loop_member_unanswered(const edge_loop *loop, uint32_t member)
{
    const edge_member *of = member_of(loop, member);
    return of ? of->unanswered : 0;
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

int edge_loop_carry(edge_loop *loop, uint32_t member, int fd, uint32_t seconds)
{
    edge_member *of = member_of(loop, member);
    edge_carrier *carrier;
    if (!of)
        return -EINVAL;
    if (of->wanted)
        of->wanted--;
    edge_loop_clocks(loop);
    const int failed = edge_carrier_new(loop, of, fd, seconds, &carrier);
    if (failed)
        return failed;
    return (int)carrier->id;
}

void edge_loop_member_use(edge_loop *loop, uint32_t member, bool used)
{
    edge_member *of = member_of(loop, member);
    if (of)
        of->used = used;
}

bool edge_loop_member_wants(const edge_loop *loop, uint32_t member)
{
    const edge_member *of = member_of(loop, member);
    return of && of->wanted;
}

void edge_loop_member_retire(edge_loop *loop, uint32_t member)
{
    edge_member *of = member_of(loop, member);
    for (unsigned i = 0; of && i < loop->relay->carrier_count; i++)
        if (loop->relay->carriers[i] && loop->relay->carriers[i]->member == of)
            edge_carrier_retire(loop, loop->relay->carriers[i]);
    if (of)
        edge_relay_resume(loop);
}

static edge_carrier *carrier_of(const edge_loop *loop, uint32_t id)
{
    edge_carrier *carrier = loop->relay ? loop->relay->carriers[id % EDGE_CARRIERS] : NULL;
    return carrier && carrier->id == id && carrier->fd >= 0 ? carrier : NULL;
}

void edge_loop_carrier_retire(edge_loop *loop, uint32_t id)
{
    edge_carrier *carrier = carrier_of(loop, id);
    if (!carrier)
        return;
    edge_carrier_retire(loop, carrier);
    edge_relay_resume(loop);
}

int edge_loop_carrier_say(edge_loop *loop, uint32_t id, const uint8_t *frame, uint32_t length)
{
    edge_carrier *carrier = carrier_of(loop, id);
    if (!carrier)
        return -ENOTCONN;
    const bool said = edge_carrier_say(loop, carrier, frame, length);
    edge_relay_resume(loop);
    return said ? 0 : -ENOBUFS;
}

bool edge_relay_awaits(const edge_loop *loop)
{
    return loop->relay && loop->relay->unanswered;
}

bool edge_relay_has_news(const edge_loop *loop)
{
    return loop->relay && (loop->relay->news_count || loop->relay->with_room || loop->relay->held_count);
}

const edge_news *edge_loop_news(edge_loop *loop, uint32_t *count)
{
    *count = 0;
    if (!loop->relay)
        return NULL;
    edge_members_tell_room(loop);
    *count = loop->relay->news_count;
    return loop->relay->news;
}

void edge_loop_news_taken(edge_loop *loop)
{
    edge_relay *relay = loop->relay;
    if (!relay)
        return;
    for (unsigned i = 0; i < relay->news_count; i++)
        free(relay->news[i].data);
    relay->news_count = 0;
}
