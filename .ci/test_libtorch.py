"""Tests of the libtorch set-up with wheels of a few bytes; no network."""
import contextlib
import hashlib
import io
import os
import pathlib
import sys
import tempfile
import unittest
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import libtorch


class SetUp(unittest.TestCase):
    """The folder is whole or absent."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.home = self.root / "libtorch-x"
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as wheel:
            wheel.writestr("torch/lib/libtorch_cpu.so", "code")
            wheel.writestr("torch/lib/libtorch_cuda.so", "huge")
            wheel.writestr("torch/include/torch/torch.h", "header")
            wheel.writestr("../../escape/lib/libtorch_cpu.so", "bad")
        self.wheel = data.getvalue()
        self.pin = ("torch", "1", "any", hashlib.sha256(self.wheel).hexdigest(), ["libtorch_cpu.so"])

    def pip(self, body, code=0):
        """Let the download bring `body` and end with `code`."""
        def run(command, **_):
            folder = pathlib.Path(command[command.index("-d") + 1])
            if body is not None:
                (folder / "torch-1-any.whl").write_bytes(body)
            return type("Made", (), {"returncode": code})
        old = libtorch.subprocess.run
        libtorch.subprocess.run = run
        self.addCleanup(setattr, libtorch.subprocess, "run", old)

    def make(self):
        with contextlib.redirect_stderr(io.StringIO()):
            libtorch.set_up([self.pin], self.home)

    def left(self):
        return sorted(p.name for p in self.root.iterdir())

    def test_only_what_is_needed_is_laid_out(self):
        self.pip(self.wheel)
        self.make()
        files = sorted(p.relative_to(self.home).as_posix() for p in self.home.rglob("*") if p.is_file())
        self.assertEqual(files, ["build-version", "files.txt", "include/torch/torch.h",
                                 "lib/libtorch.so", "lib/libtorch_cpu.so"])
        self.assertEqual(libtorch.damage(self.home), "")
        self.assertEqual(self.left(), ["libtorch-x"])

    def test_a_half_download_is_said_and_leaves_nothing(self):
        self.pip(self.wheel[:50])
        with self.assertRaisesRegex(SystemExit, "SHA-256.*damaged download"):
            self.make()
        self.assertEqual(self.left(), [])

    def test_a_failed_download_is_said_and_leaves_nothing(self):
        self.pip(None, 1)
        with self.assertRaisesRegex(SystemExit, "pip could not download torch 1.*network"):
            self.make()
        self.assertEqual(self.left(), [])

    def test_damage_is_seen(self):
        self.pip(self.wheel)
        self.make()
        (self.home / "lib" / "libtorch_cpu.so").write_text("c")
        self.assertIn("lib/libtorch_cpu.so", libtorch.damage(self.home))
        (self.home / "files.txt").unlink()
        self.assertIn("never finished", libtorch.damage(self.home))

    def test_a_folder_that_is_no_libtorch_is_refused(self):
        with self.assertRaisesRegex(SystemExit, "has no include/torch"):
            libtorch.given_folder(str(self.root))

    def test_another_version_is_refused(self):
        (self.root / "include" / "torch").mkdir(parents=True)
        (self.root / "lib").mkdir()
        (self.root / "build-version").write_text("2.5.1+cpu\n")
        os.environ.pop("LIBTORCH_BYPASS_VERSION_CHECK", None)
        with self.assertRaisesRegex(SystemExit, "is version 2.5.1.*2.11.0 is needed"):
            libtorch.given_folder(str(self.root))


if __name__ == "__main__":
    unittest.main()
