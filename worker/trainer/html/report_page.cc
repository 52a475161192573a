#include "worker/trainer/html/report_page.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "worker/trainer/html/chart.h"
#include "worker/trainer/html/escape.h"
#include "worker/trainer/html/report_layers.h"
#include "worker/trainer/html/report_values.h"
#include "worker/trainer/html/style.h"
#include "worker/trainer/html/table.h"

namespace quantry::trainer {
namespace {

using Json = nlohmann::json;
using Kind = HtmlTable::Kind;

std::string Card(const std::string& value, const std::string& label) {
  return absl::StrCat("<div class=\"card\"><b>", EscapeHtml(value), "</b><span>", EscapeHtml(label),
                      "</span></div>\n");
}

// Accuracy with the difference to the float model's.
std::string AccuracyCard(const Json& accuracy, const char* key, const std::string& label) {
  const auto top1 = NumberOf(accuracy, key);
  if (!top1) return "";
  const auto difference = Difference(top1, NumberOf(accuracy, "float_top1"));
  if (!difference || std::string(key) == "float_top1") return Card(ShareText(top1), label);
  return absl::StrFormat(
      "<div class=\"card\"><b>%s</b><span>%s, <span class=\"%s\">%s points</span> against "
      "float</span></div>\n",
      EscapeHtml(ShareText(top1)), EscapeHtml(label), *difference < 0 ? "down" : "up",
      EscapeHtml(PointsText(difference)));
}

std::string SizeCards(const Json& report) {
  const Json& bytes = ChildOf(report, "bytes");
  const auto quantized = NumberOf(bytes, "model.onnx");
  const auto full = NumberOf(bytes, "model.float.onnx");
  std::string cards;
  if (quantized) {
    std::string label = "model.onnx";
    if (full && *full > 0) {
      absl::StrAppendFormat(&label, ", %.1f %% of the float file", 100 * *quantized / *full);
    }
    absl::StrAppend(&cards, Card(SizeText(quantized), label));
  }
  if (full) absl::StrAppend(&cards, Card(SizeText(full), "model.float.onnx"));
  return cards;
}

std::string Cards(const Json& report) {
  const Json& accuracy = ChildOf(report, "accuracy");
  std::string cards = AccuracyCard(accuracy, "float_top1", "top-1, float model");
  absl::StrAppend(&cards, AccuracyCard(accuracy, "fake_quant_top1", "top-1, fake-quantized"));
  absl::StrAppend(&cards, AccuracyCard(accuracy, "artifact_top1", "top-1, written artifact"));
  absl::StrAppend(&cards, SizeCards(report));
  if (const auto difference = NumberOf(report, "max_output_difference")) {
    absl::StrAppend(&cards, Card(NumberText(difference),
                                 "largest difference of an output, "
                                 "model against artifact"));
  }
  if (NumberOf(report, "train_seconds").value_or(0) > 0) {
    absl::StrAppend(&cards, Card(SecondsText(NumberOf(report, "train_seconds")), "training"));
  }
  absl::StrAppend(&cards, Card(CountText(NumberOf(report, "parameters")), "parameters"));
  return absl::StrCat("<div class=\"cards\">\n", cards, "</div>\n");
}

// One line of the curves: metrics of `subject`, by epoch or, where an epoch has several, by the
// share of it that was done.
ChartSeries SeriesOf(const Json& metrics, const std::string& subject, const char* key,
                     double steps_per_epoch) {
  ChartSeries series{.name = subject == "train" ? "training" : "evaluation"};
  for (const Json& entry : metrics) {
    if (TextOf(entry, "subject") != subject) continue;
    const auto y = NumberOf(entry, key);
    const auto step = NumberOf(entry, "step");
    if (!y || !step) continue;
    series.points.push_back({steps_per_epoch > 0 ? *step / steps_per_epoch : *step, *y});
  }
  return series;
}

double StepsPerEpoch(const Json& metrics) {
  double steps = 0;
  for (const Json& entry : metrics) {
    const double epoch = NumberOf(entry, "epoch").value_or(0);
    if (TextOf(entry, "subject") == "train" && epoch > 0) {
      steps = NumberOf(entry, "step").value_or(0) / epoch;
    }
  }
  return steps;
}

std::string TrainingSection(const Json& report) {
  const Json& metrics = ChildOf(report, "metrics");
  if (!metrics.is_array()) return "";
  const double steps_per_epoch = StepsPerEpoch(metrics);
  std::string charts;
  const std::pair<const char*, const char*> kinds[] = {{"loss", "Loss"}, {"top1", "Top-1"}};
  for (const auto& [key, title] : kinds) {
    std::vector<ChartSeries> lines;
    for (const char* subject : {"train", "eval"}) {
      ChartSeries line = SeriesOf(metrics, subject, key, steps_per_epoch);
      if (!line.points.empty()) lines.push_back(std::move(line));
    }
    absl::StrAppend(&charts, LineChart(lines, {.title = title,
                                               .x_label = steps_per_epoch > 0 ? "epoch" : "step",
                                               .percent = std::string(key) == "top1",
                                               .whole_x = true}));
  }
  if (charts.empty()) return "";
  return absl::StrCat("<h2>Training</h2><div class=\"charts\">", charts, "</div>\n");
}

std::string EvaluationSection(const Json& report) {
  HtmlTable table({{"Subject"},
                   {"Examples", Kind::kNumber},
                   {"Loss", Kind::kNumber},
                   {"Top-1", Kind::kNumber},
                   {"Top-5", Kind::kNumber},
                   {"Time", Kind::kNumber}});
  for (const Json& entry : ChildOf(report, "metrics")) {
    const std::string subject = TextOf(entry, "subject");
    if (subject == "train" || subject == "eval") continue;
    table.AddRow({subject, CountText(NumberOf(entry, "examples")),
                  NumberText(NumberOf(entry, "loss")), ShareText(NumberOf(entry, "top1")),
                  ShareText(NumberOf(entry, "top5")), SecondsText(NumberOf(entry, "seconds"))});
  }
  return table.empty() ? "" : absl::StrCat("<h2>Evaluation</h2>", table.Render());
}

std::string FilesSection(const Json& report) {
  HtmlTable files({{"File", Kind::kName}, {"Size", Kind::kNumber}});
  for (const auto& [name, size] : ChildOf(report, "bytes").items()) {
    files.AddRow({name, size.is_number() ? SizeText(size.get<double>()) : "-"});
  }
  HtmlTable times({{"Phase", Kind::kName}, {"Time", Kind::kNumber}});
  for (const auto& [name, seconds] : ChildOf(report, "seconds").items()) {
    times.AddRow({name, seconds.is_number() ? SecondsText(seconds.get<double>()) : "-"});
  }
  if (files.empty() && times.empty()) return "";
  return absl::StrCat("<h2>Files and times</h2><div class=\"charts\">", files.Render(),
                      times.Render(), "</div>\n");
}

// Flat: "training.epochs", "5".
std::string SettingsSection(const Json& report) {
  const Json& settings = ChildOf(report, "settings");
  if (!settings.is_object()) return "";
  std::string rows;
  const auto add = [&rows](absl::string_view name, const std::string& value) {
    absl::StrAppend(&rows, "<tr><td class=\"key-name\">", EscapeHtml(name), "</td><td>",
                    EscapeHtml(value), "</td></tr>\n");
  };
  for (const auto& [part, value] : settings.items()) {
    if (!value.is_object()) {
      add(part, ValueText(value));
      continue;
    }
    for (const auto& [name, setting] : value.items()) {
      add(absl::StrCat(part, ".", name), ValueText(setting));
    }
  }
  return absl::StrCat("<h2>Settings</h2><div class=\"settings\"><table><tbody>\n", rows,
                      "</tbody></table></div>\n");
}

std::string DataSection(const Json& report) {
  const Json& classes = ChildOf(report, "classes");
  const Json& corrupt = ChildOf(report, "corrupt_pictures");
  const auto count = NumberOf(corrupt, "count");
  std::string text;
  if (classes.is_array()) {
    absl::StrAppendFormat(&text, "<p>%d classes", classes.size());
    const size_t shown = std::min<size_t>(classes.size(), 40);
    for (size_t i = 0; i < shown; ++i) {
      absl::StrAppend(&text, i == 0 ? ": " : ", ", EscapeHtml(ValueText(classes[i])));
    }
    absl::StrAppend(&text, shown < classes.size() ? ", ...</p>" : ".</p>");
  }
  if (count && *count > 0) {
    absl::StrAppendFormat(
        &text, "<p>%s corrupt pictures were left out, first: ", EscapeHtml(CountText(count)));
    for (const Json& name : ChildOf(corrupt, "first")) {
      absl::StrAppend(&text, EscapeHtml(ValueText(name)), "; ");
    }
    absl::StrAppend(&text, "</p>");
  }
  return text.empty() ? "" : absl::StrCat("<h2>Data</h2>", text, "\n");
}

std::string Footer(const Json& report) {
  std::string versions;
  for (const auto& [name, version] : ChildOf(report, "versions").items()) {
    absl::StrAppend(&versions, versions.empty() ? "" : " &middot; ", EscapeHtml(name), " ",
                    EscapeHtml(ValueText(version)));
  }
  return absl::StrCat("<footer>", versions, "</footer>\n");
}

std::string TitleOf(const Json& settings) {
  const std::string mode = absl::StrReplaceAll(TextOf(settings, "mode"), {{"_", " "}});
  return mode.empty() ? "Quantry report" : absl::StrCat("Quantry report: ", mode);
}

}  // namespace

std::string ReportPage(const Json& report) {
  const Json& settings = ChildOf(report, "settings");
  const std::string title = EscapeHtml(TitleOf(settings));
  std::string page = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'\">\n<title>",
      title, "</title>\n<style>", kReportStyle, "</style>\n</head>\n<body>\n<h1>", title,
      "</h1>\n<p class=\"lead\">", EscapeHtml(TextOf(settings, "model")), " &middot; ",
      EscapeHtml(TextOf(ChildOf(settings, "data"), "train_uri")), "</p>\n");
  absl::StrAppend(&page, Cards(report), TrainingSection(report), EvaluationSection(report),
                  MixedPrecisionSection(report), SensitivitySection(report));
  absl::StrAppend(&page, LayersSection(report), FloatLayersSection(report), DataSection(report),
                  FilesSection(report), SettingsSection(report), Footer(report));
  return absl::StrCat(page, "</body>\n</html>\n");
}

}  // namespace quantry::trainer
