#pragma once
/// libmpg123 over a Source.

#include "silica/input/audio/mpeg.hpp"

#include <cstdio>
#include <memory>
#include <new>
#include <span>
#include <string>

#include <mpg123.h>
#include <sys/types.h>

namespace silica::audio::detail {

struct FreeMpg123 {
    void operator()(mpg123_handle* p) const { mpg123_delete(p); }
};

class MpegDecoder final : public Decoder {
public:
    explicit MpegDecoder(media::Source& source) : source_(source) {
        static const int ready = mpg123_init();  // versions before 1.27 need it
        int error = ready;
        if (error == MPG123_OK) handle_.reset(mpg123_new(nullptr, &error));
        if (!handle_) throw std::bad_alloc();
        // What libsndfile asks for, and silence.
        require(mpg123_param(handle_.get(), MPG123_REMOVE_FLAGS, MPG123_AUTO_RESAMPLE, 0));
        require(mpg123_param(handle_.get(), MPG123_ADD_FLAGS, MPG123_FORCE_FLOAT | MPG123_GAPLESS | MPG123_QUIET, 0));
#if MPG123_API_VERSION >= 45
        require(mpg123_param(handle_.get(), MPG123_ADD_FLAGS, MPG123_NO_FRANKENSTEIN, 0));
#endif
        require(mpg123_replace_reader_handle(
            handle_.get(),
            [](void* self, void* to, std::size_t n) -> ssize_t {
                return static_cast<ssize_t>(static_cast<media::Source*>(self)->read_on(to, n));
            },
            [](void* self, off_t offset, int whence) -> off_t {
                return static_cast<off_t>(static_cast<media::Source*>(self)->seek(offset, whence));
            },
            nullptr));
        require(mpg123_open_handle(handle_.get(), &source_));
        long rate = 0;
        int channels = 0, encoding = 0;
        require(mpg123_getformat(handle_.get(), &rate, &channels, &encoding));
        set_form(source.name(), rate, channels);
        // No other form comes: the decoder stops instead.
        require(mpg123_format_none(handle_.get()));
        require(mpg123_format(handle_.get(), rate, channels == 1 ? MPG123_MONO : MPG123_STEREO, MPG123_ENC_FLOAT_32));
    }

    std::size_t read(std::span<float> to) override {
        const auto frame = static_cast<std::size_t>(channels()) * sizeof(float);
        const auto wanted = to.size_bytes() / frame * frame;
        auto* bytes = reinterpret_cast<unsigned char*>(to.data());
        std::size_t have = 0;
        while (have < wanted && !ended_) {
            std::size_t n = 0;
            const int code = mpg123_read(handle_.get(), bytes + have, wanted - have, &n);
            have += n;
            if (code == MPG123_DONE)
                ended_ = true;
            else if (code == MPG123_NEW_FORMAT && have == 0 && !begun_)
                begun_ = true;
            else
                require(code);
            begun_ = begun_ || n > 0;
        }
        return have / frame;
    }

private:
    void require(int code) const {
        if (code == MPG123_OK) return;
        if (code == MPG123_OUT_OF_MEM) throw std::bad_alloc();
        media::damaged(source_.name(), code == MPG123_NEW_FORMAT
                                           ? "its rate or channels change on the way"
                                           : "libmpg123 says '" +
                                                 std::string(code == MPG123_ERR ? mpg123_strerror(handle_.get())
                                                                                : mpg123_plain_strerror(code)) +
                                                 "'");
    }

    media::Source& source_;
    std::unique_ptr<mpg123_handle, FreeMpg123> handle_;
    bool ended_ = false, begun_ = false;
};

SILICA_INLINE std::unique_ptr<Decoder> open_mpeg(media::Source& source) {
    return std::make_unique<MpegDecoder>(source);
}

}  // namespace silica::audio::detail
