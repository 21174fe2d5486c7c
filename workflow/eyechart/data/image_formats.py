"""The formats of image files that are read. Snakemake imports it, so it needs no library."""

# The formats that are read, judged by content, and the endings of such files. Others are refused:
# their decoders are little used, and that of EPS runs a program that the file contains
ENDINGS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".mpo"),  # a JPEG of a phone or a stereo camera, with further images behind it
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm"),
}
