"""Predictions on images, for all tasks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from os import PathLike, fspath
from typing import Any

import mmcv
import numpy as np
import PIL.Image
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.infer import BaseInferencer
from mmengine.structures import BaseDataElement
from mmengine.visualization import Visualizer
from torch import nn

from mmvit.utils.paths import find_images
from mmvit.visualization.drawing import build_visualizer, picture_of_sample
from mmvit.visualization.images import label_map, load_image, loading_step

from .inference import build_test_pipeline, class_names
from .models import get_model

Image = str | PathLike | np.ndarray | PIL.Image.Image


class Inferencer(BaseInferencer):
    """A model of any task that predicts on images.

    It is mmengine's inferencer, on which those of mmdet and mmseg stand too,
    with one form of the results for all tasks.

    Args:
        model: What `mmvit.get_model` takes, or a model that it has returned.
        pretrained: As in `mmvit.get_model`.
        device: Where to put the model; None is a GPU if there is one.
        **kwargs: Further arguments of `mmvit.get_model`.

    Raises:
        ValueError: As `mmvit.get_model`, or if nothing tells the names of the
            classes.
    """

    visualize_kwargs = {'pictures', 'score_thr'}  # noqa: RUF012

    def __init__(
        self,
        model: str | Config | nn.Module,
        pretrained: bool | str | None = None,
        device: str | None = None,
        **kwargs,
    ) -> None:
        device = device or get_device()
        if isinstance(model, nn.Module):
            if not hasattr(model, 'cfg'):
                raise TypeError(
                    f'{type(model).__name__} has no config that tells its '
                    'test pipeline: give a model of mmvit.get_model, or its '
                    'name'
                )
            self._ready = model.to(device)
        else:
            self._ready = get_model(model, pretrained, device, **kwargs)
        cfg = self._ready.cfg
        super().__init__(cfg, scope=cfg.default_scope, show_progress=False)

    def __call__(
        self,
        images: Image | Iterable[Image],
        batch_size: int = 1,
        pictures: bool = False,
        score_thr: float = 0.3,
    ) -> list[dict[str, Any]]:
        """Predict on images.

        Args:
            images: The path of an image or of a folder, an array, an image of
                PIL, or several of them. Arrays are RGB, (H, W, 3), uint8.
            batch_size: Images that the model gets at once, where they have
                the same size after the test's resizing.
            pictures: Whether to draw the predictions.
            score_thr: Boxes with a lower score are not drawn.

        Returns:
            A dict for each image, in order. A detector's has `boxes` (N, 4) as
            x1, y1, x2, y2 in pixels of the image, `scores` (N, ), `labels`
            (N, ), `names`, and for instances `masks` (N, H, W). A segmentor's
            has `label_map` (H, W) and the `names` of all classes, and a
            classifier's `label`, `name`, `score` and `scores` (classes, ). All
            have `path`, None for an array, and with `pictures` the `picture`,
            RGB, (H', W', 3).

        Raises:
            ValueError: If a file cannot be read or an array is of another
                form; the message has the path or the form.
        """
        return list(self.stream(images, batch_size, pictures, score_thr))

    def stream(
        self,
        images: Image | Iterable[Image],
        batch_size: int = 1,
        pictures: bool = False,
        score_thr: float = 0.3,
    ) -> Iterator[dict[str, Any]]:
        """Predict as a call does, and yield the results one by one.

        So those of a large folder need not be in memory together.
        """
        if batch_size < 1:
            raise ValueError(f'batch_size must be 1 or more, not {batch_size}')
        found = iter(self._inputs_to_list(images))
        while chunk := list(islice(found, batch_size)):
            yield from super().__call__(
                chunk,
                batch_size=batch_size,
                pictures=pictures,
                score_thr=score_thr,
            )

    def _init_model(self, *_: object) -> nn.Module:
        return self._ready

    def _init_collate(self, _: Config) -> Callable:
        return pseudo_collate

    def _init_visualizer(self, cfg: Config) -> Visualizer:
        self.metainfo = class_names(cfg, self.model)
        return build_visualizer(cfg, self.metainfo)

    def _init_pipeline(self, cfg: Config) -> Callable[[Image], dict]:
        pipeline = build_test_pipeline(cfg)
        self._load = loading_step(pipeline)

        def prepare(image: Image) -> dict:
            if isinstance(image, str):
                try:
                    return pipeline(dict(img_path=image, img_id=0))
                except Exception as error:
                    # Some readers do not say which file it is.
                    raise ValueError(
                        f'{image} cannot be loaded: {error}'
                    ) from error
            data = dict(
                img=mmcv.rgb2bgr(image),
                img_path=None,
                img_id=0,
                img_shape=image.shape[:2],
                ori_shape=image.shape[:2],
            )
            for step in pipeline.transforms:
                if step is not self._load:
                    data = step(data)
            return data

        return prepare

    def _inputs_to_list(self, images: Image | Iterable[Image]) -> list[Image]:
        if isinstance(images, Image):
            images = [images]
        found = []
        for image in images:
            if isinstance(image, PIL.Image.Image):
                found.append(np.asarray(image.convert('RGB')))
            elif isinstance(image, np.ndarray):
                if image.ndim != 3 or image.shape[2] != 3:
                    raise ValueError(
                        'an array must be RGB, (H, W, 3): its shape is '
                        f'{image.shape}'
                    )
                if image.dtype != np.uint8:
                    raise ValueError(
                        'an array must have values of 0 to 255 as uint8, and '
                        f'this one is {image.dtype}'
                    )
                found.append(image)
            else:
                found += find_images([fspath(image)])
        return found

    def forward(self, inputs: dict[str, list]) -> list[BaseDataElement]:
        """Predict on a batch; images of other sizes are batches of their own.

        Padding to a common size would change what the model sees.
        """
        groups = defaultdict(list)
        for index, image in enumerate(inputs['inputs']):
            groups[image.shape].append(index)
        samples = [None] * len(inputs['inputs'])
        for indices in groups.values():
            group = {
                key: [values[index] for index in indices]
                for key, values in inputs.items()
            }
            for index, sample in zip(indices, super().forward(group)):
                samples[index] = sample.cpu()
        return samples

    def visualize(
        self,
        inputs: list[Image],
        preds: list[BaseDataElement],
        pictures: bool = False,
        score_thr: float = 0.3,
    ) -> list[np.ndarray | None]:
        """Draw predictions, if `pictures` are asked for."""
        if not pictures:
            return [None] * len(preds)
        self.visualizer.dataset_meta = self.metainfo
        images = [
            load_image(self._load, image) if isinstance(image, str) else image
            for image in inputs
        ]
        return [
            picture_of_sample(self.visualizer, *pair, score_thr, draw_gt=False)
            for pair in zip(images, preds)
        ]

    def postprocess(
        self,
        preds: list[BaseDataElement],
        visualization: list[np.ndarray | None],
        *_: object,
    ) -> list[dict[str, Any]]:
        """Turn predictions into arrays; see `__call__`."""
        classes = self.metainfo['classes']
        results = []
        for sample, picture in zip(preds, visualization):
            result = dict(path=sample.get('img_path'))
            result |= _arrays(sample, classes)
            if picture is not None:
                result['picture'] = picture
            results.append(result)
        return results


def _arrays(sample: BaseDataElement, classes: list[str]) -> dict[str, Any]:
    """Turn a prediction of any task into arrays."""
    if 'pred_sem_seg' in sample:
        return dict(
            label_map=label_map(sample.pred_sem_seg), names=list(classes)
        )
    if 'pred_instances' in sample:
        found = sample.pred_instances.numpy()
        masks = dict(masks=found.masks) if 'masks' in found else {}
        return dict(
            boxes=found.bboxes,
            scores=found.scores,
            labels=found.labels,
            names=[classes[label] for label in found.labels],
            **masks,
        )
    scores = sample.pred_score.numpy()
    label = int(sample.pred_label)
    return dict(
        label=label,
        name=classes[label],
        score=float(scores[label]),
        scores=scores,
    )
