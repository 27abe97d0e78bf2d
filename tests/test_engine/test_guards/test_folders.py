"""Files that data sets leave out."""

import pytest
from mmengine.dataset import ConcatDataset
from mmengine.registry import DATASETS, init_default_scope

from mmvit.engine.guards.folders import folder_findings
from tests.support.tiny import tiny_config


@pytest.fixture
def build(own_scenes, fresh_runs):
    def run(task, **options):
        cfg = tiny_config(task, own_scenes)
        init_default_scope(cfg.default_scope)
        return DATASETS.build(dict(cfg.train_dataloader.dataset, **options))

    return run


def texts(dataset):
    return [f'{one.severity}: {one.text}' for one in folder_findings(dataset)]


@pytest.mark.parametrize('task', ['cls', 'det', 'seg'])
def test_nothing_is_left_out(build, task):
    assert not texts(build(task))


def test_images_of_other_endings(build, own_scenes):
    folder = own_scenes / 'img_dir/train'
    (folder / 'train_0.jpg').rename(folder / 'train_0.JPG')
    (folder / 'train_1.jpg').rename(folder / 'train_1.png')
    (folder / 'notes.txt').touch()
    dataset = build('seg')
    assert len(dataset) == 6
    wanted = [
        f'left out: {folder}/{n}' for n in ('train_0.JPG', 'train_1.png')
    ]
    assert texts(dataset) == wanted
    assert texts(ConcatDataset([dataset, dataset])) == wanted * 2
    (own_scenes / 'list.txt').write_text('train_2')
    assert not texts(build('seg', ann_file='list.txt'))


def test_masks_without_an_image(build, own_scenes):
    (own_scenes / 'img_dir/train/train_3.jpg').unlink()
    mask = own_scenes / 'ann_dir/train/train_3.png'
    assert texts(build('seg')) == [f'left out: {mask}']


def test_class_folders(build, own_scenes):
    folder = own_scenes / 'folders/train'
    (folder / 'round/a.WEBP').touch()
    (folder / 'square/b.avif').touch()
    (folder / '.ipynb_checkpoints').mkdir()
    (folder / '.ipynb_checkpoints/c.jpg').touch()
    found = texts(build('cls'))
    assert f'error: {folder}: .ipynb_checkpoints' in found
    assert f'left out: {folder}/square/b.avif' in found
