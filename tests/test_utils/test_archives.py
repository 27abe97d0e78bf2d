"""Unpacking: complete files only, within the folder only, resumable."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from mmvit.utils import archives
from mmvit.utils.archives import ArchiveError, move_into, unpack
from tests.support.archives import tar_bytes, zip_bytes

FILES = {'a/1.txt': b'one' * 500, 'a/2.txt': b'two' * 500, 'b/3.txt': b''}
KINDS = {
    'x.tar': lambda files: tar_bytes(files),
    'x.tar.gz': lambda files: tar_bytes(files, 'w:gz'),
    'x.zip': zip_bytes,
}


def keep_all(path):
    return path


@pytest.fixture(params=KINDS)
def write(request, tmp_path):
    """Write an archive of each kind."""

    def make(files=FILES):
        path = tmp_path / request.param
        path.write_bytes(KINDS[request.param](files))
        return path

    return make


def found(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def test_all_files_are_written(write, tmp_path):
    seen = []
    number = unpack(
        write(),
        tmp_path / 'out',
        keep_all,
        progress=lambda *args: seen.append(args),
    )
    assert number == 3 and found(tmp_path / 'out') == FILES
    assert [count for count, _ in seen] == [1, 2, 3]
    assert all(0 < share <= 1 for _, share in seen)


def test_files_go_where_they_are_told(write, tmp_path):
    number = unpack(
        write(),
        tmp_path / 'out',
        lambda path: f'c/{path.name}' if path.parts[0] == 'a' else None,
    )
    assert number == 2
    assert set(found(tmp_path / 'out')) == {'c/1.txt', 'c/2.txt'}


def test_archives_inside_become_folders(tmp_path):
    inner = tar_bytes({'1.txt': b'1', '2.txt': b'2'})
    path = tmp_path / 'x.tar'
    path.write_bytes(tar_bytes({'cat.tar': inner, 'dog.tar': inner}))
    unpack(path, tmp_path / 'out', keep_all, nested=True)
    assert set(found(tmp_path / 'out')) == {
        *('cat/1.txt', 'cat/2.txt', 'dog/1.txt', 'dog/2.txt')
    }


@pytest.mark.parametrize('name', ['../evil.txt', '/evil.txt', 'a/../../evil'])
def test_nothing_is_written_outside(write, tmp_path, name):
    archive = write({'a/1.txt': b'1', name: b'2'})
    with pytest.raises(ArchiveError, match='outside of') as error:
        unpack(archive, tmp_path / 'out', keep_all)
    assert str(archive) in str(error.value)
    outside = [path.name for path in tmp_path.iterdir()]
    assert sorted(outside) == ['out', archive.name]
    assert set(found(tmp_path / 'out')) == {'a/1.txt'}


def test_a_hostile_name_is_refused_wherever_the_file_goes(write, tmp_path):
    archive = write({'../evil.txt': b'2'})
    with pytest.raises(ArchiveError, match='outside of'):
        unpack(archive, tmp_path / 'out', lambda path: path.name)
    assert not (tmp_path / 'out').exists()


def test_links_are_refused(tmp_path):
    path = tmp_path / 'x.tar'
    with tarfile.open(path, 'w') as archive:
        link = tarfile.TarInfo('a')
        link.type, link.linkname = tarfile.SYMTYPE, '/etc'
        archive.addfile(link)
    with pytest.raises(ArchiveError, match='a is a link'):
        unpack(path, tmp_path / 'out', keep_all)


def test_archives_that_fill_the_disk_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, '_SMALL', 1000)
    path = tmp_path / 'x.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('1.txt', b'a')
        archive.writestr('2.txt', bytes(10**6))
    with pytest.raises(ArchiveError, match='more than 200 times its'):
        unpack(path, tmp_path / 'out', keep_all)
    assert set(found(tmp_path / 'out')) == {'1.txt'}
    path = tmp_path / 'x.tar'
    with tarfile.open(path, 'w') as archive:
        holes = tarfile.TarInfo('a')
        holes.type = tarfile.GNUTYPE_SPARSE
        archive.addfile(holes)
    with pytest.raises(ArchiveError, match='a is a link, .* with holes'):
        unpack(path, tmp_path / 'out', keep_all)


def test_truncated_archives_are_named(write, tmp_path):
    archive = write()
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ArchiveError, match='damaged') as error:
        unpack(archive, tmp_path / 'out', keep_all)
    assert str(archive) in str(error.value)
    # What has its name is complete.
    for name, content in found(tmp_path / 'out').items():
        assert name.endswith('.part') or FILES[name] == content
    archive.write_bytes(whole)
    unpack(archive, tmp_path / 'out', keep_all)
    assert found(tmp_path / 'out') == FILES


def test_other_files_are_named(tmp_path):
    path = tmp_path / 'x.zip'
    path.write_text('<html>please log in</html>')
    with pytest.raises(ArchiveError, match='x.zip is damaged'):
        unpack(path, tmp_path / 'out', keep_all)


def test_damaged_content_of_a_zip_is_seen(tmp_path):
    path = tmp_path / 'x.zip'
    content = bytearray(zip_bytes({'1.txt': b'one'}))
    content[content.index(b'one')] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match='CRC'):
        unpack(path, tmp_path / 'out', keep_all)
    assert set(found(tmp_path / 'out')) <= {'1.txt.part'}


def test_files_that_are_there_are_not_written_again(write, tmp_path):
    out = tmp_path / 'out'
    unpack(write(), out, keep_all)
    before = (out / 'a/1.txt').stat().st_mtime_ns
    (out / 'a/2.txt').write_bytes(b'half')
    unpack(write(), out, keep_all)
    assert found(out) == FILES
    assert (out / 'a/1.txt').stat().st_mtime_ns == before


def test_moving_into_a_folder_that_is_there(tmp_path):
    for name in ('new/a/1', 'new/b/2', 'old/a/0', 'old/a/1'):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    move_into(tmp_path / 'new', tmp_path / 'old')
    assert not (tmp_path / 'new').exists()
    assert found(tmp_path / 'old') == {
        'a/0': b'old/a/0',
        'a/1': b'new/a/1',
        'b/2': b'new/b/2',
    }
