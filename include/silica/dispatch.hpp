#pragma once
/// Where a call goes that is no direct one: to another device, to the next candidate, through a second try. Steps 2 to
/// 4 of run.hpp.

#include "silica/call_arguments.hpp"
#include "silica/core/error.hpp"
#include "silica/core/recording.hpp"
#include "silica/core/transfer.hpp"
#include "silica/fallback.hpp"
#include "silica/placement.hpp"
#include "silica/prepared.hpp"

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <new>
#include <string>
#include <tuple>
#include <variant>

namespace silica::detail {

[[noreturn]] void refuse_recording(std::string_view op, FallbackReason why);

/// Steps 2 to 4. `Index` counts candidates; a fused op has its parts as the last resort.
template <class Op, class Exec, std::size_t Index = 0>
struct Dispatch {
    using Precision = typename Exec::precision;
    using Home = typename Exec::home;
    using All = std::conditional_t<is_fused<Op>, Chain<Home>, candidates<Op, Exec>>;

    template <class C>
    struct nth;
    template <class... Ds>
    struct nth<Chain<Ds...>> {
        using type = std::tuple_element_t<Index, std::tuple<Ds...>>;
    };
    using Device = typename nth<All>::type;
    using K = kernel_of<Op, Device, Precision>;
    using Result = result_of<Op>;
    static constexpr bool stays = std::is_same_v<Device, Home>;
    static constexpr bool last = Index + 1 == All::size;
    static constexpr bool writes = signature<typename Op::signature>::writes;

    template <class... Args>
    static Result call(FallbackReason why, const Args&... args) {
        FallbackReason failure = FallbackReason::declined;
        try {
            if (accepts(args...)) {
                if (stays && failed(args...))
                    record({Op::name, Home::name, "LibTorch", FallbackReason::failed_check, 1, 0, 0});
                return invoke(why, args...);
            }
            if (failed(args...)) failure = FallbackReason::failed_check;
        } catch (const c10::NotImplementedError&) {
            if constexpr (writes) throw;
            failure = FallbackReason::not_implemented;
        } catch (const KernelUnavailable&) {  // before anything was written
            failure = FallbackReason::unavailable;
        } catch (const c10::Error& e) {
            if (writes || !is_full(e)) throw;
            failure = FallbackReason::out_of_memory;
        } catch (const std::bad_alloc&) {
            if constexpr (writes) throw;
            failure = FallbackReason::out_of_memory;
        }
        return recover(why, failure, args...);
    }

private:
    /// Packing for a candidate that was not asked before may fail like the kernel itself.
    template <class... Args>
    static bool accepts(const Args&... args) {
        if constexpr (requires { &K::accepts; }) {
            const c10::Device there = stays ? home_device(Home::type, args...) : c10::Device(Device::type);
            return K::accepts(given<Device>(args, there)...);
        } else {
            return true;
        }
    }

    /// Whether an own kernel would take these arguments, had it not failed its check on this machine.
    template <class... Args>
    static bool failed([[maybe_unused]] const Args&... args) {
        if constexpr (requires { &K::failed; }) {
            const c10::Device there = stays ? home_device(Home::type, args...) : c10::Device(Device::type);
            return K::failed(given<Device>(args, there)...);
        } else {
            return false;
        }
    }

    template <class... Args>
    static Result invoke(FallbackReason why, const Args&... args) {
        if constexpr (stays) {
            if constexpr (Index == 0)
                return K::run(given_first(args)...);
            else
                return K::run(given<Device>(args, home_device(Home::type, args...))...);
        } else {
            return hop(why, args...);
        }
    }

    /// Out of memory on the candidate, or at home, where its result has to go.
    static bool is_full(const c10::Error& e) { return Device::is_out_of_memory(e) || Home::is_out_of_memory(e); }

    /// One more try where that can help, then the next candidate.
    template <class... Args>
    static Result recover(FallbackReason why, FallbackReason failure, const Args&... args) {
        if (recording && failure != FallbackReason::declined && failure != FallbackReason::failed_check)
            refuse_recording(Op::name, failure);
        try {
            if (failure == FallbackReason::unavailable) return invoke(why, args...);
            if (failure == FallbackReason::out_of_memory) {
                Device::empty_cache();
                if constexpr (!stays) Home::empty_cache();
                return invoke(why, args...);
            }
        } catch (const KernelUnavailable&) {
            if constexpr (writes) throw;
        } catch (const c10::Error& e) {
            if (writes || !is_full(e)) throw;
        } catch (const std::bad_alloc&) {
            if constexpr (writes) throw;
        }
        return next(failure, args...);
    }

    template <class... Args>
    static Result next(FallbackReason why, const Args&... args) {
        if constexpr (!last) {
            return Dispatch<Op, Exec, Index + 1>::call(why, args...);
        } else if constexpr (is_fused<Op>) {
            record({Op::name, Home::name, "parts", why, 1, 0, 0});
            return Op::template by_parts<Exec>(args...);
        } else {
            throw DeviceError(std::string("Op '") + std::string(Op::name) + "' cannot run on " +
                                  std::string(Device::name) + ": " + std::string(describe(why)) + ".",
                              why == FallbackReason::out_of_memory
                                  ? "use smaller inputs, a smaller precision, or a chain with another device after it."
                                  : "use a chain with another device after it: Chain<..., device::Cpu>, or a device "
                                    "policy by itself, which carries such a chain.");
        }
    }

    /// Step 2: wait for both devices, move the arguments, run, wait, move the result home, and say so.
    template <class... Args>
    static Result hop(FallbackReason why, const Args&... args) {
        if (recording) refuse_recording(Op::name, why);
        const auto start = std::chrono::steady_clock::now();
        const c10::Device home = home_device(Home::type, args...);
        const c10::Device there(Device::type);
        std::uint64_t bytes = 0;
        Home::synchronize(home.index());
        auto moved = std::make_tuple(move_argument(args, there, bytes)...);
        Device::synchronize(there.index());
        auto run_there = [&] {
            return std::apply([&](auto&... m) { return K::run(as_argument(args, m, there)...); }, moved);
        };
        Result result = run_there();
        Device::synchronize(there.index());
        result = moved_to(std::move(result), home, bytes);
        write_back(moved, bytes, std::index_sequence_for<Args...>{}, args...);
        Home::synchronize(home.index());
        const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
        record({Op::name, Home::name, Device::name, why, 1, bytes, ms.count()});
        return result;
    }

    /// A copy of an argument on the device it hops to; Prepared has its own copies.
    template <class T>
    static auto move_argument(const T& arg, c10::Device there, std::uint64_t& bytes) {
        if constexpr (is_prepared<T>)
            return std::monostate{};
        else if constexpr (is_in_out<T>)
            return moved_to(arg.value, there, bytes);
        else
            return moved_to(arg, there, bytes);
    }

    template <class T, class M>
    static decltype(auto) as_argument(const T& arg, M& moved, [[maybe_unused]] c10::Device there) {
        if constexpr (is_prepared<T>)
            return Held{arg.template on<Device>(there)};
        else if constexpr (is_in_out<T>)
            return InOut<M>{moved};
        else
            return (moved);
    }

    template <class Moved, std::size_t... I, class... Args>
    static void write_back(Moved& moved, std::uint64_t& bytes, std::index_sequence<I...>, const Args&... args) {
        const auto one = [&](const auto& arg, const auto& m) {
            if constexpr (is_in_out<std::remove_cvref_t<decltype(arg)>>) {
                arg.value.copy_(m);
                bytes += static_cast<std::uint64_t>(m.nbytes());
            }
        };
        (one(args, std::get<I>(moved)), ...);
    }

    static void record(const Fallback& event) {
        static std::atomic<bool> said{false};
        if (FallbackScope::record(event)) return;
        if (announce_fallbacks.load(std::memory_order_relaxed) && !said.exchange(true)) announce(event);
    }
};

}  // namespace silica::detail

#ifndef SILICA_COMPILED
#include "silica/dispatch.ipp"
#endif
