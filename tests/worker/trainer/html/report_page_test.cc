#include "worker/trainer/html/report_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "worker/trainer/html/chart.h"
#include "worker/trainer/html/escape.h"
#include "worker/trainer/html/report_values.h"

namespace quantry::trainer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

Json SampleReport() {
  return Json::parse(R"json({
    "settings": {"mode": "mixed_precision", "model": "builtin:resnet18",
                 "data": {"train_uri": "synthetic://glyphs", "mean": [0.5, 0.5, 0.5]},
                 "training": {"epochs": 2}},
    "classes": ["a", "b"], "parameters": 1234567,
    "accuracy": {"float_top1": 0.95, "fake_quant_top1": 0.94, "artifact_top1": 0.9525},
    "max_output_difference": 0.0125, "train_seconds": 3725,
    "bytes": {"model.onnx": 1048576, "model.float.onnx": 4194304},
    "seconds": {"training": 61.5},
    "metrics": [
      {"subject": "float", "epoch": 0, "step": 0, "examples": 64, "loss": 0.2, "top1": 0.95, "top5": 1, "seconds": 0.5},
      {"subject": "train", "epoch": 1, "step": 10, "examples": 640, "loss": 0.5, "top1": 0.8, "top5": 1, "seconds": 3},
      {"subject": "eval", "epoch": 1, "step": 10, "examples": 64, "loss": 0.4, "top1": 0.85, "top5": 1, "seconds": 1},
      {"subject": "train", "epoch": 2, "step": 20, "examples": 640, "loss": 0.25, "top1": 0.9, "top5": 1, "seconds": 3}],
    "layers": [{"layer": "stem", "op_type": "Conv", "tensor": "weight", "quantizer": "abs_max", "bits": 6,
                "per_channel": true, "scale_min": 0.01, "scale_max": 0.02, "sqnr_db": 31.25,
                "range_low": -1, "range_high": 1,
                "histogram": {"min": -1, "max": 2, "counts": [1, 4, 0]}}],
    "float_layers": [{"layer": "encoder.rnn", "op_type": "LSTM", "weights": 4096}],
    "sensitivity": {"examples": 64, "float_top1": 0.9, "float_loss": 0.3, "layers": [
      {"rank": 1, "layer": "stem", "op_type": "Conv", "bits": 8, "top1": 0.9, "sqnr_db": 40, "weights": 1728, "macs": 5000},
      {"rank": 1, "layer": "stem", "op_type": "Conv", "bits": 4, "top1": 0.8, "sqnr_db": 12.5, "weights": 1728, "macs": 5000}]},
    "mixed_precision": {"budget": "size_bytes", "budget_limit": 5000, "budget_used": 4900,
      "mean_weight_bits": 5.5, "size_bytes": 4900, "bit_operations": 1e6,
      "layers": [{"layer": "stem", "op_type": "Conv", "weight_bits": 6, "activation_bits": 5,
                  "weights": 1728, "macs": 5000, "fixed": true}]},
    "corrupt_pictures": {"count": 0, "first": []},
    "versions": {"quantry": "9.9.9"}})json");
}

TEST(ReportPageTest, HoldsWhatTheReportHolds) {
  const std::string page = ReportPage(SampleReport());
  for (const char* text : {"<!DOCTYPE html>",
                           "Quantry report: mixed precision",
                           "95.00 %",
                           "-1.00 points",
                           "+0.25 points",
                           "25.0 % of the float file",
                           "1 h 02 min",
                           "1,234,567",
                           "<polyline",
                           "31.2 dB",
                           "abs_max, per channel",
                           "class=\"bins\"",
                           "12.5 dB<br><small>-10.00</small>",
                           "12.5 dB at 4",
                           "6 (given)",
                           "encoder.rnn",
                           "LSTM",
                           "4,096",
                           "training.epochs",
                           "synthetic://glyphs",
                           "quantry 9.9.9",
                           "@media print",
                           "prefers-color-scheme: dark",
                           "2 classes: a, b."}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

TEST(ReportPageTest, SensitivityShowsWhatTheDataCanTell) {
  Json report = SampleReport();
  report["sensitivity"].erase("float_top1");
  for (Json& row : report["sensitivity"]["layers"]) {
    row.erase("top1");
    row["loss"] = 0.55;
  }
  const std::string losses = ReportPage(report);
  EXPECT_THAT(losses, HasSubstr("12.5 dB<br><small>+0.25</small>"));
  EXPECT_THAT(losses, HasSubstr("the change of the loss against float (0.3)"));
  report["sensitivity"].erase("float_loss");
  const std::string unlabelled = ReportPage(report);
  EXPECT_THAT(unlabelled, HasSubstr("12.5 dB</td>"));
  EXPECT_THAT(unlabelled, Not(HasSubstr("12.5 dB<br>")));
  EXPECT_THAT(unlabelled, Not(HasSubstr("against float (")));
}

TEST(ReportPageTest, FetchesNothingAndRunsNothing) {
  const std::string page = ReportPage(SampleReport());
  for (const char* text : {"<script", "http://", "https://", "src=", "href=", "url(", "@import"}) {
    EXPECT_THAT(page, Not(HasSubstr(text)));
  }
}

// Every string of the report, also keys, is replaced by an attack in turn.
void Poison(Json& json, const std::string& attack) {
  if (json.is_string()) {
    json = attack;
  } else if (json.is_array()) {
    for (Json& item : json) Poison(item, attack);
  } else if (json.is_object()) {
    for (auto& [key, value] : json.items()) Poison(value, attack);
    json[attack] = attack;
  }
}

TEST(ReportPageTest, HostileNamesStayText) {
  for (const std::string attack :
       {"<script>alert(1)</script>", "\"><img onerror=alert(1) src=x>", "' onload='alert(1)",
        "</style><b>", "</title><b>", "<!--", "&lt;b&gt;"}) {
    Json report = SampleReport();
    Poison(report, attack);
    // Subjects decide where metrics go.
    const std::string page = ReportPage(report);
    EXPECT_THAT(page, Not(HasSubstr(attack))) << attack;
    EXPECT_THAT(page, HasSubstr(EscapeHtml(attack))) << attack;
  }
}

TEST(ReportPageTest, WhatIsMissingOrWrongIsLeftOut) {
  EXPECT_THAT(ReportPage(Json()), HasSubstr("</html>"));
  EXPECT_THAT(ReportPage(Json::parse("[1, 2]")), HasSubstr("</html>"));
  const Json whole = SampleReport();
  const Json wrong[] = {Json(), Json("x"), Json(5), Json::array({1, "x", Json()}),
                        Json::object({{"a", 1}})};
  for (const auto& [key, value] : whole.items()) {
    Json report = whole;
    report.erase(key);
    EXPECT_THAT(ReportPage(report), HasSubstr("</html>")) << key;
    for (const Json& other : wrong) {
      report[key] = other;
      EXPECT_THAT(ReportPage(report), HasSubstr("</html>")) << key << " = " << other;
    }
  }
  EXPECT_THAT(ReportPage(Json::object()), Not(HasSubstr("<h2>")));
}

TEST(EscapeHtmlTest, TextMeansItself) {
  EXPECT_EQ(EscapeHtml("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(EscapeHtml("line\nfeed\x01"), "line feed ");
  EXPECT_EQ(EscapeHtml("\xff"), "?");
  EXPECT_EQ(EscapeHtml("ü"), "ü");
}

TEST(ChartTest, TicksAreRoundAndInside) {
  EXPECT_EQ(TickValues(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(TickValues(-0.9, 1.1, 4).front(), -0.5);
  EXPECT_TRUE(TickValues(1, 1, 5).empty());
  EXPECT_TRUE(TickValues(0, INFINITY, 5).empty());
  for (const double low : {-1e9, -3.7, 0.0, 1e-9, 123.4}) {
    for (const double width : {1e-6, 0.37, 12.0, 1e12}) {
      const std::vector<double> ticks = TickValues(low, low + width, 5);
      EXPECT_LE(ticks.size(), 12u);
      for (const double tick : ticks) {
        EXPECT_GE(tick, low - 1e-6 * width);
        EXPECT_LE(tick, low + width * (1 + 1e-6));
      }
    }
  }
}

TEST(ChartTest, PointsThatAreNotFiniteAreLeftOut) {
  EXPECT_EQ(LineChart({}, {}), "");
  EXPECT_EQ(LineChart({{.name = "a", .points = {{1, NAN}, {INFINITY, 2}}}}, {}), "");
  const std::string chart = LineChart({{.name = "a<b", .points = {{1, 2}, {2, NAN}}}}, {});
  EXPECT_THAT(chart, HasSubstr("a&lt;b"));
  EXPECT_THAT(chart, Not(HasSubstr("nan")));
  EXPECT_THAT(BarPicture(NAN), HasSubstr("width:0.0%"));
  EXPECT_THAT(BarPicture(7), HasSubstr("width:100.0%"));
  EXPECT_EQ(HistogramPicture({}), "");
  EXPECT_THAT(HistogramPicture({.min = 1, .max = 1, .counts = {5}}), HasSubstr("<path"));
  EXPECT_THAT(HistogramPicture({.min = 0, .max = NAN, .counts = {5}}), Not(HasSubstr("nan")));
}

TEST(ReportValuesTest, ReadWell) {
  EXPECT_EQ(CountText(1234567), "1,234,567");
  EXPECT_EQ(CountText(-123), "-123");
  EXPECT_EQ(CountText(-1234), "-1,234");
  EXPECT_EQ(CountText(999), "999");
  EXPECT_EQ(SizeText(512), "512 B");
  EXPECT_EQ(SizeText(1536), "1.5 KiB");
  EXPECT_EQ(PointsText(0.00001), "0.00");
  EXPECT_EQ(PointsText(std::nullopt), "-");
  EXPECT_EQ(SecondsText(61), "1 min 01 s");
}

}  // namespace
}  // namespace quantry::trainer
