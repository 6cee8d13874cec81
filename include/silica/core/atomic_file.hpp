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

/// A file that appears under its name when all of it is written, and not at all otherwise. Behind a link it is the file
/// that the link leads to. Throws a `Failure`, which takes a problem and a remedy, where the system does, and for a
/// name that a device, a pipe, a socket or a directory has: it would be replaced.
template <class Failure>
class AtomicFile {
public:
    explicit AtomicFile(const std::filesystem::path& path) : path_(place_of(path)), temporary_(path_) {
        temporary_ += ".part" + std::to_string(::getpid());
        fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd_ < 0) fail("Creating " + temporary_.string());
    }
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile() {
        if (fd_ < 0) return;
        ::close(fd_);
        ::unlink(temporary_.c_str());
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
    [[nodiscard]] static std::filesystem::path place_of(const std::filesystem::path& path) {
        std::error_code ignored;
        const auto status = std::filesystem::status(path, ignored);
        if (!std::filesystem::exists(status)) return path;
        if (!std::filesystem::is_regular_file(status)) {
            throw Failure(path.string() + " is no regular file, and cannot be replaced by one.",
                          "Name another file, or one that is not there yet.");
        }
        if (!std::filesystem::is_symlink(std::filesystem::symlink_status(path, ignored))) return path;
        auto target = std::filesystem::canonical(path, ignored);
        return ignored ? path : target;
    }

    [[noreturn]] static void fail(const std::string& what) {
        throw Failure(what + " failed: " + std::generic_category().message(errno) + ".",
                      "Check that the directory exists, that you may write there, and that the disk has room.");
    }

    std::filesystem::path path_, temporary_;
    int fd_ = -1;
};

}  // namespace silica::detail
