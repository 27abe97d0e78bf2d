"""The commands of the pages on weights and rows run on small data."""

import argparse
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torchvision.models import resnet18

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import guard_loading
from mmvit.checkpoints.released import released_files
from mmvit.registry import MODELS
from tests.support.archives import picture
from tests.support.helpers import ROOT, losses
from tests.support.page_runs import (
    SMALL,
    SmallRuns,
    mirror,
    published_weights,
    write_page_data,
)
from tests.support.pages import DOCS, blocks, command_lines
from tests.test_checkpoints.test_published.published import (
    pvt_shapes,
    random_weights,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the data, and the environment of a zoo nearby."""
    folder = tmp_path_factory.mktemp('prepared')
    write_page_data(folder / 'data')
    with mirror() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv('MMVIT_HOME', str(folder / 'home'))
        patch.setenv('MMVIT_ZOO_MIRROR', server.address)
        yield folder


@pytest.fixture
def shell(
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fresh_runs: Callable,
    plain_dumps: None,
    no_sync: None,
) -> SmallRuns:
    """A shell in a folder like the repository's, with data."""
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data').mkdir()
    for path in (prepared / 'data').iterdir():
        (tmp_path / 'data' / path.name).symlink_to(path)
    return SmallRuns(tmp_path, fresh_runs)


def run_text(page: str, number: int) -> dict:
    """Execute a python block of a page; returns what it assigns."""
    names = {}
    exec(blocks(DOCS / page, 'python')[number], names)
    return names


def is_training(line: str) -> bool:
    """Whether a command trains, or uses what was trained on the page."""
    used = 'work_dirs' in line or line.startswith('mkdir')
    return used or 'train' in line.split()[1]


def in_one_line(text: str) -> str:
    """Join the lines of an output, which are broken on the page."""
    return ' '.join(text.split())


def test_rows_are_evaluated(shell, capsys):
    page = DOCS / 'reproduce.md'
    for line in command_lines(page):
        if 'benchmark' not in line and not is_training(line):
            shell.run(line)
        for config, word in re.findall(r'(configs/\S+) +mmvit://(\S+)', line):
            assert config == f'configs/{released_files()[word].config}'
    text = capsys.readouterr().out
    printed = re.findall(r'^Result of (\S+):\n((?:  .*\n)+)', text, re.M)
    assert len(printed) == 5
    (example,) = (b for b in blocks(page, 'text') if 'Result' in b)
    (name,) = re.findall(r'Result of (\S+):', example)
    keys = re.findall(r'^  (\S+): ', example, re.M)
    metrics = dict(printed)[name]
    assert all(f'  {key}: ' in metrics for key in keys) and keys
    for _, metrics in printed:
        key = metrics.split(':')[0].strip()
        assert f'`{key}`' in page.read_text() or key == 'aAcc'


def test_rows_are_trained(shell):
    for line in command_lines(DOCS / 'reproduce.md'):
        if is_training(line):
            shell.run(line)
    made = {p.parent.name for p in Path('work_dirs').glob('*/*.pth')}
    assert len(made) == 7 and 'mask-rcnn_pale-t_fpn_1x_coco' in made


CONVERTER = 'tools/model_converters/convert_checkpoint.py'
PUBLISHED_AS = {
    'retinanet_pvt_s.pth': 'retinanet_pvt-s_fpn_1x_coco',
    'focal-tiny-is224-ws7.pth': 'focal-t_in1k',
    'scalablevit_s.pth': 'scalablevit-s_in1k',
    'hlg_small.pth': 'hlg-t_in1k',
    'setr_mla.pth': 'setr-mla_vit-l_80k_cityscapes',
}


def test_weights_are_converted(shell, capsys):
    page = DOCS / 'convert_checkpoints.md'
    # The page tells how many tensors the first one has.
    torch.save(random_weights(pvt_shapes('small')), 'pvt_small.pth')
    for file, name in PUBLISHED_AS.items():
        torch.save(published_weights(name), file)
    shell.whole = True
    for line in command_lines(page):
        shell.run(line)
    text = in_one_line(capsys.readouterr().out)
    converted, refused = map(in_one_line, blocks(page, 'text'))
    assert converted in text and 'accuracy/top1: ' in text
    weights = [word for line in command_lines(page) for word in line.split()]
    assert set(PUBLISHED_AS) <= set(weights)
    assert all(Path(w).exists() for w in weights if w.endswith('.pth'))
    torch.save(resnet18().state_dict(), 'resnet18.pth')
    with pytest.raises(SystemExit) as end:
        shell.run(f'python {CONVERTER} pvt resnet18.pth no.pth')
    assert in_one_line(str(end.value)) == refused


def test_code_on_weights_runs(shell):
    page = 'convert_checkpoints.md'
    cfg = load_config(str(ROOT / 'configs/pvt/retinanet_pvt-s_fpn_1x_coco.py'))
    init_cfg = cfg.model.backbone.init_cfg
    assert run_text(page, 0)['model'] == dict(backbone=dict(init_cfg=init_cfg))
    content = dict(state_dict={'a': torch.ones(1)}, args=argparse.Namespace())
    torch.save(content, 'theirs.pth')
    run_text(page, 1)
    assert torch.load('weights.pth', weights_only=True) == {'a': 1}


def test_the_zoo_is_used(shell, capsys):
    page = DOCS / 'model_zoo.md'
    Path('photo.jpg').write_bytes(picture())
    for line in command_lines(page):
        shell.run(line)
    text = capsys.readouterr().out
    assert 'Result of mmvit://pvt-s_in1k' in text
    assert len(re.findall(r'^\S+ +.*configs/pvt/', text, re.M)) == 18
    home = Path(os.environ['MMVIT_HOME'])
    assert text.endswith(f'{home}/converted/pvt-s_in1k.pth\n')
    assert {f.parent.name for f in home.glob('*/pvt-s_in1k.pth')} == {
        *re.findall(r'^- `(\w+)/NAME.pth`', page.read_text(), re.M)
    }
    assert list(Path('predictions').rglob('*photo*'))
    assert 'MMVIT_ZOO_MIRROR' in shell.env
    backbone = MODELS.build(
        dict(
            **run_text('model_zoo.md', 0)['model']['backbone'],
            type='mmvit.PVT',
            arch='small',
            overrides=dict(depths=SMALL),
        )
    )
    with guard_loading():
        backbone.init_weights()
    wanted = published_weights('pvt-s_in1k')['patch_embed1.proj.weight']
    assert torch.equal(next(backbone.parameters()), wanted)


def test_label_maps_are_made_and_used(shell):
    """The config of the page, and what it leaves out."""
    page = DOCS / 'token_labels.md'
    teacher = 'configs/pale/pale-t_8xb128-300e_in1k.py'
    options = {'model.backbone.overrides': dict(depths=SMALL)}
    model = build_model(load_config(teacher, options))
    torch.save(dict(state_dict=model.state_dict()), 'teacher.pth')
    (line,) = command_lines(page)
    line = line.replace('CHECKPOINT', 'teacher.pth')
    shell.run(line.replace('CONFIG', teacher))
    maps = list(Path('data/own_token_labels').rglob('*.pt'))
    assert len(maps) == 2
    pipeline, parts = blocks(page, 'python')
    bases = [
        'mmpretrain::_base_/datasets/imagenet_bs64_swin_224.py',
        f'{ROOT}/configs/_base_/schedules/imagenet_adamw_300e.py',
        f'{ROOT}/configs/_base_/runtime/cls.py',
    ]
    use = 'train_dataloader = dict(dataset=dict(pipeline=train_pipeline))\n'
    Path('student.py').write_text(f'_base_ = {bases}\n{pipeline}{use}{parts}')
    shell.run('python tools/train.py student.py')
    assert losses(Path('work_dirs/student'))
