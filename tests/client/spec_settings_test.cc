#include "client/spec_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace quantry::client {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

v1::JobSpec Set(std::initializer_list<const char*> settings) {
  v1::JobSpec spec;
  for (const char* setting : settings) {
    const absl::Status status = ApplySetting(setting, spec);
    EXPECT_TRUE(status.ok()) << status;
  }
  return spec;
}

std::string Refusal(const char* setting) {
  v1::JobSpec spec;
  const absl::Status status = ApplySetting(setting, spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << setting;
  return std::string(status.message());
}

TEST(SpecSettingsTest, BareNamesPathsAndAlias) {
  const v1::JobSpec spec =
      Set({"epochs=3", "training.batch_size=128", "lr=1e-2", "image_size=32", "alpha=20",
           "device_kind=cuda", "priority=-5", "model.builtin.width=0.5", "random_flip=false",
           "schedule=step", "seed=9007199254740993"});
  EXPECT_EQ(spec.training().epochs(), 3);
  EXPECT_EQ(spec.training().batch_size(), 128);
  EXPECT_EQ(spec.training().learning_rate(), 0.01);
  EXPECT_EQ(spec.training().schedule(), "step");
  EXPECT_EQ(spec.training().seed(), 9007199254740993);
  EXPECT_EQ(spec.data().image_size(), 32);
  EXPECT_TRUE(spec.data().has_random_flip());
  EXPECT_FALSE(spec.data().random_flip());
  EXPECT_EQ(spec.pact().alpha(), 20);
  EXPECT_EQ(spec.resources().device_kind(), "cuda");
  EXPECT_EQ(spec.priority(), -5);
  EXPECT_EQ(spec.model().builtin().width(), 0.5);
}

TEST(SpecSettingsTest, OptionsOfModes) {
  const v1::JobSpec spec = Set({"mean_weight_bits=5", "candidate_bits=4,8", "max_examples=64",
                                "sensitivity.bits=8, 2", "equalize=true", "ptq.correct_bias=true"});
  EXPECT_EQ(spec.mixed_precision().mean_weight_bits(), 5);
  EXPECT_THAT(spec.mixed_precision().candidate_bits(), ElementsAre(4, 8));
  EXPECT_EQ(spec.sensitivity().max_examples(), 64);
  EXPECT_THAT(spec.sensitivity().bits(), ElementsAre(8, 2));
  EXPECT_TRUE(spec.ptq().equalize());
  EXPECT_TRUE(spec.ptq().correct_bias());
}

TEST(SpecSettingsTest, ListsReplace) {
  const v1::JobSpec spec = Set({"mean=1,2,3", "mean=0.5, 0.4,0.3", "std=1,2,3", "std="});
  EXPECT_THAT(spec.data().mean(), ElementsAre(0.5, 0.4, 0.3));
  EXPECT_THAT(spec.data().std(), IsEmpty());
}

TEST(SpecSettingsTest, EnumsAndDurations) {
  const v1::JobSpec spec = Set({"mode=ptq", "run_deadline=1h30m0.5s"});
  EXPECT_EQ(spec.mode(), v1::MODE_PTQ);
  EXPECT_EQ(Set({"mode=MODE_QAT"}).mode(), v1::MODE_QAT);
  EXPECT_EQ(spec.run_deadline().seconds(), 5400);
  EXPECT_EQ(spec.run_deadline().nanos(), 500'000'000);
}

TEST(SpecSettingsTest, QuantKeysAreMergedWithTheirTypes) {
  v1::JobSpec spec;
  spec.set_quant_config(R"({"weight_bits": 8, "dtype": "int8"})");
  for (const char* setting :
       {"quant.weight_bits=4", "quant.activation_preprocess_type=PACT", "quant.moving_rate=0.95",
        "quant.weight_preprocess_type=null", "quant.fuse_conv_bn=true",
        "quant.not_quant_pattern=first,last", R"(quant.quantizable_layer_type=["Conv2D"])"}) {
    const absl::Status status = ApplySetting(setting, spec);
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_EQ(spec.quant_config(),
            R"({"activation_preprocess_type":"PACT","dtype":"int8","fuse_conv_bn":true,)"
            R"("moving_rate":0.95,"not_quant_pattern":["first","last"],)"
            R"("quantizable_layer_type":["Conv2D"],"weight_bits":4,)"
            R"("weight_preprocess_type":null})");
}

TEST(SpecSettingsTest, UnknownKeysAreRefusedWithTheNearest) {
  EXPECT_THAT(Refusal("epoch=3"), HasSubstr("no key 'epoch'; did you mean 'epochs'?"));
  EXPECT_THAT(Refusal("training.epoch=3"), HasSubstr("did you mean 'training.epochs'?"));
  EXPECT_THAT(Refusal("quant.weight_bit=3"), HasSubstr("did you mean 'quant.weight_bits'?"));
  EXPECT_THAT(Refusal("zzzzzzzzzzzz=3"), Not(HasSubstr("did you mean")));
  EXPECT_THAT(Refusal("labels.team=x"), HasSubstr("--label"));
  EXPECT_THAT(Refusal("training=x"), HasSubstr("no key 'training'"));
}

TEST(SpecSettingsTest, AmbiguousNamesAreRefusedWithThePaths) {
  EXPECT_THAT(Refusal("weight_decay=0.1"),
              HasSubstr("write training.weight_decay or pact.weight_decay"));
}

TEST(SpecSettingsTest, WrongValuesAreRefused) {
  EXPECT_THAT(Refusal("epochs=three"),
              HasSubstr("training.epochs: is 'three'; allowed: an integer"));
  EXPECT_THAT(Refusal("epochs=99999999999"), HasSubstr("an integer of 32 bits"));
  EXPECT_THAT(Refusal("lr=nan"), HasSubstr("a number"));
  EXPECT_THAT(Refusal("mean=1,x,3"), HasSubstr("is 'x'"));
  EXPECT_THAT(Refusal("random_crop=maybe"), HasSubstr("true, false"));
  EXPECT_THAT(Refusal("mode=fast"), HasSubstr("float, ptq, qat"));
  EXPECT_THAT(Refusal("run_deadline=soon"), HasSubstr("2h30m"));
  EXPECT_THAT(Refusal("epochs"), HasSubstr("KEY=VALUE"));
  EXPECT_THAT(Refusal("=3"), HasSubstr("KEY=VALUE"));
}

TEST(SpecSettingsTest, OverridesAreJsonOfOneOrMore) {
  v1::JobSpec spec;
  ASSERT_TRUE(ApplySetting(R"(quant.overrides={"pattern":"head","weight_bits":8})", spec).ok());
  EXPECT_EQ(spec.quant_config(), R"({"overrides":[{"pattern":"head","weight_bits":8}]})");
  ASSERT_TRUE(ApplySetting(R"(quant.overrides=[{"pattern":"a","skip":true}])", spec).ok());
  EXPECT_EQ(spec.quant_config(), R"({"overrides":[{"pattern":"a","skip":true}]})");
}

TEST(SpecSettingsTest, QuantSettingNeedsAnObjectToChange) {
  v1::JobSpec spec;
  spec.set_quant_config("[1, 2");
  const absl::Status status = ApplySetting("quant.weight_bits=4", spec);
  EXPECT_THAT(std::string(status.message()), HasSubstr("not a JSON object"));
}

// Each path that the help names works: setting it needs nothing but a value of its type.
TEST(SpecSettingsTest, EveryKnownSettingCanBeSet) {
  EXPECT_THAT(KnownSettings(), Contains("data.mean"));
  for (const std::string& path : KnownSettings()) {
    bool accepted = false;
    for (const char* value : {"1", "true", "qat", "1s"}) {
      v1::JobSpec spec;
      if (ApplySetting(path + "=" + value, spec).ok()) {
        accepted = true;
        EXPECT_GT(spec.ByteSizeLong(), 0u) << path;
      }
    }
    EXPECT_TRUE(accepted) << path;
  }
}

}  // namespace
}  // namespace quantry::client
