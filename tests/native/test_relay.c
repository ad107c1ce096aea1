/* The relay over real sockets, between visitors and servers of HTTP/1.1 that do what they must not: every answer cut,
 * broken off and left at every byte, with another visitor behind; then many of both at once, and of processes that speak
 * edge-app/1, who do anything.
 *
 * Who gets an answer gets his own, whole, or his connection ends, or his request is handed off.  That what is accepted
 * and refused is the same in Python: tests/fastpath/test_relay_http.py.  EDGE_TURNS is how many steps are taken in the
 * end (default 40,000). */
#include "serving.h"

#include <errno.h>

#define PATH "/cart"
#define HOST "Host: example.org\r\n"
#define OK "HTTP/1.1 200 OK\r\n"
#define POISON OK "Content-Length: 6\r\n\r\npoison"
#define MOST 8192 /* of what anybody hears in the first part */

typedef struct {
    server plain;
    int member, process; /* process: another one, of the last part */
} relay;

static relay relay_new(edge_limits limits)
{
    relay r = {.plain = server_new(limits, EDGE_LISTENER_RECOGNISES)};
    edge_loop *loop = r.plain.loop;
    if (edge_loop_relay(loop, "forwarded\0", 11, "x-forwarded-\0", 14, "-override\0", 11)
        || edge_loop_application(loop, "", "", 30000, 256) < 0)
        abort();
    r.member = edge_loop_member(loop, true, 64);
    edge_loop_pass(loop, 0, (const uint8_t *)PATH, strlen(PATH), segment_header(&r.plain.s)->sequence, 1 << 30, false);
    return r;
}

/* The member's end of a carrier. */
static int carry(relay *r, int member)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || edge_loop_carry(r->plain.loop, (uint32_t)member, ends[1], 30) < 0)
        abort();
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return ends[0];
}

static int lend(relay *r)
{
    return carry(r, r->member);
}

/* Serves all that is ready; what is handed off ends, and is counted. */
static unsigned serve(relay *r)
{
    edge_loop *loop = r->plain.loop;
    struct pollfd ready = {edge_loop_fileno(loop), POLLIN, 0};
    unsigned handed = 0;
    uint32_t news;
    do {
        const int count = edge_loop_run(loop);
        for (int i = 0; i < count; i++, handed++) {
            const int fd = edge_loop_handoffs(loop)[i].fd;
            edge_loop_release(loop, fd);
            close(fd);
        }
        edge_loop_taken(loop);
        edge_loop_news(loop, &news);
        edge_loop_news_taken(loop);
    } while (poll(&ready, 1, 0) > 0); /* what is handed off between two turns makes nothing ready */
    return handed;
}

static int visit(relay *r, const char *method, unsigned id)
{
    char text[256];
    const int fd = client_new(&r->plain);
    snprintf(text, sizeof text, "%s " PATH " HTTP/1.1\r\n" HOST "Id: %u\r\n\r\n", method, id);
    say(fd, text);
    return fd;
}

/* What has come on a descriptor, until now; *ended: and it is at its end. */
static size_t hear(int fd, char *to, size_t room, bool *ended)
{
    size_t length = 0;
    ssize_t n = 1;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (length < room && (n = recv(fd, to + length, room - length, 0)) > 0)
        length += (size_t)n;
    *ended = !n || (n < 0 && errno != EAGAIN);
    return length;
}

/* ---- one at a time ---- */

typedef struct {
    const char *answer;
    size_t length;
    bool closes, head; /* closes: the server, which ends it; head: the question is HEAD */
} story;

#define STORY(text, ...) {text, sizeof text - 1, __VA_ARGS__}

static const story stories[] = {
    STORY(OK "Content-Length: 3\r\nKeep-Alive: timeout=5\r\n\r\nabc", false, false),
    STORY(OK "Transfer-Encoding: chunked\r\n\r\n3;a=\"b\\\"c\";d\r\nabc\r\n00a\r\n0123456789\r\n0\r\nT: u\r\n\r\n", false, false),
    STORY("HTTP/1.1 103 x\r\nLink: </a>\r\n\r\nHTTP/1.1 100 x\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", false, false),
    STORY(OK "\r\nuntil it closes", true, false),
    STORY("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab", false, false),
    STORY("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", false, false),
    STORY("HTTP/1.1 204 x\r\n\r\n", false, false),
    STORY(OK "Content-Length: 5\r\n\r\n", false, true),
    STORY(OK "Connection: close\r\nContent-Length: 1\r\n\r\nx", true, false),
    /* and what is none, or more than one */
    STORY(OK "Content-Length: 5\r\n\r\n" POISON, false, true),
    STORY("HTTP/1.1 204 x\r\n\r\n" POISON, false, false),
    STORY("HTTP/1.1 304 x\r\nContent-Length: 6\r\n\r\npoison", false, false),
    STORY(OK "Content-Length: 3\r\n\r\nabc" POISON, false, false),
    STORY(OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" POISON, false, false),
    STORY(OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", false, false),
    STORY(OK "Content-Length: 3, 3\r\n\r\nabc", false, false),
    STORY(OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false, false),
    STORY(OK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", false, false),
    STORY(OK "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n", false, false),
    STORY("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, false),
    STORY(OK "A: b\r\n c: d\r\nContent-Length: 0\r\n\r\n", false, false),
    STORY(OK "A: \0\r\nContent-Length: 0\r\n\r\n", false, false),
    STORY(OK "A: b\rC: d\r\nContent-Length: 0\r\n\r\n", false, false),
    STORY(OK "A: b\nContent-Length: 0\n\n", true, false),
    STORY(OK "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", false, false),
    STORY(OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", false, false),
    STORY(OK "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc", false, false),
    STORY(OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc", false, false),
    STORY(OK "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\nabc", false, false),
    STORY("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x06poison", false, false),
    STORY("\x16\x03\x01\x02\0\x01\0\x01", true, false),
};

/* What was received, as a client takes it. */
typedef struct {
    const char *head, *body; /* of the final answer; NULL: it is not here */
    size_t head_length, body_length, consumed;
    bool whole;
} taken;

/* The next answer in the text; what it is in chunks is moved together in it. */
static taken take(char *text, size_t length, bool head_only)
{
    taken it = {.head = NULL};
    size_t at = 0;
    char *end;
    while ((end = memmem(text + at, length - at, "\r\n\r\n", 4)) && !strncmp(text + at, "HTTP/1.1 1", 10))
        at = (size_t)(end + 4 - text);
    if (!end)
        return it;
    it.head = text + at;
    it.head_length = (size_t)(end + 4 - it.head);
    it.body = end + 4;
    at = (size_t)(end + 4 - text);
    const char *announced = memmem(it.head, it.head_length, "\r\nContent-Length: ", 18);
    if (head_only || !strncmp(it.head + 9, "204", 3) || !strncmp(it.head + 9, "304", 3)) {
        it.whole = true;
    } else if (announced) {
        const size_t wanted = strtoul(announced + 18, NULL, 10);
        it.body_length = length - at < wanted ? length - at : wanted;
        it.whole = it.body_length == wanted;
        at += it.body_length;
    } else {
        for (size_t size = 1; size && length - at >= 3 && memmem(text + at, length - at, "\r\n", 2);) {
            size = strtoul(text + at, &end, 16);
            const size_t begin = (size_t)(end + 2 - text), part = length - begin < size ? length - begin : size;
            memmove((char *)(uintptr_t)it.body + it.body_length, text + begin, part);
            it.body_length += part;
            at = begin + part + 2 > length ? length : begin + part + 2;
            it.whole = !size && begin + 2 <= length;
        }
    }
    it.consumed = at;
    return it;
}

typedef struct {
    char text[MOST + 1];
    size_t length;
    taken answer;
    bool ended, handed, closed; /* closed: the relay has closed the connection to the server */
} outcome;

/* The next visitor gets what is for him, or nothing. */
static bool next_is_safe(relay *r, int server)
{
    static const char mine[] = OK "Content-Length: 4\r\n\r\nmine";
    char text[MOST + 1] = "", question[MOST];
    bool ended;
    const int fd = visit(r, "GET", 2);
    const unsigned handed = serve(r);
    if (server >= 0 && hear(server, question, sizeof question, &ended))
        send(server, mine, sizeof mine - 1, MSG_NOSIGNAL);
    serve(r);
    const size_t length = hear(fd, text, MOST, &ended);
    const taken got = take(text, length, false);
    close(fd);
    serve(r);
    return handed ? !length : got.whole && got.body_length == 4 && !memcmp(got.body, "mine", 4) && length == got.consumed;
}

typedef enum { GOES_ON, BREAKS_OFF, VISITOR_LEAVES } turn_of_events;

/* The server says the bytes up to the cut; what then comes to pass. */
static void told(relay *r, const story *s, size_t cut, turn_of_events then, outcome *it, bool *safe)
{
    char question[MOST];
    bool ended;
    *it = (outcome){.length = 0};
    int server = lend(r);
    const int fd = visit(r, s->head ? "HEAD" : "GET", 1);
    serve(r);
    *safe = *safe && hear(server, question, sizeof question, &ended);
    send(server, s->answer, cut, MSG_NOSIGNAL);
    it->handed = serve(r);
    if (then == VISITOR_LEAVES)
        close(fd);
    serve(r);
    if (then != BREAKS_OFF)
        send(server, s->answer + cut, s->length - cut, MSG_NOSIGNAL);
    it->handed = serve(r) || it->handed;
    if (then == BREAKS_OFF || s->closes) {
        close(server);
        server = -1;
    }
    it->handed = serve(r) || it->handed;
    if (then != VISITOR_LEAVES) {
        it->length = hear(fd, it->text, MOST, &it->ended);
        it->text[it->length] = 0;
        it->answer = take(it->text, it->length, s->head);
        char *date = it->answer.head ? memmem(it->answer.head, it->answer.head_length, "\r\nDate: ", 8) : NULL;
        if (date)
            memset(date + 8, 'D', 29);
        *safe = *safe && !strstr(it->text, "poison");
    }
    if (server >= 0) {
        hear(server, question, sizeof question, &it->closed);
        *safe = *safe && next_is_safe(r, it->closed ? -1 : server);
        close(server);
    }
    if (then != VISITOR_LEAVES)
        close(fd);
    serve(r);
    *safe = *safe && !edge_loop_connections(r->plain.loop) && !edge_loop_unanswered(r->plain.loop, 0)
            && !edge_loop_memory(r->plain.loop);
}

static bool is_same(const outcome *one, const outcome *other)
{
    if (other->handed && !one->handed) /* it had begun before it was found to be none */
        return one->ended && !one->answer.whole;
    return one->handed == other->handed && one->ended == other->ended && one->closed == other->closed
           && one->answer.whole == other->answer.whole && one->answer.body_length == other->answer.body_length
           && one->answer.head_length == other->answer.head_length
           && (!one->answer.head
               || (!memcmp(one->answer.head, other->answer.head, one->answer.head_length)
                   && !memcmp(one->answer.body, other->answer.body, one->answer.body_length)));
}

/* Of an answer that breaks off: it is handed off, or does not look whole, unless it is; and it is what it would have been. */
static bool is_part(const story *s, const outcome *part, const outcome *whole)
{
    if (part->handed)
        return !part->answer.head;
    if (!whole->answer.head)
        return part->ended && !part->answer.whole;
    if (!part->ended && !s->closes)
        return part->answer.whole && part->answer.body_length == whole->answer.body_length;
    return part->answer.head_length <= whole->answer.head_length && part->answer.body_length <= whole->answer.body_length
           && (!part->answer.whole || whole->answer.whole)
           && (!part->answer.body_length || !memcmp(part->answer.body, whole->answer.body, part->answer.body_length));
}

static void stories_are_told(void)
{
    relay r = relay_new(roomy);
    bool same = true, parts = true, safe = true;
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        const story *s = stories + i;
        static outcome whole, cut_in_two, broken;
        told(&r, s, s->length, GOES_ON, &whole, &safe);
        for (size_t cut = 0; cut < s->length; cut++) {
            told(&r, s, cut, GOES_ON, &cut_in_two, &safe);
            if (same && !is_same(&cut_in_two, &whole)) {
                same = false;
                printf("# story %zu cut at %zu\n%s\n# whole\n%s\n", i, cut, cut_in_two.text, whole.text);
            }
            told(&r, s, cut, BREAKS_OFF, &broken, &safe);
            if (parts && !is_part(s, &broken, &whole)) {
                parts = false;
                printf("# story %zu broken off at %zu\n%s\n# whole\n%s\n", i, cut, broken.text, whole.text);
            }
            static outcome left;
            told(&r, s, cut, VISITOR_LEAVES, &left, &safe);
            if (!safe) {
                printf("# story %zu at %zu\n", i, cut);
                break;
            }
        }
    }
    check(same, "whatever a server says is the same cut at every byte");
    check(parts, "what breaks off at any byte is handed off, or does not look whole");
    check(safe, "nothing of an answer reaches the next visitor, and nothing is left, whoever leaves at any byte");
    server_free(&r.plain);
}

/* ---- many at once ---- */

#define VISITORS 16
#define SERVERS 12
#define ROOM (1 << 20)

typedef struct {
    int fd; /* -1: there is none */
    unsigned first, asked; /* ids of his questions: so many from the first one on */
    size_t length;
    bool babbles; /* he has sent what is none */
    char *text;
} visitor;

typedef struct {
    int fd;
    size_t length, of_answer, said, heard; /* of the plan, of which the rest is no part of the answer */
    bool closes, busy;
    char *plan, question[4 * MOST];
} upstream;

static visitor visitors[VISITORS];
static upstream upstreams[SERVERS];
static unsigned ids, whole_answers, misled;

/* Each of his answers is his, in the order of his questions, and only the last one may lack something. */
static void judge(visitor *v)
{
    size_t at = 0;
    for (unsigned i = 0; at < v->length; i++) {
        char expected[32], *found;
        const taken got = take(v->text + at, v->length - at, false);
        if (!got.head)
            break;
        const int length = snprintf(expected, sizeof expected, "\r\nFor: %u\r\n", v->first + i);
        found = memmem(got.head, got.head_length, expected, (size_t)length);
        const int unit = snprintf(expected, sizeof expected, "for %u;", v->first + i);
        misled += i >= v->asked || !found;
        for (size_t b = 0; b < got.body_length; b++)
            if (got.body[b] != expected[b % (size_t)unit]) {
                misled++;
                break;
            }
        whole_answers += got.whole;
        at += got.consumed;
        if (!got.whole)
            break;
    }
    close(v->fd);
    v->fd = -1;
}

static void visitor_turn(relay *r, visitor *v)
{
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    bool ended = false;
    if (v->fd < 0) {
        v->fd = visit(r, "GET", ++ids);
        v->first = ids;
        v->asked = 1;
        v->length = 0;
        v->babbles = false;
        return;
    }
    switch (below(16)) {
    case 0:
        if (below(2))
            setsockopt(v->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        judge(v);
        return;
    case 1:
        shutdown(v->fd, SHUT_WR);
        break;
    case 2:
    case 3:
        if (v->asked < 3 && !v->babbles) { /* it is pipelined, or the next one on the connection */
            char text[256];
            snprintf(text, sizeof text, "GET " PATH " HTTP/1.1\r\n" HOST "Id: %u\r\n\r\n", v->first + v->asked);
            if (ids == v->first + v->asked - 1 && send(v->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
                ids++, v->asked++;
        }
        break;
    case 4:
        if (below(4) == 0) { /* behind his questions: much, or a little, of nothing */
            static char nothing[1 << 16];
            memset(nothing, below(2) ? 'a' : '\n', sizeof nothing);
            send(v->fd, nothing, below(2) ? sizeof nothing : 1 + below(20), MSG_NOSIGNAL | MSG_DONTWAIT);
            v->babbles = true;
            break;
        }
        /* fall through */
    default: {
        const size_t room = below(2) ? 1 + below(5000) : ROOM;
        v->length += hear(v->fd, v->text + v->length, v->length + room < ROOM ? room : ROOM - v->length, &ended);
        if (ended || v->length == ROOM)
            judge(v);
    }
    }
}

/* An answer for the visitor with this id; one in four is none, or more than one. */
static void plan(upstream *u, unsigned id)
{
    static const char *const early = "HTTP/1.1 103 x\r\nLink: </a>\r\n\r\n";
    static const char *const lies[] = {"Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n", "A: b\r\n c: d\r\n", "A\r\n", ""};
    char unit[32];
    const size_t of_unit = (size_t)snprintf(unit, sizeof unit, "for %u;", id), units = below(4) ? below(40) : below(20000);
    const size_t body = of_unit * units;
    const unsigned framing = below(4);
    char *p = u->plan;
    if (below(4) == 0)
        p += sprintf(p, "%s", early);
    p += sprintf(p, "HTTP/1.1 200 OK\r\nFor: %u\r\n", id);
    if (below(8) == 0)
        p += sprintf(p, "%s", lies[below(5)]);
    u->closes = framing == 0;
    if (framing == 1)
        p += sprintf(p, "Transfer-Encoding: chunked\r\n\r\n");
    else
        p += framing ? sprintf(p, "Content-Length: %zu\r\n\r\n", body) : sprintf(p, "\r\n");
    const size_t of_head = (size_t)(p - u->plan);
    for (size_t at = 0, part; at < body; at += part) {
        part = framing == 1 ? 1 + below(3000) : body;
        part = part < body - at ? part : body - at;
        if (framing == 1)
            p += sprintf(p, "%zx\r\n", part);
        for (size_t i = 0; i < part; i++)
            *p++ = unit[(at + i) % of_unit];
        if (framing == 1)
            p += sprintf(p, "\r\n");
    }
    if (framing == 1)
        p += sprintf(p, "0\r\n\r\n");
    u->of_answer = (size_t)(p - u->plan);
    if (below(8) == 0 && framing)
        p += sprintf(p, "%s", POISON);
    u->length = (size_t)(p - u->plan);
    if (below(16) == 0)
        u->plan[below((uint32_t)of_head)] = "\r\n"[below(3)]; /* or NUL */
    u->said = 0;
    u->busy = true;
}

static void upstream_leaves(upstream *u)
{
    close(u->fd);
    u->fd = -1;
}

static void upstream_turn(relay *r, upstream *u)
{
    bool ended;
    if (u->fd < 0) {
        u->fd = lend(r);
        u->heard = 0;
        u->busy = false;
        return;
    }
    if (below(40) == 0) {
        upstream_leaves(u);
        return;
    }
    if (!u->busy) {
        u->heard += hear(u->fd, u->question + u->heard, sizeof u->question - 1 - u->heard, &ended);
        u->question[u->heard] = 0;
        const char *id = strstr(u->question, "Id: ");
        if (strstr(u->question, "\r\n\r\n") && id) {
            plan(u, (unsigned)strtoul(id + 4, NULL, 10));
            u->heard = 0;
        } else if (ended) {
            upstream_leaves(u);
        } else if (!u->heard && below(20) == 0) {
            send(u->fd, POISON, sizeof POISON - 1, MSG_NOSIGNAL); /* nobody has asked */
            if (below(2))
                upstream_leaves(u);
        }
        return;
    }
    /* What comes behind the answer comes with its end: told apart from the answer to the next question it could be by
     * nobody, once that is asked. */
    const size_t left = u->length - u->said;
    size_t part = below(2) ? left : 1 + below(400);
    if (u->said + part >= u->of_answer)
        part = left;
    const ssize_t n = send(u->fd, u->plan + u->said, part < left ? part : left, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) {
        upstream_leaves(u);
        return;
    }
    u->said += n > 0 ? (size_t)n : 0;
    if (u->said < u->of_answer)
        return;
    u->busy = false;
    if (u->closes)
        upstream_leaves(u);
}

/* ---- processes, each with many questions on one carrier ---- */

#define PROCESSES 3
#define QUESTIONS 64

typedef struct {
    uint64_t number; /* 0: a free place */
    unsigned id;
    size_t length, said, may_say;
    bool begun, announced;
} question;

typedef struct {
    int fd;
    size_t heard, unsent;
    question questions[QUESTIONS];
    uint8_t in[1 << 19], out[1 << 19];
} process;

static process processes[PROCESSES];

static uint8_t *put_uint(uint8_t *p, uint64_t number)
{
    *p++ = 0xcf;
    for (int shift = 56; shift >= 0; shift -= 8)
        *p++ = (uint8_t)(number >> shift);
    return p;
}

static uint8_t *put_bin(uint8_t *p, const void *bytes, size_t length)
{
    *p++ = 0xc6;
    for (int shift = 24; shift >= 0; shift -= 8)
        *p++ = (uint8_t)(length >> shift);
    memcpy(p, bytes, length);
    return p + length;
}

static uint64_t read_uint(const uint8_t *p)
{
    uint64_t number = 0;
    if (*p < 0x80)
        return *p;
    for (int i = 0; i < 1 << (*p - 0xcc); i++)
        number = number << 8 | p[1 + i];
    return number;
}

/* The array that was written behind the frame's length is said. */
static void frame(process *it, const uint8_t *end)
{
    uint8_t *begin = it->out + it->unsent;
    const size_t length = (size_t)(end - begin) - 4;
    for (int i = 0; i < 4; i++)
        begin[i] = (uint8_t)(length >> (24 - 8 * i));
    it->unsent += 4 + length;
}

/* What the relay has said: questions, credit, and that somebody has gone. */
static void process_hears(process *it, const uint8_t *array, size_t length)
{
    const uint64_t number = read_uint(array + 2);
    question *q = it->questions + number % QUESTIONS;
    if (array[1] == 1) {
        const uint8_t *id = memmem(array, length, "\xc4\x02id\xc4", 5);
        *q = (question){.number = number, .id = (unsigned)strtoul((const char *)id + 6, NULL, 10), .may_say = 65536,
                        .announced = below(2)};
        q->length = (below(4) ? below(40) : below(20000)) * (size_t)snprintf(NULL, 0, "for %u;", q->id);
    } else if (q->number == number && array[1] == 4) {
        q->may_say += read_uint(array + (array[2] < 0x80 ? 3 : 3 + (1 << (array[2] - 0xcc))));
    } else if (q->number == number) {
        q->number = 0;
    }
}

/* Says the next piece of an answer, or of none. */
static void process_answers(process *it, question *q)
{
    char unit[32], text[32], body[8192];
    const size_t of_unit = (size_t)snprintf(unit, sizeof unit, "for %u;", q->id);
    size_t part = 1 + below(sizeof body), left = q->length - q->said;
    uint8_t *p = it->out + it->unsent + 4;
    if (part > left)
        part = left;
    if (part > q->may_say && below(400)) /* it waits; seldom it does not, which breaks the rules */
        part = q->may_say;
    if (!part && left)
        return;
    for (size_t i = 0; i < part; i++)
        body[i] = unit[(q->said + i) % of_unit];
    q->said += part;
    q->may_say -= part < q->may_say ? part : q->may_say;
    const bool more = q->said < q->length;
    if (below(100) == 0) {
        *p++ = 0x93; /* it gives up */
        *p++ = 5;
        p = put_bin(put_uint(p, q->number), "no", 2);
        q->number = 0;
    } else if (!q->begun) {
        *p++ = 0x97;
        *p++ = 2;
        p = put_uint(put_uint(p, q->number), 200);
        *p++ = 0x91;
        *p++ = 0x92;
        p = put_bin(put_bin(p, "For", 3), text, (size_t)sprintf(text, "%u", q->id));
        if (q->announced)
            p = put_uint(p, q->length + (below(50) == 0)); /* or what is not true */
        else
            *p++ = 0xc0;
        p = put_bin(p, body, part);
        *p++ = more ? 0xc3 : 0xc2;
    } else {
        *p++ = 0x95;
        *p++ = 3;
        p = put_bin(put_uint(p, q->number), body, part);
        *p++ = more ? 0xc3 : 0xc2;
        *p++ = 0x90;
    }
    q->begun = true;
    frame(it, p);
    if (!more)
        q->number = 0;
}

static void process_leaves(process *it)
{
    close(it->fd);
    it->fd = -1;
}

static void process_turn(relay *r, process *it)
{
    static const uint8_t ready[] = "\0\0\0\4\x93\x08\x01\x40";
    static const uint8_t said[4][6] = {"\0\0\0\2\x91\x09", /* it wants to end */
                                       "\xff\xff\xff\xff", "\0\0\0\2\xc1\xc1", "\0\0\0\2\x91\x01"}; /* no frames */
    bool ended = false;
    if (it->fd < 0) {
        *it = (process){.fd = carry(r, r->process)};
        memcpy(it->out, ready, it->unsent = sizeof ready - 1);
    }
    it->heard += hear(it->fd, (char *)it->in + it->heard, sizeof it->in - it->heard, &ended);
    size_t at = 0, size;
    for (; it->heard - at >= 4; at += 4 + size) {
        size = (size_t)it->in[at] << 24 | (size_t)it->in[at + 1] << 16 | (size_t)it->in[at + 2] << 8 | it->in[at + 3];
        if (it->heard - at - 4 < size)
            break;
        process_hears(it, it->in + at + 4, size);
    }
    memmove(it->in, it->in + at, it->heard -= at);
    for (unsigned i = below(QUESTIONS), n = 0; n < QUESTIONS && it->unsent < sizeof it->out / 2; i = (i + 1) % QUESTIONS, n++)
        if (it->questions[i].number && below(3))
            process_answers(it, it->questions + i);
    if (below(150) == 0) {
        memcpy(it->out + it->unsent, said[below(4)], 6);
        it->unsent += 6;
    }
    const size_t part = below(2) ? it->unsent : below(3000);
    const ssize_t n = send(it->fd, it->out, part < it->unsent ? part : it->unsent, MSG_NOSIGNAL);
    if (n > 0)
        memmove(it->out, it->out + n, it->unsent -= (size_t)n);
    if (ended || (n < 0 && errno != EAGAIN) || below(150) == 0)
        process_leaves(it);
}

/* ---- who waits for what is to be stored ---- */

static uint64_t tickets[VISITORS];
static unsigned ticketed, held_ends[4];

/* The caller hears of who is held, says of one of them what becomes of him, sooner, later or twice, and sometimes has
 * everybody held who asks. */
static void caller_turn(edge_loop *loop, const server *plain)
{
    uint32_t count;
    const edge_held *held = edge_loop_held(loop, &count);
    for (uint32_t i = 0; i < count; i++, ticketed++) {
        if (held[i].length != strlen(PATH) || held[i].path_length != strlen(PATH) || memcmp(held[i].target, PATH, strlen(PATH)))
            misled++;
        tickets[ticketed % VISITORS] = held[i].ticket;
    }
    const uint64_t ticket = tickets[below(VISITORS)];
    if (below(3) == 0)
        held_ends[below(2) ? edge_loop_look(loop, ticket, (edge_waited)(1 + below(3))) : edge_loop_let_go(loop, ticket)]++;
    if (below(50) == 0)
        edge_loop_pass(loop, 0, (const uint8_t *)PATH, strlen(PATH), segment_header(&plain->s)->sequence,
                       below(8) ? 1 << 30 : 0, false);
}

static void many_who_do_anything(unsigned long turns)
{
    edge_limits limits = roomy;
    limits.pending_bytes = 1 << 24;
    relay r = relay_new(limits);
    edge_loop *loop = r.plain.loop;
    uint64_t most = 0;
    r.process = edge_loop_member(loop, false, 64);
    edge_loop_hold(loop, true);
    for (int i = 0; i < VISITORS; i++)
        visitors[i] = (visitor){.fd = -1, .text = malloc(ROOM)};
    for (int i = 0; i < SERVERS; i++) {
        upstreams[i].fd = -1;
        upstreams[i].plan = malloc(ROOM);
    }
    for (int i = 0; i < PROCESSES; i++)
        processes[i].fd = -1;
    for (unsigned long turn = 0; turn < turns; turn++) {
        if (below(2))
            visitor_turn(&r, visitors + below(VISITORS));
        else if (below(3))
            upstream_turn(&r, upstreams + below(SERVERS));
        else
            process_turn(&r, processes + below(PROCESSES));
        if (below(3) == 0)
            serve(&r);
        if (below(4) == 0)
            caller_turn(loop, &r.plain);
        if (below(500) == 0) {
            edge_loop_advance(loop, below(20));
            edge_loop_tick(loop);
        }
        most = edge_loop_memory(loop) > most ? edge_loop_memory(loop) : most;
    }
    for (int i = 0; i < VISITORS; i++) {
        if (visitors[i].fd >= 0)
            judge(visitors + i);
        free(visitors[i].text);
    }
    for (int i = 0; i < SERVERS; i++) {
        if (upstreams[i].fd >= 0)
            upstream_leaves(upstreams + i);
        free(upstreams[i].plan);
    }
    for (int i = 0; i < PROCESSES; i++)
        if (processes[i].fd >= 0)
            process_leaves(processes + i);
    serve(&r);
    for (int i = 0; i < 5; i++) { /* those that had still much to read when they went, and those that are held */
        edge_loop_advance(loop, 100);
        edge_loop_tick(loop);
        serve(&r);
    }
    check(!misled, "of %lu turns none gave a visitor what was not his, in none was an answer longer than itself", turns);
    check(whole_answers > turns / 40, "and many answers were whole: %u", whole_answers);
    check(held_ends[EDGE_HELD_HANDED] && held_ends[EDGE_HELD_GONE], "some waited for what was not stored: %u, of whom %u were handed off",
          ticketed, held_ends[EDGE_HELD_HANDED]);
    check(most < VISITORS * 160 * 1024, "what waited for slow visitors was bounded");
    check(!edge_loop_connections(loop) && !edge_loop_unanswered(loop, 0) && !edge_loop_memory(loop), "nothing is left of them");
    server_free(&r.plain);
}

/* A question that its server does not take, and answers before it has come. */
static void an_answer_to_half_a_question(void)
{
    static char fields[5000];
    relay r = relay_new(roomy);
    char text[MOST];
    bool ended;
    int ends[2], small = 1;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
        abort();
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    edge_loop_carry(r.plain.loop, (uint32_t)r.member, ends[1], 30);
    memset(fields, 'a', sizeof fields - 1);
    const int fd = client_new(&r.plain);
    snprintf(text, sizeof text, "GET " PATH " HTTP/1.1\r\n" HOST "Cookie: %s\r\n\r\n", fields);
    say(fd, text);
    serve(&r);
    say(ends[0], OK "Content-Length: 2\r\n\r\nok");
    serve(&r);
    const size_t length = hear(fd, text, sizeof text, &ended);
    const taken got = take(text, length, false);
    check(got.whole && got.body_length == 2 && !ended, "who is answered before all of the question is taken has the answer");
    while (hear(ends[0], text, sizeof text, &ended) && !ended)
        serve(&r);
    check(ended, "and the connection, on which half a question is, asks no other");
    close(ends[0]);
    close(fd);
    serve(&r);
    server_free(&r.plain);
}

static unsigned waits;

/* In the place of libc's: counts. */
int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
    waits++;
    return epoll_pwait(epoll, events, most, timeout, NULL);
}

/* Who is to answer may need the core that looking again and again would take. */
static void who_waits_for_an_answer_sleeps(void)
{
    relay r = relay_new(roomy);
    edge_loop *loop = r.plain.loop;
    const int server = lend(&r), fd = visit(&r, "GET", 1);
    serve(&r);
    for (int asked = 1; asked >= 0; asked--) {
        loop->sleeps = loop->sleeps_left = waits = 0;
        edge_loop_wait(loop, 20000);
        check(asked ? waits <= 2 : waits > 32, asked ? "who waits for an application looks once, and sleeps"
                                                     : "with nobody asked it looks some times before it sleeps");
        say(server, OK "Content-Length: 2\r\n\r\nok");
        serve(&r);
    }
    edge_loop_others(loop, 0, 1, 0);
    loop->sleeps = loop->sleeps_left = waits = 0;
    edge_loop_wait(loop, 20000);
    check(waits <= 2, "nor does it look while the caller has asked an application");
    edge_loop_others(loop, 0, 0, 0);
    loop->sleeps = loop->sleeps_left = waits = 0;
    edge_loop_wait(loop, 20000);
    check(waits > 32, "when that has answered it looks again");
    close(server);
    close(fd);
    serve(&r);
    server_free(&r.plain);
}

int main(void)
{
    const char *turns = getenv("EDGE_TURNS");
    stories_are_told();
    an_answer_to_half_a_question();
    who_waits_for_an_answer_sleeps();
    many_who_do_anything(turns ? strtoul(turns, NULL, 10) : 40000);
    return check_failures != 0;
}
