"""The rules of CONTRIBUTING for lengths, arguments and repeated lines."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.test_architecture import PACKAGE, ROOT, TOOLS, each

FILE, LAYER, FUNCTION, ARGUMENTS, REPEATED = 400, 200, 50, 8, 6
# Longer files, and why they are not parted
LONG_FILES = {
    'mmvit/checkpoints/inspection.py': 'one reader of pickles',
    'mmvit/engine/guards/coco_files.py': 'one format, read and checked',
    'mmvit/models/backbones/focal.py': 'one paper',
    'mmvit/models/layers/local_global.py': 'the attention of one paper',
    'mmvit/models/layers/windows.py': 'windows, and the rings around them',
    'tools/analysis_tools/benchmark.py': 'one command',
    'tools/dataset_converters/digit_scenes.py': 'one command',
    'tools/dev/paper_table.py': 'one command',
    'tools/prepare_data.py': 'one command, and the table of data sets',
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@each([*PACKAGE, *TOOLS])
def test_lengths_of_files(path: Path) -> None:
    length = len(path.read_text().splitlines())
    limit = LAYER if path.parent.name == 'layers' else FILE
    assert length <= limit or name_of(path) in LONG_FILES, length


def test_long_files_are_there() -> None:
    for name in LONG_FILES:
        assert (ROOT / name).is_file(), name


@each([*PACKAGE, *TOOLS])
def test_lengths_of_functions(path: Path) -> None:
    for node in functions(ast.parse(path.read_text())):
        length = node.end_lineno - node.lineno + 1
        assert length <= FUNCTION, f'{node.name}: {length} lines'


@each(PACKAGE)
def test_arguments_of_constructors(path: Path) -> None:
    for node in functions(ast.parse(path.read_text())):
        if node.name == '__init__':
            number = len(node.args.args) - 1 + len(node.args.kwonlyargs)
            assert number <= ARGUMENTS, f'line {node.lineno}'


@each([*PACKAGE, *TOOLS])
def test_files_say_what_they_are_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def code_of(function: Function) -> Iterator[ast.stmt]:
    """Yield the statements of a function, without its docstring."""
    yield from function.body[ast.get_docstring(function) is not None :]


def runs(path: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield all runs of lines within functions, and where each is."""
    text = path.read_text()
    lines = [line.strip() for line in text.splitlines()]
    for function in functions(ast.parse(text)):
        body = list(code_of(function))
        if not body:
            continue
        numbers = range(body[0].lineno - 1, body[-1].end_lineno)
        kept = [n for n in numbers if any(map(str.isalnum, lines[n]))]
        for start in range(len(kept) - REPEATED + 1):
            run = kept[start : start + REPEATED]
            place = f'{name_of(path)}:{run[0] + 1}'
            yield tuple(lines[number] for number in run), place


def test_nothing_is_written_twice() -> None:
    found: dict[tuple[str, ...], set[str]] = {}
    for path in [*PACKAGE, *TOOLS]:
        for run, place in runs(path):
            found.setdefault(run, set()).add(place)
    twice = [sorted(places) for places in found.values() if len(places) > 1]
    assert not twice
