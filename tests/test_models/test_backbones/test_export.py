"""Graphs of the backbones that torch.export and ONNX make."""

import pytest
import torch

from mmvit.apis.export import check, export_model, save, trace
from mmvit.apis.export_models import for_export
from tests.test_models.test_backbones.test_contract import BACKBONES, build_any

ALL = [*BACKBONES, 'SETRViT']
SHAPE = (64, 96)


def small(name: str, img_size: int = 64, **kwargs) -> torch.nn.Module:
    """Two stages, of which the second reads what the first has made.

    HLG's first stage has both kinds of its blocks, and takes as long to trace
    as two stages of the others.
    """
    if name in ('PVT', 'SETRViT'):
        kwargs['img_size'] = img_size
    if name != 'SETRViT':
        kwargs['out_indices'] = (int(name != 'HLGTransformer'),)
    return build_any(name, **kwargs).eval()


@pytest.mark.parametrize('name', ALL)
def test_a_graph_of_any_number_of_images(name, tmp_path):
    """With the height and width fixed, the graph is what eager computes."""
    model = for_export(small(name))
    program = trace(model, SHAPE, ['batch'])
    targets = [str(node.target) for node in program.graph.nodes]
    assert not [target for target in targets if 'mmvit' in target]
    path = str(tmp_path / 'model.pt2')
    save(program, path, model.outputs)
    found = check(model, path, SHAPE, ['batch'])
    assert [one.shape for one in found] == [
        (1, 3, *SHAPE),
        (3, 3, *SHAPE),
    ]
    assert all(one.largest < 1e-5 for one in found), found


def test_a_traced_pvt_resizes_its_positions():
    """torch.jit.trace at the tables' own size serves other sizes, too."""
    model = small('PVT')
    with torch.no_grad():
        traced = torch.jit.trace(model, torch.rand(1, 3, 64, 64))
        image = torch.rand(1, 3, 128, 96)
        torch.testing.assert_close(traced(image), model(image))


@pytest.mark.slow
@pytest.mark.parametrize('name', ALL)
def test_onnx(name, tmp_path):
    for package in ('onnx', 'onnxscript', 'onnxruntime'):
        pytest.importorskip(package)
    model = for_export(small(name))
    (found,) = export_model(model, str(tmp_path / 'model.onnx'), SHAPE)
    assert found.largest < 1e-4
