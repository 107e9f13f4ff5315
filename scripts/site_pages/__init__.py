"""Parts of the documentation site's build."""

from site_pages.assembling import LINK, assemble, is_foreign, linked, links, placed, without_code

__all__ = ["LINK", "assemble", "is_foreign", "linked", "links", "placed", "without_code"]
