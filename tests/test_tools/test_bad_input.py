"""Mistakes that users make: each stops the command and names what is wrong."""

import json

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image

from mmvit.apis.config import build_model
from mmvit.engine.guards.bad_samples import SampleError
from mmvit.models import PVT
from tests.support.tiny import ARCH, TASKS, tiny_config


def mentions(error, *parts):
    text = str(error.value)
    return all(part in text for part in parts)


@pytest.mark.parametrize('task', TASKS)
def test_missing_data_root(command, task):
    with pytest.raises(FileNotFoundError) as error:
        command('train', tiny_config(task, '/not/here'))
    assert mentions(
        error, 'train_dataloader.dataset.data_root', '/not/here', '--cfg-opt'
    )


def test_missing_data_stop_a_test(command, scenes, tmp_path):
    cfg = tiny_config('seg', scenes)
    cfg.test_dataloader.dataset.data_root = '/not/here'
    (tmp_path / 'any.pth').touch()
    with pytest.raises(FileNotFoundError, match='test_dataloader'):
        command('test', cfg, tmp_path / 'any.pth')


def test_missing_validation_data_stop_before_training(command, scenes):
    cfg = tiny_config('cls', scenes)
    cfg.val_dataloader.dataset.data_prefix = 'vall'
    with pytest.raises(FileNotFoundError, match='folders/vall'):
        command('train', cfg)


def test_missing_annotation_file(command, scenes):
    cfg = tiny_config('det', scenes)
    cfg.train_dataloader.dataset.ann_file = 'training.json'
    with pytest.raises(FileNotFoundError) as error:
        command('train', cfg)
    assert mentions(error, f"dataset.ann_file = '{scenes}/training.json'")
    assert not mentions(error, 'data_root')


def test_misspelt_class_name(command, scenes):
    cfg = tiny_config('det', scenes)
    cfg.train_dataloader.dataset.metainfo.classes = ('round', 'sqare')
    with pytest.raises(ValueError, match='no category named sqare'):
        command('train', cfg)


def test_classes_left_out_of_the_config(command, scenes):
    cfg = tiny_config('det', scenes)
    for name in ('train', 'val'):
        del cfg[f'{name}_dataloader'].dataset['metainfo']
    with pytest.raises(ValueError) as error:
        command('train', cfg)
    assert mentions(error, 'no category named person', 'round, square')


def test_fewer_classes_than_the_annotation_file(command, scenes):
    cfg = tiny_config('ins', scenes)
    cfg.train_dataloader.dataset.metainfo.classes = ('round',)
    with pytest.raises(ValueError) as error:
        command('train', cfg)
    assert mentions(error, 'num_classes is 2', 'has 1 classes (round)')


def test_label_outside_the_classes(command, own_scenes):
    path = own_scenes / 'ann_dir/train/train_5.png'
    Image.fromarray(np.full((64, 64), 3, np.uint8)).save(path)
    with pytest.raises(ValueError) as error:
        command('train', tiny_config('seg', own_scenes))
    assert mentions(error, str(path), '[3]', '3 classes, 0 to 2')


def test_coloured_masks(command, own_scenes):
    path = own_scenes / 'ann_dir/train/train_0.png'
    Image.open(path).convert('RGB').save(path)
    with pytest.raises(ValueError) as error:
        command('train', tiny_config('seg', own_scenes))
    assert mentions(error, str(path), '3 channels')


@pytest.mark.parametrize('task', TASKS)
def test_unknown_arch(command, scenes, task):
    cfg = tiny_config(task, scenes, model__backbone__arch='smal')
    with pytest.raises(ValueError) as error:
        command('train', cfg)
    assert mentions(error, "'smal'", *PVT.arch_zoo)


@pytest.mark.parametrize('task', TASKS)
def test_misspelt_backbone_argument(command, scenes, task):
    cfg = tiny_config(task, scenes, model__backbone__drop_path=0.1)
    with pytest.raises(TypeError, match=r"Backbone.*argument 'drop_path'"):
        command('train', cfg)


def test_misspelt_arch_key(command, scenes):
    cfg = tiny_config('cls', scenes)
    cfg.model.backbone.arch['depth'] = cfg.model.backbone.arch.pop('depths')
    with pytest.raises(ValueError) as error:
        command('train', cfg)
    assert mentions(error, "missing: ['depths']", "unknown: ['depth']")


def test_image_smaller_than_a_patch(command, own_scenes):
    cfg = tiny_config('cls', own_scenes)
    cfg.train_dataloader.dataset.pipeline.insert(
        1, dict(type='Resize', scale=(3, 2))
    )
    with pytest.raises(ValueError, match='2x3 pixels is smaller than a patch'):
        command('train', cfg)


@pytest.mark.parametrize('task', TASKS)
def test_unreadable_image(command, own_scenes, task):
    folder = 'folders' if task == 'cls' else 'img_dir'
    (path,) = (own_scenes / folder / 'train').rglob('train_4.jpg')
    path.write_bytes(b'')
    with pytest.raises(SampleError) as error:
        command('train', tiny_config(task, own_scenes))
    assert mentions(error, str(path), 'max_bad_samples')


def test_missing_image(command, own_scenes):
    (own_scenes / 'img_dir/train/train_2.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of 8 .*train_2\.jpg'):
        command('train', tiny_config('det', own_scenes))


def test_missing_image_may_be_skipped(command, own_scenes):
    (own_scenes / 'img_dir/train/train_2.jpg').unlink()
    cfg = tiny_config('det', own_scenes, train_dataloader__max_bad_samples=1)
    (log,) = command('train', cfg).glob('*/*.log')
    assert '1 of 8 samples that were looked at' in log.read_text()


def empty(root, *indices):
    path = root / 'train.json'
    content = json.loads(path.read_text())
    content['annotations'] = [
        annotation
        for annotation in content['annotations']
        if annotation['image_id'] not in indices
    ]
    path.write_text(json.dumps(content))


def test_no_object_in_all_images(command, own_scenes):
    empty(own_scenes, *range(8))
    with pytest.raises(ValueError) as error:
        command('train', tiny_config('det', own_scenes))
    assert mentions(error, '8 of 8 images', 'There is nothing to learn')


def test_no_object_in_some_images(command, own_scenes):
    empty(own_scenes, 1, 5)
    (log,) = command('train', tiny_config('det', own_scenes)).glob('*/*.log')
    text = log.read_text()
    assert '2 of 8 images that were looked at have no object' in text
    assert 'train_5.jpg' in text


def test_class_folders_in_another_order(command, own_scenes):
    cfg = tiny_config('cls', own_scenes)
    cfg.train_dataloader.dataset.metainfo = dict(classes=('square', 'round'))
    with pytest.raises(ValueError) as error:
        command('train', cfg)
    assert mentions(error, 'round, square', 'square, round')


def save_classifier(path, scenes, **options):
    cfg = tiny_config('cls', scenes, **options)
    model = build_model(cfg)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), path)
    return model


def with_pretrained(task, scenes, path, prefix='backbone.'):
    cfg = tiny_config(task, scenes)
    cfg.model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint=str(path), prefix=prefix
    )
    return cfg


@pytest.mark.parametrize('task', TASKS)
def test_pretrained_weights_of_another_size(
    command, scenes, tmp_path, fresh_runs, task
):
    path = tmp_path / 'wide.pth'
    wide = dict(ARCH, embed_dims=(16, 32, 48, 64))
    save_classifier(
        path, scenes, model__backbone__arch=wide, model__head__in_channels=64
    )
    with pytest.raises(ValueError) as error:
        command('train', with_pretrained(task, scenes, path))
    assert mentions(error, str(path), 'PVT', 'instead of', 'downsample')


def test_pretrained_weights_of_another_architecture(command, scenes, tmp_path):
    path = tmp_path / 'resnet.pth'
    torch.save({'backbone.conv1.weight': torch.rand(4, 3, 7, 7)}, path)
    with pytest.raises(ValueError) as error:
        command('train', with_pretrained('det', scenes, path))
    assert mentions(error, '0 of', 'missing: stages.0', 'not used: conv1')


def test_pretrained_weights_under_another_prefix(
    command, scenes, tmp_path, fresh_runs
):
    path = tmp_path / 'classifier.pth'
    save_classifier(path, scenes)
    with pytest.raises(ValueError) as error:
        command('train', with_pretrained('seg', scenes, path, 'bakbone.'))
    assert mentions(error, "'bakbone.'", 'begin like backbone.stages.0')


def test_pretrained_weights_that_are_missing(command, scenes):
    cfg = with_pretrained('seg', scenes, '/not/here.pth')
    with pytest.raises(FileNotFoundError, match='/not/here.pth'):
        command('train', cfg)


@pytest.mark.parametrize('task', ['det', 'ins', 'seg'])
def test_pretrained_weights_that_fit(scenes, tmp_path, fresh_runs, task):
    path = tmp_path / 'classifier.pth'
    source = save_classifier(path, scenes).backbone.state_dict()
    cfg = with_pretrained(task, scenes, path)
    init_default_scope(cfg.default_scope)
    model = build_model(cfg)
    model.init_weights()
    target = model.backbone.state_dict()
    shared = [key for key in target if key in source]
    # All but the class token and its place, and the output norm
    assert len(shared) >= len(source) - 4
    for key in shared:
        if 'position' not in key:
            torch.testing.assert_close(target[key], source[key])


def test_nothing_is_left_to_train(command, own_scenes):
    path = own_scenes / 'train.json'
    content = json.loads(path.read_text())
    content['annotations'] = []
    path.write_text(json.dumps(content))
    cfg = tiny_config('det', own_scenes)
    cfg.train_dataloader.dataset.filter_cfg = dict(filter_empty_gt=True)
    with pytest.raises(ValueError) as error:
        command('train', cfg)
    assert mentions(error, 'found no sample', 'train.json')


def test_object_without_a_mask(command, own_scenes):
    path = own_scenes / 'train.json'
    content = json.loads(path.read_text())
    content['annotations'][4]['segmentation'] = []
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError) as error:
        command('train', tiny_config('ins', own_scenes))
    assert mentions(error, 'object without a mask', 'annotation 5 (train_2.')


def test_annotations_without_areas_are_completed(command, own_scenes):
    for name in ('train', 'val'):
        path = own_scenes / f'{name}.json'
        content = json.loads(path.read_text())
        for annotation in content['annotations']:
            del annotation['area']
        path.write_text(json.dumps(content))
    work_dir = command('train', tiny_config('det', own_scenes))
    assert (work_dir / 'iter_4.pth').is_file()


def test_validation_images_of_two_sizes(command, own_scenes):
    for name in ('img_dir/val/val_1.jpg', 'ann_dir/val/val_1.png'):
        picture = Image.open(own_scenes / name)
        picture.resize((64, 32), 0).save(own_scenes / name)
    cfg = tiny_config('seg', own_scenes)
    steps = cfg.val_dataloader.dataset.pipeline
    cfg.val_dataloader.dataset.pipeline = [steps[0], *steps[2:]]
    with pytest.raises(ValueError) as error:
        command('train', cfg)
    assert mentions(error, 'val_dataloader.batch_size is 2', 'val_1.jpg')


def test_evaluator_of_other_images(command, scenes):
    cfg = tiny_config('det', scenes)
    cfg.val_evaluator.ann_file = f'{scenes}/train.json'
    with pytest.raises(ValueError, match='val_evaluator.ann_file is not that'):
        command('train', cfg)


def test_best_checkpoint_by_a_metric_of_another_name(command, scenes):
    cfg = tiny_config('seg', scenes)
    cfg.default_hooks.checkpoint.save_best = 'mIOU'
    with pytest.raises(ValueError, match='did you mean mIoU'):
        command('train', cfg)


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('clip_grad', dict(max_nrom=1), 'did you mean max_norm'),
        ('optimizer.lr', 0.0, 'nothing would be trained'),
        ('optimizer.type', 'AdmW', 'did you mean AdamW'),
    ],
)
def test_values_of_the_optimizer(command, scenes, key, value, message):
    cfg = tiny_config('cls', scenes)
    cfg.merge_from_dict({f'optim_wrapper.{key}': value})
    with pytest.raises(ValueError, match=message):
        command('train', cfg)


def test_a_config_without_a_model(command, tmp_path):
    (tmp_path / 'part.py').write_text("default_scope = 'mmseg'")
    with pytest.raises(ValueError, match='part.py has no model'):
        command('train', str(tmp_path / 'part.py'))
