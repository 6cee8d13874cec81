#pragma once
/// Reads the tags' lists of names: what is assigned to, parameters, imports.

#include <silica/input/text/jinja/expression_parser.hpp>

#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// The part of the parser that knows names which get values.
class TargetParser : public ExpressionParser {
protected:
    using St = Statement::Kind;

    explicit TargetParser(std::vector<Token> tokens) : ExpressionParser(std::move(tokens)) {}

    /// A name, namespace.name, or several between commas.
    [[nodiscard]] ExpressionPtr target(bool members) {
        auto made = make(Ex::tuple, now().line);
        bool commas = false;
        while (!at_name("in") && !at_op("=") && now().kind != Kind::block_end) {
            made->add(target_part(members));
            if (!take_op(",")) break;
            commas = true;
        }
        if (made->items.empty()) unexpected("a name");
        return commas ? std::move(made) : std::move(made->items[0]);
    }
    [[nodiscard]] ExpressionPtr target_part(bool members) {
        auto part = primary();
        if (members && part->kind == Ex::name && take_op(".")) {
            part->kind = Ex::set_member;
            part->member = expect_name("the name of an attribute");
        }
        require_target(*part, true);
        return part;
    }
    static void require_target(const Expression& part, bool outermost) {
        if (part.kind == Ex::tuple) {
            for (const auto& item : part.items) require_target(*item, false);
        } else if (part.kind != Ex::name && !(outermost && part.kind == Ex::set_member)) {
            throw Problem("assigns to something that is no name");
        }
    }
    static void forbid_loop(const Expression& target) {
        if (target.kind == Ex::name && target.name == "loop") throw Problem("goes through a list by the name 'loop'");
        for (const auto& item : target.items) forbid_loop(*item);
    }
    void parameters(Statement& made) {
        expect_op("(");
        while (!at_op(")")) {
            if (!made.parameters.empty()) expect_op(",");
            auto name = make(Ex::name, now().line);
            name->name = expect_name("the name of a parameter");
            for (const auto& [other, ignored] : made.parameters) {
                if (other->name == name->name) throw Problem("has the parameter " + quote(name->name) + " twice");
            }
            ExpressionPtr value;
            if (take_op("=")) {
                value = expression();
            } else if (!made.parameters.empty() && made.parameters.back().second) {
                throw Problem("has a parameter without a default after one that has one");
            }
            made.parameters.emplace_back(std::move(name), std::move(value));
        }
        expect_op(")");
    }
    /// A tag that asks for another template: an error when it is rendered, for there is none.
    [[nodiscard]] Statement loader(const std::string& tag, unsigned line) {
        Statement made(St::loader, line);
        made.name = tag;
        static_cast<void>(expression());
        if (tag == "import") {
            if (!take_name("as")) unexpected("'as'");
            static_cast<void>(expect_name("a name"));
        } else if (tag == "from") {
            if (!take_name("import")) unexpected("'import'");
            for (bool any = false; now().kind != Kind::block_end; any = true) {
                if (any) expect_op(",");
                const bool context = any && (at_name("with") || at_name("without")) && next().text == "context";
                if (context) break;
                const std::string name = expect_name("a name");
                if (name.starts_with('_')) throw Problem("imports a name that begins with '_'");
                if (take_name("as")) static_cast<void>(expect_name("a name"));
                if ((at_name("with") || at_name("without")) && next().text == "context") break;
            }
        }
        if (tag == "include" && at_name("ignore") && next().text == "missing") advance(), advance();
        if (tag != "extends" && (at_name("with") || at_name("without")) && next().text == "context") {
            advance(), advance();
        }
        return made;
    }
};

}  // namespace silica::text::jinja
