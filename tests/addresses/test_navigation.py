"""Tests for edge.addresses.navigation: what browsers send who go to a page, and pages that ask for parts."""

from __future__ import annotations

from unittest import TestCase

from edge.addresses.navigation import is_navigation

#: What Chromium sends for a navigation.
HTML = b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


class NavigationTests(TestCase):
    """Whether it is one."""

    def test_who_goes_to_a_page(self) -> None:
        for fields in (
            {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"document", b"accept": HTML},
            {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"iframe"},
            {b"accept": HTML},  # Safari before 16.4
            {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"empty"},
            {
                b"sec-fetch-mode": b"cors",
                b"sec-fetch-dest": b"empty",
                b"accept": b"text/html",
            },  # a worker for a page
            {b"accept": b"Application/XHTML+xml;q=0.5"},
        ):
            self.assertTrue(is_navigation(b"GET", fields), fields)
            self.assertTrue(is_navigation(b"HEAD", fields), fields)
            self.assertFalse(is_navigation(b"POST", fields), fields)

    def test_who_wants_a_part_of_one(self) -> None:
        for fields in (
            {},
            {b"accept": b"*/*"},
            {b"accept": b"text/html;q=0, */*"},
            {b"accept": b"text/html; q=0.000"},
            {b"accept": b"text/css,*/*;q=0.1"},
            {b"accept": b"text/htmlx"},
            {b"sec-fetch-mode": b"no-cors", b"sec-fetch-dest": b"script", b"accept": HTML},
            {b"sec-fetch-mode": b"cors", b"sec-fetch-dest": b"empty", b"accept": b"*/*"},
            {b"sec-fetch-dest": b"image"},
        ):
            self.assertFalse(is_navigation(b"GET", fields), fields)
