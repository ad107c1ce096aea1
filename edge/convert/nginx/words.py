"""nginx's words: which directives need nothing here, and what to do about those that have no counterpart."""

from __future__ import annotations

import re

from edge.convert.statements import number

#: A variable in an argument.
VARIABLE = re.compile(r"\$(?:\{\w+\}|[A-Za-z_]\w*)")
#: Patterns of all paths.
ALL_PATHS = ("^", "^/", ".*", "^.*", "^.*$", "^(.*)$", "^(.*)", "(.*)", "^/(.*)$", "^/(.*)", "^/.*$")
#: Of ``error_page``: what a node says itself.
PAGES = ("404", "403", "500", "501", "502", "503", "504")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_592_000, "y": 31_536_000}

#: What is so by itself, or has no meaning here.
NEEDLESS = frozenset(
    [
        "user",
        "master_process",
        "client_body_temp_path",
        "proxy_temp_path",
        "fastcgi_temp_path",
        "uwsgi_temp_path",
        "scgi_temp_path",
        "keepalive",
        "worker_processes",
        "worker_connections",
        "worker_rlimit_nofile",
        "pid",
        "error_log",
        "daemon",
        "events",
        "multi_accept",
        "use",
        "sendfile",
        "tcp_nopush",
        "tcp_nodelay",
        "keepalive_timeout",
        "keepalive_requests",
        "types_hash_max_size",
        "server_tokens",
        "types_hash_bucket_size",
        "server_names_hash_bucket_size",
        "server_names_hash_max_size",
        "gzip",
        "gzip_vary",
        "gzip_proxied",
        "gzip_comp_level",
        "gzip_buffers",
        "gzip_http_version",
        "gzip_types",
        "gzip_min_length",
        "gzip_disable",
        "gzip_static",
        "brotli",
        "brotli_static",
        "brotli_comp_level",
        "brotli_types",
        "zstd",
        "zstd_types",
        "charset",
        "charset_types",
        "etag",
        "if_modified_since",
        "open_file_cache",
        "open_file_cache_valid",
        "open_file_cache_min_uses",
        "open_file_cache_errors",
        "log_not_found",
        "disable_symlinks",
        "client_header_timeout",
        "client_body_timeout",
        "send_timeout",
        "reset_timedout_connection",
        "client_header_buffer_size",
        "large_client_header_buffers",
        "client_body_buffer_size",
        "output_buffers",
        "aio",
        "directio",
        "max_ranges",
        "absolute_redirect",
        "port_in_redirect",
        "server_name_in_redirect",
        "merge_slashes",
        "http2",
        "ssl_session_cache",
        "ssl_session_timeout",
        "ssl_session_tickets",
        "ssl_prefer_server_ciphers",
        "ssl_ciphers",
        "ssl_ecdh_curve",
        "ssl_stapling",
        "ssl_stapling_verify",
        "ssl_trusted_certificate",
        "ssl_dhparam",
        "ssl_buffer_size",
        "resolver",
        "resolver_timeout",
        "limit_req_status",
        "limit_conn_status",
        "limit_req_log_level",
        "msie_padding",
        "recursive_error_pages",
        "autoindex_exact_size",
        "autoindex_localtime",
        "autoindex_format",
        "variables_hash_max_size",
        "variables_hash_bucket_size",
        "map_hash_max_size",
        "map_hash_bucket_size",
        "proxy_headers_hash_max_size",
        "proxy_headers_hash_bucket_size",
        "pcre_jit",
        "accept_mutex",
        "worker_shutdown_timeout",
        "worker_cpu_affinity",
        "worker_priority",
        "thread_pool",
        "postpone_output",
        "lingering_close",
        "lingering_time",
        "lingering_timeout",
        "open_log_file_cache",
        "read_ahead",
        "sendfile_max_chunk",
        "http2_max_concurrent_streams",
        "http2_push_preload",
        "ssl_early_data",
        "ssl_session_ticket_key",
        "ssl_conf_command",
        "gzip_window",
        "gzip_hash",
        "gunzip",
        "brotli_min_length",
        "brotli_buffers",
        "brotli_window",
        "load_module",
        "real_ip_recursive",
        "underscores_in_headers",
        "ignore_invalid_headers",
    ]
)

#: Of applications: Host, the visitor's address and the scheme are passed on by themselves, WebSockets too.
PROXIED = frozenset(
    [
        "proxy_http_version",
        "proxy_redirect",
        "proxy_buffering",
        "proxy_buffers",
        "proxy_buffer_size",
        "proxy_connect_timeout",
        "proxy_send_timeout",
        "proxy_read_timeout",
        "proxy_busy_buffers_size",
        "proxy_next_upstream",
        "proxy_request_buffering",
        "proxy_cache_bypass",
        "proxy_no_cache",
        "proxy_pass_header",
        "proxy_intercept_errors",
        "proxy_cache",
        "proxy_cache_path",
        "proxy_cache_valid",
        "proxy_cache_key",
        "proxy_cache_use_stale",
        "proxy_cache_lock",
    ]
)

#: What ``proxy_set_header`` says, in lower case, that is so by itself.
TOLD = frozenset(
    [
        ("host", "$host"),
        ("host", "$proxy_host"),
        ("host", "$http_host"),
        ("host", "$host:$server_port"),
        ("connection", ""),
        ("connection", "upgrade"),
        ("connection", "Upgrade"),
        ("connection", "$connection_upgrade"),
        ("connection", "$http_connection"),
        ("connection", "keep-alive"),
        ("connection", "close"),
        ("upgrade", "$http_upgrade"),
        ("upgrade", "websocket"),
        ("accept-encoding", ""),
        ("proxy", ""),
        ("early-data", "$ssl_early_data"),
    ]
)
#: What stands beside a ``fastcgi_pass`` and its like, and has no meaning without.
BESIDE_PASS = re.compile(r"(?:fastcgi|uwsgi|scgi|grpc|memcached)_|(?:try_files|index|include)\Z")

#: Files that distributions and certbot bring, which say nothing that matters here.
USUAL_FILES = frozenset(
    ["mime.types", "proxy_params", "fastcgi_params", "fastcgi.conf", "uwsgi_params", "scgi_params",
     "options-ssl-nginx.conf", "ssl-params.conf"]
)  # fmt: skip

#: What has no counterpart, and the way out.
ELSEWHERE = {
    "fastcgi_pass": "PHP is not run here: let FrankenPHP, or nginx before php-fpm, be an [[app]] with to = "
    '"http://127.0.0.1:PORT", and take the *.php out of the webroot, which an [[access]] hides until then',
    "fastcgi_param": "see fastcgi_pass",
    "fastcgi_index": "see fastcgi_pass",
    "fastcgi_split_path_info": "see fastcgi_pass",
    "uwsgi_pass": 'a WSGI application is run by the node: [[app]] with run = "module:name"',
    "uwsgi_param": "see uwsgi_pass",
    "geo": "nothing depends on the visitor's place; [[access]] knows networks",
    "set": "there are no variables; write the value where it is used",
    "sub_filter": "pages go out as they are; change them where they are made",
    "limit_conn": "connections-per-address limits the connections of one address",
    "limit_conn_zone": "connections-per-address limits the connections of one address",
    "limit_rate": "bytes are not slowed down",
    "auth_request": "let the application that decides answer that part itself: an [[app]]",
    "valid_referers": "the page that leads here is not looked at",
    "image_filter": "images go out as they are; photo.avif beside photo.jpg is found by itself",
    "ssi": "pages go out as they are; put them together where they are made",
    "dav_methods": "files are read only",
    "mirror": "requests are answered once",
    "error_page": "404.html is what a 404 says",
    "satisfy": "who may has to pass every rule: a network and a password",
    "limit_except": "rules are about all methods; an [[app]] can tell them apart",
    "ssl_client_certificate": "visitors are not asked for certificates; [[auth]] asks for a password",
    "ssl_verify_client": "visitors are not asked for certificates; [[auth]] asks for a password",
    "ssl_reject_handshake": "who asks for a name that no certificate has gets the first one",
    "proxy_hide_header": "a [[header]] with remove takes it away",
    "more_clear_headers": "a [[header]] with remove takes it away",
    "more_set_headers": "a [[header]] with set sets it",
    "grpc_pass": "an application is asked over HTTP/1.1",
}


def seconds_of(text: str) -> int | None:
    """nginx's times: ``30d``, ``1h30m``, ``60``; None: this is none."""
    if (seconds := number(text)) is not None:
        return seconds
    parts = re.findall(r"([0-9]{1,9})([smhdwMy])", text)
    if not parts or "".join(count + unit for count, unit in parts) != text.replace(" ", ""):
        return None
    return sum(int(count) * _UNITS[unit] for count, unit in parts)


def expires(text: str) -> str | None:
    """The Cache-Control that ``expires`` makes; "": none; None: it is not understood."""
    if text == "off":
        return ""
    if text == "max":
        return "max-age=315360000"
    if text == "epoch" or text.startswith("-"):
        return "no-cache"
    seconds = seconds_of(text)
    return None if seconds is None else f"max-age={seconds}"
