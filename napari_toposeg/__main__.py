"""``python -m napari_toposeg``: the command line where its script is not on the path."""

import sys

from napari_toposeg.cli import main

sys.exit(main())
