#pragma once
/// The filter urlize: addresses in a text become links (jinja2.utils.urlize).

#include <silica/input/text/jinja/arguments.hpp>
#include <silica/input/text/jinja/markup.hpp>
#include <silica/input/text/regex.hpp>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text::jinja::detail {

/// Turns words into links.
class Linker {
public:
    Linker(Session& session, const Args& args) : session_(session) {
        const Bound b("urlize", args, {"trim_url_limit", "nofollow", "target", "rel", "extra_schemes"});
        if (!b.absent(0)) limit_ = b.whole(0, 0);
        std::set<std::string> kinds{"noopener"};
        if (b.flag(1, false)) kinds.insert("nofollow");
        if (!b.absent(3) && truth(*b[3])) {
            for (const auto& kind : words(b.text(3), false)) kinds.insert(kind);
        }
        std::string rel;
        for (const auto& kind : kinds) rel += (rel.empty() ? "" : " ") + kind;
        attributes_ = " rel=\"" + escaped(rel) + '"';
        if (!b.absent(2) && truth(*b[2])) attributes_ += " target=\"" + escape(session, *b[2]).text() + '"';
        if (b.absent(4)) return;
        for (const auto& scheme : iterate(session, *b[4])) {
            if (!scheme.is_text() || !matches(scheme_pattern(), scheme.text())) b.refuse("takes schemes like \"tel:\"");
            schemes_.push_back(scheme.text());
        }
    }

    [[nodiscard]] std::string run(const Value& v) const {
        std::string out;
        for (const auto& word : words(escape(session_, v).text(), true)) {
            session_.take(word.size() * 2 + attributes_.size());
            out += linked(word);
        }
        return out;
    }

private:
    static const Regex& web_pattern() {
        static const Regex made(
            R"((?i)\A((https?://|www\.)(([\w%-]+\.)+)?([a-z]{2,63}|xn--[\w%]{2,59})|([\w%-]{2,63}\.)+)"
            R"((com|net|int|edu|gov|org|info|mil)|(https?://)((([\d]{1,3})(\.[\d]{1,3}){3})|)"
            R"((\[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}\])))(?::[\d]{1,5})?(?:[/?#]\S*)?\z)",
            "urlize");
        return made;
    }
    static const Regex& mail_pattern() {
        static const Regex made(R"(\A\S+@\w[\w.-]*\.\w+\z)", "urlize");
        return made;
    }
    static const Regex& scheme_pattern() {
        static const Regex made(R"(\A[\w.+-]{2,}:/{0,2}\z)", "urlize");
        return made;
    }
    [[nodiscard]] static bool matches(const Regex& pattern, std::string_view text) {
        bool found = false;
        pattern.each_match(text, [&found](std::size_t, std::size_t) { found = true; });
        return found;
    }
    /// Words, and with `spaces` what stands between them.
    [[nodiscard]] static std::vector<std::string> words(std::string_view text, bool spaces) {
        std::vector<std::string> out;
        bool before = true;
        for (std::size_t i = 0; i < text.size();) {
            const auto c = utf8::decode(text.data() + i);
            const bool space = is_space(c.value);
            if (space != before || (out.empty() && spaces)) {
                if (!space || spaces) out.emplace_back();
            }
            if (!space || spaces) out.back().append(text.substr(i, c.length));
            before = space;
            i += c.length;
        }
        return out;
    }
    [[nodiscard]] static std::size_t count(std::string_view text, std::string_view part) {
        std::size_t n = 0;
        for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) ++n;
        return n;
    }
    [[nodiscard]] std::string shortened(const std::string& url) const {
        if (!limit_ || static_cast<std::int64_t>(utf8::count(url)) <= *limit_) return url;
        const auto all = characters(url);
        const auto size = static_cast<std::int64_t>(all.size());
        const std::int64_t keep = *limit_ < 0 ? std::max<std::int64_t>(size + *limit_, 0) : *limit_;
        return utf8_of(std::u32string_view(all).substr(0, static_cast<std::size_t>(keep))) + "...";
    }
    [[nodiscard]] std::string linked(const std::string& word) const {
        std::string_view rest = word, head, tail;
        std::size_t start = 0;
        while (start < rest.size()) {
            if (rest[start] == '(' || rest[start] == '<')
                ++start;
            else if (rest.substr(start, 4) == "&lt;")
                start += 4;
            else
                break;
        }
        head = rest.substr(0, start);
        rest.remove_prefix(start);
        std::size_t end = rest.size();
        while (end > 0) {
            if (std::string_view(")>.,\n").find(rest[end - 1]) != std::string_view::npos)
                --end;
            else if (end >= 4 && rest.substr(end - 4, 4) == "&gt;")
                end -= 4;
            else
                break;
        }
        tail = rest.substr(end);
        std::string middle(rest.substr(0, end));
        constexpr std::string_view pairs[][2] = {{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}};
        for (const auto& [open, close] : pairs) {
            const std::size_t opened = count(middle, open);
            if (opened <= count(middle, close)) continue;
            for (std::size_t n = std::min(opened, count(tail, close)); n > 0; --n) {
                const std::size_t to = tail.find(close) + close.size();
                middle += tail.substr(0, to);
                tail.remove_prefix(to);
            }
        }
        return std::string(head) + link(middle) + std::string(tail);
    }
    [[nodiscard]] std::string link(const std::string& url) const {
        const auto made = [this](const std::string& to, const std::string& text) {
            return "<a href=\"" + to + '"' + attributes_ + '>' + text + "</a>";
        };
        if (matches(web_pattern(), url)) {
            const bool scheme = url.starts_with("https://") || url.starts_with("http://");
            return made((scheme ? "" : "https://") + url, shortened(url));
        }
        if (url.starts_with("mailto:") && matches(mail_pattern(), std::string_view(url).substr(7))) {
            return "<a href=\"" + url + "\">" + url.substr(7) + "</a>";
        }
        const bool mail = url.find('@') != std::string::npos && !url.starts_with("www.") && !url.starts_with('@') &&
                          url.find(':') == std::string::npos;
        if (mail && matches(mail_pattern(), url)) return "<a href=\"mailto:" + url + "\">" + url + "</a>";
        std::string out = url;
        for (const auto& scheme : schemes_) {
            if (out != scheme && out.starts_with(scheme)) out = made(out, out);
        }
        return out;
    }

    Session& session_;
    std::optional<std::int64_t> limit_;
    std::string attributes_;
    std::vector<std::string> schemes_;
};

}  // namespace silica::text::jinja::detail
