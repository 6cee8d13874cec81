/// An architecture of your own, from outside the library: a deep averaging network. The mean of word vectors, a hidden
/// layer, one score for each class. Iyyer et al. 2015, section 3.

#include <cstdio>

#include <ATen/ops/tensor.h>
#include <boost/hana/adapt_struct.hpp>

#include "silica/core/inputs.hpp"
#include "silica/model.hpp"
#include "silica/nn/embedding.hpp"
#include "silica/nn/linear.hpp"
#include "silica/op/pool.hpp"

namespace mine {

using namespace silica;

struct DanConfig {  // the keys of config.json, with their defaults
    std::int64_t vocab_size = 1000, hidden_size = 64, num_labels = 2;
    Activation hidden_act = Activation::relu;
};
struct DanInputs {
    Tensor input_ids;  ///< (batch, tokens) int64
};
struct DanOutputs {
    Tensor logits;  ///< (batch, labels)
};

struct Dan {
    static constexpr std::string_view family = "dan", name = "DanForSequenceClassification";
    using Config = DanConfig;
    using Inputs = DanInputs;
    using Outputs = DanOutputs;

    static void check(const Config& c, const std::string& file) {
        require_at_least(file, "vocab_size", c.vocab_size);
        require_at_least(file, "hidden_size", c.hidden_size);
        require_at_least(file, "num_labels", c.num_labels);
    }
    static Inputs prepare(const Config& c, Inputs in) {
        require_tensor("input_ids", in.input_ids, 2, {c10::ScalarType::Long});
        require_ids("input_ids", in.input_ids, c.vocab_size, "vocab_size");
        return in;
    }
    static checkpoint::NameRules names() { return {}; }  // one spelling, no prefix

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename nn::Embedding<E>::Ops, OpList<op::Pool>, typename nn::Linear<E>::Ops>;

        Network(const Config& c, const Weights& w)
            : words(w / "words", c.vocab_size, c.hidden_size), hidden(w / "hidden", c.hidden_size, c.hidden_size),
              classifier(w / "classifier", c.hidden_size, c.num_labels), act(c.hidden_act) {}

        Outputs operator()(const Inputs& in) const {
            const Tensor x = words(in.input_ids), all = at::ones(in.input_ids.sizes(), x.options().dtype(at::kBool));
            const Tensor mean = run<op::Pool, E>(x, all, Pooling::mean).to(x.scalar_type());  // Pool sums in float32
            return {classifier(hidden(mean, act))};                                           // W_c relu(W_h mean + b)
        }

    private:
        nn::Embedding<E> words;
        nn::Linear<E> hidden, classifier;
        Activation act;
    };
};

}  // namespace mine

BOOST_HANA_ADAPT_STRUCT(mine::DanConfig, vocab_size, hidden_size, num_labels, hidden_act);
BOOST_HANA_ADAPT_STRUCT(mine::DanInputs, input_ids);
BOOST_HANA_ADAPT_STRUCT(mine::DanOutputs, logits);
static_assert(silica::Architecture<mine::Dan>);

int main() {
    const auto dan = silica::Model<mine::Dan, silica::device::Cpu>::from({.num_labels = 3}, silica::loader::Random());
    return dan({.input_ids = at::tensor({5, 7, 11}, at::kLong).unsqueeze(0)}).logits.sizes() == at::IntArrayRef{1, 3} ? 0 : 1;
}
