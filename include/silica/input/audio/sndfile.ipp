#pragma once
/// libsndfile over a Source.

#include "silica/input/audio/sndfile.hpp"

#include <span>
#include <string>

#include <sndfile.h>

namespace silica::audio::detail {

class SndfileDecoder final : public Decoder {
public:
    explicit SndfileDecoder(media::Source& source) : source_(source) {
        SF_VIRTUAL_IO bytes{};
        bytes.get_filelen = [](void* self) { return static_cast<sf_count_t>(of(self).size()); };
        bytes.seek = [](sf_count_t offset, int whence, void* self) {
            return static_cast<sf_count_t>(of(self).seek(offset, whence));
        };
        bytes.read = [](void* to, sf_count_t n, void* self) {
            return n < 1 ? sf_count_t{0} : static_cast<sf_count_t>(of(self).read_on(to, static_cast<std::size_t>(n)));
        };
        bytes.write = [](const void*, sf_count_t, void*) { return sf_count_t{0}; };
        bytes.tell = [](void* self) { return static_cast<sf_count_t>(of(self).at()); };
        SF_INFO info{};
        file_ = sf_open_virtual(&bytes, SFM_READ, &info, &source);
        if (file_ == nullptr) {
            throw InputError(source.name() + " is no sound that libsndfile reads: it says '" +
                                 sf_error_number(sf_error(nullptr)) + "'.",
                             "Give the whole file, copied or made anew, or another kind, such as WAV or FLAC.");
        }
        try {
            // MPEG audio of layers 1 to 3, for which versions before 1.1 have no names.
            const int coding = info.format & SF_FORMAT_SUBMASK;
            if (coding >= 0x0080 && coding <= 0x0082) {
                throw InputError(source.name() + " has MPEG audio in another container.",
                                 "Take it out of its container, as an MP3 file, or convert it to WAV.");
            }
            set_form(source.name(), info.samplerate, info.channels);
            known_ = info.frames >= 0 && info.frames < SF_COUNT_MAX;
            total_ = info.frames;
            if (known_) set_frames(info.frames);
        } catch (...) {
            sf_close(file_);
            throw;
        }
    }
    ~SndfileDecoder() override { sf_close(file_); }

    std::size_t read(std::span<float> to) override {
        const auto wanted = static_cast<sf_count_t>(to.size()) / channels();
        const auto n = sf_readf_float(file_, to.data(), wanted);
        if (n > 0) count_ += n;
        if (n < wanted && sf_error(file_) != SF_ERR_NO_ERROR)
            media::damaged(source_.name(), "libsndfile says '" + std::string(sf_error_number(sf_error(file_))) + "'");
        if (n < wanted && known_ && count_ < total_) {
            media::damaged(source_.name(), "it has " + std::to_string(count_) + " of the " + std::to_string(total_) +
                                               " samples that it announces");
        }
        return n > 0 ? static_cast<std::size_t>(n) : 0;
    }

private:
    [[nodiscard]] static media::Source& of(void* self) { return *static_cast<media::Source*>(self); }

    media::Source& source_;
    SNDFILE* file_ = nullptr;
    sf_count_t total_ = 0, count_ = 0;
    bool known_ = false;
};

SILICA_INLINE std::unique_ptr<Decoder> open_sndfile(media::Source& source) {
    return std::make_unique<SndfileDecoder>(source);
}

}  // namespace silica::audio::detail
