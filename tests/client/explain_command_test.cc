#include "client/cli/explain_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "client/cli/text_table.h"
#include "common/quant_config_help.h"

namespace quantry::client {
namespace {

using testing::HasSubstr;

TEST(ExplainTest, OneKeyWithItsValues) {
  EXPECT_EQ(ExplainKeyText("pact_setting", 80).value(),
            R"(pact_setting
  A published setting of PACT, by name.

  Default  null
  Allowed  null
           "calibrated"  alpha starts at the calibrated s; L2 decay 1e-4
           "alpha100"    alpha starts at 100; learning rate times 1000, decay as
                         of weights
           "alpha20"     alpha starts at 20; L2 decay 1e-4
  Effect   Sets start, learning rate factor and decay of alpha; the job's pact
           options must then be left out. null: as those say. Needs PACT.
)");
  EXPECT_EQ(ExplainKeyText("quant.moving_rate", 80).value(),
            R"(moving_rate
  Share of the past in a moving average.

  Default  0.9
  Allowed  numbers above 0 and below 1
  Effect   Nearer to 1 is slower and smoother. Used by moving_average_abs_max
           and by output_scales; without both only the default is allowed.
)");
}

TEST(ExplainTest, UnknownKeyNamesTheNearest) {
  const auto text = ExplainKeyText("weight_bit", 80);
  EXPECT_EQ(text.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(text.status().message()), HasSubstr("did you mean 'weight_bits'?"));
}

// Every key shows all that the table says, in the width of the terminal.
TEST(ExplainTest, EveryKeyFitsTheTerminal) {
  for (const size_t columns : {size_t{20}, size_t{80}, size_t{200}}) {
    const size_t widest = columns < 60 ? 60 : columns > 100 ? 100 : columns;
    std::vector<std::string> texts = {ExplainAllText(columns)};
    for (const QuantKeyHelp& help : QuantConfigHelp()) {
      EXPECT_THAT(texts[0],
                  testing::ContainsRegex(absl::StartsWith(help.name, "overrides.") ? "overrides"
                                                                                   : help.name));
      texts.push_back(ExplainKeyText(help.name, columns).value());
      for (const QuantValue& value : help.values) {
        EXPECT_THAT(texts.back(), HasSubstr("\"" + std::string(value.name) + "\""));
      }
    }
    for (const std::string& text : texts) {
      EXPECT_TRUE(absl::EndsWith(text, "\n"));
      for (const absl::string_view line : absl::StrSplit(text, '\n')) {
        EXPECT_LE(DisplayWidth(line), widest) << line;
        EXPECT_FALSE(absl::EndsWith(line, " ")) << line;
      }
    }
  }
}

TEST(ExplainTest, TableNamesTheOptionsOfTheJob) {
  const std::string text = ExplainAllText(80);
  EXPECT_THAT(text, HasSubstr("\ncalibration_batches "));
  EXPECT_THAT(text, HasSubstr("\nfreeze_observers_after "));
}

}  // namespace
}  // namespace quantry::client
