/// How `silica transcribe` says what was heard.

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include <unistd.h>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "errors.hpp"
#include "files.hpp"
#include "silica/core/quote.hpp"
#include "transcribe.hpp"

namespace silica::bench {
namespace {

using nlohmann::ordered_json;

std::string json_text(const ordered_json& json) {
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

/// Without the spaces around it.
std::string stripped(const std::string& text) {
    constexpr const char* spaces = " \t\n\v\f\r";
    const auto first = text.find_first_not_of(spaces);
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(spaces) - first + 1);
}

/// "01:02:03,456"; `point` stands before the milliseconds.
std::string clock(double seconds, char point) {
    const auto ms = static_cast<long long>(std::llround(seconds * 1000));
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%02lld:%02lld:%02lld%c%03lld", ms / 3600000, ms / 60000 % 60,
                  ms / 1000 % 60, point, ms % 1000);
    return text.data();
}

/// Cues of subtitles: SRT, or VTT.
std::string cues(const std::vector<task::TimedText>& chunks, bool vtt) {
    std::string text = vtt ? "WEBVTT\n" : "";
    std::size_t n = 0;
    for (const auto& c : chunks) {
        ++n;
        if (vtt || n > 1) text += '\n';
        if (!vtt) text += std::to_string(n) + "\n";
        const char point = vtt ? '.' : ',';
        text += clock(c.begin, point) + " --> " + clock(c.end, point) + "\n" + stripped(c.text) + "\n";
    }
    return text;
}

ordered_json json_of(const HeardText& heard) {
    ordered_json made = {{"text", heard.text}};
    if (heard.chunks) {
        made["chunks"] = ordered_json::array();
        for (const auto& c : *heard.chunks)
            made["chunks"].push_back({{"text", c.text}, {"timestamp", ordered_json::array({c.begin, c.end})}});
    }
    if (!heard.language.empty()) made["language"] = heard.language;
    return made;
}

}  // namespace

double number(const std::string& flag, const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (!text.empty() && *end == '\0' && std::isfinite(value)) return value;
    throw InputError(flag + " is " + quote(text) + ", which is no number.", "give a number.");
}

std::optional<task::CtcCutting> TranscribeFlags::cutting() const {
    if (!chunk_length) {
        if (stride) throw InputError("--stride is given without --chunk-length.", "give both, or none.");
        return std::nullopt;
    }
    const auto seconds = [](const char* flag, const std::string& text) {
        const double value = number(flag, text);
        if (value < 0 || value > 86400)
            throw InputError(std::string(flag) + " is " + text + ".", "give seconds: from 0 to a day.");
        return value;
    };
    task::CtcCutting made{.whole_seconds = 0, .chunk_seconds = seconds("--chunk-length", *chunk_length)};
    if (made.chunk_seconds <= 0) throw InputError("--chunk-length is " + *chunk_length + ".", "give seconds over 0.");
    made.stride_seconds = made.chunk_seconds / 6;
    if (!stride) return made;
    const auto comma = stride->find(',');
    made.stride_seconds = seconds("--stride", stride->substr(0, comma));
    if (comma != std::string::npos) made.right_stride_seconds = seconds("--stride", stride->substr(comma + 1));
    if (made.stride_seconds + made.right_stride_seconds.value_or(made.stride_seconds) >= made.chunk_seconds) {
        throw InputError("--stride " + *stride + " leaves nothing of pieces of " + *chunk_length + " seconds.",
                         "give less than half of --chunk-length.");
    }
    return made;
}

void require_one_of(const std::string& flag, const std::string& value, std::initializer_list<const char*> known) {
    std::string list;
    for (const std::string name : known) {
        if (name == value) return;
        list += (list.empty() ? "" : ", ") + name;
    }
    throw InputError(flag + " is " + value + ".", "it is one of " + list + ".");
}

bool HeardReport::streams() const {
    return flags_.output == "text" && flags_.files.size() == 1 && isatty(STDOUT_FILENO) == 1;
}

void HeardReport::piece(const std::string& text) {
    if (!streams()) return;
    progress_.reset();
    std::cout << (begun_ ? text : text.substr(std::min(text.find_first_not_of(' '), text.size()))) << std::flush;
    begun_ = begun_ || !text.empty();
}

void HeardReport::progress(const std::string& file, double heard, double seconds) {
    if (isatty(STDERR_FILENO) == 0) return;
    if (!progress_ || progress_of_ != file) {
        progress_.emplace(file, static_cast<std::size_t>(std::max(seconds, 1.0)));
        progress_of_ = file;
    }
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%.0f of %.0f s", heard, seconds);
    progress_->at(static_cast<std::size_t>(heard), text.data());
}

void HeardReport::done(const std::string& file, double seconds) {
    progress_.reset();
    const auto now = std::chrono::steady_clock::now();
    const double took = std::chrono::duration<double>(now - since_).count();
    since_ = now;
    std::array<char, 128> text{};
    std::snprintf(text.data(), text.size(), ": %.1f s of sound in %.2f s, real-time factor %.3f", seconds, took,
                  took / std::max(seconds, 1e-3));
    note(file + text.data());
}

void HeardReport::give(const std::string& file, const HeardText& heard) {
    const bool several = flags_.files.size() > 1;
    if (flags_.output == "json" || flags_.output == "jsonl") {
        auto json = json_of(heard);
        if (several || flags_.output == "jsonl") json["file"] = file;
        if (flags_.output == "jsonl")
            std::cout << json_text(json) << std::endl;
        else
            array_ += (array_.empty() ? "" : ",\n") + json_text(json);
    } else if (flags_.subtitles()) {
        std::cout << cues(*heard.chunks, flags_.output == "vtt") << std::flush;
    } else if (begun_) {
        std::cout << std::endl;  // its pieces are there
    } else {
        std::cout << (several ? file + ": " : "") << stripped(heard.text) << std::endl;
    }
    done(file, heard.seconds);
}

void HeardReport::refuse(const std::string& file, const Error& why) {
    progress_.reset();
    const auto named = about_file(file, why);
    if (flags_.files.size() == 1 || flags_.output == "json") throw named;
    if (refused_++ == 0) first_refusal_ = named.what();
    if (flags_.output == "jsonl")
        std::cout << json_text({{"file", file}, {"error", why.what()}}) << std::endl;
    else
        std::cout << file << ": error: " << why.what() << std::endl;
    since_ = std::chrono::steady_clock::now();
}

int HeardReport::finish() {
    if (flags_.output == "json") std::cout << (flags_.files.size() > 1 ? "[" + array_ + "]" : array_) << std::endl;
    if (refused_ == 0) return Exit::done;
    const std::string others = refused_ == 1 ? ""
                                             : "Of " + count_of(flags_.files.size(), "file") + " " +
                                                   std::to_string(refused_) + " were refused, first: ";
    complain(others + first_refusal_);
    return Exit::bad_input;
}

}  // namespace silica::bench
