/* Variants of a resource: content codings and media, numbered as in edge/resource.py, and masks of them. */
#ifndef EDGE_VARIANT_H
#define EDGE_VARIANT_H

/* A variant is media * EDGE_CODINGS + coding. */
enum { EDGE_IDENTITY, EDGE_GZIP, EDGE_BR, EDGE_ZSTD, EDGE_CODINGS };
enum { EDGE_ORIGINAL, EDGE_WEBP, EDGE_AVIF };

/* The bit of a variant, or of a coding, in a mask of them. */
#define EDGE_BIT(number) (1u << (number))

/* Out of the variants of a path the codings of one medium. */
static inline unsigned edge_codings_of(unsigned variants, unsigned media)
{
    return variants >> media * EDGE_CODINGS & (EDGE_BIT(EDGE_CODINGS) - 1);
}

/* The preferred one out of a mask of codings: PREFERENCE of edge/resource.py. */
static inline unsigned edge_best_coding(unsigned codings)
{
    static const unsigned char best[EDGE_BIT(EDGE_CODINGS)] = {
        EDGE_IDENTITY, EDGE_IDENTITY, EDGE_GZIP, EDGE_GZIP, EDGE_BR, EDGE_BR, EDGE_BR, EDGE_BR,
        EDGE_ZSTD,     EDGE_ZSTD,     EDGE_ZSTD, EDGE_ZSTD, EDGE_BR, EDGE_BR, EDGE_BR, EDGE_BR,
    };
    return best[codings];
}

#endif
