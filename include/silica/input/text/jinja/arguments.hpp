#pragma once
/// The arguments of filters, methods and functions, by the names they have in Python.

#include <silica/core/quote.hpp>
#include <silica/input/text/jinja/iteration.hpp>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Arguments in the order of their names. Those from `required` on may be absent.
class Bound {
public:
    Bound(const std::string& what, const Args& args, std::initializer_list<std::string_view> names,
          std::size_t required = 0)
        : what_(what), held_(names.size(), nullptr) {
        if (args.at.size() > names.size()) refuse("takes fewer arguments");
        for (std::size_t i = 0; i < args.at.size(); ++i) held_[i] = &args.at[i];
        for (const auto& [name, value] : args.named) {
            std::size_t i = 0;
            for (const auto known : names) {
                if (known == name) break;
                ++i;
            }
            if (i == names.size()) refuse("has no argument " + quote(name));
            if (held_[i]) refuse("is given the argument " + quote(name) + " twice");
            held_[i] = &value;
        }
        for (std::size_t i = 0; i < required; ++i) {
            if (!held_[i]) refuse("needs more arguments");
        }
    }

    /// The argument, or null.
    [[nodiscard]] const Value* operator[](std::size_t i) const { return held_[i]; }
    [[nodiscard]] bool absent(std::size_t i) const { return !held_[i] || held_[i]->is_none(); }
    [[nodiscard]] const std::string& text(std::size_t i) const {
        require_defined(*held_[i]);
        if (!held_[i]->is_text()) refuse(std::string("takes no ") + type_name(*held_[i]) + " there");
        return held_[i]->text();
    }
    [[nodiscard]] std::int64_t whole(std::size_t i, std::int64_t otherwise) const {
        if (!held_[i]) return otherwise;
        require_defined(*held_[i]);
        if (!held_[i]->is_whole()) refuse(std::string("takes no ") + type_name(*held_[i]) + " there");
        return held_[i]->whole();
    }
    [[nodiscard]] bool flag(std::size_t i, bool otherwise) const { return held_[i] ? truth(*held_[i]) : otherwise; }
    [[noreturn]] void refuse(const std::string& why) const {
        throw Problem("calls " + quote(what_) + ", which " + why);
    }

private:
    std::string what_;
    std::vector<const Value*> held_;
};

}  // namespace silica::text::jinja
