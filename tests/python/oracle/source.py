"""Renders the plain description of a generated program as the Python module that runs it."""

from __future__ import annotations

from typing import Any

INDENT = "    "
Statement = list[Any]


def render_program(program: dict[str, Any]) -> str:
    """Source of the whole program: definitions, then `main()`, which runs its steps."""
    lines: list[str] = [*program["setup"], ""]
    for definition in program["definitions"]:
        lines += render_definition(definition, 0)
        lines.append("")
    asynchronous = program["mode"] == "asyncio"
    lines.append("async def main():" if asynchronous else "def main():")
    steps = render_statements(program["steps"], 1)
    lines += steps or [INDENT + "pass"]
    return "\n".join(lines) + "\n"


def render_definition(definition: dict[str, Any], depth: int) -> list[str]:
    pad = INDENT * depth
    if definition["kind"] == "class":
        bases = ", ".join(definition["bases"])
        lines = [f"{pad}class {definition['name']}{f'({bases})' if bases else ''}:"]
        for member in definition["members"]:
            lines += render_definition(member, depth + 1)
        return lines if definition["members"] else [*lines, pad + INDENT + "pass"]
    if definition["kind"] == "expression":
        return [f"{pad}{definition['name']} = profile({definition['source']})"]
    if definition["kind"] == "plain":
        lines = []
    else:
        lines = [f"{pad}@{name}" for name in definition["decorators"]]
    keyword = "async def" if definition["asynchronous"] else "def"
    lines.append(f"{pad}{keyword} {definition['name']}({definition['signature']}):")
    if definition.get("doc"):
        lines.append(f"{pad}{INDENT}{definition['doc']!r}")
    return lines + render_statements(definition["body"], depth + 1)


def render_statements(statements: list[Statement], depth: int) -> list[str]:
    lines: list[str] = []
    for statement in statements:
        lines += [INDENT * depth + line for line in render_statement(statement)]
    return lines


def render_statement(statement: Statement) -> list[str]:
    """Lines of one statement, not indented."""
    kind, *rest = statement
    return RENDERERS[kind](*rest)


def _awaited(expression: str, asynchronous: bool) -> str:
    return f"await {expression}" if asynchronous else expression


def _operate(
    metric: str, operation: str, value: str, node: str, labels: str | None, by_name: bool
) -> list[str]:
    arguments = [value, f"current_node={node}" if by_name else node]
    if labels is not None:
        arguments.append(f"label_values={labels}" if by_name else labels)
    return [f"{metric}.{operation}({', '.join(arguments)})"]


def _try(
    body: list[Statement], error: str, handler: list[Statement], finally_body: list[Statement]
) -> list[str]:
    lines = ["try:", *render_statements(body, 1), f"except {error} as error:"]
    lines += [INDENT + "note_caught(error)", *render_statements(handler, 1)]
    if finally_body:
        lines += ["finally:", *render_statements(finally_body, 1)]
    return lines


def _local_function(name: str, asynchronous: bool, body: list[Statement]) -> list[str]:
    keyword = "async def" if asynchronous else "def"
    definition = ["@profile", f"{keyword} {name}(first, second=2):", *render_statements(body, 1)]
    return [*definition, _awaited(f"{name}(1)", asynchronous)]


def _by_hand(name: str, body: list[Statement], hand_over: str | None) -> list[str]:
    lines = [f"{name} = profiler.set_curr_node(main)"]
    lines.append(f"{name}_start = profiler.before_func_profiling(main, (1,), {{'two': 2}})")
    lines += [f"probe({name!r})", *render_statements(body, 0)]
    lines.append(f"profiler.after_function_profiling((7,), {name}_start, (1,), {{'two': 2}})")
    if hand_over is not None:
        lines.append(hand_over)
    return [*lines, f"profiler.delete_curr_node({name})"]


def _local_class(name: str, asynchronous: bool, body: list[Statement]) -> list[str]:
    keyword = "async def" if asynchronous else "def"
    definition = [f"class {name}:", f"{INDENT}@profile", f"{INDENT}{keyword} inner(this, *rest):"]
    definition += render_statements(body, 2)
    return [*definition, _awaited(f"{name}().inner(1, 2)", asynchronous)]


def _task_group(expressions: list[str]) -> list[str]:
    lines = ["try:", INDENT + "async with asyncio.TaskGroup() as group:"]
    lines += [f"{INDENT * 2}group.create_task({expression})" for expression in expressions]
    return [*lines, "except BaseExceptionGroup as error:", INDENT + "note_caught(error)"]


def _copied_context(expression: str, threaded: bool) -> list[str]:
    run = f"contextvars.copy_context().run(lambda: {expression})"
    return [f"in_thread(contextvars.copy_context().run, lambda: {expression})" if threaded else run]


def _attempt(expression: str, asynchronous: bool) -> list[str]:
    if asynchronous:
        return [f"await attempt_async(lambda: {expression})"]
    return [f"attempt(lambda: {expression})"]


def _attempt_all(expressions: list[str], cancelled: list[int]) -> list[str]:
    members = ", ".join(f"lambda: {expression}" for expression in expressions)
    return [f"await attempt_all([{members}], cancelled={cancelled})"]


RENDERERS: dict[str, Any] = {
    "source": lambda *lines: list(lines),
    "probe": lambda name: [f"probe({name!r})"],
    "records_count": lambda: ["note_records_count()"],
    "operate": _operate,
    "sleep": lambda times: ["await asyncio.sleep(0)"] * times,
    "raise": lambda error, text: [f"raise {error}({text!r})"],
    "raise_again": lambda: ["raise"],
    "raise_from": lambda error, text: [f"raise {error}({text!r}) from error"],
    "return": lambda value: [f"return {value}"],
    "call": lambda expression, asynchronous: [_awaited(expression, asynchronous)],
    "try": _try,
    "loop": lambda times, body: [f"for _ in range({times}):", *render_statements(body, 1)],
    "local_function": _local_function,
    "local_class": _local_class,
    "by_hand": _by_hand,
    "thread": lambda expression: [f"in_thread(lambda: {expression})"],
    "copied_context": _copied_context,
    "to_thread": lambda expression: [f"await asyncio.to_thread(lambda: {expression})"],
    "gather": lambda members: [
        f"note_results(await asyncio.gather({', '.join(members)}, return_exceptions=True))"
    ],
    "task_group": _task_group,
    "spawn": lambda name, expression: [f"{name} = asyncio.create_task({expression})"],
    "join": lambda name: [f"note_results(await joined({name}))"],
    "cancel": lambda name: [f"{name}.cancel()"],
    "attempt": _attempt,
    "attempt_all": _attempt_all,
}
