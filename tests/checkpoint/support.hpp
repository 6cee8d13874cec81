#pragma once
/// What the checkpoint tests share: a directory of their own, bytes on disk, and what an error said.

#include "silica/checkpoint/read.hpp"
#include "silica/core/error.hpp"

#include <unistd.h>

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace silica::test {

namespace fs = std::filesystem;
using namespace silica::checkpoint;

inline fs::path golden(std::string_view name) {
    return fs::path(__FILE__).parent_path() / "golden" / std::string(name);
}

/// A new directory, removed with everything in it.
class Directory {
public:
    Directory() {
        static int count = 0;
        path_ = fs::temp_directory_path() /
                ("silica-checkpoint-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
        fs::create_directories(path_);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    [[nodiscard]] const fs::path& path() const { return path_; }

    /// Writes `data` under this name (with its parent directories) and returns the path.
    fs::path write(const std::string& name, std::string_view data) const {
        const auto path = path_ / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary).write(data.data(), static_cast<std::streamsize>(data.size()));
        return path;
    }

private:
    fs::path path_;
};

inline std::string slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// `value` in `width` bytes, the low one first.
inline std::string little(std::uint64_t value, int width) {
    std::string out;
    for (int i = 0; i < width; ++i) out += static_cast<char>(static_cast<unsigned char>(i < 8 ? value >> (8 * i) : 0));
    return out;
}

/// A safetensors file of this header and `data` bytes of data.
inline std::string safetensors(const std::string& header, std::size_t data = 0) {
    return little(header.size(), 8) + header + std::string(data, '\1');
}

/// What the CheckpointError said that `action` threw; "(accepted)" when it threw none. An error without a remedy fails.
template <class Action>
std::string refusal(Action&& action) {
    try {
        action();
    } catch (const CheckpointError& error) {
        return error.remedy().empty() ? "(no remedy)" : error.what();
    }
    return "(accepted)";
}

/// Seconds of processor time since some point: other programs do not count.
inline double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// What opening a file with these bytes says.
inline std::string refusal_of(std::string_view bytes, const std::string& name = "model.safetensors") {
    const Directory directory;
    const auto path = directory.write(name, bytes);
    return refusal([&] { return Checkpoint::open(path); });
}

/// Reads every tensor, within the file or with a CheckpointError.
inline void read_all(const Checkpoint& checkpoint) {
    for (const auto& entry : checkpoint.entries())
        if (entry.dtype != at::ScalarType::Undefined)
            static_cast<void>(read_tensor(checkpoint.file_of(entry), entry).numel());
}

/// Equal in type, shape and every bit (float8 has no comparison of its own).
inline bool same(const Tensor& a, const Tensor& b) {
    if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
    const Tensor x = a.contiguous(), y = b.contiguous();
    const auto bytes = [](const Tensor& t) {
        return std::string_view(static_cast<const char*>(t.const_data_ptr()), t.nbytes());
    };
    return bytes(x) == bytes(y);
}

}  // namespace silica::test
