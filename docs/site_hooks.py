"""What mkdocs runs while it builds the site: a page that would load anything from elsewhere ends the build."""

import re
from typing import Any

from mkdocs.exceptions import PluginError

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preconnect|preload|icon))[^>]*\bhref=["']?(?:https?:)?//[^"'\s>]+"""
)


def on_post_page(output: str, page: Any, **_: object) -> str:
    """Return a page as it is. Raises PluginError where its scripts, styles or pictures lie on a server."""
    found = LOADED.search(output)
    if found:
        raise PluginError(f"{page.file.src_uri}: the site loads nothing from elsewhere, but has {found[0]}")
    return output
