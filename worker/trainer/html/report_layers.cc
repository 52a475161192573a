#include "worker/trainer/html/report_layers.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "worker/trainer/html/chart.h"
#include "worker/trainer/html/escape.h"
#include "worker/trainer/html/report_values.h"
#include "worker/trainer/html/table.h"

namespace quantry::trainer {
namespace {

using Json = nlohmann::json;
using Kind = HtmlTable::Kind;

constexpr double kBestSqnr = 60;  // decibel, that fill a bar

std::string RangeText(double low, double high) {
  if (low == 0) low = 0;  // not "-0"
  return low == high ? absl::StrFormat("%.4g", low) : absl::StrFormat("%.3g to %.3g", low, high);
}

std::string ScaleText(const Json& layer) {
  const auto low = NumberOf(layer, "scale_min");
  const auto high = NumberOf(layer, "scale_max");
  return low && high ? RangeText(*low, *high) : "-";
}

HistogramData HistogramOf(const Json& layer) {
  const Json& json = ChildOf(layer, "histogram");
  HistogramData data{.min = NumberOf(json, "min").value_or(0),
                     .max = NumberOf(json, "max").value_or(0),
                     .range_low = NumberOf(layer, "range_low").value_or(0),
                     .range_high = NumberOf(layer, "range_high").value_or(0)};
  for (const Json& count : ChildOf(json, "counts")) {
    if (count.is_number_integer()) data.counts.push_back(count.get<int64_t>());
  }
  return data;
}

// By layer, the SQNR of the output at the fewest bits it was measured at.
std::map<std::string, std::pair<double, double>> LowestSensitivity(const Json& report) {
  std::map<std::string, std::pair<double, double>> found;  // bits, dB
  for (const Json& row : ChildOf(ChildOf(report, "sensitivity"), "layers")) {
    const auto bits = NumberOf(row, "bits");
    const auto sqnr = NumberOf(row, "sqnr_db");
    if (!bits || !sqnr) continue;
    const auto [entry, is_new] = found.emplace(TextOf(row, "layer"), std::pair(*bits, *sqnr));
    if (!is_new && *bits < entry->second.first) entry->second = {*bits, *sqnr};
  }
  return found;
}

// The widths of the table in falling order.
std::vector<double> WidthsOf(const Json& rows) {
  std::vector<double> widths;
  for (const Json& row : rows) {
    const double bits = NumberOf(row, "bits").value_or(0);
    if (std::find(widths.begin(), widths.end(), bits) == widths.end()) widths.push_back(bits);
  }
  std::sort(widths.rbegin(), widths.rend());
  return widths;
}

}  // namespace

std::string LayersSection(const Json& report) {
  const Json& layers = ChildOf(report, "layers");
  if (!layers.is_array() || layers.empty()) return "";
  const auto sensitivity = LowestSensitivity(report);
  std::vector<HtmlTable::Column> columns = {{"Layer", Kind::kName},
                                            {"Operator"},
                                            {"Tensor"},
                                            {"Quantizer"},
                                            {"Bits", Kind::kNumber},
                                            {"Scale", Kind::kNumber},
                                            {"Range", Kind::kNumber},
                                            {"Values", Kind::kPicture},
                                            {"SQNR", Kind::kNumber},
                                            {"", Kind::kPicture}};
  if (!sensitivity.empty()) columns.push_back({"Output SQNR, alone", Kind::kNumber});
  HtmlTable table(columns);
  for (const Json& layer : layers) {
    const auto sqnr = NumberOf(layer, "sqnr_db");
    const auto low = NumberOf(layer, "range_low");
    const auto high = NumberOf(layer, "range_high");
    std::vector<std::string> cells = {
        TextOf(layer, "layer"),
        TextOf(layer, "op_type"),
        TextOf(layer, "tensor"),
        absl::StrCat(TextOf(layer, "quantizer"),
                     ChildOf(layer, "per_channel") == true ? ", per channel" : ""),
        CountText(NumberOf(layer, "bits")),
        ScaleText(layer),
        low && high ? RangeText(*low, *high) : "-",
        HistogramPicture(HistogramOf(layer)),
        DecibelText(sqnr),
        sqnr ? BarPicture(*sqnr / kBestSqnr) : ""};
    if (const auto alone = sensitivity.find(TextOf(layer, "layer")); alone != sensitivity.end()) {
      cells.push_back(
          absl::StrFormat("%.1f dB at %.0f", alone->second.second, alone->second.first));
    }
    table.AddRow(cells);
  }
  return absl::StrCat(
      "<h2>Layers</h2><p class=\"note\">Scale: the real value of one integer, of the smallest and "
      "the largest channel. Range (dashed lines): what the quantizer can represent. Values: the "
      "first evaluation batch, heights as square roots. SQNR: signal-to-quantization-noise ratio "
      "of "
      "the tensor.</p>",
      table.Render());
}

std::string FloatLayersSection(const Json& report) {
  HtmlTable table({{"Layer", Kind::kName}, {"Operator"}, {"Weights", Kind::kNumber}});
  for (const Json& layer : ChildOf(report, "float_layers")) {
    table.AddRow(
        {TextOf(layer, "layer"), TextOf(layer, "op_type"), CountText(NumberOf(layer, "weights"))});
  }
  if (table.empty()) return "";
  return absl::StrCat(
      "<h2>In float</h2><p class=\"note\">Layers whose trained weights are not quantized: "
      "quant_config leaves them out, or their kind has no quantized form (RNN, GRU, LSTM).</p>",
      table.Render());
}

// What quantizing the layer of `row` changes for the task: top-1 in points, else the loss; empty
// for data without labels.
std::string TaskChange(const Json& row, const Json& sensitivity) {
  const auto top1 = Difference(NumberOf(row, "top1"), NumberOf(sensitivity, "float_top1"));
  const auto loss = Difference(NumberOf(row, "loss"), NumberOf(sensitivity, "float_loss"));
  if (!top1 && !loss) return "";
  const std::string text = top1 ? PointsText(top1) : absl::StrFormat("%+.4g", *loss);
  return absl::StrCat("<br><small>", text, "</small>");
}

std::string TaskNote(const Json& sensitivity) {
  if (const auto top1 = NumberOf(sensitivity, "float_top1")) {
    return absl::StrCat(", and below it the change of top-1 in percentage points against float (",
                        EscapeHtml(ShareText(top1)), ")");
  }
  if (const auto loss = NumberOf(sensitivity, "float_loss")) {
    return absl::StrCat(", and below it the change of the loss against float (",
                        EscapeHtml(NumberText(loss)), ")");
  }
  return "";
}

std::string SensitivitySection(const Json& report) {
  const Json& sensitivity = ChildOf(report, "sensitivity");
  const Json& rows = ChildOf(sensitivity, "layers");
  if (!rows.is_array() || rows.empty()) return "";
  const std::vector<double> widths = WidthsOf(rows);
  std::vector<HtmlTable::Column> columns = {{"#", Kind::kNumber},
                                            {"Layer", Kind::kName},
                                            {"Operator"},
                                            {"Weights", Kind::kNumber},
                                            {"Multiplications", Kind::kNumber}};
  for (const double bits : widths) {
    columns.push_back({absl::StrFormat("%.0f bits", bits), Kind::kNumberMarkup});
  }
  columns.push_back({"", Kind::kPicture});
  HtmlTable table(columns);
  for (size_t first = 0; first < rows.size();) {
    const std::string layer = TextOf(rows[first], "layer");
    std::vector<std::string> cells = {
        CountText(NumberOf(rows[first], "rank")), layer, TextOf(rows[first], "op_type"),
        CountText(NumberOf(rows[first], "weights")), CountText(NumberOf(rows[first], "macs"))};
    cells.resize(columns.size());
    double worst = kBestSqnr;
    for (; first < rows.size() && TextOf(rows[first], "layer") == layer; ++first) {
      const Json& row = rows[first];
      const auto column =
          std::find(widths.begin(), widths.end(), NumberOf(row, "bits").value_or(0));
      const size_t at = 5 + static_cast<size_t>(column - widths.begin());
      cells[at] = absl::StrCat(DecibelText(NumberOf(row, "sqnr_db")), TaskChange(row, sensitivity));
      worst = std::min(worst, NumberOf(row, "sqnr_db").value_or(kBestSqnr));
    }
    cells.back() = BarPicture(1 - worst / kBestSqnr);
    table.AddRow(cells);
  }
  return absl::StrFormat(
      "<h2>Sensitivity</h2><p class=\"note\">Each layer quantized alone, all others in float, on "
      "%s examples. At each width the SQNR of the model&#39;s output%s. The bar is the longer, the "
      "more the layer disturbs the output at the fewest bits.</p>%s",
      EscapeHtml(CountText(NumberOf(sensitivity, "examples"))), TaskNote(sensitivity),
      table.Render());
}

std::string MixedPrecisionSection(const Json& report) {
  const Json& choice = ChildOf(report, "mixed_precision");
  if (!choice.is_object()) return "";
  HtmlTable table({{"Layer", Kind::kName},
                   {"Operator"},
                   {"Weights", Kind::kNumber},
                   {"Multiplications", Kind::kNumber},
                   {"Weight bits", Kind::kNumber},
                   {"", Kind::kPicture},
                   {"Input bits", Kind::kNumber},
                   {"", Kind::kPicture}});
  for (const Json& layer : ChildOf(choice, "layers")) {
    const auto weight_bits = NumberOf(layer, "weight_bits");
    const auto input_bits = NumberOf(layer, "activation_bits");
    table.AddRow(
        {TextOf(layer, "layer"), TextOf(layer, "op_type"), CountText(NumberOf(layer, "weights")),
         CountText(NumberOf(layer, "macs")),
         absl::StrCat(CountText(weight_bits), ChildOf(layer, "fixed") == true ? " (given)" : ""),
         BarPicture(weight_bits.value_or(0) / 8), CountText(input_bits),
         BarPicture(input_bits.value_or(0) / 8)});
  }
  return absl::StrFormat(
      "<h2>Chosen bits</h2><p class=\"note\">Budget %s: %s of at most %s. Mean weight bits %s, "
      "weights packed %s, %s bit operations for one example.</p>%s",
      EscapeHtml(TextOf(choice, "budget")),
      absl::StrFormat("%.10g", NumberOf(choice, "budget_used").value_or(0)),
      absl::StrFormat("%.10g", NumberOf(choice, "budget_limit").value_or(0)),
      EscapeHtml(NumberText(NumberOf(choice, "mean_weight_bits"))),
      EscapeHtml(SizeText(NumberOf(choice, "size_bytes"))),
      EscapeHtml(NumberText(NumberOf(choice, "bit_operations"))), table.Render());
}

}  // namespace quantry::trainer
