"""Tags that every template has.

`{% icon "edit" %}` and `{% icon entry.icon class="small" %}` show an icon; `{% fixed "components/mark.html" %}` takes
in a template that is the same in every page; `{% chart panel.chart %}` draws a chart;
`{% request_id %}` is what the log names the request by.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.template.base import FilterExpression, Parser, TextNode, Token, token_kwargs
from django.utils.safestring import SafeString

from ctms.core.charts import render_chart
from ctms.core.icons import render_icon
from ctms.core.request_log import get_request_id

register = template.Library()
register.simple_tag(render_chart, name="chart")
register.simple_tag(get_request_id, name="request_id")


class IconNode(template.Node):
    """Shows an icon whose name is known only when the page is made."""

    def __init__(self, *, name: FilterExpression, css_class: FilterExpression | None) -> None:
        self.name, self.css_class = name, css_class

    def render(self, context: template.Context) -> SafeString:
        css_class = self.css_class.resolve(context) if self.css_class else ""
        return render_icon(str(self.name.resolve(context) or ""), str(css_class or ""))


@register.tag
def icon(parser: Parser, token: Token) -> template.Node:
    """Show an icon of the sprite; one whose name is written in the template is made when the template is compiled."""
    _, *words = token.split_contents()
    options = token_kwargs(words[1:], parser)
    if not words or set(options) != {"class"}.intersection(options) or len(words) != 1 + len(options):
        raise template.TemplateSyntaxError('Write {% icon "name" %} or {% icon "name" class="small" %}.')
    name, css_class = parser.compile_filter(words[0]), options.get("class")
    constants = [_find_constant(each) for each in (name, css_class) if each is not None]
    if None not in constants:
        return TextNode(render_icon(*(str(each) for each in constants)))
    return IconNode(name=name, css_class=css_class)


class FixedNode(template.Node):
    """Includes a template that depends on nothing. It is rendered once; while templates are written, each time."""

    def __init__(self, *, template_name: str) -> None:
        self.template_name, self._rendered = template_name, SafeString("")

    def render(self, context: template.Context) -> SafeString:
        if not self._rendered or settings.DEBUG:
            engine = context.template.engine  # type: ignore[union-attr]  # a context that is rendered has one
            self._rendered = engine.get_template(self.template_name).render(template.Context())
        return self._rendered


@register.tag
def fixed(parser: Parser, token: Token) -> FixedNode:
    """Include a template that is the same in every page, whoever asks for it."""
    _, *words = token.split_contents()
    template_name = _find_constant(parser.compile_filter(words[0])) if len(words) == 1 else None
    if template_name is None:
        raise template.TemplateSyntaxError('Write {% fixed "components/mark.html" %}.')
    return FixedNode(template_name=str(template_name))


def _find_constant(expression: FilterExpression) -> Any:
    is_constant = isinstance(expression.var, str) and not expression.filters
    return expression.var if is_constant else None
