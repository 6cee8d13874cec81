#pragma once
/// Files that are written whole or not at all.

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

namespace silica::detail {

/// A file that appears under its name when all of it is written, and not at all otherwise. Where the name is a link,
/// the file that it leads to is replaced; a device or a pipe (`/dev/stdout`) is written to as it is. Throws a
/// `Failure`, which takes a problem and a remedy, where the system does.
template <class Failure>
class AtomicFile {
public:
    explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
        namespace fs = std::filesystem;
        std::error_code error;
        const auto there = fs::status(path_, error);
        in_place_ = fs::exists(there) && !fs::is_regular_file(there) && !fs::is_directory(there);
        if (const auto file = fs::canonical(path_, error); !error && !in_place_) path_ = file;
        temporary_ = path_;
        if (!in_place_) temporary_ += ".part" + std::to_string(::getpid());
        fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CLOEXEC | (in_place_ ? 0 : O_CREAT | O_TRUNC), 0666);
        if (fd_ < 0) fail((in_place_ ? "Opening " : "Creating ") + temporary_.string());
    }
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile() {
        if (fd_ < 0) return;
        ::close(fd_);
        if (!in_place_) ::unlink(temporary_.c_str());
    }

    void write(const void* data, std::size_t nbytes) {
        const auto* at = static_cast<const std::byte*>(data);
        while (nbytes > 0) {
            const auto n = ::write(fd_, at, std::min(nbytes, std::size_t{1} << 30U));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) fail("Writing " + temporary_.string());
            at += n;
            nbytes -= static_cast<std::size_t>(n);
        }
    }

    /// Gives the file its name, in place of whatever has it, so that a loss of power leaves one or the other.
    void commit() {
        if (in_place_) return;
        if (::fsync(fd_) != 0) fail("Writing " + temporary_.string());
        if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("Renaming " + temporary_.string());
        ::close(std::exchange(fd_, -1));
        const auto parent = path_.parent_path();
        const int directory = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0) return;  // one may write there and not read; the file is whole
        const bool synced = ::fsync(directory) == 0 || errno == EINVAL || errno == ENOTSUP;
        const int error = std::exchange(errno, 0);
        ::close(directory);
        errno = error;
        if (!synced) fail("Writing the directory of " + path_.string());
    }

private:
    [[noreturn]] static void fail(const std::string& what) {
        throw Failure(what + " failed: " + std::generic_category().message(errno) + ".",
                      "Check that the directory exists, that you may write there, and that the disk has room.");
    }

    std::filesystem::path path_, temporary_;
    bool in_place_ = false;
    int fd_ = -1;
};

}  // namespace silica::detail
