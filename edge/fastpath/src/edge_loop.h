/* The fast path's loop: one epoll set with the listening sockets and all resting connections.
 *
 * A connection at rest is a file descriptor and 24 bytes in an array indexed by it; it gets a buffer
 * only while it has a partial request or an answer that its peer did not take.  An epoll descriptor is
 * itself pollable, so this set and that of a reactor are one inside the other, either way round: the
 * reactor's in this one, and edge_loop_wait is where both wait; or this one in the reactor's, which
 * calls edge_loop_run when it is readable.  Nothing else here blocks, nothing calls back.
 *
 * Over TLS (edge_tls.h) the same states are passed through, with a sealed state beside the connection: what is
 * received is opened before it is answered, and answers are sealed before they are sent or kept.
 *
 *     FREE                   ---> IDLE      accepted             (idle deadline; of TLS, head deadline)
 *     HANDED                 ---> IDLE      Twisted has given it back             (idle deadline)
 *     HANDED                 ---> SOCKET    and it has become a WebSocket of the push service (ping deadline)
 *     IDLE READING           ---> SOCKET    its opening handshake is answered here        (ping deadline)
 *     SOCKET WRITING         ---> SOCKET    all frames are answered, and taken            (ping deadline)
 *     SOCKET                 ---> WRITING   part of what we say is not taken yet  (write deadline)
 *     SOCKET                 ---> LINGER    both sides have said goodbye
 *     SOCKET                 ---> HANDED    with a frame that is not recognised
 *     SOCKET                 ---> FREE      closed
 *     IDLE WRITING           ---> HANDSHAKE TLS is not agreed upon yet            (head deadline)
 *     HANDSHAKE              ---> IDLE      it is; records follow                 (idle deadline)
 *     IDLE READING WRITING   ---> IDLE      all is answered, and taken            (idle deadline)
 *     IDLE READING           ---> READING   part of a request is here             (head deadline, 408)
 *     IDLE HANDSHAKE READING ---> WRITING   part of what we say is not taken yet  (write deadline)
 *     IDLE HANDSHAKE READING WRITING ---> LINGER    our side is closed, the peer still reads (2 s, RFC 9112 9.6;
 *                                                      longer while it takes what it has to read at the least rate)
 *     IDLE READING           ---> ASKED     an application is asked; its answer passes as it comes (its deadline)
 *     ASKED                  ---> GIVING    part of it is not taken yet           (write deadline)
 *     GIVING                 ---> ASKED     it is, and more will come
 *     ASKED                  ---> IDLE      the answer is over, and its end is sent as any other answer
 *     ASKED                  ---> HANDED    nobody has answered, and Twisted goes on
 *     IDLE READING           ---> HELD      what is asked for may be to be stored first   (EDGE_HELD_SECONDS)
 *     HELD                   ---> IDLE      it is, and answered from the table
 *     HELD                   ---> HANDED    Twisted goes on
 *     IDLE HANDSHAKE READING ---> HANDED    Twisted has the descriptor; only counted here
 *     IDLE HANDSHAKE READING WRITING LINGER HANDED ASKED GIVING HELD ---> FREE   closed, or released by Twisted
 *
 * What was pipelined behind an answer that is taken late is served from IDLE.
 */
#ifndef EDGE_LOOP_H
#define EDGE_LOOP_H

#include "edge_answer.h"
#include "edge_frames.h"
#include "edge_peers.h"
#include "edge_tls.h"

#define EDGE_HANDOFFS 256
#define EDGE_NEWS 64
#define EDGE_TOPICS 8 /* of the push service; those that have a meaning here: edge_opening.h */

typedef struct {
    uint32_t connections, connections_per_address;
    uint32_t head_seconds, idle_seconds, write_seconds; /* head: against slow-header attacks (Slowloris) */
    uint32_t least_rate; /* bytes a second that the peer takes of an answer, on average over write_seconds; 0: any */
    uint32_t handshakes;    /* of TLS, at once */
    uint64_t pending_bytes; /* of buffers: partial requests, answers not taken; all connections together */
    uint32_t ipv6_prefix;   /* bits of an IPv6 address that are one peer; 0: 64 */
} edge_limits;

/* A WebSocket of the push service between two frames, on its way here or to the caller. */
typedef struct {
    bool is_socket; /* else there is none */
    uint8_t topics, choice; /* bits: what it gets; what it may ask for */
    uint16_t site, frames;  /* frames: of the peer, in the present second */
    uint32_t seen[EDGE_TOPICS]; /* by topic: the edition that it has got */
} edge_socket_state;

/* What has become of a request that was passed on, before it is handed off. */
typedef enum {
    EDGE_MET_NOTHING,
    EDGE_MET_NO_ANSWER, /* it was asked once, and not answered */
    EDGE_MET_GARBAGE,   /* the answer was none */
    EDGE_MET_SILENCE    /* it was not answered in time */
} edge_met;

/* What the caller is told of a member of an application, or of a carrier of it (edge_relay.h). */
typedef enum {
    EDGE_NEWS_LOST,     /* a carrier that speaks edge-app/1 is gone; status: 0, or 1: it has broken the rules */
    EDGE_NEWS_FRAME,    /* on a carrier something is said that is for the caller: the array */
    EDGE_NEWS_FAILED,   /* an exchange has failed; status: of the answer, or below 100: there was none, or no whole one,
                           and why, in a sentence */
    EDGE_NEWS_ANSWERED, /* before a failure: the member has answered others since the last one */
    EDGE_NEWS_ROOM      /* the member's application has answered one, while questions of the caller wait */
} edge_news_kind;

typedef struct {
    edge_news_kind kind;
    uint32_t member, carrier, status;
    uint8_t *data; /* malloc'ed; freed by edge_loop_news_taken */
    uint64_t length;
} edge_news;

/* A request that waits for what is to be stored (edge_held.h). */
typedef struct {
    uint64_t ticket; /* names it; no other one has that */
    uint32_t site;
    uint32_t path_length;  /* of the target, without its query */
    const uint8_t *target; /* until the next wait or run */
    uint64_t length;
    bool told_apart;       /* its client is, by */
    uint8_t network[16];   /* the first address of its network */
} edge_held;

/* What has become of it. */
typedef enum {
    EDGE_HELD_GONE,     /* its client had gone, or goes */
    EDGE_HELD_ANSWERED, /* from the table */
    EDGE_HELD_HANDED,   /* it is among the handoffs of the next wait or run, with its ticket */
    EDGE_HELD_LATER     /* nothing yet: there is no room among the handoffs */
} edge_held_end;

typedef struct {
    int32_t fd;
    uint32_t listener;
    edge_met met;
    uint64_t ticket; /* of a request that was held; 0: of none */
    uint64_t waited; /* microseconds of its request here, before it was given up; where no log has a clock, 0 */
    uint32_t tls;  /* the sealed state, which is the caller's now; 0: none */
    bool unnamed;  /* its peer speaks the PROXY protocol, and nothing has been read: see edge_loop_introduce */
    bool proxied;  /* its peer has said that the connection is with client */
    uint8_t client[16];
    uint32_t certified; /* for which hosts the connection may be asked: edge_loop_secure; 0: for all */
    edge_socket_state socket;
    uint8_t *data; /* malloc'ed; freed by edge_loop_taken */
    uint64_t length, sealed_length; /* sealed: of a record that is not whole, behind the others */
} edge_handoff;

typedef struct edge_loop edge_loop;

/* Bits of what a listener does. */
enum {
    EDGE_LISTENER_RECOGNISES = 1 << 0, /* else each connection is handed off at once */
    EDGE_LISTENER_SHARED = 1 << 1      /* with other processes: EPOLLEXCLUSIVE */
};

/* NULL: no memory or no descriptor (errno).  *table must have been opened by edge_table_open. */
edge_loop *edge_loop_new(const edge_table *table, const edge_limits *limits);
/* Closes all connections but those handed off. */
void edge_loop_free(edge_loop *loop);
/* Its allowed origins are the caller's to set. */
edge_answerer *edge_loop_answerer(edge_loop *loop);
/* The epoll descriptor. */
int edge_loop_fileno(const edge_loop *loop);
/* flags: EDGE_LISTENER_*.  0 or -errno. */
int edge_loop_listen(edge_loop *loop, int fd, uint32_t listener, unsigned flags);
/* Speaks TLS with these functions of edge._tls from now on: 0 or -errno. */
int edge_loop_use_tls(edge_loop *loop, const edge_tls_functions *functions, edge_tls *tls);
/* New connections of the listener of that number get these certificates: 0 or -errno.  What they are for (NULL:
 * connections may be asked for all hosts) is the caller's, as long as the loop: *first is what a connection has in
 * `certified` that was shown number 0 and asked for site 0; + 1 for each shown number, + 65,536 for each site, of which
 * number 65,535 stands for none. */
int edge_loop_secure(edge_loop *loop, uint32_t number, edge_tls_context *context,
                     const edge_certificates *certificates, uint32_t *first);
/* Logs one request in so many in this ring, and wakes its reader by this eventfd (not owned; -1: nobody waits):
 * 0 or -errno. */
int edge_loop_log(edge_loop *loop, void *ring, uint64_t bytes, uint32_t every, int wake);
/* Waits for this descriptor of the caller's, too (EPOLLIN), as long as it is open: 0 or -errno. */
int edge_loop_watch(edge_loop *loop, int fd);
/* Waits and serves until the caller has something to do: its descriptor is readable, timeout_us are over
 * (-1: never), a signal has come, connections were handed off.  What is ready
 * here as well is served first, but 2,048 events are the most.  How many handoffs are to be taken, or -errno:
 * nothing can be waited for any more. */
int edge_loop_wait(edge_loop *loop, int64_t timeout_us);
/* The same without waiting: serves what is ready. */
int edge_loop_run(edge_loop *loop);
/* Those of the last wait or run. */
const edge_handoff *edge_loop_handoffs(const edge_loop *loop);
/* Frees the data of the handoffs; the next wait or run may begin. */
void edge_loop_taken(edge_loop *loop);
/* Every second: closes what is past its deadline, and accepts again after a pause. */
void edge_loop_tick(edge_loop *loop);
/* Takes back a connection that was handed off, now between two requests: 0, or -errno, and then the
 * connection stays handed off.  While draining it is closed.  With its sealed state (0: none), and the bytes of
 * a record that is not whole; and as a WebSocket, if it has become one (NULL: it has not). */
int edge_loop_adopt(edge_loop *loop, int fd, uint32_t tls, const uint8_t *sealed, uint64_t sealed_length,
                    const edge_socket_state *socket);
/* From now on this is the message of a topic, as frames, for WebSockets of this site out of so many (-1: of all sites).
 * Editions ascend; who has got this one or a later one does not get it.  0 or -errno. */
int edge_loop_publish(edge_loop *loop, uint32_t topic, uint32_t sites, int64_t site, const uint8_t *bytes,
                      uint32_t length, uint32_t edition);
/* The next WebSockets in turn get what is new of these topics (bits); of the rare ones only in one of so many rounds. */
void edge_loop_push_round(edge_loop *loop, uint32_t turns, uint32_t topics, uint32_t rare, uint32_t rounds);
/* All get what is new of these topics (0: of those of the last call), so many of them now: how many are left. */
uint32_t edge_loop_push_all(edge_loop *loop, uint32_t topics, uint32_t turns);
/* From now on so many WebSockets are opened here at once, those that are here already counted (0: none is opened);
 * audience: whose choice the topic status is. */
void edge_loop_welcome(edge_loop *loop, uint32_t most, edge_audience audience);
/* WebSockets here. */
uint32_t edge_loop_sockets(const edge_loop *loop);
/* Who speaks the PROXY protocol, and whose X-Forwarded-For is believed: from now on. */
void edge_loop_proxies(edge_loop *loop, const edge_networks *proxies, const edge_networks *trusted);
/* A connection that was handed off unnamed is with this client (NULL: with its peer), and begins: 0 or -errno; then
 * it stays handed off.  -EACCES: the client has too many connections. */
int edge_loop_introduce(edge_loop *loop, int fd, const uint8_t *client);
/* Passes requests on from now on; the rules of edge_passed.h, copied: so many bytes of each.  0 or -errno. */
int edge_loop_relay(edge_loop *loop, const char *names, uint32_t names_length, const char *prefixes,
                    uint32_t prefixes_length, const char *suffixes, uint32_t suffixes_length);
/* An application at a path ("" is the root), told this Host ("": the visitor's); its answers begin in time, and so many
 * questions to it may be unanswered.  Its number or -errno. */
int edge_loop_application(edge_loop *loop, const char *host, const char *at, uint32_t timeout_ms, uint32_t queue);
/* A process or server of the last application, which speaks HTTP/1.1 or edge-app/1, and has so many questions
 * unanswered at most.  Its number or -errno. */
int edge_loop_member(edge_loop *loop, bool speaks_http, uint32_t at_once);
/* How many questions the caller itself has not had answered by it, and how many of these nobody was asked. */
void edge_loop_others(edge_loop *loop, uint32_t application, uint32_t unanswered, uint32_t waiting);
/* Those of the relay. */
uint32_t edge_loop_unanswered(const edge_loop *loop, uint32_t application);
/* The same of one network, by one of its addresses: of its questions the caller has so many unanswered, and the relay. */
void edge_loop_others_from(edge_loop *loop, uint32_t application, const uint8_t *network, uint32_t unanswered);
uint32_t edge_loop_unanswered_from(edge_loop *loop, uint32_t application, const uint8_t *network);
/* The same of one member: together they stay within its at_once. */
void edge_loop_member_others(edge_loop *loop, uint32_t member, uint32_t unanswered);
uint32_t edge_loop_member_unanswered(const edge_loop *loop, uint32_t member);
/* Who asks for what has this name is passed on to the application, as edge_answerer_pass has it. */
void edge_loop_pass(edge_loop *loop, uint32_t application, const uint8_t *name, uint32_t length, uint64_t sequence,
                    uint32_t milliseconds, bool secure);
/* A connection to the member, which belongs to the loop from now on: the number of the carrier or -errno.  Of a member
 * that speaks HTTP/1.1 one that has answered before, and may rest for so many seconds. */
int edge_loop_carry(edge_loop *loop, uint32_t member, int fd, uint32_t seconds);
/* The member is asked, or not for now. */
void edge_loop_member_use(edge_loop *loop, uint32_t member, bool used);
/* Whether a question to it, which speaks HTTP/1.1, found no carrier free, and one more is wanted. */
bool edge_loop_member_wants(const edge_loop *loop, uint32_t member);
/* One carrier, or those that a member has, are asked nothing more, and closed when all is answered. */
void edge_loop_carrier_retire(edge_loop *loop, uint32_t carrier);
void edge_loop_member_retire(edge_loop *loop, uint32_t member);
/* Says a frame on it: 0 or -errno. */
int edge_loop_carrier_say(edge_loop *loop, uint32_t carrier, const uint8_t *frame, uint32_t length);
/* Whether who asks for what is neither published nor stored is held from now on. */
void edge_loop_hold(edge_loop *loop, bool holds);
/* Those that are held since the last call, and how many. */
const edge_held *edge_loop_held(edge_loop *loop, uint32_t *count);
/* Whether it is held still. */
bool edge_loop_is_held(const edge_loop *loop, uint64_t ticket);
/* Its head, which is there until the next call of anything here; NULL: it is not held any more. */
const uint8_t *edge_loop_held_head(const edge_loop *loop, uint64_t ticket, uint64_t *length);
/* It is answered from the table, as what it has waited for; or handed off, if it is not there. */
edge_held_end edge_loop_look(edge_loop *loop, uint64_t ticket, edge_waited waited);
/* It is handed off. */
edge_held_end edge_loop_let_go(edge_loop *loop, uint64_t ticket);
/* Those of the last wait or run, and how many; taken: their data is freed. */
const edge_news *edge_loop_news(edge_loop *loop, uint32_t *count);
void edge_loop_news_taken(edge_loop *loop);
/* A connection that was handed off has ended, and is not counted any more. */
void edge_loop_release(edge_loop *loop, int fd);
/* Stops accepting, closes idle connections; answers from now on close theirs. */
void edge_loop_drain(edge_loop *loop);
/* Open now: resting, being served and handed off. */
uint64_t edge_loop_connections(const edge_loop *loop);
/* Bytes of user memory that the loop holds for its connections (for measurements). */
uint64_t edge_loop_memory(const edge_loop *loop);
/* Tests only: added to the monotonic clock. */
void edge_loop_advance(edge_loop *loop, uint32_t seconds);

#endif
