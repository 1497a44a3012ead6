"""Console pages that other apps may add to.

The app that owns a model registers its page with `register_page`. An app that imports it registers an addition with
`extend_page`: a class with further columns, actions and views. `build_pages`, called once when all apps have
registered theirs, combines each page with its additions into one class and registers it with Django admin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.admin import AdminSite
from django.db.models import Model

PageClass = TypeVar("PageClass", bound=type[Any])

_pages: dict[type[Model], type[Any]] = {}
_additions: dict[type[Model], list[type[Any]]] = {}


def register_page(model: type[Model]) -> Callable[[PageClass], PageClass]:
    """Make the decorated ModelAdmin the page of the model, open to additions. Raises ValueError for a second page."""

    def register(page: PageClass) -> PageClass:
        if model in _pages:
            raise ValueError(
                f"{model.__name__} has a page already: {_pages[model].__name__}. Add to it by extend_page."
            )
        _pages[model] = page
        return page

    return register


def extend_page(model: type[Model]) -> Callable[[PageClass], PageClass]:
    """Add the decorated class to the page of a model that another app owns.

    Its attributes override the page's own; of two additions, the one registered first overrides the other. The
    `actions_detail` of all are joined. Helpers (names with an underscore) belong to one class: two that have one in
    common would call each other's, so `build_pages` refuses them.
    """

    def register(addition: PageClass) -> PageClass:
        _additions.setdefault(model, []).append(addition)
        return addition

    return register


def build_pages(site: AdminSite) -> None:
    """Register every page with its additions. Raises ValueError for an addition to a page that does not exist."""
    if unknown := _additions.keys() - _pages.keys():
        names = ", ".join(sorted(model.__name__ for model in unknown))
        raise ValueError(f"No page is registered for: {names}. Register it by register_page before it is extended.")
    for model, page in _pages.items():
        site.register(model, _build_page(page=page, additions=_additions.get(model, [])))


def _build_page(*, page: type[Any], additions: list[type[Any]]) -> type[Any]:
    if not additions:
        return page
    _refuse_shared_helpers((page, *additions))
    own = [name for each in (page, *additions) for name in getattr(each, "actions_detail", None) or ()]
    return type(page.__name__, (*additions, page), {"actions_detail": tuple(dict.fromkeys(own))})


def _refuse_shared_helpers(classes: tuple[type[Any], ...]) -> None:
    owners: dict[str, type[Any]] = {}
    for each in classes:
        for name in vars(each):
            if not name.startswith("_") or name.startswith("__"):
                continue
            if name in owners:
                raise ValueError(
                    f"{owners[name].__name__} and {each.__name__} both have {name}, and one page is made of both. Name "
                    "each for what it is of."
                )
            owners[name] = each
