/* The clock, and waiting for events to the microsecond. */
#ifndef WIRE_WAIT_H
#define WIRE_WAIT_H

#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>

/* CLOCK_MONOTONIC in nanoseconds. */
static inline int64_t wire_monotonic(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* As epoll_wait, for so many nanoseconds; less where the kernel counts milliseconds. */
int wire_epoll_wait(int epoll, struct epoll_event *events, int most, int64_t wait);

#endif
