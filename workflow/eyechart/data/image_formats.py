"""The supported formats of image files. Snakemake imports this module, so it needs no library."""

# The supported formats, detected by content, with their file endings. Others are rejected: their
# decoders are rarely used, and the EPS decoder runs a program contained in the file
ENDINGS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".mpo"),  # a JPEG from a phone or stereo camera, followed by further images
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm"),
}
