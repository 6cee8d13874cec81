/// `silica describe`: pictures and a text to text.

#include <iostream>
#include <iterator>
#include <memory>

#include <unistd.h>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "files.hpp"
#include "generate_flags.hpp"
#include "host_model.hpp"
#include "image_chat.hpp"
#include "image_prompt.hpp"
#include "models.hpp"
#include "silica/task/image_writer.hpp"
#include "talk.hpp"

namespace silica::bench {
namespace {

struct DescribeOptions {
    PlaceFlags place;
    GenerateFlags flags;
    Flag chat;
    std::vector<std::string> prompts, files;
    std::string output = "text";
};

/// The head that config.json names, if it writes about pictures.
const Head& describer_of(const Subject& subject) {
    const Head& head = head_for_checkpoint(subject);
    const bool writes = head.task == "generate" && subject.family->name.starts_with("llava");
    if (!writes) {
        refuse_head(subject, head, "does not write about pictures",
                    "use a checkpoint of LlavaForConditionalGeneration or LlavaNextForConditionalGeneration.");
    }
    return head;
}

std::string_view reason_of(generate::Finish finish) {
    if (finish == generate::Finish::eos || finish == generate::Finish::stop_string) return "stop";
    return generate::name_of(finish);
}

std::string json_of(const task::Described& out) {
    const auto& written = out.written;
    const nlohmann::ordered_json made = {{"prompt", out.prompt},
                                         {"generated_text", out.text()},
                                         {"generated_ids", written.tokens.front()},
                                         {"prompt_tokens", written.prompt_tokens},
                                         {"image_tokens", out.image_tokens},
                                         {"finish_reason", reason_of(written.finish.front())},
                                         {"prefill_seconds", written.prefill_seconds},
                                         {"decode_seconds", written.decode_seconds}};
    return made.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::size_t count(const std::string& text, const std::string& token) {
    std::size_t n = 0;
    for (auto at = text.find(token); at != std::string::npos; at = text.find(token, at + token.size())) ++n;
    return n;
}

/// Prompts with their pictures. Where image tokens are written, they stand for the pictures one after another; else
/// each prompt is about all of them.
std::vector<task::Asked> asked(const image_text::Processor& processor, const std::vector<std::string>& prompts,
                               const std::vector<image::Image>& images) {
    std::size_t written = 0;
    for (const auto& text : prompts) written += count(text, processor.image_token());
    const bool apart = written > 0 && prompts.size() > 1;
    if (apart && written != images.size()) {
        throw InputError(
            "The prompts have " + count_of(written, "image token") + " (" + processor.image_token() + "), and there " +
                (images.size() == 1 ? "is 1 picture." : "are " + std::to_string(images.size()) + " pictures."),
            "write one for each picture, or none: then each prompt is about all pictures.");
    }
    std::vector<task::Asked> made;
    auto next = images.begin();
    for (const auto& text : prompts) {
        const auto n = static_cast<std::ptrdiff_t>(apart ? count(text, processor.image_token()) : images.size());
        const auto from = apart ? next : images.begin();
        if (apart) next += n;
        std::vector<image::Image> own(from, from + n);
        auto prompt = processor.prompt_of(text, own);
        made.push_back({std::move(prompt), std::move(own)});
    }
    return made;
}

/// The same of chats.
std::vector<task::Asked> asked(const image_text::Processor& processor, const Json& chats,
                               const std::vector<image::Image>& images) {
    std::vector<task::Asked> made;
    for (const auto& messages : image_chats(chats, processor, images))
        made.push_back({processor.prompt_of(messages), image_text::images_of(messages)});
    return made;
}

/// A checkpoint with its model on a device.
struct Session {
    task::ImageWriter writer;
    std::shared_ptr<Opened> model;
    generate::GenerationConfig config;

    [[nodiscard]] generate::Decoder& decoder() const { return *model->decoder(); }
};

/// One answer as it comes, or several once they are there.
int answer(const Session& s, const std::vector<task::Asked>& asked, Output output) {
    const bool as_text = output == Output::text, streams = as_text && asked.size() == 1;
    const auto out = s.writer.batch(s.decoder(), asked, s.config, streams ? print_piece : task::OnToken{});
    const bool list = output == Output::json && out.size() > 1;
    for (std::size_t i = 0; i < out.size(); ++i) {
        std::cout << (list ? i == 0 ? "[" : " " : "");
        std::cout << (streams ? std::string() : as_text ? out[i].text() : json_of(out[i]));
        std::cout << (!list ? "" : i + 1 < out.size() ? "," : "]") << std::endl;
    }
    auto whole = out.front().written;
    for (const auto& one : std::span(out).subspan(1)) {
        whole.tokens.insert(whole.tokens.end(), one.written.tokens.begin(), one.written.tokens.end());
        whole.prompt_tokens += one.written.prompt_tokens, whole.new_tokens += one.written.new_tokens;
    }
    print_speed(whole);
    return Exit::done;
}

/// Turn by turn from a terminal; /image FILE adds a picture to the next question.
int converse(const Session& s, std::vector<image::Image> images) {
    const auto& processor = s.writer.processor();
    task::ImageTalk talked;
    const auto ask = [&](const std::string& line) {
        const auto out = processor.has_template()
                             ? talked.ask(s.writer, s.decoder(), images, line, s.config, print_piece)
                             : s.writer(s.decoder(), line, images, s.config, print_piece);
        images.clear();
        std::cout << std::endl;
        print_speed(out.written);
    };
    const auto command = [&](const std::string& line) {
        constexpr std::string_view image = "/image ";
        if (line.starts_with(image)) {
            images.push_back(read_for(processor, line.substr(image.size())));
            return true;
        }
        if (line != "/clear") return false;
        talked = task::ImageTalk();
        images.clear();
        return true;
    };
    const std::string kind =
        processor.has_template() ? "A chat with the checkpoint's template" : "No chat template: each line is a prompt";
    return talk(kind +
                    ". /image FILE shows a picture with the next question, /clear forgets what was said, /exit or "
                    "control-D ends.",
                command, ask);
}

int describe(const DescribeOptions& o) {
    const auto output = output_named(o.output, {"text", "json", "jsonl"});
    if (o.chat && !o.prompts.empty()) throw InputError("--prompt and --chat are both given.", "give one of them.");
    auto config = o.flags.parsed();
    if (!config.do_sample) config.do_sample = false;
    const auto* device = o.place.device();
    if (device == nullptr) return Exit::no_hardware;
    const Subject subject = o.place.subject();
    const Head& head = describer_of(subject);
    auto writer = task::ImageWriter::open(subject.origin.directory);
    const auto& processor = writer.processor();
    const auto images = read_all_for(processor, o.files);
    const bool talks = o.prompts.empty() && !o.chat && isatty(STDIN_FILENO) == 1;
    std::vector<task::Asked> questions;
    if (o.chat) {
        questions = asked(processor, json_argument("--chat", *o.chat), images);
    } else if (!talks) {
        auto prompts = o.prompts;
        if (prompts.empty())
            prompts.emplace_back(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
        questions = asked(processor, prompts, images);
    }
    // What is wrong with a prompt is said before the weights are read.
    for (const auto& one : questions) static_cast<void>(processor.tokens(one.prompt, one.images));
    const Session session{std::move(writer), o.place.open(subject, head, *device), std::move(config)};
    return talks ? converse(session, images) : answer(session, questions, output);
}

}  // namespace

Action add_describe(CLI::App& app) {
    auto o = std::make_shared<DescribeOptions>();
    Command c(app, "describe", "Write about pictures: answer a question, or talk with you");
    o->place.add_directory_to(c);
    c.arguments("image", o->files, "pictures: JPEG, PNG or WebP; may be none");
    c.option("--prompt", o->prompts,
             "what is asked; with an image token for each picture it is the whole prompt. May be given several times: "
             "they are answered together");
    c.option("--chat", o->chat,
             "messages, as JSON or a file of it: [{\"role\": \"user\", \"content\": [{\"type\": \"image\"}, {\"type\": "
             "\"text\", \"text\": \"...\"}]}], or a list of such lists");
    c.option("--output", o->output,
             "text (as it comes; of several in turn), json (an object; of several a list) or jsonl (an object in a "
             "line). Default: text");
    o->flags.add_to(c);
    o->place.add_to(c);
    c.footer(
        "Without --prompt it talks with you where standard input is a terminal (/image FILE shows a further picture), "
        "and\n"
        "takes what comes from standard input where it is not. A prompt without image tokens goes through the chat "
        "template.\n"
        "With several prompts the pictures go to their image tokens in turn; where none has one, each prompt is about "
        "all. "
        "An\n"
        "image of --chat is the next picture, or names its file: {\"type\": \"image\", \"path\": \"cat.jpg\"}.\n"
        "The most likely tokens are written unless a flag says otherwise. Output: {\"prompt\", \"generated_text\", "
        "\n\"generated_ids\", \"prompt_tokens\", \"image_tokens\", \"finish_reason\"}.");
    return [o] { return describe(*o); };
}

}  // namespace silica::bench
