#include "edge_app.h"

/* ---- MessagePack, as much of it as the protocol has ---- */

static uint8_t *write_big(uint8_t *to, uint64_t number, unsigned bytes)
{
    while (bytes--)
        *to++ = (uint8_t)(number >> 8 * bytes);
    return to;
}

static uint8_t *write_uint(uint8_t *to, uint64_t number)
{
    if (number < 0x80) {
        *to++ = (uint8_t)number;
        return to;
    }
    const unsigned power = number <= UINT8_MAX ? 0 : number <= UINT16_MAX ? 1 : number <= UINT32_MAX ? 2 : 3;
    *to++ = (uint8_t)(0xcc + power);
    return write_big(to, number, 1u << power);
}

static uint8_t *write_bin_head(uint8_t *to, size_t length)
{
    const unsigned power = length <= UINT8_MAX ? 0 : 1; /* heads are shorter than 64 KiB */
    *to++ = (uint8_t)(0xc4 + power);
    return write_big(to, length, 1u << power);
}

static uint8_t *write_bin(uint8_t *to, edge_span span)
{
    to = write_bin_head(to, span.length);
    if (span.length)
        memcpy(to, span.bytes, span.length);
    return to + span.length;
}

/* The frame around an array that was written four bytes behind its begin: its bytes. */
static size_t framed(uint8_t *begin, const uint8_t *end)
{
    write_big(begin, (uint64_t)(end - begin) - 4, 4);
    return (size_t)(end - begin);
}

typedef struct {
    const uint8_t *at, *end;
} reader;

static bool read_big(reader *from, unsigned bytes, uint64_t *number)
{
    if ((size_t)(from->end - from->at) < bytes)
        return false;
    for (*number = 0; bytes--; from->at++)
        *number = *number << 8 | *from->at;
    return true;
}

static bool read_uint(reader *from, uint64_t *number)
{
    if (from->at == from->end)
        return false;
    const uint8_t kind = *from->at++;
    *number = kind;
    if (kind < 0x80)
        return true;
    return kind >= 0xcc && kind <= 0xcf && read_big(from, 1u << (kind - 0xcc), number);
}

static bool read_array(reader *from, uint64_t *count)
{
    if (from->at == from->end)
        return false;
    const uint8_t kind = *from->at++;
    *count = kind & 0x0f;
    if (kind >> 4 == 9)
        return true;
    return (kind == 0xdc || kind == 0xdd) && read_big(from, kind == 0xdc ? 2 : 4, count);
}

static bool read_bin(reader *from, edge_span *span)
{
    uint64_t length;
    if (from->at == from->end)
        return false;
    const uint8_t kind = *from->at++;
    if (kind < 0xc4 || kind > 0xc6 || !read_big(from, 1u << (kind - 0xc4), &length)
        || length > (uint64_t)(from->end - from->at))
        return false;
    *span = (edge_span){from->at, (size_t)length};
    from->at += length;
    return true;
}

static bool read_flag(reader *from, bool *flag)
{
    if (from->at == from->end || (*from->at != 0xc2 && *from->at != 0xc3))
        return false;
    *flag = *from->at++ == 0xc3;
    return true;
}

/* ---- questions ---- */

/* The fields that pass, as pairs; NULL: one of them makes the question another path's than the relay's. */
static uint8_t *write_fields(uint8_t *to, edge_span lines, const edge_passed_rules *rules)
{
    uint8_t lower[EDGE_HEAD_LIMIT], *head = to;
    edge_span name, value;
    edge_recognition known;
    unsigned count = 0;
    to += 3;
    while ((known = edge_passed_next(&lines, rules, lower, &name, &value)) == EDGE_RECOGNISED) {
        *to++ = 0x92;
        to = write_bin(to, (edge_span){lower, name.length});
        to = write_bin(to, value);
        count++;
    }
    *head = 0xdc;
    write_big(head + 1, count, 2);
    return known == EDGE_LET_GO ? NULL : to;
}

size_t edge_app_ask(uint8_t *to, uint64_t number, const edge_question *question, const edge_passed_rules *rules)
{
    uint8_t *p = to + 4;
    const edge_span method = question->method == EDGE_HEAD ? (edge_span){EDGE_LITERAL("HEAD")}
                                                           : (edge_span){EDGE_LITERAL("GET")};
    *p++ = 0x90 | 14;
    *p++ = 1;
    p = write_uint(p, number);
    p = write_bin(p, method);
    p = write_bin(p, question->target);
    p = write_fields(p, question->fields, rules);
    if (!p)
        return 0;
    p = write_bin(p, question->host);
    *p++ = question->secure ? 0xc3 : 0xc2;
    p = write_bin(p, question->peer);
    p = write_bin(p, question->at);
    p = write_bin_head(p, 0); /* the body: nothing, and nothing follows */
    *p++ = 0xc2;
    *p++ = 0;
    p = write_uint(p, question->deadline_ms);
    *p++ = 0xc0; /* for one visitor */
    return framed(to, p);
}

size_t edge_app_credit(uint8_t *to, uint64_t number, uint64_t size)
{
    uint8_t *p = to + 4;
    *p++ = 0x93;
    *p++ = EDGE_APP_CREDIT;
    return framed(to, write_uint(write_uint(p, number), size));
}

size_t edge_app_cancel(uint8_t *to, uint64_t number)
{
    uint8_t *p = to + 4;
    *p++ = 0x93;
    *p++ = EDGE_APP_CANCEL;
    return framed(to, write_bin(write_uint(p, number), (edge_span){EDGE_LITERAL("it is over")}));
}

/* ---- what applications say ---- */

/* An array of pairs, looked through; *fields: its elements. */
static bool read_fields(reader *from, edge_span *fields, unsigned *count)
{
    uint64_t pairs, two;
    size_t size = 0;
    edge_span name, value;
    if (!read_array(from, &pairs) || pairs > EDGE_APP_FIELDS)
        return false;
    fields->bytes = from->at;
    *count = (unsigned)pairs;
    for (; pairs; pairs--) {
        if (!read_array(from, &two) || two != 2 || !read_bin(from, &name) || !read_bin(from, &value))
            return false;
        size += name.length + value.length;
    }
    fields->length = (size_t)(from->at - fields->bytes);
    return size <= EDGE_APP_FIELDS_BYTES;
}

#define MOST_NUMBER (((uint64_t)1 << 53) - 1)

static bool read_number(reader *from, uint64_t *number)
{
    return read_uint(from, number) && *number && *number <= MOST_NUMBER;
}

static bool read_length(reader *from, uint64_t *length)
{
    if (from->at < from->end && *from->at == 0xc0) {
        from->at++;
        *length = EDGE_UNKNOWN;
        return true;
    }
    return read_uint(from, length) && *length <= MOST_NUMBER;
}

static bool read_body(reader *from, edge_app_message *message)
{
    return read_bin(from, &message->body) && message->body.length <= EDGE_APP_WINDOW && read_flag(from, &message->more);
}

static bool read_answer(reader *from, edge_app_message *message)
{
    uint64_t status;
    if (!read_number(from, &message->number) || !read_uint(from, &status) || status < 100 || status > 599
        || status == 101)
        return false;
    message->status = (unsigned)status;
    return read_fields(from, &message->fields, &message->field_count) && read_length(from, &message->length)
           && read_body(from, message);
}

edge_app_kind edge_app_read(const uint8_t *array, size_t length, edge_app_message *message)
{
    static const uint8_t known[13] = {[EDGE_APP_ANSWER] = 6, [EDGE_APP_DATA] = 4, [EDGE_APP_CREDIT] = 2,
                                      [EDGE_APP_CANCEL] = 2, [EDGE_APP_READY] = 2};
    reader from = {array, array + length};
    uint64_t elements, kind;
    edge_span reason;
    unsigned trailers;
    bool good = false;
    *message = (edge_app_message){.number = 0};
    if (!read_array(&from, &elements) || !elements || !read_uint(&from, &kind))
        return EDGE_APP_MALFORMED;
    elements--;
    switch (kind) {
    case EDGE_APP_ANSWER:
        good = elements >= known[kind] && read_answer(&from, message);
        break;
    case EDGE_APP_DATA:
        good = elements >= known[kind] && read_number(&from, &message->number) && read_body(&from, message)
               && read_fields(&from, &message->fields, &trailers);
        break;
    case EDGE_APP_CREDIT:
        good = elements >= known[kind] && read_number(&from, &message->number) && read_uint(&from, &message->size);
        break;
    case EDGE_APP_CANCEL:
        good = elements >= known[kind] && read_number(&from, &message->number) && read_bin(&from, &reason) && reason.length <= 8192;
        break;
    case EDGE_APP_READY:
        good = elements >= known[kind] && read_uint(&from, &message->number) && read_number(&from, &message->size);
        break;
    case EDGE_APP_CHANGED:
    case EDGE_APP_DRAIN:
        good = true;
        break;
    case 1: case 7: case 10: case 11: case 12: /* from the wrong side, or of WebSockets, of which there are none here */
        break;
    default:
        return EDGE_APP_NOTHING;
    }
    const bool over = elements > known[kind] || from.at == from.end; /* later versions may have more of them */
    return good && (over || kind == EDGE_APP_CHANGED || kind == EDGE_APP_DRAIN) ? (edge_app_kind)kind : EDGE_APP_MALFORMED;
}

void edge_app_fields(const edge_app_message *message, edge_field *to)
{
    reader from = {message->fields.bytes, message->fields.bytes + message->fields.length};
    uint64_t two;
    for (unsigned i = 0; i < message->field_count; i++, to++)
        if (!read_array(&from, &two) || !read_bin(&from, &to->name) || !read_bin(&from, &to->value))
            *to = (edge_field){.name = {.length = 0}}; /* it was looked through */
}
