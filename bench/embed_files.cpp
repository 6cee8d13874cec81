#include "embed_files.hpp"

#include <iostream>
#include <span>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "errors.hpp"
#include "files.hpp"
#include "lines.hpp"

namespace silica::bench {
namespace {

/// JSON, what is no UTF-8 being replaced.
std::string text_of(const nlohmann::json& json) {
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string line_of(const std::string& file, const char* key, const std::string& value) {
    return "{\"files\":" + text_of(nlohmann::json::array({file})) + ",\"" + key + "\":" + value + "}\n";
}

}  // namespace

VectorReport::VectorReport(const std::vector<std::string>& files, const std::string& kind) : files_(files) {
    if (files_.empty()) throw InputError("There is no file.", "name " + kind + " after the directory.");
}

void VectorReport::give(const task::FileResult<Tensor>& result) {
    const auto& file = files_[result.index];
    if (result.error) {
        const auto why = about_file(file, *result.error);
        if (refused_++ == 0) first_refusal_ = why.what();
        std::cout << line_of(file, "error", text_of(why.what())) << std::flush;
        return;
    }
    const Tensor vector = result.value->contiguous();
    const std::span numbers(vector.const_data_ptr<float>(), static_cast<std::size_t>(vector.numel()));
    std::cout << line_of(file, "embedding", json_numbers(numbers)) << std::flush;
}

int VectorReport::finish() const {
    if (refused_ == 0) return Exit::done;
    complain((refused_ > 1 ? std::to_string(refused_) + " files were refused, first: " : std::string()) +
             first_refusal_);
    return Exit::bad_input;
}

}  // namespace silica::bench
