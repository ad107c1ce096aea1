"""Directives of Caddy: their order, what needs nothing here, and what has no counterpart."""

from __future__ import annotations

#: In which order the directives of a block count, wherever they stand.
ORDER = {
    name: rank
    for rank, name in enumerate(
        (
            "tls", "bind", "log", "tracing", "map", "vars", "fs", "root", "log_append", "log_skip",
            "skip_log", "log_name", "header", "copy_response_headers", "request_body", "redir",
            "method", "rewrite", "uri", "try_files", "basicauth", "basic_auth", "forward_auth",
            "request_header", "encode", "push", "intercept", "templates", "invoke", "handle",
            "handle_path", "route", "abort", "error", "copy_response", "respond", "metrics",
            "reverse_proxy", "php_fastcgi", "php_server", "file_server", "acme_server",
            "handle_errors",
        )
    )
}  # fmt: skip
#: One group, of which one block counts, or one directive under two names.
ORDER |= {"handle_path": ORDER["handle"], "basicauth": ORDER["basic_auth"]}
#: Those that end a request, or have others inside that do.
TERMINAL = frozenset(
    ("redir", "handle", "handle_path", "route", "invoke", "abort", "error", "respond", "reverse_proxy",
     "php_fastcgi", "php_server", "file_server")
)  # fmt: skip
#: Those without a matcher before their arguments.
LITERAL = frozenset(("try_files", "log", "tls", "bind", "handle_errors", "log_name"))
NEEDLESS = frozenset(("encode", "log_skip", "skip_log", "log_append", "log_name", "push", "tracing"))
_AS_SENT = "requests go on as they are"
ELSEWHERE = {
    "templates": "pages go out as they are; put them together where they are made",
    "map": "nothing depends on variables here; write a [[redirect]] for each address",
    "vars": "nothing depends on variables here",
    "request_body": "body-max-mib limits what requests bring",
    "request_header": f"{_AS_SENT}; an application must not trust what it takes away",
    "handle_errors": "404.html, at the root of the site, is what a 404 says",
    "intercept": "an answer goes out as it is",
    "copy_response": "an answer goes out as it is",
    "copy_response_headers": "an answer goes out as it is",
    "uri_strip": "an application is asked with the whole path; a [[rewrite]] leads to other files",
    "method": _AS_SENT,
    "metrics": "the node's own metrics are at its admin socket: edgectl metrics",
    "acme_server": "certificates come from an authority: tls-auto",
}
#: Of ``reverse_proxy``: what needs nothing here.
PROXY_NEEDLESS = frozenset(
    ("to", "health_uri", "health_interval", "health_timeout", "health_port", "lb_policy",
     "lb_try_duration", "lb_try_interval", "lb_retries", "fail_duration", "max_fails",
     "flush_interval", "stream_timeout", "stream_close_delay", "trusted_proxies", "verbose_logs")
)  # fmt: skip
#: Options in the block without an address that need nothing here.
OPTIONS = frozenset(
    ("admin", "debug", "log", "storage", "grace_period", "shutdown_delay", "metrics", "persist_config")
)
