"""tools/dev/model_zoo.py and the pages that it writes."""

import pytest

from mmvit.checkpoints.released import released_files
from tests.support.helpers import ROOT, load_tool

tool = load_tool('dev/model_zoo')


def rows(text: str) -> list[list[str]]:
    """The cells of a text's tables, without the lines below the titles."""
    lines = [line for line in text.splitlines() if line.startswith('| ')]
    cells = [line[2:-2].split(' | ') for line in lines]
    return [row for row in cells if not row[0].startswith('---')]


@pytest.mark.parametrize('name', tool.PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    """Run tools/dev/model_zoo.py if it is not."""
    assert (ROOT / name).read_text() == tool.page(name)


def test_the_text_around_the_tables_stays(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tool, 'ROOT', tmp_path)
    monkeypatch.setattr(tool, 'PAGES', {'a.md': dict(one=lambda: 'new\n')})
    page = tmp_path / 'a.md'
    page.write_text(
        'Before.\n<!-- one: begin -->\nold\n<!-- one: end -->\nAfter.\n'
    )
    tool.main([])
    assert page.read_text() == (
        'Before.\n<!-- one: begin -->\nnew\n<!-- one: end -->\nAfter.\n'
    )
    page.write_text('Before.\n<!-- one: begin -->\n')
    with pytest.raises(ValueError, match='a.md has no <!-- one: begin -->'):
        tool.main([])


def test_each_published_file_has_a_line() -> None:
    text = tool.published_tables()
    names = [row[0].strip('`') for row in rows(text) if row[0] != 'name']
    assert names == list(released_files())
    (row,) = (line for line in rows(text) if 'fpn_pvt-t_ade20k' in line[0])
    assert row[1:3] == ['ADE20K mIoU 36.6', 'ADE20K: mIoU 35.7']
    assert row[3].startswith('[fpn_pvt-t_4xb4-80k_ade20k-512x512](')
    assert 'https://drive.google.com/uc?id=13SaiOJ9hH7Wwg_A' in row[4]


def test_each_config_has_a_line() -> None:
    found = [row for row in rows(tool.model_tables()) if row[0] != 'config']
    names = [row[0].partition(']')[0].strip('[') for row in found]
    assert sorted(names) == sorted(tool.models())
    (row,) = (row for row in found if '[hlg-t_8xb128-300e_in1k-v2]' in row[0])
    assert row[1:5] == [
        'ImageNet-V2 (matched frequency): top-1 70.1',
        *('11.0', '2.2 at 224x224'),
        '734 images/s, 11.7 GB',
    ]


def test_each_size_of_a_backbone_has_a_line() -> None:
    titles, *found = rows(tool.size_table())
    by_name = {row[0]: row[1:] for row in found}
    assert list(by_name)[0] == 'HLG-Mobile'
    assert {'PVT-Large', 'Pale-Base', 'Focal-Large'} <= set(by_name)
    assert by_name['ScalableViT-Small'] == [
        *('32.0', '4.3', '83.1', '45.2', '45.8', '44.9', '48.5')
    ]
    assert {len(row) for row in found} == {len(titles)}


def test_the_measured_figures_are_those_of_the_guide() -> None:
    guide = (ROOT / 'docs/en/reproduce.md').read_text()
    (begin,) = (i for i, row in enumerate(rows(guide)) if row[0] == 'backbone')
    shown = {
        float(cell) for row in rows(guide)[begin + 1 :] for cell in row[1:5]
    }
    _, *found = rows(tool.measured_table())
    assert len(found) == 10
    assert {float(cell) for row in found for cell in row[3:]} == shown
