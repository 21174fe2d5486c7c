"""Memory and time requested by mining jobs, as in ``plan.resources``."""

from typing import Any

from eyechart.plan.sizes import CPU_FLOPS, PROCESS_MB, READ_MB_S, Sizes, grow, minutes

NEARBY = 32  # cells that faiss searches per image (measured: 2 to 9, bench/mining.md)


class MiningResources(Sizes):
    """The resources of mining in a validated configuration."""

    def mining_mb(self, wildcards: Any, attempt: int) -> int:
        """Return the memory of both encoders' vectors for a job's images, and of its blocks.

        The vectors are memory-mapped files; with less memory, they are read repeatedly.
        """
        images, widths = self._mined(wildcards)
        block, share = self.config["mining"]["block"], min(1, 2 / self.config["mining"]["parts"])
        more = 20 * NEARBY * images if self.config["mining"]["engine"] == "faiss" else 0
        held = 4 * images * share * widths + 24 * block**2 + 8 * block * widths + more
        return grow(PROCESS_MB / 4 + held / 1e6, attempt)

    def mining_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time to compare a job's images by the vectors of both encoders."""
        images, widths = self._mined(wildcards)
        compared = images**2 / self.config["mining"]["parts"] ** 2
        if self.config["mining"]["engine"] == "faiss":  # 2 √n cells, each image near NEARBY of them
            compared = images**1.5 * (2 + NEARBY / 2)
        return minutes(2 * compared * widths / CPU_FLOPS, attempt)

    def aligning_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time to read and write both encoders' vectors of all images."""
        images, widths = self._mined(wildcards)
        return minutes(3 * 4 * images * widths / 1e6 / READ_MB_S, attempt)

    def _mined(self, wildcards: Any) -> tuple[int, float]:
        """Return the number of mined images and the sum of both encoders' widths."""
        widths = self.width(wildcards.first) + self.width(wildcards.second)
        return self.rows(wildcards.dataset)[0], widths
