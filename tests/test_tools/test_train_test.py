"""tools/train.py and tools/test.py: each task, each argument."""

import copy
import json
import pickle

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from tests.support.helpers import (
    load_tool,
    losses,
    read_log,
)
from tests.support.scenes import SPLITS
from tests.support.tiny import LAST, METRIC, TASKS, tiny_config, write_config

NO_GPU = not torch.cuda.is_available()


def metric_of(work_dir):
    """The metrics that a test wrote."""
    (path,) = work_dir.glob('2*/2*.json')
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (0.123456, '0.1235'),
        (7, '7'),
        (10**309, f'1{"0" * 309}'),
        (torch.tensor(0.5), '0.5'),
        (np.array([2.0]), '2'),
        (
            torch.tensor([[1, 2], [3, 4]]),
            '\ntensor([[1, 2],\n        [3, 4]])',
        ),
        ([0.1, 0.2], '[0.1, 0.2]'),
        ('none', 'none'),
        (None, 'None'),
    ],
)
def test_metrics_of_any_type(value, text):
    assert load_tool('test').metric_text(value) == text


@pytest.mark.parametrize('task', TASKS)
def test_train_then_test(scenes, command, tmp_path, task):
    cfg = tiny_config(task, scenes)
    work_dir = command('train', cfg)
    assert len(losses(work_dir)) == 4
    validations = [line for line in read_log(work_dir) if METRIC[task] in line]
    assert len(validations) == 2

    tested = command(
        'test',
        cfg,
        work_dir / LAST[task],
        *('--work-dir', tmp_path / 'tested'),
        *('--out', tmp_path / 'out.pkl'),
        *('--show-dir', tmp_path / 'pictures', '--show-every', 3),
    )
    # Validation and test data are the same.
    assert metric_of(tested)[METRIC[task]] == pytest.approx(
        validations[-1][METRIC[task]]
    )
    results = pickle.loads((tmp_path / 'out.pkl').read_bytes())
    assert len(results) == SPLITS['val']
    pictures = [cv2.imread(str(p)) for p in tmp_path.glob('pictures/*.png')]
    assert len(pictures) == 2, 'the first and the fourth'
    # Truth and prediction side by side; label maps have the image and a
    # legend as well.
    panels, legend = dict(cls=(1, 0), seg=(3, 24)).get(task, (2, 0))
    size = 384 + legend, panels * 384, 3
    assert all(p.shape == size for p in pictures)
    assert all(p.std() > 10 for p in pictures), 'not a plain area'


@pytest.mark.parametrize('task', ['cls', 'det', 'ins', 'seg'])
def test_tta(untrained, command, tmp_path, task):
    cfg, weights = untrained(task)
    out = tmp_path / 'out.pkl'
    work_dir = command(
        'test', copy.deepcopy(cfg), weights, '--tta', '--out', out
    )
    assert METRIC[task] in metric_of(work_dir)
    with_tta = pickle.loads(out.read_bytes())
    command('test', cfg, weights, '--out', out)
    without = pickle.loads(out.read_bytes())
    assert len(with_tta) == len(without) == SPLITS['val']
    key = dict(cls='pred_score', seg='seg_logits').get(task)
    if key == 'pred_score':
        assert not torch.equal(with_tta[0][key], without[0][key])


def test_tta_of_boxes_only_is_refused_for_masks(untrained, command):
    cfg, weights = untrained('ins')
    cfg.tta_model = dict(type='DetTTAModel')
    with pytest.raises((ValueError, SystemExit), match='InstanceTTAModel'):
        command('test', cfg, weights, '--tta')


def test_own_tta_pipeline_is_used(untrained, command):
    cfg, weights = untrained('seg')
    cfg.tta_model = dict(type='SegTTAModel')
    cfg.tta_pipeline = [
        dict(type='LoadImageFromFile'),
        dict(
            type='TestTimeAug',
            transforms=[
                [
                    dict(type='Resize', scale_factor=factor, keep_ratio=True)
                    for factor in (1.0, 1.5, 2.0)
                ],
                [dict(type='LoadAnnotations')],
                [dict(type='PackSegInputs')],
            ],
        ),
    ]
    work_dir = command('test', cfg, weights, '--tta')
    assert 'mIoU' in metric_of(work_dir)
    used = Config.fromfile(work_dir / 'config.py')
    assert len(used.test_dataloader.dataset.pipeline[1].transforms[0]) == 3


def test_cfg_options(scenes, command):
    work_dir = command(
        'train',
        tiny_config('cls', scenes),
        '--cfg-options',
        'train_cfg.max_epochs=1',
        'train_dataloader.batch_size=2',
        'model.backbone.drop_path_rate=0.2',
        'train_dataloader.dataset.pipeline.1.prob=0.0',
    )
    assert len(losses(work_dir)) == SPLITS['train'] // 2
    assert (work_dir / 'epoch_1.pth').is_file()
    used = Config.fromfile(work_dir / 'config.py')
    assert used.model.backbone.drop_path_rate == 0.2
    assert used.train_dataloader.dataset.pipeline[1].prob == 0.0


def test_auto_scale_lr(scenes, command):
    cfg = tiny_config('cls', scenes, auto_scale_lr=dict(base_batch_size=16))
    rates = []
    for args in ([], ['--auto-scale-lr']):
        work_dir = command('train', copy.deepcopy(cfg), *args)
        rates.append(read_log(work_dir)[-2]['lr'])
    # The batch has 4 images.
    assert rates == pytest.approx([1e-3, 1e-3 * 4 / 16])


@pytest.mark.parametrize('setting', [None, dict(enable=False)])
def test_auto_scale_lr_needs_a_base(scenes, command, setting):
    cfg = tiny_config('cls', scenes, auto_scale_lr=setting)
    with pytest.raises(SystemExit, match='base_batch_size'):
        command('train', cfg, '--auto-scale-lr')


@pytest.mark.skipif(not NO_GPU, reason='needs a machine without GPU')
def test_amp_needs_a_gpu(scenes, command):
    with pytest.raises(SystemExit, match='needs a GPU'):
        command('train', tiny_config('cls', scenes), '--amp')


@pytest.mark.gpu
@pytest.mark.skipif(NO_GPU, reason='needs a GPU')
@pytest.mark.parametrize('task', TASKS)
def test_amp(scenes, command, task):
    work_dir = command('train', tiny_config(task, scenes), '--amp')
    used = Config.fromfile(work_dir / 'config.py')
    assert used.optim_wrapper.type == 'AmpOptimWrapper'
    assert all(loss == loss for loss in losses(work_dir))


def test_equal_seeds_give_equal_runs(scenes, command, tmp_path):
    cfg = tiny_config('cls', scenes)
    runs = [
        command(
            'train',
            copy.deepcopy(cfg),
            *('--work-dir', tmp_path / f'run{index}'),
            *('--cfg-options', f'train_dataloader.num_workers={workers}'),
            f'randomness.seed={seed}',
        )
        for index, (workers, seed) in enumerate([(0, 1), (2, 1), (0, 2)])
    ]
    first, again, other = map(losses, runs)
    assert first == again
    assert first != other


def test_plain_configs_are_guarded_too(scenes, command):
    cfg = tiny_config('cls', scenes)
    assert cfg.pop('runner_type') == 'mmvit.GuardedRunner'
    with pytest.raises(FileNotFoundError, match='nothing to resume from'):
        command('train', cfg, '--resume')


def test_default_work_dir(scenes, command, tmp_path, monkeypatch):
    path = write_config(tiny_config('cls', scenes), tmp_path / 'my-run.py')
    load_tool('train').main([path])
    assert (tmp_path / 'work_dirs/my-run/epoch_2.pth').is_file()


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['gone.pth'], 'no checkpoint at gone.pth'),
        (['here.pth', '--out', 'out.json'], 'must end with .pkl'),
        (['here.pth', '--out', '.'], 'is a folder'),
        (['here.pth', '--cfg-options', 'a'], 'write KEY=VALUE'),
    ],
)
def test_arguments_of_test(scenes, command, tmp_path, capsys, args, message):
    (tmp_path / 'here.pth').touch()
    with pytest.raises(SystemExit):
        command('test', tiny_config('cls', scenes), *args)
    assert message in capsys.readouterr().err


def test_maps_for_a_server_need_no_truth(
    command, own_scenes, weights, tmp_path
):
    for path in (own_scenes / 'ann_dir/val').iterdir():
        path.unlink()
    cfg = tiny_config(
        'seg',
        own_scenes,
        test_dataloader__dataset__data_prefix__seg_map_path='',
        test_evaluator__format_only=True,
        test_evaluator__output_dir=str(tmp_path / 'maps'),
    )
    steps = cfg.test_dataloader.dataset.pipeline
    cfg.test_dataloader.dataset.pipeline = [
        step for step in steps if step.type != 'LoadAnnotations'
    ]
    command('test', cfg, weights('seg'))
    assert len(list((tmp_path / 'maps').glob('*.png'))) == SPLITS['val']
