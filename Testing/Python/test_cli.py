"""The terminal command: files, figures, exit statuses and messages fit for scripts."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from generated_images import OBLIQUE, head, scalar, segmentation
from mutations import rebuilt

sitk = pytest.importorskip("SimpleITK")

from SlicerMedCompressLib.cli import main
from SlicerMedCompressLib.codecs import CODECS
from SlicerMedCompressLib.compression import compress
from SlicerMedCompressLib.files import read_image, write_image
from SlicerMedCompressLib.image import Kind


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    path = tmp_path / "head.nrrd"
    write_image(scalar(head((12, 40, 44)), geometry=OBLIQUE), path)
    return path


def run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.mark.parametrize(
    "how", [[], ["--preset", "fast"], ["--codec", "jpegls"], ["--codec", "jpegxl:5", "--threads", "1"], ["--no-verify"]]
)
def test_a_volume_goes_to_mcz_and_back(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: list[str]
) -> None:
    assert run("compress", volume, tmp_path / "a.mcz", *how) == 0
    assert "bits per voxel" in capsys.readouterr().out
    assert run("decompress", tmp_path / "a.mcz", tmp_path / "b.nrrd") == 0
    first, second = (sitk.ReadImage(str(path)) for path in (volume, tmp_path / "b.nrrd"))
    assert np.array_equal(sitk.GetArrayFromImage(first), sitk.GetArrayFromImage(second))
    for ask in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(first, ask)() == pytest.approx(getattr(second, ask)(), rel=1e-12)


def test_figures_come_as_json(volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("compress", volume, tmp_path / "a.mcz", "--json", "-q")
    figures = json.loads(capsys.readouterr().out)
    assert figures["compressed_bytes"] == (tmp_path / "a.mcz").stat().st_size
    assert figures["verified"]


def test_info_tells_what_a_file_holds(volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("compress", volume, tmp_path / "a.mcz", "--codec", "jpegls")
    capsys.readouterr()
    assert run("info", tmp_path / "a.mcz", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["shape"] == [1, 12, 40, 44, 1]
    assert facts["codec"] == {"id": "jpegls"}
    run("compress", volume, tmp_path / "b.mcz", "--max-error", "2", "-q")
    capsys.readouterr()
    assert run("info", tmp_path / "b.mcz") == 0
    lines = {line[:24].strip(): line[24:].strip() for line in capsys.readouterr().out.splitlines()}
    assert (lines["kind"], lines["bound"], lines["maximum error"]) == ("scalar", "2", "2")
    assert run("info", tmp_path / "a.mcz") == 0
    assert "identical to the original" in capsys.readouterr().out


def test_verify_finds_the_damaged_one_among_good_files(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("compress", volume, tmp_path / "good.mcz")
    damaged = bytearray((tmp_path / "good.mcz").read_bytes())
    damaged[200] ^= 1
    (tmp_path / "bad.mcz").write_bytes(bytes(damaged))
    capsys.readouterr()
    assert run("verify", tmp_path / "good.mcz", tmp_path / "bad.mcz") == 1
    told = capsys.readouterr()
    assert "good.mcz: good" in told.out
    assert "bad.mcz" in told.err
    assert "checksum" in told.err


def test_codecs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("codecs") == 0
    assert "htj2k" in capsys.readouterr().out
    assert run("codecs", "--json") == 0
    assert {codec["id"] for codec in json.loads(capsys.readouterr().out)} >= {"jpegxl", "crackle", "pcodec"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["compress", "missing.nrrd", "a.mcz"], "no file or folder"),
        (["compress", "{volume}", "a.nrrd"], "must end in .mcz"),
        (["compress", "{volume}", "{folder}/none/a.mcz"], "folder does not exist"),
        (["compress", "{volume}", "{folder}/a.mcz", "--codec", "gzip"], "no codec"),
        (["compress", "{volume}", "{folder}/a.mcz", "--codec", "crackle"], "label volumes"),
        (["decompress", "missing.mcz", "a.nrrd"], "no file"),
        (["decompress", "{volume}", "a.nrrd"], "not a complete ZIP"),
        (["info", "{folder}"], "is a folder"),
    ],
)
def test_bad_use_is_one_sentence_and_status_1(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    before = sorted(tmp_path.iterdir())
    assert run(*(word.format(volume=volume, folder=tmp_path) for word in words)) == 1
    message = capsys.readouterr().err
    assert told in message
    assert message.startswith("medcompress: ")
    assert message.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["shrink"],
        ["compress", "a"],
        ["compress", "a", "b.mcz", "--threads", "0"],
        ["compress", "a", "b.mcz", "--preset", "fast", "--codec", "zstd"],
    ],
)
def test_wrong_usage_is_status_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_an_interruption_is_status_130_and_leaves_nothing(
    volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("SlicerMedCompressLib.compression.write_archive", interrupted)
    assert run("compress", volume, tmp_path / "a.mcz") == 130
    assert not (tmp_path / "a.mcz").exists()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_segmentation_goes_to_mcz_and_back(tmp_path: Path) -> None:
    write_image(segmentation(), tmp_path / "a.seg.nrrd")
    assert run("compress", tmp_path / "a.seg.nrrd", tmp_path / "a.mcz", "-q") == 0
    assert run("decompress", tmp_path / "a.mcz", tmp_path / "b.seg.nrrd", "-q") == 0
    first, second = (read_image(tmp_path / name) for name in ("a.seg.nrrd", "b.seg.nrrd"))
    assert first.segmentation == second.segmentation


def test_bench_tells_sizes_and_speeds_and_writes_json(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = "nrrd,jpegxl7-slices,fast,jpegls,crackle"
    assert run("bench", volume, "--methods", methods, "--repeats", "1", "--json", tmp_path / "b.json") == 0
    shown = capsys.readouterr().out
    assert "of JXL e7" in shown
    assert "nrrd is " in shown
    rows = {row["method"]: row for row in json.loads((tmp_path / "b.json").read_text())}
    assert set(rows) == {"nrrd", "jpegxl7-slices", "fast", "jpegls"}
    assert rows["fast"]["nrrd_size"] == rows["nrrd"]["size"]
    assert rows["jpegls"]["load_seconds"] > 0


def test_bench_without_images_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bench", tmp_path) == 1
    assert "no images" in capsys.readouterr().err


@pytest.mark.standalone
def test_the_demo_proves_the_volume_identical(volume: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    assert run("demo", volume) == 0
    shown = capsys.readouterr().out
    assert shown.count("voxels and geometry identical") == 2
    assert "nrrd" in shown


def test_the_command_runs_as_a_module(tmp_path: Path) -> None:
    compress(scalar(head((3, 9, 9))), tmp_path / "a.mcz")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "SlicerMedCompressLib", "verify", str(tmp_path / "a.mcz")]
    assert subprocess.run(command, env=environment, capture_output=True).returncode == 0


@pytest.mark.standalone
def test_the_demo_finds_a_real_volume_in_a_package(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    pytest.importorskip("nilearn", reason="nilearn, which carries the volume, is not installed")
    assert run("demo", "-q") == 0
    assert "mni_icbm152_t1" in capsys.readouterr().out


def test_bench_sends_lossy_codecs_to_the_sweep(volume: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bench", volume, "--methods", "fast,jpeg") == 1
    assert "medcompress sweep" in capsys.readouterr().err


def test_bench_tells_what_it_cannot_measure(volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bench", volume, "--methods", "fast,gzip") == 1
    assert "no codec" in capsys.readouterr().err
    assert run("bench", tmp_path / "none.nrrd") == 1
    assert (
        run("bench", volume, "--methods", " nrrd , fast", "--repeats", "1", "--json", tmp_path / "no" / "b.json") == 1
    )
    (tmp_path / "bad.nrrd").write_text("no image")
    assert run("bench", volume, tmp_path / "bad.nrrd", "--methods", " nrrd , fast", "--repeats", "1") == 0
    assert "bad.nrrd" in capsys.readouterr().err


def test_info_cannot_be_made_to_forge_lines(volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("compress", volume, tmp_path / "a.mcz")
    forged = rebuilt(
        (tmp_path / "a.mcz").read_bytes(), lambda header: header["image"].update(name="\x1b[31m\nratio 1000")
    )
    (tmp_path / "b.mcz").write_bytes(forged)
    capsys.readouterr()
    assert run("info", tmp_path / "b.mcz") == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\nratio 1000" not in shown


@pytest.mark.parametrize(
    "words",
    [
        ["compress", "{volume}", "{folder}/" + "x" * 300 + ".mcz"],
        ["compress", "x" * 5000, "a.mcz"],
        ["decompress", "{good}", "{folder}"],
        ["decompress", "{good}", "{folder}/" + "x" * 300 + ".nrrd"],
        ["decompress", "{good}", "{folder}/dir.nrrd"],
    ],
)
def test_impossible_paths_are_one_sentence(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    compress(scalar(head((3, 9, 9))), tmp_path / "good.mcz")
    (tmp_path / "dir.nrrd").mkdir()
    assert run(*(word.format(volume=volume, folder=tmp_path, good=tmp_path / "good.mcz") for word in words)) == 1
    assert capsys.readouterr().err.count("\n") == 1


TARGETS = [
    (["--max-error", "2"], "no voxel differs by more than 2"),
    (["--max-relative-error", "0.05"], "times its magnitude"),
    (["--psnr", "45"], "PSNR 45."),
    (["--psnr", "45", "--codec", "jpeg2000"], "jpeg2000-lossy"),
    (["--ratio", "6", "--codec", "jpegls"], "ratio 6."),
    (["--bpv", "3", "--preset", "lossy"], "bits per voxel"),
    (["--codec", "jpeg:80"], "was found to differ"),
    (["--max-error", "3", "--preset", "bounded"], "no voxel differs by more than 3"),
]


@pytest.mark.parametrize(("how", "told"), TARGETS, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_may_be_lost_is_said_in_words_and_told_again(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: list[str], told: str
) -> None:
    assert run("compress", volume, tmp_path / "a.mcz", *how) == 0
    assert told in capsys.readouterr().out.replace("PSNR 44.9", "PSNR 45.").replace("ratio 5.9", "ratio 6.")
    assert run("verify", tmp_path / "a.mcz") == 0
    assert run("info", tmp_path / "a.mcz") == 0
    assert "differ" in capsys.readouterr().out
    assert run("decompress", tmp_path / "a.mcz", tmp_path / "b.nrrd") == 0


def test_a_bound_holds_from_file_to_file(volume: Path, tmp_path: Path) -> None:
    assert run("compress", volume, tmp_path / "a.mcz", "--max-error", "2", "-q") == 0
    assert run("decompress", tmp_path / "a.mcz", tmp_path / "b.nrrd", "-q") == 0
    before, after = (read_image(path).voxels.astype(int) for path in (volume, tmp_path / "b.nrrd"))
    assert np.abs(before - after).max() == 2


@pytest.fixture
def segmented(volume: Path, tmp_path: Path) -> Path:
    labels = np.zeros((12, 40, 44), np.uint8)
    labels[4:8, 10:20, 12:25] = 1
    labels[9, 30:34, 30:34] = 2
    path = tmp_path / "organs-label.nrrd"
    write_image(scalar(labels, geometry=OBLIQUE, kind=Kind.LABEL), path)
    return path


def test_segments_stay_exact_within_a_loss(volume: Path, segmented: Path, tmp_path: Path) -> None:
    how = ["--segmentation", segmented, "--roi-lossless", "--segment", "1", "--roi-margin", "0.5", "--max-error", "9"]
    assert run("compress", volume, tmp_path / "a.mcz", *how, "-q") == 0
    assert run("decompress", tmp_path / "a.mcz", tmp_path / "b.nrrd", "-q") == 0
    before, after = (read_image(path).voxels[0, ..., 0].astype(int) for path in (volume, tmp_path / "b.nrrd"))
    labels = read_image(segmented).voxels[0, ..., 0]
    assert np.array_equal(before[labels == 1], after[labels == 1])
    assert 0 < np.abs(before - after).max() <= 9


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (["--roi-lossless", "--max-error", "2"], "needs --segmentation"),
        (["--segmentation", "{labels}", "--max-error", "2"], "What is to be done"),
        (["--segmentation", "{labels}", "--roi-lossless"], "something to lose around it"),
        (["--segmentation", "{labels}", "--roi-lossless", "--segment", "7", "--max-error", "2"], 'no segment "7"'),
        (["--segmentation", "{volume}.none", "--roi-lossless", "--max-error", "2"], "no file or folder"),
        (["--max-error", "0"], "must be a positive number"),
        (["--preset", "fast", "--psnr", "40"], "takes no target"),
        (["--preset", "lossy"], "needs a target"),
        (["--codec", "jpeg", "--psnr", "150"], "cannot be reached"),
        (["--codec", "hevc:99"], "qp must be 0 to 51"),
    ],
)
def test_losses_that_make_no_sense_are_told_in_one_sentence(
    volume: Path, segmented: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: list[str], told: str
) -> None:
    words = [word.format(labels=segmented, volume=volume) for word in how]
    assert run("compress", volume, tmp_path / "a.mcz", *words) == 1
    message = capsys.readouterr().err
    assert told in message
    assert message.count("\n") == 1
    assert not (tmp_path / "a.mcz").exists()


def test_an_image_is_no_region(volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(
        scalar(np.arange(12 * 40 * 44, dtype=np.int32).reshape(12, 40, 44), geometry=OBLIQUE), tmp_path / "b.nrrd"
    )
    how = ["--segmentation", tmp_path / "b.nrrd", "--roi-lossless", "--max-error", "2"]
    assert run("compress", volume, tmp_path / "a.mcz", *how) == 1
    assert "as an image has" in capsys.readouterr().err


def test_a_region_may_be_a_compressed_segmentation(volume: Path, segmented: Path, tmp_path: Path) -> None:
    assert run("compress", segmented, tmp_path / "labels.mcz", "-q") == 0
    how = ["--segmentation", tmp_path / "labels.mcz", "--roi-lossless", "--max-error", "9"]
    assert run("compress", volume, tmp_path / "a.mcz", *how, "-q") == 0
    assert run("info", tmp_path / "a.mcz") == 0


def test_a_file_that_rounds_otherwise_is_decoded_if_that_is_accepted(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compress", volume, tmp_path / "a.mcz", "--max-error", "2", "-q") == 0

    def edit(header: dict) -> None:
        header["decoded"][0][0] ^= 1

    (tmp_path / "b.mcz").write_bytes(rebuilt((tmp_path / "a.mcz").read_bytes(), edit))
    assert run("decompress", tmp_path / "b.mcz", tmp_path / "b.nrrd") == 1
    assert "--accept-rounding" in capsys.readouterr().err
    assert run("decompress", tmp_path / "b.mcz", tmp_path / "b.nrrd", "--accept-rounding") == 0


def test_two_targets_are_wrong_usage(volume: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        run("compress", volume, tmp_path / "a.mcz", "--psnr", "40", "--ratio", "9")


def test_a_sweep_is_a_table_a_csv_and_a_picture(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    files = ["--csv", tmp_path / "s.csv", "--plot", tmp_path / "s.png"]
    assert run("sweep", volume, "--codecs", "jpeg2000,jpegls,htj2k", "--points", "3", *files, "-q") == 0
    shown = capsys.readouterr().out
    assert "BD-rate" in shown
    assert "reference" in shown
    rows = list(csv.DictReader((tmp_path / "s.csv").open()))
    assert [row["codec"] for row in rows] == [*["jpeg2000-lossy"] * 3, *["jpegls"] * 3, *["htj2k-lossy"] * 3]
    for codec in ("jpeg2000-lossy", "jpegls", "htj2k-lossy"):
        own = [row for row in rows if row["codec"] == codec]
        for measure in ("bits_per_voxel", "psnr", "ssim"):
            values = [float(row[measure]) for row in own]
            assert values == sorted(values, reverse=True), (codec, measure)
    assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (["--codecs", "gzip"], "no codec"),
        (["--codecs", ","], "at least one codec"),
        (["--codecs", "jpeg:30"], "write just jpeg"),
        (["--codecs", "jpegls", "--reference", "sperr"], "not among the codecs"),
        (["--codecs", "jpegls", "--csv", "{folder}/none/s.csv"], "Cannot write"),
    ],
)
def test_a_sweep_that_cannot_be_is_told(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: list[str], told: str
) -> None:
    assert run("sweep", volume, *(word.format(folder=tmp_path) for word in how)) == 1
    assert told in capsys.readouterr().err


def test_codecs_tell_what_they_promise_their_knob_and_their_license(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("codecs", "--json") == 0
    found = {codec["id"]: codec for codec in json.loads(capsys.readouterr().out)}
    assert {codec["guarantee"] for codec in found.values()} == {"lossless", "bounded", "lossy"}
    assert found["jpegls-near"]["knob"]["unit"] == "stored units"
    assert all(codec["license"] for codec in found.values())
    assert run("codecs") == 0
    assert "GPL-2.0" in capsys.readouterr().out


def test_a_missing_library_is_told_below_the_list(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(CODECS["hevc"], "module", "no_such_module")
    assert run("codecs") == 0
    assert "hevc is missing: The codec HEVC needs the Python package av" in capsys.readouterr().out
