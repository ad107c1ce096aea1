#include "wire_dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOOPBACK_ADDRESSES ((1u << 24) - 256)

int wire_node_parse(wire_node *node, const char *host, uint32_t port, const char *name)
{
    memset(node, 0, sizeof *node);
    if (!port || port > 65535 || strlen(name) >= sizeof node->name)
        return -1;
    strcpy(node->name, name);
    if (inet_pton(AF_INET, host, &node->address.v4.sin_addr) == 1) {
        node->address.v4.sin_family = AF_INET;
        node->address.v4.sin_port = htons((uint16_t)port);
        node->length = sizeof node->address.v4;
        node->loopback = ntohl(node->address.v4.sin_addr.s_addr) >> 24 == 127;
        return 0;
    }
    if (inet_pton(AF_INET6, host, &node->address.v6.sin6_addr) != 1)
        return -1;
    node->address.v6.sin6_family = AF_INET6;
    node->address.v6.sin6_port = htons((uint16_t)port);
    node->length = sizeof node->address.v6;
    return 0;
}

int wire_node_equal(const wire_node *one, const wire_node *other)
{
    return one->length == other->length && !memcmp(&one->address, &other->address, one->length)
           && !strcmp(one->name, other->name);
}

int wire_dial(const wire_node *node, uint32_t user)
{
    int on = 1, fd = socket(node->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (node->loopback) {
        struct sockaddr_in from = {
            .sin_family = AF_INET,
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK + user % LOOPBACK_ADDRESSES),
        };
        /* The port is chosen by connect, which sees the whole connection. */
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&from, sizeof from))
            goto failed;
    }
    if (connect(fd, &node->address.any, node->length) == 0 || errno == EINPROGRESS)
        return fd;
failed:
    on = errno;
    close(fd);
    return -on;
}

uint64_t wire_dial_descriptors(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files))
        return 1024;
    if (files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    return files.rlim_cur;
}
