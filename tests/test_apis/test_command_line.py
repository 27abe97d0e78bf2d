"""The command line of all tools, without and with the slow imports."""

import argparse
import json
import re

import pytest
from mmengine.config import DictAction

from mmvit.apis.command_line import CommandLine, output_file, output_folder
from mmvit.apis.config import load_config, parse_cfg_options
from tests.support.helpers import ROOT, run_python

TOOLS = sorted(
    path.relative_to(ROOT / 'tools').as_posix()
    for path in (ROOT / 'tools').rglob('*.py')
)
MISTAKES = [
    (['train.py', 'gone.py'], 'no config at gone.py'),
    (['train.py', __file__, '--resume', 'gone.pth'], 'at gone.pth'),
    (['train.py', __file__, '--cfg-options', 'a'], 'a: write KEY=VALUE'),
    (['test.py', __file__, 'gone.pth'], 'no checkpoint at gone.pth'),
    (['test.py', __file__, __file__, '--out', 'x.json'], 'with .pkl'),
    (['infer.py', __file__, __file__, 'gone', '--out-dir', 'x'], 'gone'),
]
# Runs tools as scripts. Prints for each how it ended, what it printed and
# which of the slow packages are imported.
PROBE = """
import contextlib, io, json, runpy, sys
found = []
for tool, *args in json.loads(sys.argv[1]):
    sys.argv = [tool, *args]
    text, code = io.StringIO(), None
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        try:
            runpy.run_path(tool, run_name='__main__')
        except SystemExit as stop:
            code = stop.code
    slow = {'torch', 'mmengine', 'mmcv'} & set(sys.modules)
    found.append([code, text.getvalue(), sorted(slow)])
print(json.dumps(found))
"""


def probe(commands: list[list[str]]) -> list[list]:
    commands = [
        [str(ROOT / 'tools' / tool), *args] for tool, *args in commands
    ]
    done = run_python('-c', PROBE, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_help_has_examples_and_imports_nothing_slow() -> None:
    found = probe([[tool, '--help'] for tool in TOOLS])
    assert len(found) >= 19
    for tool, (code, text, slow) in zip(TOOLS, found):
        assert (code, slow) == (0, []), tool
        assert 'examples:' in text and f'python tools/{tool}' in text
        # One word for one thing
        options = dict(re.findall(r'^  (--[\w-]+)(.*)', text, re.MULTILINE))
        assert '--checkpoint' not in options, 'weights are positional'
        for name, value in options.items():
            if name.startswith('--out'):
                kind = dict([('--out', 'FILE'), ('--out-dir', 'DIR')])[name]
                assert value.split()[0].startswith(kind), tool


def test_mistakes_are_reported_before_anything_slow() -> None:
    found = probe([command for command, _ in MISTAKES])
    for (command, message), (code, text, slow) in zip(MISTAKES, found):
        assert (code, slow) == (2, []), command
        assert message in text


def parse(*args: str) -> argparse.Namespace:
    parser = CommandLine('What it does.', '  python tools/x.py')
    parser.add_shared('--cfg-options', '--device')
    return parser.parse_args(args)


OPTIONS = [
    *('a=1', 'b.c=x', 'd=[1,2]', 'e=(1,[2,x])', 'f=None', 'g=True'),
    *('h=1e-3', 'i=1,2', 'j=k=l', "m='n'", 'o='),
]


def test_cfg_options_mean_what_they_do_in_mmengine() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    twice = ['--cfg-options', *OPTIONS, '--cfg-options', 'a=2', 'p=q']
    expected = parser.parse_args(twice).cfg_options
    assert parse_cfg_options(parse(*twice).cfg_options) == expected
    assert expected['a'] == 2 and expected['e'] == (1, [2, 'x'])


def test_cfg_options_change_a_config(tmp_path) -> None:
    path = tmp_path / 'config.py'
    path.write_text('a = dict(b=1, c=[dict(d=1)])')
    given = parse('--cfg-options', 'a.b=2', 'a.c.0.d=[3,4]').cfg_options
    cfg = load_config(str(path), given)
    assert cfg.a == dict(b=2, c=[dict(d=[3, 4])])
    assert load_config(str(path), parse().cfg_options).a.b == 1


@pytest.mark.parametrize('entry', ['a', '=1', 'a:1'])
def test_cfg_options_without_a_key_or_value(entry: str, capsys) -> None:
    with pytest.raises(SystemExit):
        parse('--cfg-options', 'b=1', entry)
    assert (
        f'--cfg-options: {entry}: write KEY=VALUE' in capsys.readouterr().err
    )


def test_output_files(tmp_path) -> None:
    kind = output_file('.png', '.jpg')
    assert kind('a/b.PNG') == 'a/b.PNG'
    with pytest.raises(argparse.ArgumentTypeError, match=r'\.png or \.jpg'):
        kind('a/b.gif')
    assert kind(str(tmp_path / 'new/x.png')), 'a folder that can be made'
    (tmp_path / 'file').touch()
    with pytest.raises(argparse.ArgumentTypeError, match='file is no folder'):
        kind(str(tmp_path / 'file/x.png'))
    with pytest.raises(argparse.ArgumentTypeError, match='cannot be written'):
        kind('/proc/x.png')  # root may write there, and nothing can be
    for path in (tmp_path / 'file', '/proc/x'):
        with pytest.raises(argparse.ArgumentTypeError, match='no folder'):
            output_folder(str(path))
    assert output_folder(str(tmp_path)) and output_folder('new')
    assert not (ROOT / 'new').exists()
    (tmp_path / 'x.png').mkdir()
    with pytest.raises(argparse.ArgumentTypeError, match='is a folder'):
        kind(str(tmp_path / 'x.png'))


def test_a_shape_is_a_side_or_height_and_width(capsys) -> None:
    parser = CommandLine('What it does.', '')
    parser.add_shared('--shape')
    assert parser.parse_args(['--shape', '32']).shape == (32, 32)
    assert parser.parse_args(['--shape', '32', '48']).shape == (32, 48)
    with pytest.raises(SystemExit):
        parser.parse_args(['--shape', '32', '48', '3'])
    assert '--shape: give one side' in capsys.readouterr().err
