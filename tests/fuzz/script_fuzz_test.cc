// Damaged TorchScript files: as archives, as the programs and pickles inside, and as bytes.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate_bytes.h"
#include "tests/fuzz/zip_file.h"
#include "worker/engine/script/import_script.h"

namespace quantry::engine {
namespace {

std::string Saved(const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                  const std::string& program) {
  torch::jit::Module module("Net");
  for (const auto& [name, tensor] : tensors) module.register_parameter(name, tensor, false);
  module.define(program);
  std::ostringstream out;
  module.save(out);
  // Without what is for debugging, which is in another order each time.
  std::vector<ZipMember> members = ReadZip(out.str());
  std::erase_if(members, [](const ZipMember& member) {
    return member.name.find(".debug_pkl") != std::string::npos;
  });
  return WriteZip(members);
}

const std::vector<std::string>& Seeds() {
  static const std::vector<std::string> kSeeds = {
      Saved({{"weight", at::ones({2, 3, 3, 3})}, {"bias", at::ones({2})}}, R"(
def forward(self, x):
    y = torch.conv2d(x, self.weight, self.bias, [1, 1], [1, 1], [1, 1], 1)
    y = torch.relu(y)
    y = torch.max_pool2d(y, [2, 2], [2, 2], [0, 0], [1, 1], False)
    return torch.flatten(y, 1, -1)
)"),
      Saved({{"w", at::ones({4, 192})}}, R"(
def forward(self, x):
    b = x.size(0)
    y = x.view([b, 192])
    for i in range(3):
        if i > 1:
            y = y + 0.5 * y
        else:
            y = y * 2.0
    z = [y, y]
    return torch.softmax(torch.matmul(torch.cat(z, 0), self.w.t()), -1)
)"),
      Saved({}, R"(
def forward(self, x):
    y = torch.mean(x, [2, 3], True)
    z = torch.sigmoid(x).unsqueeze(1).squeeze(1)
    return (x - y, z.transpose(1, 2).permute([0, 3, 1, 2]))
)")};
  return kSeeds;
}

const std::vector<std::string>& Words() {
  static const std::vector<std::string> kWords = {
      "torch.relu", "torch.add",    "self.weight", "self",      "x",          "[1, 1]",
      "None",       "int",          "-1",          "0",         "9999999999", "1e30",
      "True",       "Tensor",       "List[int]",   "for",       "if",         "while",
      "return",     "def ",         "class",       "(",         ")",          "\n",
      "    ",       "torch.conv2d", "torch.size",  "__torch__", "range",      "torch.empty",
      "ops.aten.mm"};
  return kWords;
}

// Swaps a piece of the program text for another word.
std::string MutateText(std::string text, FuzzRng& rng) {
  if (text.empty() || rng.OneIn(4)) return MutateBytes(std::move(text), rng);
  const size_t place = rng.Below(text.size());
  const std::string& word = rng.Pick(Words());
  if (rng.OneIn(2)) return text.insert(place, word);
  return text.replace(place, std::min<size_t>(text.size() - place, 1 + rng.Below(12)), word);
}

std::string MutateArchive(const std::string& seed, FuzzRng& rng) {
  if (rng.OneIn(5)) return MutateBytes(seed, rng);
  std::vector<ZipMember> members = ReadZip(seed);
  if (members.empty()) return seed;
  const uint64_t changes = 1 + rng.Below(3);
  for (uint64_t i = 0; i < changes && !members.empty(); ++i) {
    const size_t which = rng.Below(members.size());
    ZipMember& member = members[which];
    if (rng.OneIn(20)) {
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(which));
    } else if (rng.OneIn(20)) {
      member.name = MutateBytes(member.name, rng);
    } else if (rng.OneIn(20)) {
      member.content = rng.Pick(members).content;
    } else if (member.name.find(".py") != std::string::npos) {
      member.content = MutateText(std::move(member.content), rng);
    } else {
      member.content = MutateBytes(std::move(member.content), rng);
    }
  }
  return WriteZip(members);
}

absl::Status Read(const std::string& bytes) {
  return ImportTorchScript(bytes, {.input_shapes = {{3, 8, 8}}}).status();
}

TEST(ScriptFuzz, SeedsAreValidAlsoWhenRewritten) {
  for (const std::string& seed : Seeds()) {
    EXPECT_TRUE(Read(seed).ok()) << Read(seed);
    const auto members = ReadZip(seed);
    EXPECT_FALSE(members.empty());
    EXPECT_TRUE(Read(WriteZip(members)).ok()) << Read(WriteZip(members));
  }
}

TEST(ScriptFuzz, Import) {
  at::set_num_threads(1);
  ExpectNoFuzzFailures(
      {.name = "torchscript_import", .seeds = Seeds(), .mutate = MutateArchive, .read = Read}, 300);
}

// Parameters by name, and every element of them.
absl::Status ReadTensors(const std::string& bytes) {
  const auto tensors = ReadTorchScriptTensors(bytes);
  if (!tensors.ok()) return tensors.status();
  for (const auto& [name, tensor] : *tensors) tensor.detach().clone();
  return absl::OkStatus();
}

TEST(ScriptFuzz, Weights) {
  at::set_num_threads(1);
  ExpectNoFuzzFailures({.name = "torchscript_weights",
                        .seeds = Seeds(),
                        .mutate = MutateArchive,
                        .read = ReadTensors},
                       300);
}

}  // namespace
}  // namespace quantry::engine
