"""What takes each directive of nginx."""

from __future__ import annotations

from edge.convert.nginx import addresses, applications, guards, listeners, shown, whole_node
from edge.convert.nginx.server import PASSES, Takers, location

TAKERS = Takers(
    {
        "location": location,
        "listen": listeners.listen,
        "ssl": listeners.ssl_on,
        "server_name": listeners.server_name,
        "ssl_certificate": listeners.ssl_file,
        "ssl_certificate_key": listeners.ssl_file,
        "ssl_protocols": listeners.ssl_protocols,
        "root": shown.webroot,
        "alias": shown.webroot,
        "index": shown.index,
        "try_files": shown.try_files,
        "error_page": shown.error_page,
        "autoindex": shown.autoindex,
        "types": shown.types,
        "default_type": shown.default_type,
        "add_header": shown.add_header,
        "expires": shown.lifetime,
        "return": addresses.returns,
        "rewrite": addresses.rewrite,
        "internal": addresses.internal,
        "if": addresses.condition,
        "proxy_pass": applications.proxy_pass,
        "proxy_set_header": applications.proxy_header,
        **dict.fromkeys(PASSES, applications.pass_on),
        "auth_basic": guards.auth,
        "auth_basic_user_file": guards.auth_file,
        "auth_request": guards.ask_elsewhere,
        "ssl_verify_client": guards.ask_elsewhere,
        "limit_req": guards.limit_req,
        "client_max_body_size": whole_node.body_size,
        "set_real_ip_from": whole_node.real_address,
        "real_ip_header": whole_node.real_field,
        "access_log": whole_node.access_log,
        "include": whole_node.include,
    },
    guards.access,
)
