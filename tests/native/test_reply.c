/* Reading answers: every split, each byte before a guard page. */
#include "check.h"

#include "wire_reply.h"

#define LIMIT 1000

typedef struct {
    wire_reply reply;
    wire_reply_verdict verdict;
    uint8_t line[4096], body[LIMIT];
    size_t line_length, body_length, left;
} reading;

/* Reads one more piece, as a connection does: what was left before it, then the piece. */
static void piece(reading *r, const char *bytes, size_t length)
{
    uint8_t joined[sizeof r->line];
    memcpy(joined, r->line, r->line_length);
    memcpy(joined + r->line_length, bytes, length);
    length += r->line_length;
    uint8_t *copy = guarded(joined, length);
    edge_span in = {copy, length}, body;
    while ((r->verdict = wire_reply_read(&r->reply, &in, &body)) == WIRE_REPLY_BODY) {
        memcpy(r->body + r->body_length, body.bytes, body.length);
        r->body_length += body.length;
    }
    r->line_length = r->left = in.length;
    memcpy(r->line, in.bytes, in.length);
    unguard(copy, length);
}

static reading read_split(const char *text, size_t length, size_t cut, int head_only)
{
    reading r = {.line_length = 0};
    wire_reply_begin(&r.reply, LIMIT, head_only);
    piece(&r, text, cut);
    if (r.verdict == WIRE_REPLY_MORE)
        piece(&r, text + cut, length - cut);
    else if (r.verdict == WIRE_REPLY_DONE)
        r.left += length - cut;
    return r;
}

static const struct {
    const char *text;
    unsigned status;
    const char *body, *etag;
    int64_t max_age;
    int closing;
} answers[] = {
    {"HTTP/1.1 304 \r\nETag: \"abc\"\r\nCache-Control: public, max-age=60\r\n\r\n", 304, "", "abc", 60, 0},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x, close\r\n\r\nhello", 200, "hello", "", -1, 1},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n", 200,
     "abc0123456789", "", -1, 0},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nLink: <a>\r\n\r\nHTTP/1.1 204 \r\n\r\n", 204, "", "", -1, 0},
    {"HTTP/1.0 404 \r\nContent-Length: 0\r\nETag: W/\"w\"\r\n\r\n", 404, "", "w", -1, 1},
};

static void every_split_gives_the_same_answer(void)
{
    int ok = 1;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        char text[512];
        size_t length = (size_t)snprintf(text, sizeof text, "%sHTTP", answers[i].text);
        for (size_t cut = 0; cut <= length; cut++) {
            reading r = read_split(text, length, cut, 0);
            ok = ok && r.verdict == WIRE_REPLY_DONE && r.left == 4 && r.reply.status == answers[i].status
                 && r.body_length == strlen(answers[i].body) && !memcmp(r.body, answers[i].body, r.body_length)
                 && r.reply.etag_length == strlen(answers[i].etag)
                 && !memcmp(r.reply.etag, answers[i].etag, r.reply.etag_length)
                 && wire_reply_max_age(&r.reply) == answers[i].max_age && r.reply.closing == answers[i].closing;
        }
    }
    check(ok, "an answer cut in two at any byte is the same answer");
}

static void what_is_no_answer_is_told(void)
{
    static const char *const garbage[] = {
        "SSH-2.0-x\r\n", "HTTP/1.1 200\r\n", "HTTP/1.1 200 OK\n", "HTTP/1.1 200 OK\r\nA : b\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n", "HTTP/1.1 101 \r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 x\r\n",
    };
    int ok = 1;
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        for (size_t cut = 0; cut <= strlen(garbage[i]); cut++)
            ok = ok && read_split(garbage[i], strlen(garbage[i]), cut, 0).verdict == WIRE_REPLY_GARBAGE;
    check(ok, "garbage is garbage however it is cut");
}

static void limits_hold(void)
{
    char text[2048] = "HTTP/1.1 200 OK\r\n\r\n";
    size_t head = strlen(text);
    memset(text + head, 'x', LIMIT + 1);
    reading r = read_split(text, head + LIMIT, head + 1, 0);
    check(r.verdict == WIRE_REPLY_MORE && wire_reply_ended(&r.reply) && r.body_length == LIMIT,
          "a body without length ends with the connection");
    check(read_split(text, head + LIMIT + 1, head + 1, 0).verdict == WIRE_REPLY_TOO_LARGE,
          "one byte over the limit is too large");
    static const char long_one[] = "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n";
    check(read_split(long_one, sizeof long_one - 1, 3, 0).verdict == WIRE_REPLY_TOO_LARGE,
          "so is a length that says so");
    check(read_split(long_one, sizeof long_one - 1, 3, 1).verdict == WIRE_REPLY_DONE, "but not in answer to HEAD");
    wire_reply reply;
    edge_span in, body;
    wire_reply_verdict verdict;
    unsigned fields = 0;
    wire_reply_begin(&reply, LIMIT, 0);
    in = (edge_span){(const uint8_t *)"HTTP/1.1 200 \r\n", 15};
    while ((verdict = wire_reply_read(&reply, &in, &body)) == WIRE_REPLY_MORE && fields++ < 100000)
        in = (edge_span){(const uint8_t *)"A: b\r\n", 6};
    check(verdict == WIRE_REPLY_TOO_LARGE && fields * 6 >= WIRE_REPLY_HEAD_BYTES - 16
              && fields * 6 <= WIRE_REPLY_HEAD_BYTES,
          "a head without end is cut after 64 KiB");
}

int main(void)
{
    every_split_gives_the_same_answer();
    what_is_no_answer_is_told();
    limits_hold();
    return check_failures != 0;
}
