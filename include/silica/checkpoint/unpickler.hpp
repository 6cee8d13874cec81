#pragma once
/// A restricted reader of Python pickles, for what torch.save writes. It builds plain values and executes nothing: a
/// name outside of `pickle_globals` is refused. Opcodes: CPython, Lib/pickletools.py (protocols 2 to 5).

#include "silica/checkpoint/pickle.hpp"
#include "silica/checkpoint/pickle_machine.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::checkpoint {

namespace detail {

class Unpickler : PickleMachine {
public:
    Unpickler(std::string_view data, const std::string& source, const std::string& remedy)
        : PickleMachine(data, source, remedy) {}

    [[nodiscard]] Pickle run() && {
        while (step(static_cast<unsigned char>(take(1)[0]))) {
        }
        if (stack_.size() != 1 || !marks_.empty())
            malformed("a stack of " + std::to_string(stack_.size()) + " at its end");
        out_.root = stack_.back();
        out_.nbytes = at_;
        return std::move(out_);
    }

private:
    /// Executes one opcode; false for STOP.
    bool step(unsigned opcode) {
        // clang-format off
        switch (opcode) {
            case 0x80: take(1); break;                                                     // PROTO
            case 0x95: take(8); break;                                                     // FRAME
            case '.': return false;                                                        // STOP
            case '(': limit(marks_.size()); marks_.push_back(stack_.size()); break;        // MARK
            case '0': static_cast<void>(pop()); break;                                     // POP
            case '1': static_cast<void>(pop_mark()); break;                                // POP_MARK
            case 'N': push({}); break;                                                     // NONE
            case 0x88: push({Kind::boolean, 1}); break;                                    // NEWTRUE
            case 0x89: push({Kind::boolean, 0}); break;                                    // NEWFALSE
            case 'K': push({Kind::integer, number(1)}); break;                             // BININT1
            case 'M': push({Kind::integer, number(2)}); break;                             // BININT2
            case 'J': push({Kind::integer, static_cast<std::int32_t>(number(4))}); break;  // BININT
            case 0x8a: long1(); break;                                                     // LONG1
            case 'G': take(8); push({Kind::real, 0}); break;                               // BINFLOAT
            case 'U': case 'C': case 0x8c: text(length(1)); break;   // SHORT_BINSTRING, _BINBYTES, _BINUNICODE
            case 'T': case 'B': case 'X': text(length(4)); break;    // BINSTRING, BINBYTES, BINUNICODE
            case 0x8e: case 0x8d: text(length(8)); break;            // BINBYTES8, BINUNICODE8
            case ')': sequence(Kind::tuple, {}); break;                                    // EMPTY_TUPLE
            case ']': sequence(Kind::list, {}); break;                                     // EMPTY_LIST
            case '}': sequence(Kind::dict, {}); break;                                     // EMPTY_DICT
            case 0x85: case 0x86: case 0x87: sequence(Kind::tuple, pop(opcode - 0x84)); break;  // TUPLE1, 2, 3
            case 't': sequence(Kind::tuple, pop_mark()); break;                            // TUPLE
            case 'l': sequence(Kind::list, pop_mark()); break;                             // LIST
            case 'd': sequence(Kind::dict, pop_mark()); break;                             // DICT
            case 'a': extend(Kind::list, pop(1)); break;                                   // APPEND
            case 'e': extend(Kind::list, pop_mark()); break;                               // APPENDS
            case 's': extend(Kind::dict, pop(2)); break;                                   // SETITEM
            case 'u': extend(Kind::dict, pop_mark()); break;                               // SETITEMS
            case 'c': global_line(); break;                                                // GLOBAL
            case 0x93: stack_global(); break;                                              // STACK_GLOBAL
            case 'R': call(); break;                                                       // REDUCE
            case 'b': build(); break;                                                      // BUILD
            case 'Q': storage(); break;                                                    // BINPERSID
            case 'q': keep(number(1)); break;                                              // BINPUT
            case 'r': keep(number(4)); break;                                              // LONG_BINPUT
            case 0x94: keep(static_cast<std::int64_t>(memo_.size())); break;               // MEMOIZE
            case 'h': recall(number(1)); break;                                            // BINGET
            case 'j': recall(number(4)); break;                                            // LONG_BINGET
            default: malformed("opcode " + std::to_string(opcode) + ", which tensors do not need");
        }
        // clang-format on
        return true;
    }

    std::string_view line() {
        const auto end = data_.find('\n', at_);
        if (end == std::string_view::npos) {
            if (data_.size() - at_ > 1000) malformed("a name of more than 1000 bytes");
            throw PickleCutShort{};
        }
        const auto text = take(end - at_);
        take(1);
        return text;
    }
    void global_line() {
        const auto module = line();
        global(module, line());
    }
    void stack_global() {
        const auto names = pop(2);
        if (names[0].kind != Kind::text || names[1].kind != Kind::text) malformed("a name that is not text");
        global(out_.text(names[0]), out_.text(names[1]));
    }
    void global(std::string_view module, std::string_view name) {
        for (std::size_t i = 0; i < pickle_globals.size(); ++i)
            if (pickle_globals[i].module == module && pickle_globals[i].name == name)
                return push({Kind::global, static_cast<std::int64_t>(i)});
        throw CheckpointError(source_ + " asks for the Python object " +
                                  quote(std::string(module) + "." + std::string(name)) +
                                  ", which is no part of a tensor; nothing was executed.",
                              remedy_);
    }
    const PickleGlobal& global_of(const PickleValue& value) const {
        if (value.kind != Kind::global) malformed("a call of something that is no function");
        return pickle_globals[static_cast<std::size_t>(value.number)];
    }

    void call() {
        const auto operands = pop(2);
        const auto& function = global_of(operands[0]);
        if (operands[1].kind != Kind::tuple) malformed("a call whose arguments are no tuple");
        if (out_.items(operands[1]).size() > 7) malformed("a call with more than 7 arguments");
        const auto args = out_.items(operands[1]);  // a copy: the table may move
        switch (function.meaning) {
            case PickleGlobal::Meaning::ordered_dict:
                return ordered_dict(args);
            case PickleGlobal::Meaning::size:
                if (args.size() != 1) malformed("a torch.Size of " + std::to_string(args.size()) + " arguments");
                return sequence(Kind::tuple, out_.items(expect(args[0], Kind::tuple, Kind::list)));
            case PickleGlobal::Meaning::parameter:
                if (args.size() != 3) malformed("a parameter of " + std::to_string(args.size()) + " arguments");
                return push(expect(args[0], Kind::tensor, Kind::tensor));
            case PickleGlobal::Meaning::tensor:
                return tensor(args);
            case PickleGlobal::Meaning::storage:
                malformed("a call of a storage type");
        }
    }

    /// OrderedDict() or OrderedDict([(key, value), ...]).
    void ordered_dict(const std::vector<PickleValue>& args) {
        std::vector<PickleValue> items;
        if (args.size() > 1) malformed("an OrderedDict of " + std::to_string(args.size()) + " arguments");
        if (args.size() == 1) {
            for (const auto& item : out_.items(expect(args[0], Kind::list, Kind::tuple))) {
                const auto& pair = out_.items(expect(item, Kind::list, Kind::tuple));
                if (pair.size() != 2) malformed("an OrderedDict item that is no pair");
                items.insert(items.end(), pair.begin(), pair.end());
            }
        }
        sequence(Kind::dict, std::move(items));
    }

    /// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks, metadata = None).
    void tensor(const std::vector<PickleValue>& args) {
        if (args.size() < 6 || args.size() > 7) malformed("a tensor of " + std::to_string(args.size()) + " arguments");
        if (args.size() == 7 && args[6].kind != Kind::none &&
            !(args[6].kind == Kind::dict && out_.items(args[6]).empty()))
            malformed("a conjugated, negated or otherwise marked tensor");
        PickleTensor found;
        found.storage = static_cast<std::size_t>(expect(args[0], Kind::storage, Kind::storage).number);
        found.offset = expect(args[1], Kind::integer, Kind::integer).number;
        found.shape = integers(args[2]);
        found.strides = integers(args[3]);
        if (found.shape.size() != found.strides.size()) malformed("a tensor with more sizes than strides, or fewer");
        const std::size_t parts = found.shape.size();
        add(Kind::tensor, out_.tensors, std::move(found), parts);
    }
    std::vector<std::int64_t> integers(const PickleValue& value) const {
        const auto& items = out_.items(expect(value, Kind::tuple, Kind::list));
        if (items.size() > 64) malformed("a tensor of more than 64 dimensions");
        std::vector<std::int64_t> numbers;
        for (const auto& item : items) numbers.push_back(expect(item, Kind::integer, Kind::integer).number);
        return numbers;
    }

    /// Attributes set on an OrderedDict (`_metadata`: versions of modules) do not matter to inference.
    void build() {
        const auto state = pop();
        if (top().kind != Kind::dict || (state.kind != Kind::dict && state.kind != Kind::none))
            malformed("attributes set on something that is no dictionary");
    }

    /// The persistent id ("storage", type, key, location, numel[, None]).
    void storage() {
        const auto id = pop();
        if (id.kind != Kind::tuple) malformed("a storage that is no tuple");
        const auto& args = out_.items(id);
        if (args.size() < 5 || args.size() > 6 || args[0].kind != Kind::text || out_.text(args[0]) != "storage")
            malformed("a storage of unknown form");
        if (args.size() == 6 && args[5].kind != Kind::none)
            malformed("a view of a storage, which torch >= 0.4 does not write");
        const auto& type = global_of(args[1]);
        if (type.meaning != PickleGlobal::Meaning::storage) malformed("a storage whose type is none");
        const auto numel = expect(args[4], Kind::integer, Kind::integer).number;
        if (numel < 0) malformed("a storage of " + std::to_string(numel) + " elements");
        add(Kind::storage, out_.storages,
            PickleStorage{out_.text(expect(args[2], Kind::text, Kind::text)), &type, numel});
    }
};

}  // namespace detail

/// Reads one pickle from the start of `data`. `source` and `remedy` are for errors. CheckpointError for anything
/// unknown or malformed; PickleCutShort when `data` ends too early.
[[nodiscard]] inline Pickle read_pickle(std::string_view data, const std::string& source, const std::string& remedy) {
    return detail::Unpickler(data, source, remedy).run();
}

}  // namespace silica::checkpoint
