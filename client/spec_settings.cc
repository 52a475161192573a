#include "client/spec_settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/field_value.h"
#include "common/nearest_name.h"
#include "common/quant_config.h"
#include "common/status_macros.h"

namespace quantry::client {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using nlohmann::json;

constexpr absl::string_view kQuantPrefix = "quant.";
constexpr std::pair<absl::string_view, absl::string_view> kAliases[] = {
    {"lr", "training.learning_rate"}, {"training.lr", "training.learning_rate"}};
// Parts of the spec whose fields may be named without the part.
constexpr absl::string_view kBareParts[] = {
    "training", "data", "pact", "resources", "sensitivity", "mixed_precision", "ptq"};

struct Setting {
  std::string path;  // "training.epochs"
  std::vector<const FieldDescriptor*> fields;
};

void CollectSettings(const Descriptor& type, const Setting& parent, std::vector<Setting>& all) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    Setting setting = parent;
    absl::StrAppend(&setting.path, setting.path.empty() ? "" : ".", field.name());
    setting.fields.push_back(&field);
    if (IsSettableField(field)) {
      all.push_back(std::move(setting));
    } else if (!field.is_repeated()) {
      CollectSettings(*field.message_type(), setting, all);
    }
  }
}

const std::vector<Setting>& AllSettings() {
  static const std::vector<Setting>& settings = *[] {
    auto* all = new std::vector<Setting>;
    CollectSettings(*v1::JobSpec::descriptor(), Setting(), *all);
    return all;
  }();
  return settings;
}

bool MayBeBare(const Setting& setting) {
  return setting.fields.size() == 2 && absl::c_linear_search(kBareParts, setting.fields[0]->name());
}

absl::Status UnknownKey(absl::string_view key) {
  if (key == "labels" || absl::StartsWith(key, "labels.")) {
    return absl::InvalidArgumentError("labels are set by --label KEY=VALUE");
  }
  std::vector<std::string> names = KnownSettings();
  for (const Setting& setting : AllSettings()) {
    if (MayBeBare(setting)) names.push_back(setting.fields.back()->name());
  }
  const std::vector<absl::string_view> known(names.begin(), names.end());
  return absl::InvalidArgumentError(absl::StrCat("there is no key '", key, "'",
                                                 DidYouMean(key, known),
                                                 " ('quantry submit --help' lists all)"));
}

absl::StatusOr<const Setting*> FindSetting(absl::string_view key) {
  for (const auto& [alias, path] : kAliases) {
    if (key == alias) key = path;
  }
  std::vector<const Setting*> bare;
  for (const Setting& setting : AllSettings()) {
    if (setting.path == key) return &setting;
    if (MayBeBare(setting) && setting.fields.back()->name() == key) bare.push_back(&setting);
  }
  if (bare.empty()) return UnknownKey(key);
  if (bare.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("key '", key, "' names several fields; write ",
                     absl::StrJoin(bare, " or ", [](std::string* out, const Setting* setting) {
                       absl::StrAppend(out, setting->path);
                     })));
  }
  return bare.front();
}

// JSON if it is JSON, else text; a list, of texts or of one object, where the key's default is one.
json QuantValue(absl::string_view text, bool wants_list) {
  json value = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) value = std::string(text);
  if (!wants_list || value.is_array() || value.is_null()) return value;
  if (value.is_object()) return json::array({value});  // a single override
  json list = json::array();
  for (const absl::string_view item : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    list.push_back(std::string(absl::StripAsciiWhitespace(item)));
  }
  return list;
}

absl::Status ApplyQuantSetting(absl::string_view key, absl::string_view value, v1::JobSpec& spec) {
  const json defaults = json::parse(QuantConfigToJson(QuantConfig()));
  const auto known = defaults.find(std::string(key));
  if (known == defaults.end()) return UnknownKey(absl::StrCat(kQuantPrefix, key));
  json config = json::object();
  if (!spec.quant_config().empty()) {
    config = json::parse(spec.quant_config(), nullptr, /*allow_exceptions=*/false);
    if (!config.is_object()) {
      return absl::InvalidArgumentError("the quant_config that it changes is not a JSON object");
    }
  }
  config[std::string(key)] = QuantValue(value, known->is_array());
  spec.set_quant_config(config.dump(-1, ' ', false, json::error_handler_t::replace));
  return absl::OkStatus();
}

absl::Status ApplyFieldSetting(absl::string_view key, absl::string_view value, v1::JobSpec& spec) {
  QUANTRY_ASSIGN_OR_RETURN(const Setting* setting, FindSetting(key));
  Message* message = &spec;
  for (size_t i = 0; i + 1 < setting->fields.size(); ++i) {
    message = message->GetReflection()->MutableMessage(message, setting->fields[i]);
  }
  return WithContext(SetFieldFromText(value, *setting->fields.back(), *message), setting->path);
}

}  // namespace

absl::Status ApplySetting(absl::string_view setting, v1::JobSpec& spec) {
  const size_t equals = setting.find('=');
  if (equals == absl::string_view::npos || equals == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("setting '", setting, "' is not of the form KEY=VALUE"));
  }
  absl::string_view key = setting.substr(0, equals);
  const absl::string_view value = setting.substr(equals + 1);
  const std::string context = absl::StrCat("setting '", setting, "'");
  if (absl::ConsumePrefix(&key, kQuantPrefix)) {
    return WithContext(ApplyQuantSetting(key, value, spec), context);
  }
  return WithContext(ApplyFieldSetting(key, value, spec), context);
}

std::vector<std::string> KnownSettings() {
  std::vector<std::string> paths;
  for (const Setting& setting : AllSettings()) paths.push_back(setting.path);
  const json defaults = json::parse(QuantConfigToJson(QuantConfig()));
  for (const auto& [key, value] : defaults.items()) {
    paths.push_back(absl::StrCat(kQuantPrefix, key));
  }
  absl::c_sort(paths);
  return paths;
}

}  // namespace quantry::client
