/* HTTP/1.1 with upstreams in C: answers, damaged in every way and cut anywhere, from memory that ends where it ends; and
 * questions of every size.  That it accepts and refuses what Python does: tests/fastpath/test_upstream.py. */
#include "check.h"

#include "edge_upstream.h"

#define OK "HTTP/1.1 200 OK\r\n"

static const char *const answers[] = {
    OK "Content-Length: 3\r\nA: b\r\nKeep-Alive: timeout=5\r\nConnection: x, \"y, z\"\r\n\r\nabc",
    "HTTP/1.1 103 x\r\nLink: a\r\n\r\n" OK "Transfer-Encoding: chunked\r\n\r\n3;x=y;z=\"q\\\"r\"\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\nuntil it closes",
    "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n",
};

static const edge_head_context plain = {.date = "Tue, 14 Nov 2023 22:13:20 GMT", .hsts = (const uint8_t *)"",
                                        .speculation = (const uint8_t *)""};
static edge_output out;
static edge_field fields[EDGE_UPSTREAM_FIELDS];

typedef struct {
    unsigned status;
    size_t body, early;
    bool over, wrong, bare; /* bare: a head has another line end */
} read_result;

static void compose(edge_upstream_reader *reader, read_result *result)
{
    bool chunked;
    edge_output_clear(&out);
    if (!edge_passed_head(&out, &reader->head, &plain, false, &chunked))
        return;
    for (size_t i = 0; i < out.used; i++)
        result->bare = result->bare || (out.heads[i] == '\n' && (!i || out.heads[i - 1] != '\r'));
}

/* Reads bytes that come in two parts, each as long as it is and no longer. */
static read_result read_in_two(const uint8_t *bytes, size_t length, size_t cut)
{
    edge_upstream_reader reader;
    read_result result = {.status = 0};
    size_t kept = 0;
    edge_upstream_begin(&reader, fields, false);
    for (int part = 0; part < 2 && !result.over && !result.wrong; part++) {
        const size_t to = part ? length : cut;
        uint8_t *copy = guarded(bytes + kept, to - kept);
        for (size_t at = 0, consumed;; at += consumed) {
            edge_span body;
            const edge_upstream_kind kind = edge_upstream_read(&reader, copy + at, to - kept - at, &consumed, &body);
            if (kind == EDGE_UPSTREAM_MORE || kind == EDGE_UPSTREAM_END || kind == EDGE_UPSTREAM_WRONG) {
                result.over = kind == EDGE_UPSTREAM_END;
                result.wrong = kind == EDGE_UPSTREAM_WRONG;
                unguard(copy, to - kept);
                kept += at + consumed;
                break;
            }
            if (kind == EDGE_UPSTREAM_BODY) {
                result.body += body.length;
                result.bare = result.bare || body.bytes < copy || body.bytes + body.length > copy + to - kept;
                continue;
            }
            result.early += kind == EDGE_UPSTREAM_EARLY;
            if (kind == EDGE_UPSTREAM_FINAL)
                result.status = reader.head.status;
            compose(&reader, &result);
        }
    }
    return result;
}

static bool is_same(const read_result *one, const read_result *other)
{
    return one->status == other->status && one->body == other->body && one->early == other->early
           && one->over == other->over && one->wrong == other->wrong && !one->bare && !other->bare;
}

static void damaged(int number, const char *text)
{
    const uint8_t *bytes = (const uint8_t *)text;
    const size_t length = strlen(text);
    const read_result whole = read_in_two(bytes, length, length);
    bool sound = !whole.wrong && whole.status && !whole.bare;
    for (size_t cut = 0; cut <= length; cut++) {
        const read_result found = read_in_two(bytes, length, cut);
        sound = sound && is_same(&whole, &found);
    }
    check(sound, "answer %d: cut anywhere it is the same", number);
    for (size_t at = 0; at < length; at++) {
        uint8_t copy[1024];
        memcpy(copy, bytes, length);
        for (unsigned value = 0; value < 256; value++) {
            copy[at] = (uint8_t)value;
            const read_result one = read_in_two(copy, length, length), other = read_in_two(copy, length, below((uint32_t)length));
            sound = sound && !one.bare && one.wrong == other.wrong && (one.wrong || is_same(&one, &other));
        }
    }
    for (int round = 0; round < 5000; round++) {
        uint8_t copy[1024];
        memcpy(copy, bytes, length);
        for (uint32_t i = below(6) + 1; i; i--)
            copy[below((uint32_t)length)] = (uint8_t)below(256);
        sound = sound && !read_in_two(copy, length, below((uint32_t)length)).bare;
    }
    check(sound, "answer %d: damaged anywhere nothing is read behind it, and no head has another line end", number);
}

static void questions(void)
{
    static uint8_t lines[EDGE_HEAD_LIMIT], target[EDGE_HEAD_LIMIT];
    edge_passed_rules rules;
    bool bounded = true;
    edge_passed_open(&rules, "forwarded\0host\0", "x-forwarded-\0", "-override\0");
    memset(target, 'a', sizeof target);
    for (int round = 0; round < 2000; round++) {
        size_t length = 0, of_target = 1 + below(round % 3 ? 256 : 7900), of_host = 1 + below(round % 3 ? 7900 : 250);
        for (int line = 0; line < EDGE_FIELD_LIMIT; line++) {
            uint32_t name = 1 + below(line ? 3 : 200), value = below(round % 2 ? 2 : 160);
            if (length + name + value + 3 + of_target + of_host + 64 > EDGE_HEAD_LIMIT)
                break;
            memset(lines + length, 'A' + (int)below(26), name);
            lines[length + name] = ':';
            memset(lines + length + name + 1, 'v', value);
            memcpy(lines + length + name + 1 + value, "\r\n", 2);
            length += name + value + 3;
        }
        const edge_question question = {
            .method = below(2) ? EDGE_GET : EDGE_HEAD, .target = {target, of_target}, .host = {target, of_host},
            .peer = {(const uint8_t *)"1111:2222:3333:4444:5555:6666:7777:8888", 39}, .secure = true, .fields = {lines, length}};
        uint8_t *head = malloc(EDGE_UPSTREAM_ASK); /* what is written behind it ends the process here */
        const size_t written = edge_upstream_ask(head, &question, &rules);
        bounded = bounded && written && written <= EDGE_UPSTREAM_ASK;
        free(head);
    }
    check(bounded, "questions of every size have room");
}

int main(void)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        damaged((int)i, answers[i]);
    questions();
    return check_failures != 0;
}
