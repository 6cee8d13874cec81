/// Chat templates against what Python's jinja2 makes of them as transformers sets it up (golden/jinja.json,
/// make_jinja_golden.py), and what no template may do.

#include <silica/core/error.hpp>
#include <silica/core/quote.hpp>
#include <silica/input/text/chat_template.hpp>
#include <silica/input/text/jinja/json.hpp>
#include <silica/input/text/jinja/template.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>

#include <iterator>

#include <string>
#include <thread>
#include <vector>

namespace {

using silica::ConfigError;
using silica::InputError;
using silica::Json;
using silica::test::ContainsSubstring;
using silica::text::ChatTemplate;
namespace jinja = silica::text::jinja;

std::tm july() {
    std::tm t{};
    t.tm_year = 124, t.tm_mon = 6, t.tm_mday = 26, t.tm_hour = 13, t.tm_min = 5, t.tm_wday = 5, t.tm_yday = 207;
    return t;
}

std::string render(const std::string& source, const Json& context) {
    return jinja::Template(source, "test.jinja")
        .render(
            [&](jinja::Session& session) {
                jinja::Dict made;
                for (const auto& [name, value] : context.object()) {
                    made.items.emplace_back(session.text(name), jinja::from_json(session, value));
                }
                return made;
            },
            july);
}
std::string render(const std::string& source, const std::string& context = "{}") {
    return render(source, Json::parse(context, "context"));
}

/// What the InputError says that rendering ends with.
std::string message(const std::string& source, const Json& context) {
    try {
        return "no error but " + render(source, context);
    } catch (const InputError& e) {
        return e.what();
    }
}

/// A directory that is removed again.
struct Directory {
    std::filesystem::path path;
    Directory()
        : path(std::filesystem::temp_directory_path() /
               ("silica-jinja-" + std::to_string(reinterpret_cast<std::uintptr_t>(this)))) {
        std::filesystem::create_directories(path);
    }
    ~Directory() { std::filesystem::remove_all(path); }
    void write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories((path / name).parent_path());
        std::ofstream(path / name, std::ios::binary) << text;
    }
};

}  // namespace

TEST_CASE("Templates render as in Python", "[jinja]") {
    std::ifstream in(std::string(SILICA_TESTS_DIR) + "/input/text/golden/jinja.json", std::ios::binary);
    REQUIRE(in);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto golden = Json::parse(text, "jinja.json");
    const auto &templates = golden.find("templates")->array(), &contexts = golden.find("contexts")->array();
    REQUIRE(golden.find("cases")->array().size() > 690);
    for (const auto& entry : golden.find("cases")->array()) {
        const auto& source = templates.at(static_cast<std::size_t>(entry.array()[0].integer())).string();
        const auto& context = contexts.at(static_cast<std::size_t>(entry.array()[1].integer()));
        const auto& want = entry.array()[2];
        INFO(source);
        if (const auto* expected = want.find("text")) {
            CHECK(render(source, context) == expected->string());
        } else if (const auto* raised = want.find("raised");
                   raised && source.find("raise_exception") != std::string::npos) {
            CHECK(message(source, context) == raised->string());
        } else {
            CHECK_THROWS_AS(render(source, context), silica::Error);
        }
    }
}

TEST_CASE("Errors name the template and the line", "[jinja]") {
    CHECK_THROWS_WITH(render("a\nb\n{{ x.y }}"), ContainsSubstring("test.jinja, line 3") && ContainsSubstring("'x'"));
    CHECK_THROWS_WITH(render("\n{% for x in [] %}\n{{ 1 | frobnicate }}\n\n{% endfor %}"),
                      ContainsSubstring("line 3") && ContainsSubstring("'frobnicate'"));
    CHECK_THROWS_AS(render("{{ 1 | frobnicate }}"), ConfigError);
    CHECK_THROWS_WITH(render("{{ 1 is weird }}"), ContainsSubstring("'weird'"));
    // In `if` Jinja looks for filters and tests when it gets there.
    CHECK(render("{% if x %}\n{{ 1 | frobnicate }}{% endif %}{{ (1 is weird) if x }}") == "");
    CHECK_THROWS_WITH(render("{% if 1 is weird %}{% endif %}"), ContainsSubstring("'weird'"));
    for (const std::string tag :
         {"include 'x'", "import 'x' as y", "extends 'x'", "from 'x' import y", "do 1", "trans"}) {
        CHECK_THROWS_WITH(render("{% " + tag + " %}"), ContainsSubstring("'" + tag.substr(0, tag.find(' ')) + "'"));
    }
    CHECK_THROWS_AS(render("{{ '\xFF' }}"), ConfigError);
    CHECK_THROWS_WITH(render("{{ [].append(1) }}"), ContainsSubstring("'append'"));
}

TEST_CASE("Templates that would run for ever or fill the memory end in an error", "[jinja]") {
    const std::string all = "{% set r = range(100000) %}";
    const std::vector<std::string> hostile = {
        all + "{% for a in r %}{% for b in r %}{% for c in r %}x{% endfor %}{% endfor %}{% endfor %}",
        "{{ 'x' * 999999999999 }}",
        "{{ ('x' * 100000000) ~ ('y' * 100000000) ~ ('z' * 100000000) }}",
        "{{ [1] * 99999999999 }}",
        "{{ 9 ** (9 ** 9) }}",
        "{{ 10 ** 4300 }}",
        "{{ 2 ** 65536 > 0 }}",
        "{% set ns = namespace(n=3) %}" + all + "{% for a in r %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
        all + "{% set n = 3 ** 20000 %}{% for a in r %}{% for b in r %}{{ n // 7 ** 9999 }}{% endfor %}{% endfor %}",
        all + "{% set n = 3 ** 40000 %}{% for a in r %}{% for b in r %}{{ '%x' % n }}{% endfor %}{% endfor %}",
        "{{ 0x" + std::string(100000, 'f') + " }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%.1000000000f' % 1 }}",
        "{{ '%*d' % (2000000000, 1) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ '{:.1000000000f}'.format(1.5) }}",
        "{{ '{:1000000000,}'.format(1) }}",
        "{{ 'x'.center(10**9) }}",
        "{{ ('a' * 9000000).count('a' * 4000000 ~ 'b') }}",
        "{{ ('a' * 4000000 ~ 'b') in ('a' * 9000000) }}",
        "{{ ('-' * 4000000)|wordwrap(3) }}",
        "{{ 'x'|center(10**9) }}",
        "{{ 'x'.zfill(10**9) }}",
        "{{ 'a\tb'.expandtabs(10**9) }}",
        "{{ range(10**12)|list }}",
        "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% for a in [1] recursive %}{% if loop.depth < 60 %}{{ loop([1, 1]) }}{{ loop([1]) }}{% endif %}{% endfor %}",
        "{% block a %}{{ self.a() }}{% endblock %}",
        "{% set ns = namespace(s=[1]) %}" + all + "{% for a in r %}{% set ns.s = ns.s|map('abs') %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}" + all + "{% for a in r %}{% set ns.s = cycler(ns.s) %}{% endfor %}",
        "{{ ('{:{}}'|replace('{}', '{:{}}')).format(1, 2, 3) }}",
        "{{ ('<' * 9000000)|forceescape|forceescape|forceescape }}",
        "{{ ('a ' * 1000000)|wordwrap(1, wrapstring='x' * 1000000) }}",
        "{{ ('http://a.com ' * 300000)|urlize(rel='x' * 100000) }}",
        "{% set ns = namespace(s='ab') %}" + all + "{% for a in r %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[]) %}" + all + "{% for a in r %}{% set ns.s = [ns.s] %}{% endfor %}",
        "{% set ns = namespace(s=[]) %}" + all + "{% for a in r %}{% set ns.s = ns.s + ns.s + [1] %}{% endfor %}",
        "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(n) %}{{ f(n) ~ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{{ range(100001) }}",
        "{{ 'a'.ljust(9999999999) }}",
        "{{ 'a' | indent(9999999999, true) }}",
        "{{ '%99999999d' % 1 }}",
        "{{ ('a' * 1000000).replace('', 'b' * 1000000) }}",
        "{{ ('a' * 10000).join(range(100000) | map('string')) }}",
        "{{ [1, 2] | batch(9999999999, 'x') | list }}",
        "{{ [1, 2] | slice(9999999999, 'x') | list }}",
        "{{ " + std::string(100000, '(') + "1" + std::string(100000, ')') + " }}",
        "{{ " + std::string(100000, '[') + " }}",
        "{{ " + std::string(100000, '-') + "1 }}",
        "{{ x" +
            [] {
                std::string s;
                for (int i = 0; i < 100000; ++i) s += ".a";
                return s;
            }() +
            " }}",
        "{{ 1" +
            [] {
                std::string s;
                for (int i = 0; i < 100000; ++i) s += "+1";
                return s;
            }() +
            " }}",
        "{{ " +
            [] {
                std::string s;
                for (int i = 0; i < 100000; ++i) s += "not ";
                return s;
            }() +
            "1 }}",
        "{{ 1" +
            [] {
                std::string s;
                for (int i = 0; i < 100000; ++i) s += "|abs";
                return s;
            }() +
            " }}",
        [] {
            std::string s;
            for (int i = 0; i < 100000; ++i) s += "{% if 1 %}";
            return s;
        }(),
        [] {
            std::string s;
            for (int i = 0; i < 100000; ++i) s += "{% for a in [1] %}";
            return s;
        }(),
    };
    for (const auto& source : hostile) {
        INFO(source.substr(0, 120));
        const auto start = std::clock();
        CHECK_THROWS_AS(render(source), silica::Error);
        CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC < 60);
    }
}

TEST_CASE("Cut and mutilated templates give a text or an error", "[jinja]") {
    const std::string source =
        "{%- set ns = namespace(n=0) -%}{# c #}{% macro f(a, b=[1, {'k': 'v'}]) %}{{ a ~ b[-1].k|upper }}{% endmacro %}"
        "{% for k, v in d.items() if k is string and not v in (1, 2.5e3) %}{% if loop.last %}{% break %}{% endif %}"
        "{{ f('x\\u00e9' * 2, b=[1][::-1]) if v else \"q\" }}{% endfor %}{% raw %}{{ }}{% endraw %}{{ '%s' % d }}";
    for (std::size_t i = 0; i <= source.size(); ++i) {
        for (const std::string& changed :
             {source.substr(0, i), source.substr(i),
              source.substr(0, i) + source.substr(std::min(i + 3, source.size())),
              source.substr(0, i) + "{% %}" + source.substr(i), source.substr(0, i) + "'" + source.substr(i)}) {
            try {
                static_cast<void>(render(changed, R"({"d": {"a": 1, "b": null}})"));
            } catch (const silica::Error&) {
            }
        }
    }
    SUCCEED();
}

TEST_CASE("The chat template of a checkpoint is found", "[jinja]") {
    const Directory dir;
    const auto messages =
        Json::parse(R"([{"role": "user", "content": "Hi", "tool_calls": null, "reasoning": "r"}])", "m");
    const auto tools = Json::parse(R"([{"type": "function"}])", "t");
    CHECK_THROWS_WITH(ChatTemplate::open(dir.path), ContainsSubstring("no chat template"));

    dir.write("tokenizer_config.json", R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template":
        [{"name": "default", "template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"},
         {"name": "tool_use", "template": "tools {{ tools|length }}"}]})");
    const auto several = ChatTemplate::open(dir.path);
    CHECK(several.names() == std::vector<std::string>{"default", "tool_use"});
    CHECK(several.render(messages) == "<s>Hi</s>");
    CHECK(several.render(messages, {.tools = &tools}) == "tools 1");

    CHECK(several.render(messages, {.tools = &tools, .name = "default"}) == "<s>Hi</s>");
    CHECK_THROWS_WITH(several.render(messages, {.name = "rag"}),
                      ContainsSubstring("'rag'") && ContainsSubstring("'default', 'tool_use'"));

    dir.write("chat_template.json", R"({"chat_template": "json {{ messages[0] }}"})");
    CHECK(ChatTemplate::open(dir.path).render(messages) == "<s>Hi</s>");
    dir.write("processor_config.json", "{}");  // whose file chat_template.json is
    CHECK(ChatTemplate::open(dir.path).render(messages) ==
          "json {'thinking': 'r', 'role': 'user', 'content': 'Hi', 'reasoning': 'r', 'reasoning_content': 'r'}");

    dir.write("chat_template.jinja", "file {{ add_generation_prompt }} {{ tools }}\n");
    dir.write("additional_chat_templates/rag.jinja", "rag");
    const auto files = ChatTemplate::open(dir.path);
    CHECK(files.names() == std::vector<std::string>{"default", "rag"});
    CHECK(files.render(messages, {.add_generation_prompt = true}) == "file True None");
    CHECK_THROWS_AS(files.render(Json::parse("[]", "m")), InputError);
    CHECK_THROWS_AS(files.render(Json::parse("[1]", "m")), InputError);
    CHECK_THROWS_AS(files.render(Json::parse("{}", "m")), InputError);
    const auto wrong = Json::parse(R"([[1], {"role": "user"}])", "w");
    CHECK_THROWS_AS(files.render(messages, {.tools = &wrong}), InputError);
    CHECK_THROWS_AS(files.render(messages, {.more = &wrong}), InputError);
    CHECK_THROWS_AS(files.render(messages, {.documents = &wrong}), InputError);
    const auto taken = Json::parse(R"({"messages": []})", "w");
    CHECK_THROWS_WITH(files.render(messages, {.more = &taken}), ContainsSubstring("'messages'"));

    dir.write("chat_template.jinja", "a\n{% if %}");
    CHECK_THROWS_WITH(ChatTemplate::open(dir.path), ContainsSubstring("chat_template.jinja, line 2"));
}

TEST_CASE("Chats are turns, or JSON of any numbers", "[jinja]") {
    const auto chat = ChatTemplate::from_text(
        "{{ bos }}{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}{{ seed }}{{ tools|tojson }}"
        "{{ documents|length if documents }}{{ '>' if add_generation_prompt }}",
        {{"bos", "<s>"}});
    CHECK(chat.render({{"user", "Hi"}}) == "<s>user:Hi;null");
    CHECK(chat.render({{"system", "S"}, {"user", "Hi"}}, {.add_generation_prompt = true}) ==
          "<s>system:S;user:Hi;null>");
    CHECK(chat.render(silica::text::messages({{"user", "a"}, {"assistant", "b"}})) == "<s>user:a;assistant:b;null");
    const std::string digits = "123456789012345678901234567890";
    const auto json = Json::parse(R"({"messages": [{"role": "user", "content": )" + digits +
                                      R"(}], "tools": [{"n": -)" + digits + R"(}], "documents": [{}],
        "variables": {"seed": )" + digits +
                                      R"(, "bos": ""}, "add_generation_prompt": true})",
                                  "chat");
    CHECK(chat.render(json) == "user:" + digits + ";" + digits + "[{\"n\": -" + digits + "}]1>");
    const auto more = Json::parse(R"({"seed": 1, "bos": 2})", "more");
    CHECK(chat.render({{"user", "Hi"}}, {.more = &more}) == "2user:Hi;1null");
    CHECK(chat.render(json, {.more = &more}) == "user:" + digits + ";" + digits + "[{\"n\": -" + digits + "}]1>");
}

TEST_CASE("Threads share a template", "[jinja]") {
    const auto chat =
        ChatTemplate::from_text("{% for m in messages %}{{ m.content|upper }}{{ loop.index }}{% endfor %}");
    const auto messages = Json::parse(R"([{"content": "ä"}, {"content": "b"}])", "m");
    std::vector<std::string> out(4);
    std::vector<std::thread> threads;
    for (auto& text : out) {
        threads.emplace_back([&] {
            for (int i = 0; i < 100; ++i) text = chat.render(messages);
        });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& text : out) CHECK(text == "Ä1B2");
}
