"""The build of the native fast path: plain C11 behind cffi's API mode.

``setup.py`` names :data:`ffibuilder` in ``cffi_modules``; the result is ``edge._native``, which the table's
writer (:mod:`edge.table.stores`) uses, too.  The declarations repeat what Python calls of the headers.
"""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).parents[2]
SOURCES = "edge/fastpath/src"
#: Of ``edge._tls``, with which it does not link: it calls it through the pointers that one header declares.
TLS_HEADER = "edge/tls/src/edge_tls.h"


def _files(ending: str) -> list[str]:
    return [f"{SOURCES}/{path.name}" for path in sorted((ROOT / SOURCES).glob(ending))]


ffibuilder = FFI()
ffibuilder.cdef(
    """
    typedef struct { uint64_t low, high; } edge_key;
    typedef struct { uint64_t h[8]; } edge_hash_state;
    void edge_hash_prepare(edge_hash_state *state, const uint8_t *key);
    edge_key edge_hash(const edge_hash_state *state, const uint8_t *path, size_t length);

    typedef struct { edge_hash_state hash; uint64_t now_ms; ...; } edge_table;
    typedef struct {
        uint8_t state, variant;
        uint16_t variants;
        uint32_t modified;
        uint8_t etag[16];
        uint64_t length;
        bool confirmed, fresh;
        uint32_t age, date;
        const uint8_t *own_etag;
        uint16_t own_length;
        uint64_t at;
        const uint8_t *body;
        const uint8_t *lines_200, *lines_304;
        uint16_t length_200, length_304;
    } edge_entry;
    typedef struct { ...; } edge_slot;
    typedef struct { ...; } edge_header;
    typedef enum {
        EDGE_TABLE_OPENED, EDGE_TABLE_FOREIGN, EDGE_TABLE_VERSION, EDGE_TABLE_INCONSISTENT,
        EDGE_TABLE_BIG_ENDIAN
    } edge_table_opening;
    edge_table_opening edge_table_open(edge_table *table, const void *base, uint64_t bytes, void *block);
    void edge_table_enter(edge_table *table);
    void edge_table_leave(edge_table *table);
    bool edge_table_find(const edge_table *table, edge_key key, unsigned variant, edge_entry *entry);
    bool edge_table_is_current(const edge_table *table, edge_key key, const uint8_t *tag, size_t length,
                               bool *is_file);
    void edge_slot_store(edge_slot *slot, const edge_slot *value);
    uint64_t edge_epoch_advance(edge_header *header);

    #define EDGE_COUNTER_COUNT ...
    #define EDGE_C_CONNECTIONS ...

    typedef struct { ...; } edge_log_ring;
    bool edge_log_open(edge_log_ring *ring, void *memory, uint64_t bytes);
    typedef enum { EDGE_LINES_COMMON, EDGE_LINES_COMBINED, EDGE_LINES_JSON } edge_lines_format;
    size_t edge_log_lines(edge_log_ring *ring, edge_lines_format format, unsigned worker,
                          uint8_t *to, size_t room, uint64_t *damaged);
    bool edge_log_sleeps(edge_log_ring *ring, bool sleeps);
    #define EDGE_LINE_MOST ...

    typedef struct { uint8_t address[16]; uint8_t bits; } edge_subnet;
    typedef struct { edge_subnet networks[64]; unsigned count; bool local; } edge_networks;
    typedef struct { edge_subnet network; bool allows; } edge_listed_network;
    typedef struct {
        uint8_t kind;
        bool literal, exact;
        uint16_t begin_length, end_length;
        uint32_t rule;
        const uint8_t *begin, *end;
        const edge_listed_network *networks;
        uint32_t network_count;
        bool others;
        uint64_t interval, burst;
    } edge_pattern;
    typedef struct {
        const edge_pattern *patterns;
        unsigned count;
    } edge_guard;
    typedef struct { ...; } edge_buckets;
    bool edge_buckets_open(edge_buckets *buckets, void *memory, uint64_t bytes);
    uint64_t edge_buckets_take(edge_buckets *buckets, uint32_t rule, const uint8_t *address, uint64_t now_us,
                               uint64_t interval, uint64_t burst);
    void edge_buckets_give(edge_buckets *buckets, uint32_t rule, const uint8_t *address, uint64_t interval);

    typedef struct { const uint8_t *bytes; size_t length; } edge_span;
    typedef struct { const edge_span *names; uint32_t count; } edge_names;

    typedef enum { EDGE_GET, EDGE_HEAD, ... } edge_method;
    typedef struct { ...; } edge_passed_rules;
    void edge_passed_open(edge_passed_rules *rules, const char *names, const char *prefixes,
                          const char *suffixes);
    typedef struct {
        edge_method method;
        edge_span target, host, peer, at;
        bool secure;
        uint32_t deadline_ms;
        edge_span fields;
    } edge_question;
    typedef struct { edge_span name, value; } edge_field;
    typedef struct {
        unsigned status;
        uint64_t length;
        const edge_field *fields;
        unsigned count;
    } edge_passed;
    #define EDGE_UNKNOWN ...
    #define EDGE_UPSTREAM_ASK ...
    #define EDGE_UPSTREAM_FIELDS ...
    size_t edge_upstream_ask(uint8_t *to, const edge_question *question, const edge_passed_rules *rules);
    typedef enum {
        EDGE_UPSTREAM_MORE, EDGE_UPSTREAM_EARLY, EDGE_UPSTREAM_FINAL, EDGE_UPSTREAM_BODY, EDGE_UPSTREAM_END,
        EDGE_UPSTREAM_WRONG
    } edge_upstream_kind;
    typedef struct {
        bool begun, reusable;
        uint32_t rest;
        edge_passed head;
        const char *why;
        ...;
    } edge_upstream_reader;
    void edge_upstream_begin(edge_upstream_reader *reader, edge_field *fields, bool head_only);
    edge_upstream_kind edge_upstream_read(edge_upstream_reader *reader, uint8_t *in, size_t length,
                                          size_t *consumed, edge_span *body);
    bool edge_upstream_ends(const edge_upstream_reader *reader);
    typedef struct {
        edge_names all;
        const uint32_t *shown;
        const edge_names *own;
        uint32_t shown_count;
    } edge_certificates;
    uint32_t edge_certificates_shown_to(const edge_certificates *certificates, edge_span name);
    bool edge_certificates_misdirect(const edge_certificates *certificates, uint32_t shown, edge_span host);

    typedef enum { EDGE_STATUS_PUBLIC, EDGE_STATUS_LOCAL, EDGE_STATUS_OFF } edge_audience;
    typedef struct { uint8_t topics, choice; uint16_t site; bool is_own; } edge_opening;
    typedef struct {
        edge_table table;
        bool draining, secure, opens;
        edge_audience audience;
        edge_opening opened;
        uint32_t log_every, log_countdown;
        edge_log_ring log;
        uint64_t now_us;
        uint8_t peer[16], client[16];
        edge_networks trusted;
        bool is_trusted;
        const edge_certificates *certificates;
        uint32_t shown;
        unsigned named;
        char date[29];
        ...;
    } edge_answerer;
    typedef struct { size_t used; int count; size_t total; ...; } edge_output;
    typedef struct { uint16_t length; uint8_t bytes[255]; ...; } edge_site;
    typedef struct { ...; } edge_host;
    typedef struct {
        edge_site *sites;
        unsigned count;
        edge_host *hosts;
        uint32_t host_mask;
        int by_default;
    } edge_sites;
    int edge_sites_put(edge_sites *sites, unsigned site, const uint8_t *name, size_t length);
    int edge_sites_find(const edge_sites *sites, edge_span host);
    edge_key edge_hash_joined(const edge_hash_state *state, const uint8_t *prefix, size_t prefix_length,
                              const uint8_t *path, size_t length);
    void edge_answerer_sites(edge_answerer *answerer, const edge_sites *sites);
    void edge_answerer_count_sites(edge_answerer *answerer, void *rows, unsigned sites);
    void edge_answerer_allow_none(edge_answerer *answerer, unsigned site);
    int edge_answerer_allow(edge_answerer *answerer, unsigned site, const char *origin, size_t length);
    int edge_answerer_guards(edge_answerer *answerer, const edge_guard *guards, void *buckets,
                             uint64_t bytes);
    int edge_answerer_hsts(edge_answerer *answerer, const uint8_t *line, size_t length);
    int edge_answerer_speculate(edge_answerer *answerer, const uint8_t *line, size_t length);
    void edge_format_date(uint64_t unix_seconds, char *text);

    typedef struct {
        uint32_t connections, connections_per_address;
        uint32_t head_seconds, idle_seconds, write_seconds, least_rate;
        uint32_t handshakes;
        uint64_t pending_bytes;
        uint32_t ipv6_prefix;
    } edge_limits;
    bool edge_share(uint64_t size, uint64_t used, uint64_t held, uint64_t more);
    #define EDGE_TOPICS ...
    typedef struct {
        bool is_socket;
        uint8_t topics, choice;
        uint16_t site, frames;
        uint32_t seen[...];
    } edge_socket_state;
    typedef enum { EDGE_MET_NOTHING, EDGE_MET_NO_ANSWER, EDGE_MET_GARBAGE, EDGE_MET_SILENCE } edge_met;
    typedef enum { EDGE_NEWS_LOST, EDGE_NEWS_FRAME, EDGE_NEWS_FAILED,
                   EDGE_NEWS_ANSWERED, EDGE_NEWS_ROOM } edge_news_kind;
    typedef struct {
        edge_news_kind kind;
        uint32_t member, carrier, status;
        uint8_t *data;
        uint64_t length;
    } edge_news;
    typedef struct {
        int32_t fd;
        uint32_t listener;
        edge_met met;
        uint64_t ticket, waited;
        uint32_t tls;
        bool unnamed, proxied;
        uint8_t client[16];
        uint32_t certified;
        edge_socket_state socket;
        uint8_t *data;
        uint64_t length, sealed_length;
    } edge_handoff;
    typedef struct {
        uint64_t ticket;
        uint32_t site, path_length;
        const uint8_t *target;
        uint64_t length;
        bool told_apart;
        uint8_t network[16];
    } edge_held;
    typedef enum { EDGE_HELD_GONE, EDGE_HELD_ANSWERED, EDGE_HELD_HANDED, EDGE_HELD_LATER } edge_held_end;
    typedef enum {
        EDGE_WAITED_NOT, EDGE_WAITED_HIT, EDGE_WAITED_FILLED, EDGE_WAITED_COLLAPSED
    } edge_waited;
    bool edge_address_parse(edge_span text, uint8_t *bytes);
    typedef struct { uint32_t size; ...; } edge_tls_functions;
    typedef struct edge_tls edge_tls;
    typedef struct edge_tls_context edge_tls_context;
    typedef struct edge_loop edge_loop;
    enum { EDGE_LISTENER_RECOGNISES, EDGE_LISTENER_SHARED, ... };
    edge_loop *edge_loop_new(const edge_table *table, const edge_limits *limits);
    int edge_loop_log(edge_loop *loop, void *ring, uint64_t bytes, uint32_t every, int wake);
    void edge_loop_free(edge_loop *loop);
    edge_answerer *edge_loop_answerer(edge_loop *loop);
    int edge_loop_fileno(const edge_loop *loop);
    int edge_loop_listen(edge_loop *loop, int fd, uint32_t listener, unsigned flags);
    int edge_loop_watch(edge_loop *loop, int fd);
    int edge_loop_wait(edge_loop *loop, int64_t timeout_us);
    const edge_handoff *edge_loop_handoffs(const edge_loop *loop);
    void edge_loop_taken(edge_loop *loop);
    void edge_loop_tick(edge_loop *loop);
    int edge_loop_adopt(edge_loop *loop, int fd, uint32_t tls, const uint8_t *sealed, uint64_t sealed_length,
                        const edge_socket_state *socket);
    int edge_loop_publish(edge_loop *loop, uint32_t topic, uint32_t sites, int64_t site, const uint8_t *bytes,
                          uint32_t length, uint32_t edition);
    void edge_loop_push_round(edge_loop *loop, uint32_t turns, uint32_t topics, uint32_t rare,
                              uint32_t rounds);
    uint32_t edge_loop_push_all(edge_loop *loop, uint32_t topics, uint32_t turns);
    void edge_loop_welcome(edge_loop *loop, uint32_t most, edge_audience audience);
    uint32_t edge_loop_sockets(const edge_loop *loop);
    int edge_loop_use_tls(edge_loop *loop, const edge_tls_functions *functions, edge_tls *tls);
    int edge_loop_secure(edge_loop *loop, uint32_t number, edge_tls_context *context,
                         const edge_certificates *certificates, uint32_t *first);
    void edge_loop_proxies(edge_loop *loop, const edge_networks *proxies, const edge_networks *trusted);
    int edge_loop_introduce(edge_loop *loop, int fd, const uint8_t *client);
    int edge_loop_relay(edge_loop *loop, const char *names, uint32_t names_length, const char *prefixes,
                        uint32_t prefixes_length, const char *suffixes, uint32_t suffixes_length);
    int edge_loop_application(edge_loop *loop, const char *host, const char *at, uint32_t timeout_ms,
                              uint32_t queue);
    void edge_loop_others(edge_loop *loop, uint32_t application, uint32_t unanswered, uint32_t waiting);
    uint32_t edge_loop_unanswered(const edge_loop *loop, uint32_t application);
    void edge_loop_others_from(edge_loop *loop, uint32_t application, const uint8_t *network,
                               uint32_t unanswered);
    uint32_t edge_loop_unanswered_from(edge_loop *loop, uint32_t application, const uint8_t *network);
    void edge_loop_member_others(edge_loop *loop, uint32_t member, uint32_t unanswered);
    uint32_t edge_loop_member_unanswered(const edge_loop *loop, uint32_t member);
    void edge_loop_pass(edge_loop *loop, uint32_t application, const uint8_t *name, uint32_t length,
                        uint64_t sequence, uint32_t milliseconds, bool secure);
    int edge_loop_member(edge_loop *loop, bool speaks_http, uint32_t at_once);
    int edge_loop_carry(edge_loop *loop, uint32_t member, int fd, uint32_t seconds);
    void edge_loop_member_use(edge_loop *loop, uint32_t member, bool used);
    bool edge_loop_member_wants(const edge_loop *loop, uint32_t member);
    void edge_loop_member_retire(edge_loop *loop, uint32_t member);
    void edge_loop_carrier_retire(edge_loop *loop, uint32_t carrier);
    int edge_loop_carrier_say(edge_loop *loop, uint32_t carrier, const uint8_t *frame, uint32_t length);
    void edge_loop_hold(edge_loop *loop, bool holds);
    const edge_held *edge_loop_held(edge_loop *loop, uint32_t *count);
    bool edge_loop_is_held(const edge_loop *loop, uint64_t ticket);
    const uint8_t *edge_loop_held_head(const edge_loop *loop, uint64_t ticket, uint64_t *length);
    edge_held_end edge_loop_look(edge_loop *loop, uint64_t ticket, edge_waited waited);
    edge_held_end edge_loop_let_go(edge_loop *loop, uint64_t ticket);
    const edge_news *edge_loop_news(edge_loop *loop, uint32_t *count);
    void edge_loop_news_taken(edge_loop *loop);
    void edge_loop_release(edge_loop *loop, int fd);
    void edge_loop_drain(edge_loop *loop);
    uint64_t edge_loop_connections(const edge_loop *loop);
    uint64_t edge_loop_memory(const edge_loop *loop);
    void edge_loop_advance(edge_loop *loop, uint32_t seconds);

    typedef enum {
        EDGE_NEXT_RECEIVE, EDGE_NEXT_ANSWER, EDGE_NEXT_HAND_OFF, EDGE_NEXT_PASS, EDGE_NEXT_HOLD,
        EDGE_NEXT_CLOSE, EDGE_NEXT_OPEN
    } edge_next;
    typedef struct { uint32_t second; uint16_t count, site; bool closing; } edge_frames;
    edge_next edge_native_frames(edge_answerer *answerer, edge_frames *frames, uint32_t now,
                                 const uint8_t *in, size_t length, uint8_t *copy, size_t *written,
                                 size_t *consumed);
    #define EDGE_HEADS_BYTES ...
    edge_next edge_native_answer(edge_answerer *answerer, const uint8_t *in, size_t length, uint8_t *copy,
                                 size_t capacity, size_t *written, size_t *consumed);
    edge_answerer *edge_native_answerer(const edge_table *table);
    void edge_native_free(void *pointer);
    """
)
ffibuilder.set_source(
    "edge._native",
    """
    #include <stdlib.h>
    #include <string.h>
    #include "edge_lines.h"
    #include "edge_loop.h"
    #include "edge_upstream.h"

    /* For tests and tools: one call of edge_answer with its pieces copied together, if *written has room. */
    static edge_next edge_native_answer(edge_answerer *answerer, const uint8_t *in, size_t length,
                                        uint8_t *copy, size_t capacity, size_t *written, size_t *consumed)
    {
        static edge_output out;
        edge_table_enter(&answerer->table);
        edge_next next = edge_answer(answerer, in, length, &out, consumed);
        for (int i = 0; i < out.count && out.total <= capacity; i++) {
            memcpy(copy, out.pieces[i].iov_base, out.pieces[i].iov_len);
            copy += out.pieces[i].iov_len;
        }
        *written = out.total;
        edge_table_leave(&answerer->table);
        return next;
    }

    /* The same of edge_frames_answer; there has to be room for EDGE_HEADS_BYTES. */
    static edge_next edge_native_frames(edge_answerer *answerer, edge_frames *frames, uint32_t now,
                                        const uint8_t *in, size_t length, uint8_t *copy, size_t *written,
                                        size_t *consumed)
    {
        static edge_output out;
        edge_table_enter(&answerer->table);
        edge_next next = edge_frames_answer(answerer, frames, now, in, length, &out, consumed);
        memcpy(copy, out.heads, out.used);
        *written = out.total;
        edge_table_leave(&answerer->table);
        return next;
    }

    static edge_answerer *edge_native_answerer(const edge_table *table)
    {
        edge_answerer *answerer = calloc(1, sizeof *answerer);
        if (answerer) {
            answerer->table = *table;
            answerer->parse_address = edge_address_parse;
        }
        return answerer;
    }

    static void edge_native_free(void *pointer)
    {
        free(pointer);
    }
    """,
    sources=_files("*.c"),
    include_dirs=[SOURCES, "edge/tls/src"],
    depends=[*_files("*.h"), TLS_HEADER],
    define_macros=[("_GNU_SOURCE", "1")],
    extra_compile_args=["-std=c11", "-O2", "-fno-plt", "-fvisibility=hidden", "-Wall", "-Wextra"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
