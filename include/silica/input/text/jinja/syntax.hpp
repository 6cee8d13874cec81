#pragma once
/// The syntax tree of a template.

#include <silica/input/text/jinja/value.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

/// What stands between the parentheses of a call, a filter or a test.
struct Arguments {
    std::vector<ExpressionPtr> at = {};
    std::vector<std::pair<std::string, ExpressionPtr>> named = {};
    ExpressionPtr all = {}, all_named = {};  ///< *args, **kwargs
};

/// An expression. Which members it uses depends on its kind.
struct Expression {
    enum class Kind {
        constant,    ///< value
        name,        ///< name
        list,        ///< items
        tuple,       ///< items
        dict,        ///< items: key, value, key, value
        attribute,   ///< items[0] . name
        item,        ///< items[0] [ items[1] ]
        slice,       ///< items[0] [ items[1] : items[2] : items[3] ]; absent ones are null
        call,        ///< items[0] ( arguments )
        filter,      ///< items[0] | name ( arguments ); in blocks items[0] is null
        test,        ///< items[0] is name ( arguments )
        negation,    ///< not items[0]
        sign,        ///< - or +, in name, of items[0]
        both,        ///< items[0] and items[1]
        either,      ///< items[0] or items[1]
        arithmetic,  ///< items[0] name items[1]
        comparison,  ///< items[0] operators[0] items[1] operators[1] items[2] ...
        concat,      ///< items[0] ~ items[1] ~ ...
        choice,      ///< items[0] if items[1] else items[2], which may be null
        set_member,  ///< name . member, as a target
    };
    Kind kind;
    unsigned line;
    std::string name = {}, member = {};
    Value value = {};
    std::vector<ExpressionPtr> items = {};
    std::vector<std::string> operators = {};
    Arguments arguments = {};
    unsigned depth = 1;  ///< of nesting

    Expression(Kind what, unsigned at) : kind(what), line(at) {}
    void add(ExpressionPtr item) {
        if (item) depth = std::max(depth, item->depth + 1);
        items.push_back(std::move(item));
    }
    void set_arguments(Arguments made) {
        const auto see = [this](const ExpressionPtr& e) { depth = e ? std::max(depth, e->depth + 1) : depth; };
        for (const auto& e : made.at) see(e);
        for (const auto& e : made.named) see(e.second);
        see(made.all), see(made.all_named);
        arguments = std::move(made);
    }
};

struct Statement;
using Body = std::vector<Statement>;

/// A condition and what it guards.
struct Branch {
    ExpressionPtr condition;  ///< null for else
    Body body;
};

/// A statement. Which members it uses depends on its kind.
struct Statement {
    enum class Kind {
        text,        ///< text
        output,      ///< the values of parameters
        set,         ///< target = value
        set_block,   ///< target = body, through the filters in value
        choice,      ///< branches
        loop,        ///< for target in value if condition: body, otherwise: orelse; recursive
        macro,       ///< macro name(parameters): body
        call_block,  ///< call(parameters) value: body
        with,        ///< with parameters: body
        filter,      ///< body through the filters in value
        scope,       ///< body ({% generation %})
        autoescape,  ///< body, escaped where value is true
        block,       ///< block name: body; scoped, required
        loader,      ///< include, import, from, extends: name; there is nothing to load
        leave,       ///< break
        again,       ///< continue
    };
    Kind kind;
    unsigned line;
    std::string text = {}, name = {};
    ExpressionPtr target = {}, value = {}, condition = {};
    std::vector<std::pair<ExpressionPtr, ExpressionPtr>> parameters = {};  ///< target, default or null
    std::vector<Branch> branches = {};
    Body body = {}, orelse = {};
    std::vector<std::string> hidden = {}, hidden_else = {};  ///< variables of body, orelse: undefined at first
    bool recursive = false, scoped = false, required = false;
    bool uses_varargs = false, uses_kwargs = false, uses_caller = false;  ///< the names occur in a macro

    Statement(Kind what, unsigned at) : kind(what), line(at) {}
};

}  // namespace silica::text::jinja
