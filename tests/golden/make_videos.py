#!/usr/bin/env python3
"""Writes tests/input/video/golden/: tiny videos of known pixels, and what FFmpeg's program makes of those that are not coded
without loss.

Run by hand (needs the program ffmpeg with libx264, libvpx-vp9, libtheora); what it writes is committed, so that the tests
need it not. Each video has 11 frames of 20 x 14 pixels (RGB below is a formula that the test knows, too), 25 in a second.
"""
import pathlib
import subprocess

OUT = pathlib.Path(__file__).resolve().parent.parent / "input" / "video" / "golden"
WIDTH, HEIGHT, FRAMES = 20, 14, 11


def level(x, y, t, c):
    """Smooth ramps, and 20 levels more in each frame."""
    return (3 * x + 2 * y + 20 * t + 30 * c) % 256


def rgb():
    return bytes(level(x, y, t, c) for t in range(FRAMES) for y in range(HEIGHT) for x in range(WIDTH) for c in range(3))


def ffmpeg(*args, stdin=None):
    return subprocess.run(["ffmpeg", "-v", "error", "-nostdin" if stdin is None else "-y", "-y", *map(str, args)], input=stdin,
                          stdout=subprocess.PIPE, check=True).stdout


def video(name, *coding):
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", 25, "-i", "-")
    ffmpeg(*raw, "-threads", 1, "-fflags", "+bitexact", "-flags:v", "+bitexact", *coding, OUT / name, stdin=rgb())


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    video("rgb.mkv", "-c:v", "ffv1", "-level", 3, "-slices", 4, "-pix_fmt", "gbrp")
    video("bgr0.avi", "-c:v", "ffv1", "-level", 1, "-pix_fmt", "bgr0")
    video("yuv420p.mkv", "-c:v", "ffv1", "-level", 3, "-slices", 4, "-pix_fmt", "yuv420p")
    video("bt709.mkv", "-c:v", "ffv1", "-level", 3, "-slices", 4, "-vf", "scale=out_color_matrix=bt709:out_range=full", "-pix_fmt",
          "yuv444p", "-colorspace", "bt709", "-color_range", "pc")
    video("h264.mp4", "-c:v", "libx264", "-x264-params", "bframes=3:b-adapt=0:keyint=20", "-crf", 10, "-pix_fmt", "yuv444p")
    video("mpeg4.avi", "-c:v", "mpeg4", "-bf", 2, "-q:v", 2)
    video("vp9.webm", "-c:v", "libvpx-vp9", "-crf", 10, "-b:v", 0, "-pix_fmt", "yuv444p")
    video("theora.ogv", "-c:v", "libtheora", "-q:v", 10)
    video("flv1.flv", "-c:v", "flv", "-q:v", 2)
    video("vp9.ivf", "-c:v", "libvpx-vp9", "-crf", 10, "-b:v", 0, "-pix_fmt", "yuv444p")
    video("mpeg2.ts", "-c:v", "mpeg2video", "-q:v", 2)
    for name in ("yuv420p.mkv", "bt709.mkv"):
        frames = ffmpeg("-i", OUT / name, "-fps_mode", "passthrough", "-sws_flags", "bilinear", "-f", "rawvideo", "-pix_fmt",
                        "rgb24", "-")
        assert len(frames) == len(rgb())
        (OUT / name).with_suffix(".rgb").write_bytes(frames[:2 * WIDTH * HEIGHT * 3])
    cover = OUT / "cover.png"
    ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-i", "-", "-frames:v", 1, cover, stdin=rgb())
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.05", "-i", cover, "-map", 0, "-map", 1, "-c:a", "aac", "-b:a", "16k", "-c:v",
           "copy", "-disposition:v", "attached_pic", "-fflags", "+bitexact", OUT / "sound.m4a")
    cover.unlink()


if __name__ == "__main__":
    main()
