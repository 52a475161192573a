#ifndef QUANTRY_CLIENT_CLI_FORMAT_H_
#define QUANTRY_CLIENT_CLI_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace quantry::client {

// Figures as people read them. What is not known is "-".

std::string FormatBytes(int64_t bytes);              // "512 B", "1.5 KiB", "13.4 MiB"
std::string FormatCount(int64_t count);              // "3,504,872"
std::string FormatElapsed(absl::Duration duration);  // "0.4s", "42s", "3m12s", "2h05m", "3d04h"
// "81.25%" of a share in [0, 1].
std::string FormatShare(std::optional<double> share);
// Four significant digits: "0.5321", "12.3", "8.1e-05".
std::string FormatNumber(std::optional<double> number);

// Local time (the TZ of the process): "2026-11-23 11:10:25" and "11:10:25".
std::string FormatDateTime(const google::protobuf::Timestamp& time);
std::string FormatTimeOfDay(const google::protobuf::Timestamp& time);
absl::Time ToTime(const google::protobuf::Timestamp& time);

// Text from elsewhere in one line that can't steer a terminal: control characters become spaces.
std::string SanitizeLine(absl::string_view text);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_FORMAT_H_
