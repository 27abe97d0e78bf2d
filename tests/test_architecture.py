"""Who may import whom; docs/en/architecture.md draws it."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = sorted((ROOT / 'mmvit').rglob('*.py'))
TOOLS = sorted((ROOT / 'tools').rglob('*.py'))
LAYERS = 'mmvit.models.layers'
BACKBONES = 'mmvit.models.backbones'
# What the files of a folder (or a file) may import, besides Python's own
# modules and their own folder. The longest name that fits a file decides.
RULES = {
    'mmvit': (
        *('mmvit.on_import', 'mmvit.stack', 'mmvit.version', 'mmvit.names'),
        # While a type checker reads it
        *('mmvit.registry', 'mmvit.apis'),
    ),
    'mmvit.on_import': ('torch', 'mmvit.additions', 'mmvit.operators'),
    'mmvit.additions': ('mmengine', 'mmvit.checkpoints', 'mmvit.names'),
    'mmvit.names': ('yaml',),
    'mmvit.operators': (
        *('mmcv.ops', 'numpy', 'torch', 'torchvision'),
        'mmvit.stack',
    ),
    'mmvit.stack': (),
    'mmvit.version': (),
    'mmvit.registry': ('mmengine', 'mmvit.stack'),
    'mmvit.checkpoints': (
        *('filelock', 'gdown', 'mmengine', 'numpy', 'safetensors', 'torch'),
        *('yaml', 'mmvit.utils.log', 'mmvit.utils.paths'),
        *('mmvit.utils.text', 'mmvit.version'),
    ),
    LAYERS: ('mmcv.cnn', 'mmengine', 'torch'),
    'mmvit.models': (
        *(BACKBONES, 'mmvit.models.decode_heads'),
        *('mmvit.models.test_time_augs', 'mmvit.models.token_labels'),
    ),
    f'{BACKBONES}.base': ('mmengine', 'torch', LAYERS, 'mmvit.checkpoints'),
    f'{BACKBONES}.pyramid': ('torch', LAYERS, f'{BACKBONES}.base'),
    BACKBONES: (
        *('mmcv.cnn', 'mmengine', 'torch'),
        *(LAYERS, 'mmvit.registry'),
        *(f'{BACKBONES}.base', f'{BACKBONES}.pyramid'),
    ),
    'mmvit.models.decode_heads': (
        *('mmcv.cnn', 'mmengine', 'torch'),
        *('mmdet', 'mmpretrain', 'mmseg'),
        *(LAYERS, 'mmvit.registry'),
    ),
    'mmvit.models.test_time_augs': (
        *('mmcv.ops', 'mmdet', 'mmengine', 'mmseg', 'torch'),
        'mmvit.registry',
    ),
    'mmvit.models.token_labels': (
        *('mmengine', 'numpy', 'torch', 'torchvision'),
        *(LAYERS, 'mmvit.registry'),
    ),
    'mmvit.datasets': (
        *('mmcv', 'mmengine', 'torch'),
        *('mmvit.checkpoints', 'mmvit.registry'),
    ),
    'mmvit.utils': (
        *('mmengine', 'mmvit.operators', 'mmvit.stack', 'mmvit.version'),
        'mmvit.registry',
    ),
    # No third party: a tool answers --help before it imports torch.
    'mmvit.apis.command_line': ('mmvit.names',),
    'mmvit.apis': (
        *('mmcv', 'mmengine', 'numpy', 'PIL', 'torch', 'torchvision'),
        'yaml',
        *('mmvit.checkpoints', 'mmvit.engine.guards'),
        *('mmvit.additions', 'mmvit.names', 'mmvit.registry', 'mmvit.utils'),
        'mmvit.visualization',
    ),
    'mmvit.analysis': ('mmengine', 'torch', 'torchvision'),
    'mmvit.visualization': (
        *('cv2', 'matplotlib', 'mmcv', 'mmengine', 'numpy', 'PIL'),
        'mmvit.utils',
    ),
    'mmvit.engine': (
        *('mmcv', 'mmengine', 'numpy', 'torch'),
        *('mmvit.checkpoints', 'mmvit.registry', 'mmvit.utils'),
        *('mmvit.stack', 'mmvit.version', 'mmvit.visualization'),
        *('PIL', 'pycocotools'),
    ),
}

# From top to bottom, as docs/en/architecture.md draws them: a part imports
# none that stands above it, so that there is no circle.
ORDER = (
    *('apis', 'analysis', 'engine', 'visualization', 'models', 'datasets'),
    *('on_import', 'additions', 'checkpoints', 'utils', 'registry'),
    *('names', 'operators', 'stack', 'version'),
)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(part for part in parts if part != '__init__')


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize('path', paths, ids=module_of)


def within(module: str, folder: str) -> bool:
    return f'{module}.'.startswith(f'{folder}.')


def imports(path: Path) -> Iterator[str]:
    """Full names of what a file imports, its own package's included."""
    package = module_of(path).split('.')
    if path.name != '__init__.py':
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level]
            base = '.'.join(
                (above if node.level else []) + (node.module or '').split('.')
            ).strip('.')
            yield from (f'{base}.{alias.name}' for alias in node.names)


def test_imports_are_read():
    found = set(imports(ROOT / 'mmvit/models/backbones/pvt.py'))
    assert {
        'torch',
        'mmvit.registry.MODELS',
        f'{LAYERS}.PatchEmbed',
        f'{BACKBONES}.pyramid.PyramidBackbone',
    } <= found
    assert 'mmvit.checkpoints.published.pvt' in set(
        imports(ROOT / 'mmvit/checkpoints/published/__init__.py')
    )
    assert len(PACKAGE) > 25 and len(TOOLS) > 5


@each(PACKAGE)
def test_import_rules(path: Path):
    module = module_of(path)
    home = max((folder for folder in RULES if within(module, folder)), key=len)
    allowed = RULES[home]
    if path.name == '__init__.py' or home not in ('mmvit', BACKBONES):
        allowed = (*allowed, home)
    for name in imports(path):
        if name.partition('.')[0] in sys.stdlib_module_names:
            continue
        assert any(within(name, folder) for folder in allowed), (
            f'{module} may not import {name}'
        )


@each(PACKAGE)
def test_no_import_goes_up(path: Path):
    def place(module: str) -> int:
        # The package itself may be imported by none, and imports the lowest.
        part = f'{module}.'.split('.')[1]
        return ORDER.index(part) if part in ORDER else -1

    for name in imports(path):
        if within(name, 'mmvit'):
            assert place(module_of(path)) <= place(name), name


def test_the_picture_shows_the_order():
    text = (ROOT / 'docs/en/architecture.md').read_text()
    shown = re.findall(r'^ │  (?:  )?(\w+) ', text, re.MULTILINE)
    assert [name for name in shown if name in ORDER] == list(ORDER[:-1])
    folders = {p.parent.name for p in (ROOT / 'mmvit').glob('*/__init__.py')}
    assert folders <= set(ORDER)


@each(TOOLS)
def test_tools_know_no_model_but_the_skeleton(path: Path):
    known = {name for name in imports(path) if within(name, 'mmvit.models')}
    assert known <= {'mmvit.models.PyramidBackbone'}


@each([*PACKAGE, *TOOLS])
def test_nothing_imports_tools_or_tests(path: Path):
    tools = {'tools', 'tests'}
    assert not tools & {name.partition('.')[0] for name in imports(path)}


@each([*PACKAGE, *TOOLS])
def test_no_import_inside_a_function_without_a_reason(path: Path):
    lines = path.read_text().splitlines()
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for node in ast.walk(function):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                before = lines[node.lineno - 2].strip()
                here = lines[node.lineno - 1]
                assert before.startswith('#') or '  # ' in here, (
                    f'{path}:{node.lineno}'
                )


@each(PACKAGE)
def test_the_package_logs_and_does_not_print(path: Path):
    tree = ast.parse(path.read_text())
    # What runs only as a command may print.
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and '__main__' in ast.dump(node.test))
    ]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert 'print' not in {
        node.func.id for node in calls if isinstance(node.func, ast.Name)
    }
