#pragma once
/// Writing quantised checkpoints.

#include "silica/checkpoint/config.hpp"
#include "silica/checkpoint/quantised.hpp"
#include "silica/checkpoint/read_scheme.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/checkpoint/write_safetensors.hpp"
#include "silica/core/atomic_file.hpp"
#include "silica/core/budget.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/free_memory.hpp"
#include "silica/loader/quantise_checkpoint.hpp"
#include "silica/loader/source.hpp"

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace silica::loader {
namespace quantise_detail {

/// A directory that appears under its name when it is complete, and not at all otherwise.
class NewDirectory {
public:
    explicit NewDirectory(std::filesystem::path path) : path_(std::move(path)) {
        std::error_code error;
        if (path_.filename().empty()) path_ = path_.parent_path();
        if (std::filesystem::exists(std::filesystem::symlink_status(path_, error)))
            throw InputError(path_.string() + " is there already.", "name a directory that does not exist.");
        temporary_ = path_;
        temporary_ += ".part" + std::to_string(::getpid());
        std::filesystem::create_directories(temporary_, error);
        if (error) fail("Creating " + temporary_.string(), error);
    }
    NewDirectory(const NewDirectory&) = delete;
    NewDirectory& operator=(const NewDirectory&) = delete;
    ~NewDirectory() {
        std::error_code ignored;
        if (!committed_) std::filesystem::remove_all(temporary_, ignored);
    }
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return temporary_; }
    void commit() {
        std::error_code error;
        std::filesystem::rename(temporary_, path_, error);
        if (error) fail("Renaming " + temporary_.string(), error);
        committed_ = true;
    }
    [[noreturn]] static void fail(const std::string& what, const std::error_code& error) {
        throw CheckpointError(what + " failed: " + error.message() + ".",
                              "check permissions and the room on the disk.");
    }

private:
    std::filesystem::path path_, temporary_;
    bool committed_ = false;
};

/// Whether a file holds weights, or tells where they lie: those are written anew.
inline bool is_of_weights(const std::filesystem::path& file) {
    constexpr std::string_view ends[] = {".safetensors", ".bin",  ".pt",   ".pth",        ".h5",
                                         ".msgpack",     ".onnx", ".gguf", ".index.json", ".ot"};
    const std::string name = file.filename().string();
    return std::any_of(std::begin(ends), std::end(ends), [&](std::string_view end) { return name.ends_with(end); });
}

/// The other files of a directory, and of the directories right below it.
inline std::vector<std::filesystem::path> others_of(const std::filesystem::path& from) {
    std::vector<std::filesystem::path> found;
    std::error_code error;
    for (const auto& item : std::filesystem::directory_iterator(from, error)) {
        const auto name = item.path().filename();
        if (name.string().starts_with(".") || name == "config.json") continue;
        std::error_code failed;
        if (item.is_directory(failed)) {
            for (const auto& inner : std::filesystem::directory_iterator(item.path(), failed)) {
                if (inner.is_regular_file(failed) && !is_of_weights(inner.path()))
                    found.push_back(name / inner.path().filename());
            }
        } else if (item.is_regular_file(failed) && !is_of_weights(item.path())) {
            found.push_back(name);
        }
        if (failed) NewDirectory::fail("Reading " + item.path().string(), failed);
    }
    if (error) NewDirectory::fail("Reading " + from.string(), error);
    return found;
}

/// Copies files, named by their paths in `from`.
inline void copy(const std::vector<std::filesystem::path>& files, const std::filesystem::path& from,
                 const std::filesystem::path& to) {
    for (const auto& file : files) {
        std::error_code error;
        std::filesystem::create_directories((to / file).parent_path(), error);
        if (!error) std::filesystem::copy_file(from / file, to / file, error);
        if (error) NewDirectory::fail("Copying " + (from / file).string(), error);
    }
}

/// Throws DeviceError where memory is not enough for the largest tensor, beside its codes where it becomes some.
inline void require_memory(const checkpoint::Checkpoint& files, int bits, std::int64_t group, const auto& quantised) {
    const auto memory = free_memory();
    const checkpoint::TensorEntry* largest = nullptr;
    std::uint64_t most = 0;
    for (const auto& e : files.entries()) {
        if (e.dtype == c10::ScalarType::Undefined) continue;
        const auto whole = static_cast<std::uint64_t>(e.numel()) * c10::elementSize(e.dtype);
        std::uint64_t bytes = e.nbytes + (e.contiguous() ? 0 : whole);
        if (quantised(e)) {  // made of float32, and the scales once more in the type of the file
            if (e.dtype == c10::ScalarType::Double) bytes += whole / 2;
            bytes += code_bytes(e.shape[0], e.shape[1], {.bits = bits, .group = group, .scale = 8});
        }
        if (bytes > most) largest = &e, most = bytes;
    }
    if (largest == nullptr || memory.total == 0 || most <= memory.free) return;
    throw DeviceError("The host has not enough memory to quantise " + files.directory().string() + ": " +
                          checkpoint::quote(largest->name) +
                          (quantised(*largest) ? " and its codes take " : " takes ") + bytes_text(most) + ", and " +
                          bytes_text(memory.free) + " are free.",
                      "free memory, or quantise it on a larger machine.");
}

/// Throws CheckpointError where the disk that `to` will be on has not `bytes` left.
inline void require_disk(std::filesystem::path to, std::uint64_t bytes) {
    std::error_code error;
    const std::string name = to.string();
    to = std::filesystem::absolute(to, error);
    while (!std::filesystem::exists(to, error) && to.has_relative_path()) to = to.parent_path();
    const auto room = std::filesystem::space(to, error);
    if (error || room.available >= bytes) return;  // a disk that does not tell says it while writing
    throw CheckpointError("The disk of " + name + " has " + bytes_text(room.available) +
                              " left, and the quantised checkpoint takes " + bytes_text(bytes) + ".",
                          "free some, or name a directory on another disk.");
}

/// config.json with the two keys that MLX writes.
inline std::string config_text(const std::filesystem::path& directory, int bits, std::int64_t group) {
    const Json json = checkpoint::read_json_file(directory, "config.json");
    const auto file = (directory / "config.json").string();
    for (const auto* key : {"quantization", "quantization_config"}) {
        if (const Json* found = json.find(key); found != nullptr && !found->is_null()) {
            throw ConfigError(file + ": " + key + " is " + found->brief() + ": these weights are codes already.",
                              "quantise a checkpoint in float32, float16 or bfloat16.");
        }
    }
    const auto source = checkpoint::File::open(directory / "config.json");
    std::string text = source->read_text(0, source->size());
    const auto last = text.rfind('}');
    auto before = text.find_last_not_of(" \t\r\n", last - 1);
    const std::string value =
        "{\"group_size\": " + std::to_string(group) + ", \"bits\": " + std::to_string(bits) + ", \"mode\": \"affine\"}";
    const std::string keys = std::string(text[before] == '{' ? "" : ",") + "\n  \"quantization\": " + value +
                             ",\n  \"quantization_config\": " + value + "\n}\n";
    return text.substr(0, before + 1) + keys;
}

/// One tensor to write, made of an entry of the old files.
struct Step {
    const checkpoint::TensorEntry* from;
    enum class Part { whole, codes, scales, biases } part;
};

}  // namespace quantise_detail

SILICA_INLINE void require_plain(const checkpoint::Checkpoint& files) {
    const auto& directory = files.directory();
    const bool gguf = files.format() == "GGUF";
    if (gguf || checkpoint::read_scheme(directory).method != checkpoint::Scheme::Method::plain) {
        throw ConfigError(directory.string() + (gguf ? " holds a GGUF file" : " holds codes already") +
                              ": quantization starts from plain weights.",
                          "quantise a checkpoint in float32, float16 or bfloat16 of safetensors or torch files.");
    }
}

SILICA_INLINE QuantisedCheckpoint quantise_checkpoint(const checkpoint::Checkpoint& files,
                                                      const std::set<std::string>& matrices, int bits,
                                                      std::int64_t group, const std::filesystem::path& to,
                                                      bool budget) {
    using quantise_detail::Step;
    checkpoint::require_quantising(bits, group);
    if (group == 0)
        throw InputError("A file has groups of 32, 64 or 128 columns, not of a whole row.", "name one of these.");
    const auto& directory = files.directory();
    require_plain(files);
    const std::string config = quantise_detail::config_text(directory, bits, group);
    QuantisedCheckpoint made;
    std::vector<checkpoint::PlannedTensor> plan;
    std::vector<Step> steps;
    const auto quantised = [&](const checkpoint::TensorEntry& e) {
        return matrices.contains(e.name) && e.name.ends_with(".weight") && e.shape.size() == 2 &&
               e.shape[1] % group == 0 && e.shape[1] > 0;
    };
    for (const auto& e : files.entries()) {  // codes first: then all of them lie at multiples of four bytes
        if (!quantised(e)) continue;
        const std::string module = e.name.substr(0, e.name.size() - 6);
        const auto type = e.dtype == c10::ScalarType::Double ? c10::ScalarType::Float : e.dtype;
        plan.push_back({e.name, c10::ScalarType::UInt32, {e.shape[0], checkpoint::Quantised::words(e.shape[1], bits)}});
        plan.push_back({module + "scales", type, {e.shape[0], e.shape[1] / group}});
        plan.push_back({module + "biases", type, {e.shape[0], e.shape[1] / group}});
        for (const auto part : {Step::Part::codes, Step::Part::scales, Step::Part::biases}) steps.push_back({&e, part});
        ++made.quantised;
    }
    if (made.quantised == 0)
        throw InputError(directory.string() + " has no matrix to quantise whose columns are whole groups of " +
                             std::to_string(group) + ".",
                         "name a smaller group, or use the checkpoint as it is.");
    for (const std::size_t width : {8U, 4U, 2U, 1U}) {
        for (const auto& e : files.entries()) {
            if (quantised(e)) continue;
            if (e.dtype == c10::ScalarType::Undefined)
                throw CheckpointError(files.file_of(e).path().string() + ": " + checkpoint::quote(e.name) +
                                          " is of type " + e.dtype_name + ", which is not copied.",
                                      "quantise a checkpoint in float32, float16 or bfloat16.");
            if (c10::elementSize(e.dtype) != width) continue;
            plan.push_back({e.name, e.dtype, e.shape});
            steps.push_back({&e, Step::Part::whole});
            ++made.kept;
        }
    }
    const auto others = quantise_detail::others_of(directory);
    if (budget) {
        std::uint64_t bytes = config.size();
        for (const auto& t : plan) {
            std::uint64_t size = c10::elementSize(t.dtype);
            for (const auto n : t.shape) size *= static_cast<std::uint64_t>(n);
            bytes += size;
        }
        std::error_code error;
        for (const auto& file : others) {
            const auto size = std::filesystem::file_size(directory / file, error);
            bytes += error ? 0 : size;
        }
        quantise_detail::require_memory(files, bits, group, quantised);
        quantise_detail::require_disk(to, bytes);
    }
    quantise_detail::NewDirectory out(to);
    quantise_detail::copy(others, directory, out.path());
    checkpoint::Quantised q;
    const auto make = [&](std::size_t i) -> Tensor {
        const checkpoint::TensorEntry& e = *steps[i].from;
        Tensor tensor;
        switch (steps[i].part) {
            case Step::Part::whole:
                tensor = read_whole(files, e).contiguous();
                made.bytes_before += tensor.nbytes();
                break;
            case Step::Part::codes: {
                const Tensor plain = read_whole(files, e);
                made.bytes_before += plain.nbytes();
                q = checkpoint::quantise(plain, bits, group,
                                         files.file_of(e).path().string() + ": " + checkpoint::quote(e.name));
                tensor = q.codes.view(c10::ScalarType::UInt32);
                break;
            }
            case Step::Part::scales:
                tensor = q.scales.to(plan[i].dtype);
                break;
            case Step::Part::biases:
                tensor = q.biases.to(plan[i].dtype);
                q = {};  // before the next matrix is read
                break;
        }
        made.bytes += tensor.nbytes();
        return tensor;
    };
    checkpoint::write_safetensors(out.path() / "model.safetensors", plan, make, {{"format", "mlx"}});
    {
        silica::detail::AtomicFile<CheckpointError> file(out.path() / "config.json");
        file.write(config.data(), config.size());
        file.commit();
    }
    out.commit();
    return made;
}

}  // namespace silica::loader
