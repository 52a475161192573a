#ifndef QUANTRY_WORKER_TRAINER_HTML_REPORT_VALUES_H_
#define QUANTRY_WORKER_TRAINER_HTML_REPORT_VALUES_H_

#include <cstdint>
#include <optional>
#include <string>

#include "nlohmann/json.hpp"

namespace quantry::trainer {

// Values of report.json and how people read them. Absent keys and values of other types are
// nothing, or "-".

const nlohmann::json& ChildOf(const nlohmann::json& object, const char* key);  // null if absent
std::optional<double> NumberOf(const nlohmann::json& object, const char* key);
std::string TextOf(const nlohmann::json& object, const char* key);  // "" if absent

std::string ShareText(std::optional<double> share);        // "93.25 %"
std::string PointsText(std::optional<double> difference);  // "+0.25", in percentage points
std::string NumberText(std::optional<double> number);      // "0.01234", four digits
std::string DecibelText(std::optional<double> decibel);    // "41.3 dB"
std::string CountText(std::optional<double> count);        // "1,234,567"
std::string SizeText(std::optional<double> bytes);         // "1.5 MiB"
std::string SecondsText(std::optional<double> seconds);    // "1 h 05 min", "42.1 s"

// A value of the settings as text: strings bare, nothing as "-", all else as JSON.
std::string ValueText(const nlohmann::json& value);

// a - b, where both are there.
std::optional<double> Difference(std::optional<double> a, std::optional<double> b);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_HTML_REPORT_VALUES_H_
