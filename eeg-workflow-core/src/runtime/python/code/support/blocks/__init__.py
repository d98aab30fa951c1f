"""What modules of blocks are written with. Modules themselves are sub-packages of this package, in
the processes that blocks start too."""

import os

if "EEG_WORKFLOW_MODULES" in os.environ:
    __path__.append(os.environ["EEG_WORKFLOW_MODULES"])
