"""tools/dev/paper_table.py on a family of tiny models."""

import json
from pathlib import Path

import pytest
import yaml

from mmvit.analysis.flops import Complexity, count_complexity
from mmvit.apis.config import build_model
from tests.support.helpers import ROOT, load_tool
from tests.support.tiny import tiny_config

paper_table = load_tool('dev/paper_table')
SIZE = (64, 64)


@pytest.fixture(scope='module')
def exact() -> Complexity:
    """Count the model of the family."""
    return count_complexity(build_model(tiny_config('cls', 'nowhere')), SIZE)


@pytest.fixture
def family(tmp_path: Path, config, exact: Complexity):
    """Write configs/toy with a metafile: family(**changes of Metadata)."""

    def write(**changes) -> Path:
        for name in ('a', 'b'):
            config('cls', f'configs/toy/{name}.py')
        facts = {
            'Parameters': exact.params,
            'FLOPs': exact.flops,
            'Input Size': list(SIZE),
            'Paper Table': 'Table 2, Table 9',
            'Paper Parameters (M)': exact.params / 1e6,
            'Paper FLOPs (G)': exact.flops / 1e9,
        }
        changed = {**facts, **changes}
        changed = {k: v for k, v in changed.items() if v is not None}
        not_printed = {'Parameters': 1, 'FLOPs': 2, 'Input Size': [32, 32]}
        models = [
            dict(Name='a', Config='configs/toy/a.py', Metadata=changed),
            dict(Name='b', Config='configs/toy/b.py', Metadata=facts),
            dict(Name='c', Config='configs/toy/b.py', Metadata=not_printed),
        ]
        (tmp_path / 'configs/toy/metafile.yml').write_text(
            '# a remark\n' + yaml.dump(dict(Models=models), sort_keys=False)
        )
        return tmp_path

    return write


def test_paper_table_agrees(family, capsys, monkeypatch) -> None:
    built = []
    monkeypatch.setattr(
        paper_table,
        'build_model',
        lambda cfg: built.append(cfg) or build_model(cfg),
    )
    assert paper_table.main(['--root', str(family()), '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row['name'] for row in found['rows']] == ['a', 'b']
    row = found['rows'][0]
    assert row['paper_table'] == 'Table 2, Table 9'
    assert row['params']['ours'] == row['params']['paper'] * 1e6
    assert row['multiply_adds']['difference_percent'] == pytest.approx(0)
    # a and b share their model
    assert len(built) == 1


def test_paper_table_fails_beyond_the_tolerance(family, exact, capsys) -> None:
    root = str(family(**{'Paper Parameters (M)': exact.params / 0.8e6}))
    assert paper_table.main(['--root', root]) == 1
    output = capsys.readouterr()
    assert (
        'a: #Params' in output.err
        and 'without a Paper Deviation' in output.err
    )
    assert 'b:' not in output.err
    assert paper_table.main(['toy', '--root', root, '--tolerance', '30']) == 0
    capsys.readouterr()
    root = str(
        family(
            **{
                'Paper Parameters (M)': exact.params / 0.8e6,
                'Paper Deviation': 'the paper left the head out',
            }
        )
    )
    assert paper_table.main(['--root', root]) == 0
    assert 'the paper left the head out' in capsys.readouterr().out


def test_paper_table_leaves_out_what_the_paper_does(
    family, exact, capsys
) -> None:
    left = exact.flops - exact.attention_flops
    assert 0 < left < exact.flops
    strict = ['--tolerance', '1e-6', '--root']
    changes = {'Paper FLOPs (G)': left / 1e9}
    assert paper_table.main([*strict, str(family(**changes))]) == 1
    capsys.readouterr()
    rule = {'Paper FLOPs Rule': 'without attention products'}
    root = str(family(**changes, **rule))
    assert paper_table.main([*strict, root]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert '+0.00 %  ok (without attention products;' in line
    root = str(family(**changes, **{'Paper FLOPs Rule': 'backbone only'}))
    assert paper_table.main(['--root', root]) == 2
    assert "a has Paper FLOPs Rule: 'backbone only'" in capsys.readouterr().err


def test_paper_table_counts_flops_where_printed(family, capsys) -> None:
    root = str(family(**{'Paper FLOPs (G)': None}))
    assert paper_table.main(['--root', root, '--json']) == 0
    rows = json.loads(capsys.readouterr().out)['rows']
    assert [row['multiply_adds']['ours'] is None for row in rows] == [
        True,
        False,
    ]


def test_paper_table_brings_the_metafile_up_to_date(family, capsys) -> None:
    root = family(**{'Parameters': 7, 'FLOPs': 8.5})
    path = root / 'configs/toy/metafile.yml'
    before = path.read_text()
    assert paper_table.main(['--root', str(root)]) == 1
    assert 'metafile lists #Params 7' in capsys.readouterr().err
    assert path.read_text() == before
    assert paper_table.main(['--root', str(root), '--write']) == 0
    after = path.read_text()
    found = [model['Metadata'] for model in yaml.safe_load(after)['Models']]
    assert found[0] == found[1]
    assert (found[2]['Parameters'], found[2]['FLOPs']) == (1, 2)
    changed = set(before.splitlines()) ^ set(after.splitlines())
    assert len(changed) == 2 and after.startswith('# a remark\n')
    # c is counted only when asked for
    assert paper_table.main(['--root', str(root), '--all', '--write']) == 0
    found = yaml.safe_load(path.read_text())['Models'][2]['Metadata']
    assert found['Parameters'] > 1000 and found['FLOPs'] > 1000


def test_paper_table_for_a_readme(family, capsys) -> None:
    root = str(family(**{'Paper Deviation': 'rounded'}))
    assert paper_table.main(['--root', root, '--markdown']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith('| [a [1]](a.py) | Table 2, Table 9 | ')
    assert lines[-1] == '[1] a: rounded'
    assert len({line.count('|') for line in lines[:4]}) == 1


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (('Config: configs/toy/a.py', 'Config: configs/toy/z.py'), 'z.py'),
        (('Config: configs/toy/a.py', 'Confg: x'), 'a has no Config'),
        (('Name: a', 'Nam: a'), 'has no Name'),
        (('Input Size:', 'Input Sice:'), 'no Input Size'),
        (('Paper FLOPs (G): ', 'Paper FLOPs (G): about '), 'about'),
        (('Models:', 'Modells:'), 'has no Models'),
        (('Models:', 'Models: ]'), 'is not YAML'),
    ],
)
def test_paper_table_names_what_is_missing(
    family, capsys, change: tuple[str, str], message: str
) -> None:
    root = family()
    path = root / 'configs/toy/metafile.yml'
    path.write_text(path.read_text().replace(*change))
    assert paper_table.main(['--root', str(root)]) == 2
    assert message in capsys.readouterr().err


def test_paper_table_names_the_families(family, capsys) -> None:
    assert paper_table.main(['tie', '--root', str(family())]) == 2
    assert 'families with a metafile: toy' in capsys.readouterr().err
    assert paper_table.main(['--root', str(ROOT / 'docs')]) == 2
    assert 'no configs/*/metafile.yml' in capsys.readouterr().err


@pytest.mark.slow
def test_counts_of_the_repository_are_near_those_of_the_papers(capsys) -> None:
    # All rows take too long for a test: one of each kind of detector, and
    # the sizes of the classifiers.
    kinds = r'^(mask-rcnn|retinanet|fpn)_pvt-t_(?!.*-3x)|^upernet_scal.*-s_'
    sizes = r'^(pvt|pale|scalablevit|focal|hlg)-(mobile|[tsmbl])_.*_in1k$'
    only = f'--only={kinds}|{sizes}'
    assert paper_table.main([only]) == 0, capsys.readouterr().err
    assert len(capsys.readouterr().out.splitlines()) > 20


def test_paper_table_of_some_rows(family, capsys) -> None:
    root = str(family(**{'Paper Deviation': 'rounded'}))
    assert paper_table.main(['--root', root, '--only', '^a$', '--json']) == 0
    rows = json.loads(capsys.readouterr().out)['rows']
    assert [row['name'] for row in rows] == ['a']
    assert paper_table.main(['--root', root, '--only', 'none of these']) == 2
    assert 'no model to compare' in capsys.readouterr().err
