"""Image files of every format go in and come out; what cannot is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from generated_images import OBLIQUE, TYPES, head, scalar, segmentation, sequence

sitk = pytest.importorskip("SimpleITK")

from SlicerMedCompressLib.errors import InputError, OutputError, UnsupportedImageError
from SlicerMedCompressLib.files import read_image, write_image
from SlicerMedCompressLib.image import Image, Kind, same_voxels


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz", ".nii", ".mhd"])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_volumes_of_every_type_and_format_come_back(tmp_path: Path, suffix: str, dtype: np.dtype) -> None:
    image = scalar(head((5, 12, 14), dtype.name), geometry=OBLIQUE)
    write_image(image, tmp_path / f"a{suffix}")
    read = read_image(tmp_path / f"a{suffix}")
    assert same_voxels(read.voxels, image.voxels)
    assert np.allclose(read.geometry.ijk_to_ras, OBLIQUE.ijk_to_ras, atol=1e-4)


def test_geometry_is_what_simpleitk_says_in_ras(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(head((5, 6, 7)))
    image.SetOrigin((1, 2, 3))
    image.SetSpacing((0.5, 0.25, 2))
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    position = read_image(tmp_path / "a.nrrd").geometry.ijk_to_ras @ [4, 3, 2, 1]
    lps = image.TransformIndexToPhysicalPoint((4, 3, 2))
    assert position[:3].tolist() == [-lps[0], -lps[1], lps[2]]


def test_metaimage_geometry_comes_back_bit_for_bit(tmp_path: Path) -> None:
    image = scalar(head((3, 4, 5)), geometry=OBLIQUE)
    write_image(image, tmp_path / "a.mha")
    assert read_image(tmp_path / "a.mha").geometry.spacing == pytest.approx(OBLIQUE.spacing, rel=1e-15)


def test_two_dimensional_images_stay_two_dimensional(tmp_path: Path) -> None:
    original = sitk.GetImageFromArray(head((1, 20, 30))[0])
    original.SetSpacing((0.1, 0.2))
    sitk.WriteImage(original, str(tmp_path / "a.nrrd"))
    write_image(read_image(tmp_path / "a.nrrd"), tmp_path / "b.nrrd")
    again = sitk.ReadImage(str(tmp_path / "b.nrrd"))
    assert again.GetSize() == (30, 20)
    assert again.GetSpacing() == (0.1, 0.2)


def test_four_dimensional_files_keep_their_time_step(tmp_path: Path) -> None:
    even = Image(sequence().voxels, dimension=4, frame_axis=read_axis(tmp_path))
    write_image(even, tmp_path / "a.nii.gz")
    again = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
    assert again.GetSize()[3] == 4
    assert again.GetSpacing()[3] == pytest.approx(2.5)


def read_axis(tmp_path: Path):
    image = sitk.GetImageFromArray(np.zeros((4, 2, 2, 2), np.int16), isVector=False)
    image.SetSpacing((1, 1, 1, 2.5))
    sitk.WriteImage(image, str(tmp_path / "axis.nrrd"))
    return read_image(tmp_path / "axis.nrrd").frame_axis


def test_color_images_are_recognized(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (1, 3, 8, 9, 3), np.uint8)
    write_image(Image(rgb, kind=Kind.COLOR), tmp_path / "a.nrrd")
    read = read_image(tmp_path / "a.nrrd")
    assert read.kind is Kind.COLOR
    assert same_voxels(read.voxels, rgb)


@pytest.mark.parametrize("name", ["liver_label.nrrd", "a-label.nii.gz", "b_seg.mha"])
def test_labels_are_recognized_by_name(tmp_path: Path, name: str) -> None:
    write_image(scalar((head() > 0).astype(np.uint8)), tmp_path / name)
    assert read_image(tmp_path / name).kind is Kind.LABEL


def test_attributes_of_a_file_come_back(tmp_path: Path) -> None:
    write_image(scalar(head((3, 4, 5)), attributes={"my key": "my value"}), tmp_path / "a.nrrd")
    assert read_image(tmp_path / "a.nrrd").attributes == {"my key": "my value"}


def test_attributes_that_are_not_utf_8_do_not_keep_an_image_from_being_read(tmp_path: Path) -> None:
    image = scalar(head((3, 4, 5)), attributes={"name": "Gruesse", "Schluessel": "x"})
    write_image(image, tmp_path / "a.nrrd", compress=False)
    content = (tmp_path / "a.nrrd").read_bytes().replace(b"Gruesse", b"Gr\xfc\xdfe").replace(b"Schlue", b"Schl\xfc")
    (tmp_path / "a.nrrd").write_bytes(content)
    read = read_image(tmp_path / "a.nrrd")
    assert same_voxels(read.voxels, image.voxels)
    assert read.attributes == {"name": "Gr??e"}


def test_segmentations_come_back_with_their_segments(tmp_path: Path) -> None:
    image = segmentation()
    plain = {"SegmentationTest": "x"}
    write_image(image, tmp_path / "a.seg.nrrd")
    read = read_image(tmp_path / "a.seg.nrrd")
    assert read.kind is Kind.SEGMENTATION
    assert plain.keys().isdisjoint(read.attributes)
    assert same_voxels(read.voxels, image.voxels)
    assert read.segmentation is not None
    assert image.segmentation is not None
    for one, other in zip(read.segmentation.segments, image.segmentation.segments, strict=True):
        assert (one.identifier, one.name, one.label_value, one.layer) == (
            other.identifier,
            other.name,
            other.label_value,
            other.layer,
        )
        assert one.color == pytest.approx(other.color)


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.mcz", "a.dcm"])
def test_an_unknown_format_is_told_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="ends in"):
        write_image(scalar(head((2, 3, 4))), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_segmentation_needs_its_own_format_and_a_volume_another(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.seg\.nrrd"):
        write_image(segmentation(), tmp_path / "a.nrrd")
    with pytest.raises(OutputError, match=r"\.nrrd"):
        write_image(scalar(head((2, 3, 4))), tmp_path / "a.seg.nrrd")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder is missing"):
        write_image(scalar(head((2, 3, 4))), tmp_path / "no" / "a.nrrd")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.nrrd").write_bytes(b"old")

    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("disk trouble")

    monkeypatch.setattr(sitk, "WriteImage", failing)
    with pytest.raises(OutputError, match="disk trouble"):
        write_image(scalar(head((2, 3, 4))), tmp_path / "a.nrrd")
    assert (tmp_path / "a.nrrd").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_missing_and_foreign_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "text.nrrd").write_text("no image")
    with pytest.raises(InputError, match="no file or folder"):
        read_image(tmp_path / "none.nrrd")
    with pytest.raises(InputError, match="not an image"):
        read_image(tmp_path / "text.nrrd")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="no DICOM series"):
        read_image(tmp_path / "folder")


def test_an_unsupported_type_is_told_with_the_file(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((2, 3, 4), np.int64)), str(tmp_path / "a.nrrd"))
    with pytest.raises(UnsupportedImageError, match=r"a\.nrrd.*int64"):
        read_image(tmp_path / "a.nrrd")


def test_a_dicom_folder_is_read_without_patient_identifiers(tmp_path: Path) -> None:
    write_series(tmp_path / "series", "1.2.3")
    image = read_image(tmp_path / "series")
    assert image.voxels.shape == (1, 3, 16, 18, 1)
    assert image.geometry.spacing == (0.5, 0.5, 2.0)
    assert "DOE" not in repr((image.name, image.attributes))


def test_a_folder_of_two_series_is_told(tmp_path: Path) -> None:
    write_series(tmp_path / "series", "1.2.3")
    write_series(tmp_path / "series", "1.2.4")
    with pytest.raises(InputError, match="2 DICOM series"):
        read_image(tmp_path / "series")


def write_series(folder: Path, uid: str, slices: int = 3) -> None:
    """CT slices of a patient called DOE."""
    folder.mkdir(exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number in range(slices):
        piece = sitk.GetImageFromArray(head((1, 16, 18)))
        piece.SetSpacing((0.5, 0.5, 2.0))
        position = f"0\\0\\{2 * number}"
        keys = {
            "0010|0010": "DOE^JANE",
            "0008|0060": "CT",
            "0020|000e": uid,
            "0020|000d": "1.2",
            "0020|0032": position,
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(number),
            "0008|0018": f"{uid}.{number}",
        }
        for key, text in keys.items():
            piece.SetMetaData(key, text)
        writer.SetFileName(str(folder / f"{uid}-{number}.dcm"))
        writer.Execute(piece)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize(
    "attributes", [{"a: b": "c"}, {"a:=b": "c"}, {"k\nx": "a"}, {"k": "a\nb"}, {"k": "a\ndata file: x"}]
)
def test_attributes_that_would_break_a_header_are_left_out_and_told(
    tmp_path: Path, suffix: str, attributes: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    image = scalar(head((3, 4, 5)), attributes=attributes)
    write_image(image, tmp_path / f"a{suffix}")
    assert same_voxels(read_image(tmp_path / f"a{suffix}").voxels, image.voxels)
    assert "left out" in caplog.text


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mhd"])
def test_a_writer_that_loses_voxels_in_silence_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    write_image(scalar(head((3, 4, 5))), tmp_path / f"a{suffix}")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write = sitk.WriteImage

    def losing(image: object, path: str, **how: object) -> None:
        write(image * 0, path, **how)

    monkeypatch.setattr(sitk, "WriteImage", losing)
    with pytest.raises(OutputError, match="read back"):
        write_image(scalar(head((3, 4, 5)) + 1), tmp_path / f"a{suffix}")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_damaged_slice_of_a_series_is_told_and_not_dropped(tmp_path: Path) -> None:
    write_series(tmp_path / "series", "1.2.3")
    middle = tmp_path / "series" / "1.2.3-1.dcm"
    middle.write_bytes(middle.read_bytes()[:400])
    with pytest.raises(InputError, match=r"1\.2\.3-1\.dcm.*damaged"):
        read_image(tmp_path / "series")


def test_a_missing_slice_of_a_series_is_told(tmp_path: Path) -> None:
    write_series(tmp_path / "series", "1.2.3", slices=5)
    (tmp_path / "series" / "1.2.3-2.dcm").unlink()
    with pytest.raises(InputError, match="2 to 4 mm apart"):
        read_image(tmp_path / "series")


def test_labels_become_segments_where_a_file_names_none(tmp_path: Path) -> None:
    write_image(scalar((head() > 100).astype(np.uint8) * 3), tmp_path / "a.nrrd")
    read = read_image(tmp_path / "a.nrrd", Kind.SEGMENTATION)
    assert read.segmentation is not None
    assert [segment.label_value for segment in read.segmentation.segments] == [3]
