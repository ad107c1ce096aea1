"""Media types that rules about expiry name, and the extensions of their files."""

from __future__ import annotations

EXTENSIONS = {
    "text/css": ["css"], "application/javascript": ["js", "mjs"], "text/javascript": ["js", "mjs"],
    "application/x-javascript": ["js"], "image/jpeg": ["jpg", "jpeg"], "image/jpg": ["jpg", "jpeg"],
    "image/png": ["png"], "image/gif": ["gif"], "image/webp": ["webp"], "image/avif": ["avif"],
    "image/svg+xml": ["svg"], "image/x-icon": ["ico"], "image/vnd.microsoft.icon": ["ico"],
    "text/html": ["html"], "application/pdf": ["pdf"], "font/woff": ["woff"], "font/woff2": ["woff2"],
    "application/font-woff": ["woff"], "application/font-woff2": ["woff2"], "font/ttf": ["ttf"],
    "application/x-font-ttf": ["ttf"], "application/x-font-woff": ["woff"], "font/otf": ["otf"],
    "font/opentype": ["otf"], "application/vnd.ms-fontobject": ["eot"],
    "application/json": ["json"], "application/ld+json": ["jsonld"], "application/xml": ["xml"],
    "text/xml": ["xml"], "text/plain": ["txt"], "text/markdown": ["md"], "text/calendar": ["ics"],
    "video/mp4": ["mp4"], "video/webm": ["webm"], "video/ogg": ["ogv"], "audio/mpeg": ["mp3"],
    "audio/ogg": ["ogg"], "application/manifest+json": ["webmanifest"], "application/rss+xml": ["rss"],
    "application/atom+xml": ["atom"], "application/wasm": ["wasm"], "text/vtt": ["vtt"],
    "text/x-component": ["htc"], "image/bmp": ["bmp"], "application/zip": ["zip"],
}  # fmt: skip
