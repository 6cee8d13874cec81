#pragma once
/// The activation functions that configurations name, elementwise.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

#include <array>
#include <utility>

namespace silica {

/// Activations by what they compute; several names of config.json stand for one (see `activation_names`).
enum class Activation {
    linear,      ///< x
    gelu,        ///< x Phi(x)
    gelu_tanh,   ///< 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
    gelu_10,     ///< gelu(x) clipped to [-10, 10]
    quick_gelu,  ///< x sigmoid(1.702 x)
    relu,        ///< max(0, x)
    relu2,       ///< max(0, x)^2
    relu6,       ///< min(max(0, x), 6)
    leaky_relu,  ///< x for x > 0, else 0.01 x
    silu,        ///< x sigmoid(x)
    sigmoid,     ///< 1 / (1 + exp(-x))
    tanh,        ///< tanh(x)
    mish,        ///< x tanh(log(1 + exp(x)))
    laplace,     ///< 0.5 (1 + erf((x - mu) / (sigma sqrt 2))), mu = 0.707107, sigma = 0.282095
};

/// Names as config.json spells them (transformers' ACT2FN).
inline constexpr std::array<std::pair<std::string_view, Activation>, 20> activation_names{{
    {"gelu", Activation::gelu},
    {"gelu_python", Activation::gelu},
    {"gelu_new", Activation::gelu_tanh},
    {"gelu_fast", Activation::gelu_tanh},
    {"gelu_pytorch_tanh", Activation::gelu_tanh},
    {"gelu_python_tanh", Activation::gelu_tanh},
    {"gelu_accurate", Activation::gelu_tanh},
    {"gelu_10", Activation::gelu_10},
    {"quick_gelu", Activation::quick_gelu},
    {"relu", Activation::relu},
    {"relu2", Activation::relu2},
    {"relu6", Activation::relu6},
    {"leaky_relu", Activation::leaky_relu},
    {"silu", Activation::silu},
    {"swish", Activation::silu},
    {"sigmoid", Activation::sigmoid},
    {"tanh", Activation::tanh},
    {"mish", Activation::mish},
    {"laplace", Activation::laplace},
    {"linear", Activation::linear},
}};

/// The table of names, found by argument-dependent lookup where configurations are read.
constexpr const auto& enum_names(Activation) { return activation_names; }

namespace op {

/// Whether `act` is one of them.
constexpr bool is_known(Activation act) { return act >= Activation::linear && act <= Activation::laplace; }

/// y = act(x), elementwise; x and y have any equal shape.
struct Activate {
    static constexpr std::string_view name = "activate";
    using signature = Tensor(const Tensor& x, Activation act);
    static void check(const Tensor& x, Activation act) {
        law(computes(x.scalar_type()) && is_known(act), name, "x (...) of floating numbers and an activation", x);
    }
};
static_assert(OpTag<Activate>);

}  // namespace op
}  // namespace silica
