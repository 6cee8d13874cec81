#pragma once
/// What a network keeps of its weights, found by making it of shapes alone.

#include "silica/core/budget.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/tensor.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace silica {

/// While one lives, networks that this thread makes of weights on LibTorch's meta device, which have a shape and no
/// memory, note here what they keep: nothing is read, packed or allocated. Such a network is good for nothing else but
/// its `make_state`, whose tensors have no memory either.
class Inventory {
public:
    Inventory() : before_(current_) { current_ = this; }
    Inventory(const Inventory&) = delete;
    Inventory& operator=(const Inventory&) = delete;
    ~Inventory() { current_ = before_; }

    /// The one of this thread; null while weights are real.
    [[nodiscard]] static Inventory* current() noexcept { return current_; }

    /// Notes that `t` is the tensor `name` of the checkpoint.
    void read(const Tensor& t, const std::string& name);
    /// The same of codes of a matrix, which the files call `matrix`.
    void read_codes(const Tensor& codes, const std::string& name, const std::string& matrix);
    /// Notes that a layer keeps `t`: as the matrix of a product, or as anything else; on the host where its op has no
    /// kernel on the model's device.
    void keep(const Tensor& t, bool product, bool host);
    /// Notes that it keeps these codes of a matrix (rows, columns).
    void keep_codes(const Tensor& codes, const Tensor& scales, const Tensor& biases, int bits, std::int64_t rows,
                    std::int64_t columns, bool host);

    [[nodiscard]] const std::vector<KeptWeight>& kept() const noexcept { return kept_; }
    /// The matrices of which codes were read, as the files spell them.
    [[nodiscard]] const std::set<std::string>& in_codes() const noexcept { return in_codes_; }

private:
    std::size_t number_of(const Tensor& t, bool& as_read);

    SILICA_API static inline thread_local Inventory* current_ = nullptr;
    Inventory* before_;
    std::vector<Tensor> alive_;  // no two tensors have one address
    std::map<const void*, std::size_t> numbers_;
    std::map<std::string, std::size_t> names_;
    std::map<const void*, bool> read_;
    std::vector<KeptWeight> kept_;
    std::set<std::string> in_codes_;
};

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/core/inventory.ipp"
#endif
