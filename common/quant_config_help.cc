#include "common/quant_config_help.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/nearest_name.h"
#include "common/quant_config_keys.h"

namespace quantry {
namespace {

constexpr absl::string_view kOverrides = "overrides";

constexpr QuantRelatedOption kRelated[] = {
    {"calibration_batches",
     "training batches that calibration looks at (1 or more; 16), in modes ptq and qat"},
    {"freeze_after",
     "share of the steps after which observers and BatchNorm statistics stay as they are "
     "(above 0, up to 1; 1: never), in mode qat"},
    {"freeze_observers_after", "the same for observers alone (default: freeze_after)"},
    {"freeze_batch_norm_after", "the same for BatchNorm statistics alone (default: freeze_after)"},
    {"batch_norm_batches",
     "batches on which BatchNorm statistics are measured anew before each evaluation and export "
     "(default: the running ones are used)"},
    {"pact.alpha", "start of PACT's alpha (default: the calibrated s)"},
    {"pact.learning_rate_factor", "times the learning rate, for alpha (above 0; 1)"},
    {"pact.weight_decay", "L2 decay of alpha (0 or more; 1e-4)"},
};

template <typename Owner>
QuantKeyHelp HelpOf(const QuantKey<Owner>& key) {
  QuantKeyHelp help = {.name = std::string(key.name),
                       .meaning = std::string(key.meaning),
                       .allowed = AllowedText(key),
                       .effect = std::string(key.effect)};
  if (key.values != nullptr) {
    const absl::Span<const QuantValue> values = key.values();
    help.values.assign(values.begin(), values.end());
  }
  return help;
}

}  // namespace

std::vector<QuantKeyHelp> QuantConfigHelp() {
  std::vector<QuantKeyHelp> all;
  const QuantConfig standard;
  for (const QuantKey<QuantConfig>& key : QuantConfigKeys()) {
    all.push_back(HelpOf(key));
    all.back().default_json =
        absl::StrJoin(absl::StrSplit(key.write(standard).dump(), "\",\""), "\", \"");
    if (key.name != kOverrides) continue;
    for (const QuantKey<QuantOverride>& entry : QuantOverrideKeys()) {
      all.push_back(HelpOf(entry));
      all.back().name = absl::StrCat(kOverrides, ".", entry.name);
    }
  }
  return all;
}

absl::StatusOr<QuantKeyHelp> FindQuantKeyHelp(absl::string_view name) {
  std::vector<QuantKeyHelp> all = QuantConfigHelp();
  std::vector<absl::string_view> names;
  for (QuantKeyHelp& help : all) {
    if (help.name == name) return std::move(help);
    names.push_back(help.name);
  }
  return absl::NotFoundError(
      absl::StrCat("quant_config has no key '", name.substr(0, 100), "'", DidYouMean(name, names)));
}

absl::Span<const QuantRelatedOption> QuantRelatedOptions() { return kRelated; }

std::vector<std::string> WrapText(absl::string_view text, size_t width) {
  std::vector<std::string> lines;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (lines.empty() || lines.back().size() + 1 + word.size() > width) {
      lines.emplace_back(word);
    } else {
      absl::StrAppend(&lines.back(), " ", word);
    }
  }
  return lines;
}

}  // namespace quantry
