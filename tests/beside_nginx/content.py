"""The files of the twenty sites: what such sites have, small."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

#: Names below the folder of each site.
FILES = {
    "hugo": "index.html posts/index.html posts/first/index.html posts/second/index.html css/main.css "
    "js/app.js img/photo.jpg img/logo.svg fonts/text.woff2 index.xml sitemap.xml robots.txt "
    "404.html",
    "docusaurus": "index.html docs/intro.html docs/guide/install.html docs/guide/index.html blog/index.html "
    "assets/css/styles.1a2b3c4d.css assets/js/main.5e6f7a8b.js img/logo.svg sitemap.xml 404.html",
    "vite": "index.html assets/index-BxYz12ab.js assets/index-CdEf34gh.css assets/logo-11aa22bb.svg "
    "favicon.ico robots.txt",
    "mkdocs": "index.html install/index.html usage/index.html search/search_index.json css/theme.css "
    "js/base.js img/favicon.ico 404.html sitemap.xml",
    "jekyll": "index.html about.html posts/hello-world.html posts/second-post.html tags/python/index.html "
    "feed.xml assets/main.css 404.html",
    "shop": "index.html imprint/index.html products/index.html products/chair/index.html cart.html "
    "products/images/chair.jpg products/images/table.png js/cart.js css/shop.css "
    ".well-known/security.txt .env",
    "next": "index.html about.html blog.html blog/first.html blog/second.html "
    "_next/static/chunks/main-1234abcd.js _next/static/css/app.css favicon.ico 404.html 50x.html",
    "gatsby": "index.html about/index.html blog/post/index.html page-data/index/page-data.json "
    "page-data/about/page-data.json static/photo-abc123.jpg webpack-runtime-99.js 404.html",
    "eleventy": "index.html posts/one/index.html manifest.webmanifest fonts/a.woff2 fonts/b.ttf css/site.css "
    "data.geojson notes.md",
    "vuepress": "docs/index.html docs/guide/index.html docs/guide/setup.html docs/assets/app.js "
    "docs/assets/app.css",
    "pwa": "index.html service-worker.js manifest.webmanifest icons/192.png icons/512.png app.js",
    "versions": "1.0/index.html 1.0/api/index.html 2.0/index.html 2.1/index.html 2.1/api/index.html "
    "2.1/guide/start.html 2.1/style.css",
    "downloads": "index.html pub/readme.txt pub/tool-1.0.tar.gz pub/tool-1.1.tar.gz pub/disk.iso "
    "pub/old/a.zip "
    "pub/old/notes.txt other/readme.txt",
    "moved": "index.html about/index.html contact/index.html years/2019/index.html secret/plan.txt "
    "style.css",
    "hosts": "main/index.html main/style.css blog/index.html blog/first.html pages/index.html pages/a.js",
    "api": "index.html app.js style.css",
    "protected": "index.html staff/index.html staff/list.html internal/index.html local/index.html style.css",
    "images": "index.html gallery/index.html gallery/a.jpg gallery/b.jpeg gallery/c.png gallery/d.webp "
    "e.gif",
    "maintenance": "soon.html static/style.css robots.txt",
    "guarded": "index.html about/index.html blog/index.html blog/7/index.html css/site.css img/a.png "
    "files/a.txt files/inner/b.txt files/inner/one.txt files/inner/open/c.txt drafts/plan.html dump.sql "
    "old/x.html",
    "wordpress": "index.html hello-world/index.html category/news/index.html feed/index.html favicon.ico "
    "robots.txt wp-content/themes/one/style.css wp-content/uploads/photo.jpg wp-includes/js/a.js "
    "wp-admin/index.html 404.html",
}  # fmt: skip
#: Hosts of each; the first one that is not here is its name.
HOSTS = {
    "mkdocs": ["mkdocs.example", "manual.example"],
    "shop": ["shop.example", "www.shop.example"],
    "guarded": ["guarded.example", "www.guarded.example"],
    "moved": ["moved.example", "former.example", "www.former.example"],
    "hosts": ["hosts.example", "blog.hosts.example", "a.pages.hosts.example", "unknown.example"],
}
#: Paths beside those of files that are worth asking for.
PATHS = {
    "jekyll": ["/2024/05/06/hello-world.html", "/2024/05/06/none.html", "/tag/python", "/feed", "/rss.xml"],
    "shop": ["/pay/", "/pay/order?id=7", "/impressum", "/index.php", "/admin/login.php"],
    "vuepress": ["/guide/setup.html", "/guide/", "/"],
    "versions": ["/latest", "/latest/api/", "/latest/guide/start.html?x=1", "/"],
    "moved": [
        *("/about.asp", "/kontakt.html", "/old-news", "/shop/", "/shop/chair?x=1", "/wiki/A_b"),
        *("/archive/2019", "/ARCHIVE/2019", "/secret/plan.txt", "/kontakt.html?from=mail"),
    ],
    "api": ["/api/users", "/api/users?page=2", "/api/", "/some/page"],
    "vite": ["/dashboard", "/users/7", "/assets/none.js"],
    "pwa": ["/inbox", "/none.png"],
    "guarded": ["/old-blog", "/team.html", "/news/7", "/news/x", "/old/x.html", "/gone/", "/drafts/"],
    "maintenance": ["/anything", "/shop/"],
    "wordpress": ["/xmlrpc.php", "/wp-login.php", "/wp-admin/x"],
    "protected": ["/staff/", "/internal/", "/local/"],
}  # fmt: skip


def hosts_of(site: str) -> list[str]:
    """The hosts of *site*."""
    return HOSTS.get(site, [f"{site}.example"])


#: Of files that are no text.
_BYTES = tuple([".jpg", ".jpeg", ".png", ".webp", ".gif", ".ico", ".woff2", ".ttf", ".gz", ".iso", ".zip"])


def body_of(site: str, name: str) -> bytes:
    """What stands in a file: text that says what it is, or bytes."""
    if name.endswith(_BYTES):
        return sha256(name.encode()).digest() * 40
    text = f"{site}: {name}\n" + "All happy families are alike. " * 20
    if name.endswith(".html"):
        text = f"<!doctype html><title>{name}</title>{text}\n"
    return text.encode()


def write_all(root: Path) -> None:
    """The files of all sites below *root*."""
    for site, names in FILES.items():
        for name in names.split():
            path = root / site / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body_of(site, name))
