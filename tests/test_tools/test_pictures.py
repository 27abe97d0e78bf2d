"""tools/infer.py, browse_dataset.py and feature_map.py."""

import json

import cv2
import numpy as np
import pytest
import torch

from mmvit.utils import build_model
from mmvit.utils.drawing import draw_label_maps
from tests.helpers import load_tool
from tests.scenes import CLASSES, SPLITS
from tests.tiny import TASKS, tiny_config
from tests.tiny import write_config as write


@pytest.fixture
def trained(scenes, tmp_path, fresh_runs, plain_dumps):
    """Config file of a task, and a checkpoint that names its classes."""

    def make(task, **options):
        cfg = tiny_config(task, scenes, **options)
        model = build_model(cfg)
        model.init_weights()
        classes = ('ground', *CLASSES) if task == 'seg' else CLASSES
        checkpoint = tmp_path / f'{task}.pth'
        torch.save(
            dict(
                state_dict=model.state_dict(),
                meta=dict(dataset_meta=dict(classes=classes)),
            ),
            checkpoint,
        )
        return write(cfg, tmp_path / f'{task}.py'), str(checkpoint)

    return make


@pytest.mark.parametrize('task', TASKS)
def test_predictions_of_a_folder(task, trained, scenes, tmp_path):
    config, checkpoint = trained(task)
    out = tmp_path / 'out'
    load_tool('infer').main(
        [
            config,
            checkpoint,
            str(scenes / 'img_dir' / 'val'),
            '--out-dir',
            str(out),
            '--device',
            'cpu',
            '--score-thr',
            '0',
        ]
    )
    predictions = json.loads((out / 'predictions.json').read_text())
    assert len(predictions) == SPLITS['val']
    pictures = sorted(out.glob('*_val_?.png'))
    assert len(pictures) == SPLITS['val']
    assert min(cv2.imread(str(pictures[0])).shape[:2]) >= 384
    for prediction in predictions.values():
        if task == 'seg':
            labels = cv2.imread(str(out / prediction['labels']), -1)
            assert labels.shape == (64, 64) and labels.max() < 3
        elif task == 'cls':
            assert prediction['name'] in CLASSES
            assert 0.5 <= prediction['score'] <= 1
        else:
            for box in prediction['boxes']:
                assert box['name'] in CLASSES
                assert len(box['box_xyxy']) == 4


def test_inference_errors(trained, scenes, tmp_path):
    config, checkpoint = trained('cls')
    main = load_tool('infer').main
    tail = ['--out-dir', str(tmp_path / 'out')]
    with pytest.raises(SystemExit, match='no file or folder absent'):
        main([config, checkpoint, 'absent', *tail])
    (tmp_path / 'empty').mkdir()
    with pytest.raises(SystemExit, match='no image in'):
        main([config, checkpoint, str(tmp_path / 'empty'), *tail])
    other, _ = trained('seg')
    image = str(scenes / 'img_dir' / 'val' / 'val_0.jpg')
    with pytest.raises(ValueError, match='another architecture'):
        main([other, checkpoint, image, *tail])
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('task', TASKS)
def test_browsing_draws_the_truth(task, trained, tmp_path):
    config, _ = trained(task)
    out = tmp_path / 'out'
    load_tool('visualization/browse_dataset').main(
        [config, '--out-dir', str(out), '--number', '2']
    )
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        'train_000000.png',
        f'train_{SPLITS["train"] - 1:06d}.png',
    ]
    picture = cv2.imread(str(out / names[0]))
    assert min(picture.shape[:2]) >= 384


def test_feature_maps(trained, scenes, tmp_path, capsys):
    config, checkpoint = trained('seg')
    image = str(scenes / 'img_dir' / 'val' / 'val_0.jpg')
    tool = load_tool('visualization/feature_map')
    out = tmp_path / 'out'
    tail = ['--out-dir', str(out)]
    tool.main([config, image, '--checkpoint', checkpoint, *tail])
    names = sorted(path.name for path in out.iterdir())
    assert names == [f'stages.{stage}.blocks.0.png' for stage in range(4)]
    picture = cv2.imread(str(out / names[0]))
    assert picture.shape == (64, 128, 3)
    original = cv2.imread(image)
    assert np.abs(picture[:, :64].astype(int) - original).mean() < 2
    assert np.abs(picture[:, 64:].astype(int) - original).mean() > 10
    tool.main([config, image, '--blocks', 'stages.1.blocks.0', *tail])
    assert 'random' in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r'there are: stages.0.blocks.0'):
        tool.main([config, image, '--blocks', 'stages.0.blocks.7', *tail])


def test_label_maps_are_drawn_in_their_colours():
    image = np.zeros((40, 60, 3), np.uint8)
    labels = np.full((40, 60), 255)
    labels[:, 20:40], labels[:, 40:] = 0, 1
    metainfo = dict(classes=('a', 'b'), palette=[[100, 0, 0], [0, 200, 0]])
    picture = draw_label_maps(image, [labels], metainfo)
    assert picture.shape == (64, 120, 3), 'image, map, one row of legend'
    assert picture[20, 70].tolist() == [0, 0, 0], 'ignored'
    assert picture[20, 90].tolist() == [60, 0, 0]
    assert picture[20, 110].tolist() == [0, 120, 0]
    legend = picture[40:].reshape(-1, 3).tolist()
    assert [100, 0, 0] in legend and [0, 200, 0] in legend
