// Nothing that quant_config accepts is ignored: whatever is set changes what is planned or
// exported.
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/quant_config.h"
#include "common/quant_config_help.h"
#include "tests/worker/engine/passes/all_kinds_net.h"
#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/export/qdq_options.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/quantize_outputs.h"

namespace quantry::engine {
namespace {

std::string Text(const Attribute& attribute) {
  if (const auto* whole = std::get_if<int64_t>(&attribute)) return absl::StrCat(*whole);
  if (const auto* number = std::get_if<float>(&attribute)) return absl::StrCat(*number);
  if (const auto* text = std::get_if<std::string>(&attribute)) return *text;
  return "?";
}

// All that the engine makes of a config for this graph, as text.
std::string EffectOf(const QuantConfig& config, const Graph& graph) {
  QuantPlan plan = Annotate(graph, config, {}).value();
  FitToProfile(graph, config, plan);
  std::ostringstream out;
  for (const PlannedTensor& tensor : plan.tensors) {
    out << tensor.value->name();
    for (const auto& [name, value] : ToAttributes(tensor.spec)) {
      out << " " << name << "=" << Text(value);
    }
    for (const Use& use : tensor.uses) out << " " << use.node->name() << ":" << use.index;
    out << "\n";
  }
  const QdqOptions options = QdqOptionsOf(config);
  out << "folds " << FoldsBatchNormBeforeTraining(config) << " outputs "
      << plan.output_moving_rate.value_or(0) << " weights " << options.weight_dtype
      << " activations " << options.activation_dtype.value_or("") << " for " << options.profile;
  return out.str();
}

struct Setting {
  const char* context;  // what else is set, as members of an object
  const char* key;
  const char* value;
};

constexpr Setting kSettings[] = {
    {"", "weight_preprocess_type", "\"PACT\""},
    {"", "activation_preprocess_type", "\"PACT\""},
    {"", "weight_quantize_type", "\"abs_max\""},
    {R"("weight_quantize_type": "abs_max")", "weight_quantize_type", "\"channel_wise_abs_max\""},
    {"", "weight_quantize_type", "\"range_abs_max\""},
    {"", "weight_quantize_type", "\"moving_average_abs_max\""},
    {"", "weight_quantize_type", "\"lsq_weight\""},
    {"", "weight_quantize_type", "\"channel_wise_lsq_weight\""},
    {"", "weight_quantize_type", "\"dorefa_weight\""},
    {"", "activation_quantize_type", "\"abs_max\""},
    {"", "activation_quantize_type", "\"range_abs_max\""},
    {R"("activation_quantize_type": "abs_max")", "activation_quantize_type",
     "\"moving_average_abs_max\""},
    {"", "activation_quantize_type", "\"lsq_act\""},
    {R"("activation_symmetric": false)", "activation_quantize_type", "\"lsq_plus_act\""},
    {"", "weight_bits", "2"},
    {"", "weight_bits", "16"},
    {"", "activation_bits", "2"},
    {"", "activation_bits", "16"},
    {R"("dtype": "uint8")", "dtype", "\"int8\""},
    {"", "dtype", "\"uint8\""},
    {R"("weight_bits": 4)", "dtype", "\"int4\""},
    {R"("activation_quantize_type": "range_abs_max")", "window_size", "9"},
    {"", "moving_rate", "0.5"},
    {R"("output_scales": true, "activation_quantize_type": "abs_max")", "moving_rate", "0.5"},
    {"", "fuse_conv_bn", "true"},
    {"", "not_quant_pattern", "\"stem\""},
    {R"("profile": "tensorrt")", "profile", "\"onnxruntime\""},
    {"", "profile", "\"tensorrt\""},
    {"", "profile", "\"openvino\""},
    {"", "profile", "\"paddle\""},
    {"", "activation_symmetric", "false"},
    {"", "activation_dtype", "\"int8\""},
    {"", "activation_dtype", "\"uint8\""},
    {R"("calibrator": "kl")", "calibrator", "\"abs_max\""},
    {"", "calibrator", "\"percentile\""},
    {"", "calibrator", "\"mse\""},
    {"", "calibrator", "\"kl\""},
    {R"("calibrator": "percentile")", "calibrator_percentile", "99"},
    {"", "first_last_bits", "4"},
    {"", "overrides", R"([{"pattern": "head", "skip": true}])"},
    {"", "overrides", R"([{"pattern": "head", "weight_bits": 4}])"},
    {"", "overrides", R"([{"pattern": "head", "activation_bits": 4}])"},
    {"", "overrides", R"([{"pattern": "head", "weight_quantize_type": "abs_max"}])"},
    {"", "overrides", R"([{"pattern": "head", "activation_quantize_type": "abs_max"}])"},
    {"", "output_scales", "true"},
};

std::string Describe(const Setting& setting) {
  return absl::StrCat("{", setting.context, "} and ", setting.key, ": ", setting.value);
}

TEST(ConfigEffectsTest, EverySettingChangesWhatIsDone) {
  const Graph graph = BuildSmallNet(1);
  for (const Setting& setting : kSettings) {
    const absl::string_view comma = *setting.context == '\0' ? "" : ", ";
    const auto without = ParseQuantConfig(absl::StrCat("{", setting.context, "}"));
    // A key of the context that is set again takes the later value.
    std::string context = setting.context;
    if (absl::StrContains(context, absl::StrCat("\"", setting.key, "\":"))) context.clear();
    const auto with = ParseQuantConfig(absl::StrCat("{", context, context.empty() ? "" : comma,
                                                    "\"", setting.key, "\": ", setting.value, "}"));
    ASSERT_TRUE(without.ok()) << Describe(setting) << without.status();
    ASSERT_TRUE(with.ok()) << Describe(setting) << with.status();
    EXPECT_NE(EffectOf(*without, graph), EffectOf(*with, graph)) << Describe(setting);
  }
}

TEST(ConfigEffectsTest, EveryLayerTypeChangesWhatIsDone) {
  const Graph graph = BuildAllKindsNet();
  std::set<std::string> effects;
  for (const absl::string_view type : SupportedLayerTypes()) {
    QuantConfig config;
    config.quantizable_layer_type = {std::string(type)};
    EXPECT_TRUE(effects.insert(EffectOf(config, graph)).second) << type;
  }
}

// The table above has every key and every named value. quantizable_layer_type has its own test;
// pact_setting becomes options of the training (tests/worker/trainer/spec_to_options_test.cc).
TEST(ConfigEffectsTest, NoKeyOrValueIsForgotten) {
  const auto is_tried = [](absl::string_view key, absl::string_view value) {
    for (const Setting& setting : kSettings) {
      if (setting.key == key && absl::StrContains(setting.value, value)) return true;
    }
    return false;
  };
  for (const QuantKeyHelp& help : QuantConfigHelp()) {
    if (help.name == "quantizable_layer_type" || help.name == "pact_setting") continue;
    absl::string_view key = help.name;
    if (absl::StartsWith(key, "overrides.")) {
      EXPECT_TRUE(is_tried("overrides", absl::StrCat("\"", key.substr(10), "\""))) << key;
      continue;
    }
    EXPECT_TRUE(is_tried(key, "")) << key;
    for (const QuantValue& value : help.values) {
      EXPECT_TRUE(is_tried(key, absl::StrCat("\"", value.name, "\""))) << key << " " << value.name;
    }
  }
}

}  // namespace
}  // namespace quantry::engine
