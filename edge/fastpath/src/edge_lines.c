#include "edge_lines.h"

#include "edge_date.h"
#include "edge_output.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define PUT(to, text) put(to, (const uint8_t *)(text), sizeof(text) - 1)

/* A record, understood; spans into its bytes. */
typedef struct {
    uint64_t at, sent;
    uint32_t duration;
    uint16_t status, cut;
    uint8_t cache, protocol;
    const uint8_t *address;
    edge_span texts[EDGE_LOG_TEXTS];
} parsed;

static const char *const cache_names[] = {"", "hit", "stale", "miss", "expired", "collapsed", "bypass"};
#define CACHE_NAMES (sizeof cache_names / sizeof *cache_names)
#define YEAR_10000 253402300800000000u /* Unix microseconds: no date has room for it */

/* ---- reading ---- */

static void copy_out(const edge_log_ring *ring, uint64_t from, uint8_t *to, uint64_t length)
{
    uint64_t at = from & (ring->bytes - 1), first = ring->bytes - at < length ? ring->bytes - at : length;
    memcpy(to, ring->data + at, first);
    memcpy(to + first, ring->data, length - first);
}

uint32_t edge_log_read(edge_log_ring *ring, uint8_t *record, uint64_t *damaged)
{
    edge_log_header *header = ring->header;
    uint64_t head = __atomic_load_n(&header->head, __ATOMIC_ACQUIRE), tail = header->tail, there = head - tail;
    uint32_t size = 0;
    if (!there)
        return 0;
    if (there <= ring->bytes && there >= EDGE_LOG_RECORD) {
        copy_out(ring, tail, (uint8_t *)&size, sizeof size);
        if (size >= EDGE_LOG_RECORD && size <= EDGE_LOG_MOST && size % 8 == 0 && size <= there) {
            copy_out(ring, tail, record, size);
            memcpy(record, &size, sizeof size); /* of who wrote it: once is enough */
            __atomic_store_n(&header->tail, tail + size, __ATOMIC_RELEASE);
            return size;
        }
    }
    ++*damaged;
    __atomic_store_n(&header->tail, head, __ATOMIC_RELEASE);
    return 0;
}

static bool parse(const uint8_t *record, uint32_t size, parsed *one)
{
    uint16_t lengths[EDGE_LOG_TEXTS];
    uint32_t at = EDGE_LOG_RECORD;
    memcpy(&one->status, record + 4, 2);
    one->cache = record[6];
    one->protocol = record[7];
    memcpy(&one->at, record + 8, 8);
    memcpy(&one->sent, record + 16, 8);
    memcpy(&one->duration, record + 24, 4);
    memcpy(&one->cut, record + 28, 2);
    one->address = record + 32;
    memcpy(lengths, record + 48, sizeof lengths);
    for (unsigned i = 0; i < EDGE_LOG_TEXTS; i++) {
        if (lengths[i] > size - at)
            return false;
        one->texts[i] = (edge_span){record + at, lengths[i]};
        at += lengths[i];
    }
    return size - at < 8 && one->cache < CACHE_NAMES && one->at < YEAR_10000;
}

bool edge_log_sleeps(edge_log_ring *ring, bool sleeps)
{
    __atomic_store_n(&ring->header->waiting, sleeps, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(&ring->header->head, __ATOMIC_ACQUIRE) == ring->header->tail;
}

/* ---- writing lines ---- */

static uint8_t *put(uint8_t *to, const uint8_t *bytes, size_t length)
{
    memcpy(to, bytes, length);
    return to + length;
}

static uint8_t *put_digits(uint8_t *to, uint64_t number, unsigned digits)
{
    for (unsigned i = digits; i--; number /= 10)
        to[i] = (uint8_t)('0' + number % 10);
    return to + digits;
}

static uint8_t *put_hex(uint8_t *to, unsigned number, unsigned digits)
{
    while (digits--)
        *to++ = (uint8_t)"0123456789abcdef"[number >> 4 * digits & 15];
    return to;
}

#ifndef __SSE2__
static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}
#endif

/* Copies the plain bytes at the begin of a text of a record, sixteen at a time where it can; how many they are.  What
 * is copied behind them is overwritten: EDGE_LINE_MOST has room for it; and what is read behind the text is the
 * record's, or AHEAD bytes behind that. */
#define AHEAD 16
static inline size_t put_plain(uint8_t *to, edge_span text)
{
    size_t i = 0;
#ifdef __SSE2__
    for (; i < text.length; i += AHEAD) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text.bytes + i));
        _mm_storeu_si128((__m128i *)(void *)(to + i), bytes);
        const __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)); /* signed: 0x80 and above, too */
        const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
        const __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
        const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
        const int odd = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, quote), _mm_or_si128(slash, del)));
        if (odd) {
            i += (size_t)__builtin_ctz((unsigned)odd);
            break;
        }
    }
    return i < text.length ? i : text.length;
#else
    for (; i < text.length && is_plain(text.bytes[i]); i++)
        to[i] = text.bytes[i];
    return i;
#endif
}

/* Whatever a stranger wrote, so that it stays within its quotes and means nothing to a terminal. */
static uint8_t *put_quoted(uint8_t *to, edge_span text, bool cut)
{
    for (size_t i = 0; i < text.length; i++) {
        size_t plain = put_plain(to, (edge_span){text.bytes + i, text.length - i});
        to += plain;
        i += plain;
        if (i < text.length)
            to = put_hex(PUT(to, "\\x"), text.bytes[i], 2);
    }
    return cut ? PUT(to, "\\...") : to; /* which no text can contain */
}

static uint8_t *put_json(uint8_t *to, edge_span text)
{
    for (size_t i = 0; i < text.length; i++) {
        size_t plain = put_plain(to, (edge_span){text.bytes + i, text.length - i});
        to += plain;
        i += plain;
        if (i == text.length)
            break;
        uint8_t c = text.bytes[i];
        if (c == '"' || c == '\\') {
            *to++ = '\\';
            *to++ = c;
        } else {
            to = put_hex(PUT(to, "\\u"), c, 4);
        }
    }
    return to;
}

static bool is_four(const uint8_t *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return !memcmp(address, mapped, sizeof mapped);
}

/* Where the longest run of two zero groups or more begins, and how long it is (RFC 5952 4.2). */
static unsigned longest_zeros(const unsigned groups[8], unsigned *begin)
{
    unsigned longest = 1;
    for (unsigned i = 0, run = 0; i < 8; i++) {
        run = groups[i] ? 0 : run + 1;
        if (run > longest) {
            longest = run;
            *begin = i + 1 - run;
        }
    }
    return longest > 1 ? longest : 0;
}

static uint8_t *put_six(uint8_t *to, const uint8_t *address)
{
    unsigned groups[8], begin = 8;
    for (unsigned i = 0; i < 8; i++)
        groups[i] = (unsigned)address[2 * i] << 8 | address[2 * i + 1];
    unsigned zeros = longest_zeros(groups, &begin);
    for (unsigned i = 0; i < 8; i++) {
        if (zeros && i == begin) {
            to = PUT(to, "::");
            i += zeros - 1;
            continue;
        }
        if (i && i != begin + zeros)
            *to++ = ':';
        unsigned digits = groups[i] > 0xfff ? 4 : groups[i] > 0xff ? 3 : groups[i] > 0xf ? 2 : 1;
        to = put_hex(to, groups[i], digits);
    }
    return to;
}

/* Nothing for none. */
static uint8_t *put_address(uint8_t *to, const uint8_t *address)
{
    static const uint8_t none[16];
    if (!memcmp(address, none, sizeof none))
        return to;
    if (!is_four(address))
        return put_six(to, address);
    for (unsigned i = 12; i < 16; i++) {
        if (address[i] > 99)
            *to++ = (uint8_t)('0' + address[i] / 100);
        if (address[i] > 9)
            *to++ = (uint8_t)('0' + address[i] / 10 % 10);
        *to++ = (uint8_t)('0' + address[i] % 10);
        *to++ = '.';
    }
    return to - 1;
}

/* The date of the second that was written last: records come in their order, nearly. */
typedef struct {
    uint64_t seconds;
    uint8_t text[28]; /* [14/Nov/2023:22:13:20 +0000] */
} last_date;

/* Out of "Tue, 14 Nov 2023 22:13:20 GMT". */
static void write_when(last_date *last)
{
    char date[EDGE_DATE_BYTES];
    const uint8_t *d = (const uint8_t *)date;
    uint8_t *to = last->text;
    edge_format_date(last->seconds, date);
    *to++ = '[';
    to = put(to, d + 5, 2);
    *to++ = '/';
    to = put(to, d + 8, 3);
    *to++ = '/';
    to = put(to, d + 12, 4);
    *to++ = ':';
    to = put(to, d + 17, 8);
    PUT(to, " +0000]");
}

static uint8_t *put_when(uint8_t *to, uint64_t seconds, last_date *last)
{
    if (last->seconds != seconds || !*last->text) {
        last->seconds = seconds;
        write_when(last);
    }
    return put(to, last->text, sizeof last->text);
}

static uint8_t *put_protocol(uint8_t *to, uint8_t protocol)
{
    to = PUT(to, "HTTP/");
    *to++ = (uint8_t)('0' + protocol / 10 % 10);
    *to++ = '.';
    *to++ = (uint8_t)('0' + protocol % 10);
    return to;
}

static bool is_cut(const parsed *one, unsigned text)
{
    return one->cut >> text & 1;
}

/* A quoted member of the line, "-" for nothing. */
static uint8_t *put_member(uint8_t *to, const parsed *one, unsigned text)
{
    *to++ = '"';
    if (one->texts[text].length)
        to = put_quoted(to, one->texts[text], is_cut(one, text));
    else
        *to++ = '-';
    *to++ = '"';
    return to;
}

/* The user's name, in one word. */
static uint8_t *put_user(uint8_t *to, edge_span user, bool cut)
{
    if (!user.length)
        return PUT(to, "-");
    for (size_t i = 0; i < user.length; i++)
        to = user.bytes[i] == ' ' ? PUT(to, "\\x20") : put_quoted(to, (edge_span){user.bytes + i, 1}, false);
    return cut ? PUT(to, "\\...") : to;
}

static uint8_t *put_common(uint8_t *to, const parsed *one, bool combined, last_date *last)
{
    uint8_t *begin = to;
    to = put_address(to, one->address);
    to = to == begin ? PUT(to, "- - ") : PUT(to, " - ");
    to = put_user(to, one->texts[EDGE_LOG_USER], is_cut(one, EDGE_LOG_USER));
    *to++ = ' ';
    to = put_when(to, one->at / 1000000, last);
    to = PUT(to, " \"");
    to = put_quoted(to, one->texts[EDGE_LOG_METHOD], is_cut(one, EDGE_LOG_METHOD));
    *to++ = ' ';
    to = put_quoted(to, one->texts[EDGE_LOG_TARGET], is_cut(one, EDGE_LOG_TARGET));
    if (one->protocol)
        to = put_protocol(PUT(to, " "), one->protocol);
    to = PUT(to, "\" ");
    to = edge_write_number(to, one->status);
    *to++ = ' ';
    to = edge_write_number(to, one->sent);
    if (combined) {
        to = put_member(PUT(to, " "), one, EDGE_LOG_REFERER);
        to = put_member(PUT(to, " "), one, EDGE_LOG_AGENT);
    }
    return PUT(to, "\n");
}

/* ,"name":"text"; nothing for nothing. */
static uint8_t *put_text(uint8_t *to, const char *name, edge_span text)
{
    if (!text.length)
        return to;
    to = put(PUT(to, ",\""), (const uint8_t *)name, strlen(name));
    to = put_json(PUT(to, "\":\""), text);
    return PUT(to, "\"");
}

static uint8_t *put_cut(uint8_t *to, const parsed *one)
{
    static const char *const names[EDGE_LOG_TEXTS] = {"method",  "target",     "host", "user",
                                                      "referer", "user_agent", "tls",  "trace"};
    uint8_t *begin = to;
    for (unsigned i = 0; i < EDGE_LOG_TEXTS; i++) {
        if (!is_cut(one, i))
            continue;
        to = to == begin ? PUT(to, ",\"truncated\":[\"") : PUT(to, ",\"");
        to = put(to, (const uint8_t *)names[i], strlen(names[i]));
        *to++ = '"';
    }
    return to == begin ? to : PUT(to, "]");
}

static uint8_t *put_object(uint8_t *to, const parsed *one, unsigned worker)
{
    const edge_span *texts = one->texts, tls = texts[EDGE_LOG_TLS];
    const uint8_t *space = memchr(tls.bytes, ' ', tls.length);
    size_t version = space ? (size_t)(space - tls.bytes) : tls.length, suite = space ? version + 1 : version;
    to = edge_write_number(PUT(to, "{\"time\":"), one->at / 1000000);
    to = put_digits(PUT(to, "."), one->at / 1000 % 1000, 3);
    to = edge_write_number(PUT(to, ",\"worker\":"), worker);
    to = put_address(PUT(to, ",\"peer\":\""), one->address);
    to = PUT(to, "\"");
    to = put_text(to, "host", texts[EDGE_LOG_HOST]);
    to = put_text(to, "user", texts[EDGE_LOG_USER]);
    to = put_text(to, "method", texts[EDGE_LOG_METHOD]);
    to = put_text(to, "target", texts[EDGE_LOG_TARGET]);
    if (one->protocol) {
        to = put_protocol(PUT(to, ",\"protocol\":\""), one->protocol);
        to = PUT(to, "\"");
    }
    to = edge_write_number(PUT(to, ",\"status\":"), one->status);
    to = edge_write_number(PUT(to, ",\"bytes\":"), one->sent);
    to = edge_write_number(PUT(to, ",\"duration\":"), one->duration / 1000000);
    to = put_digits(PUT(to, "."), one->duration % 1000000, 6);
    if (one->cache) {
        const char *cache = cache_names[one->cache];
        to = PUT(put(PUT(to, ",\"cache\":\""), (const uint8_t *)cache, strlen(cache)), "\"");
    }
    to = put_text(to, "referer", texts[EDGE_LOG_REFERER]);
    to = put_text(to, "user_agent", texts[EDGE_LOG_AGENT]);
    to = put_text(to, "tls", (edge_span){tls.bytes, version});
    to = put_text(to, "cipher", (edge_span){tls.bytes + suite, tls.length - suite});
    to = put_text(to, "trace_id", texts[EDGE_LOG_TRACE]);
    return PUT(put_cut(to, one), "}\n");
}

size_t edge_log_lines(edge_log_ring *ring, edge_lines_format format, unsigned worker, uint8_t *to, size_t room,
                      uint64_t *damaged)
{
    uint8_t record[EDGE_LOG_MOST + AHEAD], *begin = to;
    uint32_t size;
    parsed one;
    last_date last = {0, {0}};
    memset(record + EDGE_LOG_MOST, 0, AHEAD);
    while (room - (size_t)(to - begin) >= EDGE_LINE_MOST && (size = edge_log_read(ring, record, damaged))) {
        if (!parse(record, size, &one))
            ++*damaged;
        else if (format == EDGE_LINES_JSON)
            to = put_object(to, &one, worker);
        else
            to = put_common(to, &one, format == EDGE_LINES_COMBINED, &last);
    }
    return (size_t)(to - begin);
}
