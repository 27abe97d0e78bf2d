"""tools/dev/model_zoo.py and the page that it writes."""

from mmvit.checkpoints.released import released_files
from tests.support.helpers import load_tool

tool = load_tool('dev/model_zoo')


def test_the_page_is_up_to_date() -> None:
    """Run tools/dev/model_zoo.py if it is not."""
    assert tool.PAGE.read_text() == tool.page()


def test_the_page_has_each_file(tmp_path, monkeypatch) -> None:
    page = tmp_path / 'page.md'
    page.write_text(
        'Before.\n<!-- tables: begin -->\nold\n<!-- tables: end -->\nAfter.\n'
    )
    monkeypatch.setattr(tool, 'PAGE', page)
    tool.main([])
    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1]) == ('Before.', 'After.')
    assert 'old' not in lines
    names = [line.split('`')[1] for line in lines if line.startswith('| `')]
    assert names == list(released_files())
    (row,) = (line for line in lines if '`fpn_pvt-t_ade20k`' in line)
    assert (
        'ADE20K mIoU 36.6 | ADE20K: mIoU 35.7 | `configs/pvt/fpn_pvt-t' in row
    )
    assert 'https://drive.google.com/uc?id=13SaiOJ9hH7Wwg_A' in row
