/// Nearest sentences to a query: a sentence-transformers checkpoint, vectors, cosine similarity.
///
///     bert_embed DIRECTORY_OR_REPO "the query" "a sentence" "another sentence" ...

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <string>
#include <vector>

#include "silica/arch/bert.hpp"
#include "silica/device/cpu.hpp"
#include "silica/task/embed.hpp"

using namespace silica;

int main(int argc, char** argv) try {
    if (argc < 4) {
        std::fprintf(stderr, "usage: bert_embed DIRECTORY_OR_REPO QUERY SENTENCE...\n");
        return 2;
    }
    // Where it runs, in what numbers and how it is loaded are types: device::Mps and precision::Fp16 go here on a Mac.
    using Encoder = Model<arch::Bert, device::Cpu, precision::Fp32, loader::Mapped>;
    const auto embed = task::Embedder<Encoder>::open(argv[1]);

    const std::vector<std::string> texts(argv + 2, argv + argc);                         // the query comes first
    const Tensor vectors = embed(texts, {.normalize = true});                            // (texts, d), each of length 1
    const Tensor scores = vectors.slice(0, 1).matmul(vectors[0]);                        // cosines with the query

    std::vector<std::size_t> order(texts.size() - 1);
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto score = [&](std::size_t i) { return scores[static_cast<std::int64_t>(i)].item<float>(); };
    std::ranges::sort(order, std::greater{}, score);
    for (const auto i : order) std::printf("%.4f  %s\n", static_cast<double>(score(i)), texts[i + 1].c_str());
} catch (const Error& e) {
    std::fprintf(stderr, "bert_embed: %s\n", e.what());
    return 2;
}
