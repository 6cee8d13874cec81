#pragma once
/// Values of flags: lists, numbers, names. Whatever is wrong is an InputError that says what would be right.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli.hpp"
#include "registry.hpp"

namespace silica::bench {

/// "a,b" as {"a", "b"}, each once. InputError for an empty list or item.
[[nodiscard]] std::vector<std::string> split_list(std::string_view option, std::string_view text);

/// A whole number in [least, most]. InputError for anything else.
[[nodiscard]] std::int64_t whole_number(std::string_view option, std::string_view text, std::int64_t least,
                                        std::int64_t most);

/// A list of such numbers.
[[nodiscard]] std::vector<std::int64_t> whole_numbers(std::string_view option, std::string_view text,
                                                      std::int64_t least, std::int64_t most);

/// Throws InputError unless `path`, which an option names, may be a file that is written: `usual`, such as OUT.png. It
/// is none of the files that are read.
void require_output_file(std::string_view option, const std::string& path, std::string_view usual,
                         const std::vector<std::string>& read);

/// The files of a directory that make a checkpoint: weights, configurations, tokenizers.
[[nodiscard]] std::vector<std::string> checkpoint_files(const std::filesystem::path& directory);

/// Throws InputError: there is no `what` called `name`; with the nearest name that there is, and all of them.
[[noreturn]] void unknown_name(std::string_view what, std::string_view name,
                               const std::vector<std::string_view>& known);

/// How a command prints.
enum class Output { table, json, jsonl, csv, md, text };

/// `text` as an Output, one of `allowed`.
[[nodiscard]] Output output_named(std::string_view text, std::initializer_list<std::string_view> allowed = {
                                                             "table", "json", "jsonl", "csv", "md"});

/// Sets LibTorch's threads, where the flag is given.
void use_threads(const Flag& threads);

/// Devices named with commas; absent: all that can be used here. InputError for unknown names and those not compiled.
[[nodiscard]] std::vector<const Device*> hardware_named(const Flag& text);

/// Precisions named with commas, all compiled.
[[nodiscard]] std::vector<std::string> precisions_named(std::string_view text);

/// One loader: what `--loader` names, unless one of the flags that stand for a loader is given. InputError for both.
[[nodiscard]] std::string loader_chosen(const std::string& named, bool memory_efficient, bool alternative_loading);

/// Loaders named with commas.
[[nodiscard]] std::vector<std::string> loaders_named(std::string_view text);

/// The family of that name, compiled.
[[nodiscard]] const Family& family_named(std::string_view name);
/// The family of a model_type: "clip" of clip, and of clip_text_model and clip_vision_model, its parts on their own.
[[nodiscard]] std::string_view family_of(std::string_view model_type);

/// The families of Silica, whether this version has them or not.
[[nodiscard]] const std::vector<std::string_view>& all_family_names();

/// `n` of something: "1 row", "3 rows".
[[nodiscard]] std::string count_of(std::size_t n, std::string_view what);

}  // namespace silica::bench
