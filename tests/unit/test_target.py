# SPDX-License-Identifier: GPL-2.0
"""What is known of where it is measured, with a made-up sysfs."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from ab import target


class Blocks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "dev").mkdir()
        patch = mock.patch.object(target, "DEVICES", self.folder / "dev")
        patch.start()
        self.addCleanup(patch.stop)

    def disk(self, number, size):
        """A disk with blocks of @size bytes; its folder."""
        disk = self.folder / "disk"
        (disk / "queue").mkdir(parents=True)
        (disk / "queue/logical_block_size").write_text(f"{size}\n")
        (self.folder / "dev" / number).symlink_to(disk)
        return disk

    def test_partition(self):
        """the blocks of a partition are those of its disk"""
        part = self.disk("8:0", 4096) / "part"
        part.mkdir()
        (self.folder / "dev/8:1").symlink_to(part)
        self.assertEqual(target.logical_block("8:0"), 4096)
        self.assertEqual(target.logical_block("8:1"), 4096)

    def test_device(self):
        """those of the device that is measured are known"""
        self.disk("1:3", 4096)
        with mock.patch("stat.S_ISBLK", lambda _: True), \
                mock.patch.multiple(target.Device, refuse_in_use=mock.DEFAULT,
                                    content=lambda _: ""):
            self.assertEqual(target.Device("/dev/null", False).logical_block, 4096)

    def test_folder(self):
        """those of a folder are those of the device it is on, if it is on one"""
        self.assertEqual(target.Folder(self.folder).logical_block, 1)
        number = os.stat(self.folder).st_dev
        self.disk(f"{os.major(number)}:{os.minor(number)}", 2048)
        self.assertEqual(target.Folder(self.folder).logical_block, 2048)
