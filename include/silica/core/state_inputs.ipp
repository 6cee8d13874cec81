#pragma once
/// Checks of what a state of generation is asked for.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/state_inputs.hpp"

#include <string>

namespace silica {

SILICA_INLINE void require_state_size(std::int64_t batch, std::int64_t capacity) {
    constexpr std::int64_t most = std::int64_t{1} << 40;  // places, each of kilobytes
    const std::string what = "A state for " + std::to_string(batch) + " rows of " + std::to_string(capacity);
    if (batch < 1 || capacity < 1) throw InputError(what + " tokens cannot be made.", "1 or more of both is needed.");
    if (batch > most / capacity)
        throw InputError(what + " tokens is larger than any memory.", "ask for fewer rows, or a smaller capacity.");
}

SILICA_INLINE void require_device(std::string_view name, const Tensor& t, c10::Device home) {
    if (t.device().type() == home.type() && (home.is_cpu() || t.device().index() == home.index())) return;
    const std::string input(name);
    throw InputError("Input " + input + " lies on " + t.device().str() + ", the model on " + home.str() + ".",
                     "move it: " + input + ".to(model.device()).");
}

SILICA_INLINE void require_row_each(std::string_view name, const Tensor& t, std::int64_t batch) {
    require_tensor(name, t, 1, {c10::ScalarType::Long});
    if (t.size(0) == batch) return;
    throw InputError("Input " + std::string(name) + " has " + std::to_string(t.size(0)) +
                         " rows, the state was made for " + std::to_string(batch) + ".",
                     "give one for each row, or make a state for as many rows.");
}

SILICA_INLINE void require_step(const Tensor& ids, std::int64_t batch, std::int64_t length, std::int64_t capacity,
                                c10::Device home, std::optional<std::int64_t> limit) {
    require_row_each("ids", ids, batch);
    require_device("ids", ids, home);
    if (limit && home.is_cpu()) require_ids("ids", ids, *limit, "vocab_size");
    if (length < capacity) return;
    throw InputError("The state holds " + std::to_string(length) + " tokens and has no room for more.",
                     "make a state of a larger capacity.");
}

SILICA_INLINE void require_rows(const Tensor& rows, std::int64_t batch) {
    require_row_each("rows", rows, batch);
    if (!rows.device().is_cpu()) return;
    const Tensor host = rows.contiguous();
    const auto* row = host.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < batch; ++i) {
        if (row[i] >= 0 && row[i] < batch) continue;
        throw InputError(
            "Input rows holds " + std::to_string(row[i]) + ", rows from 0 to " + std::to_string(batch - 1) + " exist.",
            "name rows of the state.");
    }
}

}  // namespace silica
