"""Local datasets as a folder or zip file: links, safe unpacking, resumption, errors."""

import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from clevr_fixture import make_clevr, make_receipt, read, write
from stopping_steps import hold, kill_step

from eyechart.core.errors import UserError
from eyechart.core.files import PARTIAL, flush
from eyechart.data.sources import local as sources_local
from eyechart.tables.receipt import read_receipt, write_receipt

COUNTS = {"train": 4, "val": 3}
ROOT = Path("data/raw/clevr")


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_clevr(Path("mine/CLEVR_v1.0"), COUNTS, seed=3)


def flags(source, splits=("train", "val"), layout="clevr"):
    settings = json.dumps({"layout": layout, "splits": list(splits)})
    return [
        *("--dataset", "clevr", "--source", str(source), "--settings", settings),
        *("--root", str(ROOT), "--output", str(ROOT / "acquired.json")),
    ]


def acquire(source, **settings):
    sources_local.main(flags(source, **settings))
    return read_receipt(ROOT / "acquired.json")


def pack(folder, archive, top="CLEVR_v1.0", how=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(archive, "w", how) as opened:
        for path in sorted(folder.rglob("*.*")):
            opened.write(path, Path(top) / path.relative_to(folder))
    return archive


def contents(root):
    files = [p for p in root.rglob("*") if p.is_file() and p.name != "acquired.json"]
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in files}


@pytest.mark.parametrize("given", ["mine/CLEVR_v1.0", "mine"])
def test_a_folder_is_linked_with_or_without_its_top_and_nothing_is_copied(source, given):
    receipt = acquire(Path(given))
    for name in contents(source):
        assert (ROOT / name).is_symlink()
        assert (ROOT / name).samefile(source / name)
    assert receipt["splits"] == {
        "train": {"images": 4, "questions": 24},
        "val": {"images": 3, "questions": 18},
    }
    assert {entry["path"] for entry in receipt["files"]} == set(contents(source))


def test_every_source_gives_the_same_receipt_except_for_its_name(source, tmp_path):
    linked = acquire(source)
    assert acquire(source) == linked  # a second time
    shutil.rmtree(ROOT)
    unpacked = acquire(pack(source, Path("mine.zip")))
    make_receipt(source, COUNTS)
    rendered = read_receipt(source / "acquired.json")
    assert linked == unpacked == {**rendered, "source": "local"}


@pytest.mark.parametrize("top", ["CLEVR_v1.0", ""])
def test_a_zip_is_unpacked_with_or_without_its_top(source, top):
    acquire(pack(source, Path("mine.zip"), top))
    assert contents(ROOT) == contents(source)


def test_only_the_wanted_split_is_taken(source):
    (source / "README.txt").write_text("not needed")
    receipt = acquire(pack(source, Path("mine.zip")), splits=("val",))
    assert list(receipt["splits"]) == ["val"]
    assert {name.split("_")[1] for name in contents(ROOT)} == {"val"}


def test_a_dataset_already_in_place_is_not_linked_to_itself(source):
    shutil.copytree(source, ROOT)
    acquire(ROOT)
    assert contents(ROOT) == contents(source)
    assert not any(path.is_symlink() for path in ROOT.rglob("*"))


def test_a_zip_or_another_folder_replaces_links_and_never_the_files_behind_them(source):
    before = contents(source)
    acquire(source)
    other = make_clevr(Path("other"), COUNTS, seed=4)
    acquire(pack(other, Path("other.zip")))
    assert contents(ROOT) == contents(other)
    shutil.rmtree(ROOT)
    acquire(source)
    acquire(other)
    assert contents(ROOT) == contents(other)
    assert contents(source) == before


def test_files_of_another_source_are_not_replaced_by_links(source):
    shutil.copytree(source, ROOT)
    with pytest.raises(
        UserError,
        match=r"images/train/CLEVR_train_000000.png: exists already, from another source; delete",
    ):
        acquire(source)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("scenes/CLEVR_val_scenes.json", "CLEVR_val_scenes.json: no such file, so split 'val'"),
        ("questions/CLEVR_val_questions.json", "CLEVR_val_questions.json: no such file"),
        ("images/val/CLEVR_val_000001.png", "CLEVR_val_000001.png: no such image, but .* scene"),
    ],
)
def test_a_missing_file_is_reported_by_the_users_own_path(source, name, words):
    (source / name).unlink()
    with pytest.raises(UserError, match=f"^mine/CLEVR_v1.0/{Path(name).parent}/{words}"):
        acquire(Path("mine"))
    assert not ROOT.exists()


def test_a_wrong_source_layout_or_output_is_refused(source):
    with pytest.raises(UserError, match=r"nowhere: no such folder, zip or tar"):
        acquire(Path("nowhere"))
    with pytest.raises(UserError, match=r"layout is 'cleverr'; did you mean 'clevr'?"):
        acquire(source, layout="cleverr")
    argv = [*flags(source)[:-1], "elsewhere.json"]
    with pytest.raises(UserError, match=r"--output is elsewhere.json, expected data/raw/clevr"):
        sources_local.main(argv)


def test_a_missing_file_and_an_unknown_source_are_refused(source):
    receipt = {"dataset": "clevr", "layout": "clevr", "splits": {}, "files": [Path("gone.png")]}
    with pytest.raises(UserError, match=r"gone.png: no such file, but the dataset needs it"):
        write_receipt(source, source="local", **receipt)
    with pytest.raises(UserError, match=r"source is 'locale'; did you mean 'local'?"):
        write_receipt(source, source="locale", **receipt)
    assert not (source / "acquired.json").exists()


def test_a_receipt_lists_files_from_its_folder_in_order(source):
    files = [source / "scenes/CLEVR_val_scenes.json", Path("images/val/CLEVR_val_000001.png")]
    write_receipt(source, dataset="clevr", layout="clevr", source="render", splits={}, files=files)
    listed = [entry["path"] for entry in read_receipt(source / "acquired.json")["files"]]
    assert listed == ["images/val/CLEVR_val_000001.png", "scenes/CLEVR_val_scenes.json"]


def unsafe_member(kind):
    info = zipfile.ZipInfo("CLEVR_v1.0/images/val/evil.png")
    if kind == "link":
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
    else:
        info.filename = {
            "parent": "CLEVR_v1.0/../../../evil.png",
            "absolute": "/tmp/evil.png",
            "backslash": "images\\val\\..\\..\\evil.png",
            "drive": "C:/evil.png",
        }[kind]
    return info


@pytest.mark.parametrize("kind", ["parent", "absolute", "backslash", "drive", "link"])
def test_a_zip_with_an_unsafe_member_is_refused_completely(source, kind):
    archive = pack(source, Path("evil.zip"))
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(unsafe_member(kind), "/etc/passwd")
    reason = "is a link" if kind == "link" else "would be written outside the folder"
    with pytest.raises(UserError, match=f"evil.zip: member '.*evil.png' {reason}"):
        acquire(archive)
    assert contents(ROOT) == {}
    assert not list(Path.cwd().rglob("evil.png"))


def test_a_bomb_is_refused_before_anything_is_written(source):
    archive = pack(source, Path("bomb.zip"))
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("CLEVR_v1.0/images/val/bomb.png", bytes(200 << 20))
    with pytest.raises(UserError, match=r"bomb.png' unpacks from \d+ to 209715200 bytes"):
        acquire(archive)
    assert contents(ROOT) == {}


def test_a_member_that_lies_about_its_size_never_exceeds_it(source):
    archive = pack(source, Path("liar.zip"))
    data = bytearray(archive.read_bytes())
    size = (source / "scenes/CLEVR_val_scenes.json").stat().st_size
    place = data.rindex(struct.pack("<L", size))  # in the central directory
    data[place : place + 4] = struct.pack("<L", 100)
    archive.write_bytes(data)
    with pytest.raises(UserError, match=r"liar.zip: truncated or damaged, not a complete zip"):
        acquire(archive)
    assert not (ROOT / "scenes/CLEVR_val_scenes.json").exists()
    assert not list(ROOT.rglob("*partial*"))


def test_a_duplicate_or_encrypted_member_is_refused(source):
    archive = pack(source, Path("odd.zip"))
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive, "a") as opened:
        opened.write(source / "images/val/CLEVR_val_000000.png", "images/val/CLEVR_val_000000.png")
    with pytest.raises(UserError, match=r"occurs in it twice"):
        acquire(archive)
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the first entry of the central directory
    archive.write_bytes(data)
    with pytest.raises(UserError, match=r"is encrypted"):
        acquire(archive)


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.0])
def test_a_truncated_zip_is_a_one_sentence_error(source, keep):
    archive = pack(source, Path("cut.zip"))
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * keep)])
    with pytest.raises(UserError, match=r"^cut.zip: truncated or damaged, not a complete zip \("):
        acquire(archive)
    assert not (ROOT / "acquired.json").exists()


def test_a_flipped_byte_in_a_zip_is_noticed(source):
    archive = pack(source, Path("flipped.zip"), how=zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    data[data.index(b"IDAT") + 20] ^= 1  # in an image
    archive.write_bytes(data)
    with pytest.raises(UserError, match=r"flipped.zip: truncated or damaged.*Bad CRC-32"):
        acquire(archive)


def test_a_zip_without_the_required_files_is_an_error_with_the_missing_one(source):
    with zipfile.ZipFile("other.zip", "w") as opened:
        opened.writestr("README.txt", "something else")
    with pytest.raises(UserError, match=r"CLEVR_train_scenes.json: no such file"):
        acquire(Path("other.zip"))


def test_a_disk_without_room_is_refused_with_both_sizes(source, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 9, 2048))
    with pytest.raises(UserError, match=r"mine.zip: needs [\d.]+kiB to unpack.* 2.00kiB free"):
        acquire(pack(source, Path("mine.zip")))


def test_unpacking_again_keeps_complete_files_and_repairs_broken_ones(source):
    archive = pack(source, Path("mine.zip"))
    acquire(archive)
    kept, broken = (ROOT / f"images/val/CLEVR_val_00000{n}.png" for n in (0, 1))
    number = kept.stat().st_ino
    data = bytearray(broken.read_bytes())
    data[-1] ^= 1  # the size stays the same
    broken.write_bytes(data)
    acquire(archive)
    assert kept.stat().st_ino == number
    assert contents(ROOT) == contents(source)


def test_a_killed_run_leaves_no_receipt_and_the_next_one_completes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    big = make_clevr(Path("big"), {"val": 1}, seed=1)
    scenes = read(big / "scenes/CLEVR_val_scenes.json")
    image = (big / "images/val/CLEVR_val_000000.png").read_bytes()
    for index in range(1, 20):
        scene = {**scenes["scenes"][0], "image_index": index}
        scene["image_filename"] = f"CLEVR_val_{index:06d}.png"
        (big / "images/val" / scene["image_filename"]).write_bytes(image)
        scenes["scenes"].append(scene)
    write(big / "scenes/CLEVR_val_scenes.json", scenes)
    archive = pack(big, Path("big.zip"))
    reached = hold(tmp_path / "held", flush, call=12)  # written, but not yet renamed
    step = ("eyechart.data.sources.local", flags(archive, splits=("val",)))
    kill_step(*step, tmp_path / "held", reached.exists)
    assert not (ROOT / "acquired.json").exists()
    assert 0 < len(list(ROOT.glob("images/val/CLEVR*"))) < 20
    left = list(ROOT.glob("images/val/.*.partial-*"))  # left by the killed step
    assert left and all(PARTIAL.fullmatch(path.name) for path in left)
    receipt = acquire(archive, splits=("val",))
    assert receipt["splits"]["val"]["images"] == 20
    assert contents(ROOT) == contents(big)


def test_a_step_ends_with_one_sentence_and_status_1(source):
    command = [sys.executable, "-m", "eyechart.data.sources.local", *flags(Path("nowhere"))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "eyechart: error: nowhere: no such folder, zip or tar\n"
