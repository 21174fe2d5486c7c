"""Make Snakemake in this environment report targets that its options consumed, in one sentence.

Writes eyechart.pth, which Python reads when it starts. It calls eyechart.core.command_line.
"""

import sysconfig
from pathlib import Path

MODULE = Path(__file__).resolve().parents[1] / "workflow/eyechart/core/command_line.py"
LINE = (
    "import sys; 'snakemake' in ''.join(sys.orig_argv[1:3]) and "
    f"__import__('runpy').run_path({str(MODULE)!r})['check'](sys.orig_argv[1:])\n"
)

if __name__ == "__main__":
    Path(sysconfig.get_path("purelib"), "eyechart.pth").write_text(LINE, encoding="utf-8")
