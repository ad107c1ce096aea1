/* edge-app/1 in C: what applications say, damaged in every way, from memory that ends where it ends; and questions of
 * every size. */
#include "check.h"

#include "edge_app.h"

/* [2, 65, 200, [[date, x], [content-type, text/html], [connection, x-a], [x-a, b]], 4, "body", false] */
static const uint8_t answer[] = "\x97\x02\x41\xcc\xc8\x94\x92\xc4\x04" "date\xc4\x01x\x92\xc4\x0c" "content-type\xc4\x09text/html"
                                "\x92\xc4\x0a" "connection\xc4\x03x-a\x92\xc4\x03x-a\xc4\x01" "b\x04\xc4\x04" "body\xc2";
static const uint8_t data[] = "\x95\x03\x41\xc4\x03" "one\xc3\x90";
static const uint8_t ready[] = "\x93\x08\x01\xcd\x01\x00";

static const edge_head_context plain = {.date = "Tue, 14 Nov 2023 22:13:20 GMT", .hsts = (const uint8_t *)"",
                                        .speculation = (const uint8_t *)""};
static edge_output out;
static edge_field fields[EDGE_APP_FIELDS];

/* Whether what was read lies within the array, and a head of it can be composed or is refused. */
static bool is_sound(const uint8_t *array, size_t length)
{
    edge_app_message message;
    bool chunked;
    edge_app_kind kind = edge_app_read(array, length, &message);
    const uint8_t *end = array + length;
    if (message.body.length && (message.body.bytes < array || message.body.bytes + message.body.length > end))
        return kind == EDGE_APP_MALFORMED;
    if (kind != EDGE_APP_ANSWER)
        return true;
    edge_app_fields(&message, fields);
    const edge_passed passed = {message.status, message.length, fields, message.field_count};
    edge_output_clear(&out);
    edge_passed_head(&out, &passed, &plain, false, &chunked);
    edge_passed_is_of_events(&passed);
    if (!out.total)
        return true;
    const uint8_t *head = out.heads;
    size_t lines = 0;
    for (size_t i = 0; i < out.used; i++)
        lines += head[i] == '\n' && (!i || head[i - 1] != '\r'); /* a bare line end would be another line to somebody */
    return !lines && !memcmp(head + out.used - 4, "\r\n\r\n", 4);
}

static void damaged(const char *name, const uint8_t *bytes, size_t length)
{
    bool sound = true;
    for (size_t cut = 0; cut <= length; cut++) {
        uint8_t *copy = guarded(bytes, cut);
        edge_app_message message;
        sound = sound && is_sound(copy, cut) && (cut == length || edge_app_read(copy, cut, &message) == EDGE_APP_MALFORMED);
        unguard(copy, cut);
    }
    check(sound, "%s: cut anywhere it is none", name);
    for (size_t at = 0; at < length; at++) {
        uint8_t *copy = guarded(bytes, length);
        for (unsigned value = 0; value < 256; value++) {
            copy[at] = (uint8_t)value;
            sound = sound && is_sound(copy, length);
        }
        unguard(copy, length);
    }
    for (int round = 0; round < 20000; round++) {
        uint8_t *copy = malloc(length);
        memcpy(copy, bytes, length);
        for (uint32_t i = below(6) + 1; i; i--)
            copy[below((uint32_t)length)] = (uint8_t)below(256);
        sound = sound && is_sound(copy, length);
        free(copy);
    }
    check(sound, "%s: damaged anywhere nothing is read behind it, and no head has another line end", name);
}

static void heads(void)
{
    static const char expected[] = "HTTP/1.1 200 OK\r\ndate: x\r\ncontent-type: text/html\r\nCache-Status: edge; fwd=bypass\r\n"
                                   "Content-Length: 4\r\n\r\n";
    edge_app_message message;
    bool chunked;
    check(edge_app_read(answer, sizeof answer - 1, &message) == EDGE_APP_ANSWER && message.number == 65
              && message.status == 200 && message.length == 4 && !message.more && message.body.length == 4,
          "an answer is read");
    edge_app_fields(&message, fields);
    const edge_passed head = {message.status, message.length, fields, message.field_count};
    edge_output_clear(&out);
    check(edge_passed_head(&out, &head, &plain, false, &chunked) && !chunked && out.used == sizeof expected - 1
              && !memcmp(out.heads, expected, out.used),
          "its head has its fields but those of the connection, and those that it names");
    check(edge_app_read(ready, sizeof ready - 1, &message) == EDGE_APP_READY && message.number == 1 && message.size == 256,
          "that it is ready is read");
}

static void questions(void)
{
    edge_passed_rules rules;
    static uint8_t lines[EDGE_HEAD_LIMIT], target[EDGE_HEAD_LIMIT];
    bool bounded = true;
    edge_passed_open(&rules, "forwarded\0host\0", "x-forwarded-\0", "-override\0");
    memset(target, 'a', sizeof target);
    for (int round = 0; round < 2000; round++) {
        size_t length = 0, of_target = 1 + below(4096);
        for (int line = 0; line < EDGE_FIELD_LIMIT; line++) {
            uint32_t name = 1 + below(line ? 12 : 200), value = below(round % 2 ? 8 : 160);
            if (length + name + value + 4 > sizeof lines - of_target - 64)
                break;
            memset(lines + length, 'A' + (int)below(26), name);
            memcpy(lines + length + name, ": ", 2);
            memset(lines + length + name + 2, 'v', value);
            memcpy(lines + length + name + 2 + value, "\r\n", 2);
            length += name + value + 4;
        }
        const edge_question question = {
            .target = {target, of_target}, .host = {target, below(200)},
            .peer = {target, 45}, .at = {target, 256}, .deadline_ms = UINT32_MAX, .fields = {lines, length}};
        uint8_t *frame = malloc(EDGE_APP_ASK); /* what is written behind it ends the process here */
        size_t written = edge_app_ask(frame, (uint64_t)1 << below(53), &question, &rules);
        bounded = bounded && written && written <= EDGE_APP_ASK;
        free(frame);
    }
    check(bounded, "questions of every size have room");
}

int main(void)
{
    heads();
    damaged("an answer", answer, sizeof answer - 1);
    damaged("data", data, sizeof data - 1);
    damaged("ready", ready, sizeof ready - 1);
    questions();
    return check_failures != 0;
}
