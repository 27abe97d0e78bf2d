"""What the commands of the pages read: small data, and published weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from torch import Tensor

from mmvit.apis.config import load_config
from tests.test_checkpoints.test_published import dense_shapes, published

from .archives import coco_json, labels, picture, wordnet_id
from .file_server import FileServer, Page, file_server
from .helpers import ROOT
from .pages import Shell
from .published_pvt import saved

SMALL = (1, 1, 1, 1)  # blocks of the stages, if a network has stages
SETR = dict(dims=16, depth=24, channels=8)  # a narrow T-Large


def _vit_shapes() -> dict[str, tuple[int, ...]]:
    """Names of timm's ViT: the encoder of SETR's release, and the ends."""
    setr = dense_shapes.setr_shapes('naive', side=24, classes=1, **SETR)
    encoder = {
        name.removeprefix('backbone.'): shape
        for name, shape in setr.items()
        if name.startswith('backbone.')
    }
    ends = {'norm.weight': (16,), 'norm.bias': (16,)}
    return encoder | ends | {'head.weight': (1000, 16), 'head.bias': (1000,)}


def _setr_shapes(method: str) -> dict[str, tuple[int, ...]]:
    return dense_shapes.setr_shapes(method, side=48, classes=19, **SETR)


PUBLISHED = {
    'pvt-s_in1k': partial(published.pvt_shapes, 'small'),
    'retinanet_pvt-s_fpn_1x_coco': partial(
        dense_shapes.retinanet_shapes, 'small'
    ),
    'focal-t_in1k': partial(published.focal_shapes, 'tiny'),
    'scalablevit-s_in1k': partial(published.scalablevit_shapes, 'small'),
    'hlg-t_in1k': partial(published.hlg_shapes, 'tiny', released=True),
}
SETR_PUBLISHED = {
    'setr-pup_vit-l_80k_cityscapes': partial(_setr_shapes, 'pup'),
    'setr-mla_vit-l_80k_cityscapes': partial(_setr_shapes, 'mla'),
    'vit-l_in1k-384': _vit_shapes,
}


def published_weights(name: str) -> dict[str, Tensor]:
    """Random weights under the names of a file of the zoo."""
    if name in SETR_PUBLISHED:
        shapes = SETR_PUBLISHED[name]()
    else:
        shapes = PUBLISHED[name](depths=SMALL)
    return published.random_weights(shapes)


class _Made(dict):
    """Pages that are made when they are asked for."""

    def get(self, path: str) -> Page | None:
        name = Path(path).stem
        if name not in {**PUBLISHED, **SETR_PUBLISHED}:
            return None
        return Page(saved(dict(state_dict=published_weights(name))))


@contextmanager
def mirror() -> Iterator[FileServer]:
    """A server of the published files."""
    with file_server() as server:
        server.pages = _Made()
        yield server


def write_page_data(folder: Path) -> None:
    """Write one or two images of ImageNet, COCO and Cityscapes.

    The images are prepared as by the data sets' pages; those of COCO are
    wide, which makes the resized ones small.
    """
    files = {}
    for split in ('train', 'val'):
        for number in range(1000):
            name = wordnet_id(number)
            (folder / f'imagenet/{split}/{name}').mkdir(parents=True)
            if number < 2:
                files[f'imagenet/{split}/{name}/{name}_1.JPEG'] = picture()
        files[f'coco/annotations/instances_{split}2017.json'] = coco_json(
            split, 2, annotated=True, size=(32, 512)
        )
        for number in range(2):
            name = f'coco/{split}2017/{split}{number:012d}.jpg'
            files[name] = picture(size=(32, 512))
        stem = f'{split}/city/city_000000_000019'
        name = f'cityscapes/leftImg8bit/{stem}_leftImg8bit.png'
        files[name] = picture('PNG')
        name = f'cityscapes/gtFine/{stem}_gtFine_labelTrainIds.png'
        files[name] = labels([0, 3, 18, 255])
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


RUNS = ('train', 'test', 'infer', 'dataset_converters/label_maps')
_ALWAYS = [
    f'{loader}_dataloader.{option}'
    for loader in ('train', 'val', 'test')
    for option in ('num_workers=0', 'persistent_workers=False')
]
_TRAINING = ['default_hooks.checkpoint.interval=1', 'param_scheduler=None']
# Of what is trained; a published detector has the real width.
_NARROW_DETECTOR = [
    'model.neck.out_channels=16',
    *(
        f'model.{head}.{key}=16'
        for head in ('bbox_head', 'rpn_head')
        for key in ('in_channels', 'feat_channels')
    ),
]
_NARROW_MASKS = [
    'model.roi_head.bbox_roi_extractor.out_channels=16',
    'model.roi_head.mask_roi_extractor.out_channels=16',
    'model.roi_head.bbox_head.in_channels=16',
    'model.roi_head.bbox_head.fc_out_channels=16',
    'model.roi_head.mask_head.in_channels=16',
    'model.roi_head.mask_head.conv_out_channels=16',
]
# SETR's window is one of 64 pixels.
_NARROW = [
    'model.data_preprocessor.size=(64,64)',
    'model.test_cfg.crop_size=(64,64)',
    *(
        f'{loader}_dataloader.dataset.pipeline.{transform}'
        for loader, transform in (
            ('train', '2.scale=(64,64)'),
            ('train', '3.crop_size=(64,64)'),
            ('val', '1.scale=(64,64)'),
            ('test', '1.scale=(64,64)'),
        )
    ),
    'model.backbone.overrides.embed_dims=16',
    'model.backbone.overrides.num_heads=4',
    *(
        f'model.{head}.{key}'
        for head in ('decode_head', *(f'auxiliary_head.{i}' for i in range(4)))
        for key in ('in_channels=16', 'channels=8')
    ),
]


class SmallRuns(Shell):
    """A shell whose trainings are short, and end as if they were not.

    Args:
        folder: Its folder.
        forget: Is called before each command.
    """

    def __init__(self, folder: Path, forget: Callable[[], None]) -> None:
        super().__init__(folder, folder)
        self.forget = forget
        self.whole = False  # whether networks keep their sizes

    def shrink(self, tool: str, args: list[str]) -> list[str]:
        """Options that make a page's training or test small."""
        if tool not in RUNS:
            return []
        setr = 'setr' in args[0]
        options = [*_ALWAYS]
        if setr:
            options += _NARROW
        elif not self.whole:
            options.append('model.backbone.overrides.depths=(1,1,1,1)')
        if tool == 'train' or 'work_dirs' in args[1]:
            if 'retinanet' in args[0]:
                options += [x for x in _NARROW_DETECTOR if 'rpn' not in x]
            if 'mask-rcnn' in args[0]:
                options += [x for x in _NARROW_DETECTOR if 'model.b' not in x]
                options += _NARROW_MASKS
        if tool == 'train':
            options += [
                *_TRAINING,
                f'train_cfg.max_{"iters" if setr else "epochs"}=1',
            ]
            if not setr:
                options.append('train_dataloader.batch_size=2')
        return ['--cfg-options', *options]

    def run(self, line: str) -> None:
        """Run a command; a training's checkpoint gets its whole number."""
        self.forget()
        super().run(line)
        for path in self.folder.glob('work_dirs/*_*/epoch_1.pth'):
            (config,) = ROOT.glob(f'configs/*/{path.parent.name}.py')
            epochs = load_config(str(config)).train_cfg.max_epochs
            path.rename(path.with_name(f'epoch_{epochs}.pth'))
