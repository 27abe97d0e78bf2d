"""Files that cannot be read: named, and skipped where that is asked for."""

import traceback

import pytest
from mmengine.registry import init_default_scope

from mmvit.engine import GuardedRunner
from mmvit.engine.guards.bad_samples import SampleError, bad_samples
from tests.support.scenes import SPLITS
from tests.support.tiny import tiny_config


def cut(path, keep):
    path.write_bytes(path.read_bytes()[:keep])


def spoil(root, task, index=1):
    """Empty an image of the training set; returns its path."""
    folder = root / ('folders/train' if task == 'cls' else 'img_dir/train')
    (path,) = folder.rglob(f'train_{index}.jpg')
    path.write_bytes(b'')
    return path


def train_loader(task, root, fresh_runs, **options):
    cfg = tiny_config(task, root)
    init_default_scope(cfg.default_scope)
    return GuardedRunner.build_dataloader(
        dict(cfg.train_dataloader, **options), seed=0
    )


def free_workers(error):
    """End the workers of a loader that has failed.

    The error's frames hold its iterator in a cycle. When the garbage
    collector ends it, torch waits five seconds for each worker.
    """
    traceback.clear_frames(error.tb)


@pytest.mark.parametrize('task', ['cls', 'det', 'ins', 'seg'])
def test_image_is_named(own_scenes, fresh_runs, task):
    path = spoil(own_scenes, task)
    with pytest.raises(SampleError, match=str(path)) as error:
        list(train_loader(task, own_scenes, fresh_runs))
    assert 'max_bad_samples' in str(error.value), 'says what can be done'


@pytest.mark.parametrize('num_workers', [0, 2])
@pytest.mark.parametrize(
    ('name', 'keep'),
    [
        ('img_dir/train/train_3.jpg', 0),
        ('img_dir/train/train_3.jpg', 20),
        ('ann_dir/train/train_3.png', 0),
        ('ann_dir/train/train_3.png', 60),
        ('ann_dir/train/train_3.png', None),
    ],
)
def test_broken_file_is_named(own_scenes, fresh_runs, name, keep, num_workers):
    path = own_scenes / name
    if keep is None:
        path.unlink()
    else:
        cut(path, keep)
    loader = train_loader(
        'seg', own_scenes, fresh_runs, num_workers=num_workers
    )
    with pytest.raises(SampleError, match=str(path)) as error:
        list(loader)
    free_workers(error)


def test_not_an_image(own_scenes, fresh_runs):
    path = own_scenes / 'img_dir/train/train_0.jpg'
    path.write_text('<html>404: not found</html>')
    with pytest.raises(SampleError, match=str(path)):
        list(train_loader('det', own_scenes, fresh_runs))


@pytest.mark.parametrize('num_workers', [0, 2])
def test_some_are_skipped(own_scenes, fresh_runs, num_workers):
    bad = {str(spoil(own_scenes, 'seg', index)) for index in (1, 2)}
    loader = train_loader(
        'seg',
        own_scenes,
        fresh_runs,
        num_workers=num_workers,
        max_bad_samples=2,
    )
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        samples = [
            sample for batch in loader for sample in batch['data_samples']
        ]
        assert len(samples) == SPLITS['train'], 'another one is in its place'
        assert not bad & {sample.img_path for sample in samples}
    assert bad_samples(loader) == (2, 2), 'each counts once'


@pytest.mark.parametrize('num_workers', [0, 2])
def test_too_many_stop(own_scenes, fresh_runs, num_workers):
    for index in (1, 2, 5):
        spoil(own_scenes, 'seg', index)
    loader = train_loader(
        'seg',
        own_scenes,
        fresh_runs,
        num_workers=num_workers,
        max_bad_samples=2,
    )
    with pytest.raises(
        SampleError, match=r'number 3, and max_bad_samples is 2'
    ) as error:
        list(loader)
    free_workers(error)


def test_none_is_left(own_scenes, fresh_runs):
    for index in range(SPLITS['train']):
        spoil(own_scenes, 'cls', index)
    loader = train_loader('cls', own_scenes, fresh_runs, max_bad_samples=99)
    with pytest.raises(SampleError, match='no sample'):
        list(loader)


def test_skipped_ones_are_logged(own_scenes, command):
    path = spoil(own_scenes, 'seg')
    work_dir = command(
        'train',
        tiny_config('seg', own_scenes, train_dataloader__max_bad_samples=1),
    )
    (log,) = work_dir.glob('*/*.log')
    text = log.read_text()
    assert str(path) in text
    assert '1 samples could not be loaded and were skipped' in text


@pytest.mark.parametrize('task', ['cls', 'det', 'seg'])
def test_test_sets_skip_nothing(own_scenes, command, task, tmp_path):
    cfg = tiny_config(task, own_scenes)
    for loader in ('val_dataloader', 'test_dataloader'):
        changed = tiny_config(task, own_scenes)
        changed[loader].max_bad_samples = 2
        with pytest.raises(ValueError, match=f'{loader}.max_bad_samples'):
            if loader == 'val_dataloader':
                command('train', changed)
            else:
                weights = tmp_path / 'empty.pth'
                weights.touch()
                command('test', changed, weights)
    (path,) = (own_scenes / 'img_dir/val').glob('val_1.jpg')
    if task == 'cls':
        (path,) = (own_scenes / 'folders/val').rglob('val_1.jpg')
    path.write_bytes(b'')
    with pytest.raises(SampleError, match=str(path)):
        command('train', cfg)
