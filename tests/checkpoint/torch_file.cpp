// Files of torch.save: the zip reader, the restricted unpickler, state dicts.

#include "checkpoint/support.hpp"
#include "support/catch.hpp"

#include <functional>
#include <map>

namespace torch_file_tests {

using namespace silica;
using namespace silica::test;
using namespace std::string_literals;

namespace {

/// A zip archive of stored members. The hooks change a local header or a directory entry before it is written.
struct Zip {
    std::vector<std::pair<std::string, std::string>> members;
    std::function<void(std::size_t, std::string&)> local = {}, central = {};
    std::function<void(std::string&)> end = {};
    bool wide = false;  // zip64

    [[nodiscard]] std::string bytes() const {
        std::string out, directory;
        for (std::size_t i = 0; i < members.size(); ++i) {
            const auto& [name, data] = members[i];
            const std::uint64_t at = out.size(), n = data.size();
            std::string head = "PK\x03\x04" + little(0, 14) + little(wide ? ~0U : n, 4) + little(wide ? ~0U : n, 4) +
                               little(name.size(), 2) + little(4, 2);
            if (local) local(i, head);
            out += head + name + "FB" + little(0, 2) + data;
            const std::string extra = wide ? "XX" + little(2, 2) + "??" + little(1, 2) + little(24, 2) + little(n, 8) +
                                                 little(n, 8) + little(at, 8)
                                           : "";
            std::string entry = "PK\x01\x02" + little(0, 16) + little(wide ? ~0U : n, 4) + little(wide ? ~0U : n, 4) +
                                little(name.size(), 2) + little(extra.size(), 2) + little(0, 10) +
                                little(wide ? ~0U : at, 4);
            if (central) central(i, entry);
            directory += entry + name + extra;
        }
        const std::uint64_t at = out.size(), size = directory.size(), n = members.size();
        out += directory;
        if (wide) {
            const std::uint64_t record = out.size();
            out += "PK\x06\x06" + little(44, 8) + little(0, 12) + little(n, 8) + little(n, 8) + little(size, 8) +
                   little(at, 8);
            out += "PK\x06\x07" + little(0, 4) + little(record, 8) + little(1, 4);
        }
        std::string tail = "PK\x05\x06" + little(0, 4) + little(wide ? 0xffff : n, 2) + little(wide ? 0xffff : n, 2) +
                           little(wide ? ~0U : size, 4) + little(wide ? ~0U : at, 4) + little(0, 2);
        if (end) end(tail);
        return out + tail;
    }
};

// Opcodes, so that pickles can be written by hand.
std::string text(const std::string& s) { return "X" + little(s.size(), 4) + s; }
std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }
std::string tuple(const std::string& items) { return "(" + items + "t"; }
std::string integer(std::int64_t i) { return "\x8a\x08" + little(static_cast<std::uint64_t>(i), 8); }
std::string storage(const std::string& key, std::int64_t numel, const std::string& type = "FloatStorage") {
    return tuple(text("storage") + global("torch", type) + text(key) + text("cpu") + integer(numel)) + "Q";
}
std::string tensor(const std::string& storage, std::int64_t offset, const std::vector<std::int64_t>& shape,
                   const std::vector<std::int64_t>& strides) {
    std::string sizes, steps;
    for (const auto n : shape) sizes += integer(n);
    for (const auto n : strides) steps += integer(n);
    return global("torch._utils", "_rebuild_tensor_v2") +
           tuple(storage + integer(offset) + tuple(sizes) + tuple(steps) + "\x89" +
                 global("collections", "OrderedDict") + ")R") +
           "R";
}
std::string dict(const std::string& items) { return "}(" + items + "u"; }
std::string pickle(const std::string& body) { return "\x80\x02" + body + "."; }

/// A torch zip with this pickle and the storage "0" of `nbytes` bytes.
std::string torch_zip(const std::string& pickled, std::size_t nbytes = 24) {
    return Zip{{{"x/data.pkl", pickled}, {"x/byteorder", "little"}, {"x/data/0", std::string(nbytes, '\0')}}}.bytes();
}
std::string says(const std::string& pickled, std::size_t nbytes = 24) {
    return refusal_of(torch_zip(pickled, nbytes), "pytorch_model.bin");
}
std::string says_tensor(std::int64_t offset, const std::vector<std::int64_t>& shape,
                        const std::vector<std::int64_t>& strides, std::int64_t numel = 6, std::size_t nbytes = 24) {
    return says(pickle(dict(text("w") + tensor(storage("0", numel), offset, shape, strides))), nbytes);
}
bool has(const std::string& said, const std::string& words) {
    INFO(said);
    CHECK(said.find(words) != std::string::npos);
    return said.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("files of torch.save open with every value, view and type, in both formats") {
    const auto expected = Checkpoint::open(golden("expected.safetensors"));
    for (const auto& [name, format] : std::vector<std::pair<std::string, std::string>>{
             {"zip.bin", "torch zip"}, {"legacy.bin", "torch (before 1.6)"}, {"wrapped4.bin", "torch zip"}}) {
        INFO(name);
        const auto checkpoint = Checkpoint::open(golden(name));
        CHECK(checkpoint.format() == format);
        CHECK(checkpoint.entries().size() == expected.entries().size());
        for (const auto& entry : expected.entries()) {
            INFO(entry.name);
            REQUIRE(checkpoint.find(entry.name) != nullptr);
            CHECK(same(read_tensor(checkpoint, entry.name), read_tensor(expected, entry.name)));
        }
        CHECK(checkpoint.find("weight")->contiguous());
        CHECK(checkpoint.find("view.rows")->contiguous());
        CHECK_FALSE(checkpoint.find("view.columns")->contiguous());
        CHECK_FALSE(checkpoint.find("view.transposed")->contiguous());
        CHECK_FALSE(checkpoint.find("view.expanded")->contiguous());
        CHECK(checkpoint.find("position_ids")->contiguous());
        CHECK(checkpoint.find("view.expanded")->nbytes == 4);
    }
}

TEST_CASE("tensors that share bytes are counted once") {
    const auto checkpoint = Checkpoint::open(golden("zip.bin"));
    CHECK(checkpoint.find("tied")->same_storage(*checkpoint.find("weight")));
    CHECK_FALSE(checkpoint.find("view.rows")->same_storage(*checkpoint.find("view.columns")));
    std::uint64_t types = 4 * (2 + 2 + 8 + 4 + 2 + 1 + 1 + 1 + 8);
    CHECK(checkpoint.total_bytes() == types + 48 /* weight, tied */ + 12 /* bias */ + 192 /* views of one storage */ +
                                          16 /* parameter */ + 80 /* position_ids */ + 8 /* scalar */);
}

TEST_CASE("a torch file is known by its bytes where the name does not say") {
    const Directory directory;
    CHECK(Checkpoint::open(directory.write("weights", slurp(golden("zip.bin")))).format() == "torch zip");
    CHECK(Checkpoint::open(directory.write("weights2", slurp(golden("legacy.bin")))).format() == "torch (before 1.6)");
    CHECK(Checkpoint::open(directory.write("weights3", slurp(golden("plain.safetensors")))).format() == "safetensors");
    has(refusal_of("hello, world", "pytorch_model.bin"), "is not a file of torch.save");
    has(refusal_of("", "pytorch_model.bin"), "is not a file of torch.save");
    has(refusal_of(slurp(golden("plain.safetensors")), "pytorch_model.bin"), "is not a file of torch.save");
    has(refusal_of("\x80\x02]q\0."s + std::string(20, 'x'), "pytorch_model.bin"), "is not a file of torch.save");
}

TEST_CASE("any Python name but those of tensors is refused by name and nothing runs") {
    for (const auto& [module, name] :
         std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                          {"builtins", "eval"},
                                                          {"posix", "system"},
                                                          {"torch", "load"},
                                                          {"torch.storage", "_load_from_bytes"},
                                                          {"torch._utils", "_rebuild_tensor_v3"},
                                                          {"collections", "OrderedDict.__init__"},
                                                          {"", ""},
                                                          {"torch", "QInt8Storage"}}) {
        has(says(pickle(global(module, name) + tuple(text("touch /tmp/silica-was-here")) + "R")),
            "asks for the Python object '" + module + "." + name +
                "', which is no part of a tensor; nothing was executed.");
        has(says(pickle(text(module) + text(name) + "\x93" + tuple("") + "R")), "asks for the Python object");
    }
    has(says(pickle(global("os", "system"))), "python -c \"import torch, safetensors.torch");
    CHECK_FALSE(fs::exists("/tmp/silica-was-here"));
    // opcodes that build objects in other ways: INST, OBJ, NEWOBJ, NEWOBJ_EX, EXT1, PERSID, text numbers, sets, buffers
    for (const auto* opcode :
         {"ios\nsystem\n", "(o", "N)\x81", "N)}\x92", "\x82\x01", "Px\n", "I1\n", "\x8f", "\x91", "\x97", "2"})
        has(says(pickle("N"s + opcode)), "which tensors do not need");
}

TEST_CASE("pickles that Python would not write are refused, whatever is wrong with them") {
    const std::string good = tensor(storage("0", 6), 0, {2, 3}, {3, 1});
    const std::string ordered = global("collections", "OrderedDict"),
                      rebuild = global("torch._utils", "_rebuild_tensor_v2");
    has(says("\x80\x02"), "cut short");
    has(says(""), "cut short");
    has(says("\x80\x02X\xff\xff\xff\xff"), "cut short");
    has(says("\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xff"), "cut short");
    has(says(pickle("")), "a stack of 0 at its end");
    has(says(pickle("}}")), "a stack of 2 at its end");
    has(says(pickle("}(")), "a stack of 1 at its end");
    has(says(pickle("0")), "nothing on its stack");
    has(says(pickle("}(0")), "nothing on its stack");  // not below a mark
    has(says(pickle("t")), "no MARK");
    has(says(pickle("(Nd")), "a key without a value");
    has(says(pickle("}(Nu")), "a key without a value");
    has(says(pickle("](NNu")), "items for something that is no list or dictionary");
    has(says(pickle("]NNs")), "items for something that is no list or dictionary");
    has(says(pickle("}Na")), "items for something that is no list or dictionary");
    has(says(pickle("h\x07")), "a reference to a value that was never kept");
    has(says(pickle("N)R")), "a call of something that is no function");
    has(says(pickle(ordered + "NR")), "a call whose arguments are no tuple");
    has(says(pickle(ordered + tuple("NNNNNNNN") + "R")), "a call with more than 7 arguments");
    has(says(pickle(ordered + tuple("NN") + "R")), "an OrderedDict of 2 arguments");
    has(says(pickle(ordered + tuple("](Ne") + "R")), "an argument of the wrong type");
    has(says(pickle(ordered + tuple("]()e") + "R")), "an OrderedDict item that is no pair");
    has(says(pickle(global("torch", "FloatStorage") + ")R")), "a call of a storage type");
    has(says(pickle(rebuild + tuple("NNN") + "R")), "a tensor of 3 arguments");
    has(says(pickle(rebuild + tuple("NNNNNN") + "R")), "an argument of the wrong type");
    has(says(pickle(rebuild + tuple(storage("0", 6) + integer(0) + tuple(integer(6)) + tuple("") + "\x89}") + "R")),
        "more sizes than strides");
    has(says(pickle(rebuild +
                    tuple(storage("0", 6) + integer(0) + tuple(integer(6)) + tuple(integer(1)) + "\x89}" +
                          dict(text("conj") + "\x88")) +
                    "R")),
        "conjugated");
    has(says(pickle(global("torch._utils", "_rebuild_parameter") + tuple("N\x89}") + "R")),
        "an argument of the wrong type");
    has(says(pickle("NQ")), "a storage that is no tuple");
    has(says(pickle(tuple("NNNNN") + "Q")), "a storage of unknown form");
    has(says(pickle(tuple(text("storage") + ordered + text("0") + text("cpu") + integer(6)) + "Q")),
        "a storage whose type is none");
    has(says(pickle(storage("0", -1))), "a storage of -1 elements");
    has(says(pickle(good + "}b")), "attributes set on something that is no dictionary");
    has(says(pickle("\x8a\x09" + std::string(9, '\1'))), "an integer of 9 bytes");
    has(says(pickle("c" + std::string(5000, 'x'))), "a name of more than 1000 bytes");
    has(says(pickle(good)), "holds no dictionary of tensors");
    has(says(pickle("]")), "holds no dictionary of tensors");
    has(says(pickle("}")), "holds no tensors");
    has(says(pickle(dict(text("model") + dict(text("w") + good)))),
        "holds no tensors itself, but a dictionary 'model'");
    has(says(pickle(dict(text("w") + good + text("w") + good))), "has tensor 'w' twice");
    has(says(pickle(dict(text("\xff") + good))), "name is not UTF-8");
    has(says(pickle(dict(text("w") + tensor(storage("9", 6), 0, {2}, {1})))), "lacks the data of storage '9'");
    has(says(pickle(dict(text("w") + tensor(storage("../x", 6), 0, {2}, {1})))), "lacks the data of storage '../x'");
    has(says(pickle(dict(text("w") + tensor(storage("0", 6, "OrderedDict"), 0, {2}, {1})))),
        "asks for the Python object");
}

TEST_CASE("a view of a storage lies within it") {
    CHECK(says_tensor(0, {2, 3}, {3, 1}) == "(accepted)");
    CHECK(says_tensor(5, {}, {}) == "(accepted)");
    CHECK(says_tensor(6, {0}, {1}) == "(accepted)");
    CHECK(says_tensor(0, {0, 1'000'000'000'000}, {1, 1}) == "(accepted)");
    CHECK(says_tensor(1, {2, 2}, {3, 1}) == "(accepted)");
    CHECK(says_tensor(0, {3}, {0}) == "(accepted)");
    has(says_tensor(6, {}, {}), "out of range");
    has(says_tensor(1, {2, 3}, {3, 1}),
        "has tensor 'w' of shape (2, 3), strides (3, 1), offset 1 in a storage of 6 elements: out of range");
    has(says_tensor(7, {0}, {1}), "out of range");
    has(says_tensor(-1, {1}, {1}), "out of range");
    has(says_tensor(0, {7}, {1}), "out of range");
    has(says_tensor(0, {2}, {6}), "out of range");
    has(says_tensor(0, {2}, {-1}), "negative sizes");
    has(says_tensor(0, {-2}, {1}), "negative sizes");
    has(says_tensor(0, {2, 2}, {INT64_MAX, INT64_MAX}), "out of range");
    has(says_tensor(INT64_MAX, {1}, {1}), "out of range");
    has(says_tensor(0, {INT64_MAX}, {1}), "more than any memory holds");
    has(says_tensor(0, {1LL << 40, 1LL << 40}, {0, 0}), "more than any memory holds");
    has(says_tensor(0, {1LL << 40}, {0}), "repeated to more than the file's own size");
    has(says_tensor(0, {6}, {1}, 6, 20), "whose data is 20 bytes long");
    has(says_tensor(0, {6}, {1}, 6, 28), "whose data is 28 bytes long");
    has(says_tensor(0, {1}, {1}, INT64_MAX, 24), "whose data is 24 bytes long");
    has(says_tensor(0, {1}, {1}, (1LL << 62) + 6, 24), "whose data is 24 bytes long");
    has(says(pickle(dict(text("w") + tensor(storage("0", 6), 0, std::vector<std::int64_t>(65, 1),
                                            std::vector<std::int64_t>(65, 1))))),
        "a tensor of more than 64 dimensions");
}

TEST_CASE("a pickle made to grow is stopped") {
    const auto grows = [](const std::string& body, const std::string& words) { has(says("\x80\x02" + body), words); };
    grows(std::string(2'000'000, 'N') + ".", "a stack deeper than a million");
    grows(std::string(2'000'000, '(') + ".", "a stack deeper than a million");
    std::string doubling = "(" + std::string(900'000, 'N') + "lq\0"s;  // a list of 900,000, copied again and again
    for (int i = 0; i < 1000; ++i) doubling += "ctorch\nSize\nh\0\x85R"s;
    grows(doubling + ".", "values that need more than 128 MB");
    std::string kept = "N";
    for (std::uint64_t i = 0; i < 5'000'000; ++i) kept += "r" + little(i, 4);
    grows(kept + ".", "values that need more than 128 MB");
    std::string nested;
    for (int i = 0; i < 300'000; ++i) nested += "]";
    for (int i = 0; i < 299'999; ++i) nested += "a";
    grows(nested + ".", "holds no dictionary");      // deep, but nothing recurses
    grows("]q\0h\0ah\0a."s, "holds no dictionary");  // a list in itself
}

TEST_CASE("an OrderedDict may be called with its pairs, and numbers, texts and tuples of every width are read") {
    const std::string good = tensor(storage("0", 6), 0, {2, 3}, {3, 1});
    CHECK(says(pickle(global("collections", "OrderedDict") + tuple("](](" + text("w") + good + "ee") + "R")) ==
          "(accepted)");
    const auto key = [](char c) { return "\x8c\x01"s + c; };
    const std::string values = key('a') + "J" + little(0xffffffff, 4) + key('b') + "M" + little(7, 2) + key('c') +
                               "\x8a\x01\xff" + key('d') + "\x8a"s + '\0' + key('e') + "G" + std::string(8, 'x') +
                               key('f') + "U\x02hi" + key('g') + "T" + little(1, 4) + "y" + key('h') + "C\x01z" +
                               key('i') + "B" + little(1, 4) + "z" + key('j') + "\x8e" + little(1, 8) + "z" + "\x8d" +
                               little(1, 8) + "k" + "N\x85N\x86NN\x87" + key('l') + "(N\x88t(NN1" + key('m') + "N(l0" +
                               key('n') + "]Na(NNe" + key('o') + "}NNs" + "NN";
    CHECK(says("\x80\x05\x95" + little(99, 8) + "}(" + key('w') + good + "\x94" + values + "u.") == "(accepted)");
    CHECK(says(pickle(dict(text("w") + global("torch._utils", "_rebuild_parameter") + tuple(good + "\x88}") + "R"))) ==
          "(accepted)");
    CHECK(says(pickle(dict(text("w") + good) + dict(text("_metadata") + "}") + "b")) == "(accepted)");
    CHECK(says(pickle("}(" + text("state_dict") + dict(text("w") + good) + text("epoch") + "K\x07u")) == "(accepted)");
    CHECK(says(pickle("(" + text("w") + good + "d")) == "(accepted)");
}

TEST_CASE("zip archives are read with 64-bit fields, comments and padding") {
    const std::string good = pickle(dict(text("w") + tensor(storage("0", 6), 0, {2, 3}, {3, 1})));
    Zip zip{{{"x/data.pkl", good}, {"x/data/0", std::string(24, '\0')}, {"x/empty", ""}}};
    CHECK(refusal_of(zip.bytes(), "x.bin") == "(accepted)");
    zip.wide = true;
    CHECK(refusal_of(zip.bytes(), "x.bin") == "(accepted)");
    zip.wide = false;
    zip.end = [](std::string& end) {
        end = end.substr(0, 20) + little(26, 2) + "a comment " + std::string("PK\x05\x06") + "with a trap"s + "!";
    };
    CHECK(refusal_of(zip.bytes(), "x.bin") == "(accepted)");
}

TEST_CASE("each kind of damage to a zip archive has its sentence") {
    const std::string good = pickle(dict(text("w") + tensor(storage("0", 6), 0, {2, 3}, {3, 1})));
    const std::vector<std::pair<std::string, std::string>> members = {{"x/data.pkl", good},
                                                                      {"x/data/0", std::string(24, '\0')}};
    const auto central = [&](std::size_t at, std::uint64_t value, int width, const std::string& words) {
        Zip zip{members};
        zip.central = [=](std::size_t i, std::string& entry) {
            if (i == 1) entry.replace(at, static_cast<std::size_t>(width), little(value, width));
        };
        has(refusal_of(zip.bytes(), "x.bin"), words);
    };
    const auto end = [&](std::size_t at, std::uint64_t value, int width, const std::string& words) {
        Zip zip{members};
        zip.end = [=](std::string& tail) { tail.replace(at, static_cast<std::size_t>(width), little(value, width)); };
        has(refusal_of(zip.bytes(), "x.bin"), words);
    };
    central(0, 0, 1, "its directory is not one");
    central(8, 1, 2, "has the encrypted member 'x/data/0'");
    central(10, 8, 2, "has the compressed member 'x/data/0'");
    central(20, 23, 4, "member 'x/data/0' has two sizes");
    central(24, 25, 4, "member 'x/data/0' has two sizes");
    central(28, 60000, 2, "its directory is cut short");
    central(30, 60000, 2, "its directory is cut short");
    central(42, 1, 4, "member 'x/data/0' is not where the directory says");
    central(42, 0, 4, "member 'x/data/0' is not where the directory says");
    central(42, 1'000'000, 4, "outside of the archive");
    central(42, 0xffffffff, 4, "outside of the archive");
    end(4, 1, 2, "is a zip archive in several parts");
    end(10, 3, 2, "its directory");
    end(10, 1, 2, "too many");
    end(10, 60000, 2, "its directory is too short for 60000 members");
    end(12, 1'000'000, 4, "does not fit in the file");
    end(16, 1'000'000, 4, "does not fit in the file");
    end(16, 0xffffffff, 4, "does not fit in the file");
    end(20, 5, 2, "its directory is missing");
    Zip huge{members};
    huge.central = [](std::size_t i, std::string& entry) {
        if (i == 1) entry.replace(20, 8, little(1'000'000, 4) + little(1'000'000, 4));
    };
    has(refusal_of(huge.bytes(), "x.bin"), "goes beyond the archive");
    Zip skewed{members};
    skewed.local = [](std::size_t i, std::string& head) {
        if (i == 1) head.replace(28, 2, little(65535, 2));
    };
    has(refusal_of(skewed.bytes(), "x.bin"), "goes beyond the archive");
    Zip wide{members};
    wide.wide = true;
    const auto bytes = wide.bytes();
    const auto locator = bytes.rfind("PK\x06\x07");
    for (const std::uint64_t at : {0ULL, 5ULL, 1ULL << 40U, ~0ULL}) {
        auto changed = bytes;
        changed.replace(locator + 8, 8, little(at, 8));
        has(refusal_of(changed, "x.bin"), "its zip64 record is");
    }
    auto twice = members;
    twice.push_back(members[1]);
    has(refusal_of(Zip{twice}.bytes(), "x.bin"), "member 'x/data/0' occurs twice");
    has(refusal_of(Zip{{{"x/data/0", ""}}}.bytes(), "x.bin"), "without data.pkl");
    has(refusal_of(Zip{}.bytes(), "x.bin"), "without data.pkl");
    has(refusal_of(Zip{{{"x/data.pkl", good}, {"x/constants.pkl", ""}}}.bytes(), "x.bin"), "is a TorchScript program");
    has(refusal_of(Zip{{{"x/data.pkl", good}, {"x/byteorder", "big"}, members[1]}}.bytes(), "x.bin"),
        "has the byte order 'big'");
    const auto whole = slurp(golden("zip.bin"));
    for (std::size_t n = 8; n < whole.size(); n += 97)
        has(refusal_of(whole.substr(0, n), "x.bin"), "its directory is missing");
}

TEST_CASE("the format before torch 1.6 is checked as the new one is") {
    const auto whole = slurp(golden("legacy.bin"));
    for (std::size_t n = 20; n < whole.size(); n += 13) {
        const auto said = refusal_of(whole.substr(0, n), "x.bin");
        INFO(said);
        CHECK((said.find("is cut short") != std::string::npos || said.find("ends at byte") != std::string::npos ||
               said.find("which is not what its tensors need") != std::string::npos));
    }
    const std::string magic = whole.substr(0, 15),
                      facts = pickle(integer(1001)) + pickle(dict(text("little_endian") + "\x88"));
    const std::string good = pickle(dict(text("w") + tensor(storage("k", 2), 0, {2}, {1})));
    const auto legacy = [&](const std::string& rest) { return refusal_of(magic + rest, "x.bin"); };
    const std::string keys = pickle("](" + text("k") + "e"), data = little(2, 8) + little(0, 8);
    CHECK(legacy(facts + good + keys + data) == "(accepted)");
    has(legacy(pickle(integer(1000)) + good), "unknown version");
    has(legacy(pickle(integer(1001)) + pickle(dict(text("little_endian") + "\x89")) + good + keys + data),
        "big-endian");
    has(legacy(facts + good + pickle("}") + data), "has no list of storages");
    has(legacy(facts + good + pickle("]") + data), "lacks the data of storage 'k'");
    has(legacy(facts + good + pickle("](" + text("q") + "e") + data), "lists a storage that no tensor uses");
    has(legacy(facts + good + pickle("](Ne") + data), "lists a storage that no tensor uses");
    has(legacy(facts + good + pickle("](" + text("k") + text("k") + "e") + data + data), "lists storage 'k' twice");
    has(legacy(facts + good + keys + little(3, 8) + little(0, 12)), "which is not what its tensors need");
    has(legacy(facts + good + keys + little(2, 8) + little(0, 7)), "which is not what its tensors need");
    has(legacy(facts + good + keys + little(~0ULL, 8)), "which is not what its tensors need");
    has(legacy(facts + pickle(global("os", "system")) + keys), "asks for the Python object 'os.system'");
    // pickles longer than the first piece that is read
    std::string long_one = "}(";
    for (int i = 0; i < 60'000; ++i) long_one += text("key " + std::to_string(i) + std::string(30, 'x')) + "N";
    const auto big = refusal_of(
        magic + facts + pickle(long_one + text("w") + tensor(storage("k", 2), 0, {2}, {1}) + "u") + keys + data,
        "x.bin");
    CHECK(big == "(accepted)");
}

}  // namespace torch_file_tests
