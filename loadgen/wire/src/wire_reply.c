#include "wire_reply.h"

#include <string.h>

enum { STATUS, FIELDS, COUNTED, SIZE, CHUNK, CHUNK_END, TRAILERS, UNTIL_CLOSED, DONE };

#define MAX_AGE 2147483647 /* what a greater one counts as, RFC 9111 1.2.2 */
#define LENGTH_DIGITS 18
#define SIZE_DIGITS 15

static const char begin[] = "HTTP/1.";
#define BEGIN_BYTES (sizeof begin - 1)

static inline int is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

void wire_reply_begin(wire_reply *reply, uint64_t body_limit, int head_only)
{
    memset(reply, 0, offsetof(wire_reply, etag));
    reply->body_limit = body_limit;
    reply->head_only = (uint8_t)head_only;
    reply->max_age = -1;
}

int wire_reply_ended(wire_reply *reply)
{
    if (reply->state == UNTIL_CLOSED)
        reply->state = DONE;
    return reply->state == DONE;
}

/* ---- lines; all without their CR LF.  0: garbage ---- */

static int status_line(wire_reply *reply, edge_span line)
{
    const uint8_t *p = line.bytes, *end = p + line.length;
    /* "HTTP/1.1 304 " */
    if (line.length < BEGIN_BYTES + 6 || (p[7] != '0' && p[7] != '1') || p[8] != ' ' || p[9] < '1' || p[9] > '5'
        || !is_digit(p[10]) || !is_digit(p[11]) || p[12] != ' ' || edge_value_end(p + 13, end) != end)
        return 0;
    reply->version_1_0 = p[7] == '0';
    reply->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
    reply->uncacheable = reply->chunked = reply->has_length = reply->says_close = reply->says_keep_alive = 0;
    reply->closing = reply->counted = reply->weak = reply->coding = reply->later = 0;
    reply->etag_length = reply->modified_length = 0;
    reply->age = 0;
    reply->max_age = -1;
    reply->state = FIELDS;
    return 1;
}

/* delta-seconds, RFC 9111 1.2.2; -1: none. */
static int64_t delta_seconds(edge_span value)
{
    int64_t seconds = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (!is_digit(value.bytes[i]))
            return -1;
        if (i < LENGTH_DIGITS)
            seconds = seconds * 10 + (value.bytes[i] - '0');
    }
    return !value.length ? -1 : seconds > MAX_AGE ? MAX_AGE : seconds;
}

static void cache_directive(wire_reply *reply, edge_span directive)
{
    const uint8_t *equals = memchr(directive.bytes, '=', directive.length);
    edge_span name = directive, argument = {NULL, 0};
    if (equals) {
        name.length = (size_t)(equals - directive.bytes);
        argument.bytes = equals + 1;
        argument.length = directive.length - name.length - 1;
    }
    if (EDGE_IS(name, "no-store") || EDGE_IS(name, "no-cache"))
        reply->uncacheable = 1;
    if (!EDGE_IS(name, "max-age") || reply->max_age >= 0)
        return;
    if (argument.length > 1 && argument.bytes[0] == '"' && argument.bytes[argument.length - 1] == '"') {
        argument.bytes++;
        argument.length -= 2;
    }
    reply->max_age = delta_seconds(argument);
}

static void etag_field(wire_reply *reply, edge_span value)
{
    uint8_t weak = 0;
    if (value.length > 2 && value.bytes[0] == 'W' && value.bytes[1] == '/') {
        weak = 1;
        value.bytes += 2;
        value.length -= 2;
    }
    if (reply->etag_length || value.length < 2 || value.bytes[0] != '"' || value.bytes[value.length - 1] != '"')
        return;
    for (size_t i = 1; i < value.length - 1; i++)
        if (value.bytes[i] <= ' ' || value.bytes[i] == '"')
            return;
    size_t length = value.length - 2;
    if (length) /* an empty one counts as none */
        reply->weak = weak;
    reply->etag_length = (uint8_t)(length < WIRE_REPLY_ETAG_BYTES ? length : WIRE_REPLY_ETAG_BYTES);
    memcpy(reply->etag, value.bytes + 1, reply->etag_length);
}

static int length_field(wire_reply *reply, edge_span value)
{
    if (reply->has_length || !value.length || value.length > LENGTH_DIGITS)
        return 0;
    reply->has_length = 1;
    reply->length = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (!is_digit(value.bytes[i]))
            return 0;
        reply->length = reply->length * 10 + (value.bytes[i] - '0');
    }
    return 1;
}

static void modified_field(wire_reply *reply, edge_span value)
{
    if (reply->modified_length || value.length > WIRE_REPLY_MODIFIED_BYTES)
        return;
    reply->modified_length = (uint8_t)value.length;
    memcpy(reply->modified, value.bytes, value.length);
}

/* Its number in loadgen.wire.interface.CODINGS. */
static uint8_t coding_of(edge_span value)
{
    if (EDGE_IS(value, "") || EDGE_IS(value, "identity"))
        return 0;
    if (EDGE_IS(value, "gzip"))
        return 1;
    if (EDGE_IS(value, "deflate"))
        return 2;
    if (EDGE_IS(value, "br"))
        return 3;
    return EDGE_IS(value, "zstd") ? 4 : WIRE_REPLY_OTHER_CODING;
}

static int field(wire_reply *reply, edge_span name, edge_span value)
{
    edge_span member;
    switch (name.length) {
    case 3:
        if (EDGE_IS(name, "age") && !reply->age && delta_seconds(value) > 0)
            reply->age = delta_seconds(value);
        return 1;
    case 4:
        if (EDGE_IS(name, "etag"))
            etag_field(reply, value);
        return 1;
    case 10:
        if (EDGE_IS(name, "connection"))
            while (edge_list_next(&value, &member)) {
                reply->says_close |= (uint8_t)EDGE_IS(member, "close");
                reply->says_keep_alive |= (uint8_t)EDGE_IS(member, "keep-alive");
            }
        return 1;
    case 11:
        reply->later |= (uint8_t)EDGE_IS(name, "retry-after");
        return 1;
    case 13:
        if (EDGE_IS(name, "cache-control"))
            while (edge_list_next(&value, &member))
                cache_directive(reply, member);
        else if (EDGE_IS(name, "last-modified"))
            modified_field(reply, value);
        return 1;
    case 14:
        return !EDGE_IS(name, "content-length") || length_field(reply, value);
    case 16:
        if (EDGE_IS(name, "content-encoding"))
            reply->coding = reply->coding ? WIRE_REPLY_OTHER_CODING : coding_of(value);
        return 1;
    case 17:
        if (!EDGE_IS(name, "transfer-encoding"))
            return 1;
        if (reply->chunked || !EDGE_IS(value, "chunked"))
            return 0;
        reply->chunked = 1;
        return 1;
    default:
        return 1;
    }
}

/* The state after the head, RFC 9112 6.3. */
static wire_reply_verdict framing(wire_reply *reply)
{
    if (reply->status < 200) {
        reply->state = STATUS;
        return reply->status == 101 ? WIRE_REPLY_GARBAGE : WIRE_REPLY_MORE;
    }
    reply->closing = reply->says_close || (reply->version_1_0 && !reply->says_keep_alive);
    if (reply->chunked && reply->has_length)
        return WIRE_REPLY_GARBAGE;
    if (reply->head_only || reply->status == 204 || reply->status == 304) {
        reply->state = DONE;
    } else if (reply->chunked) {
        reply->state = SIZE;
    } else if (!reply->has_length) {
        reply->closing = 1;
        reply->state = UNTIL_CLOSED;
    } else {
        if (reply->length > reply->body_limit)
            return WIRE_REPLY_TOO_LARGE;
        reply->counted = 1;
        reply->left = reply->length;
        reply->state = reply->left ? COUNTED : DONE;
    }
    return WIRE_REPLY_MORE;
}

/* chunk-size [ chunk-ext ], RFC 9112 7.1; extensions are not looked into. */
static wire_reply_verdict size_line(wire_reply *reply, edge_span line)
{
    const uint8_t *p = line.bytes, *end = p + line.length;
    uint64_t size = 0;
    for (; p < end && p - line.bytes <= SIZE_DIGITS; p++) {
        uint8_t c = *p | 0x20;
        if (is_digit(*p))
            size = size * 16 + (uint64_t)(*p - '0');
        else if (c >= 'a' && c <= 'f')
            size = size * 16 + (uint64_t)(c - 'a' + 10);
        else
            break;
    }
    if (p == line.bytes || p - line.bytes > SIZE_DIGITS)
        return WIRE_REPLY_GARBAGE;
    if (p < end) {
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        if (p == end || *p != ';' || edge_value_end(p, end) != end)
            return WIRE_REPLY_GARBAGE;
    }
    if (size > reply->body_limit - reply->body_bytes)
        return WIRE_REPLY_TOO_LARGE;
    reply->left = size;
    reply->state = size ? CHUNK : TRAILERS;
    return WIRE_REPLY_MORE;
}

/* One whole line. */
static wire_reply_verdict read_line(wire_reply *reply, edge_span line)
{
    switch (reply->state) {
    case STATUS:
        return status_line(reply, line) ? WIRE_REPLY_MORE : WIRE_REPLY_GARBAGE;
    case FIELDS:
    case TRAILERS: {
        const uint8_t *p = line.bytes, *end = p + line.length + 2;
        edge_span name, value;
        if (!line.length) {
            if (reply->state == FIELDS)
                return framing(reply);
            reply->state = DONE;
            return WIRE_REPLY_MORE;
        }
        if (edge_field_next(&p, end, &name, &value) != EDGE_RECOGNISED || p != end)
            return WIRE_REPLY_GARBAGE;
        if (reply->state == FIELDS && !field(reply, name, value))
            return WIRE_REPLY_GARBAGE;
        return WIRE_REPLY_MORE;
    }
    case SIZE:
        return size_line(reply, line);
    default: /* CHUNK_END */
        reply->state = SIZE;
        return line.length ? WIRE_REPLY_GARBAGE : WIRE_REPLY_MORE;
    }
}

wire_reply_verdict wire_reply_read(wire_reply *reply, edge_span *in, edge_span *body)
{
    while (reply->state != DONE) {
        if (!in->length)
            return WIRE_REPLY_MORE;
        if (reply->state == COUNTED || reply->state == CHUNK || reply->state == UNTIL_CLOSED) {
            size_t piece = in->length;
            if (reply->state != UNTIL_CLOSED) {
                piece = piece < reply->left ? piece : (size_t)reply->left;
                reply->left -= piece;
                if (!reply->left)
                    reply->state = reply->state == COUNTED ? DONE : CHUNK_END;
            } else if (piece > reply->body_limit - reply->body_bytes) {
                return WIRE_REPLY_TOO_LARGE;
            }
            reply->body_bytes += piece;
            *body = (edge_span){in->bytes, piece};
            in->bytes += piece;
            in->length -= piece;
            return WIRE_REPLY_BODY;
        }
        size_t known = in->length < BEGIN_BYTES ? in->length : BEGIN_BYTES;
        if (reply->state == STATUS && memcmp(in->bytes, begin, known))
            return WIRE_REPLY_GARBAGE;
        const uint8_t *feed = memchr(in->bytes, '\n', in->length);
        size_t length = feed ? (size_t)(feed - in->bytes) + 1 : in->length;
        if (reply->head_bytes + length > WIRE_REPLY_HEAD_BYTES)
            return WIRE_REPLY_TOO_LARGE;
        if (!feed)
            return WIRE_REPLY_MORE;
        if (length < 2 || feed[-1] != '\r')
            return WIRE_REPLY_GARBAGE;
        if (reply->state != SIZE && reply->state != CHUNK_END)
            reply->head_bytes += (uint32_t)length;
        wire_reply_verdict verdict = read_line(reply, (edge_span){in->bytes, length - 2});
        if (verdict != WIRE_REPLY_MORE)
            return verdict;
        in->bytes += length;
        in->length -= length;
    }
    return WIRE_REPLY_DONE;
}
