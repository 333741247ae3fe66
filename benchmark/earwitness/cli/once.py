"""An option that takes a list is given once: of two the parser would take the last and say nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from typer.core import TyperCommand, TyperOption


class OnceCommand(TyperCommand):
    """A verb that refuses an option given twice that takes several values, with commas, at once.

    Options of one value stay as everywhere: the last one counts.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Arguments that are left; ends with a usage error where such an option stands twice."""
        given: Any = self.make_parser(ctx).parse_args(args=list(args))[2]
        for param, count in Counter(given).items():
            if count > 1 and isinstance(param, TyperOption) and not param.multiple and "," in (param.metavar or ""):
                ctx.fail(f"{param.opts[0]} is given {count} times; name all in one, with commas")
        return super().parse_args(ctx, args)
