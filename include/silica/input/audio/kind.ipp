#pragma once
/// The first bytes of sounds.

#include "silica/core/error.hpp"
#include "silica/core/impostor.hpp"
#include "silica/input/audio/kind.hpp"
#include "silica/input/audio/mpeg_frame.hpp"
#include "silica/input/media/window.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace silica::audio::detail {

/// A kind of file, by what stands in it.
struct Mark {
    std::size_t offset;
    std::string_view bytes;
};
struct OtherFile {
    Mark mark;
    std::string_view kind;
};

inline constexpr std::array sndfile_marks = {
    Mark{8, "WAVE"}, Mark{0, "fLaC"}, Mark{8, "AIFF"}, Mark{8, "AIFC"},
    Mark{0, ".snd"}, Mark{0, "dns."}, Mark{0, "caff"}, Mark{0, "riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"},
};

inline constexpr std::array ffmpeg_marks = {
    Mark{4, "ftyp"},
    Mark{4, "moov"},
    Mark{4, "mdat"},
    Mark{4, "wide"},
    Mark{0, "\x1a\x45\xdf\xa3"},
    Mark{8, "AVI "},
    Mark{0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11"},
    Mark{0, "FLV\x01"},
    Mark{0, std::string_view("\0\0\x01\xba", 4)},
    Mark{0, "\xff\xf0"},
    Mark{0, "\xff\xf1"},
    Mark{0, "\xff\xf8"},
    Mark{0, "\xff\xf9"},
    Mark{0, "#!AMR"},
    Mark{0, "wvpk"},
    Mark{0, "MAC "},
    Mark{0, "TTA1"},
};

inline constexpr std::array other_files = {
    OtherFile{{0, "\xff\xd8\xff"}, "a JPEG picture"},
    OtherFile{{0, "\x89PNG"}, "a PNG picture"},
    OtherFile{{0, "GIF8"}, "a GIF picture"},
    OtherFile{{8, "WEBP"}, "a WebP picture"},
    OtherFile{{0, "BM"}, "a BMP picture"},
    OtherFile{{0, std::string_view("II*\0", 4)}, "a TIFF picture"},
    OtherFile{{0, std::string_view("MM\0*", 4)}, "a TIFF picture"},
    OtherFile{{4, "ftypavif"}, "an AVIF picture"},
    OtherFile{{4, "ftyphei"}, "a HEIC picture"},
    OtherFile{{4, "ftypmif1"}, "a HEIF picture"},
    OtherFile{{0, "MThd"}, "a MIDI file, notes without sound"},
    OtherFile{{0, "%PDF"}, "a PDF document"},
    OtherFile{{0, "PK\x03\x04"}, "a ZIP archive"},
    OtherFile{{0, "\x1f\x8b"}, "a gzip archive"},
};

/// Whether MPEG audio begins at an offset: two frames in a row, or one that is all.
inline bool is_mpeg_audio(media::Window& file, std::uint64_t offset) {
    const auto frame = mpeg_frame_at(file, offset);
    if (!frame) return false;
    if (frame->size == 0) return true;
    const auto next = offset + frame->size;
    return next >= file.size() || mpeg_frame_at(file, next) || file.begins(next, "TAG") ||
           file.begins(next, "APETAGEX");
}

/// Whether the first stream of an Ogg file is one that libsndfile decodes. FLAC it reads only as it writes it, so that
/// FFmpeg goes first.
inline bool is_sndfile_ogg(media::Window& file) {
    const auto packet = 27 + file.big(26, 1);
#ifndef SILICA_AUDIO_FFMPEG
    if (file.begins(packet + 1, "FLAC")) return true;
#endif
    return file.begins(packet, "\x01vorbis") || file.begins(packet, "OpusHead");
}

SILICA_INLINE Kind kind_of(media::Source& source) {
    media::Window file(source);
    const auto is = [&](const Mark& mark) { return file.begins(mark.offset, mark.bytes); };
    const auto any = [&](const auto& marks) {
        for (const auto& mark : marks) {
            if (is(mark)) return true;
        }
        return false;
    };
    const std::string remedy = "Give a WAV, FLAC, Ogg or MP3 file; other kinds must be converted first.";
    for (const auto& other : other_files) {
        if (is(other.mark)) throw InputError(source.name() + " is " + std::string(other.kind) + ".", remedy);
    }
    if (is({0, "OggS"})) return is_sndfile_ogg(file) ? Kind::sndfile : Kind::ffmpeg;
    if (any(sndfile_marks)) return Kind::sndfile;
    if (const auto tag = id3_size(file, 0)) {
        if (file.begins(tag, "fLaC")) return Kind::sndfile;
        if (file.begins(tag, "\xff\xf1") || file.begins(tag, "\xff\xf9")) return Kind::ffmpeg;
        if (tag >= file.size()) media::damaged(source.name(), "there is nothing behind its tag");
        return Kind::mpeg;
    }
    if (is_mpeg_audio(file, 0)) return Kind::mpeg;
    constexpr std::size_t packet = 188;  // of MPEG-TS
    if (any(ffmpeg_marks) || (is({0, "G"}) && is({packet, "G"}) && is({2 * packet, "G"}))) return Kind::ffmpeg;
    if (const auto found = impostor(file.text(0, impostor_bytes))) {
        throw InputError(source.name() + " is " + std::string(found->what) + ", not the sound itself.",
                         std::string(found->remedy));
    }
    throw InputError(source.name() + " is no sound: it begins as no sound file does.", remedy);
}

}  // namespace silica::audio::detail
