"""Parts of the documentation site's build."""

from site_pages.assembling import LINK, assemble, is_foreign, linked, links, placed, without_code
from site_pages.searching import tune

__all__ = ["LINK", "assemble", "is_foreign", "linked", "links", "placed", "tune", "without_code"]
