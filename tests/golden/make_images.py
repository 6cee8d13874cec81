#!/usr/bin/env python3
"""Writes golden/images/: small pictures of every kind, and what Pillow and transformers' PIL processors make of them.

Run by hand (needs Pillow 13, transformers, numpy); what it writes is committed, so that the tests need neither.

- pictures/: the files. refused/: files that must be refused.
- index.json: `pictures` ({file, exact, height, width, at}), `processors` ({config, model_type, files, shape, dtype, at,
  mask_at}), `failures` ({config, files, words}: what transformers refuses too), `refused` ({file, words}).
- expected.bin: the numbers, each from the byte `at` on.
"""
import io
import json
import pathlib
import random
import shutil
import struct
import tempfile
import warnings
import zlib

import numpy
import transformers
from PIL import Image, ImageOps
from transformers import AutoImageProcessor

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
HERE = pathlib.Path(__file__).resolve().parent / "images"
rng = numpy.random.default_rng(8)
random.seed(8)
expected = bytearray()
index = {"pictures": [], "processors": [], "failures": [], "refused": []}


def keep(array):
    """Appends the numbers of an array; where they begin."""
    at = len(expected)
    expected.extend(numpy.ascontiguousarray(array).tobytes())
    return at


# ---- PNG, bit by bit ------------------------------------------------------------------------------------------------
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed_row(values, bits):
    if bits == 16:
        return b"".join(struct.pack(">H", v) for v in values)
    row = bytearray((len(values) * bits + 7) // 8)
    for i, v in enumerate(values):
        row[i * bits // 8] |= v << (8 - bits - i * bits % 8)
    return bytes(row)


def filtered(rows, step):
    out, above = b"", bytes(len(rows[0]))
    for y, row in enumerate(rows):
        kind, line = y % 5, bytearray()
        for i, x in enumerate(row):
            a, b, c = (row[i - step] if i >= step else 0), above[i], (above[i - step] if i >= step else 0)
            p = a + b - c
            pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
            paeth = a if pa <= pb and pa <= pc else b if pb <= pc else c
            line.append((x - (0, a, b, (a + b) // 2, paeth)[kind]) & 255)
        out += bytes([kind]) + bytes(line)
        above = row
    return out


def png(width, height, bits, colours, interlaced=0, before=b"", after=b"", header=None, crc=None):
    most = (1 << bits) - 1
    pixels = [[[random.randint(0, most if random.random() < 0.7 else min(most, 300)) for _ in range(CHANNELS[colours])]
               for _ in range(width)] for _ in range(height)]
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for x0, y0, dx, dy in passes if interlaced else [(0, 0, 1, 1)]:
        rows = [packed_row([v for x in range(x0, width, dx) for v in pixels[y][x]], bits) for y in range(y0, height, dy)]
        if rows and rows[0]:
            raw += filtered(rows, max(1, CHANNELS[colours] * bits // 8))
    head = chunk(b"IHDR", header or struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, interlaced))
    data = chunk(b"IDAT", zlib.compress(raw, 9))
    if crc:
        data = data[:-1] + bytes([data[-1] ^ 1])
    return b"\x89PNG\r\n\x1a\n" + head + before + data + after + chunk(b"IEND", b"")


def exif(orientation, big_endian):
    e = ">" if big_endian else "<"
    entries = [(256, 3, 1, 9), (274, 3, 1, orientation), (282, 3, 1, 1)]
    return ((b"MM\0*" if big_endian else b"II*\0") + struct.pack(e + "IH", 8, len(entries)) +
            b"".join(struct.pack(e + "HHIHH", *entry, 0) for entry in entries) + bytes(4))


# ---- pictures -------------------------------------------------------------------------------------------------------
def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def smooth(width, height, mode="RGB"):
    values = rng.integers(0, 256, (max(1, height // 5), max(1, width // 5), len(mode) if mode != "L" else 3))
    image = Image.fromarray(values.astype(numpy.uint8), mode if mode in ("CMYK", "RGBA") else "RGB")
    return image.resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def loaded(data):
    """As transformers' load_image."""
    return ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")


def add(name, data, exact=True):
    (HERE / "pictures" / name).write_bytes(data)
    pixels = numpy.asarray(loaded(data))
    index["pictures"].append({"file": name, "exact": exact, "height": pixels.shape[0], "width": pixels.shape[1],
                              "at": keep(pixels)})


def make_png():
    for colours, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for bits in depths:
            before = b""
            if colours == 3:  # a palette that ends before the indices do, with transparency
                size = max(2, (1 << bits) * 3 // 4)
                before = chunk(b"PLTE", rng.bytes(3 * size)) + chunk(b"tRNS", rng.bytes(size // 2))
            elif colours in (0, 2):
                before = chunk(b"tRNS", bytes(2 * CHANNELS[colours]))
            interlaced = bits in (1, 4, 16)
            add(f"{('grey', '', 'rgb', 'palette', 'grey_alpha', '', 'rgba')[colours]}_{bits}.png",
                png(9, 7, bits, colours, int(interlaced), before))
    add("interlaced.png", png(11, 9, 8, 2, 1, chunk(b"gAMA", struct.pack(">I", 100000))))
    add("grey_16_in_a_row.png", png(5, 4, 16, 0))
    add("one_pixel.png", png(1, 1, 8, 2))
    add("trailing_bytes.png", png(4, 3, 8, 2) + b"and more")
    add("exif_3.png", png(4, 3, 8, 2, 0, chunk(b"eXIf", exif(3, True))))
    add("exif_6_behind.png", png(4, 3, 8, 6, 0, b"", chunk(b"eXIf", exif(6, False))))
    profile = exif(5, False).hex().encode()
    add("exif_5_raw_profile.png", png(4, 3, 8, 0, 0, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(
        b"\nexif\n%8d\n" % (len(profile) // 2) + profile + b"\n"))))
    add("xmp_8.png", png(4, 3, 8, 2, 0, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<a tiff:Orientation=\"8\"/>")))
    control = struct.pack(">IIIIIHHBB", 0, 4, 3, 0, 0, 1, 1, 0, 0)
    add("animated.png", png(4, 3, 8, 2, 0, chunk(b"acTL", struct.pack(">II", 1, 0)) + chunk(b"fcTL", control)))
    add("a_png_by_another_name.jpg", png(3, 2, 8, 2))


def make_jpeg():
    add("baseline.jpg", saved(smooth(33, 21), "JPEG", quality=90, optimize=True), False)
    add("progressive.jpg", saved(smooth(29, 35), "JPEG", quality=60, progressive=True, subsampling=1), False)
    add("full_colour.jpg", saved(smooth(13, 9), "JPEG", quality=100, subsampling=0, optimize=True), False)
    add("rgb.jpg", saved(smooth(13, 9), "JPEG", keep_rgb=True, optimize=True), False)
    add("restarts.jpg", saved(smooth(40, 20), "JPEG", restart_marker_blocks=1, optimize=True), False)
    add("grey.jpg", saved(smooth(17, 19, "L"), "JPEG", optimize=True), False)
    add("cmyk.jpg", saved(smooth(15, 11, "CMYK"), "JPEG", optimize=True), False)
    cmyk = saved(smooth(15, 11, "CMYK"), "JPEG", optimize=True)
    adobe = cmyk.index(b"\xff\xee")
    length = struct.unpack(">H", cmyk[adobe + 2:adobe + 4])[0]
    add("cmyk_unmarked.jpg", cmyk[:adobe] + cmyk[adobe + 2 + length:], False)
    add("ycck.jpg", cmyk[:adobe + 1 + length] + b"\x02" + cmyk[adobe + 2 + length:], False)
    for orientation in range(10):
        data = saved(smooth(10, 7), "JPEG", quality=80, optimize=True,
                     exif=b"Exif\0\0" + exif(orientation, orientation % 2 == 0))
        add(f"exif_{orientation}.jpg", data, False)
    add("xmp_6.jpg", saved(smooth(10, 7), "JPEG", optimize=True,
                           xmp=b"<tiff:Orientation>6</tiff:Orientation>"), False)
    add("trailing_bytes.jpg", saved(smooth(9, 8), "JPEG", optimize=True) + b"and more", False)


def make_webp():
    add("lossy.webp", saved(smooth(20, 13), "WEBP", quality=80), False)
    add("lossless.webp", saved(smooth(14, 9), "WEBP", lossless=True))
    add("alpha.webp", saved(smooth(12, 9, "RGBA"), "WEBP", lossless=True, exact=True))
    add("exif_7.webp", saved(smooth(10, 7), "WEBP", lossless=True, exif=exif(7, True)))


# ---- processors -----------------------------------------------------------------------------------------------------
def pillow_of(name):
    return loaded((HERE / "pictures" / name).read_bytes())


def processed(config, model_type, files):
    with tempfile.TemporaryDirectory() as directory:
        (pathlib.Path(directory) / "preprocessor_config.json").write_text(json.dumps(config))
        if model_type:
            (pathlib.Path(directory) / "config.json").write_text(json.dumps({"model_type": model_type}))
        processor = AutoImageProcessor.from_pretrained(directory, backend="pil")
        return processor([pillow_of(file) for file in files], return_tensors="np")


def process(config, files, model_type=None):
    out = processed(config, model_type, files)
    pixels = out["pixel_values"]
    index["processors"].append({
        "config": config, "model_type": model_type, "files": files, "shape": list(pixels.shape),
        "dtype": str(pixels.dtype), "at": keep(pixels),
        "mask_at": keep(out["pixel_mask"]) if "pixel_mask" in out else None})


def fails(config, files, words):
    try:
        processed(config, None, files)
    except Exception:  # whatever it is
        index["failures"].append({"config": config, "files": files, "words": words})
        return
    raise SystemExit(f"transformers accepts {config}")


def make_processors():
    add("photo.png", saved(smooth(31, 18), "PNG"))
    hard = Image.fromarray((rng.integers(0, 2, (23, 9, 3)) * 255).astype(numpy.uint8))
    add("hard.png", saved(hard, "PNG"))
    add("sliver.png", saved(smooth(60, 2), "PNG"))
    add("square.png", saved(smooth(16, 16), "PNG"))
    vit, deit, clip, mae, detr = ({"image_processor_type": name + "ImageProcessor"}
                                  for name in ("ViT", "DeiT", "CLIP", "VideoMAE", "Detr"))
    # every filter, both orders of the passes, one pass alone
    for resample in range(6):
        process(vit | {"size": [8, 6], "resample": resample}, ["hard.png"])
        process(vit | {"size": {"height": 11, "width": 12}, "resample": resample, "do_normalize": False}, ["photo.png"])
    for size in ([23, 4], [5, 9], [40, 9], [23, 9], [30, 20], [3, 3]):
        process(vit | {"size": size, "resample": 3, "do_rescale": False, "do_normalize": False}, ["hard.png"])
    process(vit | {"size": 12}, ["square.png", "square.png"])
    process({"feature_extractor_type": "ViTFeatureExtractor", "size": 9, "resample": 2, "image_mean": [0.5, 0.4, 0.3],
             "image_std": 0.25}, ["photo.png"])
    process({"size": 7, "do_center_crop": True, "crop_size": [5, 4]}, ["photo.png"], "vit")
    process(vit | {"do_resize": None}, ["hard.png"])
    process(vit | {"size": 6, "do_normalize": None, "rescale_factor": 1 / 127.5}, ["photo.png"])
    process(vit | {"size": 6, "do_rescale": False, "zzz": 1, "max_size": 4}, ["photo.png"])
    process(vit | {"do_resize": False, "do_pad": True, "pad_size": 32}, ["hard.png", "photo.png"])
    process(deit | {"size": 12, "crop_size": 10}, ["photo.png"])
    process({"size": {"height": 8, "width": 5}, "crop_size": {"height": 5, "width": 8}}, ["photo.png"], "deit")
    process(clip | {"size": 10, "crop_size": 8}, ["photo.png"])
    process(clip | {"size": {"shortest_edge": 9}, "crop_size": 14, "do_convert_rgb": True}, ["hard.png"])
    process(clip | {"image_processor_type": "CLIPImageProcessorFast", "size": 5, "crop_size": 8}, ["photo.png"])
    process({"size": 8, "crop_size": 6}, ["photo.png"], "xclip")
    process({"feature_extractor_type": "CLIPFeatureExtractor", "size": [6, 8], "do_center_crop": False}, ["hard.png"])
    process(mae | {"size": 7, "crop_size": 6, "do_pad": True, "image_mean": [0.485, 0.456, 0.406],
                   "image_std": [0.229, 0.224, 0.225]}, ["photo.png", "hard.png", "square.png"])
    process(detr | {"size": {"shortest_edge": 12, "longest_edge": 20}}, ["photo.png", "hard.png"])
    process(detr | {"size": 12, "max_size": 15, "pad_and_return_pixel_mask": False}, ["photo.png"])
    process({"feature_extractor_type": "DetrFeatureExtractor", "size": 9, "max_size": 30}, ["sliver.png", "hard.png"])
    process(detr | {"size": {"max_height": 9, "max_width": 30}, "pad_size": {"height": 12, "width": 24}}, ["photo.png"])
    process(detr | {"size": {"shortest_edge": 16, "longest_edge": 99}, "do_pad": None}, ["square.png"])
    fails(vit | {"size": {"longest_edge": 9}}, ["photo.png"], ["preprocessor_config.json: size", "longest_edge"])
    fails(vit | {"size": {"height": 9}}, ["photo.png"], ["size", "height, width"])
    fails(vit | {"size": {"height": 9, "width": None}}, ["photo.png"], ["size", "width"])
    fails(vit | {"size": "9"}, ["photo.png"], ["size is '9'"])
    fails(vit | {"size": 0}, ["photo.png"], ["size is 0"])
    fails(vit | {"size": None}, ["photo.png"], ["do_resize true and size null"])
    fails(vit | {"resample": None}, ["photo.png"], ["resample null"])
    fails(vit | {"image_mean": [0.5]}, ["photo.png"], ["image_mean has 1 numbers"])
    fails(vit | {"image_std": None}, ["photo.png"], ["image_std null"])
    fails(vit | {"rescale_factor": None}, ["photo.png"], ["rescale_factor null"])
    fails(vit | {"do_center_crop": True}, ["photo.png"], ["no crop_size"])
    fails(clip | {"crop_size": {"shortest_edge": 4}}, ["photo.png"], ["crop_size", "height and width"])
    fails(clip | {"do_center_crop": False}, ["photo.png", "hard.png"], ["one batch", "do_pad"])
    fails(vit | {"do_resize": False, "do_pad": True, "pad_size": 20}, ["photo.png"], ["18 x 31", "pad_size of 20 x 20"])
    fails(detr | {"size": {"shortest_edge": 9}}, ["photo.png"], ["DETR's processor needs both"])
    fails(detr | {"size": {"shortest_edge": 9, "longest_edge": 12}}, ["sliver.png"], ["2 x 60", "0 x"])
    fails({"image_processor_type": "ConvNextImageProcessor2"}, ["photo.png"], ["'ConvNextImageProcessor2'"])
    fails({"size": 3}, ["photo.png"], ["image_processor_type"])


def make_transparent():
    """Pictures with a transparent colour: do_convert_rgb makes it white. No random numbers, so that others keep theirs."""
    def picture(name, bits, colours, values, *parts):
        row = b"\0" + packed_row(values, bits)
        head = struct.pack(">IIBBBBB", len(values) // CHANNELS[colours], 1, bits, colours, 0, 0, 0)
        add(f"hidden_{name}.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(parts) +
            chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b""))
        return f"hidden_{name}.png"

    key = lambda *levels: chunk(b"tRNS", struct.pack(">" + "H" * len(levels), *levels))
    palette, alphas = chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60, 10, 20, 30, 0, 0, 0])), lambda *a: chunk(b"tRNS", bytes(a))
    turned = chunk(b"eXIf", exif(6, True))
    pairs = lambda *levels: [level for level in levels for _ in range(3)]
    files = [
        picture("grey_1", 1, 0, [0, 1, 1, 0], key(0)), picture("grey_1_white", 1, 0, [0, 1, 1, 0], key(1)),
        picture("grey_2", 2, 0, [0, 1, 2, 3], key(0)), picture("grey_4", 4, 0, [0, 1, 15, 3], key(1)),
        picture("grey_8", 8, 0, [0, 7, 255, 44], key(7), turned), picture("grey_8_beyond", 8, 0, [0, 44, 255, 7], key(300)),
        picture("grey_16", 16, 0, [0, 1, 256, 65535], key(256)), picture("grey_16_level", 16, 0, [0, 1, 256, 65535], key(1)),
        picture("rgb_8", 8, 2, [1, 2, 3, 1, 2, 4, 0, 2, 3, 1, 2, 3], key(1, 2, 3)),
        picture("rgb_16", 16, 2, pairs(0x0102, 0x0203, 0x0301, 0xffff), key(0x0302, 0x0202, 0x0402)),
        picture("palette_8", 8, 3, [0, 1, 2, 3], palette, alphas(0)), picture("palette_2", 2, 3, [0, 1, 2, 3], palette, alphas(255, 0, 255)),
        picture("palette_partly", 8, 3, [0, 1, 2, 3], palette, alphas(0, 128)), picture("palette_two", 8, 3, [0, 1, 2, 3], palette, alphas(0, 0))]
    plain = {"do_resize": False, "do_center_crop": False, "do_rescale": False, "do_normalize": False}
    for file in files:
        process(plain | {"image_processor_type": "CLIPImageProcessor"}, [file])
    for name, config in {"Siglip": {}, "Llava": {"do_pad": True}, "ViT": {}, "Detr": {"do_convert_rgb": True}, "VideoMAE": {},
                         "DeiT": {"do_convert_rgb": True}, "CLIP": {"do_convert_rgb": False}}.items():
        process(plain | {"image_processor_type": name + "ImageProcessor"} | config, ["hidden_rgb_8.png"])
    process(plain | {"image_processor_type": "CLIPImageProcessor", "do_convert_rgb": None}, ["hidden_palette_8.png"])
    process({"image_processor_type": "CLIPImageProcessor", "size": 6, "crop_size": 5}, ["hidden_palette_8.png", "hard.png"])
    process({"image_processor_type": "LlavaNextImageProcessor", "size": 4, "crop_size": 4, "image_grid_pinpoints": [[4, 8]]},
            ["hidden_rgb_8.png"])


# ---- refused --------------------------------------------------------------------------------------------------------
def refuse(name, data, *words):
    (HERE / "refused" / name).write_bytes(data)
    index["refused"].append({"file": name, "words": [name, *words]})


def scans(side, count):
    """A progressive JPEG whose scans pass over the whole picture in a few bytes each."""
    def segment(marker, data):
        return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data
    head = (b"\xff\xd8" + segment(0xdb, b"\0" + bytes([1] * 64)) +
            segment(0xc2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0") +
            segment(0xc4, b"\x10\1" + bytes(15) + b"\xe0") + segment(0xc4, b"\0\1" + bytes(16)))
    runs = -(-(side // 8)**2 // 32767)
    bits = ("0" + "1" * 14) * runs
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")
    return head + (segment(0xda, b"\1\1\0\1\x3f\0") + data) * count + b"\xff\xd9"


def make_refused():
    photo = smooth(24, 20)
    jpeg, progressive = saved(photo, "JPEG", optimize=True), saved(photo, "JPEG", progressive=True)
    frame = jpeg.index(b"\xff\xc0")
    refuse("empty.jpg", b"", "is empty")
    refuse("text.png", b"Not a picture at all, but a text.\n", "no picture")
    refuse("pointer.jpg", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS pointer")
    refuse("picture.gif", saved(photo.convert("P"), "GIF"), "GIF", "Remedy: Give a JPEG, PNG or WebP")
    refuse("gif_by_another_name.jpg", saved(smooth(3, 2).convert("P"), "GIF"), "GIF")
    refuse("picture.bmp", saved(smooth(3, 2), "BMP"), "BMP")
    refuse("picture.tif", saved(smooth(3, 2), "TIFF"), "TIFF")
    refuse("animated.webp", saved(smooth(5, 4), "WEBP", save_all=True, append_images=[smooth(5, 4)]), "animated")
    refuse("truncated.jpg", jpeg[:len(jpeg) * 2 // 3], "no JPEG that can be read")
    refuse("truncated_progressive.jpg", progressive[:len(progressive) * 2 // 3], "no JPEG that can be read")
    refuse("header_only.jpg", jpeg[:frame], "no JPEG that can be read")
    refuse("end_missing.jpg", jpeg[:-2], "no JPEG that can be read")
    refuse("start_only.jpg", b"\xff\xd8\xff", "no JPEG that can be read")
    scan = jpeg.index(b"\xff\xda") + 20
    refuse("corrupt.jpg", jpeg[:scan] + b"\xfe" * 40 + jpeg[scan + 40:], "no JPEG that can be read")
    refuse("bomb.jpg", jpeg[:frame + 5] + struct.pack(">HH", 65500, 65500) + jpeg[frame + 9:], "65500 rows", "178956970")
    refuse("zero.jpg", jpeg[:frame + 5] + struct.pack(">HH", 0, 24) + jpeg[frame + 9:], "no JPEG that can be read")
    refuse("much_larger_than_its_data.jpg", jpeg[:frame + 5] + struct.pack(">HH", 13000, 13000) + jpeg[frame + 9:],
           "no JPEG that can be read")
    refuse("twelve_bits.jpg", jpeg[:frame + 4] + b"\x0c" + jpeg[frame + 5:], "no JPEG that can be read")
    start = jpeg.index(b"\xff\xda")
    refuse("two_colours.jpg", jpeg[:frame + 2] + struct.pack(">HBHHB", 14, 8, 20, 24, 2) + b"\1\x11\0\2\x11\0" +
           jpeg[frame + 19:start] + b"\xff\xda\0\x0a\2\1\0\2\0\0\x3f\0" + jpeg[start + 14:], "has 2 colours")
    refuse("scans.jpg", scans(8000, 80), "more than 67 scans", "Remedy: Save it as a baseline JPEG")
    good = png(6, 5, 8, 2)
    refuse("truncated.png", good[:-30], "no PNG that can be read")
    refuse("header_only.png", good[:33], "no PNG that can be read")
    refuse("signature_only.png", good[:8], "no PNG that can be read")
    refuse("wrong_header_sum.png", good[:32] + bytes([good[32] ^ 1]) + good[33:], "CRC")
    refuse("wrong_sum.png", png(6, 5, 8, 2, crc=True), "CRC")
    refuse("wrong_sum_beside.png", png(6, 5, 8, 2, 0, chunk(b"tEXt", b"a\0b")[:-1] + b"x"), "CRC")
    refuse("too_few_rows.png", png(6, 5, 8, 2, header=struct.pack(">IIBBBBB", 6, 50, 8, 2, 0, 0, 0)),
           "no PNG that can be read")
    refuse("wrong_depth.png", png(6, 5, 8, 2, header=struct.pack(">IIBBBBB", 6, 5, 4, 2, 0, 0, 0)),
           "no PNG that can be read")
    refuse("no_palette.png", png(6, 5, 8, 3), "no PNG that can be read")
    refuse("chunk_too_long.png", good[:33] + struct.pack(">I", 0x7fffffff) + b"eXIf" + good[33:], "the file ends early")
    for name, width, height, words in (("bomb", 20000, 20000, ("20000 rows", "178956970")),
                                       ("largest", 0x7fffffff, 0x7fffffff, ("2147483647 rows",)),
                                       ("zero", 0, 5, ("5 rows and 0 columns",)),
                                       ("strip", 178956970, 1, ("178956970 columns", "one side"))):
        refuse(name + ".png", png(1, 1, 1, 0, header=struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), *words)
    webp = saved(photo, "WEBP", lossless=True)
    refuse("truncated.webp", webp[:len(webp) // 2], "no WebP that can be read")
    refuse("corrupt.webp", webp[:25] + bytes(30) + webp[55:], "no WebP that can be read")
    refuse("part_too_long.webp", webp[:16] + struct.pack("<I", 1 << 30) + webp[20:], "no WebP that can be read")
    refuse("bomb.webp", webp[:21] + struct.pack("<I", 0x0fffffff) + webp[25:], "16384 rows", "178956970")


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    for name in ("pictures", "refused"):
        (HERE / name).mkdir(parents=True)
    make_png()
    make_jpeg()
    make_webp()
    make_processors()
    make_refused()
    make_transparent()
    (HERE / "expected.bin").write_bytes(expected)
    lines = [f' {json.dumps(key)}: [\n  ' + ",\n  ".join(json.dumps(entry) for entry in entries) + "\n ]"
             for key, entries in index.items()]
    (HERE / "index.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    files = [p for p in HERE.rglob("*") if p.is_file()]
    print(len(files), "files,", sum(p.stat().st_size for p in files), "bytes")


if __name__ == "__main__":
    main()
