"""Starts a chapter's kernel: an IPython kernel that is watched from its first cell on."""

import sys

from ipykernel.kernelapp import IPKernelApp

from vaecourse.publish.watching import watch

if __name__ == "__main__":
    app = IPKernelApp.instance()
    app.initialize(sys.argv[1:])
    if app.shell is not None:  # None where a subapplication ran
        watch(app.shell)
    app.start()
