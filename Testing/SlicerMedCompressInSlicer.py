"""Runs the module's own test and, where pytest is installed, the suite of Testing/Python inside Slicer."""

import os
import unittest


class SlicerMedCompressInSlicer(unittest.TestCase):
    """What CTest runs through slicer_add_python_unittest."""

    def test_selfTest(self):
        import SlicerMedCompress

        test = SlicerMedCompress.SlicerMedCompressTest()
        test.setUp()
        test.test_volumeComesBackIdentical()

    def test_suite(self):
        try:
            import pytest
        except ImportError:
            self.skipTest("pytest is not installed in Slicer's Python: slicer.util.pip_install('pytest hypothesis')")
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Python")
        self.assertEqual(pytest.main(["-q", "-m", "not standalone", folder]), 0)
