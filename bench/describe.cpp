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
#include "image_prompt.hpp"
#include "models.hpp"
#include "silica/task/image_writer.hpp"
#include "talk.hpp"

namespace silica::bench {
namespace {

struct Options {
    PlaceFlags place;
    GenerateFlags flags;
    Flag prompt;
    std::vector<std::string> files;
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

/// A checkpoint with its model on a device.
struct Session {
    task::ImageWriter writer;
    std::shared_ptr<Opened> model;
    generate::GenerationConfig config;

    [[nodiscard]] generate::Decoder& decoder() const { return *model->decoder(); }
};

int answer(const Session& s, const std::string& text, const std::vector<image::Image>& images, Output output) {
    const bool as_text = output == Output::text;
    const auto out = s.writer(s.decoder(), text, images, s.config, as_text ? print_piece : task::OnToken{});
    std::cout << (as_text ? std::string() : json_of(out)) << std::endl;
    print_speed(out.written);
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

int describe(const Options& o) {
    const auto output = output_named(o.output, {"text", "json", "jsonl"});
    auto config = o.flags.parsed();
    if (!config.do_sample) config.do_sample = false;
    const auto* device = o.place.device();
    if (device == nullptr) return Exit::no_hardware;
    const Subject subject = o.place.subject();
    const Head& head = describer_of(subject);
    auto writer = task::ImageWriter::open(subject.origin.directory);
    const auto images = read_all_for(writer.processor(), o.files);
    const bool talks = !o.prompt && isatty(STDIN_FILENO) == 1;
    std::string text;
    if (!talks) {
        if (o.prompt)
            text = *o.prompt;
        else
            text.assign(std::istreambuf_iterator<char>(std::cin), {});
        // What is wrong with the prompt is said before the weights are read.
        const auto prompt = writer.processor().prompt_of(text, images);
        static_cast<void>(writer.processor().tokens(prompt, images));
    }
    const Session session{std::move(writer), o.place.open(subject, head, *device), std::move(config)};
    return talks ? converse(session, images) : answer(session, text, images, output);
}

}  // namespace

Action add_describe(CLI::App& app) {
    auto o = std::make_shared<Options>();
    Command c(app, "describe", "Write about pictures: answer a question, or talk with you");
    o->place.add_directory_to(c);
    c.arguments("image", o->files, "pictures: JPEG, PNG or WebP; may be none");
    c.option("--prompt", o->prompt, "what is asked; with an image token for each picture it is the whole prompt");
    c.option("--output", o->output, "text (as it comes), json or jsonl (one object in a line). Default: text");
    o->flags.add_to(c);
    o->place.add_to(c);
    c.footer(
        "Without --prompt it talks with you where standard input is a terminal (/image FILE shows a further picture), "
        "and\n"
        "takes what comes from standard input where it is not. A prompt without image tokens goes through the chat "
        "template.\n"
        "The most likely tokens are written unless a flag says otherwise. Output: {\"prompt\", \"generated_text\", "
        "\n\"generated_ids\", \"prompt_tokens\", \"image_tokens\", \"finish_reason\"}.");
    return [o] { return describe(*o); };
}

}  // namespace silica::bench
