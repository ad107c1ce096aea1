"""The page for developers: GraphiQL, from its publisher's copies on the web, each held to its hash (SRI).

It is shown with the switch for development alone.  Each question gets an Idempotency-Key of its own, so that
mutations can be tried.
"""

from __future__ import annotations

_FROM = "https://unpkg.com/"
_FILES = {
    "react@18.3.1/umd/react.production.min.js": (
        "DGyLxAyjq0f9SPpVevD6IgztCFlnMF6oW/XQGmfe+IsZ8TqEiDrcHkMLKI6fiB/Z"
    ),
    "react-dom@18.3.1/umd/react-dom.production.min.js": (
        "gTGxhz21lVGYNMcdJOyq01Edg0jhn/c22nsx0kyqP0TxaV5WVdsSH1fSDUf5YJj1"
    ),
    "graphiql@3.8.3/graphiql.min.js": "HbRVEFG0JGJZeAHCJ9Xm2+tpknBQ7QZmNlO/DgZtkZ0aJSypT96YYGRNod99l9Ie",
    "graphiql@3.8.3/graphiql.min.css": "Mq3vbRBY71jfjQAt/DcjxUIYY33ksal4cgdRt9U/hNPvHBCaT2JfJ/PTRiPKf0aM",
}


def _tag(file: str, digest: str) -> str:
    held = f'integrity="sha384-{digest}" crossorigin="anonymous"'
    if file.endswith(".css"):
        return f'<link rel="stylesheet" href="{_FROM}{file}" {held}>'
    return f'<script src="{_FROM}{file}" {held}></script>'


PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>GraphiQL</title>
<style>body {{ margin: 0 }} #graphiql {{ height: 100vh }}</style>
{"".join(_tag(*file) + chr(10) for file in _FILES.items())}</head>
<body>
<div id="graphiql">GraphiQL is loaded from {_FROM}; without the network, POST {{"query": ...}} here.</div>
<script>
const ask = (url, {{ headers, ...rest }}) =>
  fetch(url, {{ ...rest, headers: {{ ...headers, "idempotency-key": crypto.randomUUID() }} }});
const fetcher = GraphiQL.createFetcher({{ url: location.pathname, fetch: ask }});
ReactDOM.createRoot(document.getElementById("graphiql")).render(React.createElement(GraphiQL, {{ fetcher }}));
</script>
</body>
</html>
""".encode()
