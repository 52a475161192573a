#include "client/cli/json_output.h"

#include <nlohmann/json.hpp>

#include "google/protobuf/util/json_util.h"

namespace quantry::client {

std::string ToJsonLine(const google::protobuf::Message& message) {
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text);
  // Only messages with unknown Any types can't be written; none of ours has any.
  if (!status.ok()) return nlohmann::json{{"error", std::string(status.message())}}.dump();
  return text;
}

}  // namespace quantry::client
