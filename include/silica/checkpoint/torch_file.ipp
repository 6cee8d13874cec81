#pragma once
/// Reads torch files.

#include "silica/checkpoint/impostor.hpp"
#include "silica/checkpoint/origin.hpp"
#include "silica/checkpoint/state_dict.hpp"
#include "silica/checkpoint/torch_file.hpp"
#include "silica/checkpoint/unpickler.hpp"
#include "silica/checkpoint/zip.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string_view>
#include <utility>

namespace silica::checkpoint {

SILICA_INLINE bool is_torch_file(const File& file) {
    const auto start = file.read_text(0, std::min<std::uint64_t>(file.size(), 8));
    if (start.starts_with("PK\x03\x04") || start.starts_with("PK\x05\x06")) return true;
    return start.size() == 8 && start[0] == '\x80' && start[1] >= 1 && start[1] <= 5 &&
           start.substr(4) != std::string_view("\0\0\0\0", 4);
}

namespace detail {

inline constexpr std::uint64_t longest_pickle = std::uint64_t{64} << 20U;

/// How to make a safetensors file of a torch file that is not read here.
SILICA_INLINE std::string convert_remedy(const std::filesystem::path& path) {
    return "If you trust the file, convert it: python -c \"import torch, safetensors.torch as s; d = torch.load('" +
           path.string() +
           "', map_location='cpu'); d = d.get('state_dict', d); s.save_file({k: v.clone().contiguous() " +
           "for k, v in d.items() if torch.is_tensor(v)}, 'model.safetensors', {'format': 'pt'})\".";
}

[[noreturn]] SILICA_INLINE void refuse_torch(const File& file, const std::string& problem,
                                             const std::string& remedy = {}) {
    throw CheckpointError(file.path().string() + " " + problem + ".",
                          remedy.empty() ? fetch_again(file.path()) : remedy);
}

SILICA_INLINE TorchContents read_torch_zip(const File& file, std::size_t index) {
    const auto members = read_zip(file);
    const auto ends_in = [&](std::string_view name) {  // the archive's own name is a directory of all members
        return std::find_if(members.begin(), members.end(), [&](const auto& member) {
            return member.first.ends_with(name) && member.first.find('/') == member.first.size() - name.size();
        });
    };
    if (ends_in("/constants.pkl") != members.end())
        refuse_torch(file, "is a TorchScript program, not a file of weights",
                     "Save the weights: torch.save(torch.jit.load(...).state_dict(), 'pytorch_model.bin').");
    const auto pickle_at = ends_in("/data.pkl");
    if (pickle_at == members.end()) refuse_torch(file, "is a zip archive without data.pkl, so not one of torch.save");
    const std::string root = pickle_at->first.substr(0, pickle_at->first.find('/') + 1);
    if (const auto at = members.find(root + "byteorder"); at != members.end()) {
        const auto order = file.read_text(at->second.offset, std::min<std::uint64_t>(at->second.nbytes, 16));
        if (order != "little")
            refuse_torch(file, "has the byte order " + quote(order) + "; this machine needs 'little'",
                         convert_remedy(file.path()));
    }
    const auto& member = pickle_at->second;
    if (member.nbytes > longest_pickle)
        refuse_torch(file, "has a pickle of " + bytes(member.nbytes) + "; at most 67108864 are read",
                     convert_remedy(file.path()));
    const std::string text = file.read_text(member.offset, member.nbytes);
    try {
        const auto pickle = read_pickle(text, file.path().string(), convert_remedy(file.path()));
        const auto place = [&](const PickleStorage& storage) -> ZipMember {
            const auto at = members.find(root + "data/" + std::string(storage.key));
            if (at == members.end()) refuse_torch(file, "lacks the data of storage " + quote(storage.key));
            return at->second;
        };
        return {state_dict(file, index, pickle, place), "torch zip"};
    } catch (const PickleCutShort&) {
        refuse_torch(file, "has a pickle that is cut short");
    }
}

/// The stream of torch < 1.6: a magic number, a protocol number, facts about the machine, the dictionary, the keys of
/// the storages (a pickle each); then, for each key, the number of elements (8 bytes) and the elements.
class LegacyReader {
public:
    LegacyReader(const File& file, std::size_t index) : file_(file), index_(index) {}

    [[nodiscard]] static bool is(const File& file) {
        constexpr std::string_view magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
        return file.size() >= magic.size() && file.read_text(0, magic.size()) == magic;
    }

    [[nodiscard]] TorchContents read() {
        for (std::uint64_t n = 1U << 20U;; n *= 4) {  // the pickles come first; how long they are only they know
            const std::uint64_t all = std::min<std::uint64_t>(file_.size(), longest_pickle);
            text_ = file_.read_text(0, std::min(n, all));
            try {
                return read_pickles();
            } catch (const PickleCutShort&) {
                if (text_.size() == file_.size()) refuse_torch(file_, "is cut short");
                if (text_.size() == all)
                    refuse_torch(file_, "has a pickle of more than 67108864 bytes", convert_remedy(file_.path()));
            }
        }
    }

private:
    [[nodiscard]] Pickle next() {
        auto pickle =
            read_pickle(std::string_view(text_).substr(at_), file_.path().string(), convert_remedy(file_.path()));
        at_ += pickle.nbytes;
        return pickle;
    }

    [[nodiscard]] TorchContents read_pickles() {
        at_ = 15;  // after the magic number
        const auto protocol = next();
        if (protocol.root.kind != PickleValue::Kind::integer || protocol.root.number != 1001)
            refuse_torch(file_, "is of an unknown version of torch's old format", convert_remedy(file_.path()));
        const auto machine = next();
        if (machine.root.kind == PickleValue::Kind::dict) {
            const auto& items = machine.items(machine.root);
            for (std::size_t i = 0; i + 1 < items.size(); i += 2)
                if (items[i].kind == PickleValue::Kind::text && machine.text(items[i]) == "little_endian" &&
                    items[i + 1].number != 1)
                    refuse_torch(file_, "was written big-endian", convert_remedy(file_.path()));
        }
        const auto pickle = next();
        const auto keys = next();
        const auto places = storages(pickle, keys);
        const auto place = [&](const PickleStorage& storage) -> ZipMember {
            const auto at = places.find(storage.key);
            if (at == places.end()) refuse_torch(file_, "lacks the data of storage " + quote(storage.key));
            return at->second;
        };
        return {state_dict(file_, index_, pickle, place), "torch (before 1.6)"};
    }

    [[nodiscard]] std::map<std::string_view, ZipMember> storages(const Pickle& pickle, const Pickle& keys) const {
        std::map<std::string_view, const PickleStorage*> known;
        for (const auto& storage : pickle.storages) known.emplace(storage.key, &storage);
        std::map<std::string_view, ZipMember> places;
        if (keys.root.kind != PickleValue::Kind::list) refuse_torch(file_, "has no list of storages");
        std::uint64_t at = at_;
        for (const auto& key : keys.items(keys.root)) {
            const auto found = key.kind == PickleValue::Kind::text ? known.find(keys.text(key)) : known.end();
            if (found == known.end()) refuse_torch(file_, "lists a storage that no tensor uses");
            const auto& storage = *found->second;
            const auto count = file_.read_text(at, 8);
            std::uint64_t numel = 0;
            for (std::size_t i = 8; i-- > 0;) numel = numel << 8U | static_cast<unsigned char>(count[i]);
            const std::uint64_t item = at::elementSize(storage.type->dtype);
            if (numel != static_cast<std::uint64_t>(storage.numel) || numel > (file_.size() - at - 8) / item)
                refuse_torch(file_, "has storage " + quote(storage.key) + " of " + std::to_string(numel) +
                                        " elements at byte " + std::to_string(at) +
                                        ", which is not what its tensors need");
            if (!places.emplace(storage.key, ZipMember{at + 8, numel * item}).second)
                refuse_torch(file_, "lists storage " + quote(storage.key) + " twice");
            at += 8 + numel * item;
        }
        return places;
    }

    const File& file_;
    std::size_t index_, at_ = 0;
    std::string text_;
};

}  // namespace detail

SILICA_INLINE TorchContents read_torch(const File& file, std::size_t index) {
    refuse_impostor(file);
    if (detail::LegacyReader::is(file)) return detail::LegacyReader(file, index).read();
    const auto start = file.read_text(0, std::min<std::uint64_t>(file.size(), 4));
    if (!start.starts_with("PK"))
        detail::refuse_torch(file, "is not a file of torch.save (neither a zip archive nor torch's old format)");
    return detail::read_torch_zip(file, index);
}

}  // namespace silica::checkpoint
