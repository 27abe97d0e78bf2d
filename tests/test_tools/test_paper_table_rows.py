"""tools/dev/paper_table.py --rows on a made-up family."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support.helpers import load_tool

paper_table = load_tool('dev/paper_table')
LIBRARY = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'


def result(task: str, rows: dict, **metrics: float) -> dict:
    found = {'Task': task, 'Dataset': 'COCO', 'Metrics': metrics}
    return found | ({'Paper Rows': rows} if rows else {})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A family with rows of our config, of a library's, and of none."""
    own = {'Row': 'Toy, printed twice', 'box': 2.5, 'FPS': 9}
    boxes = {'Table 1': {'Row': 'Toy'}, 'Table 2': own}
    masks = {'Table 1': {'Row': 'Toy'}}
    models = [
        dict(
            Name='a',
            Config='configs/toy/a.py',
            Metadata={'Parameters': 1},
            Results=[
                result('Object Detection', boxes, box=2.0),
                result('Instance Segmentation', masks, mask=1.0),
                result('Object Detection', {}, box=7.0),
            ],
        ),
        dict(
            Name='b',
            Config='configs/toy/a.py',
            Metadata={'Parameters': 1},
            Results=None,
        ),
    ]
    others = [
        dict(
            Name=name,
            Config=config,
            Metadata={'Paper Table': 'Table 3'},
            Results=[result('x', {'Table 3': {'Row': name}}, box=3.0)],
        )
        for name, config in (('r50', LIBRARY), ('nowhere', None))
    ]
    folder = tmp_path / 'configs/toy'
    folder.mkdir(parents=True)
    (folder / 'a.py').touch()
    content = dict(Models=models, Baselines=others)
    (folder / 'metafile.yml').write_text(yaml.dump(content))
    return tmp_path


def test_rows_and_their_configs(root: Path, capsys) -> None:
    assert paper_table.main(['--root', str(root), '--rows', '--json']) == 0
    found, message = capsys.readouterr()
    rows = json.loads(found)
    assert [(row['table'], row['name'], row['config']) for row in rows] == [
        ('Table 1', 'Toy', 'configs/toy/a.py'),
        ('Table 2', 'Toy, printed twice', 'configs/toy/a.py'),
        ('Table 3', 'r50', LIBRARY),
        ('Table 3', 'nowhere', None),
    ]
    # Boxes and masks are one row; a table may have figures of its own.
    assert [row['figures'] for row in rows[:2]] == [
        dict(box=2.0, mask=1.0),
        dict(box=2.5, FPS=9),
    ]
    assert message == (
        '4 rows: 2 with a config of ours, 1 with one of a library, 1 without\n'
    )


def test_rows_as_text(root: Path, capsys) -> None:
    command = ['toy', '--root', str(root), '--rows', '--only', 'r50|now']
    assert paper_table.main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ['toy', 'Table', '3', 'r50', 'COCO'] + [
        *('box', '3.0', LIBRARY)
    ]
    assert lines[2].endswith('none')


def test_row_without_a_name(root: Path, capsys) -> None:
    path = root / 'configs/toy/metafile.yml'
    path.write_text(path.read_text().replace('Row: r50', 'Raw: r50'))
    assert paper_table.main(['--root', str(root), '--rows']) == 2
    assert 'r50 has no Row for Table 3' in capsys.readouterr().err


@pytest.mark.parametrize('other', ['--markdown', '--write'])
def test_rows_are_only_listed(root: Path, capsys, other: str) -> None:
    with pytest.raises(SystemExit):
        paper_table.main(['--root', str(root), '--rows', other])
    assert '--rows goes with neither' in capsys.readouterr().err


def test_models_of_libraries_are_counted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / 'configs/toy/metafile.yml'
    rows = paper_table.read_rows(path, root)
    assert [row.config for row in rows] == [
        str(root / 'configs/toy/a.py')
    ] * 2 + [LIBRARY]
    loaded = []
    monkeypatch.setattr(paper_table, 'load_config', loaded.append)
    with pytest.raises(AttributeError):
        paper_table.Counts().fill(rows[-1], with_flops=False)
    assert loaded == [LIBRARY]
