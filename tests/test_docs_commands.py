"""The commands of the pages: those for data run, the others are parsed."""

import re
import shutil
import sys
from types import ModuleType

import pytest

from tests.support.archives import write_archives
from tests.support.helpers import ROOT, load_tool
from tests.support.pages import (
    DOCS,
    PAGES,
    Shell,
    blocks,
    command_lines,
    stand_ins,
)

DATA_PAGES = {
    'imagenet': 'imagenet',
    'imagenet21k': 'imagenet21k',
    'imagenet_v2': 'imagenet-v2',
    'token_label_maps': 'token-labels',
    'coco': 'coco',
    'ade20k': 'ade20k',
    'cityscapes': 'cityscapes',
    'pascal_context': 'pascal-context',
}
BY_HAND = ('imagenet', 'imagenet21k', 'cityscapes')  # need registration
READMES = sorted(ROOT.glob('configs/*/README.md'))
LARGE = ('imagenet', 'imagenet_v2', 'token_label_maps')  # 1,000 classes
SAMPLES = re.compile(r'^(\w+): \d+ samples, (\w+ classes)$', re.M)


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A shell in a folder like the repository's."""
    (tmp_path / 'repo').mkdir()
    monkeypatch.chdir(tmp_path / 'repo')
    return Shell(tmp_path / 'repo', tmp_path / 'archives')


@pytest.fixture
def cityscapesscripts(monkeypatch):
    """Stands for the package whose drawing mmseg's converter uses."""
    drawn = []
    name = 'cityscapesscripts'
    for part in ('', '.preparation', '.preparation.json2labelImg'):
        module = ModuleType(name + part)
        module.json2labelImg = lambda *args: drawn.append(args)
        monkeypatch.setitem(sys.modules, name + part, module)
    return drawn


def test_each_data_set_has_a_page():
    names = {path.stem for path in (DOCS / 'data').glob('*.md')}
    assert names == {*DATA_PAGES, 'overview'}
    assert list(load_tool('prepare_data').DATASETS) == list(
        DATA_PAGES.values()
    )


@pytest.mark.parametrize(
    'page',
    [
        pytest.param(page, marks=[pytest.mark.slow] if page in LARGE else [])
        for page in DATA_PAGES
    ],
)
def test_commands_for_data_run(
    page, shell, cityscapesscripts, fresh_runs, capsys
):
    write_archives(DATA_PAGES[page], shell.archives)
    downloads = shell.folder / 'downloads'
    if page in BY_HAND:
        shutil.copytree(shell.archives, downloads)
    if page == 'token_label_maps':
        # Its page says that ImageNet is needed, too.
        write_archives('imagenet', downloads)
        for line in command_lines(DOCS / 'data/imagenet.md'):
            if 'prepare_data' in line:
                shell.run(line)
    for line in command_lines(DOCS / f'data/{page}.md'):
        shell.run(line)
    printed = SAMPLES.findall(capsys.readouterr().out)
    wanted = SAMPLES.findall(
        '\n'.join(blocks(DOCS / f'data/{page}.md', 'text'))
    )
    assert printed == wanted and wanted
    assert (page == 'cityscapes') == bool(cityscapesscripts)


def test_numbers_of_samples_are_those_of_the_tool():
    datasets = load_tool('prepare_data').DATASETS
    numbers = {
        number
        for dataset in datasets.values()
        for archives in dataset.parts.values()
        for archive in archives
        for number in archive.numbers.values()
    }
    # train + val + train_extra of Cityscapes; test-dev of COCO; the lists of
    # Pascal Context, which add up to its maps; ImageNet-22K's images
    numbers |= {2975 + 500 + 19998, 20288, 4998, 10103 - 4998, 14197122}
    for page in DATA_PAGES:
        text = '\n'.join(blocks(DOCS / f'data/{page}.md', 'text'))
        for number in re.findall(r'(\d+) samples', text):
            assert int(number) in numbers, number


def parse(shell: Shell, line: str) -> tuple:
    """Parse a command with the parser of its tool."""
    program, script, *args = shell.words(line)
    if program == 'bash':
        script, processes = 'tools/train.py', args.pop(1)
        assert processes.isdigit()
    stand_ins(shell.folder, [script, *args])
    name = script.removeprefix('tools/').removesuffix('.py')
    return name, load_tool(name).parse_args(args)


@pytest.mark.parametrize(
    'page', [*PAGES, *READMES], ids=lambda path: '/'.join(path.parts[-2:])
)
def test_commands_of_our_tools_are_parsed(page, shell):
    language = 'shell' if page in READMES else 'bash'
    for line in command_lines(page, language):
        if line.startswith('python tools/') and '$' not in line:
            if 'depthwise_net' in line or 'configs/own/' in line:
                continue  # files that the page lets the reader write
            parse(shell, line)


@pytest.mark.parametrize('page', PAGES, ids=lambda path: path.stem)
def test_options_in_tables_exist(page, capsys):
    """They are those of the tool that was named last."""
    text = page.read_text(encoding='utf-8')
    for table in re.finditer(r'^\| option \|.*\n((?:\|.*\n)+)', text, re.M):
        tool = re.findall(r'tools/([\w/]+)\.py', text[: table.start()])[-1]
        with pytest.raises(SystemExit):
            load_tool(tool).parse_args(['--help'])
        known = re.findall(r'--[\w-]+', capsys.readouterr().out)
        cells = [row.split('|')[1] for row in table[1].splitlines()]
        assert set(re.findall(r'--\w[\w-]*', ' '.join(cells))) <= {*known}
