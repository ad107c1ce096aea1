/* IMF-fixdate, RFC 9110 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT".  Sans-IO: the time is given. */
#ifndef EDGE_DATE_H
#define EDGE_DATE_H

#include <stdint.h>

#define EDGE_DATE_BYTES 29

/* For the years 1970 to 9999; no terminating zero. */
void edge_format_date(uint64_t unix_seconds, char text[EDGE_DATE_BYTES]);

#endif
