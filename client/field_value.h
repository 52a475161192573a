#ifndef QUANTRY_CLIENT_FIELD_VALUE_H_
#define QUANTRY_CLIENT_FIELD_VALUE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace quantry::client {

// Whether SetFieldFromText can set the field: numbers, bool, text, enums, google.protobuf.Duration,
// and repeated fields of these.
bool IsSettableField(const google::protobuf::FieldDescriptor& field);

// Sets `field` of `message` from text; a repeated field gets the comma-separated values instead of
// those it had (empty text: none). Enum values are named with or without their prefix, in any case.
// INVALID_ARGUMENT says what the text is and what is allowed.
absl::Status SetFieldFromText(absl::string_view text,
                              const google::protobuf::FieldDescriptor& field,
                              google::protobuf::Message& message);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_FIELD_VALUE_H_
