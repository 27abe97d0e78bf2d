"""tools/prepare_data.py on small made-up archives."""

import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DATASETS
from mmseg.datasets import PascalContextDataset59
from PIL import Image

from mmvit.apis.config import load_config
from tests.support.archives import MAKERS, wordnet_id, write_archives
from tests.support.helpers import ROOT, load_tool

tool = load_tool('prepare_data')
PARTS = {name: list(dataset.parts) for name, dataset in tool.DATASETS.items()}

LARGE = ('imagenet', 'imagenet-v2', 'token-labels')


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Prepare parts of a data set in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(dataset, *parts, strict=False):
        if not (tmp_path / dataset).exists():
            write_archives(dataset, tmp_path / dataset)
        args = [dataset, '--archives', dataset]
        args += [] if strict else ['--any-number']
        tool.main([*args, '--parts', *(parts or PARTS[dataset])])
        return tmp_path / 'data' / tool.DATASETS[dataset].folder

    return run


def files(folder, pattern='**/*'):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.glob(pattern)
        if path.is_file() and '.prepared' not in path.parts
    )


def test_every_data_set_has_archives_for_the_tests():
    assert list(MAKERS) == list(tool.DATASETS)


@pytest.mark.parametrize(
    'dataset',
    [
        # Those with 1,000 classes take longer.
        pytest.param(
            name,
            marks=[pytest.mark.slow] if name in LARGE else [],
        )
        for name in MAKERS
    ],
)
def test_nothing_is_left_and_a_second_call_changes_nothing(
    dataset, prepare, capsys
):
    root = prepare(dataset)
    assert not (root / '.unpacking').exists()
    before = files(root)
    assert before and not any(name.endswith('.part') for name in before)
    capsys.readouterr()
    prepare(dataset)
    lines = capsys.readouterr().out.splitlines()[:-1]
    assert lines and all('already in' in line for line in lines)
    assert files(root) == before


def test_imagenet(prepare):
    root = prepare('imagenet')
    names = [wordnet_id(number) for number in range(1000)]
    assert sorted(p.name for p in (root / 'train').iterdir()) == names
    assert files(root, 'train/*/*') == [f'train/{n}/{n}_1.JPEG' for n in names]
    # The first line of the ground truth is the last class.
    first = f'val/{names[-1]}/ILSVRC2012_val_00000001.JPEG'
    assert files(root, 'val/*/*_00000001.JPEG') == [first]
    assert len(files(root, 'val/*/*')) == 1000
    for split in ('train', 'val'):
        cfg = dict(type='ImageNet', data_root=str(root), split=split)
        dataset = DATASETS.build(dict(cfg, _scope_='mmpretrain'))
        assert len(dataset) == 1000


def test_imagenet21k(prepare):
    root = prepare('imagenet21k')
    ids = [wordnet_id(number) for number in (3, 5, 7)]
    assert (root / 'meta/train.txt').read_text().splitlines() == [
        f'{name}/{name}_{index}.JPEG {number}'
        for number, name in enumerate(ids)
        for index in (1, 2)
    ]
    assert len(files(root, 'train/*/*.JPEG')) == 6


def test_imagenet_v2_has_the_numbers_of_its_folders(tmp_path):
    for number in range(12):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / 'a.jpeg').touch()
    (tmp_path / '10' / 'b.jpeg').touch()
    tool.list_by_number(tmp_path, tmp_path)
    cfg = dict(type='ImageNet', split='', ann_file='labels.txt')
    cfg.update(data_root=str(tmp_path), _scope_='mmpretrain')
    dataset = DATASETS.build(cfg)
    assert len(dataset) == 13
    for info in (dataset.get_data_info(index) for index in range(13)):
        assert Path(info['img_path']).parent.name == str(info['gt_label'])


def test_coco(prepare):
    root = prepare('coco', 'val')
    assert sorted(p.name for p in root.iterdir() if p.name[0] != '.') == [
        'annotations',
        'val2017',
    ]
    prepare('coco')
    folders = Counter(name.rpartition('/')[0] for name in files(root))
    assert folders == {
        'annotations': 5,
        'train2017': 3,
        'val2017': 2,
        'test2017': 2,
        'stuffthingmaps/train2017': 3,
        'stuffthingmaps/val2017': 2,
    }


def test_ade20k(prepare):
    root = prepare('ade20k')
    assert len(files(root, 'ADEChallengeData2016/*/*/*')) == 8
    assert files(root, 'release_test/testing/*') == [
        f'release_test/testing/ADE_test_{n:08d}.jpg' for n in (1, 2)
    ]


def test_cityscapes(prepare):
    root = prepare('cityscapes')
    for kind, split in (
        *(('Fine', split) for split in ('train', 'val', 'test')),
        ('Coarse', 'train_extra'),
    ):
        stem = f'gt{kind}/{split}/city/city_000000_000019_gt{kind}'
        labels = np.asarray(Image.open(root / f'{stem}_labelTrainIds.png'))
        # unlabelled, out of roi, road, bicycle
        assert labels[0, :4].tolist() == [255, 255, 0, 18]
        assert files(root, f'leftImg8bit/{split}/*/*_leftImg8bit.png')
    assert not (root / 'README').exists()


def test_pascal_context(prepare):
    root = prepare('pascal-context')
    lists = root / 'ImageSets/SegmentationContext'
    names = (lists / 'train.txt').read_text().split()
    assert names == ['2008_000002', '2008_000003']
    assert (lists / 'val.txt').read_text().split() == ['2009_000001']
    for name in (*names, '2009_000001'):
        labels = Image.open(root / f'SegmentationClassContext/{name}.png')
        assert np.asarray(labels)[0, :4].tolist() == [0, 1, 59, 0]
    assert not (root / 'mats').exists()


def test_classes_of_pascal_context_are_in_the_order_of_mmseg():
    classes = PascalContextDataset59.METAINFO['classes']
    assert list(classes) == sorted(classes)
    assert len(tool.PASCAL_CONTEXT_IDS) == len(classes)
    assert list(tool.PASCAL_CONTEXT_IDS) == sorted(tool.PASCAL_CONTEXT_IDS)


def test_missing_archives_are_named_with_their_addresses(prepare, tmp_path):
    write_archives('coco', tmp_path / 'coco')
    (tmp_path / 'coco/train2017.zip').unlink()
    (tmp_path / 'coco/annotations_trainval2017.zip').unlink()
    with pytest.raises(SystemExit) as error:
        prepare('coco', 'train', 'val')
    text = str(error.value)
    assert 'http://images.cocodataset.org/zips/train2017.zip' in text
    assert text.count('annotations_trainval2017.zip:') == 1
    assert 'val2017.zip: ' not in text.replace('trainval2017.zip: ', '')
    assert '--parts' in text
    assert not (tmp_path / 'data').exists()


def test_truncated_archive(prepare, tmp_path):
    path = write_archives('cityscapes', tmp_path / 'cityscapes')
    path /= 'gtFine_trainvaltest.zip'
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit) as error:
        prepare('cityscapes', 'fine')
    assert re.search(r'gtFine_trainvaltest.zip is damaged', str(error.value))
    assert 'www.cityscapes-dataset.com' in str(error.value)
    root = tmp_path / 'data/cityscapes'
    assert (root / 'leftImg8bit').is_dir() and not (root / 'gtFine').exists()
    path.write_bytes(whole)
    prepare('cityscapes', 'fine')
    assert (root / 'gtFine/val').is_dir()


def test_an_incomplete_archive_is_not_accepted(prepare, tmp_path):
    with pytest.raises(SystemExit) as error:
        prepare('ade20k', 'trainval', strict=True)
    assert 'images/training/*: 2 instead of 20210' in str(error.value)
    assert '--any-number' in str(error.value)
    assert files(tmp_path / 'data/ade', 'ADEChallengeData2016/**/*') == []


def test_another_archive_is_not_accepted(prepare, tmp_path):
    write_archives('coco', tmp_path / 'coco')
    shutil.copy(tmp_path / 'coco/val2017.zip', tmp_path / 'coco/train2017.zip')
    with pytest.raises(SystemExit, match='none of the files'):
        prepare('coco', 'train')


class Killed(BaseException):
    """Stands for a kill in the middle of the work."""


@pytest.mark.parametrize('calls', [0, 1, 2])
@pytest.mark.parametrize('function', ['unpack', 'move_into', 'convert_all'])
def test_a_killed_run_continues(
    prepare, monkeypatch, tmp_path, function, calls
):
    original, left = getattr(tool, function), [calls]

    def killed(*args):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(tool, function, killed)
        try:
            prepare('cityscapes')
        except Killed:
            pass
        else:
            assert function == 'convert_all' and calls == 2
    root = prepare('cityscapes')
    assert len(files(root, 'leftImg8bit/*/*/*')) == 4
    assert len(files(root, 'gt*/*/*/*_labelTrainIds.png')) == 4
    assert not (root / '.unpacking').exists()


def test_files_that_are_gone_are_unpacked_again(prepare, tmp_path):
    root = prepare('cityscapes', 'fine')
    for archive in tool.DATASETS['cityscapes'].parts['fine']:
        assert tool.wrong_numbers(archive, root)
    photo = root / files(root, 'leftImg8bit/val/*/*')[0]
    photo.unlink()
    archive = tool.Archive(
        'leftImg8bit_trainvaltest.zip',
        '',
        {'leftImg8bit/val/*/*': 1},
    )
    tool.prepare(archive, tmp_path / 'cityscapes', root)
    assert photo.is_file()
    photo.unlink()
    with pytest.raises(tool.ArchiveError, match='no longer complete'):
        tool.prepare(archive, tmp_path / 'nowhere', root)


def test_unknown_part(capsys):
    with pytest.raises(SystemExit):
        tool.parse_args(['coco', '--archives', '.', '--parts', 'vall'])
    assert 'train, val, stuff, test' in capsys.readouterr().err


@pytest.mark.parametrize(
    'name',
    [
        'pvt/pvt-t_8xb128-300e_in1k',
        'hlg/hlg-t_8xb128-300e_in1k-v2',
        'focal/focal-l_8xb128-90e_in21k',
        'pale/pale-t-token-labels_8xb128-300e_in1k',
        'focal/htc_focal-l_fpn_ms-3x_coco',
        'setr/setr-mla_vit-l_8xb2-160k_ade20k-trainval-512x512',
        'setr/setr-pup_vit-l_8xb1-100k_cityscapes-coarse-768x768',
        'setr/setr-mla_vit-l_8xb2-80k_pascal-context-60-480x480',
    ],
)
def test_configs_look_where_the_data_are(name):
    cfg = load_config(str(ROOT / f'configs/{name}.py'))
    folders = {f'data/{dataset.folder}' for dataset in tool.DATASETS.values()}
    for key in ('train_dataloader', 'test_dataloader'):
        dataset = (cfg.get(key) or {}).get('dataset')
        for part in (dataset or {}).get('datasets', [dataset]):
            if part:
                assert any(part.data_root.startswith(f) for f in folders)


def test_class_names_of_an_archive_do_not_lead_outside(tmp_path, monkeypatch):
    row = dict(ILSVRC2012_ID=1, WNID='../../outside')
    monkeypatch.setattr(tool, 'loadmat', lambda *_, **__: dict(synsets=[row]))
    truth = tmp_path / 'devkit/ILSVRC2012_validation_ground_truth.txt'
    image = tmp_path / 'unpacked/val/ILSVRC2012_val_00000001.JPEG'
    for path in (truth, image):
        path.parent.mkdir(parents=True)
        path.write_text('1')
    with pytest.raises(ValueError, match='outside of'):
        tool.sort_into_classes(tmp_path / 'unpacked', tmp_path)
    assert image.is_file() and not (tmp_path / 'outside').exists()
