// Which directory, which file, which name: the hub cache, the choice of a file, weight-name rules, hints.

#include "silica/checkpoint/names.hpp"
#include "checkpoint/support.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/checkpoint/nearest.hpp"
#include "silica/checkpoint/origin.hpp"
#include "silica/checkpoint/write_safetensors.hpp"
#include "support/catch.hpp"

#include <cstdlib>
#include <optional>

namespace names_tests {

using namespace silica;
using namespace silica::test;

namespace {

/// Sets an environment variable (null: unsets it) until the end of the scope.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name) {
        if (const char* before = std::getenv(name)) before_ = before;
        set(value);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() { set(before_ ? before_->c_str() : nullptr); }

private:
    void set(const char* value) { value == nullptr ? ::unsetenv(name_) : ::setenv(name_, value, 1); }
    const char* name_;
    std::optional<std::string> before_;
};

/// An empty hub cache, in force until the end of the scope.
struct Cache {
    Directory directory;
    Variable cache{"HF_HUB_CACHE", directory.path().c_str()};

    /// A snapshot of a repository, with `ref` pointing at it.
    fs::path snapshot(const std::string& repo, const std::string& commit, const std::string& ref,
                      const std::vector<std::string>& files) const {
        const auto root = "models--" + repo + "/";
        if (!ref.empty()) directory.write(root + "refs/" + ref, commit);
        const auto at = directory.path() / root / "snapshots" / commit;
        fs::create_directories(at);
        for (const auto& file : files) directory.write(root + "snapshots/" + commit + "/" + file, "{}");
        return at;
    }
};

bool has(const std::string& said, const std::string& words) {
    INFO(said << "\n  wanted: " << words);
    CHECK(said.find(words) != std::string::npos);
    return said.find(words) != std::string::npos;
}

std::string unresolved(const std::string& name, Need need = Need::model) {
    return refusal([&] { return resolve(name, need); });
}

/// Entries of these names, each with bytes of its own.
std::vector<TensorEntry> entries_of(const std::vector<std::string>& names) {
    std::vector<TensorEntry> entries;
    for (const auto& name : names)
        entries.push_back({.name = name,
                           .dtype = at::kFloat,
                           .shape = {1},
                           .strides = {1},
                           .offset = 4 * entries.size(),
                           .nbytes = 4});
    return entries;
}

const NameRules bert = {.base_prefix = "bert.",
                        .head_prefixes = {"cls.", "classifier.", "qa_outputs."},
                        .ignored = {"embeddings.position_ids$", "cls.seq_relationship"}};

// transformers v5 renamed ViT's parts (its PR 41693); files of both spellings exist.
const NameRules vit = {.base_prefix = "vit.",
                       .head_prefixes = {"classifier."},
                       .renames = {{"layers.{n}.attention.q_proj", "encoder.layer.{n}.attention.attention.query"},
                                   {"layers.{n}.attention.k_proj", "encoder.layer.{n}.attention.attention.key"},
                                   {"layers.{n}.attention.v_proj", "encoder.layer.{n}.attention.attention.value"},
                                   {"layers.{n}.attention.o_proj", "encoder.layer.{n}.attention.output.dense"},
                                   {"layers.{n}.mlp.fc1", "encoder.layer.{n}.intermediate.dense"},
                                   {"layers.{n}.mlp.fc2", "encoder.layer.{n}.output.dense"},
                                   {"^layers.{n}", "encoder.layer.{n}"}}};

// Four spellings of LLaVA; its language model is a LLaMA, its vision tower a CLIP.
const NameRules llava = {.base_prefix = "model.",
                         .head_prefixes = {"lm_head."},
                         .renames = {{"^language_model.lm_head", "lm_head"},
                                     {"^language_model.model", "language_model"},
                                     {"^vision_tower.vision_model", "vision_tower"}},
                         .ignored = {"rotary_emb.inv_freq$"}};

// DETR's backbone is a timm ResNet in most files, one of transformers in revision no_timm.
const NameRules detr = {
    .base_prefix = "model.",
    .head_prefixes = {"class_labels_classifier.", "bbox_predictor."},
    .renames = {{"backbone.model", "backbone.conv_encoder.model"},
                {"layers.{n}.mlp.fc1", "layers.{n}.fc1"},
                {"layers.{n}.mlp.fc2", "layers.{n}.fc2"},
                {"self_attn.o_proj", "self_attn.out_proj"},
                {"encoder_attn.o_proj", "encoder_attn.out_proj"},
                {"model.encoder.stages.{s}.layers.{l}.layer.0.convolution", "model.layer{s+1}.{l}.conv1"},
                {"model.encoder.stages.{s}.layers.{l}.layer.0.normalization", "model.layer{s+1}.{l}.bn1"}}};

}  // namespace

TEST_CASE("the hub cache is found by the rule of huggingface_hub") {
    const Variable a("HF_HUB_CACHE", nullptr), b("HUGGINGFACE_HUB_CACHE", nullptr), c("HF_HOME", nullptr),
        d("XDG_CACHE_HOME", nullptr), e("HOME", "/home/me");
    CHECK(hub_cache() == "/home/me/.cache/huggingface/hub");
    const Variable xdg("XDG_CACHE_HOME", "/x");
    CHECK(hub_cache() == "/x/huggingface/hub");
    const Variable empty("HF_HOME", "");
    CHECK(hub_cache() == "/x/huggingface/hub");
    const Variable home("HF_HOME", "~/hf");
    CHECK(hub_cache() == "/home/me/hf/hub");
    const Variable old("HUGGINGFACE_HUB_CACHE", "/old");
    CHECK(hub_cache() == "/old");
    const Variable cache("HF_HUB_CACHE", "/cache");
    CHECK(hub_cache() == "/cache");
}

TEST_CASE("variables in the variables of the cache are expanded as huggingface_hub does") {
    const Variable a("HF_HUB_CACHE", nullptr), b("HUGGINGFACE_HUB_CACHE", nullptr), c("HF_HOME", nullptr),
        d("XDG_CACHE_HOME", nullptr), e("HOME", "/home/me"), f("SILICA_A", "/a"), g("SILICA_B", "b"),
        none("SILICA_C", nullptr);
    for (const auto& [value, path] :
         std::vector<std::pair<const char*, const char*>>{{"$SILICA_A/hf", "/a/hf"},
                                                          {"${SILICA_A}/x${SILICA_B}y/$SILICA_B", "/a/xby/b"},
                                                          {"~/$SILICA_B", "/home/me/b"},
                                                          {"/x/$SILICA_C/${SILICA_C}", "/x/$SILICA_C/${SILICA_C}"},
                                                          {"/x/$", "/x/$"},
                                                          {"/x/${SILICA_A", "/x/${SILICA_A"},
                                                          {"/x/${}$$SILICA_B", "/x/${}$b"}}) {
        CAPTURE(value);
        for (const auto* variable : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
            const Variable set(variable, value);
            CHECK(hub_cache() == path);
        }
        const Variable home("HF_HOME", value);
        CHECK(hub_cache() == fs::path(path) / "hub");
        const Variable not_home("HF_HOME", nullptr), xdg("XDG_CACHE_HOME", value);
        CHECK(hub_cache() == fs::path(path) / "huggingface" / "hub");
    }
}

TEST_CASE("a link whose blob is gone is told as that, whichever file it is") {
    const Cache cache;
    const auto at = cache.snapshot("org--name", "c0ffee", "main", {"config.json", "model.safetensors"});
    const auto lost = [&](const std::string& file) {
        fs::remove(at / file);
        fs::create_symlink("../../blobs/gone", at / file);
        const auto text = unresolved("org/name");
        has(text, file + " is a link, and what it points to is gone: ../../blobs/gone.");
        has(text, "Run `hf download org/name " + file + " --revision c0ffee`.");
    };
    lost("tokenizer.json");  // without it, vocab.txt would be another tokenizer
    fs::remove(at / "tokenizer.json");
    lost("config.json");
    fs::remove(at / "config.json");
    cache.directory.write("models--org--name/snapshots/c0ffee/config.json", "{}");
    fs::remove(at / "model.safetensors");
    fs::create_symlink("../../blobs/gone", at / "model.safetensors");
    has(unresolved("org/name"), "model.safetensors is a link, and what it points to is gone: ../../blobs/gone.");
    has(refusal([&] { return Checkpoint::open(at); }), "model.safetensors is a link, and what it points to is gone");
    fs::remove(at / "model.safetensors");
    cache.directory.write("models--org--name/snapshots/c0ffee/model.safetensors.index.json",
                          R"({"weight_map":{"a":"m-1.safetensors"}})");
    fs::create_symlink("../../blobs/gone", at / "m-1.safetensors");
    has(refusal([&] { return Checkpoint::open(at); }), "m-1.safetensors is a link, and what it points to is gone");
    const Directory here;
    fs::create_symlink("elsewhere", here.path() / "model.safetensors");
    has(refusal([&] { return Checkpoint::open(here.path()); }), "what it points to is gone: elsewhere. Remedy: Put");
}

TEST_CASE("a file in a folder of a snapshot is downloaded by its whole name, one that the repository lacks is not") {
    const Cache cache;
    const auto at = cache.snapshot("org--name", "c0ffee", "main", {"config.json", "0_Transformer/model.safetensors"});
    has(refusal([&] { return Checkpoint::open(at / "0_Transformer"); }),
        "hf download org/name 0_Transformer/model.safetensors --revision c0ffee --force-download");
    has(unresolved("org/name"), "\"*.bin*\" where the repository has no safetensors");
    for (const auto* file : {"model.safetensors", "model.safetensors.index.json"})
        cache.directory.write("models--org--name/.no_exist/c0ffee/" + std::string(file), "");
    has(unresolved("org/name"), "--include \"*.bin*\" --revision c0ffee`: the repository has no safetensors.");
}

TEST_CASE("names of repositories follow huggingface_hub's rules and cannot leave the cache") {
    for (const auto* good :
         {"foo", "foo/bar", "123", "Foo-BAR_foo.bar123", "_a/b_", "a/b@main", "a/b@refs/pr/3", "a/b@v1.0-rc+1"})
        CHECK(repo_name(good).has_value());
    for (const auto* bad :
         {"",        "/",       "a/",          "/a",     "a/b/c",  "..",       "a/..",   "../a",     "a..b",
          "a--b",    "a/b--c",  ".a/b",        "a/.b",   "-a",     "a-",       "a.git",  "a/b.git",  "a b",
          "a/b@",    "a/b@..",  "a/b@../../x", "a/b@/x", "a/b@x/", "a/b@x//y", "a/b@.x", "a/b@x/.y", "a/b@-x",
          "a/b@x y", "a/b@c@d", "\u00e9/b",    "a\n/b",  "~",      "a\\b"}) {
        INFO(bad);
        CHECK_FALSE(repo_name(bad).has_value());
    }
    CHECK_FALSE(repo_name(std::string(97, 'a')).has_value());
    CHECK(repo_name("org/name@refs/pr/3")->repo == "org/name");
    CHECK(repo_name("org/name@refs/pr/3")->revision == "refs/pr/3");
    CHECK(repo_name("org/name")->revision.empty());
}

TEST_CASE("a repository resolves to the snapshot that its ref names, a local directory wins") {
    const Cache cache;
    const std::vector<std::string> whole = {"config.json", "model.safetensors"};
    const auto main = cache.snapshot("org--name", "c0ffee", "main", whole);
    const auto pr = cache.snapshot("org--name", "decade", "refs/pr/7", whole);
    const auto old = cache.snapshot("gpt2", "0ldc0de", "main", {});
    cache.directory.write("models--gpt2/refs/main", "0ldc0de\n");
    CHECK(resolve("org/name") == main);
    CHECK(resolve("org/name@main") == main);
    CHECK(resolve("org/name@refs/pr/7") == pr);
    CHECK(resolve("org/name@decade") == pr);  // a commit itself
    CHECK(resolve("gpt2", Need::directory) == old);
    const auto before = fs::current_path();
    const Directory here;
    fs::create_directories(here.path() / "org" / "name");
    fs::current_path(here.path());
    CHECK(resolve("org/name") == "org/name");
    fs::current_path(before);
    CHECK(resolve(here.path().string()) == here.path());
    const Variable home("HOME", here.path().c_str());
    CHECK(resolve("~/org") == here.path() / "org");
}

TEST_CASE("what the cache lacks is said with the line that brings it") {
    const Cache cache;
    has(unresolved("org/name"), "org/name is neither a directory here nor in the hub cache " +
                                    cache.directory.path().string() + ". Remedy: Run `hf download org/name`.");
    has(unresolved("org/name@refs/pr/7"), "Run `hf download org/name --revision refs/pr/7`.");
    has(unresolved("no/such/thing"), "There is no directory 'no/such/thing'");
    has(unresolved("../up"), "There is no directory '../up'");
    has(unresolved(""), "There is no directory ''");
    const auto part = cache.snapshot("org--name", "c0ffee", "main", {});
    has(unresolved("org/name"), "has no config.json. Remedy: Run `hf download org/name config.json`.");
    CHECK(resolve("org/name", Need::directory) == part);
    cache.snapshot("org--name", "c0ffee", "main", {"config.json"});
    has(unresolved("org/name"), "holds no weights");
    has(unresolved("org/name"),
        "It has 'config.json'. Remedy: Run `hf download org/name --include \"*.safetensors*\" --revision c0ffee`");
    cache.snapshot("org--name", "c0ffee", "main", {"tf_model.h5"});
    has(unresolved("org/name"), "These are weights of another framework");
    has(unresolved("org/name@v2"), "not its revision 'v2' (it has main)");
    has(unresolved("org/name@v2"), "Run `hf download org/name --revision v2`.");
    cache.directory.write("models--org--name/refs/bad", "../../../../etc");
    has(unresolved("org/name@bad"), "should hold the name of a commit, but holds '../../../../etc'");
    cache.directory.write("models--org--name/refs/empty", "");
    has(unresolved("org/name@empty"), "should hold the name of a commit");
    cache.directory.write("models--org--name/refs/gone", "abcdef");
    has(unresolved("org/name@gone"), "not its revision 'gone'");
    fs::create_symlink(cache.directory.path() / "blobs" / "gone",
                       part / "model.safetensors");  // an interrupted download
    has(unresolved("org/name"), "model.safetensors is a link, and what it points to is gone");
}

TEST_CASE("errors about files in the cache name the download, elsewhere they do not") {
    const Cache cache;
    const auto at = cache.snapshot("org--name", "c0ffee", "main", {"config.json"});
    cache.directory.write("models--org--name/snapshots/c0ffee/model.safetensors", "abc");
    has(refusal([&] { return Checkpoint::open(at); }),
        "Run `hf download org/name model.safetensors --revision c0ffee --force-download`.");
    fs::remove(at / "model.safetensors");
    cache.directory.write("models--org--name/snapshots/c0ffee/model.safetensors.index.json",
                          R"({"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}})");
    has(refusal([&] { return Checkpoint::open(at); }),
        "Run `hf download org/name m-1.safetensors m-2.safetensors --revision c0ffee`.");
    CHECK(origin_of("/x/models--org--name/snapshots/c0ffee/sub/f")->repo == "org/name");
    CHECK(origin_of("/x/models--org--name/snapshots/c0ffee/sub/f")->file == "sub/f");
    CHECK(origin_of("/x/models--org--name/snapshots/c0ffee")->file.empty());
    CHECK(origin_of("/x/models--gpt2/snapshots/c0ffee/")->repo == "gpt2");
    CHECK_FALSE(origin_of("/x/models--org--name/snapshots").has_value());
    CHECK_FALSE(origin_of("/x/model/snapshots/1/f").has_value());
}

TEST_CASE("of several files of weights the first in the order of weight_files is opened") {
    const Directory directory;
    const auto at = directory.path();
    const auto copy = [&](const char* from) {
        fs::copy(golden(from), at, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    };
    copy("sharded_bin");
    CHECK(Checkpoint::open(at).format() == "torch zip, 3 shards");
    fs::copy(golden("zip.bin"), at / "pytorch_model.bin");
    CHECK(Checkpoint::open(at).format() == "torch zip");
    copy("sharded");
    CHECK(Checkpoint::open(at).format() == "safetensors, 3 shards");
    fs::copy(golden("float32.safetensors"), at / "model.safetensors");
    CHECK(Checkpoint::open(at).format() == "safetensors");
}

TEST_CASE("a directory without weights is listed, with what to do") {
    const Directory directory;
    const auto said = [&] { return refusal([&] { return Checkpoint::open(directory.path()); }); };
    has(said(), "It has nothing. Remedy: Put model.safetensors");
    directory.write("tf_model.h5", "");
    directory.write("flax_model.msgpack", "");
    has(said(), "It has 'flax_model.msgpack', 'tf_model.h5'. Remedy: These are weights of another framework");
    has(refusal([&] { return Checkpoint::open(directory.path() / "none"); }), "No such file or directory");
    for (int i = 0; i < 30; ++i) directory.write("file" + std::to_string(i), "");
    has(said(), ", ....");
}

TEST_CASE("BERT's names are the same with and without prefix, in old and new spelling") {
    const NameTranslator names(bert);
    CHECK(names.canonical("bert.encoder.layer.11.output.LayerNorm.gamma") ==
          "bert.encoder.layer.11.output.LayerNorm.weight");
    CHECK(names.canonical("encoder.layer.11.output.LayerNorm.beta") == "bert.encoder.layer.11.output.LayerNorm.bias");
    CHECK(names.canonical("pooler.dense.weight") == "bert.pooler.dense.weight");
    CHECK(names.canonical("cls.predictions.transform.LayerNorm.gamma") == "cls.predictions.transform.LayerNorm.weight");
    CHECK(names.canonical("classifier.weight") == "classifier.weight");
    CHECK(names.canonical("gamma") == "bert.gamma");
    CHECK(names.ignored("bert.embeddings.position_ids"));
    CHECK(names.ignored("embeddings.position_ids"));
    CHECK(names.ignored("cls.seq_relationship.weight"));
    CHECK_FALSE(names.ignored("embeddings.position_embeddings.weight"));

    auto entries = entries_of({"bert.embeddings.position_ids", "embeddings.LayerNorm.gamma", "cls.predictions.bias"});
    const auto canonical = canonical_names(entries, bert);
    CHECK(canonical.names.size() == 2);
    CHECK(canonical.names.at("bert.embeddings.LayerNorm.weight") == &entries[1]);
    REQUIRE(canonical.ignored.size() == 1);
    CHECK(canonical.ignored[0] == &entries[0]);
}

TEST_CASE("two spellings of one weight in one file are an error unless they are the same bytes") {
    auto entries = entries_of({"bert.pooler.dense.weight", "pooler.dense.weight"});
    has(refusal([&] { return canonical_names(entries, bert); }),
        "holds two different tensors for 'bert.pooler.dense.weight': 'bert.pooler.dense.weight' and "
        "'pooler.dense.weight'");
    entries[1].offset = entries[0].offset;
    CHECK(canonical_names(entries, bert).names.size() == 1);
    entries[1].shape = entries[1].strides = {1, 1};
    has(refusal([&] { return canonical_names(entries, bert); }), "two different tensors");
}

TEST_CASE("the spellings of transformers v5 become those of the hub") {
    const auto becomes = [](const NameRules& rules, const std::string& name, const std::string& wanted) {
        CHECK(NameTranslator(rules).canonical(name) == wanted);
        CHECK(NameTranslator(rules).canonical(wanted) == wanted);  // once is enough
    };
    becomes(vit, "vit.layers.10.attention.q_proj.weight", "vit.encoder.layer.10.attention.attention.query.weight");
    becomes(vit, "layers.0.attention.o_proj.bias", "vit.encoder.layer.0.attention.output.dense.bias");
    becomes(vit, "vit.layers.3.mlp.fc1.weight", "vit.encoder.layer.3.intermediate.dense.weight");
    becomes(vit, "vit.layers.3.layernorm_before.weight", "vit.encoder.layer.3.layernorm_before.weight");
    becomes(vit, "embeddings.cls_token", "vit.embeddings.cls_token");
    becomes(vit, "classifier.weight", "classifier.weight");
    for (const auto* name :
         {"language_model.model.layers.0.mlp.up_proj.weight", "model.language_model.layers.0.mlp.up_proj.weight",
          "model.language_model.model.layers.0.mlp.up_proj.weight", "language_model.layers.0.mlp.up_proj.weight"})
        becomes(llava, name, "model.language_model.layers.0.mlp.up_proj.weight");
    for (const auto* name : {"vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias",
                             "model.vision_tower.encoder.layers.0.mlp.fc1.bias"})
        becomes(llava, name, "model.vision_tower.encoder.layers.0.mlp.fc1.bias");
    for (const auto* name : {"language_model.lm_head.weight", "lm_head.weight", "model.lm_head.weight"})
        becomes(llava, name, "lm_head.weight");
    becomes(llava, "multi_modal_projector.linear_1.weight", "model.multi_modal_projector.linear_1.weight");
    becomes(llava, "image_newline", "model.image_newline");
    CHECK(NameTranslator(llava).ignored("language_model.model.layers.3.self_attn.rotary_emb.inv_freq"));
    becomes(detr, "model.backbone.model.layer1.0.conv1.weight",
            "model.backbone.conv_encoder.model.layer1.0.conv1.weight");
    becomes(detr, "model.backbone.conv_encoder.model.encoder.stages.2.layers.5.layer.0.convolution.weight",
            "model.backbone.conv_encoder.model.layer3.5.conv1.weight");
    becomes(detr, "decoder.layers.1.mlp.fc2.bias", "model.decoder.layers.1.fc2.bias");
    becomes(detr, "model.decoder.layers.1.encoder_attn.o_proj.bias",
            "model.decoder.layers.1.encoder_attn.out_proj.bias");
    becomes(detr, "bbox_predictor.layers.0.weight", "bbox_predictor.layers.0.weight");
    becomes({.base_prefix = "wav2vec2.", .head_prefixes = {"lm_head."}},
            "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0",
            "wav2vec2.encoder.pos_conv_embed.conv.weight_g");
    becomes({}, "text_model.x", "text_model.x");
}

TEST_CASE("patterns match whole segments, numbers and one-segment wildcards") {
    const auto apply = [](const std::string& from, const std::string& to, std::string name) {
        NamePattern(from, to).apply(name);
        return name;
    };
    CHECK(apply("a.b", "x", "a.b.c") == "x.c");
    CHECK(apply("a.b", "x", "z.a.b") == "z.x");
    CHECK(apply("a.b", "x", "za.b.c") == "za.b.c");
    CHECK(apply("a.b", "x", "a.bz.c") == "a.bz.c");
    CHECK(apply("^a", "x", "z.a") == "z.a");
    CHECK(apply("^a", "x", "a.a") == "x.a");
    CHECK(apply("a$", "x", "a.a") == "a.x");
    CHECK(apply("h.{n}.w", "layer.{n}.weight", "h.12.w") == "layer.12.weight");
    CHECK(apply("h.{n}.w", "layer.{n}.weight", "h.x.w") == "h.x.w");
    CHECK(apply("h.{n}.{m}", "{m}.{n}", "h.1.2") == "2.1");
    CHECK(apply("lay{n}.w", "conv{n-1}.w", "lay3.w") == "conv2.w");
    CHECK(apply("a{n}", "a{n+1}", "a9") == "a10");
    CHECK(apply("a.*.c.*", "*.*", "a.b.c.d.e") == "b.d.e");
    CHECK(apply("a.*", "x.*", "a") == "a");
    CHECK(apply("gone", "", "a.gone.b") == "a.b");
    CHECK(apply("gone", "", "gone.b") == "b");
    CHECK(apply("gone", "", "a.gone") == "a");
    CHECK(apply("gone", "", "gone").empty());
    CHECK(apply("a{n}", "b{n}", "a99999999999999999999") == "a99999999999999999999");  // more digits than a layer has
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{"", "x"},
                                                                                   {"^", "x"},
                                                                                   {"$", "x"},
                                                                                   {"a{", "x"},
                                                                                   {"a{}", "x"},
                                                                                   {"a}", "x"},
                                                                                   {"a", "{n}"},
                                                                                   {"a", "*"},
                                                                                   {"{n}{m}", "x"},
                                                                                   {"**", "x"},
                                                                                   {"a^b", "x"},
                                                                                   {"a$b", "x"},
                                                                                   {"a.{n+1}", "x"},
                                                                                   {"a.{n}", "{n+12}"},
                                                                                   {"a.{n}", "{n+x}"},
                                                                                   {"a.{n}", "{m}"}}) {
        INFO(from << " -> " << to);
        CHECK_THROWS_AS(NamePattern(from, to), InputError);
    }
}

TEST_CASE("a hint is the nearest existing name, if one is near") {
    const std::vector<std::string> names = {"encoder.layer.0.attention.self.query.weight",
                                            "encoder.layer.0.attention.self.key.weight",
                                            "embeddings.word_embeddings.weight", ""};
    CHECK(nearest("encoder.layer.0.attention.self.qeury.weight", names) == names[0]);
    CHECK(nearest("embedding.word_embeddings.weight", names) == names[2]);
    CHECK(nearest("embeddings.word_embeddings.weight", names) == names[2]);
    CHECK(nearest("nothing.of.the.sort", names).empty());
    CHECK(nearest("", names).empty());
    CHECK(nearest(std::string(10'000, 'x'), names).empty());
    CHECK(edit_distance("kitten", "sitting", 9) == 3);
    CHECK(edit_distance("kitten", "sitting", 2) == 3);
    CHECK(edit_distance("", "abc", 9) == 3);
    CHECK(edit_distance("abc", "abc", 0) == 0);
    std::vector<std::string> many;
    for (int i = 0; i < 100'000; ++i) many.push_back(std::to_string(i) + std::string(250, 'x'));
    const double start = processor_seconds();
    static_cast<void>(nearest(std::string(250, 'y'), many));
    CHECK(processor_seconds() - start < 5);
}

TEST_CASE("another architecture is no slip of one") {
    const std::vector<std::string_view> families = {"bert",    "llama", "qwen2", "t5",
                                                    "mistral", "vit",   "clip",  "bert-tiny"};
    for (const auto& [slip, meant] : std::vector<std::pair<const char*, const char*>>{{"bret", "bert"},
                                                                                      {"BERT", "bert"},
                                                                                      {"lama", "llama"},
                                                                                      {"lllama", "llama"},
                                                                                      {"mistrla", "mistral"},
                                                                                      {"T-5", "t5"},
                                                                                      {"qwen-2", "qwen2"},
                                                                                      {"bert_tiny", "bert-tiny"}})
        CHECK(slip_of(slip, families) == meant);
    for (const auto* other :
         {"albert", "bart",    "mbart",      "mt5",   "qwen3", "qwen", "llama4", "bit", "deit",      "clap",
          "clvp",   "roberta", "distilbert", "ibert", "fnet",  "",     "b",      "t",   "ministral", "mixtral"})
        CHECK(slip_of(other, families).empty());
}

}  // namespace names_tests
