#ifndef QUANTRY_CLIENT_CLI_JSON_OUTPUT_H_
#define QUANTRY_CLIENT_CLI_JSON_OUTPUT_H_

#include <string>

#include "google/protobuf/message.h"

namespace quantry::client {

// The message as protobuf's JSON in one line, without a line end: lowerCamelCase names, 64-bit
// integers as strings, fields with default values left out.
std::string ToJsonLine(const google::protobuf::Message& message);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_JSON_OUTPUT_H_
