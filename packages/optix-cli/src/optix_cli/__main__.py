"""`python -m optix_cli` is `optix`."""

import sys

from optix_cli.app import main

sys.exit(main())
