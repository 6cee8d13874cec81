#pragma once
/// The bytes of a sound or a video, on a disk or in memory.

#include "silica/core/error.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace silica::media {

/// What its files are called in errors, and which of them FFmpeg opens.
struct Medium {
    std::string_view kind;      ///< "sound": of a sound file
    std::string_view content;   ///< "a video": what is in one
    std::string_view unread;    ///< "is no video that is read": of a file that is something else
    std::string_view examples;  ///< "WAV or FLAC": what may be given instead of it
    std::string_view recoded;   ///< the remedy where nothing decodes the content
    const char* containers;     ///< FFmpeg's names of those that hold it themselves, with commas between
};

/// Throws InputError: the file `name` is damaged or cut short; `why` says how.
[[noreturn]] inline void damaged(const std::string& name, const std::string& why) {
    throw InputError(name + " is damaged or cut short: " + why + ".", "Give the whole file, copied or made anew.");
}

/// Bytes at any place, and a place where C libraries read on. One caller at a time.
class Source {
public:
    /// A regular file. InputError where there is none, or it may not be read.
    Source(const std::filesystem::path& path, const Medium& medium) : name_(path.string()), medium_(&medium) {
        std::error_code error;
        const auto status = std::filesystem::status(path, error);
        if (!std::filesystem::exists(status)) unreadable("there is no such file");
        if (std::filesystem::is_directory(status)) unreadable("it is a directory");
        if (!std::filesystem::is_regular_file(status)) unreadable("it is no file");
        size_ = std::filesystem::file_size(path, error);
        if (error) unreadable(error.message());
        file_.open(path, std::ios::binary);
        if (!file_) unreadable("it does not open");
        require_bytes();
    }

    /// Bytes that the caller keeps. `name` stands for them in errors.
    Source(std::span<const std::byte> bytes, std::string_view name, const Medium& medium)
        : name_(name), medium_(&medium), bytes_(bytes), size_(bytes.size()), in_memory_(true) {
        require_bytes();
    }

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const Medium& medium() const noexcept { return *medium_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// Fills `out` with what stands at `offset` -> how much there was; less than was wanted at the end of the file, or
    /// where the disk fails.
    std::size_t read(std::uint64_t offset, std::span<std::byte> out) noexcept {
        if (offset >= size_) return 0;
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size_ - offset));
        if (n == 0) return 0;
        if (in_memory_) {
            std::memcpy(out.data(), bytes_.data() + offset, n);
            return n;
        }
        file_.clear();  // no exceptions are asked for, so none come
        file_.seekg(static_cast<std::streamoff>(offset));
        file_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(n));
        return static_cast<std::size_t>(std::max<std::streamsize>(file_.gcount(), 0));
    }

    /// Reads from where the last reading or seeking ended.
    std::size_t read_on(void* to, std::size_t size) noexcept {
        const auto n = read(at_, {static_cast<std::byte*>(to), size});
        at_ += n;
        return n;
    }
    /// fseek -> the new place, or -1.
    std::int64_t seek(std::int64_t offset, int whence) noexcept {
        const auto base = whence == SEEK_CUR ? at_ : whence == SEEK_END ? size_ : 0;
        const auto place = static_cast<std::int64_t>(static_cast<std::uint64_t>(offset) + base);
        if (place < 0) return -1;
        at_ = static_cast<std::uint64_t>(place);
        return place;
    }
    [[nodiscard]] std::uint64_t at() const noexcept { return at_; }

private:
    [[noreturn]] void unreadable(const std::string& why) const {
        throw InputError(name_ + " cannot be read: " + why + ".",
                         "Name a " + std::string(medium_->kind) + " file that you may read.");
    }
    void require_bytes() const {
        if (size_ == 0)
            throw InputError(name_ + " is empty.", "Name a file with " + std::string(medium_->content) + " in it.");
    }

    std::string name_;
    const Medium* medium_;
    std::span<const std::byte> bytes_;
    std::ifstream file_;
    std::uint64_t size_ = 0, at_ = 0;
    bool in_memory_ = false;
};

}  // namespace silica::media
