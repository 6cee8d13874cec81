#include "files.hpp"

#include <algorithm>

#include <ATen/Parallel.h>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "errors.hpp"
#include "table.hpp"

namespace silica::bench {
namespace {

using nlohmann::ordered_json;

std::string text_of(const ordered_json& json) {
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json json_of(std::span<const Finding> findings) {
    ordered_json list = ordered_json::array();
    for (const auto& f : findings) {
        ordered_json one = {{"label", f.label}};
        if (f.score) one["score"] = *f.score;
        if (f.box) {
            const auto& b = *f.box;
            one["box"] = {{"xmin", b[0]}, {"ymin", b[1]}, {"xmax", b[2]}, {"ymax", b[3]}};
        }
        list.push_back(std::move(one));
    }
    return list;
}

/// "cat 0.9981 (13.2, 52.1, 314.0, 470.9)".
std::string words_of(const Finding& f) {
    std::string text = f.label;
    if (f.score) text += " " + fixed(*f.score, 4);
    if (f.box) {
        const auto& b = *f.box;
        text += " (" + fixed(b[0], 1) + ", " + fixed(b[1], 1) + ", " + fixed(b[2], 1) + ", " + fixed(b[3], 1) + ")";
    }
    return text;
}

std::string joined(std::span<const std::string> files) {
    std::string text;
    for (const auto& file : files) text += (text.empty() ? "" : " ") + file;
    return text;
}

}  // namespace

InputError about_file(const std::string& file, const Error& why) {
    const bool named = why.problem().find(file) != std::string::npos;
    return {(named ? "" : file + ": ") + why.problem(), why.remedy()};
}

void FileFlags::add_to(Command& command, const char* files_help) {
    command.arguments("file", files, files_help);
    command.option("--output", output, "table, json (one array of all), jsonl (a line for each file). Default: table");
    const std::string help = "pictures of one size that run together. Default: " + batch_size;
    command.option("--batch-size", batch_size, help.c_str());
}

FileReport::FileReport(const FileFlags& flags, std::ostream& out)
    : files_(flags.files),
      out_(out),
      output_(output_named(flags.output, {"table", "json", "jsonl"})),
      batch_size_(static_cast<std::size_t>(whole_number("--batch-size", flags.batch_size, 1, 65536))) {
    if (files_.empty()) throw InputError("There is no file.", "name files after the directory.");
    for (const auto& file : files_) widest_ = std::max(widest_, std::min<std::size_t>(file.size(), 40));
}

void FileReport::give(std::span<const std::string> files, std::span<const Finding> findings) {
    if (output_ != Output::table) {
        const auto line = text_of({{"files", std::vector(files.begin(), files.end())}, {"results", json_of(findings)}});
        if (output_ == Output::jsonl)
            out_ << line << std::endl;
        else
            array_ += (array_.empty() ? "" : ",\n") + line;
        return;
    }
    auto name = joined(files);
    name.resize(std::max(name.size(), widest_), ' ');
    std::string words;
    for (const auto& f : findings) words += (words.empty() ? "" : ", ") + words_of(f);
    out_ << printable(name + "  " + (words.empty() ? "nothing" : words)) << std::endl;
}

void FileReport::refuse(const std::string& file, const Error& why) {
    const auto named = about_file(file, why);
    if (output_ == Output::json) throw named;
    if (refused_++ == 0) first_refusal_ = named.what();
    if (output_ == Output::jsonl) {
        out_ << text_of({{"files", std::vector{file}}, {"error", why.what()}}) << std::endl;
        return;
    }
    auto name = file;
    name.resize(std::max(name.size(), widest_), ' ');
    out_ << printable(name + "  error: " + why.what()) << std::endl;
}

int FileReport::finish() {
    if (output_ == Output::json) out_ << "[" << array_ << "]" << std::endl;
    if (refused_ == 0) return Exit::done;
    std::string others;
    if (refused_ > 1)
        others = "Of " + count_of(files_.size(), "file") + " " + std::to_string(refused_) + " were refused, first: ";
    complain(others + first_refusal_);
    return Exit::bad_input;
}

std::size_t FileReport::reading_threads() { return static_cast<std::size_t>(std::max(1, at::get_num_threads())); }

}  // namespace silica::bench
