#include "edge_opening.h"

/* ---- whose page ---- */

static const uint8_t *skip_digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static const uint8_t *skip_octets(const uint8_t *p, const uint8_t *end)
{
    for (int octet = 0; octet < 4; octet++) {
        const uint8_t *begin = p + (octet > 0);
        if (octet && (p == end || *p != '.'))
            return NULL;
        p = skip_digits(begin, end);
        if (p == begin || p - begin > 3)
            return NULL;
    }
    return p;
}

/* A host that no name server can lead elsewhere: an address, or a name under localhost. */
static bool is_fixed(edge_span host)
{
    static const char local[] = "localhost";
    const size_t length = sizeof local - 1;
    const uint8_t *p = host.bytes, *end = p + host.length, *name_end = end;
    if (*p == '[') /* the recogniser has seen to what stands between the brackets, and behind them */
        return true;
    const uint8_t *colon = memchr(p, ':', host.length);
    if (colon)
        name_end = colon;
    if (skip_octets(p, name_end) == name_end)
        return true;
    edge_span name = {p, (size_t)(name_end - p)};
    if (name.length < length)
        return false;
    edge_span last = {name_end - length, length};
    if (!edge_equal_nocase(last, local, length))
        return false;
    bool is_begin = true; /* of a label: none is empty */
    for (; p < last.bytes; p++) {
        if (*p == '.' && is_begin)
            return false;
        is_begin = *p == '.';
    }
    return is_begin;
}

bool edge_opening_is_own(edge_span host, edge_span origin, bool secure, bool *any)
{
    static const char https[] = "https://", http[] = "http://";
    const char *scheme = secure ? https : http;
    const size_t length = secure ? sizeof https - 1 : sizeof http - 1;
    *any = secure || is_fixed(host);
    return *any && origin.length == length + host.length && !memcmp(origin.bytes, scheme, length)
           && !memcmp(origin.bytes + length, host.bytes, host.length);
}

/* ---- what it asks for ---- */

#define BIT(topic) (1u << EDGE_TOPIC_##topic)
#define PLAIN(span, text) ((span).length == sizeof(text) - 1 && !memcmp((span).bytes, text, sizeof(text) - 1))

/* The bits of a list of topics.  false: there are others in it, or none. */
static bool topics_of(edge_span list, uint8_t *topics)
{
    const uint8_t *p = list.bytes, *end = p + list.length;
    *topics = 0;
    for (;;) {
        const uint8_t *comma = memchr(p, ',', (size_t)(end - p));
        edge_span name = {p, (size_t)((comma ? comma : end) - p)};
        if (PLAIN(name, "load"))
            *topics |= BIT(LOAD);
        else if (PLAIN(name, "changed"))
            *topics |= BIT(CHANGED);
        else if (PLAIN(name, "status"))
            *topics |= BIT(STATUS);
        else
            return false;
        if (!comma)
            return true;
        p = comma + 1;
    }
}

/* In version 2 load comes as the nodes, and as words about them. */
static uint8_t in_words(uint8_t topics)
{
    return topics & BIT(LOAD) ? (uint8_t)((topics & ~BIT(LOAD)) | BIT(NODES) | BIT(WORD)) : topics;
}

bool edge_opening_topics(edge_span target, edge_audience audience, edge_opening *opening)
{
    static const char name[] = "topics=";
    const uint8_t *p = memchr(target.bytes, '?', target.length), *end = target.bytes + target.length;
    bool is_short = false;
    opening->choice = BIT(LOAD) | BIT(CHANGED) | (audience == EDGE_STATUS_PUBLIC ? BIT(STATUS) : 0);
    opening->topics = 0;
    while (p) {
        p++;
        const uint8_t *next = memchr(p, '&', (size_t)(end - p));
        edge_span field = {p, (size_t)((next ? next : end) - p)};
        if (PLAIN(field, "v=2") && !is_short) {
            is_short = true;
        } else if (field.length > sizeof name - 1 && !memcmp(p, name, sizeof name - 1) && !opening->topics) {
            edge_span list = {p + sizeof name - 1, field.length - (sizeof name - 1)};
            if (!topics_of(list, &opening->topics) || opening->topics & ~opening->choice)
                return false;
        } else {
            return false;
        }
        p = next;
    }
    if (!opening->topics)
        opening->topics = BIT(LOAD) | BIT(CHANGED);
    if (is_short) {
        opening->topics = in_words(opening->topics);
        opening->choice = in_words(opening->choice);
    }
    return true;
}

/* ---- the proof: SHA-1 (RFC 3174) of the key and a fixed text, in base64 ---- */

#define KEY_BYTES 24
static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static uint32_t turned(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static void digest_block(uint32_t state[5], const uint8_t *block)
{
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8
               | block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = turned(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t mixed = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                         : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                         : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                                  : (b ^ c ^ d) + 0xca62c1d6;
        mixed += turned(a, 5) + e + w[i];
        e = d;
        d = c;
        c = turned(b, 30);
        b = a;
        a = mixed;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void edge_opening_proof(const uint8_t *key, uint8_t proof[EDGE_PROOF_BYTES])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned text = KEY_BYTES + sizeof guid - 1;
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t blocks[128] = {0}, sum[21] = {0};
    memcpy(blocks, key, KEY_BYTES);
    memcpy(blocks + KEY_BYTES, guid, sizeof guid - 1);
    blocks[text] = 0x80;
    blocks[126] = (uint8_t)(text * 8 >> 8);
    blocks[127] = (uint8_t)(text * 8);
    digest_block(state, blocks);
    digest_block(state, blocks + 64);
    for (int i = 0; i < 20; i++)
        sum[i] = (uint8_t)(state[i / 4] >> (24 - i % 4 * 8));
    for (int i = 0; i < 7; i++) {
        uint32_t three = (uint32_t)sum[3 * i] << 16 | (uint32_t)sum[3 * i + 1] << 8 | sum[3 * i + 2];
        for (int j = 0; j < 4; j++)
            proof[4 * i + j] = (uint8_t)digits[three >> (18 - 6 * j) & 63];
    }
    proof[EDGE_PROOF_BYTES - 1] = '=';
}
