"""Files are written into the folder that was asked for, or not at all."""

import pytest

from mmvit.utils.paths import path_within


@pytest.mark.parametrize('name', ['a.png', 'a/b.png', 'a/../b.png', '..a.png'])
def test_names_within_the_folder(tmp_path, name: str) -> None:
    assert path_within(tmp_path, name) == str(tmp_path / name)


@pytest.mark.parametrize(
    'name', ['../a.png', 'a/../../b.png', '/a.png', '.', '..', '', 'a/..']
)
def test_names_outside_of_the_folder(tmp_path, name: str) -> None:
    with pytest.raises(ValueError, match='outside of'):
        path_within(tmp_path, name)


def test_links_do_not_lead_outside(tmp_path) -> None:
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/link').symlink_to(tmp_path)
    with pytest.raises(ValueError, match='outside of'):
        path_within(tmp_path / 'out', 'link/a.png')


def test_the_folder_may_be_relative(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert path_within('out', 'a.png') == 'out/a.png'
    assert path_within('.', 'a.png') == 'a.png'
