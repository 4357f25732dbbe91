"""Log calls from WARNING on, with the fields that they bind and the text that they show."""

import ast
import string
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.guards.sources import Source

LOUD = ("warning", "error", "critical", "exception", "log")
"""`log` takes its level as a value, which may be any."""

BESIDE = frozenset(
    {
        "attempt",
        "attempts",
        "batch_size",
        "batcher",
        "brokers",
        "client",
        "facility",
        "group",
        "handler",
        "instance",
        "message",
        "messages",
        "offset",
        "partition",
        "partitions",
        "pending",
        "pid",
        "seconds",
        "since",
        "sink",
        "subscription",
        "table",
        "thread",
        "topic",
        "worker",
    }
)
"""Fields that say where and how much, and may stand beside the text. Any other says why, and belongs into it."""


@dataclass(frozen=True, slots=True)
class LogCall:
    """One call: its line, what is bound before it, the fields of its own, and its text, `None` where that is put together."""

    line: int
    bound: frozenset[str]
    own: frozenset[str]
    has_arguments: bool
    text: str | None

    @property
    def faults(self) -> Iterator[str]:
        """What is wrong with it."""
        for name in sorted(self.bound - BESIDE):
            yield f"binds {name}, which its text lacks: pass it to the call, and name it in the text"
        if self.text is None:
            if self.own or self.has_arguments:
                yield "formats a text that it has put together: braces in it would be interpreted"
            return
        shown = {name for _, name, _, _ in string.Formatter().parse(self.text) if name}
        for name in sorted(self.own - shown - BESIDE):
            yield f"passes {name}, which its text lacks"


@dataclass(slots=True)
class _Finder(ast.NodeVisitor):
    """Walks one file; knows which names stand for a logger, and what is bound to each."""

    found: list[LogCall] = field(default_factory=list)
    known: dict[str, frozenset[str]] = field(default_factory=lambda: {"logger": frozenset()})
    texts: dict[str, str | None] = field(default_factory=dict)
    """What a name stands for, where a text is too long for its call."""

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target, value in _pairs(node):
            fields = self.fields_of(value)
            self.texts[_name(target)] = _constant(value)
            if fields is not None:
                self.known[_name(target)] = fields

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in LOUD:
            return
        bound = self.fields_of(node.func.value)
        if bound is None or not node.args:
            return
        text, *others = node.args[1:] if node.func.attr == "log" else node.args
        shown = self.texts.get(text.id) if isinstance(text, ast.Name) else _constant(text)
        self.found.append(LogCall(node.lineno, bound, _names(node) - {"**"}, bool(others), shown))

    def fields_of(self, node: ast.expr) -> frozenset[str] | None:
        """Return what is bound to the logger that *node* is; `None` where it is none."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            fields = self.fields_of(node.func.value)
            if fields is None or node.func.attr not in ("bind", "opt", "patch"):
                return None
            return fields | _names(node) if node.func.attr == "bind" else fields
        name = _name(node)
        # A logger that somebody passed in: what is bound to it is seen where that was done.
        return self.known.get(name, frozenset() if name in ("log", "self._log") else None)


def _pairs(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


def _name(node: ast.expr) -> str:
    """Return what a variable or an attribute of one is called; empty for anything else, which is no logger."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _names(node: ast.Call) -> frozenset[str]:
    return frozenset(each.arg or "**" for each in node.keywords)


def _constant(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def find_log_calls(source: Source) -> list[LogCall]:
    """Return the log calls of *source* from WARNING on."""
    if "log" not in source.text:
        return []  # most files, in no time
    finder = _Finder()
    finder.visit(source.tree)
    return finder.found
