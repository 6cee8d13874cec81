// Quantised checkpoints as people have them, each written here in a few lines and compared to the bit with the weights
// that it stands for.

#include "checkpoint/formats.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <random>

namespace formats_tests {

using namespace silica;
using namespace silica::test;

namespace {

/// GPTQ's tensors of `m`: `stored` is what a file has for a zero.
NamedTensors gptq(const std::string& module, const Coded& m, int less, const std::vector<std::int64_t>& group_of = {}) {
    const std::uint32_t mask = (1U << static_cast<unsigned>(m.bits)) - 1;
    const auto groups = m.zeros.size(1);
    NamedTensors out;
    out.emplace_back(
        module + ".qweight",
        words(m.rows(), m.columns(), m.bits, [&](auto n, auto k) { return m.code(n, k); }).t().contiguous());
    out.emplace_back(module + ".qzeros", words(groups, m.rows(), m.bits, [&](auto g, auto n) {
                         return static_cast<std::uint32_t>(m.zero(n, g) - less) & mask;
                     }));
    out.emplace_back(module + ".scales", m.scales.t().contiguous());
    Tensor order = at::empty({m.columns()}, at::kInt);
    for (std::int64_t k = 0; k < m.columns(); ++k)
        order.mutable_data_ptr<std::int32_t>()[k] =
            static_cast<std::int32_t>(group_of.empty() ? k / m.group : group_of[static_cast<std::size_t>(k)]);
    out.emplace_back(module + ".g_idx", order);
    return out;
}

std::vector<std::int64_t> shuffled_groups(const Coded& m) {
    std::vector<std::int64_t> order;
    for (std::int64_t k = 0; k < m.columns(); ++k) order.push_back(k / m.group);
    std::shuffle(order.begin(), order.end(), std::mt19937_64(11));
    return order;
}

std::string gptq_config(int bits, const std::string& more = "") {
    return R"({"model_type": "llama", "quantization_config": {"quant_method": "gptq", "bits": )" +
           std::to_string(bits) + R"(, "group_size": 32, "desc_act": false)" + more + "}}";
}

NamedTensors awq(const std::string& module, const Coded& m) {
    constexpr std::int64_t order[8] = {0, 2, 4, 6, 1, 3, 5, 7};
    const auto packed = [&](std::int64_t rows, const auto& value) {  // value(row, n)
        return words(rows, m.rows(), 4, [&](auto r, auto i) { return value(r, i / 8 * 8 + order[i % 8]); });
    };
    return {{module + ".qweight", packed(m.columns(), [&](auto k, auto n) { return m.code(n, k); })},
            {module + ".qzeros", packed(m.zeros.size(1), [&](auto g, auto n) { return m.zero(n, g); })},
            {module + ".scales", m.scales.t().contiguous()}};
}

NamedTensors pack_quantized(const std::string& module, const Coded& m, bool zeros) {
    NamedTensors out{
        {module + ".weight_packed", words(m.rows(), m.columns(), m.bits, [&](auto n, auto k) { return m.code(n, k); })},
        {module + ".weight_scale", m.scales},
        {module + ".weight_shape", at::full({2}, m.rows(), at::kLong)}};
    out[2].second.mutable_data_ptr<std::int64_t>()[1] = m.columns();
    if (zeros)
        out.emplace_back(
            module + ".weight_zero_point",
            words(m.zeros.size(1), m.rows(), m.bits, [&](auto g, auto n) { return m.zero(n, g); }).t().contiguous());
    return out;
}

NamedTensors joined(NamedTensors a, const NamedTensors& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

/// Opens with every loader, and holds `name` against `want`; and its codes, where `lossless`.
void check_weights(const Directory& directory, const std::string& name, const Tensor& want, bool lossless) {
    for (const auto& got : {opened<loader::Mapped>(directory.path()), opened<loader::Streamed>(directory.path()),
                            opened<loader::CpuFirst>(directory.path())}) {
        REQUIRE(got.tensors.contains(name));
        CHECK(same(got.tensors.at(name), want));
        CHECK(got.from_codes.contains(name) == lossless);
        if (lossless) CHECK(got.from_codes.at(name).equal(want));
    }
    const auto half = opened(directory.path(), at::kBFloat16);
    CHECK(same(half.tensors.at(name), want.to(at::kBFloat16)));
}

}  // namespace

TEST_CASE("GPTQ of 4 and 8 bits, both versions of its zeros") {
    for (const int bits : {4, 8})
        for (const bool second : {false, true}) {
            CAPTURE(bits, second);
            const Coded m(24, 96, 32, bits);
            const Directory directory;
            write(directory, joined(gptq("q", m, second ? 0 : 1), {{"norm.weight", at::ones({3})}}),
                  gptq_config(bits, second ? R"(, "checkpoint_format": "gptq_v2")" : ""));
            check_weights(directory, "q.weight", m.weights(), true);
            CHECK(opened(directory.path()).tensors.size() == 2);
            const auto notes = opened(directory.path()).notes;
            REQUIRE(notes.size() == 1);
            CHECK(notes[0] == "1 matrix of GPTQ, " + std::to_string(bits) + " bits was dequantised");
        }
}

TEST_CASE("GPTQ with columns in another order, and without an order") {
    for (const int bits : {4, 8}) {
        const Coded m(16, 128, 32, bits);
        const auto order = shuffled_groups(m);
        const Directory directory;
        write(directory, gptq("q", m, 1, order), gptq_config(bits));  // desc_act promises nothing
        check_weights(directory, "q.weight", m.weights(order), false);
        auto bare = gptq("q", m, 1);
        bare.pop_back();
        write(directory, bare, gptq_config(bits));
        check_weights(directory, "q.weight", m.weights(), true);
    }
}

TEST_CASE("GPTQ: symmetric zeros as either version has them, the zero that v1 wraps, one group, old files") {
    Coded m(16, 64, 64, 4);
    m.zeros.fill_(8);
    const Directory directory;
    for (const int less : {0, 1}) {
        write(directory, gptq("q", m, less), gptq_config(4, R"(, "sym": true)"));
        check_weights(directory, "q.weight", m.weights(), true);
    }
    CHECK(refusal_of(gptq("q", m, 3), gptq_config(4, R"(, "sym": true)")).find("where sym makes all of them 8") !=
          std::string::npos);
    m.zeros.fill_(0);  // stored as 15
    write(directory, gptq("q", m, 1), gptq_config(4));
    check_weights(directory, "q.weight", m.weights(), true);
    m.zeros.fill_(5);
    write(directory, joined(gptq("q", m, 1), {{"q.bias", at::zeros({16})}}), R"({"model_type": "llama"})");
    directory.write("quantize_config.json", R"({"bits": 4, "group_size": -1, "desc_act": false, "sym": false})");
    check_weights(directory, "q.weight", m.weights(), true);
}

TEST_CASE("GPTQ: layers of other bits, and layers that are plain") {
    const Coded a(16, 64, 32, 4), b(24, 64, 32, 8);
    const Tensor plain = at::randn({5, 64}).to(at::kHalf);
    const Directory directory;
    write(directory, joined(joined(gptq("a", a, 1), gptq("b", b, 1)), {{"c.weight", plain}}),
          gptq_config(4, R"(, "dynamic": {"b": {"bits": 8}})"));
    check_weights(directory, "a.weight", a.weights(), true);
    check_weights(directory, "b.weight", b.weights(), true);
    const auto got = opened(directory.path());
    CHECK(same(got.tensors.at("c.weight"), plain.to(at::kFloat)));
    CHECK(got.types.at("c.weight") == at::kHalf);
}

TEST_CASE("AWQ of 4 bits") {
    const Coded m(24, 96, 32, 4);
    const Directory directory;
    const auto config = [](const std::string& keys) {
        return R"({"quantization_config": {"quant_method": "awq", )" + keys + "}}";
    };
    // Of 96 columns, groups of 40 would be three as those of 32 are; the format has even ones.
    for (const auto* keys :
         {R"("bits": 4, "group_size": 32, "version": "gemm")", R"("w_bit": 4, "q_group_size": 32, "version": "GEMM")",
          R"("bits": 4, "group_size": 40)"}) {
        write(directory, awq("q", m), config(keys));
        check_weights(directory, "q.weight", m.weights(), true);
    }
    write(directory, awq("q", m), R"({"model_type": "llama"})");
    directory.write("quant_config.json", R"({"w_bit": 4, "q_group_size": 32, "zero_point": true, "version": "GEMM"})");
    check_weights(directory, "q.weight", m.weights(), true);
}

TEST_CASE("compressed-tensors: packed and bytes, with zeros and without, odd columns") {
    const auto config = [](const std::string& format, int bits, const std::string& strategy, const std::string& group) {
        return R"({"quantization_config": {"quant_method": "compressed-tensors", "format": ")" + format +
               R"(", "ignore": ["lm_head"], "config_groups": {"group_0": {"targets": ["Linear"], "weights": )" +
               R"({"num_bits": )" + std::to_string(bits) + R"(, "type": "int", "strategy": ")" + strategy +
               R"(", "group_size": )" + group + "}}}}}";
    };
    const Directory directory;
    for (const int bits : {4, 8})
        for (const auto columns : {96, 50, 51})
            for (const bool zeros : {false, true}) {
                CAPTURE(bits, columns, zeros);
                Coded m(13, columns, columns == 96 ? 32 : columns, bits);
                if (!zeros) m.zeros.fill_(1 << (bits - 1));
                write(
                    directory, pack_quantized("q", m, zeros),
                    config("pack-quantized", bits, columns == 96 ? "group" : "channel", columns == 96 ? "32" : "null"));
                check_weights(directory, "q.weight", m.weights(), true);
                if (columns != 96) continue;
                write(directory, pack_quantized("q", m, zeros), config("pack-quantized", bits, "group", "40"));
                check_weights(directory, "q.weight", m.weights(), true);  // even groups: 32
            }
    Coded m(13, 50, 50, 8);
    m.zeros.fill_(128);
    const Tensor bytes = (m.codes - 128).to(at::kChar);
    write(directory, {{"q.weight", bytes}, {"q.weight_scale", m.scales}, {"q.input_scale", at::ones({1})}},
          config("int-quantized", 8, "channel", "null"));
    check_weights(directory, "q.weight", m.weights(), true);
    // an order of columns; -1 everywhere says none
    Coded g(8, 64, 32, 4);
    g.zeros.fill_(8);
    const auto order = shuffled_groups(g);
    Tensor index = at::full({64}, -1, at::kInt);
    const auto text = config("pack-quantized", 4, "group", "32");
    CHECK(refusal_of(joined(pack_quantized("q", g, false),
                            {{"q.weight_g_idx", at::cat({index.narrow(0, 0, 63), at::zeros({1}, at::kInt)})}}),
                     text)
              .find("'q.weight_g_idx' names group -1") != std::string::npos);
    write(directory, joined(pack_quantized("q", g, false), {{"q.weight_g_idx", index}}), text);
    check_weights(directory, "q.weight", g.weights(), true);
    for (std::int64_t k = 0; k < 64; ++k)
        index.mutable_data_ptr<std::int32_t>()[k] = static_cast<std::int32_t>(order[static_cast<std::size_t>(k)]);
    write(directory, joined(pack_quantized("q", g, false), {{"q.weight_g_idx", index}}), text);
    check_weights(directory, "q.weight", g.weights(order), false);
}

TEST_CASE("bitsandbytes of 8 bits and NF4, its scales plain and quantised themselves") {
    const Directory directory;
    const Tensor bytes = at::randint(-127, 128, {6, 20}, at::kLong).to(at::kChar), scb = at::randn({6}).abs() * 3;
    write(directory, {{"q.weight", bytes}, {"q.SCB", scb}, {"q.weight_format", at::zeros({}, at::kByte)}},
          R"({"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": true}})");
    const auto eight = opened(directory.path());
    CHECK(same(eight.tensors.at("q.weight"), bytes.to(at::kFloat) * (scb / 127.0).unsqueeze(1)));
    CHECK(eight.from_codes.at("q.weight").allclose(eight.tensors.at("q.weight"), 1e-5, 1e-6));

    const std::int64_t rows = 5, columns = 30, block = 64, blocks = 3;  // blocks that begin inside of rows
    const Tensor codes = at::randint(0, 16, {rows * columns}, at::kLong), levels = at::randn({16});
    Tensor packed = at::empty({rows * columns / 2, 1}, at::kByte);
    for (std::int64_t i = 0; i < packed.numel(); ++i)
        packed.mutable_data_ptr<std::uint8_t>()[i] = static_cast<std::uint8_t>(
            codes.const_data_ptr<std::int64_t>()[2 * i] << 4 | codes.const_data_ptr<std::int64_t>()[2 * i + 1]);
    const auto state = [&](const std::string& more) {
        const std::string json =
            R"({"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [5, 30])" + more + "}";
        return at::from_blob(const_cast<char*>(json.data()), {static_cast<std::int64_t>(json.size())}, at::kByte)
            .clone();
    };
    const auto want = [&](const Tensor& absmax) {
        Tensor w = at::empty({rows, columns}, at::kFloat);
        for (std::int64_t i = 0; i < w.numel(); ++i)
            w.mutable_data_ptr<float>()[i] = levels.const_data_ptr<float>()[codes.const_data_ptr<std::int64_t>()[i]] *
                                             absmax.const_data_ptr<float>()[i / block];
        return w;
    };
    const std::string config = R"({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true, )"
                               R"("bnb_4bit_quant_type": "nf4"}})";
    const Tensor absmax = at::randn({blocks}).abs();
    write(directory,
          {{"q.weight", packed},
           {"q.weight.absmax", absmax},
           {"q.weight.quant_map", levels},
           {"q.weight.quant_state.bitsandbytes__nf4", state("")}},
          config);
    check_weights(directory, "q.weight", want(absmax), false);
    const Tensor small = at::randint(0, 256, {blocks}, at::kLong), map = at::randn({256}), scale = at::randn({2});
    const Tensor nested =
        map.index_select(0, small) * at::cat({scale.narrow(0, 0, 1).expand({2}), scale.narrow(0, 1, 1)}) + 0.25F;
    write(directory,
          {{"q.weight", packed},
           {"q.weight.absmax", small.to(at::kByte)},
           {"q.weight.quant_map", levels},
           {"q.weight.nested_absmax", scale},
           {"q.weight.nested_quant_map", map},
           {"q.weight.quant_state.bitsandbytes__nf4",
            state(R"(, "nested_blocksize": 2, "nested_dtype": "float32", "nested_offset": 0.25)")}},
          config);
    check_weights(directory, "q.weight", want(nested), false);
}

TEST_CASE("MLX of 4 and 8 bits, with bits of a module's own, and negative scales") {
    const Directory directory;
    const auto mlx = [](const std::string& module, const Coded& m, const Tensor& biases) {
        return NamedTensors{
            {module + ".weight",
             words(m.rows(), m.columns(), m.bits, [&](auto n, auto k) { return m.code(n, k); }).view(at::kUInt32)},
            {module + ".scales", m.scales},
            {module + ".biases", biases}};
    };
    const Coded a(7, 64, 32, 4), b(9, 128, 64, 8);
    const Tensor x = at::randn({7, 2}).to(at::kHalf), y = at::randn({9, 2}).to(at::kHalf);
    const auto want = [](const Coded& m, const Tensor& biases) {
        const Tensor s = m.scales.to(at::kFloat).repeat_interleave(m.group, 1);
        return m.codes.to(at::kFloat) * s + biases.to(at::kFloat).repeat_interleave(m.group, 1);
    };
    const std::string object =
        R"({"group_size": 32, "bits": 4, "model.embed": {"group_size": 64, "bits": 8}, "c": false})";
    for (const auto* key : {"quantization", "quantization_config"}) {
        write(directory, joined(joined(mlx("q", a, x), mlx("model.embed", b, y)), {{"c.weight", at::ones({2, 64})}}),
              "{\"" + std::string(key) + "\": " + object + "}");
        check_weights(directory, "q.weight", want(a, x), true);
        check_weights(directory, "model.embed.weight", want(b, y), true);
        CHECK(opened(directory.path()).tensors.size() == 3);
    }
}

TEST_CASE("forms that are not read are refused by name, with the list of those that are") {
    const NamedTensors some{{"q.weight", at::ones({2, 2})}};
    const auto refused = [&](const std::string& object, const std::string& words) {
        const auto text = refusal_of(some, "{\"quantization_config\": " + object + "}");
        INFO(text << "\n  wanted: " << words);
        CHECK(text.find(words) != std::string::npos);
        CHECK(text.find("compressed-tensors (pack-quantized and int-quantized") != std::string::npos);
    };
    for (const auto* method : {"hqq", "torchao", "fp8", "quanto", "aqlm", "eetq", "mxfp4", "metal", "auto-round"})
        refused(R"({"quant_method": ")" + std::string(method) + "\"}", "quant_method = '" + std::string(method) + "'");
    for (const auto* bits : {"2", "3", "5"})
        refused(R"({"quant_method": "gptq", "bits": )" + std::string(bits) + "}", "bits = " + std::string(bits));
    refused(R"({"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"})", "checkpoint_format = 'marlin'");
    refused(R"({"quant_method": "gptq", "bits": 4, "is_marlin_format": true})", "is_marlin_format = true");
    refused(R"({"quant_method": "awq", "bits": 8})", "bits = 8");
    for (const auto* version : {"gemv", "gemv_fast", "marlin"})
        refused(R"({"quant_method": "awq", "version": ")" + std::string(version) + "\"}",
                "version = '" + std::string(version) + "'");
    for (const auto* format : {"float-quantized", "nvfp4-pack-quantized", "marlin-24", "mxfp4-pack-quantized"})
        refused(R"({"quant_method": "compressed-tensors", "format": ")" + std::string(format) + "\"}",
                "format = '" + std::string(format) + "'");
    refused(R"({"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"group_0": {)"
            R"("weights": {"num_bits": 8, "type": "float"}}}})",
            "config_groups.group_0.weights.type = 'float'");
    refused(R"({"quant_method": "compressed-tensors", "sparsity_config": {"format": "sparse-24-bitmask"}})",
            "sparsity_config = 'sparse-24-bitmask'");
    refused(R"({"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "fp4"})",
            "bnb_4bit_quant_type = 'fp4'");
    refused(R"({"bits": 3, "group_size": 64})", "bits = 3");
    refused(R"({"bits": 4, "group_size": 32, "mode": "mxfp4"})", "mode = 'mxfp4'");
    refused(R"("gptq")", "no object");
}

TEST_CASE("parts that contradict each other are told by name") {
    const Coded m(16, 64, 32, 4);
    const auto said = [](NamedTensors tensors, const std::string& config, const std::string& words) {
        const auto text = refusal_of(std::move(tensors), config);
        INFO(text << "\n  wanted: " << words);
        CHECK(text.find(words) != std::string::npos);
    };
    const auto without = [](NamedTensors tensors, const std::string& name) {
        std::erase_if(tensors, [&](const auto& t) { return t.first == name; });
        return tensors;
    };
    const auto with = [&](const NamedTensors& tensors, const std::string& name, const Tensor& t) {
        return joined(without(tensors, name), {{name, t}});
    };
    const auto all = gptq("q", m, 1);
    const auto config = gptq_config(4);
    said(without(all, "q.scales"), config, "'q.qweight' is not GPTQ's matrix");
    said(without(all, "q.qzeros"), config, "'q.qweight' is not GPTQ's matrix");
    said(with(all, "q.scales", at::ones({2, 15}, at::kHalf)), config, "'q.scales' is F16 of shape (2, 15)");
    said(with(all, "q.scales", at::ones({2, 16}, at::kInt)), config, "'q.scales' is I32");
    said(with(all, "q.qzeros", at::ones({3, 2}, at::kInt)), config, "'q.qzeros' is I32 of shape (3, 2)");
    said(with(all, "q.qweight", at::ones({8, 16}, at::kLong)), config, "'q.qweight' is I64");
    said(with(all, "q.qweight", at::ones({8}, at::kInt)), config, "'q.qweight' is not GPTQ's matrix");
    said(with(all, "q.g_idx", at::full({64}, 2, at::kInt)), config, "'q.g_idx' names group 2 of 2 groups");
    said(with(all, "q.g_idx", at::full({64}, -1, at::kInt)), config, "'q.g_idx' names group -1");
    said(with(all, "q.g_idx", at::full({63}, 0, at::kInt)), config, "'q.g_idx' is I32 of shape (63)");
    said(joined(all, {{"q.weight", at::ones({16, 64})}}), config, "'q.weight' lies there plain and packed");

    const auto awq_config = R"({"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32}})";
    said(with(awq("q", m), "q.qzeros", at::ones({2, 3}, at::kInt)), awq_config, "'q.qzeros' is I32 of shape (2, 3)");
    said(without(awq("q", m), "q.scales"), awq_config, "'q.qweight' is not AWQ's matrix");
    said(with(without(awq("q", m), "q.qzeros"), "q.scales", at::ones({3, 16}, at::kHalf)), awq_config,
         "'q.scales' has 3 groups, which 64 columns do not make");

    const auto ct = pack_quantized("q", m, true);
    const auto ct_config = R"({"quantization_config": {"quant_method": "compressed-tensors"}})";
    for (const std::int64_t wrong : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{65}, std::int64_t{1} << 62}) {
        Tensor shape = at::full({2}, 16, at::kLong);
        shape.mutable_data_ptr<std::int64_t>()[1] = wrong;
        said(with(ct, "q.weight_shape", shape), ct_config, "'q.weight_shape' says (16, " + std::to_string(wrong) + ")");
    }
    said(without(ct, "q.weight_scale"), ct_config, "'q.weight_scale' is missing");
    said(without(ct, "q.weight_shape"), ct_config, "'q.weight_shape' is missing");
    said(with(without(ct, "q.weight_zero_point"), "q.weight_scale", at::ones({16, 7})), ct_config,
         "'q.weight_scale' has 7 groups");

    const auto bnb_config =
        R"({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4"}})";
    const auto nf4 = [&](const std::string& json) {
        const Tensor text =
            at::from_blob(const_cast<char*>(json.data()), {static_cast<std::int64_t>(json.size())}, at::kByte).clone();
        return NamedTensors{{"q.weight", at::ones({32, 1}, at::kByte)},
                            {"q.weight.absmax", at::ones({1})},
                            {"q.weight.quant_map", at::ones({16})},
                            {"q.weight.quant_state.bitsandbytes__nf4", text}};
    };
    said(nf4(R"({"shape": [8, 8], "blocksize": 64})"), bnb_config, "(accepted)");
    said(nf4(R"({"shape": [8, 9], "blocksize": 64})"), bnb_config, "'q.weight' is not the 36 bytes");
    said(nf4(R"({"shape": [2147483648, 2147483648]})"), bnb_config, "'q.weight' is not the");
    said(nf4(R"({"shape": [8, -8]})"), bnb_config, "has a shape with -8");
    said(nf4(R"({"shape": [64]})"), bnb_config, "says no shape of a matrix");
    said(nf4(R"({"shape": [8, 8], "blocksize": 0})"), bnb_config, "has 'blocksize' that is 0");
    said(nf4(R"({"shape": [8, 8], "blocksize": 32})"), bnb_config, "'q.weight.absmax' is F32 of shape (1)");
    said(nf4("{"), bnb_config, "is no JSON");
}

TEST_CASE("damaged quantised files are decoded within bounds or refused") {
    const Coded m(16, 64, 32, 4);
    const auto order = shuffled_groups(m);
    const std::vector<std::pair<NamedTensors, std::string>> cases = {
        {gptq("q", m, 1, order), gptq_config(4)},
        {awq("q", m), R"({"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32}})"},
        {pack_quantized("q", m, true), R"({"quantization_config": {"quant_method": "compressed-tensors"}})"}};
    std::mt19937_64 random(21);
    int good = 0, refused = 0;
    for (const auto& [tensors, config] : cases) {
        const Directory directory;
        write(directory, tensors, config);
        const auto whole = slurp(directory.path() / "model.safetensors");
        for (int i = 0; i < 150; ++i) {
            auto data = whole;
            for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes) {
                const auto at = random() % (i % 2 == 0 ? data.size() : 600);  // the header, and the g_idx
                data[at] = static_cast<char>(i % 3 == 0 ? data[at] ^ (1 << random() % 8)
                                                        : "0123456789[]{}\",:"[random() % 17]);
            }
            directory.write("model.safetensors", data);
            try {
                static_cast<void>(opened(directory.path()));
                ++good;
            } catch (const Error& error) {
                ++refused;
                REQUIRE_FALSE(error.problem().empty());
            }
        }
    }
    CHECK(good > 20);
    CHECK(refused > 20);
}

}  // namespace formats_tests
