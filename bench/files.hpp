#pragma once
/// Commands over many files: what they take, and how they say what became of each.

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "cli.hpp"
#include "silica/core/error.hpp"
#include "silica/task/in_batches.hpp"

namespace silica::bench {

/// The part of a command line that such commands share: FILE..., --output, --batch-size.
struct FileFlags {
    std::vector<std::string> files;
    std::string output = "table", batch_size = "8";

    /// Adds them to a command. Files are pictures, or what `files_help` says.
    void add_to(Command& command, const char* files_help = "pictures: JPEG, PNG or WebP");
};

/// Something that was found in a picture or said about it.
struct Finding {
    std::string label;
    std::optional<double> score = {};
    std::optional<std::array<double, 4>> box = {};  ///< xmin, ymin, xmax, ymax, in pixels
};

/// Prints what became of each file: with table and jsonl a line as soon as it is known, a refused file being an error
/// in its line; with json one array at the end, or nothing when a file is refused.
class FileReport {
public:
    /// InputError where there are no files, or a flag is none of its values.
    FileReport(const FileFlags& flags, std::ostream& out);

    /// What was found in a file, or in the files of one video.
    void give(std::span<const std::string> files, std::span<const Finding> findings);
    /// Why there is nothing of a file. With json it is thrown, as an InputError that names the file.
    void refuse(const std::string& file, const Error& why);
    /// Prints what is left to print. The exit code of the program: bad_input where a file was refused, which is also
    /// said on stderr.
    [[nodiscard]] int finish();

    [[nodiscard]] std::size_t batch_size() const noexcept { return batch_size_; }
    [[nodiscard]] const std::vector<std::string>& files() const noexcept { return files_; }

    /// All files, each alone: process(path) -> T on threads that read ahead, and run(std::span<const T>) ->
    /// std::vector<std::vector<Finding>> on up to batch_size() of them for which alike(first, other) holds. Returns
    /// finish().
    template <class T, class Process, class Alike, class Run>
    [[nodiscard]] int each(Process process, const Alike& alike, const Run& run) {
        const auto threads = reading_threads();
        task::Reader<T> reader({files_.begin(), files_.end()}, std::move(process),
                               {.threads = threads, .files = batch_size_ + 2 * threads});
        task::in_batches(reader, batch_size_, alike, run, [this](const task::FileResult<std::vector<Finding>>& result) {
            const auto& file = files_[result.index];
            if (result.error)
                refuse(file, *result.error);
            else
                give(std::span(&file, 1), *result.value);
        });
        return finish();
    }

private:
    /// As many as LibTorch computes with (--threads).
    [[nodiscard]] static std::size_t reading_threads();

    std::vector<std::string> files_;
    std::ostream& out_;
    Output output_;
    std::size_t batch_size_, widest_ = 0, refused_ = 0;
    std::string array_, first_refusal_;
};

/// An error about `file`, which it names.
[[nodiscard]] InputError about_file(const std::string& file, const Error& why);

}  // namespace silica::bench
