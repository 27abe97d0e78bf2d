"""The documentation's links, paths, pictures and example; needs no Sphinx."""

import re
import runpy
from pathlib import Path

import pytest
import setuptools
import torch

from mmvit.models import PyramidBackbone
from mmvit.registry import MODELS
from tests.support.helpers import ROOT
from tests.support.pages import DOCS, PAGES, blocks

FILES = [
    ROOT / 'README.md',
    ROOT / 'CONTRIBUTING.md',
    ROOT / 'CHANGELOG.md',
    *PAGES,
    *sorted((ROOT / 'configs').rglob('README.md')),
]
LINK = re.compile(r'\]\(([^)\s]+)\)')
# A path under a folder of ours.
PATH = re.compile(
    r'(?<![\w/.:-])((?:tools|configs|tests|mmvit|docs)/[\w./{},*<>-]*[\w>}])'
)
# What the pages tell the reader to create.
HYPOTHETICAL = (
    'configs/own',
    'configs/depthwise_net',
    'mmvit/models/backbones/depthwise_net.py',
    'docs/en/_build',
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


each_file = pytest.mark.parametrize('path', FILES, ids=name_of)


def anchors(path: Path) -> set[str]:
    """Headings as MyST and GitHub make anchors of them, and own targets."""
    text = path.read_text(encoding='utf-8')
    without_code = re.sub(r'```.*?```', '', text, flags=re.S)
    headings = re.findall(r'^#+ (.*)$', without_code, re.M)
    slugs = {
        re.sub(r'[^\w\- ]', '', heading.lower()).strip().replace(' ', '-')
        for heading in headings
    }
    return slugs | set(re.findall(r'^\(([\w-]+)\)=$', text, re.M))


def alternatives(name: str) -> list[str]:
    """'a/{b,c}.py' -> ['a/b.py', 'a/c.py']."""
    match = re.fullmatch(r'(.*?){(.*?)}(.*)', name)
    if not match:
        return [name]
    before, middle, after = match.groups()
    return [
        one
        for part in middle.split(',')
        for one in alternatives(before + part + after)
    ]


def test_files_are_found():
    assert len(PAGES) > 10
    assert all(path.is_file() for path in FILES)


@each_file
def test_relative_links(path):
    links = [
        link
        for link in LINK.findall(path.read_text(encoding='utf-8'))
        if '://' not in link
    ]
    for link in links:
        target, _, anchor = link.partition('#')
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), link
        if anchor:
            assert anchor in anchors(file), link


@each_file
def test_named_paths(path):
    text = path.read_text(encoding='utf-8')
    # Addresses have paths too, and a link is tested above.
    text = re.sub(r'https?://\S+', '', LINK.sub('', text))
    for name in set(PATH.findall(text)):
        if not name.startswith(HYPOTHETICAL):
            for one in alternatives(name):
                # A placeholder in <> stands for any name.
                pattern = re.sub('<.*?>', '*', one)
                assert list(ROOT.glob(pattern)), one


@each_file
def test_rows_belong_to_a_table(path):
    for paragraph in path.read_text(encoding='utf-8').split('\n\n'):
        first, *rest = paragraph.strip('\n').splitlines() or ['']
        if first.startswith('|'):
            assert rest[0].startswith('| ---'), first


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_commands_fit_the_page(page):
    for block in blocks(page, 'bash'):
        for line in block.splitlines():
            # An address cannot be broken.
            assert len(line) <= 88 or line.lstrip().startswith('http'), line


def test_every_page_is_in_the_toctree():
    index = (DOCS / 'index.md').read_text(encoding='utf-8')
    trees = re.findall(r'```{toctree}\n(.*?)```', index, re.S)
    listed = {
        line.strip()
        for tree in trees
        for line in tree.splitlines()
        if line.strip() and not line.startswith(':')
    }
    names = {
        page.relative_to(DOCS).with_suffix('').as_posix() for page in PAGES
    }
    assert listed == names - {'index'}


def test_pictures_are_used_and_small():
    text = ''.join(path.read_text(encoding='utf-8') for path in FILES)
    for picture in (DOCS / 'images').iterdir():
        assert f'images/{picture.name}' in text
        assert picture.stat().st_size < 150_000, picture.name


def test_badges_are_true(monkeypatch):
    asked = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **kw: asked.update(kw))
    runpy.run_path(str(ROOT / 'setup.py'))
    shown = {
        path.stem: re.search('<title>(.*)</title>', path.read_text())[1]
        for path in (DOCS / 'images').glob('badge-*.svg')
    }
    python = asked['python_requires'].removeprefix('>=')
    (torch_range,) = (
        requirement.removeprefix('torch')
        for requirement in asked['install_requires']
        if requirement.startswith('torch>')
    )
    low, above = re.fullmatch(r'>=2\.(\d+),<2\.(\d+)', torch_range).groups()
    licence = asked['license'].removesuffix('.0').replace(' License', '')
    assert shown == {
        'badge-python': f'Python: {python} or newer',
        'badge-torch': f'PyTorch: 2.{low} to 2.{int(above) - 1}',
        'badge-licence': f'licence: {licence}.0',
    }


def test_the_new_backbone_of_the_guide_works():
    text = (DOCS / 'add_a_backbone.md').read_text(encoding='utf-8')
    source = re.search(r'```python\n(.*?)```', text, re.S).group(1)
    before = set(MODELS.module_dict)
    scope = dict(
        __name__='mmvit.models.backbones.example',
        __package__='mmvit.models.backbones',
    )
    try:
        exec(compile(source, 'add_a_backbone.md', 'exec'), scope)
        (name,) = set(MODELS.module_dict) - before
        model = MODELS.build(dict(type=f'mmvit.{name}'))
    finally:
        for added in set(MODELS.module_dict) - before:
            del MODELS.module_dict[added]
    assert isinstance(model, PyramidBackbone)
    outs = model.eval()(torch.rand(1, 3, 65, 97))
    assert [out.shape[2:] for out in outs] == [
        (17, 25),
        (9, 13),
        (5, 7),
        (3, 4),
    ]
