// Loaders: the same weights by every way, and what each way promises about copies, memory and files that change.
#include <fstream>
#include <sstream>

#include <ATen/ops/full.h>
#include <boost/hana/cartesian_product.hpp>
#include <boost/hana/unpack.hpp>

#include "silica/arch/bert.hpp"
#include "silica/loader/cpu_first.hpp"
#include "silica/loader/first_of.hpp"
#include "silica/loader/in_memory.hpp"
#include "silica/loader/mapped.hpp"
#include "silica/loader/streamed.hpp"
#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/peak.hpp"

using namespace silica;
using device::Cpu, device::Mps;
using precision::Bf16, precision::Fp16, precision::Fp32;
using test::linux_proc, test::peak_growth;

namespace {

namespace hana = boost::hana;
using Tensors = std::map<std::string, Tensor>;

constexpr auto loaders = hana::tuple_t<loader::Mapped, loader::CpuFirst, loader::Streamed,
                                       loader::FirstOf<loader::Mapped, loader::Streamed>>;

/// Calls `f.operator()<Loader>()` for every loader of files.
template <class F>
void with_every_loader(F f) {
    hana::for_each(loaders, [&](auto l) {
        using L = typename decltype(l)::type;
        INFO(L::name);
        f.template operator()<L>();
    });
}

/// Reads every tensor of a checkpoint through a loader.
template <class L>
Tensors read_all(const std::filesystem::path& path, at::ScalarType dtype, c10::Device device) {
    const auto c = checkpoint::Checkpoint::open(path);
    return L::load(c, [&](checkpoint::TensorSource& source) {
        Tensors result;
        for (const auto& e : source.entries()) result.emplace(e.name, source.read(e, dtype, device));
        return result;
    });
}

Tensors of_every_type() {
    Tensors tensors;
    for (const auto dtype : {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble}) {
        const std::string type = c10::toString(dtype);
        tensors.emplace(type + ".matrix", test::random({33, 65}, 1, dtype));
        tensors.emplace(type + ".vector", test::random({7}, 2, dtype));
        tensors.emplace(type + ".scalar", test::random({}, 3, dtype));
        tensors.emplace(type + ".empty", test::random({0, 3}, 4, dtype));
        tensors.emplace(type + ".deep", test::random({2, 1, 3, 1, 2}, 5, dtype));
    }
    return tensors;
}

/// Which file is mapped where `p` points; "" for anonymous memory.
std::string mapped_file(const void* p) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::istringstream text(line);
        std::uintptr_t begin = 0, end = 0;
        char dash = 0;
        std::string rights, offset, dev, inode, path;
        text >> std::hex >> begin >> dash >> end >> rights >> offset >> dev >> inode >> path;
        const auto at = reinterpret_cast<std::uintptr_t>(p);
        if (at >= begin && at < end) return path.starts_with('/') ? path : "";
    }
    return "nowhere";
}

/// Resident bytes of all mappings of a file.
std::uint64_t resident(const std::filesystem::path& file) {
    std::ifstream maps("/proc/self/smaps");
    std::uint64_t total = 0;
    bool ours = false;
    for (std::string line; std::getline(maps, line);) {
        if (line.find('-') < line.find(' ')) ours = line.ends_with(file.string());
        if (ours && line.starts_with("Rss:")) total += std::stoull(line.substr(4)) * 1024;
    }
    return total;
}

constexpr std::uint64_t mib = 1 << 20;

/// A safetensors file whose float32 tensor "x" (5) lies at an odd offset.
void write_misaligned(const std::filesystem::path& path, const Tensor& x) {
    std::string header =
        R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":"F32","shape":[5],"data_offsets":[1,21]}})";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    std::string text(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) text[i] = static_cast<char>(header.size() >> (8 * i));
    text += header + '\7' + std::string(static_cast<const char*>(x.const_data_ptr()), 20);
    test::write_file(path, text);
}

}  // namespace

TEST_CASE("Every loader gives the same weights, in every type, on every device") {
    const test::Directory directory;
    const auto file = directory / "model.safetensors";
    const auto tensors = of_every_type();
    checkpoint::write_safetensors(file, {tensors.begin(), tensors.end()});
    with_every_loader([&]<class L>() {
        const auto check = [&](auto d) {
            using D = typename decltype(d)::type;
            if (!test::present<D>()) return;
            for (const auto dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
                CAPTURE(std::string(D::name), c10::toString(dtype));
                const auto got = read_all<L>(file, dtype, test::place<D>());
                REQUIRE(got.size() == tensors.size());
                for (const auto& [name, t] : got) {
                    CAPTURE(name);
                    CHECK(t.scalar_type() == dtype);
                    CHECK(t.device() == test::place<D>());
                    CHECK(t.is_contiguous());
                    CHECK(test::differs(t, tensors.at(name).to(dtype), 0) == "");
                }
            }
        };
        check(type_tag<Cpu>());
        check(type_tag<Mps>());
        check(type_tag<device::Cuda>());
    });
}

TEST_CASE("Tensors at odd offsets are read right, and as ordinary memory") {
    const test::Directory directory;
    const auto file = directory / "odd.safetensors";
    const Tensor x = test::random({5}, 1);
    write_misaligned(file, x);
    with_every_loader([&]<class L>() {
        const auto c = checkpoint::Checkpoint::open(file);
        const Tensor got = L::load(c, [&](checkpoint::TensorSource& source) {
            return source.read(*c.find("x"), at::kFloat, c10::Device("cpu"));
        });
        CHECK(test::differs(got, x, 0) == "");
        CHECK(reinterpret_cast<std::uintptr_t>(got.const_data_ptr()) % alignof(float) == 0);
        if (!test::present<Mps>()) return;
        const Tensor there = L::load(c, [&](checkpoint::TensorSource& source) {
            return source.read(*c.find("x"), at::kHalf, test::place<Mps>());
        });
        CHECK(test::differs(there, x.to(at::kHalf), 0) == "");
    });
}

TEST_CASE("Tensors larger than Streamed's buffer come through it whole") {
    const test::Directory directory;
    const auto file = directory / "large.safetensors";
    const std::int64_t n = loader::Streamed::staging_bytes / 4 * 2 + 12345;  // two and a bit
    const Tensor x = at::arange(n, at::kFloat) / 1000;
    checkpoint::write_safetensors(file, {{"x", x}});
    CHECK(read_all<loader::Streamed>(file, at::kFloat, c10::Device("cpu")).at("x").equal(x));
    CHECK(read_all<loader::Streamed>(file, at::kBFloat16, c10::Device("cpu")).at("x").equal(x.to(at::kBFloat16)));
    if (!test::present<Mps>()) return;
    CHECK(read_all<loader::Streamed>(file, at::kFloat, test::place<Mps>()).at("x").cpu().equal(x));
    CHECK(read_all<loader::Streamed>(file, at::kHalf, test::place<Mps>()).at("x").cpu().equal(x.to(at::kHalf)));
}

// ---- Mapped

TEST_CASE("Mapped makes no copy of a float32 table that stays on the CPU: the embedding is the file") {
    if (!linux_proc()) return test::skip("where tensors are mapped: this system has no /proc/self/maps");
    const auto golden = test::golden("bert", "base");
    const auto file = std::filesystem::canonical(golden / "model.safetensors").string();
    const auto c = checkpoint::Checkpoint::open(golden);
    const auto table = [&]<class E>(c10::Device home) {
        return loader::Mapped::load(c, [&](checkpoint::TensorSource& source) {
            const Weights w(source, arch::Bert::names(), home);
            return nn::Embedding<E>(w / "bert.embeddings.word_embeddings", 100, 32);
        });
    };
    const auto plain = table.operator()<Exec<Cpu, Fp32>>(c10::Device("cpu"));
    CHECK(mapped_file(plain.weight().const_data_ptr()) == file);
    CHECK(test::differs(plain.weight(), checkpoint::read_tensor(c, "embeddings.word_embeddings.weight"), 0) == "");
    const auto half = table.operator()<Exec<Cpu, Fp16>>(c10::Device("cpu"));
    CHECK(mapped_file(half.weight().const_data_ptr()).empty());
}

TEST_CASE("Writing to a mapped tensor does not reach the file") {
    const test::Directory directory;
    const auto file = directory / "model.safetensors";
    checkpoint::write_safetensors(file, {{"x", at::ones({1024})}});
    const auto before = test::read_file(file);
    auto x = read_all<loader::Mapped>(file, at::kFloat, c10::Device("cpu")).at("x");
    x.fill_(7);
    CHECK(x.sum().item<float>() == 7 * 1024);
    CHECK(test::read_file(file) == before);
}

TEST_CASE("A mapped tensor outlives the checkpoint, and the file its name") {
    const test::Directory directory;
    const auto file = directory / "model.safetensors";
    const Tensor want = test::random({1 << 16}, 1);
    checkpoint::write_safetensors(file, {{"x", want}});
    const Tensor x = read_all<loader::Mapped>(file, at::kFloat, c10::Device("cpu")).at("x");
    std::filesystem::remove(file);
    CHECK(x.equal(want));
}

TEST_CASE("Mapped gives the pages of the file back as soon as a weight is packed or converted") {
    if (!linux_proc()) return test::skip("resident pages of a file: this system has no /proc/self/smaps");
    const test::Directory directory;
    const auto file = directory / "model.safetensors";
    checkpoint::write_safetensors(
        file, {{"a", test::random({1024, 1024}, 1)}, {"b", test::random({1024, 1024}, 2)}, {"z", at::ones({4096})}});
    const auto c = checkpoint::Checkpoint::open(file);
    loader::Mapped::load(c, [&](checkpoint::TensorSource& source) {
        const Tensor z = source.read(*c.find("z"), at::kFloat, c10::Device("cpu"));  // keeps the mapping alive
        {
            const Tensor a = source.read(*c.find("a"), at::kFloat, c10::Device("cpu"));
            static_cast<void>(a.sum().item<float>());
            CHECK(resident(file) >= 4 * mib);
        }
        CHECK(resident(file) <= mib / 4);
        const Tensor half = source.read(*c.find("a"), at::kHalf, c10::Device("cpu"));
        CHECK(resident(file) <= mib / 4);
        const Tensor b = source.read(*c.find("b"), at::kFloat, c10::Device("cpu"));
        static_cast<void>(b.sum().item<float>());
        {
            const auto packed =
                Kernel<op::Linear, Cpu>::pack({source.read(*c.find("a"), at::kFloat, c10::Device("cpu"))});
            CHECK(packed.panels == device::cpu::isa::takes_many<float>(device::cpu::isa::best()));
            if (packed.panels) CHECK(resident(file) <= 4 * mib + mib / 4);  // b's, and nothing of a's
        }
        const Tensor w = source.read(*c.find("a"), at::kFloat, c10::Device("cpu"));
        const auto kept = Kernel<op::Linear, Cpu>::keep({w});
        CHECK(kept.weight.const_data_ptr() == w.const_data_ptr());  // the file itself serves as the weights
        return 0;
    });
}

// ---- memory

TEST_CASE("Streamed and Mapped hold one tensor beyond the weights at the most; CpuFirst holds the file") {
    const test::Directory directory;
    const auto file = directory / "model.safetensors";
    {
        checkpoint::NamedTensors tensors;
        for (int i = 0; i < 8; ++i)
            tensors.emplace_back("t" + std::to_string(i), at::full({2 << 20}, i, at::kFloat));  // 8 MiB each
        checkpoint::write_safetensors(file, tensors);
    }
    const auto growth = [&]<class L>(at::ScalarType dtype) {
        return peak_growth([&] { return read_all<L>(file, dtype, c10::Device("cpu")); });
    };
    static_cast<void>(
        read_all<loader::CpuFirst>(file, at::kHalf, c10::Device("cpu")));  // threads and tables are there now
    const auto streamed = growth.operator()<loader::Streamed>(at::kHalf);
    if (!streamed) return test::skip("peak memory: this system does not let a process reset it");
    constexpr std::uint64_t weights = 32 * mib, slack = 8 * mib;
    CHECK(*streamed <= weights + static_cast<std::uint64_t>(loader::Streamed::staging_bytes) + slack);
    CHECK(*streamed >= weights / 2);  // the measurement measures
    CHECK(*growth.operator()<loader::Mapped>(at::kHalf) <= weights + 8 * mib + slack);
    CHECK(*growth.operator()<loader::CpuFirst>(at::kHalf) >= 64 * mib - slack);
    CHECK(*growth.operator()<loader::Streamed>(at::kFloat) <= 64 * mib + slack);  // straight to its place: no buffer
    CHECK(*growth.operator()<loader::Mapped>(at::kFloat) <= slack);               // nothing was read
}

TEST_CASE("Streamed reads into device memory directly where the device shares it with the host") {
    if (!test::present<Mps>()) return;
#ifdef SILICA_HAS_SIM_MPS
    namespace sim = test::sim;
    const test::Directory directory;
    const auto file = directory / "model.safetensors";
    checkpoint::write_safetensors(file, {{"x", test::random({1000}, 1)}});
    const Tensor y = test::random({3}, 2).to(test::place<Mps>());
    sim::reset();
    const Tensor busy = y + y;  // the device may still be writing to a buffer that is handed out again
    const auto direct = read_all<loader::Streamed>(file, at::kFloat, test::place<Mps>());
    const bool shares = !device::mps::libtorch_before(2, 13);
    CHECK(sim::counters().host_aliases == (shares ? 1 : 0));
    CHECK(sim::counters().h2d_copies == (shares ? 0 : 1));
    CHECK(sim::counters().early_host_aliases == 0);  // the device has finished with the buffer before the host writes
    CHECK(sim::counters().syncs >= (shares ? 1 : 0));
    sim::reset();
    const auto converted = read_all<loader::Streamed>(file, at::kHalf, test::place<Mps>());
    CHECK(sim::counters().h2d_copies == 1);
    CHECK(sim::counters().non_blocking_copies == 0);
    sim::reset();
    const sim::Settings settings;
    sim::refuse_host_aliases(true);  // then it is copied, as a loader for any device does
    const auto copied = read_all<loader::Streamed>(file, at::kFloat, test::place<Mps>());
    CHECK(sim::counters().h2d_copies == 1);
    CHECK(test::differs(copied.at("x").cpu(), direct.at("x").cpu(), 0) == "");
#endif
}

// ---- files that change

TEST_CASE("CpuFirst has read everything before the first tensor is used: the file may be cut off afterwards") {
    const test::Directory directory;
    const auto file = directory / "model.safetensors";
    const auto tensors = of_every_type();
    checkpoint::write_safetensors(file, {tensors.begin(), tensors.end()});
    const auto c = checkpoint::Checkpoint::open(file);
    loader::CpuFirst::load(c, [&](checkpoint::TensorSource& source) {
        std::filesystem::resize_file(file, 16);
        for (const auto& e : source.entries()) {
            CAPTURE(e.name);
            CHECK(test::differs(source.read(e, at::kFloat, c10::Device("cpu")), tensors.at(e.name).to(at::kFloat), 0) ==
                  "");
        }
        return 0;
    });
}

TEST_CASE("Streamed says so when the file was cut off under it") {
    const test::Directory directory;
    const auto file = directory / "model.safetensors";
    checkpoint::write_safetensors(file, {{"x", test::random({1000}, 1)}});
    const auto c = checkpoint::Checkpoint::open(file);
    const auto read = [&](checkpoint::TensorSource& source) {
        return source.read(*c.find("x"), at::kFloat, c10::Device("cpu"));
    };
    std::filesystem::resize_file(file, 1000);
    CHECK_THROWS_AS(loader::Streamed::load(c, read), CheckpointError);
    CHECK_THROWS_AS(loader::CpuFirst::load(c, read), CheckpointError);
}

// ---- FirstOf

namespace {

/// Loaders that fail in one way, and count.
template <class Exception>
struct Fails {
    static constexpr std::string_view name = "fails";
    static inline int loads = 0;
    template <class Build>
    static auto load(const checkpoint::Checkpoint& c, Build&& build) {
        ++loads;
        if (loads > 0) {  // always; the compiler must not know
            if constexpr (std::is_same_v<Exception, c10::Error>) {
                TORCH_CHECK(false, "the device is full\nand more");
            } else if constexpr (std::is_same_v<Exception, std::bad_alloc>) {
                throw std::bad_alloc();
            } else {
                throw Exception("the problem.", "the remedy.");
            }
        }
        return loader::Streamed::load(c, build);
    }
};

template <class L>
std::string notes(const std::filesystem::path& directory) {
    const auto model = Model<arch::Bert, Cpu, Fp32, L>::open(directory.string());
    std::string text;
    for (const auto& note : model.account().notes) text += note;
    return text;
}

}  // namespace

TEST_CASE("FirstOf goes on after a device error, a LibTorch error or no memory, and says what failed") {
    const auto golden = test::golden("bert", "base");
    using loader::FirstOf, loader::Streamed;
    CHECK(notes<FirstOf<Streamed>>(golden).empty());
    CHECK(notes<FirstOf<Streamed, Fails<DeviceError>>>(golden).empty());
    CHECK(Fails<DeviceError>::loads == 0);
    CHECK(notes<FirstOf<Fails<DeviceError>, Streamed>>(golden).find("fails failed (the problem.)") !=
          std::string::npos);
    CHECK(notes<FirstOf<Fails<c10::Error>, Streamed>>(golden).find("the device is full)") != std::string::npos);
    CHECK(notes<FirstOf<Fails<std::bad_alloc>, Streamed>>(golden).find("out of memory") != std::string::npos);
    const auto both = notes<FirstOf<Fails<DeviceError>, Fails<c10::Error>, Streamed>>(golden);
    CHECK(both.find("the problem") != std::string::npos);
    CHECK(both.find("the device is full") != std::string::npos);
    CHECK(notes<FirstOf<Streamed>>(golden).empty());  // nothing is left over from the loads before
}

TEST_CASE("FirstOf does not try a damaged checkpoint again, and the last loader's error is the one thrown") {
    const auto golden = test::golden("bert", "base");
    using loader::FirstOf;
    const int loads = Fails<DeviceError>::loads;
    CHECK_THROWS_AS((notes<FirstOf<Fails<CheckpointError>, Fails<DeviceError>>>(golden)), CheckpointError);
    CHECK(Fails<DeviceError>::loads == loads);
    CHECK_THROWS_AS((notes<FirstOf<Fails<c10::Error>, Fails<DeviceError>>>(golden)), DeviceError);
    CHECK(notes<FirstOf<loader::Streamed>>(golden).empty());
}

#ifdef SILICA_HAS_SIM_MPS
TEST_CASE("FirstOf degrades when the simulated device runs out of memory, and the model is right") {
    if (!test::present<Mps>()) return;
    namespace sim = test::sim;
    const sim::Settings settings;
    const auto golden = test::golden("bert", "base");
    using Auto = loader::FirstOf<loader::Mapped, loader::Streamed>;
    sim::fail_allocation(5);
    const auto model = Model<arch::Bert, Mps, Fp32, Auto>::open(golden.string());
    REQUIRE(model.account().notes.size() == 1);
    CHECK(model.account().notes[0].find("mapped failed (mps has not enough memory") != std::string::npos);
    CHECK(model.account().loader == "auto");
    const test::Reference reference(golden / "reference.safetensors");
    CHECK(test::differs(model(reference.inputs<arch::BertInputs>()).last_hidden_state,
                        reference.tensors.at("outputs.last_hidden_state"), 2e-5) == "");
    sim::fail_allocation(5, 1000000);
    CHECK_THROWS_AS((Model<arch::Bert, Mps, Fp32, Auto>::open(golden.string())), DeviceError);
    sim::fail_allocation(1000000);
    CHECK((Model<arch::Bert, Mps, Fp32, Auto>::open(golden.string())).account().notes.empty());
}
#endif

// ---- InMemory

TEST_CASE("InMemory shares the caller's tensors where type and device fit, and converts the others") {
    Tensors tensors{{"table.weight", test::random({10, 4}, 1)}};
    const auto embedding = [&]<class E>(c10::Device home) {
        loader::InMemory source(tensors);
        const Weights w(source, {}, home);
        return nn::Embedding<E>(w / "table", 10, 4).weight();
    };
    const auto* const data = tensors.at("table.weight").const_data_ptr();
    CHECK(embedding.operator()<Exec<Cpu, Fp32>>(c10::Device("cpu")).const_data_ptr() == data);
    CHECK(embedding.operator()<Exec<Cpu, Bf16>>(c10::Device("cpu")).const_data_ptr() != data);
    if (test::present<Mps>()) CHECK(embedding.operator()<Exec<Mps, Fp32>>(test::place<Mps>()).is_mps());
    tensors.at("table.weight") = test::random({4, 10}, 1).t();
    const Tensor strided = embedding.operator()<Exec<Cpu, Fp32>>(c10::Device("cpu"));
    CHECK(strided.is_contiguous());
    CHECK(test::differs(strided, tensors.at("table.weight"), 0) == "");
}

TEST_CASE("InMemory: one tensor under two names is one weight, and an undefined one is refused by name") {
    const auto golden = test::golden("bert", "masked_lm");
    auto tensors = test::tensors_of(golden);
    const auto config = checkpoint::read_config<arch::BertForMaskedLM>(golden);
    const auto parameters =
        Model<arch::BertForMaskedLM, Cpu>::from(config, loader::InMemory(tensors)).account().parameters;
    tensors["cls.predictions.decoder.weight"] = tensors.at("bert.embeddings.word_embeddings.weight");
    const auto model = Model<arch::BertForMaskedLM, Cpu>::from(config, loader::InMemory(tensors));
    CHECK(model.account().parameters == parameters);
    CHECK(model.account().unexpected.empty());
    tensors["bert.embeddings.word_embeddings.weight"] = Tensor();
    try {
        const loader::InMemory source(tensors);
        FAIL("nothing was thrown");
    } catch (const InputError& e) {
        CHECK(std::string(e.what()).find("bert.embeddings.word_embeddings.weight") != std::string::npos);
    }
}

TEST_CASE("Model::from checks the configuration as open does") {
    auto config = checkpoint::read_config<arch::Bert>(test::golden("bert", "base"));
    config.num_attention_heads = 5;
    CHECK_THROWS_AS((Model<arch::Bert, Cpu>::from(config, loader::Random())), ConfigError);
}

TEST_CASE("The account tells how many tensors, parameters and bytes were loaded, and how long it took") {
    const auto golden = test::golden("bert", "base");
    std::uint64_t elements = 0;
    const auto tensors = test::tensors_of(golden);
    for (const auto& [name, t] : tensors) elements += static_cast<std::uint64_t>(t.numel());
    with_every_loader([&]<class L>() {
        const auto full = Model<arch::Bert, Cpu, Fp32, L>::open(golden.string()).account();
        CHECK(full.tensors == tensors.size());
        CHECK(full.parameters == elements);
        CHECK(full.bytes == 4 * elements);
        CHECK(full.seconds > 0);
        CHECK(full.seconds < 10);
        CHECK(Model<arch::Bert, Cpu, Fp16, L>::open(golden.string()).account().bytes == 2 * elements);
    });
}
